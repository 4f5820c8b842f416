"""Few coordinates that keep most of the variance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from example_host._backends import backend_dispatch
from example_host._scaling import spread
from example_host.validation import as_matrix, check_components

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@backend_dispatch
def embed(data: ArrayLike, n_components: int = 2, *, scale: bool = False) -> NDArray[np.float64]:
    """Embed the samples by principal component analysis.

    Parameters
    ----------
    data : array_like, shape (n_samples, n_features)
        Finite values.
    n_components : int
        Number of coordinates, at most the smaller side of the data.
    scale : bool
        Scale each feature to standard deviation 1 first. A constant feature is 0 either way.

    Returns
    -------
    numpy.ndarray, shape (n_samples, n_components)
        The coordinates, the one with the largest variance first. Signs are fixed: in each
        component the loading with the largest absolute value is positive.

    Raises
    ------
    ValueError
        If the data are not a finite matrix or do not have that many components.

    Examples
    --------
    >>> import example_host as eh
    >>> eh.embed([[0.0, 1.0], [1.0, 1.0], [5.0, 1.0]], n_components=1)
    array([[-2.],
           [-1.],
           [ 3.]])
    """
    matrix = as_matrix(data)
    check_components(n_components, matrix.shape)
    centred = matrix - matrix.mean(axis=0)
    if scale:
        centred /= spread(matrix)
    loadings = np.linalg.svd(centred, full_matrices=False).Vh[:n_components]
    largest = np.abs(loadings).argmax(axis=1)
    signs = np.where(loadings[np.arange(n_components), largest] < 0, -1.0, 1.0)
    return centred @ (loadings * signs[:, np.newaxis]).T
