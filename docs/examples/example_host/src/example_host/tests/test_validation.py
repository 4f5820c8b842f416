"""Data that no function accepts."""

from __future__ import annotations

import numpy as np
import pytest

import example_host as eh

FUNCTIONS = {
    "compute_score": eh.compute_score,
    "embed": lambda data: eh.embed(data, 1),
    "summarize": lambda data: eh.summarize(data, [0, 1, 0]),
    "Neighborhood": lambda data: eh.Neighborhood(1).fit(data),
}


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([[1.0], [np.nan], [2.0]], "NaN or infinity"),
        ([[1.0], [-np.inf], [2.0]], "NaN or infinity"),
        ([1.0, 2.0, 3.0], "two dimensions .* got 1"),
        (np.zeros((3, 1, 1)), "two dimensions .* got 3"),
        (np.zeros((0, 3)), "at least one sample"),
        (np.zeros((3, 0)), "at least one sample and one feature"),
    ],
    ids=["nan", "infinity", "vector", "cube", "no samples", "no features"],
)
def test_refused(function: type, data: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        function(data)
