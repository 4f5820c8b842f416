"""Scanpy's next release says `rng` where this one says `random_state`, and so do two releases of the backend."""

from __future__ import annotations

import inspect
import warnings

import numpy as np
import pytest
import scanpy as sc
from conftest import DISPATCHERS

NAMES = ("rng", "random_state", "random_seed")
DISPATCHER = DISPATCHERS["scanpy"]
NEW_HOST = "rng" in inspect.signature(sc.tl.umap).parameters

# Functions of both sides with a seed, and what they need besides the data.
SEEDED = {
    sc.pp.neighbors: {},
    sc.pp.pca: {},
    sc.pp.scrublet: {},
    sc.tl.draw_graph: {},
    sc.tl.leiden: {},
    sc.tl.score_genes: {"gene_list": ["CD3D"]},
    sc.tl.umap: {},
}


def silently(function, *args, **kwargs):
    with warnings.catch_warnings(action="error"):
        return function(*args, **kwargs)


def seed_of(call):
    """Return the seed that arrived, which either side may have wrapped."""
    (name,) = [name for name in NAMES if name in call]
    return getattr(call[name], "arg", call[name])


@pytest.mark.parametrize("seeded", SEEDED, ids=lambda seeded: seeded.__name__)
def test_a_seed_under_its_old_name_arrives(seeded, data):  # 4.13
    call = silently(seeded, data, random_state=42, backend="cuda", **SEEDED[seeded])
    assert seed_of(call) == 42


@pytest.mark.parametrize("seeded", SEEDED, ids=lambda seeded: seeded.__name__)
def test_without_a_seed_the_backends_default_applies(seeded, data):  # 4.2, 4.13
    assert seed_of(silently(seeded, data, backend="cuda", **SEEDED[seeded])) == 0


@pytest.mark.parametrize("seed", [7, np.random.default_rng(1)], ids=["integer", "generator"])
def test_a_seed_under_the_hosts_new_name_arrives(seed, data):  # 4.13
    name = "rng" if NEW_HOST else "random_state"
    assert seed_of(silently(sc.tl.umap, data, **{name: seed}, backend="cuda")) is seed


def test_a_seed_arrives_when_doublets_are_simulated(data):
    # The one function that says `random_seed`, in the host of today and in the older backend.
    name = "rng" if NEW_HOST else "random_seed"
    assert seed_of(silently(sc.pp.scrublet_simulate_doublets, data, **{name: 5}, backend="cuda")) == 5


def test_nobody_reads_of_a_name_that_they_did_not_write(data):  # 4.13
    # The backend's louvain knows no seed at all, and in both hosts it is `random_state`.
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        sc.tl.louvain(data, random_state=3, backend="cuda")
    assert [one for one in caught if "'random_state' has no effect" in str(one.message)]
    assert not [one for one in caught if "rng" in str(one.message)]


def test_old_names_are_neither_merged_nor_documented():  # 4.13
    other = "random_state" if NEW_HOST else "rng"
    assert other not in inspect.signature(sc.tl.umap).parameters
    assert f"{other} (rapids-singlecell)" not in sc.tl.umap.__doc__
