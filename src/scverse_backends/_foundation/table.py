"""Tables for people: aligned text for terminals, self-contained HTML for notebooks.

One look for all of them: a title, what it is about, aligned columns, sentences below. A row to look at is marked.
Numbers stand on the right and in one piece; names, which people type or copy, are never broken.
"""

from __future__ import annotations

from operator import gt, sub

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

WIDTH = 100
"""The most columns of text, even in a wider terminal, since longer lines are hard to read."""

_LEAST_WIDTH = 20
_GAP = "  "
_INDENT = "    "
_DEEPER = "  "
_MARK = "! "
_NARROW = 14
_LONGEST_DETAIL = 1000
_TOGETHER = "\N{NO-BREAK SPACE}"

# Colours are taken from the notebook's own text, so that the table reads in light and dark themes alike. What notebooks
# and documentation themes say about tables is overruled where it would stripe, centre or squeeze this one.
_LINE = "1px solid rgba(128,128,128,0.35)"
_PLAIN = "color:inherit;background:transparent;border:none"
_MARKED = "color:inherit;background:rgba(240,140,0,0.14);border:none"
_STYLE = f"{_PLAIN};border-collapse:collapse;table-layout:auto;width:auto;margin:0.3em 0;font-size:90%;line-height:1.4"
_CELL = "color:inherit;background:transparent;border:none;vertical-align:top;padding:0.25em 1.2em 0.25em 0.3em"
_TEXT = "text-align:left;max-width:36em;white-space:normal;overflow-wrap:anywhere"
_NAME = "text-align:left;max-width:36em;white-space:normal;overflow-wrap:normal;word-break:normal;hyphens:none"
_NUMBER = "text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums"
_SHORT = 20
_PATH = "font-family:monospace;white-space:nowrap"
_SMALL = "font-size:90%;opacity:0.8"
# The text fills the table, and does not make it wider.
_DETAIL = "width:0;min-width:100%;box-sizing:border-box;opacity:0.8"


def width() -> int:
    """Return how wide text may be: as wide as the terminal or ``COLUMNS``, and never more than `WIDTH`."""
    from shutil import get_terminal_size  # Only who prints a table pays for this import.

    return max(_LEAST_WIDTH, min(WIDTH, get_terminal_size((WIDTH, 24)).columns))


class Row:
    """The cells of one line, and `detail`, which is too long for any of them: it stands below, across all columns.

    `path` is what the detail speaks of. It stands before it, in one piece, since people copy it. `mark` says that this
    is a row to look at, and `depth` how far its first cell is moved to the right.
    """

    __slots__ = ("cells", "depth", "detail", "mark", "path")

    def __init__(
        self, cells: Sequence[str], detail: str = "", *, path: str = "", mark: bool = False, depth: int = 0
    ) -> None:
        self.cells: tuple[str, ...] = tuple(map(_shown, cells))
        detail = _shown(detail)
        self.detail: str = detail if len(detail) <= _LONGEST_DETAIL else detail[: _LONGEST_DETAIL - 1] + "…"
        self.path: str = _shown(path)
        self.mark = mark
        self.depth = depth


class Table:
    """A title with sentences about it, rows of text under headers, and notes below.

    `numbers` are the headers of columns that are aligned to the right, and whose cells are never broken; `names` those
    of columns whose words are never broken.
    """

    __slots__ = ("_about", "_headers", "_kinds", "_notes", "_rows", "_title")

    def __init__(
        self,
        title: str,
        headers: Sequence[str],
        rows: Iterable[Row],
        *,
        about: Iterable[str] = (),
        notes: Iterable[str] = (),
        numbers: Sequence[str] = (),
        names: Sequence[str] = (),
    ) -> None:
        rows = list(rows)
        # Empty columns are left out.
        used = [index for index in range(len(headers)) if not index or any(row.cells[index] for row in rows)]
        self._title = _shown(title)
        self._about = list(map(_shown, about))
        self._headers = [headers[index] for index in used]
        self._rows = [([row.cells[index] for index in used], row) for row in rows]
        self._notes = list(map(_shown, notes))
        kinds = {**dict.fromkeys(names, _NAME), **dict.fromkeys(numbers, _NUMBER)}
        self._kinds = [kinds.get(header, _TEXT) for header in self._headers]

    # -- text ----------------------------------------------------------------------------------------------------------

    def text(self) -> str:
        """Return the table as aligned lines. Long cells take several."""
        whole = width()
        above = [line for text in (self._title, *self._about) for line in _wrapped(text, whole)]
        below = [line for note in self._notes for line in _wrapped(note, whole)]
        if not self._rows:
            return "\n".join([*above, *below])
        gutter = _MARK if any(row.mark for _, row in self._rows) else ""
        widths = self._widths(whole - len(gutter))
        lines = self._grid(widths, gutter, whole) if widths else self._blocks(gutter, whole)
        return "\n".join([*above, "", *lines, *([""] if below else []), *below])

    def _widths(self, room: int) -> list[int]:
        """Return how wide each column is: as its contents, or less where these do not fit. Empty where nothing fits."""
        columns = list(zip(self._headers, *(self._indented(cells, row) for cells, row in self._rows), strict=True))
        widths = [max(map(_width, column)) for column in columns]
        floors = [_floors(*column) for column in zip(columns, widths, self._kinds, strict=True)]
        room -= len(_GAP) * (len(widths) - 1)
        for floor in zip(*floors, strict=True):
            while sum(widths) > room and any(map(gt, widths, floor)):
                spare = list(map(sub, widths, floor))
                widths[spare.index(max(spare))] -= 1
        return widths if sum(widths) <= room else []

    @staticmethod
    def _indented(cells: Sequence[str], row: Row) -> list[str]:
        return [_DEEPER * row.depth + cells[0], *cells[1:]]

    def _grid(self, widths: Sequence[int], gutter: str, whole: int) -> list[str]:
        blank = " " * len(gutter)
        lines = [blank + line for line in self._laid_out(self._headers, widths)]
        lines.append(blank + _GAP.join("-" * width for width in widths))
        for cells, row in self._rows:
            laid_out = self._laid_out(cells, widths, row.depth)
            lines += [(gutter if row.mark and not number else blank) + line for number, line in enumerate(laid_out)]
            lines += _detail(row, blank, whole)
        return lines

    def _laid_out(self, cells: Sequence[str], widths: Sequence[int], depth: int = 0) -> list[str]:
        margin = _DEEPER * depth
        room = [max(widths[0] - len(margin), 1), *widths[1:]]
        wrapped = [
            _wrapped(cell, width, can_break=kind is _TEXT)
            for cell, width, kind in zip(cells, room, self._kinds, strict=True)
        ]
        wrapped[0] = [margin + line for line in wrapped[0]]
        lines: list[str] = []
        for number in range(max(1, *map(len, wrapped))):
            line = (column[number] if number < len(column) else "" for column in wrapped)
            padded: list[str] = []
            for part, width, kind in zip(line, widths, self._kinds, strict=True):
                blank = " " * (width - _width(part))
                padded.append(blank + part if kind is _NUMBER else part + blank)
            lines.append(_GAP.join(padded).rstrip())
        return lines

    def _blocks(self, gutter: str, whole: int) -> list[str]:
        """Return the rows one below the other, where the columns have no room side by side."""
        blank = " " * len(gutter)
        label = max(map(len, self._headers))
        lines: list[str] = []
        for cells, row in self._rows:
            lines.append("-" * whole)
            for number, (header, cell, kind) in enumerate(zip(self._headers, cells, self._kinds, strict=True)):
                margin = (gutter if row.mark and not number else blank) + header.ljust(label) + _GAP
                room = max(whole - len(margin), _LEAST_WIDTH // 2)
                for line in [cell] if kind is _NUMBER and cell else _wrapped(cell, room, can_break=kind is _TEXT):
                    lines.append(margin + line)
                    margin = " " * len(margin)
            lines += _detail(row, blank, whole)
        lines.append("-" * whole)
        return lines

    # -- HTML ----------------------------------------------------------------------------------------------------------

    def html(self) -> str:
        """Return the table as HTML; every text is escaped, since names and errors are foreign."""
        from html import escape  # Only a notebook pays for this import.

        parts = [f'<div style="color:inherit;overflow-x:auto"><div><strong>{escape(self._title)}</strong></div>']
        parts += (f'<div style="{_SMALL}">{escape(text)}</div>' for text in self._about)
        if self._rows:
            header = self._html_row("th", self._headers, _PLAIN, _LINE)
            parts.append(f'<table style="{_STYLE}"><thead>{header}</thead><tbody>')
            for cells, row in self._rows:
                style = _MARKED if row.mark else _PLAIN
                detail = escape(row.detail)
                if row.path:
                    detail = f'<span style="{_PATH}">{escape(row.path)}</span>' + (f": {detail}" if detail else "")
                parts.append(self._html_row("td", cells, style, "none" if detail else _LINE, row.depth))
                if detail:
                    parts.append(
                        f'<tr style="{style};border-bottom:{_LINE}"><td colspan="{len(cells)}" style="{_CELL};'
                        f'text-align:left;padding-top:0"><div style="{_DETAIL};padding-left:{_em(row.depth + 1)}">'
                        f"{detail}</div></td></tr>"
                    )
            parts.append("</tbody></table>")
        parts += (f'<div style="font-size:90%">{escape(note)}</div>' for note in self._notes)
        return "".join(parts) + "</div>"

    def _html_row(self, tag: str, cells: Sequence[str], style: str, border: str, depth: int = 0) -> str:
        from html import escape

        inside = ""
        for number, (cell, kind) in enumerate(zip(cells, self._kinds, strict=True)):
            # In a narrow browser, long cells are broken and short ones are not.
            look = f"{_CELL};{kind}" + (";white-space:nowrap" if len(cell) <= _SHORT else "")
            if depth and not number:
                look += f";padding-left:{_em(depth)}"
            inside += f'<{tag} style="{look}">{escape(cell)}</{tag}>'
        return f'<tr style="{style};border-bottom:{border}">{inside}</tr>'


def _floors(column: Sequence[str], width: int, kind: str) -> tuple[int, int, int]:
    """Return how narrow a column may become at the first, second and last attempt. Only the last breaks words."""
    # A row that stands deeper does so in each of its lines.
    words = (len(cell) - len(cell.lstrip(" ")) + _width(word) for cell in column for word in _words(cell))
    word = width if kind is _NUMBER else max(words, default=0)
    return max(word, min(width, _NARROW)), word, min(word, _NARROW) if kind is _TEXT else word


def _em(depth: int) -> str:
    return f"{0.3 + 1.2 * depth:.1f}em"


def _detail(row: Row, blank: str, whole: int) -> list[str]:
    margin = blank + _DEEPER * row.depth + _INDENT
    # The path stays in one piece.
    path = row.path.replace(" ", _TOGETHER)
    text = f"{path}: {row.detail}" if path and row.detail else path or row.detail
    return [margin + line for line in _wrapped(text, whole - len(margin))]


def _wrapped(text: str, width: int, *, can_break: bool = False) -> list[str]:
    """Return text in lines. A word that is longer than a line is broken only if that is allowed."""
    lines: list[str] = []
    line = ""
    for word in _words(text):
        joined = f"{line} {word}" if line else word
        if _width(joined) <= width:
            line = joined
            continue
        if line:
            lines.append(line)
        while can_break and _width(word) > width:
            end = next(end for end in range(len(word), 0, -1) if end == 1 or _width(word[:end]) <= width)
            lines.append(word[:end])
            word = word[end:]  # noqa: PLW2901 - what is left of it.
        line = word
    return [*lines, line] if line else lines


def _words(text: str) -> list[str]:
    """Return the words of a text. A command that people copy counts as one."""
    commands = text.replace("pip install ", f"pip{_TOGETHER}install{_TOGETHER}")
    return [word.replace(_TOGETHER, " ") for word in commands.split(" ") if word]


def _width(text: str) -> int:
    """Return how many columns of a terminal a text takes: East Asian letters take two, accents none."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(one) else 2 if east_asian_width(one) in {"W", "F"} else 1 for one in text)


def _shown(text: str) -> str:
    """Return foreign text on one line, with what would control a terminal made visible."""
    joined = " ".join(text.split())
    if joined.isprintable():
        return joined
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in joined)
