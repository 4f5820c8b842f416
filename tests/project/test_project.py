"""What the repository promises about itself: metadata, README, public names, examples in docstrings."""

from __future__ import annotations

import doctest
import importlib
import importlib.metadata
import importlib.resources
import inspect
import pkgutil
import re
import sys
import tomllib
from pathlib import Path

import pytest

import scverse_backends

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
README = (ROOT / "README.md").read_text()

# Modules that are there for newer Pythons only.
NEWER = {"scverse_backends._calls.annotate": (3, 14)}
SUBMODULES = pkgutil.walk_packages(scverse_backends.__path__, "scverse_backends.")
MODULES = [
    "scverse_backends",
    *sorted(module.name for module in SUBMODULES if sys.version_info >= NEWER.get(module.name, ())),
]
PUBLIC_MODULES = [name for name in MODULES if not re.search(r"\._", name)]


def readme_block(heading):
    section = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", README, re.MULTILINE | re.DOTALL)
    assert section, f"the README has no section {heading!r}"
    return re.findall(r"^```sh\n(.*?)^```$", section[1], re.MULTILINE | re.DOTALL)


def repository_files():
    """Return what belongs to the repository, also where it was unpacked without its history."""
    folders = [ROOT / name for name in (".ci", "docs", "src", "tests")]
    generated = {"__pycache__", "_build", "generated", "build", "dist", "results"}
    for path in [*ROOT.glob("*"), *(path for folder in folders for path in folder.rglob("*"))]:
        # In a worktree, `.git` is a file that says where the history lies.
        if path.is_file() and path.name != ".git" and not generated.intersection(path.relative_to(ROOT).parts):
            yield path


def test_version_is_the_installed_one():
    assert importlib.metadata.version("scverse-backends") == scverse_backends.__version__
    assert PYPROJECT["project"]["dynamic"] == ["version"]  # The number stands in one place only.


def test_no_runtime_dependency():
    assert PYPROJECT["project"]["dependencies"] == []
    required = importlib.metadata.requires("scverse-backends") or []
    assert [line for line in required if "extra ==" not in line] == []


def test_importing_pytest_finds_no_plugin_of_ours():
    # 8.4: the plugin is opt-in.
    groups = {entry_point.group for entry_point in importlib.metadata.distribution("scverse-backends").entry_points}
    assert groups == {"console_scripts"}


def test_typed_marker_is_shipped():
    assert importlib.resources.files("scverse_backends").joinpath("py.typed").is_file()


@pytest.mark.parametrize("heading", ["Try it", "Test it"])
def test_readme_has_one_command_line_in_each_block(heading):
    blocks = readme_block(heading)
    assert len(blocks) == 1
    lines = blocks[0].splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("python3 -m venv .venv && ")


def test_readme_stands_alone_on_a_package_index():
    # There, a link to a file of the repository leads nowhere.
    links = re.findall(r"\]\(([^)\s]+)\)", README)
    assert len(links) > 10
    assert [link for link in links if not link.startswith("https://")] == []
    assert re.findall(r"^\[[^\]]+\]:|<a |<img |\{\w+\}`", README, re.MULTILINE) == []


def test_readme_runs_what_pyproject_defines():
    environments = PYPROJECT["tool"]["hatch"]["envs"]
    commands = re.findall(r"hatch run (\S+):(\S+)", README + (ROOT / ".ci" / "run").read_text())
    assert commands
    for environment, script in commands:
        assert script in environments[environment]["scripts"]


def test_every_supported_python_is_declared_and_tested():
    declared = re.findall(r"Python :: (3\.\d+)", "\n".join(PYPROJECT["project"]["classifiers"]))
    (matrix,) = PYPROJECT["tool"]["hatch"]["envs"]["hatch-test"]["matrix"]
    assert declared == matrix["python"]
    assert PYPROJECT["project"]["requires-python"] == f">={declared[0]}"


def test_release_notes_speak_of_this_version():
    assert f"## {scverse_backends.__version__}" in (ROOT / "docs" / "release-notes.md").read_text()


def test_repository_names_no_machine_and_no_registry_host():
    # In pieces, for this file is searched as well.
    paths = [rf"(?<![\w.}}])/{name}/" for name in ("work", "farm", "root")] + ["/tmp/[a-z]"]
    hosts = [rf"{name}\.{top}" for name, top in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"))]
    pattern = re.compile("|".join(paths + hosts))
    found = []
    for path in repository_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [
            f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
            for number, line in enumerate(text.splitlines(), 1)
            if pattern.search(line)
        ]
    assert found == []


def test_host_facing_names():
    # The names that host libraries already import.
    assert {"BackendDispatcher", "Settings"} <= set(scverse_backends.__all__)
    assert "run_conformance" in importlib.import_module("scverse_backends.testing").__all__


@pytest.mark.parametrize("name", PUBLIC_MODULES)
def test_all_is_sorted_and_complete(name):
    module = importlib.import_module(name)

    def constants_then_classes_then_functions(public):
        return (0 if public.isupper() else 1 if public[0].isupper() else 2, public)

    assert list(module.__all__) == sorted(module.__all__, key=constants_then_classes_then_functions)
    for public in module.__all__:
        assert hasattr(module, public)
    defined_here = {
        attribute
        for attribute, value in vars(module).items()
        # Hooks are called by pytest, by their names.
        if not attribute.startswith(("_", "pytest_")) and getattr(value, "__module__", None) == name
    }
    assert defined_here <= set(module.__all__)


@pytest.mark.parametrize("name", [name for name in MODULES if not name.endswith("__main__")])
def test_docstring_examples(name):
    module = importlib.import_module(name)
    assert module.__doc__, f"{name} does not say what it is"
    assert doctest.testmod(module, optionflags=doctest.ELLIPSIS).failed == 0


@pytest.mark.parametrize(
    "name",
    [n for n in scverse_backends.__all__ if inspect.isroutine(o := getattr(scverse_backends, n)) or inspect.isclass(o)],
)
def test_public_objects_show_an_example(name):
    assert ">>>" in (inspect.getdoc(getattr(scverse_backends, name)) or "")
