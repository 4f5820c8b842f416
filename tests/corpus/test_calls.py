"""Released test suites have the same outcomes with their library's functions decorated, and routed as to a backend."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tarfile
from importlib.metadata import version
from pathlib import Path

import pytest

HERE = Path(__file__).parent

# scikit-learn's wheel ships its tests.
SKLEARN = [
    "metrics/tests/test_regression.py",
    "preprocessing/tests/test_label.py",
    "datasets/tests/test_samples_generator.py",
]
SCANPY = ["tests/test_get.py", "tests/test_combat.py", "tests/test_score_genes.py"]


def outcomes(tmp_path, library, mode, arguments, *, cwd, leave=""):
    """Run tests of a library in a mode of the plugin; returns the outcome of each, and what the plugin counted."""
    output = tmp_path / f"{mode}.json"
    environment = {
        "PYTHONPATH": os.pathsep.join([str(HERE), str(cwd)]),
        "CORPUS_LIBRARY": library,
        "CORPUS_MODE": mode,
        "CORPUS_LEAVE": leave,
        "CORPUS_OUTCOMES": str(output),
    }
    command = [sys.executable, "-m", "pytest", "-p", "decorating", "-o", f"cache_dir={tmp_path}", "-q", *arguments]
    finished = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=cwd, env={**os.environ, **environment}
    )
    assert output.exists(), finished.stdout[-3000:] + finished.stderr[-3000:]
    told = json.loads(output.read_text(encoding="utf-8"))
    return told.pop("decorated"), told.pop("calls", 0), told


def check(tmp_path, library, arguments, **options):
    """Compare the outcomes of the three modes."""
    _, _, plain = outcomes(tmp_path, library, "plain", arguments, **options)
    decorated, _, same = outcomes(tmp_path, library, "decorated", arguments, **options)
    _, calls, routed = outcomes(tmp_path, library, "routed", arguments, **options)
    assert list(plain.values()).count("passed") > 30
    assert decorated > 100
    assert same == plain
    assert calls > 100
    assert routed == plain


def test_scikit_learn(tmp_path):
    root = Path(importlib.util.find_spec("sklearn").origin).parent
    arguments = ["-c", os.devnull, "--rootdir", str(root), "--import-mode=importlib", *[str(root / p) for p in SKLEARN]]
    check(tmp_path, "sklearn", arguments, cwd=tmp_path)


@pytest.fixture
def scanpy_source(tmp_path):
    """Scanpy's source distribution, which ships its tests; the wheel does not."""
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", "scanpy", "-d", tmp_path]
    subprocess.run([*command, f"scanpy=={version('scanpy')}"], check=True)
    (archive,) = tmp_path.glob("scanpy-*.tar.gz")
    with tarfile.open(archive) as source:
        source.extractall(tmp_path, filter="data")
    return archive.with_suffix("").with_suffix("")


def test_scanpy(tmp_path, scanpy_source):
    # Deprecations of newer releases of pandas are no matter of ours, and one test loads data from the internet.
    arguments = ["-o", "filterwarnings=default", "-k", "not test_score_with_reference", *SCANPY]
    # `scanpy.plotting` evaluates the globals of one of its own functions, which no decorated function has.
    check(tmp_path, "scanpy", arguments, cwd=scanpy_source, leave="scanpy.plotting")
