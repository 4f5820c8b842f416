"""Whether an argument stands at its default, decided without running foreign code."""

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
