"""The cluster that does the work: one of our own, or a running one."""

from __future__ import annotations

import atexit
import os
import threading

from distributed import Client, LocalCluster

__all__ = ["ADDRESS_VARIABLE", "close", "get_client"]

#: The environment variable with the address of a running cluster's scheduler.
ADDRESS_VARIABLE = "EXAMPLE_DASK_ADDRESS"

_lock = threading.Lock()
_client: Client | None = None
_cluster: LocalCluster | None = None


def get_client() -> Client:
    """Return the client of the cluster in use, connected on the first call.

    If the environment variable ``EXAMPLE_DASK_ADDRESS`` is set, it is the address of the cluster to use, such as
    ``tcp://10.0.0.1:8786``, whose workers need this package too. Otherwise a cluster is started in this process.

    Returns
    -------
    distributed.Client
        The client. It is not made the default client of the process, which belongs to the user.

    Raises
    ------
    OSError
        If nothing answers at the address.
    """
    global _client, _cluster  # noqa: PLW0603 - One cluster for the process is the point of this module.
    with _lock:
        if _client is None or _client.status in ("closing", "closed"):
            address = os.environ.get(ADDRESS_VARIABLE, "").strip()
            if not address:
                # Threads share the data, and NumPy works in them in parallel; processes would need copies.
                _cluster = LocalCluster(n_workers=1, processes=False, dashboard_address=None, silence_logs="ERROR")
            _client = Client(address or _cluster, set_as_default=False, timeout="10s")
        return _client


@atexit.register
def close() -> None:
    """Disconnect, and end the cluster if it is ours; the next call of a function starts anew."""
    global _client, _cluster  # noqa: PLW0603 - As above.
    with _lock:
        for owned in (_client, _cluster):
            if owned is not None:
                owned.close()
        _client = _cluster = None
