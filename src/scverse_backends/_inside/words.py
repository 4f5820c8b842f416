"""What tools share with the rest of the package: how it speaks, and how it looks at values."""

from __future__ import annotations

from scverse_backends._discovery.installed import installed_version
from scverse_backends._discovery.unrecognised import INSTALL_IT
from scverse_backends._docstrings.read import parameter_docs
from scverse_backends._foundation.amounts import count, duration, speed
from scverse_backends._foundation.foreign import describe_error
from scverse_backends._foundation.labels import CPU, did_you_mean, suggestions
from scverse_backends._foundation.labels import problem as label_problem
from scverse_backends._foundation.table import Row, Table
from scverse_backends._foundation.waiting import DEEPEST, computed, is_lazy, leaves, wait_for
from scverse_backends._reports.problem import Problem

__all__ = [
    "CPU",
    "DEEPEST",
    "INSTALL_IT",
    "Problem",
    "Row",
    "Table",
    "computed",
    "count",
    "describe_error",
    "did_you_mean",
    "duration",
    "installed_version",
    "is_lazy",
    "label_problem",
    "leaves",
    "parameter_docs",
    "speed",
    "suggestions",
    "wait_for",
]
