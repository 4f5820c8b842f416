"""What an entry for an option of backends looks like, in the styles of numpydoc and of Google."""

from __future__ import annotations

from itertools import pairwise

from scverse_backends._foundation.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

STEP: Final = "    "
_WIDTH: Final = 100


class Offer(Record):
    """What one backend says of one of its options.

    The description is dedented, and empty where the option is undocumented. The default is its `repr`.
    """

    __slots__ = __match_args__ = ("provider", "type", "description", "default")
    provider: str
    type: str | None
    description: tuple[str, ...]
    default: str | None


class Option(Record):
    """A parameter that only backends have, with an offer of each."""

    __slots__ = __match_args__ = ("name", "offers")
    name: str
    offers: tuple[Offer, ...]


class Entry:
    """An entry before it is indented: the head of either style, and the lines below it."""

    __slots__ = ("body", "google", "name", "numpydoc")

    def __init__(self, name: str, numpydoc: str, google: str, body: tuple[str, ...]) -> None:
        self.name = name
        self.numpydoc = numpydoc
        self.google = google
        self.body = body

    def lines(self, base: str, deeper: str, *, google: bool) -> list[str]:
        """Return the lines of the entry, indented as its neighbours are."""
        shapes = self.shapes()
        head, body = shapes[0]
        if google:
            # The first line follows the colon, unless it is long or heads a nested list.
            head, body = shapes[2]
            if len(base) + len(head) > _WIDTH or next(filter(None, body), "").startswith(" "):
                head, body = shapes[1]
        return [base + head, *[deeper + line if line else "" for line in body]]

    def shapes(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Return the forms that the entry can have, each as its first line and the lines that stand deeper."""
        joined = " ".join((self.google, *self.body[:1])).rstrip()
        return (self.numpydoc, self.body), (self.google, self.body), (joined, self.body[1:])


# No percent sign, brace or backslash, since host decorators may format the docstring.
BACKEND: Final = Entry(
    "backend",
    "backend : str, sequence of str or None, default: None",
    "backend (str, sequence of str or None):",
    (
        "Which implementation runs: the name or an alias of an installed backend,",
        'or "cpu" for the host\'s own. Several names are an order of preference.',
        "None means the choice made in ``settings``.",
    ),
)


def option_entry(option: Option) -> Entry:
    """Return the entry of an option: what its backends agree on once, and the rest with its provider."""
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
    return Entry(
        option.name,
        f"{head} : {kind}" if kind else head,
        f"{head}: {kind}." if kind else f"{head}:",
        _without_headers(body),
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
        lines += [STEP + line if line else "" for line in offer.description or ("Not documented.",)]
    return tuple(lines[1:])


def _without_headers(body: tuple[str, ...]) -> tuple[str, ...]:
    # After a blank line, numpydoc takes a line with as many dashes below it for a header, however deep it stands, and
    # ends the section there. Without the blank line it does not.
    # A description that begins with dashes gets a blank line, since they would underline the entry.
    kept = [""] if body and not body[0].strip("-=") else []
    for line, below in pairwise((*body, "")):
        title, under = line.strip(), below.strip()
        header = title and under.startswith(("-" * len(title), "=" * len(title)))
        if header or title.startswith(".. index::"):
            while kept and not kept[-1].strip():
                kept.pop()
        kept.append(line)
    return tuple(kept)
