"""Labels: the grammar against a model, and which name may have been meant."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scverse_backends._foundation.labels import did_you_mean, fold, is_string, listing, plain, problem, suggestions

GRAMMAR = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9_])?", re.ASCII)

nearly = st.text(st.sampled_from("aZ09._-") | st.characters(), max_size=140)


class Odd(str):
    """A string of a foreign adapter that lies about itself."""

    __slots__ = ()

    def __len__(self):
        return 1

    def __iter__(self):
        return iter("a")

    def __getitem__(self, index):
        return "a"

    def __eq__(self, other):
        return True

    def __hash__(self):
        raise RuntimeError

    def __str__(self):
        return "cpu"


class Pretender:
    """No string, but `isinstance` believes that it is."""

    @property
    def __class__(self):
        return str


@given(nearly)
@example("a" * 128)
@example("a" * 129)
@example("a" * 127 + ".")
@example("a\n")
@example("é")
@example("\u0661")
def test_the_grammar(label):  # 2.4
    assert (problem(label) is None) == (GRAMMAR.fullmatch(label) is not None)


@pytest.mark.parametrize(
    ("label", "says"),
    [
        ("", "is empty"),
        ("a" * 129, "longer than 128"),
        ("a b", "contains ' '"),
        ("ü", r"contains '\xfc'"),
        (".a", "does not start"),
        ("-", "does not start"),
        ("_a", "does not start"),
        ("a-", "ends with"),
        ("a.", "ends with"),
        (None, "must be a string, not NoneType"),
        (b"a", "must be a string, not bytes"),
    ],
)
def test_what_is_wrong(label, says):  # 2.4
    assert says in problem(label)


@pytest.mark.parametrize("text", ["a b", "", "x."])
def test_a_string_that_lies_is_judged_by_its_text(text):  # 2.6
    assert problem(Odd(text)) == problem(text) is not None
    assert type(plain(Odd(text))) is str
    assert plain(Odd(text)) == text


def test_what_pretends_to_be_a_string_is_none():  # 2.6
    assert isinstance(Pretender(), str)
    assert not is_string(Pretender())
    assert problem(Pretender()) == "must be a string, not Pretender"


def test_folding():  # 2.4
    assert fold("CPU") == fold("cpu")
    assert fold("a-b") != fold("a_b")


@given(st.text("aB-_ ", min_size=1, max_size=8))
def test_spelling_never_hides_a_name(label):  # 9
    bare = re.sub(r"[-_\s]", "", label).lower()
    names = ["aab", "bba", "ab", "zzz"]
    found = suggestions(label, names)
    assert set(found) <= set(names)
    if bare in names:
        assert found == (bare,)


@pytest.mark.parametrize(
    ("name", "candidates", "expected"),
    [
        ("CUDA", ["cuda", "jax"], ("cuda",)),
        (" cu da ", ["cuda"], ("cuda",)),
        ("my_backend", ["my-backend", "mybackend", "other"], ("my-backend", "mybackend")),
        ("cuad", ["cuda", "cpu", "jax"], ("cuda",)),
        ("xyz", ["cuda", "jax"], ()),
        ("", ["cuda"], ()),
        ("a" * 10_000, ["a" * 100], ("a" * 100,)),
        ("fast", [], ()),
    ],
)
def test_suggestions(name, candidates, expected):  # 9
    assert suggestions(name, candidates) == expected


def test_sentences():
    assert did_you_mean(()) == ""
    assert did_you_mean(["a", "b"]) == " Did you mean 'a' or 'b'?"
    assert listing(["a", "b"]) == "'a', 'b'"
    assert listing("abc", limit=2) == "'a', 'b' and 1 more"


def test_a_message_has_room_for_three_suggestions():  # 9
    assert suggestions("cudax", ["cuda1", "cuda2", "cuda3", "cuda4"]) == ("cuda4", "cuda3", "cuda2")
