"""A pytest plugin (``-p decorating``): the functions of a library are decorated as it is imported.

``CORPUS_LIBRARY`` names the library, ``CORPUS_MODE`` how: ``plain`` leaves it as it is, ``decorated`` decorates every
public function as soon as its module has been executed, so that all that import it get the decorated one, and
``routed`` also selects a backend whose functions are the host's own, so that every call takes the way of a backend.
``CORPUS_LEAVE`` names a subpackage that is left as it is. The outcome of each test is written to ``CORPUS_OUTCOMES``.
"""

from __future__ import annotations

import json
import os
import sys
from functools import wraps
from importlib.machinery import PathFinder
from pathlib import Path
from types import FunctionType, SimpleNamespace

from scverse_backends import BackendDispatcher

LIBRARY = os.environ["CORPUS_LIBRARY"]
LEAVE = os.environ.get("CORPUS_LEAVE")
MODE = os.environ["CORPUS_MODE"]

dispatcher = BackendDispatcher(entrypoint_group="corpus.backends", host_name="corpus", untrusted="allow")
decorated = {}
outcomes = {}


def decorate(module):
    """Decorate the public functions that a module defines; those that are refused stay as they are."""
    if LEAVE and f"{module.__name__}.".startswith(f"{LEAVE}."):
        return
    for name, function in list(vars(module).items()):
        if name.startswith("_") or type(function) is not FunctionType or function.__module__ != module.__name__:
            continue
        # Names are told apart by module, since one backend provides them all.
        attribute = f"{module.__name__}.{name}".replace(".", "__").lstrip("_")
        try:
            setattr(module, name, dispatcher.backend_dispatch(name=attribute)(function))
        except TypeError:
            continue
        decorated[attribute] = function


class Finder:
    """Finds what would be found anyway, and decorates it once it has been executed."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] != LIBRARY or "tests" in name.split(".") or name.endswith("conftest"):
            return None
        spec = PathFinder.find_spec(name, path, target)
        loader = getattr(spec, "loader", None)
        if not hasattr(loader, "exec_module"):
            return spec
        execute = loader.exec_module

        def exec_module(module):
            execute(module)
            decorate(module)

        loader.exec_module = exec_module
        return spec


if MODE != "plain":
    if LIBRARY in sys.modules:
        raise RuntimeError(f"{LIBRARY} is imported already, so its functions cannot be decorated any more.")
    sys.meta_path.insert(0, Finder)


def counted(function):
    """Return a backend's function that is the host's own, and counts that it ran."""

    @wraps(function)
    def same(*args, **kwargs):
        outcomes["calls"] += 1
        return function(*args, **kwargs)

    return same


def pytest_collection_finish():
    if MODE == "routed":
        outcomes["calls"] = 0
        same = {attribute: counted(function) for attribute, function in decorated.items()}
        dispatcher.register(SimpleNamespace(name="same", **same))
        dispatcher.settings.backend = "same"


def pytest_runtest_logreport(report):
    if report.when == "call" or report.outcome != "passed":
        outcomes[report.nodeid] = report.outcome


def pytest_sessionfinish():
    outcomes["decorated"] = len(decorated)
    Path(os.environ["CORPUS_OUTCOMES"]).write_text(json.dumps(outcomes), encoding="utf-8")
