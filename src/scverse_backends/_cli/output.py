"""How an answer looks: text for people, with colours where there is a terminal, and JSON for programs."""

from __future__ import annotations

import json
import os
import re
import sys
from typing import Final, NamedTuple

_COLOURS: Final = {
    "error": "31",
    "failed": "31",
    "warning": "33",
    "refused": "33",
    "not installed": "33",
    "note": "36",
    "available": "32",
}
SEVERITIES: Final = re.compile("(?<=^  )(?:error|warning|note)(?= )", re.MULTILINE)
"""The words that have a colour in a report."""
STATES: Final = re.compile("(?<=  )(?:available|failed|refused|not installed)(?=  )")
"""The words that have a colour in a table of backends."""


class Answer(NamedTuple):
    """What a command comes to: its exit code, what it shows, and the words that have a colour on a terminal."""

    code: int
    text: str
    coloured: re.Pattern[str] | None = None


def say(text: str) -> None:
    """Tell the user something that is no part of the answer."""
    print(f"scverse-backends: {text}", file=sys.stderr)


def show(answer: Answer) -> None:
    """Print an answer."""
    text = answer.text if answer.coloured is None else _coloured(answer.text, answer.coloured)
    try:
        print(_encodable(text), flush=True)
    except BrokenPipeError:
        # Who reads has seen enough. Python would complain once more when it closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def as_json(value: object) -> str:
    """Return a value as JSON that people can read, too."""
    return json.dumps(value, indent=2)


def _coloured(text: str, words: re.Pattern[str]) -> str:
    if (
        sys.stdout is not None
        and sys.stdout.isatty()
        and not os.environ.get("NO_COLOR")
        and os.environ.get("TERM") != "dumb"
    ):
        return words.sub(lambda found: f"\033[{_COLOURS[found[0]]}m{found[0]}\033[0m", text)
    return text


def _encodable(text: str) -> str:
    """Return text with what the terminal has no character for made visible, as Python does for errors."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)
