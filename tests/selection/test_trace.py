"""What ran (7.3): a record for each dispatched call, wherever it was made."""

from __future__ import annotations

import asyncio
import contextvars
import dataclasses
import gc
import importlib.metadata
import io
import json
import pickle
import platform
import pprint
import sys
import threading
import types
import weakref
from concurrent.futures import ThreadPoolExecutor

import hypothesis
import pytest

from scverse_backends import BackendDispatcher
from scverse_backends._reports.trace import Trace
from scverse_backends._selection.trace import Call
from scverse_backends.exceptions import UnknownBackendError
from scverse_backends.testing import temporary_backend


class Fast:
    name = "fast"
    aliases = ("quick",)

    def __init__(self):
        self.inner = None

    def outer(self, x):
        return "fast", self.inner(x)

    def inner_step(self, x):
        return "fast", x

    def boom(self):
        raise RuntimeError("out of\nmemory")


class Host:
    def __init__(self):
        self.dispatcher = BackendDispatcher(
            entrypoint_group="trace_lab.backends", host_name="trace_lab", untrusted="allow"
        )
        self.settings = self.dispatcher.settings
        self.fast = Fast()
        self.dispatcher.register(self.fast)
        dispatch = self.dispatcher.backend_dispatch

        @dispatch
        def inner_step(x):
            return "cpu", x

        @dispatch
        def outer(x):
            return "cpu", inner_step(x)

        @dispatch
        def boom():
            raise RuntimeError("host")

        @dispatch
        async def later(x):
            await asyncio.sleep(0)
            return inner_step(x)

        @dispatch
        def count(n):
            yield from range(n)

        self.inner_step, self.outer, self.boom, self.later, self.count = inner_step, outer, boom, later, count
        self.fast.inner = inner_step


@pytest.fixture
def host():
    return Host()


def shown(calls):
    return [(call.function, call.requested, call.source, call.executed) for call in calls]


def test_a_record_says_what_was_asked_for_and_what_ran(host):
    with host.settings.trace() as calls:
        host.inner_step(1)
        host.inner_step(1, backend="quick")
        with host.settings.use_backend("fast"):
            host.inner_step(1)
        host.settings.backend = ["fast", "cpu"]
        host.inner_step(1)
        del host.settings.backend
        host.inner_step(1, backend="cpu")
    host.inner_step(1)
    assert shown(calls) == [
        ("inner_step", "cpu", "default", "cpu"),
        ("inner_step", "fast", "argument", "fast"),
        ("inner_step", "fast", "scope", "fast"),
        ("inner_step", ("fast", "cpu"), "process", "fast"),
        ("inner_step", "cpu", "argument", "cpu"),
    ]
    assert all(call.seconds >= 0 and call.exception is None and call.reason for call in calls)


def test_the_environment_is_a_source(host, monkeypatch):
    monkeypatch.setenv("TRACE_LAB_BACKEND", "fast")
    with host.settings.trace() as calls:
        host.inner_step(1)
    assert shown(calls) == [("inner_step", "fast", "environment", "fast")]


def test_calls_inside_calls_are_counted_in_the_order_in_which_they_began(host):
    with host.settings.trace() as calls:
        assert host.outer(1, backend="fast") == ("fast", ("fast", 1))
        assert host.outer(1) == ("cpu", ("cpu", 1))
    assert shown(calls) == [
        ("outer", "fast", "argument", "fast"),
        ("inner_step", "fast", "scope", "fast"),
        ("outer", "cpu", "default", "cpu"),
        ("inner_step", "cpu", "default", "cpu"),
    ]
    assert calls[0].seconds >= calls[1].seconds


def test_what_a_call_raises_is_kept_and_raised(host):
    with host.settings.trace() as calls:
        with pytest.raises(RuntimeError, match="out of"):
            host.boom(backend="fast")
        with pytest.raises(UnknownBackendError):
            host.boom(backend="nope")
    assert calls[0].exception == "RuntimeError: out of …"
    assert calls[0].executed == "fast"
    assert calls[1].exception is not None
    assert calls[1].exception.startswith("UnknownBackendError: Unknown backend 'nope'")
    assert calls[1].executed is None
    text = str(calls)
    assert "raised RuntimeError: out of" in text
    assert "(none): 1 call" in text


def test_traces_nest(host):
    with host.settings.trace() as outer:
        host.inner_step(1)
        with host.settings.trace() as inner:
            host.inner_step(2)
        host.inner_step(3)
    assert (len(outer), len(inner)) == (3, 1)
    assert outer[1] is inner[0]


def test_other_threads_are_not_traced_unless_bound(host):
    with host.settings.trace() as calls:
        thread = threading.Thread(target=host.inner_step, args=(1,))
        thread.start()
        thread.join()
        inherits = getattr(sys.flags, "thread_inherit_context", False)
        assert len(calls) == inherits
        bound = threading.Thread(target=host.settings.bind(host.inner_step), args=(1,))
        bound.start()
        bound.join()
    assert [call.function for call in calls] == ["inner_step"] * (1 + inherits)


def test_no_call_of_any_thread_is_lost(host):
    threads, each = 8, 300

    def work(number):
        for index in range(each):
            host.outer(index, backend="fast" if number % 2 else None)

    with host.settings.trace() as calls, ThreadPoolExecutor(threads) as pool:
        list(pool.map(host.settings.bind(work), range(threads)))
    # Each call of outer() makes one of inner_step().
    assert len(calls) == 2 * threads * each
    assert calls.totals()["fast"][0] == calls.totals()["cpu"][0] == threads * each // 2
    assert sorted(call.depth for call in calls) == [0] * threads * each + [1] * threads * each
    assert all(call.seconds is not None for call in calls)


def test_no_call_of_any_task_is_lost(host):
    async def work(number):
        for _ in range(20):
            await host.later(number, backend="fast" if number % 2 else "cpu")

    host.settings.fallback = "silent"

    async def main():
        await asyncio.gather(*(work(number) for number in range(10)))

    with host.settings.trace() as calls:
        asyncio.run(main())
    # ``later`` is not implemented by the backend, what it calls is.
    assert sum(call.function == "later" for call in calls) == 200
    inner = [call.executed for call in calls if call.function == "inner_step"]
    assert (inner.count("fast"), inner.count("cpu")) == (100, 100)


def test_a_generator_takes_the_time_of_all_its_steps(host):
    with host.settings.trace() as calls:
        steps = host.count(3)
        assert next(steps) == 0
        assert calls[0].seconds is None
        assert "running" in str(calls)
        assert list(steps) == [1, 2]
    assert calls[0].seconds > 0


def test_nothing_is_kept_outside(host):
    trace = host.settings.trace()
    with trace as calls:
        host.inner_step(1)
    host.inner_step(1)
    assert len(calls) == 1
    with trace as again:
        host.inner_step(1)
    assert (len(calls), len(again)) == (1, 1)


def call(function, executed, seconds, *, requested="fast", reason="fast: runs"):
    made = Call(function)
    made.executed, made.seconds, made.requested, made.reason, made.source = (
        executed,
        seconds,
        requested,
        reason,
        "argument",
    )
    return made


def test_it_prints_as_a_table_with_totals():
    calls = Trace([call("f", "fast", 1.5), call("f", "fast", 0.0123), call("g", "cpu", 4.2e-6, requested=("a", "b"))])
    assert str(calls).splitlines() == [
        "3 dispatched calls",
        "",
        "function  requested  by        ran on      time",
        "--------  ---------  --------  ------  --------",
        "f         fast       argument  fast      1.50 s",
        "f         fast       argument  fast    12.30 ms",
        "g         a, b       argument  cpu       4.2 µs",
        "    fast: runs",
        "",
        "fast: 2 calls, 1.51 s",
        "cpu: 1 call, 4.2 µs",
    ]
    assert repr(calls) == str(calls)
    assert calls.totals() == {"fast": (2, pytest.approx(1.5123)), "cpu": (1, 4.2e-6)}
    assert "<td" in calls._repr_html_()
    assert str(Trace()).splitlines() == [
        "0 dispatched calls",
        "Calls in other processes, and in threads without settings.bind, are not seen here.",
    ]
    assert str(Trace([call("f", "cpu", 1)])).startswith("1 dispatched call\n")


def test_a_reason_stands_where_another_one_ran_than_was_asked_for_first():
    ran = [("fast", ("fast", "cpu"), "fast: runs"), ("cpu", "fast", "fast: not implemented; cpu: runs as fallback")]
    calls = Trace([call("f", executed, 1, requested=requested, reason=why) for executed, requested, why in ran])
    assert [line.strip() for line in str(calls).splitlines()[4:7] if "1.00 s" not in line] == ["fast: not implemented"]


def test_a_long_trace_shows_its_ends_and_counts_all():
    calls = Trace(call(f"f{number}", "cpu", 0.001, requested="cpu") for number in range(10_000))
    text = str(calls)
    assert len(text.splitlines()) < 70
    assert "f29 " in text
    assert "f30 " not in text
    assert "f9970 " in text
    assert "f9999 " in text
    assert "9,940 calls between the first and the last 30 are not shown." in text
    assert "cpu: 10,000 calls, 10.00 s" in text


def test_a_record_is_readable_in_a_debugger():
    assert repr(call("f", "cpu", 1)) == "<Call f requested='fast' executed='cpu'>"


def test_nothing_arrives_after_the_block_was_left() -> None:  # 7.3
    dispatcher = BackendDispatcher(entrypoint_group="closed.backends", host_name="closed")

    @dispatcher.backend_dispatch
    def score() -> int:
        return 1

    with dispatcher.settings.trace() as calls:
        bound = dispatcher.settings.bind(score)
        assert bound() == 1
        context = contextvars.copy_context()
    assert bound() == 1
    assert context.run(score) == 1
    assert len(calls) == 1


@pytest.mark.parametrize(("asked", "shown"), [("nope", "nope"), (["nope", 3], ("nope", "3"))])
def test_a_call_that_fails_to_select_keeps_what_was_asked_for(asked, shown):  # 7.3
    dispatcher = BackendDispatcher(entrypoint_group="failing.backends", host_name="failing")

    @dispatcher.backend_dispatch
    def score() -> int:
        return 1

    with dispatcher.settings.trace() as calls, pytest.raises(ValueError, match="nope"):
        score(backend=asked)
    assert (calls[0].requested, calls[0].source, calls[0].executed) == (shown, "argument", None)


# Calls inside calls.


def test_a_call_says_how_deep_it_was_made(host):  # 7.3
    with host.settings.trace() as calls:
        host.outer(1, backend="fast")
        host.inner_step(1)
    assert [(call.function, call.depth) for call in calls] == [("outer", 0), ("inner_step", 1), ("inner_step", 0)]
    assert {name: number for name, (number, _) in calls.totals().items()} == {"fast": 1, "cpu": 1}
    lines = str(calls).splitlines()
    assert lines[4].startswith("outer ")
    assert lines[5].startswith("  inner_step ")
    assert lines[-1] == "The times of 1 call inside other calls are part of these."


def test_totals_count_no_time_twice(host):
    with host.settings.trace() as calls:
        host.outer(1)
    assert calls.totals() == {"cpu": (1, calls[0].seconds)}


def test_a_block_inside_a_call_has_outermost_calls_of_its_own(host):
    traces = []

    @host.dispatcher.backend_dispatch
    def watched():
        with host.settings.trace() as inside:
            host.outer(1)
        traces.append(inside)

    with host.settings.trace() as calls:
        watched()
    assert [(call.function, call.depth) for call in calls] == [("watched", 0), ("outer", 1), ("inner_step", 2)]
    assert list(traces[0]) == calls[1:]
    assert traces[0].totals() == {"cpu": (1, calls[1].seconds)}
    assert str(traces[0]).splitlines()[4].startswith("outer ")


def test_steps_of_a_generator_count_as_inside_of_it(host):
    @host.dispatcher.backend_dispatch
    def batches(n):
        for number in range(n):
            yield host.inner_step(number)

    with host.settings.trace() as calls:
        steps = batches(2)
        next(steps)
        host.inner_step(5)
        list(steps)
    assert [(call.function, call.depth) for call in calls] == [
        ("batches", 0),
        ("inner_step", 1),
        ("inner_step", 0),
        ("inner_step", 1),
    ]


def test_work_that_a_call_sends_to_threads_counts_as_inside_of_it(host):
    @host.dispatcher.backend_dispatch
    def spread(n):
        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(host.settings.bind(host.inner_step), range(n)))

    with host.settings.trace() as calls:
        spread(3)
    assert [call.depth for call in calls] == [0, 1, 1, 1]


# What ran.


def test_a_record_names_the_provider_of_what_ran(host):
    with temporary_backend(host.dispatcher, Slow(), distribution="hypothesis"), host.settings.trace() as calls:
        host.inner_step(1, backend="slow")
    assert (calls[0].distribution, calls[0].version) == ("hypothesis", None)


@pytest.mark.parametrize(("name", "module"), [("hypothesis", "?"), ("my_host", "hypothesis.core")])
def test_what_ran_on_the_host_came_from_the_host(name, module):
    namespace = {"__name__": module, "BackendDispatcher": BackendDispatcher}
    exec(f"d = BackendDispatcher(entrypoint_group='g', host_name={name!r})", namespace)

    @namespace["d"].backend_dispatch
    def score():
        return 1

    with namespace["d"].settings.trace() as calls:
        score()
        assert calls[0].distribution is None
    assert (calls[0].distribution, calls[0].version) == ("hypothesis", hypothesis.__version__)


def test_options_of_a_scope_are_recorded_without_keeping_data_alive(host):  # 1.11
    class Data:
        def __repr__(self):
            return "<data>"

    class Configurable(Fast):
        name = "configurable"
        aliases = ()

        def inner_step(self, x, *, device=0, data=None):
            return device

    host.dispatcher.register(Configurable())
    data = Data()
    gone = weakref.ref(data)
    options = {"device": 1, "data": data}
    with host.settings.trace() as calls, host.settings.use_backend("configurable", options=options):
        assert host.inner_step(1) == 1
    del data, options
    gc.collect()
    assert calls[0].options == {"device": 1, "data": "<data>"}
    assert gone() is None
    assert "with device=1, data='<data>'" in str(calls)


def test_no_argument_and_no_exception_is_kept_alive(host):  # 7.3
    class Data:
        pass

    @host.dispatcher.backend_dispatch
    def failing(data):
        raise ValueError(data)

    data = Data()
    gone = weakref.ref(data)
    with host.settings.trace(synchronize=True) as calls:
        with pytest.raises(ValueError):  # noqa: PT011 - which one does not matter.
            failing(data)
        host.inner_step(data)
    del data
    gc.collect()
    assert gone() is None
    assert calls[0].exception.startswith("ValueError: ")


# Waiting for accelerators.


class Pending:
    """An array of JAX, as far as waiting for it goes."""

    def __init__(self, log, error=None):
        self.log = log
        self.error = error

    def block_until_ready(self):
        self.log.append("waited")
        if self.error is not None:
            raise self.error


def test_a_trace_waits_where_it_is_asked_to(host):
    log = []
    with host.settings.trace():
        host.inner_step(Pending(log))
    assert log == []
    with host.settings.trace(synchronize=True) as calls, host.settings.trace():
        host.inner_step(x=[Pending(log)], backend="fast")
    # What the call returned and what it was given are the same here.
    assert log == ["waited"]
    assert "Each time ends when an accelerator had computed the values of the call." in str(calls)


def test_a_generator_is_not_waited_for_before_its_end(host):
    log = []

    @host.dispatcher.backend_dispatch
    def steps(x):
        yield 1

    with host.settings.trace(synchronize=True):
        iterator = steps(Pending(log))
        assert next(iterator) == 1
        assert log == []
        assert list(iterator) == []
    assert log == ["waited"]


def test_what_an_accelerator_says_too_late_is_the_errors_of_its_call(host):
    with host.settings.trace(synchronize=True) as calls, pytest.raises(RuntimeError, match="out of memory"):
        host.inner_step(Pending([], RuntimeError("out of memory")))
    assert calls[0].exception == "RuntimeError: out of memory"
    assert calls[0].seconds is not None


def test_who_reads_times_is_told_what_they_are_of_where_there_may_be_an_accelerator(host, monkeypatch):
    note = "Each time ends when the call returned: an accelerator may still have been working."
    monkeypatch.setitem(sys.modules, "jax", types.ModuleType("jax"))
    with host.settings.trace() as calls:
        host.inner_step(1)
    assert note not in str(calls)
    with host.settings.trace() as calls:
        host.inner_step(1, backend="fast")
    assert note in " ".join(str(calls).split())
    for name in ("jax", "cupy", "torch"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    assert note not in " ".join(str(calls).split())


# Provenance.


class Slow(Fast):
    name = "slow"
    aliases = ()


def test_provenance_is_plain_data(host):
    with host.settings.trace() as calls:
        host.outer(1, backend="fast")
        host.outer(1)
        with pytest.raises(RuntimeError):
            host.boom(backend="fast")
        with pytest.raises(UnknownBackendError):
            host.boom(backend="nope")
    found = calls.provenance()
    assert json.loads(json.dumps(found)) == found
    assert found["host"] == {"name": "trace_lab"}
    assert found["backends"] == {"fast": {}}
    assert found["functions"] == {
        "outer": {"fast": {"calls": 1}, "cpu": {"calls": 1}},
        "inner_step": {"fast": {"calls": 1}, "cpu": {"calls": 1}},
        "boom": {"fast": {"calls": 1, "failed": 1}},
    }
    assert found["python"] == platform.python_version()
    assert found["platform"] == platform.platform()
    assert found["scverse-backends"] == importlib.metadata.version("scverse-backends")


def test_provenance_names_versions_and_options():
    calls = Trace([call("f", "fast", 1.0)], host="my_host", package="_hypothesis_globals")
    calls[0].distribution, calls[0].version, calls[0].options = "fast-dist", "1.2", {"device": 1}
    found = calls.provenance()
    # No distribution bears the name of this module, but one provides it.
    assert found["host"] == {"name": "my_host", "distribution": "hypothesis", "version": hypothesis.__version__}
    assert found["backends"] == {"fast": {"distribution": "fast-dist", "version": "1.2"}}
    assert found["functions"] == {"f": {"fast": {"calls": 1, "options": {"device": 1}}}}


# Being data.


def test_calls_are_data_classes_to_whoever_asks(host):
    with host.settings.trace() as calls:
        host.inner_step(1, backend="fast")
    (made,) = map(dataclasses.asdict, calls)
    assert list(made) == list(Call.__match_args__)
    assert (made["function"], made["executed"], made["depth"]) == ("inner_step", "fast", 0)
    pprint.pprint(calls[0], stream=io.StringIO())


def test_traces_can_be_pickled(host):
    with host.settings.trace() as calls:
        host.inner_step(1)
    again = pickle.loads(pickle.dumps(calls))
    assert str(again) == str(calls)
    assert again.provenance() == calls.provenance()
