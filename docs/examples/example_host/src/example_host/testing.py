"""What every implementation of our functions must do, for the tests of backends.

A backend's test is one line::

    run_feedback("my_backend", require_dispatch=True)

and so is the check of its signatures, which calls nothing::

    scverse_backends.testing.check_backend(dispatcher, "my_backend").require()
"""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import numpy as np

import example_host as eh
from example_host._backends import dispatcher
from scverse_backends.testing import run_conformance

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from numpy.typing import ArrayLike

__all__ = ["CHECKS", "TOLERANCE", "assert_close", "dispatcher", "run_feedback"]

#: How far a backend may be off, relative to the largest value of the result. Single precision is good enough.
TOLERANCE = 1e-3


def assert_close(actual: ArrayLike, expected: ArrayLike, tolerance: float = TOLERANCE) -> None:
    """Require arrays of one shape that differ by no more than the tolerance times the largest expected value.

    Parameters
    ----------
    actual, expected : array_like
        The results of a backend and of the host; NaN matches NaN.
    tolerance : float
        Relative to the largest absolute value of `expected`.

    Raises
    ------
    AssertionError
        If they differ.
    """
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape, f"shape {actual.shape} instead of {expected.shape}"
    largest = np.nanmax(np.abs(expected)) if np.isfinite(expected).any() else 0.0
    # The smallest normal number lets a backend flush to zero, and an expected zero stay close to zero.
    np.testing.assert_allclose(actual, expected, rtol=0, atol=max(tolerance * largest, 1e-12))


def example_data(n_samples: int = 60, n_features: int = 8) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Return reproducible data with features on different scales, the last one constant."""
    data = np.random.default_rng(0).normal(size=(n_samples, n_features)) * np.arange(1, n_features + 1)
    data[:, -1] = 0.1
    return data


def assert_refuses(function: Callable[..., object], *args: object, **options: object) -> None:
    """Require the `ValueError` that the host raises for arguments that cannot be right."""
    try:
        function(*args, **options)
    except ValueError:
        return
    raise AssertionError(f"{function.__name__} accepts what the host refuses: {args}")


def assert_refuses_bad_data(function: Callable[..., object], *args: object, **options: object) -> None:
    """Require that NaN, infinity, wrong dimensions and empty data are refused."""
    data = example_data()
    for value in (np.nan, np.inf):
        broken = data.copy()
        broken[3, 2] = value
        assert_refuses(function, broken, *args, **options)
    for wrong in (data[0], data[np.newaxis], data[:0], data[:, :0]):
        assert_refuses(function, wrong, *args, **options)


def check_compute_score(backend_name: str) -> None:
    """Same scores for all arguments, data left alone, bad arguments refused."""
    data = example_data()
    before = data.copy()
    cases: list[dict[str, Any]] = [
        {},
        {"features": [0, 2, 5]},
        {"features": [5, 1], "control": [0, 3]},
        {"features": [4], "control": []},
        {"features": [0, 7], "method": "zscore"},
    ]
    for options in cases:
        for some in (data, data[:1], data[:, 7:] if not options else data):
            expected = eh.compute_score(some, **options, backend="cpu")
            assert_close(eh.compute_score(some, **options, backend=backend_name), expected)
    np.testing.assert_array_equal(data, before)
    assert_refuses_bad_data(eh.compute_score, backend=backend_name)
    for features in ([], [8], [-1], [1, 1], [0.5]):
        assert_refuses(eh.compute_score, data, features, backend=backend_name)
    assert_refuses(eh.compute_score, data, method="mode", backend=backend_name)


def check_embed(backend_name: str) -> None:
    """Same coordinates with the same signs, also for a single sample or feature, bad arguments refused."""
    data = example_data()
    for some, n_components in ((data, 2), (data, 7), (data[:5], 4), (data[:1], 1), (data[:, :1], 1), (data[:, 7:], 1)):
        for scale in (False, True):
            expected = eh.embed(some, n_components, scale=scale, backend="cpu")
            assert_close(eh.embed(some, n_components, scale=scale, backend=backend_name), expected)
    assert_refuses_bad_data(eh.embed, 1, backend=backend_name)
    for n_components in (0, 9):
        assert_refuses(eh.embed, data, n_components, backend=backend_name)


def check_summarize(backend_name: str) -> None:
    """Same groups, sizes, means and deviations, also for groups of one sample, bad arguments refused."""
    data = example_data()
    labels = np.array(["b", "a", "c", "b", "a"] * 12)
    for some, groups, ddof in ((data, labels, 0), (data, labels, 1), (data[:3], [2, 1, 1], 1), (data[:1], [0], 0)):
        expected = eh.summarize(some, groups, ddof=ddof, backend="cpu")
        actual = eh.summarize(some, groups, ddof=ddof, backend=backend_name)
        assert list(actual.groups) == list(expected.groups)
        assert list(actual.size) == list(expected.size)
        assert_close(actual.mean, expected.mean)
        assert_close(actual.std, expected.std)
    assert_refuses_bad_data(eh.summarize, labels, backend=backend_name)
    assert_refuses(eh.summarize, data, labels[1:], backend=backend_name)


def check_neighborhood(backend_name: str) -> None:
    """Same neighbours, also after pickling, bad arguments refused."""
    data = example_data()
    with eh.settings.use_backend("cpu"):
        expected = eh.Neighborhood(4).fit(data)
    with eh.settings.use_backend(backend_name):
        unfitted, fitted = eh.Neighborhood(4), eh.Neighborhood(4).fit(data)
        assert_refuses(eh.Neighborhood, 0)
        assert_refuses(eh.Neighborhood(60).fit, data)
    for graph in (fitted, pickle.loads(pickle.dumps(fitted))):
        np.testing.assert_array_equal(graph.indices, expected.indices)
        assert_close(graph.distances, expected.distances)
        assert list(graph.neighbors_of(7)) == list(expected.neighbors_of(7))
    assert_refuses_bad_data(unfitted.fit)


#: The check of each function and class, called with ``backend_name``.
CHECKS: Mapping[str, Callable[..., None]] = {
    "Neighborhood": check_neighborhood,
    "compute_score": check_compute_score,
    "embed": check_embed,
    "summarize": check_summarize,
}


def run_feedback(backend_name: str, **options: Any) -> dict[str, str]:
    """Run our checks on an installed backend.

    Parameters
    ----------
    backend_name : str
        Its name or alias.
    **options
        Passed on to `scverse_backends.testing.run_conformance`: ``functions=["embed"]`` runs that check alone,
        ``raise_on_failure=False`` reports failures instead of raising them, ``require_dispatch=True`` fails a check
        during which the backend never ran.

    Returns
    -------
    dict
        For each function ``"PASSED"``, ``"SKIPPED (...)"`` or ``"FAILED: ..."``.

    Raises
    ------
    ValueError
        If there is no such backend.
    """
    return run_conformance(
        backend_name=backend_name, tests=dict(CHECKS), get_backend=eh.settings.get_backend, **options
    )
