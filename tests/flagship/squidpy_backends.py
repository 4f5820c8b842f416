"""The module ``squidpy._backends`` of the tests: what squidpy adds to dispatch its functions."""

from __future__ import annotations

from scverse_backends import BackendDispatcher

dispatcher = BackendDispatcher(
    entrypoint_group="squidpy.backends",
    host_name="squidpy",
    trusted_backends={
        "rapids-singlecell": {
            "aliases": ["cuda", "rapids", "rapids_singlecell"],
            "package": "rapids-singlecell",
            "distributions": ["rapids-singlecell", "rapids-singlecell-cu12", "rapids-singlecell-cu13"],
        },
    },
    reserved_backends={"gpu": "Say which: 'cuda' is the backend for NVIDIA's GPUs."},
    never_drop=("copy", "inplace"),
)
backend_dispatch = dispatcher.backend_dispatch
settings = dispatcher.settings

# Functions that run on joblib take its backends under another name from now on.
joblib = backend_dispatch(
    own_backend="parallel_backend", own_backend_values=("loky", "threading", "multiprocessing", "sequential")
)

# The backend calls the seed `rng`.
seeded = backend_dispatch(renamed={"seed": "rng"})
