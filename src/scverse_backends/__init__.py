"""Pluggable backend dispatch for scientific Python host libraries.

A host decorates its functions with :meth:`BackendDispatcher.backend_dispatch`; whoever wants to can ship a package
that implements some of them and registers one entry point; users choose with ``f(x, backend="cuda")``,
``settings.backend = "cuda"`` or ``with settings.use_backend("cuda"):``.
"""

from __future__ import annotations

from scverse_backends import exceptions
from scverse_backends._dispatcher import BackendDispatcher
from scverse_backends._settings import Settings
from scverse_backends._signatures.omitted import OMITTED

__all__ = ["OMITTED", "BackendDispatcher", "Settings", "exceptions"]
