"""Stand-ins for rapids-singlecell, made from a released wheel: the same signatures, defaults and docstrings, no GPU.

The wheel is downloaded at test time and read as text. Each public function becomes a function that returns what it
was called with. The result is a distribution like any installed one, with the entry points that the real adapters have.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import zipfile
from pathlib import Path, PurePosixPath

DISTRIBUTION = "rapids-singlecell-cu12"
PACKAGE = "rapids_singlecell"
NAMESPACES = ("pp", "tl", "gr", "get")

# Kept as they are: what makes `rng` of a `random_state`, and what defaults refer to. Neither has GPU code in it.
KEPT = ("_settings.py", "_utils/_random.py")

ARRIVED = '''
"""What a stand-in was called with."""

from dataclasses import dataclass


@dataclass(repr=False)
class Arrived:
    function: str
    arguments: dict

    def __getitem__(self, name):
        return self.arguments[name]

    def __contains__(self, name):
        return name in self.arguments

    def __repr__(self):
        return f"Arrived({self.function!r}, {sorted(self.arguments)})"


class Unreadable:
    """Stands for a default that only the whole package can compute."""

    def __init__(self, text):
        self.text = text

    def __repr__(self):
        return self.text
'''

HEADER = """
from __future__ import annotations

from types import MappingProxyType

import numpy as np

from rapids_singlecell._arrived import Arrived as _Arrived, Unreadable as _Unreadable
"""


def download(version, cache):
    """Return the wheel of a release, downloaded unless it is there."""
    pattern = f"{DISTRIBUTION.replace('-', '_')}-{version}-*.whl"
    if not list(cache.glob(pattern)):
        # Wheels for Linux only, and nothing in them is executed: the platform of the tests does not matter.
        target = ["--only-binary", ":all:", "--platform", "manylinux_2_28_x86_64", "--python-version", "3.12"]
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", *target, "--dest", str(cache)]
        subprocess.run([*command, f"{DISTRIBUTION}=={version}"], check=True)
    (wheel,) = cache.glob(pattern)
    return wheel


class Source:
    """The sources of a wheel, by the path of the module in the package."""

    def __init__(self, wheel):
        self.files = {}
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                path = PurePosixPath(name)
                if path.suffix == ".py" and path.parts[0] == PACKAGE:
                    self.files[path.relative_to(PACKAGE)] = archive.read(name).decode()
        self.trees = {}

    def tree(self, path):
        if path not in self.trees:
            self.trees[path] = ast.parse(self.files[path])
        return self.trees[path]

    def imported(self, path, statement):
        """Return the file that a relative import refers to."""
        folder = path.parent
        for _ in range(statement.level - 1):
            folder = folder.parent
        target = folder.joinpath(*(statement.module or "").split(".")) if statement.module else folder
        module = target.with_name(target.name + ".py")
        return module if module in self.files else target / "__init__.py"

    def imports(self, path):
        """Yield the relative imports of a module that are written at its top level."""
        for node in self.tree(path).body:
            if isinstance(node, ast.ImportFrom) and node.level:
                yield node

    def exports(self, path):
        """Return the names that a module shows: those it lists, else those that it imports."""
        listed = []
        for node in self.tree(path).body:
            target = getattr(node.targets[0], "id", "") if isinstance(node, ast.Assign) else ""
            if target == "__all__":
                listed += ast.literal_eval(node.value)
            elif target == "__deprecated_exports__":
                listed += [ast.literal_eval(key) for key in node.value.keys]
        if listed:
            return listed
        found = []
        for node in self.imports(path):
            for alias in node.names:
                found += self.exports(self.imported(path, node)) if alias.name == "*" else [alias.asname or alias.name]
        return [name for name in found if not name.startswith("_")]

    def definition(self, path, name):
        """Return the module in which a name is defined as a function, and its definition; ``None`` if it is none."""
        for node in self.tree(path).body:
            if isinstance(node, ast.FunctionDef) and node.name == name:
                return path, node
        for node in self.imports(path):
            for alias in node.names:
                target = self.imported(path, node)
                if name == (alias.asname or alias.name) or (alias.name == "*" and name in self.exports(target)):
                    original = name if alias.name == "*" else alias.name
                    if target in self.files and (found := self.definition(target, original)) is not None:
                        return found
        return None

    def functions(self, namespace):
        """Yield the public functions of a namespace with the module that defines each."""
        path = PurePosixPath(f"{namespace}.py")
        if path not in self.files:
            path = PurePosixPath(namespace) / "__init__.py"
        for name in self.exports(path):
            if (found := self.definition(path, name)) is not None:
                yield found

    def value(self, path, name):
        """Return how a module defines a plain name that a default refers to; a stand-in where it cannot be told."""
        for node in self.tree(path).body:
            if isinstance(node, (ast.Assign, ast.AnnAssign)):
                target = node.targets[0] if isinstance(node, ast.Assign) else node.target
                if getattr(target, "id", None) == name and isinstance(node.value, ast.Constant):
                    return node.value
        return ast.parse(f"_Unreadable({name!r})", mode="eval").body


def names_in(nodes):
    return {part.id for node in nodes if node is not None for part in ast.walk(node) if isinstance(part, ast.Name)}


def legacy(decorator):
    return isinstance(decorator, ast.Call) and getattr(decorator.func, "id", "") == "_accepts_legacy_random_state"


def stub(source, path, function):
    """Return the statements of a stand-in for one function, with what its defaults refer to."""
    decorators = [decorator for decorator in function.decorator_list if legacy(decorator)]
    defaults = [*function.args.defaults, *function.args.kw_defaults]
    known = {"np", "MappingProxyType", "Default", "_accepts_legacy_random_state", "float", "int", "str", "bool"}
    needed = sorted(names_in([*defaults, *decorators]) - known)
    values = [
        ast.Assign(targets=[ast.Name(name, ast.Store())], value=source.value(path, name), lineno=1) for name in needed
    ]
    body = ast.parse(f"return _Arrived({function.name!r}, locals())").body
    doc = function.body[:1] if ast.get_docstring(function, clean=False) is not None else []
    made = ast.FunctionDef(
        name=function.name,
        args=function.args,
        body=[*doc, *body],
        decorator_list=decorators,
        returns=function.returns,
        type_params=[],
        lineno=1,
    )
    return [*values, made]


def module(source, namespace):
    """Return the text of a module with stand-ins for all public functions of a namespace."""
    statements, names = [], []
    for path, function in source.functions(namespace):
        statements += stub(source, path, function)
        names.append(function.name)
    header = HEADER
    if any(PurePosixPath(kept) in source.files for kept in KEPT[:1]):
        header += "from rapids_singlecell._settings import Default\n"
    if any(legacy(decorator) for node in statements for decorator in getattr(node, "decorator_list", ())):
        header += "from rapids_singlecell._utils._random import _accepts_legacy_random_state\n"
    text = ast.unparse(ast.fix_missing_locations(ast.Module(body=statements, type_ignores=[])))
    return f"{header}\n{text}\n\n__all__ = {names!r}\n"


TRANSLATED = '''
from inspect import signature


def called_data(functions):
    """Give the first parameter of some functions the host's name `data` where the backend calls it `adata`."""
    return {name: _called_data(function) for name, function in functions.items()}


def _called_data(function):
    first, *others = signature(function).parameters.values()
    if first.name == "data":
        return function

    def translated(data, *args, **options):
        return function(data, *args, **options)

    translated.__name__, translated.__doc__ = function.__name__, function.__doc__
    translated.__signature__ = signature(function).replace(parameters=[first.replace(name="data"), *others])
    return translated
'''

SCANPY = """
from rapids_singlecell._backends._translated import called_data as _called_data
from rapids_singlecell.get import aggregate
from rapids_singlecell.pp import *
from rapids_singlecell.pp import __all__ as _pp
from rapids_singlecell.tl import *
from rapids_singlecell.tl import __all__ as _tl

name = "rapids-singlecell"
aliases = ["cuda", "rapids", "rapids_singlecell"]
__all__ = ["aggregate", *_pp, *_tl]

_names = {"filter_cells", "filter_genes", "log1p", "pca", "scale"}
globals().update(_called_data({name: globals()[name] for name in _names}))
"""

SQUIDPY = '''
from inspect import signature as _signature

from rapids_singlecell._backends._translated import called_data as _called_data
from rapids_singlecell.gr import *
from rapids_singlecell.gr import __all__ as _gr
from rapids_singlecell.gr import calculate_niche as _calculate_niche

name = "rapids-singlecell"
aliases = ["cuda", "rapids", "rapids_singlecell"]
__all__ = list(_gr)

_names = {name for name in _gr if name.startswith("spatial_neighbors_")}
globals().update(_called_data({name: globals()[name] for name in _names}))


def calculate_niche(data, flavor, *, inplace=True, **options):
    """The host says `data` and `inplace` where older releases of the backend say `adata` and `copy`."""
    return _calculate_niche(data, flavor=flavor, **{_INPLACE: inplace is (_INPLACE == "inplace"), **options})


_theirs = _signature(_calculate_niche).parameters
_INPLACE = "inplace" if "inplace" in _theirs else "copy"
_ours = list(_signature(calculate_niche).parameters.values())[:-1]
calculate_niche.__signature__ = _signature(calculate_niche).replace(
    parameters=[*_ours, *[p for name, p in _theirs.items() if name not in ("adata", "flavor", "inplace", "copy")]]
)
calculate_niche.__doc__ = _calculate_niche.__doc__
'''


def install(wheel, folder):
    """Write the distribution of stand-ins into a folder that stands on the path."""
    source = Source(wheel)
    version = re.search(r"-(\d[^-]*)-", wheel.name)[1]
    information = Path(f"{DISTRIBUTION.replace('-', '_')}-{version}.dist-info")
    files = {
        Path("__init__.py"): "",
        Path("_utils/__init__.py"): "",
        Path("_backends/__init__.py"): "",
        Path("_arrived.py"): ARRIVED,
        Path("_backends/_translated.py"): TRANSLATED,
        Path("_backends/scanpy.py"): SCANPY,
        Path("_backends/squidpy.py"): SQUIDPY,
    }
    files |= {Path(f"{namespace}.py"): module(source, namespace) for namespace in NAMESPACES}
    files |= {Path(kept): source.files[PurePosixPath(kept)] for kept in KEPT if PurePosixPath(kept) in source.files}
    written = {Path(PACKAGE) / path: text for path, text in files.items()}
    written[information / "METADATA"] = f"Metadata-Version: 2.1\nName: {DISTRIBUTION}\nVersion: {version}\n"
    written[information / "entry_points.txt"] = "".join(
        f"[{host}.backends]\nrapids-singlecell = {PACKAGE}._backends.{host}\n" for host in ("scanpy", "squidpy")
    )
    for path, text in written.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return folder
