"""Section 8.5: differences planted into values of pandas, SciPy, anndata and, where it is installed, xarray.

Runs with ``hatch run libraries:test``.
"""

from __future__ import annotations

import planted
import pytest
from hypothesis import HealthCheck, given, settings

from scverse_backends.testing._difference import difference

# What these libraries say of odd data is not what is tested here.
pytestmark = pytest.mark.filterwarnings("ignore")


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(planted.VALUES)
def test_a_planted_difference_is_found_where_it_is(value):
    wrong = [(plant, found) for plant, is_right, found in planted.outcomes(value, difference) if not is_right]
    assert wrong == []
