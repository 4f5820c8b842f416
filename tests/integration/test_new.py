"""Section 7.7: a new backend package, written, installed and tested in fresh processes, for hosts of several kinds."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from workshop import Workshop

MADE = """
from scverse_backends import BackendDispatcher

dispatcher = BackendDispatcher(
    entrypoint_group="seen.backends",
    host_name="seen",
    trusted_backends={"real": {"package": "real-dist", "entrypoints": ["main"], "module_prefixes": ["real_pkg"]}},
    reserved_backends={"gpu": "Use a concrete alias such as cuda."},
)
settings = dispatcher.settings
"""

# A plain function with an option of every kind, a class, an async function and a generator.
FUNCTIONS = '''
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from seen._made import dispatcher

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

UNSET = object()


@dispatcher.backend_dispatch
def scale(values: Sequence[float], /, factor: float = 2.0, *, offset: Any = UNSET, **kwargs: Any) -> list[float]:
    """Scale.

    Parameters
    ----------
    values
        Numbers.
    factor
        What to multiply them by.
    **kwargs
        More.
    """
    return [value * factor for value in values]


@dispatcher.backend_class
class Model:
    """A model.

    Parameters
    ----------
    size : int
        How large.
    """

    def __init__(self, size: int = 3) -> None:
        self.size = size


@dispatcher.backend_dispatch(name="fetch_all")
async def fetch(url: str) -> str:
    """Fetch."""
    return "host"


@dispatcher.backend_dispatch
def stream(n: int) -> Iterator[int]:
    """Stream."""
    yield from range(n)


@dispatcher.backend_dispatch
async def astream(n: int) -> AsyncIterator[int]:
    """Stream."""
    for i in range(n):
        yield i
'''

CHECKS = """
from seen import scale, settings
from scverse_backends.testing import run_conformance


def check_scale(backend_name):
    assert scale([1.0], 3.0, backend=backend_name) == [3.0]


def run_feedback(backend_name, **options):
    return run_conformance(
        backend_name=backend_name, tests={"scale": check_scale}, get_backend=settings.get_backend, **options
    )
"""

EAGER = "from seen._functions import Model, astream, fetch, scale, stream\nfrom seen._made import settings\n"
LAZY = """
import importlib

__all__ = ["Model", "astream", "fetch", "scale", "settings", "stream"]

def __getattr__(name):
    if name in __all__:
        return getattr(importlib.import_module("seen._made" if name == "settings" else "seen._functions"), name)
    raise AttributeError(name)
"""
NESTED = "from seen import tl\nfrom seen._made import settings\n"

HOSTS = {
    "eager": {"__init__": EAGER, "testing": CHECKS},
    "lazy": {"__init__": LAZY, "testing": CHECKS},
    "nested, without checks": {"__init__": NESTED, "tl": EAGER},
}


class Seen(Workshop):
    """A workshop with one of these hosts."""

    def host(self, kind):
        files = {"_made": MADE, "_functions": FUNCTIONS, **HOSTS[kind]}
        modules = {f"seen/{name}.py": text for name, text in files.items()}
        self.site.install("seen-dist", version="1.4.2", modules={**modules, "seen/py.typed": ""})


@pytest.fixture
def workshop(site, tmp_path):
    return Seen(site, tmp_path / "work")


def lists(folder, *names):
    """Add functions to the list of the adapter."""
    (adapter,) = (folder / "src").glob("*/_backends/seen.py")
    package = adapter.parts[-3]
    lines = "".join(f'    "{name}": "{package}.seen_impl",\n' for name in names)
    text = adapter.read_text()
    assert text.count("_functions: dict[str, str] = {\n") == 1
    adapter.write_text(text.replace("_functions: dict[str, str] = {\n", f"_functions: dict[str, str] = {{\n{lines}"))


@pytest.mark.parametrize("kind", HOSTS)
def test_from_the_first_minute(workshop, kind):
    workshop.host(kind)
    out = workshop.command("new", "seen", "fast")
    folder = workshop.path / "fast"
    assert out.startswith("A backend 'fast' of seen is in fast:\n  .github/workflows/test.yml\n")
    assert "\n  cd fast\n  python -m pip install -e " in out
    # Before it is installed, nobody knows of it.
    assert "Unknown backend 'fast' for seen" in workshop.command("check", "seen", "fast", code=2)
    workshop.install(folder)
    report = workshop.command("check", "seen", "fast", "--strict")
    assert report.endswith("\n0 functions, 0 errors, 0 warnings, 1 note\n")
    assert "failed" not in workshop.test(folder)
    # Nothing pretends to work: the host runs.
    assert "runs on cpu" in workshop.command("explain", "seen", "scale", "--backend", "fast")

    # A function that is listed and not written says what to do.
    lists(folder, "scale")
    workshop.install(folder)
    assert "1 function, 0 errors, 0 warnings" in workshop.command("check", "seen", "fast", "--strict")
    program = "import seen, warnings; warnings.simplefilter('ignore'); seen.scale([1.0], backend='fast')"
    if kind.startswith("nested"):
        program = program.replace("seen.scale", "seen.tl.scale")
    failed = subprocess.run(
        [sys.executable, "-c", program],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(workshop.site.path), *sys.path])},
    )
    assert failed.stderr.splitlines()[-1] == (
        "NotImplementedError: Write this function, then add it to _functions in src/fast/_backends/seen.py."
    )

    # Written, it passes the host's own check, or the comparison with the host.
    implementation = folder / "src" / "fast" / "seen_impl.py"
    text = implementation.read_text()
    start = text.index("def scale(")
    before, body, after = text[start:].partition("raise NotImplementedError(_TO_DO)")
    implementation.write_text(text[:start] + before + "return [factor * value for value in values]" + after)
    assert body
    tests = folder / "tests" / "test_seen.py"
    if kind.startswith("nested"):
        assert "failed" in workshop.test(folder, code=1)  # Nothing is compared yet.
        entry = 'CALLS["scale"] = (tl.scale, [[1.0, 2.0], 3.0], {})\n\n\ndef test_contract'
        tests.write_text(tests.read_text().replace("def test_contract", f"from seen import tl\n\n{entry}"))
    workshop.install(folder)
    assert "failed" not in workshop.test(folder)
    implementation.write_text(implementation.read_text().replace("factor * value", "factor + value"))
    workshop.install(folder)
    assert "failed" in workshop.test(folder, code=1)


@pytest.mark.parametrize("kind", ["eager", "nested, without checks"])
def test_the_signatures_are_those_of_the_host(workshop, kind):
    workshop.host(kind)
    workshop.command("new", "seen", "fast")
    folder = workshop.path / "fast"
    lists(folder, "Model", "astream", "fetch_all", "scale", "stream")
    workshop.install(folder)
    report = workshop.command("check", "seen", "fast", "--strict")
    assert report.endswith("\n5 functions, 0 errors, 0 warnings, 1 note\n")
    text = (folder / "src" / "fast" / "seen_impl.py").read_text()
    assert "from collections.abc import AsyncIterator, Iterator, Sequence\n" in text
    assert "async def fetch_all(url: str) -> str:" in text
    assert f"Do what {'seen.tl' if kind.startswith('nested') else 'seen'}.fetch does." in text


def test_the_trusted_backend_of_a_host(workshop):
    workshop.host("eager")
    out = json.loads(workshop.command("new", "seen", "real", "--functions", "fetch,scale", "--into", "here", "--json"))
    assert (out["folder"], out["functions"], out["next"][0]) == ("here", ["fetch_all", "scale"], "cd here")
    assert (out["backend"], out["entry_point"], out["distribution"]) == ("real", "main", "real-dist")
    folder = workshop.path / "here"
    workshop.install(folder)
    report = workshop.command("check", "seen", "real", "--strict")
    assert report == "seen: backend 'real' (real-dist 0.1.0)\n\n0 functions, 0 errors, 0 warnings, 0 notes\n"
    (real,) = json.loads(workshop.command("list", "seen", "--json"))
    assert (real["name"], real["trusted"], real["state"]) == ("real", True, "available")
    assert "warning" not in workshop.test(folder)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["seen", "gpu"], "The name 'gpu' is reserved by the host: Use a concrete alias such as cuda."),
        (["seen", "my backend"], "Did you mean 'my_backend'?"),
        (["seen", "fast", "--functions", "sclae"], "no function 'sclae'. Did you mean 'scale'?"),
        (["seen", "fast", "--into", "taken"], "taken holds README.md already, and nothing is overwritten."),
        (["nowhere", "fast"], "cannot import 'nowhere'"),
    ],
)
def test_what_cannot_be_written(workshop, arguments, message):
    workshop.host("eager")
    (workshop.path / "taken").mkdir()
    (workshop.path / "taken" / "README.md").write_text("mine")
    out = workshop.command("new", *arguments, code=2)
    assert out.startswith("scverse-backends: ")
    assert message in out
    assert "Traceback" not in out
    assert [str(path.relative_to(workshop.path)) for path in workshop.path.rglob("*")] == ["taken", "taken/README.md"]


def test_into_the_folder_of_a_repository(workshop):
    workshop.host("eager")
    (workshop.path / ".git").mkdir()
    out = workshop.command("new", "seen", "fast", "--into", ".")
    assert "\nNow type:\n  python -m pip install" in out
    assert (workshop.path / "src" / "fast" / "_backends" / "seen.py").is_file()
