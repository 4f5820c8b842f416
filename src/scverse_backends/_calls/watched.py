"""Calls as somebody watches them: each is announced before it runs, and who wants to is told how it ended."""

from __future__ import annotations

from scverse_backends._selection.state import CPU_CHOICE, Entered, Scope, State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from scverse_backends._calls.decision import Decision, Ended

    Observe = Callable[[Decision, tuple[Any, ...], dict[str, Any]], None]


def outermost(begin: Callable[[OutermostCall], Ended | None]) -> Observe:
    """Return an observer that announces the calls which no function of a backend made.

    What `begin` returns is told how the call ended.
    """

    def observe(decision: Decision, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if not decision.outer.running:
            ended = begin(OutermostCall(decision, args, kwargs))
            if ended is not None:
                decision.tell(ended)

    return observe


class OutermostCall:
    """A call with a backend selected that no function of a backend made, before it runs."""

    def __init__(self, decision: Decision, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        record = decision.record
        self._variable = decision.variable
        self.args = args
        """What the caller gave."""
        self.kwargs = kwargs
        self.function = record.name
        """The name of the host function."""
        self.attribute = record.attribute
        """What backends know the function by. No other function of the host is known by it."""
        self.public = record.wrapper_ref()
        """The decorated function."""
        self.runs_in_steps = record.drive is not None
        """Whether it returns a generator or a coroutine, whose body runs later."""
        self.backend = decision.executes
        """What runs the call, ``"cpu"`` for the host."""
        self.reason = decision.reason
        """Why that runs it."""

    def aside(self) -> Entered:
        """Return a block in which the host is selected, and in which nothing is traced or announced."""
        scope = Scope(self, CPU_CHOICE, None)
        # Calls inside an implementation are not announced, and no more are those in this block.
        return Entered(self._variable, State((scope,), (("(aside)", self.attribute),)))
