"""The results as JSON, and as Markdown that the documentation includes."""

# ruff: noqa: RUF001 - a table of ratios is written with the signs for times and for a range.

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from pathlib import Path

from calls import KINDS
from figures import Figure, mean
from section import cases_of


def machine(python: str) -> dict:
    """Name the interpreter and the machine."""
    code = "import platform as p; print(p.python_implementation(), p.python_version(), p.python_compiler())"
    answer = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.strip()
    model = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        names = [
            line.partition(":")[2].strip()
            for line in information.read_text().splitlines()
            if line.startswith("model name")
        ]
        model = names[0] if names else model
    return {
        "interpreter": answer,
        "processor": model,
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def shown(value: float, unit: str) -> str:
    """Write a value in the unit that reads best."""
    if unit == "s":
        for factor, name in ((1, "s"), (1e3, "ms"), (1e6, "µs")):
            if abs(value) * factor >= 1:
                return f"{value * factor:.3g} {name}"
        return f"{value * 1e9:.0f} ns"
    if unit == "×":
        return f"{value:.0f}" if value >= 20 else f"{value:.2f}" if value >= 0.2 else f"{value:.3f}"
    return f"{value:g}"


def spread(figure, unit: str) -> str:
    if figure.low == figure.high:
        return ""
    return f"{shown(figure.low, unit)} – {shown(figure.high, unit)}"


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    text = "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
    # A number and its unit stay on one line, in the narrow columns of a phone as well.
    return re.sub(r"(?<=\d) (?=(?:ns|µs|ms|s|×)(?!\w))", "\N{NO-BREAK SPACE}", text)


def section_table(rows) -> str:
    return table(
        ["what", "median", "quartiles", "target", "verdict", "detail"],
        [
            [
                row.what,
                shown(row.figure.median, row.unit) + (" ×" if row.unit == "×" else "") if row.figure.samples else "–",
                spread(row.figure, row.unit),
                row.target,
                row.verdict,
                row.note,
            ]
            for row in rows
        ],
    )


def libraries(samples, reached) -> list[dict]:
    """Return for each kind of call and library its average cost beside the wrapper that sets the scale."""
    entries = []
    for kind in KINDS:
        for subject in ("bare", "by hand", "ours", "0.0.3", "networkx", "spatch"):
            cases = dict(cases_of(samples, kind.name, subject))
            ran = reached.get((kind.name, subject))
            # A row says "backend" only where the backend's function was really reached.
            if not cases or (ran is not None and ran != ("backend" if kind.backend else "host")):
                continue
            ratio = mean([Figure.ratio(library, scale) for scale, library in cases.values()])
            cost = mean([Figure.of(library) for _, library in cases.values()])
            entry = {"kind": kind.name, "beside": kind.beside, "library": subject}
            entries.append({**entry, "ratio": ratio.as_dict(), "seconds": cost.as_dict()})
    return entries


def libraries_table(entries) -> str:
    names = {
        "bare": "`functools.wraps`",
        "by hand": "written by hand",
        "ours": "scverse-backends",
        "0.0.3": "scverse-backends 0.0.3",
    }
    scales = {"bare": "`bare`", "scoped": "`scoped`", "Forwarded": "a forwarding metaclass"}
    rows = []
    for entry in entries:
        ratio, seconds = Figure(**entry["ratio"]), Figure(**entry["seconds"])
        library = names.get(entry["library"], entry["library"])
        cells = [
            entry["kind"],
            library,
            shown(seconds.median, "s"),
            f"{shown(ratio.median, '×')} × {scales[entry['beside']]}",
        ]
        rows.append([*cells, spread(ratio, "×")])
    return table(["call", "library", "one call", "ratio", "quartiles"], rows)


def scaling_table(lines) -> str:
    parts = []
    for along in dict.fromkeys(line.along for line in lines):
        here = [line for line in lines if line.along == along]
        head = [along, *(f"{size:,}" for size in here[0].sizes), "grows", "target", "verdict"]
        rows = [
            [
                line.what,
                *(shown(cost, "s") for cost in line.costs),
                f"{line.word} (exponent {line.exponent:.2f})",
                line.expected,
                "met" if line.met else "**not met**",
            ]
            for line in here
        ]
        parts.append(table(head, rows))
    return "\n".join(parts)


def scene(results) -> str:
    """Say where the tables come from, and what is missing from them."""
    where = results["machine"]
    missing = "".join(f" {name}: {why}." for name, why in results["unavailable"].items())
    text = f"Measured on {where['interpreter']}, {where['processor']} with {where['cores']} cores, {where['system']}."
    return f"{text}{missing}\n"


def write(folder: Path, results: dict, rows, entries, lines) -> dict[str, str]:
    """Write `results.json`; return the tables by the names of their places in the documentation."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return {
        "scene": scene(results),
        "figures": section_table(rows),
        "libraries": libraries_table(entries),
        "scaling": scaling_table(lines),
    }


def fill(page: Path, tables: dict[str, str]) -> None:
    """Put the tables between their marks on a page, in place of those that stand there."""
    text = page.read_text(encoding="utf-8")
    for name, content in tables.items():
        begin, end = f"<!-- begin {name} -->\n", f"<!-- end {name} -->"
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not (found and closed):
            raise SystemExit(f"{page.name} has no place for the table {name!r}")
        text = f"{before}{begin}\n{content}\n{end}{after}"
    page.write_text(text, encoding="utf-8")
