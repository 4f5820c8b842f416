"""The host's checks, and how close we promise to be: see the README."""

from __future__ import annotations

import subprocess
import sys

import example_host as eh
import jax
import numpy as np
import pytest
from example_host.testing import assert_close, dispatcher, run_feedback
from example_jax._backends import example_host as adapter
from example_jax.example_host_impl import MAX_EMBED_FEATURES
from sklearn.datasets import load_digits

from scverse_backends.testing import check_backend

DIGITS, LABELS = load_digits(return_X_y=True)
TOLERANCE = {"double": 1e-9, "single": 1e-4}


def compare(function, *args, precision, **options) -> None:
    expected = function(*args, **options, backend="cpu")
    actual = function(*args, **options, precision=precision, backend="jax")
    if isinstance(expected, np.ndarray):
        expected, actual = [expected], [actual]
    for one, other in zip(actual, expected, strict=True):
        assert_close(one, other, TOLERANCE[precision])


@pytest.mark.parametrize("name", ["example_jax", "jax", "cuda"])
def test_feedback(name) -> None:
    results = run_feedback(name, require_dispatch=True)
    assert {function for function, result in results.items() if result == "PASSED"} == set(adapter.__all__)


def test_contract() -> None:
    report = check_backend(dispatcher, "example_jax")
    assert list(report) == []


@pytest.mark.parametrize("precision", TOLERANCE)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"features": [27, 28, 35, 36]},
        {"features": [27, 28], "control": [1, 2], "method": "zscore"},
        {"features": [0, 27], "method": "zscore", "copy": False},
    ],
)
def test_compute_score(options, precision) -> None:
    compare(eh.compute_score, DIGITS.copy(), **options, precision=precision)


@pytest.mark.parametrize("method", ["fast", "zscore"])
@pytest.mark.parametrize("batch_size", [1, 7, 1797, 4096])
def test_batches_make_no_difference(batch_size, method) -> None:
    expected = eh.compute_score(DIGITS, [27, 28], method=method, backend="cpu")
    score = eh.compute_score(DIGITS, [27, 28], method=method, batch_size=batch_size, backend="cuda")
    assert_close(score, expected, TOLERANCE["double"])


def test_batches_have_a_size() -> None:
    with pytest.raises(ValueError, match="at least 1, got 0"):
        eh.compute_score(DIGITS, batch_size=0, backend="cuda")


@pytest.mark.parametrize("precision", TOLERANCE)
@pytest.mark.parametrize("scale", [False, True])
def test_embed(precision, *, scale) -> None:
    compare(eh.embed, DIGITS, n_components=10, scale=scale, precision=precision)


@pytest.mark.parametrize("precision", TOLERANCE)
@pytest.mark.parametrize("ddof", [0, 1])
def test_summarize(ddof, precision) -> None:
    compare(eh.summarize, DIGITS, LABELS, ddof=ddof, precision=precision)


@pytest.mark.parametrize("precision", TOLERANCE)
@pytest.mark.parametrize("data", [[[3.0]], [[3.0, 1.0]], [[0.1], [0.1], [0.1]], [[0.1], [0.2], [0.6]]])
def test_one_sample_one_feature_and_a_constant_feature(data, precision) -> None:
    compare(eh.compute_score, data, [0], method="zscore", precision=precision)
    compare(eh.embed, data, 1, scale=True, precision=precision)
    compare(eh.summarize, data, np.arange(len(data)) // 2, ddof=1, precision=precision)


@pytest.mark.parametrize("function", [eh.compute_score, eh.embed, eh.summarize])
def test_nan_and_unknown_precision_are_refused(function) -> None:
    required = [LABELS] if function is eh.summarize else []
    broken = DIGITS.copy()
    broken[5, 5] = np.nan
    with pytest.raises(ValueError, match="NaN or infinity"):
        function(broken, *required, backend="jax")
    with pytest.raises(ValueError, match="'double', 'single', got 'half'"):
        function(DIGITS, *required, precision="half", backend="jax")


def test_wide_data_are_declined() -> None:
    can_run = adapter.embed.can_run
    assert can_run(np.empty((3, MAX_EMBED_FEATURES)), n_components=2) is True
    assert can_run(np.empty((3, MAX_EMBED_FEATURES + 1)), 2).startswith(
        "embed on JAX handles at most 4096 features, got 4097; "
    )


@pytest.mark.parametrize("data", [np.empty(5000), [[1.0], [1.0, 2.0]], "text"])
def test_what_is_no_matrix_is_not_declined_but_refused(data) -> None:
    assert adapter.embed.can_run(data) is True
    with pytest.raises(ValueError):  # noqa: PT011 - NumPy words some of these messages.
        eh.embed(data, backend="jax")


def test_settings_of_jax_are_left_alone() -> None:
    before = jax.config.jax_enable_x64
    eh.embed(DIGITS, backend="jax")
    assert jax.config.jax_enable_x64 == before
    assert jax.numpy.ones(1).dtype == ("float64" if before else "float32")


def test_selecting_does_not_import_jax() -> None:
    code = "import sys, example_host as eh; eh.settings.backend = 'jax'; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "example_jax._backends.example_host" in modules
    assert "jax" not in modules


def test_adapter_has_nothing_else() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Neighborhood'"):
        _ = adapter.Neighborhood
