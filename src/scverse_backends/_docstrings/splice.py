"""Add parameters to a docstring by splicing: pure text in, text out.

A docstring is never parsed and written again. One insertion is made, so taking it out gives back every byte of the
author's text: line endings, tabs, trailing spaces and the missing newline at the end included.
"""

from __future__ import annotations

import re
from itertools import pairwise

from scverse_backends._docstrings.read import (
    INDENT,
    OTHER,
    PARAMETERS,
    ParameterDoc,
    Section,
    column,
    end_of_text,
    entries,
    entry_names,
    google_sections,
    line_ending,
    margin,
    numpydoc_sections,
    parameter_docs,
    parameter_sections,
)
from scverse_backends._foundation.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
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

_STEP: Final = "    "
_WIDTH: Final = 100
_TITLES: Final = {PARAMETERS: "Parameters", OTHER: "Other Parameters"}

_AFTER_BLANK: Final = re.compile(r"\n[ \t\f\r]*\n([ \t]*)(?=\S)")
# Patterns that most decorated functions never need stay text until then: compiling them all takes milliseconds.
_BLANK: Final = r"\n[ \t\f\r]*\n"
_BACKEND_ENTRY: Final = r"\n([ \t]*)[*`]*backend[*`]*[ \t]*(?=[:,(\r\n]|\Z)"
# Fields of Sphinx and epydoc, and titles that speak of parameters in a style that neither numpydoc nor Google knows.
_UNRECOGNISED: Final = (
    r"(?m)^[ \t]*(?::(?:param|parameter|arg|argument|key|keyword|type|returns?|rtype|raises?)\b[^\n:]*:"
    r"|@(?:param|return)\b|(?:\#+[ ]*|\*\*|\.\.[ ]rubric::[ ]*)?"
    r"(?:Other |Keyword )?(?:Parameters|Params|Arguments|Args)[ \t:*#]*\r?$)"
)
_FIELD: Final = r"(?m)^[ \t]*:(?:param|parameter|arg|argument|key|keyword)\b[^\n:]*?[ *\\]({})[ \t]*:"


class Offer(Record):
    """What one backend says of one of its options.

    Parameters
    ----------
    provider
        The canonical name of the backend.
    type
        The type as the backend's docstring gives it, or None.
    description
        The dedented lines without trailing blank lines; empty where the option is undocumented.
    default
        The `repr` of the default, or None where there is none.
    """

    __slots__ = ("default", "description", "provider", "type")
    __match_args__ = ("provider", "type", "description", "default")
    provider: str
    type: str | None
    description: tuple[str, ...]
    default: str | None

    def __init__(
        self,
        provider: str,
        type: str | None,  # noqa: A002 - the field's own name
        description: tuple[str, ...],
        default: str | None,
    ) -> None:
        self._fill(provider, type, description, default)


class Option(Record):
    """A parameter that only backends have.

    Parameters
    ----------
    name
        The name of the parameter.
    offers
        One for each backend that has it.
    """

    __slots__ = ("name", "offers")
    __match_args__ = ("name", "offers")
    name: str
    offers: tuple[Offer, ...]

    def __init__(self, name: str, offers: tuple[Offer, ...]) -> None:
        self._fill(name, offers)


class _Entry:
    """An entry before it is indented: the head of either style, and the lines below it."""

    __slots__ = ("body", "google", "numpydoc")

    def __init__(self, numpydoc: str, google: str, body: tuple[str, ...]) -> None:
        self.numpydoc = numpydoc
        self.google = google
        self.body = body

    def lines(self, base: str, deeper: str, *, google: bool) -> list[str]:
        if not google:
            return [base + self.numpydoc, *[deeper + line if line else "" for line in self.body]]
        # The first line follows the colon, unless it is long or heads a nested list.
        head = base + self.google
        first, rest = self.body[:1], self.body[1:]
        if first and (len(head) + len(first[0]) >= _WIDTH or next(filter(None, rest), "").startswith(" ")):
            first, rest = (), self.body
        return [" ".join((head, *first)).rstrip(), *[deeper + line if line else "" for line in rest]]


# No percent sign, brace or backslash: host decorators outside may format the docstring.
_BACKEND: Final = _Entry(
    "backend : str, sequence of str or None, default: None",
    "backend (str, sequence of str or None):",
    (
        "Which implementation runs: the name or an alias of an installed backend,",
        'or "cpu" for the host\'s own. Several names are an order of preference.',
        "None means the choice made in ``settings``.",
    ),
)


def add_backend_parameter(doc: str) -> str:
    r"""Document the parameter `backend` at the end of the parameters, unless it is documented there already.

    Parameters
    ----------
    doc
        The host function's docstring.

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
    return _splice(doc, PARAMETERS, (_BACKEND,))


def add_options(doc: str, options: Sequence[Option]) -> str:
    r"""Document options of backends at the end of the other parameters, in the given order.

    Parameters
    ----------
    doc
        The host function's docstring.
    options
        What to document. An entry that is there already, word by word, is not added again.

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
    return _splice(doc, OTHER, [_option_entry(option) for option in options]) if options else doc


def rename_parameter(doc: str, old: str, new: str) -> str:
    r"""Replace the name of a parameter on the line of its own entry, and nowhere else.

    Parameters
    ----------
    doc
        The host function's docstring.
    old, new
        The name the docstring has, and the one it gets.

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


def _option_entry(option: Option) -> _Entry:
    offers = option.offers
    first = offers[0]
    head = f"{option.name} ({', '.join([offer.provider for offer in offers])})"
    kind = _one_line(first.type)
    body = first.description
    if len(offers) > 1:
        same_type = all(_one_line(offer.type) == kind for offer in offers)
        same_default = all(offer.default == first.default for offer in offers)
        facts = [_facts(offer, with_type=not same_type, with_default=not same_default) for offer in offers]
        kind = kind if same_type else ""
        if any(offer.description != body for offer in offers):
            body = _definitions(offers, facts)
        elif facts[0]:
            gap = ("",) if body else ()
            bullets = [f"- {offer.provider}: {fact}" for offer, fact in zip(offers, facts, strict=True)]
            body = (*body, *gap, *bullets)
    return _Entry(
        f"{head} : {kind}" if kind else head, f"{head}: {kind}." if kind else f"{head}:", _without_headers(body)
    )


def _one_line(text: str | None) -> str:
    return " ".join(text.split()) if text else ""


def _facts(offer: Offer, *, with_type: bool, with_default: bool) -> str:
    facts = [_one_line(offer.type) or "any type"] if with_type else []
    if with_default:
        facts.append("no default" if offer.default is None else f"default ``{_one_line(offer.default)}``")
    return ", ".join(facts)


def _definitions(offers: tuple[Offer, ...], facts: list[str]) -> tuple[str, ...]:
    # A definition list keeps paragraphs, lists and directives of each description together.
    lines: list[str] = []
    for offer, fact in zip(offers, facts, strict=True):
        lines += ["", f"{offer.provider} ({fact})" if fact else offer.provider]
        lines += [_STEP + line if line else "" for line in offer.description or ("Not documented.",)]
    return tuple(lines[1:])


def _without_headers(body: tuple[str, ...]) -> tuple[str, ...]:
    # After a blank line numpydoc takes a line for a header, however deep it stands, when dashes as long as it follow;
    # it would end the host's section there. Without the blank line it does not look.
    # A blank line also keeps dashes that begin the description from underlining the entry.
    kept = [""] if body and not body[0].strip("-=") else []
    for line, below in pairwise((*body, "")):
        title, under = line.strip(), below.strip()
        header = title and under.startswith(("-" * len(title), "=" * len(title)))
        if header or title.startswith(".. index::"):
            while kept and not kept[-1].strip():
                kept.pop()
        kept.append(line)
    return tuple(kept)


def _splice(doc: str, kind: str, new: Sequence[_Entry]) -> str:
    sections = numpydoc_sections(doc, kind)
    parameters = None
    for section in sections:
        if section.kind == kind:
            return _append(doc, section, new, google=False)
        if section.kind == PARAMETERS and parameters is None:
            parameters = section
    if parameters is not None:
        return _add_section(doc, parameters.body, parameters.end, parameters.indent, _underlined(kind, new))
    known = next((section.start for section in sections if section.kind is not None), None)
    google: list[Section] = []
    if known is None:
        google = google_sections(doc)
        arguments = next((section for section in google if section.kind == PARAMETERS), None)
        if arguments is not None:
            return _append(doc, arguments, new, google=True)
        known = google[0].start if google else None
    if re.compile(_UNRECOGNISED).search(doc, 0, len(doc) if known is None else known):
        return doc
    if google:
        return _add_section(doc, 0, google[0].start, google[0].indent, ("Args:", *_indented(new)))
    if sections:
        return _add_section(doc, 0, sections[0].start, sections[0].indent, _underlined(kind, new))
    return _add_section(doc, 0, len(doc), margin(doc), _underlined(kind, new))


def _underlined(kind: str, new: Sequence[_Entry]) -> list[str]:
    title = _TITLES[kind]
    return [title, "-" * len(title), *[line for entry in new for line in entry.lines("", _STEP, google=False)]]


def _indented(new: Sequence[_Entry]) -> list[str]:
    return [line for entry in new for line in entry.lines(_STEP, _STEP * 2, google=True)]


def _append(doc: str, section: Section, new: Sequence[_Entry], *, google: bool) -> str:
    """Add entries at the end of a section, indented and separated as the ones that are there."""
    start, end = section.body, section.end
    text = doc[start:end]
    indents = INDENT.findall(text)
    found = sorted(sorted(set(indents)), key=column)
    if found and len(found[0]) < len(section.indent):
        # Lines left of the header have fallen out of the margin; they are no entries.
        found = [indent for indent in found if column(indent) >= column(section.indent)]
    base = found[0] if found else section.indent + _STEP * google
    deeper = found[1] if len(found) > 1 and found[1].startswith(base) else base + _STEP
    eol = line_ending(doc)
    blocks: list[str] = []
    for entry in new:
        block = eol.join(entry.lines(base, deeper, google=google))
        if entry is _BACKEND:
            known = "backend" in text and base in re.findall(_BACKEND_ENTRY, text)
        else:
            known = _has_block(text, block, base)
        if not known:
            blocks.append(block)
    if not blocks:
        return doc
    at = end_of_text(doc, start, end)
    gap = lead = eol
    if found:
        # The first entry may stand below a blank line without meaning anything by it.
        separated = _AFTER_BLANK.findall(text, len(text) - len(text.lstrip())).count(base)
        if separated and 2 * separated >= indents.count(base) - 1:
            gap = lead = eol * 2
        elif ">>>" in text and ">>>" in re.split(_BLANK, text[: at - start])[-1]:
            # What follows the output of an example without a blank line is output to doctest.
            lead = eol * 2
    return doc[:at] + lead + gap.join(blocks) + doc[at:]


def _has_block(text: str, block: str, base: str) -> bool:
    at = text.find("\n" + block)
    while at >= 0:
        end = at + 1 + len(block)
        below = INDENT.search(text, end)
        ends = text[end : end + 1] in ("", "\r", "\n")
        if ends and (below is None or column(below[1]) <= column(base)):
            return True
        at = text.find("\n" + block, end)
    return False


def _add_section(doc: str, start: int, end: int, indent: str, lines: Sequence[str]) -> str:
    """Add a section after the text of a span, with blank lines around it."""
    eol = line_ending(doc)
    text = eol.join([indent + line if line else "" for line in lines])
    at = end_of_text(doc, start, end)
    if not start and not doc[:end].strip():
        return _add_first_section(doc, end, indent, text, eol)
    lead = eol * 2
    # What follows keeps its own distance, if it has any.
    trail = eol if end < len(doc) and doc.count("\n", at, end) < 2 else ""
    return doc[:at] + lead + text + trail + doc[at:]


def _add_first_section(doc: str, end: int, indent: str, text: str, eol: str) -> str:
    # Nothing stands before it. The insertion begins behind the indentation that is there, and brings as much for
    # what it pushes down, so that a header on the docstring's first line moves to where the rest of it stands.
    text = text[len(indent) :]
    if not doc[end:].strip():
        return (text + eol if doc else text) + doc
    at = end + len(doc[end:]) - len(doc[end:].lstrip(" \t"))
    return doc[:at] + text + eol * 2 + indent + doc[at:]
