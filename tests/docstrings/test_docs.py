"""Splicing parameters into docstrings (rules 5.2, 5.3, 5.5, and the docstring's part of 4.1)."""

from __future__ import annotations

import doctest
import textwrap

import pytest
from docstrings import GOOGLE, HOST, PLAIN, TYPED, numpydoc, raw

from scverse_backends._docstrings.splice import add_backend_parameter, add_options

ENTRY = add_backend_parameter("").split("\n")[2:]


def entry(indent="", step="    "):
    return "\n".join([indent + ENTRY[0], *[indent + step + line.lstrip() for line in ENTRY[1:]]]) + "\n"


# --- backend: 5.2, 5.3 ---------------------------------------------------------------------------------------------


def test_backend_comes_last_in_parameters():  # 5.2
    assert add_backend_parameter(HOST) == HOST.replace("    Another.\n", "    Another.\n" + entry())


def test_backend_comes_before_what_takes_any_keyword():  # 5.2
    for line in ("**kwargs", "**kwargs : dict", "\\*\\*kwargs", "`**kwargs`", "**plot_kwargs: dict"):
        for shape in (str, raw):
            doc = shape(HOST.replace("y\n    Another.\n", f"{line}\n    Another.\n"))
            margin = "    " if shape is raw else ""
            assert add_backend_parameter(doc) == doc.replace(f"{margin}{line}\n", f"{entry(margin)}{margin}{line}\n")
    alone = "Sum.\n\nParameters\n----------\n\n**kwargs\n    Any.\n"
    assert add_backend_parameter(alone) == alone.replace("----------\n", "----------\n" + entry())
    both = HOST.replace("y\n    Another.\n", "y, **kwargs\n    Others.\n")
    assert add_backend_parameter(both) == both.replace("    Others.\n", "    Others.\n" + entry())
    apart = HOST.replace("y\n    Another.\n", "\n**kwargs\n    Any.\n\ny : int\n    A key of them.\n")
    result = add_backend_parameter(apart)
    assert result == apart.replace("    A number.\n", "    A number.\n\n" + entry())
    assert numpydoc(result)[0] == ["x", "backend", "**kwargs", "y"]
    # What is bold, or only mentions it, is no such entry.
    for text in ("See ``f(**kwargs)``.", "**Bold** is this."):
        mentioned = HOST.replace("Another.", text)
        assert add_backend_parameter(mentioned) == mentioned.replace(f"    {text}\n", f"    {text}\n" + entry())


def test_backend_comes_before_what_takes_any_keyword_in_google_style():  # 5.2, 5.5
    doc = GOOGLE.replace("    y: Another.\n", "    **kwargs: Others.\n")
    result = add_backend_parameter(doc)
    before, after = doc.split("    **kwargs")
    assert result.startswith(before + "    backend (str, sequence of str or None):\n")
    assert result.endswith("``settings``.\n    **kwargs" + after)


def test_backend_comes_last_in_other_parameters_of_the_host():  # 5.2
    doc = HOST.replace("\nNotes", "\nOther Parameters\n----------------\nz : int\n    Rare.\n%s\nNotes")
    assert add_backend_parameter(doc % "") == doc % entry()
    kwargs = "**kwargs\n    Others.\n"
    assert add_backend_parameter(doc % kwargs) == doc % (entry() + kwargs)
    only = "Sum.\n\nOther Parameters\n----------------\nz : int\n\nNotes\n-----\nNone.\n"
    assert add_backend_parameter(only) == only.replace("z : int\n", "z : int\n" + entry())
    for there in ("Parameters", "Other Parameters"):
        documented = doc.replace(
            f"{there}\n" + "-" * len(there) + "\n", f"{there}\n" + "-" * len(there) + "\nbackend : x\n"
        )
        assert add_backend_parameter(documented % "") == documented % ""


@pytest.mark.parametrize("line", ["%(backend)s", "{backend}", "{doc_backend}", "%(backend_doc)s"])
def test_an_entry_that_a_host_decorator_fills_in(line):  # 5.8
    doc = f"Sum.\n\nParameters\n----------\nx : int\n{line}\n\nReturns\n-------\nint\n"
    for shape in (str, raw):
        assert add_backend_parameter(shape(doc)) == shape(doc)
    inside = doc.replace(f"\n{line}\n", f"\n    In {line} style.\n")
    assert add_backend_parameter(inside) != inside


def test_what_is_said_of_backend():  # 5.2; host decorators may format the docstring: 5.6
    assert ENTRY[0] == "backend : str, sequence of str or None, default: None"
    assert 3 <= len(ENTRY) <= 5
    text = " ".join(line.strip() for line in ENTRY[1:])
    for word in ("installed backend", "alias", '"cpu"', "order of preference", "``settings``"):
        assert word in text
    assert not set("%{}\\") & set(add_backend_parameter("") + add_backend_parameter(GOOGLE))


def test_raw_indentation_is_followed():  # 5.3, Python 3.12
    expected = raw(HOST).replace("        Another.\n", "        Another.\n" + entry("    "))
    assert add_backend_parameter(raw(HOST)) == expected
    assert numpydoc(expected) == (["x", "y", "backend"], [])


@pytest.mark.parametrize("title", ["Parameters", "Params", "Arguments", "Args", "parameters", "Parameters:"])
@pytest.mark.parametrize("underline", ["----------", "---", "===============", "~~~~"])
def test_titles_of_parameters(title, underline):  # 5.3
    doc = f"Sum.\n\n{title}\n{underline}\nx : int\n\nReturns\n-------\nint\n"
    assert add_backend_parameter(doc) == doc.replace("x : int\n", "x : int\n" + entry())


@pytest.mark.parametrize(
    "title",
    [
        "Returns",
        "Yields",
        "Receives",
        "Raises",
        "Warns",
        "Warnings",
        "See Also",
        "Notes",
        "References",
        "Examples",
        "Attributes",
        "Methods",
        "Performance tips",
        "1. Method",
    ],
)
@pytest.mark.parametrize("mark", ["-", "=", "~"])
@pytest.mark.parametrize("shape", [str, raw])
def test_sections_that_end_parameters(title, mark, shape):  # 5.3
    doc = shape(f"Sum.\n\nParameters\n----------\nx : int\n    A number.\n\n{title}\n{mark * len(title)}\nText.\n")
    result = add_backend_parameter(doc)
    assert result.index("A number.") < result.index("backend : str") < result.index(title + "\n")
    assert result.index("``settings``.\n") < result.index(title + "\n")


def test_a_known_title_needs_no_blank_line_before_it():  # 5.3
    doc = "Sum.\n\nParameters\n----------\nx : int\nReturns\n-------\nint\n"
    assert add_backend_parameter(doc) == doc.replace("x : int\n", "x : int\n" + entry())


def test_an_index_ends_parameters():
    doc = "Sum.\n\nParameters\n----------\nx : int\n\n.. index:: sums\n"
    assert add_backend_parameter(doc) == doc.replace("x : int\n", "x : int\n" + entry())
    assert add_backend_parameter("Sum.\n\n.. index:: sums\n\nNotes\n-----\nx\n").index("backend") > 0


@pytest.mark.parametrize("end", ["", "\n", "\n\n", "\n    ", "  \t\n", "\r\n"])
def test_parameters_at_the_end_of_the_docstring(end):  # 5.3
    doc = "Sum.\n\nParameters\n----------\nx : int" + end
    result = add_backend_parameter(doc)
    assert result.startswith("Sum.\n\nParameters\n----------\nx : int")
    assert result.endswith(("``settings``.", "``settings``." + end[end.find("\n") - (end == "\r\n") :]))
    assert result.replace("\r\n" if "\r" in end else "\n", "\n").count("backend : ") == 1


def test_parameters_without_entries():
    doc = "Sum.\n\nParameters\n----------\n\nReturns\n-------\nint\n"
    assert add_backend_parameter(doc) == doc.replace("----------\n\n", "----------\n" + entry() + "\n")
    assert add_backend_parameter("Sum.\n\nParameters\n----------").endswith("----------\n" + entry().rstrip("\n"))
    crlf = "Sum.\r\n\r\nParameters\r\n----------\r\n"
    assert add_backend_parameter(crlf) == crlf + entry().replace("\n", "\r\n")


def test_entries_separated_by_blank_lines():
    doc = "Sum.\n\nParameters\n----------\nx : int\n    A.\n\ny : int\n    B.\n\nReturns\n-------\nint\n"
    assert add_backend_parameter(doc) == doc.replace("    B.\n", "    B.\n\n" + entry())
    once = "Sum.\n\nParameters\n----------\n\n\nx : int\n    A.\n\n    More.\ny : int\nz : int\n\nw : int\n"
    assert add_backend_parameter(once) == once + entry()


def test_entries_indented_otherwise_than_their_header():  # 5.3
    doc = "Sum.\n\nParameters\n----------\n  x : int\n     A.\n  y : int\n\nReturns\n-------\nint\n"
    assert add_backend_parameter(doc) == doc.replace("  y : int\n", "  y : int\n" + entry("  ", "   "))


def test_lines_that_fell_out_of_the_margin_are_no_entries():  # 5.3
    doc = "Sum.\n\n    Parameters\n    ----------\n    x : int\n        A\n  number.\n    "
    assert add_backend_parameter(doc) == doc.replace("  number.\n", "  number.\n" + entry("    "))


def test_tabs_are_followed():  # 5.3
    doc = "Sum.\n\n\tParameters\n\t----------\n\tx : int\n\t\tA.\n\t"
    assert add_backend_parameter(doc) == doc[:-1] + entry("\t", "\t") + "\t"


def test_windows_line_endings():  # 5.3
    doc = HOST.replace("\n", "\r\n")
    assert add_backend_parameter(doc) == add_backend_parameter(HOST).replace("\n", "\r\n")


@pytest.mark.parametrize("mark", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028"])
def test_only_newlines_end_lines(mark):  # 5.3
    doc = HOST.replace("Another.", f"Another{mark}one.{mark}")
    assert add_backend_parameter(doc) == doc.replace(f"one.{mark}\n", f"one.{mark}\n" + entry())


def test_an_example_at_the_end_of_a_description_keeps_its_output():  # 4.10
    doc = "Sum.\n\nParameters\n----------\nx : int\n    As in\n\n    >>> 1\n    1\n\nReturns\n-------\nint\n"
    result = add_options(add_backend_parameter(doc), [PLAIN])
    assert result == add_options(doc, [PLAIN]).replace("    1\n\n", "    1\n\n" + entry() + "\n", 1)
    (example,) = doctest.DocTestParser().get_examples(result)
    assert example.want == "1\n"


@pytest.mark.parametrize("blank", ["", "  "])
def test_an_example_further_up_says_nothing_about_the_end(blank):  # As in scanpy's ``bbknn``.
    doc = f"Sum.\n\nParameters\n----------\nx : int\n    As in\n\n    >>> 1\n    1\n{blank}\n    and so on."
    result = add_backend_parameter(doc)
    assert result == doc + "\n" + entry().removesuffix("\n")
    assert add_backend_parameter(doc.replace("\n", "\r\n")) == result.replace("\n", "\r\n")


@pytest.mark.parametrize(
    "line", ["backend", "backend : str", "backend: str", "`backend` : str", "**backend** : x", "backend, y : str"]
)
def test_a_host_that_documents_backend_itself(line):
    doc = f"Sum.\n\nParameters\n----------\nx : int\n{line}\n    Ours."
    assert add_backend_parameter(doc) == doc


@pytest.mark.parametrize(
    "line", ["backend_options : dict", "x\n    backend : of what", "my_backend : str", "x\n    backend"]
)
def test_what_only_looks_like_backend(line):
    doc = f"Sum.\n\nParameters\n----------\n{line}\n"
    once = add_backend_parameter(doc)
    assert once == doc + entry()
    assert add_backend_parameter(once) == once


# --- Text that looks like a header ---------------------------------------------------------------------------------


def test_a_docstring_shown_in_a_code_block():
    shown = "Sum.\n\nWrite::\n\n    Parameters\n    ----------\n    y : int\n\n"
    doc = shown + "Parameters\n----------\nx : int\n\nReturns\n-------\nint\n"
    assert add_backend_parameter(doc) == doc.replace("\nx : int\n", "\nx : int\n" + entry())
    deeper = "Sum.\n\nParameters\n----------\nx : int\n    So:\n\n    Notes\n    -----\n    Text.\ny : int\n"
    assert add_backend_parameter(deeper) == deeper + entry()


@pytest.mark.parametrize(
    "text",
    [
        ">>> print(table)\nName\n----\nx\n",  # Printed.
        "=====\nA\n=====\nx\n=====\n",  # A table.
        "A  B\n=  =\n1  2\n",
        "+---+\n| A |\n+---+\n",
        "--\n",
        "\n----\n",  # A transition.
        "- a\n-----\n",
        "\n| x\n------\n",
        "\nxy\n--\n",  # Too short for a title nobody knows.
    ],
)
def test_dashes_that_are_no_header(text):
    doc = f"Sum.\n\n{text}\nReturns\n-------\nint\n"
    result = add_backend_parameter(doc)
    assert result == doc.replace("\nReturns\n", f"\nParameters\n----------\n{entry()}\nReturns\n")


def test_a_title_is_no_section():
    doc = "\nThe sum\n=======\n\nText."
    assert add_backend_parameter(doc) == f"{doc}\n\nParameters\n----------\n{entry()}".rstrip("\n")


# --- Docstrings without Parameters: 5.5 ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("doc", "before", "after"),
    [
        ("", "", ""),
        ("  \n", "", "\n  \n"),
        ("Sum.", "Sum.\n\n", "\n"),
        ("Sum.\n", "Sum.\n\n", "\n"),
        ("Sum.\n\nLonger\ntext.\n", "Sum.\n\nLonger\ntext.\n\n", "\n"),
        ("Sum.\n\nReturns\n-------\nint", "Sum.\n\n", "\n\nReturns\n-------\nint"),
        ("Sum.\n\nTheory\n======\nint", "Sum.\n\n", "\n\nTheory\n======\nint"),
        ("Sum.\nReturns\n-------\nint", "Sum.\n\n", "\n\nReturns\n-------\nint"),
        ("Returns\n-------\nint", "", "\n\nReturns\n-------\nint"),
        ("\n\nReturns\n-------\nint", "\n\n", "\n\nReturns\n-------\nint"),
    ],
)
@pytest.mark.filterwarnings("ignore:Unknown section Theory")
def test_a_section_is_made_where_numpydoc_puts_it(doc, before, after):  # 5.5
    result = add_backend_parameter(doc)
    assert result == before + f"Parameters\n----------\n{entry()}".rstrip("\n") + after
    assert numpydoc(result)[0] == ["backend"]


@pytest.mark.parametrize(
    ("doc", "start"),
    [
        ("Sum.\n    ", "Sum.\n\n    Parameters\n    ----------\n    backend"),
        ("\n    Sum.\n\n    More.\n    ", "\n    Sum.\n\n    More.\n\n    Parameters\n    ----------\n    backend"),
        ("Sum.\n\n    Returns\n    -------\n    int", "Sum.\n\n    Parameters\n    ----------\n    backend"),
        ("Returns\n    -------\n    int", "Parameters\n    ----------\n    backend"),
        ("\n    Returns\n    -------\n    int", "\n    Parameters\n    ----------\n    backend"),
    ],
)
def test_a_section_is_made_with_the_indentation_of_the_rest(doc, start):  # 5.3, 5.5
    result = add_backend_parameter(doc)
    assert result.startswith(start)
    assert numpydoc(result)[0] == ["backend"]
    assert all(line.startswith("    ") for line in result.split("\n")[1:] if line)


@pytest.mark.parametrize(
    "doc",
    [
        "Sum.\n\n:param x: A number.\n:returns: The sum.",
        "Sum.\n\n    :param int x: A number.\n    ",
        "Sum.\n\n:type x: int",
        "Sum.\n\n:rtype: int\n",
        "Sum.\n\n@param x: A number.",
        "Sum.\n\n# Arguments\n    x: A number.",
        "Sum.\n\n**Parameters**\n\nx: A number.",
        "Sum.\n\n**Parameters:**\n\nx: A number.",
        "Sum.\n\n.. rubric:: Parameters\n\nx: A number.",
        "Sum.\n\nArgs:\n- x: A number.",
        "Sum.\r\n\r\nParameters\r\n\r\nx : int",
        "Sum.\n\n:param x: A number.\n\nNotes\n-----\nText.",
    ],
)
def test_what_cannot_be_recognised_is_left_as_it_is(doc):  # 5.5
    assert add_backend_parameter(doc) == doc
    assert add_options(doc, [PLAIN]) == doc


# --- Google style: 5.5 ---------------------------------------------------------------------------------------------

GOOGLE_ENTRY = [
    "backend (str, sequence of str or None):",
    "    Which implementation runs: the name or an alias of an installed backend,",
]


@pytest.mark.parametrize("shape", [str, raw])
@pytest.mark.parametrize("title", ["Args", "Arguments", "Parameters", "Params"])
def test_google_entries_go_under_args(shape, title):  # 5.5
    doc = shape(GOOGLE.replace("Args", title))
    margin = "    " if shape is raw else ""
    result = add_options(add_backend_parameter(doc), [PLAIN, TYPED])
    before, after = doc.split("\n\n" + margin + "Returns", 1)
    assert result.startswith(before + "\n")
    assert result.endswith("\n\n" + margin + "Returns" + after)
    added = textwrap.dedent(result[len(before) + 1 : len(result) - len(after) - len("\n\nReturns" + margin)])
    lines = added.split("\n")
    assert lines[:2] == GOOGLE_ENTRY
    assert lines[-2:] == ["batch_size (my_backend): Backend batch size.", "tile (my_backend): int."]


@pytest.mark.parametrize(("head", "rest"), [("Sum.\n\n", "Raises:\n    E: If.\n"), ("", "Yields:\n    x\n")])
def test_args_is_made_before_the_other_google_sections(head, rest):  # 5.5
    result = add_backend_parameter(head + rest)
    assert result.startswith(head + "Args:\n    " + GOOGLE_ENTRY[0] + "\n    " + GOOGLE_ENTRY[1])
    assert result.endswith("``settings``.\n\n" + rest)


def test_empty_google_args():
    doc = "Sum.\n\nArgs:\n\nReturns:\n    x\n"
    assert add_options(doc, [PLAIN]) == doc.replace(
        "Args:\n", "Args:\n    batch_size (my_backend): Backend batch size.\n"
    )


def test_google_sections_shown_in_a_code_block():
    doc = "Sum.\n\nWrite::\n\n    Args:\n        y: B.\n\nArgs:\n    x: So:\n\n        Args:\n            z: C.\n"
    assert add_options(doc, [PLAIN]) == doc + "    batch_size (my_backend): Backend batch size.\n"
