"""What importing an adapter costs, measured in an interpreter of its own: here, it may have been imported long ago."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

_PROGRAM: Final = Path(__file__).with_name("_import_clock.py")


class ImportCost(NamedTuple):
    """What importing a module takes."""

    seconds: float
    packages: list[str]
    """The other packages that come with it, the most expensive first."""


def import_cost(module: str, host_modules: Iterable[str]) -> ImportCost | None:
    """Import a module in a fresh interpreter, and measure what it takes beyond its host.

    Who imports the adapter has the host already, so nothing of the host counts: the modules that are given are imported
    before, and what the adapter imports of the host's packages beyond them is left out.

    Returns
    -------
    The cost; ``None`` where it cannot be measured.
    """
    # Python skips what stands on its path and is no string, and so do we.
    path = [folder for folder in map(_any, sys.path) if isinstance(folder, str)]
    order = json.dumps([path, list(host_modules), module])
    try:
        done = subprocess.run(  # noqa: S603 - this very interpreter, and a program of our own.
            [sys.executable, str(_PROGRAM), order],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=120,
            check=True,
        )
        seconds, packages = json.loads(done.stdout.splitlines()[-1])
    except (OSError, ValueError, IndexError, subprocess.SubprocessError):
        return None
    return ImportCost(seconds, packages)


def _any(value: object) -> object:
    return value
