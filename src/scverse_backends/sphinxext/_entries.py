"""Rewrite the entries of backends' options so that napoleon and numpydoc show name, type and backend.

The docstring says ``batch_size (fast) : int``, which reads well in a terminal. Napoleon takes the same line for a type
and a name, and loses both. On the page it becomes ``batch_size : int``, and the description begins with what a reader
writes to get the option: ``Only with backend="fast".``
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from scverse_backends._inside.offered import options_of

if TYPE_CHECKING:
    from typing import Any

    from sphinx.application import Sphinx

    from scverse_backends._inside.offered import ShownOption

_STEP: Final = "    "
_PROSE: Final = re.compile(r"""[\w"'`(\[]""")
# "2. Then", "a) Then": an enumerated list, which needs a paragraph of its own as every structure does.
_ENUMERATED: Final = re.compile(r"\(?(?:\d+|\w|#)[.)]\s")


def rewrite_docstring(_app: Sphinx, _what: str, _name: str, obj: Any, _options: Any, lines: list[str]) -> None:
    """Rewrite the lines of one docstring in place, as Sphinx wants it."""
    for option in options_of(obj):
        rewrite(lines, option)


def rewrite(lines: list[str], option: ShownOption) -> None:
    """Rewrite the entry of one option in place; do nothing where there is none.

    Parameters
    ----------
    lines
        The lines of a docstring.
    option
        The option, the backends that have it, and how they describe its type.

    Examples
    --------
    >>> from scverse_backends._inside.offered import ShownOption
    >>> lines = ["batch_size (fast) : int", "    Genes per batch."]
    >>> rewrite(lines, ShownOption("batch_size", ("fast",), ("int",)))
    >>> lines
    ['batch_size : int', '    Only with ``backend="fast"``. Genes per batch.']
    """
    head = f"{option.name} ({', '.join(option.providers)})"
    entry = re.compile(rf"([ \t]*){re.escape(head)}(?:(?P<google>:)[ ]*(?P<text>.*)|(?P<type> : .*)?)")
    for number, line in enumerate(lines):
        found = entry.fullmatch(line)
        if found is None:
            continue
        base, end = found[1], _end(lines, number + 1, found[1])
        body = _dedented(lines[number + 1 : end])
        if found["google"]:
            kind, text = _split(found["text"], option.types)
            new = f"{base}{option.name} ({kind}):" if kind else f"{base}{option.name}:"
            body = [text, *body] if text else body
        else:
            new = f"{base}{option.name}{found['type'] or ''}"
        deeper = base + _STEP
        told = [deeper + text if text else "" for text in _told(option.providers, body)]
        lines[number:end] = [new, *told]
        return


def _end(lines: list[str], start: int, base: str) -> int:
    """Return where an entry ends: at the next line that is not deeper, without the blank lines before it."""
    end = start
    for number in range(start, len(lines)):
        if lines[number].strip():
            if _column(lines[number]) <= _column(base + "."):
                break
            end = number + 1
    return end


def _column(line: str) -> int:
    expanded = line.expandtabs()
    return len(expanded) - len(expanded.lstrip())


def _dedented(lines: list[str]) -> list[str]:
    expanded = [line.expandtabs().rstrip() for line in lines]
    margin = min((_column(line) for line in expanded if line), default=0)
    return [line[margin:] for line in expanded]


def _split(text: str, types: tuple[str, ...]) -> tuple[str, str]:
    """Return the type and the description, which stand on one line in Google's style."""
    for kind in types:
        if text == f"{kind}." or text.startswith(f"{kind}. "):
            return kind, text[len(kind) + 1 :].lstrip()
    return "", text


def _told(providers: tuple[str, ...], body: list[str]) -> list[str]:
    """Return a description that begins with what to write to get the option."""
    written = " or ".join(f'``backend="{provider}"``' for provider in providers)
    sentence = f"Only with {written}."
    if not body:
        return [sentence]
    first = body[0]
    below = body[1] if len(body) > 1 else ""
    is_prose = _PROSE.match(first) and not _ENUMERATED.match(first) and not below.startswith((" ", "--", "=="))
    return [f"{sentence} {first}", *body[1:]] if is_prose else [sentence, "", *body]
