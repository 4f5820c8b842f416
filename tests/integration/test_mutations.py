"""Section 8, shown: the kit finds each way in which an example backend is broken, and nothing where it is not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import scverse_backends

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[1] / "docs" / "examples"
NEEDS = {"example_fast": ["numpy"], "example_jax": ["numpy", "jax"], "example_dask": ["numpy", "distributed"]}

# For each mutation, how what finds it begins, and what it says.
FOUND = {
    "wrong_default": ("check: embed(n_components)", "Its default is 3 here and 2 in the host."),
    "renamed_required_parameter": ("check: embed(data)", "The host may have renamed 'dataset'."),
    "renamed_option": ("check: compute_score(features)", "The host may have renamed 'feature_set'."),
    "undocumented_option": ("check: embed(threads)", "without a description"),
    "misspelt_export": ("check: compute_scores", "No host function has this name"),
    "wrong_numerics": ("conformance: embed", "Not equal to tolerance"),
    "wrong_sign": ("conformance: embed", "Not equal to tolerance"),
    "wrong_shape": ("conformance: compute_score", "shape (60, 1) instead of (60,)"),
    "single_wrong_sample": ("conformance: compute_score", "Mismatched elements: 1 / 60"),
    "raising": ("conformance: embed", "not yet on this device"),
    "never_dispatching": ("conformance: embed", "no dispatched call ran on backend 'mutated'"),
    "ignored_option": ("conformance: embed", "Not equal to tolerance"),
    "data_overwritten": ("conformance: compute_score", "Arrays are not equal"),
    "nan_accepted": ("conformance: embed", "accepts what the host refuses"),
    "not_callable": ("check: embed", "It is an object of type str, which cannot be called."),
    "always_declining": ("conformance: embed", "The host ran"),
    "broken_can_run": ("check: embed(can_run)", "It is an object of type bool, which cannot be called"),
    "failing_lazily": ("check: embed", "needs a library that is not installed"),
}


@pytest.mark.parametrize("package", NEEDS)
def test_every_way_of_being_broken_is_found(package):
    missing = [module for module in NEEDS[package] if find_spec(module) is None]
    if missing and "EXAMPLES_REQUIRED" not in os.environ:
        # The examples have dependencies of their own, which this project's suite must not need.
        pytest.skip(f"{package} needs {', '.join(missing)}")
    folders = [
        Path(scverse_backends.__file__).parents[1],
        EXAMPLES / "example_host" / "src",
        EXAMPLES / package / "src",
    ]
    result = subprocess.run(
        [sys.executable, HERE / "mutations.py", package],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, folders))},
    )
    assert result.returncode == 0, result.stderr
    told = json.loads(result.stdout)
    assert told.pop("untouched") == []
    assert set(told) == set(FOUND)
    unseen = {
        mutation: findings
        for mutation, findings in told.items()
        if not any(text.startswith(FOUND[mutation][0]) and FOUND[mutation][1] in text for text in findings)
    }
    assert unseen == {}
