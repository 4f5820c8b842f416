"""Every error and warning of this package.

.. code-block:: text

    Exception
    ├── BackendError
    │   ├── UnknownBackendError (ValueError)
    │   ├── ReservedBackendError (ValueError)
    │   ├── BackendNotInstalledError (ImportError)
    │   ├── BackendLoadError (ImportError)
    │   ├── BackendContractError (TypeError)
    │   └── FunctionNotImplementedError (NotImplementedError)
    └── UserWarning
        └── BackendWarning
            ├── UntrustedBackendWarning
            ├── BackendLoadWarning
            ├── BackendConflictWarning
            ├── DroppedArgumentWarning
            └── FallbackWarning

Each error also derives from the built-in in parentheses, so code that catches the built-in keeps working. The
data behind a message stands in attributes, which are ``None`` or empty where they do not apply.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

__all__ = [
    "BackendConflictWarning",
    "BackendContractError",
    "BackendError",
    "BackendLoadError",
    "BackendLoadWarning",
    "BackendNotInstalledError",
    "BackendWarning",
    "DroppedArgumentWarning",
    "FallbackWarning",
    "FunctionNotImplementedError",
    "ReservedBackendError",
    "UnknownBackendError",
    "UntrustedBackendWarning",
]


class _WithData(Exception):  # noqa: N818 - a mixin of errors and of warnings, never raised itself.
    """What a message is about, as attributes that survive pickling (through ``args`` and ``__dict__``)."""

    host: str | None = None
    """Name of the host library."""
    backend: str | None = None
    """The backend concerned, as it was asked for or as it calls itself."""
    distribution: str | None = None
    """The installed distribution that provides the backend."""
    function: str | None = None
    """The host function concerned."""
    parameter: str | None = None
    """The parameter concerned."""
    parameters: tuple[str, ...] = ()
    """All parameters concerned, where there may be several."""
    suggestions: tuple[str, ...] = ()
    """Names that may have been meant."""
    failed: tuple[str, ...] = ()
    """Entry points that failed to load, any of which may have provided the name."""
    source: str | None = None
    """Where the selection came from (argument, scope, process, environment or default)."""
    worker: str | None = None
    """The worker of a pool or cluster that raised it, with its process and machine."""

    def __init__(
        self,
        message: str = "",
        *,
        host: str | None = None,
        backend: str | None = None,
        distribution: str | None = None,
        function: str | None = None,
        parameter: str | None = None,
        parameters: tuple[str, ...] = (),
        suggestions: tuple[str, ...] = (),
        failed: tuple[str, ...] = (),
        source: str | None = None,
        worker: str | None = None,
    ) -> None:
        super().__init__(message)
        self.host = host
        self.backend = backend
        self.distribution = distribution
        self.function = function
        self.parameter = parameter
        self.parameters = parameters
        self.suggestions = suggestions
        self.failed = failed
        self.source = source
        self.worker = worker

    def rewritten(self, message: str, *, source: str | None) -> Self:
        """Return the same error or warning with a message that says more, and where the selection came from."""
        return type(self)(
            message,
            host=self.host,
            backend=self.backend,
            distribution=self.distribution,
            function=self.function,
            parameter=self.parameter,
            parameters=self.parameters,
            suggestions=self.suggestions,
            failed=self.failed,
            source=source,
            worker=self.worker,
        )

    def on_worker(self, worker: str) -> Self:
        """Return the same error with a message that begins with the worker that raised it."""
        if self.worker is not None:
            return self
        error = self.rewritten(f"In {worker}: {self}", source=self.source)
        error.worker = worker
        error.__cause__ = self.__cause__
        return error


class BackendError(_WithData):
    """Base of every error that this package raises on its own account.

    Examples
    --------
    >>> from scverse_backends import BackendDispatcher
    >>> from scverse_backends.exceptions import BackendError
    >>> settings = BackendDispatcher(entrypoint_group="doc_host.backends", host_name="doc_host").settings
    >>> try:
    ...     settings.backend = "cuda"
    ... except BackendError as error:
    ...     print(error.host, error.backend)
    doc_host cuda
    """


class UnknownBackendError(BackendError, ValueError):
    """No installed backend answers to the name, or what was given is not a name."""


class ReservedBackendError(BackendError, ValueError):
    """The host keeps this generic name free; the message says what to use instead."""


class BackendNotInstalledError(BackendError, ImportError):
    """A backend that the host knows and trusts is not installed."""

    installed: str | None = None
    """The version of its distribution, where that is installed and does not provide the backend."""

    def rewritten(self, message: str, *, source: str | None) -> Self:
        """Return the same error with a message that says more."""
        error = super().rewritten(message, source=source)
        error.installed = self.installed
        return error


class BackendLoadError(BackendError, ImportError):
    """A backend is installed but could not be loaded; the cause is chained."""


class BackendContractError(BackendError, TypeError):
    """A backend breaks the contract: a non-callable export, a required host parameter missing."""


class FunctionNotImplementedError(BackendError, NotImplementedError):
    """The backend lacks the function (or declined the call), and falling back to the host was ruled out."""


class BackendWarning(_WithData, UserWarning):
    """Base of every warning that this package gives."""


class UntrustedBackendWarning(BackendWarning):
    """A backend that the host does not vouch for is used for the first time."""


class BackendLoadWarning(BackendWarning):
    """A backend, or a part of its metadata, could not be used."""


class BackendConflictWarning(BackendWarning):
    """Two products claim the same name; the message says which one answers to it."""


class DroppedArgumentWarning(BackendWarning):
    """An argument that the caller gave has no effect on the backend that runs."""


class FallbackWarning(BackendWarning):
    """Something else than the backend that was asked for runs."""
