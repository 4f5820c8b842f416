"""Statistics of each group of samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from example_host._backends import backend_dispatch
from example_host.validation import as_groups, as_matrix

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class GroupSummary(NamedTuple):
    """What `summarize` returns; the groups are in the order of their labels."""

    groups: NDArray[Any]
    """The distinct labels, shape (n_groups,)."""
    size: NDArray[np.intp]
    """Number of samples of each group, shape (n_groups,)."""
    mean: NDArray[np.float64]
    """Mean of each feature in each group, shape (n_groups, n_features)."""
    std: NDArray[np.float64]
    """Standard deviation likewise; NaN where a group has no more than `ddof` samples."""


@backend_dispatch
def summarize(data: ArrayLike, groups: ArrayLike, *, ddof: int = 0) -> GroupSummary:
    """Summarize each feature within each group of samples.

    Parameters
    ----------
    data : array_like, shape (n_samples, n_features)
        Finite values.
    groups : array_like, shape (n_samples,)
        The label of each sample.
    ddof : int
        The standard deviation divides by the size of the group minus this number.

    Returns
    -------
    GroupSummary
        Labels, sizes, means and standard deviations.

    Raises
    ------
    ValueError
        If the data are not a finite matrix, or there is not one label for each sample.

    Examples
    --------
    >>> import example_host as eh
    >>> eh.summarize([[1.0], [3.0], [8.0]], groups=["a", "a", "b"]).mean
    array([[2.],
           [8.]])
    """
    matrix = as_matrix(data)
    labels, codes = as_groups(groups, len(matrix))
    members = [matrix[codes == code] for code in range(len(labels))]
    undefined = np.full(matrix.shape[1], np.nan)
    return GroupSummary(
        groups=labels,
        size=np.bincount(codes).astype(np.intp),
        mean=np.stack([part.mean(axis=0) for part in members]),
        std=np.stack([part.std(axis=0, ddof=ddof) if len(part) > ddof else undefined for part in members]),
    )
