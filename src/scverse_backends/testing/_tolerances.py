"""The tolerances that two answers are judged by."""

from __future__ import annotations

import math


def check_tolerances(rtol: float, atol: float) -> None:
    """Refuse tolerances by which nothing can be judged.

    Raises
    ------
    ValueError
        If one is negative or not finite.
    """
    for name, tolerance in (("rtol", rtol), ("atol", atol)):
        if not 0 <= tolerance < math.inf:
            raise ValueError(f"{name} must be a finite number that is not negative, not {tolerance!r}.")


def tolerances_text(rtol: float, atol: float) -> str:
    """Return the tolerances as one writes them.

    Examples
    --------
    >>> tolerances_text(1e-5, 0)
    'rtol=1e-05, atol=0'
    """
    return f"rtol={rtol:g}, atol={atol:g}"
