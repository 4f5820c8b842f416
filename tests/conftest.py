"""Settings that hold for the whole suite; fixtures live beside the tests that need them."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import hypothesis
import pytest
from coverage import Coverage

# Host settings read from the environment would choose backends behind the tests' back.
for variable in [name for name in os.environ if name.endswith("_BACKEND")]:
    del os.environ[variable]

# Coverage measures no code without a file. So where it measures, our wrappers keep their own file's name; the tests of
# the name that they have for users (``calls/test_frames.py``) run in processes of their own.
if Coverage.current() is not None:
    package = importlib.util.find_spec("scverse_backends")
    name = "scverse_backends._foundation.unseen"
    # Before the package, which makes wrappers when it is imported.
    file = Path(package.origin).parent / "_foundation" / "unseen.py"
    spec = importlib.util.spec_from_file_location(name, file)
    sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[name])
    sys.modules[name].renamed = lambda code: code

# Machines that run suites are busy, and a slow example says nothing about the code.
hypothesis.settings.register_profile("suite", deadline=None)
hypothesis.settings.load_profile("suite")


@pytest.fixture(autouse=True)
def wide_tables(monkeypatch):
    """Let tables be as wide as they ever are, whatever terminal runs the suite."""
    monkeypatch.setenv("COLUMNS", "100")
