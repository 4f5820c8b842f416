"""How costs grow: with distributions, backends, decorated functions, open scopes and threads."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import installed
from figures import Figure, growth
from fresh import alternate, probe

if TYPE_CHECKING:
    from pathlib import Path


@dataclass
class Line:
    """One cost at all sizes."""

    along: str
    what: str
    sizes: list[int]
    costs: list[float]
    exponent: float
    word: str
    expected: str

    @property
    def met(self) -> bool:
        # What may grow linearly may also grow less.
        return self.word in {self.expected, "flat", "falling"} or (self.expected, self.word) == (
            "linear",
            "less than linear",
        )

    def as_dict(self) -> dict:
        return {**asdict(self), "met": self.met}


def _fill(kind: str, folder: Path, size: int) -> None:
    """Install what the size stands for."""
    installed.implementing(folder, "fast", size if kind == "functions" else 1, extra="batch_size")
    if kind == "distributions":
        installed.others(folder, size - 1)
    elif kind == "backends":
        for index in range(size - 1):
            installed.implementing(folder, f"other{index}", 1, extra=f"option{index}")


PLANS = [
    ("distributions", "installed distributions", (10, 30, 100, 300, 1000), {
        "first": ("first call on a backend", "linear"),
        "call": ("later call on a backend", "flat"),
        "host": ("call on the host", "flat"),
    }),
    ("backends", "installed backends", (1, 3, 10, 30, 100), {
        "first": ("first call on one of them", "linear"),
        "call": ("later call on it", "flat"),
        "discover": ("importing and merging all", "linear"),
        "after": ("call on one after that", "flat"),
    }),
    ("functions", "decorated functions", (10, 100, 1000, 5000), {
        "decorate": ("decorating all", "linear"),
        "discover": ("importing a backend of all, and merging", "linear"),
        "call": ("call on a backend", "flat"),
    }),
    ("scopes", "open scopes", (1, 10, 100, 1000), {
        "open": ("opening all", "linear"),
        "call": ("call on a backend in the innermost", "flat"),
        "close": ("closing all", "linear"),
    }),
    ("threads", "threads that share the calls", (1, 2, 4, 8, 16, 32), {
        "bare": ("call of `bare`", "flat"),
        "host": ("call on the host", "flat"),
        "backend": ("call on a backend", "flat"),
    }),
]  # fmt: skip


def measure(python: str, folder: Path, rounds: int, say, *, small: bool) -> list[Line]:
    """Return all lines; ``small`` leaves out the largest size."""
    lines = []
    for kind, along, every_size, costs in PLANS:
        say(f"scaling with {along}")
        sizes = list(every_size[:-1] if small else every_size)
        programs = {}
        for size in sizes:
            place = folder / f"{kind}{size}"
            place.mkdir(parents=True, exist_ok=True)
            _fill(kind, place, size)
            arguments = {"count": size, "calls": 20_000 if small else 60_000, "folder": str(place)}
            programs[size] = lambda kind=kind, arguments=arguments: probe(python, kind, **arguments)
        answers = alternate(programs, rounds)
        for key, (what, expected) in costs.items():
            medians = [Figure.of(answers[size][key]).median for size in sizes]
            lines.append(Line(along, what, sizes, medians, *growth(sizes, medians), expected))
    return lines
