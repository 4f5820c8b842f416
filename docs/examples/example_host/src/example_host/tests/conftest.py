"""Data that the tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from sklearn.datasets import load_digits

if TYPE_CHECKING:
    from numpy.typing import NDArray


@pytest.fixture(scope="session")
def digits() -> NDArray[np.float64]:
    """Return 1,797 scanned digits of 64 pixels, three of which are always 0."""
    data = np.asarray(load_digits().data, dtype=np.float64)
    data.setflags(write=False)
    return data


@pytest.fixture(scope="session")
def labels() -> NDArray[np.intp]:
    """Return which digit each sample shows."""
    return np.asarray(load_digits().target)
