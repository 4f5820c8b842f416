"""Tables for people: aligned text for terminals, self-contained HTML for notebooks."""

from __future__ import annotations

from operator import gt, sub

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

WIDTH = 100
"""Columns of a terminal that text is laid out for. Fixed, so that what is printed is the same in a log file."""

_GAP = "  "
_INDENT = "    "
_NARROW = 14
_LONGEST_DETAIL = 1000

# Colours are taken from the notebook's own text, so that the table reads in light and dark themes alike. What notebooks
# and documentation themes say about tables is overruled where it would stripe, centre or squeeze this one.
_LINE = "1px solid rgba(128,128,128,0.35)"
_PLAIN = "color:inherit;background:transparent;border:none"
_STYLE = f"{_PLAIN};border-collapse:collapse;table-layout:auto;width:auto;margin:0.3em 0;font-size:90%;line-height:1.4"
_CELL = f"{_PLAIN};vertical-align:top;padding:0.25em 1.2em 0.25em 0;overflow-wrap:anywhere;white-space:normal"
_TEXT = "text-align:left;max-width:36em"
_SHORT = 20
_NUMBER = "text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums"
# The text takes the width that the table has, and gives it none of its own.
_DETAIL = "width:0;min-width:100%;padding-left:1.2em;box-sizing:border-box;opacity:0.8"


class Row:
    """The cells of one line, and what is too long for any of them: it stands below, across all columns."""

    __slots__ = ("cells", "detail")

    def __init__(self, cells: Sequence[str], detail: str = "") -> None:
        self.cells: tuple[str, ...] = tuple(map(_shown, cells))
        detail = _shown(detail)
        self.detail: str = detail if len(detail) <= _LONGEST_DETAIL else detail[: _LONGEST_DETAIL - 1] + "…"


class Table:
    """A title, rows of text under headers, and notes below.

    Parameters
    ----------
    title
        What it is a table of.
    headers
        Names of the columns.
    rows
        What stands in them.
    notes
        Sentences below the table.
    numbers
        Headers of the columns that are aligned to the right.
    """

    __slots__ = ("_details", "_headers", "_notes", "_numbers", "_rows", "_title")

    def __init__(
        self,
        title: str,
        headers: Sequence[str],
        rows: Iterable[Row],
        *,
        notes: Iterable[str] = (),
        numbers: Sequence[str] = (),
    ) -> None:
        rows = list(rows)
        # Columns in which nothing stands would only take room.
        used = [index for index in range(len(headers)) if not index or any(row.cells[index] for row in rows)]
        self._title = _shown(title)
        self._headers = [headers[index] for index in used]
        self._rows = [[row.cells[index] for index in used] for row in rows]
        self._details = [row.detail for row in rows]
        self._notes = list(map(_shown, notes))
        self._numbers = [header in numbers for header in self._headers]

    def text(self) -> str:
        """Return the table as aligned lines; cells that are too long for one go on in the next."""
        lines = _wrapped(self._title, WIDTH)
        if self._rows:
            widths = self._widths()
            lines += self._laid_out(self._headers, widths)
            lines.append(_GAP.join("-" * width for width in widths))
            for cells, detail in zip(self._rows, self._details, strict=True):
                lines += self._laid_out(cells, widths)
                lines += [_INDENT + line for line in _wrapped(detail, WIDTH - len(_INDENT))]
        for note in self._notes:
            lines += _wrapped(note, WIDTH)
        return "\n".join(lines)

    def _widths(self) -> list[int]:
        """Return how wide each column is: as wide as its contents, or narrower where they fill the line."""
        columns = list(zip(self._headers, *self._rows, strict=True))
        widths = [max(map(len, column)) for column in columns]
        narrow = [min(width, _NARROW) for width in widths]
        # Words are broken only where it does not do without.
        whole = [max(width, *map(_longest_word, column)) for width, column in zip(narrow, columns, strict=True)]
        for floor in (whole, narrow):
            while sum(widths) + len(_GAP) * (len(widths) - 1) > WIDTH and any(map(gt, widths, floor)):
                spare = list(map(sub, widths, floor))
                widths[spare.index(max(spare))] -= 1
        return widths

    def _laid_out(self, cells: Sequence[str], widths: Sequence[int]) -> list[str]:
        wrapped = [_wrapped(cell, width) for cell, width in zip(cells, widths, strict=True)]
        lines: list[str] = []
        for number in range(max(1, *map(len, wrapped))):
            parts = [column[number] if number < len(column) else "" for column in wrapped]
            aligned = (
                part.rjust(width) if right else part.ljust(width)
                for part, width, right in zip(parts, widths, self._numbers, strict=True)
            )
            lines.append(_GAP.join(aligned).rstrip())
        return lines

    def html(self) -> str:
        """Return the table as HTML; every text is escaped, since names and errors are foreign."""
        from html import escape  # Only a notebook pays for this import.

        def line(tag: str, cells: Sequence[str], border: str) -> str:
            inside = "".join(
                f'<{tag} style="{_style(cell, number=number)}">{escape(cell)}</{tag}>'
                for cell, number in zip(cells, self._numbers, strict=True)
            )
            return f'<tr style="{_PLAIN};border-bottom:{border}">{inside}</tr>'

        parts = [f'<div style="color:inherit;overflow-x:auto"><div><strong>{escape(self._title)}</strong></div>']
        if self._rows:
            parts.append(f'<table style="{_STYLE}"><thead>{line("th", self._headers, _LINE)}</thead><tbody>')
            for cells, detail in zip(self._rows, self._details, strict=True):
                parts.append(line("td", cells, "none" if detail else _LINE))
                if detail:
                    parts.append(
                        f'<tr style="{_PLAIN};border-bottom:{_LINE}"><td colspan="{len(cells)}" style="{_CELL};'
                        f'text-align:left;padding-top:0"><div style="{_DETAIL}">{escape(detail)}</div></td></tr>'
                    )
            parts.append("</tbody></table>")
        parts += (f'<div style="font-size:90%">{escape(note)}</div>' for note in self._notes)
        return "".join(parts) + "</div>"


def _style(cell: str, *, number: bool) -> str:
    if number:
        return f"{_CELL};{_NUMBER}"
    # Where the browser is short of room, long cells give way and not short ones.
    return f"{_CELL};{_TEXT};white-space:nowrap" if len(cell) <= _SHORT else f"{_CELL};{_TEXT}"


def _longest_word(text: str) -> int:
    return max(map(len, text.split()), default=0)


def _wrapped(text: str, width: int) -> list[str]:
    from textwrap import wrap  # Only who prints a table pays for this import.

    return wrap(text, width, break_on_hyphens=False)


def _shown(text: str) -> str:
    """Return foreign text on one line, with what would control a terminal made visible."""
    joined = " ".join(text.split())
    if joined.isprintable():
        return joined
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in joined)
