"""What is tried on the way to an implementation leaves no trace in what the user sees of it."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import types
from typing import Any

import pytest
from labs import adapter, make

from scverse_backends.exceptions import DroppedArgumentWarning

HOST = "contexts"
KINDS = ["plain", "awaited", "yielding", "Model"]


class Lab:
    """A host function of each kind, which note the exception that they run under, as the backend's do."""

    def __init__(self) -> None:
        self.dispatcher = make(HOST)
        self.seen: list[tuple[str, BaseException | None]] = []
        self.adapter = adapter("fast", **self._functions("fast"))
        self.functions = {
            name: (self.dispatcher.backend_class if name == "Model" else self.dispatcher.backend_dispatch)(function)
            for name, function in self._functions("cpu").items()
        }
        self.dispatcher.register(self.adapter)

    def _functions(self, who: str) -> dict[str, Any]:
        def note() -> None:
            self.seen.append((who, sys.exception()))

        def plain(x: Any) -> None:
            note()

        async def awaited(x: Any) -> None:
            note()

        def yielding(x: Any) -> Any:
            yield note()

        class Model:
            def __init__(self, x: Any) -> None:
                note()

        return {"plain": plain, "awaited": awaited, "yielding": yielding, "Model": Model}

    def run(self, kind: str, **kwargs: Any) -> None:
        result = self.functions[kind](1, **kwargs)
        if kind == "awaited":
            asyncio.run(result)
        elif kind == "yielding":
            list(result)


@pytest.mark.parametrize("traced", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["fast", ["fast", "cpu"], ("fast",)], ids=str)
def test_implementations_run_under_no_exception(kind: str, name: Any, traced: bool) -> None:  # 4.6
    lab = Lab()
    settings = lab.dispatcher.settings
    with settings.trace() if traced else contextlib.nullcontext():
        for _ in range(3):
            lab.run(kind, backend=name)
        with settings.use_backend(name):
            lab.run(kind)
        settings.backend = name
        lab.run(kind)
        lab.run(kind, backend="".join("cpu"))
        lab.run(kind, backend=["cpu"])
    assert lab.seen == [("fast", None)] * 5 + [("cpu", None)] * 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_function_that_the_adapter_lost_is_replaced_under_no_exception(kind: str) -> None:  # 4.6, 4.11
    lab = Lab()
    lab.dispatcher.settings.fallback = "silent"
    for _ in range(2):
        lab.run(kind, backend="fast")
    delattr(lab.adapter, kind)
    lab.run(kind, backend="fast")
    assert lab.seen == [("fast", None), ("fast", None), ("cpu", None)]


def test_a_function_that_a_module_lost_is_replaced_under_no_exception() -> None:  # 4.6, 4.11
    lab = Lab()
    module: Any = types.ModuleType("lost")
    module.name = "lost"
    module.plain = lab.adapter.plain
    lab.dispatcher.register(module)
    with lab.dispatcher.settings.use_backend("lost"):
        lab.run("plain")
        lab.run("plain")
        del module.plain
        lab.run("plain")
    assert lab.seen == [("fast", None), ("fast", None), ("cpu", None)]


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("name", ["fast", ["fast"]], ids=str)
def test_what_an_implementation_raises_comes_from_nothing(name: Any, first: bool) -> None:  # 4.6
    def score(x: Any) -> None: ...

    def fails(x: Any) -> None:
        if x:
            raise ValueError("x")

    dispatcher = make(HOST)
    dispatched = dispatcher.backend_dispatch(score)
    dispatcher.register(adapter(score=fails))
    if not first:
        dispatched(0, backend=name)
    with pytest.raises(ValueError, match="x") as info:
        dispatched(1, backend=name)
    assert info.value.__context__ is None


@pytest.mark.parametrize(
    ("wrong", "kwargs"),
    [
        ("nope", {}),
        (["nope", "neither"], {}),
        ("auto", {}),
        (3, {}),
        ({"a": 1}, {}),
        ("", {}),
        ([], {}),
        ("fast", {"tile": 1}),
        ("lacking", {}),
        ("broken", {}),
        ("fast", {"fallback": "raise"}),
    ],
    ids=str,
)
def test_errors_of_a_call_come_from_nothing_that_the_user_did_not_write(wrong: Any, kwargs: Any) -> None:  # 9
    dispatcher = make(HOST)

    def score(x: Any) -> None: ...
    def other(x: Any) -> None: ...

    dispatched = dispatcher.backend_dispatch(score)
    unimplemented = dispatcher.backend_dispatch(other)
    dispatcher.register(adapter(score=lambda x: 0))
    dispatcher.register(adapter("lacking", score=lambda: 0))
    dispatcher.register(adapter("broken", score=1))
    kwargs = dict(kwargs)
    called = dispatched
    if "fallback" in kwargs:
        dispatcher.settings.fallback = kwargs.pop("fallback")
        called = unimplemented
    with pytest.raises((ValueError, TypeError, ImportError, NotImplementedError)) as info:
        called(1, backend=wrong, **kwargs)
    error = info.value
    assert error.__cause__ is None
    assert error.__context__ is None or error.__suppress_context__


@pytest.mark.filterwarnings("error")
def test_warnings_that_are_errors_come_from_nothing() -> None:  # 4.5
    dispatcher = make(HOST)

    @dispatcher.backend_dispatch
    def score(x: Any, n: int = 1) -> None: ...

    dispatcher.register(adapter(score=lambda x: 0))
    with pytest.raises(DroppedArgumentWarning) as info:
        score(1, n=2, backend="fast")
    assert info.value.__context__ is None
