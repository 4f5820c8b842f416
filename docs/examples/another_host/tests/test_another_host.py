"""What the functions compute, and that our own checks hold for ourselves."""

from __future__ import annotations

import doctest
import importlib

import another_host as ah
import numpy as np
import pytest
from another_host import testing


@pytest.mark.parametrize("check", [testing.check_normalize, testing.check_predict])
def test_the_host_passes_its_own_checks(check) -> None:
    check("cpu")


def test_values_and_refusals() -> None:
    np.testing.assert_array_equal(ah.normalize([[1, 3], [0, 0]]), [[0.25, 0.75], [0, 0]])
    with pytest.raises(ValueError, match="negative"):
        ah.normalize([[-1, 3]])
    assert list(ah.predict([[0.0], [9.0], [5.0]], [[0.0], [10.0]])) == [0, 1, 0]


@pytest.mark.parametrize("name", ["_normalization", "_prediction"])
def test_examples_in_docstrings(name) -> None:
    with ah.settings.use_backend("cpu"):
        results = doctest.testmod(importlib.import_module(f"another_host.{name}"))
    assert results.attempted > 0
    assert results.failed == 0


def test_a_wrong_backend_is_noticed(monkeypatch) -> None:
    monkeypatch.setattr(ah, "normalize", lambda data, **_: np.asarray(data))
    with pytest.raises(AssertionError, match="accepts negative values"):
        testing.check_normalize("cpu")
