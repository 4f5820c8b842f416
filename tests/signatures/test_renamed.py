"""Parameters that hosts renamed while backends stayed (4.13), and what is refused at decoration (4.1, 4.13)."""

from __future__ import annotations

import pytest
from labs import adapter

from scverse_backends import OMITTED, BackendDispatcher
from scverse_backends.exceptions import DroppedArgumentWarning


@pytest.fixture
def dispatcher():
    return BackendDispatcher(entrypoint_group="renamed.backends", host_name="renamed", untrusted="allow")


@pytest.mark.parametrize(
    "renamed",
    [
        "rng",
        [("rng", "old")],
        {"rng": 3},
        {"rng": ()},
        {"rng": ("old",)},
        {"rng": ("old", int, 4)},
        {"rng": (3, int)},
        {3: "old"},
    ],
)
def test_what_is_no_mapping_of_names_is_refused(dispatcher, renamed):
    with pytest.raises(TypeError, match="renamed= is a mapping such as"):
        dispatcher.backend_dispatch(renamed=renamed)


@pytest.mark.parametrize(
    ("renamed", "message"),
    [
        ({"seed": "old"}, "has no parameter 'seed'"),
        ({"rng": ""}, "needs the old name of a parameter"),
        ({"rng": "a b"}, "needs the old name of a parameter"),
        ({"rng": "backend"}, "needs the old name of a parameter"),
        ({"rng": "rng"}, "must not be the name of a parameter of today"),
        ({"rng": "y"}, "must not be the name of a parameter of today"),
        ({"rng": "old", "y": "old"}, "stands only once"),
        ({"rng": ("old", 3)}, "converter of 'rng' in renamed= is not callable: 3"),
    ],
)
def test_names_that_could_only_go_wrong_are_refused(dispatcher, renamed, message):
    def host(x, rng=None, y=1): ...

    with pytest.raises(TypeError, match=message):
        dispatcher.backend_dispatch(renamed=renamed)(host)


def test_an_old_value_cannot_be_cpu(dispatcher):
    def host(x, backend="cpu"): ...

    with pytest.raises(TypeError, match="backend='cpu' always asks for the host"):
        dispatcher.backend_dispatch(own_backend="pool", own_backend_values=("loky", "CPU"))(host)


# -- what arrives (4.13) -----------------------------------------------------------------------------------------------


def seed_of(rng):
    return OMITTED if rng is None or rng == "default" else int(rng)


@pytest.fixture
def umap(dispatcher):
    @dispatcher.backend_dispatch(renamed={"rng": ("random_state", seed_of)})
    def umap(x, *, rng="default"):
        return "host", rng

    dispatcher.register(adapter("old", umap=lambda x, *, random_state=7: ("old", random_state)))
    dispatcher.register(adapter("new", umap=lambda x, *, rng=None: ("new", rng)))
    dispatcher.register(adapter("neither", umap=lambda x: ("neither", None)))
    return umap


@pytest.mark.parametrize(
    ("backend", "given", "arrives"),
    [
        ("old", {"rng": 42}, ("old", 42)),
        ("old", {"rng": None}, ("old", 7)),
        ("old", {"rng": "default"}, ("old", 7)),
        ("old", {}, ("old", 7)),
        ("new", {"rng": 42}, ("new", 42)),
        ("new", {"rng": None}, ("new", None)),
        # Where nothing was given there is nothing to lose, and nobody is warned.
        ("neither", {"rng": None}, ("neither", None)),
        ("neither", {"rng": "default"}, ("neither", None)),
        ("neither", {}, ("neither", None)),
        ("cpu", {"rng": 42}, ("host", 42)),
    ],
)
def test_what_arrives(umap, backend, given, arrives):
    for _ in range(2):
        assert umap(0, backend=backend, **given) == arrives


def test_a_seed_that_is_lost_is_warned_of(umap):
    with pytest.warns(DroppedArgumentWarning, match="'rng' has no effect on backend 'neither'"):
        assert umap(0, rng=42, backend="neither") == ("neither", None)
