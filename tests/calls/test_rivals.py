"""Two host functions that look for the same adapter attribute (4.1): no backend runs either, and all are told."""

from __future__ import annotations

import gc
import sys
import types
from typing import Any

import pytest
from labs import adapter, make

from scverse_backends.exceptions import BackendConflictWarning, BackendContractError

SOURCE = """
@dispatcher.backend_dispatch{options}
def umap(x):
    return "{module}", x
"""


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Any:
    dispatcher = make("scan")

    def module(name: str, options: str = "") -> Any:
        made: Any = types.ModuleType(f"scan.{name}")
        made.dispatcher = dispatcher
        monkeypatch.setitem(sys.modules, made.__name__, made)
        exec(compile(SOURCE.format(module=name, options=options), f"<scan/{name}.py>", "exec"), vars(made))
        return made

    return types.SimpleNamespace(dispatcher=dispatcher, module=module)


def test_it_is_warned_of_while_decorating(lab: Any) -> None:
    lab.module("tl")
    with pytest.warns(
        BackendConflictWarning, match=r"scan\.tl\.umap and scan\.pl\.umap both look for 'umap'"
    ) as caught:
        lab.module("pl")
    assert "@backend_dispatch(name=...)" in str(caught[0].message)
    assert (caught[0].filename, caught[0].lineno) == ("<scan/pl.py>", 2)


def test_no_backend_runs_either_of_them(lab: Any) -> None:
    tl = lab.module("tl")
    lab.dispatcher.register(adapter(umap=lambda x: ("fast", x)))
    assert [tl.umap(1, backend="fast"), tl.umap(1, backend="fast")] == [("fast", 1)] * 2
    with pytest.warns(BackendConflictWarning):
        pl = lab.module("pl")
    for function, name in [(tl.umap, "tl"), (pl.umap, "pl")]:
        with pytest.raises(BackendContractError, match=r"name=\.\.\.") as info:
            function(1, backend="fast")
        assert "scan.tl.umap" in str(info.value)
        assert "scan.pl.umap" in str(info.value)
        assert (info.value.function, info.value.backend) == ("umap", "fast")
        # On the host both work.
        assert function(1) == function(1, backend="cpu") == (name, 1)
    with lab.dispatcher.settings.use_backend("fast"), pytest.raises(BackendContractError):
        tl.umap(1)
    del pl, function, info
    sys.modules.pop("scan.pl").__dict__.clear()
    gc.collect()
    assert tl.umap(1, backend="fast") == ("fast", 1)


def test_no_listing_says_that_a_backend_runs_them(lab: Any) -> None:  # 7.1
    lab.module("tl")
    lab.dispatcher.register(adapter(umap=lambda x: x))
    assert lab.dispatcher.backends()[0].functions == ("umap",)
    with pytest.warns(BackendConflictWarning):
        other = lab.module("pl")
    assert lab.dispatcher.backends()[0].functions == ()
    assert other.umap(1) == ("pl", 1)


def test_a_backend_that_has_none_of_that_name_is_passed_over_as_ever(lab: Any) -> None:
    tl = lab.module("tl")
    with pytest.warns(BackendConflictWarning):
        lab.module("pl")
    lab.dispatcher.register(adapter("bare"))
    lab.dispatcher.settings.fallback = "silent"
    assert tl.umap(1, backend="bare") == ("tl", 1)


def test_another_name_makes_them_two(lab: Any) -> None:
    tl, pl = lab.module("tl"), lab.module("pl", "(name='pl_umap')")
    lab.dispatcher.register(adapter(umap=lambda x: "fast tl", pl_umap=lambda x: "fast pl"))
    assert (tl.umap(1, backend="fast"), pl.umap(1, backend="fast")) == ("fast tl", "fast pl")


def test_a_module_that_is_loaded_again_is_no_rival_of_itself(lab: Any) -> None:
    first, second = lab.module("tl"), lab.module("tl")
    lab.dispatcher.register(adapter(umap=lambda x: "fast"))
    assert first.umap(1, backend="fast") == second.umap(1, backend="fast") == "fast"
