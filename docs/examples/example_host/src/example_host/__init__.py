"""Scores, embeddings and summaries of a samples x features matrix.

Every function and class here runs on NumPy by itself, and on any installed backend that implements it:
``backend="jax"`` for one call, `settings` for more.
"""

from __future__ import annotations

from example_host._backends import settings
from example_host._embedding import embed
from example_host._neighborhood import Neighborhood
from example_host._score import compute_score
from example_host._summary import GroupSummary, summarize

__all__ = ["GroupSummary", "Neighborhood", "compute_score", "embed", "settings", "summarize"]
