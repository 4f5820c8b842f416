"""The functions of example-host on partitions of the samples.

Work sent to a worker runs in another thread or process, where the dispatcher cannot know that a call of the host's
function comes from this backend. It therefore calls the host's undecorated function, ``function.__wrapped__``: calling
the decorated one could send the work to a cluster again, and so on without end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import example_host
import numpy as np
from example_host import GroupSummary
from example_host.validation import as_groups, as_matrix, check_choice, check_components, feature_sets

from example_dask.cluster import get_client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, Literal

    from distributed import Client, Future
    from numpy.typing import ArrayLike, NDArray

    type Matrix = NDArray[np.float64]

__all__ = ["compute_score", "embed", "summarize"]

_host_compute_score: Callable[..., Any] = example_host.compute_score.__wrapped__
_host_summarize: Callable[..., Any] = example_host.summarize.__wrapped__


def compute_score(
    data: ArrayLike,
    features: ArrayLike | None = None,
    *,
    control: ArrayLike | None = None,
    method: Literal["mean", "zscore"] = "mean",
    copy: bool = True,  # noqa: ARG001 - No partition is overwritten, so there is nothing to do for either value.
    n_partitions: int | None = None,
) -> Matrix:
    """Score each sample by a feature set, a partition of the samples at a time.

    Parameters
    ----------
    data, features, control, method
        As in the host.
    copy
        Without effect: the data are never overwritten.
    n_partitions : int, optional
        Number of partitions, at most one for each sample. By default one for each thread
        of the cluster.
    """
    matrix = as_matrix(data)
    scored, controls = feature_sets(features, control, matrix.shape[1])
    check_choice(method, ("mean", "zscore"), "method")
    client = get_client()
    parts = _scatter(client, matrix, n_partitions)
    if method == "zscore":
        parts = _standardize(client, parts, scale=True)
    return np.concatenate(_run(client, _host_compute_score, parts, features=scored, control=controls))


def embed(data: ArrayLike, n_components: int = 2, *, scale: bool = False, n_partitions: int | None = None) -> Matrix:
    """Embed the samples by principal component analysis, a partition of the samples at a time.

    Each partition is reduced to the triangular factor of its QR decomposition. These factors together have the
    principal components of the whole data.

    Parameters
    ----------
    data, n_components, scale
        As in the host.
    n_partitions : int, optional
        Number of partitions, at most one for each sample. By default one for each thread
        of the cluster.
    """
    matrix = as_matrix(data)
    check_components(n_components, matrix.shape)
    client = get_client()
    parts = _standardize(client, _scatter(client, matrix, n_partitions), scale=scale)
    factors = np.concatenate(_run(client, np.linalg.qr, parts, mode="r"))
    loadings = np.linalg.svd(factors, full_matrices=False).Vh[:n_components]
    largest = np.abs(loadings).argmax(axis=1)
    signs = np.where(loadings[np.arange(n_components), largest] < 0, -1.0, 1.0)
    return np.concatenate(_run(client, np.matmul, parts, (loadings * signs[:, np.newaxis]).T))


def summarize(data: ArrayLike, groups: ArrayLike, *, ddof: int = 0, n_partitions: int | None = None) -> GroupSummary:
    """Summarize each feature within each group of samples, a partition of the samples at a time.

    Parameters
    ----------
    data, groups, ddof
        As in the host.
    n_partitions : int, optional
        Number of partitions, at most one for each sample. By default one for each thread
        of the cluster.
    """
    matrix = as_matrix(data)
    labels, codes = as_groups(groups, len(matrix))
    client = get_client()
    parts = _scatter(client, matrix, n_partitions)
    codes_of_parts = np.array_split(codes, len(parts))
    summaries = client.gather(client.map(_host_summarize, parts, codes_of_parts, pure=False))
    total = _Moments.none(len(labels), matrix.shape[1])
    for part in summaries:
        total = total.with_groups(part)
    degrees = total.size - ddof
    variance = np.where(degrees > 0, total.squares / np.maximum(degrees, 1), np.nan)
    return GroupSummary(groups=labels, size=total.size[:, 0], mean=total.mean, std=np.sqrt(variance))


class _Moments(NamedTuple):
    """Size, mean and sum of squared deviations of each feature in each group; groups of several parts can be merged."""

    size: NDArray[np.intp]
    mean: Matrix
    squares: Matrix

    @classmethod
    def none(cls, n_groups: int, n_features: int) -> _Moments:
        shape = (n_groups, n_features)
        return cls(np.zeros((n_groups, 1), dtype=np.intp), np.zeros(shape), np.zeros(shape))

    def with_groups(self, part: GroupSummary) -> _Moments:
        """Merge the groups that the part has; the update of Chan, Golub and LeVeque does not cancel digits."""
        here = part.groups  # The labels in a part are the codes of its groups.
        size, mean, squares = self.size.copy(), self.mean.copy(), self.squares.copy()
        old, new = self.size[here], part.size[:, np.newaxis]
        both = old + new
        step = part.mean - self.mean[here]
        size[here] = both
        mean[here] += step * new / both
        squares[here] += part.std**2 * new + step**2 * old * new / both
        return _Moments(size, mean, squares)


def _scatter(client: Client, matrix: Matrix, n_partitions: int | None) -> list[Future[Any]]:
    """Send the partitions to the cluster, where they stay until the futures are gone."""
    if n_partitions is None:
        n_partitions = sum(client.nthreads().values())
    if n_partitions < 1:
        raise ValueError(f"n_partitions must be at least 1, got {n_partitions}")
    # Without hashing, which would take longer than the work.
    futures: list[Future[Any]] = client.scatter(np.array_split(matrix, min(n_partitions, len(matrix))), hash=False)
    return futures


def _run(
    client: Client, function: Callable[..., Any], parts: Iterable[Future[Any]], *args: Any, **options: Any
) -> list[Any]:
    """Call the function on each partition and return the results."""
    futures = [client.submit(function, part, *args, **options, pure=False) for part in parts]
    results: list[Any] = client.gather(futures)
    return results


def _standardize(client: Client, parts: list[Future[Any]], *, scale: bool) -> list[Future[Any]]:
    """Shift the features to mean 0, and on request to standard deviation 1, leaving the results on the cluster."""
    moments = _run(client, _part_moments, parts)
    size = sum(part[0] for part in moments)
    mean = sum(part[0] * part[1] for part in moments) / size
    divisor = None
    if scale:
        variance = sum(part[2] + part[0] * (part[1] - mean) ** 2 for part in moments) / size
        constant = np.min([part[3] for part in moments], axis=0) == np.max([part[4] for part in moments], axis=0)
        divisor = np.where(constant, 1.0, np.sqrt(variance))
    return [client.submit(_shift_and_scale, part, mean, divisor, pure=False) for part in parts]


def _part_moments(part: Matrix) -> tuple[int, Matrix, Matrix, Matrix, Matrix]:
    mean = part.mean(axis=0)
    return len(part), mean, ((part - mean) ** 2).sum(axis=0), part.min(axis=0), part.max(axis=0)


def _shift_and_scale(part: Matrix, mean: Matrix, divisor: Matrix | None) -> Matrix:
    return part - mean if divisor is None else (part - mean) / divisor
