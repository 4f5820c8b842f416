"""The reference has every public name, and says of each what a reader needs: types, parameters, errors, an example."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import warnings

import pages
import pytest
from numpydoc.docscrape import NumpyDocString

import scverse_backends

REFERENCE = (pages.DOCS / "api.md").read_text(encoding="utf-8")
SUBMODULES = [module.name for module in pkgutil.walk_packages(scverse_backends.__path__, "scverse_backends.")]
PUBLIC = ["scverse_backends", *sorted(name for name in SUBMODULES if not re.search(r"\._|\.__", name))]
NAMES = [(module, name) for module in PUBLIC for name in importlib.import_module(module).__all__]


def documented():
    """Return the full names that the reference documents, in the order of the page."""
    found, module = [], "scverse_backends"
    for kind, what in re.findall(r"^\.\. (?:py:)?(\w+):: ([\w.]+)", REFERENCE, re.MULTILINE):
        if kind in ("module", "automodule"):
            found.append(what)
        if kind in ("module", "automodule", "currentmodule"):
            module = what
        elif kind.startswith("auto") or kind in ("data", "function"):
            found.append(what if what.startswith("scverse_backends.") else f"{module}.{what}")
    return found


def functions():
    """Yield all public functions, and the public methods of the classes that people use."""
    for module, name in NAMES:
        value = getattr(importlib.import_module(module), name)
        if inspect.isfunction(value):
            yield pytest.param(value, id=f"{module}.{name}")
        elif inspect.isclass(value) and value in (scverse_backends.BackendDispatcher, scverse_backends.Settings):
            for method, function in vars(value).items():
                if inspect.isfunction(function) and not method.startswith("_"):
                    yield pytest.param(function, id=f"{name}.{method}")


def sections(documented_object):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # numpydoc warns of what it cannot read.
        return NumpyDocString(inspect.getdoc(documented_object))


def test_the_reference_has_every_public_name_once():
    found = documented()
    assert {f"{module}.{name}" for module, name in NAMES} <= set(found)
    assert sorted(found) == sorted(set(found))
    assert set(PUBLIC) <= set(found)


def test_functions_are_found():
    assert {"scverse_backends.testing.compare", "Settings.use_backend"} <= {one.id for one in functions()}


@pytest.mark.parametrize("function", list(functions()))
def test_parameters_have_types_and_descriptions(function):
    parameters = [p for p in inspect.signature(function).parameters.values() if p.name != "self"]
    assert [p.name for p in parameters if p.annotation is inspect.Parameter.empty] == []
    assert inspect.signature(function).return_annotation is not inspect.Signature.empty
    entries = {
        name.lstrip("*"): " ".join(entry.desc).strip()
        for section in ("Parameters", "Other Parameters")
        for entry in sections(function)[section]
        for name in entry.name.split(", ")
    }
    assert [p.name for p in parameters if not entries.get(p.name)] == []
    assert entries.keys() <= {p.name for p in parameters}


@pytest.mark.parametrize("function", list(functions()))
def test_errors_that_a_function_raises_itself_are_named(function):
    body = inspect.getsource(function)
    raised = set(re.findall(r"^ +raise (\w+)\(", body, re.MULTILINE))
    named = {entry.type for entry in sections(function)["Raises"]}
    bases = {base.__name__ for name in raised for base in getattr(scverse_backends.exceptions, name, Exception).__mro__}
    assert not raised or named & (raised | bases)


@pytest.mark.parametrize(("module", "name"), NAMES)
def test_names_that_people_call_show_an_example(module, name):
    value = getattr(importlib.import_module(module), name)
    # What is only returned, or raised, is shown by what returns it: the reference gives it without arguments.
    if not callable(value) or f":: {name}()" in REFERENCE or f"autoexception:: {name}" in REFERENCE:
        assert inspect.getdoc(value)
    else:
        text = inspect.getdoc(value)
        assert ">>>" in text or "def test_" in text
