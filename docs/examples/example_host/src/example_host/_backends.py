"""The one dispatcher of this package: which backends are found, and which of them we have reviewed."""

from __future__ import annotations

from scverse_backends import BackendDispatcher

dispatcher = BackendDispatcher(
    entrypoint_group="example_host.backends",
    host_name="example_host",
    trusted_backends={
        "example_jax": {
            "aliases": ["jax", "cuda"],
            "package": "example-jax",
            "entrypoints": ["example_jax"],
            "module_prefixes": ["example_jax"],
        },
    },
    # Several backends could claim this word, so none of them gets it.
    reserved_backends={"gpu": "Name a concrete backend instead, such as 'cuda'."},
)

backend_class = dispatcher.backend_class
backend_dispatch = dispatcher.backend_dispatch
settings = dispatcher.settings
