"""The functions of example-host on chunks of the samples.

Each function first reduces the chunks to something small, in a tree of merged results, and looks only at that. Then it
maps a function over the chunks. What is big stays where it is: given a NumPy array, the result is one too; given a Dask
array, the result is a Dask array that nothing has computed yet.

Work sent to a worker runs in another thread or process, where the dispatcher cannot know that a call of the host's
function comes from this backend. It therefore calls the host's undecorated function, ``function.__wrapped__``: calling
the decorated one could send the work to a cluster again, and so on without end.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import dask.array as da
import example_host
import numpy as np
from dask.delayed import delayed
from example_host import GroupSummary
from example_host.validation import as_groups, as_matrix, check_choice, check_components, feature_sets

from example_dask.cluster import Run, obstacle, on_cluster

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Literal

    from numpy.typing import ArrayLike, NDArray

    type Matrix = NDArray[np.float64]
    type Data = ArrayLike | da.Array

__all__ = ["MIN_VALUES", "compute_score", "embed", "summarize"]

#: Fewer values than these are not worth sending: see the scaling table of the documentation.
MIN_VALUES = 1_000_000

#: How many results are merged at once.
_FAN_IN = 8

_host_compute_score: Callable[..., Any] = example_host.compute_score.__wrapped__
_host_summarize: Callable[..., Any] = example_host.summarize.__wrapped__


def compute_score(
    data: Data,
    features: ArrayLike | None = None,
    *,
    control: ArrayLike | None = None,
    method: Literal["fast", "zscore"] = "fast",
    copy: bool = True,  # noqa: ARG001 - No chunk is overwritten, so there is nothing to do for either value.
    n_partitions: int | None = None,
    progress: bool = False,
) -> Matrix | da.Array:
    """Score each sample by a feature set, a chunk of the samples at a time.

    Parameters
    ----------
    data, features, control, method
        As in the host. The data may be a Dask array; so is the result then.
    copy
        Without effect: the data are never overwritten.
    n_partitions : int, optional
        Number of chunks, at most one for each sample. By default those of a Dask array, and
        for other data one for each thread of the cluster.
    progress : bool
        Show Dask's progress bar.
    """

    def work(run: Run) -> Matrix | da.Array:
        matrix = _chunked(run, data, n_partitions)
        scored, controls = feature_sets(features, control, matrix.shape[1])
        check_choice(method, ("fast", "zscore"), "method")
        score = partial(_score, features=scored, control=controls)
        if method == "zscore":
            score = partial(score, moments=run.compute(_moments(matrix, _lengths)))
        return _returned(run, data, da.map_blocks(score, matrix, drop_axis=1, meta=np.empty(0)))

    return on_cluster(work, data, show_progress=progress)


def embed(
    data: Data,
    n_components: int = 2,
    *,
    scale: bool = False,
    n_partitions: int | None = None,
    progress: bool = False,
) -> Matrix | da.Array:
    """Embed the samples by principal component analysis, a chunk of the samples at a time.

    Each chunk is reduced to the triangular factor of its QR decomposition. These factors together have the principal
    components of the whole data.

    Parameters
    ----------
    data, n_components, scale
        As in the host. The data may be a Dask array; so is the result then.
    n_partitions : int, optional
        Number of chunks, at most one for each sample. By default those of a Dask array, and
        for other data one for each thread of the cluster.
    progress : bool
        Show Dask's progress bar.
    """

    def work(run: Run) -> Matrix | da.Array:
        matrix = _chunked(run, data, n_partitions)
        check_components(n_components, matrix.shape)
        moments = run.compute(_moments(matrix, _triangle))
        spread = moments.spread if scale else np.ones(matrix.shape[1])
        loadings = np.linalg.svd(moments.rows / spread, full_matrices=False).Vh[:n_components]
        largest = np.abs(loadings).argmax(axis=1)
        signs = np.where(loadings[np.arange(n_components), largest] < 0, -1.0, 1.0)
        axes = (loadings * signs[:, np.newaxis] / spread).T
        project = partial(_project, mean=moments.mean, axes=axes)
        chunks = (matrix.chunks[0], (n_components,))
        return _returned(run, data, da.map_blocks(project, matrix, chunks=chunks, meta=np.empty((0, 0))))

    return on_cluster(work, data, show_progress=progress)


def summarize(
    data: Data,
    groups: Data,
    *,
    ddof: int = 0,
    n_partitions: int | None = None,
    progress: bool = False,
) -> GroupSummary:
    """Summarize each feature within each group of samples, a chunk of the samples at a time.

    Parameters
    ----------
    data, groups, ddof
        As in the host. Each may be a Dask array; the result is small, and consists of NumPy
        arrays.
    n_partitions : int, optional
        Number of chunks, at most one for each sample. By default those of a Dask array, and
        for other data one for each thread of the cluster.
    progress : bool
        Show Dask's progress bar.
    """

    def work(run: Run) -> GroupSummary:
        matrix = _chunked(run, data, n_partitions)
        rows = matrix.chunks[0]
        labels = groups if isinstance(groups, da.Array) else np.asarray(groups)
        _check_sizes(labels, "groups")
        if labels.shape != matrix.shape[:1]:
            as_groups(np.broadcast_to(0, labels.shape), len(matrix))  # Raises, in the host's words.
        labels = labels.rechunk((rows,)) if isinstance(labels, da.Array) else run.scatter(labels, rows)
        both = zip(_chunks(matrix), labels.to_delayed(), strict=True)
        parts = [delayed(_host_summarize)(chunk, some) for chunk, some in both]
        total: GroupSummary = run.compute(_tree(_merged_summaries, parts))
        degrees = (total.size - ddof)[:, np.newaxis]
        variance = np.where(degrees > 0, _squares(total) / np.maximum(degrees, 1), np.nan)
        return total._replace(std=np.sqrt(variance))

    return on_cluster(work, data, show_progress=progress)


def _can_run(data: Data, *_: object, **__: object) -> bool | str:
    """Say whether there can be a cluster, and whether it is worth it."""
    if (reason := obstacle()) is not None:
        return f"{reason}; the host computes right there"
    # An order of preference asks for what serves best; a single name is followed. What runs inside a call, this
    # function included, sees the selection of the call, and an order is a tuple.
    if isinstance(data, da.Array) or not isinstance(example_host.settings.backend, tuple):
        return True
    try:
        size = np.size(data)
    except ValueError:
        return True  # Rows of different lengths, which are refused with the host's message.
    if size >= MIN_VALUES:
        return True
    return f"{size:,} values are too few to be worth a cluster (from {MIN_VALUES:,} on, or with backend='dask' alone)"


# The dispatcher asks it before it calls. A type checker cannot know of an attribute that a function is given.
for _function in (compute_score, embed, summarize):
    _function.can_run = _can_run  # type: ignore[union-attr]  # Functions may carry attributes.


# -- chunks ------------------------------------------------------------------------------------------------------------


def _chunked(run: Run, data: Data, n_partitions: int | None) -> da.Array:
    """Return the data as a Dask array whose chunks hold whole samples, at least one each."""
    if n_partitions is not None and n_partitions < 1:
        raise ValueError(f"n_partitions must be at least 1, got {n_partitions}")
    matrix = data if isinstance(data, da.Array) else np.asarray(data, dtype=np.float64)
    _check_sizes(matrix, "data")
    if len(matrix.shape) != 2 or 0 in matrix.shape:
        as_matrix(np.broadcast_to(0.0, matrix.shape))  # Raises, in the host's words.
    if isinstance(matrix, da.Array) and n_partitions is None:
        rows = [size for size in matrix.chunks[0] if size]
    else:
        number = min(n_partitions or sum(run.client.nthreads().values()), len(matrix))
        rows = np.diff(np.linspace(0, len(matrix), number + 1, dtype=int)).tolist()
    if isinstance(matrix, da.Array):
        chunked: da.Array = matrix.rechunk((tuple(rows), matrix.shape[1]))
        return chunked
    return run.scatter(matrix, rows)


def _check_sizes(array: NDArray[Any] | da.Array, what: str) -> None:
    """Refuse a Dask array of which nobody knows yet how long its chunks are, as a selection of samples gives it."""
    if np.isnan(array.shape).any():
        raise ValueError(f"{what} must know the sizes of their chunks: call {what}.compute_chunk_sizes() first")


def _chunks(matrix: da.Array) -> list[Any]:
    return list(matrix.to_delayed()[:, 0])


def _tree(merge: Callable[[list[Any]], Any], parts: list[Any]) -> Any:
    """Merge delayed parts a few at a time, so that no worker ever holds all of them."""
    while len(parts) > 1:
        parts = [delayed(merge)(parts[start : start + _FAN_IN]) for start in range(0, len(parts), _FAN_IN)]
    return parts[0]


def _returned(run: Run, data: Data, result: da.Array) -> Matrix | da.Array:
    """Return a result as the data were given: left on the cluster, or gathered."""
    if isinstance(data, da.Array):
        return result
    gathered: Matrix = run.compute(result)
    return gathered


def _score(block: Matrix, *, moments: _Moments | None = None, **sets: Any) -> Matrix:
    matrix = as_matrix(block)
    score: Matrix = _host_compute_score(matrix if moments is None else moments.standardize(matrix), **sets)
    return score


def _project(block: Matrix, *, mean: Matrix, axes: Matrix) -> Matrix:
    projected: Matrix = (as_matrix(block) - mean) @ axes
    return projected


# -- mean, spread and inner products of the features -------------------------------------------------------------------


class _Moments(NamedTuple):
    """What is known of the features in some of the samples; that of several parts can be merged."""

    size: int
    mean: Matrix
    rows: Matrix
    """A few rows instead of the centred samples: their columns have the same lengths, or the same inner products."""
    low: Matrix
    high: Matrix

    @property
    def spread(self) -> Matrix:
        """The standard deviation of each feature, 1 for a constant one."""
        return np.where(self.low == self.high, 1.0, _lengths(self.rows)[0] / np.sqrt(self.size))

    def standardize(self, matrix: Matrix) -> Matrix:
        """Return samples with the features shifted to mean 0 and scaled to standard deviation 1."""
        return (matrix - self.mean) / self.spread


def _lengths(rows: Matrix) -> Matrix:
    """Return one row with the length of each column."""
    return np.sqrt(np.square(rows).sum(axis=0, keepdims=True))


def _triangle(rows: Matrix) -> Matrix:
    """Return no more rows than columns, whose columns have the same lengths and angles."""
    return np.linalg.qr(rows, mode="r")


def _moments(matrix: da.Array, condense: Callable[[Matrix], Matrix]) -> Any:
    parts = [delayed(_moments_of)(chunk, condense) for chunk in _chunks(matrix)]
    return _tree(partial(_merged_moments, condense=condense), parts)


def _moments_of(block: Matrix, condense: Callable[[Matrix], Matrix]) -> _Moments:
    matrix = as_matrix(block)
    mean = matrix.mean(axis=0)
    return _Moments(len(matrix), mean, condense(matrix - mean), matrix.min(axis=0), matrix.max(axis=0))


def _merged_moments(parts: list[_Moments], condense: Callable[[Matrix], Matrix]) -> _Moments:
    size = sum(part.size for part in parts)
    mean = np.sum([part.size * part.mean for part in parts], axis=0) / size
    # A part's samples around the common mean: around their own, and one row for the step from one mean to the other.
    rows = [row for part in parts for row in (part.rows, np.sqrt(part.size) * (part.mean - mean)[np.newaxis])]
    low = np.minimum.reduce([part.low for part in parts])
    high = np.maximum.reduce([part.high for part in parts])
    return _Moments(size, mean, condense(np.concatenate(rows)), low, high)


# -- groups ------------------------------------------------------------------------------------------------------------


def _squares(summary: GroupSummary) -> Matrix:
    """Return the sums of squared deviations from the mean; a part's standard deviations divide by its size."""
    squares: Matrix = summary.std**2 * summary.size[:, np.newaxis]
    return squares


def _merged_summaries(parts: list[GroupSummary]) -> GroupSummary:
    """Merge parts that may have different groups; the update of Chan, Golub and LeVeque does not cancel digits."""
    labels = np.unique(np.concatenate([part.groups for part in parts]))
    shape = (len(labels), parts[0].mean.shape[1])
    size, mean, squares = np.zeros((len(labels), 1), dtype=np.intp), np.zeros(shape), np.zeros(shape)
    for part in parts:
        here = np.searchsorted(labels, part.groups)
        old, new = size[here], part.size[:, np.newaxis]
        step = part.mean - mean[here]
        size[here] = old + new
        mean[here] += step * new / (old + new)
        squares[here] += _squares(part) + step**2 * old * new / (old + new)
    return GroupSummary(groups=labels, size=size[:, 0], mean=mean, std=np.sqrt(squares / size))
