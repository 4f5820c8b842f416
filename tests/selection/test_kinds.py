"""Every kind of host function (4.10), and what runs inside calls whose bodies run in steps (1.10)."""

from __future__ import annotations

import asyncio
import doctest
import gc
import inspect
import io
import math
import operator
import pickle
import pydoc
import sys
import types
import typing
from collections.abc import Sequence
from contextlib import redirect_stdout
from functools import cache, lru_cache, partial, singledispatch, wraps
from unittest.mock import create_autospec

import pytest

from scverse_backends import BackendDispatcher
from scverse_backends.exceptions import FallbackWarning

dispatcher = BackendDispatcher(entrypoint_group="kinds.backends", host_name="kinds_host", untrusted="allow")
settings = dispatcher.settings
dispatch = dispatcher.backend_dispatch


class Fast:
    name = "fast"

    def steps(self, n, *, extra=0):
        assert settings.backend == "fast"
        for number in range(n):
            yield "fast", number, extra, settings.backend

    async def later(self, n):
        await asyncio.sleep(0)
        return "fast", settings.backend, inner()

    async def stream(self, n):
        for number in range(n):
            await asyncio.sleep(0)
            yield "fast", number, settings.backend

    def inner(self, x=0):
        return "fast"

    def documented(self, a, b=2):
        return "fast", a, b

    def kind(self, value):
        return "fast", value

    def cached(self, value):
        return "fast", value

    def measure(self, a, b=0, *, option=None):
        return "fast", a, b


@dispatch
def inner(x=0):
    return "cpu"


@dispatch
def steps(n):
    """Yield."""
    try:
        for number in range(n):
            yield "cpu", number, settings.backend, inner()
    finally:
        settings.backend  # noqa: B018 - must not raise in whatever context the body is closed.


@dispatch
async def later(n):
    await asyncio.sleep(0)
    return "cpu", settings.backend, inner()


@dispatch
async def stream(n):
    for number in range(n):
        await asyncio.sleep(0)
        yield "cpu", number, settings.backend


@dispatch
def documented(a: int, b: float = 1, *, c: str = "x") -> tuple:
    """Add.

    >>> documented(1)
    ('cpu', 1, 1, 'x')
    >>> documented(1, 3, c="y", backend="cpu")
    ('cpu', 1, 3, 'y')
    """
    return "cpu", a, b, c


@pytest.fixture(autouse=True)
def _fast():
    dispatcher.register(Fast)
    yield
    del settings.backend
    dispatcher.unregister("fast")


async def collect(items):
    return [item async for item in items]


# -- bodies that run in steps (1.10, 4.10) -----------------------------------------------------------------------------


def test_inspect_recognises_them():
    kinds = (inspect.isgeneratorfunction, inspect.iscoroutinefunction, inspect.isasyncgenfunction)
    for number, function in enumerate((steps, later, stream)):
        assert [kind(function) for kind in kinds] == [number == index for index in range(3)]
    assert not any(kind(inner) for kind in kinds)
    made = later(1)
    for thing, is_kind in (
        (steps(1), inspect.isgenerator),
        (made, inspect.iscoroutine),
        (stream(1), inspect.isasyncgen),
    ):
        assert is_kind(thing)
    made.close()


def test_the_selection_is_fixed_at_the_call():
    on_host, explicit_host, on_fast = steps(2), steps(2, backend="cpu"), steps(2, backend="fast")
    settings.backend = "fast"
    by_process = steps(2, extra=3)
    with settings.use_backend("cpu"):
        in_scope = steps(1)
        assert next(by_process) == ("fast", 0, 3, "fast")
        assert settings.backend == "cpu"
    assert list(on_host) == list(explicit_host) == [("cpu", 0, "cpu", "cpu"), ("cpu", 1, "cpu", "cpu")]
    assert list(on_fast) == [("fast", 0, 0, "fast"), ("fast", 1, 0, "fast")]
    del settings.backend
    assert list(by_process) == [("fast", 1, 3, "fast")]
    assert list(in_scope) == [("cpu", 0, "cpu", "cpu")]


def test_coroutines_created_under_one_setting_and_awaited_under_another():
    async def main():
        plain, explicit = later(1), later(1, backend="fast")
        with settings.use_backend("fast"):
            scoped = later(1)
            first = await plain
        settings.backend = "fast"
        host = later(1, backend="cpu")
        del settings.backend
        return [first, await explicit, await scoped, await host, settings.backend]

    # The second is read in the body, and the third is a dispatched call from there.
    cpu, fast = ("cpu", "cpu", "cpu"), ("fast", "fast", "fast")
    assert asyncio.run(main()) == [cpu, fast, fast, cpu, "cpu"]


def test_tasks_run_side_by_side():
    async def main():
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(later(1, backend=name)) for name in ("fast", "cpu", "fast")]
        return [task.result()[0] for task in tasks]

    assert asyncio.run(main()) == ["fast", "cpu", "fast"]


def test_async_generators():
    async def main():
        fast, host = stream(2, backend="fast"), stream(2)
        settings.backend = "fast"
        pairs = [(await anext(fast), await anext(host), settings.backend) for _ in range(2)]
        await fast.aclose()
        await host.aclose()
        return pairs

    assert asyncio.run(main()) == [(("fast", n, "fast"), ("cpu", n, "cpu"), "fast") for n in range(2)]


def test_wrong_calls_fail_at_the_call():
    for function in (steps, later, stream):
        for backend in (None, "fast", "cpu"):
            with pytest.raises(TypeError, match="nonsense"):
                function(1, nonsense=2, backend=backend)


def test_traces_last_to_the_end_of_the_body(monkeypatch):  # 7.3
    clock = iter(range(1000))
    monkeypatch.setattr("scverse_backends._selection.trace.perf_counter", lambda: next(clock))
    with settings.trace() as calls:
        generator = steps(2, backend="fast")
        next(generator)
        (call,) = calls
        assert (call.function, call.requested, call.executed, call.seconds) == ("steps", "fast", "fast", None)
        assert "running" in str(calls)
        next(generator)
        assert call.seconds is None
    assert list(generator) == []
    assert call.seconds == 1
    assert call.exception is None


def test_traces_of_bodies_that_end_otherwise():  # 7.3
    class Error(Exception):
        pass

    with settings.trace() as calls:
        closed = steps(2)
        next(closed)
        closed.close()
        thrown = steps(2)
        next(thrown)
        with pytest.raises(Error):
            thrown.throw(Error)
        with pytest.raises(TypeError):
            steps()
        with pytest.raises(ValueError, match="nothing"):
            steps(1, backend="nothing")
        assert asyncio.run(later(1, backend="fast"))[0] == "fast"
        assert len(asyncio.run(collect(stream(2)))) == 2
    # Dispatched calls inside the bodies are recorded too.
    found = [
        (call.function, str(call.exception).partition(":")[0], call.seconds is not None)
        for call in calls
        if call.function != "inner"
    ]
    assert found == [
        ("steps", "None", True),
        ("steps", "Error", True),
        ("steps", "TypeError", True),
        ("steps", "UnknownBackendError", True),
        ("later", "None", True),
        ("stream", "None", True),
    ]


def test_a_backend_may_implement_it_as_another_kind():
    class Other:
        name = "other_kind"

        def steps(self, n):
            return ["a"] * n

        def later(self, n):
            return n

        def stream(self, n):
            return iter(range(n))

    dispatcher.register(Other)
    try:
        with settings.use_backend("other_kind"):
            assert list(steps(2)) == ["a", "a"]
            assert asyncio.run(later(3)) == 3
            assert asyncio.run(collect(stream(2))) == [0, 1]
    finally:
        dispatcher.unregister("other_kind")


def test_a_pipeline_stays_on_the_host():
    @dispatch
    def pipeline_of_steps(n):
        yield from steps(n)
        yield inner()

    settings.backend = "fast"
    with pytest.warns(FallbackWarning):
        assert list(pipeline_of_steps(1, backend="fast"))[-1] == "fast"
    assert list(pipeline_of_steps(1, backend="cpu")) == [("cpu", 0, "cpu", "cpu"), "cpu"]


# -- what the decorated function shows ---------------------------------------------------------------------------------


def test_attributes():
    def function(a, b=2, *, c: int = 3) -> str:
        """Doc."""

    function.extra = object()
    decorated = dispatch(function)
    assert decorated.__wrapped__ is function
    for name in ("__name__", "__qualname__", "__module__", "__defaults__"):
        assert getattr(decorated, name) == getattr(function, name)
    assert decorated.__kwdefaults__ == {"c": 3, "backend": None}
    assert decorated.extra is function.extra
    assert str(inspect.signature(decorated, eval_str=True)).startswith("(a, b=2, *, c: 'int' = 3, backend: str | ")
    assert typing.get_type_hints(decorated) == {"c": int, "backend": str | Sequence[str] | None, "return": str}


def test_doctest_finds_and_runs_the_examples():
    finder = doctest.DocTestFinder()
    (test,) = finder.find(documented, "documented", globs=globals())
    assert len(test.examples) == 2
    runner = doctest.DocTestRunner(verbose=False)
    assert runner.run(test).failed == 0
    names = {test.name for test in finder.find(sys.modules[__name__], "module")} if __name__ in sys.modules else set()
    assert not names or "module.documented" in names


def test_help():
    text = io.StringIO()
    with redirect_stdout(text):
        pydoc.Helper(output=text).help(documented)
    shown = " ".join(text.getvalue().split())
    # Python 3.14 and later show annotations that are text without quotes, and a long one shortened.
    assert "a: int, b: float = 1, *, c: str = 'x', backend:" in shown.replace("'int'", "int").replace(
        "'float'", "float"
    ).replace("'str'", "str")
    assert "Add." in shown


def test_autospec():
    mock = create_autospec(documented)
    mock(1, c="y", backend="fast")
    mock.assert_called_once_with(1, c="y", backend="fast")
    with pytest.raises(TypeError):
        mock(1, nonsense=1)
    # Taken for the kind that Python's own is taken for, which differs between versions.
    taken = [inspect.iscoroutinefunction(create_autospec(function)) for function in (later, later.__wrapped__)]
    assert taken[0] is taken[1]
    assert asyncio.run(create_autospec(later, return_value=3)(1)) == 3


def test_pickle_by_name(monkeypatch):
    monkeypatch.setitem(sys.modules, __name__, sys.modules.get(__name__) or types.SimpleNamespace(**globals()))
    for function in (documented, steps, later, stream):
        assert pickle.loads(pickle.dumps(function)) is function


def test_partial_of_a_decorated_function():
    on_fast = partial(documented, b=5, backend="fast")
    assert on_fast(1) == ("fast", 1, 5)
    assert list(partial(steps, backend="fast")(1)) == [("fast", 0, 0, "fast")]
    assert inspect.iscoroutinefunction(partial(later, 1))


def test_a_partial_is_dispatched():
    def scale(a, b, *, option=None):
        return "cpu", a, b

    with pytest.raises(TypeError, match="name="):
        dispatch(partial(scale, b=2))
    scaled = dispatch(name="measure")(partial(scale, b=2))
    assert scaled(1) == ("cpu", 1, 2)
    assert scaled(1, backend="fast") == ("fast", 1, 0)
    assert scaled(1, b=4, backend="fast") == ("fast", 1, 4)


def test_singledispatch_inside():
    gc.collect()  # Of another test's function of that name, which would look for the same in backends.

    @dispatch
    @singledispatch
    def kind(value):
        return "cpu", "object"

    @kind.register
    def _(value: int):
        return "cpu", "int"

    assert (kind("x"), kind(1)) == (("cpu", "object"), ("cpu", "int"))
    assert kind(1, backend="fast") == ("fast", 1)
    assert int in kind.registry


def test_singledispatch_outside():
    gc.collect()  # As above.

    @singledispatch
    def kind(value, **options):
        return "other"

    @kind.register
    @dispatch(name="kind")
    def of_int(value: int):
        return "cpu", value

    assert (kind(1), kind(1, backend="fast"), kind("x")) == (("cpu", 1), ("fast", 1), "other")


def test_lru_cache_inside():
    runs = []

    @dispatch
    @lru_cache
    def cached(value):
        runs.append(value)
        return "cpu", value

    assert cached(1) == cached(1) == cached(1, backend="cpu") == ("cpu", 1)
    assert runs == [1]
    assert cached(1, backend="fast") == ("fast", 1)
    # What the cache's own function has besides its ``__dict__`` stays with it.
    assert cached.__wrapped__.cache_info().hits == 2


def test_lru_cache_outside():
    @cache
    @dispatch
    def cached(value):
        return "cpu", value

    assert cached(1) == ("cpu", 1)
    assert cached(1, backend="fast") == ("fast", 1)
    assert cached.cache_info().misses == 2


def test_decorators_outside_and_inside():
    def noted(function):
        @wraps(function)
        def outer(*args, **kwargs):
            return "noted", function(*args, **kwargs)

        return outer

    @noted
    @dispatch
    @noted
    def measure(a, b=1):
        return "cpu", a, b

    assert measure(1) == ("noted", ("noted", ("cpu", 1, 1)))
    assert measure(1, backend="fast") == ("noted", ("fast", 1, 0))


class Callable_:
    """An object that is called, as compilers make them."""

    def __init__(self, function):
        self.__wrapped__ = function
        self.__name__ = function.__name__
        self.__doc__ = function.__doc__

    def __call__(self, *args, **kwargs):
        return self.__wrapped__(*args, **kwargs)


def test_callables_with_wrapped():
    def measure(a, b=1):
        """Doc."""
        return "cpu", a, b

    compiled = Callable_(measure)
    decorated = dispatch(compiled)
    assert (decorated(1), decorated(1, backend="fast")) == (("cpu", 1, 1), ("fast", 1, 0))
    assert decorated.__name__ == "measure"
    assert decorated.__wrapped__ is compiled
    assert list(inspect.signature(decorated).parameters) == ["a", "b", "option", "backend"]


def test_builtins():  # 4.1
    class WithBuiltins:
        name = "builtin_backend"

        def factorial(self, n):
            return "fast", n

        def itemgetter(self, n):
            raise AssertionError

    dispatcher.register(WithBuiltins)
    try:
        factorial = dispatch(math.factorial)
        assert (factorial(3), factorial(3, backend="builtin_backend")) == (6, ("fast", 3))
        assert factorial.__name__ == "factorial"
        index = dispatch(operator.index)
        assert index(3, backend="cpu") == 3
    finally:
        dispatcher.unregister("builtin_backend")
    # Those without a text signature cannot be called like anything.
    for function in (getattr, math.hypot):
        if not _has_signature(function):
            with pytest.raises(TypeError, match=f"{function.__name__} cannot be inspected"):
                dispatch(function)
    with pytest.raises(TypeError, match=r"takes \*args"):
        dispatch(print)


def _has_signature(function):
    try:
        inspect.signature(function)
    except ValueError:
        return False
    return True


def test_annotations_that_cannot_be_evaluated():
    def future(a: NotThere, b: Sequence[NorThis] = ()) -> Neither:  # noqa: F821 - that is the point.
        return a

    decorated = dispatch(future)
    assert decorated(1) == 1
    assert decorated(1, backend="cpu") == 1
    signature = inspect.signature(decorated)
    assert list(signature.parameters) == ["a", "b", "backend"]
    assert signature.parameters["a"].annotation == "NotThere"
    with pytest.raises(NameError):
        typing.get_type_hints(decorated)


def test_annotations_of_python_3_14_that_cannot_be_evaluated():
    """On 3.14 and later they are evaluated when they are asked for; before, nothing of the kind can be written."""
    namespace = {"dispatch": dispatch}
    source = "def lazily(a: NotYet, b: int = 1) -> int:\n    return a\n"
    if sys.version_info < (3, 14):
        source = f"from __future__ import annotations\n{source}"
    exec(compile(source, "<host>", "exec", dont_inherit=True), namespace)
    decorated = dispatch(namespace["lazily"])
    assert decorated(1) == decorated(1, backend="cpu") == 1
    assert list(inspect.signature(decorated).parameters) == ["a", "b", "backend"]
    namespace["NotYet"] = str
    hints = typing.get_type_hints(decorated, globalns=namespace)
    assert (hints["a"], hints["b"], hints["return"]) == (str, int, int)
    assert hints["backend"] == str | Sequence[str] | None


# -- kinds that a decorator hides --------------------------------------------------------------------------------------


def hidden(function):
    @wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


@dispatch(name="hidden_later")
@hidden
async def hidden_later(x):
    await asyncio.sleep(0)
    return inner()


@dispatch(name="hidden_steps")
@hidden
def hidden_steps(x):
    yield inner()
    yield inner()


@dispatch(name="hidden_stream")
@hidden
async def hidden_stream(x):
    yield inner()


def consuming(function):
    @wraps(function)
    def wrapper(*args, **kwargs):
        return list(function(*args, **kwargs))

    return wrapper


@dispatch(name="consumed")
@consuming
def consumed(x):
    yield inner()


async def collected(stream):
    return [one async for one in stream]


def run_hidden(function, *args, **kwargs):
    result = function(*args, **kwargs)
    if inspect.isawaitable(result):
        return [asyncio.run(result)]
    return asyncio.run(collected(result)) if hasattr(result, "__aiter__") else list(result)


@pytest.mark.parametrize("function", [hidden_later, hidden_steps, hidden_stream, consumed])
def test_the_selection_of_a_call_holds_in_bodies_that_a_decorator_hides(function):  # 1.10, 4.10
    assert not inspect.iscoroutinefunction(function)
    with settings.use_backend("fast"):
        assert set(run_hidden(function, 1, backend="cpu")) == {"cpu"}
        bound = settings.bind(function.__wrapped__)
    decorated = settings.use_backend("fast")(function.__wrapped__)
    assert set(run_hidden(bound, 1)) == set(run_hidden(decorated, 1)) == {"fast"}
    with settings.trace() as calls:
        assert set(run_hidden(function, 1)) == {"cpu"}
    assert calls[0].seconds is not None
    assert settings.backend == "cpu"


def test_a_function_that_claims_to_wrap_itself():  # 4.10
    def circular(x):
        return x

    circular.__wrapped__ = circular
    assert settings.use_backend("fast")(circular)(1) == 1
