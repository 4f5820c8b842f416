"""Break the code on purpose, and see whether a test notices.

Each mutant is the package with one small change (`and` for `or`, a number that is one off, a statement left out). The
tests that run the changed line are tried first, those of its room before the others and slow ones last. After them come
the whole room, the face and the calls. A mutant that they all like has survived.

All happens in a copy of the project, so the working tree can be edited meanwhile.

    hatch run mutants:run                              # a sample of 200 places
    hatch run mutants:run --seed 7 --sample 50 _calls  # 50 places in one room
"""

from __future__ import annotations

import argparse
import ast
import difflib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import coverage
from places import sample

ROOT = Path(__file__).parents[2]
PACKAGE = "src/scverse_backends"
ROOMS = ["_foundation", "_selection", "_discovery", "_docstrings", "_signatures", "_calls", "_reports", "face"]
# Type checkers only, and what needs Python 3.14.
LEFT_OUT = {"_protocols.py", "annotate.py"}
# Tests that start no interpreters, so that each takes milliseconds.
FAST = [*(room.removeprefix("_") for room in ROOMS), "skeleton", "testing"]
PYTEST = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", "--hypothesis-seed=0"]
LIMIT = 300  # Seconds that a mutant may take: one that hangs is noticed, too.
PASSED = (0, 4, 5)  # Exit statuses of pytest: all passed, wrong arguments, no tests.
SLOW = 0.5  # Seconds from which on a test is tried last.


def room_of(file):
    """Return the room of a file, by its path in the package."""
    first = file.split("/")[0]
    return first if first in ROOMS else "face"


def modules(wanted):
    """Return the code of the wanted rooms, by path in the package."""
    found = {path.relative_to(ROOT / PACKAGE).as_posix(): path for path in (ROOT / PACKAGE).rglob("*.py")}
    faces = {"_cli", "_inside"}
    return {
        file: path.read_text()
        for file, path in found.items()
        if path.name not in LEFT_OUT
        and ("/" not in file or file.split("/")[0] in {*ROOMS, *faces})
        and room_of(file) in wanted
    }


class Copy:
    """A copy of the project, in which the tests run."""

    def __init__(self, folder):
        self.folder = Path(folder)
        for name in ("src", "tests", "docs", "pyproject.toml", "README.md", "LICENSE"):
            kind = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
            kind(ROOT / name, self.folder / name)
        # Its own code comes before what is installed.
        self.environ = {**os.environ, "PYTHONPATH": str(self.folder / "src")}
        self.failing = []
        self.slow = set()
        self.data = None

    def pytest(self, *arguments, **options):
        """Run pytest; returns its exit status and what it printed, or None where it took too long."""
        process = subprocess.Popen(
            [*PYTEST, *arguments],
            cwd=self.folder,
            env={**self.environ, **options},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        try:
            output, _ = process.communicate(timeout=None if "COVERAGE_FILE" in options else LIMIT)
        except subprocess.TimeoutExpired:
            return None, ""
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
        return process.returncode, output

    def prepare(self):
        """Run the tests once on the code as it is: which lines does each run, and which fail anyway?"""
        folders = [f"tests/{name}" for name in FAST]
        measured = self.folder / ".measured"
        options = ["--cov", "--cov-context=test", "--cov-report=", "--cov-fail-under=0", "-rfE", "-n2"]
        options += ["--durations=0", f"--durations-min={SLOW}"]
        _, output = self.pytest(*options, *folders, COVERAGE_FILE=str(measured))
        lines = output.splitlines()
        self.slow = {line.split(maxsplit=2)[2] for line in lines if re.match(r"[\d.]+s (call|setup) ", line)}
        failed = [line.split(" - ")[0].split(" ", 1)[1] for line in lines if line.startswith(("FAILED ", "ERROR "))]
        self.failing = [option for each in failed for option in ("--deselect", each)]
        self.data = coverage.CoverageData(str(measured))
        self.data.read()
        print(lines[-1] if lines else "no tests ran", flush=True)
        for each in failed:
            print(f"  left out, since it fails on the code as it is: {each}")
        # No compiled mutant may stay behind.
        self.environ["PYTHONDONTWRITEBYTECODE"] = "1"

    def tests_of(self, mutant, code):
        """Return the tests that run the mutant's statement: quick ones, those of its room first, and slow ones."""
        by_line = self.data.contexts_by_lineno(str(self.folder / PACKAGE / mutant.file))
        contexts = {each for line in lines_of(code, mutant.start[0]) for each in by_line.get(line, ())}
        if contexts <= {""}:
            # It runs while the module is imported, so what it makes is used by those who run anything of the module.
            contexts = set().union(*by_line.values())
        tests = {each.rpartition("|")[0] for each in contexts} - {""}
        own = f"tests/{room_of(mutant.file).removeprefix('_')}/"
        tests = sorted(tests - set(self.failing), key=lambda test: (not test.startswith(own), test))
        return [test for test in tests if test not in self.slow], [test for test in tests if test in self.slow]

    def survives(self, mutant, code):
        """Return whether all tests like a mutant."""
        path = self.folder / PACKAGE / mutant.file
        times = path.stat()
        try:
            path.write_text(mutant.code)
            room = f"tests/{room_of(mutant.file).removeprefix('_')}"
            named = self.folder / "chosen.txt"
            for chosen in (*self.tests_of(mutant, code), list(dict.fromkeys([room, "tests/face", "tests/calls"]))):
                named.write_text("\n".join(chosen))
                # Where a mutant breaks an import, pytest finds no test of that name. The last round tells what is true.
                if chosen and self.pytest("-x", *self.failing, f"@{named}")[0] not in PASSED:
                    return False
            return True
        finally:
            path.write_text(code)
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))  # What was compiled before is right again.


def lines_of(code, line):
    """Return the lines of the innermost statement around a line; of one with a body, those of its head."""
    best = range(line, line + 1)
    size = None
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, (ast.stmt, ast.ExceptHandler, ast.match_case)):
            first = getattr(node, "lineno", None) or node.pattern.lineno
            body = getattr(node, "body", None)
            last = max(first, body[0].lineno - 1) if body else node.end_lineno
            if first <= line <= last and (size is None or last - first <= size):
                best, size = range(first, last + 1), last - first
    return best


def change(mutant, code):
    """Return the change as a few lines of a diff."""
    lines = difflib.unified_diff(code.splitlines(), mutant.code.splitlines(), lineterm="", n=0)
    return "\n".join(f"      {line}" for line in lines if not line.startswith(("---", "+++", "@@")))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("rooms", nargs="*", help=f"of {', '.join(ROOMS)}; all of them by default")
    parser.add_argument("--sample", type=int, default=200, help="number of places (default: 200)")
    parser.add_argument("--seed", type=int, default=1, help="another seed chooses other places (default: 1)")
    parser.add_argument("--list", action="store_true", help="show the mutants and try none")
    options = parser.parse_args()
    wanted = options.rooms or ROOMS
    if unknown := set(wanted).difference(ROOMS):
        parser.error(f"no room is called {', '.join(sorted(unknown))}; rooms: {', '.join(ROOMS)}")
    code = modules(wanted)
    mutants = sample(code, options.sample, options.seed)
    tried, survived = Counter(), Counter()
    with tempfile.TemporaryDirectory(prefix="mutants-", ignore_cleanup_errors=True) as folder:
        copy = Copy(folder)
        if not options.list:
            copy.prepare()
        for number, mutant in enumerate(mutants, start=1):
            room = room_of(mutant.file)
            began = time.perf_counter()
            lives = options.list or copy.survives(mutant, code[mutant.file])
            tried[room] += 1
            survived[room] += lives
            seconds = time.perf_counter() - began
            word = "mutant" if options.list else "survived" if lives else "noticed"
            where = f"{PACKAGE}/{mutant.file}:{mutant.start[0]}"
            print(f"{number:4} {word}  {where}  {mutant.operator}  ({seconds:.0f} s)", flush=True)
            if lives:
                print(change(mutant, code[mutant.file]), flush=True)
    if options.list:
        return
    print(f"\n{'room':<14}{'mutants':>9}{'survived':>10}{'noticed':>9}")
    for room in [each for each in ROOMS if tried[each]]:
        print(f"{room:<14}{tried[room]:>9}{survived[room]:>10}{1 - survived[room] / tried[room]:>9.1%}")
    total, lost = tried.total(), survived.total()
    if total:
        print(f"{'all':<14}{total:>9}{lost:>10}{1 - lost / total:>9.1%}")


if __name__ == "__main__":
    main()
