"""Packages as adapters, whose submodules may be named like the functions that they define (4.7)."""

from __future__ import annotations

import pytest

IMPLEMENTATION = "def double(x, *, scale=1): return ('fast', 2 * x * scale)\n"
LISTED = "__all__ = ['double']\n"
# The ways in which packages provide what a submodule of the same name defines.
LAZY = """
name = "fast"
def __getattr__(attribute):
    if attribute == "double":
        import importlib
        return getattr(importlib.import_module("fast.double"), attribute)
    raise AttributeError(attribute)
"""
BINDING = LAZY.replace("        return ", "        globals()[attribute] = ").replace(
    "    raise AttributeError", "        return globals()[attribute]\n    raise AttributeError"
)
EAGER = "name = 'fast'\nfrom fast.double import double\n"
BOUND_FIRST = "name = 'fast'\nfrom fast._functions import double\n"
FORGOTTEN = "name = 'fast'\n"

PROGRAM = """
import importlib, sys, warnings
import hosted
from scverse_backends.testing import check_backend
warnings.simplefilter("ignore")

def attempt(**how):
    try:
        return hosted.double(1, **how)
    except Exception as error:
        return f"{type(error).__name__}: {error}"

calls = []
"""
ALL_WAYS = (
    PROGRAM
    + """
for _ in range(3):
    calls.append(attempt(backend="fast"))
hosted.settings.backend = "fast"
calls += [attempt(), attempt()]
with hosted.settings.use_backend("fast"):
    calls.append(attempt())
calls.append(attempt(backend=["fast", "cpu"]))
del hosted.settings.backend
problems = check_backend(hosted.dispatcher, "fast")
functions = [info.functions for info in hosted.settings.backends() if info.name == "fast"]
report([calls, [p.severity for p in problems if p.function == "double"], functions, attempt()])
"""
)


def install(site, package, **modules):
    files = {"fast/__init__.py": package, **{f"fast/{name}.py": text for name, text in modules.items()}}
    site.install("fast-distribution", modules=files, entry_points={"fast": "fast"})


BROKEN = (
    "BackendContractError: Backend 'fast' breaks its contract: its 'double' is not a callable but the module "
    "'fast.double'. An import has put it in the place of the function: give the two different names. Use backend='cpu' "
    "and tell the backend's authors."
)


@pytest.mark.parametrize("listed", [True, False])
def test_a_lazy_package_with_a_submodule_of_the_functions_name(site, listed):
    install(site, LAZY + LISTED * listed, double=IMPLEMENTATION)
    calls, severities, _functions, host = site.run(ALL_WAYS)
    # Always the same answer, the first time included, and never in silence the host's.
    assert set(calls) == {BROKEN}
    assert severities == ["error"]
    assert host == ["cpu", 2]


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("package", [BINDING, EAGER], ids=["lazy", "eager"])
def test_a_package_that_binds_the_function_after_the_import(site, package, listed):
    install(site, package + LISTED * listed, double=IMPLEMENTATION)
    calls, severities, functions, host = site.run(ALL_WAYS)
    assert calls == [["fast", 2]] * 7
    assert severities == []
    assert functions == [["double"]]
    assert host == ["cpu", 2]


@pytest.mark.parametrize("raises", ["", "def __getattr__(attribute): raise AttributeError(attribute)\n"])
def test_a_submodule_that_nothing_provides_is_no_implementation(site, raises):
    install(site, FORGOTTEN + raises, double=IMPLEMENTATION)
    program = (
        PROGRAM
        + """
for module in (None, "fast.double"):
    if module is not None:
        importlib.import_module(module)
    calls += [attempt(backend="fast"), attempt(backend=["fast"])]
report(calls)
"""
    )
    assert site.run(program) == [["cpu", 2]] * 4


def test_a_module_that_stands_in_all_is_a_broken_contract(site):
    install(site, FORGOTTEN + LISTED + "import fast.double\n", double=IMPLEMENTATION)
    calls, severities, functions, _ = site.run(ALL_WAYS)
    assert set(calls) == {BROKEN}
    assert severities == ["error"]
    assert functions == [[]]


@pytest.mark.parametrize("used", [True, False])
@pytest.mark.parametrize("listed", [True, False])
def test_a_submodule_that_is_imported_after_the_function_was_there(site, used, listed):
    install(site, BOUND_FIRST + LISTED * listed, double=IMPLEMENTATION, _functions=IMPLEMENTATION)
    program = (
        PROGRAM
        + """
hosted.settings.backend = "fast"
if "used" in sys.argv:
    calls += [attempt(), attempt(), attempt(backend="fast"), attempt(backend="fast")]
importlib.import_module("fast.double")
report([calls, [attempt(), attempt(), attempt(backend="fast"), attempt(backend="fast")]])
"""
    )
    before, after = site.run(program, *["used"] * used)
    assert before == [["fast", 2]] * (4 * used)
    assert after == [BROKEN] * 4


def test_an_object_that_holds_a_module_in_a_functions_place(site):
    adapter = """
        class Adapter:
            name = "fast"
            def __init__(self):
                from fast import double  # The module, where the function was meant.
                self.double = double
        """
    files = {"fast/__init__.py": "", "fast/double.py": IMPLEMENTATION, "fast/adapter.py": adapter}
    site.install("fast-distribution", modules=files, entry_points={"fast": "fast.adapter:Adapter"})
    calls, severities, functions, _ = site.run(ALL_WAYS)
    assert set(calls) == {BROKEN}
    assert severities == ["error"]
    assert functions == [[]]


def test_a_package_whose_class_looks_attributes_up_itself(site):
    package = """
        import sys, types
        class Package(types.ModuleType):
            @property
            def double(self):
                from fast.double import double
                return double
        name = "fast"
        sys.modules[__name__].__class__ = Package
        """
    install(site, package, double=IMPLEMENTATION)
    calls, severities, *_ = site.run(ALL_WAYS)
    assert calls == [["fast", 2]] * 7
    assert severities == []


@pytest.mark.parametrize("raised", ["ImportError('no driver')", "AttributeError('x', name='other')"])
def test_a_package_that_fails_while_a_submodule_stands_there(site, raised):
    package = f"name = 'fast'\nfrom fast import double\ndef __getattr__(attribute): raise {raised}\n"
    install(site, package, double=IMPLEMENTATION)
    calls, *_ = site.run(ALL_WAYS)
    assert len(set(calls[:6])) == 1
    assert calls[0].startswith("BackendLoadError: Backend 'fast' could not provide 'double'")
    assert calls[6] == ["cpu", 2]
