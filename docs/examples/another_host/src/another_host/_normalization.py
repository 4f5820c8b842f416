"""Samples on one scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from another_host._backends import backend_dispatch

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@backend_dispatch
def normalize(data: ArrayLike, *, total: float = 1.0) -> NDArray[np.float64]:
    """Scale each sample so that its values add up to the same total.

    Parameters
    ----------
    data : array_like, shape (n_samples, n_features)
        Values of at least 0.
    total : float
        What the values of each sample add up to. A sample of zeros stays as it is.

    Returns
    -------
    numpy.ndarray, shape (n_samples, n_features)
        The scaled samples.

    Raises
    ------
    ValueError
        If a value is negative.

    Examples
    --------
    >>> import another_host as ah
    >>> ah.normalize([[1, 3], [0, 0]], total=100.0)
    array([[25., 75.],
           [ 0.,  0.]])
    """
    matrix = np.asarray(data, dtype=np.float64)
    if (matrix < 0).any():
        raise ValueError("data must not have negative values")
    sums = matrix.sum(axis=1, keepdims=True)
    return matrix * (total / np.where(sums == 0, 1, sums))
