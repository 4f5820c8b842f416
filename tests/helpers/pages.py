"""Code blocks of pages, and the example packages that they use, installed into a folder without pip.

A page says with comments, which no reader sees, what its blocks are for:

- ``<!-- needs: example_host example_jax -->`` once: packages that the page uses.
- ``<!-- tested by tests/engines -->`` once: other tests run this page's code.
- ``<!-- setup: ... -->`` runs code that readers need not see.
- ``<!-- not run: why -->`` before a block that shows what cannot run.
- ``<!-- output -->`` before a block that shows what the block above printed. ``<!-- output: like -->`` where numbers
  and spaces are others on each machine.
- ``<!-- runs -->`` before a block of shell commands that run. Before Python: of this page, only blocks so marked run.

A block of Python whose first line is a comment with a path, ``# my_backend/adapter.py``, is that file.
"""

from __future__ import annotations

import re
import shutil
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
EXAMPLES = DOCS / "examples"
# What the examples import beyond the standard library and this one.
NEEDS = {
    "example_host": ["numpy"],
    "example_fast": ["numpy"],
    "example_jax": ["numpy", "jax"],
    "example_dask": ["numpy", "distributed"],
    "example_shared": ["numpy"],
    "another_host": ["numpy"],
}

# A block may be the text of a definition list, which begins with a colon.
_FENCE = re.compile(r"(?P<indent>(?:: )?[ ]*)(?P<fence>`{3,})(?P<language>[^`]*)")
_COMMENT = re.compile(r"[ ]*<!--\s*(?P<kind>runs|not run|output|setup|needs)\b:?\s*(?P<text>.*?)\s*-->", re.DOTALL)
# Numbers with their unit, and the lines below headers, which are as long as the numbers.
_MEASURED = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?(?: (?:s|ms|µs|ns)\b)?|-{2,}")
_FILE = re.compile(r"# (?P<path>[\w./-]+\.(?:py|toml))")


class Block(NamedTuple):
    """A code block, or the code of a setup comment."""

    language: str
    """As the fence says it, ``"setup"`` for the code of a comment."""
    mark: str
    """The kind of comment that stands before it, empty where there is none."""
    code: str
    line: int
    """The line of the page on which the code begins, counted from 1."""

    @property
    def path(self) -> str | None:
        """The file that the block is, where its first line says so."""
        found = _FILE.fullmatch(self.code.split("\n", 1)[0])
        return found["path"] if found else None


def blocks(text: str) -> list[Block]:
    """Return the blocks of a page, in order."""
    lines = text.split("\n")
    found: list[Block] = []
    number, mark = 0, ""
    while number < len(lines):
        line = lines[number]
        fence = _FENCE.fullmatch(line)
        if fence is not None:
            end = _end(lines, number, fence["fence"])
            code = "\n".join(one.removeprefix(fence["indent"].replace(":", " ")) for one in lines[number + 1 : end])
            # Directives are Sphinx's to look at; the cells of notebooks run when the documentation is built.
            if not fence["language"].startswith("{"):
                found.append(Block(fence["language"].strip(), mark, f"{code}\n", number + 2))
            number, mark = end + 1, ""
            continue
        comment = _COMMENT.match("\n".join(lines[number : number + 40])) if "<!--" in line else None
        if comment is not None:
            if comment["kind"] == "setup":
                skipped = comment[0][: comment.start("text") - comment.start()].count("\n")
                found.append(Block("setup", "", comment["text"] + "\n", number + 1 + skipped))
            elif comment["kind"] == "output":
                mark = f"output {comment['text']}".strip()
            elif comment["kind"] != "needs":
                mark = comment["kind"]
            number += comment[0].count("\n") + 1
            continue
        if line.strip():
            mark = ""
        number += 1
    return found


def _end(lines: list[str], start: int, fence: str) -> int:
    return next(number for number in range(start + 1, len(lines)) if lines[number].strip() == fence)


def shows(block: Block, printed: str) -> bool:
    """Whether a block shows what was printed; ``...`` in it stands for anything."""
    texts = ["\n".join(line.rstrip() for line in text.strip("\n").split("\n")) for text in (block.code, printed)]
    if block.mark == "output like":
        texts = [" ".join(_MEASURED.sub("0", text).split()) for text in texts]
    shown, got = texts
    return re.fullmatch(".*".join(map(re.escape, shown.split("..."))), got, re.DOTALL) is not None


def needs(text: str) -> list[str]:
    """Return the packages that a page says it uses."""
    return [name for found in re.findall(r"<!-- needs: (.*?) -->", text) for name in found.split()]


def tested_by(text: str) -> str | None:
    """Return the tests that run the code of a page in place of the common ones."""
    found = re.search(r"<!-- tested by (\S+) -->", text)
    return found[1] if found else None


def missing(packages: list[str]) -> list[str]:
    """Return what has to be installed before these example packages can be used."""
    return sorted({module for name in packages for module in NEEDS[name] if find_spec(module) is None})


def install_examples(site: Path, packages: list[str]) -> None:
    """Put example packages into a folder as pip would: their modules and their metadata."""
    for name in packages:
        project = tomllib.loads((EXAMPLES / name / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        shutil.copytree(EXAMPLES / name / "src" / name, site / name)
        install_metadata(site, project)


def install_metadata(site: Path, project: dict) -> None:
    """Write the metadata of an installed distribution, from the table ``[project]`` of its ``pyproject.toml``."""
    name, version = project["name"], project.get("version", "1.0")
    information = site / f"{name.replace('-', '_')}-{version}.dist-info"
    information.mkdir(parents=True)
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    (information / "METADATA").write_text(metadata, encoding="utf-8")
    lines = []
    for group, points in project.get("entry-points", {}).items():
        lines += [f"[{group}]", *(f"{point} = {reference}" for point, reference in points.items())]
    (information / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")
