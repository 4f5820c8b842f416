"""What a user sees of an error: one frame of ours at most, and everything that others wrote (4.14)."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import traceback
import types
import warnings
from pathlib import Path
from typing import Any

import pytest
from labs import adapter, define, make

import scverse_backends
from scverse_backends._foundation.unseen import FILE
from scverse_backends.exceptions import (
    BackendLoadError,
    DroppedArgumentWarning,
    FunctionNotImplementedError,
    UnknownBackendError,
)

PACKAGE = str(Path(scverse_backends.__file__).parent)


def frames_of_ours(error: BaseException) -> list[str]:
    """Return the names of the functions of ours in a traceback."""
    found = traceback.extract_tb(error.__traceback__)
    return [frame.name for frame in found if frame.filename.startswith((PACKAGE, FILE))]


@pytest.fixture
def lab() -> Any:
    dispatcher = make("traced_back")

    @dispatcher.backend_dispatch
    def plain(x: Any, n: int = 1) -> Any:
        if x is None:
            raise ValueError("the host's own")
        return "host"

    @dispatcher.backend_dispatch
    def lacking(x: Any) -> Any:
        raise TypeError("the host's own")

    @dispatcher.backend_dispatch
    async def later(x: Any) -> Any:
        raise ValueError("the host's own")

    @dispatcher.backend_dispatch
    def steps(x: Any) -> Any:
        yield x
        raise ValueError("the host's own")

    @dispatcher.backend_class
    class Model:
        def __init__(self, x: Any) -> None:
            if x is None:
                raise ValueError("the host's own")

    def theirs(x: Any) -> Any:
        return 1 / 0

    dispatcher.register(adapter(plain=theirs))
    return types.SimpleNamespace(
        dispatcher=dispatcher,
        settings=dispatcher.settings,
        plain=plain,
        lacking=lacking,
        later=later,
        steps=steps,
        Model=Model,
    )


ERRORS = {
    "unknown backend": lambda lab: lab.plain(1, backend="nope"),
    "unknown backend, class": lambda lab: lab.Model(1, backend="nope"),
    "unknown backend, generator": lambda lab: lab.steps(1, backend="nope"),
    "unknown backend, coroutine": lambda lab: lab.later(1, backend="nope"),
    "unknown backend, traced": lambda lab: traced(lab, lambda: lab.plain(1, backend="nope")),
    "no name": lambda lab: lab.plain(1, backend=3),
    "wrong call on a backend": lambda lab: lab.plain(backend="fast"),
    "wrong call on the host": lambda lab: lab.plain(1, tile=3),
    "wrong call after a selection": lambda lab: selected(lab, "cpu", lambda: lab.plain(1, size=3)),
    "wrong call, class": lambda lab: lab.Model(1, size=3),
    "no fallback": lambda lab: selected(lab, "fast", lambda: lab.lacking(1), fallback="raise"),
    "assignment": lambda lab: setattr(lab.settings, "backend", "nope"),
    "assignment of nothing": lambda lab: setattr(lab.settings, "backend", None),
    "policy": lambda lab: setattr(lab.settings, "fallback", "nope"),
    "policy of a scope": lambda lab: lab.settings.use_backend("fast", fallback="nope"),
    "scope": lambda lab: lab.settings.use_backend("nope").__enter__(),
    "scope, as a decorator": lambda lab: lab.settings.use_backend("nope")(len)([1]),
    "scope, as a decorator of steps": lambda lab: lab.settings.use_backend("nope")(undecorated_steps)(),
    "attribute": lambda lab: lab.settings.bakend,
    "options of a scope": lambda lab: lab.settings.use_backend("fast", options={"nope": 1}).__enter__(),
    "host's own": lambda lab: lab.plain(None),
    "host's own, class": lambda lab: lab.Model(None),
    "host's own, generator": lambda lab: list(lab.steps(1)),
    "host's own, coroutine": lambda lab: asyncio.run(lab.later(1)),
    "backend's own": lambda lab: lab.plain(1, backend="fast"),
    "backend's own, kept": lambda lab: [suppressed(lab), lab.plain(1, backend="fast")],
    "fallback": lambda lab: selected(lab, "fast", lambda: lab.lacking(1), fallback="silent"),
    "bound": lambda lab: lab.settings.bind(lambda: 1 / 0)(),
}


def undecorated_steps() -> Any:
    yield 1


def suppressed(lab: Any) -> None:
    with contextlib.suppress(ZeroDivisionError):
        lab.plain(1, backend="fast")


def traced(lab: Any, call: Any) -> Any:
    with lab.settings.trace():
        return call()


def selected(lab: Any, name: str, call: Any, **options: Any) -> Any:
    with lab.settings.use_backend(name, **options):
        return call()


@pytest.mark.parametrize("raising", ERRORS.values(), ids=ERRORS)
def test_one_frame_of_ours(lab: Any, raising: Any) -> None:  # 4.14
    with pytest.raises(Exception) as info:  # noqa: PT011 - which one is the table's.
        raising(lab)
    assert len(frames_of_ours(info.value)) == 1
    assert info.value.__context__ is None


def test_the_frame_is_hidden(lab: Any) -> None:  # 4.14
    with pytest.raises(UnknownBackendError) as info:
        lab.plain(1, backend="nope")
    assert info.tb.tb_next is not None
    assert info.tb.tb_next.tb_frame.f_locals["__tracebackhide__"] is True


def test_a_cause_begins_in_the_backends_code() -> None:  # 4.7, 4.14
    class Lazy:
        name = "fast"

        @property
        def plain(self) -> Any:
            raise OSError("no device")

    dispatcher = make("traced_back")
    plain = dispatcher.backend_dispatch(name="plain")(define("def plain(x): ..."))
    dispatcher.register(Lazy)
    with pytest.raises(BackendLoadError) as info:
        plain(1, backend="fast")
    assert len(frames_of_ours(info.value)) == 1
    cause = info.value.__cause__
    assert isinstance(cause, OSError)
    assert [frame.name for frame in traceback.extract_tb(cause.__traceback__)] == ["plain"]


def test_an_error_of_ours_that_nobody_expects_keeps_its_frames(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # 4.14: a bug has to be found.
    def broken(*_args: Any) -> Any:
        raise RuntimeError("a bug")

    monkeypatch.setattr(type(lab.dispatcher._machinery.decider.routing), "route", broken)
    with lab.settings.trace() as calls, pytest.raises(RuntimeError) as info:
        lab.plain(1, backend="fast")
    assert len(frames_of_ours(info.value)) > 2
    assert calls[0].exception == "RuntimeError: a bug"
    assert calls[0].seconds is not None


@pytest.mark.filterwarnings("error")
def test_a_warning_that_is_an_error_has_one_frame(lab: Any) -> None:  # 4.5, 4.14
    with pytest.raises(DroppedArgumentWarning) as info:
        lab.plain(1, n=2, backend="fast")
    assert len(frames_of_ours(info.value)) == 1


def test_nothing_is_kept_alive_by_an_error_that_was_raised_again(lab: Any) -> None:
    import gc
    import weakref

    class Data:
        pass

    data = Data()
    alive = weakref.ref(data)
    gc.disable()
    try:
        with contextlib.suppress(UnknownBackendError):
            lab.plain(data, backend="nope")
        with contextlib.suppress(UnknownBackendError):
            lab.Model(data, backend="nope")
        with contextlib.suppress(ZeroDivisionError):
            lab.plain(data, backend="fast")
        with contextlib.suppress(FunctionNotImplementedError), lab.settings.use_backend("fast", fallback="raise"):
            lab.lacking(data)
        del data
        assert alive() is None
    finally:
        gc.enable()


# -- errors of a body are its own (4.9) --------------------------------------------------------------------------------


def shim(function: Any) -> Any:
    """Rename an argument, as decorators for deprecated names do: it takes more than it shows."""

    @functools.wraps(function)
    def renaming(*args: Any, **kwargs: Any) -> Any:
        if "tile" in kwargs:
            raise TypeError("tile is gone since 2.0")
        return function(*args, **kwargs)

    return renaming


@pytest.mark.parametrize("way", [{}, {"backend": "cpu"}, {"backend": ["cpu"]}], ids=str)
@pytest.mark.parametrize("selected", [False, True])
def test_a_shim_inside_ours_says_what_it_says(way: dict[str, Any], selected: bool) -> None:
    dispatcher = make("shimmed")
    score = dispatcher.backend_dispatch(shim(define("def score(x): return x")))
    dispatcher.register(adapter(score=define("def score(x, *, tile=1): return x")))
    score(1, backend="fast")
    with dispatcher.settings.use_backend("cpu") if selected else contextlib.nullcontext():
        for _ in range(2):
            with pytest.raises(TypeError, match=r"^tile is gone since 2\.0$") as info:
                score(1, tile=3, **way)
            assert not hasattr(info.value, "__notes__")


def test_a_type_error_of_a_body_is_raised_as_it_is() -> None:
    dispatcher = make("shimmed")

    def score(x: Any, **options: Any) -> Any:
        return len(x, **options)

    host = dispatcher.backend_dispatch(score)
    with pytest.raises(TypeError, match="takes no keyword arguments") as info:
        host("a", tile=1)
    assert not hasattr(info.value, "__notes__")
    dispatcher.register(adapter(score=define("def score(x, *, tile=1): return x")))
    dispatcher.discover()
    # A key that the host's own ``**kwargs`` takes: a note says whose option it is.
    for call in (lambda: host("a", tile=2), lambda: host("a", tile=2, backend="cpu")):
        with pytest.raises(TypeError, match="takes no keyword arguments") as info:
            call()
        assert info.value.__notes__ == ["'tile' is an option of 'fast', and this call ran on the host."]


def test_a_body_in_c_is_not_run_twice() -> None:
    dispatcher = make("shimmed")
    runs = []
    append = dispatcher.backend_dispatch(name="append")(functools.partial(runs.append))
    with pytest.raises(TypeError):
        append(1, 2)
    assert runs == []
    ordered = dispatcher.backend_dispatch(name="ordered")(functools.partial(sorted, key=lambda x: runs.append(x) or x))
    with pytest.raises(TypeError, match="not supported between"):
        ordered([1, "a"])
    assert runs == [1, "a"]
    dispatcher.register(adapter(ordered=functools.partial(sorted, key=lambda x: runs.append(x) or x)))
    for _ in range(2):
        runs.clear()
        with pytest.raises(TypeError, match="not supported between"):
            ordered([1, "a"], backend="fast")
        assert runs == [1, "a"]


# -- a fallback that fails says that it was one (4.6) ------------------------------------------------------------------


def declining() -> Any:
    def lacking(x: Any) -> Any:
        return x

    lacking.can_run = lambda x: "sparse input needs cupy 13"  # type: ignore[attr-defined]  # functions may carry it.
    return lacking


@pytest.mark.parametrize("kept", [False, True])
def test_an_exception_of_the_host_says_what_it_ran_in_place_of(lab: Any, kept: bool) -> None:
    lab.settings.fallback = "silent"
    for _ in range(1 + kept):
        with pytest.raises(TypeError, match="the host's own") as info:
            lab.lacking(1, backend="fast")
        assert info.value.__notes__ == ["The host ran this call: Backend 'fast' does not implement lacking()."]
    lab.dispatcher.register(adapter("picky", lacking=declining()))
    with pytest.raises(TypeError, match="the host's own") as info:
        lab.lacking(1, backend="picky")
    (note,) = info.value.__notes__
    assert note == (
        "The host ran this call: Backend 'picky' declined this call of lacking() (sparse input needs cupy 13)."
    )
    with pytest.raises(TypeError, match="the host's own") as info:
        lab.lacking(1, backend=["picky", "fast", "cpu"])
    assert "picky: declined: sparse" in info.value.__notes__[0]
    with pytest.raises(TypeError, match="the host's own") as info:
        lab.lacking(1, backend="cpu")
    assert not hasattr(info.value, "__notes__")


def test_an_exception_in_a_later_step_says_it_too(lab: Any) -> None:
    lab.settings.fallback = "silent"
    steps = lab.steps(1, backend="fast")
    next(steps)
    with pytest.raises(ValueError, match="the host's own") as info:
        next(steps)
    assert len(info.value.__notes__) == 1
    with pytest.raises(ValueError, match="the host's own") as info:
        asyncio.run(lab.later(1, backend="fast"))
    assert len(info.value.__notes__) == 1


def test_an_exception_that_takes_no_note_is_raised_as_it_is() -> None:
    class Stubborn(Exception):
        def add_note(self, note: str) -> None:
            raise OSError

    dispatcher = make("stubborn")

    @dispatcher.backend_dispatch
    def score(x: Any) -> Any:
        raise x

    dispatcher.register(adapter())
    dispatcher.settings.fallback = "silent"
    with pytest.raises(Stubborn):
        score(Stubborn(), backend="fast")


def test_a_note_stands_once(lab: Any) -> None:
    error = ValueError("again")

    @lab.dispatcher.backend_dispatch
    def again(x: Any) -> Any:
        raise error

    lab.settings.fallback = "silent"
    for _ in range(2):
        with pytest.raises(ValueError, match="again"), warnings.catch_warnings():
            again(1, backend="fast")
    assert len(error.__notes__) == 1
