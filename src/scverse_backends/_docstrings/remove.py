"""Take entries out of a docstring again that were added to it, or to the text that it was made from.

A host decorator may have copied the text, filled its template in, or indented it anew. So entries are recognised line
by line, whatever their indentation.
"""

from __future__ import annotations

from scverse_backends._docstrings.entry import BACKEND, option_entry
from scverse_backends._docstrings.read import (
    OTHER,
    PARAMETERS,
    UNDERLINES,
    entries,
    kind_of,
    names_of,
    parameter_sections,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from scverse_backends._docstrings.entry import Entry, Option


def remove_options(doc: str, options: Iterable[Option]) -> str:
    r"""Take the entries of options out of a docstring, and the section that was made for them.

    The options are those that were added at any time to the docstring, or to the text that it was made from. Only
    entries that are there word by word are taken out, so a host's own stays.

    Examples
    --------
    >>> from scverse_backends._docstrings.entry import Offer, Option
    >>> option = Option("batch_size", (Offer("my_backend", "int", ("How many at once.",), "64"),))
    >>> doc = "Add.\n\nOther Parameters\n----------------\nbatch_size (my_backend) : int\n    How many at once.\n"
    >>> remove_options(doc, [option])
    'Add.\n'
    """
    return _without(doc, [option_entry(option) for option in options if option.name in doc])


def remove_second_backend(doc: str) -> str:
    r"""Take our own entry of the parameter `backend` out of a docstring where somebody else has documented it too.

    Examples
    --------
    >>> from scverse_backends._docstrings.splice import add_backend_parameter
    >>> doc = "Add.\n\nParameters\n----------\nx : int"
    >>> remove_second_backend(add_backend_parameter(doc) + "\nbackend : str\n    Who adds.")
    'Add.\n\nParameters\n----------\nx : int\nbackend : str\n    Who adds.'
    """
    if doc.count(BACKEND.name) < 2:
        return doc
    sections, _ = parameter_sections(doc)
    lines = [line for section in sections for _, line, _ in entries(doc, section)]
    return _without(doc, [BACKEND]) if sum(BACKEND.name in names_of(line) for line in lines) > 1 else doc


def _without(doc: str, added: Sequence[Entry]) -> str:
    lines = doc.split("\n")
    for entry in added:
        # From the last to the first, so that a cut does not move what is still to be cut.
        for start, end in sorted(set(_found(lines, entry)), reverse=True):
            header = _header_above(lines, start)
            _cut(lines, start if header is None or _goes_on(lines, end, header) else header, end)
    return "\n".join(lines)


def _found(lines: Sequence[str], entry: Entry) -> Iterator[tuple[int, int]]:
    """Yield the spans of lines that are an entry."""
    for head, body in entry.shapes():
        for start in range(len(lines) - len(body)):
            if lines[start].strip() == head and _is_body(lines[start : start + len(body) + 1], body):
                end = start + len(body) + 1
                below = next((line for line in lines[end:] if line.strip()), "")
                if not below or _indent(below) <= _indent(lines[start]):
                    yield start, end


def _is_body(lines: Sequence[str], body: Sequence[str]) -> bool:
    """Whether the lines below a head are those of an entry, all moved by the same step."""
    pairs = list(zip(lines[1:], body, strict=True))
    steps = {_indent(line) - _indent(expected) for line, expected in pairs if line.strip() or expected}
    same_text = all(line.strip() == expected.strip() for line, expected in pairs)
    return same_text and len(steps) <= 1 and all(step > _indent(lines[0]) for step in steps)


def _indent(line: str) -> int:
    line = line.expandtabs()
    return len(line) - len(line.lstrip())


def _header_above(lines: Sequence[str], start: int) -> int | None:
    """Return where the header right above a line begins, in either style."""
    above = next((number for number in range(start - 1, -1, -1) if lines[number].strip()), 0)
    if _is_underline(lines, above):
        above -= 1
    elif not lines[above].rstrip().endswith(":") or _indent(lines[above]) >= _indent(lines[start]):
        return None
    return above if kind_of(lines[above].strip()) in (PARAMETERS, OTHER) else None


def _goes_on(lines: Sequence[str], end: int, header: int) -> bool:
    """Whether another entry of the section follows, so that its header stays."""
    below = next((number for number in range(end, len(lines)) if lines[number].strip()), None)
    if below is None or not names_of(lines[below]) or _is_underline(lines, below + 1):
        return False
    return _indent(lines[below]) >= _indent(lines[header]) + (not _is_underline(lines, header + 1))


def _is_underline(lines: Sequence[str], number: int) -> bool:
    """Whether a line underlines the one above. Dashes that are indented below it are text of an entry."""
    if not 0 < number < len(lines):
        return False
    # The first line of a docstring is not indented, wherever the others stand.
    if number > 1 and _indent(lines[number]) > _indent(lines[number - 1]):
        return False
    text = lines[number].strip()
    return len(text) > 1 and text[0] in UNDERLINES and text == text[0] * len(text)


def _cut(lines: list[str], start: int, end: int) -> None:
    """Take lines out, with the blank lines before them. At the very beginning, take those after them."""
    first = start
    while first and not lines[first - 1].strip():
        first -= 1
    if first:
        start = first
        if end == len(lines):
            # The last line of the text had no line ending, or only half of one.
            lines[start - 1] = lines[start - 1].removesuffix("\r") + "\r" * lines[-1].endswith("\r")
    else:
        while end < len(lines) and not lines[end].strip():
            end += 1
    del lines[start:end]
