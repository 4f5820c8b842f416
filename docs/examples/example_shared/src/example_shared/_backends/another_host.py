"""What another-host finds through our entry point."""

from __future__ import annotations

from example_shared.another_host_impl import normalize, predict

name = "example_shared"
aliases = ["shared"]

__all__ = ["normalize", "predict"]
