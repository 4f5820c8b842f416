"""One number for each sample: how much of a feature set it shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from example_host._backends import backend_dispatch
from example_host._scaling import spread
from example_host.validation import as_matrix, check_choice, feature_sets

if TYPE_CHECKING:
    from typing import Literal

    from numpy.typing import ArrayLike, NDArray


@backend_dispatch
def compute_score(
    data: ArrayLike,
    features: ArrayLike | None = None,
    *,
    control: ArrayLike | None = None,
    method: Literal["fast", "zscore"] = "fast",
    copy: bool = True,
) -> NDArray[np.float64]:
    """Score each sample by a feature set.

    The score is the mean of the sample's values in the set minus the mean of its values in a control set, which takes
    away what all features of the sample share, such as its sequencing depth or its brightness.

    Parameters
    ----------
    data : array_like, shape (n_samples, n_features)
        Finite values.
    features : array_like of int, optional
        Indices of the features in the set. All features by default.
    control : array_like of int, optional
        Indices of the control features. By default those outside the set; an empty control subtracts nothing.
    method : {'fast', 'zscore'}
        With 'fast', features count as they are. With 'zscore', each is first shifted and scaled to mean 0 and standard
        deviation 1, so that none dominates. A constant feature becomes 0.
    copy : bool
        With False, ``method="zscore"`` may overwrite `data` to save memory.

    Returns
    -------
    numpy.ndarray, shape (n_samples,)
        The scores.

    Raises
    ------
    ValueError
        If the data are not a finite matrix, or `features`, `control` or `method` are not as described.

    Examples
    --------
    >>> import example_host as eh
    >>> eh.compute_score([[4.0, 2.0, 1.0, 1.0], [0.0, 0.0, 2.0, 4.0]], features=[0, 1])
    array([ 2., -3.])
    """
    matrix = as_matrix(data)
    scored, controls = feature_sets(features, control, matrix.shape[1])
    check_choice(method, ("fast", "zscore"), "method")
    if method == "zscore":
        mean, scale = matrix.mean(axis=0), spread(matrix)
        matrix = np.subtract(matrix, mean, out=None if copy else matrix)
        matrix /= scale
    score = matrix[:, scored].mean(axis=1)
    return score - matrix[:, controls].mean(axis=1) if controls.size else score
