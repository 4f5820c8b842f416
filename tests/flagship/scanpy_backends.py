"""The module ``scanpy._backends`` of the tests: what scanpy adds to dispatch its functions."""

from __future__ import annotations

from scverse_backends import OMITTED, BackendDispatcher

dispatcher = BackendDispatcher(
    entrypoint_group="scanpy.backends",
    host_name="scanpy",
    trusted_backends={
        "rapids-singlecell": {
            "aliases": ["cuda", "rapids", "rapids_singlecell"],
            "package": "rapids-singlecell",
            "distributions": ["rapids-singlecell", "rapids-singlecell-cu12", "rapids-singlecell-cu13"],
        },
    },
    reserved_backends={"gpu": "Say which: 'cuda' is the backend for NVIDIA's GPUs."},
    # What these ask for is another result, or another place for it: no backend may leave them out.
    never_drop=("copy", "inplace", "subset"),
)
backend_dispatch = dispatcher.backend_dispatch
settings = dispatcher.settings


def as_random_state(rng):
    """Return what an older backend takes as ``random_state``; nothing where the caller gave no seed."""
    # Scanpy's own decorator wraps a legacy seed, the default one (0) included when the caller said nothing.
    seed = getattr(rng, "arg", rng)
    return OMITTED if seed is None or (seed is not rng and seed == 0) else seed


def as_rng(random_state):
    """Return what a newer backend takes as ``rng``: the seed as it is."""
    return OMITTED if random_state is None else random_state


def _seeded(old):
    def decorate(function):
        names = function.__code__.co_varnames
        renamed = {"rng": (old, as_random_state)} if "rng" in names else {old: ("rng", as_rng)}
        return backend_dispatch(renamed=renamed)(function)

    return decorate


seeded = _seeded("random_state")
doublets = _seeded("random_seed")
