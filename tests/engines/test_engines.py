"""The page on threads, processes and clusters says what is true: each cell of its table, and each of its recipes."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from engines import BACKEND, ENGINES, NOTEBOOKS

HERE = Path(__file__).parent
PAGE = (HERE.parents[1] / "docs" / "usage" / "clusters.md").read_text(encoding="utf-8")
VARIABLE = "EXAMPLE_HOST_BACKEND"

# The engines by the name that the page gives them, and the columns by their headings.
ROWS = {
    "`threading.Thread`": "thread",
    "thread pool": "thread-pool",
    "`asyncio` task": "task",
    "`asyncio.to_thread`": "to-thread",
    "process pool, `spawn`": "spawn",
    "process pool, `forkserver`": "forkserver",
    "process pool, `fork`, started afterwards": "fork",
    "process pool, `fork`, started before": "earlier-fork",
    "joblib, `loky` (the default)": "joblib-loky",
    "joblib, `threading`": "joblib-threading",
    "joblib, `multiprocessing` by `fork`": "joblib-multiprocessing",
    'Dask, `"threads"`': "dask-threads",
    'Dask, `"processes"`': "dask-processes",
    "Dask cluster, in threads": "distributed-threads",
    "Dask cluster, in processes": "distributed",
    "Ray": "ray",
    "Jupyter, same cell, after `await`": "jupyter-same-cell",
    "Jupyter, later cell": "jupyter",
    "Jupyter, later cell with `await`": "jupyter-await",
}
COLUMNS = {
    "assigned": "process",
    "block": "scope",
    "variable": "environment",
    "bind": "bind",
    "options": "options",
    "trace": "trace",
}
# Where a worker is a copy of this process, it sees an open trace, and records into a copy.
COPIES = {"fork", "joblib-multiprocessing"}

BLOCK = re.compile(r"^```python\n(.*?)^```\n\n```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def table():
    """Return the cells of the page's table, by engine and column."""
    lines = [line.strip("|").split("|") for line in PAGE.splitlines() if line.startswith("|")]
    cells = [[cell.strip(" *") for cell in line] for line in lines]
    first = next(number for number, line in enumerate(cells) if line[0] == "work runs in")
    rows = [line for line in cells[first + 2 :] if len(line) == len(cells[first])]
    return {(row[0], heading): cell for row in rows for heading, cell in zip(cells[first][1:], row[1:], strict=True)}


def run(script, *arguments, **variables):
    environment = {key: value for key, value in os.environ.items() if not key.endswith("_BACKEND")}
    environment |= {"PYTHONWARNINGS": "ignore::UserWarning", "RAY_USAGE_STATS_ENABLED": "0", **variables}
    result = subprocess.run(
        [sys.executable, script, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@cache
def observed(engine):
    """Return what was seen of an engine, where nothing selects and where the environment does."""
    plain, selected = (
        json.loads(run(HERE / "engines.py", engine, **variables).splitlines()[-1])
        for variables in ({}, {VARIABLE: BACKEND})
    )
    assert plain.pop("environment") is False
    return plain | selected


def test_the_table_is_complete():
    assert set(table()) == {(row, column) for row in ROWS for column in COLUMNS}
    assert sorted(ROWS.values()) == sorted(ENGINES | NOTEBOOKS)


@pytest.mark.parametrize("engine", ROWS.values())
def test_an_engine_is_as_the_page_says(engine):
    (row,) = (row for row, name in ROWS.items() if name == engine)
    seen = observed(engine)
    said = {column: table()[row, heading] for heading, column in COLUMNS.items()}
    assert said == {column: "yes" if seen[column] else "no" for column in COLUMNS.values()}
    # A trace that was opened around the work goes where the scope goes; notebooks are not asked.
    assert seen.get("own trace", seen["scope"]) == (seen["scope"] and engine not in COPIES)


@pytest.mark.parametrize("engine", ["spawn", "fork", "joblib-loky", "dask-processes", "distributed", "ray"])
def test_an_error_from_far_away_says_where_and_what_to_install(engine):  # 9
    found = json.loads(run(HERE / "engines.py", engine, "lost").splitlines()[-1])
    # As the page shows it, with another address, process and machine.
    (shown,) = re.findall(r"^```text\nUnknownBackendError: (.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    place = r"Dask worker \S+, process \d+ on \S+:"
    expected = re.sub(place, "", " ".join(shown.split()))
    assert found["message"] == expected.replace("In ", f"In {found['worker']}:", 1)
    assert (found["backend"], found["distribution"], found["host"]) == ("fast", "example-fast", "example_host")
    process = re.search(rf"process (\d+) on {re.escape(platform.node())}$", found["worker"])
    assert process[1] != str(found["pid"])
    assert found["worker"].startswith("Dask worker tcp://") == (engine == "distributed")


def recipes():
    return [pytest.param(code, printed, id=f"line-{line}") for line, code, printed in blocks()]


def blocks():
    for match in BLOCK.finditer(PAGE):
        yield PAGE.count("\n", 0, match.start()) + 1, match[1], match[2]


def test_every_program_of_the_page_is_followed_by_what_it_prints():
    assert len(list(blocks())) == PAGE.count("```python") > 0


@pytest.mark.parametrize(("code", "printed"), recipes())
def test_a_recipe_prints_what_the_page_says(code, printed, tmp_path):
    (tmp_path / "recipe.py").write_text(code, encoding="utf-8")
    assert run(tmp_path / "recipe.py") == printed
