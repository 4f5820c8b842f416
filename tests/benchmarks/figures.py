"""Medians, spread, and how a cost grows."""

from __future__ import annotations

import math
import statistics
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Figure:
    """A median with the quartiles around it."""

    median: float
    low: float
    high: float
    samples: int

    @classmethod
    def of(cls, values) -> Figure:
        values = sorted(values)
        if len(values) == 1:
            return cls(values[0], values[0], values[0], 1)
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(median, low, high, len(values))

    @classmethod
    def ratio(cls, above, below) -> Figure:
        """Ratio of what was measured one after the other: a slow moment of the machine slows both and cancels out."""
        return cls.of([a / b for a, b in zip(above, below, strict=True)])

    @classmethod
    def difference(cls, above, below) -> Figure:
        return cls.of([a - b for a, b in zip(above, below, strict=True)])

    def as_dict(self) -> dict:
        return asdict(self)


def mean(figures) -> Figure:
    """Average of several figures, quartiles averaged as well."""
    figures = list(figures)
    parts = [statistics.fmean(getattr(each, part) for each in figures) for part in ("median", "low", "high")]
    return Figure(*parts, sum(each.samples for each in figures))


def growth(sizes, costs) -> tuple[float, str]:
    """Return the exponent of ``cost ~ size ** exponent`` and the word for it, over the upper half of the sizes.

    Small sizes are left out since a constant part, as any cost has, hides the growth there.
    """
    start = max(0, len(sizes) // 2 - 1)
    logs = [(math.log(size), math.log(max(cost, 1e-12))) for size, cost in zip(sizes, costs, strict=True)][start:]
    exponent = statistics.linear_regression(*zip(*logs, strict=True)).slope
    if abs(exponent) < 0.12:
        return exponent, "flat"
    if exponent < 0:
        return exponent, "falling"
    if exponent < 0.85:
        return exponent, "less than linear"
    return exponent, "linear" if exponent < 1.2 else "more than linear"
