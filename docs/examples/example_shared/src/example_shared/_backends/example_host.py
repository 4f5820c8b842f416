"""What example-host finds through our entry point."""

from __future__ import annotations

from example_shared.example_host_impl import compute_score

name = "example_shared"
aliases = ["shared"]

__all__ = ["compute_score"]
