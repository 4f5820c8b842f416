"""Records of the calls that a host's functions made while somebody watched."""

from __future__ import annotations

from time import perf_counter

from scverse_backends._foundation.foreign import describe_error
from scverse_backends._foundation.table import Row, Table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from scverse_backends._selection.state import State

_SHOWN = 30
"""Of longer traces, the table shows so many calls from the beginning and as many from the end."""


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
    distribution, version
        The distribution that provides it, where a backend ran.
    options
        Names and values of the options that a scope added to the call.
    depth
        How many traced calls the call was made in: 0 for one that no other made.
    seconds
        How long the call took, in seconds; ``None`` while it runs.
    exception
        Type and text of what it raised, or ``None``. The exception itself would keep the arguments alive.
    """

    __slots__ = (
        "depth",
        "distribution",
        "exception",
        "executed",
        "function",
        "options",
        "reason",
        "requested",
        "seconds",
        "source",
        "version",
    )

    def __init__(self, function: str, depth: int = 0) -> None:
        self.function = function
        self.depth = depth
        self.requested: str | tuple[str, ...] | None = None
        self.source: str | None = None
        self.executed: str | None = None
        self.reason: str | None = None
        self.distribution: str | None = None
        self.version: str | None = None
        self.options: Mapping[str, object] = {}
        self.seconds: float | None = None
        self.exception: str | None = None

    def __repr__(self) -> str:
        return f"<Call {self.function} requested={self.requested!r} executed={self.executed!r}>"


class Recording:
    """Fills the record of a call while the call is decided and runs."""

    __slots__ = ("_started", "call")

    def __init__(self, function: str, state: State) -> None:
        self.call = Call(function, state.depth)
        for trace in state.traces:
            # A task may outlive the block that it was started in.
            if trace.is_open:
                trace.append(self.call)
        self._started = perf_counter()

    def asks_for(self, requested: object, source: str | None) -> None:
        """Note what is selected, which may turn out to be nothing that can run."""
        names: tuple[str, ...] | str | None = None if requested is None else str(requested)
        if isinstance(requested, (list, tuple)):
            names = tuple(map(str, requested))  # pyright: ignore[reportUnknownArgumentType,reportUnknownVariableType]  # foreign.
        self.call.requested, self.call.source = names, None if requested is None else source

    def runs(
        self, executed: str, reason: str, distribution: str | None, version: str | None, options: Mapping[str, object]
    ) -> None:
        """Note what runs the call."""
        call = self.call
        call.executed, call.reason, call.options = executed, reason, options
        call.distribution, call.version = distribution, version

    def end(self, error: BaseException | None) -> None:
        """Note how the call ended."""
        self.call.seconds = perf_counter() - self._started
        # A generator that is closed before its end has not failed.
        if error is not None and not isinstance(error, GeneratorExit):
            self.call.exception = describe_error(error)


class Trace(list[Call]):
    """The calls of one ``with settings.trace()`` block, in the order in which they began.

    Prints as a table with totals per backend, and shows as one in notebooks.
    """

    __slots__ = ("is_open",)

    def __init__(self, calls: Iterable[Call] = ()) -> None:
        super().__init__(calls)
        self.is_open: bool = True
        """Whether its block still runs: functions that were bound inside it may live much longer."""

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
        left_out = max(len(self) - 2 * _SHOWN, 0)
        calls = [*self[:_SHOWN], *self[_SHOWN + left_out :]]
        notes = [f"{left_out} calls between the first and the last {_SHOWN} are not shown."] if left_out else []
        notes += [f"{name}: {_calls(count)}, {_seconds(seconds)}" for name, (count, seconds) in self.totals().items()]
        headers = ("function", "requested", "source", "executed", "seconds", "reason")
        rows = (Row(tuple(_cells(call)), _raised(call)) for call in calls)
        return Table(_calls(len(self), "dispatched "), headers, rows, notes=notes, numbers=["seconds"])

    def __str__(self) -> str:
        return self._table().text()

    def __repr__(self) -> str:
        return self._table().text()

    def _repr_html_(self) -> str:
        return self._table().html()


def _cells(call: Call) -> Iterator[str]:
    requested = call.requested
    yield call.function
    yield ", ".join(requested) if isinstance(requested, tuple) else str(requested or "")
    yield call.source or ""
    yield call.executed or ""
    yield "running" if call.seconds is None else _seconds(call.seconds)
    yield call.reason or ""


def _raised(call: Call) -> str:
    return "" if call.exception is None else f"raised {call.exception}"


def _calls(count: int, kind: str = "") -> str:
    return f"{count} {kind}call" if count == 1 else f"{count} {kind}calls"


def _seconds(seconds: float) -> str:
    """Return a duration in the unit that a person would choose."""
    if seconds >= 1:
        return f"{seconds:.2f} s"
    if seconds >= 1e-3:
        return f"{seconds * 1e3:.2f} ms"
    return f"{seconds * 1e6:.1f} µs"
