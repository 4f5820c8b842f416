"""What type checkers say of hosts and of their users: the folder ``typing`` holds files that they accept and reject."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import scverse_backends

FILES = Path(__file__).with_name("typing")
MARK = "# rejected"
# Each is read by one checker and meant for all: as strict as they are.
CONFIGURATION = {
    "mypy.ini": "[mypy]\nstrict = true\nwarn_unreachable = true\n",
    "pyrightconfig.json": '{"typeCheckingMode": "strict"}',
    "pyrefly.toml": 'preset = "strict"\n',
    "ty.toml": "[terminal]\nerror-on-warning = true\n",
}
ENVIRONMENT = sys.executable
# The module that must be installed, the command, and how its lines name the file and the line of an error.
CHECKERS = {
    "mypy": ("mypy", [ENVIRONMENT, "-m", "mypy", "."], r"^(\w+\.py):(\d+): error:"),
    "pyright": (
        "pyright",
        [ENVIRONMENT, "-m", "pyright", "--pythonpath", ENVIRONMENT],
        r"^ *\S*?(\w+\.py):(\d+):\d+ - (?:error|warning):",
    ),
    "ty": (
        "ty",
        [ENVIRONMENT, "-m", "ty", "check", "--python", sys.prefix, "--output-format", "concise"],
        r"^(\w+\.py):(\d+):\d+: (?:error|warning)",
    ),
    "pyrefly": (
        "pyrefly",
        [
            ENVIRONMENT,
            "-m",
            "pyrefly",
            "check",
            "--python-interpreter-path",
            ENVIRONMENT,
            "--output-format",
            "min-text",
        ],
        r"^ *(?:ERROR|WARN) (?:\S*/)?(\w+\.py):(\d+):",
    ),
}


def lines_of(name):
    return (FILES / name).read_text(encoding="utf-8").splitlines()


def marked():
    return {
        (path.name, number)
        for path in FILES.glob("*.py")
        for number, line in enumerate(lines_of(path.name), 1)
        if line.endswith(MARK)
    }


@pytest.fixture(scope="module", params=CHECKERS)
def errors(request, tmp_path_factory):
    """Where one checker finds errors, which sees the installed package and nothing of this repository."""
    module, command, pattern = CHECKERS[request.param]
    if importlib.util.find_spec(module) is None:
        # Each takes seconds and tens of megabytes, so only the environment `types` has them.
        pytest.skip(f"{request.param} is not installed here; `hatch run types:check` runs it")
    folder = tmp_path_factory.mktemp(request.param)
    shutil.copytree(FILES, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in CONFIGURATION.items():
        (folder / name).write_text(text, encoding="utf-8")
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    found = {(match[1], int(match[2])) for match in re.finditer(pattern, run.stdout, re.MULTILINE)}
    assert run.returncode == 1, run.stdout + run.stderr
    return found


def test_what_is_right_is_accepted(errors):
    unexpected = sorted(f"{name}:{number}: {lines_of(name)[number - 1]}" for name, number in errors - marked())
    assert unexpected == []


def test_what_is_wrong_is_rejected(errors):
    missed = sorted(f"{name}:{number}: {lines_of(name)[number - 1]}" for name, number in marked() - errors)
    assert missed == []


def test_only_files_of_errors_mark_errors():
    accepted = {path.name for path in FILES.glob("accepted_*.py")}
    rejected = {path.name for path in FILES.glob("rejected_*.py")}
    assert {path.name for path in FILES.glob("*.py")} == accepted | rejected
    assert {name for name, _ in marked()} == rejected


def test_the_package_says_that_it_is_typed():
    assert (Path(scverse_backends.__file__).parent / "py.typed").is_file()


def test_all_public_types_are_known():
    if importlib.util.find_spec("pyright") is None:
        # As above.
        pytest.skip("pyright is not installed here; `hatch run types:check` runs it")
    # It looks for packages where the first `python` of the path does.
    path = os.pathsep.join([str(Path(ENVIRONMENT).parent), os.environ.get("PATH", "")])
    run = subprocess.run(
        [ENVIRONMENT, "-m", "pyright", "--verifytypes", "scverse_backends", "--ignoreexternal"],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Type completeness score: 100%" in run.stdout, run.stdout
