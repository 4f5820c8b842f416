"""Section 8.6: `compare_calls` finds the step at which a pipeline goes astray, and changes nothing that it computes."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import gc
import math
import pickle
import random
import threading
import types
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scverse_backends import BackendDispatcher
from scverse_backends.testing import ComparedFunction, ComparisonRecord, _compared_calls, compare_calls
from scverse_backends.testing._difference import difference


class Cells:
    """Data in the style of AnnData, which functions change in place."""

    obs = var = ()

    def __init__(self, x):
        self.X = np.array(x, float)
        self.obsm = {}
        self.uns = {}

    def copy(self):
        made = type(self)(self.X)
        made.obsm, made.uns = copy.deepcopy(self.obsm), copy.deepcopy(self.uns)
        return made


def cells(seed=0):
    return Cells(np.random.default_rng(seed).random((6, 4)) + 1)


def normalize(adata, *, target_sum=10.0):
    adata.X *= target_sum / adata.X.sum(axis=1, keepdims=True)


def log(adata):
    adata.X = np.log1p(adata.X)
    adata.uns["log"] = {"base": None}


def embed(adata, n=2):
    centred = adata.X - adata.X.mean(axis=0)
    adata.obsm["X_pca"] = centred @ np.linalg.svd(centred)[2][:n].T
    return n


def wrong_log(adata):
    log(adata)
    adata.X[2, 1] += 0.5


class Host:
    def __init__(self, *functions, **backends):
        self.dispatcher = BackendDispatcher(
            entrypoint_group="pipeline.backends", host_name="pipeline", untrusted="allow"
        )
        self.settings = self.dispatcher.settings
        for function in functions:
            setattr(self, function.__name__, self.dispatcher.backend_dispatch(function))
        for name, provided in backends.items():
            self.dispatcher.register(types.SimpleNamespace(name=name, **{f.__name__: f for f in provided}))


def named(function, name):
    made = types.FunctionType(
        function.__code__, function.__globals__, name, function.__defaults__, function.__closure__
    )
    made.__kwdefaults__ = function.__kwdefaults__
    return made


STEPS = (normalize, log, embed)


@pytest.fixture
def host():
    return Host(*STEPS, fast=[normalize, named(wrong_log, "log"), embed])


def pipeline(host, adata):
    host.normalize(adata, target_sum=20.0)
    host.log(adata)
    host.embed(adata, 2)
    host.normalize(adata)
    return adata


def shown(table):
    return [(r.function, r.backend, r.calls, r.compared, r.differing, r.first) for r in table]


def test_the_wrong_step_is_found_and_no_other_is_blamed(host):
    with compare_calls(host.dispatcher) as table, host.settings.use_backend("fast"):
        pipeline(host, cells())
    assert shown(table) == [
        ("normalize", "fast", 2, 2, 0, None),
        ("log", "fast", 1, 1, 1, 1),
        ("embed", "fast", 1, 1, 0, None),
    ]
    worst = table[1].worst
    assert isinstance(worst, ComparisonRecord)
    assert (worst.backend, worst.agrees, worst.where) == ("fast", False, "adata.X[2, 1]")
    assert (table[1].max_abs, table[1].max_rel) == (worst.max_abs, worst.max_rel)
    assert table[1].max_abs == pytest.approx(0.5)
    assert table[0].worst.agrees is True
    assert all(record.seconds > 0 and record.host_seconds > 0 for record in table)


def test_a_pipeline_computes_what_it_computes_without(host):
    with host.settings.use_backend("fast"):
        alone = pipeline(host, cells())
        with compare_calls(host.settings):
            watched = pipeline(host, cells())
        again = pipeline(host, cells())
    for one in (watched, again):
        assert difference(alone, one, rtol=0, atol=0).agrees is True


def test_the_tolerances_are_those_given(host):
    with compare_calls(host.dispatcher, atol=1.0) as table:
        host.log(cells(), backend="fast")
    assert table[0].differing == 0


def test_each_nth_call_is_compared(host):
    with compare_calls(host.dispatcher, every=3) as table, host.settings.use_backend("fast"):
        for _ in range(7):
            host.log(cells())
    assert shown(table) == [("log", "fast", 7, 3, 3, 1)]
    assert str(table).splitlines()[1] == "rtol=1e-05, atol=1e-08; the first of every 3 calls of a function"


def test_the_first_that_differs_is_named_by_its_number(host):
    calls = []

    def sometimes(adata):
        calls.append(1)
        log(adata)
        adata.X[0, 0] += len(calls) >= 3

    host.dispatcher.register(types.SimpleNamespace(name="drifting", log=sometimes))
    with compare_calls(host.dispatcher) as table, host.settings.use_backend("drifting"):
        for _ in range(4):
            host.log(cells())
    assert shown(table) == [("log", "drifting", 4, 4, 2, 3)]
    assert "call 3" in str(table).splitlines()[5]


def test_backends_have_rows_of_their_own(host):
    host.dispatcher.register(types.SimpleNamespace(name="other", log=log))
    with compare_calls(host.dispatcher) as table:
        host.log(cells(), backend="fast")
        host.log(cells(), backend="other")
    assert [(r.backend, r.differing) for r in table] == [("fast", 1), ("other", 0)]
    lines = str(table).splitlines()
    assert lines[0] == "1 function on several backends, each call compared with the host"
    assert lines[3].split()[:2] == ["function", "backend"]


def test_what_runs_on_the_host_is_not_compared(host):
    with compare_calls(host.dispatcher) as table:
        pipeline(host, cells())
        host.log(cells(), backend="cpu")
    assert list(table) == []
    assert str(table).splitlines() == [
        "Nothing ran on a backend in this block.",
        "Select one, with settings.use_backend(...) around the calls, or with backend= in each.",
    ]


def test_what_the_host_ran_in_place_of_a_backend_is_said():
    host = Host(*STEPS, fast=[normalize])
    with compare_calls(host.dispatcher) as table, host.settings.use_backend("fast"):
        pipeline(host, cells())
    assert shown(table) == [("normalize", "fast", 2, 2, 0, None)]
    assert "log ran on the host only: fast: not implemented." in str(table)
    nothing = Host(log, fast=[])
    with compare_calls(nothing.dispatcher) as table:
        nothing.log(cells(), backend=["fast", "cpu"])
    assert str(table).splitlines()[1] == "log ran on the host only: fast: not implemented; cpu: selected."


class Unhashable(type):
    """A metaclass whose classes cannot be told apart by their hash."""

    __hash__ = None

    def __eq__(cls, other):
        return cls is other


def test_classes_that_have_no_hash():
    host = Host()

    @host.dispatcher.backend_class
    class Model(metaclass=Unhashable):
        pass

    host.dispatcher.register(types.SimpleNamespace(name="fast", Model=type("Model", (), {})))
    with compare_calls(host.dispatcher) as table:
        Model(backend="fast")
    assert table[0].calls == 1


def draw(adata):
    adata.X += random.random()


RIGHT = {function.__name__: function for function in (normalize, log, embed, draw)}


def wrongly(function):
    def wrong(adata, **options):
        result = function(adata, **options)
        adata.X[1, 1] += 1
        return result

    return named(wrong, function.__name__)


@given(
    steps=st.lists(st.sampled_from([*RIGHT]), min_size=1, max_size=6),
    wrong=st.sets(st.sampled_from([*RIGHT])),
    every=st.integers(1, 3),
)
def test_whatever_the_pipeline(steps, wrong, every):
    host = Host(*RIGHT.values(), fast=[wrongly(f) if name in wrong else f for name, f in RIGHT.items()])

    def run():
        adata = cells()
        random.seed(1)
        for step in steps:
            getattr(host, step)(adata)
        return adata, random.random()

    with host.settings.use_backend("fast"):
        alone = run()
        with compare_calls(host.dispatcher, every=every) as table:
            watched = run()
    assert difference(alone, watched, rtol=0, atol=0).agrees is True
    assert [record.function for record in table] == list(dict.fromkeys(steps))
    for record in table:
        assert record.calls == steps.count(record.function)
        assert record.compared == -(-record.calls // every)
        assert record.differing == (record.compared if record.function in wrong else 0)


# Which calls count.


def test_calls_that_a_backend_makes_are_part_of_its_own():
    def outer(x):
        return host.inner(x) + 1

    def inner(x):
        return x * 2

    def wrong_inner(x):
        return x * 3

    host = Host(outer, inner, fast=[outer, named(wrong_inner, "inner")])
    with compare_calls(host.dispatcher) as table, host.settings.use_backend("fast"):
        assert host.outer(1) == 4
    assert shown(table) == [("outer", "fast", 1, 1, 1, 1)]
    assert table[0].worst.note == "3 against 4"


def test_the_outermost_call_on_a_backend_may_stand_in_one_on_the_host():
    def outer(x):
        return host.inner(x) + 1

    def inner(x):
        return x * 2

    host = Host(outer, inner, fast=[named(lambda x: x * 3, "inner")])
    with compare_calls(host.dispatcher) as table, host.settings.use_backend("fast"):
        assert host.outer(1) == 4
    assert shown(table) == [("inner", "fast", 1, 1, 1, 1)]


def test_the_host_stays_on_the_host():
    seen = []

    def outer(x):
        seen.append(host.settings.backend)
        # Even what asks for a backend in so many words is part of the comparison, and none of the pipeline.
        return host.inner(x, backend="fast")

    def inner(x):
        return x

    host = Host(outer, inner, fast=[named(lambda x: x, "outer"), inner])
    with compare_calls(host.dispatcher) as table, host.settings.use_backend("fast"):
        host.outer(1)
    assert seen == ["cpu"]
    assert shown(table) == [("outer", "fast", 1, 1, 0, None)]


def test_classes_are_compared_by_what_is_constructed():
    host = Host()

    @host.dispatcher.backend_class
    class Model:
        def __init__(self, data):
            self.total = sum(data)
            data.append(0)

    class Wrong:
        def __init__(self, data):
            self.total = sum(data) + 1
            data.append(0)

    host.dispatcher.register(types.SimpleNamespace(name="fast", Model=Wrong))
    data = [1, 2]
    with compare_calls(host.dispatcher) as table, host.settings.use_backend("fast"):
        assert type(Model(data)) is Wrong
    assert data == [1, 2, 0]
    assert shown(table) == [("Model", "fast", 1, 1, 1, 1)]
    assert (table[0].worst.where, table[0].worst.note) == ("result.total", "3 against 4")


def test_what_runs_in_steps_is_counted_and_runs_as_ever():
    def count(n):
        yield from range(n)

    async def later(x):
        await asyncio.sleep(0)
        return x

    async def stream(n):
        for number in range(n):
            yield number

    host = Host(count, later, stream, fast=[count, later, stream])

    async def main():
        return await host.later(1), [number async for number in host.stream(2)]

    with compare_calls(host.dispatcher) as table, host.settings.use_backend("fast"):
        assert list(host.count(3)) == [0, 1, 2]
        closed = host.count(3)
        next(closed)
        closed.close()
        assert asyncio.run(main()) == (1, [0, 1])
    assert shown(table) == [
        ("count", "fast", 2, 0, 0, None),
        ("later", "fast", 1, 0, 0, None),
        ("stream", "fast", 1, 0, 0, None),
    ]
    assert all(r.worst.note == "not compared: its body runs in steps, which are not compared" for r in table)
    assert [r.failed for r in table] == [0, 0, 0]


def test_the_steps_of_a_generator_are_no_part_of_what_stands_between_them():
    def count(n):
        for number in range(n):
            yield host.inner(number)

    def inner(x):
        return x

    host = Host(count, inner, fast=[count, named(lambda x: x + 1, "inner")])
    with compare_calls(host.dispatcher) as table, host.settings.use_backend("fast"):
        steps = host.count(2)
        next(steps)
        host.inner(5)
        list(steps)
    assert shown(table) == [("count", "fast", 1, 0, 0, None), ("inner", "fast", 1, 1, 1, 1)]


def test_threads_take_part(host):
    barrier = threading.Barrier(4, timeout=30)

    def work(number):
        adata = cells(number)
        barrier.wait()
        return pipeline(host, adata).X

    with host.settings.use_backend("fast"):
        alone = [pipeline(host, cells(number)).X for number in range(4)]
        with compare_calls(host.dispatcher) as table, ThreadPoolExecutor(4) as pool:
            watched = list(pool.map(host.settings.bind(work), range(4)))
    assert all(np.array_equal(*pair) for pair in zip(alone, watched, strict=True))
    assert sorted(shown(table)) == [
        ("embed", "fast", 4, 4, 0, None),
        ("log", "fast", 4, 4, 4, table[[r.function for r in table].index("log")].first),
        ("normalize", "fast", 8, 8, 0, None),
    ]


def test_calls_that_wait_for_each_other_in_threads_do_not_wait_forever():
    barrier = threading.Barrier(2, timeout=30)

    def meet(x):
        barrier.wait()
        return x

    host = Host(named(lambda x: x, "meet"), fast=[meet])
    with compare_calls(host.dispatcher) as table, host.settings.use_backend("fast"), ThreadPoolExecutor(2) as pool:
        assert list(pool.map(host.settings.bind(host.meet), [1, 2])) == [1, 2]
    assert table[0].compared == 2


# What goes wrong.


def test_a_backend_that_fails_fails_the_pipeline_and_is_recorded(host):
    error = RuntimeError("no\ndevice")

    def failing(adata):
        raise error

    host.dispatcher.register(types.SimpleNamespace(name="broken", log=failing))
    with compare_calls(host.dispatcher) as table, pytest.raises(RuntimeError) as caught:
        host.log(cells(), backend="broken")
    assert caught.value is error
    assert (table[0].calls, table[0].compared, table[0].failed, table[0].worst.error) == (
        1,
        0,
        1,
        "RuntimeError: no device",
    )
    assert str(table).splitlines()[5].startswith("! log")


def test_a_host_that_fails_leaves_the_pipeline_alone(host):
    def only_here(adata):
        raise TypeError("data of a GPU")

    mixed = Host(only_here, fast=[named(lambda adata: 3, "only_here")])
    with compare_calls(mixed.dispatcher) as table:
        assert mixed.only_here(cells(), backend="fast") == 3
    assert shown(table) == [("only_here", "fast", 1, 0, 0, None)]
    assert table[0].worst.note == "not compared: the host failed, TypeError: data of a GPU"
    assert table[0].worst.agrees is None


def test_an_interrupt_of_the_host_passes():
    def endless(x):
        raise KeyboardInterrupt

    host = Host(endless, fast=[named(lambda x: x, "endless")])
    before = random.getstate()
    with compare_calls(host.dispatcher), pytest.raises(KeyboardInterrupt):
        host.endless(1, backend="fast")
    assert random.getstate() == before
    assert host.settings.backend == "cpu"


def test_an_interrupt_of_the_hosts_construction_passes_once():
    host = Host()

    @host.dispatcher.backend_class
    class Model:
        def __init__(self):
            raise KeyboardInterrupt

    host.dispatcher.register(types.SimpleNamespace(name="fast", Model=type("Model", (), {})))
    with compare_calls(host.dispatcher) as table, pytest.raises(KeyboardInterrupt):
        Model(backend="fast")
    assert (table[0].calls, table[0].failed, table[0].worst) == (1, 0, None)


def test_what_cannot_be_copied_is_not_compared():
    def same(x):
        return 1

    host = Host(same, fast=[same])
    with compare_calls(host.dispatcher) as table:
        assert host.same((number for number in [1]), backend="fast") == 1
    assert table[0].worst.note.startswith("not compared: x cannot be copied: TypeError: ")


def test_what_cannot_be_compared_is_not_equal():
    def opaque():
        return object()

    host = Host(opaque, fast=[opaque])
    with compare_calls(host.dispatcher) as table:
        host.opaque(backend="fast")
    assert (table[0].calls, table[0].compared, table[0].differing, table[0].worst.agrees) == (1, 0, 0, None)
    assert table[0].worst.where == "result"
    assert (table[0].max_abs, table[0].seconds, table[0].host_seconds) == (None, 0.0, 0.0)
    assert "0 of 1" in str(table)


def test_a_result_that_is_still_computed_is_waited_for():
    class Pending:
        def __init__(self, error=None):
            self.error = error
            self.waited = 0

        def block_until_ready(self):
            self.waited += 1
            if self.error is not None:
                raise self.error

    pending = [Pending(), Pending(RuntimeError("out of memory"))]
    host = Host(named(lambda n: n, "lazy"), fast=[named(lambda n: n, "lazy")])
    host.dispatcher.register(types.SimpleNamespace(name="slow", lazy=lambda n: pending[n]))
    with compare_calls(host.dispatcher) as table:
        assert host.lazy(0, backend="slow") is pending[0]
        assert host.lazy(1, backend="slow") is pending[1]
    assert [one.waited for one in pending] == [1, 1]
    assert (table[0].compared, table[0].failed) == (1, 1)
    assert table[0].worst.agrees is False


# Nothing but the pipeline's own.


def test_random_numbers_are_those_of_the_pipeline_alone():
    shared = np.random.mtrand  # The numbers that all code shares are what is tested.

    def draw(rng):
        return random.random() + shared.random() + rng.random()

    def draw_more(rng):
        return draw(rng) + draw(rng)

    host = Host(draw, fast=[draw], greedy=[named(draw_more, "draw")])

    def run(backend):
        random.seed(1)
        shared.seed(1)
        rng = np.random.default_rng(1)
        with host.settings.use_backend(backend):
            return [float(host.draw(rng)) for _ in range(3)], random.random(), shared.random(), rng.random()

    alone = run("fast"), run("greedy")
    with compare_calls(host.dispatcher) as table:
        assert (run("fast"), run("greedy")) == alone
    assert [(r.backend, r.compared, r.differing) for r in table] == [("fast", 3, 0), ("greedy", 3, 3)]


def test_the_arguments_of_one_call_are_copied_at_a_time():
    alive = weakref.WeakSet()
    most = []

    class Data:
        def __init__(self):
            self.x = 1

        def __deepcopy__(self, memory):
            made = Data()
            alive.add(made)
            most.append(len(alive))
            return made

    def step(data):
        return data.x

    host = Host(step, fast=[step])
    data = Data()
    with compare_calls(host.dispatcher) as table, host.settings.use_backend("fast"):
        for _ in range(5):
            host.step(data)
    gc.collect()
    assert most == [1] * 5
    assert len(alive) == 0
    assert table[0].compared == 5


def test_nothing_is_kept_alive_by_the_table(host):
    adata = cells()
    gone = weakref.ref(adata)
    with compare_calls(host.dispatcher) as table:
        host.log(adata, backend="fast")
        with pytest.raises(TypeError):
            host.log(adata, 1, 2, 3, backend="fast")
    del adata
    gc.collect()
    assert gone() is None
    assert len(table) == 1


def test_traces_see_the_pipeline_only(host):
    with host.settings.use_backend("fast"), host.settings.trace() as calls, compare_calls(host.dispatcher):
        pipeline(host, cells())
    assert [(call.function, call.executed) for call in calls] == [
        ("normalize", "fast"),
        ("log", "fast"),
        ("embed", "fast"),
        ("normalize", "fast"),
    ]


def test_nothing_is_watched_after_the_block(host):
    with compare_calls(host.dispatcher) as table:
        host.log(cells(), backend="fast")
    host.log(cells(), backend="fast")
    assert table[0].calls == 1
    with pytest.raises(ZeroDivisionError), compare_calls(host.dispatcher):
        raise ZeroDivisionError
    assert host.dispatcher._machinery.decider.observers == ()


def test_a_comparison_has_one_block(host):  # 8.6
    comparison = compare_calls(host.dispatcher)
    with comparison as table:
        host.log(cells(), backend="fast")
        with pytest.raises(RuntimeError, match="has had its block already: call compare_calls"), comparison:
            raise AssertionError
        host.log(cells(), backend="fast")
    with pytest.raises(RuntimeError, match="has had its block already: call compare_calls"), comparison:
        raise AssertionError
    assert table[0].calls == 2
    assert host.dispatcher._machinery.decider.observers == ()


def test_a_table_can_be_looked_at_while_the_block_runs(host):
    with compare_calls(host.dispatcher) as table, host.settings.use_backend("fast"):
        host.normalize(cells())
        assert table[0].calls == 1
        host.normalize(cells())
        assert table[0].calls == 2


# What calls are given.


def test_options_reach_the_backend_and_not_the_host():
    def score(x, *, factor=2):
        return x * factor

    def quick(x, *, factor=2, device=0):
        return x * factor + device

    host = Host(score, fast=[named(quick, "score")])
    with compare_calls(host.dispatcher) as table:
        assert host.score(1, factor=3, device=0, backend="fast") == 3
        with host.settings.use_backend("fast", options={"device": 1}):
            assert host.score(x=1) == 3
    assert shown(table) == [("score", "fast", 2, 2, 1, 2)]


def test_a_host_with_a_backend_parameter_of_its_own():
    host = Host()

    def fit(x, backend="loky"):
        return x, backend

    fit = host.dispatcher.backend_dispatch(own_backend="pool", own_backend_values=("loky",))(fit)
    host.dispatcher.register(types.SimpleNamespace(name="fast", fit=lambda x, pool="loky": (x, pool)))
    with compare_calls(host.dispatcher) as table, host.settings.use_backend("fast"):
        assert fit(1, pool="threads") == (1, "threads")
    assert shown(table) == [("fit", "fast", 1, 1, 0, None)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rtol": -1}, "rtol must be a finite number"),
        ({"atol": math.inf}, "atol must be a finite number"),
        ({"every": 0}, "every must be a whole number of at least 1, not 0"),
        ({"every": 1.5}, "every must be a whole number of at least 1, not 1.5"),
    ],
)
def test_wrong_options_are_errors_at_once(host, options, message):
    with pytest.raises(ValueError, match=message):
        compare_calls(host.dispatcher, **options)


@pytest.mark.parametrize("option", ["rtol", "atol", "every"])
def test_options_of_a_wrong_type_are_refused_in_clear_words(host, option):  # 8.6
    with pytest.raises(TypeError, match=f"{option} must be a .*number.*, not 'a'"):
        compare_calls(host.dispatcher, **{option: "a"})


def test_it_needs_a_dispatcher_or_its_settings():
    with pytest.raises(TypeError, match="dispatcher must be the host's BackendDispatcher or its settings, not str"):
        compare_calls("pipeline")


# The table.


def filled():
    ledger = _compared_calls.Ledger("rtol=1e-05, atol=1e-08")
    assert ledger.number_of("normalize", "normalize", "fast") == 1
    agrees = ComparisonRecord(backend="fast", seconds=0.5, agrees=True, max_abs=1e-9, max_rel=1e-9, where="x")
    ledger.add("normalize", 1, agrees, 1.0)
    for number in (1, 2, 3, 4):
        assert ledger.number_of("log", "log", "fast") == number
    differs = ComparisonRecord(
        backend="fast",
        seconds=0.25,
        agrees=False,
        max_abs=0.5,
        max_rel=math.nan,
        where="adata.X[2, 1]",
        note="1 against 2",
    )
    ledger.add("log", 2, differs, 2.0)
    ledger.add("log", 1, dataclasses.replace(differs, max_rel=0.1, note="less"), 2.0)
    ledger.add("log", 3, agrees, 2.0)
    ledger.add_cost("on the host", 4.0)
    ledger.add_cost("copying", 0.001)
    ledger.on_host["summarize"] = "fast: not implemented"
    return _compared_calls.ComparedCalls(ledger)


def test_it_prints_as_a_table():
    assert str(filled()).splitlines() == [
        "2 functions on fast, each call compared with the host",
        "rtol=1e-05, atol=1e-08",
        "",
        "  function   compared  differ   first  max abs  max rel",
        "  ---------  --------  ------  ------  -------  -------",
        "  normalize         1       0            1e-09    1e-09",
        "! log          3 of 4       2  call 1      0.5      nan",
        "      adata.X[2, 1]: 1 against 2",
        "",
        "The first that differs: log, in call 2. Each call was compared on what the pipeline gave it, so that",
        "no step is blamed for an earlier one.",
        "summarize ran on the host only: fast: not implemented.",
        "Beside the pipeline this took 4.00 s: 4.00 s on the host, 1.00 ms copying, 0.0 µs comparing.",
    ]
    assert repr(filled()) == str(filled())
    assert "adata.X[2, 1]</span>: 1 against 2" in filled()._repr_html_()


@pytest.mark.parametrize("restore", [lambda table: pickle.loads(pickle.dumps(table)), copy.copy, copy.deepcopy])
def test_it_can_be_kept(restore):  # 8.6: as the other tables
    table = filled()
    restored = restore(table)
    assert str(restored) == str(table)
    assert repr(list(restored)) == repr(list(table))  # NaN is not equal to itself.


def test_what_was_kept_does_not_grow(host):  # 8.6
    with compare_calls(host.dispatcher) as table:
        host.log(cells(), backend="fast")
        kept = copy.deepcopy(table)
        host.log(cells(), backend="fast")
    assert (kept[0].calls, table[0].calls) == (1, 2)
    kept._ledger.add_cost("copying", 1.0)
    assert kept.costs["copying"] > 1.0


def test_it_is_a_sequence_of_records():
    table = filled()
    assert len(table) == 2
    assert isinstance(table[0], ComparedFunction)
    assert [record.function for record in table[:1]] == ["normalize"]
    assert table[0] in table
    assert (table[1].first, table[1].differing, table[1].compared) == (1, 2, 3)
    assert math.isnan(table[1].max_rel)
    assert table[1].worst.note == "1 against 2"
    assert table.costs == {"on the host": 4.0, "copying": 0.001, "comparing": 0.0}
    assert [field.name for field in dataclasses.fields(ComparedFunction)][:5] == [
        "function",
        "backend",
        "calls",
        "compared",
        "differing",
    ]
