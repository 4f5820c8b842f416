"""What ``renamed=`` and ``own_backend_values=`` refuse at decoration (4.1, 4.13)."""

from __future__ import annotations

import pytest

from scverse_backends import BackendDispatcher


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
        ({"rng": "rng"}, "one that is no name of today"),
        ({"rng": "y"}, "one that is no name of today"),
        ({"rng": "old", "y": "old"}, "stands only once"),
        ({"rng": ("old", 3)}, "converter of 'rng' in 'renamed' is not callable: 3"),
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
