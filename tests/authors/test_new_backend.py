"""A backend author with nothing but the documentation: every command and every line of code is taken from there.

Each test works in an environment of its own, with the host and this library installed as users install them. What is
written is installed by pip, and pip gets from the index what it needs.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "usage" / "backend.md").read_text(encoding="utf-8")
FIVE_MINUTES = PAGE.partition("## A backend in five minutes\n")[2].partition("\n### ")[0]
SETTINGS = ROOT / "pyproject.toml"


def blocks(text, language):
    """Return the code blocks of a page."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```$", text, re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", code, flags=re.MULTILINE) for indent, code in found]


class Environment:
    """A virtual environment, and a person who types commands in it."""

    def __init__(self, folder):
        self.folder = folder
        self.path = folder / "work"
        self.path.mkdir()
        venv.create(folder / "venv", with_pip=True, symlinks=True)
        self.programs = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")

    def types(self, commands, code=0):
        """Type commands, one in each line, and return what they print; `cd` stays in force."""
        printed = ""
        for command in commands.strip().splitlines():
            if command.startswith("cd "):
                self.path /= command.removeprefix("cd ")
                continue
            variables = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV"))}
            variables["PATH"] = os.pathsep.join([str(self.programs), os.environ["PATH"]])
            result = subprocess.run(
                ["bash", "-euc", command], check=False, capture_output=True, text=True, cwd=self.path, env=variables
            )
            assert result.returncode == code, f"{command}\n{result.stdout}{result.stderr}"
            printed += result.stdout
        return printed


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Make an environment with the example host in it."""
    environment = Environment(tmp_path_factory.mktemp("author"))
    environment.types(f"python -m pip install -q {ROOT} {ROOT / 'docs' / 'examples' / 'example_host'}")
    return environment


@pytest.fixture
def author(prepared, tmp_path):
    """Return somebody who begins in an empty folder."""
    prepared.path = tmp_path
    yield prepared
    prepared.types("python -m pip uninstall -q -y my-backend")


def replaced(path, old, new):
    text = path.read_text()
    assert text.count(old) == 1, text
    path.write_text(text.replace(old, new))


def test_the_five_minutes_of_the_page(author, capsys):
    began = time.perf_counter()
    (new,) = blocks(FIVE_MINUTES, "sh")
    (printed,) = blocks(FIVE_MINUTES, "text")
    function, line, use = blocks(FIVE_MINUTES, "python")
    assert author.types(new) == printed
    commands = re.search(r"Now type:\n((?:  .*\n)+)", printed)[1].replace("  ", "")
    out = author.types(commands)
    assert "0 functions, 0 errors, 0 warnings, 1 note\n" in out
    assert "2 passed" in out
    (author.path / "src" / "my_backend" / "example_host_impl.py").write_text(function)
    adapter = author.path / "src" / "my_backend" / "_backends" / "example_host.py"
    replaced(adapter, line.splitlines()[0] + "\n", "\n".join(line.splitlines()[:2]) + "\n")
    *_, check, test = commands.splitlines()
    out = author.types(f"{check}\n{test}")
    assert "1 function, 0 errors, 0 warnings, 1 note\n" in out
    assert "2 passed" in out
    (author.path / "use.py").write_text(use)
    table = author.types("python -W ignore use.py")
    assert re.search(r"^my_backend\b.*\bagrees\b", table, re.MULTILINE), table
    with capsys.disabled():
        print(f"\nfrom an empty folder to a green test of a function: {time.perf_counter() - began:.0f} s")


def test_the_readme_that_is_written(author):
    author.types("scverse-backends new example_host my_backend")
    author.types("cd my-backend")
    readme = (author.path / "README.md").read_text()
    install, test = blocks(readme, "sh")
    author.types(install)
    assert "2 passed" in author.types(test)
    # Step 1 of the README names the file, step 2 another and the line that goes into it.
    source, adapter = (author.path / "src" / path for path in re.findall(r"`src/(\S+)`", readme)[:2])
    (line,) = (code for code in blocks(readme, "python") if code.startswith('"'))
    assert line.startswith('"compute_score": ')
    before, definition, after = source.read_text().partition("def compute_score(")
    work = "return example_host.compute_score.__wrapped__(data, features, control=control, method=method)"
    source.write_text(before + definition + after.replace("raise NotImplementedError(_TO_DO)", work, 1))
    replaced(source, "from typing import TYPE_CHECKING\n", "from typing import TYPE_CHECKING\n\nimport example_host\n")
    replaced(adapter, "_functions: dict[str, str] = {\n", f"_functions: dict[str, str] = {{\n    {line}")
    assert "2 passed" in author.types(test)
    # What the README says last.
    commands = re.findall(r"`(scverse-backends [^`]+)`", readme)
    assert "my_backend" in author.types(commands[0])
    assert "runs on my_backend" in author.types(commands[1])


@pytest.mark.parametrize("functions", ["", " --functions embed,Neighborhood"])
def test_what_is_written_is_clean_and_can_be_built(author, functions):
    author.types(f"scverse-backends new example_host my_backend{functions}\ncd my-backend")
    ruff = f"{sys.executable} -m ruff"
    for configuration in ("--isolated", f"--config {SETTINGS}"):
        author.types(f"{ruff} check {configuration}\n{ruff} format --check {configuration}")
    author.types(f"{sys.executable} -m build -q .")
    (wheel,) = (author.path / "dist").glob("*.whl")
    author.types(f"python -m pip install -q {wheel}[test]")
    assert "my_backend" in author.types("scverse-backends list example_host")
    assert "2 passed" in author.types("python -m pytest")
    author.types(f"{sys.executable} -m mypy --strict --python-executable {author.programs / 'python'} src tests")
