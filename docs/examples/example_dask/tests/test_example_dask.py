"""The host's checks, how close we promise to be (see the README), and the cluster."""

from __future__ import annotations

import subprocess
import sys
import threading

import example_host as eh
import numpy as np
import pytest
from distributed import LocalCluster, default_client
from example_dask import cluster
from example_dask._backends import example_host as adapter
from example_host.testing import assert_close, dispatcher, run_feedback
from sklearn.datasets import load_digits

from scverse_backends.testing import check_backend

DIGITS, LABELS = load_digits(return_X_y=True)
TOLERANCE = 1e-9
PARTITIONS = [None, 1, 7]


def compare(function, *args, n_partitions=None, **options) -> None:
    expected = function(*args, **options, backend="cpu")
    actual = function(*args, **options, n_partitions=n_partitions, backend="dask")
    if isinstance(expected, np.ndarray):
        expected, actual = [expected], [actual]
    for one, other in zip(actual, expected, strict=True):
        assert_close(one, other, TOLERANCE)


@pytest.mark.parametrize("name", ["example_dask", "dask"])
def test_feedback(name) -> None:
    results = run_feedback(name, require_dispatch=True)
    assert {function for function, result in results.items() if result == "PASSED"} == set(adapter.__all__)


def test_contract() -> None:
    report = check_backend(dispatcher, "example_dask")
    report.require()
    assert [(problem.function, problem.severity) for problem in report] == [(None, "note")]  # It is not trusted.


@pytest.mark.parametrize("n_partitions", PARTITIONS)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"features": [27, 28, 35, 36]},
        {"features": [27, 28], "control": [1, 2], "method": "zscore"},
        {"features": [0, 27], "method": "zscore", "copy": False},
    ],
)
def test_compute_score(options, n_partitions) -> None:
    compare(eh.compute_score, DIGITS.copy(), **options, n_partitions=n_partitions)


@pytest.mark.parametrize("n_partitions", PARTITIONS)
@pytest.mark.parametrize("scale", [False, True])
def test_embed(n_partitions, *, scale) -> None:
    compare(eh.embed, DIGITS, n_components=10, scale=scale, n_partitions=n_partitions)


@pytest.mark.parametrize("n_partitions", PARTITIONS)
@pytest.mark.parametrize("ddof", [0, 1])
def test_summarize(ddof, n_partitions) -> None:
    compare(eh.summarize, DIGITS, LABELS, ddof=ddof, n_partitions=n_partitions)
    # Now most partitions have only some of the groups.
    order = LABELS.argsort(stable=True)
    compare(eh.summarize, DIGITS[order], LABELS[order], ddof=ddof, n_partitions=n_partitions)


def test_labels_of_groups_can_be_text() -> None:
    actual = eh.summarize(DIGITS, LABELS.astype(str), n_partitions=3, backend="dask")
    assert list(actual.groups) == list("0123456789")


def test_more_features_than_samples() -> None:
    compare(eh.embed, np.tile(DIGITS[:100], (1, 65)), n_components=5, n_partitions=3)


@pytest.mark.parametrize("data", [[[3.0]], [[3.0, 1.0]], [[0.1], [0.1], [0.1]], [[0.1], [0.2], [0.6]]])
def test_one_sample_one_feature_and_a_constant_feature(data) -> None:
    # There are more partitions asked for than samples.
    compare(eh.compute_score, data, [0], method="zscore", n_partitions=4)
    compare(eh.embed, data, 1, scale=True, n_partitions=4)
    compare(eh.summarize, data, np.arange(len(data)) // 2, ddof=1, n_partitions=4)


@pytest.mark.parametrize("function", [eh.compute_score, eh.embed, eh.summarize])
def test_nan_and_no_partition_are_refused(function) -> None:
    required = [LABELS] if function is eh.summarize else []
    broken = DIGITS.copy()
    broken[5, 5] = np.nan
    with pytest.raises(ValueError, match="NaN or infinity"):
        function(broken, *required, backend="dask")
    with pytest.raises(ValueError, match="n_partitions must be at least 1, got 0"):
        function(DIGITS, *required, n_partitions=0, backend="dask")


def test_work_on_workers_does_not_dispatch_again() -> None:
    # Threads of our cluster see a process-wide setting: dispatching there, they would wait for themselves.
    eh.settings.backend = "dask"
    try:
        score = eh.compute_score(DIGITS, [27, 28])
    finally:
        eh.settings.backend = "cpu"
    assert_close(score, eh.compute_score(DIGITS, [27, 28]), TOLERANCE)


def test_one_cluster_for_all_threads_and_no_default_client() -> None:
    cluster.close()
    clients = []
    threads = [threading.Thread(target=lambda: clients.append(cluster.get_client())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(clients) == 4
    assert len(set(map(id, clients))) == 1
    with pytest.raises(ValueError, match="No client"):
        default_client()


def test_closed_cluster_is_started_again() -> None:
    first = cluster.get_client()
    cluster.close()
    assert first.status == "closed"
    compare(eh.embed, DIGITS, 3)
    assert cluster.get_client() is not first


@pytest.fixture
def running_cluster(monkeypatch):
    cluster.close()
    with LocalCluster(n_workers=1, threads_per_worker=3, dashboard_address=None, silence_logs="ERROR") as running:
        monkeypatch.setenv(cluster.ADDRESS_VARIABLE, f" {running.scheduler_address} ")
        yield running
        cluster.close()


def test_running_cluster_is_used_and_left_running(running_cluster) -> None:
    compare(eh.compute_score, DIGITS, [27, 28], method="zscore")
    compare(eh.summarize, DIGITS, LABELS)
    assert cluster.get_client().scheduler.address == running_cluster.scheduler_address
    assert sum(cluster.get_client().nthreads().values()) == 3
    cluster.close()
    assert running_cluster.status.name == "running"
    assert len(running_cluster.workers) == 1


def test_selecting_imports_no_dask_and_a_process_that_used_it_ends() -> None:
    code = """
import sys, example_host as eh
eh.settings.backend = "dask"
print("distributed" in sys.modules)
eh.embed([[1.0], [2.0]], 1)
print("distributed" in sys.modules)
"""
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert result.stdout.split() == ["False", "True"]
    assert result.stderr == ""


def test_adapter_has_nothing_else() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Neighborhood'"):
        _ = adapter.Neighborhood
