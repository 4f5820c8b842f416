"""What every implementation of our functions must do, for the tests of backends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

import another_host as ah
from another_host._backends import dispatcher
from scverse_backends.testing import run_conformance

if TYPE_CHECKING:
    from typing import Any

__all__ = ["dispatcher", "run_feedback"]

_DATA = np.random.default_rng(0).poisson(3, size=(50, 6)) * 1.0


def check_normalize(backend_name: str) -> None:
    """Same values, also for a sample of zeros; negative values refused."""
    data = np.concatenate([_DATA, np.zeros((1, 6))])
    for options in ({}, {"total": 1e4}):
        expected = ah.normalize(data, **options, backend="cpu")
        np.testing.assert_allclose(ah.normalize(data, **options, backend=backend_name), expected)
    try:
        ah.normalize(-data, backend=backend_name)
    except ValueError:
        return
    raise AssertionError("normalize accepts negative values")


def check_predict(backend_name: str) -> None:
    """Same centres, the first one where several are equally near."""
    centers = np.concatenate([_DATA[:4], _DATA[:1]])
    expected = ah.predict(_DATA, centers, backend="cpu")
    np.testing.assert_array_equal(ah.predict(_DATA, centers, backend=backend_name), expected)


def run_feedback(backend_name: str, **options: Any) -> dict[str, str]:
    """Run our checks on an installed backend.

    Parameters
    ----------
    backend_name : str
        Its name or alias.
    **options
        Passed on to `scverse_backends.testing.run_conformance`.

    Returns
    -------
    dict
        For each function ``"PASSED"``, ``"SKIPPED (...)"`` or ``"FAILED: ..."``.
    """
    checks = {"normalize": check_normalize, "predict": check_predict}
    return run_conformance(backend_name=backend_name, tests=checks, get_backend=ah.settings.get_backend, **options)
