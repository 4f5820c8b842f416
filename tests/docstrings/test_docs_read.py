"""Reading what a backend's docstring says of its parameters (rule 5.4)."""

from __future__ import annotations

import textwrap

import pytest

from scverse_backends._docstrings.splice import ParameterDoc, parameter_docs

NUMPYDOC = """Sum.

Parameters
----------
plain
    Plain.
typed : int, optional
    Typed.
tight: str
    Tight.
a, b : float
    Both.

    .. versionadded:: 1.2
       Text.

    - one
    - two

        code
bare
*args
    Positional.
**kwargs : Any
    Keywords.
`ticked` : int
    Ticked.
size (my_backend) : int
    Size.
noted (int)
choice : {"a", \\
    "b"}, optional
    Choice.
some prose, which is no entry

Returns
-------
plain
    Not a parameter.

Other Parameters
----------------
other : bool
    Other.
plain : bytes
    The first counts.
"""

GOOGLE = """Sum.

Args:
    x (dict[str, tuple(int)], optional): A number
        that goes on.

        - one
    y: Another.
    z:
        Below.
    *args (int): Positional.
    no entry

Keyword Args:
    k (int): Keyword.

Returns:
    r: Not a parameter.
"""


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("indent", ["", "    ", "\t"])
def test_numpydoc_entries(newline, indent):  # 5.4
    doc = ("\n" + textwrap.indent(NUMPYDOC, indent)).replace("\n", newline)
    both = ParameterDoc(
        "float", ("Both.", "", ".. versionadded:: 1.2", "   Text.", "", "- one", "- two", "", "    code")
    )
    assert parameter_docs(doc) == {
        "plain": ParameterDoc(None, ("Plain.",)),
        "typed": ParameterDoc("int, optional", ("Typed.",)),
        "tight": ParameterDoc("str", ("Tight.",)),
        "a": both,
        "b": both,
        "bare": ParameterDoc(None, ()),
        "args": ParameterDoc(None, ("Positional.",)),
        "kwargs": ParameterDoc("Any", ("Keywords.",)),
        "ticked": ParameterDoc("int", ("Ticked.",)),
        "size": ParameterDoc("int", ("Size.",)),
        "noted": ParameterDoc("int", ()),
        "choice": ParameterDoc('{"a", "b"}, optional', ("Choice.",)),
        "other": ParameterDoc("bool", ("Other.",)),
    }


@pytest.mark.parametrize("indent", ["", "    "])
def test_google_entries(indent):  # 5.4
    assert parameter_docs("\n" + textwrap.indent(GOOGLE, indent)) == {
        "x": ParameterDoc("dict[str, tuple(int)], optional", ("A number", "that goes on.", "", "- one")),
        "y": ParameterDoc(None, ("Another.",)),
        "z": ParameterDoc(None, ("Below.",)),
        "args": ParameterDoc("int", ("Positional.",)),
        "k": ParameterDoc("int", ("Keyword.",)),
    }


def test_a_blank_line_below_the_first_sentence_stays():  # 5.4
    doc = "S.\n\nArgs:\n    x (int): First.\n\n        .. versionadded:: 1.0\n\n    y:\n\n        Below.\n"
    described = parameter_docs(doc)
    assert described["x"] == ParameterDoc("int", ("First.", "", ".. versionadded:: 1.0"))
    assert described["y"] == ParameterDoc(None, ("Below.",))


@pytest.mark.parametrize("title", ["Parameters", "Params", "Arguments", "Other Parameters", "Keyword Args"])
def test_titles_that_are_read(title):  # 5.3, 5.4
    expected = {"x": ParameterDoc("int", ("X.",))}
    assert parameter_docs(f"S.\n\n{title}\n{'-' * len(title)}\nx : int\n\n    X.\n\n") == expected
    assert parameter_docs(f"S.\n\n{title}:\n    x (int): X.\n") == expected


@pytest.mark.parametrize("names", ["x, y, ...", "x, y,...", "*x, y"])
def test_names_in_a_row(names):  # 5.4
    assert list(parameter_docs(f"S.\n\nParameters\n----------\n{names} : int\n")) == ["x", "y"]


class Liar:
    __class__ = str


class Loud(str):
    __slots__ = ()

    def expandtabs(self, tabsize=8):
        raise AssertionError


@pytest.mark.parametrize("doc", [None, 3, b"Parameters\n----------\nx\n", str, "", "Sum.", "Sum.\n\nx : int"])
def test_what_documents_nothing(doc):  # 2.6, 5.4
    assert parameter_docs(doc) == {}


def test_an_object_that_claims_to_be_a_string():  # 2.6
    assert isinstance(Liar(), str)
    assert parameter_docs(Liar()) == {}


def test_a_foreign_string_is_read_as_a_plain_one():  # 2.6
    assert parameter_docs(Loud("Parameters\n----------\nx\n")) == {"x": ParameterDoc(None, ())}


def test_a_section_without_entries():
    assert parameter_docs("Parameters\n----------") == {}
    assert parameter_docs("S.\n\nParameters\n----------\n\nNotes\n-----\nx\n") == {}
