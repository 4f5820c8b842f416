"""The engines of the page on threads, processes and clusters: each runs a function where it runs things.

``python engines.py NAME`` prints what a function finds there, as one line of JSON, and ``python engines.py NAME lost``
which error comes back from a worker that lacks the backend. A process of its own for each engine keeps their pools,
event loops and settings apart.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import sys
import threading
import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from importlib import metadata

import example_host as eh
from probe import probe

from scverse_backends.exceptions import BackendWarning, UnknownBackendError

BACKEND, OPTIONS = "fast", {"block_size": 7}


# -- the standard library ----------------------------------------------------------------------------------------------


@contextmanager
def thread():
    def run(function):
        found = []
        one = threading.Thread(target=lambda: found.append(function()))
        one.start()
        one.join()
        return found[0]

    yield run


@contextmanager
def thread_pool():
    with ThreadPoolExecutor(1) as pool:
        # The thread is there before anything is selected.
        pool.submit(int).result()
        yield lambda function: pool.submit(function).result()


@contextmanager
def to_thread():
    yield lambda function: asyncio.run(asyncio.to_thread(function))


@contextmanager
def task():
    async def body(function):
        return function()

    async def main(function):
        return await asyncio.create_task(body(function))

    yield lambda function: asyncio.run(main(function))


def process_pool(method):
    @contextmanager
    def engine():
        def run(function):
            with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(method)) as pool:
                return pool.submit(function).result(timeout=60)

        yield run

    return engine


@contextmanager
def earlier_fork():
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as pool:
        pool.submit(int).result(timeout=60)
        yield lambda function: pool.submit(function).result(timeout=60)


# -- joblib ------------------------------------------------------------------------------------------------------------


def joblib_backend(name):
    @contextmanager
    def engine():
        from joblib import Parallel, delayed

        # Two jobs, since one alone would run right here.
        yield lambda function: Parallel(n_jobs=2, backend=name)([delayed(function)()] * 2)[0]

    return engine


# -- Dask --------------------------------------------------------------------------------------------------------------


def dask_scheduler(name):
    @contextmanager
    def engine():
        import dask

        yield lambda function: dask.compute(dask.delayed(function)(), scheduler=name)[0]

    return engine


def dask_cluster(*, processes):
    @contextmanager
    def engine():
        from distributed import Client, LocalCluster

        with (
            LocalCluster(n_workers=1, threads_per_worker=1, processes=processes, dashboard_address=None) as cluster,
            Client(cluster) as client,
        ):
            yield lambda function: client.submit(function, pure=False).result(timeout=60)

    return engine


# -- Ray ---------------------------------------------------------------------------------------------------------------


def call(function):
    return function()


@contextmanager
def ray_task():
    # Nothing is reported to anybody, and no dashboard starts.
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
    import ray

    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="error")
    try:
        # Ray takes functions only, and what `bind` returns is an object: it goes as an argument.
        yield lambda function: ray.get(ray.remote(call).remote(function), timeout=120)
    finally:
        ray.shutdown()


# -- Jupyter -----------------------------------------------------------------------------------------------------------

CELL = """
import warnings, json, sys
sys.path.insert(0, {folder!r})
import example_host as eh
from probe import probe
from scverse_backends.exceptions import BackendWarning
warnings.simplefilter("ignore", BackendWarning)

async def later(function):
    return function()
"""

SELECT = f"eh.settings.use_backend({BACKEND!r}, options={OPTIONS!r})"
BIND = f"with {SELECT}: bound = eh.settings.bind(probe)"


def notebook(cells, call):
    """Return what a real kernel's cells see: for each column the cells, of which the last one prints a call."""

    def observe():
        from jupyter_client.manager import start_new_kernel

        manager, client = start_new_kernel(kernel_name="python3")

        def run(code):
            printed = []

            def collect(message):
                content = message["content"]
                assert message["msg_type"] != "error", "\n".join(content["traceback"])
                if message["msg_type"] == "stream":
                    printed.append(content["text"])

            client.execute_interactive(code, output_hook=collect, timeout=60)
            return "".join(printed)

        def seen_by(*codes):
            return json.loads([run(code) for code in codes][-1])

        try:
            run(CELL.format(folder=os.path.dirname(os.path.abspath(__file__))))  # noqa: PTH100, PTH120 - text for a cell.
            found = {"environment": sees(seen_by(f"print(json.dumps({call.format('probe')}))"))}
            if found["environment"]:
                return found
            for column in ("process", "scope"):
                found[column] = sees(seen_by(*(code.format(call.format("probe")) for code in cells[column])))
                run("del eh.settings.backend")
            seen = seen_by(BIND, f"print(json.dumps({call.format('bound')}))")
            found |= {"bind": sees(seen), "options": sees_options(seen)}
            for code in cells["trace"]:
                run(code.format(call.format("bound")))
            return found | {"trace": run("print(len(calls))").strip() != "0"}
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)

    return observe


# One cell selects, and a later one calls.
LATER_CELL = {
    "process": [f"eh.settings.backend = {BACKEND!r}", "print(json.dumps({}))"],
    "scope": [f"with eh.settings.use_backend({BACKEND!r}): pass", "print(json.dumps({}))"],
    "trace": ["with eh.settings.trace() as calls: pass", "{}"],
}
# One cell does both.
SAME_CELL = {
    "process": [f"eh.settings.backend = {BACKEND!r}; print(json.dumps({{}}))"],
    "scope": [f"with eh.settings.use_backend({BACKEND!r}): print(json.dumps({{}}))"],
    "trace": ["with eh.settings.trace() as calls: {}"],
}


# -- what is observed --------------------------------------------------------------------------------------------------


def sees(seen):
    """Whether the backend was selected there, and ran."""
    expected = {True: (BACKEND, BACKEND), False: ("cpu", "cpu")}
    answers = [answer for answer, pair in expected.items() if (seen["selected"], seen["ran"]) == pair]
    assert answers, f"neither one nor the other: {seen}"
    return answers[0]


def sees_options(seen):
    """Whether the scope's options were in force there, and reached the implementation."""
    there = seen["options"] == {BACKEND: OPTIONS}
    assert there == (seen["block_size"] == OPTIONS["block_size"]), seen
    return there


def observe(engine):
    """Return what goes along to where an engine runs a function.

    Where the environment selects, it is all that is looked at.
    """
    settings = eh.settings
    with engine() as run:
        found = {"environment": sees(run(probe))}
        if found["environment"]:
            return found
        settings.backend = BACKEND
        found["process"] = sees(run(probe))
        del settings.backend
        with settings.use_backend(BACKEND, options=OPTIONS), settings.trace() as calls:
            seen = run(probe)
            bound = settings.bind(probe)
        found["scope"] = sees(seen)
        # What a scope is said to reach, its options and the open traces reach as well.
        assert found["scope"] == sees_options(seen)
        found["own trace"] = len(calls) > 0
        seen = run(bound)
        found |= {"bind": sees(seen), "options": sees_options(seen)}
        with settings.trace() as calls:
            run(settings.bind(probe))
        found["trace"] = len(calls) > 0
    return found


ENGINES = {
    "thread": thread,
    "thread-pool": thread_pool,
    "to-thread": to_thread,
    "task": task,
    "fork": process_pool("fork"),
    "earlier-fork": earlier_fork,
    "forkserver": process_pool("forkserver"),
    "spawn": process_pool("spawn"),
    "joblib-loky": joblib_backend("loky"),
    "joblib-threading": joblib_backend("threading"),
    "joblib-multiprocessing": joblib_backend("multiprocessing"),
    "dask-threads": dask_scheduler("threads"),
    "dask-processes": dask_scheduler("processes"),
    "distributed-threads": dask_cluster(processes=False),
    "distributed": dask_cluster(processes=True),
    "ray": ray_task,
}

NOTEBOOKS = {
    "jupyter-same-cell": notebook(SAME_CELL, "await later({})"),
    "jupyter": notebook(LATER_CELL, "{}()"),
    "jupyter-await": notebook(LATER_CELL, "await later({})"),
}


def without_backends(bound):
    """Call a function on a worker where no backend is installed: metadata shows none."""
    metadata.entry_points = lambda **_: metadata.EntryPoints()
    return bound()


def lost(engine):
    """Return what is known, back here, of an error that a worker raised."""
    with eh.settings.use_backend(BACKEND):
        bound = eh.settings.bind(probe)
    with engine() as run:
        try:
            run(partial(without_backends, bound))
        except UnknownBackendError as error:
            # What Ray raises derives from the error, and keeps it as its cause.
            error = getattr(error, "cause", error)
            return {"pid": os.getpid(), "message": str(error), **vars(error)}
    return None


def main(name, what=""):
    warnings.simplefilter("ignore", BackendWarning)
    if what == "lost":
        found = lost(ENGINES[name])
    else:
        found = NOTEBOOKS[name]() if name in NOTEBOOKS else observe(ENGINES[name])
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
