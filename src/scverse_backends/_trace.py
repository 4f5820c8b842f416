"""Records of the calls that a host's functions made while somebody watched."""

from __future__ import annotations

from scverse_backends._table import Table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


class Call:
    """One dispatched call.

    Attributes
    ----------
    function
        Name of the host function.
    requested
        The selection: a canonical name, or a tuple of them where an order was given.
    source
        Which rule chose it: ``"argument"``, ``"scope"``, ``"process"``, ``"environment"`` or ``"default"``.
    executed
        Name of the implementation that ran, ``"cpu"`` for the host's; ``None`` if none did.
    reason
        Why that one ran.
    seconds
        How long the call took, in seconds; ``None`` while it runs.
    exception
        What it raised, or ``None``.
    """

    __slots__ = ("exception", "executed", "function", "reason", "requested", "seconds", "source")

    def __init__(self, function: str) -> None:
        self.function = function
        self.requested: str | tuple[str, ...] | None = None
        self.source: str | None = None
        self.executed: str | None = None
        self.reason: str | None = None
        self.seconds: float | None = None
        self.exception: BaseException | None = None

    def __repr__(self) -> str:
        return f"<Call {self.function} requested={self.requested!r} executed={self.executed!r}>"


class Trace(list[Call]):
    """The calls of one ``with settings.trace()`` block, in the order in which they began.

    Prints as a table with totals per backend, and shows as one in notebooks.
    """

    __slots__ = ()

    def totals(self) -> dict[str, tuple[int, float]]:
        """Return, for each implementation that ran, how often it did and for how many seconds in all.

        Calls made inside other calls count in both.
        """
        found: dict[str, tuple[int, float]] = {}
        for call in self:
            name = call.executed or "(none)"
            count, seconds = found.get(name, (0, 0.0))
            found[name] = (count + 1, seconds + (call.seconds or 0.0))
        return found

    def _table(self) -> Table:
        rows = [tuple(_cells(call)) for call in self]
        totals = [f"{name}: {count} calls, {_seconds(seconds)}" for name, (count, seconds) in self.totals().items()]
        title = f"{len(self)} dispatched calls" if len(self) != 1 else "1 dispatched call"
        headers = ("function", "requested", "source", "executed", "seconds", "reason", "exception")
        return Table(title, headers, rows, notes=totals)

    def __str__(self) -> str:
        return self._table().text()

    def __repr__(self) -> str:
        return self._table().text()

    def _repr_html_(self) -> str:
        return self._table().html()


def _cells(call: Call) -> Iterator[str]:
    requested: Any = call.requested
    yield call.function
    yield ", ".join(requested) if isinstance(requested, tuple) else str(requested or "")
    yield call.source or ""
    yield call.executed or ""
    yield "running" if call.seconds is None else _seconds(call.seconds)
    yield call.reason or ""
    yield type(call.exception).__name__ if call.exception is not None else ""


def _seconds(seconds: float) -> str:
    """Return a duration in the unit that a person would choose."""
    if seconds >= 1:
        return f"{seconds:.2f} s"
    if seconds >= 1e-3:  # noqa: PLR2004 - a millisecond.
        return f"{seconds * 1e3:.2f} ms"
    return f"{seconds * 1e6:.1f} µs"
