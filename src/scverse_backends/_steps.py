"""Run the body of a generator, coroutine or async generator in a state of its own.

The body sees its state in every step; whoever drives it sees nothing of that state between two steps. What the body
changes (a scope it opens, an assignment) is kept for its next step.
"""

from __future__ import annotations

from types import FunctionType, GeneratorType, coroutine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Iterable
    from contextvars import ContextVar
    from typing import Any

    from scverse_backends._state import State


class Steps:
    """The state of one suspended body."""

    __slots__ = ("_state", "_variable", "ended")

    def __init__(
        self,
        variable: ContextVar[State],
        state: State,
        ended: Callable[[BaseException | None], None] | None = None,
    ) -> None:
        self._variable = variable
        self._state = state
        self.ended = ended
        """Told, once, how the body ended."""

    def run(self, step: Callable[..., Any], *args: object) -> Any:
        """Run one step of the body in its state."""
        variable = self._variable
        token = variable.set(self._state)
        try:
            return step(*args)
        finally:
            self._state = variable.get()
            variable.reset(token)


def _as_generator(result: Any) -> Generator[Any, Any, Any]:
    """Return a generator over whatever a generator function's stand-in gave: a backend may return any iterable."""
    if isinstance(result, GeneratorType):
        return result
    return _iterate(result)


def _iterate(values: Iterable[Any]) -> Generator[Any, Any, Any]:
    return (yield from values)


def drive_generator(result: Any, steps: Steps, name: str, qualname: str) -> Generator[Any, Any, Any]:
    """Return a generator that drives a body step by step."""
    outer = _drive(_as_generator(result), steps)
    if steps.ended is not None:
        outer = _until_end(outer, steps.ended)
    outer.__name__, outer.__qualname__ = name, qualname
    return outer


def _until_end(body: Generator[Any, Any, Any], ended: Callable[[BaseException | None], None]) -> Generator[Any, Any, Any]:
    failure: BaseException | None = None
    try:
        return (yield from body)
    except BaseException as error:
        failure = error
        raise
    finally:
        ended(failure)


def _drive(body: Any, steps: Steps) -> Generator[Any, Any, Any]:
    """Forward everything that a generator (or a coroutine's iterator) can be asked to do, each as one step."""
    try:
        item = steps.run(next, body)
        while True:
            try:
                sent = yield item
            except GeneratorExit:
                steps.run(body.close)
                raise
            except BaseException as error:  # noqa: BLE001 - whatever is thrown in belongs to the body.
                item = steps.run(body.throw, error)
            else:
                item = steps.run(next, body) if sent is None else steps.run(body.send, sent)
    except StopIteration as stop:
        return stop.value


class _Awaited:
    """What a coroutine waits for, driven step by step in the coroutine's state."""

    __slots__ = ("_awaitable", "_steps")

    def __init__(self, awaitable: Any, steps: Steps) -> None:
        self._awaitable = awaitable
        self._steps = steps

    @coroutine
    def run(self) -> Generator[Any, Any, Any]:
        body = self._steps.run(self._awaitable.__await__)
        return (yield from _drive(_Throwable(body) if not hasattr(body, "throw") else body, self._steps))


class _Throwable:
    """Gives a bare iterator, which is all ``__await__`` must return, the rest of a generator's methods."""

    __slots__ = ("_iterator",)

    def __init__(self, iterator: Any) -> None:
        self._iterator = iterator

    def __next__(self) -> Any:
        return next(self._iterator)

    def send(self, _value: object) -> Any:
        return next(self._iterator)

    def throw(self, error: BaseException) -> Any:
        raise error

    def close(self) -> None:
        """Do nothing: a bare iterator cannot be told to stop."""


def drive_coroutine(result: Any, steps: Steps, name: str, qualname: str) -> Coroutine[Any, Any, Any]:
    """Return a coroutine that runs an awaitable's body; a value that is no awaitable is its result."""
    outer = _await_to_end(result, steps)
    # The names stand in "coroutine … was never awaited" and in every debugger.
    outer.__name__, outer.__qualname__ = name, qualname
    return outer


async def _await_to_end(result: Any, steps: Steps) -> Any:
    failure: BaseException | None = None
    try:
        return await _await(result, steps)
    except BaseException as error:
        failure = error
        raise
    finally:
        if steps.ended is not None:
            steps.ended(failure)


async def _await(result: Any, steps: Steps) -> Any:
    if not hasattr(result, "__await__"):
        return result
    awaited: Any = _Awaited(result, steps).run()
    return await awaited


def drive_async_generator(result: Any, steps: Steps, name: str, qualname: str) -> AsyncGenerator[Any, Any]:
    """Return an async generator that drives a body step by step."""
    outer = _drive_async(result, steps)
    outer.__name__, outer.__qualname__ = name, qualname
    return outer


async def _drive_async(result: Any, steps: Steps) -> AsyncGenerator[Any, Any]:
    failure: BaseException | None = None
    body = result if hasattr(result, "asend") else _iterate_async(result)
    step = body.__anext__()
    try:
        while True:
            try:
                item = await _await(step, steps)
            except StopAsyncIteration:
                return
            try:
                sent = yield item
            except GeneratorExit:
                await _await(body.aclose(), steps)
                raise
            except BaseException as error:  # noqa: BLE001 - whatever is thrown in belongs to the body.
                step = body.athrow(error)
            else:
                step = body.asend(sent)
    except BaseException as error:
        failure = error
        raise
    finally:
        if steps.ended is not None:
            steps.ended(failure)


async def _iterate_async(values: Any) -> AsyncGenerator[Any, Any]:
    """Iterate over whatever an async generator function's stand-in gave: a backend may return any iterable."""
    if hasattr(values, "__aiter__"):
        async for value in values:
            yield value
    else:
        for value in values:
            yield value


def driver_for(function: Callable[..., Any]) -> Callable[[Any, Steps, str, str], Any] | None:
    """Return what drives a function's result, ``None`` for a function whose body runs when it is called."""
    import inspect  # noqa: PLC0415 - settings use this module, and are imported without it.

    if inspect.iscoroutinefunction(function):
        return drive_coroutine
    if inspect.isgeneratorfunction(function):
        return drive_generator
    if inspect.isasyncgenfunction(function):
        return drive_async_generator
    return None


def like(function: Callable[..., Any], wrapper: Callable[..., Any]) -> Callable[..., Any]:
    """Return a wrapper that :mod:`inspect` takes for the kind of function that it wraps.

    For generators, :mod:`inspect` looks at the flags of the code alone, and the interpreter does not look at them.
    """
    import inspect  # noqa: PLC0415 - see above.

    if inspect.iscoroutinefunction(function):
        return inspect.markcoroutinefunction(wrapper)
    flag = inspect.CO_ASYNC_GENERATOR if inspect.isasyncgenfunction(function) else inspect.CO_GENERATOR
    code = wrapper.__code__.replace(co_flags=wrapper.__code__.co_flags | flag)
    flagged = FunctionType(code, wrapper.__globals__, wrapper.__name__, wrapper.__defaults__, wrapper.__closure__)
    flagged.__kwdefaults__ = wrapper.__kwdefaults__
    return flagged
