"""What the implementations for all hosts share; it knows none of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from numpy.typing import ArrayLike, NDArray

__all__ = ["in_blocks"]


def in_blocks(function: Callable[[NDArray[Any]], NDArray[Any]], data: ArrayLike, block_size: int) -> NDArray[Any]:
    """Apply a function to some samples at a time, so that what it needs in between stays small.

    Parameters
    ----------
    function
        Gives a value or a row for each sample.
    data : array_like, shape (n_samples, n_features)
        The samples.
    block_size : int
        How many samples at a time.

    Raises
    ------
    ValueError
        If the size is not positive.
    """
    if block_size < 1:
        raise ValueError(f"block_size must be at least 1, got {block_size}")
    matrix = np.asarray(data)
    return np.concatenate([function(matrix[start : start + block_size]) for start in range(0, len(matrix), block_size)])
