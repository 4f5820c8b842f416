"""Be told of the calls that a host's functions make."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager

from scverse_backends._calls.watched import OutermostCall, outermost, watching
from scverse_backends._inside.dispatchers import inside

__all__ = ["OutermostCall", "intercepted", "observed"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from scverse_backends._calls.decision import Decision, Ended
    from scverse_backends._calls.watched import Observe
    from scverse_backends._dispatcher import BackendDispatcher

    Observer = Callable[[str, str, str], None]
    """Takes the name of a host function, what runs it (``"cpu"`` for the host), and why."""


@contextmanager
def observed(dispatchers: Iterable[BackendDispatcher], observer: Observer) -> Generator[None]:
    """Tell an observer of every call on a selected backend, in any thread, and of every fallback to the host."""

    def observe(decision: Decision, _args: object, _kwargs: object) -> None:
        observer(decision.record.name, decision.executes, decision.reason)

    with ExitStack() as stack:
        for dispatcher in dispatchers:
            _watch(stack, dispatcher, observe)
        yield


@contextmanager
def intercepted(dispatcher: BackendDispatcher, begin: Callable[[OutermostCall], Ended | None]) -> Generator[None]:
    """Give each outermost call with a backend selected, in any thread, to ``begin`` before it runs.

    That may return a function that is told how the call ended: with which exception, and with which result.
    """
    with ExitStack() as stack:
        _watch(stack, dispatcher, outermost(inside(dispatcher).decider, begin))
        yield


def _watch(stack: ExitStack, dispatcher: BackendDispatcher, observe: Observe) -> None:
    machinery = inside(dispatcher)
    stack.enter_context(watching(machinery.decider, observe))
    machinery.refresh()  # Every call is decided anew from now on, and no decision is kept.
