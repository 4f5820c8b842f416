"""The checks that we give to backends hold for ourselves, and the examples in our docstrings too."""

from __future__ import annotations

import doctest
import importlib

import pytest

import example_host as eh
from example_host.testing import CHECKS, assert_close


@pytest.mark.parametrize("name", CHECKS)
def test_the_host_passes_its_own_checks(name: str) -> None:
    CHECKS[name](backend_name="cpu")


def test_everything_public_has_a_check() -> None:
    assert set(CHECKS) == set(eh.__all__) - {"GroupSummary", "settings"}


@pytest.mark.parametrize("name", ["_embedding", "_neighborhood", "_score", "_summary"])
def test_examples_in_docstrings(name: str) -> None:
    with eh.settings.use_backend("cpu"):  # Numbers are printed as the host computes them.
        results = doctest.testmod(importlib.import_module(f"example_host.{name}"))
    assert results.attempted > 0
    assert results.failed == 0


def test_assert_close() -> None:
    assert_close([1000.0, 0.9], [1000.0, 0.0])
    with pytest.raises(AssertionError):
        assert_close([1000.0, 1.1], [1000.0, 0.0])
    with pytest.raises(AssertionError, match="shape"):
        assert_close([[1.0]], [1.0])
