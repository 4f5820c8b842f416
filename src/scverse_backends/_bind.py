"""A function together with the selection that was in force when it was bound."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from scverse_backends._selection import Selection
    from scverse_backends._state import Choice


class BoundFunction[**P, R]:
    """Calls a function under a fixed selection, wherever it is called: see :meth:`Settings.bind`.

    Pickles when the function does. Open traces and the guard against endless recursion go along within the process;
    to other processes only the guard does.
    """

    __slots__ = ("__wrapped__", "_choice", "_fallback", "_running", "_selection", "_traces")

    def __init__(  # noqa: PLR0913 - what is in force, in its parts.
        self,
        function: Callable[P, R],
        selection: Selection,
        choice: Choice,
        fallback: str,
        running: tuple[tuple[str, str], ...],
        traces: tuple[Any, ...] = (),
    ) -> None:
        self.__wrapped__ = function
        self._selection = selection
        self._choice = choice
        self._fallback = fallback
        self._running = running
        self._traces = traces

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        selection = self._selection
        selection.wake()
        token = selection.variable.set(
            selection.bound_state(self, self._choice, self._fallback, self._running, self._traces)
        )
        try:
            return self.__wrapped__(*args, **kwargs)
        finally:
            selection.variable.reset(token)

    def __repr__(self) -> str:
        return f"<{self.__wrapped__!r} bound to backend {self._choice.reading!r}>"

    def __reduce__(self) -> tuple[Any, ...]:
        names = self._choice.names
        return _rebind, (self.__wrapped__, self._selection, names, self._choice.is_order, self._fallback, self._running)


def _rebind(  # noqa: PLR0913 - what was pickled, in its parts.
    function: Callable[..., Any],
    selection: Selection,
    names: tuple[str, ...],
    is_order: bool,  # noqa: FBT001 - passed by position by pickle.
    fallback: str,
    running: tuple[tuple[str, str], ...],
) -> BoundFunction[..., Any]:
    choice = selection.resolve(names if is_order else names[0])
    return BoundFunction(function, selection, choice, fallback, running)
