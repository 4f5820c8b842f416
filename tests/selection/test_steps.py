"""Bodies that run in steps: generators, coroutines and async generators behave as Python's own."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import inspect
import sys
import traceback
import types
import weakref
from contextlib import suppress
from contextvars import ContextVar

import pytest

from scverse_backends import BackendDispatcher
from scverse_backends._selection.state import Choice, Scope, State
from scverse_backends._selection.steps import Steps, drive_async_generator, drive_coroutine, drive_generator


@pytest.fixture
def settings():
    dispatcher = BackendDispatcher(entrypoint_group="steps.backends", host_name="steps", untrusted="allow")
    for name in ("fast", "other"):
        dispatcher.register(type(name, (), {"name": name}))
    return dispatcher.settings


def script(log):
    """Do everything that a generator can do, and note what arrives."""
    try:
        while True:
            try:
                log.append((yield len(log)))
            except KeyError as error:
                log.append(("caught", error))
            if log[-1] == "return":
                return "value"
            if log[-1] == "raise":
                raise LookupError(log)
    finally:
        log.append("closed")


def plain(function):
    return function


@pytest.fixture(params=["plain", "decorated"])
def decorate(request, settings):
    """Each test runs on Python's own kind and on the decorated one, which must not differ."""
    return plain if request.param == "plain" else settings.use_backend("fast")


# -- generators --------------------------------------------------------------------------------------------------------


def test_generator_send_throw_return(decorate):  # 1.4
    log = []
    steps = decorate(script)(log)
    assert next(steps) == 0
    assert steps.send("sent") == 1
    assert next(steps) == 2
    error = KeyError("thrown")
    assert steps.throw(error) == 3
    assert log == ["sent", None, ("caught", error)]
    with pytest.raises(StopIteration) as stopped:
        steps.send("return")
    assert stopped.value.value == "value"
    assert log[-2:] == ["return", "closed"]
    with pytest.raises(StopIteration):
        next(steps)


def test_generator_raises(decorate):
    steps = decorate(script)([])
    next(steps)
    with pytest.raises(ZeroDivisionError):
        steps.throw(ZeroDivisionError())
    steps = decorate(script)([])
    next(steps)
    steps.throw(KeyError())
    with pytest.raises(LookupError) as caught:
        steps.send("raise")
    # What the body caught before is over, and is no context of what it raises now.
    assert caught.value.__context__ is None


def test_generator_close(decorate):
    log = []
    steps = decorate(script)(log)
    steps.close()
    assert log == []
    steps = decorate(script)(log)
    next(steps)
    assert steps.close() is None
    assert log == ["closed"]
    assert list(steps) == []


def test_generator_that_answers_close(decorate):
    def stubborn(how):
        try:
            yield 1
        except GeneratorExit:
            if how == "return":
                return "value"  # what close() gives back since Python 3.13
            yield 2

    steps = decorate(stubborn)("return")
    next(steps)
    assert steps.close() == ("value" if sys.version_info >= (3, 13) else None)
    steps = decorate(stubborn)("return")
    next(steps)
    with pytest.raises(StopIteration, match="value"):
        steps.throw(GeneratorExit)
    steps = decorate(stubborn)("yield")
    next(steps)
    with pytest.raises(RuntimeError, match="ignored GeneratorExit"):
        steps.close()


def test_generator_is_closed_when_it_is_dropped(decorate):
    log = []
    steps = decorate(script)(log)
    next(steps)
    del steps
    gc.collect()
    assert log == ["closed"]


def test_generator_that_stops_by_mistake(decorate):
    def mistaken():
        yield 1
        raise StopIteration  # noqa: PLR1708 - the mistake.

    steps = decorate(mistaken)()
    next(steps)
    with pytest.raises(RuntimeError, match="raised StopIteration"):
        next(steps)


def test_unstarted_generator_refuses_a_value(decorate):
    with pytest.raises(TypeError, match="just-started"):
        decorate(script)([]).send(1)


def test_what_is_thrown_in_is_freed(decorate):
    class Error(Exception):
        pass

    def ignoring():
        with suppress(Error):
            yield 1
        yield 2

    gc.disable()
    try:
        steps = decorate(ignoring)()
        next(steps)
        error = Error()
        died = weakref.ref(error)
        steps.throw(error)
        del error
        assert died() is None
    finally:
        gc.enable()


def test_generators_are_delegated_to(decorate):
    def outer():
        return (yield from decorate(script)([]))

    steps = outer()
    assert next(steps) == 0
    steps.throw(KeyError())
    with pytest.raises(StopIteration) as stopped:
        steps.send("return")
    assert stopped.value.value == "value"


def test_names_in_tracebacks_and_debuggers(decorate):
    def producer():
        yield

    async def consumer():
        pass

    async def stream():
        yield

    awaited = decorate(consumer)()
    for made, name in ((decorate(producer)(), "producer"), (awaited, "consumer"), (decorate(stream)(), "stream")):
        assert made.__name__ == name
        assert made.__qualname__.endswith(f"<locals>.{name}")
    awaited.close()


def test_kinds_are_recognised(decorate):  # 1.4, 4.10
    def producer():
        yield

    async def consumer():
        pass

    async def stream():
        yield

    kinds = (inspect.isgeneratorfunction, inspect.iscoroutinefunction, inspect.isasyncgenfunction)
    for number, function in enumerate((producer, consumer, stream)):
        assert [kind(decorate(function)) for kind in kinds] == [index == number for index in range(3)]


# -- where the scope holds ---------------------------------------------------------------------------------------------


def test_the_scope_holds_in_the_steps_and_not_between_them(settings):  # 1.4
    seen = []

    @settings.use_backend("fast")
    def steps():
        for number in range(3):
            seen.append(settings.backend)
            try:
                yield number
            except KeyError:
                seen.append(settings.backend)
            finally:
                seen.append(settings.backend)

    generator = steps()
    between = [settings.backend]
    between.extend(settings.backend for _ in (next(generator), generator.throw(KeyError), generator.send(1)))
    generator.close()
    between.append(settings.backend)
    assert set(seen) == {"fast"}
    assert set(between) == {"cpu"}


def test_blocks_and_assignments_of_the_body_last_from_step_to_step(settings):  # 1.3, 1.4
    @settings.use_backend("fast")
    def steps():
        with settings.use_backend("other"):
            yield settings.backend
            settings.backend = "cpu"
            yield settings.backend
            yield settings.backend
        yield settings.backend

    generator = steps()
    # Each step in a context of its own, as web frameworks do it.
    seen = [(contextvars.copy_context().run(next, generator), settings.backend) for _ in range(4)]
    assert seen == [("other", "cpu"), ("cpu", "cpu"), ("cpu", "cpu"), ("fast", "cpu")]


def test_a_body_that_closes_a_block_outside_it(settings):  # 1.4
    scope = settings.use_backend("other")

    @settings.use_backend(None, fallback="raise")
    def steps():
        yield settings.backend
        scope.__exit__(None, None, None)
        yield settings.backend

    with scope:
        generator = steps()
        assert list(generator) == ["other", "cpu"]
        # Only the body left it.
        assert settings.backend == "other"
    assert settings.backend == "cpu"


def test_steps_of_two_bodies_interleave(settings):  # 1.4
    def steps():
        for _ in range(2):
            yield settings.backend

    first, second = settings.use_backend("fast")(steps)(), settings.use_backend("other")(steps)()
    assert [next(first), next(second), next(first), next(second)] == ["fast", "other", "fast", "other"]


def test_callables_without_a_name(settings):
    from functools import partial

    def steps(n):
        yield settings.backend

    decorated = settings.use_backend("fast")(partial(steps, 1))
    assert list(decorated()) == ["fast"]
    assert inspect.isgeneratorfunction(decorated)


# -- coroutines --------------------------------------------------------------------------------------------------------


def test_coroutine_runs_its_body_in_the_scope(settings):  # 1.4
    async def nested():
        await asyncio.sleep(0)
        return settings.backend

    @settings.use_backend("fast")
    async def body():
        seen = [settings.backend, await nested()]
        async with asyncio.TaskGroup() as group:
            task = group.create_task(nested())
        with settings.use_backend("other"):
            await asyncio.sleep(0)
            seen.append(settings.backend)
        return [*seen, task.result(), settings.backend]

    async def main():
        coroutine = body()
        with settings.use_backend("other"):
            task = asyncio.create_task(coroutine)
            await asyncio.sleep(0)
            assert settings.backend == "other"
        return await task

    assert asyncio.run(main()) == ["fast", "fast", "other", "fast", "fast"]


def test_coroutine_is_cancelled_and_closed(decorate):
    log = []

    @decorate
    async def body():
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            log.append("cancelled")
            raise
        finally:
            await asyncio.sleep(0)
            log.append("cleaned")

    async def main():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await body()

    asyncio.run(main())
    assert log == ["cancelled", "cleaned"]
    coroutine = decorate(script_awaiting)(log)
    coroutine.send(None)
    coroutine.close()
    assert log[-1] == "closed"


@types.coroutine
def pause():
    yield


async def script_awaiting(log):
    try:
        await pause()
    finally:
        log.append("closed")


def test_coroutine_raises(decorate):
    @decorate
    async def body():
        await pause()
        raise LookupError

    coroutine = body()
    coroutine.send(None)
    with pytest.raises(LookupError):
        coroutine.send(None)


def test_never_awaited_is_said_once(decorate, recwarn):
    import warnings

    async def forgotten():
        pass

    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        coroutine = decorate(forgotten)()
        del coroutine
        gc.collect()
    assert [str(one.message).partition("' ")[2] for one in given] == ["was never awaited"]
    assert "forgotten" in str(given[0].message)


# -- async generators --------------------------------------------------------------------------------------------------


async def async_script(log):
    try:
        while True:
            await asyncio.sleep(0)
            try:
                log.append((yield len(log)))
            except KeyError as error:
                log.append(("caught", error))
            if log[-1] == "return":
                return
            if log[-1] == "raise":
                raise LookupError(log)
    finally:
        await asyncio.sleep(0)
        log.append("closed")


def test_async_generator_send_throw_end(decorate):  # 1.4
    async def main():
        log = []
        steps = decorate(async_script)(log)
        assert await anext(steps) == 0
        assert await steps.asend("sent") == 1
        error = KeyError("thrown")
        assert await steps.athrow(error) == 2
        assert log == ["sent", ("caught", error)]
        with pytest.raises(LookupError) as caught:
            await steps.asend("raise")
        assert caught.value.__context__ is None
        assert log[-1] == "closed"
        steps = decorate(async_script)(log)
        await anext(steps)
        with pytest.raises(StopAsyncIteration):
            await steps.asend("return")
        assert [item async for item in steps] == []

    asyncio.run(main())


def test_async_generator_aclose(decorate):
    async def main():
        log = []
        await decorate(async_script)(log).aclose()
        assert log == []
        steps = decorate(async_script)(log)
        await anext(steps)
        assert await steps.aclose() is None
        assert log == ["closed"]
        with pytest.raises(StopAsyncIteration):
            await anext(steps)

    asyncio.run(main())


def test_async_generator_that_ignores_aclose(decorate):
    async def stubborn():
        try:
            yield 1
        except GeneratorExit:
            yield 2

    async def main():
        steps = decorate(stubborn)()
        await anext(steps)
        with pytest.raises(RuntimeError, match="ignored GeneratorExit"):
            await steps.aclose()

    asyncio.run(main())


def test_the_loop_closes_what_is_left_open_once(decorate):
    log, reported = [], []

    async def main():
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
        steps = decorate(async_script)(log)
        await anext(steps)
        return steps

    steps = asyncio.run(main())
    assert log == ["closed"]
    assert reported == []
    del steps


def test_async_generator_scope(settings):  # 1.4
    seen = []

    @settings.use_backend("fast")
    async def stream():
        try:
            for number in range(3):
                await asyncio.sleep(0)
                seen.append(settings.backend)
                yield number
        finally:
            await asyncio.sleep(0)
            seen.append(settings.backend)

    async def main():
        between = []
        steps = stream()
        async for _ in steps:
            between.append(settings.backend)
            if len(between) == 2:
                break
        await steps.aclose()
        return [*between, settings.backend]

    assert asyncio.run(main()) == ["cpu"] * 3
    assert seen == ["fast"] * 3


# -- what backends may return instead ----------------------------------------------------------------------------------


@pytest.fixture
def steps():
    ends = []
    variable = ContextVar("variable", default=State())  # noqa: B039 - a State never changes.
    made = Steps(variable, State((Scope(object(), Choice(("fast",)), None),)), ends.append)
    made.read = lambda: variable.get().choice and variable.get().choice.reading
    made.ends = ends
    return made


@pytest.fixture(autouse=True)
def _slots_are_open(monkeypatch):
    """Let a test hang what it needs on the object that it tests."""
    monkeypatch.setitem(globals(), "Steps", type("Steps", (Steps,), {}))


def test_any_iterable_for_a_generator(steps):
    class Values:
        def __iter__(self):
            seen.append(steps.read())
            return iter([1, 2])

    seen = []
    assert list(drive_generator(Values(), steps, "name", "qualname")) == [1, 2]
    assert (seen, steps.read(), steps.ends) == (["fast"], None, [None])


def test_an_iterator_in_a_generators_place_behaves_as_under_yield_from(steps):
    class Closing:
        def __init__(self):
            self.closed = False

        def __iter__(self):
            return self

        def __next__(self):
            return 1

        def close(self):
            self.closed = True

    values = Closing()
    generator = drive_generator(values, steps, "name", "qualname")
    assert next(generator) == 1
    with pytest.raises(AttributeError, match="has no attribute 'send'"):
        generator.send(2)
    generator = drive_generator(values, steps, "name", "qualname")
    next(generator)
    with pytest.raises(KeyError):
        generator.throw(KeyError())
    assert not values.closed
    generator = drive_generator(values, steps, "name", "qualname")
    next(generator)
    generator.close()
    assert values.closed
    generator = drive_generator([1, 2], steps, "name", "qualname")
    next(generator)
    generator.close()
    with pytest.raises(TypeError, match="not iterable"):
        next(drive_generator(3, steps, "name", "qualname"))


def test_what_is_thrown_in_while_an_async_generator_awaits(steps):
    async def stream():
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            yield "cancelled"

    async def main():
        return [value async for value in drive_async_generator(stream(), steps, "n", "q")]

    async def cancel():
        task = asyncio.create_task(main())
        await asyncio.sleep(0)
        task.cancel()
        return await task

    assert asyncio.run(cancel()) == ["cancelled"]


@pytest.mark.parametrize("kind", ["generator", "coroutine", "async generator"])
def test_an_exception_that_is_thrown_in_shows_no_frame_of_ours(steps, kind):  # 4.14
    def frames(error):
        return [frame.name for frame in traceback.extract_tb(error.__traceback__)]

    def generator():
        yield

    class Forever:
        def __await__(self):
            yield

    async def coroutine():
        await Forever()

    async def asynchronous():
        yield

    def thrower():
        raise KeyError

    def throw():
        if kind == "generator":
            driven = drive_generator(generator(), steps, "n", "q")
            next(driven)
            driven.throw(error)
        elif kind == "coroutine":
            driven = drive_coroutine(coroutine(), steps, "n", "q")
            driven.send(None)
            driven.throw(error)
        else:
            asyncio.run(throw_into_async(drive_async_generator(asynchronous(), steps, "n", "q")))

    async def throw_into_async(driven):
        await anext(driven)
        await driven.athrow(error)

    try:
        thrower()
    except KeyError as caught:
        error = caught
    with pytest.raises(KeyError) as info:
        throw()
    driver = {"generator": "_generate", "coroutine": "_await", "async generator": "_generate_async"}[kind]
    # The driver stands where it threw it into the body, and nowhere else; where it was raised first stays.
    assert frames(info.value).count(driver) == 1
    assert frames(info.value)[-1] == "thrower"


def test_any_awaitable_and_any_value_for_a_coroutine(steps):
    class Later:
        def __await__(self):
            assert steps.read() == "fast"
            return iter([None, None])  # which has neither send() nor throw() nor close()

    async def main():
        return await drive_coroutine(Later(), steps, "n", "q"), await drive_coroutine(3, steps, "n", "q")

    assert asyncio.run(main()) == (None, 3)
    assert steps.ends == [None, None]


def test_a_bare_iterator_can_be_cancelled(steps):
    class Forever:
        def __await__(self):
            while True:
                yield

    class Bare:
        def __await__(self):
            return iter([None] * 3)

    for awaitable in (Forever(), Bare()):
        coroutine = drive_coroutine(awaitable, steps, "n", "q")
        coroutine.send(None)
        with pytest.raises(KeyError):
            coroutine.throw(KeyError())
        coroutine = drive_coroutine(awaitable, steps, "n", "q")
        coroutine.send(None)
        coroutine.close()
    assert [type(end) for end in steps.ends] == [KeyError, GeneratorExit] * 2


def test_an_awaitable_that_fails_at_once(steps):
    class Broken:
        def __await__(self):
            raise KeyError

    with pytest.raises(KeyError):
        drive_coroutine(Broken(), steps, "n", "q").send(None)
    assert [type(end) for end in steps.ends] == [KeyError]


def test_any_iterable_for_an_async_generator(steps):
    class Values:
        def __aiter__(self):
            assert steps.read() == "fast"
            return self

        async def __anext__(self):
            assert steps.read() == "fast"
            raise StopAsyncIteration

    async def items(result):
        return [item async for item in drive_async_generator(result, steps, "n", "q")]

    async def several():
        yield 1
        yield 2

    class Wrapped:
        def __aiter__(self):
            return several()

    assert asyncio.run(items([1, 2])) == [1, 2]
    assert asyncio.run(items(Values())) == []
    assert asyncio.run(items(Wrapped())) == [1, 2]
    assert steps.ends == [None] * 3


def test_ends_are_told(steps):
    def failing():
        yield 1
        raise KeyError

    with pytest.raises(KeyError):
        list(drive_generator(failing(), steps, "n", "q"))

    async def failing_later():
        yield 1
        raise LookupError

    async def main():
        return [item async for item in drive_async_generator(failing_later(), steps, "n", "q")]

    with pytest.raises(LookupError):
        asyncio.run(main())
    assert [type(end) for end in steps.ends] == [KeyError, LookupError]
