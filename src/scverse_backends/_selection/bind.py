"""A function together with the selection that was in force when it was bound."""

from __future__ import annotations

from scverse_backends._foundation.foreign import Attempt
from scverse_backends._foundation.place import process
from scverse_backends._foundation.unseen import unseen
from scverse_backends._selection.kinds import driver_for
from scverse_backends._selection.state import Options, Scope, State
from scverse_backends._selection.steps import Steps
from scverse_backends.exceptions import BackendError, UnknownBackendError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from scverse_backends._selection.selection import Selection


class Home:
    """The process in which a function was bound, and what it had installed: for errors that are raised elsewhere."""

    def __init__(self, providers: dict[str, tuple[str, str | None]]) -> None:
        self._process = process()
        self._providers = providers

    def explained(self, error: BackendError) -> BackendError:
        """Return an error that says where it was raised, and what to install there, if that was not at home."""
        here = process()
        if here == self._process:
            return error
        moved = error.on_worker(here)
        # The error of a trusted backend says already which distribution to install.
        if not isinstance(error, UnknownBackendError) or error.backend is None:
            return moved
        provider = self._providers.get(error.backend)
        if provider is None:
            advice = "Where bind() was called, register() had added it: call that on each worker too."
        else:
            distribution, version = provider
            pinned = distribution if version is None else f"{distribution}=={version}"
            advice = (
                f"Where bind() was called, {distribution} provides it. Install it for the worker: pip install {pinned}"
            )
            moved.distribution = distribution
        return moved.rewritten(f"{moved} {advice}", source=moved.source)


class BoundFunction:
    """Calls a function under a fixed selection, wherever it is called: see :meth:`Settings.bind`.

    Looks like the function and pickles when the function does. Open traces and the guard against endless recursion go
    along within the process; to other processes only the guard does.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        selection: Selection,
        names: str | tuple[str, ...],
        fallback: str,
        options: Mapping[str, Mapping[str, Any]],
        running: tuple[tuple[str, str], ...],
        home: Home,
        here: State | None = None,
    ) -> None:
        import inspect
        from functools import update_wrapper

        update_wrapper(self, function)
        self._function = function
        self._selection = selection
        self._names = names
        self._fallback = fallback
        self._options = options
        self._running = running
        self._home = home
        self._bound_in = here or State()
        self._drive = driver_for(function)
        if inspect.iscoroutinefunction(function):
            inspect.markcoroutinefunction(self)

    @unseen
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        # Resolved here and not when it is unpickled, so that a worker without the backend raises where it is called.
        state = Attempt(self._state)
        if state.failed:
            raise state.error()
        steps = Steps(self._selection.variable, state.value)
        with steps:
            result = self._function(*args, **kwargs)
        if self._drive is None:
            return result
        name = getattr(self._function, "__name__", "bound")
        return self._drive(result, steps, name, getattr(self._function, "__qualname__", name))

    def _state(self) -> State:
        """Return what was in force where it was bound, with who traces here."""
        selection = self._selection
        selection.wake()
        try:
            choice = selection.resolve(self._names, "scope")
        except BackendError as error:
            raise self._home.explained(error) from error.__cause__
        here = selection.variable.get()
        there = [trace for trace in self._bound_in.traces if trace.is_open]
        traces = (*there, *(trace for trace in here.traces if not any(trace is one for one in there)))
        options = Options(self._options) if self._options else None
        depth = self._bound_in.depth if there else here.depth
        return State((Scope(self, choice, self._fallback, options),), self._running, traces, depth)

    def __repr__(self) -> str:
        return f"<{self._function!r} bound to backend {self._names!r}>"

    def __reduce__(self) -> tuple[Any, ...]:
        # An open trace stays behind: what is recorded in another process would never come back.
        selected = self._selection, self._names, self._fallback, self._options
        return BoundFunction, (self._function, *selected, self._running, self._home)
