"""The host's dispatcher, and what it trusts."""

from __future__ import annotations

from scverse_backends import BackendDispatcher

dispatcher = BackendDispatcher(
    entrypoint_group="messy_host.backends",
    host_name="messy_host",
    trusted_backends={
        # The distribution's name, with the name of its module as alias; the package calls itself by the latter.
        "my-backend": {
            "aliases": ["my_backend", "mine"],
            "package": "my-backend",
            "distributions": ["my-backend", "my-backend-cu12"],
            "entrypoints": ["my_backend"],
            "module_prefixes": ["my_backend"],
        },
    },
    reserved_backends={"gpu": "Use a concrete name such as my_backend."},
)
