"""The house rules: imports point down, files fit in one reading, importing the package is cheap."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import scverse_backends

PACKAGE = Path(scverse_backends.__file__).parent

# From the bottom up: a room may import the ones before it and knows nothing of the ones after it. What stands between
# rooms without being in one, the face of the package, has its place here too.
HOUSE = (
    "exceptions",
    "_foundation",
    "_selection",
    "_discovery",
    "_docstrings",
    "_signatures",
    "_calls",
    "_reports",
    "_scopes",
    "_settings",
    "_machinery",
    "_protocols",
    "_dispatcher",
    "_inside",
    "__init__",
)
# These stand on top and see what every other package sees: the public names. What the testing kit and the command line
# have to know beyond those, `_inside` tells them.
LEAVES = ("testing", "sphinxext", "_skeleton", "_cli", "__main__")
PUBLIC = {"__init__", "exceptions", "testing", "_dispatcher", "_inside"}

# Each costs milliseconds at import, and most programs that import a host never need it (section 10).
HEAVY = {"dataclasses", "importlib.metadata", "inspect", "logging", "re", "typing"}

FILES = sorted(PACKAGE.rglob("*.py"))
IDS = [str(path.relative_to(PACKAGE)) for path in FILES]
ROOMS = [place for place in HOUSE if (PACKAGE / place).is_dir()]


def parts_of(path):
    """Return `("_signatures", "plan")` for `_signatures/plan.py`, and `("_signatures",)` for the door of that room."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts


def place_of(path):
    """Return the room that a file is in, or the file's own name where it stands outside of the rooms."""
    return parts_of(path)[0]


def parse(path):
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def own_imports(path):
    """Yield (line, parts of the module's name) for each import of our own, wherever in the file it stands."""
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                head, *rest = alias.name.split(".")
                if head == "scverse_backends":
                    yield node.lineno, tuple(rest) or ("__init__",)
        elif isinstance(node, ast.ImportFrom):
            head, *rest = absolute(path, node)
            if head != "scverse_backends":
                continue
            for alias in node.names:
                target = PACKAGE.joinpath(*rest, alias.name)
                is_module = target.is_dir() or target.with_suffix(".py").exists()
                yield node.lineno, (*rest, alias.name) if is_module else tuple(rest) or ("__init__",)


def absolute(path, node):
    if not node.level:
        return node.module.split(".")
    folder = ["scverse_backends", *path.relative_to(PACKAGE).parts[:-1]]
    base = folder[: len(folder) - node.level + 1]
    return base + (node.module.split(".") if node.module else [])


def imports_at_import_time(tree):
    """Yield (line, module) for what runs when the module is imported: no function bodies, nothing for type checkers."""
    waiting = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
            continue
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.lineno, node.module
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)
        else:
            waiting += list(ast.iter_child_nodes(node))


def loaded_by(statement):
    """Return the modules that `statement` adds in a bare interpreter: no site packages, no coverage measurement."""
    program = (
        f"import sys; sys.path.insert(0, {str(PACKAGE.parent)!r}); before = set(sys.modules); {statement}; "
        "print(*sorted(set(sys.modules) - before))"
    )
    result = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True)
    return set(result.stdout.split())


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_every_file_has_its_place(path):
    assert place_of(path) in HOUSE + LEAVES, (
        f"{path.name} is in no room: put it into the one whose idea it is part of, or give it a place in HOUSE"
    )


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_imports_point_down(path):
    importer = place_of(path)
    if importer in LEAVES:
        allowed = PUBLIC | {importer} | {"__main__": {"_cli"}, "_cli": {"_skeleton"}}.get(importer, set())
    else:
        allowed = {*HOUSE[: HOUSE.index(importer)], importer}
    wrong = [f"line {line}: {'.'.join(parts)}" for line, parts in own_imports(path) if parts[0] not in allowed]
    assert wrong == []


def test_no_two_files_need_each_other():
    graph = {parts_of(path): {parts for _, parts in own_imports(path)} for path in FILES}
    # Raises CycleError, with the cycle, where there is one.
    assert set(TopologicalSorter(graph).static_order()) >= set(graph)


def door(room):
    """Return what the door of a room says that other rooms may import."""
    tree = parse(PACKAGE / room / "__init__.py")
    (names,) = (node.value for node in tree.body if isinstance(node, ast.Assign) and node.targets[0].id == "DOOR")
    return set(ast.literal_eval(names))


@pytest.mark.parametrize("room", ROOMS)
def test_a_door_names_exactly_what_other_rooms_import(room):
    used = {parts[1:] for path in FILES if place_of(path) != room for _, parts in own_imports(path) if parts[0] == room}
    assert used == {(name,) for name in door(room)}


@pytest.mark.parametrize("room", ROOMS)
def test_a_door_says_the_idea_and_imports_nothing(room):
    tree = parse(PACKAGE / room / "__init__.py")
    assert ast.get_docstring(tree)
    assert [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)] == [
        "from __future__ import annotations"
    ]


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_every_file_fits_in_one_reading(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


def test_only_one_room_reads_metadata():
    users = {
        parts_of(path)
        for path in FILES
        if place_of(path) in HOUSE
        for node in ast.walk(parse(path))
        if (isinstance(node, ast.ImportFrom) and node.level == 0 and (node.module or "").startswith("importlib"))
        or (isinstance(node, ast.Import) and any(alias.name == "importlib.metadata" for alias in node.names))
        if "metadata" in ast.unparse(node)
    }
    # The one lists, the other reads what a single entry point tells.
    assert users == {("_discovery", "installed"), ("_discovery", "entry_points")}


def test_only_one_module_warns():
    callers = {
        parts_of(path)
        for path in FILES
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Attribute) and ast.unparse(node) in {"warnings.warn", "warnings.warn_explicit"}
    }
    assert callers == {("_foundation", "warner")}


def test_importing_the_package_loads_nothing_heavy():
    loaded = loaded_by("import scverse_backends")
    assert "scverse_backends._dispatcher" in loaded  # Else this test would not see what it is about.
    assert loaded & HEAVY == set()


def test_importing_the_package_loads_no_leaf():
    loaded = loaded_by("import scverse_backends")
    assert not {name for name in loaded if name.split(".")[1:2] and name.split(".")[1] in LEAVES}


def test_no_module_of_the_core_asks_for_something_heavy_at_import():
    # Says the line, where the test above can only say that it happened.
    loaded = {tuple(name.split(".")[1:]) or ("__init__",) for name in loaded_by("import scverse_backends")}
    found = [
        f"{path.name}:{line}: {module}"
        for path in FILES
        if place_of(path) in HOUSE and parts_of(path) in loaded
        for line, module in imports_at_import_time(parse(path))
        if module in HEAVY
    ]
    assert found == []
