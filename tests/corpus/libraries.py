"""What the corpus consists of: every public function, and every other public docstring, of released libraries."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import warnings
from importlib.metadata import version

# A distribution, and the packages of it that are walked: all public modules below them.
LIBRARIES = {
    "numpy": ["numpy.linalg"],
    "scipy": ["scipy.stats", "scipy.signal"],
    "scikit-learn": ["sklearn"],
    "networkx": ["networkx"],
    "pandas": ["pandas"],
    "scanpy": ["scanpy"],
    "squidpy": ["squidpy"],
}

NO_API = {"tests", "testing", "conftest", "externals", "datasets_data", "setup"}


def modules(root):
    """Yield a package and the public modules below it; what cannot be imported here has no functions."""
    package = importlib.import_module(root)
    yield package
    for found in pkgutil.iter_modules(getattr(package, "__path__", ())):
        if found.name.startswith("_") or found.name in NO_API:
            continue
        try:
            yield from modules(f"{root}.{found.name}")
        except Exception:  # noqa: BLE001 - optional dependencies, and modules kept only to say that they moved.
            continue


def members(module):
    """Yield the public names of a module and what they stand for."""
    for name in sorted(getattr(module, "__all__", None) or [n for n in vars(module) if not n.startswith("_")]):
        try:
            yield name, getattr(module, name)
        except Exception:  # noqa: BLE001 - deprecated names that raise.
            continue


def is_function(value):
    """Whether a value is a function of any kind: no class, and no object that merely happens to be callable."""
    return (
        callable(value) and (inspect.isroutine(value) or hasattr(value, "__wrapped__")) and not isinstance(value, type)
    )


def belongs(value, root):
    """Whether a value is of the library, and not only imported there."""
    home = getattr(value, "__module__", None) or ""
    return home.partition(".")[0] == root.partition(".")[0]


def walk(distribution):
    """Return the public functions and classes of a distribution: each once, with its public name."""
    functions, classes, seen = [], [], set()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for root in LIBRARIES[distribution]:
            for module in modules(root):
                for name, value in members(module):
                    if id(value) in seen or not belongs(value, root):
                        continue
                    if is_function(value):
                        functions.append((f"{module.__name__}.{name}", value))
                    elif isinstance(value, type):
                        classes.append((f"{module.__name__}.{name}", value))
                    else:
                        continue
                    seen.add(id(value))
    return functions, classes


def methods(classes):
    """Yield the public methods that are written in classes, each once."""
    seen = set()
    for path, cls in classes:
        for name, value in vars(cls).items():
            if inspect.isfunction(value) and not name.startswith("_") and id(value) not in seen:
                seen.add(id(value))
                yield f"{path}.{name}", value


def released(distribution):
    """Return the version that was measured."""
    return version(distribution)
