"""`compute_score` against its definition."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

import example_host as eh
from example_host.testing import assert_close

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

CENTRE = [27, 28, 35, 36]


def test_set_minus_control(digits: NDArray[np.float64]) -> None:
    outside = np.delete(digits, CENTRE, axis=1)
    assert_close(eh.compute_score(digits, CENTRE), digits[:, CENTRE].mean(axis=1) - outside.mean(axis=1))


def test_control_can_be_chosen(digits: NDArray[np.float64]) -> None:
    expected = digits[:, CENTRE].mean(axis=1) - digits[:, [2, 3]].mean(axis=1)
    assert_close(eh.compute_score(digits, CENTRE, control=[2, 3]), expected)


def test_score_of_a_digit_marks_that_digit(digits: NDArray[np.float64], labels: NDArray[np.intp]) -> None:
    # A zero is dark in the centre, everything else is not.
    score = eh.compute_score(digits, CENTRE, method="zscore")
    means = [score[labels == digit].mean() for digit in range(10)]
    assert np.argmin(means) == 0


def test_zscore_gives_features_equal_weight() -> None:
    data = np.random.default_rng(1).normal(size=(500, 2)) * [1, 1000]
    score = eh.compute_score(data, method="zscore")
    assert_close([np.corrcoef(score, column)[0, 1] for column in data.T], [np.sqrt(0.5)] * 2, tolerance=0.1)


def test_constant_feature_counts_as_zero() -> None:
    data = np.column_stack([[0.1] * 7, np.arange(7.0)])
    assert_close(eh.compute_score(data, [0], control=[], method="zscore"), np.zeros(7))


def test_one_sample_and_one_feature() -> None:
    assert_close(eh.compute_score([[3.0]]), [3.0])
    assert_close(eh.compute_score([[3.0]], method="zscore"), [0.0])


@pytest.mark.parametrize("copy", [True, False])
def test_copy_changes_memory_not_results(digits: NDArray[np.float64], *, copy: bool) -> None:
    expected = eh.compute_score(digits, CENTRE, method="zscore")
    data = digits.copy()
    with eh.settings.use_backend("cpu"):
        assert_close(eh.compute_score(data, CENTRE, method="zscore", copy=copy), expected)
    assert np.array_equal(data, digits) == copy


def test_bad_arguments_are_refused(digits: NDArray[np.float64]) -> None:
    with pytest.raises(ValueError, match="at least one feature"):
        eh.compute_score(digits, [])
    with pytest.raises(ValueError, match="0 to 63, got 3 to 64"):
        eh.compute_score(digits, [3, 64])
    with pytest.raises(ValueError, match="twice"):
        eh.compute_score(digits, [3], control=[4, 4])
    with pytest.raises(ValueError, match="integer"):
        eh.compute_score(digits, ["pixel"])
    method: Any = "mode"
    with pytest.raises(ValueError, match="'fast', 'zscore', got 'mode'"):
        eh.compute_score(digits, method=method)
