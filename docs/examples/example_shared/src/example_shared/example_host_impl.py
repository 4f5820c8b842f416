"""The functions of example-host that gain from blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from example_host.validation import as_matrix, check_choice, feature_sets

from example_shared.blocks import in_blocks

if TYPE_CHECKING:
    from typing import Literal

    from numpy.typing import ArrayLike, NDArray

__all__ = ["compute_score"]


def compute_score(
    data: ArrayLike,
    features: ArrayLike | None = None,
    *,
    control: ArrayLike | None = None,
    method: Literal["fast", "zscore"] = "fast",
    copy: bool = True,  # noqa: ARG001 - The data are not overwritten, so there is nothing to do for either value.
    block_size: int = 1024,
) -> NDArray[np.float64]:
    """Score each sample by a feature set, a block of the samples at a time.

    Parameters
    ----------
    data, features, control, method
        As in the host.
    copy
        Without effect: the data are never overwritten.
    block_size : int
        Samples at a time.
    """
    matrix = as_matrix(data)
    scored, controls = feature_sets(features, control, matrix.shape[1])
    check_choice(method, ("fast", "zscore"), "method")
    mean, spread = np.zeros(matrix.shape[1]), np.ones(matrix.shape[1])
    if method == "zscore":
        mean = matrix.mean(axis=0)
        spread = np.where(np.ptp(matrix, axis=0) == 0, 1.0, matrix.std(axis=0))

    def score(block: NDArray[np.float64]) -> NDArray[np.float64]:
        scaled = (block - mean) / spread
        of_set: NDArray[np.float64] = scaled[:, scored].mean(axis=1)
        return of_set - scaled[:, controls].mean(axis=1) if controls.size else of_set

    return in_blocks(score, matrix, block_size)
