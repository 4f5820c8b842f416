"""What ran (7.3): a record for each dispatched call, wherever it was made."""

from __future__ import annotations

import asyncio
import contextvars
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from scverse_backends import BackendDispatcher
from scverse_backends._selection.trace import Call, Trace
from scverse_backends.exceptions import UnknownBackendError


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
    assert calls.totals()["fast"][0] == calls.totals()["cpu"][0] == threads * each
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
        "function  requested  source    executed   seconds  reason",
        "--------  ---------  --------  --------  --------  ----------",
        "f         fast       argument  fast        1.50 s  fast: runs",
        "f         fast       argument  fast      12.30 ms  fast: runs",
        "g         a, b       argument  cpu         4.2 µs  fast: runs",
        "fast: 2 calls, 1.51 s",
        "cpu: 1 call, 4.2 µs",
    ]
    assert repr(calls) == str(calls)
    assert calls.totals() == {"fast": (2, pytest.approx(1.5123)), "cpu": (1, 4.2e-6)}
    assert "<td" in calls._repr_html_()
    assert str(Trace()) == "0 dispatched calls"
    assert str(Trace([call("f", "cpu", 1)])).startswith("1 dispatched call\n")


def test_a_long_trace_shows_its_ends_and_counts_all():
    calls = Trace(call(f"f{number}", "cpu", 0.001) for number in range(10_000))
    text = str(calls)
    assert len(text.splitlines()) < 70
    assert "f29 " in text
    assert "f30 " not in text
    assert "f9970 " in text
    assert "f9999 " in text
    assert "9940 calls between the first and the last 30 are not shown." in text
    assert "cpu: 10000 calls, 10.00 s" in text


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
