"""The cluster that does the work: the one where the data are, the user's own, or a small one that we start."""

from __future__ import annotations

import atexit
import os
import threading
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import TYPE_CHECKING

import dask.array as da
import numpy as np
from distributed import Client, LocalCluster, futures_of, get_worker, progress

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["ADDRESS_VARIABLE", "Run", "close", "get_client", "obstacle", "on_cluster"]

#: The environment variable with the address of a running cluster's scheduler.
ADDRESS_VARIABLE = "EXAMPLE_DASK_ADDRESS"

#: How often work is begun whose data are lost with a worker.
ATTEMPTS = 3

_PROCESS = os.getpid()
_lock = threading.Lock()
_client: Client | None = None
_cluster: LocalCluster | None = None


def get_client(data: object = None) -> Client:
    """Return the client of the cluster that works on some data.

    In this order: the client whose cluster holds the data already, the client that is current in this process, the
    cluster at the address in the environment variable ``EXAMPLE_DASK_ADDRESS`` (such as ``tcp://10.0.0.1:8786``), and
    a cluster that is started in threads of this process. Workers elsewhere need this package too.

    Parameters
    ----------
    data
        The data, which may be a Dask array.

    Returns
    -------
    distributed.Client
        The client. One that is made here never becomes the default client of the process, which belongs to the user.

    Raises
    ------
    OSError
        If nothing answers at the address.
    RuntimeError
        If the user's client is an asynchronous one.
    """
    global _client, _cluster  # noqa: PLW0603 - One cluster for the process is the point of this module.
    held = futures_of(data) if isinstance(data, da.Array) else []
    client: Client
    try:
        client = held[0].client if held else Client.current()
    except ValueError:
        pass  # The user has none.
    else:
        if client.asynchronous:
            raise RuntimeError(
                "The Dask client is asynchronous, and a plain call cannot wait for it. Connect a second one, "
                "`with Client(address):`, or use backend='cpu'."
            )
        return client
    with _lock:
        if _client is None or _client.status in ("closing", "closed"):
            address = os.environ.get(ADDRESS_VARIABLE, "").strip()
            if not address:
                # Threads share the data, and NumPy works in them in parallel; processes would need copies.
                # Port 0 is any that is free: other notebooks may have clusters too.
                _cluster = LocalCluster(
                    n_workers=1, processes=False, dashboard_address="127.0.0.1:0", silence_logs="ERROR"
                )
            _client = Client(address or _cluster, set_as_default=False, timeout="10s")
        return _client


@atexit.register
def close() -> None:
    """Disconnect, and end the cluster if we started it; the next call of a function starts anew."""
    global _client, _cluster  # noqa: PLW0603 - As above.
    with _lock:
        for owned in (_client, _cluster):
            if owned is not None:
                owned.close()
        _client = _cluster = None


def obstacle() -> str | None:
    """Say why this thread must not wait for a cluster, ``None`` where it may."""
    if os.getpid() != _PROCESS:
        return "this process was forked from one that had loaded Dask, whose threads did not come along"
    try:
        get_worker()
    except ValueError:
        return None
    return "a worker of the cluster makes this call, and would wait for itself"


class Run:
    """One call of a function on a cluster."""

    def __init__(self, client: Client, *, show_progress: bool) -> None:
        self.client = client
        self._show_progress = show_progress

    def compute(self, value: Any) -> Any:
        """Compute a Dask array or a delayed value, and return the result here.

        Parameters
        ----------
        value
            What to compute. Nothing of it is kept on the cluster.
        """
        future = self.client.compute(value)
        try:
            if self._show_progress:
                with self.client.as_current():
                    progress(future, notebook=False)
            return future.result()
        except BaseException:
            # An interrupt, most likely: the cluster drops what nobody waits for.
            future.cancel()
            raise

    def scatter(self, array: NDArray[Any], rows: Sequence[int]) -> da.Array:
        """Send an array to the workers, and return it as a Dask array.

        Parameters
        ----------
        array
            An array that is in this process.
        rows
            The number of rows of each chunk.
        """
        chunks = np.split(array, np.cumsum(rows)[:-1])
        # Without hashing, which would take longer than the work.
        futures = self.client.scatter(chunks, hash=False)
        both = zip(futures, chunks, strict=True)
        sent: da.Array = da.concatenate([da.from_delayed(future, chunk.shape, chunk.dtype) for future, chunk in both])
        return sent


def on_cluster[Result](work: Callable[[Run], Result], data: object, *, show_progress: bool) -> Result:
    """Do some work on the cluster.

    Dask itself computes again what a worker takes with it when it dies. It cannot do so for what was sent there from
    this process, so such work is begun again.

    Parameters
    ----------
    work
        Does the work, and sends what it needs.
    data
        The data, for the choice of the cluster.
    show_progress
        Show Dask's progress bar.
    """
    run = Run(get_client(data), show_progress=show_progress)
    for _ in range(ATTEMPTS - 1):
        with suppress(CancelledError):
            return work(run)
    return work(run)
