"""The host's public functions. Each returns what ran and what reached it."""

from __future__ import annotations

from enum import Enum
from functools import singledispatch
from types import SimpleNamespace

from messy_host._decorators import accepts_random_state, doctest_needs, fill_braces, fill_percent, logged
from messy_host._dispatch import dispatcher
from scverse_backends import OMITTED

_ADATA = "adata\n        The annotated data matrix, 100 % of it."


class _Key(Enum):
    s = "spatial_moran"


def _seed(rng):
    """Backends take a seed; where there is none, theirs."""
    return OMITTED if rng is None else int(rng)


# -- templates, in decorators outside ours -----------------------------------------------------------------------------


@fill_percent(adata=_ADATA)
@dispatcher.backend_dispatch
def moran(adata, *, n_perms=100):
    """Compute Moran's I.

    Parameters
    ----------
    %(adata)s
    n_perms
        Number of permutations.

    Returns
    -------
    The statistics.
    """
    return "host", n_perms


@fill_braces(rng="rng\n    The random numbers, a seed say.", s=SimpleNamespace(MORAN=SimpleNamespace(s=_Key.s.value)))
@accepts_random_state
@dispatcher.backend_dispatch(renamed={"rng": ("random_state", _seed)})
def umap(adata, *, rng=None):
    """Embed.

    Parameters
    ----------
    adata
        Holds {s.MORAN.s!r}.
    {rng}
    """
    return "host", rng


# -- a parameter called backend ----------------------------------------------------------------------------------------


@dispatcher.backend_dispatch(own_backend="parallel_backend", own_backend_values=("loky", "threading"))
def ligrec(adata, *, n_jobs=1, backend="loky"):
    """Test ligands and receptors.

    Parameters
    ----------
    adata
        The annotated data matrix.
    n_jobs
        How many processes.
    backend
        The backend of joblib, see :class:`joblib.Parallel`.
    """
    return "host", n_jobs, backend


# -- functions that call each other ------------------------------------------------------------------------------------


@dispatcher.backend_dispatch
def score_genes(adata, genes=(), *, random_state=0):
    """Score genes."""
    return "host"


@dispatcher.backend_dispatch
def score_genes_cell_cycle(adata):
    """Score the cell cycle, with two calls of :func:`score_genes`."""
    return ["host", score_genes(adata), score_genes(adata, ("g2m",))]


# -- singledispatch, attributes, three decorators deep -----------------------------------------------------------------


@dispatcher.backend_dispatch
@singledispatch
def describe(data):
    """Describe anything."""
    return "host: anything"


@describe.register
def _(data: int):
    return "host: a number"


@logged
@doctest_needs("igraph")
@dispatcher.backend_dispatch
@logged
def leiden(adata, resolution=1.0):
    """Cluster.

    Parameters
    ----------
    adata
        The annotated data matrix.
    resolution
        How fine.
    """
    return "host", resolution


# -- a heading that is not quite numpydoc's ----------------------------------------------------------------------------


@dispatcher.backend_dispatch
def filter_cells(adata, min_counts=None):
    """Filter cells.

    Params
    ------
    adata
        The annotated data matrix.
    min_counts
        What a cell needs to stay.

    Returns
    -------
    Which cells stay.
    """
    return "host", min_counts
