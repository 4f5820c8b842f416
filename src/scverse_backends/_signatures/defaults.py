"""What counts as not given: an argument at its default, and what a converter says so of."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SCALARS = (bool, int, float, complex, str, bytes)

_LARGEST = 1000
"""How many elements of nested tuples are compared: a default is no data set."""


def at_default(value: Any, default: Any) -> bool:
    """Whether a value is its default: the same object, or an equal value of the same builtin scalar type.

    An array's or a data frame's ``__eq__`` may cost anything and return anything, so none is ever called.

    Examples
    --------
    >>> at_default(float("nan"), float("nan")), at_default(1, True), at_default([], [])
    (True, False, False)
    """
    budget = _LARGEST
    pairs = [(value, default)]
    while pairs:
        mine, theirs = pairs.pop()
        if mine is theirs:
            continue
        budget -= 1
        kind = type(mine)  # pyright: ignore[reportUnknownVariableType]  # as unknown as the value.
        if budget < 0 or kind is not type(theirs):
            return False
        if kind is tuple:
            if len(mine) != len(theirs):
                return False
            pairs += zip(mine, theirs, strict=True)
        elif kind not in _SCALARS or not (mine == theirs or (mine != mine and theirs != theirs)):  # noqa: PLR0124 - NaN.
            return False
    return True


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


def parsed_renames(renamed: Any) -> dict[str, tuple[str, Any]]:
    """Return new names with old ones and converters, from what a host wrote."""
    usage = "renamed= is a mapping such as {'rng': 'random_state'} or {'rng': ('random_state', convert)}"
    if not hasattr(renamed, "items"):
        raise TypeError(f"{usage}, not {type(renamed).__name__}.")
    parsed: dict[str, tuple[str, Any]] = {}
    for new, old in renamed.items():
        pair = (old, None) if isinstance(old, str) else old
        is_pair = isinstance(pair, tuple) and len(pair) == 2  # pyright: ignore[reportUnknownArgumentType]  # as given.
        if not isinstance(new, str) or not is_pair or not isinstance(pair[0], str):
            raise TypeError(f"{usage}; {new!r:.40}: {old!r:.60} is neither.")
        parsed[new] = pair
    return parsed
