"""Checks of arguments, public so that a backend refuses what the host refuses, in the same words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import ArrayLike, NDArray

__all__ = ["as_groups", "as_indices", "as_matrix", "check_choice", "check_components", "feature_sets"]


def as_matrix(data: ArrayLike) -> NDArray[np.float64]:
    """Return finite data as a matrix of double precision, without a copy where it is one already.

    Raises
    ------
    ValueError
        If the data have not two dimensions, are empty, or contain NaN or infinity.
    """
    matrix = np.asarray(data, dtype=np.float64)
    if matrix.ndim != 2:
        raise ValueError(f"data must have two dimensions (samples x features), got {matrix.ndim}")
    if 0 in matrix.shape:
        raise ValueError(f"data must have at least one sample and one feature, got shape {matrix.shape}")
    if not np.isfinite(matrix).all():
        raise ValueError("data must be finite, but contain NaN or infinity: impute or leave out these values first")
    return matrix


def as_indices(indices: ArrayLike, length: int, what: str) -> NDArray[np.intp]:
    """Return distinct indices from 0 to ``length - 1``, in the order given.

    Raises
    ------
    ValueError
        If an index is no integer, is out of range (some array libraries would clamp it in silence), or is repeated.
    """
    array = np.asarray(indices)
    if array.size == 0:
        return np.empty(0, dtype=np.intp)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise ValueError(f"{what} must be a sequence of integer indices")
    if array.min() < 0 or array.max() >= length:
        raise ValueError(f"{what} must be indices from 0 to {length - 1}, got {array.min()} to {array.max()}")
    if np.unique(array).size < array.size:
        raise ValueError(f"{what} must not name an index twice")
    return array.astype(np.intp)


def feature_sets(
    features: ArrayLike | None, control: ArrayLike | None, n_features: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the scored and the control features, defaults filled in.

    Raises
    ------
    ValueError
        If either is not a sequence of valid indices, or no feature is to be scored.
    """
    everything = np.arange(n_features)
    scored = everything if features is None else as_indices(features, n_features, "features")
    if scored.size == 0:
        raise ValueError("features must name at least one feature")
    if control is None:
        return scored, np.setdiff1d(everything, scored)
    return scored, as_indices(control, n_features, "control")


def as_groups(groups: ArrayLike, n_samples: int) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Return the sorted labels, and for each sample the position of its label among them.

    Raises
    ------
    ValueError
        If there is not exactly one label for each sample.
    """
    array = np.asarray(groups)
    if array.shape != (n_samples,):
        raise ValueError(f"groups must give one label for each of the {n_samples} samples, got shape {array.shape}")
    labels, codes = np.unique(array, return_inverse=True)
    return labels, codes.astype(np.intp)


def check_choice(value: str, choices: Sequence[str], what: str) -> None:
    """Refuse a value that is not among the choices.

    Raises
    ------
    ValueError
        If it is not.
    """
    if value not in choices:
        raise ValueError(f"{what} must be one of {', '.join(map(repr, choices))}, got {value!r}")


def check_components(n_components: int, shape: tuple[int, ...]) -> None:
    """Refuse a number of components that a matrix of this shape does not have.

    Raises
    ------
    ValueError
        If the number is not from 1 to the smaller side of the matrix.
    """
    if not 1 <= n_components <= min(shape):
        raise ValueError(f"n_components must be from 1 to {min(shape)} for data of shape {shape}, got {n_components}")
