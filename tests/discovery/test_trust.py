"""The host's trust configuration: every mistake is told, and the checks agree with a model of a few lines."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scverse_backends import BackendDispatcher
from scverse_backends._discovery.entry_points import EntryPointRecord, RegisteredRecord
from scverse_backends._discovery.trust import Trust

SPELLINGS = {
    "package": "distribution",
    "packages": "distribution",
    "distribution": "distribution",
    "distributions": "distribution",
    "entrypoint": "entrypoint",
    "entrypoints": "entrypoint",
    "object_ref": "object_ref",
    "object_refs": "object_ref",
    "module_prefix": "module_prefix",
    "module_prefixes": "module_prefix",
}


class Record(EntryPointRecord):
    """What metadata told."""

    def __init__(self, name="fast", value="pkg.mod:obj", distribution="fast-pkg"):
        super().__init__(name, value, SimpleNamespace(dist=SimpleNamespace(name=distribution)))


def make(trusted=None, reserved=None, **options):
    return BackendDispatcher(
        **{"entrypoint_group": "g", "host_name": "h", **options},
        trusted_backends=trusted,
        reserved_backends=reserved,
    )


# -- 3.1 mistakes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trusted", "says"),
    [
        (3, "trusted_backends must be a mapping, not int"),
        ({3: {}}, "the key 3 is not a string"),
        ({"fast": None}, r"trusted_backends\['fast'\] must be a mapping, not NoneType"),
        ({"fast": "fast-pkg"}, r"trusted_backends\['fast'\] must be a mapping, not str"),
        ({"fast": {3: "x"}}, r"\['fast'\]: the key 3 is not a string"),
        ({"fast": {"pakage": "x"}}, r"unknown key 'pakage'. Did you mean 'package'\?"),
        ({"fast": {"quatsch": "x"}}, r"unknown key 'quatsch'\.$"),
        ({"fast": {"package": ""}}, r"\['package'\]: '' is empty or has white space"),
        ({"fast": {"package": " x"}}, "white space around it"),
        ({"fast": {"packages": []}}, r"\['packages'\] is empty. Leave it out"),
        ({"fast": {"packages": ["a", 3]}}, "3 is not a string"),
        ({"fast": {"packages": {"a": 1}}}, "must be a string or a collection of strings, not dict"),
        ({"fast": {"package": None}}, "not NoneType"),
        ({"fast": {"module_prefix": "."}}, r"\['module_prefix'\]: '.' is not the dotted name of a module"),
        ({"fast": {"module_prefixes": ["a", "a:b"]}}, "'a:b' is not the dotted name"),
        ({"fast": {"module_prefix": "a..b"}}, "'a..b' is not the dotted name"),
        ({"fast": {"object_ref": "[x]"}}, r"'\[x\]' is not of the form 'module:object'"),
        ({"fast": {"object_ref": "a b:c"}}, "'a b:c' is not of the form"),
        ({"fast": {"object_ref": "a:"}}, "'a:' is not of the form"),
        ({"fast": {"object_ref": "a:b-c"}}, "'a:b-c' is not of the form"),
        ({"fast": {"package": "fast>=1"}}, r"\['package'\]: 'fast>=1' cannot be the name of a distribution"),
        ({"fast": {"distributions": ["fast", "-fast"]}}, "'-fast' cannot be the name of"),
        ({"fast": {"distribution": "fast_"}}, "'fast_' cannot be the name of"),
        ({"fast": {"package": "f\u00e4st"}}, "cannot be the name of"),
        (
            {"fast": {"aliases": "mine"}},
            r"\['aliases'\] must be a list, tuple or set of strings, not str. Write \['mine'\]",
        ),
        ({"fast": {"aliases": ""}}, r"\['aliases'\] must be a list, tuple or set of strings, not str"),
        ({"fast": {"aliases": None}}, r"\['aliases'\] must be a list, tuple or set of strings, not NoneType\.$"),
        ({"fast": {"aliases": {"a": 1}}}, r"\['aliases'\] must be a list, tuple or set of strings, not dict"),
        ({"fast": {"aliases": ["Fast"]}}, "a name stands twice.*case does not tell"),
        ({"fast": {"aliases": ["a", "A"]}}, "a name stands twice.*case does not tell"),
        ({"fast": {"aliases": ["a b"]}}, r"\['fast'\]\['aliases'\]: the name 'a b' contains ' '"),
        ({"fast": {"aliases": [""]}}, "is empty or has white space"),
        ({"fast": {"aliases": ["CPU"]}}, "'CPU' is always the host implementation"),
        ({"Cpu": {}}, "always the host"),
        ({"fa st": {}}, "trusted_backends: the name 'fa st' contains"),
        ({"fast": {"aliases": ["fast"]}}, "a name stands twice"),
        ({"fast": {"aliases": ["a", "a"]}}, "a name stands twice"),
        ({"fast": {"aliases": ["a"]}, "slow": {"aliases": ["a"]}}, "'a' is claimed by 'fast' too"),
        ({"fast": {}, "FAST": {}}, "'FAST' is claimed by 'fast' too"),
    ],
)
def test_every_mistake_is_told(trusted, says):  # 3.1
    with pytest.raises(ValueError, match=says):
        make(trusted)


@pytest.mark.parametrize(
    ("reserved", "says"),
    [
        (["gpu"], "reserved_backends must be a mapping, not list"),
        ({"gpu": ""}, r"reserved_backends\['gpu'\]: the message must be a non-empty string"),
        ({"gpu": "  "}, "the message must be"),
        ({"gpu": 3}, "the message must be"),
        ({"g u": "x"}, "the name 'g u' contains"),
        ({"cpu": "x"}, "always the host"),
        ({"gpu": "x", "GPU": "y"}, "'GPU' stands twice"),
    ],
)
def test_mistakes_of_reserved_names(reserved, says):  # 3.1
    with pytest.raises(ValueError, match=says):
        make(None, reserved)


@pytest.mark.parametrize("label", ["gpu", "Gpu"])
def test_a_name_cannot_be_trusted_and_reserved(label):  # 3.1
    for trusted in ({label: {}}, {"fast": {"aliases": [label]}}):
        with pytest.raises(ValueError, match=f"'{label}' also stands in reserved_backends"):
            make(trusted, {"GPU": "Say cuda."})


@pytest.mark.parametrize("wrong", ["", " g", "g\n", None, 3])
@pytest.mark.parametrize("what", ["entrypoint_group", "host_name"])
def test_a_dispatcher_needs_its_names(what, wrong):  # 3.1
    with pytest.raises(ValueError, match=f"{what} must be a non-empty string without white space"):
        make(**{what: wrong})


@pytest.mark.parametrize("wrong", ["no", None, True, ""])
def test_the_policy_for_all_others(wrong):  # 3.5
    with pytest.raises(ValueError, match="untrusted must be 'warn', 'refuse' or 'allow'"):
        make(untrusted=wrong)


@pytest.mark.parametrize("aliases", [[], (), set(), frozenset()])
def test_a_backend_may_have_no_alias(aliases):  # 3
    (backend,) = Trust({"fast": {"aliases": aliases}}, None).trusted
    assert backend.labels == ("fast",)


@pytest.mark.parametrize("aliases", [["f", "g"], ("f", "g"), {"f", "g"}, frozenset(("f", "g"))])
def test_aliases_are_a_collection(aliases):  # 3
    (backend,) = Trust({"fast": {"aliases": aliases}}, None).trusted
    assert backend.labels == ("fast", "f", "g")


def test_the_configuration_is_copied():  # 3.1
    trusted = {"fast": {"aliases": ["f"], "packages": ["fast-pkg"]}}
    trust = Trust(trusted, None)
    trusted["fast"]["aliases"].append("g")
    trusted["fast"]["packages"][0] = "evil"
    trusted["slow"] = {}
    (fast,) = trust.trusted
    assert fast.labels == ("fast", "f")
    assert fast.distributions == ("fast-pkg",)


# -- spellings and checks ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("shape", [str, list, tuple, set, frozenset])
def test_every_spelling_and_shape(spelling, shape):  # 3
    good = {"distribution": "fast-pkg", "entrypoint": "fast", "object_ref": "pkg.mod:obj", "module_prefix": "pkg"}
    value = good[SPELLINGS[spelling]]
    (backend,) = Trust({"fast": {spelling: value if shape is str else shape([value])}}, None).trusted
    assert backend.verifiable
    assert list(backend.mismatches(Record())) == []
    assert len(list(backend.mismatches(Record("x", "y", "z")))) == 1


def test_both_spellings_together_and_the_install_hint():  # 3
    trust = Trust({"fast": {"distributions": ["b-pkg", "a-pkg"], "package": "c-pkg", "packages": ["d-pkg"]}}, None)
    (backend,) = trust.trusted
    assert backend.distributions == ("c-pkg", "d-pkg", "b-pkg", "a-pkg")
    for name in ("A_Pkg", "b-pkg", "c-pkg", "d.pkg"):
        assert trust.claims(Record(distribution=name)) == (backend,)
    assert Trust({"fast": {"packages": {"b", "a"}}}, None).trusted[0].distributions == ("a", "b")


def test_white_space_extras_and_dots_do_not_matter():
    (backend,) = Trust({"fast": {"object_ref": "pkg.mod : obj [x]", "module_prefix": "pkg."}}, None).trusted
    assert list(backend.mismatches(Record())) == []


words = st.sampled_from(["fast", "slow", "Fast-Pkg", "fast_pkg", "pkg", "pkg.mod", "pkg_evil", "pkg.mod:obj", "x"])
values = words | st.lists(words, max_size=2) | st.sets(words, max_size=2) | st.none() | st.integers() | st.just(" x")
entries = st.dictionaries(st.sampled_from([*SPELLINGS, "aliases", "Package", 3]), values, max_size=3)
configurations = st.dictionaries(st.sampled_from(["fast", "slow", "cpu", "a b", "Fast"]), entries, max_size=2)
records = st.builds(
    Record,
    st.sampled_from(["fast", "FAST", "slow", "x"]),
    st.sampled_from(["pkg", "pkg.mod:obj", "pkg_evil:obj", "pkg.mod : obj [x]", "x"]),
    st.sampled_from(["fast-pkg", "FAST.PKG", "pkg", "x", None]),
)


def model(entry, record):
    """Say whether a well-formed entry vouches for a record, and whether it can tell at all."""
    allowed = {}
    for key, value in entry.items():
        if key != "aliases":
            allowed.setdefault(SPELLINGS[key], []).extend([value] if isinstance(value, str) else value)
    reference = re.sub(r"\s|\[.*", "", record.value)
    module = reference.split(":")[0]

    def canonical(name):
        return re.sub(r"[-_.]+", "-", name).lower()

    met = {
        "distribution": lambda name: (
            record.distribution is not None and canonical(name) == canonical(record.distribution)
        ),
        "entrypoint": lambda name: name == record.name,
        "object_ref": lambda name: name == reference,
        "module_prefix": lambda name: f"{module}.".startswith(f"{name}."),
    }
    return bool(allowed), all(any(map(met[kind], names)) for kind, names in allowed.items())


@given(configurations, records)
@settings(max_examples=400)
def test_any_configuration_is_refused_or_agrees_with_the_model(configuration, record):  # 3.1, 3.2
    try:
        trust = Trust(configuration, None)
    except ValueError:
        return
    for backend in trust.trusted:
        entry = configuration[backend.name]
        verifiable, vouched = model(entry, record)
        assert backend.verifiable == verifiable
        aliases = entry.get("aliases", [])
        assert not isinstance(aliases, str)
        assert set(backend.aliases) == set(aliases)
        expected = vouched if verifiable else record.name in backend.labels
        assert (backend in trust.claims(record)) == expected
        assert (not list(backend.mismatches(record))) == vouched
        for label in backend.labels:
            assert trust.owner(label) is backend
            assert trust.refusal(label.upper()) == f"is reserved for the trusted backend {backend.name!r}"
            assert trust.refusal(label, backend) is None
        if trust.impersonates(record) is backend:
            assert not expected
            assert record.name.lower() in [label.lower() for label in backend.labels]


def test_whose_a_label_is():  # 2.4, 3.3
    trust = Trust({"fast": {"aliases": ["f"]}}, {"Gpu": "Say cuda."})
    (fast,) = trust.trusted
    assert trust.owner("fast") is trust.owner("f") is fast
    assert trust.owner("FAST") is trust.owner("slow") is None
    assert trust.refusal("Cpu") == "is the name of the host implementation"
    assert trust.refusal("gPU") == "is reserved by the host: Say cuda"
    assert trust.refusal("F") == "is reserved for the trusted backend 'fast'"
    assert trust.refusal("slow") is None
    assert trust.reserved_message("GPU") == "Say cuda."
    assert trust.reserved_message("fast") is None


def test_a_registered_adapter_is_nobody_the_host_knows():  # 2.10
    trust = Trust({"fast": {}}, None)
    assert trust.claims(Record()) == trust.trusted
    assert trust.claims(RegisteredRecord("fast", object())) == ()
    assert trust.impersonates(RegisteredRecord("fast", object())) is trust.trusted[0]


def test_what_a_stand_in_leaves_open_counts_as_met_with_the_right_distribution():  # 8.3
    trust = Trust(
        {"fast": {"package": "fast-pkg", "entrypoint": "official", "object_ref": "a:b", "module_prefix": "a"}}, None
    )
    (fast,) = trust.trusted
    assert trust.claims(RegisteredRecord("", object(), distribution="Fast_Pkg")) == (fast,)
    assert trust.claims(RegisteredRecord("official", object(), distribution="Fast_Pkg")) == (fast,)
    assert trust.claims(RegisteredRecord("any", object(), distribution="Fast_Pkg")) == ()
    assert trust.claims(RegisteredRecord("any", object(), distribution="evil")) == ()
    assert fast.why_not(RegisteredRecord("any", object(), distribution="fast-pkg", value="c:d")) == (
        "its entry point is 'any' and not 'official'; it refers to 'c:d' and not to 'a:b'; "
        "its module 'c' is not within 'a'"
    )


def test_what_is_left_open_is_told_as_unknown():  # 3.3, 8.3
    checks = {"entrypoint": "official", "object_ref": "a:b", "module_prefix": "a"}
    (fast,) = Trust({"fast": checks}, None).trusted
    unknown = "its entry point is unknown; what it refers to is unknown"
    assert fast.why_not(RegisteredRecord("", object(), distribution="d")) == unknown
    (plain,) = Trust({"fast": {"package": "p"}}, None).trusted
    evil = "it comes from distribution 'd' and not from 'p'"
    assert plain.why_not(RegisteredRecord("", object(), distribution="d")) == evil


def test_a_refused_name_says_which_check_failed():  # 3.3
    trust = Trust({"fast": {"package": "p", "entrypoint": "official"}}, {"gpu": "Say cuda."})
    record = RegisteredRecord("any", object(), distribution="p")
    assert trust.mismatch("FAST", record) == ", and its entry point is 'any' and not 'official'"
    assert trust.mismatch("fast", RegisteredRecord("official", object(), distribution="p")) == ""
    assert trust.mismatch("gpu", record) == ""
    assert trust.mismatch("fast", RegisteredRecord("any", object())) == ""


@pytest.mark.parametrize("reference", ["a", "a.b:c.d", "a : b", "a:b [x, y]"])
def test_references_that_entry_points_have_are_accepted(reference):  # 3.1
    assert make({"fast": {"object_ref": reference, "package": "A.b-c_d", "module_prefix": "a.b."}})
