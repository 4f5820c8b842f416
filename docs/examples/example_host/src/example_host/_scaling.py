"""Features on one scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def spread(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each feature's standard deviation, 1 for a constant feature.

    A constant feature is recognised by its range: rounding leaves its standard deviation near zero, not at zero.
    """
    return np.where(np.ptp(matrix, axis=0) == 0, 1.0, matrix.std(axis=0))
