"""What is installed: the tests run from there, and importing the host imports no backend."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import example_host as eh
import pytest

if TYPE_CHECKING:
    from pathlib import Path


def run(*arguments: str, folder: Path | None = None) -> str:
    result = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False, cwd=folder)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_the_installed_tests_pass(tmp_path: Path) -> None:
    # In an empty folder, where no settings of another project are found.
    summary = run("-m", "pytest", "-q", "-W", "error", "--pyargs", "example_host.tests", folder=tmp_path)
    assert " passed" in summary


def test_calls_on_the_host_import_no_backend() -> None:
    code = "import sys, example_host as eh; eh.embed([[1.0], [2.0]], 1); print(*sys.modules)"
    assert not {"jax", "distributed", "example_jax", "example_dask", "example_fast"} & set(run("-c", code).split())


def test_reserved_name() -> None:
    with pytest.raises(ValueError, match="Name a concrete backend"):
        eh.embed([[1.0], [2.0]], 1, backend="gpu")
