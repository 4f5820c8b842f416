"""Tables for people (7.1, 7.3): aligned text that fits a terminal, HTML that fits any notebook."""

from __future__ import annotations

import os
import re
import unicodedata
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scverse_backends._foundation.table import WIDTH, Row, Table, width

VOID = {"br"}


class Parser(HTMLParser):
    """Checks that tags nest, and collects the text, the tags and their styles."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.words, self.attributes = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def parsed(table):
    parser = Parser()
    parser.feed(table.html())
    parser.close()
    assert parser.open == []
    return parser


def test_columns_are_aligned_and_numbers_to_the_right():
    rows = [Row(("a", "1.5 s", "x")), Row(("long name", "10.25 s", "y"))]
    table = Table("Title", ("name", "seconds", "last"), rows, notes=["A note."], numbers=["seconds"])
    assert table.text().splitlines() == [
        "Title",
        "",
        "name       seconds  last",
        "---------  -------  ----",
        "a            1.5 s  x",
        "long name  10.25 s  y",
        "",
        "A note.",
    ]


def test_a_column_in_which_nothing_stands_is_left_out():
    table = Table("Title", ("name", "aliases"), [Row(("a", "")), Row(("b", ""))])
    assert "aliases" not in table.text()
    assert "aliases" not in table.html()


def test_without_rows_there_are_only_words():
    table = Table("Nothing here", ("name",), [], notes=["Install something."])
    assert table.text() == "Nothing here\nInstall something."
    assert "<table" not in table.html()
    assert parsed(table).words == ["Nothing here", "Install something."]


def test_details_stand_below_their_row():
    table = Table("T", ("name", "state"), [Row(("a", "failed"), "no driver " * 30), Row(("b", "fine"))])
    lines = table.text().splitlines()
    assert lines[4] == "a     failed"
    assert lines[5].startswith("    no driver no driver")
    assert lines[-1] == "b     fine"
    assert max(map(len, lines)) <= WIDTH
    assert "colspan" in table.html()
    assert "no driver" in table.html()


def test_short_cells_are_not_broken_for_the_sake_of_long_ones():
    functions = ", ".join(f"function_number_{i}" for i in range(20))
    table = Table("T", ("name", "state", "functions"), [Row(("x" * 60, "not installed", functions))])
    text = table.text()
    assert "not installed" in text
    assert max(map(len, text.splitlines())) <= WIDTH
    # Words stay whole as long as there is room for them.
    assert all(f"function_number_{i}" in text for i in range(20))


@pytest.mark.parametrize(("spare", "lines"), [(0, 1), (1, 2)])
def test_columns_are_broken_only_where_the_line_is_full(spare, lines):
    # Between two columns stand two blanks.
    sentence = "a " * 24 + "a"
    other = "b " * 24 + "b" * spare
    assert len(sentence) + 2 + len(other) == WIDTH - 1 + spare
    table = Table("T", ("one", "two"), [Row((sentence, other + "b"))])
    assert len(table.text().splitlines()) == 4 + lines


@pytest.mark.parametrize(("letters", "below"), [(45, False), (46, True)])
def test_a_deeper_row_has_room_for_its_margin(letters, below):
    rows = [Row(("x", "b" * 48, "c" * letters)), Row(("y", "", ""), depth=1)]
    lines = Table("T", ("n", "one", "two"), rows, names=["one", "two"]).text().splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert (lines[2] == "-" * WIDTH) is below


@pytest.mark.parametrize(("letters", "below"), [(49, False), (50, True)])
def test_names_stand_side_by_side_as_long_as_they_fit(letters, below):
    table = Table("T", ("one", "two"), [Row(("a" * 49, "b" * letters))], names=["one", "two"])
    assert (table.text().splitlines()[2] == "-" * WIDTH) is below


def test_what_has_no_room_as_a_whole_is_broken_and_not_cut():
    cells = tuple(letter * 128 for letter in "abcdef")
    lines = Table("T", tuple("123456"), [Row(cells)]).text().splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert all("".join(lines).count(letter) == 128 for letter in "abcdef")


def test_columns_that_have_no_room_side_by_side_stand_below_each_other():
    rows = [Row(("a" * 60, "b" * 60, "7"), "why", mark=True), Row(("c", "", ""))]
    table = Table("T", ("name", "other", "n"), rows, names=["name", "other"], numbers=["n"])
    assert table.text().splitlines() == [
        "T",
        "",
        "-" * 100,
        "! name   " + "a" * 60,
        "  other  " + "b" * 60,
        "  n      7",
        "      why",
        "-" * 100,
        "  name   c",
        "-" * 100,
    ]


def test_a_row_to_look_at_is_marked():
    rows = [Row(("a",)), Row(("b b b",), mark=True)]
    assert Table("T", ("name",), rows).text().splitlines() == ["T", "", "  name", "  -----", "  a", "! b b b"]
    assert Table("T", ("name",), rows).html().count("rgba(240,140,0,0.14)") == 1


def test_rows_may_stand_deeper():
    rows = [Row(("outer", "x")), Row(("inner", "y"), "why", depth=1), Row(("leaf", "z"), depth=2)]
    assert Table("T", ("name", "n"), rows).text().splitlines() == [
        "T",
        "",
        "name      n",
        "--------  -",
        "outer     x",
        "  inner   y",
        "      why",
        "    leaf  z",
    ]
    assert "padding-left:2.7em" in Table("T", ("name", "n"), rows).html()


@pytest.mark.parametrize(
    ("columns", "expected"), [("80", 80), ("200", 100), ("5", 20), ("nonsense", 100), ("0", 100), (None, 100)]
)
def test_the_width_is_that_of_the_terminal_and_not_more_than_can_be_read(monkeypatch, columns, expected):
    monkeypatch.delenv("COLUMNS", raising=False)
    if columns is not None:
        monkeypatch.setenv("COLUMNS", columns)
    # Whatever runs the tests: this is no terminal.
    monkeypatch.setattr(os, "get_terminal_size", lambda *_: (_ for _ in ()).throw(OSError))
    assert width() == expected
    text = Table("T", ("a",), [Row(("word " * 60,))]).text()
    assert max(map(len, text.splitlines())) <= expected


def test_a_path_stands_in_one_piece():
    path = f"adata.uns['{'a b' * 30}'][2, 1]"
    rows = [Row(("a",), "too far " * 20, path=path), Row(("b",), path="x[1, 2]")]
    table = Table("T", ("name",), rows)
    assert f"    {path}:" in table.text().splitlines()
    assert table.text().splitlines()[-1] == "    x[1, 2]"
    assert ">x[1, 2]</span></div>" in table.html()
    assert ">x[1, 2]</span>" in table.html()


def test_commands_to_copy_stand_in_one_line():
    text = Table("T", ("a",), [], notes=[f"{'word ' * 18}pip install some-package and more"]).text()
    assert "pip install some-package" in text.splitlines()[-1]


def test_what_it_is_about_stands_below_the_title():
    table = Table("Title", ("name",), [Row(("a",))], about=["About it."], notes=["A note."])
    assert table.text().splitlines() == ["Title", "About it.", "", "name", "----", "a", "", "A note."]
    assert parsed(table).words == ["Title", "About it.", "name", "a", "A note."]


def test_letters_that_are_wider_are_counted_so():
    table = Table("T", ("name", "n"), [Row(("细胞类型", "1")), Row(("e\u0301", "2")), Row(("longer one", "3"))])
    assert table.text().splitlines()[4:] == ["细胞类型    1", "e\u0301           2", "longer one  3"]


def test_an_endless_detail_ends():
    text = Table("T", ("name",), [Row(("a",), "x" * 100_000)]).text()
    assert len(text) < 1200
    assert text.endswith("…")


def test_what_would_control_a_terminal_is_shown_instead():
    text = Table("T", ("name",), [Row(("\x1b[31mred\x07",), "two\nlines \ud800")]).text()
    assert all(line.isprintable() for line in text.splitlines())
    assert r"\x1b[31mred\x07" in text
    assert r"two lines \ud800" in text


def test_html_is_escaped_and_needs_nothing_else():  # 7.1
    evil = "<script>alert('x')</script>\"&"
    table = Table(evil, ("name", "n"), [Row((evil, "1"), evil)], notes=[evil], numbers=["n"])
    parser = parsed(table)
    assert "script" not in parser.tags
    assert "".join(parser.words).count(evil) == 4
    names = {name for name, _ in parser.attributes}
    assert names <= {"style", "colspan"}
    assert "url(" not in table.html()


def test_html_takes_its_colours_from_the_page():  # 7.1: readable in light and dark notebooks
    html = Table("T", ("name",), [Row(("a",), "why")]).html()
    assert "color:inherit" in html
    assert "background:transparent" in html
    # All that is not the page's own is so transparent that either page shines through.
    assert set(re.findall(r"#[0-9a-f]{3,6}|rgba?\([^)]*\)", html)) == {"rgba(128,128,128,0.35)"}


def columns_of(line):
    """Return how many columns of a terminal a line takes, by the rules of Unicode."""
    letters = [one for one in line if not unicodedata.combining(one)]
    return len(letters) + sum(unicodedata.east_asian_width(one) in {"W", "F"} for one in letters)


@given(
    rows=st.lists(st.tuples(st.text(), st.text(), st.text(), st.text(), st.booleans(), st.integers(0, 3)), max_size=5),
    columns=st.integers(1, 200),
)
def test_any_text_gives_lines_that_fit_and_html_that_nests(rows, columns):
    made = [Row(cells, detail, mark=mark, depth=depth) for *cells, detail, mark, depth in rows]
    table = Table("T", ("a", "b", "c"), made, names=["b"], numbers=["c"], about=["About."], notes=["Note."])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(columns))
        lines = table.text().splitlines()
    # What stands in one piece may be longer than a line; nothing else is.
    whole = [word for row in rows for cell in row[:4] for word in shown(cell).split()] + [shown(row[2]) for row in rows]
    longest = max(map(columns_of, whole), default=0)
    for line in lines:
        assert columns_of(line) <= max(20, min(columns, WIDTH)) or longest + 20 >= columns_of(line)
        assert line.isprintable()
    parsed(table)


def shown(text):
    joined = " ".join(text.split())
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in joined)


WORDS = st.text("abcxyz_.'[]()0123456789é中", min_size=1, max_size=40)


@given(
    rows=st.lists(st.tuples(st.lists(WORDS, min_size=1, max_size=5), WORDS, st.floats()), min_size=1, max_size=5),
    columns=st.integers(20, 120),
)
def test_names_and_numbers_stand_in_one_piece(rows, columns):
    made = [Row((", ".join(names), text, f"{number:.3g} ms")) for names, text, number in rows]
    table = Table("T", ("functions", "why", "time"), made, names=["functions"], numbers=["time"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(columns))
        text = table.text()
    for names, _, number in rows:
        assert all(name in text for name in names)
        assert f"{number:.3g} ms" in text
