"""The generators of random numbers that all code of a process shares: those of Python and of NumPy."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def random_state() -> Callable[[], None]:
    """Return what brings the shared generators back to where they are now.

    One that nobody has imported has no state yet.
    """
    steps: list[tuple[Callable[..., object], Any]] = []
    python: Any = sys.modules.get("random")
    if python is not None:
        steps.append((python.setstate, python.getstate()))
    numpy: Any = sys.modules.get("numpy.random")
    if numpy is not None:
        steps.append((numpy.set_state, numpy.get_state(legacy=False)))

    def restore() -> None:
        for put, state in steps:
            put(state)

    return restore
