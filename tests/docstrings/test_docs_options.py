"""Options of backends in docstrings, splicing twice, renaming (rules 5.1, 5.2, and the docstring's part of 4.1)."""

from __future__ import annotations

import copy
import pickle
import textwrap

import pytest
from docstrings import GOOGLE, HOST, PLAIN, TYPED, numpydoc, raw

from scverse_backends._docstrings.splice import Offer, Option, add_backend_parameter, add_options, rename_parameter

# --- Options: 5.2 --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [str, raw])
def test_other_parameters_is_made_after_what_is_returned(shape):  # 5.2
    margin = "    " if shape is raw else ""
    result = add_options(shape(HOST), [PLAIN, TYPED])
    section = (
        "Other Parameters\n----------------\nbatch_size (my_backend)\n    Backend batch size.\n"
        "tile (my_backend) : int\n\n"
    )
    at = f"{margin}Notes\n"
    assert result == shape(HOST).replace(at, textwrap.indent(section, margin) + at)
    assert numpydoc(result) == (["x", "y"], ["batch_size (my_backend)", "tile (my_backend)"])


# Sections, and after how many of them numpydoc has the other parameters.
ORDERS = [
    (["Parameters"], 1),
    (["Parameters", "Raises"], 1),
    (["Parameters", "Returns", "Raises", "Warns", "See Also", "Notes", "References", "Examples"], 2),
    (["Parameters", "Yields", "Raises"], 2),
    (["Parameters", "Yields", "Receives", "Warnings"], 3),
    (["Parameters", "Returns", "Yields", "Notes"], 3),
    (["Parameters", "Attributes", "Methods", "Notes"], 3),
    (["Parameters", "Attributes", "Returns", "See Also"], 3),
    (["Parameters", "Notes", "Attributes"], 1),
    (["Parameters", "Notes", "Returns", "Examples"], 3),
    (["Parameters", "Theory", "Returns", "Notes"], 3),
    (["Parameters", "Theory", "Notes"], 1),
    (["Returns", "Notes"], 1),
    (["Attributes", "Examples"], 1),
    (["Notes", "Parameters", "Examples"], 2),
    (["Raises", "Notes"], 0),
    (["Notes"], 0),
]


@pytest.mark.parametrize(("titles", "after"), ORDERS)
@pytest.mark.parametrize("shape", [str, raw])
def test_where_other_parameters_is_made(titles, after, shape):  # 5.2, 5.5
    made = ["Other Parameters\n----------------\ntile (my_backend) : int\n"]
    parts = [f"{title}\n{'-' * len(title)}\nx : int\n    Text.\n" for title in titles]
    doc, expected = ("\n".join(["Sum.\n", *some]) for some in (parts, [*parts[:after], *made, *parts[after:]]))
    assert add_options(shape(doc), [TYPED]) == shape(expected)


def test_a_section_made_before_a_header_that_lacks_its_blank_line():
    doc = "Sum.\n\nParameters\n----------\nReturns\n-------\nint\nRaises\n------\nE\n"
    made = "\n\nOther Parameters\n----------------\ntile (my_backend) : int\n\n"
    assert add_options(doc, [TYPED]) == doc.replace("\nRaises", made + "Raises")


def test_options_come_before_what_the_signature_has_behind_them():  # 5.2
    other = "\nOther Parameters\n----------------\nz : int\n%s"
    for last in ("backend : str\n", "**kwargs\n", "backend : str\n**kwargs\n"):
        doc = HOST + other % last
        assert add_options(doc, [TYPED]) == HOST + other % ("tile (my_backend) : int\n" + last)
    both = add_options(add_backend_parameter(HOST + other % ""), [TYPED])
    assert numpydoc(both)[1] == ["z", "tile (my_backend)", "backend"]


def test_options_come_last_in_other_parameters_wherever_it_is():  # 5.2
    doc = HOST + "\nOther Parameters\n----------------\nz : int\n\nExamples\n--------\n"
    assert add_options(doc, [TYPED]) == doc.replace("z : int\n", "z : int\ntile (my_backend) : int\n")


def test_options_keep_their_order_and_none_changes_nothing():  # 5.1, 5.2
    assert numpydoc(add_options(HOST, [TYPED, PLAIN]))[1] == ["tile (my_backend)", "batch_size (my_backend)"]
    assert add_options(HOST, []) == HOST


def test_options_of_a_docstring_without_parameters():  # 5.5
    assert add_options("Sum.", [TYPED]) == "Sum.\n\nOther Parameters\n----------------\ntile (my_backend) : int\n"


def two(first, second):
    return Option("n", (Offer("a", *first), Offer("b", *second)))


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        (two(("int", ("D.",), "3"), ("int", ("D.",), "3")), ["n (a, b) : int", "    D."]),
        (two((None, (), "3"), (None, (), "3")), ["n (a, b)"]),
        (
            two(("int", ("D.",), "3"), ("int", ("D.",), "4")),
            ["n (a, b) : int", "    D.", "", "    - a: default ``3``", "    - b: default ``4``"],
        ),
        (
            two(("int", (), "3"), ("float", (), None)),
            ["n (a, b)", "    - a: int, default ``3``", "    - b: float, no default"],
        ),
        (
            two(("int", ("D.",), "3"), (None, ("D.",), "3")),
            ["n (a, b)", "    D.", "", "    - a: int", "    - b: any type"],
        ),
        (
            two(("int", ("D.", "", "E."), "3"), ("int", (), "3")),
            ["n (a, b) : int", "    a", "        D.", "", "        E.", "", "    b", "        Not documented."],
        ),
        (
            two(("int", ("D.",), "3"), ("str", ("E.",), "'x'")),
            ["n (a, b)", "    a (int, default ``3``)", "        D.", "", "    b (str, default ``'x'``)", "        E."],
        ),
        (Option("n", (Offer("a", "int\n or  str", ("D.", "", "    code"), "3"),)), None),
    ],
)
def test_what_backends_disagree_about_is_given_with_its_provider(option, expected):  # 5.2
    expected = expected or ["n (a) : int or str", "    D.", "", "        code"]
    result = add_options(HOST, [option])
    assert result[result.index("n (a") : result.index("\n\nNotes")].split("\n") == expected
    assert numpydoc(result)[1] == [expected[0].split(" : ")[0]]


def test_backends_that_disagree_in_google_style():  # 5.2, 5.5
    result = add_options(GOOGLE, [two(("int", ("D.",), "3"), ("int", ("E.",), "3"))])
    expected = "    n (a, b): int.\n        a\n            D.\n\n        b\n            E.\n"
    # The type stands in the head, so that the list below it stays a list.
    assert result == GOOGLE.replace("    y: Another.\n", "    y: Another.\n" + expected)


def test_a_default_may_print_on_several_lines():
    result = add_options(HOST, [two((None, (), "array([1,\n       2])"), (None, (), None))])
    assert "    - a: default ``array([1, 2])``\n    - b: no default\n" in result


def test_dashes_that_begin_a_description_underline_nothing():
    doc = "Sum.\n\nOther Parameters\n----------------\ny\n\nz\n"
    result = add_options(doc, [Option("n", (Offer("p", None, ("-----", "D."), None),))])
    assert numpydoc(result)[1] == ["y", "z", "n (p)"]
    assert result.endswith("n (p)\n\n    -----\n    D.\n")


def test_a_description_never_ends_the_section():
    body = ("D.", "", "Notes", "-----", "E.", "", "", ".. index:: x", "", "a", "- b")
    result = add_options(HOST, [Option("n", (Offer("p", None, body, None),)), TYPED])
    assert numpydoc(result)[1] == ["n (p)", "tile (my_backend)"]
    for line in body:
        assert line in result


# --- Splicing twice ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("doc", ["", " \n", "Sum.", HOST, raw(HOST), GOOGLE, raw(GOOGLE), HOST.replace("\n", "\r\n")])
def test_adding_again_changes_nothing(doc):  # 5.1
    once = add_backend_parameter(doc)
    assert once != doc
    assert add_backend_parameter(once) == once
    options = [PLAIN, TYPED, two(("int", ("D.",), "3"), ("int", ("E.", "", "F."), "3"))]
    merged = add_options(once, options)
    assert merged != once
    assert add_options(merged, options) == merged
    for option in options:
        assert add_options(merged, [option]) == merged


@pytest.mark.parametrize(
    "line", ["tile", "tile : int", "tile: int", "`tile` : int", "tile, y : int", "y, tile", "tile (other)", "**tile"]
)
@pytest.mark.parametrize("title", ["Parameters", "Other Parameters"])
@pytest.mark.parametrize("shape", [str, raw])
def test_what_the_host_documents_gets_no_second_entry(line, title, shape):  # 5.8
    doc = shape(f"Sum.\n\n{title}\n{'-' * len(title)}\nx : int\n{line}\n    Given on to somebody.\n")
    assert add_options(doc, [TYPED]) == doc
    result = add_options(doc, [PLAIN, TYPED])
    assert result == add_options(doc, [PLAIN]) != doc


def test_what_the_host_documents_in_google_style_gets_no_second_entry():  # 5.5, 5.8
    doc = GOOGLE.replace("    y: Another.\n", "    tile (int): Another.\n")
    assert add_options(doc, [TYPED]) == doc


@pytest.mark.parametrize("text", ["tile is no entry", "x\n    tile : int", "tiles : int", "A tile."])
def test_what_only_mentions_an_option_does_not_document_it(text):  # 5.8
    doc = f"Sum.\n\nParameters\n----------\n{text}\n\nReturns\n-------\ntile : int\n    A tile.\n"
    assert "tile (my_backend) : int" in add_options(doc, [TYPED])


# --- Renaming: 4.1 -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "renamed"),
    [
        ("backend", "b2"),
        ("backend : {'backend'}", "b2 : {'backend'}"),
        ("backend: str", "b2: str"),
        ("x, backend : str", "x, b2 : str"),
        ("`backend` : str", "`b2` : str"),
        ("**backend", "**b2"),
    ],
)
@pytest.mark.parametrize("title", ["Parameters", "Other Parameters"])
@pytest.mark.parametrize("shape", [str, raw])
def test_renaming_replaces_one_name_on_one_line(line, renamed, title, shape):  # 4.1
    text = f"A backend.\n\n{title}\n------------------\nmy_backend : backend\n    The backend.\n%s\n    The backend.\n"
    assert rename_parameter(shape(text % line), "backend", "b2") == shape(text % renamed)


def test_renaming_in_other_styles():  # 4.1
    doc = "A backend.\n\nArgs:\n    x: A backend.\n    %s (str): The backend.\n"
    assert rename_parameter(doc % "backend", "backend", "b2") == doc % "b2"
    doc = "A backend.\n\n:param x: A backend.\n:param str %s: The backend.\n:param backends: Others."
    assert rename_parameter(doc % "backend", "backend", "b2") == doc % "b2"
    plain = "A backend.\n\n:param %s: The backend: it runs."
    assert rename_parameter(plain % "backend", "backend", "b2") == plain % "b2"


@pytest.mark.parametrize(
    "doc",
    ["", "The backend.", HOST, GOOGLE, "Sum.\n\nParameters\n----------\n- backend\n", "Returns\n-------\nbackend"],
)
def test_renaming_what_is_not_documented(doc):  # 4.1
    assert rename_parameter(doc, "backend", "b2") == doc


# --- Records -------------------------------------------------------------------------------------------------------


def test_records_are_values():
    offer = Offer(provider="a", type="int", description=("D.",), default=None)
    option = Option(name="n", offers=(offer,))
    assert repr(option) == (
        "Option(name='n', offers=(Offer(provider='a', type='int', description=('D.',), default=None),))"
    )
    for twin in (copy.deepcopy(option), pickle.loads(pickle.dumps(option)), Option("n", (offer,))):
        assert twin == option
        assert hash(twin) == hash(option)
    assert option != Option("m", (offer,))
    assert option != "n"
    with pytest.raises(AttributeError, match="Option is immutable"):
        option.name = "m"
    with pytest.raises(AttributeError, match="Offer is immutable"):
        del offer.type
