"""The ``settings`` object of a host: what its users select with."""

from __future__ import annotations

from scverse_backends._foundation.labels import did_you_mean, suggestions
from scverse_backends._selection.bind import BoundFunction
from scverse_backends._selection.selection import POLICIES
from scverse_backends._selection.state import Scope
from scverse_backends._selection.steps import Steps, driver_for, like
from scverse_backends.exceptions import BackendError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType
    from typing import Any, Literal, Protocol

    from scverse_backends._reports.report import BackendTable, Explanation
    from scverse_backends._selection.selection import Selection
    from scverse_backends._selection.state import Choice
    from scverse_backends._selection.trace import Trace

    FallbackPolicy = Literal["explicit", "silent", "warn", "raise"]
    Selectable = str | Sequence[str]

    class Services(Protocol):
        """What settings ask their dispatcher for."""

        def available_backends(self) -> list[str]: ...
        def get_backend(self, name: str) -> Any: ...
        def backends(self) -> BackendTable: ...
        def explain(self, function: Callable[..., Any], backend: object) -> Explanation: ...
        def __reduce__(self) -> Any: ...


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

    __slots__ = ("__weakref__", "_host", "_selection", "_services")

    _host: str
    _selection: Selection
    _services: Services

    def __init__(self, host: str, selection: Selection, services: Services) -> None:
        object.__setattr__(self, "_host", host)
        object.__setattr__(self, "_selection", selection)
        object.__setattr__(self, "_services", services)

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
        return self._selection.effective()[0].reading

    @backend.setter
    def backend(self, value: Selectable) -> None:
        if value is None:  # pyright: ignore[reportUnnecessaryComparison]  # who is not type-checked writes it.
            raise ValueError(
                "settings.backend = None selects nothing. Use 'del settings.backend' to undo a selection, or 'cpu' for "
                "the host implementation."
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
        self._selection.assign_fallback(_checked_policy(policy))

    @fallback.deleter
    def fallback(self) -> None:
        self._selection.unassign_fallback()

    # -- scopes ------------------------------------------------------------------------------------------------------

    def use_backend(self, name: Selectable | None, *, fallback: FallbackPolicy | None = None) -> BackendScope:
        """Select a backend for a ``with`` block, or for a function that is decorated with the result.

        Parameters
        ----------
        name
            Name or alias, a preference order of several, or ``None`` to set only the policy.
        fallback
            Fallback policy inside the block.

        Returns
        -------
        A context manager, which checks the name when it is entered and can be entered again.

        Raises
        ------
        ValueError
            If the policy is unknown.

        Examples
        --------
        >>> from scverse_backends import BackendDispatcher
        >>> settings = BackendDispatcher(entrypoint_group="doc_host.backends", host_name="doc_host").settings
        >>> with settings.use_backend("cpu", fallback="raise"):
        ...     settings.backend, settings.fallback
        ('cpu', 'raise')
        """
        return BackendScope(self._selection, name, None if fallback is None else _checked_policy(fallback))

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
        selection = self._selection
        state = selection.state()
        choice, _ = selection.effective()
        bound: Callable[..., Any] = BoundFunction(
            func, selection, choice.reading, selection.fallback(), state.running, state.traces
        )
        return bound

    # -- what there is, and what happens -----------------------------------------------------------------------------

    def available_backends(self) -> list[str]:
        """Return the canonical names of all usable backends, sorted, without ``"cpu"``."""
        return self._services.available_backends()

    def get_backend(self, name: str) -> Any:
        """Return the adapter that answers to a name or alias, ``None`` if none does and for ``"cpu"``."""
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

    def trace(self) -> TraceScope:
        """Collect a record of every dispatched call inside a ``with`` block.

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
        return TraceScope(self._selection)

    # -- being an object that users handle ---------------------------------------------------------------------------

    def __setattr__(self, name: str, value: object) -> None:
        if name not in ("backend", "fallback"):
            raise AttributeError(_no_attribute(name))
        object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(_no_attribute(name), name=name, obj=self)

    def __repr__(self) -> str:
        selection = self._selection
        try:
            choice, source = selection.effective()
            shown = f"backend={choice.reading!r} ({source})"
        except BackendError as error:
            shown = f"backend=? ({error})"
        return f"<settings of {self._host}: {shown}, fallback={selection.fallback()!r}>"

    def __copy__(self) -> Settings:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Settings:
        return self

    def __reduce__(self) -> Any:
        restore, (key,) = self._services.__reduce__()
        return restore, (key, "settings")


def _no_attribute(name: str) -> str:
    public = [attribute for attribute in dir(Settings) if not attribute.startswith("_")]
    if name in public:
        return f"settings.{name} cannot be assigned."
    return f"settings have no attribute {name!r}.{did_you_mean(suggestions(name, public)[:1])}"


def _checked_policy(policy: object) -> str:
    if isinstance(policy, str) and policy in POLICIES:
        return policy
    likely = suggestions(policy, POLICIES) if isinstance(policy, str) else ()
    raise ValueError(
        f"A fallback policy is one of {', '.join(map(repr, POLICIES))}, not {policy!r:.60}.{did_you_mean(likely)}"
    )


class BackendScope:
    """The context manager and decorator that :meth:`Settings.use_backend` returns."""

    __slots__ = ("_fallback", "_name", "_selection")

    def __init__(self, selection: Selection, name: object, fallback: str | None) -> None:
        self._selection = selection
        self._name = name
        self._fallback = fallback

    def _choice(self) -> Choice | None:
        return None if self._name is None else self._selection.resolve(self._name, "scope")

    def __enter__(self) -> None:
        self._selection.open(self, self._choice(), self._fallback)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._selection.close(self)

    def __call__[**P, R](self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorate a function of any kind; the name is checked when it is called."""
        from functools import wraps

        drive = driver_for(function)
        if drive is None:

            @wraps(function)
            def plain(*args: P.args, **kwargs: P.kwargs) -> R:
                with self:
                    return function(*args, **kwargs)

            return plain

        def stepwise(*args: P.args, **kwargs: P.kwargs) -> Any:
            selection = self._selection
            choice = self._choice()
            selection.wake()
            state = selection.state().with_scope(Scope(self, choice, self._fallback))
            steps = Steps(selection.variable, state)
            result = steps.run(lambda: function(*args, **kwargs))
            name = getattr(function, "__name__", "decorated")
            return drive(result, steps, name, getattr(function, "__qualname__", name))

        decorated: Callable[P, R] = wraps(function)(like(function, stepwise))
        return decorated


class TraceScope:
    """The context manager that :meth:`Settings.trace` returns."""

    __slots__ = ("_selection", "_traces")

    def __init__(self, selection: Selection) -> None:
        self._selection = selection
        self._traces: list[Trace] = []

    def __enter__(self) -> Trace:
        from scverse_backends._selection.trace import Trace

        trace = Trace()
        self._traces.append(trace)
        self._selection.swap_traces((*self._selection.state().traces, trace))
        return trace

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not self._traces:
            return
        closed = self._traces.pop()
        closed.is_open = False
        open_traces: Iterator[Any] = (trace for trace in self._selection.state().traces if trace is not closed)
        self._selection.swap_traces(tuple(open_traces))
