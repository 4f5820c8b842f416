"""Backend functions. Each returns what ran and what reached it."""

from __future__ import annotations

from functools import singledispatch

# The host calls it my-backend.
name = "my_backend"


def moran(adata, *, n_perms=100, batch_size=64):
    """Compute Moran's I in batches.

    Parameters
    ----------
    batch_size : int
        Genes per batch, {as many} as fit into 90 % of the memory.
    """
    return "backend", n_perms, batch_size


def umap(adata, *, random_state=0, batch_size=64):
    """Embed.

    Parameters
    ----------
    batch_size : int
        Cells per batch.
    """
    return "backend", random_state


def ligrec(adata, *, n_jobs=1, parallel_backend="loky"):
    """Test ligands and receptors."""
    return "backend", n_jobs, parallel_backend


def score_genes(adata, genes=(), *, random_state=0):
    """Score genes."""
    return "backend"


@singledispatch
def describe(data, *, precision="double"):
    """Describe.

    Parameters
    ----------
    precision
        Of what is described.
    """
    return "backend: anything", precision


@describe.register
def _(data: int, *, precision="double"):
    return "backend: a number", precision


def leiden(adata, resolution=1.0, *, device=None):
    """Cluster.

    Parameters
    ----------
    device
        Where.
    """
    return "backend", resolution, device


def filter_cells(adata, min_counts=None, *, device=None):
    """Filter.

    Parameters
    ----------
    device
        Where.
    """
    return "backend", min_counts, device
