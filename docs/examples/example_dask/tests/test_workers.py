"""Data that stay on the workers, workers that die, calls that are interrupted, and clusters that are not ours."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import CancelledError, ProcessPoolExecutor

import dask.array as da
import example_host as eh
import numpy as np
import pytest
from dask.sizeof import sizeof
from distributed import Client, LocalCluster, WorkerPlugin, wait
from example_dask import cluster
from example_dask.example_host_impl import MIN_VALUES
from example_host.testing import assert_close

TOLERANCE = 1e-9
RNG = np.random.default_rng(0)
DATA = RNG.normal(size=(5000, 20)) * np.arange(1, 21)
LABELS = RNG.choice(["a", "b", "rare"], p=[0.5, 0.499, 0.001], size=5000)

CALLS = {
    "mean": (eh.compute_score, {"features": [1, 2]}),
    "zscore": (eh.compute_score, {"features": [1, 2], "method": "zscore"}),
    "embed": (eh.embed, {"n_components": 5}),
    "scaled": (eh.embed, {"n_components": 5, "scale": True}),
    "summarize": (eh.summarize, {"groups": LABELS, "ddof": 1}),
}
every_call = pytest.mark.parametrize("call", CALLS)


def assert_same(actual, expected) -> None:
    if isinstance(expected, np.ndarray):
        assert_close(actual, expected, TOLERANCE)
        return
    assert list(actual.groups) == list(expected.groups)
    for one, other in zip(actual[1:], expected[1:], strict=True):
        assert_close(one, other, TOLERANCE)


def expected_of(call):
    function, options = CALLS[call]
    return function(DATA, **options, backend="cpu")


@pytest.fixture(scope="module")
def workers():
    """Two worker processes, as a user starts them."""
    with LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs="CRITICAL"
    ) as running:
        yield running


@pytest.fixture
def client(workers):
    with Client(workers) as connected:
        connected.wait_for_workers(2)
        yield connected


# -- Dask arrays in, Dask arrays out -----------------------------------------------------------------------------------


@every_call
@pytest.mark.parametrize(
    "chunks", [(1000, 20), (5000, 20), ((4000, 1, 999), (7, 13)), ((0, 2500, 0, 2500), 20)], ids=str
)
@pytest.mark.usefixtures("client")
def test_dask_arrays(call, chunks) -> None:
    function, options = CALLS[call]
    result = function(da.from_array(DATA, chunks=chunks), **options, backend="dask")
    assert isinstance(result, eh.GroupSummary if call == "summarize" else da.Array)
    assert_same(result.compute() if isinstance(result, da.Array) else result, expected_of(call))


@pytest.mark.parametrize("call", ["embed", "summarize"])
@pytest.mark.usefixtures("client")
def test_the_number_of_partitions_can_be_chosen(call) -> None:
    function, options = CALLS[call]
    result = function(da.from_array(DATA, chunks=(700, 20)), **options, n_partitions=3, backend="dask")
    if call == "embed":
        assert result.numblocks == (3, 1)
        result = result.compute()
    assert_same(result, expected_of(call))


@pytest.mark.parametrize("groups", [LABELS, da.from_array(LABELS, chunks=900)], ids=["numpy", "dask"])
@pytest.mark.parametrize("data", [DATA, da.from_array(DATA, chunks=(1100, 20))], ids=["numpy", "dask"])
@pytest.mark.usefixtures("client")
def test_groups_of_either_kind(data, groups) -> None:
    assert_same(eh.summarize(data, groups, ddof=1, backend="dask"), expected_of("summarize"))
    with pytest.raises(ValueError, match=r"one label for each of the 5000 samples, got shape \(4999,\)"):
        eh.summarize(data, groups[1:], backend="dask")


def test_what_is_on_the_workers_stays_there_between_calls(client, monkeypatch) -> None:
    gathered = []
    original = Client._gather  # noqa: SLF001 - what every way of bringing results here goes through.

    async def gather(self, *args, **options):
        found = await original(self, *args, **options)
        gathered.append(sizeof(found))
        return found

    rows, columns = 200_000, 20
    data = da.random.default_rng(1).normal(size=(rows, columns), chunks=(20_000, columns)).persist()
    wait(data)
    before = client.who_has(data)
    monkeypatch.setattr(Client, "_gather", gather)
    coordinates = eh.embed(data, n_components=3, backend="dask").persist()
    score = eh.compute_score(coordinates, [0], method="zscore", backend="dask").persist()
    summary = eh.summarize(data, score > 0, backend="dask")
    assert summary.size.sum() == rows
    # Per call no more than a few rows for each feature, of 32 MB of data.
    assert 0 < sum(gathered) < 100_000
    assert client.who_has(data) == before
    monkeypatch.undo()
    assert_close(coordinates.compute(), eh.embed(data.compute(), n_components=3, backend="cpu"), TOLERANCE)


@pytest.mark.usefixtures("client")
def test_nothing_is_computed_before_it_is_asked_for() -> None:
    broken = DATA.copy()
    broken[4321, 3] = np.nan
    chunked = da.from_array(broken, chunks=(1000, 20))
    score = eh.compute_score(chunked, [1], backend="dask")
    with pytest.raises(ValueError, match="NaN or infinity"):
        score.compute()
    # Here the call itself has to look at the data.
    with pytest.raises(ValueError, match="NaN or infinity"):
        eh.embed(chunked, backend="dask")


@pytest.mark.usefixtures("client")
def test_sizes_that_nobody_knows_are_refused() -> None:
    chunked = da.from_array(DATA, chunks=(1000, 20))
    some = chunked[chunked[:, 0] > 0]
    with pytest.raises(ValueError, match=r"call data.compute_chunk_sizes\(\)"):
        eh.embed(some, backend="dask")
    labels = da.from_array(LABELS, chunks=1000)
    with pytest.raises(ValueError, match=r"call groups.compute_chunk_sizes\(\)"):
        eh.summarize(chunked, labels[labels != "a"], backend="dask")
    some.compute_chunk_sizes()
    expected = eh.embed(DATA[DATA[:, 0] > 0], backend="cpu")
    assert_close(eh.embed(some, backend="dask").compute(), expected, TOLERANCE)


@pytest.mark.parametrize("shape", [(4,), (0, 3), (3, 0), (1, 2, 3)])
@pytest.mark.usefixtures("client")
def test_shapes_are_refused_in_the_words_of_the_host(shape) -> None:
    with pytest.raises(ValueError, match="data must have") as expected:
        eh.embed(np.zeros(shape), backend="cpu")
    for data in (np.zeros(shape), da.zeros(shape)):
        with pytest.raises(ValueError, match="data must have") as raised:
            eh.embed(data, backend="dask")
        assert str(raised.value) == str(expected.value)


# -- which cluster -----------------------------------------------------------------------------------------------------


def test_the_users_client_is_used_and_left_alone(client) -> None:
    assert cluster.get_client() is client
    eh.embed(DATA, backend="dask")
    cluster.close()
    assert client.status == "running"
    assert len(client.scheduler_info()["workers"]) == 2


def test_data_on_a_cluster_are_computed_there(workers) -> None:
    with Client(workers, set_as_default=False) as connected:
        data = connected.persist(da.from_array(DATA, chunks=(1000, 20)))
        assert cluster.get_client(data) is connected
        result = eh.embed(data, n_components=5, backend="dask")
        assert_close(connected.compute(result).result(), expected_of("embed"), TOLERANCE)
        assert cluster.get_client() is not connected
    cluster.close()


def test_a_client_that_cannot_be_waited_for_is_refused(workers) -> None:
    async def main():
        async with Client(workers.scheduler_address, asynchronous=True):
            eh.embed(DATA, backend="dask")

    with pytest.raises(RuntimeError, match=r"asynchronous.*Connect a second one"):
        asyncio.run(main())


# -- when it is worth it -----------------------------------------------------------------------------------------------


def executed(function, *args, **options):
    with eh.settings.trace() as calls:
        function(*args, **options)
    return calls[0].executed, calls[0].reason


def test_small_data_stay_with_the_host_unless_dask_alone_is_asked_for() -> None:
    large = np.zeros((MIN_VALUES // 10, 10))
    for order in (["dask", "cpu"], ("dask", "cpu")):
        name, reason = executed(eh.compute_score, DATA, backend=order)
        assert name == "cpu"
        assert "100,000 values are too few" in reason
        assert executed(eh.compute_score, large, backend=order)[0] == "example_dask"
    assert executed(eh.compute_score, DATA, backend="dask")[0] == "example_dask"
    with eh.settings.use_backend(["dask", "cpu"]):
        assert executed(eh.compute_score, DATA)[0] == "cpu"
        assert executed(eh.compute_score, DATA, backend="dask")[0] == "example_dask"
        assert executed(eh.compute_score, da.from_array(DATA))[0] == "example_dask"
    with pytest.raises(ValueError, match="inhomogeneous"):
        eh.embed([[1.0], [1.0, 2.0]], backend=["dask", "cpu"])


def _called_elsewhere(data):
    with eh.settings.use_backend("dask"):
        return executed(eh.embed, data)


def test_a_worker_does_not_wait_for_itself(client) -> None:
    name, reason = client.submit(_called_elsewhere, DATA).result(timeout=60)
    assert name == "cpu"
    assert "would wait for itself" in reason


def test_a_forked_process_does_not_wait_for_threads_that_did_not_come_along() -> None:
    assert executed(eh.embed, DATA, backend="dask")[0] == "example_dask"
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as pool:
        name, reason = pool.submit(_called_elsewhere, DATA).result(timeout=60)
    assert name == "cpu"
    assert "was forked" in reason


@pytest.mark.usefixtures("client")
def test_progress_is_shown_when_asked(capsys) -> None:
    eh.embed(DATA, backend="dask")
    assert capsys.readouterr().out == ""
    for data in (DATA, da.from_array(DATA, chunks=(1000, 20))):
        eh.embed(data, progress=True, backend="dask")
        assert "100% Completed" in capsys.readouterr().out


def test_progress_on_our_own_cluster(capsys) -> None:
    eh.summarize(DATA, LABELS, progress=True, backend="dask")
    assert "100% Completed" in capsys.readouterr().out


# -- what goes wrong ---------------------------------------------------------------------------------------------------


class SlowAndFragile(WorkerPlugin):
    """Makes each task take a while, and the first worker that has done some of them die, once."""

    def __init__(self, file, *, deadly) -> None:
        self.file, self.deadly, self.done = str(file), deadly, 0

    def transition(self, key, start, finish, **_) -> None:  # noqa: ARG002 - as Dask calls it.
        if finish == "executing":
            time.sleep(0.1)
        if self.deadly and finish == "memory" and start == "executing":
            self.done += 1
            if self.done == 2:
                try:
                    os.close(os.open(self.file, os.O_CREAT | os.O_EXCL))
                except FileExistsError:
                    return
                os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize(
    ("kind", "call"),
    [("numpy", "embed"), ("numpy", "summarize"), ("dask", "zscore"), ("dask", "summarize"), ("persisted", "embed")],
)
def test_a_worker_dies_in_the_middle_of_a_call(client, tmp_path, call, kind) -> None:
    function, options = CALLS[call]
    died = tmp_path / "died"
    data = DATA
    if kind != "numpy":
        data = da.from_array(DATA, chunks=(500, 20))
    if kind == "persisted":
        data = data.persist()
        wait(data)
    client.register_plugin(SlowAndFragile(died, deadly=True), name="fragile")
    result = function(data, **options, **({"n_partitions": 8} if kind == "numpy" else {}), backend="dask")
    if isinstance(result, da.Array):
        result = result.compute()
    client.unregister_worker_plugin("fragile")
    assert died.exists()
    assert_same(result, expected_of(call))


def test_data_that_are_lost_again_and_again(monkeypatch) -> None:
    begun = []

    def lost(*_):
        begun.append(1)
        raise CancelledError("lost")

    monkeypatch.setattr(cluster.Run, "compute", lost)
    with pytest.raises(CancelledError, match="lost"):
        eh.embed(DATA, backend="dask")
    assert len(begun) == cluster.ATTEMPTS


@pytest.mark.parametrize("data", [DATA, da.from_array(DATA, chunks=(10, 20))], ids=["numpy", "dask"])
def test_an_interrupt_leaves_nothing_behind(client, tmp_path, data) -> None:
    client.register_plugin(SlowAndFragile(tmp_path / "died", deadly=False), name="slow")

    def interrupt():
        while not any(client.processing().values()):
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    watcher = threading.Thread(target=interrupt)
    watcher.start()
    with pytest.raises(KeyboardInterrupt):
        eh.embed(data, n_partitions=500, backend="dask")
    watcher.join()
    # What was running is let run to its end, and nothing else is begun.
    deadline = time.monotonic() + 30
    while (left := client.run_on_scheduler(tasks)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == 0
    # The cluster goes on working.
    client.unregister_worker_plugin("slow")
    assert_close(eh.embed(DATA, n_components=5, backend="dask"), expected_of("embed"), TOLERANCE)


def tasks(dask_scheduler) -> int:
    return len(dask_scheduler.tasks)


def test_interrupting_our_own_cluster() -> None:
    program = """
import warnings
import example_host as eh, numpy as np
warnings.simplefilter("ignore")
data = np.random.default_rng(0).normal(size=(200_000, 50))
eh.embed(data[:10], backend="dask")
print("ready", flush=True)
try:
    while True:
        eh.embed(data, backend="dask", n_partitions=200)
except KeyboardInterrupt:
    print("interrupted", eh.embed(data[:10], backend="dask").shape)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    printed, errors = process.communicate(timeout=60)
    # It goes on working, and the process ends by itself, in silence.
    assert (process.returncode, printed, errors) == (0, "interrupted (10, 2)\n", "")
