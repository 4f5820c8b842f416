"""Where this process runs, for messages that are read on another machine."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def process() -> str:
    """Return the process and its machine, ``"process 4711 on node7"`` for instance."""
    from platform import node

    return f"process {os.getpid()} on {node() or 'an unnamed machine'}"


def worker() -> str | None:
    """Return which worker of a pool or cluster this is, ``None`` where nothing says that it is one.

    What made this process a worker is imported already, so nothing is imported here.
    """
    address = _dask_address()
    if address is not None:
        return f"Dask worker {address}, {process()}"
    pools: Any = sys.modules.get("multiprocessing.process")
    # multiprocessing knows the parent of every process pool, joblib's included.
    if pools is not None and pools.parent_process() is not None:
        return f"worker {process()}"
    return None


def _dask_address() -> str | None:
    distributed: Any = sys.modules.get("distributed")
    try:
        return str(distributed.get_worker().address)
    except (AttributeError, ValueError):
        # Not imported, or imported only in part, or not the thread of a task.
        return None
