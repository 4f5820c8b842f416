"""Distributions that are really installed, and fresh processes that find them.

A distribution is a few lines of text here, so it is installed the way an unpacked wheel lies on disk: its modules and
its ``.dist-info`` in a directory that stands on the path of the process. The tests of wheels and pip build real ones.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from textwrap import dedent

import pytest

import scverse_backends

GROUP = "hosted.backends"

# Ends a process that hangs, with the stacks of all its threads, long before the suite's own patience ends.
WATCHDOG = "import faulthandler; faulthandler.dump_traceback_later({seconds}, exit=True)\n"

# The host of most tests: three functions, one trusted backend, one reserved name.
HOST = '''
from scverse_backends import BackendDispatcher

dispatcher = BackendDispatcher(
    entrypoint_group="hosted.backends",
    host_name="hosted",
    trusted_backends={"real": {
        "aliases": ["genuine"],
        "package": "real-backend",
        "entrypoints": ["real"],
        "module_prefixes": ["real_backend"],
    }},
    reserved_backends={"gpu": "Use a concrete name."},
)
settings = dispatcher.settings


@dispatcher.backend_dispatch
def double(x, *, scale=1):
    """Double a number.

    Parameters
    ----------
    x : int
        The number.
    scale : int
        A factor.
    """
    return ("cpu", 2 * x * scale)


@dispatcher.backend_dispatch
def triple(x):
    """Triple a number.

    Parameters
    ----------
    x : int
        The number.
    """
    return ("cpu", 3 * x)
'''


def adapter(name, *, aliases=(), body=""):
    """Return the source of an adapter module that doubles, and leaves a line on a record of imports."""
    return dedent(f"""
        import os as _os
        if "IMPORTS" in _os.environ:
            with open(_os.environ["IMPORTS"], "a") as _file:
                _file.write({name!r} + "\\n")
        name = {name!r}
        aliases = {aliases!r}

        def double(x, *, scale=1, {name.replace("-", "_")}_option=None):
            \"\"\"Double.

            Parameters
            ----------
            {name.replace("-", "_")}_option : int
                An option of {name} alone.
            \"\"\"
            return ({name!r}, 2 * x * scale)
        """) + dedent(body)


class Site:
    """A directory of installed distributions, and processes that have it on their path."""

    def __init__(self, path):
        self.path = path
        self.path.mkdir()
        self.imports = path.parent / "imports.txt"
        self.install("hosted", modules={"hosted.py": HOST})

    def install(self, distribution, *, version="1.0", modules=None, entry_points=None, metadata=None, into=None):
        """Install a distribution; ``entry_points`` is a mapping of names to references, or the text of the file."""
        for path, text in self.files(distribution, version, modules or {}, entry_points, metadata).items():
            target = (into or self.path) / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(text, bytes):
                target.write_bytes(text)
            else:
                target.write_text(text, encoding="utf-8")

    def uninstall(self, distribution, version="1.0", modules=()):
        """Remove what :meth:`install` wrote."""
        information = self._information(distribution, version)
        for file in (self.path / information).iterdir():
            file.unlink()
        (self.path / information).rmdir()
        for module in modules:
            (self.path / module).unlink()

    def wheel(self, directory, distribution, *, version="1.0", modules=None, entry_points=None):
        """Build a real wheel."""
        files = self.files(distribution, version, modules or {}, entry_points, None)
        information = self._information(distribution, version)
        files[f"{information}/WHEEL"] = (
            "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        files[f"{information}/RECORD"] = "".join(f"{path},,\n" for path in files) + f"{information}/RECORD,,\n"
        stem = f"{distribution.replace('-', '_')}-{version}-py3-none-any"
        wheel = directory / f"{stem}.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            for path, text in files.items():
                archive.writestr(path, text)
        return wheel

    def files(self, distribution, version, modules, entry_points, metadata):
        """Return the files of a distribution by their path."""
        information = self._information(distribution, version)
        found = {path: text if isinstance(text, bytes) else dedent(text) for path, text in modules.items()}
        if metadata is None:
            metadata = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
        found[f"{information}/METADATA"] = metadata
        if isinstance(entry_points, dict):
            lines = "".join(f"{name} = {reference}\n" for name, reference in entry_points.items())
            entry_points = f"[{GROUP}]\n{lines}"
        if entry_points is not None:
            found[f"{information}/entry_points.txt"] = entry_points
        return found

    @staticmethod
    def _information(distribution, version):
        return f"{distribution.replace('-', '_')}-{version}.dist-info"

    def good(self, name="good", **options):
        """Install an unrelated backend that works, from a distribution of its own."""
        module = f"{name.replace('-', '_')}_backend"
        self.install(
            f"{name}-distribution",
            modules={f"{module}.py": adapter(name, **options)},
            entry_points={name: module},
        )

    def imported(self):
        """Return the names of the adapters that were executed, in order, once for each time."""
        return self.imports.read_text().split() if self.imports.exists() else []

    def run(
        self,
        program,
        *arguments,
        flags=(),
        environment=None,
        cwd=None,
        seconds=40,
        path=(),
        measured=True,
        python=sys.executable,
    ):
        """Run a program in a fresh process; returns the value that it gave to ``report``, with its warnings as errors.

        A program that hangs fails with the stacks of all its threads, one that ends in another way with its output.
        """
        library = Path(scverse_backends.__file__).parents[1]
        dropped = ("PYTHON",) if measured else ("PYTHON", "COVERAGE")
        variables = {key: value for key, value in os.environ.items() if not key.startswith(dropped)}
        variables |= {
            "PYTHONPATH": os.pathsep.join(map(str, [*path, self.path, library])),
            "IMPORTS": str(self.imports),
            # Tests change modules within one tick of a file system's clock, which cached byte code would not notice.
            "PYTHONDONTWRITEBYTECODE": "1",
            **(environment or {}),
        }
        output = self.path.parent / "report.json"
        output.unlink(missing_ok=True)
        prelude = WATCHDOG.format(seconds=seconds) + (
            "def report(value):\n"
            "    import json\n"
            f"    with open({str(output)!r}, 'w') as file:\n"
            "        json.dump(value, file)\n"
        )
        script = self.path.parent / "program.py"
        script.write_text(prelude + dedent(program), encoding="utf-8")
        finished = subprocess.run(
            [python, *(["-X", "dev"] if sys.flags.dev_mode else []), *flags, str(script), *map(str, arguments)],
            check=False,
            capture_output=True,
            text=True,
            env=variables,
            cwd=cwd or self.path.parent,
            timeout=seconds + 30,
        )
        assert finished.returncode == 0, f"exit {finished.returncode}\n{finished.stdout}\n{finished.stderr}"
        self.errors = finished.stderr
        return json.loads(output.read_text()) if output.exists() else None


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path / "site")


@pytest.fixture
def adapter_source():
    return adapter
