"""Who answers to which label, decided from everything that is loaded: a pure function, remembered."""

from __future__ import annotations

from _thread import get_ident

from scverse_backends._discovery.adapters import Backend, Failure
from scverse_backends._foundation.labels import normalize_distribution

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from scverse_backends._discovery.adapters import Notice
    from scverse_backends._discovery.entry_points import EntryPointRecord
    from scverse_backends._discovery.trust import TrustedBackend


class Entry:
    """One entry point and what became of it."""

    __slots__ = ("claims", "failed_in", "is_barred", "loading", "notices", "outcome", "record")

    def __init__(self, record: EntryPointRecord, claims: tuple[TrustedBackend, ...], refusal: str | None) -> None:
        self.record = record
        self.is_barred = refusal is not None
        """Whether metadata alone says that it is not to be used."""
        self.failed_in: object = None
        """What was installed when it failed to load."""
        self.claims = claims
        self.outcome: Backend | Failure | None = None if refusal is None else Failure(refusal, refused=True)
        self.notices: list[Notice] = []
        self.loading: set[int] = set()

    @property
    def name(self) -> str:
        """The backend's name as far as it is known: before it is loaded, that of the entry point."""
        return self.outcome.name if isinstance(self.outcome, Backend) else self.record.name

    @property
    def loading_here(self) -> bool:
        """Whether this very thread is loading it, so that it counts as not found."""
        return get_ident() in self.loading

    @property
    def failed(self) -> bool:
        """Whether loading was tried and failed. A refused entry point did not fail."""
        return isinstance(self.outcome, Failure) and not self.outcome.refused and not self.loading_here


class Answers:
    """Who answers to which label, for the entries as they were at one moment."""

    __slots__ = ("_entries", "_outcomes", "available", "conflicts", "table")

    def __init__(self, entries: tuple[Entry, ...]) -> None:
        self._entries = entries
        # Copied first: if something changes while the answers are made, `are_of` finds that they are old.
        self._outcomes = [entry.outcome for entry in entries]
        self.table, self.conflicts = _assign(entries)
        """Each label, and the backend that answers to it or the failed entry that holds it."""
        backends = [outcome for outcome in self._outcomes if isinstance(outcome, Backend)]
        self.available = dict.fromkeys(one for one in backends if self.table.get(one.name) is one).keys()
        """The backends that answer to their canonical names, in listing order."""

    def are_of(self, entries: tuple[Entry, ...]) -> bool:
        """Whether these are the answers for entries as they are now."""
        return self._entries == entries and self._outcomes == [entry.outcome for entry in entries]


def rank(name: str, trusted: TrustedBackend) -> int:
    """Order a trusted backend's entry points: its canonical name, then its aliases, then any other."""
    return trusted.labels.index(name) if name in trusted.labels else len(trusted.labels)


def in_order(entries: Iterable[Entry]) -> list[Entry]:
    """Return entries in the order in which equals win: by the names of their distributions.

    So the order of folders and of listings does not matter. What was registered by hand comes last. Where no
    distribution is known, the order of the listing stays.
    """
    found = list(entries)
    return sorted(found, key=_precedence) if len(found) > 1 else found


def _precedence(entry: Entry) -> tuple[bool, bool, str]:
    # Reading a distribution's name parses a file, so `in_order` sorts only where more than one could win.
    distribution = entry.record.distribution
    return entry.record.by_hand, distribution is None, normalize_distribution(distribution or "")


def _assign(entries: tuple[Entry, ...]) -> tuple[dict[str, Backend | Entry], list[tuple[str, Entry, Entry]]]:
    """Decide who answers to which label, from everything that is loaded.

    In this order: a trusted backend; an adapter whose entry point and canonical name are both the label, or a failed
    entry point of that name, which holds it; another adapter's canonical name; an alias. Among equals the first wins.
    """
    table: dict[str, Backend | Entry] = {}
    holders: dict[str, Entry] = {}
    conflicts: list[tuple[str, Entry, Entry]] = []
    losers: list[Entry] = []

    def claim(label: str, entry: Entry) -> bool:
        holder = holders.get(label)
        if holder is None:
            holders[label] = entry
            table[label] = entry.outcome if isinstance(entry.outcome, Backend) else entry
            return True
        mine, theirs = holder.outcome, entry.outcome
        if isinstance(mine, Backend) and isinstance(theirs, Backend) and mine.adapter is theirs.adapter:
            return True
        conflicts.append((label, holder, entry))
        return False

    entries = tuple(in_order(entry for entry in entries if isinstance(entry.outcome, Backend) or entry.failed))
    loaded = [(entry, entry.outcome) for entry in entries if isinstance(entry.outcome, Backend)]
    owned = [(entry, owner) for entry, backend in loaded for owner in entry.claims if owner.name == backend.name]
    for entry, owner in sorted(owned, key=lambda pair: rank(pair[0].record.name, pair[1])):
        # Only the host's labels: aliases that the adapter adds come after the names of other products.
        for label in owner.labels:
            claim(label, entry)
    for entry in entries:
        outcome = entry.outcome
        by_name = isinstance(outcome, Backend) and outcome.name == entry.record.name
        if (by_name or entry.failed) and not claim(entry.record.name, entry) and by_name:
            losers.append(entry)
    for entry, backend in loaded:
        if backend.name != entry.record.name and not claim(backend.name, entry):
            losers.append(entry)
    for entry, backend in loaded:
        if entry not in losers:
            for alias in backend.aliases:
                claim(alias, entry)
    # A failed entry point that lost its name is not a rival, since nobody can select it.
    return table, [conflict for conflict in dict.fromkeys(conflicts) if isinstance(conflict[2].outcome, Backend)]


NO_ANSWERS = Answers(())
"""The answers while nothing is known."""
