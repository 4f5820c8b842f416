"""Calls: worker processes of all libraries, asked in turn, round after round.

pyperf runs the processes of one benchmark after those of another, so that minutes lie between the two numbers of a
ratio, and a machine that others use as well drifts in minutes. Here the numbers of a ratio are milliseconds apart. What
pyperf does against luck in the layout of memory is done as well: each generation of workers is a set of new processes.
"""

from __future__ import annotations

import json
import random
import subprocess
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from hosts import SIZES

HERE = Path(__file__).parent
STYLES = ("positional", "keyword")


@dataclass(frozen=True)
class Kind:
    """One kind of call: in which state of the settings, with which selection, beside which wrapper."""

    name: str
    state: str
    suffix: str
    beside: str
    function: str = "dispatched"
    backend: bool = False

    def call(self, function: str, size: int, style: str, suffix: str) -> tuple[str, str]:
        given = ["x" if style == "positional" else f"p{index}=x" for index in range(size)]
        return f"{function}{size}", ", ".join([*given, *([suffix] if suffix else [])])

    def calls(self, size: int, style: str) -> list[tuple[str, str]]:
        """Return what is timed together: the wrapper that sets the scale, and the library."""
        return [self.call(self.beside, size, style, ""), self.call(self.function, size, style, self.suffix)]


# The states come in this order, since what was selected once may be remembered for ever.
KINDS = [
    Kind("host, nothing ever selected", "untouched", "", "bare"),
    Kind("class on the host, nothing ever selected", "untouched", "", "Forwarded", "Model"),
    Kind('host, `backend="cpu"`, nothing else selected', "cpu", 'backend="cpu"', "scoped"),
    Kind("host, after a selection was undone", "touched", "", "bare"),
    Kind("class on the host, after a selection was undone", "touched", "", "Forwarded", "Model"),
    Kind('backend, by `backend="fast"`', "touched", 'backend="fast"', "scoped", backend=True),
    Kind("backend, by the setting", "setting", "", "scoped", backend=True),
    Kind('host, `backend="cpu"` against a selection', "setting", 'backend="cpu"', "scoped"),
    Kind("backend, by a scope", "scope", "", "scoped", backend=True),
]


class Process:
    """The pipe to one worker."""

    def __init__(self, python: str, subject: str, folder: Path) -> None:
        command = [python, str(HERE / "worker.py"), subject, str(folder)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.described = self.ask(do="describe")

    def ask(self, **request):
        """Send one request, return its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"a worker ended: {self._process.args}")
        return json.loads(answer)

    def stop(self) -> None:
        """End the worker by closing its input."""
        self._process.communicate()


def kinds_of(subject: str) -> list[Kind]:
    """Return the kinds of call that a library can be asked for."""
    if subject in ("ours", "0.0.3"):
        return KINDS
    if subject == "bare":
        return [kind for kind in KINDS if kind.function != "Model" and not kind.suffix and kind.state == "untouched"]
    without_class = [kind for kind in KINDS if kind.function != "Model"]
    if subject == "by hand":
        return without_class
    return [kind for kind in without_class if (subject == "networkx" and "cpu" not in kind.suffix) or not kind.suffix]


def measure(pythons: dict[str, str], folders: dict[str, Path], *, generations: int, rounds: int, seconds: float, say):
    """Return ``{kind: {size: {style: {subject: (scale, library)}}}}``, two lists of seconds for one call each."""
    samples: dict = defaultdict(lambda: ([], []))
    reached: dict = {}
    for generation in range(generations):
        say(f"calls, generation {generation + 1} of {generations}")
        workers = {subject: Process(pythons[subject], subject, folders[subject]) for subject in pythons}
        try:
            for state in dict.fromkeys(kind.state for kind in KINDS):
                _state(state, workers, samples, reached, rounds, seconds)
        finally:
            for worker in workers.values():
                worker.stop()
    return samples, reached


def _state(state, workers, samples, reached, rounds, seconds) -> None:
    """Bring all workers into one state and measure all its calls in turn."""
    plan = []
    for subject, worker in workers.items():
        if state not in worker.described["states"]:
            continue
        worker.ask(do="state", state=state)
        for kind in (kind for kind in kinds_of(subject) if kind.state == state):
            if f"{kind.function}{SIZES[0]}" not in worker.described["names"]:
                continue
            for size in SIZES:
                for style in STYLES:
                    calls = kind.calls(size, style)
                    if kind.function == "dispatched":
                        reached[kind.name, subject] = worker.ask(do="reached", calls=calls[1:])[0]
                    loops = worker.ask(do="calibrate", calls=calls, target=seconds)
                    timed = [[*call, count] for call, count in zip(calls, loops, strict=True)]
                    plan.append(((kind.name, size, style, subject), worker, timed))
    plan.sort(key=lambda entry: entry[0][:3])  # The libraries alternate within one case.
    for number in range(rounds):
        random.Random(number).shuffle(plan) if number % 2 else plan.sort(key=lambda entry: entry[0][:3])
        for key, worker, timed in plan:
            for values, value in zip(samples[key], worker.ask(do="sample", calls=timed), strict=True):
                values.append(value)
