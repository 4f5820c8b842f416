"""Tables for people (7.1, 7.3): aligned text that fits a terminal, HTML that fits any notebook."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from scverse_backends._foundation.table import WIDTH, Row, Table

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
        "name       seconds  last",
        "---------  -------  ----",
        "a            1.5 s  x",
        "long name  10.25 s  y",
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
    assert lines[3] == "a     failed"
    assert lines[4].startswith("    no driver no driver")
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


def test_what_has_no_room_as_a_whole_is_broken_and_not_cut():
    cells = tuple(letter * 128 for letter in "abcdef")
    lines = Table("T", tuple("123456"), [Row(cells)]).text().splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert all("".join(lines).count(letter) == 128 for letter in "abcdef")


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
    assert set(re.findall(r"#[0-9a-f]{3,6}|rgba?\([^)]*\)", html)) == {"rgba(128,128,128,0.35)"}


@given(rows=st.lists(st.tuples(st.text(), st.text(), st.text(), st.text()), max_size=5))
def test_any_text_gives_lines_that_fit_and_html_that_nests(rows):
    table = Table("T", ("a", "b", "c"), [Row(cells, detail) for *cells, detail in rows])
    for line in table.text().splitlines():
        assert len(line) <= WIDTH
        assert line.isprintable()
    parsed(table)
