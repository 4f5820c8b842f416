"""Tests of hosts and backends.

Nothing here needs pytest; with pytest there is also a plugin, :mod:`scverse_backends.testing.pytest_plugin`.
"""

from __future__ import annotations

from scverse_backends._inside.words import Problem
from scverse_backends.testing._check import CheckReport, check_backend
from scverse_backends.testing._compare import compare
from scverse_backends.testing._compare_calls import compare_calls
from scverse_backends.testing._compared_calls import ComparedCalls, ComparedFunction
from scverse_backends.testing._comparison import Comparison, ComparisonRecord
from scverse_backends.testing._conformance import run_conformance
from scverse_backends.testing._temporary import isolated, temporary_backend

__all__ = [
    "CheckReport",
    "ComparedCalls",
    "ComparedFunction",
    "Comparison",
    "ComparisonRecord",
    "Problem",
    "check_backend",
    "compare",
    "compare_calls",
    "isolated",
    "run_conformance",
    "temporary_backend",
]
