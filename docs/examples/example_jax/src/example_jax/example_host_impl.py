"""The functions of example-host in JAX.

Each public function checks its arguments as the host does, and hands arrays to a compiled function of the same name.
JAX compiles anew for each new shape of the data, so the first call takes longer than the ones after it.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from example_host import GroupSummary
from example_host.validation import as_groups, as_matrix, check_choice, check_components, feature_sets

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from typing import Literal

    from numpy.typing import ArrayLike, NDArray

__all__ = ["MAX_EMBED_FEATURES", "compute_score", "embed", "summarize"]

#: `embed` builds a features x features matrix on the device: 128 MiB at this size, and the time grows with the cube.
MAX_EMBED_FEATURES = 4096


def compute_score(
    data: ArrayLike,
    features: ArrayLike | None = None,
    *,
    control: ArrayLike | None = None,
    method: Literal["fast", "zscore"] = "fast",
    copy: bool = True,  # noqa: ARG001 - JAX never writes into its input, so there is nothing to do for either value.
    batch_size: int | None = None,
    precision: Literal["double", "single"] = "double",
) -> NDArray[np.float64]:
    """Score each sample by a feature set, compiled by JAX.

    Parameters
    ----------
    data, features, control, method
        As in the host.
    copy
        Without effect: the data are copied to the device, and never overwritten.
    batch_size : int or None
        Samples that are scored at once. Smaller batches need less memory; None scores all samples
        at once.
    precision : {'double', 'single'}
        Precision of the computation. Single halves the memory, and is the fast one on most
        accelerators.
    """
    matrix = as_matrix(data)
    scored, controls = feature_sets(features, control, matrix.shape[1])
    check_choice(method, ("fast", "zscore"), "method")
    if batch_size is not None and batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    with _precision(precision):
        on_device = jnp.asarray(matrix)
        return _on_host(_compute_score(on_device, scored, controls, method=method, batch_size=batch_size))


def embed(
    data: ArrayLike, n_components: int = 2, *, scale: bool = False, precision: Literal["double", "single"] = "double"
) -> NDArray[np.float64]:
    """Embed the samples by principal component analysis, compiled by JAX.

    Parameters
    ----------
    data, n_components, scale
        As in the host. At most 4096 features.
    precision : {'double', 'single'}
        Precision of the computation. Single halves the memory, and is the fast one on most
        accelerators.
    """
    matrix = as_matrix(data)
    check_components(n_components, matrix.shape)
    with _precision(precision):
        return _on_host(_embed(jnp.asarray(matrix), n_components=n_components, scale=scale))


def _can_embed(data: ArrayLike, *_: object, **__: object) -> bool | str:
    """Say whether `embed` takes these data; what is no matrix it takes, to refuse it with the host's message."""
    try:
        shape = np.shape(data)
    except ValueError:  # Rows of different lengths.
        return True
    if len(shape) != 2 or shape[1] <= MAX_EMBED_FEATURES:
        return True
    return f"embed on JAX handles at most {MAX_EMBED_FEATURES} features, got {shape[1]}; select the features first"


# The dispatcher asks it before it calls `embed`. A type checker cannot know of an attribute that a function is given.
embed.can_run = _can_embed  # type: ignore[attr-defined]  # Functions may carry attributes.


def summarize(
    data: ArrayLike, groups: ArrayLike, *, ddof: int = 0, precision: Literal["double", "single"] = "double"
) -> GroupSummary:
    """Summarize each feature within each group of samples, compiled by JAX.

    Parameters
    ----------
    data, groups, ddof
        As in the host.
    precision : {'double', 'single'}
        Precision of the computation. Single halves the memory, and is the fast one on most
        accelerators.
    """
    matrix = as_matrix(data)
    labels, codes = as_groups(groups, len(matrix))
    size = np.bincount(codes).astype(np.intp)
    with _precision(precision):
        mean, std = _summarize(jnp.asarray(matrix), codes, size, ddof, n_groups=len(labels))
        return GroupSummary(groups=labels, size=size, mean=_on_host(mean), std=_on_host(std))


def _precision(precision: str) -> AbstractContextManager[object]:
    """Switch double precision on or off in this thread only: JAX's global setting belongs to the user."""
    check_choice(precision, ("double", "single"), "precision")
    switch: AbstractContextManager[object] = jax.enable_x64(precision == "double")
    return switch


def _on_host(array: jax.Array) -> NDArray[np.float64]:
    return np.asarray(array, dtype=np.float64)


def _standardized(centred: jax.Array) -> jax.Array:
    constant = jnp.ptp(centred, axis=0) == 0
    standardized: jax.Array = jnp.where(constant, 0, centred / jnp.where(constant, 1, centred.std(axis=0)))
    return standardized


@partial(jax.jit, static_argnames=("method", "batch_size"))
def _compute_score(
    matrix: jax.Array, scored: jax.Array, controls: jax.Array, *, method: str, batch_size: int | None
) -> jax.Array:
    if method == "zscore":
        matrix = _standardized(matrix - matrix.mean(axis=0))

    def score_of(sample: jax.Array) -> jax.Array:
        score: jax.Array = sample[scored].mean()
        return score - sample[controls].mean() if controls.size else score

    scores: jax.Array = jax.lax.map(score_of, matrix, batch_size=batch_size or len(matrix))
    return scores


@partial(jax.jit, static_argnames=("n_components", "scale"))
def _embed(matrix: jax.Array, *, n_components: int, scale: bool) -> jax.Array:
    centred = matrix - matrix.mean(axis=0)
    if scale:
        centred = _standardized(centred)
    # Eigenvectors come with ascending eigenvalues, one in each column.
    loadings: jax.Array = jnp.linalg.eigh(centred.T @ centred).eigenvectors[:, ::-1][:, :n_components]
    largest = jnp.abs(loadings).argmax(axis=0)
    signs = jnp.where(loadings[largest, jnp.arange(n_components)] < 0, -1, 1)
    return centred @ (loadings * signs)


@partial(jax.jit, static_argnames="n_groups")
def _summarize(
    matrix: jax.Array, codes: jax.Array, size: jax.Array, ddof: int, *, n_groups: int
) -> tuple[jax.Array, jax.Array]:
    mean = jax.ops.segment_sum(matrix, codes, n_groups) / size[:, None]
    squares = jax.ops.segment_sum((matrix - mean[codes]) ** 2, codes, n_groups)
    degrees = (size - ddof)[:, None]
    return mean, jnp.where(degrees > 0, jnp.sqrt(squares / jnp.maximum(degrees, 1)), jnp.nan)
