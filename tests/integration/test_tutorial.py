"""The tutorial, word by word: each file is written, each command typed, and what is printed is compared."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pages
import pytest

PAGE = pages.DOCS / "start" / "tutorial.md"

pytestmark = pytest.mark.skipif(
    "EXAMPLES_REQUIRED" not in os.environ,
    reason="the tutorial installs packages from an index, which the suite itself does without",
)


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    """Build this project, which stands in for the release that `pip install scverse-backends` would find."""
    folder = tmp_path_factory.mktemp("wheels")
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), str(pages.ROOT)]
    subprocess.run(command, check=True, timeout=300)
    return folder


class Terminal:
    """One shell for all commands, as a reader has it: folders and the active environment stay."""

    def __init__(self, folder, wheels):
        hidden = ("PYTHONPATH", "VIRTUAL_ENV")
        environment = {key: value for key, value in os.environ.items() if key not in hidden}
        environment |= {"PIP_FIND_LINKS": str(wheels), "PIP_DISABLE_PIP_VERSION_CHECK": "1", "COLUMNS": "100"}
        # The reader's `python3` is the interpreter that is tested.
        programs = folder / "programs"
        programs.mkdir()
        (programs / "python3").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
        (programs / "python3").chmod(0o755)
        environment["PATH"] = f"{programs}{os.pathsep}{environment['PATH']}"
        self.shell = subprocess.Popen(
            ["bash"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=folder,
            env=environment,
        )

    def type(self, command):
        """Return what a command prints to its two streams together, and its exit status."""
        self.shell.stdin.write(f'{command}\necho "@@@ $?"\n')
        self.shell.stdin.flush()
        printed = []
        for line in self.shell.stdout:
            if line.startswith("@@@ "):
                return "".join(printed), int(line[4:])
            printed.append(line)
        raise AssertionError(f"the shell ended: {command}\n{''.join(printed)}")

    def close(self):
        self.shell.stdin.close()
        self.shell.wait(timeout=60)
        self.shell.stdout.close()


def without_warnings(printed):
    """Return what a program prints without Python's warnings, which go to the other stream."""
    return re.sub(r"^\S+:\d+: \w+Warning: .*\n {2}.*\n", "", printed, flags=re.MULTILINE)


@pytest.fixture
def terminal(tmp_path, wheels):
    opened = Terminal(tmp_path, wheels)
    yield opened
    opened.close()


def test_word_by_word(tmp_path, terminal):
    folder, printed, warned = tmp_path / "tutorial", "", []
    for block in pages.blocks(PAGE.read_text(encoding="utf-8")):
        where = f"{PAGE.name}:{block.line}"
        if block.path is not None:
            target = folder / block.path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(block.code, encoding="utf-8")
        elif block.mark.startswith("output"):
            assert pages.shows(block, without_warnings(printed)), f"{where} shows something else than\n{printed}"
        else:
            assert block.language == "sh", where
            for command in block.code.splitlines():
                printed, status = terminal.type(command)
                assert status == 0, f"{where}: {command}\n{printed}"
                warned += re.findall(r"\w+Warning", printed)
    # Step 4 says that there is a warning, step 6 that it is gone.
    assert set(warned) == {"UntrustedBackendWarning"}
