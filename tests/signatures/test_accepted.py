"""What implementations accept that wrap the host's functions, each other's, or only copy a docstring that way."""

from __future__ import annotations

import contextlib
import functools
import inspect
from typing import Any

import pytest
from labs import adapter, define, make

from scverse_backends._signatures.accepted import implementation_signature, only_passes_on
from scverse_backends.testing import check_backend, temporary_backend

HOST = "accepted_lab"
DISPATCHER = make(HOST)


def raw(x: Any, n: int = 1, *, z: int = 2) -> Any:
    return "host", x, n, z


decorated: Any = DISPATCHER.backend_dispatch(name="score")(raw)


def wrapping(source: str, around: Any) -> Any:
    return functools.wraps(around)(define(source))


def timed(function: Any) -> Any:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


class Called:
    """A decorator that is an object."""

    def __init__(self, function: Any) -> None:
        functools.update_wrapper(self, function)

    def __call__(self, x: Any, *, opt: int = 7) -> Any:
        return x, opt


class Passing(Called):
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.__wrapped__(*args, **kwargs)  # type: ignore[attr-defined]  # update_wrapper() gave it.


def shown(implementation: Any) -> str:
    signature = implementation_signature(implementation)
    assert signature is not None
    parameters = [one.replace(annotation=one.empty) for one in signature.parameters.values()]
    return str(inspect.Signature(parameters))


@pytest.mark.parametrize("around", [raw, decorated], ids=["raw", "decorated"])
@pytest.mark.parametrize(
    ("source", "expected"),
    [
        # Everything is passed on.
        ("def f(*a, **k): ...", "(x, n=1, *, z=2)"),
        # Only the docstring is copied.
        ("def f(x, *, opt=7): ...", "(x, *, opt=7)"),
        ("def f(): ...", "()"),
        # Options beside what is passed on, and other defaults.
        ("def f(*a, opt=7, **k): ...", "(x, n=1, *, z=2, opt=7)"),
        ("def f(*a, opt, **k): ...", "(x, n=1, *, z=2, opt)"),
        ("def f(x, *, opt=7, **k): ...", "(x, *, n=1, z=2, opt=7)"),
        ("def f(x, opt=7, **k): ...", "(x, *, n=1, z=2, opt=7)"),
        ("def f(x, *a, z=9, **k): ...", "(x, n=1, *, z=9)"),
        ("def f(x, *, z, **k): ...", "(x, *, n=1, z)"),
        ("def f(x, *a, opt=7): ...", "(x, n=1, *, z=2, opt=7)"),
        # Another name for the first parameter, which it passes on by position.
        ("def f(data, *a, **k): ...", "(x, n=1, *, z=2)"),
        ("def f(data, /, *a, **k): ...", "(x, n=1, *, z=2)"),
        ("def f(data, **k): ...", "(x, *, n=1, z=2)"),
        # Another order, so that only names tell what is what.
        ("def f(n, x, **k): ...", "(*, x, n, z=2)"),
        ("def f(n=3, x=4, *a, **k): ...", "(*, x=4, n=3, z=2)"),
        ("def f(x, z, *a, **k): ...", "(x, *, n=1, z)"),
        ("def f(x, opt=7, *a, **k): ...", "(x, *, n=1, z=2)"),
        # What it takes by keyword alone.
        ("def f(x, *a, n=5, **k): ...", "(x, *, n=5, z=2)"),
        ("def f(*a, x, **k): ...", "(*, x, n=1, z=2)"),
        # A selection that it takes and nobody gives.
        ("def f(*a, backend=None, **k): ...", "(x, n=1, *, z=2)"),
        # No signature says that the first may be left out and the second may not.
        ("def f(x=0, n=1, *a, **k): ...", "(x=0, n=1, *, z=2)"),
        ("def f(x=0, *a, **k): ...", "(x=0, n=1, *, z=2)"),
    ],
)
def test_functions(source: str, expected: str, around: Any) -> None:  # 4.2
    function = wrapping(source, around)
    assert shown(function) == expected
    # Who stands around it and passes everything on changes nothing, nor does remembering results.
    for outer in (timed(function), functools.lru_cache(function), Passing(function)):
        assert shown(outer) == expected


def test_defaults_that_cannot_stand_where_they_are() -> None:
    inner = define("def f(x, y): ...")
    assert shown(wrapping("def g(x=1, *a, **k): ...", inner)) == "(x, y)"


@pytest.mark.parametrize("around", [raw, decorated], ids=["raw", "decorated"])
def test_methods(around: Any) -> None:  # 4.2
    class Theirs:
        passing = wrapping("def f(self, *a, **k): ...", around)
        option = wrapping("def f(self, x, *, opt=7, **k): ...", around)
        explicit = wrapping("def f(self, x, *, opt=7): ...", around)
        of_another = timed(define("def f(self, x, *, opt=7): ..."))
        named = wrapping("def f(self, *a, **k): ...", define("def f(self, x, *, opt=7): ..."))
        remembering = functools.lru_cache(define("def f(self, x, *, opt=7): ..."))

    theirs = Theirs()
    assert shown(theirs.passing) == "(x, n=1, *, z=2)"
    assert shown(theirs.option) == "(x, *, n=1, z=2, opt=7)"
    assert shown(theirs.explicit) == shown(theirs.of_another) == "(x, *, opt=7)"
    assert shown(theirs.named) == shown(theirs.remembering) == "(x, *, opt=7)"


def test_objects_and_what_says_itself_what_it_accepts() -> None:
    assert shown(Called(raw)) == shown(Called(decorated)) == "(x, *, opt=7)"
    claiming = timed(raw)
    claiming.__signature__ = inspect.signature(lambda x, *, other=1: 0)
    assert shown(claiming) == "(x, *, other=1)"
    circle = timed(raw)
    circle.__wrapped__ = circle
    assert implementation_signature(circle) is None


def test_options_of_other_backends_are_not_those_of_who_wraps_the_host() -> None:  # 2.5, 4.9
    dispatcher = make(HOST)
    score: Any = dispatcher.backend_dispatch(define("def score(x, *, n=1): ..."))
    dispatcher.register(adapter("first", score=define("def f(x, *, n=1, batch=3): return batch")))
    late = wrapping("def f(x, *, opt=7, **k): return opt, k", score)
    dispatcher.register(adapter("late", score=late))
    assert list(inspect.signature(score).parameters) == ["x", "n", "batch", "opt", "backend"]
    assert score(1, opt=3, n=2, backend="late") == (3, {"n": 2})
    with pytest.raises(TypeError, match=r"'batch'.* Loaded backends that do: 'first'"):
        score(1, batch=4, backend="late")


@pytest.mark.parametrize(
    ("source", "hands_back"),
    [
        ("def f(*a, **k): ...", True),
        ("def f(x, **k): ...", True),
        ("def f(*a, opt=7, **k): ...", False),
        ("def f(x, n=1, *, z=2): ...", False),
    ],
)
def test_check_tells_what_hands_back_the_hosts_own_function(source: str, hands_back: bool) -> None:  # 8.2
    dispatcher = make(HOST)
    score: Any = dispatcher.backend_dispatch(name="score")(raw)
    dispatcher.register(adapter(score=timed(wrapping(source, score))))
    found = [problem.message for problem in check_backend(dispatcher, "fast")]
    assert any("hands back" in text for text in found) is hands_back
    assert only_passes_on(score, score)


def test_check_sees_another_default_in_who_passes_the_rest_on() -> None:  # 8.2
    dispatcher = make(HOST)
    score: Any = dispatcher.backend_dispatch(name="score")(raw)
    dispatcher.register(adapter(score=wrapping("def f(x, *, z=99, **k): ...", raw)))
    found = [problem.message for problem in check_backend(dispatcher, "fast")]
    assert any("default is 99 here and 2 in the host" in text for text in found)
    assert score.__name__ == "raw"


@pytest.mark.parametrize("error", [None, RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("attribute", ["__dict__", "__wrapped__"])
def test_what_cannot_be_looked_into(attribute: str, error: type[BaseException] | None) -> None:  # 2.6, 8.2
    dispatcher = make(HOST)
    score: Any = dispatcher.backend_dispatch(name="score")(raw)

    def look(self: Any, name: str) -> Any:
        if name == attribute and error is not None:
            raise error
        return score if name == "__wrapped__" else object.__getattribute__(self, name)

    odd = type("Odd", (), {"__getattribute__": look, "__call__": lambda self: None})
    with contextlib.ExitStack() as stack:
        if error is KeyboardInterrupt:
            stack.enter_context(pytest.raises(KeyboardInterrupt))
        stack.enter_context(temporary_backend(dispatcher, adapter(score=odd())))
        found = [problem.message for problem in check_backend(dispatcher, "fast")]
        # What leads to the host's own function is that, unless something is known to stand in between.
        assert any("hands back" in text for text in found) is (attribute == "__dict__" or error is None)


@pytest.mark.parametrize(("error", "raised"), [(RuntimeError, TypeError), (KeyboardInterrupt, KeyboardInterrupt)])
def test_asking_about_what_cannot_be_looked_into(error: type[BaseException], raised: type[BaseException]) -> None:
    odd = type("Odd", (), {"__call__": lambda self: None, "__wrapped__": property(lambda self: failing(error))})
    with pytest.raises(raised):
        DISPATCHER.settings.explain(odd())


def failing(error: type[BaseException]) -> None:
    raise error


def test_positions_mean_what_the_host_says() -> None:  # 4.2
    dispatcher = make(HOST)
    score: Any = dispatcher.backend_dispatch(name="score")(raw)
    swapped = wrapping("def f(n, x, **k): return x, n, k", raw)
    option = wrapping("def f(x, opt=7, *a, **k): return x, opt, a, k", raw)
    dispatcher.register(adapter("swapped", score=swapped))
    dispatcher.register(adapter("option", score=option))
    for _ in range(2):
        assert score(1, 2, z=3, backend="swapped") == (1, 2, {"z": 3})
        assert score(1, backend="swapped") == (1, 1, {})
        assert score(1, 2, z=3, backend="option") == (1, 7, (), {"n": 2, "z": 3})
