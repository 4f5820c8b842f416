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
def test_other_parameters_is_made_right_after_parameters(shape):  # 5.2
    margin = "    " if shape is raw else ""
    result = add_options(shape(HOST), [PLAIN, TYPED])
    section = (
        "Other Parameters\n----------------\nbatch_size (my_backend)\n    Backend batch size.\n"
        "tile (my_backend) : int\n\n"
    )
    at = f"{margin}Returns\n"
    assert result == shape(HOST).replace(at, textwrap.indent(section, margin) + at)
    assert numpydoc(result) == (["x", "y"], ["batch_size (my_backend)", "tile (my_backend)"])


def test_a_section_made_before_a_header_that_lacks_its_blank_line():
    doc = "Sum.\n\nParameters\n----------\nReturns\n-------\nint\n"
    made = "\n\nOther Parameters\n----------------\ntile (my_backend) : int\n\n"
    assert add_options(doc, [TYPED]) == doc.replace("\nReturns", made + "Returns")


def test_options_come_last_in_other_parameters_wherever_it_is():  # 5.2
    doc = HOST + "\nOther Parameters\n----------------\nz : int\n\nExamples\n--------\n"
    assert add_options(doc, [TYPED]) == doc.replace("z : int\n", "z : int\ntile (my_backend) : int\n")


def test_options_keep_their_order_and_none_changes_nothing():  # 5.1, 5.2
    assert numpydoc(add_options(HOST, [TYPED, PLAIN]))[1] == ["tile (my_backend)", "batch_size (my_backend)"]
    assert add_options(HOST, []) == HOST


def test_options_of_a_docstring_without_parameters():  # 5.5
    assert add_options("Sum.", [TYPED]) == "Sum.\n\nOther Parameters\n----------------\ntile (my_backend) : int"


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
    assert result[result.index("n (a") : result.index("\n\nReturns")].split("\n") == expected
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


def test_only_the_very_entry_counts_as_there():
    short = Option("tile", (Offer("my_backend", None, (), None),))
    for there in (TYPED, Option("tile", (Offer("my_backend", None, ("More.",), None),))):
        doc = add_options(HOST, [there])
        assert numpydoc(add_options(doc, [short]))[1] == ["tile (my_backend)"] * 2
    doc = add_options(HOST, [Option("tile", (Offer("my_backend", None, ("More.",), None),)), short])
    assert add_options(doc, [short]) == doc


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
