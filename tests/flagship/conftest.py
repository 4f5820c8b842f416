"""The flagship pair in one process: decorated scanpy and squidpy, and stand-ins for rapids-singlecell.

``FLAGSHIP_RAPIDS`` says which release of the backend is installed, ``FLAGSHIP_CACHE`` where its wheel is kept.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import json
import os
import runpy
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import hosts  # noqa: E402 - it lies beside this file.
import stubs  # noqa: E402 - as above.

RAPIDS = os.environ.get("FLAGSHIP_RAPIDS", "0.18.1")
CACHE = Path(os.environ.get("FLAGSHIP_CACHE", Path(tempfile.gettempdir()) / "scverse-backends-flagship"))
# The next scanpy has no squidpy yet that goes with it.
HOSTS = [host for host in ("scanpy", "squidpy") if importlib.util.find_spec(host) is not None]
if "squidpy" not in HOSTS:
    collect_ignore = ["test_squidpy.py"]

CACHE.mkdir(parents=True, exist_ok=True)
FOLDER = tempfile.TemporaryDirectory()
STANDINS = stubs.install(stubs.download(RAPIDS, CACHE), Path(FOLDER.name) / "site-packages")
sys.path.insert(0, str(STANDINS))
hosts.decorate_at_import()

LOOK = """
import importlib, inspect, json, sys, warnings
warnings.simplefilter("ignore")
from complaints import complaints
seen = {}
for module, names in json.loads(sys.argv[1]).items():
    try:
        loaded = importlib.import_module(module)
    except ModuleNotFoundError:
        continue
    functions = {name: getattr(loaded, name) for name in names if hasattr(loaded, name)}
    for name, function in functions.items():
        shown = {"doc": function.__doc__, "parameters": list(inspect.signature(function).parameters)}
        shown["complaints"] = complaints(f"{module}.{name}")
        seen[f"{module.partition('.')[0]}.{name}"] = shown
import pipeline
print("SEEN" + json.dumps({"functions": seen, "digest": pipeline.digest()}))
"""


def dispatchers():
    with warnings.catch_warnings(action="ignore"):  # The hosts' dependencies deprecate each other.
        for module in hosts.DECORATED:
            if module.partition(".")[0] in HOSTS and importlib.util.find_spec(module) is not None:
                importlib.import_module(module)
    return {host: importlib.import_module(f"{host}._backends").dispatcher for host in HOSTS}


DISPATCHERS = dispatchers()


def pytest_report_header():
    functions = sum(len(dispatcher.functions()) for dispatcher in DISPATCHERS.values())
    versions = [f"{host} {importlib.metadata.version(host)}" for host in HOSTS]
    return f"flagship: {', '.join(versions)}, rapids-singlecell {RAPIDS}: {functions} functions"


def pytest_generate_tests(metafunc):
    if "function" in metafunc.fixturenames:
        found = [(host, name) for host, dispatcher in DISPATCHERS.items() for name in dispatcher.functions()]
        metafunc.parametrize("function", found, ids=[f"{host}-{name}" for host, name in found], indirect=True)


class Function:
    """One decorated function: as the user sees it, as the host wrote it, and the backend's."""

    def __init__(self, host, name, plain):
        self.host, self.name = host, name
        self.dispatcher = DISPATCHERS[host]
        decorated = self.dispatcher.functions()[name]
        self.public = getattr(sys.modules[decorated.__module__], decorated.__name__)
        self.plain = plain["functions"][f"{host}.{name}"]
        self.implementation = getattr(self.dispatcher.get_backend("cuda"), name, None)


@pytest.fixture(scope="session")
def plain():
    """What the hosts' functions show and compute where nothing is decorated, seen in a process of their own."""
    wanted = {module: list(names) for module, names in hosts.DECORATED.items() if module.partition(".")[0] in HOSTS}
    command = [sys.executable, "-c", LOOK, json.dumps(wanted)]
    output = subprocess.run(command, check=True, capture_output=True, text=True, cwd=HERE).stdout
    return json.loads(output.partition("SEEN")[2])


@pytest.fixture
def function(request, plain):
    return Function(*request.param, plain)


@pytest.fixture(scope="session", autouse=True)
def discovered():
    """All options are merged, as in documentation and after a user has asked for a list."""
    for dispatcher in DISPATCHERS.values():
        dispatcher.discover()


@pytest.fixture(autouse=True)
def unselected():
    """No test leaves a selection behind."""
    yield
    for dispatcher in DISPATCHERS.values():
        assert dispatcher.settings.backend == "cpu"


@pytest.fixture(scope="session")
def pbmc():
    import scanpy

    with warnings.catch_warnings(action="ignore"):
        return scanpy.datasets.pbmc68k_reduced()


@pytest.fixture
def data(pbmc):
    return pbmc.copy()


@pytest.fixture
def command(capsys, monkeypatch):
    """Run the command line on the decorated hosts; returns its exit code and what it printed."""

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["scverse-backends", *arguments])
        with pytest.raises(SystemExit) as ended:
            runpy.run_module("scverse_backends", run_name="__main__")
        return ended.value.code, capsys.readouterr().out

    return run
