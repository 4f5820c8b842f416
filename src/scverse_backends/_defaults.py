"""Whether an argument stands at its default, decided without running foreign code."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SCALARS = (bool, int, float, complex, str, bytes)


def at_default(value: Any, default: Any) -> bool:
    """Whether a value is its default: the same object, or an equal value of the same builtin scalar type.

    An array's or a data frame's ``__eq__`` may cost anything and return anything, so none is ever called.

    Examples
    --------
    >>> at_default(float("nan"), float("nan")), at_default(1, True), at_default([], [])
    (True, False, False)
    """
    if value is default:
        return True
    kind = type(value)
    if kind is not type(default):
        return False
    if kind in _SCALARS:
        return bool(value == default or (value != value and default != default))  # noqa: PLR0124 - NaN.
    if kind is tuple:
        return len(value) == len(default) and all(map(at_default, value, default))
    return False
