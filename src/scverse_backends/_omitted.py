"""The value that says "the caller gave nothing"."""

from __future__ import annotations


class _Omitted:
    """The type of :data:`OMITTED`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "OMITTED"

    def __reduce__(self) -> str:
        return "OMITTED"


OMITTED = _Omitted()
"""What a ``renamed`` converter returns where the value means that the caller gave nothing.

Examples
--------
>>> from scverse_backends import OMITTED
>>> def seed_of(rng):
...     return OMITTED if rng is None else int(rng)
>>> seed_of(None)
OMITTED
"""
