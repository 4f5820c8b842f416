"""Measure what importing an adapter costs, in an interpreter of its own: here, it may have been imported long ago."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Final


def import_seconds(module: str, host: str) -> tuple[float, list[str]] | None:
    """Import a module in a fresh interpreter that has imported its host, and measure.

    Returns
    -------
    The seconds, and the top-level packages that came with it; ``None`` where it cannot be measured.
    """
    order = json.dumps([sys.path, host, module])
    try:
        done = subprocess.run(  # noqa: S603 - this very interpreter, and a program of our own.
            [sys.executable, "-c", _MEASURE, order], capture_output=True, text=True, timeout=120, check=True
        )
        seconds, packages = json.loads(done.stdout.splitlines()[-1])
    except (OSError, ValueError, IndexError, subprocess.SubprocessError):
        return None
    return seconds, packages


_MEASURE: Final = """
import importlib, json, sys, time
sys.path[:], host, module = json.loads(sys.argv[1])
try:
    importlib.import_module(host)
except BaseException:
    pass
before = set(sys.modules)
start = time.perf_counter()
importlib.import_module(module)
seconds = time.perf_counter() - start
packages = {name.partition(".")[0] for name in set(sys.modules) - before}
packages -= {name.partition(".")[0] for name in before} | sys.stdlib_module_names | {module.partition(".")[0]}
print()
print(json.dumps([seconds, sorted(name for name in packages if not name.startswith("_"))]))
"""
