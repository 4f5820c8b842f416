"""Section 7.5: HOST is the name of a module, and all that the host dispatches is known."""

from __future__ import annotations

import itertools
import json
import sys
import types

import pytest

from scverse_backends import __version__
from scverse_backends._cli.main import main
from scverse_backends._inside.hosts import HostError, dispatchers_of, import_shown, shown_as, whole_host
from scverse_backends.testing import check_backend

NUMBER = itertools.count()

MADE = """
from scverse_backends import BackendDispatcher

dispatcher = BackendDispatcher(entrypoint_group="HOST.backends", host_name="HOST")
settings = dispatcher.settings
"""

FUNCTION = """
from HOST._made import dispatcher

@dispatcher.backend_dispatch
def NAME(x): ...
"""

LAZY = """
import importlib
import warnings

__all__ = ["settings", "tl", "embed", "old", "gpu", "np", 3]

def __getattr__(name):
    if name == "tl":
        return importlib.import_module("HOST.tl")
    if name == "embed":
        return importlib.import_module("HOST._embed").embed
    if name == "settings":
        return importlib.import_module("HOST._made").settings
    if name == "old":
        warnings.warn("old is deprecated", FutureWarning)
        return None
    if name == "gpu":
        raise ImportError("no libcuda")
    if name == "np":
        import numpy
        return numpy
    raise AttributeError(name)
"""

TL = """
import importlib

def __dir__():
    return ["umap", "deep"]

def __getattr__(name):
    if name == "deep":
        return importlib.import_module("HOST.tl.deep")
    return importlib.import_module("HOST.tl._umap").umap
"""


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Make a function that writes a host with a name of its own."""
    monkeypatch.syspath_prepend(tmp_path)
    name = f"shown_host_{next(NUMBER)}"

    def write(**files):
        for path, text in files.items():
            file = tmp_path.joinpath(name, *path.split("__")).with_suffix(".py")
            file.parent.mkdir(exist_ok=True, parents=True)
            file.write_text(text.replace("HOST", name))
        return name

    yield write
    for module in [module for module in sys.modules if module.partition(".")[0] == name]:
        del sys.modules[module]


@pytest.fixture
def lazy(write, tmp_path):
    """Write a host that provides everything lazily."""
    name = write(
        _made=MADE,
        _embed=FUNCTION.replace("NAME", "embed"),
        tl___umap=FUNCTION.replace("NAME", "umap"),
        tl__deep="from HOST import tl\n" + FUNCTION.replace("NAME", "deep"),
    )
    for folder, text in ((".", LAZY), ("tl", TL)):
        (tmp_path / name / folder / "__init__.py").write_text(text.replace("HOST", name))
    return name


def test_a_lazy_host_is_imported_as_a_whole(lazy, capsys):
    dispatchers, missing = whole_host(lazy)
    assert list(dispatchers[0].functions()) == ["deep", "embed", "umap"]
    assert missing == [f"{lazy}.gpu cannot be imported: ImportError: no libcuda."]
    assert main(["explain", lazy, "deep"]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("deep: runs on cpu")
    # What is missing is said, and the deprecated name that nobody used is not.
    assert captured.err == f"scverse-backends: {lazy}.gpu cannot be imported: ImportError: no libcuda.\n"


def test_to_find_the_dispatcher_no_more_than_necessary_is_imported(lazy):
    # The plugin of pytest asks so: a suite imports what it needs by itself.
    __import__(f"{lazy}._made")
    assert dispatchers_of(lazy)[0].host_name == lazy
    assert f"{lazy}.tl" not in sys.modules


def test_a_host_that_makes_its_dispatcher_lazily(lazy):
    assert dispatchers_of(lazy)[0].host_name == lazy


@pytest.mark.parametrize("submodule", ["tl", "tl.deep", "_made"])
def test_a_submodule_stands_for_its_host(lazy, submodule, capsys):
    assert main(["list", f"{lazy}.{submodule}"]) == 0
    assert capsys.readouterr().out == f"No backend of {lazy} is installed.\n"
    assert main(["explain", f"{lazy}.{submodule}", "embed"]) == 0


def test_a_submodule_that_is_not_there(lazy):
    with pytest.raises(HostError) as caught:
        dispatchers_of(f"{lazy}.nowhere")
    assert str(caught.value) == (
        f"cannot import '{lazy}.nowhere': ModuleNotFoundError: No module named '{lazy}.nowhere'."
    )


ODD = """
__all__ = 3

def __dir__():
    raise RuntimeError

def __getattr__(name):
    raise AttributeError(name)
"""


def test_modules_that_misbehave_when_they_are_looked_at(write, tmp_path):
    name = write(_made=MADE, odd=ODD)
    (tmp_path / name / "__init__.py").write_text(f"from {name} import _made, odd\n")
    dispatchers_of(name)
    assert import_shown(name) == []


@pytest.mark.parametrize("where", ["getattr", "dir"])
def test_ctrl_c_while_a_host_is_looked_at(write, tmp_path, where):
    name = write(_made=MADE)
    interrupt = "raise KeyboardInterrupt"
    text = {
        "getattr": f"__all__ = ['x']\ndef __getattr__(name): {interrupt}\n",
        "dir": f"def __dir__(): {interrupt}\ndef __getattr__(name): raise AttributeError(name)\n",
    }
    (tmp_path / name / "__init__.py").write_text(f"import {name}._made\n{text[where]}")
    with pytest.raises(KeyboardInterrupt):
        whole_host(name)


def test_another_package_that_loads_itself_when_asked_is_left_alone(write, tmp_path):
    (tmp_path / "lazy_other.py").write_text("raise AssertionError\n")
    name = write(_made=MADE)
    (tmp_path / name / "__init__.py").write_text(
        f"import {name}._made, importlib.util, sys\n"
        "spec = importlib.util.find_spec('lazy_other')\n"
        "spec.loader = importlib.util.LazyLoader(spec.loader)\n"
        "other = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(other)\n"
    )
    assert whole_host(name)[1] == []


# -- several dispatchers -----------------------------------------------------------------------------------------------

SEVERAL = """
from types import SimpleNamespace
from scverse_backends import BackendDispatcher

a = BackendDispatcher(entrypoint_group="HOST.a", host_name="HOST_a")
b = BackendDispatcher(entrypoint_group="HOST.b", host_name="HOST_b")
b.register(SimpleNamespace(name="fast", aliases=["quick"]))
"""


@pytest.fixture
def several(write, tmp_path):
    name = write(
        tl="from HOST._made import b\n@b.backend_dispatch\ndef umap(x): ...\n",
        pp="from HOST._made import a\n@a.backend_dispatch\ndef scale(x): ...\n",
        _made=SEVERAL,
    )
    (tmp_path / name / "__init__.py").write_text(f"from {name} import pp, tl\n")
    return name


@pytest.mark.parametrize("backend", ["fast", "quick"])
def test_check_finds_the_dispatcher_that_knows_the_backend(several, backend, capsys):
    assert main(["check", several, backend]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith(f"{several}_b: backend 'fast'")
    assert captured.err == ""


def test_a_test_finds_the_dispatcher_that_knows_the_backend(several):
    assert check_backend(several, "quick").host == f"{several}_b"


def test_check_of_a_backend_that_none_of_them_knows(several, capsys):
    assert main(["check", several, "fats"]) == 2
    captured = capsys.readouterr()
    assert "creates several dispatchers" in captured.err
    assert f"Unknown backend 'fats' for {several}_a" in captured.err


def test_explain_finds_the_dispatcher_that_knows_the_function(several, capsys):
    assert main(["explain", several, "umap"]) == 0
    assert capsys.readouterr().err == ""
    assert main(["explain", several, "umpa"]) == 2
    err = capsys.readouterr().err
    assert f"{several}_a, {several}_b dispatches no function 'umpa'. Did you mean 'umap'?" in err


def test_a_submodule_means_the_dispatcher_of_its_functions(several, capsys):
    assert main(["list", f"{several}.tl"]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith(f"Backends of {several}_b\n")
    assert f"This is {several}_b; choose with --dispatcher." in captured.err


# -- functions of one name ---------------------------------------------------------------------------------------------


def test_two_functions_of_one_name_are_an_error_of_the_list(write, tmp_path, capsys):  # 4.1
    function = FUNCTION.replace("NAME", "umap")
    name = write(_made=MADE, tl=function, pl=function)
    (tmp_path / name / "__init__.py").write_text(f"import {name}.tl, {name}.pl\n")
    sentence = f"{name}.tl.umap and {name}.pl.umap both look for 'umap' in backends, so no backend runs"
    assert main(["list", name]) == 1
    out = capsys.readouterr().out
    assert sentence in out
    assert "@backend_dispatch(name=...)" in out
    assert main(["list", name, "--json"]) == 1
    captured = capsys.readouterr()
    assert json.loads(captured.out) == []
    assert sentence in captured.err


def test_a_host_that_never_drops_what_it_does_not_have(write, tmp_path, capsys):  # 4.15
    made = MADE.replace("host_name=", "never_drop=['cpoy'], host_name=")
    name = write(_made=made, tl=FUNCTION.replace("NAME(x)", "umap(x, copy=False)"))
    (tmp_path / name / "__init__.py").write_text(f"import {name}.tl\n")
    assert main(["check", name, "anything"]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"scverse-backends: the host {name} contradicts itself: never_drop: ")
    assert "Did you mean 'copy'?" in err


# -- hosts that cannot be imported -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "error", "advice"),
    [
        (None, "ModuleNotFoundError: No module named 'HOST'.", "Is it installed for {python}?"),
        ("import is_missing", "ModuleNotFoundError: No module named 'is_missing'.", "HOST needs it: install it."),
        ("raise OSError('a\\nb')", "OSError: a ….", "To see where that comes from: python -c 'import HOST'"),
    ],
)
def test_a_host_that_cannot_be_imported_says_why_in_one_line(tmp_path, monkeypatch, source, error, advice, capsys):
    name = f"broken_host_{next(NUMBER)}"
    monkeypatch.syspath_prepend(tmp_path)
    if source:
        (tmp_path / f"{name}.py").write_text(source)
    assert main(["list", name]) == 2
    expected = f"scverse-backends: cannot import 'HOST': {error} {advice}\n"
    assert capsys.readouterr().err == expected.replace("HOST", name).replace("{python}", sys.executable)


@pytest.mark.parametrize("path", ["{}.py", "{}/__init__.py"])
def test_a_host_that_lies_in_this_folder_and_is_not_installed(tmp_path, monkeypatch, path, capsys):
    name = f"lying_host_{next(NUMBER)}"
    file = tmp_path / path.format(name)
    file.parent.mkdir(exist_ok=True)
    file.touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [folder for folder in sys.path if folder])
    assert main(["list", name]) == 2
    assert capsys.readouterr().err.endswith(
        "It lies in this folder: install it, or use 'python -m scverse_backends' for 'scverse-backends'.\n"
    )


def test_version(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"scverse-backends {__version__}\n"


# -- the name that users know a function by ----------------------------------------------------------------------------


def test_a_function_is_named_as_users_write_it(monkeypatch):  # 7.7
    def embed(): ...

    host, tl, tools, other = map(types.ModuleType, ["host", "host.tl", "host.tl.tools", "another.tl"])
    embed.__module__ = "host._embed"
    embed.__qualname__ = "embed"
    monkeypatch.setitem(sys.modules, "host", host)
    # What no public module shows is named by its home.
    host._hidden = embed
    host.another, other.embed = other, embed
    assert shown_as("host", embed) == "host._embed.embed"
    # Modules may lead in a circle, and to one another under several names.
    host.longer_name, host.tl, tl.tools, tools.host, tools.tl = tl, tl, tools, host, tl
    tools.embed = embed
    assert shown_as("host.tl", embed) == "host.tl.tools.embed"
    tl.compute_the_embedding = embed
    assert shown_as("host.tl", embed) == "host.tl.compute_the_embedding"
    tl.embed = embed
    assert shown_as("host.tl", embed) == "host.tl.embed"
    host.embed = embed
    assert shown_as("host", embed) == "host.embed"
