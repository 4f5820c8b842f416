"""Be told of the calls that a host's functions make."""

from __future__ import annotations

from contextlib import contextmanager

from scverse_backends._calls.watched import OutermostCall, outermost
from scverse_backends._inside.dispatchers import inside

__all__ = ["OutermostCall", "intercepted", "observed"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from contextlib import AbstractContextManager

    from scverse_backends._calls.decision import Decision, Ended
    from scverse_backends._calls.watched import Observe
    from scverse_backends._dispatcher import BackendDispatcher

    Observer = Callable[[str, str, str], None]
    """Takes the name of a host function, what runs it (``"cpu"`` for the host), and why."""


def observed(dispatchers: Iterable[BackendDispatcher], observer: Observer) -> AbstractContextManager[None]:
    """Tell an observer of every call on a selected backend, in any thread, and of every fallback to the host."""

    def observe(decision: Decision, _args: object, _kwargs: object) -> None:
        observer(decision.record.name, decision.executes, decision.reason)

    return _watching(dispatchers, observe)


def intercepted(
    dispatcher: BackendDispatcher, begin: Callable[[OutermostCall], Ended | None]
) -> AbstractContextManager[None]:
    """Give each outermost call with a backend selected, in any thread, to ``begin`` before it runs.

    That may return a function that is told how the call ended: with which exception, and with which result.
    """
    return _watching([dispatcher], outermost(begin))


@contextmanager
def _watching(dispatchers: Iterable[BackendDispatcher], observe: Observe) -> Generator[None]:
    parts = [inside(dispatcher) for dispatcher in dispatchers]
    try:
        for machinery in parts:
            machinery.decider.observers += (observe,)
            machinery.refresh()  # Every call is decided anew from now on, and no decision is kept.
        yield
    finally:
        for machinery in parts:
            machinery.decider.observers = tuple(one for one in machinery.decider.observers if one is not observe)
