"""Section 8.5: one difference, planted anywhere in a nested value, is found exactly there; without one, values agree.

The same with pandas, SciPy, anndata and xarray is in ``tests/libraries``, and by the thousand in ``tests/stress``.
"""

from __future__ import annotations

import planted
from hypothesis import HealthCheck, given, settings

from scverse_backends.testing._difference import difference


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(planted.VALUES)
def test_a_planted_difference_is_found_where_it_is(value):
    wrong = [(plant, found) for plant, is_right, found in planted.outcomes(value, difference) if not is_right]
    assert wrong == []
