"""Wait for values that are still being computed: an accelerator returns before it is done, and a lazy value waits.

No library is imported for this. Values are known by what their types offer.
"""

from __future__ import annotations

import sys

from scverse_backends._foundation.foreign import class_of, safely

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

DEEPEST = 100
"""Containers that are nested more deeply are not looked into."""

_PLAIN = frozenset({bool, int, float, complex, str, bytes, bytearray, type(None)})
# The parts of an AnnData or MuData object that may hold arrays of any library.
_ANNOTATED = ("X", "layers", "obsm", "varm", "obsp", "varp", "uns", "raw", "mod")


def is_lazy(value: object) -> bool:
    """Return whether a value is a plan that nothing has computed yet: a collection of Dask, a lazy frame of Polars."""
    kind = class_of(value)
    return kind not in _PLAIN and (hasattr(kind, "__dask_graph__") or _is_lazy_frame(kind))


def _is_lazy_frame(kind: Any) -> bool:
    return hasattr(kind, "collect") and hasattr(kind, "collect_schema")


def computed(value: Any) -> Any:
    """Return what a lazy value comes to."""
    return value.collect() if _is_lazy_frame(type(value)) else value.compute()


def wait_for(found: Iterable[object]) -> bool:
    """Wait until all of these values are computed, and return whether any could be waited for. Lazy ones stay lazy."""
    waits = [wait for wait in map(_wait_of, found) if wait is not None]
    for wait in waits:
        wait()
    return bool(waits)


def leaves(values: Iterable[object]) -> Iterator[Any]:
    """Yield these values and what is in them, where they are containers or data objects: each value once."""
    met: dict[int, object] = {}
    waiting = [(value, 0) for value in values]
    while waiting:
        value, depth = waiting.pop()
        if type(value) in _PLAIN or id(value) in met:
            continue
        met[id(value)] = value  # Kept alive, so that no identity is used twice.
        yield value
        if depth < DEEPEST:
            waiting += [(one, depth + 1) for one in _inside(value)]


def _inside(value: Any) -> Any:
    # Foreign data that cannot be read computes nothing.
    return safely(lambda: list(_parts(value)), [])


def _parts(value: Any) -> Iterator[object]:
    kind = class_of(value)
    container: Any = value
    if isinstance(value, dict):
        yield from container.values()
    elif isinstance(value, (list, tuple, set, frozenset)):
        yield from container
    elif hasattr(kind, "tocoo") and hasattr(value, "data"):
        yield value.data  # A sparse matrix of CuPy is not an array.
    elif hasattr(kind, "var") and (hasattr(kind, "obs") or hasattr(kind, "varm")):
        for name in _ANNOTATED:
            part: Any = getattr(value, name, None)
            # The mappings of AnnData are not dictionaries.
            yield dict(part) if hasattr(part, "keys") and hasattr(part, "__getitem__") else part
    elif hasattr(kind, "__dataclass_fields__"):
        yield from (getattr(value, name, None) for name in kind.__dataclass_fields__)


def _wait_of(value: Any) -> Any:
    """Return what waits for an array, ``None`` where there is nothing to wait for."""
    kind = class_of(value)
    if hasattr(kind, "block_until_ready"):  # JAX
        return value.block_until_ready
    if not hasattr(kind, "__cuda_array_interface__"):
        return None
    device: Any = getattr(value, "device", None)
    if hasattr(device, "synchronize"):  # CuPy
        return device.synchronize
    if getattr(value, "is_cuda", False):
        return lambda: sys.modules["torch"].cuda.synchronize(device)
    # Copying to the CPU waits for the computation. Other arrays offer nothing better.
    return getattr(value, "cpu", None)
