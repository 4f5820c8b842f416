"""Tables for people: aligned text for terminals, self-contained HTML for notebooks."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_WIDEST_CELL = 60

# Colours are taken from the notebook's own text, so that the table reads in light and dark themes alike.
_STYLE = (
    "border-collapse:collapse;font-size:90%;line-height:1.4;color:inherit;background:transparent;border:none;"
    "margin:0.3em 0"
)
_CELL = (
    "text-align:left;vertical-align:top;padding:0.2em 0.9em 0.2em 0;border:none;"
    "border-bottom:1px solid rgba(128,128,128,0.35);color:inherit;background:transparent;"
    "overflow-wrap:break-word;max-width:32em;white-space:normal"
)


class Table:
    """A title, rows of text under headers, and notes below."""

    __slots__ = ("headers", "notes", "rows", "title")

    def __init__(
        self, title: str, headers: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str] = ()
    ) -> None:
        # Columns in which nothing stands would only take room.
        used = [index for index in range(len(headers)) if any(row[index] for row in rows)] or range(len(headers))
        self.title = title
        self.headers = [headers[index] for index in used]
        self.rows = [[row[index] for index in used] for row in rows]
        self.notes = list(notes)

    def text(self) -> str:
        """Return the table as aligned lines."""
        lines = [self.title]
        if self.rows:
            rows = [[_one_line(cell) for cell in row] for row in self.rows]
            widths = [max(len(cell) for cell in column) for column in zip(self.headers, *rows, strict=True)]
            for cells in (self.headers, ["-" * width for width in widths], *rows):
                padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
                lines.append("  ".join(padded).rstrip())
        lines += self.notes
        return "\n".join(lines)

    def html(self) -> str:
        """Return the table as HTML; every text is escaped, since names and errors are foreign."""
        from html import escape  # noqa: PLC0415 - only a notebook pays for this import.

        def row(tag: str, cells: Sequence[str]) -> str:
            return "".join(f'<{tag} style="{_CELL}">{escape(cell)}</{tag}>' for cell in cells)

        parts = [f'<div style="color:inherit;overflow-x:auto"><div><b>{escape(self.title)}</b></div>']
        if self.rows:
            body = "".join(f"<tr>{row('td', cells)}</tr>" for cells in self.rows)
            parts.append(
                f'<table style="{_STYLE}"><thead><tr>{row("th", self.headers)}</tr></thead><tbody>{body}</tbody></table>'
            )
        parts += (f"<div>{escape(note)}</div>" for note in self.notes)
        return "".join(parts) + "</div>"


def _one_line(text: str) -> str:
    joined = " ".join(text.split())
    return joined if len(joined) <= _WIDEST_CELL else joined[: _WIDEST_CELL - 1] + "…"
