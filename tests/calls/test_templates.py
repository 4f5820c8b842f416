"""Decorators of the host that format docstrings, outside ours: no backend's text gets in their way (5.6)."""

from __future__ import annotations

import functools
import importlib
import inspect
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HOST = '''
from scverse_backends import BackendDispatcher

dispatcher = BackendDispatcher(entrypoint_group="NAME.backends", host_name="NAME", untrusted="allow")
settings = dispatcher.settings

class Fast:
    name = "fast"
    def embed(self, adata, *, tile=8):
        """Embed.

        Parameters
        ----------
        tile
            Braces {as} in a {dict!r}, and per cent %(signs)s at 100 %.
        """
        return "fast", tile

class Slow:
    name = "slow"
    def embed(self, adata, *, tile=8, depth=1):
        """Embed.

        Parameters
        ----------
        tile
            More {braces}.
        depth
            How deep, in %.
        """
        return "slow", tile, depth

def __getattr__(name):
    import importlib
    if name == "tl":
        return importlib.import_module("NAME.tl")
    raise AttributeError(name)
'''

TEMPLATE = {
    "format": ("{adata}", "function.__doc__ = function.__doc__.format_map({'adata': 'The data.'})"),
    "percent": ("%(adata)s", "function.__doc__ = function.__doc__ % {'adata': 'The data.'}"),
}

TL = '''
from NAME import dispatcher
import NAME

def fill(function):
    FILL
    return function

@fill
@dispatcher.backend_dispatch
def embed(adata):
    """Embed.

    Parameters
    ----------
    adata
        PLACE
    """
    return "host"

NAME.imported(embed)
'''

numbers = iter(range(1000))


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(kind: str) -> Any:
        name = f"templated{next(numbers)}"
        place, fill = TEMPLATE[kind]
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(HOST.replace("NAME", name))
        text = TL.replace("NAME", name).replace("FILL", fill).replace("PLACE", place)
        (tmp_path / name / "tl.py").write_text(text)
        host = importlib.import_module(name)
        host.imported = lambda embed: None
        return host

    yield write
    for name in [name for name in sys.modules if name.startswith("templated")]:
        del sys.modules[name]


def shows(function: Any) -> tuple[list[str], int, int]:
    return list(inspect.signature(function).parameters), function.__doc__.count("tile ("), function.__doc__.count("{")


@pytest.mark.parametrize("kind", TEMPLATE)
@pytest.mark.parametrize("loading", ["call", "discover", "get"])
def test_a_submodule_that_is_imported_after_a_backend_was_loaded(write: Any, kind: str, loading: str) -> None:
    host = write(kind)
    host.dispatcher.register(host.Fast)
    if loading == "discover":
        host.dispatcher.discover()
    elif loading == "get":
        assert host.dispatcher.get_backend("fast").name == "fast"
    # Lazily, as hosts do.
    embed = host.tl.embed
    assert "The data." in embed.__doc__
    assert shows(embed) == (["adata", "backend"], 0, 0)
    assert embed(1, backend="fast") == ("fast", 8)
    assert shows(embed) == (["adata", "tile", "backend"], 1, 2)
    assert "%(signs)s at 100 %." in embed.__doc__


@pytest.mark.parametrize("kind", TEMPLATE)
def test_an_option_stands_once_and_goes_with_its_backends(write: Any, kind: str) -> None:
    host = write(kind)
    host.dispatcher.register(host.Fast)
    embed = host.tl.embed
    before = embed.__doc__
    host.dispatcher.discover()
    host.dispatcher.register(host.Slow)
    assert shows(embed)[:2] == (["adata", "tile", "depth", "backend"], 1)
    assert "tile (fast, slow)" in embed.__doc__
    host.dispatcher.unregister("fast")
    assert "tile (slow)" in embed.__doc__
    host.dispatcher.unregister("slow")
    assert embed.__doc__ == before


def test_a_function_that_a_factory_made_is_found_by_its_name(write: Any) -> None:
    host = write(next(iter(TEMPLATE)))

    def outer(function: Any) -> Any:
        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        return wrapper

    def make() -> Any:
        def embed(adata: Any) -> Any:
            """Embed."""
            return "host"

        embed.__module__ = host.__name__
        return outer(host.dispatcher.backend_dispatch(embed))

    host.embed = make()
    host.dispatcher.register(host.Fast)
    assert list(inspect.signature(host.embed).parameters) == ["adata", "tile", "backend"]
    assert "tile (fast)" in host.embed.__doc__


@pytest.mark.parametrize("kind", TEMPLATE)
def test_loading_its_module_again(write: Any, kind: str) -> None:
    host = write(kind)
    host.dispatcher.register(host.Fast)
    first = host.tl.embed
    assert first(1, backend="fast") == ("fast", 8)
    again = importlib.reload(host.tl).embed
    assert again is not first
    assert shows(again) == (["adata", "backend"], 0, 0)
    assert again(1, backend="fast") == ("fast", 8)
    assert shows(again)[:2] == (["adata", "tile", "backend"], 1)


@pytest.mark.parametrize("kind", TEMPLATE)
def test_a_backend_that_comes_while_the_module_is_being_imported(write: Any, kind: str) -> None:
    host = write(kind)
    seen = []

    def imported(embed: Any) -> None:
        # The last line of the module, while it is still being imported.
        host.dispatcher.register(host.Fast)
        seen.append(shows(embed)[0])

    host.imported = imported
    embed = host.tl.embed
    # All of its decorators were done: the module shows it.
    assert seen == [["adata", "tile", "backend"]]
    assert shows(embed)[1] == 1


@pytest.mark.parametrize("kind", TEMPLATE)
def test_a_backend_that_comes_between_two_decorators(write: Any, kind: str) -> None:
    host = write(kind)
    dispatcher = host.dispatcher
    dispatcher.register(host.Fast)
    real, seen = dispatcher.backend_dispatch, []

    def dispatch(function: Any) -> Any:
        decorated = real(function)
        # As another thread would, which loads and lists everything at this moment.
        thread = threading.Thread(target=dispatcher.discover)
        thread.start()
        thread.join()
        seen.append(shows(decorated))
        return decorated

    host.dispatcher = type("Stand", (), {"backend_dispatch": staticmethod(dispatch)})()
    embed = host.tl.embed
    assert seen == [(["adata", "backend"], 0, 1 if kind == "format" else 0)]
    assert "The data." in embed.__doc__
    embed(1, backend="fast")
    assert shows(embed)[:2] == (["adata", "tile", "backend"], 1)


def test_a_function_that_its_module_shows_elsewhere_is_merged_too(write: Any) -> None:
    host = write("format")

    @host.dispatcher.backend_dispatch(name="embed")
    def hidden(adata: Any) -> Any:
        """Embed."""

    hidden.__module__ = "no_such_module"
    host.dispatcher.register(host.Fast)
    assert "tile" in inspect.signature(hidden).parameters
