"""The numbers that a caller gives to a comparison: by which tolerances to judge, and how often to run."""

from __future__ import annotations

import math
from numbers import Real


def check_tolerances(rtol: float, atol: float) -> None:
    """Refuse tolerances by which nothing can be judged.

    Raises
    ------
    TypeError
        If one is no number.
    ValueError
        If one is negative or not finite.
    """
    for name, tolerance in (("rtol", rtol), ("atol", atol)):
        if not _is_number(tolerance):
            raise TypeError(f"{name} must be a number, 1e-5 for instance, not {tolerance!r:.60}.")
        if not 0 <= tolerance < math.inf:
            raise ValueError(f"{name} must be a finite number that is not negative, not {tolerance!r}.")


def whole_number(name: str, number: float) -> int:
    """Return how often something is to be done, as an integer.

    Raises
    ------
    TypeError
        If it is no number.
    ValueError
        If it is no whole number, or below 1.
    """
    wrong = f"{name} must be a whole number of at least 1, not {number!r:.60}."
    if not _is_number(number):
        raise TypeError(wrong)
    if not 1 <= number < math.inf or number != int(number):
        raise ValueError(wrong)
    return int(number)


def _is_number(given: object) -> bool:
    return isinstance(given, Real)


def tolerances_text(rtol: float, atol: float) -> str:
    """Return the tolerances as one writes them.

    Examples
    --------
    >>> tolerances_text(1e-5, 0)
    'rtol=1e-05, atol=0'
    """
    return f"rtol={rtol:g}, atol={atol:g}"
