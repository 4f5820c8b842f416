"""`summarize` against its definition."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

import example_host as eh
from example_host.testing import assert_close

if TYPE_CHECKING:
    from numpy.typing import NDArray


@pytest.mark.parametrize("ddof", [0, 1])
def test_each_group(digits: NDArray[np.float64], labels: NDArray[np.intp], ddof: int) -> None:
    summary = eh.summarize(digits, labels, ddof=ddof)
    assert list(summary.groups) == list(range(10))
    assert summary.size.sum() == len(digits)
    for row, digit in enumerate(summary.groups):
        members = digits[labels == digit]
        assert summary.size[row] == len(members)
        assert_close(summary.mean[row], members.mean(axis=0))
        assert_close(summary.std[row], members.std(axis=0, ddof=ddof))


def test_labels_are_sorted_and_keep_their_type() -> None:
    summary = eh.summarize([[1.0], [2.0], [4.0]], ["b", "a", "b"])
    assert list(summary.groups) == ["a", "b"]
    assert_close(summary.mean, [[2.0], [2.5]])


def test_deviation_of_one_sample_is_undefined_with_ddof() -> None:
    summary = eh.summarize([[1.0], [2.0], [4.0]], [0, 1, 1], ddof=1)
    assert_close(summary.std, [[np.nan], [np.sqrt(2)]])


def test_one_label_for_each_sample(digits: NDArray[np.float64]) -> None:
    with pytest.raises(ValueError, match="each of the 1797 samples"):
        eh.summarize(digits, [1, 2])
