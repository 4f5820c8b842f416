"""The host's checks, how close we promise to be (see the README), and what the user is told about what is missing."""

from __future__ import annotations

import inspect
import pickle

import example_host as eh
import numpy as np
import pytest
from example_fast._backends import example_host as adapter
from example_host.testing import assert_close, dispatcher, run_feedback
from sklearn.datasets import load_digits

from scverse_backends.testing import check_backend

DIGITS, LABELS = load_digits(return_X_y=True)
DOUBLE, SINGLE = 1e-9, 1e-4


def test_feedback() -> None:
    results = run_feedback("fast", require_dispatch=True)
    assert {function for function, result in results.items() if result == "PASSED"} == set(adapter.__all__)


def test_contract() -> None:
    report = check_backend(dispatcher, "fast")
    report.require()
    # It is not trusted, and lacks an option.
    found = {(problem.function, problem.parameter, problem.severity) for problem in report}
    assert found == {(None, None, "note"), ("compute_score", "copy", "note")}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"features": [27, 28, 35, 36]},
        {"features": [27, 28], "control": [1, 28], "method": "zscore"},
        {"features": [0, 27], "control": [], "method": "zscore"},
    ],
)
def test_compute_score(options) -> None:
    expected = eh.compute_score(DIGITS, **options, backend="cpu")
    assert_close(eh.compute_score(DIGITS, **options, backend="fast"), expected, DOUBLE)


@pytest.mark.parametrize("scale", [False, True])
@pytest.mark.parametrize("data", [DIGITS, DIGITS[:50], DIGITS + 1e6], ids=["tall", "wide", "far from zero"])
def test_embed(data, *, scale) -> None:
    expected = eh.embed(data, 10, scale=scale, backend="cpu")
    assert_close(eh.embed(data, 10, scale=scale, backend="fast"), expected, SINGLE)


@pytest.mark.parametrize("data", [[[3.0]], [[3.0, 1.0]], [[0.1], [0.1], [0.1]], [[0.1], [0.2], [0.6]]])
def test_one_sample_one_feature_and_a_constant_feature(data) -> None:
    for function, options in ((eh.compute_score, {"method": "zscore"}), (eh.embed, {"n_components": 1, "scale": True})):
        expected = function(data, **options, backend="cpu")
        assert_close(function(data, **options, backend="fast"), expected, SINGLE)


@pytest.mark.parametrize("function", [eh.compute_score, eh.embed, eh.Neighborhood(3, backend="fast").fit])
def test_nan_is_refused(function) -> None:
    broken = DIGITS.copy()
    broken[5, 5] = np.nan
    with eh.settings.use_backend("fast"), pytest.raises(ValueError, match="NaN or infinity"):
        function(broken)


@pytest.mark.parametrize("block_size", [1, 100, 5000])
@pytest.mark.parametrize("shift", [0, 0.25, 1e6])
def test_neighborhood(block_size, shift) -> None:
    data = DIGITS[:300] + shift
    expected = eh.Neighborhood(5, backend="cpu").fit(data)
    graph = eh.Neighborhood(5, block_size=block_size, backend="fast").fit(data)
    assert graph.block_size == block_size
    assert_close(graph.distances, expected.distances, DOUBLE)
    np.testing.assert_array_equal(graph.indices, expected.indices)


def test_neighborhood_is_one_of_the_host() -> None:
    graph = eh.Neighborhood(5, backend="fast").fit(DIGITS[:50])
    assert type(graph) is adapter.Neighborhood
    assert isinstance(graph, eh.Neighborhood)
    again = pickle.loads(pickle.dumps(graph))
    assert type(again) is adapter.Neighborhood
    np.testing.assert_array_equal(again.neighbors_of(3), graph.neighbors_of(3))


def test_block_size_is_at_least_one() -> None:
    with pytest.raises(ValueError, match="block_size must be at least 1, got 0"):
        eh.Neighborhood(5, block_size=0, backend="fast")


def test_missing_option_is_dropped_with_a_warning() -> None:
    assert "copy" not in inspect.signature(adapter.compute_score).parameters
    with pytest.warns(UserWarning, match="copy"):
        eh.compute_score(DIGITS, copy=False, backend="fast")


def test_missing_function_runs_on_the_host() -> None:
    assert not hasattr(adapter, "summarize")
    with eh.settings.use_backend("fast"):
        actual = eh.summarize(DIGITS, LABELS)
    assert_close(actual.std, eh.summarize(DIGITS, LABELS, backend="cpu").std, 0)
