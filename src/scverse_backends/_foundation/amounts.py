"""Amounts as people read them: durations in a unit, one duration beside another, counts."""

from __future__ import annotations

_ABOUT_AS_FAST = 1.05
_EXACT_UP_TO = 10


def duration(seconds: float) -> str:
    """Return a duration in the unit that a person would choose.

    Examples
    --------
    >>> duration(83.5), duration(0.0123), duration(4.2e-6)
    ('83.50 s', '12.30 ms', '4.2 µs')
    """
    if seconds >= 1:
        return f"{seconds:.2f} s"
    if seconds >= 1e-3:
        return f"{seconds * 1e3:.2f} ms"
    return f"{seconds * 1e6:.1f} µs"


def speed(speedup: float) -> str:
    """Return how many times faster something is.

    Examples
    --------
    >>> speed(18.2), speed(2.34), speed(1.0), speed(0.25)
    ('18 × faster', '2.3 × faster', 'as fast', '4.0 × slower')
    """
    if 1 / _ABOUT_AS_FAST < speedup < _ABOUT_AS_FAST:
        return "as fast"
    times, word = (speedup, "faster") if speedup > 1 else (1 / speedup, "slower")
    return f"{times:,.0f} × {word}" if times >= _EXACT_UP_TO else f"{times:.1f} × {word}"


def count(number: int, noun: str) -> str:
    """Return a number of things.

    Examples
    --------
    >>> count(1, "call"), count(1234, "call")
    ('1 call', '1,234 calls')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
