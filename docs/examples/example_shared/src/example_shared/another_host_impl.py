"""The functions of another-host, whose tables of distances would be large."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from example_shared.blocks import in_blocks

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["normalize", "predict"]


def normalize(data: ArrayLike, *, total: float = 1.0, block_size: int = 1024) -> NDArray[np.float64]:
    """Scale each sample so that its values add up to the same total, a block of the samples at a time.

    Parameters
    ----------
    data, total
        As in the host.
    block_size : int
        Samples at a time.
    """

    def scale(block: NDArray[np.float64]) -> NDArray[np.float64]:
        if block.min(initial=0) < 0:
            raise ValueError("data must not have negative values")
        sums = block.sum(axis=1, keepdims=True)
        scaled: NDArray[np.float64] = block * (total / np.where(sums == 0, 1, sums))
        return scaled

    return in_blocks(scale, np.asarray(data, dtype=np.float64), block_size)


def predict(data: ArrayLike, centers: ArrayLike, *, block_size: int = 1024) -> NDArray[np.intp]:
    """Find the nearest centre of each sample, a block of the samples at a time.

    Parameters
    ----------
    data, centers
        As in the host.
    block_size : int
        Samples at a time.
    """
    others = np.asarray(centers, dtype=np.float64)

    def nearest(block: NDArray[np.float64]) -> NDArray[np.intp]:
        position: NDArray[np.intp] = np.square(block[:, np.newaxis] - others).sum(axis=2).argmin(axis=1)
        return position

    return in_blocks(nearest, np.asarray(data, dtype=np.float64), block_size)
