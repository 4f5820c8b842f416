"""What example-host finds through our entry point; JAX is imported when one of the functions is called."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

name = "example_jax"
aliases = ["jax", "cuda"]

_functions = {
    "compute_score": "example_jax.example_host_impl",
    "embed": "example_jax.example_host_impl",
    "summarize": "example_jax.example_host_impl",
}

__all__ = ["compute_score", "embed", "summarize"]  # noqa: F822 - Provided by `__getattr__`.


def __getattr__(attr_name: str) -> Callable[..., Any]:
    if attr_name in _functions:
        func: Callable[..., Any] = getattr(importlib.import_module(_functions[attr_name]), attr_name)
        globals()[attr_name] = func
        return func
    raise AttributeError(f"{__name__!r} has no attribute {attr_name!r}")
