"""Work that is sent elsewhere takes its selection along (1.8)."""

from __future__ import annotations

import asyncio
import contextvars
import copy
import inspect
import os
import pickle
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import cloudpickle
import pytest

from scverse_backends import BackendDispatcher
from scverse_backends.exceptions import UnknownBackendError

dispatcher = BackendDispatcher(entrypoint_group="bind.backends", host_name="bind_host", untrusted="allow")
settings = dispatcher.settings


class Fast:
    name = "fast"

    def where(self, x=0):
        return "fast"


class Other:
    name = "other"

    def where(self, x=0):
        return "other"


@dispatcher.backend_dispatch
def where(x=0):
    return "cpu"


@pytest.fixture(autouse=True)
def _backends():
    dispatcher.register(Fast)
    dispatcher.register(Other)
    yield
    del settings.backend
    del settings.fallback
    for name in dispatcher.available_backends():
        dispatcher.unregister(name)


def report(*args, **kwargs):
    """Say what is selected."""
    return settings.backend, settings.fallback, where(), args, kwargs


def test_runs_under_the_selection_of_the_moment():
    with settings.use_backend("fast", fallback="raise"):
        bound = settings.bind(report)
        settings.backend = "other"
    settings.backend = "other"
    expected = ("fast", "raise", "fast", (1,), {"a": 2})
    assert bound(1, a=2) == expected
    with settings.use_backend("cpu", fallback="warn"):
        assert bound(1, a=2) == expected
        assert settings.backend == "cpu"
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(bound, 1, a=2).result() == expected
        assert list(pool.map(settings.bind(where), [1, 2])) == ["other", "other"]
    assert contextvars.Context().run(bound, 1, a=2) == expected


def test_pins_cpu_and_orders_too():
    bound = settings.bind(report)
    with settings.use_backend(["other", "fast"]):
        order = settings.bind(report)
    settings.backend = "fast"
    assert bound()[:3] == ("cpu", "explicit", "cpu")
    assert order()[:3] == (("other", "fast"), "explicit", "other")


def test_what_it_changes_ends_with_it():
    def change():
        settings.backend = "other"
        settings.use_backend("fast").__enter__()
        return settings.backend

    with settings.use_backend("cpu"):
        assert settings.bind(change)() == "fast"
        assert settings.backend == "cpu"
    assert settings.backend == "cpu"


def test_bound_within_bound():
    with settings.use_backend("fast"):
        inner = settings.bind(report)
    with settings.use_backend("other"):
        outer = settings.bind(lambda: (settings.backend, inner()[0], settings.backend))
    assert outer() == ("other", "fast", "other")


def test_an_exception_passes():
    def fail():
        raise KeyError(settings.backend)

    with settings.use_backend("fast"):
        bound = settings.bind(fail)
    with pytest.raises(KeyError, match="fast"):
        bound()
    assert settings.backend == "cpu"


def test_looks_like_the_function():
    def pipeline(a: int, *, b: int = 2) -> int:
        """Doc."""

    bound = settings.bind(pipeline)
    assert (bound.__name__, bound.__doc__, bound.__wrapped__) == ("pipeline", "Doc.", pipeline)
    assert inspect.signature(bound) == inspect.signature(pipeline)
    assert repr(bound) == f"<{pipeline!r} bound to backend 'cpu'>"
    with pytest.raises(TypeError, match=r"takes a callable, not int"):
        settings.bind(3)


def test_bodies_that_run_in_steps():  # 1.8, 1.10
    def steps():
        yield settings.backend
        yield where()

    async def later():
        await asyncio.sleep(0)
        return settings.backend

    async def stream():
        yield settings.backend
        yield where()

    async def nameless():
        return settings.backend

    with settings.use_backend("fast"):
        bound = [settings.bind(function) for function in (steps, later, stream, partial(nameless))]
    assert list(bound[0]()) == ["fast", "fast"]
    assert asyncio.run(bound[1]()) == asyncio.run(bound[3]()) == "fast"
    assert inspect.iscoroutinefunction(bound[1])

    async def main():
        return [(item, settings.backend) async for item in bound[2]()]

    assert asyncio.run(main()) == [("fast", "cpu")] * 2


def test_traces_go_along_within_the_process():  # 7.3
    with settings.trace() as calls, settings.use_backend("fast"):
        bound = settings.bind(where)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(bound).result()
        # Where it is traced already, a call is recorded once.
        bound()
    assert [(call.executed, call.source) for call in calls] == [("fast", "scope")] * 2
    with settings.trace() as others:
        bound()
    assert len(others) == 1
    # The block that it was bound in was left long ago.
    assert len(calls) == 2


def test_the_guard_against_endless_recursion_goes_along():  # 4.8
    class Asking:
        name = "asking"

        def where(self, x=0):
            with ThreadPoolExecutor(1) as pool:
                return "asking", pool.submit(settings.bind(where)).result()

    dispatcher.register(Asking)
    assert where(backend="asking") == ("asking", "cpu")


def test_copies_and_pickles():  # 1.7
    with settings.use_backend(["other", "fast"], fallback="silent"):
        bound = settings.bind(where)
    for again in (
        copy.copy(bound),
        copy.deepcopy(bound),
        cloudpickle.loads(cloudpickle.dumps(bound)),
        cloudpickle.loads(cloudpickle.dumps(settings.bind(lambda: where(x=1)))),
    ):
        assert again() in ("other", "cpu")
    with pytest.raises((pickle.PicklingError, AttributeError), match="lambda"):
        pickle.dumps(settings.bind(lambda: 1))


def test_a_worker_without_the_backend_raises_where_it_is_called():
    with settings.use_backend("fast"):
        bound = settings.bind(where)
    dispatcher.unregister("fast")
    with pytest.raises(UnknownBackendError, match="fast") as caught:
        bound()
    # It is called where it was bound, so there is no other place to tell of.
    assert "Where bind() was called" not in str(caught.value)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_what_is_bound_pickles_with_every_protocol(protocol):  # 1.8
    with settings.use_backend("fast"):
        bound = settings.bind(where)
    assert pickle.loads(pickle.dumps(bound, protocol))() == "fast"


@pytest.mark.parametrize("machine", ["a machine before", "z machine after"])
def test_a_worker_on_any_machine_says_that_it_is_another_place(monkeypatch, machine):  # 1.8
    monkeypatch.setattr("platform.node", lambda: "home")
    with settings.use_backend("fast"):
        bound = settings.bind(where)
    dispatcher.unregister("fast")
    # Of two processes with one number on two machines, neither is the other.
    monkeypatch.setattr("platform.node", lambda: machine)
    with pytest.raises(UnknownBackendError, match=f"on {machine}.*Where bind.. was called"):
        bound()


PROGRAM = """
    import multiprocessing, sys, warnings
    from concurrent.futures import ProcessPoolExecutor
    from scverse_backends import BackendDispatcher

    dispatcher = BackendDispatcher(entrypoint_group="pool.backends", host_name="pool_host", untrusted="allow")
    settings = dispatcher.settings

    class Adapter:
        name = "fast"
        def where(self, x): return "fast"

    dispatcher.register(Adapter)

    @dispatcher.backend_dispatch
    def where(x):
        return "cpu"

    def pipeline(x):
        return settings.backend, settings.fallback, where(x)

    def leaving(x):
        settings.backend = "fast"
        return settings.backend

    if __name__ == "__main__":
        settings.backend = "cpu"
        for method in sys.argv[1:]:
            context = multiprocessing.get_context(method)
            with ProcessPoolExecutor(1, mp_context=context) as pool:
                with settings.use_backend("fast", fallback="raise"):
                    fast = settings.bind(pipeline)
                    assert list(pool.map(fast, [1, 2])) == [("fast", "raise", "fast")] * 2
                    assert pool.submit(settings.bind(where), 1).result() == "fast"
                host = settings.bind(pipeline)
                assert pool.submit(leaving, 1).result() == "fast"
                assert pool.submit(host, 1).result() == ("cpu", "explicit", "cpu")
                assert pool.submit(fast, 1).result() == ("fast", "raise", "fast")
                assert pool.submit(pipeline, 1).result()[0] == "fast"
        print("done")
"""


@pytest.mark.parametrize("method", ["spawn", "fork"])
@pytest.mark.parametrize("as_script", [True, False])
def test_process_pools(tmp_path, method, as_script):
    program = tmp_path / "pool_program.py"
    program.write_text(textwrap.dedent(PROGRAM))
    script = program
    if not as_script:
        # The same with everything in an importable module.
        text = textwrap.dedent(PROGRAM).replace('if __name__ == "__main__":', "def main():")
        (tmp_path / "pool_module.py").write_text(text)
        script = tmp_path / "start.py"
        script.write_text('import pool_module\nif __name__ == "__main__":\n    pool_module.main()\n')
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script), method],
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.stdout == "done\n", done.stderr
