"""The program behind the page on scaling measures every way, and writes what the page shows."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
PROGRAM = ROOT / "tests" / "benchmarks" / "clusters.py"
PAGE = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
CELL = r"\d[\d.]* m?s, [\d,]+ MB(?:, (?:as fast|[\d.]+ × (?:faster|slower)))?"


def rows(text: str) -> list[list[str]]:
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if re.match(r"\| \d", line)]
    assert all(re.fullmatch(CELL, cell) for line in lines for cell in line[1:]), lines
    return lines


def test_every_way_is_measured() -> None:
    command = [sys.executable, PROGRAM, "--largest", "3", "--functions", "summarize"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout
    ((samples, *cells),) = rows(printed)
    assert samples == "1,000"
    assert len(cells) == 5
    assert "faster" not in cells[0]
    assert re.search(r"^Measured on a machine with \d+ cores .* and \d+ GiB of memory: Python", printed, re.MULTILINE)


def test_the_page_shows_sizes_up_to_a_million_for_both_functions() -> None:
    sizes = [line[0] for line in rows(PAGE)]
    assert sizes == ["1,000", "10,000", "100,000", "1,000,000"] * 2
    assert "Measured on a machine with" in PAGE
