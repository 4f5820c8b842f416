"""Which samples are alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np

from example_host._backends import backend_class
from example_host.validation import as_matrix

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@backend_class
class Neighborhood:
    """A graph that links each sample to its nearest ones, by Euclidean distance.

    Parameters
    ----------
    n_neighbors : int
        Links of each sample.

    Raises
    ------
    ValueError
        If the number is not positive.

    Examples
    --------
    >>> import example_host as eh
    >>> graph = eh.Neighborhood(n_neighbors=2).fit([[0.0], [1.0], [3.0], [9.0]])
    >>> graph.neighbors_of(3)
    array([2, 1])
    """

    indices: NDArray[np.intp]
    """After `fit`: the neighbours of each sample, the nearest first, of equally near ones the lower index."""
    distances: NDArray[np.float64]
    """After `fit`: how far they are."""

    def __init__(self, n_neighbors: int = 15) -> None:
        if n_neighbors < 1:
            raise ValueError(f"n_neighbors must be at least 1, got {n_neighbors}")
        self.n_neighbors = n_neighbors

    def fit(self, data: ArrayLike) -> Self:
        """Find the neighbours of every sample.

        Parameters
        ----------
        data : array_like, shape (n_samples, n_features)
            Finite values, of more samples than neighbours are asked for.

        Returns
        -------
        Neighborhood
            Itself.

        Raises
        ------
        ValueError
            If the data are not a finite matrix or have too few samples.
        """
        matrix = as_matrix(data)
        if len(matrix) <= self.n_neighbors:
            raise ValueError(f"{self.n_neighbors} neighbours need more samples than that, got {len(matrix)}")
        self.indices, self.distances = self._search(matrix)
        return self

    def neighbors_of(self, sample: int) -> NDArray[np.intp]:
        """Return the neighbours of one sample.

        Parameters
        ----------
        sample : int
            Its index.

        Returns
        -------
        numpy.ndarray, shape (n_neighbors,)
            Their indices, the nearest first.

        Raises
        ------
        RuntimeError
            If there is no graph yet.
        """
        if not hasattr(self, "indices"):
            raise RuntimeError("call fit before asking for neighbours")
        neighbors: NDArray[np.intp] = self.indices[sample]
        return neighbors

    def _search(self, matrix: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        indices = np.empty((len(matrix), self.n_neighbors), dtype=np.intp)
        distances = np.empty(indices.shape)
        for sample, row in enumerate(matrix):
            distance = np.sqrt(((matrix - row) ** 2).sum(axis=1))
            distance[sample] = np.inf  # No sample is its own neighbour.
            indices[sample] = distance.argsort(stable=True)[: self.n_neighbors]
            distances[sample] = distance[indices[sample]]
        return indices, distances
