"""Pluggable backend dispatch for scientific Python host libraries.

A host decorates its functions with :meth:`BackendDispatcher.backend_dispatch`; whoever wants to can ship a package
that implements some of them and registers one entry point; users choose with ``f(x, backend="cuda")``,
``settings.backend = "cuda"`` or ``with settings.use_backend("cuda"):``.
"""

from __future__ import annotations

from scverse_backends._dispatcher import BackendDispatcher
from scverse_backends._settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from scverse_backends import exceptions
    from scverse_backends._signatures.defaults import OMITTED

__all__ = ["OMITTED", "BackendDispatcher", "Settings", "exceptions"]

__version__ = "0.0.4"


def __getattr__(name: str) -> Any:
    # Importing a host need not pay for what few hosts use, and what is used when something is wrong.
    if name == "OMITTED":
        from scverse_backends._signatures.defaults import OMITTED

        return OMITTED
    if name == "exceptions":
        from importlib import import_module

        return import_module("scverse_backends.exceptions")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
