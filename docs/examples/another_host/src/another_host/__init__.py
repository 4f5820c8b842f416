"""Normalisation and nearest centres of a samples x features matrix, on NumPy or on any installed backend."""

from __future__ import annotations

from another_host._backends import settings
from another_host._normalization import normalize
from another_host._prediction import predict

__all__ = ["normalize", "predict", "settings"]
