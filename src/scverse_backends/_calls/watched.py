"""Calls as somebody watches them: each is announced before it runs, and who wants to is told how it ended."""

from __future__ import annotations

from contextlib import contextmanager

from scverse_backends._selection.state import CPU_CHOICE, Entered, Scope, State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any

    from scverse_backends._calls.decide import Decider
    from scverse_backends._calls.decision import Decision, Ended

    Observe = Callable[[Decision, tuple[Any, ...], dict[str, Any]], None]


@contextmanager
def watching(decider: Decider, observe: Observe) -> Generator[None]:
    """Have an observer told of every call that is decided with a backend selected, in any thread."""
    decider.observers += (observe,)
    try:
        yield
    finally:
        decider.observers = tuple(one for one in decider.observers if one is not observe)


def outermost(decider: Decider, begin: Callable[[OutermostCall], Ended | None]) -> Observe:
    """Return an observer that announces the calls which no function of a backend made.

    What `begin` returns is told how the call ended.
    """

    def observe(decision: Decision, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if not decision.outer.running:
            ended = begin(OutermostCall(decider, decision, args, kwargs))
            if ended is not None:
                decision.tell(ended)

    return observe


class OutermostCall:
    """A call with a backend selected that no function of a backend made, before it runs."""

    __slots__ = ("_decider", "_decision", "args", "kwargs")

    def __init__(self, decider: Decider, decision: Decision, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._decider = decider
        self._decision = decision
        self.args = args
        """What the caller gave."""
        self.kwargs = kwargs

    @property
    def function(self) -> str:
        """The name of the host function."""
        return self._decision.record.name

    @property
    def attribute(self) -> str:
        """What backends know the function by, which no other function of the host is known by."""
        return self._decision.record.attribute

    @property
    def backend(self) -> str:
        """What runs the call, ``"cpu"`` for the host."""
        return self._decision.executes

    @property
    def reason(self) -> str:
        """Why that runs it."""
        return self._decision.reason

    @property
    def runs_in_steps(self) -> bool:
        """Whether it returns a generator or a coroutine, whose body runs later."""
        return self._decision.record.drive is not None

    @property
    def public(self) -> Any:
        """The decorated function."""
        return self._decision.record.wrapper_ref()

    def aside(self) -> Entered:
        """Return a block in which the host is selected, and in which nothing is traced or announced."""
        scope = Scope(self, CPU_CHOICE, None)
        # Calls that are made inside an implementation are none of their own, and so are those in this block.
        state = State((scope,), (("(aside)", self._decision.record.attribute),))
        return Entered(self._decider.selection.variable, state)
