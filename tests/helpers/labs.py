"""Small hosts and backends, made in a test itself; really installed ones are ``tests/integration``'s."""

from __future__ import annotations

import inspect
from typing import Any

from scverse_backends import BackendDispatcher


def make(host: str, **options: Any) -> BackendDispatcher:
    """Return the dispatcher of a host that trusts everybody."""
    return BackendDispatcher(
        **{"entrypoint_group": f"{host}.backends", "host_name": host, "untrusted": "allow", **options}
    )


def adapter(name: str = "fast", **exports: Any) -> Any:
    """Return an adapter object with these exports."""
    made = type("Adapter", (), {})()
    made.name = name
    for key, value in exports.items():
        setattr(made, key, value)
    return made


def define(source: str, **namespace: Any) -> Any:
    """Return the function that a line of source defines."""
    scope = {"__name__": "elsewhere", **namespace}
    # Without the future of this file, so that annotations are what the source says.
    exec(compile(source, "<elsewhere>", "exec", dont_inherit=True), scope)
    return next(value for key, value in scope.items() if inspect.isfunction(value) and key not in namespace)
