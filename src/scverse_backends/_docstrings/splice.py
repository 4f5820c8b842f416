"""Add parameters to a docstring by splicing: pure text in, text out.

A docstring is never parsed and written again. One insertion is made, so taking it out gives back every byte of the
author's text: line endings, tabs, trailing spaces and the missing newline at the end included.
"""

from __future__ import annotations

import re

from scverse_backends._docstrings.entry import BACKEND, STEP, Entry, Offer, Option, option_entry
from scverse_backends._docstrings.read import (
    INDENT,
    LATER,
    MEMBERS,
    OTHER,
    PARAMETERS,
    RETURNS,
    ParameterDoc,
    Section,
    end_of_text,
    entries,
    entry_levels,
    entry_names,
    google_sections,
    line_ending,
    margin,
    names_of,
    numpydoc_sections,
    parameter_docs,
    parameter_sections,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Final

__all__ = [
    "Offer",
    "Option",
    "ParameterDoc",
    "add_backend_parameter",
    "add_options",
    "parameter_docs",
    "rename_parameter",
]

_TITLES: Final = {PARAMETERS: "Parameters", OTHER: "Other Parameters"}

_AFTER_BLANK: Final = re.compile(r"\n[ \t\f\r]*\n([ \t]*)(?=\S)")
# Patterns that most decorated functions never need stay text until then: compiling them all takes milliseconds.
_BLANK: Final = r"\n[ \t\f\r]*\n"
_STARS: Final = r"\n[ \t`\\]*\*\\?\*"
_PLACEHOLDER: Final = r"(?m)^[ \t]*(?:\{\w*backend\w*\}|%\(\w*backend\w*\)s)[ \t]*\r?$"
# Fields of Sphinx and epydoc, and titles that speak of parameters in a style that neither numpydoc nor Google knows.
_UNRECOGNISED: Final = (
    r"(?m)^[ \t]*(?::(?:param|parameter|arg|argument|key|keyword|type|returns?|rtype|raises?)\b[^\n:]*:"
    r"|@(?:param|return)\b|(?:\#+[ ]*|\*\*|\.\.[ ]rubric::[ ]*)?"
    r"(?:Other |Keyword )?(?:Parameters|Params|Arguments|Args)[ \t:*#]*\r?$)"
)
_FIELD: Final = r"(?m)^[ \t]*:(?:param|parameter|arg|argument|key|keyword)\b[^\n:]*?[ *\\]({})[ \t]*:"


def add_backend_parameter(doc: str) -> str:
    r"""Document the parameter `backend` at the end of the parameters, unless it is documented already.

    The signature ends with it, so its entry stands behind all others but that of ``**kwargs``: in the section of other
    parameters where there is one, and else in that of the parameters.

    Examples
    --------
    >>> print(add_backend_parameter("Add.\n\nParameters\n----------\nx : int\n    A number.\n"))
    Add.
    <BLANKLINE>
    Parameters
    ----------
    x : int
        A number.
    backend : str, sequence of str or None, default: None
        Which implementation runs: the name or an alias of an installed backend,
        or "cpu" for the host's own. Several names are an order of preference.
        None means the choice made in ``settings``.
    <BLANKLINE>
    """
    return _splice(doc, PARAMETERS, (BACKEND,))


def add_options(doc: str, options: Sequence[Option]) -> str:
    r"""Document options of backends at the end of the other parameters, in the given order.

    What has an entry already gets no second one: the host's ``**kwargs`` may cover it.

    Examples
    --------
    >>> option = Option("batch_size", (Offer("my_backend", "int", ("How many at once.",), "64"),))
    >>> print(add_options("Add.\n\nParameters\n----------\nx : int\n", [option]))
    Add.
    <BLANKLINE>
    Parameters
    ----------
    x : int
    <BLANKLINE>
    Other Parameters
    ----------------
    batch_size (my_backend) : int
        How many at once.
    <BLANKLINE>
    """
    return _splice(doc, OTHER, [option_entry(option) for option in options]) if options else doc


def rename_parameter(doc: str, old: str, new: str) -> str:
    r"""Replace the name of a parameter on the line of its own entry, and nowhere else.

    Examples
    --------
    >>> rename_parameter("Args:\n    backend (str): The backend of joblib.", "backend", "parallel_backend")
    'Args:\n    parallel_backend (str): The backend of joblib.'
    """
    word = re.compile(rf"(?<!\w){re.escape(old)}(?!\w)")
    sections, _ = parameter_sections(doc)
    for section in sections:
        for position, line, _ in entries(doc, section):
            match = word.search(line, *entry_names(line))
            if match is not None:
                return doc[: position + match.start()] + new + doc[position + match.end() :]
    if not sections:
        field = re.search(_FIELD.format(re.escape(old)), doc)
        if field is not None:
            return doc[: field.start(1)] + new + doc[field.end(1) :]
    return doc


def _splice(doc: str, kind: str, new: Sequence[Entry]) -> str:
    # Every decorated function pays for this. Only other parameters may stand anywhere, and few functions have them.
    has_other = any(words in doc.lower() for words in ("other ", "keyword "))
    sections = numpydoc_sections(doc, None if has_other or kind == OTHER else kind)
    first = {section.kind: section for section in reversed(sections)}
    # New parameters end the signature, so their entries end the last section of parameters.
    target = first.get(OTHER) or first.get(kind)
    google: list[Section] = []
    if all(section.kind is None for section in sections):
        google = google_sections(doc)
        target = next((section for section in google if section.kind == PARAMETERS), None)
    found = google or sections
    behind = next((section for section in found if section.kind is not None), None)
    # A section is made only where parameters are not described in some other style.
    above = len(doc) if behind is None else behind.start
    if target is None and PARAMETERS not in first and re.compile(_UNRECOGNISED).search(doc, 0, above):
        return doc
    new = _undocumented(doc, found, new)
    if not new:
        return doc
    if target is not None:
        return _append(doc, target, new, google=bool(google))
    lines = _new_section(kind, new, google=bool(google))
    before = _before_other(sections) if kind == OTHER else None
    if before is not None:
        return _add_section(doc, before.body, before.end, before.indent, lines)
    behind = behind or next(iter(found), None)
    if behind is not None:
        return _add_section(doc, 0, behind.start, behind.indent, lines)
    return _add_section(doc, 0, len(doc), margin(doc), lines)


def _undocumented(doc: str, sections: Sequence[Section], new: Sequence[Entry]) -> list[Entry]:
    """Return the entries for what is not documented yet."""
    documented: set[str] = set()
    for section in sections:
        if section.kind not in _TITLES:
            continue
        text = doc[section.body : section.end]
        if any(entry.name in text for entry in new):
            documented.update(name for _, line, _ in entries(doc, section) for name in names_of(line))
        # A host decorator may fill in an entry of its own.
        if BACKEND in new and "backend" in text and re.search(_PLACEHOLDER, text):
            documented.add(BACKEND.name)
    return [entry for entry in new if entry.name not in documented]


def _before_other(sections: Iterable[Section]) -> Section | None:
    """Return the last section that numpydoc has before other parameters."""
    place: Section | None = None
    is_later = False
    for section in sections:
        is_later = is_later or section.kind == LATER
        if section.kind in (PARAMETERS, RETURNS) or (section.kind == MEMBERS and not is_later):
            place = section
    return place


def _new_section(kind: str, new: Sequence[Entry], *, google: bool) -> list[str]:
    title = _TITLES[kind]
    header, base = (["Args:"], STEP) if google else ([title, "-" * len(title)], "")
    return header + [line for entry in new for line in entry.lines(base, base + STEP, google=google)]


def _append(doc: str, section: Section, new: Sequence[Entry], *, google: bool) -> str:
    """Add entries at the end of a section, indented and separated as the ones that are there."""
    found = entry_levels(doc, section)
    base = found[0] if found else section.indent + STEP * google
    deeper = found[1] if len(found) > 1 and found[1].startswith(base) else base + STEP
    eol = line_ending(doc)
    blocks = [eol.join(entry.lines(base, deeper, google=google)) for entry in new]
    start, end = section.body, section.end
    text = doc[start:end]
    at = end_of_text(doc, start, _last_place(doc, section, new, google=google))
    gap = lead = eol
    if found:
        # A blank line above the first entry does not count.
        separated = _AFTER_BLANK.findall(text, len(text) - len(text.lstrip())).count(base)
        if separated and 2 * separated >= INDENT.findall(text).count(base) - 1:
            gap = lead = eol * 2
        elif ">>>" in text and ">>>" in re.split(_BLANK, text[: at - start])[-1]:
            # Without a blank line, doctest takes what follows an example for its output.
            lead = eol * 2
    return doc[:at] + lead + gap.join(blocks) + doc[at:]


def _last_place(doc: str, section: Section, new: Sequence[Entry], *, google: bool) -> int:
    """Return where new entries go: to the end of the section, or before what comes later in the signature."""
    text = doc[section.body : section.end]
    stars = "*" in text and re.search(_STARS, text) is not None
    last = BACKEND.name if BACKEND not in new and not google and BACKEND.name in text else ""
    for position, line, _ in entries(doc, section) if stars or last else ():
        names = names_of(line)
        if names and (names == [last] or re.match(_STARS, "\n" + line)):
            return position
    return section.end


def _add_section(doc: str, start: int, end: int, indent: str, lines: Sequence[str]) -> str:
    """Add a section after the text of a span, with blank lines around it."""
    eol = line_ending(doc)
    text = eol.join([indent + line if line else "" for line in lines])
    at = end_of_text(doc, start, end)
    if not start and not doc[:end].strip():
        return _add_first_section(doc, end, indent, text, eol)
    # What follows keeps its distance, if it has any. In a docstring of several lines, the quotes close on a new line.
    is_close = doc.count("\n", at, end) < 2 if end < len(doc) else "\n" not in doc
    return doc[:at] + eol * 2 + text + eol * is_close + doc[at:]


def _add_first_section(doc: str, end: int, indent: str, text: str, eol: str) -> str:
    # Nothing stands before it. It takes the indentation that is there, and gives as much to what it pushes down. So a
    # header on the docstring's first line gets the indentation of the rest.
    text = text[len(indent) :]
    if not doc[end:].strip():
        return (text + eol if doc else text) + doc
    at = len(doc) - len(doc[end:].lstrip(" \t"))
    return doc[:at] + text + eol * 2 + indent + doc[at:]
