"""Warnings about adapters and metadata that the user did not ask for."""

from __future__ import annotations

from scverse_backends.exceptions import BackendConflictWarning, BackendLoadWarning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scverse_backends._discovery.adapters import Notice
    from scverse_backends._discovery.answers import Entry
    from scverse_backends._discovery.registry import Registry

_REMOVING = ("uninstall", "unregister or uninstall", "unregister")
"""How to get rid of one of two backends, by how many of them were registered by hand."""


def notices(registry: Registry) -> Iterator[Notice]:
    """Yield everything worth a warning of what has been listed and loaded so far."""
    for text in registry.listing.problems:
        yield BackendLoadWarning, f"Installed metadata is broken: {text}."
    for entry in registry.known_entries():
        yield from entry.notices
    for label, winner, loser in registry.conflicts():
        yield _conflict(registry, label, winner, loser)


def claimed_twice(registry: Registry, names: Iterable[str]) -> Iterator[Notice]:
    """Yield which names that are about to be used are claimed by others too, as the metadata shows."""
    owners = (registry.trust.owner(name) for name in names)
    labels = dict.fromkeys((*names, *(label for owner in owners if owner is not None for label in owner.labels)))
    for label in labels:
        named = registry.named(label)
        for loser in named[1:]:
            # Of loaded backends, `conflicts` knows more. Two entry points to the same object are not rivals.
            if loser.outcome is None and loser.record.value != named[0].record.value:
                yield _conflict(registry, label, named[0], loser)


def has_it(winner: Entry) -> str:
    """Say of the one that has a name which two claim in which way it has it."""
    return "holds it, although it cannot be loaded" if winner.failed else "answers to it"


def _conflict(registry: Registry, label: str, winner: Entry, loser: Entry) -> Notice:
    by_hand = sum(entry in registry.registered for entry in (winner, loser))
    text = f"Both {winner.record.origin} and {loser.record.origin} claim the backend name {label!r}."
    advice = f"The former {has_it(winner)}; {_REMOVING[by_hand]} the one that you do not need."
    return BackendConflictWarning, f"{text} {advice}"
