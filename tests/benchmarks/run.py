"""Measure this library beside others and write the tables of `docs/performance.md`.

`python tests/benchmarks/run.py` takes some minutes; `--quick` takes one, with figures good enough for developing.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import calls
import environments
import installed
import report
import scaling
import section
from figures import Figure
from hosts import SIZES
from subjects import SUBJECTS

DOCS = environments.ROOT / "docs" / "_static" / "performance"
PAGE = environments.ROOT / "docs" / "performance.md"
PANELS = [
    ("host, nothing selected", calls.KINDS[0].name, "bare"),
    ('host, backend="cpu" while selected', calls.KINDS[7].name, "scoped"),
    ("backend, by a scope", calls.KINDS[8].name, "scoped"),
]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", help="version or path of the interpreter to measure on (default: this one)")
    parser.add_argument("--quick", action="store_true", help="few rounds, for developing")
    parser.add_argument(
        "--only", choices=["calls", "once", "scaling"], help="measure one part; then nothing is written"
    )
    parser.add_argument(
        "--output", type=Path, help="folder of the results (default: the documentation's, unless quick)"
    )
    parser.add_argument("--spatch", metavar="SOURCE", help="what pip installs spatch from (default: its repository)")
    parser.add_argument(
        "--ours", metavar="SOURCE", help="another state of this repository to measure (default: this one)"
    )
    return parser.parse_args()


def panels(samples, reached) -> list[dict]:
    """Return the lines of the plot."""
    drawn = []
    for title, kind, scale in PANELS:
        lines = []
        backend = next(each.backend for each in calls.KINDS if each.name == kind)
        for library in [scale, *SUBJECTS]:
            subject = "ours" if library == scale else library
            wanted = "backend" if backend else "host"
            if (library == scale == "bare" and lines) or (library == "bare" and lines):
                continue
            if reached.get((kind, subject)) != wanted:
                continue
            for style in calls.STYLES:
                found = [samples.get((kind, size, style, subject)) for size in SIZES]
                seconds = [Figure.of(pair[0 if library == scale else 1]).median for pair in found]
                lines.append({"library": library, "style": style, "sizes": list(SIZES), "seconds": seconds})
        drawn.append({"title": title, "lines": lines})
    return drawn


def main() -> None:
    options = arguments()
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - started:6.1f} s  {text}", file=sys.stderr, flush=True)

    base = environments.interpreter(options.python)
    pythons, unavailable = {}, {}
    sources = {"spatch": options.spatch, "ours": options.ours}
    for name in SUBJECTS:
        say(f"environment {name}")
        try:
            pythons[name] = environments.environment(name, base, source=sources.get(name))
        except environments.Unavailable as error:
            unavailable[name] = str(error)
            say(f"{name}: {error}")
    if "ours" not in pythons:
        raise SystemExit(unavailable["ours"])

    samples, reached, rows, lines = {}, {}, [], []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        folders = {}
        for name in pythons:
            folders[name] = folder / name
            installed.fast(folders[name], group=SUBJECTS[name].group)
        if options.only in (None, "calls"):
            amounts = (1, 7, 0.0004) if options.quick else (4, 15, 0.001)
            keys = ("generations", "rounds", "seconds")
            samples, reached = calls.measure(pythons, folders, say=say, **dict(zip(keys, amounts, strict=True)))
            rows += section.call_rows(samples, pythons.get("0.0.3"))
        if options.only in (None, "once"):
            rows += section.Once(pythons, folder / "once", 3 if options.quick else 15, say).rows()
        if options.only in (None, "scaling"):
            rounds = 1 if options.quick else 3
            lines = scaling.measure(pythons["ours"], folder / "scaling", rounds, say, small=options.quick)

    entries = report.libraries(samples, reached)
    results = {
        "machine": report.machine(pythons["ours"]),
        "unavailable": unavailable,
        "quick": options.quick,
        "seconds": round(time.monotonic() - started),
        "figures": [{**vars(row), "figure": row.figure.as_dict(), "verdict": row.verdict.strip("*")} for row in rows],
        "libraries": entries,
        "scaling": [line.as_dict() for line in lines],
        "plot": panels(samples, reached),
    }
    developing = options.quick or options.only
    output = options.output or (environments.cache() / "quick" if developing else DOCS)
    tables = report.write(output, results, rows, entries, lines)
    if samples:
        try:
            plot = environments.environment("plot", base)
        except environments.Unavailable as error:
            say(f"no plot: {error}")
        else:
            program = Path(__file__).with_name("plot.py")
            subprocess.run([plot, str(program), str(output / "results.json"), str(output / "calls.svg")], check=True)
    text = "\n".join(tables.values())
    (output / "tables.txt").write_text(text, encoding="utf-8") if output != DOCS else report.fill(PAGE, tables)
    print(text)
    say(f"written to {output}")


if __name__ == "__main__":
    main()
