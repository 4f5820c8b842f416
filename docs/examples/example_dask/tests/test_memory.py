"""Four gigabytes on two workers that may use one gigabyte each."""

from __future__ import annotations

import os
import resource
from functools import cache

import dask.array as da
import example_host as eh
import numpy as np
from distributed import Client, LocalCluster
from example_host.testing import assert_close

SAMPLES, FEATURES, ROWS = 2_000_000, 250, 25_000
COMPONENTS = 3
LIMIT = 2**30


@cache
def pattern():
    """Return what all chunks are multiples of, so that what is to come out is known from this one."""
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(COMPONENTS, FEATURES)) * [[3], [2], [1]]
    return rng.normal(size=(ROWS, FEATURES)) + rng.normal(size=(ROWS, COMPONENTS)) @ directions + 1


def chunk(block_id):
    return pattern() * factor(block_id[0])


def factor(number):
    return 1 + number / 100


def peak() -> int:
    """Return the most memory that this process ever held, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def expected():
    """Return the variances along the components, and the coordinates in the first chunk."""
    factors = factor(np.arange(SAMPLES // ROWS))
    mean = factors.mean() * pattern().mean(axis=0)
    products = (factors**2).mean() * (pattern().T @ pattern() / ROWS)
    variances, axes = np.linalg.eigh(products - np.outer(mean, mean))
    axes = axes[:, ::-1][:, :COMPONENTS]
    axes *= np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(COMPONENTS)])
    return variances[::-1][:COMPONENTS], (chunk((0, 0)) - mean) @ axes


def test_data_that_no_worker_could_hold() -> None:
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, memory_limit=LIMIT, dashboard_address="127.0.0.1:0") as workers,
        Client(workers) as client,
    ):
        processes = client.run(os.getpid)
        data = da.map_blocks(chunk, chunks=((ROWS,) * (SAMPLES // ROWS), FEATURES), meta=np.empty((0, 0)))
        assert data.nbytes == 4_000_000_000
        coordinates = eh.embed(data, n_components=COMPONENTS, backend="dask").persist()
        variances, first = coordinates.var(axis=0).compute(), coordinates[:ROWS].compute()
        peaks = client.run(peak)
        # No worker was ended for its memory, and started again.
        assert client.run(os.getpid) == processes
    assert max(peaks.values()) < LIMIT
    for actual, right in zip((variances, first), expected(), strict=True):
        assert_close(actual, right, 1e-6)
