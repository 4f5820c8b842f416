"""The demo succeeds in silence, fits the screen, and fails when a backend does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

DEMO = Path(__file__).parents[1] / "demo.py"

# Runs the demo after something has happened to a backend.
BROKEN = """
import runpy, sys
import numpy as np
import {module} as module

original = getattr(module, {name!r})

def broken(data=None, *args, **options):
    {body}

setattr(module, {name!r}, broken)
runpy.run_path(sys.argv[1], run_name="__main__")
"""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False, timeout=300)


def test_demo_succeeds() -> None:
    result = run(str(DEMO))
    assert result.returncode == 0, result.stdout
    assert result.stderr == ""
    assert "No problems in" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 100


@pytest.mark.parametrize(
    ("module", "name", "body", "row"),
    [
        ("example_fast._backends.example_host", "embed", "raise OSError('no cores left')", "no cores left"),
        (
            "example_fast._backends.example_host",
            "compute_score",
            "return original(data, *args, **options) + 1",
            "DIFFERS",
        ),
        ("example_jax._backends.example_host", "summarize", "return original(data, *args, **options)[:3]", "DIFFERS"),
        ("example_dask.cluster", "get_client", "raise OSError('no cluster')", "no cluster"),
    ],
)
def test_one_broken_backend_is_shown_and_the_others_run(module: str, name: str, body: str, row: str) -> None:
    result = run("-c", BROKEN.format(module=module, name=name, body=body), str(DEMO))
    assert result.returncode == 1, result.stderr
    assert "problem" in result.stdout.splitlines()[-1]
    assert row in result.stdout
    assert result.stdout.count("agrees") >= 4
