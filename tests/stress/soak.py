"""Run the tests of concurrency and interrupts again and again, by hand and for minutes.

Each round takes another order and other timings; the first one interrupts every point instead of some forty. The first
failure ends it with its output.

    python tests/stress/soak.py --minutes 10
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from time import monotonic

INTEGRATION = Path(__file__).parents[1] / "integration"
FILES = ["test_concurrency.py", "test_nothing_kept_alive.py", "test_interrupts.py"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=5, help="start no new round after this time (default: 5)")
    options = parser.parse_args()
    end = monotonic() + 60 * options.minutes
    rounds = 0
    while rounds == 0 or monotonic() < end:
        rounds += 1
        # Interrupting every point takes most of a round and finds the same each time, so once is enough.
        environment = {**os.environ, **({"SOAK": "1"} if rounds == 1 else {})}
        files = [str(INTEGRATION / name) for name in FILES]
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *files]
        finished = subprocess.run(command, check=False, env=environment, capture_output=True, text=True)
        print(f"round {rounds}: {finished.stdout.strip().splitlines()[-1]}", flush=True)
        if finished.returncode:
            print(finished.stdout, finished.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
