"""The virtual environments that are measured, built once and kept in the project's `.bench` folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
REQUIREMENTS = {
    "bare": [],
    "by hand": [],
    "ours": ["--no-deps", "--force-reinstall", str(ROOT)],
    "0.0.3": ["scverse-backends==0.0.3"],
    "networkx": ["networkx"],
    # The name is taken on the package index by an empty package, so this one comes from its repository.
    "spatch": ["git+https://github.com/scientific-python/spatch"],
    "plot": ["matplotlib"],
}
# The standard library is on this list because each interpreter has its own.
PROVES = {
    "bare": "sys",
    "by hand": "sys",
    "ours": "scverse_backends",
    "0.0.3": "scverse_backends",
    "networkx": "networkx",
    "spatch": "spatch.backend_system",
    "plot": "matplotlib",
}


class Unavailable(Exception):
    """An environment cannot be built here; says why."""


def interpreter(version: str | None) -> str:
    """Return the path of the interpreter asked for, by version or path; without one, of this one."""
    if version is None:
        return sys.executable
    found = shutil.which(version) or shutil.which(f"python{version}")
    if found is None:
        raise SystemExit(f"there is no interpreter {version!r} on the search path")
    answer = subprocess.run(
        [found, "-c", "import sys; print(sys.executable)"], check=True, capture_output=True, text=True
    )
    return answer.stdout.strip()


def cache() -> Path:
    """Return the folder of all that the benchmarks keep, which tells git to ignore it."""
    folder = ROOT / ".bench"
    folder.mkdir(exist_ok=True)
    (folder / ".gitignore").write_text("*\n", encoding="utf-8")
    return folder


def environment(name: str, base: str, *, source: str | None = None) -> str:
    """Return the interpreter of the environment ``name`` on top of ``base``, built where it is missing.

    ``source`` replaces what is installed, for a library that is to be had from somewhere else.
    """
    answer = subprocess.run(
        [base, "-c", "import sys; print('{}.{}.{}'.format(*sys.version_info))"],
        check=True,
        capture_output=True,
        text=True,
    )
    folder = cache() / f"{answer.stdout.strip()}-{name.replace(' ', '-')}"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():
        subprocess.run([base, "-m", "venv", str(folder)], check=True)
    proof = [str(python), "-c", f"import {PROVES[name]}"]
    ready = name != "ours" and subprocess.run(proof, capture_output=True, check=False).returncode == 0
    if not ready:
        requirements = [*REQUIREMENTS[name][:-1], source] if source else REQUIREMENTS[name]
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements]
        built = subprocess.run(install, capture_output=True, text=True, check=False) if requirements else None
        if built is not None and built.returncode != 0:
            raise Unavailable("not measured, since it could not be installed here")
        if subprocess.run(proof, capture_output=True, check=False).returncode != 0:
            raise Unavailable(f"not measured: {PROVES[name]} cannot be imported")
    return str(python)
