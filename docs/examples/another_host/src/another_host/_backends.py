"""The one dispatcher of this package; it shares nothing with that of any other host."""

from __future__ import annotations

from scverse_backends import BackendDispatcher

dispatcher = BackendDispatcher(
    entrypoint_group="another_host.backends",
    host_name="another_host",
    trusted_backends={
        "example_shared": {
            "aliases": ["shared"],
            "package": "example-shared",
            "entrypoints": ["example_shared"],
            "module_prefixes": ["example_shared"],
        },
    },
)

backend_dispatch = dispatcher.backend_dispatch
settings = dispatcher.settings
