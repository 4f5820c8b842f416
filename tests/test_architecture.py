"""The house rules: imports point down, files fit in one reading, importing the package is cheap."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import scverse_backends

PACKAGE = Path(scverse_backends.__file__).parent

# From the bottom up: each module may import the ones before it and knows nothing of the ones after it.
# A new module gets its place here first: below everything that is going to import it.
CORE = (
    "exceptions",
    "_labels",
    "_log",
    "_record",
    "_warnings",
    "_entry_points",
    "_trust",
    "_exports",
    "_adapters",
    "_live",
    "_answers",
    "_registry",
    "_registration",
    "_state",
    "_steps",
    "_resolver",
    "_selection",
    "_omitted",
    "_defaults",
    "_arguments",
    "_merged_signature",
    "_accepted",
    "_plan",
    "_signature",
    "_own_backend",
    "_docs_read",
    "_docs",
    "_dispatched",
    "_records",
    "_annotate",
    "_merge",
    "_table",
    "_trace",
    "_implementations",
    "_routing",
    "_dispatch",
    "_report",
    "_bind",
    "_settings",
    "_functions",
    "_rebuild",
    "_classes",
    "_discovery",
    "_machinery",
    "_problem",
    "_side_by_side",
    "_contract",
    "_protocols",
    "_dispatcher",
    "_inside",
    "__init__",
)
# These stand on top and see what every other package sees: the public names. What the testing kit and the command line
# have to know beyond those, `_inside` tells them.
LEAVES = ("testing", "sphinxext", "_cli", "__main__")
PUBLIC = {"__init__", "exceptions", "testing", "_dispatcher", "_inside"}

# Each costs milliseconds at import, and most programs that import a host never need it (section 10).
HEAVY = {"dataclasses", "importlib.metadata", "inspect", "logging", "re", "typing"}

FILES = sorted(PACKAGE.rglob("*.py"))
IDS = [str(path.relative_to(PACKAGE)) for path in FILES]


def module_name(path):
    """Return `_plan` for `_plan.py`, and `testing` for everything in that folder."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def parse(path):
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def own_imports(path):
    """Yield (line, module) for each import of our own, wherever in the file it stands."""
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                head, _, rest = alias.name.partition(".")
                if head == "scverse_backends":
                    yield node.lineno, rest.split(".")[0] or "__init__"
        elif isinstance(node, ast.ImportFrom):
            parts = absolute(path, node)
            if parts[:1] != ["scverse_backends"]:
                continue
            if len(parts) > 1:
                yield node.lineno, parts[1]
                continue
            for alias in node.names:
                is_module = (PACKAGE / alias.name).is_dir() or (PACKAGE / f"{alias.name}.py").exists()
                yield node.lineno, alias.name if is_module else "__init__"


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
def test_every_module_has_its_place(path):
    assert module_name(path) in CORE + LEAVES, (
        f"{path.name} has no place yet: add it to CORE in {Path(__file__).name}, below everything that imports it, "
        "or to LEAVES if it uses the public names only"
    )


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_imports_point_down(path):
    importer = module_name(path)
    if importer in LEAVES:
        allowed = PUBLIC | {importer} | ({"_cli"} if importer == "__main__" else set())
    else:
        allowed = set(CORE[: CORE.index(importer)])
    wrong = [f"line {line}: {importer} imports {module}" for line, module in own_imports(path) if module not in allowed]
    assert wrong == []


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_every_file_fits_in_one_reading(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


def test_only_one_module_reads_metadata():
    users = {
        module_name(path)
        for path in FILES
        if module_name(path) in CORE
        for node in ast.walk(parse(path))
        if (isinstance(node, ast.ImportFrom) and node.level == 0 and (node.module or "").startswith("importlib"))
        or (isinstance(node, ast.Import) and any(alias.name == "importlib.metadata" for alias in node.names))
        if "metadata" in ast.unparse(node)
    }
    assert users == {"_entry_points"}


def test_only_one_module_warns():
    callers = {
        module_name(path)
        for path in FILES
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Attribute) and ast.unparse(node) in {"warnings.warn", "warnings.warn_explicit"}
    }
    assert callers == {"_warnings"}


def test_importing_the_package_loads_nothing_heavy():
    loaded = loaded_by("import scverse_backends")
    assert "scverse_backends._dispatcher" in loaded  # Else this test would not see what it is about.
    assert loaded & HEAVY == set()


def test_importing_the_package_loads_no_leaf():
    loaded = loaded_by("import scverse_backends")
    assert not {name for name in loaded if name.split(".")[1:2] and name.split(".")[1] in LEAVES}


def test_no_module_of_the_core_asks_for_something_heavy_at_import():
    # Says the line, where the test above can only say that it happened.
    loaded = {
        name.removeprefix("scverse_backends").lstrip(".") or "__init__" for name in loaded_by("import scverse_backends")
    }
    found = [
        f"{path.name}:{line}: {module}"
        for path in FILES
        if path.parent == PACKAGE and module_name(path) in loaded
        for line, module in imports_at_import_time(parse(path))
        if module in HEAVY
    ]
    assert found == []
