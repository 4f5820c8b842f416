"""Preference orders and declining (1.9, 4.12): one mechanism, held against a model of ten lines."""

from __future__ import annotations

import types
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scverse_backends import BackendDispatcher
from scverse_backends.exceptions import (
    BackendLoadError,
    FallbackWarning,
    FunctionNotImplementedError,
    UnknownBackendError,
)

NAMES = ("a", "b", "c", "d")
MISSING, RUNS, DECLINES, BREAKS = "missing", "runs", "declines", "breaks"

coverage = st.fixed_dictionaries({name: st.sampled_from([MISSING, RUNS, DECLINES, BREAKS]) for name in NAMES})
orders = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True).flatmap(
    lambda names: st.sampled_from([names, [*names, "cpu"]])
)


def model(order, covers, policy):
    """Return what runs: the first name of the order that can, else the host, unless that is ruled out."""
    for name in order:
        if name == "cpu" or covers[name] == RUNS:
            return name
    return "raises" if policy == "raise" else "cpu"


def adapter(name, covers, inner=None):
    """Return an adapter module whose ``f`` is as described, and whose ``g`` calls the host's ``f`` inside."""
    module = types.ModuleType(name)
    module.name = name

    def f(x):
        return name

    def unused(x):
        raise AssertionError("a declined implementation ran")

    if covers == RUNS:
        module.f = f
    elif covers == DECLINES:
        unused.can_run = lambda x: "never today"
        module.f = unused
    elif covers == BREAKS:
        module.__all__ = ["f", "g"]

        def fail(attribute):
            raise ImportError(f"no runtime for {attribute}")

        module.__getattr__ = fail
    if inner is not None:
        module.g = lambda x: (name, inner(x))
    return module


def host(covers):
    dispatcher = BackendDispatcher(entrypoint_group="orders.backends", host_name="orders", untrusted="allow")

    @dispatcher.backend_dispatch
    def f(x):
        return "cpu"

    @dispatcher.backend_dispatch
    def g(x):
        return "cpu", f(x)

    for name in NAMES:
        dispatcher.register(adapter(name, covers[name], inner=f))
    return dispatcher, f, g


def outcome(function, *args, **kwargs):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FallbackWarning)
            return function(*args, **kwargs)
    except FunctionNotImplementedError:
        return "raises"


@given(
    covers=coverage,
    order=orders,
    policy=st.sampled_from(["explicit", "silent", "warn", "raise"]),
    how=st.integers(0, 4),
)
@settings(max_examples=150, deadline=None)
def test_the_first_that_can_run_it_does(covers, order, policy, how):
    dispatcher, f, _ = host(covers)
    expected = model(order, covers, policy)
    with dispatcher.settings.use_backend(None, fallback=policy):
        if how == 0:
            call = lambda: f(1, backend=order)  # noqa: E731 - one line a way of selecting.
        elif how == 1:
            call = dispatcher.settings.use_backend(tuple(order))(lambda: f(1))
        elif how == 2:
            with dispatcher.settings.use_backend(order):
                bound = dispatcher.settings.bind(f)
            call = lambda: bound(1)  # noqa: E731 - as above.
        elif how == 3:
            dispatcher.settings.backend = order
            call = lambda: f(1)  # noqa: E731 - as above.
        else:
            call = lambda: f(1, backend=list(order))  # noqa: E731 - as above.
        # Twice, since the second call takes the way that the first prepared.
        assert [outcome(call), outcome(call)] == [expected, expected]
        explained = dispatcher.settings.explain(f, order)
        with dispatcher.settings.trace() as calls:
            outcome(f, 1, backend=order)
        assert calls[0].executed == (None if expected == "raises" else expected)
        assert calls[0].requested == tuple(order)
        # What declines depends on the arguments, which explain() does not have.
        if not any(covers.get(name) == DECLINES for name in order):
            assert explained.executes == calls[0].executed
        for name in order[: order.index(expected)] if expected in order else order:
            assert f"{name}: " in explained.reason or DECLINES in covers.values()


@given(covers=coverage, order=orders)
@settings(max_examples=60, deadline=None)
def test_what_runs_inside_sees_the_order(covers, order):
    _, _, g = host(covers)
    # Every backend has g, so the first of the order runs it, and f inside is chosen by the order again.
    inside = model(order, covers, "silent")
    outer = order[0]
    if outer != "cpu" and covers[outer] == BREAKS:
        return
    assert outcome(g, 1, backend=order) == (outer, inside)


def test_a_name_of_an_order_must_be_known():
    dispatcher, f, _ = host(dict.fromkeys(NAMES, RUNS))
    for wrong in ([], ["a", "nope"], ["cpu", "a"], ["a", 3], ["a", ""]):
        with pytest.raises(UnknownBackendError):
            f(1, backend=wrong)
        with pytest.raises(UnknownBackendError):
            dispatcher.settings.backend = wrong
    assert dispatcher.settings.backend == "cpu"


def test_reading_gives_a_tuple_also_of_one():
    dispatcher, _, _ = host(dict.fromkeys(NAMES, RUNS))
    with dispatcher.settings.use_backend(["a"]):
        assert dispatcher.settings.backend == ("a",)
    dispatcher.settings.backend = ("b", "cpu")
    assert dispatcher.settings.backend == ("b", "cpu")


def test_a_failing_backend_alone_raises_and_in_an_order_is_passed_over():
    _, f, _ = host({**dict.fromkeys(NAMES, RUNS), "a": BREAKS})
    with pytest.raises(BackendLoadError, match="no runtime for f"):
        f(1, backend="a")
    with pytest.warns(FallbackWarning, match="'a' is passed over"):
        assert f(1, backend=["a", "b"]) == "b"


def test_a_listed_cpu_is_a_choice_and_no_fallback():
    _, f, _ = host(dict.fromkeys(NAMES, MISSING))
    assert f(1, backend=["a", "cpu"]) == "cpu"  # a warning would be an error here
    with pytest.warns(FallbackWarning, match="does not implement"):
        assert f(1, backend=["a"]) == "cpu"


def test_the_sentence_of_a_declining_backend_is_everywhere():
    dispatcher, f, _ = host({**dict.fromkeys(NAMES, RUNS), "a": DECLINES})
    with pytest.warns(FallbackWarning, match="never today"):
        assert f(1, backend="a") == "cpu"
    with dispatcher.settings.trace() as calls:
        assert f(1, backend=["a", "b"]) == "b"
    assert calls[0].reason == "a: declined: never today; b: runs"
    with (
        dispatcher.settings.use_backend("a", fallback="raise"),
        pytest.raises(FunctionNotImplementedError, match="never today"),
    ):
        f(1)
    assert "unless it declines" in dispatcher.settings.explain(f, "a").reason


def test_nothing_is_loaded_that_the_call_does_not_need(monkeypatch):
    loaded = []

    class Point:
        group = "lazy.backends"
        dist = None

        def __init__(self, name, covers):
            self.name = name
            self.value = f"adapter_{name}"
            self.covers = covers

        def load(self):
            loaded.append(self.name)
            return adapter(self.name, self.covers)

    points = [Point("n0", MISSING), Point("n1", RUNS), *(Point(f"n{i}", RUNS) for i in range(2, 10))]
    monkeypatch.setattr("importlib.metadata.entry_points", lambda *, group: points)
    dispatcher = BackendDispatcher(entrypoint_group="lazy.backends", host_name="lazy", untrusted="allow")

    @dispatcher.backend_dispatch
    def f(x):
        return "cpu"

    dispatcher.settings.backend = [f"n{i}" for i in range(10)]
    assert loaded == []
    assert f(1) == "n1"
    assert loaded == ["n0", "n1"]


def test_messages_of_several_names_say_what_to_do(monkeypatch):
    monkeypatch.setattr("importlib.metadata.entry_points", lambda *, group: [])
    dispatcher = BackendDispatcher(
        entrypoint_group="hints.backends",
        host_name="hints",
        untrusted="allow",
        trusted_backends={"cuda": {"package": "cuda-pkg"}, "bare": {"aliases": ["b"]}},
    )

    @dispatcher.backend_dispatch
    def f(x):
        return "cpu"

    dispatcher.register(adapter("a", BREAKS))
    dispatcher.register(adapter("c", MISSING))
    with dispatcher.settings.use_backend(None, fallback="raise"), warnings.catch_warnings():
        warnings.simplefilter("ignore", FallbackWarning)
        with pytest.raises(FunctionNotImplementedError) as info:
            f(1, backend=["cuda", "a", "c"])
        assert "None of the backends 'cuda', 'a', 'c' runs f()" in str(info.value)
        assert "cuda: not installed, pip install cuda-pkg" in str(info.value)
        assert "a: failed to load, ImportError: no runtime for f" in str(info.value)
        assert "c: not implemented" in str(info.value)
        with pytest.raises(FunctionNotImplementedError, match=r"Backend 'bare' cannot run f\(\) \(not installed\)"):
            f(1, backend=["bare"])


def test_a_declined_call_is_told_once(recwarn):  # 4.6
    dispatcher = BackendDispatcher(entrypoint_group="once.backends", host_name="once", untrusted="allow")

    @dispatcher.backend_dispatch
    def f(x):
        return "cpu"

    module = adapter("a", DECLINES)
    module.f.can_run = lambda x: f"needs {x} GB"
    dispatcher.register(module)
    warnings.simplefilter("always")
    assert [f(size, backend="a") for size in range(3)] == ["cpu"] * 3
    assert [str(warning.message)[:55] for warning in recwarn] == [
        "Backend 'a' declined this call of f() (needs 0 GB); the"
    ]


def test_a_numpy_truth_value_is_an_answer():  # 4.12
    numpy = pytest.importorskip("numpy", reason="what is tested is NumPy's own type")
    dispatcher = BackendDispatcher(entrypoint_group="truth.backends", host_name="truth", untrusted="allow")

    @dispatcher.backend_dispatch
    def f(x):
        return "cpu"

    module = adapter("a", RUNS)
    module.f.can_run = lambda x: numpy.bool_(x > 0)
    dispatcher.register(module)
    assert f(1, backend=["a", "cpu"]) == "a"
    assert f(-1, backend=["a", "cpu"]) == "cpu"


def test_a_backend_of_an_order_that_is_gone():  # 1.9, 2.10
    dispatcher, f, _ = host(dict.fromkeys(NAMES, RUNS))
    dispatcher.settings.backend = ["a", "b"]
    assert f(1) == "a"
    dispatcher.unregister("a")
    for _ in range(2):
        with pytest.raises(UnknownBackendError, match=r"Unknown backend 'a'.*settings\.backend still selects it"):
            f(1)
    another = adapter("e", RUNS)
    another.aliases = ["a"]
    dispatcher.register(another)
    with pytest.raises(
        UnknownBackendError, match="'a' that was selected for orders is gone, and 'a' is another name of"
    ):
        f(1)
    dispatcher.settings.backend = ["a", "b"]
    assert (f(1), dispatcher.settings.backend) == ("e", ("e", "b"))
