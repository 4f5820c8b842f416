"""Every code block of the documentation runs: each page from top to bottom in a fresh interpreter."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pages
import pytest

import scverse_backends

LIBRARY = Path(scverse_backends.__file__).parents[1]
# Separates what the blocks of a page print.
NEXT = "\N{SYMBOL FOR RECORD SEPARATOR}"
LANGUAGES = {"python", "rst", "setup", "sh", "text", "toml", "yaml"}


def sources():
    """Return the pages that are written, not the copies that a build makes."""
    written = [p for p in sorted(pages.DOCS.rglob("*.md")) if p.relative_to(pages.DOCS).parts[0] != "_build"]
    return [pages.ROOT / "README.md", *written]


def with_code():
    texts = {path: path.read_text(encoding="utf-8") for path in sources()}
    return [path for path, text in texts.items() if any(pages.blocks(text)) and not pages.tested_by(text)]


def name(path):
    return str(path.relative_to(pages.ROOT))


def running(found):
    """Return the indices of the blocks that are a page's program: all, or those that the page marks."""
    marked = any(block.language == "python" and block.mark == "runs" for block in found)
    return [
        index
        for index, block in enumerate(found)
        if block.language == "setup"
        or (
            block.language == "python" and (block.mark == "runs" if marked else block.mark == "" and block.path is None)
        )
    ]


def program(found):
    """Return the program of a page, each block on the lines where it stands, so that tracebacks point into the page."""
    lines = []
    for block in map(found.__getitem__, running(found)):
        lines += [""] * (block.line - 1 - len(lines))
        # On the line of the fence, or of the comment.
        lines[-1:] = [f"print({NEXT!r}, flush=True)"]
        lines += block.code.rstrip("\n").split("\n")
    return "\n".join(lines) + "\n"


class Page:
    """A page, with its files written and the packages that it needs installed."""

    def __init__(self, path, folder):
        self.path = path
        self.text = path.read_text(encoding="utf-8")
        self.blocks = pages.blocks(self.text)
        self.folder = folder
        packages = pages.needs(self.text)
        missing = pages.missing(packages)
        if missing and "EXAMPLES_REQUIRED" not in os.environ:
            pytest.skip(f"{name(path)} needs {', '.join(missing)}")
        pages.install_examples(folder, packages)
        for block in self.blocks:
            if block.path is not None and block.mark == "":
                (folder / block.path).parent.mkdir(parents=True, exist_ok=True)
                (folder / block.path).write_text(block.code, encoding="utf-8")

    def run(self, *command):
        environment = {key: value for key, value in os.environ.items() if not key.endswith("_BACKEND")}
        environment["PYTHONPATH"] = os.pathsep.join([str(self.folder), str(LIBRARY)])
        environment["COLUMNS"] = "100"
        # Windows would print in another encoding.
        environment["PYTHONIOENCODING"] = "utf-8"
        return subprocess.run(
            command, capture_output=True, encoding="utf-8", check=False, cwd=self.folder, env=environment, timeout=300
        )

    def outputs(self):
        """Yield what each Python block printed, with the block that shows it on the page if there is one."""
        script = self.folder / "this_page.py"
        script.write_text(program(self.blocks), encoding="utf-8")
        result = self.run(sys.executable, "-W", "error", str(script))
        assert result.returncode == 0, result.stderr
        printed = result.stdout.split(f"{NEXT}\n")[1:]
        for index, text in zip(running(self.blocks), printed, strict=True):
            yield text, self.shown(index)

    def shown(self, index):
        below = self.blocks[index + 1] if index + 1 < len(self.blocks) else None
        return below if below is not None and below.mark.startswith("output") else None


@pytest.fixture
def page(request, tmp_path):
    return Page(request.param, tmp_path)


every_page = pytest.mark.parametrize("page", with_code(), ids=name, indirect=True)


def test_pages_are_found():
    assert {"README.md", "docs/index.md", "docs/usage/host.md"} <= set(map(name, with_code()))


def test_what_runs_a_page_elsewhere_is_there():
    found = {pages.tested_by(path.read_text(encoding="utf-8")) for path in sources()} - {None}
    assert found
    assert all((pages.ROOT / path).exists() for path in found)


@pytest.mark.parametrize("path", with_code(), ids=name)
def test_every_block_says_its_language(path):
    found = {block.language for block in pages.blocks(path.read_text(encoding="utf-8"))}
    assert found <= LANGUAGES


@pytest.mark.parametrize("path", [path for path in sources() if pages.EXAMPLES not in path.parents], ids=name)
def test_no_line_of_code_is_cut_off(path):
    # So many columns fit beside both sidebars on a screen of 1280 pixels. Text and commands wrap or are copied whole.
    code, language = [], None
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("```"):
            language = line.strip("`") if language is None else None
        elif language in {"python", "{code-cell} python", "toml", "yaml"} and len(line) > 88:
            code.append(f"{name(path)}:{number}: {line}")
    assert code == []


@every_page
def test_python(page):
    for printed, shown in page.outputs():
        if shown is not None:
            assert pages.shows(shown, printed), f"{page.path}:{shown.line} shows something else than\n{printed}"


@every_page
def test_shell_commands(page):
    for index, block in enumerate(page.blocks):
        if block.language != "sh" or block.mark != "runs":
            continue
        for command in block.code.splitlines():
            # Named as a user has it on the path, run as this interpreter has it.
            words = command.replace("scverse-backends", f"{sys.executable} -m scverse_backends", 1).split()
            result = page.run(*words)
            shown = page.shown(index)
            assert shown is not None, f"{page.path}:{block.line} does not show what the command prints"
            assert pages.shows(shown, result.stdout), (
                f"{page.path}:{shown.line} shows something else than\n{result.stdout}"
            )


@every_page
def test_configuration(page):
    for block in page.blocks:
        if block.language == "toml":
            tomllib.loads(block.code)
