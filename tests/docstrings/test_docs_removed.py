"""Entries that were added are taken out again, whatever became of the text around them (5.1, 5.8)."""

from __future__ import annotations

import inspect
import textwrap

import pytest
from docstrings import GOOGLE, HOST, PLAIN, TYPED, numpydoc, raw
from hypothesis import given

from scverse_backends._docstrings.read import OTHER, PARAMETERS, kind_of
from scverse_backends._docstrings.remove import remove_options, remove_second_backend
from scverse_backends._docstrings.splice import Offer, Option, add_backend_parameter, add_options
from tests.docstrings.test_docs_fuzz import DOCS, OPTIONS, numpydoc_docs

LONG = Option("rows", (Offer("my_backend", "int", ("How many.", "", "- one", "", "      code", "", "More."), "3"),))
TWO = Option("n", (Offer("a", "int", ("D.",), "3"), Offer("b", "str", ("E.", "", "F."), "4")))
ALL = [PLAIN, TYPED, LONG, TWO]
SHAPES = {
    "as it is": str,
    "raw": raw,
    "cleaned": inspect.cleandoc,
    "deeper": lambda doc: textwrap.indent(doc, "  "),
    "tabs": lambda doc: textwrap.indent(doc, "\t"),
    "windows": lambda doc: doc.replace("\n", "\r\n"),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("doc", ["Sum.", "Sum.\n", HOST, GOOGLE, "Returns\n-------\nint\n", "Notes\n-----\nText."])
def test_what_was_added_goes(doc, shape):
    added = SHAPES[shape](add_options(doc, ALL))
    assert inspect.cleandoc(remove_options(added, ALL)).rstrip() == inspect.cleandoc(SHAPES[shape](doc)).rstrip()
    if shape == "as it is":
        assert remove_options(added, ALL) == doc.rstrip("\n") + "\n" * (doc.endswith("\n") or doc == "Sum.")


@pytest.mark.parametrize("option", ALL)
def test_the_others_stay(option):
    others = [one for one in ALL if one is not option]
    both = add_options(HOST, ALL)
    assert remove_options(both, [option]) == add_options(HOST, others)
    other = HOST + "\nOther Parameters\n----------------\nz : int\n"
    assert remove_options(add_options(other, [option]), [option]) == other


def test_it_goes_however_often_it_is_there():
    doc = HOST.replace("Another.", "Another.\nbatch_size (my_backend)\n    Backend batch size.")
    twice = add_options(doc.replace("batch_size", "size"), [PLAIN]).replace("\nsize (", "\nbatch_size (")
    assert twice.count("batch_size (my_backend)") == 2
    assert remove_options(twice, [PLAIN]) == HOST


@pytest.mark.parametrize(
    "entry",
    [
        "batch_size (my_backend)\n    Backend batch size, and more.\n",
        "batch_size (my_backend)\n    Backend batch size.\n    And more.\n",
        "batch_size (my_backend)\n    Backend batch size.\n\n    And more.\n",
        "batch_size (my_backend)\nBackend batch size.\n",
        "batch_size (my_backend)\n\n    Backend batch size.\n",
        "batch_size (my_backend)\n",
        "batch_size (another)\n    Backend batch size.\n",
        "batch_size : int\n    Backend batch size.\n",
        "rows (my_backend) : int\n    How many.\n\n    - one\n\n    code\n\n    More.\n",
    ],
)
def test_what_is_not_ours_word_by_word_stays(entry):
    doc = f"Sum.\n\nOther Parameters\n----------------\nz : int\n{entry}\nNotes\n-----\nText.\n"
    assert remove_options(doc, ALL) == doc


def test_dashes_in_a_description_underline_nothing():
    doc = "Sum.\n\nParameters\n----------\n"
    options = [Option("n", (Offer("fast", "int", (), ""),)), Option("tile", (Offer("fast", "", ("---", "---"), ""),))]
    assert remove_options(add_options(doc, options), options) == doc


def test_a_header_in_google_style_goes_with_its_only_entry():
    option = Option("n", (Offer("fast", "int", ("How.",), ""),))
    doc = "Sum.\n\nOther Parameters:\n    n (fast): int. How.\n"
    assert remove_options(doc, [option]) == "Sum.\n"


def test_the_last_line_may_be_another_entry():
    option = Option("n", (Offer("fast", "int", (), ""),))
    doc = "Sum.\n\nOther Parameters\n----------------\nn (fast) : int\nlast"
    assert remove_options(doc, [option]) == "Sum.\n\nOther Parameters\n----------------\nlast"


def test_a_section_of_the_host_that_was_empty_stays():
    doc = "Sum.\n\nOther Parameters\n----------------\n\nNotes\n-----\nText.\n"
    assert remove_options(doc, ALL) == doc
    only = "Sum.\n\nParameters\n----------\n\n" + "Other Parameters\n----------------\ntile (my_backend) : int\n"
    assert remove_options(only, [TYPED]) == "Sum.\n\nParameters\n----------\n"


def words(doc):
    """Return the lines of a text, without headers: whose an empty section was cannot be seen afterwards."""
    lines = (line.strip() for line in doc.split("\n"))
    return [line for line in lines if line.strip("-=~ ") and kind_of(line) not in (PARAMETERS, OTHER)]


@given(DOCS, OPTIONS)
def test_nothing_else_is_lost(doc, options):  # 5.3
    left = iter(words(remove_options(add_options(doc, options), options)))
    assert all(word in left for word in words(remove_options(doc, options)))


@given(numpydoc_docs(), OPTIONS)
def test_docstrings_in_order_come_back_byte_by_byte(doc, options):  # 5.3
    result = remove_options(add_options(doc, options), options)
    assert result == doc or (doc == "Sum." and result == "Sum.\n")


# --- backend: 5.8 --------------------------------------------------------------------------------------------------

THEIRS = "backend : {'a', 'b'}\n    Who runs it.\n"


@pytest.mark.parametrize("shape", ["as it is", "raw", "cleaned", "windows"])
@pytest.mark.parametrize("place", ["before", "behind", "in other parameters"])
def test_of_two_entries_for_backend_ours_goes(shape, place):
    text = add_backend_parameter(HOST)
    if place == "before":
        both, alone = (doc.replace("y\n", f"{THEIRS}y\n") for doc in (text, HOST))
    elif place == "behind":
        both, alone = text.replace("\nReturns", f"{THEIRS}\nReturns"), HOST.replace("\nReturns", f"{THEIRS}\nReturns")
    else:
        both, alone = (f"{doc}\nOther Parameters\n----------------\n{THEIRS}" for doc in (text, HOST))
    assert remove_second_backend(SHAPES[shape](both)) == SHAPES[shape](alone)
    names = numpydoc(remove_second_backend(both))
    assert [*names[0], *names[1]].count("backend") == 1


@pytest.mark.parametrize("doc", ["", "Sum.", HOST, GOOGLE, raw(HOST), HOST.replace("Another.", "Another backend.")])
def test_the_only_entry_for_backend_stays(doc):
    text = add_backend_parameter(doc)
    assert remove_second_backend(text) == text
    assert remove_second_backend(doc) == doc


def test_of_two_entries_for_backend_ours_goes_in_google_style():
    theirs = "    backend (str): Who runs it.\n"
    both, alone = (doc.replace("    y: ", f"{theirs}    y: ") for doc in (add_backend_parameter(GOOGLE), GOOGLE))
    assert remove_second_backend(both) == alone
