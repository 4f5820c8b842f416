"""The promises: each row of the table of figures, measured, with its target and a verdict."""

# ruff: noqa: RUF001 - a table of ratios is written with the signs for times and for a range.

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import installed
from calls import KINDS, STYLES
from figures import Figure, mean
from fresh import alternate, probe, start_seconds
from hosts import SIZES

if TYPE_CHECKING:
    from pathlib import Path

HEAVY = [*(f"heavy{index}" for index in range(19)), "fast"]
SCIENTIFIC = ["ast", "inspect", "logging", "re", "textwrap", "threading", "typing", "warnings", "weakref"]


@dataclass
class Row:
    """One line of the table."""

    what: str
    unit: str
    figure: Figure
    target: str
    met: bool | None
    note: str = ""
    cases: dict[str, dict] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        return {True: "met", False: "**not met**", None: "–"}[self.met]


def ratio_row(what, figure, limit, *, beside="", note="", cases=None, each=None) -> Row:
    """Row for a ratio that must not exceed ``limit``; with ``each``, no case may exceed that."""
    met = figure.median <= limit
    target = f"≤ {limit:.3g} ×{beside}"
    if cases:
        values = {name: case.median for name, case in cases.items()}
        worst = max(values, key=values.__getitem__)
        note = f"worst case {values[worst]:.2f} × ({worst})" + (f"; {note}" if note else "")
        if each is not None:
            met = met and values[worst] <= each
            target += f", ≤ {each:.3g} × in each case" if each != limit else " in each case"
    return Row(what, "×", figure, target, met, note, {name: case.as_dict() for name, case in (cases or {}).items()})


def cases_of(samples, kind, subject):
    """Yield the name of each case of a kind of call with its two lists of seconds."""
    for size in SIZES:
        for style in STYLES:
            found = samples.get((kind, size, style, subject))
            if found:
                yield f"{size} {style}", found


def call_rows(samples, released: str | None) -> list[Row]:
    """Rows for calls and for constructing classes."""
    limits = {
        KINDS[0].name: (1.25, None),
        KINDS[1].name: (1.3, None),
        KINDS[2].name: (1.5, None),
        KINDS[3].name: (1.7, None),
        KINDS[4].name: (1.3, None),
        KINDS[5].name: (1.5, 1.8),
        KINDS[6].name: (1.5, 1.8),
        KINDS[7].name: (1.5, None),
        KINDS[8].name: (1.5, 1.8),
    }
    names = {"bare": " `bare`", "scoped": " `scoped`", "Forwarded": " a forwarding metaclass"}
    rows = []
    for kind in KINDS:
        limit, each = limits[kind.name]
        ours = dict(cases_of(samples, kind.name, "ours"))
        if not ours:
            rows.append(
                Row(kind.name, "", Figure(0, 0, 0, 0), f"≤ {limit:.3g} ×{names[kind.beside]}", None, "not measured")
            )
            continue
        cases = {name: Figure.ratio(library, scale) for name, (scale, library) in ours.items()}
        rows.append(
            ratio_row(kind.name, mean(cases.values()), limit, beside=names[kind.beside], cases=cases, each=each)
        )
        old = dict(cases_of(samples, kind.name, "0.0.3")) if released else {}
        if kind.backend:
            by_hand = dict(cases_of(samples, kind.name, "by hand"))
            relative = {name: Figure.ratio(ours[name][1], by_hand[name][1]) for name in ours if name in by_hand}
            if relative:
                what = f"{kind.name}, beside dispatch written by hand"
                rows.append(ratio_row(what, mean(relative.values()), 1.15, cases=relative))
        if kind.backend and old:
            faster = {name: Figure.ratio(old[name][1], ours[name][1]) for name in ours}
            smallest = min(faster, key=lambda name: faster[name].median)
            figure = mean(faster.values())
            note = f"least in {smallest}: {faster[smallest].median:.0f} ×"
            met = figure.median >= 50
            detail = {name: each_.as_dict() for name, each_ in faster.items()}
            rows.append(Row(f"{kind.name}, times faster than 0.0.3", "×", figure, "≥ 50 ×", met, note, detail))
    return rows + _all_backend_calls(samples)


def _all_backend_calls(samples) -> list[Row]:
    """Row for the backend path as a whole: by argument, by setting and by scope."""
    cases = {
        f"{kind.name}, {name}": Figure.ratio(library, scale)
        for kind in KINDS
        if kind.backend
        for name, (scale, library) in cases_of(samples, kind.name, "ours")
    }
    if not cases:
        return []
    return [
        ratio_row("backend, however selected", mean(cases.values()), 1.5, beside=" `scoped`", cases=cases, each=1.8)
    ]


class Once:
    """The rows of what happens once in a process."""

    def __init__(self, pythons: dict[str, str], folder: Path, rounds: int, say) -> None:
        self.ours = pythons["ours"]
        self.old = pythons.get("0.0.3")
        self.folder = folder
        self.rounds = rounds
        self.say = say

    def _both(self, name: str, rounds: int, **arguments):
        """Run a probe with ours and the released version in turn."""
        self.say(f"{name} {' '.join(f'{key}={value}' for key, value in arguments.items() if key != 'folder')}")
        programs = {"ours": lambda: probe(self.ours, name, **arguments)}
        if self.old:
            programs["0.0.3"] = lambda: probe(self.old, name, **arguments)
        return alternate(programs, rounds)

    def _folder(self, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _beside(self, what, answers, key, limit, note="") -> list[Row]:
        if not self.old:
            return []
        figure = Figure.ratio(answers["ours"][key], answers["0.0.3"][key])
        return [ratio_row(what, figure, limit, beside=" 0.0.3", note=note)]

    def rows(self) -> list[Row]:
        """Measure everything."""
        steps = [
            self.importing,
            self.decorating,
            self.discovered,
            self.host,
            self.listing,
            self.heavy,
            self.memory,
            self.locks,
        ]
        return [row for step in steps for row in step()]

    def importing(self) -> list[Row]:
        self.say("import")
        programs = {
            "ours pass": lambda: start_seconds(self.ours, "pass"),
            "ours": lambda: start_seconds(self.ours, "import scverse_backends"),
        }
        if self.old:
            programs["old pass"] = lambda: start_seconds(self.old, "pass")
            programs["old"] = lambda: start_seconds(self.old, "import scverse_backends")
        answers = alternate(programs, self.rounds * 8)
        seconds = {name: answer["seconds"] for name, answer in answers.items()}
        figure = Figure.difference(seconds["ours"], seconds["ours pass"])
        empty = Figure.of(seconds["ours pass"])
        note = f"`python -c pass` takes {empty.median * 1e3:.1f} ms"
        rows = [Row("`import scverse_backends`", "s", figure, "≤ 8 ms", figure.median <= 0.008, note)]
        if self.old:
            old = Figure.difference(seconds["old"], seconds["old pass"])
            # A difference can come out near nothing in one round, so the medians are divided.
            relative = Figure(
                *(value / old.median for value in (figure.median, figure.low, figure.high)), figure.samples
            )
            note = f"0.0.3 takes {old.median * 1e3:.1f} ms"
            rows.append(
                ratio_row("`import scverse_backends`, beside 0.0.3", relative, 1 / 6, beside=" 0.0.3", note=note)
            )
        return rows

    def decorating(self) -> list[Row]:
        answers = self._both("decorate", self.rounds, count=200, folder=str(self._folder("empty")))
        each = Figure.of(answers["ours"]["each"])
        first = Figure.of(answers["ours"]["first"])
        note = f"{each.median * 1e6:.1f} µs each, the first in a process {first.median * 1e6:.0f} µs"
        return self._beside("decorating one function", answers, "each", 0.5, note)

    def discovered(self) -> list[Row]:
        rows = []
        totals = {}
        for count in (200, 400):
            folder = self._folder(f"discovered{count}")
            installed.implementing(folder, "fast", count, extra="batch_size")
            answers = self._both("decorate_discovered", max(2, self.rounds // 4), count=count, folder=str(folder))
            totals[count] = Figure.of(answers["ours"]["total"])
        read = Figure.of(answers["ours"]["read"])
        note = f"{totals[400].median * 1e3:.1f} ms; reading all the docstrings afterwards {read.median * 1e3:.1f} ms"
        rows += self._beside("decorating 400 functions after discovery", answers, "total", 1 / 50, note)
        twice = totals[400].median / totals[200].median
        figure = Figure(
            twice, totals[400].low / totals[200].high, totals[400].high / totals[200].low, totals[400].samples
        )
        rows.append(Row("400 functions beside 200, after discovery", "×", figure, "linear: about 2 ×", twice <= 2.3))
        return rows

    def host(self) -> list[Row]:
        rows = []
        for preload, where in (
            ([], "in a fresh interpreter"),
            (SCIENTIFIC, "where `inspect`, `typing`, `logging` are loaded"),
        ):
            empty = str(self._folder("empty"))
            answers = self._both("host_import", self.rounds * 2, count=24, preload=preload, folder=empty)
            ours = answers["ours"]
            parts = [
                f"{name} {Figure.of(ours[name]).median * 1e3:.2f} ms"
                for name in ("library", "dispatcher", "first", "rest")
            ]
            figure = Figure.of(ours["total"])
            note = "; ".join([", ".join(parts), f"`functools.wraps` {Figure.of(ours['bare']).median * 1e3:.2f} ms"])
            if self.old:
                note += f"; 0.0.3 {Figure.of(answers['0.0.3']['total']).median * 1e3:.1f} ms"
            if not preload:
                note += f"; imported: {', '.join(name for name in ours['brought'][0] if not name.startswith('_'))}"
            what = f"importing a host of 24 decorated functions, {where}"
            if not preload:
                rows.append(Row(what, "s", figure, "–", None, note))
                continue
            rows.append(Row(what, "s", figure, "≤ 6 ms", figure.median <= 0.006, note))
            rows += self._beside(f"{what}, beside 0.0.3", answers, "total", 1 / 3)
        return rows

    def listing(self) -> list[Row]:
        folder = self._folder("listing")
        installed.others(folder, 300)
        counted = probe(self.ours, "listing_count", folder=str(folder))
        note = f"{counted['on host']} by calls on the host"
        met = counted == {"on host": 0, "listed": 1}
        count = Figure.of([counted["listed"]])
        return [
            # The first decides; the second tells how much of it is modules that most processes have loaded anyway.
            self._listed(folder, [], "first listing, 300 other distributions", 1.05),
            self._listed(folder, SCIENTIFIC, "the same where `inspect`, `typing`, `logging` are loaded", None),
            Row("listings in a process", "", count, "once, none by calls on the host", met, note),
        ]

    def _listed(self, folder: Path, preload: list[str], what: str, limit: float | None) -> Row:
        self.say(what)
        arguments = {"group": "bench_host.backends", "folder": str(folder), "preload": preload}
        programs = {
            "standard library": lambda: probe(self.ours, "listing", library=False, **arguments),
            "ours": lambda: probe(self.ours, "listing", library=True, **arguments),
        }
        answers = alternate(programs, self.rounds * 3)
        figure = Figure.ratio(answers["ours"]["seconds"], answers["standard library"]["seconds"])
        took = Figure.of(answers["standard library"]["seconds"])
        # The fastest of many starts is the least disturbed; it decides nothing, but shows what disturbance there was.
        fastest = min(answers["ours"]["seconds"]) / min(answers["standard library"]["seconds"])
        note = f"`entry_points` takes {took.median * 1e3:.0f} ms; fastest beside fastest {fastest:.3f} ×"
        if limit is None:
            return Row(what, "×", figure, "–", None, note)
        return ratio_row(what, figure, limit, beside=" `entry_points(group=…)`", note=note)

    def heavy(self) -> list[Row]:
        folder = self._folder("heavy")
        for label in HEAVY:
            installed.implementing(folder, label, 5, heavy=True)
        answers = self._both("heavy", max(2, self.rounds // 3), label="fast", folder=str(folder))
        imported = Figure.of(answers["ours"]["imported"])
        note = f"{Figure.of(answers['ours']['seconds']).median * 1e3:.0f} ms"
        if self.old:
            old = answers["0.0.3"]
            note += f"; 0.0.3 imports {old['imported'][0]} in {Figure.of(old['seconds']).median * 1e3:.0f} ms"
        what = 'adapters imported by the first `backend="fast"`, 20 heavy ones installed'
        return [Row(what, "", imported, "1", imported.high == 1, note)]

    def memory(self) -> list[Row]:
        empty = str(self._folder("empty"))
        answers = self._both("memory", 2, count=1000, library=True, folder=empty)
        without = self._both("memory", 2, count=1000, library=True, documented=False, folder=empty)
        bare = probe(self.ours, "memory", count=1000, library=False, folder=empty)["bytes"]
        ours, old = (Figure.of(answers[name]["bytes"]).median if name in answers else 0 for name in ("ours", "0.0.3"))
        plain = {name: Figure.of(answer["bytes"]).median for name, answer in without.items()}
        note = f"{ours:.0f} bytes; 0.0.3 {old:.0f}, `functools.wraps` {bare:.0f}"
        rows = self._beside("memory for each decorated function with a docstring", answers, "bytes", 1.1, note)
        note = f"{plain['ours']:.0f} bytes; 0.0.3 {plain.get('0.0.3', 0):.0f}"
        rows += self._beside("the same without a docstring", without, "bytes", 0.6, note)
        answers = self._both("freed", 1, count=100, folder=empty)
        alive = Figure.of(answers["ours"]["alive"])
        note = f"0.0.3 keeps {answers['0.0.3']['alive'][0]}" if self.old else ""
        rows.append(Row("replaced functions that stay alive, of 99", "", alive, "0", alive.high == 0, note))
        return rows

    def locks(self) -> list[Row]:
        folder = self._folder("threads")
        installed.implementing(folder, "fast", 1)
        self.say("locks")
        counted = probe(self.ours, "locks", count=8, folder=str(folder))
        taken = Figure.of([counted["host"] + counted["backend"] + counted["cpu"]])
        imports = Figure.of([counted["imports"]])
        return [
            Row("locks taken by 24,000 calls in 8 threads", "", taken, "0", taken.high == 0),
            Row("import statements run by a call", "", imports, "0", imports.high == 0),
        ]
