"""Whatever the docstring is, splicing only inserts, and inserts once (rule 5.3)."""

from __future__ import annotations

import inspect
import textwrap
import warnings

from hypothesis import given
from hypothesis import strategies as st
from numpydoc.docscrape import NumpyDocString

from scverse_backends._docstrings.splice import (
    Offer,
    Option,
    add_backend_parameter,
    add_options,
    parameter_docs,
    rename_parameter,
)

# Lines that docstrings are made of, and ones that only look so.
LINES = st.sampled_from(
    [
        "Sum.",
        "Parameters",
        "Params",
        "Other Parameters",
        "Returns",
        "Notes",
        "Theory",
        "----------",
        "---",
        "======",
        "~~~~",
        "--",
        "x : int",
        "y, z",
        "a: int",
        "backend : str",
        "backend",
        "Args:",
        "Returns:",
        "Raises:",
        "x (int): A.",
        ":param x: A.",
        ".. index:: x",
        ".. note::",
        ">>> 1",
        "1",
        "Write::",
        "**Parameters**",
        "```",
        "A  B",
        "\x0c",
        "\x0b",
        "\u2028",
        "",
        "",
        "",
        "",
    ]
)
INDENTS = st.sampled_from(["", "", "", "    ", "    ", "        ", "\t", "  "])
ENDS = st.sampled_from(["", "", "", " ", "\t", "\r"])
DOCS = st.lists(st.tuples(INDENTS, LINES, ENDS).map("".join), max_size=14).map("\n".join) | st.text(max_size=60)

PROSE = st.sampled_from(["Text.", "", "- one", "-----", "a", "    code", ".. note::", "Notes", "50 % {x} \\ y"])
BODIES = st.lists(PROSE, max_size=5).map(
    lambda lines: tuple(textwrap.dedent("\n".join(lines)).strip("\n").split("\n")) if any(lines) else ()
)
TYPES = st.sampled_from([None, "int", "dict[str, int]"])


def offers(providers):
    kinds = st.tuples(TYPES, BODIES, st.sampled_from([None, "3"]))
    return st.tuples(*[kinds.map(lambda kind, provider=provider: Offer(provider, *kind)) for provider in providers])


OPTIONS = st.lists(
    st.builds(Option, st.sampled_from(["n", "size", "tile"]), st.sampled_from([("p",), ("p", "q")]).flatmap(offers)),
    min_size=1,
    max_size=3,
    unique_by=lambda option: option.name,
)

ENTRIES = st.lists(
    st.tuples(st.sampled_from([" : int", "", " : str, optional"]), st.lists(PROSE.filter(str.isprintable), max_size=2)),
    max_size=4,
)
SECTIONS = st.lists(st.sampled_from(["Returns", "Raises", "Notes", "Examples"]), unique=True, max_size=3)


def is_one_insertion(before, after):
    """Whether one span can be taken out of `after` so that `before` is left, byte for byte."""
    extra = len(after) - len(before)
    return extra >= 0 and any(after[:at] + after[at + extra :] == before for at in range(len(before) + 1))


@given(DOCS)
def test_backend_is_one_insertion(doc):  # 5.3
    result = add_backend_parameter(doc)
    assert is_one_insertion(doc, result)
    assert add_backend_parameter(result) == result


@given(DOCS, OPTIONS)
def test_options_are_one_insertion(doc, options):  # 5.3
    result = add_options(doc, options)
    assert is_one_insertion(doc, result)
    assert add_options(result, options) == result


@given(DOCS)
def test_reading_and_renaming_never_fail(doc):  # 4.1, 5.4
    assert all(name.isidentifier() for name in parameter_docs(doc))
    renamed = rename_parameter(doc, "backend", "b2")
    assert renamed == doc or renamed.count("b2") == doc.count("b2") + 1
    assert renamed.count("\n") == doc.count("\n")


@st.composite
def numpydoc_docs(draw):
    """Build docstrings that numpydoc reads, in each shape that hosts have them."""
    lines = ["Sum.", ""]
    entries = draw(ENTRIES)
    if draw(st.booleans()):
        lines += ["Parameters", "----------"]
        gap = [""] if draw(st.booleans()) else []
        for number, (kind, text) in enumerate(entries):
            lines += [f"x{number}{kind}", *[f"    {line}" for line in text if line[:1].isalpha()], *gap]
        lines.append("")
    for title in draw(SECTIONS):
        lines += [title, "-" * len(title), "Text", ""]
    doc = "\n".join(lines)
    if draw(st.booleans()):
        doc = "Sum.\n" + textwrap.indent(doc.partition("\n")[2], "    ") + "    "
    return doc


def names(doc):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parsed = NumpyDocString(inspect.cleandoc(doc))
    rest = {key: parsed[key] for key in parsed if key not in ("Parameters", "Other Parameters")}
    return [entry.name for entry in parsed["Parameters"]], [entry.name for entry in parsed["Other Parameters"]], rest


@given(numpydoc_docs(), OPTIONS)
def test_numpydoc_finds_what_was_there_and_what_was_added(doc, options):  # 5.2, 5.3
    parameters, other, rest = names(doc)
    result = names(add_options(add_backend_parameter(doc), options))
    added = [f"{option.name} ({', '.join(offer.provider for offer in option.offers)})" for option in options]
    assert result == ([*parameters, "backend"], [*other, *added], rest)
