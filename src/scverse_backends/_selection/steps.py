"""Run the body of a generator, coroutine or async generator in a state of its own.

The body sees its state in every step; whoever drives it sees nothing of that state between two steps. What the body
changes (a scope it opens, an assignment) is kept for its next step.
"""

from __future__ import annotations

import sys
from types import AsyncGeneratorType, CoroutineType, FunctionType, GeneratorType, coroutine

from scverse_backends._selection.state import Opening

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Iterable
    from contextvars import ContextVar
    from typing import Any

    from scverse_backends._selection.state import State

    Ended = Callable[[BaseException | None], None]


class Steps:
    """The state of one suspended body."""

    __slots__ = ("_opened", "_start", "_state", "_variable", "ended")

    def __init__(
        self,
        variable: ContextVar[State],
        state: State,
        ended: Ended | None = None,
    ) -> None:
        self._variable = variable
        self._start = self._state = state
        self._opened: tuple[Opening, ...] = ()
        self.ended = ended
        """Told, once, how the body ended."""

    def run(self, step: Callable[..., Any], *args: object) -> Any:
        """Run one step of the body in its state."""
        variable = self._variable
        # Each step may run in another context, and the blocks that the body is in go with the body.
        for opening in self._opened:
            opening.take_place(variable, variable.get())
        before = self._state
        token = variable.set(before)
        try:
            return step(*args)
        finally:
            # The traceback of an exception that was thrown in shall not lead back to it.
            del args
            after = variable.get()
            variable.reset(token)
            if after is not before:
                self._state = after
                self._opened = tuple(self._openings(after))

    def _openings(self, state: State) -> Iterable[Opening]:
        """Yield the openings of the blocks that the body is in."""
        outside = {scope.owner for scope in self._start.scopes}
        for scope in state.scopes:
            if isinstance(scope.owner, Opening) and scope.owner not in outside:
                yield scope.owner


# -- generators --------------------------------------------------------------------------------------------------------


def drive_generator(result: Any, steps: Steps, name: str, qualname: str) -> Generator[Any, Any, Any]:
    """Return a generator that drives a body step by step."""
    # A backend may return any iterable in a generator's place.
    outer: Any = _drive(result if _is_generator(result) else _iterate(result), steps, steps.ended)
    outer.__name__, outer.__qualname__ = name, qualname
    return outer  # type: ignore[no-any-return]  # Any only because a Generator's names cannot be set.


def _is_generator(result: object) -> bool:
    return isinstance(result, GeneratorType)


def _iterate(values: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    return (yield from values)


def _drive(body: Generator[Any, Any, Any], steps: Steps, ended: Ended | None = None) -> Generator[Any, Any, Any]:
    """Forward everything that a generator can be asked to do, ``close()`` included, each as one step."""
    resume: Callable[[Any], Any] = body.send
    what: Any = None
    while True:
        try:
            item = steps.run(resume, what)
        except StopIteration as stop:
            _tell(ended, None)
            return stop.value
        except BaseException as error:
            _tell(ended, error)
            raise
        finally:
            what = None
        try:
            what = yield item
            resume = body.send
        except BaseException as error:  # noqa: BLE001 - whatever is thrown in belongs to the body.
            resume, what = body.throw, error


def _tell(ended: Ended | None, error: BaseException | None) -> None:
    if ended is not None:
        ended(error)


# -- coroutines --------------------------------------------------------------------------------------------------------


def drive_coroutine(result: Any, steps: Steps, name: str, qualname: str) -> Coroutine[Any, Any, Any]:
    """Return a coroutine that runs an awaitable's body; a value that is no awaitable is its result."""
    outer: Any = _run(_Body(result), steps)
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


async def _run(body: _Body, steps: Steps) -> Any:
    result = body.take()
    if hasattr(result, "__await__"):
        return await _await(result, steps, steps.ended)
    _tell(steps.ended, None)
    return result


@coroutine
def _await(awaitable: Any, steps: Steps, ended: Ended | None = None) -> Generator[Any, Any, Any]:
    """Await something step by step in its state."""
    return (yield from _drive(_awaited(awaitable), steps, ended))


def _awaited(awaitable: Any) -> Generator[Any, Any, Any]:
    iterator: Generator[Any, Any, Any] = awaitable.__await__()
    return (yield from iterator)


# -- async generators --------------------------------------------------------------------------------------------------


def drive_async_generator(result: Any, steps: Steps, name: str, qualname: str) -> AsyncGenerator[Any, Any]:
    """Return an async generator that drives a body step by step."""
    outer: Any = _to_end_async(result, steps)
    outer.__name__, outer.__qualname__ = name, qualname
    return outer  # type: ignore[no-any-return]  # as above.


async def _to_end_async(result: Any, steps: Steps) -> AsyncGenerator[Any, Any]:
    body = result if hasattr(result, "asend") else _iterate_async(result)
    try:
        step = _first_step(body)
        while True:
            try:
                item = await _await(step, steps)
            except StopAsyncIteration:
                break
            finally:
                step = None
            sent, thrown = None, None
            try:
                sent = yield item
            except BaseException as error:  # noqa: BLE001 - whatever is thrown in belongs to the body.
                thrown = error
            # Outside the clause above, so that what the body raises does not seem to come from what was thrown in.
            step = body.asend(sent) if thrown is None else body.athrow(thrown)
            del sent, thrown
    except BaseException as error:
        _tell(steps.ended, error)
        raise
    _tell(steps.ended, None)


def _first_step(body: AsyncGenerator[Any, Any]) -> Any:
    """Start a body without telling the event loop, which looks after the generator around it and closes that."""
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(None, None)
    try:
        return body.__anext__()
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


# -- what a function's results need ------------------------------------------------------------------------------------


_STEPWISE = 0x20 | 0x80 | 0x200
"""The flags of generators, coroutines and async generators, as :mod:`inspect` names them."""


def driver_for(function: Callable[..., Any]) -> Callable[[Any, Steps, str, str], Any] | None:
    """Return what drives a function's result, ``None`` for a function whose body runs when it is called."""
    import inspect

    if type(function) is FunctionType and not function.__code__.co_flags & _STEPWISE and not function.__dict__:
        return None  # Nearly every function, told without asking three times.
    drive = _driver_of_kind(function)
    if drive is not None:
        return drive
    try:
        innermost = inspect.unwrap(function)
    except ValueError:
        return None  # It claims to wrap itself.
    # A decorator may hide what kind a function is of, and hand out its generator or coroutine all the same.
    return drive_result if _driver_of_kind(innermost) is not None else None


def _driver_of_kind(function: Callable[..., Any]) -> Callable[[Any, Steps, str, str], Any] | None:
    import inspect

    if inspect.iscoroutinefunction(function):
        return drive_coroutine
    if inspect.isgeneratorfunction(function):
        return drive_generator
    if inspect.isasyncgenfunction(function):
        return drive_async_generator
    return None


def drive_result(result: Any, steps: Steps, name: str, qualname: str) -> Any:
    """Return what drives a result where only the result itself tells whether there is anything to drive."""
    if isinstance(result, CoroutineType):
        return drive_coroutine(result, steps, name, qualname)
    if isinstance(result, GeneratorType):
        return drive_generator(result, steps, name, qualname)
    if isinstance(result, AsyncGeneratorType):
        return drive_async_generator(result, steps, name, qualname)
    _tell(steps.ended, None)
    return result


def like(function: Callable[..., Any], wrapper: Callable[..., Any]) -> Callable[..., Any]:
    """Return a wrapper that :mod:`inspect` takes for the kind of function that it wraps.

    :mod:`inspect` looks at the flags of the code alone, and the interpreter does not look at them. Unlike the mark of
    ``inspect.markcoroutinefunction``, a flag outlives pickling by value.
    """
    import inspect

    if inspect.iscoroutinefunction(function):
        flag = inspect.CO_COROUTINE
    elif inspect.isgeneratorfunction(function):
        flag = inspect.CO_GENERATOR
    elif inspect.isasyncgenfunction(function):
        flag = inspect.CO_ASYNC_GENERATOR
    else:
        return wrapper
    plain: Any = wrapper
    code = plain.__code__.replace(co_flags=plain.__code__.co_flags | flag)
    flagged = FunctionType(code, plain.__globals__, plain.__name__, plain.__defaults__, plain.__closure__)
    flagged.__kwdefaults__ = plain.__kwdefaults__
    return flagged
