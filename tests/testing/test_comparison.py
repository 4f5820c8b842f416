"""Section 8.5: `compare` runs the host and each backend on copies of the arguments and shows how they did."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import html.parser
import math
import random
import sys
import types

import numpy as np
import pytest

from scverse_backends import BackendDispatcher
from scverse_backends.testing import Comparison, ComparisonRecord, _runs, compare
from scverse_backends.testing._difference import difference


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
    monkeypatch.setattr(_runs, "time", types.SimpleNamespace(perf_counter=lambda: next(clock)))
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

    def shared(values):
        part = [DaskLike(1.0, computed), values]
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
    assert (table[1].agrees, table[1].speedup, table[1].note) == (
        None,
        None,
        "the host failed, so there is nothing to compare with; reference='fast' compares with this one",
    )


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
        ({"backends": [None]}, "backends takes names"),
        ({"reference": ("fast", "other")}, "reference takes names"),
        ({"reference": "nope"}, "Unknown backend 'nope'"),
        ({"options": {"other": {}}, "backends": "fast"}, "options= names 'other', which is not compared. Compared"),
        ({"backend": "fast"}, "chooses the backend itself"),
        ({"repeats": 0}, "repeats must be a whole number of at least 1, not 0"),
        ({"repeats": 1.5}, "repeats must be a whole number of at least 1, not 1.5"),
        ({"rtol": -1.0}, "rtol must be a finite number that is not negative, not -1.0"),
        ({"atol": math.nan}, "atol must be a finite number that is not negative, not nan"),
        ({"atol": math.inf}, "atol must be"),
        ({"repeats": math.inf}, "repeats must be a whole number of at least 1, not inf"),
        ({"repeats": math.nan}, "repeats must be a whole number of at least 1, not nan"),
    ],
)
def test_wrong_options_are_errors_before_anything_runs(host, options, message):
    h = host(double, fast=double, other=double)
    with pytest.raises(ValueError, match=message):
        compare(h.function, [1.0], **options)
    assert h.runs == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rtol": "a"}, r"^rtol must be a number, 1e-5 for instance, not 'a'\.$"),
        ({"atol": None}, r"^atol must be a number, 1e-5 for instance, not None\.$"),
        ({"repeats": "3"}, r"^repeats must be a whole number of at least 1, not '3'\.$"),
        ({"backends": 5}, r"^backends must be the name of a backend or several names, not 5\.$"),
        (
            {"options": [1]},
            r"^options must map names of backends to options, {'cuda': {'device': 1}} for instance, not be \[1\]\.$",
        ),
    ],
)
def test_options_of_a_wrong_type_are_refused_in_clear_words(host, options, message):  # 8.5
    h = host(double, fast=double)
    with pytest.raises(TypeError, match=message) as caught:
        compare(h.function, [1.0], **options)
    assert not hasattr(caught.value, "__notes__")
    assert h.runs == []


def test_numbers_of_any_type_do(host):  # 8.5
    h = host(double, fast=lambda values: [values[0] * 2 + 0.5])
    assert compare(h.function, [1.0], atol=np.float32(1), rtol=np.int64(0), repeats=2.0)[1].agrees is True
    assert len(h.runs) == 4


@pytest.mark.parametrize("given", [[("precision", 1)], {3: 4}])
def test_options_that_are_no_mapping_are_refused(host, given):
    with pytest.raises(TypeError, match=r"options\['fast'\] must map names of options to values, not be "):
        compare(host(double, fast=double).function, [1.0], options={"fast": given})


def test_undecorated_functions_are_refused(host):
    host(double)
    idle = BackendDispatcher(entrypoint_group="compared.backends", host_name="compared")
    for given, message in {
        double: "double is not dispatched by any host",
        "double": "'double' is the name of a function: give the function itself",
        (1.0,) * 1000: "not what a call of it returned, which is of type tuple",
    }.items():
        with pytest.raises(TypeError, match=message) as caught:
            compare(given, [1.0])
        assert len(str(caught.value)) < 100
    assert not idle.functions()


@pytest.mark.parametrize("implementation", NOT_PLAIN)
def test_functions_that_do_not_run_when_called_are_refused(host, implementation):
    with pytest.raises(TypeError, match="runs plain functions"):
        compare(host(implementation).function)


def test_an_argument_that_cannot_be_copied_is_named_as_the_reason(host):
    with pytest.raises(TypeError, match="values cannot be copied: TypeError: cannot pickle 'generator' object"):
        compare(host(double).function, (value for value in [1.0]))


class Lazy:
    """A result that is computed only when it is waited for."""

    def __init__(self, log):
        self.log = log

    def wait(self):
        self.log.append("waited")


class JaxLike(Lazy):
    block_until_ready = Lazy.wait


class OnGpu(Lazy):
    __cuda_array_interface__ = {}  # noqa: RUF012 - what matters is that it is there.


class CupyLike(OnGpu):
    @property
    def device(self):
        return types.SimpleNamespace(synchronize=self.wait)


class TorchLike(OnGpu):
    device = "cuda:0"
    cpu = Lazy.wait


class SparseLike(Lazy):
    tocoo = shape = None

    @property
    def data(self):
        return CupyLike(self.log)


class AnnDataLike(Lazy):
    obs = var = ()

    @property
    def X(self):
        return JaxLike(self.log)


@dataclasses.dataclass
class Wrapped:
    value: object


@pytest.mark.parametrize("make", [JaxLike, CupyLike, TorchLike, SparseLike, AnnDataLike])
@pytest.mark.parametrize("wrap", [lambda lazy: lazy, lambda lazy: {"a": [1, (lazy,)]}, Wrapped])
def test_results_that_are_still_computed_are_waited_for(host, make, wrap):
    log = []
    compare(host(lambda: wrap(make(log))).function)
    assert log == ["waited"]


def test_an_array_of_an_unknown_device_is_taken_as_it_is(host):
    assert compare(host(lambda: OnGpu([])).function)[0].error is None


class DaskLike:
    """A lazy result: whoever wants its value computes it."""

    def __init__(self, value, log=None):
        self.value = value
        self.log = [] if log is None else log

    def __dask_graph__(self):
        raise AssertionError

    def compute(self):
        self.log.append(self.value)
        return self.value


class PolarsLike:
    def __init__(self, value):
        self.value = value

    collect_schema = None

    def collect(self):
        return self.value


@pytest.mark.parametrize("lazy", [DaskLike, PolarsLike])
def test_lazy_results_are_computed(host, lazy):
    h = host(lambda: (1.0, [2.0], 3.0), fast=lambda: [1.0, lazy([2.0]), 3.0], other=lambda: [1.0, lazy([2.5]), 3.0])
    assert [(r.agrees, r.where) for r in compare(h.function)[1:]] == [(True, None), (False, "result[1][0]")]


def test_what_is_lazy_is_computed_once(host):
    log = []
    h = host(lambda: [DaskLike(1.0, log)] * 2, fast=lambda: [DaskLike(2.0, log)] * 2)
    assert compare(h.function)[1].where == "result[0]"
    assert log == [1.0, 2.0]


def test_lazy_arguments_are_none_of_the_work(host, monkeypatch):  # 8.5: outside of the selection and of the timed part
    where = []

    class Argument(DaskLike):
        def compute(self):
            where.append((h.dispatcher.settings.backend, clock.count))
            return super().compute()

    def same(values):
        return 1.0

    class Clock:
        count = 0

        def perf_counter(self):
            self.count += 1
            return float(self.count)

    clock = Clock()
    monkeypatch.setattr(_runs, "time", clock)
    h = host(same, fast=same)
    table = compare(h.function, Argument([3.0]))
    assert [(r.seconds, r.agrees) for r in table] == [(1.0, None), (1.0, True)]
    # Both copies are computed when they are compared, after everything has run.
    assert where == [("cpu", 4), ("cpu", 4)]


def test_arguments_are_copied_outside_of_the_selection(host):
    selected = []

    class Data:
        def __deepcopy__(self, memory):
            selected.append(h.dispatcher.settings.backend)
            return self

    def same(values):
        return 1.0

    h = host(same, fast=same)
    compare(h.function, Data())
    assert selected == ["cpu", "cpu"]


# Random numbers.


def test_every_run_draws_the_same_random_numbers_and_leaves_no_trace(host):
    shared = np.random.mtrand  # The numbers that all code shares are what is tested.

    def state():
        return random.getstate(), shared.get_state(legacy=False)

    def draw():
        return random.random(), shared.normal()

    h = host(draw, fast=draw, other=lambda: (random.random(), shared.normal() + 1))
    before = state()
    table = compare(h.function, repeats=2)
    assert [(r.agrees, r.where) for r in table[1:]] == [(True, None), (False, "result[1]")]
    assert difference(before, state(), rtol=0, atol=0).agrees is True


def test_the_shared_numbers_of_numpy_are_not_imported_for_this(host, monkeypatch):
    monkeypatch.delitem(sys.modules, "random")
    monkeypatch.delitem(sys.modules, "numpy.random")
    compare(host(double, fast=double).function, [1.0])
    assert not {"random", "numpy.random"} & sys.modules.keys()


def test_a_generator_among_the_arguments_is_compared_by_its_state(host):
    def draw(rng):
        return float(rng.random())

    h = host(draw, fast=draw, other=lambda rng: (float(rng.random()), rng.random())[0])
    same, other = compare(h.function, np.random.default_rng(1))[1:]
    assert same.agrees is True
    assert (other.agrees, other.where, other.max_abs) == (False, "rng", None)
    assert other.note.startswith("the generators stand at different places")


# Options of one backend.


def scaled(values, *, factor=2.0, precision="double"):
    return [value * factor + (precision == "single") for value in values]


def test_options_are_those_of_one_backend(host):
    h = host(double, fast=scaled, other=double)
    table = compare(h.function, [1.0], options={"quick": {"precision": "single"}})
    assert [(r.agrees, r.note) for r in table[1:]] == [(False, "2.0 against 3.0"), (True, None)]
    assert compare(h.function, [1.0], options={"fast": {"factor": 3.0}, "cpu": {"factor": 3.0}})[1].agrees is True


def test_an_option_that_only_a_backend_knows_goes_to_it_alone(host):
    h = host(
        double, fast=scaled, other=double, third=lambda values, precision: [2.0], fourth=lambda values, **kwargs: [2.0]
    )
    table = compare(h.function, [1.0], precision="double")
    assert [(r.agrees, r.error) for r in table] == [(None, None), *[(True, None)] * 4]
    assert [r.note for r in table] == [
        "the reference; without precision, which only fast and third take",
        None,
        "without precision, which only fast and third take",
        "without precision, which only fast and third take",
        None,
    ]
    assert "reference" in str(table)
    assert "the reference" not in str(table)
    single = compare(h.function, [1.0], precision="double", backends=["fast", "other"])
    assert single[2].note == "without precision, which only fast takes"


def test_an_option_that_nobody_knows_is_an_error_at_once(host):
    h = host(double, fast=scaled)
    with pytest.raises(
        TypeError, match=r"double\(\) has no parameter 'precisio' on cpu or fast. Did you mean 'precision'"
    ):
        compare(h.function, [1.0], precisio="single")
    assert h.runs == []


def test_a_host_that_takes_any_keyword_gets_all(host):
    def anything(values, **kwargs):
        return sorted(kwargs)

    h = host(anything, fast=lambda values, precision=1: ["precision"])
    assert compare(h.function, [1.0], precision=2)[1].agrees is True


def test_what_a_backend_accepts_may_be_unknown(host):
    class Opaque:
        __signature__ = 3

        def __call__(self, values, **kwargs):
            return [2.0, len(kwargs)]

    h = host(lambda values: [2.0, 0], fast=Opaque(), other=lambda values, precision: [2.0, 0])
    assert [r.agrees for r in compare(h.function, [1.0], precision=2)[1:]] == [True, True]


def test_options_of_a_backend_that_fails_to_provide_its_function_are_an_error_in_its_row(host):
    class Broken:
        name = "broken"

        @property
        def double(self):
            raise ImportError("no driver")

    h = host(double, fast=scaled)
    h.dispatcher.register(Broken())
    broken, fast = compare(h.function, [1.0], precision="double")[1:]
    assert broken.error.startswith("BackendLoadError: ")
    assert fast.agrees is True


# Another reference.


def test_backends_are_compared_with_the_reference(host):
    def only_here(values):
        raise RuntimeError("data of a GPU")

    h = host(only_here, fast=lambda values: [1.0], other=lambda values: [1.5])
    table = compare(h.function, [1.0], reference="quick")
    assert [(r.backend, r.agrees, r.where, r.note) for r in table] == [
        ("fast", None, None, "the reference"),
        ("other", False, "result[0]", "1.0 against 1.5"),
    ]
    assert str(table).startswith("only_here(values), compared with fast\n")


def test_the_host_runs_beside_another_reference_where_it_is_named(host):
    h = host(double, fast=double)
    table = compare(h.function, [1.0], reference="fast", backends="cpu")
    assert [(r.backend, r.executed, r.agrees) for r in table] == [("fast", "fast", None), ("cpu", "cpu", True)]


def test_a_reference_that_did_not_run_is_none(host):
    h = host(double, fast=None, other=double)
    table = compare(h.function, [1.0], reference="fast")
    assert [(r.agrees, r.note) for r in table] == [
        (None, "ran on cpu instead: not implemented"),
        (
            None,
            (
                "fast ran on cpu instead: not implemented, so there is nothing to compare with; "
                "reference='other' compares with this one"
            ),
        ),
    ]


# Names that are taken.


def test_parameters_that_are_also_those_of_compare_are_given_with_partial(host):
    def rank(values, reference="rest"):
        return values, reference

    h = host(rank, fast=rank, other=lambda values, reference: ([1.0], "all"))
    table = compare(functools.partial(functools.partial(h.function, reference="rest"), [1.0]), repeats=2)
    assert [r.where for r in table[1:]] == [None, "result[1]"]
    with pytest.raises(ValueError, match="Unknown backend 'rest'") as caught:
        compare(h.function, [1.0], reference="rest")
    with pytest.raises(TypeError, match="repeats must be") as wrong_type:
        compare(h.function, [1.0], repeats="rest")
    assert wrong_type.value.__notes__ == caught.value.__notes__
    (note,) = caught.value.__notes__
    assert note == (
        "'reference' is a parameter of compare() itself. If you mean the one of rank(), give it with "
        "functools.partial: compare(partial(rank, reference=...), ...)."
    )


# The table.

ROWS = Comparison(
    [
        ComparisonRecord(backend="cpu", executed="cpu", seconds=1.5, speedup=1.0, note="the reference"),
        ComparisonRecord(
            backend="fast",
            executed="fast",
            seconds=0.025,
            speedup=60.0,
            agrees=False,
            max_abs=2.0,
            max_rel=0.5,
            where="x<&>",
            note="n",
        ),
        ComparisonRecord(backend="other", executed="other", seconds=2.0, speedup=0.75, agrees=True, where="y"),
        ComparisonRecord(backend="lacking", executed="cpu", seconds=1.5, note="ran on cpu instead: not implemented"),
        ComparisonRecord(backend="broken", error="ValueError: <script>"),
    ],
    title="f(data)",
    about=["data: 3 × 4"],
)


def test_it_prints_as_an_aligned_table():
    assert str(ROWS).splitlines() == [
        "f(data)",
        "data: 3 × 4",
        "",
        "  backend  ran on       time         speed  answer        max abs  max rel",
        "  -------  -------  --------  ------------  ------------  -------  -------",
        "  cpu                 1.50 s                reference",
        "! fast              25.00 ms   60 × faster  differs             2      0.5",
        "      x<&>: n",
        "  other               2.00 s  1.3 × slower  agrees",
        "  lacking  cpu        1.50 s                not compared",
        "      ran on cpu instead: not implemented",
        "! broken   nothing                          failed",
        "      ValueError: <script>",
    ]
    assert repr(ROWS) == str(ROWS)


def test_a_reference_that_failed_is_a_failure(host):
    assert "reference" not in str(compare(host(failing, fast=double).function, [1.0])[:1])


def test_in_notebooks_it_is_a_table_that_escapes_what_it_shows():
    text = ROWS._repr_html_()
    cells = []
    parser = html.parser.HTMLParser()
    parser.handle_data = cells.append
    parser.feed(text)
    assert cells[:2] == ["f(data)", "data: 3 × 4"]
    assert "ValueError: <script>" in cells
    assert "<script>" not in text
    assert "x&lt;&amp;&gt;" in text


class SparseShape:
    tocoo = None
    shape = (3, 1000)
    dtype = np.dtype("f4")


class SparseMapping(SparseShape, dict):
    """A sparse matrix in SciPy's DOK format."""


@pytest.mark.parametrize(
    ("arguments", "title", "about"),
    [
        (([1.0, 2.0],), "f(values)", "values: list of 2"),
        ((np.ones((500, 40)), 3), "f(values, n=3)", "values: 500 × 40, float64"),
        ((np.float32(2), "x" * 60), "f(values, n=...)", "values: a single value, float32"),
        ((None, len), "f(values=None, n=len)", None),
        ((SparseShape(), 1), "f(values, n=1)", "values: 3 × 1,000, float32, sparse"),
        ((SparseMapping({(0, 1): 1.0}), 1), "f(values, n=1)", "values: 3 × 1,000, float32, sparse"),
        (({"a": 1}, {2}), "f(values, n)", "values: dict of 1; n: set of 1"),
        ((types.SimpleNamespace(a=1), dataclasses), "f(values, n)", None),
    ],
)
def test_it_says_what_was_compared(host, arguments, title, about):
    def f(values, n=1):
        return 1

    if arguments[-1] is dataclasses:
        arguments, about = (arguments[0], Shapeless()), "values: SimpleNamespace; n: Shapeless"
    lines = str(compare(host(f).function, *arguments, repeats=2)).splitlines()
    assert lines[0] == f"{title}, compared with cpu"
    assert lines[1] == f"{about + '; ' if about else ''}rtol=1e-05, atol=1e-08; best of 2 runs"


def test_without_data_there_are_the_tolerances(host):
    assert str(compare(host(double).function, 1.0)).splitlines()[1] == "rtol=1e-05, atol=1e-08"


class Shapeless:
    """Data that cannot say how large they are."""

    columns = dtypes = ()

    @property
    def shape(self):
        raise OSError("the file is closed")


def test_it_is_a_sequence_of_records():
    assert len(ROWS) == 5
    assert ROWS[-1].backend == "broken"
    assert isinstance(ROWS[1:3], Comparison)
    assert [record.backend for record in ROWS[1:3]] == ["fast", "other"]
    assert ROWS[0] in ROWS


def test_records_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        ROWS[0].agrees = True
