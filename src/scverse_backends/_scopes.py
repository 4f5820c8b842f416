"""``with`` blocks of a host's settings: the ones that select a backend, and the ones that trace calls."""

from __future__ import annotations

from scverse_backends._foundation.foreign import Attempt
from scverse_backends._foundation.unseen import unseen
from scverse_backends._selection.state import Scope

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType
    from typing import Any, Protocol

    from scverse_backends._reports.explain import Explanation
    from scverse_backends._reports.report import BackendTable
    from scverse_backends._reports.trace import Trace
    from scverse_backends._selection.selection import Selection
    from scverse_backends._selection.state import Choice, Options

    class Services(Protocol):
        """What settings and scopes ask the inside of their dispatcher for."""

        def reading(self, choice: Choice) -> str | tuple[str, ...]: ...
        def options(self) -> dict[str, dict[str, Any]]: ...
        def available_backends(self) -> list[str]: ...
        def get_backend(self, name: str) -> Any: ...
        def providers(self, names: tuple[str, ...]) -> dict[str, tuple[str, str | None]]: ...
        def backends(self) -> BackendTable: ...
        def explain(self, function: Callable[..., Any], backend: object) -> Explanation: ...
        def scoped_options(self, choice: Choice | None, given: object) -> Options: ...
        def warn_unused(self, options: Options) -> None: ...


# Decorators whose results stand for a function in a class, and take the place of one.
_NOT_FUNCTIONS: tuple[type, ...] = (staticmethod, classmethod, property)


class BackendScope:
    """A context manager and decorator, which :meth:`.Settings.use_backend` returns."""

    __slots__ = ("_fallback", "_name", "_options", "_selection", "_services")

    def __init__(
        self,
        selection: Selection,
        services: Services,
        name: object,
        fallback: str | None,
        options: Mapping[str, Any] | None,
    ) -> None:
        self._selection = selection
        self._services = services
        self._name = name
        self._fallback = fallback
        self._options = options

    def __repr__(self) -> str:
        written = self._written(self._fallback, self._options)
        return f"<{written}: does nothing until it is entered. Write 'with {written}:' above the calls it is for.>"

    def _written(self, fallback: str | None = None, options: Mapping[str, Any] | None = None) -> str:
        """Return how a user writes this."""
        policy = "" if fallback is None else f", fallback={fallback!r}"
        given = "" if options is None else f", options={options!r}"
        return f"settings.use_backend({self._name!r}{policy}{given})"

    def _chosen(self) -> tuple[Choice | None, Options | None]:
        """Return what the scope selects and gives, once it is sure that it can."""
        choice = None if self._name is None else self._selection.resolve(self._name, "scope")
        return choice, None if self._options is None else self._services.scoped_options(choice, self._options)

    def _open(self) -> None:
        choice, options = self._chosen()
        self._selection.open(self, choice, self._fallback, options)

    def __enter__(self) -> None:
        __tracebackhide__ = True
        opened = Attempt(self._open)
        if opened.failed:
            raise opened.error()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        scope = self._selection.close(self)
        # An error is on its way to the user: nothing else is said now.
        if scope is not None and scope.options is not None and error is None:
            self._services.warn_unused(scope.options)

    @unseen
    def __call__[**P, R](self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorate a function of any kind; the name is checked when it is called."""
        from functools import wraps

        from scverse_backends._selection.kinds import driver_for, like
        from scverse_backends._selection.steps import Steps

        __tracebackhide__ = True
        wrong = self._wrong(function)
        if wrong is not None:
            raise TypeError(wrong)
        drive = driver_for(function)
        if drive is None:

            @wraps(function)
            def plain(*args: P.args, **kwargs: P.kwargs) -> R:
                __tracebackhide__ = True
                # No `with` statement, whose error would have a second frame of ours.
                opened = Attempt(self._open)
                if opened.failed:
                    raise opened.error()
                try:
                    result = function(*args, **kwargs)
                except BaseException as error:
                    self.__exit__(type(error), error, None)
                    raise
                self.__exit__(None, None, None)
                return result

            return plain

        def stepwise(*args: P.args, **kwargs: P.kwargs) -> Any:
            __tracebackhide__ = True
            chosen = Attempt(self._chosen)
            if chosen.failed:
                raise chosen.error()
            choice, options = chosen.value
            selection = self._selection
            selection.wake()
            state = selection.variable.get().with_scope(Scope(self, choice, self._fallback, options))

            def ended(error: BaseException | None) -> None:
                if options is not None and error is None:
                    self._services.warn_unused(options)

            steps = Steps(selection.variable, state, ended)
            with steps:
                result = function(*args, **kwargs)
            name = getattr(function, "__name__", "decorated")
            return drive(result, steps, name, getattr(function, "__qualname__", name))

        decorated: Callable[P, R] = wraps(function)(like(function, stepwise))
        return decorated

    def _wrong(self, decorated: Any) -> str | None:
        """Say why something cannot be decorated: a wrapper would take its place and hide what it is."""
        written = self._written()
        if isinstance(decorated, type):
            return (
                f"use_backend() cannot decorate {described(decorated)}, only functions. Decorate its methods one by "
                f"one, or write 'with {written}:' in them. In the setUp of a unittest.TestCase, write "
                f"self.enterContext({written})."
            )
        if isinstance(decorated, _NOT_FUNCTIONS):
            return (
                f"use_backend() cannot decorate {described(decorated)}. Write @{written} below the "
                f"@{type(decorated).__name__}, next to the function."
            )
        return None if callable(decorated) else f"use_backend() decorates functions, not {described(decorated)}."


class TraceScope:
    """The context manager that :meth:`settings.trace() <scverse_backends.Settings.trace>` returns."""

    __slots__ = ("_host", "_package", "_selection", "_synchronize", "_traces")

    def __init__(self, selection: Selection, host: str, package: str, *, synchronize: bool) -> None:
        self._selection = selection
        self._host = host
        self._package = package
        self._synchronize = synchronize
        self._traces: list[Trace] = []

    def __repr__(self) -> str:
        return "<settings.trace(): records nothing until it is entered. Write 'with settings.trace() as calls:'.>"

    def __enter__(self) -> Trace:
        from scverse_backends._reports.trace import Trace

        state = self._selection.variable.get()
        trace = Trace(host=self._host, package=self._package, synchronize=self._synchronize, depth=state.depth)
        self._traces.append(trace)
        self._selection.swap_traces((*state.traces, trace))
        return trace

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not self._traces:
            return
        closed = self._traces.pop()
        closed.close()
        traces = self._selection.variable.get().traces
        self._selection.swap_traces(tuple(trace for trace in traces if trace is not closed))


def is_decorated(value: object) -> bool:
    """Whether a value is something that was decorated, and not the name of a backend."""
    return not isinstance(value, str) and (callable(value) or isinstance(value, (classmethod, property)))


def described(decorated: object) -> str:
    """Return what somebody tried to decorate, for a message."""
    kind = "class" if isinstance(decorated, type) else type(decorated).__name__
    name = getattr(decorated, "__qualname__", None)
    return f"the {kind} {name.rpartition('<locals>.')[2]}" if isinstance(name, str) else f"{decorated!r:.60}"
