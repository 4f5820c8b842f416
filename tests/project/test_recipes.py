"""The code in the documentation that says it runs, does: each page from top to bottom in a fresh interpreter."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^<!-- runs -->\n+```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def program(text):
    """Return the blocks of a page, each on the lines where it stands, so that a traceback points into the page."""
    lines = [""] * (text.count("\n") + 1)
    for block in BLOCK.finditer(text):
        first = text.count("\n", 0, block.start(1))
        code = block[1].splitlines()
        lines[first : first + len(code)] = code
    return "\n".join(lines) + "\n"


def sources():
    """Return the pages that are written, not the copies that a build makes."""
    return [
        path for path in sorted(DOCS.rglob("*.md")) if path.relative_to(DOCS).parts[0] not in {"_build", "examples"}
    ]


def pages():
    return [path for path in sources() if BLOCK.search(path.read_text(encoding="utf-8"))]


def test_pages_with_recipes_are_found():
    assert DOCS / "usage" / "host.md" in pages()


def test_every_mark_stands_before_a_block():
    for path in sources():
        text = path.read_text(encoding="utf-8")
        assert text.count("<!-- runs -->\n") == len(BLOCK.findall(text)), path


@pytest.mark.parametrize("path", pages(), ids=lambda path: str(path.relative_to(DOCS)))
def test_recipes_run(path, tmp_path):
    script = tmp_path / f"{path.stem}_page.py"
    script.write_text(program(path.read_text(encoding="utf-8")), encoding="utf-8")
    result = subprocess.run(
        [sys.executable, "-W", "error", str(script)], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert result.returncode == 0, result.stderr
