"""The parts of example-host that become faster as matrix products, which use all cores and the cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

import example_host
import numpy as np
from example_host.validation import as_matrix, check_choice, check_components, feature_sets

if TYPE_CHECKING:
    from typing import Literal

    from numpy.typing import ArrayLike, NDArray

__all__ = ["Neighborhood", "compute_score", "embed"]


# The host's `copy` is missing on purpose: data are never overwritten here, and who asks for that is told so.
def compute_score(
    data: ArrayLike,
    features: ArrayLike | None = None,
    *,
    control: ArrayLike | None = None,
    method: Literal["fast", "zscore"] = "fast",
) -> NDArray[np.float64]:
    """Score each sample by a feature set, as one matrix-vector product.

    Parameters
    ----------
    data, features, control, method
        As in the host.
    """
    matrix = as_matrix(data)
    scored, controls = feature_sets(features, control, matrix.shape[1])
    check_choice(method, ("fast", "zscore"), "method")
    weights = np.zeros(matrix.shape[1])
    weights[scored] += 1 / scored.size
    if controls.size:
        weights[controls] -= 1 / controls.size
    if method == "fast":
        return matrix @ weights
    centred = matrix - matrix.mean(axis=0)
    return centred @ (weights / _spread(centred))


def embed(data: ArrayLike, n_components: int = 2, *, scale: bool = False) -> NDArray[np.float64]:
    """Embed the samples by principal component analysis, with products in single precision.

    Parameters
    ----------
    data, n_components, scale
        As in the host.
    """
    matrix = as_matrix(data)
    check_components(n_components, matrix.shape)
    centred = matrix - matrix.mean(axis=0)
    if scale:
        centred /= _spread(centred)
    single = centred.astype(np.float32)
    # Of the two matrices that have the components, take the smaller one. Eigenvalues are in ascending order.
    if single.shape[0] < single.shape[1]:
        axes = np.linalg.eigh(np.float64(single @ single.T)).eigenvectors[:, : -n_components - 1 : -1]
        loadings = centred.T @ axes
        length = np.linalg.norm(loadings, axis=0)
        loadings /= np.where(length == 0, 1, length)
    else:
        loadings = np.linalg.eigh(np.float64(single.T @ single)).eigenvectors[:, : -n_components - 1 : -1]
    largest = np.abs(loadings).argmax(axis=0)
    signs = np.where(loadings[largest, np.arange(n_components)] < 0, -1.0, 1.0)
    return centred @ (loadings * signs)


class Neighborhood(example_host.Neighborhood):
    """A graph that links each sample to its nearest ones, distances computed block by block.

    It inherits from the host's class, so ``isinstance(graph, example_host.Neighborhood)`` holds.

    Parameters
    ----------
    n_neighbors : int
        Links of each sample.
    block_size : int
        Samples whose distances to all others are computed, and held in memory, at once.

    Raises
    ------
    ValueError
        If either number is not positive.
    """

    def __init__(self, n_neighbors: int = 15, *, block_size: int = 512) -> None:
        super().__init__(n_neighbors)
        if block_size < 1:
            raise ValueError(f"block_size must be at least 1, got {block_size}")
        self.block_size = block_size

    def _search(self, matrix: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Find neighbours by |a - b|^2 = |a|^2 - 2ab + |b|^2, whose middle term is a matrix product."""
        # Far from zero, the three terms would cancel each other. A shift by whole numbers keeps whole numbers exact, so
        # that equally near samples stay equally near.
        centred = matrix - matrix.mean(axis=0).round()
        squares = np.einsum("ij,ij->i", centred, centred)
        indices = np.empty((len(matrix), self.n_neighbors), dtype=np.intp)
        distances = np.empty(indices.shape)
        for start in range(0, len(matrix), self.block_size):
            block = centred[start : start + self.block_size]
            distance = squares - 2 * (block @ centred.T) + squares[start : start + len(block), np.newaxis]
            farthest = np.partition(distance, self.n_neighbors, axis=1)[:, self.n_neighbors]
            for sample, row, limit in zip(range(start, start + len(block)), distance, farthest, strict=True):
                row[sample] = np.inf  # No sample is its own neighbour.
                # Sorting the few that are near enough is much faster than sorting all.
                near = np.flatnonzero(row <= limit)
                indices[sample] = near[row[near].argsort(stable=True)][: self.n_neighbors]
                distances[sample] = np.sqrt(np.maximum(row[indices[sample]], 0))
        return indices, distances


def _spread(centred: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each feature's standard deviation, 1 for a constant one, whose rounding errors must not be scaled up."""
    return np.where(np.ptp(centred, axis=0) == 0, 1.0, centred.std(axis=0))
