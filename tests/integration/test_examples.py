"""The example host and backends, built as wheels, installed with pip and used in a fresh process."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("numpy") is None,
        reason="the example host computes with NumPy, which the suite itself does not need",
    ),
    pytest.mark.skipif(
        importlib.util.find_spec("hatchling") is None,
        reason="the wheels are built without network, so the build backend must be installed",
    ),
]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    target = tmp_path_factory.mktemp("installed")
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--no-index",
            "--no-build-isolation",
            "--disable-pip-version-check",
            "--target",
            target,
            EXAMPLES / "example_host",
            EXAMPLES / "example_fast",
            EXAMPLES / "example_dask",
        ],
        check=True,
        timeout=240,
    )
    return target


def test_the_host_and_an_untrusted_backend_agree(site, installed):
    found = site.run(
        """
        import sys, warnings
        import numpy, example_host
        data = numpy.random.default_rng(0).normal(size=(40, 12))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            host = example_host.compute_score(data, [0, 1, 2], backend="cpu")
            fast = example_host.compute_score(data, [0, 1, 2], backend="fast")
        report([
            float(abs(numpy.asarray(host) - numpy.asarray(fast)).max()),
            [type(one.message).__name__ for one in caught],
            sorted(name for name in sys.modules if name in ("example_dask", "example_fast", "example_jax")),
        ])
        """,
        path=[installed],
    )
    assert found[0] < 1e-9
    assert "UntrustedBackendWarning" in found[1]
    assert found[2] == ["example_fast"]


def test_a_trusted_backend_that_is_not_installed_says_how_to_get_it(site, installed):
    found = site.run(
        """
        import example_host
        try:
            example_host.settings.backend = "jax"
        except ImportError as error:
            report([type(error).__name__, str(error)])
        """,
        path=[installed],
    )
    assert found[0] in ("BackendNotInstalledError", "None")
    assert "pip install" in found[1]
