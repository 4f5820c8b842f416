"""What happens once in a process: programs started in turn, a fresh interpreter for each figure."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

HERE = Path(__file__).parent
# One seed, so that sets and dicts of strings look the same in each of the compared programs.
ENVIRONMENT = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": str(HERE)}


def probe(python: str, name: str, **arguments) -> dict:
    """Run one probe, return what it measured."""
    command = [python, str(HERE / "probe.py"), name, json.dumps(arguments)]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, env=ENVIRONMENT)
    if ended.returncode != 0:
        raise RuntimeError(f"the probe {name} failed with {arguments}:\n{ended.stderr[-3000:]}")
    return json.loads(ended.stdout)


def alternate(programs: dict, rounds: int) -> dict[str, dict[str, list]]:
    """Run programs, given as functions, in turn; return for each its answers, a list of values for each key."""
    answers: dict[str, dict[str, list]] = {name: {} for name in programs}
    for _ in range(rounds):
        for name, program in programs.items():
            for key, value in program().items():
                answers[name].setdefault(key, []).append(value)
    return answers


def start_seconds(python: str, code: str) -> dict:
    """Seconds of a whole interpreter that runs ``code``."""
    start = time.perf_counter()
    subprocess.run([python, "-c", code], check=True, stdin=subprocess.DEVNULL)
    return {"seconds": time.perf_counter() - start}
