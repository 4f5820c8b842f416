"""The ``settings`` object of a host: what its users select with."""

from __future__ import annotations

from scverse_backends._foundation.foreign import Attempt, ChoiceError
from scverse_backends._foundation.labels import did_you_mean, suggestions
from scverse_backends._selection.selection import POLICIES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, Literal

    from scverse_backends._reports.explain import Explanation
    from scverse_backends._reports.report import BackendTable
    from scverse_backends._scopes import BackendScope, Services, TraceScope
    from scverse_backends._selection.selection import Selection

    FallbackPolicy = Literal["explicit", "silent", "warn", "raise"]
    Selectable = str | Sequence[str]


class Settings:
    """What is selected for one host: for the process, for a scope, and which fallback is allowed.

    Every host has one such object, made by its :class:`~scverse_backends.BackendDispatcher`. It can be copied and
    pickled: what comes out is the host's own object again.

    Examples
    --------
    >>> from scverse_backends import BackendDispatcher
    >>> settings = BackendDispatcher(entrypoint_group="doc_host.backends", host_name="doc_host").settings
    >>> settings
    <settings of doc_host: backend='cpu' (default), fallback='explicit'>
    """

    __slots__ = ("__weakref__", "_host", "_reference", "_selection", "_services")

    _host: str
    _selection: Selection
    _services: Services
    _reference: tuple[Any, ...]

    def __init__(self, host: str, selection: Selection, services: Services, reference: tuple[Any, ...]) -> None:
        object.__setattr__(self, "_host", host)
        object.__setattr__(self, "_selection", selection)
        object.__setattr__(self, "_services", services)
        object.__setattr__(self, "_reference", reference)

    # -- the backend -------------------------------------------------------------------------------------------------

    @property
    def backend(self) -> str | tuple[str, ...]:
        """Canonical name of the selection in force; a tuple of names where a preference order is selected.

        Assigning selects for the innermost open ``with`` block, or for the whole process where none is open.
        ``del settings.backend`` undoes the selection for the process.

        Raises
        ------
        UnknownBackendError, ReservedBackendError, BackendNotInstalledError, BackendLoadError
            If what is assigned (or what the environment variable names) cannot be selected. Nothing changes then.

        Examples
        --------
        >>> from scverse_backends import BackendDispatcher
        >>> settings = BackendDispatcher(entrypoint_group="doc_host.backends", host_name="doc_host").settings
        >>> settings.backend
        'cpu'
        """
        __tracebackhide__ = True
        found = Attempt(self._selection.effective)
        if found.failed:
            raise found.error()
        choice, _ = found.value
        return self._services.reading(choice)

    @backend.setter
    def backend(self, value: Selectable) -> None:
        if value is None:  # pyright: ignore[reportUnnecessaryComparison]  # who is not type-checked writes it.
            raise ChoiceError(
                "settings.backend = None selects nothing. To undo a selection, write 'del settings.backend'; "
                "a settings object of the host's own may not offer that. To run the host's own implementation, write "
                "settings.backend = 'cpu', which any settings object takes."
            )
        self._selection.assign(self._selection.resolve(value, "process"))

    @backend.deleter
    def backend(self) -> None:
        self._selection.unassign()

    # -- the fallback policy -----------------------------------------------------------------------------------------

    @property
    def fallback(self) -> FallbackPolicy:
        """What happens when the selected backend does not implement a function.

        ``"explicit"`` warns where the call itself said ``backend=``, ``"warn"`` always, ``"silent"`` never, and
        ``"raise"`` raises :class:`~scverse_backends.exceptions.FunctionNotImplementedError`. Assigning and ``del``
        work as for :attr:`backend`.

        Raises
        ------
        ValueError
            If it is none of these.
        """
        policy: FallbackPolicy = self._selection.fallback()  # Only checked policies get in.
        return policy

    @fallback.setter
    def fallback(self, policy: FallbackPolicy) -> None:
        wrong = _policy_problem(policy)
        if wrong is not None:
            raise ChoiceError(wrong)
        self._selection.assign_fallback(policy)

    @fallback.deleter
    def fallback(self) -> None:
        self._selection.unassign_fallback()

    # -- scopes ------------------------------------------------------------------------------------------------------

    @property
    def options(self) -> dict[str, dict[str, Any]]:
        """Options that the open ``with`` blocks give to backends, by canonical name of the backend.

        Examples
        --------
        >>> from scverse_backends import BackendDispatcher
        >>> settings = BackendDispatcher(entrypoint_group="doc_host.backends", host_name="doc_host").settings
        >>> settings.options
        {}
        """
        return self._services.options()

    def use_backend(
        self,
        name: Selectable | None,
        *,
        fallback: FallbackPolicy | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> BackendScope:
        """Select a backend for a ``with`` block, or for a function that is decorated with the result.

        Parameters
        ----------
        name
            Name or alias, a preference order of several, or ``None`` to set only the policy.
        fallback
            Fallback policy inside the block.
        options
            Defaults for options that only the backend has, ``{"device": 1}`` for instance: a call inside the block
            that runs on this backend, whose implementation takes the option and whose caller did not give it, gets
            it. With several names, which are for which: ``{"cuda": {"device": 1}, "jax": {"x64": True}}``.

        Returns
        -------
        A context manager. It does nothing until it is entered, checks the name each time it is entered, and can be
        entered again.

        Raises
        ------
        ValueError
            If the policy is unknown.
        TypeError
            If it is written as a decorator without parentheses: ``@settings.use_backend`` names no backend. When the
            block is entered: if `options` is no mapping, or if no function of the backend takes one of them.

        Examples
        --------
        >>> from scverse_backends import BackendDispatcher
        >>> settings = BackendDispatcher(entrypoint_group="doc_host.backends", host_name="doc_host").settings
        >>> with settings.use_backend("cpu", fallback="raise"):
        ...     settings.backend, settings.fallback
        ('cpu', 'raise')
        """
        __tracebackhide__ = True
        wrong = None if fallback is None else _policy_problem(fallback)
        if wrong is not None:
            raise ValueError(wrong)
        from scverse_backends._scopes import BackendScope, described, is_decorated  # Importing a host need not pay.

        if is_decorated(name):
            raise TypeError(
                f"use_backend() was given {described(name)} where the name of a backend belongs. "
                f"To decorate with it, write @settings.use_backend('NAME'), with the name in parentheses."
            )
        return BackendScope(self._selection, self._services, name, fallback, options)

    def bind[**P, R](self, func: Callable[P, R]) -> Callable[P, R]:
        """Return a callable that runs ``func`` under the selection in force now, wherever it runs.

        Threads, process pools and Dask workers do not inherit a scope; what is bound takes it along, ``"cpu"``
        included, and pickles when ``func`` does.

        Parameters
        ----------
        func
            Any callable.

        Raises
        ------
        TypeError
            If ``func`` is not callable.
        BackendError
            If the environment variable names a backend that cannot be used.

        Examples
        --------
        >>> from scverse_backends import BackendDispatcher
        >>> settings = BackendDispatcher(entrypoint_group="doc_host.backends", host_name="doc_host").settings
        >>> settings.bind(len)([1, 2, 3])
        3
        """
        if not callable(func):
            raise TypeError(f"bind() takes a callable, not {type(func).__name__}.")
        __tracebackhide__ = True
        selection = self._selection
        found = Attempt(selection.effective)
        if found.failed:
            raise found.error()
        from scverse_backends._selection.bind import BoundFunction, Home  # Importing a host need not pay for it.

        choice, _ = found.value
        state = selection.variable.get()
        for options in state.given_options():
            options.carried = True
        bound: Callable[..., Any] = BoundFunction(
            func,
            selection,
            choice.reading,
            selection.fallback(),
            state.options,
            state.running,
            Home(self._services.providers(choice.names)),
            state,
        )
        return bound

    # -- what there is, and what happens -----------------------------------------------------------------------------

    def available_backends(self) -> list[str]:
        """Return the canonical names of all usable backends, sorted, without ``"cpu"``."""
        return self._services.available_backends()

    def get_backend(self, name: str) -> Any:
        """Return the adapter that answers to a name or alias, ``None`` if none does and for ``"cpu"``.

        Parameters
        ----------
        name
            A name or alias of a backend.
        """
        return self._services.get_backend(name)

    def backends(self) -> BackendTable:
        """Return a table of all backends: where each comes from, whether it is trusted, its state and functions."""
        return self._services.backends()

    def explain(self, function: Callable[..., Any], backend: Selectable | None = None) -> Explanation:
        """Say which implementation of a function would run now, and why, without calling it.

        Parameters
        ----------
        function
            A dispatched function or class of this host.
        backend
            As the call would say it.

        Raises
        ------
        TypeError
            If the function is none that this host dispatches.
        """
        return self._services.explain(function, backend)

    def trace(self, *, synchronize: bool = False) -> TraceScope:
        """Collect a record of every dispatched call inside a ``with`` block.

        Parameters
        ----------
        synchronize
            Wait at the end of each call until an accelerator has computed its result and what it changed. A time ends
            otherwise when the call returns, which with JAX, CuPy and PyTorch is when the work was handed over. Lazy
            collections, of Dask for instance, are not computed.

        Returns
        -------
        A context manager that gives the list of calls. It prints as a table, has ``totals()`` and ``provenance()``, and
        ``pandas.DataFrame`` makes a frame of it.

        Examples
        --------
        >>> from scverse_backends import BackendDispatcher
        >>> dispatcher = BackendDispatcher(entrypoint_group="doc_host.backends", host_name="doc_host")
        >>> @dispatcher.backend_dispatch
        ... def score(x): return x + 1
        >>> with dispatcher.settings.trace() as calls:
        ...     result = score(1)
        >>> calls[0].function, calls[0].executed
        ('score', 'cpu')
        """
        from scverse_backends._scopes import TraceScope  # As above.

        package = self._reference[1][0][0].partition(".")[0]
        return TraceScope(self._selection, self._host, package, synchronize=synchronize)

    # -- being an object that users handle ---------------------------------------------------------------------------

    def __setattr__(self, name: str, value: object) -> None:
        __tracebackhide__ = True
        if name not in ("backend", "fallback"):
            raise AttributeError(_no_attribute(name))
        assigned = Attempt(object.__setattr__, self, name, value)
        if assigned.failed:
            raise assigned.error()

    def __getattr__(self, name: str) -> Any:
        __tracebackhide__ = True
        raise AttributeError(_no_attribute(name), name=name, obj=self)

    def __repr__(self) -> str:
        selection = self._selection
        found = Attempt(selection.effective)
        if found.failed:
            shown = f"backend=? ({found.error()})"
        else:
            choice, source = found.value
            shown = f"backend={self._services.reading(choice)!r} ({source})"
        late = selection.too_late()
        return f"<settings of {self._host}: {shown}, fallback={selection.fallback()!r}{f'. {late}' if late else ''}>"

    def __copy__(self) -> Settings:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Settings:
        return self

    def __reduce__(self) -> Any:
        return self._reference


def _no_attribute(name: str) -> str:
    public = [attribute for attribute in dir(Settings) if not attribute.startswith("_")]
    if name in public:
        return f"settings.{name} cannot be assigned."
    return f"settings have no attribute {name!r}.{did_you_mean(suggestions(name, public)[:1])}"


def _policy_problem(policy: object) -> str | None:
    """Say what is wrong with a fallback policy, or nothing."""
    if isinstance(policy, str) and policy in POLICIES:
        return None
    likely = suggestions(policy, POLICIES) if isinstance(policy, str) else ()
    return f"A fallback policy is one of {', '.join(map(repr, POLICIES))}, not {policy!r:.60}.{did_you_mean(likely)}"
