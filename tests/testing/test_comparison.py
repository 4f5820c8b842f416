"""Section 8.5: `compare` runs the host and each backend on copies of the arguments and shows how they did."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import html.parser
import math
import types

import numpy as np
import pytest

from scverse_backends import BackendDispatcher
from scverse_backends.testing import Comparison, ComparisonRecord, _comparison, compare


class Host:
    """A host of one function, whose implementations note that they ran, and under which fallback policy."""

    def __init__(self, implementation, backends):
        self.runs = []
        self.dispatcher = BackendDispatcher(
            entrypoint_group="compared.backends",
            host_name="compared",
            untrusted="allow",
            trusted_backends={"missing": {"package": "missing-dist"}},
        )
        self.function = self.dispatcher.backend_dispatch(self._noting("cpu", implementation))
        for name, function in backends.items():
            adapter = types.SimpleNamespace(name=name, aliases=["quick"] if name == "fast" else [])
            if function is not None:
                setattr(adapter, self.function.__name__, self._noting(name, function))
            self.dispatcher.register(adapter)

    def _noting(self, name, function):
        if not isinstance(function, types.FunctionType) or function in NOT_PLAIN:
            return function

        @functools.wraps(function)
        def noting(*args, **kwargs):
            self.runs.append((name, self.dispatcher.settings.fallback))
            return function(*args, **kwargs)

        return noting


@pytest.fixture
def host():
    """Make a host, and keep it until the test is over."""
    made = []

    def make(implementation, **backends):
        made.append(Host(implementation, backends))
        return made[-1]

    return make


async def coroutine():
    await asyncio.sleep(0)


def generator():
    yield


async def asynchronous_generator():
    yield


NOT_PLAIN = [coroutine, generator, asynchronous_generator]


def double(values, *, factor=2.0):
    return [value * factor for value in values]


def double_in_place(values):
    for position, value in enumerate(values):
        values[position] = value * 2


def wrong_in_place(values):
    double_in_place(values)
    values[-1] += 1


def failing(values, **kwargs):
    raise RuntimeError("no\ndevice")


def test_it_says_whether_each_backend_gives_the_same_answer(host):
    h = host(double, fast=double, other=lambda values, factor=3.0: [value * factor for value in values])
    table = compare(h.function, [1.0, 2.0])
    assert [(r.backend, r.executed, r.agrees, r.where, r.error) for r in table] == [
        ("cpu", "cpu", None, None, None),
        ("fast", "fast", True, None, None),
        ("other", "other", False, "result[1]", None),
    ]
    assert (table[2].max_abs, table[2].max_rel, table[2].note) == (2.0, 0.5, "4.0 against 6.0")
    assert all(record.seconds >= 0 for record in table)


def test_arguments_reach_every_implementation(host):
    h = host(double, fast=double)
    table = compare(h.function, [1.0], factor=5.0, backends="fast")
    assert table[1].agrees is True
    assert h.runs == [("cpu", "silent"), ("fast", "silent")]


def test_arguments_changed_in_place_are_compared_by_their_name(host):
    h = host(double_in_place, fast=double_in_place, other=wrong_in_place)
    values = [1.0, 2.0]
    table = compare(h.function, values)
    assert values == [1.0, 2.0]
    assert [(r.agrees, r.where) for r in table[1:]] == [(True, None), (False, "values[1]")]
    assert compare(h.function, values=values, backends=["other"])[1].where == "values[1]"


def test_each_repeat_gets_fresh_copies(host):
    seen = []

    def spoiling(values):
        seen.append(list(values))
        values.clear()

    h = host(spoiling, fast=spoiling)
    compare(h.function, [1], repeats=3)
    assert seen == [[1]] * 6


def test_the_best_time_counts(host, monkeypatch):
    clock = iter([0.0, 5.0, 10.0, 11.0, 20.0, 23.0])
    monkeypatch.setattr(_comparison, "time", types.SimpleNamespace(perf_counter=lambda: next(clock)))
    h = host(double)
    assert compare(h.function, [1.0], repeats=3)[0].seconds == 1.0


def test_what_two_arguments_share_stays_shared(host):
    def same(one, other):
        return one is other

    values = [1]
    assert compare(host(same, fast=lambda one, other: True).function, values, values)[1].agrees is True


def test_annotated_data_is_copied_its_own_way(host):
    class AnnData:
        obs = var = ()

        def __init__(self, x):
            self.X = x

        def copy(self):
            return type(self)(self.X.copy())

        def __deepcopy__(self, memory):
            raise AssertionError("copied another way")

    def scale(adata, factor):
        adata.X *= factor

    def scale_wrongly(adata, factor):
        adata.X[1] = 0

    data = AnnData(np.ones(3))
    table = compare(host(scale, fast=scale, other=scale_wrongly).function, data, 1.0)
    assert [(r.agrees, r.where) for r in table[1:]] == [(True, None), (False, "adata.X[1]")]
    assert data.X.tolist() == [1.0, 1.0, 1.0]


def test_a_fallback_is_not_the_merit_of_the_backend(host):
    record = compare(host(double, fast=None).function, [1.0])[1]
    assert (record.backend, record.executed, record.agrees, record.max_abs) == ("fast", "cpu", None, None)
    assert record.note == "ran on cpu instead: not implemented"
    assert record.seconds is not None


def test_results_that_hold_themselves_are_compared(host):
    def ring(last):
        result = [1.0, {"last": last}]
        result.append(result)
        result[1]["all"] = result
        return result

    same, other = compare(host(ring, fast=ring, other=lambda last: ring(last + 1)).function, 3.0)[1:]
    assert (same.agrees, same.error) == (True, None)
    assert (other.agrees, other.where, other.error) == (False, "result[1]['last']", None)


def test_what_is_shared_is_waited_for_once(host):
    computed = []

    class Lazy:
        def __dask_graph__(self):
            raise AssertionError

        def compute(self):
            computed.append(1)
            return 1.0

    def shared(values):
        part = [Lazy(), values]
        for _ in range(50):
            part = [part, part]
        return part

    assert compare(host(shared, fast=shared).function, [1.0])[1].agrees is True
    assert computed == [1, 1]


def test_what_is_nested_too_deeply_is_not_compared(host):
    def deep(values):
        for _ in range(5000):
            values = [values]
        return values

    record = compare(host(deep, fast=deep).function, 1.0)[1]
    assert (record.agrees, record.error) == (None, None)
    assert record.note == "not compared: nested too deeply"


def test_why_another_one_ran_is_said_in_a_few_words(host):
    def picky(values):
        raise AssertionError

    picky.can_run = lambda values: "too; big"
    h = host(double)
    h.dispatcher.register(types.SimpleNamespace(name="picky", double=picky))
    assert compare(h.function, [1.0])[1].note == "ran on cpu instead: declined: too; big"


def test_it_is_the_outermost_call_that_counts(host):
    def outer(values):
        return step(values)

    h = host(outer, fast=outer)
    step = h.dispatcher.backend_dispatch(double)
    record = compare(h.function, [1.0])[1]
    assert (record.executed, record.agrees) == ("fast", True)


def test_a_call_that_was_not_recorded_is_nobodys_merit(host):
    h = host(double, fast=double)

    @functools.wraps(h.function)
    def cached(values):
        return values

    record = compare(cached, [1.0])[1]
    assert (record.executed, record.agrees, record.note) == (None, None, "ran on nothing that was recorded instead")


def test_a_backend_that_fails_is_a_row(host):
    def leaving(values):
        raise SystemExit

    table = compare(host(double, fast=failing, other=leaving).function, [1.0])
    assert [(r.executed, r.seconds, r.agrees, r.error) for r in table[1:]] == [
        ("fast", None, None, "RuntimeError: no device"),
        ("other", None, None, "SystemExit"),
    ]


def test_a_backend_that_is_not_installed_is_a_row(host):
    record = compare(host(double).function, [1.0], backends=["missing"])[1]
    assert (record.backend, record.executed) == ("missing", None)
    assert record.error.startswith("BackendNotInstalledError: ")
    assert "pip install missing-dist" in record.error


def test_without_the_host_there_is_nothing_to_compare_with(host):
    table = compare(host(failing, fast=double).function, [1.0])
    assert table[0].error == "RuntimeError: no device"
    assert (table[1].agrees, table[1].note) == (None, "the host failed, so there is nothing to compare with")


def test_keyboard_interrupt_passes(host):
    def interrupted(values):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare(host(double, fast=interrupted).function, [1.0])


def test_what_cannot_be_compared_is_not_equal(host):
    def opaque():
        return object()

    record = compare(host(opaque, fast=opaque).function)[1]
    assert (record.agrees, record.where, record.note) == (None, "result", "not compared: builtins.object (object)")


def test_the_tolerances_are_those_given(host):
    h = host(lambda: 100.0, fast=lambda: 101.0)
    assert compare(h.function)[1].agrees is False
    assert compare(h.function, rtol=0.02)[1].agrees is True
    assert compare(h.function, rtol=0, atol=1.0)[1].agrees is True


def test_each_backend_is_run_once_under_its_canonical_name(host):
    h = host(double, fast=double)
    assert [r.backend for r in compare(h.function, [1.0], backends=["quick", "cpu", "fast"])] == ["cpu", "fast"]
    assert [r.backend for r in compare(h.function, [1.0], backends=[])] == ["cpu"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backends": ["nope"]}, "Unknown backend 'nope'"),
        ({"backends": [["fast", "other"]]}, "backends takes names to be compared one by one, not a preference order"),
        ({"backend": "fast"}, "chooses the backend itself"),
        ({"repeats": 0}, "repeats must be a whole number of at least 1, not 0"),
        ({"repeats": 1.5}, "repeats must be a whole number of at least 1, not 1.5"),
        ({"rtol": -1.0}, "rtol must be a finite number that is not negative, not -1.0"),
        ({"atol": math.nan}, "atol must be a finite number that is not negative, not nan"),
        ({"atol": math.inf}, "atol must be"),
    ],
)
def test_wrong_options_are_errors_before_anything_runs(host, options, message):
    h = host(double, fast=double, other=double)
    with pytest.raises(ValueError, match=message):
        compare(h.function, [1.0], **options)
    assert h.runs == []


def test_undecorated_functions_are_refused(host):
    host(double)
    idle = BackendDispatcher(entrypoint_group="compared.backends", host_name="compared")
    with pytest.raises(TypeError, match="is not dispatched by any host"):
        compare(double, [1.0])
    assert not idle.functions()


@pytest.mark.parametrize("implementation", NOT_PLAIN)
def test_functions_that_do_not_run_when_called_are_refused(host, implementation):
    with pytest.raises(TypeError, match="runs plain functions"):
        compare(host(implementation).function)


def test_an_argument_that_cannot_be_copied_is_named_as_the_reason(host):
    with pytest.raises(TypeError, match="one cannot be copied: TypeError: cannot pickle 'generator' object"):
        compare(host(double).function, (value for value in [1.0]))


class Lazy:
    """A result that is computed only when it is waited for."""

    def __init__(self, log, **attributes):
        self.log = log
        vars(self).update(attributes)

    def wait(self):
        self.log.append("waited")


def jax_like(log):
    lazy = Lazy(log)
    lazy.block_until_ready = lazy.wait
    return lazy


def cupy_like(log):
    lazy = Lazy(log, __cuda_array_interface__={})
    lazy.device = types.SimpleNamespace(synchronize=lazy.wait)
    return lazy


def torch_like(log):
    lazy = Lazy(log, __cuda_array_interface__={}, device="cuda:0")
    lazy.cpu = lazy.wait
    return lazy


def unknown_device(log):
    log.append("waited")
    return Lazy(log, __cuda_array_interface__={})


@pytest.mark.parametrize("make", [jax_like, cupy_like, torch_like, unknown_device])
@pytest.mark.parametrize("wrap", [lambda lazy: lazy, lambda lazy: {"a": [1, (lazy,)]}])
def test_results_that_are_still_computed_are_waited_for(host, make, wrap):
    log = []
    compare(host(lambda: wrap(make(log))).function)
    assert log == ["waited"]


def test_dask_collections_are_computed(host):
    def dask_like():
        return Lazy([], __dask_graph__=dict, compute=lambda: [2.0])

    table = compare(host(lambda: (1.0, [2.0], 3.0), fast=lambda: [1.0, dask_like(), 3.0]).function)
    assert table[1].agrees is True


# The table.

ROWS = Comparison(
    [
        ComparisonRecord(backend="cpu", executed="cpu", seconds=1.5, note="the reference"),
        ComparisonRecord(
            backend="fast",
            executed="fast",
            seconds=0.25,
            agrees=False,
            max_abs=2.0,
            max_rel=0.5,
            where="x<&>",
            note="n",
        ),
        ComparisonRecord(backend="other", executed="other", seconds=2.0, agrees=True),
        ComparisonRecord(backend="broken", error="ValueError: <script>"),
    ]
)


def test_it_prints_as_an_aligned_table():
    assert str(ROWS).splitlines() == [
        "backend  executed  seconds  agrees  max abs  max rel  where  note",
        "cpu      cpu       1.5      -       -        -        -      the reference",
        "fast     fast      0.25     no      2        0.5      x<&>   n",
        "other    other     2        yes     -        -        -",
        "broken   -         -        -       -        -        -      ValueError: <script>",
    ]
    assert repr(ROWS) == str(ROWS)


def test_in_notebooks_it_is_a_table_that_escapes_what_it_shows():
    text = ROWS._repr_html_()
    cells = []
    parser = html.parser.HTMLParser()
    parser.handle_data = cells.append
    parser.handle_starttag = lambda tag, attrs: cells.append(f"<{tag}>") if tag not in {"tr", "td", "th"} else None
    parser.feed(text)
    assert cells[0] == "<table>"
    assert "ValueError: <script>" in cells
    assert "<script>" not in text
    assert "x&lt;&amp;&gt;" in text
    # Readable on light and dark pages, and nothing is loaded from elsewhere.
    assert "color: inherit" in text
    assert "http" not in text


def test_it_is_a_sequence_of_records():
    assert len(ROWS) == 4
    assert ROWS[-1].backend == "broken"
    assert isinstance(ROWS[1:3], Comparison)
    assert [record.backend for record in ROWS[1:3]] == ["fast", "other"]
    assert ROWS[0] in ROWS


def test_records_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        ROWS[0].agrees = True
