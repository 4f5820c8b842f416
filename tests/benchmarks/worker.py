"""A process that stays alive and answers "time this call, so many loops" over its pipes.

Started as `worker.py SUBJECT FOLDER`, with the folder of fake distributions; one JSON object in a line each way.
"""

from __future__ import annotations

import gc
import itertools
import json
import platform
import sys
import time
import warnings

UNROLLED = 10  # Calls in one turn of the loop, so that the loop itself is a hundredth of what is measured.


def compile_timer(arguments: str):
    """Return a function that times ``loops`` turns of ten calls ``f(<arguments>)``, everything in local variables."""
    body = f"        f({arguments})\n" * UNROLLED
    source = (
        "def timer(f, x, loops, clock, repeat):\n"
        "    turns = repeat(None, loops)\n"
        "    start = clock()\n"
        f"    for _ in turns:\n{body}"
        "    return clock() - start\n"
    )
    namespace: dict = {}
    exec(source, namespace)
    return namespace["timer"]


class Worker:
    """The subject of this process and the timers compiled so far."""

    def __init__(self, subject) -> None:
        self.subject = subject
        self.timers: dict[tuple[str, str], object] = {}

    def seconds(self, function: str, arguments: str, loops: int) -> float:
        """Seconds for one call, from ``loops`` turns."""
        # A timer for each function: the interpreter specialises code for what it calls.
        key = function, arguments
        if key not in self.timers:
            self.timers[key] = compile_timer(arguments)
        callable_ = self.subject.namespace[function]
        total = self.timers[key](callable_, self.subject.x, loops, time.perf_counter, itertools.repeat)
        return total / (loops * UNROLLED)

    def calibrate(self, function: str, arguments: str, target: float) -> int:
        """Loops that take about ``target`` seconds, found after a warm-up."""
        self.seconds(function, arguments, 1)
        loops = 1
        while True:
            once = self.seconds(function, arguments, loops)
            if once * loops * UNROLLED >= target / 2 or loops > 10**6:
                return max(1, round(target / (once * UNROLLED)))
            loops *= 4

    def reached(self, function: str, arguments: str) -> str:
        """Name the file of the innermost function that one call reaches: a row must not claim what did not run."""
        files = []
        namespace = {"f": self.subject.namespace[function], "x": self.subject.x}
        code = compile(f"f({arguments})", "<reached>", "eval")
        name = f"call{function.removeprefix('dispatched')}"

        def profile(frame, event, _argument):
            if event == "call" and frame.f_code.co_name == name:
                files.append(frame.f_code.co_filename)

        sys.setprofile(profile)
        try:
            eval(code, namespace)
        finally:
            sys.setprofile(None)
        return "backend" if files and files[-1].endswith("bench_fast.py") else "host"

    def answer(self, request: dict):
        """Answer one request."""
        match request["do"]:
            case "state":
                self.subject.enter(request["state"])
                return None
            case "calibrate":
                return [self.calibrate(*call, request["target"]) for call in request["calls"]]
            case "sample":
                return [self.seconds(*call) for call in request["calls"]]
            case "reached":
                return [self.reached(*call) for call in request["calls"]]
            case "describe":
                return {
                    "states": self.subject.states,
                    "python": platform.python_version(),
                    "names": sorted(self.subject.namespace),
                }
        raise ValueError(request)


def main() -> None:
    name, folder = sys.argv[1:]
    sys.path.insert(0, folder)
    # What a library prints must not be taken for an answer.
    answers, sys.stdout = sys.stdout, sys.stderr
    warnings.simplefilter("ignore")
    from subjects import SUBJECTS

    worker = Worker(SUBJECTS[name]())
    gc.collect()
    gc.freeze()
    gc.disable()
    for line in sys.stdin:
        print(json.dumps(worker.answer(json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()
