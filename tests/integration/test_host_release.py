"""Section 8, shown: a host's release renames a parameter, and the check in a backend's CI finds it.

The example host is copied and edited into a new version; the backends are the examples as they are.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest

import scverse_backends

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
GROUP = "example_host.backends"
NEEDS = {"fast": ["numpy"], "jax": ["numpy", "jax"], "dask": ["numpy", "distributed"]}

# What the new version calls otherwise: the file, the old name and the new one, and how the check tells.
RENAMED = {
    "an option": (
        ("_embedding.py", "n_components", "n_comps"),
        ("embed", "n_comps", "warning", "The host may have renamed 'n_components'."),
    ),
    "a required parameter": (
        ("_score.py", "data", "dataset"),
        ("compute_score", "dataset", "error", "so every call fails. The host may have renamed 'data'."),
    ),
}


@pytest.fixture
def installed(tmp_path):
    """Make a function that installs a version of the example host beside a backend, and a process that has both."""

    def install(backend, change=None):
        site = tmp_path / f"{backend}_{'new' if change else 'old'}"
        for package in ("example_host", f"example_{backend}"):
            project = tomllib.loads((EXAMPLES / package / "pyproject.toml").read_text())["project"]
            shutil.copytree(EXAMPLES / package / "src" / package, site / package)
            information = site / f"{package}-{project['version']}.dist-info"
            information.mkdir()
            (information / "METADATA").write_text(
                f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
            )
            points = project.get("entry-points", {}).get(GROUP, {})
            lines = [f"[{GROUP}]", *(f"{name} = {reference}" for name, reference in points.items())]
            (information / "entry_points.txt").write_text("\n".join(lines))
        if change is not None:
            file, old, new = change
            source = site / "example_host" / file
            text = source.read_text()
            assert f"    {old} : " in text
            source.write_text(text.replace(f"{old}:", f"{new}:").replace(f"    {old} : ", f"    {new} : "))
        return site

    return install


def check(site, backend):
    """Run what a backend's CI runs; return the exit code and what it printed."""
    library = Path(scverse_backends.__file__).parents[1]
    result = subprocess.run(
        [sys.executable, "-m", "scverse_backends", "check", "example_host", backend, "--json"],
        capture_output=True,
        text=True,
        check=False,
        # The examples may be installed in this environment too; the copies come first.
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, [site, library]))},
        cwd=site,
    )
    assert result.stderr == ""
    return result.returncode, json.loads(result.stdout)


@pytest.fixture(params=NEEDS)
def backend(request):
    missing = [module for module in NEEDS[request.param] if find_spec(module) is None]
    if missing and "EXAMPLES_REQUIRED" not in os.environ:
        # The examples have dependencies of their own, which this project's suite must not need.
        pytest.skip(f"example_{request.param} needs {', '.join(missing)}")
    return request.param


def test_the_version_that_a_backend_was_written_for_is_fine(installed, backend):
    name = "fast" if backend == "fast" else f"example_{backend}"
    code, report = check(installed(backend), name)
    assert (code, report["ok"], report["distribution"]) == (0, True, f"example-{backend}")
    assert [problem for problem in report["problems"] if problem["severity"] != "note"] == []


@pytest.mark.parametrize("renamed", RENAMED)
def test_a_parameter_that_a_new_version_renamed_is_found(installed, backend, renamed):
    change, (function, parameter, severity, text) = RENAMED[renamed]
    name = "fast" if backend == "fast" else f"example_{backend}"
    code, report = check(installed(backend, change), name)
    assert (code, report["ok"]) == (1 if severity == "error" else 0, False)
    (problem,) = [problem for problem in report["problems"] if problem["severity"] != "note"]
    assert (problem["function"], problem["parameter"], problem["severity"]) == (function, parameter, severity)
    assert text in problem["message"]
    assert problem["advice"] == f"Rename {change[1]!r} to {change[2]!r}."


def test_an_option_that_a_new_version_calls_otherwise_altogether(installed, backend):
    name = "fast" if backend == "fast" else f"example_{backend}"
    code, report = check(installed(backend, ("_embedding.py", "scale", "standardize")), name)
    assert (code, report["ok"]) == (0, True)
    (problem,) = [problem for problem in report["problems"] if problem["function"] == "embed"]
    assert (problem["parameter"], problem["severity"]) == ("standardize", "note")
    assert "renamed" not in problem["message"]
