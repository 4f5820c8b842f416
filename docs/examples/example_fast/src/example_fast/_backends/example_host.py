"""What example-host finds through our entry point. It needs nothing but NumPy, so it can import everything at once."""

from __future__ import annotations

from example_fast.example_host_impl import Neighborhood, compute_score, embed

name = "fast"
aliases = ["accelerated"]

__all__ = ["Neighborhood", "compute_score", "embed"]
