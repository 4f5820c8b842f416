"""The code of the documents that this project began with runs as it was written, against the example packages."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pages
import pytest

import scverse_backends

LIBRARY = Path(scverse_backends.__file__).parents[1]
DOCUMENTS = {path.stem: path for path in sorted((Path(__file__).parent / "founding").glob("*.md"))}
BLOCKS = {name: pages.blocks(path.read_text(encoding="utf-8")) for name, path in DOCUMENTS.items()}

# What the documents leave to the reader: some data, and the functions that the adapters gather.
READER = """
import warnings
import numpy as np
import example_host
from scverse_backends.exceptions import BackendWarning

warnings.simplefilter("error")
# `accelerated` is the alias of a backend that the example host does not list.
warnings.simplefilter("ignore", BackendWarning)
data = np.random.default_rng(0).normal(size=(200, 50))
# The function that the README calls stands for any function of the host.
example_host.some_function = example_host.embed
"""
MODULES = {
    "my_backend/__init__.py": "",
    "my_backend/_backends/__init__.py": "",
    "my_backend/array_ops.py": "def normalize(data): ...\ndef transform(data): ...\n",
    "my_backend/models.py": "def fit(data): ...\ndef predict(data): ...\n",
}
# Without site packages, in which the examples may be installed as well.
ALONE = "-S"
# How often each language occurs, so that no block is lost in reading.
COUNTS = {
    "backend": {"python": 6, "text": 2, "toml": 3},
    "landing": {"python": 1},
    "readme": {"python": 1},
}


def of(name, language="python"):
    return [block for block in BLOCKS[name] if block.language == language]


def run(program, path, *flags):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, [path, LIBRARY]))}
    result = subprocess.run(
        [sys.executable, *flags, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.split()


@pytest.fixture
def site(tmp_path):
    """Return a folder in which the example packages are installed."""
    packages = ["example_host", "example_fast", "example_jax"]
    missing = pages.missing(packages)
    if missing and "EXAMPLES_REQUIRED" not in os.environ:
        # The examples have dependencies of their own, which this project's suite must not need.
        pytest.skip(f"the examples need {', '.join(missing)}")
    pages.install_examples(tmp_path, packages)
    return tmp_path


def my_backend(folder, adapter):
    """Write and install the backend of the document, with one of the adapters that it shows for the same file."""
    signature = next(block.code for block in of("backend") if block.code.startswith("def compute_score"))
    implementation = (
        signature.replace("    ...\n", '    return ("my_backend", batch_size)\n')
        + "\n\ndef embed(data): ...\n\n\ndef summarize(data): ...\n"
    )
    files = {**MODULES, "my_backend/example_host_impl.py": implementation, adapter.path: adapter.code}
    for path, code in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(code, encoding="utf-8")
    project = tomllib.loads(of("backend", "toml")[-1].code)
    assert project["project"]["name"] == "my-backend"
    pages.install_metadata(folder, project["project"])


@pytest.mark.parametrize("name", DOCUMENTS)
def test_all_blocks_are_found(name):
    counted = {}
    for block in BLOCKS[name]:
        counted[block.language] = counted.get(block.language, 0) + 1
    assert counted == COUNTS[name]


@pytest.mark.parametrize("name", ["landing", "readme"])
def test_first_example(name, site):
    (block,) = of(name)
    ran = run(
        f"{READER}\nwith example_host.settings.trace() as calls:\n"
        + "".join(f"    {line}\n" for line in block.code.splitlines())
        + "print(*[call.executed for call in calls])",
        site,
    )
    assert ran == {"landing": ["example_jax"] * 3, "readme": ["fast"]}[name]


def test_using_an_installed_backend(site):
    (block,) = [block for block in of("backend") if "batch_size=4096" in block.code]
    assert run(f"{READER}\n{block.code}\nprint(eh.settings.backend)", site) == ["example_jax"]


@pytest.mark.parametrize("index", [0, 1], ids=["eager", "lazy"])
def test_adapters_entry_points_and_trust(tmp_path, index):
    adapter = [block for block in of("backend") if block.path == "my_backend/_backends/example_host.py"][index]
    my_backend(tmp_path, adapter)
    (configuration,) = [block for block in of("backend") if "trusted_backends" in block.code]
    # `-W error`: the backend is trusted, so nothing is warned of.
    told = run(
        "import warnings; warnings.simplefilter('error')\n"
        f"from scverse_backends import BackendDispatcher\n{configuration.code}\n"
        "@_dispatcher.backend_dispatch\n"
        "def compute_score(data, *, method='fast', copy=False): return 'host'\n"
        "settings = _dispatcher.settings\n"
        "settings.backend = 'cuda'\n"
        "print(settings.backend, *compute_score([1], method='fast', batch_size=4096))\n"
        "print(_dispatcher.backends()[0].trusted, *_dispatcher.backends()[0].aliases)",
        tmp_path,
        ALONE,
    )
    assert told == ["my_backend", "my_backend", "4096", "True", "mine", "cuda"]


def test_the_merged_docstring_looks_as_the_document_shows(tmp_path):
    adapter = next(block for block in of("backend") if block.path == "my_backend/_backends/example_host.py")
    my_backend(tmp_path, adapter)
    shown = next(block.code for block in of("backend", "text") if "batch_size" in block.code)
    program = f"""
from scverse_backends import BackendDispatcher
d = BackendDispatcher(entrypoint_group="example_host.backends", host_name="example_host", untrusted="allow")

@d.backend_dispatch
def compute_score(data, *, method="fast", copy=False):
    '''Compute a score.

    Parameters
    ----------
    data
        Input data.
    '''

d.discover()
import inspect
assert {shown!r} in inspect.getdoc(compute_score) + "\\n", inspect.getdoc(compute_score)
"""
    run(program, tmp_path, ALONE)


def test_gathering_from_several_packages(tmp_path):
    (adapter,) = [block for block in of("backend") if block.path == "my_backend/_backends/another_host.py"]
    my_backend(tmp_path, adapter)
    assert run(
        "import my_backend._backends.another_host as adapter\n"
        "print(adapter.name, *adapter.aliases, *[getattr(adapter, name).__name__ for name in adapter.__all__])",
        tmp_path,
        ALONE,
    ) == ["my_backend", "mine", "cuda", "normalize", "transform", "fit", "predict"]


def test_entry_points_are_well_formed():
    found = [tomllib.loads(block.code)["project"]["entry-points"] for block in of("backend", "toml")]
    assert [list(groups) for groups in found] == [
        ["example_host.backends", "another_host.backends"],
        ["example_host.backends"],
        ["example_host.backends"],
    ]
