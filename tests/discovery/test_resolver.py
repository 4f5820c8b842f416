"""From names to backends: what is remembered, and the sentences that users read when it goes wrong."""

from __future__ import annotations

import importlib.metadata
from types import SimpleNamespace

import pytest

from scverse_backends import BackendDispatcher
from scverse_backends.exceptions import (
    BackendError,
    BackendNotInstalledError,
    UnknownBackendError,
    UntrustedBackendWarning,
)

GROUP = "resolver.backends"


class Adapter:
    def __init__(self, name, aliases=()):
        self.name = name
        self.aliases = aliases


def point(name, adapter, *, distribution=None, value="module:adapter"):
    def load():
        return adapter() if callable(adapter) else adapter

    dist = SimpleNamespace(name=distribution, version="1.0") if distribution else None
    return SimpleNamespace(name=name, value=value, dist=dist, load=load)


def broken():
    raise ImportError("libcuda.so.12 cannot be opened")


@pytest.fixture
def make(monkeypatch):
    def make(*points, **options):
        monkeypatch.setattr(importlib.metadata, "entry_points", lambda **_: list(points))
        options = {"untrusted": "allow", **options}
        dispatcher = BackendDispatcher(entrypoint_group=GROUP, host_name="host", **options)
        return dispatcher._machinery.resolver

    return make


TRUSTED = {"cuda": {"aliases": ["nvidia"], "package": "cuda-pkg", "entrypoints": ["cuda"]}}


@pytest.mark.parametrize(
    ("points", "asked", "category", "message"),
    [
        (
            [],
            "cuda",
            "BackendNotInstalledError",
            "Backend 'cuda' is known to host but not installed. Install it with: pip install cuda-pkg",
        ),
        (
            [point("nvidia", None, distribution="evil")],
            "cuda",
            "BackendNotInstalledError",
            (
                "Backend 'cuda' is known to host but not installed. The entry point 'nvidia' of distribution 'evil' "
                "was refused: it comes from distribution 'evil' and not from 'cuda-pkg'; its entry point is 'nvidia' "
                "and not 'cuda'. Install it with: pip install cuda-pkg"
            ),
        ),
        (
            [point("cuda", broken, distribution="cuda_pkg")],
            "nvidia",
            "BackendLoadError",
            (
                "Backend 'nvidia' (entry point 'cuda' of distribution 'cuda_pkg') cannot be used: it could not be "
                "loaded: ImportError: libcuda.so.12 cannot be opened. Repair or reinstall it, or use backend='cpu'."
            ),
        ),
        (
            [point("cuda", Adapter("rocm"), distribution="cuda-pkg")],
            "cuda",
            "BackendLoadError",
            (
                "Backend 'cuda' cannot be used: entry point 'cuda' of distribution 'cuda-pkg' is trusted to provide "
                "it, but its adapter calls itself 'rocm'. Tell its authors, or use backend='cpu'."
            ),
        ),
        (
            [point("cuda", Adapter("GPU"), distribution="cuda-pkg")],
            "cuda",
            "BackendLoadError",
            (
                "Backend 'cuda' (entry point 'cuda' of distribution 'cuda-pkg') cannot be used: its name 'GPU' is "
                "reserved by the host: Use cuda. Ask its authors, or use backend='cpu'."
            ),
        ),
        ([], "gpu", "ReservedBackendError", "The backend name 'gpu' is reserved by host. Use cuda."),
        (
            [point("jax", Adapter("jax", ["xla"]))],
            "Jaxx",
            "UnknownBackendError",
            "Unknown backend 'Jaxx' for host. Did you mean 'jax'? Available: 'cpu', 'jax', 'xla'.",
        ),
        (
            [point("jax", broken)],
            "xla",
            "UnknownBackendError",
            (
                "Unknown backend 'xla' for host. Available: 'cpu'. It may be a name of 'jax', which failed to load: "
                "settings.backends() shows why."
            ),
        ),
        (
            [point("sly", Adapter("nvidia"), distribution="evil")],
            "sly",
            "UnknownBackendError",
            (
                "Backend 'sly' (entry point 'sly' of distribution 'evil') is refused: its name 'nvidia' is reserved "
                "for the trusted backend 'cuda', and it comes from distribution 'evil' and not from 'cuda-pkg'; its "
                "entry point is 'sly' and not 'cuda'. Available: 'cpu'."
            ),
        ),
        ([], "", "UnknownBackendError", "A backend name must be a non-empty string, not ''. Available: 'cpu'."),
        (
            [],
            3,
            "UnknownBackendError",
            "A backend is selected by a name or a list of names, not by int. Available: 'cpu'.",
        ),
        (
            [],
            [],
            "UnknownBackendError",
            "The order of backends is empty. Give at least one name. Available: 'cpu'.",
        ),
        (
            [],
            ["cpu", "cuda"],
            "UnknownBackendError",
            "'cpu' must come last in an order of backends, since the host runs every call. Leave out 'cuda'.",
        ),
    ],
)
def test_what_users_read(make, points, asked, category, message):  # 3.3, 9
    resolver = make(*points, trusted_backends=TRUSTED, reserved_backends={"gpu": "Use cuda."})
    with pytest.raises(BackendError) as caught:
        resolver.choice(asked, "scope")
    assert type(caught.value).__name__ == category
    assert str(caught.value) == message
    assert (caught.value.host, caught.value.source) == ("host", "scope")
    assert len(message) <= 4 * 100


def test_an_installed_distribution_that_does_not_provide_it(make):  # 3.3
    resolver = make(
        point("other", None, distribution="pytest"),
        trusted_backends={"cuda": {"packages": ["absent-pkg", "pytest"], "entrypoint": "cuda"}},
    )
    with pytest.raises(BackendNotInstalledError) as caught:
        resolver.backend("cuda")
    assert str(caught.value).startswith("Backend 'cuda' is not available: pytest ")
    assert "The entry point 'other' of distribution 'pytest' was refused: its entry point is 'other'" in str(
        caught.value
    )
    assert str(caught.value).endswith("Try: pip install --upgrade pytest")
    assert caught.value.distribution == "pytest"


def test_long_listings_are_cut(make):  # 9
    resolver = make(*(point(f"b{number}", Adapter(f"b{number}")) for number in range(40)))
    with pytest.raises(UnknownBackendError, match="and 29 more"):
        resolver.choice("unheard-of")


def test_what_is_found_is_remembered(make):
    adapter = Adapter("fast", ["f"])
    resolver = make(point("fast", adapter))
    backend = resolver.backend("f")
    assert resolver.backend("f") is resolver.backend("fast") is backend
    choice = resolver.choice("f")
    assert resolver.choice("fast") is choice
    assert choice.names == ("fast",)
    assert resolver.choice(["f", "cpu"]) is resolver.choice(("fast", "f", "cpu"))
    resolver.forget()
    assert resolver.choice("f") is choice


def test_a_name_of_a_string_class_of_its_own(make):
    class Name(str):
        __slots__ = ()

        def __eq__(self, other):
            return True

        __hash__ = str.__hash__

    resolver = make(point("fast", Adapter("fast")))
    assert resolver.choice(Name("fast")).names == ("fast",)
    assert type(resolver.choice(Name("cpu")).names[0]) is str
    with pytest.raises(UnknownBackendError):
        resolver.choice(Name("slow"))


def test_an_order_remembers_who_was_not_there(make):  # 1.9
    loads = []

    def failing():
        loads.append(None)
        raise ImportError("broken")

    resolver = make(point("bad", failing), point("fast", Adapter("fast")), trusted_backends=TRUSTED)
    messages = []
    for source in ("argument", "scope"):
        for name in ("bad", "cuda"):
            with pytest.raises(ImportError, match=r"bad|cuda") as caught:
                resolver.backend_in_turn(name, source)
            messages.append(str(caught.value))
            assert caught.value.source == source
    assert messages[:2] == messages[2:]
    assert len(loads) == 1
    assert resolver.choice(["bad", "cuda"]).names == ("bad", "cuda")
    with pytest.raises(ImportError, match="broken") as caught:
        resolver.backend_in_turn("bad", "scope")
    assert isinstance(caught.value.__cause__, ImportError)
    assert len(loads) == 1
    with pytest.raises(ImportError, match="broken"):
        resolver.choice("bad")  # Asked for alone.
    assert len(loads) == 2


def test_an_order_sees_who_came_meanwhile(make):  # 1.9, 2.8
    state = [broken]
    resolver = make(point("bad", lambda: state[0]() if state else Adapter("bad")))
    with pytest.raises(ImportError, match="libcuda"):
        resolver.backend_in_turn("bad", "scope")
    state.clear()
    assert resolver.backend("bad").name == "bad"
    assert resolver.backend_in_turn("bad", "scope").name == "bad"


def test_a_trusted_adapter_that_asks_for_itself_while_loading(make):  # 2.9
    errors = []

    def curious():
        with pytest.raises(BackendNotInstalledError) as caught:
            resolver.backend("cuda")
        errors.append(str(caught.value))
        return Adapter("cuda")

    resolver = make(point("cuda", curious, distribution="cuda-pkg"), trusted_backends=TRUSTED)
    assert resolver.backend("cuda").name == "cuda"
    assert len(errors) == 1


def test_unknown_names_load_nothing_twice(make):
    loads = []

    def counting():
        loads.append(None)
        return Adapter("fast")

    resolver = make(point("fast", counting))
    for _ in range(3):
        with pytest.raises(UnknownBackendError):
            resolver.backend("unheard-of")
    assert len(loads) == 1


def test_looking_at_a_selection_is_no_use_of_it(make, recwarn):  # 3.5, 7.2
    resolver = make(point("fast", Adapter("fast")), untrusted="warn")
    assert resolver.choice("fast", used=False).names == ("fast",)
    assert list(recwarn) == []
    with pytest.warns(UntrustedBackendWarning, match="'fast'"):
        resolver.choice("fast")
