"""A function together with the selection that was in force when it was bound."""

from __future__ import annotations

from scverse_backends._selection.steps import Steps, driver_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from scverse_backends._selection.selection import Selection


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
        running: tuple[tuple[str, str], ...],
        traces: tuple[Any, ...] = (),
    ) -> None:
        import inspect
        from functools import update_wrapper

        update_wrapper(self, function)
        self._function = function
        self._selection = selection
        self._names = names
        self._fallback = fallback
        self._running = running
        self._traces = traces
        self._drive = driver_for(function)
        if inspect.iscoroutinefunction(function):
            inspect.markcoroutinefunction(self)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        selection = self._selection
        selection.wake()
        # Resolved here and not when it is unpickled, so that a worker without the backend raises where it is called.
        choice = selection.resolve(self._names, "scope")
        state = selection.bound_state(self, choice, self._fallback, self._running, self._traces)
        steps = Steps(selection.variable, state)
        result: Any = steps.run(self._call, args, kwargs)
        if self._drive is None:
            return result
        name = getattr(self._function, "__name__", "bound")
        driven: Any = self._drive(result, steps, name, getattr(self._function, "__qualname__", name))
        return driven

    def _call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return self._function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<{self._function!r} bound to backend {self._names!r}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return BoundFunction, (self._function, self._selection, self._names, self._fallback, self._running)
