r"""Where the sections and entries of a docstring are; pure, changes nothing.

Positions are offsets into the text as it is: lines end at ``"\n"`` only, since ``str.splitlines`` would also cut at
form feeds and Unicode separators that belong to the author's text.
"""

from __future__ import annotations

import re

from scverse_backends._foundation.labels import as_text
from scverse_backends._foundation.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

PARAMETERS: Final = "parameters"
OTHER: Final = "other parameters"
MEMBERS: Final = "members"
RETURNS: Final = "returns"
LATER: Final = "later"
"""The kinds of sections, in the order of numpydoc: other parameters come after what is returned."""

# What an author may write, and what it means here. These titles need no blank line before them.
_KINDS: Final = {
    **dict.fromkeys(("parameters", "params", "arguments", "args"), PARAMETERS),
    **dict.fromkeys(("other parameters", "other params", "other arguments"), OTHER),
    **dict.fromkeys(("keyword args", "keyword arguments", "keyword parameters"), OTHER),
    **dict.fromkeys(("attributes", "methods"), MEMBERS),
    **dict.fromkeys(("returns", "return", "yields", "yield", "receives"), RETURNS),
    **dict.fromkeys(("raises", "warns", "warnings", "see also", "notes", "references", "examples"), LATER),
}

# Patterns that most decorated functions never need stay text until then: compiling them all takes milliseconds.
_GOOGLE_TITLE: Final = (
    r"(?m)^([ \t]*)((?:Keyword |Other )?(?:Args|Arguments|Parameters|Params)|Returns?|Yields?|Raises|Attributes)"
    r":[ \t]*(?=\r?$)"
)
_EMPTY_SECTION: Final = r"\r?(?:\n[ \t\f\r]*(?:\n|\Z)|\Z)"
_NAME: Final = r"[*`\\]*[^\W\d]\w*[*`]*"
_ENTRY: Final = rf"(?s)(?P<names>{_NAME}(?:\s*,\s*(?:{_NAME}|\.\.\.))*)\s*(?:\((?P<note>.*?)\)\s*)?(?::(?P<rest>.*))?\Z"

UNDERLINES: Final = "-=~^#*+"
_UNDERLINE: Final = re.compile(rf"\n([ \t]*)([{UNDERLINES}])\2+[ \t\f]*(?=\r?(?:\n|\Z))")
INDENT: Final = re.compile(r"\n([ \t]*)(?=\S)")


class ParameterDoc(Record):
    """What a docstring says of one parameter: its type as it is written, and the dedented lines below it."""

    __slots__ = __match_args__ = ("type", "description")
    type: str | None
    description: tuple[str, ...]


class Section:
    """One section: its title line begins at `start`, its text reaches from `body` (the end of the header) to `end`."""

    __slots__ = ("body", "end", "indent", "kind", "start")

    def __init__(self, kind: str | None, start: int, body: int, end: int, indent: str) -> None:
        self.kind = kind
        self.start = start
        self.body = body
        self.end = end
        self.indent = indent


def column(indent: str) -> int:
    """Return how far white space reaches to the right, tabs expanded as `inspect.cleandoc` does."""
    return len(indent.expandtabs()) if "\t" in indent else len(indent)


def levels(doc: str, start: int, end: int) -> list[str]:
    """Return the different indentations of the lines after the first newline in a span, the outermost first."""
    found = set(INDENT.findall(doc, start, end))
    return sorted(sorted(found), key=column)


def margin(doc: str) -> str:
    """Return the indentation of a docstring without sections."""
    found = levels(doc, 0, len(doc))
    if found:
        return found[0]
    # Only the closing quotes stand below the summary. Further lines would be indented like them.
    last = doc[doc.rfind("\n") + 1 :]
    return last if "\n" in doc and not last.strip(" \t") else ""


def end_of_text(doc: str, start: int, end: int) -> int:
    """Return where the last line of a span that is not blank ends, before its line ending; `start` if all are blank."""
    length = len(doc[start:end].rstrip())
    if not length:
        return start
    stop = doc.find("\n", start + length)
    if stop < 0:
        return len(doc)
    return stop - 1 if doc[stop - 1] == "\r" else stop


def line_ending(doc: str) -> str:
    """Return the line ending of a docstring."""
    # A carriage return at the very end counts, since a newline will follow it.
    return "\r\n" if "\r" in doc and ("\r\n" in doc or doc.endswith("\r")) else "\n"


def _is_nested(doc: str, start: int, own: int) -> bool:
    # A code block may show a docstring, whose headers stand deeper than some line before them. The first line does not
    # count, since it is never indented. Nor do later lines, where a multi-line string of an example may stand far left.
    return own > 0 and any(column(indent) < own for indent in INDENT.findall(doc, 0, start))


def _is_unknown_header(doc: str, start: int, title: str, underline: str) -> bool:
    # The blank line before it tells a header from a row of a table or from printed output. A title with nothing before
    # it is the document's.
    if len(underline.strip()) < 3 or not title[:1].isalnum() or start == 0:
        return False
    return not doc[doc.rfind("\n", 0, start - 1) + 1 : start].strip() and not doc[:start].isspace()


def kind_of(title: str) -> str | None:
    """Return the kind of a section with this title, None where the title is unknown."""
    return _KINDS.get(title.lower().rstrip(": "))


def numpydoc_sections(doc: str, until: str | None = None) -> list[Section]:
    """Return the underlined sections of a docstring, in order, up to the first of a kind if one is given.

    A section with an unknown title has the kind None.
    """
    sections: list[Section] = []
    for match in _UNDERLINE.finditer(doc):
        stop = match.start()
        start = doc.rfind("\n", 0, stop) + 1
        line = doc[start:stop]
        title = line.strip()
        kind = kind_of(title)
        if kind is None and not _is_unknown_header(doc, start, title, match[0]):
            continue
        indent = line[: len(line) - len(line.lstrip(" \t"))]
        if not start or len(indent) > len(match[1]):
            indent = match[1]
        own = column(indent)
        if (own > column(sections[-1].indent)) if sections else _is_nested(doc, start, own):
            continue
        if sections:
            sections[-1].end = start
            if until is not None and sections[-1].kind == until:
                break
        sections.append(Section(kind, start, match.end(), len(doc), indent))
    if ".. index::" in doc:
        # The one header of numpydoc that is not underlined.
        for section in sections:
            index = doc.find(f"\n{section.indent}.. index::", section.body, section.end)
            if index >= 0:
                section.end = index + 1
    return sections


def google_sections(doc: str) -> list[Section]:
    """Return the sections of a Google-style docstring that speak of arguments, results or errors."""
    sections: list[Section] = []
    for match in re.finditer(_GOOGLE_TITLE, doc):
        own = column(match[1])
        body = match.end()
        if (own > column(sections[0].indent)) if sections else _is_nested(doc, match.start(), own):
            continue
        end = next((m.start() + 1 for m in INDENT.finditer(doc, body) if column(m[1]) <= own), len(doc))
        if doc[body:end].strip() or re.compile(_EMPTY_SECTION).match(doc, body):
            sections.append(Section(_KINDS[match[2].lower()], match.start(), body, end, match[1]))
    return sections


def parameter_sections(doc: str) -> tuple[list[Section], bool]:
    """Return the sections that describe parameters, and whether they are in Google style."""
    sections = numpydoc_sections(doc)
    google = all(section.kind is None for section in sections)
    if google:
        sections = google_sections(doc)
    return [section for section in sections if section.kind in (PARAMETERS, OTHER)], google


def entry_levels(doc: str, section: Section) -> list[str]:
    """Return the different indentations within a section, that of its entries first."""
    found = levels(doc, section.body, section.end)
    if found and len(found[0]) < len(section.indent):
        # Lines left of the header are not entries.
        found = [indent for indent in found if column(indent) >= column(section.indent)]
    return found


def entries(doc: str, section: Section) -> Iterator[tuple[int, str, list[str]]]:
    """Yield each entry of a section: where its line starts, that line, and the lines that belong to it."""
    found = entry_levels(doc, section)
    base = column(found[0]) if found else 0
    margin = min(base, column(section.indent))
    head: tuple[int, str] | None = None
    body: list[str] = []
    position = doc.find("\n", section.body, section.end) + 1 or section.end
    for line in doc[position : section.end].split("\n"):
        text = line.lstrip(" \t")
        if text.strip() and margin <= column(line[: len(line) - len(text)]) <= base:
            if head is not None:
                yield *head, body
            head = (position, line)
            body = []
        else:
            body.append(line)
        position += len(line) + 1
    if head is not None:
        yield *head, body


def _dedent(lines: list[str], first: str = "") -> list[str]:
    """Return the lines of a description, of which the first may stand beside the name, without blank ones around it."""
    margin = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    lines = [first, *(line[margin:].rstrip() for line in lines)]
    while lines and not lines[-1]:
        lines.pop()
    while lines and not lines[0]:
        del lines[0]
    return lines


def entry_names(line: str) -> tuple[int, int]:
    """Return where the names on an entry's line begin and end; both are 0 where the line is not an entry."""
    start = len(line) - len(line.lstrip())
    match = re.compile(_ENTRY).match(line.rstrip(), start)
    return match.span("names") if match is not None else (0, 0)


def names_of(line: str) -> list[str]:
    """Return the names on an entry's line, none where it is not an entry."""
    start, end = entry_names(line)
    names = (name.strip(" \t*`\\") for name in line[start:end].split(",") if "..." not in name)
    return [name for name in names if name]


def _read_entry(line: str, body: list[str], *, google: bool) -> tuple[list[str], ParameterDoc] | None:
    match = re.match(_ENTRY, line.strip())
    if match is None or (google and match["rest"] is None):
        return None
    rest = (match["rest"] or "").strip()
    if google:
        kind = match["note"]
        text = _dedent(body, rest)
    else:
        # A type too long for its line goes on after a backslash, as numpydoc allows.
        while rest.endswith("\\") and body:
            rest = f"{rest[:-1].rstrip()} {body[0].strip()}"
            body = body[1:]
        kind = rest or match["note"]
        text = _dedent(body)
    return names_of(line), ParameterDoc(kind or None, tuple(text))


def parameter_docs(doc: object) -> dict[str, ParameterDoc]:
    r"""Return what a docstring says of each parameter; anything but a string documents nothing.

    Examples
    --------
    >>> parameter_docs("Args:\n    size (int): How many.\n")
    {'size': ParameterDoc(type='int', description=('How many.',))}
    """
    text = (as_text(doc) or "").expandtabs().replace("\r\n", "\n")
    found: dict[str, ParameterDoc] = {}
    sections, google = parameter_sections(text)
    for section in sections:
        for _, line, body in entries(text, section):
            entry = _read_entry(line, body, google=google)
            if entry is not None:
                for name in entry[0]:
                    found.setdefault(name, entry[1])
    return found
