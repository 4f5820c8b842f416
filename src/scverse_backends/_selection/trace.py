"""The record of a call while somebody watches, and what fills it."""

from __future__ import annotations

from time import perf_counter

from scverse_backends._foundation.foreign import describe_error, in_a_line
from scverse_backends._foundation.record import AsDataClass
from scverse_backends._foundation.waiting import leaves, wait_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, ClassVar

    from scverse_backends._selection.state import State

_AS_THEY_ARE = (bool, int, float, str, type(None))
"""Values of options that are kept. Of all others, the text: they may be as large as data."""


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
        The distribution that provides what ran. That of the host is looked up when the trace ends.
    options
        Names and values of the options that a scope added to the call, a value that is no plain one as text.
    depth
        How many dispatched calls the call was made in: 0 for one that no other made.
    seconds
        How long it took until the call returned, in seconds; ``None`` while it runs. An accelerator may still be
        working then: ``settings.trace(synchronize=True)`` waits for it.
    exception
        Type and text of what it raised, or ``None``. The exception itself would keep the arguments alive.
    """

    __slots__ = __match_args__ = (
        "function",
        "requested",
        "source",
        "executed",
        "distribution",
        "version",
        "options",
        "reason",
        "depth",
        "seconds",
        "exception",
    )
    __dataclass_fields__: ClassVar[Any] = AsDataClass()
    __dataclass_params__: ClassVar[Any] = AsDataClass()

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

    __slots__ = ("_started", "_synchronize", "call")

    def __init__(self, function: str, state: State) -> None:
        self.call = Call(function, state.depth)
        self._synchronize = any(trace.synchronize for trace in state.traces)
        for trace in state.traces:
            # A task may outlive the block that it was started in.
            if trace.is_open:
                trace.append(self.call)
        self._started = perf_counter()

    def asks_for(self, requested: object, source: str | None) -> None:
        """Note what is selected, which may turn out to be nothing that can run."""
        if isinstance(requested, (list, tuple)):
            self.call.requested = tuple(map(str, requested))  # pyright: ignore[reportUnknownArgumentType,reportUnknownVariableType]  # foreign.
        elif requested is not None:
            self.call.requested = str(requested)
        self.call.source = None if requested is None else source

    def runs(
        self, executed: str, reason: str, distribution: str | None, version: str | None, options: Mapping[str, object]
    ) -> None:
        """Note what runs the call."""
        call = self.call
        call.executed, call.reason = executed, reason
        call.options = {name: _plain(value) for name, value in options.items()}
        call.distribution, call.version = distribution, version

    def end(self, error: BaseException | None, *values: object) -> None:
        """Note how the call ended; where a trace wants that, once an accelerator has computed these values.

        What the accelerator raises only then is raised here.
        """
        try:
            if self._synchronize and error is None:
                wait_for(leaves(values))
        except BaseException as late:
            error = late
            raise
        finally:
            self.call.seconds = perf_counter() - self._started
            # A generator that is closed before its end has not failed.
            if error is not None and not isinstance(error, GeneratorExit):
                self.call.exception = describe_error(error)


def _plain(value: object) -> object:
    return value if type(value) in _AS_THEY_ARE else in_a_line(value)
