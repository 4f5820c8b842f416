"""Entries of backends' options as napoleon and numpydoc read them once they are rewritten (5.9)."""

from __future__ import annotations

import numpydoc.docscrape
import pytest
from sphinx.ext.napoleon import Config, GoogleDocstring, NumpyDocstring

from scverse_backends._docstrings.splice import Offer, Option, add_options
from scverse_backends._inside.offered import ShownOption, options_of
from scverse_backends.sphinxext._entries import rewrite

NUMPYDOC = "Summary.\n\nParameters\n----------\nx : int\n    A number.\n\nReturns\n-------\nint\n    It.\n"
GOOGLE = "Summary.\n\nArgs:\n    x (int): A number.\n\nReturns:\n    It.\n"

# Descriptions as authors write them, each with the structure that has to survive.
DESCRIPTIONS = {
    "prose": ("How many at once.",),
    "two lines": ("How many", "at once."),
    "paragraphs": ("How many at once.", "", "More need memory."),
    "undocumented": (),
    "list": ("- one", "- two"),
    "starred list": ("* one", "* two"),
    "enumeration": ("1. first", "2. second"),
    "letters": ("a) first", "b) second"),
    "definitions": ("auto", "    What is best.", "never", "    Not at all."),
    "directive": (".. deprecated:: 1.2", "   Use another."),
    "prose and directive": ("How many.", "", ".. versionadded:: 1.2"),
    "code": ("``None`` means all.",),
    "strong": ("**Careful** with it.",),
    "quoted": ('"auto" or a number.',),
}


def described(doc, offers):
    """Return the docstring with the option spliced in, and the page's text of it."""
    option = Option("batch", tuple(offers))
    lines = add_options(doc, [option]).splitlines()
    types = tuple(offer.type for offer in offers if offer.type)
    rewrite(lines, ShownOption("batch", tuple(offer.provider for offer in offers), types))
    return lines


def offer(provider="fast", kind="int", description=("How many.",), default="1"):
    return Offer(provider, kind, description, default)


@pytest.mark.parametrize("kind", ["int", None, "{'a', 'b'}", "int or None, optional", "dict of str: int"])
@pytest.mark.parametrize("description", DESCRIPTIONS.values(), ids=DESCRIPTIONS)
def test_numpydoc_reads_name_type_and_backend(description, kind):
    lines = described(NUMPYDOC, [offer(kind=kind, description=description)])
    read = numpydoc.docscrape.NumpyDocString("\n".join(lines))
    (entry,) = read["Other Parameters"]
    assert (entry.name, entry.type) == ("batch", kind or "")
    assert entry.desc[0].startswith('Only with ``backend="fast"``.')
    # All of the description is there, with its own indentation.
    told = "\n".join(entry.desc).removeprefix('Only with ``backend="fast"``.').strip()
    assert told == "\n".join(description)
    # And so is the rest of the docstring.
    assert [one.name for one in read["Parameters"]] == ["x"]
    assert read["Returns"][0].type == "int"


@pytest.mark.parametrize("kind", ["int", None, "int or None"])
@pytest.mark.parametrize("description", DESCRIPTIONS.values(), ids=DESCRIPTIONS)
def test_napoleon_reads_name_type_and_backend(description, kind):
    lines = described(NUMPYDOC, [offer(kind=kind, description=description)])
    read = str(NumpyDocstring(lines, Config(napoleon_use_param=True))).splitlines()
    (entry,) = [line for line in read if line.startswith(":param batch:")]
    assert [line for line in read if line.startswith(":type batch:")] == ([f":type batch: {kind}"] if kind else [])
    below = [*read[read.index(entry) + 1 :], ""]
    text = [entry.removeprefix(":param batch:"), *below[: below.index("")]]
    assert 'Only with ``backend="fast"``.' in "\n".join(text)


@pytest.mark.parametrize("kind", ["float", None, "int or None"])
@pytest.mark.parametrize("name", ["prose", "two lines", "undocumented", "list", "paragraphs"])
def test_google_style_is_read_by_napoleon(name, kind):
    description = DESCRIPTIONS[name]
    lines = described(GOOGLE, [offer(kind=kind, description=description)])
    read = str(GoogleDocstring(lines, Config(napoleon_use_param=True))).splitlines()
    assert len([line for line in read if line.startswith(":param batch:")]) == 1
    assert [line for line in read if line.startswith(":type batch:")] == ([f":type batch: {kind}"] if kind else [])
    joined = " ".join("\n".join(read).split())
    assert " ".join(('Only with ``backend="fast"``.', *description)).replace("  ", " ").strip() in joined


def test_several_backends():
    lines = described(NUMPYDOC, [offer("a"), offer("b"), offer("c")])
    assert '    Only with ``backend="a"`` or ``backend="b"`` or ``backend="c"``. How many.' in lines


def test_backends_that_differ_are_each_described():
    lines = described(NUMPYDOC, [offer("a", "int"), offer("b", "str", ("By name.",))])
    (entry,) = numpydoc.docscrape.NumpyDocString("\n".join(lines))["Other Parameters"]
    assert entry.desc == [
        'Only with ``backend="a"`` or ``backend="b"``.',
        "",
        "a (int)",
        "    How many.",
        "",
        "b (str)",
        "    By name.",
    ]


def test_backends_that_differ_in_google_style():
    lines = described(GOOGLE, [offer("a", "int"), offer("b", "str", ("By name.",))])
    read = str(GoogleDocstring(lines, Config(napoleon_use_param=True)))
    assert ":type batch:" not in read
    assert ':param batch: Only with ``backend="a"`` or ``backend="b"``.' in read
    assert "a (int)" in read
    assert "b (str)" in read


def test_tabs_and_entries_at_the_end():
    lines = ["Other Parameters", "----------------", "\tbatch (fast) : int", "\t\tHow many.", "", ""]
    rewrite(lines, ShownOption("batch", ("fast",), ("int",)))
    assert lines[2:] == ["\tbatch : int", '\t    Only with ``backend="fast"``. How many.', "", ""]
    lines = ["batch (fast)"]
    rewrite(lines, ShownOption("batch", ("fast",), ()))
    assert lines == ["batch", '    Only with ``backend="fast"``.']


@pytest.mark.parametrize("line", ["batch (slow) : int", "batch (fast, slow)", "see batch (fast)", "batch (fast)x"])
def test_other_lines_are_left_alone(line):
    lines = [line, "    How many."]
    rewrite(lines, ShownOption("batch", ("fast",), ("int",)))
    assert lines == [line, "    How many."]


@pytest.mark.parametrize("thing", [len, int, None, "text", 3, test_several_backends])
def test_what_no_host_decorated_has_no_options(thing):
    assert options_of(thing) == []
