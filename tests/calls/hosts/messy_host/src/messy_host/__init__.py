"""A host with everything that real hosts do."""

from __future__ import annotations

from messy_host._dispatch import dispatcher
from messy_host._settings import settings
from messy_host.functions import (
    describe,
    filter_cells,
    leiden,
    ligrec,
    moran,
    score_genes,
    score_genes_cell_cycle,
    umap,
)

__all__ = [
    "describe",
    "dispatcher",
    "filter_cells",
    "leiden",
    "ligrec",
    "moran",
    "score_genes",
    "score_genes_cell_cycle",
    "settings",
    "umap",
]
