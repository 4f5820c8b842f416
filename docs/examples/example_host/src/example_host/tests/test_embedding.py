"""`embed` against scikit-learn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from sklearn.decomposition import PCA

import example_host as eh
from example_host.testing import assert_close

if TYPE_CHECKING:
    from numpy.typing import NDArray


def test_agrees_with_scikit_learn_up_to_signs(digits: NDArray[np.float64]) -> None:
    expected = PCA(10, svd_solver="full").fit_transform(digits)
    assert_close(np.abs(eh.embed(digits, n_components=10)), np.abs(expected))


def test_signs_are_fixed(digits: NDArray[np.float64]) -> None:
    # Mirrored data have the same components, so mirrored coordinates.
    assert_close(eh.embed(-digits, n_components=5), -eh.embed(digits, n_components=5))


def test_scaled_features_do_not_depend_on_units(digits: NDArray[np.float64]) -> None:
    units = np.random.default_rng(2).uniform(0.1, 10, size=64)
    assert_close(eh.embed(digits * units, 3, scale=True), eh.embed(digits, 3, scale=True))


def test_more_features_than_samples(digits: NDArray[np.float64]) -> None:
    few = digits[:20]
    coordinates = eh.embed(few, 19)
    # All components together keep all distances.
    assert_close(np.linalg.norm(coordinates[3] - coordinates, axis=1), np.linalg.norm(few[3] - few, axis=1))


@pytest.mark.parametrize("scale", [True, False])
def test_nothing_varies(*, scale: bool) -> None:
    for data in ([[1.0, 2.0]], [[0.1, 7.0]] * 5):
        assert_close(eh.embed(data, 1, scale=scale), np.zeros((len(data), 1)))


def test_one_feature() -> None:
    assert_close(eh.embed([[1.0], [2.0], [6.0]], 1), [[-2.0], [-1.0], [3.0]])


@pytest.mark.parametrize("n_components", [0, 65])
def test_impossible_number_of_components(digits: NDArray[np.float64], n_components: int) -> None:
    with pytest.raises(ValueError, match="from 1 to 64"):
        eh.embed(digits, n_components)
