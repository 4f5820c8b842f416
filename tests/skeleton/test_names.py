"""Section 7.7: what everything in a new backend package is called."""

from __future__ import annotations

import pytest
from labs import make

from scverse_backends._skeleton.names import SkeletonError, chosen_functions, names_for

RESERVED = {"gpu": "Use a concrete alias such as cuda."}


def names(wanted, host="named_host", **options):
    return names_for(make("named_host", **options), host, wanted)


@pytest.mark.parametrize(
    ("wanted", "package", "distribution"),
    [
        ("my_backend", "my_backend", "my-backend"),
        ("my-backend", "my_backend", "my-backend"),
        ("My.Backend", "my_backend", "my-backend"),
        # Another package has the name already, often that of the library that the backend is for.
        ("numpy", "named_host_numpy", "named-host-numpy"),
        ("json", "named_host_json", "named-host-json"),
        # What is no name of a package.
        ("3d", "named_host_3d", "named-host-3d"),
        ("class", "named_host_class", "named-host-class"),
    ],
)
def test_names(wanted, package, distribution):
    found = names(wanted)
    assert (found.backend, found.entry_point, found.trusted) == (wanted, wanted, False)
    assert (found.package, found.distribution) == (package, distribution)
    assert found.adapter == f"{package}._backends.named_host"
    assert found.functions == f"{package}.named_host_impl"


def test_a_module_that_cannot_be_looked_for_is_there(monkeypatch):
    def find_spec(name):
        raise ValueError

    monkeypatch.setattr("scverse_backends._skeleton.names.find_spec", find_spec)
    assert names("odd_one").package == "named_host_odd_one"


def test_a_host_that_is_a_submodule():
    assert names("fast", host="named_host.tl").adapter == "fast._backends.tl"


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("my backend", "The name 'my backend' contains ' ', but only ASCII .* Did you mean 'my_backend'?"),
        ("", "The name '' is empty."),
        ("äöü", r"The name 'äöü' contains '\\xe4', but only ASCII letters.* are allowed\.$"),
        ("cpu", "'cpu' is the host itself. Choose another name."),
        ("CPU", "'CPU' is the host itself"),
        # The host's own sentence.
        ("GPU", "The name 'GPU' is reserved by the host: Use a concrete alias such as cuda."),
        ("FAST", "The name 'FAST' is reserved for the trusted backend 'fast'."),
    ],
)
def test_names_that_no_backend_can_have(wanted, message):
    with pytest.raises(SkeletonError, match=message):
        names(wanted, reserved_backends=RESERVED, trusted_backends={"fast": {"package": "x"}})


@pytest.mark.parametrize(
    ("configured", "expected"),
    [
        (
            {"package": "Real.Fast", "entrypoints": ["main"], "module_prefixes": ["real_fast"]},
            ("main", "Real.Fast", "real_fast", "real_fast._backends.named_host", True),
        ),
        ({"module_prefixes": ["real._backends"]}, ("fast", "real", "real", "real._backends.named_host", True)),
        ({"module_prefixes": ["real.host"]}, ("fast", "real", "real", "real.host", True)),
        ({"object_refs": ["real.plugin"]}, ("fast", "real", "real", "real.plugin", True)),
        # Only the name is trusted, which is no reason to trust anybody (3.4).
        ({"aliases": ["quick"]}, ("fast", "fast", "fast", "fast._backends.named_host", False)),
    ],
)
def test_a_backend_that_the_host_trusts_gets_the_names_that_it_expects(configured, expected):
    for wanted in ("fast", *configured.get("aliases", ())):
        found = names(wanted, trusted_backends={"fast": configured})
        assert found.backend == "fast"
        assert (found.entry_point, found.distribution, found.package, found.adapter, found.trusted) == expected


def test_an_object_that_the_host_expects_cannot_be_written():
    with pytest.raises(SkeletonError, match="named_host trusts 'fast' only as real:Backend, an object in a module"):
        names("fast", trusted_backends={"fast": {"object_refs": ["real:Backend"]}})


KNOWN = {"embed": "embed", "umap": "tl_umap", "tl_umap": "tl_umap"}


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [(None, ["embed", "tl_umap"]), ("umap", ["tl_umap"]), (" tl.umap , embed,tl_umap,", ["embed", "tl_umap"])],
)
def test_chosen_functions(wanted, chosen):
    assert chosen_functions(wanted, KNOWN) == chosen


@pytest.mark.parametrize(
    ("wanted", "known", "message"),
    [
        ("embde", KNOWN, "no function 'embde'. Did you mean 'embed'? It dispatches: embed, tl_umap."),
        (",", KNOWN, "--functions names none. Leave it out for all of them."),
        ("embed", {}, "It dispatches: none at all."),
    ],
)
def test_functions_that_cannot_be_chosen(wanted, known, message):
    with pytest.raises(SkeletonError) as caught:
        chosen_functions(wanted, known)
    assert message in str(caught.value)
