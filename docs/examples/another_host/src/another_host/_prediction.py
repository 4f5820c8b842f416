"""The nearest of some centres."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from another_host._backends import backend_dispatch

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@backend_dispatch
def predict(data: ArrayLike, centers: ArrayLike) -> NDArray[np.intp]:
    """Find the nearest centre of each sample.

    Parameters
    ----------
    data : array_like, shape (n_samples, n_features)
        The samples.
    centers : array_like, shape (n_centers, n_features)
        The centres.

    Returns
    -------
    numpy.ndarray, shape (n_samples,)
        The position of the nearest centre; the first one of several that are equally near.

    Examples
    --------
    >>> import another_host as ah
    >>> ah.predict([[0.0, 1.0], [9.0, 9.0]], centers=[[0.0, 0.0], [10.0, 10.0]])
    array([0, 1])
    """
    samples, others = np.asarray(data, dtype=np.float64), np.asarray(centers, dtype=np.float64)
    return np.square(samples[:, np.newaxis] - others).sum(axis=2).argmin(axis=1)
