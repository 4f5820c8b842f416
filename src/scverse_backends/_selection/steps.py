"""Run the body of a generator, coroutine or async generator in a state of its own.

The body sees its state in every step; whoever drives it sees nothing of that state between two steps. What the body
changes (a scope it opens, an assignment) is kept for its next step.

Each of the three drivers is one frame between the body and whoever asks it for its next step, and warnings pass over
that frame: so the steps are written out in each of them, and no helper stands in between.
"""

from __future__ import annotations

import sys
from types import CoroutineType

from scverse_backends._foundation.unseen import unseen
from scverse_backends._selection.state import Opening

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
    from contextvars import ContextVar, Token
    from typing import Any

    from scverse_backends._selection.state import State

    Ended = Callable[[BaseException | None], None]


class Steps:
    """The state of one suspended body, which a ``with`` block enters for one step."""

    __slots__ = ("_ended", "_opened", "_start", "_state", "_token", "_variable")

    def __init__(self, variable: ContextVar[State], state: State, ended: Ended | None = None) -> None:
        self._variable = variable
        self._start = self._state = state
        self._opened: tuple[Opening, ...] = ()
        """The blocks that the body is in."""
        self._ended = ended

    def ended(self, error: BaseException | None = None) -> None:
        """Tell who wants to know, once, how the body ended."""
        if self._ended is not None:
            self._ended(error)

    def __enter__(self) -> None:
        variable = self._variable
        # Each step may run in another context, and the blocks that the body is in go with the body.
        for opening in self._opened:
            opening.take_place(variable, variable.get())
        self._token: Token[State] = variable.set(self._state)

    def __exit__(self, *_error: object) -> None:
        after = self._variable.get()
        self._variable.reset(self._token)
        if after is not self._state:
            self._state = after
            outside = {scope.owner for scope in self._start.scopes}
            owners = (scope.owner for scope in after.scopes)
            self._opened = tuple(one for one in owners if isinstance(one, Opening) and one not in outside)


# -- generators --------------------------------------------------------------------------------------------------------


def drive_generator(result: Any, steps: Steps, name: str, qualname: str) -> Generator[Any, Any, Any]:
    """Return a generator that drives a body step by step; a backend may return any iterable in a generator's place."""
    outer: Any = _generate(result, steps)
    outer.__name__, outer.__qualname__ = name, qualname
    return outer  # type: ignore[no-any-return]  # Any only because a Generator's names cannot be set.


@unseen
def _generate(result: Any, steps: Steps) -> Generator[Any, Any, Any]:
    """Forward everything that a generator can be asked to do, ``close()`` included, each as one step."""
    __tracebackhide__ = True
    body: Any = None
    sent: Any = None
    thrown: BaseException | None = None
    while True:
        try:
            with steps:
                if body is None:
                    body = iter(result)
                if thrown is not None:
                    item = _thrower(body, thrown)(thrown)
                else:
                    # What is no generator takes no values, and says so in Python's words.
                    item = next(body) if sent is None else body.send(sent)
        except StopIteration as stop:
            steps.ended()
            return stop.value
        except BaseException as error:
            steps.ended(error)
            raise
        finally:
            sent = thrown = None
        try:
            sent = yield item
        except BaseException as error:  # noqa: BLE001 - whatever is thrown in belongs to the body.
            # Without this frame, in which it was not raised.
            thrown = error.with_traceback(error.__traceback__ and error.__traceback__.tb_next)


def _thrower(body: Any, thrown: BaseException) -> Callable[[BaseException], Any]:
    """Return what throws into a body; one that cannot be thrown into is closed, and the exception goes on."""
    throw: Callable[[BaseException], Any] | None = getattr(body, "throw", None)
    if throw is not None:
        return throw
    if isinstance(thrown, GeneratorExit) and hasattr(body, "close"):
        body.close()
    return _raise


def _raise(error: BaseException) -> None:
    raise error


# -- coroutines --------------------------------------------------------------------------------------------------------


def drive_coroutine(result: Any, steps: Steps, name: str, qualname: str) -> Coroutine[Any, Any, Any]:
    """Return a coroutine that runs an awaitable's body; a value that is no awaitable is its result."""
    outer: Any = _await(_Body(result), steps)
    # The names stand in "coroutine … was never awaited" and in every debugger.
    outer.__name__, outer.__qualname__ = name, qualname
    return outer  # type: ignore[no-any-return]  # as above.


class _Body:
    """What a coroutine runs once it is awaited."""

    __slots__ = ("_result",)

    def __init__(self, result: Any) -> None:
        self._result = result

    def take(self) -> Any:
        """Hand it out, for it is awaited now."""
        result, self._result = self._result, None
        return result

    def __del__(self) -> None:
        # Python says that the coroutine around it was never awaited; once is enough.
        result: Any = self._result
        if type(result) is CoroutineType:
            result.close()


class _Handed:
    """Hands to the event loop what a body awaits, and brings back what the loop sends."""

    __slots__ = ("_item",)

    def __init__(self, item: Any) -> None:
        self._item = item

    def __await__(self) -> Generator[Any, Any, Any]:
        return (yield self._item)


def _without_handing(error: BaseException) -> BaseException:
    """Return an exception that was thrown into a driver, without the two frames of ours that it passed."""
    traceback = error.__traceback__
    for _ in range(2):
        traceback = traceback and traceback.tb_next
    return error.with_traceback(traceback)


def _steps_of(awaitable: Any) -> Any:
    """Return what runs an awaitable step by step."""
    return awaitable if hasattr(awaitable, "send") else awaitable.__await__()


@unseen
async def _await(holder: _Body, steps: Steps) -> Any:
    """Await something step by step in its state."""
    __tracebackhide__ = True
    result = holder.take()
    body: Any = None
    sent: Any = None
    thrown: BaseException | None = None
    while True:
        try:
            with steps:
                if body is None:
                    if not hasattr(result, "__await__"):
                        break
                    body = _steps_of(result)
                if thrown is not None:
                    item = _thrower(body, thrown)(thrown)
                else:
                    item = body.send(sent) if hasattr(body, "send") else next(body)
        except StopIteration as stop:
            result = stop.value
            break
        except BaseException as error:
            steps.ended(error)
            raise
        finally:
            sent = thrown = None
        try:
            sent = await _Handed(item)
        except BaseException as error:  # noqa: BLE001 - whatever is thrown in belongs to the body.
            thrown = _without_handing(error)
    steps.ended()
    return result


# -- async generators --------------------------------------------------------------------------------------------------


def drive_async_generator(result: Any, steps: Steps, name: str, qualname: str) -> AsyncGenerator[Any, Any]:
    """Return an async generator that drives a body step by step."""
    outer: Any = _generate_async(result if hasattr(result, "asend") else _iterate_async(result), steps)
    outer.__name__, outer.__qualname__ = name, qualname
    return outer  # type: ignore[no-any-return]  # as above.


@unseen
async def _generate_async(body: Any, steps: Steps) -> AsyncGenerator[Any, Any]:
    """Forward everything that an async generator can be asked to do, each step of its awaiting as one step."""
    __tracebackhide__ = True
    item: Any = None
    sent: Any = None
    thrown: BaseException | None = None
    step: Any = _first_step(body)
    try:
        while True:
            # One value of the body, for which it may await many things.
            while True:
                try:
                    with steps:
                        item = step.send(sent) if thrown is None else step.throw(thrown)
                except StopIteration as stop:
                    item = stop.value
                    break
                finally:
                    sent = thrown = None
                try:
                    sent = await _Handed(item)
                except BaseException as error:  # noqa: BLE001 - whatever is thrown in belongs to the body.
                    thrown = _without_handing(error)
            try:
                sent = yield item
            except BaseException as error:  # noqa: BLE001 - as above.
                # Without this frame, in which it was not raised.
                thrown = error.with_traceback(error.__traceback__ and error.__traceback__.tb_next)
            step = body.asend(sent) if thrown is None else body.athrow(thrown)
            item = sent = thrown = None
    except StopAsyncIteration:
        steps.ended()
    except BaseException as error:
        steps.ended(error)
        raise


def _first_step(body: AsyncGenerator[Any, Any]) -> Any:
    """Start a body without telling the event loop, which looks after the generator around it and closes that."""
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(None, None)
    try:
        return _steps_of(body.__anext__())
    finally:
        sys.set_asyncgen_hooks(*hooks)


async def _iterate_async(values: Any) -> AsyncGenerator[Any, Any]:
    """Iterate over whatever an async generator function's stand-in gave: a backend may return any iterable."""
    if hasattr(values, "__aiter__"):
        async for value in values:
            yield value
    else:
        for value in values:
            yield value
