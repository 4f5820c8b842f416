"""Run the lane with each release of the backend, the newest first: ``python tests/flagship/run.py``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent

# Today's, whose functions take `rng`, and the one before that, whose functions take `random_state`.
RELEASES = ("0.18.1", "0.15.2")

# Real libraries warn about each other, so the lane runs under its own settings and not under ours.
PYTEST = ["-m", "pytest", "-c", os.devnull, "--rootdir", str(HERE), "--confcutdir", str(HERE), "-p", "no:cacheprovider"]

if __name__ == "__main__":
    codes = [
        subprocess.run(
            [sys.executable, *PYTEST, "-q", str(HERE), *sys.argv[1:]],
            check=False,
            env={**os.environ, "FLAGSHIP_RAPIDS": release},
        ).returncode
        for release in RELEASES
    ]
    sys.exit(max(codes))
