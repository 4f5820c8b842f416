"""Which backends exist and in which state: a name or alias to its backend, importing as little as it can.

Who answers to a label is a pure function of all adapters (``answers``), so it never depends on what happens to be
imported already. A label is settled early, without loading the rest, only where nothing else could change the answer.

No lock is held while foreign code runs. Adapters are loaded outside it, and everybody uses the first outcome.
"""

from __future__ import annotations

from _thread import RLock, get_ident

from scverse_backends._discovery.adapters import UNLISTED, UNVERIFIABLE, Backend, Failure, load
from scverse_backends._discovery.answers import NO_ANSWERS, Answers, Entry, in_order, rank
from scverse_backends._discovery.installed import NOTHING_LISTED, Installed, forget_finder_caches, list_entry_points
from scverse_backends._foundation import log
from scverse_backends._foundation.labels import normalize_distribution

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, KeysView
    from typing import Any

    from scverse_backends._discovery.adapters import Notice
    from scverse_backends._discovery.entry_points import EntryPointRecord
    from scverse_backends._discovery.trust import Trust, TrustedBackend


NEVER, IF_CHANGED, ALWAYS = "never", "if changed", "always"
"""When an adapter that failed to load is tried again. "Changed" means what is installed."""


class Registry:
    """All entry points of one host, and the backends made of them."""

    def __init__(self, *, group: str, trust: Trust, refuse_untrusted: bool, on_change: Callable[[], None]) -> None:
        self.group = group
        self.trust = trust
        self._refuse_untrusted = refuse_untrusted
        self._on_change = on_change
        # Reentrant, since a signal handler or a finalizer may call anything anywhere.
        self._lock = RLock()
        self.listing = NOTHING_LISTED
        self._listed: tuple[Entry, ...] = ()
        self.registered: tuple[Entry, ...] = ()
        """The entries of adapters that were registered by hand."""
        self._shared: list[tuple[type, Any]] = []
        self._answers = NO_ANSWERS
        self._installed = Installed()
        self.replaced: frozenset[str] = frozenset()
        """The normalised names of distributions that a test has replaced."""
        self.revision = 0
        """Grows when entry points come or go, so that what was not found before is looked for again."""

    # -- what is installed -------------------------------------------------------------------------------------------

    def entries(self) -> tuple[Entry, ...]:
        """Return every known entry point, in the order of the listing; lists on first use."""
        if not self.listing.is_current():
            self._list()
        return self._listed + self.registered

    def known_entries(self) -> tuple[Entry, ...]:
        """Return what has been listed so far, without listing."""
        return self._listed + self.registered

    def provider(self, name: str) -> tuple[str, str | None] | None:
        """Return the distribution and version that a selected backend comes from, as far as is known already.

        Nothing is listed or loaded for it. ``None`` where no distribution provides the backend.
        """
        for entry in self.known_entries():
            if entry.name == name and entry.record.distribution is not None:
                return entry.record.distribution, entry.record.version
        return None

    def named(self, name: str) -> list[Entry]:
        """Return the entry points of a name, the one with the best right to it first; refused ones do not count."""
        return in_order(entry for entry in self.entries() if entry.record.name == name and not entry.is_barred)

    def state(self) -> object:
        """Return a value that stays equal for as long as nothing comes or goes, here or among what is installed."""
        return self.revision, self._installed.state()

    def relist(self) -> bool:
        """Read again what is installed, and say whether something is there that was not there before."""
        forget_finder_caches()
        return self._list()

    def _list(self) -> bool:
        """List, keep what is loaded and still there, and say whether there is something new."""
        before = self.listing
        listing = list_entry_points(self.group)
        fresh = [self._entry(record) for record in listing.records if not self._is_replaced(record)]
        with self._lock:
            if before is NOTHING_LISTED and self.listing.is_current():
                return True  # Another thread made the first listing in the meantime, and may have loaded from it.
            gone = list(self._listed)
            matched = [(entry, _taken(gone, entry)) for entry in fresh]
            came = any(known is None for _, known in matched)
            # What an incomplete listing lacks may be there all the same.
            missed = [] if listing.is_complete else gone
            gone = gone if listing.is_complete else []
            # The entries come first: another thread that sees the listing takes them for complete.
            self._listed = (*(_kept(entry, known) for entry, known in matched), *missed)
            self.listing = listing
            self._answers = NO_ANSWERS
            if gone:
                self._forget_unused_instances()
        log.debug("entry points in group %r: %d, %s of them new", self.group, len(fresh), "some" if came else "none")
        # What answered before may have gone, and what came may have a better right to a name.
        if (came or gone) and (before is not NOTHING_LISTED or self.registered):
            self.revision += 1
            self._on_change()
        return came

    def _is_replaced(self, record: EntryPointRecord) -> bool:
        return bool(self.replaced) and normalize_distribution(record.distribution or "") in self.replaced

    def _entry(self, record: EntryPointRecord) -> Entry:
        claims = self.trust.claims(record)
        return Entry(record, claims, self._refusal(record, claims))

    def _refusal(self, record: EntryPointRecord, claims: tuple[TrustedBackend, ...]) -> str | None:
        """Say why an entry point is not even imported: everything that metadata can tell is checked here."""
        holder = None if claims else self.trust.impersonates(record)
        if holder is not None:
            why = holder.why_not(record) or f"its entry point is {record.name!r} and not {holder.name!r}"
            return f"the name {record.name!r} is reserved for the trusted backend {holder.name!r}, and {why}"
        if self._refuse_untrusted and not any(claim.verifiable for claim in claims):
            return f"the host uses trusted backends only, and {UNVERIFIABLE if claims else UNLISTED}"
        return None

    # -- loading -----------------------------------------------------------------------------------------------------

    def load(self, entry: Entry, retry: str = NEVER, *, announce: bool = True) -> Backend | Failure | None:
        """Load one entry point once, and return what became of it.

        ``None`` where this very thread is loading it already: an adapter that asks for itself while it is being
        imported is not found, and that is no failure of it. Without `announce`, the caller tells that something
        changed.
        """
        outcome = entry.outcome
        if isinstance(outcome, Backend) or (outcome is not None and not self._deserves_another(entry, outcome, retry)):
            return outcome
        if entry.loading_here:
            return None
        thread = get_ident()
        try:
            entry.loading.add(thread)
            if outcome is not None:
                forget_finder_caches()  # What it lacked may have been installed since.
            log.debug("loading %s (%s)", entry.record.origin, entry.record.value)
            result, notices = self._read(entry)
        finally:
            try:
                entry.loading.discard(thread)
            finally:
                # Again, since after an interrupt right here this thread would never find the entry.
                entry.loading.discard(thread)
        failed_in = self._installed.state() if isinstance(result, Failure) else None
        with self._lock:
            if isinstance(entry.outcome, Backend):
                return entry.outcome
            entry.outcome = result
            entry.notices = notices
            entry.failed_in = failed_in
        if isinstance(result, Failure):
            log.warning("%s gives no backend: %s", entry.record.origin, result.text)
            if result.traceback:
                log.debug("%s: %s", entry.record.origin, result.traceback)
        # A failure is news too: it holds the name, and another backend may have answered while it was loading.
        if announce:
            self._on_change()
        return result

    def _deserves_another(self, entry: Entry, failure: Failure, retry: str) -> bool:
        if failure.refused or retry == NEVER:
            return False
        return retry == ALWAYS or entry.failed_in != self._installed.state()

    def _read(self, entry: Entry) -> tuple[Backend | Failure, list[Notice]]:
        result, notices = load(entry.record, self.trust, entry.claims, self._share)
        if self._refuse_untrusted and isinstance(result, Backend) and not result.trusted:
            # A trusted distribution whose adapter has another name than the host trusts.
            text = f"the host uses trusted backends only, and not one that calls itself {result.name!r}"
            return Failure(text, refused=True), []
        return result, notices

    def _share(self, adapter_class: type, instance: Any) -> Any:
        """Return the one instance of an adapter class that everybody uses: the first that was made, if any was."""
        with self._lock:
            for known, shared in self._shared:
                if known is adapter_class:
                    return shared
            if instance is not None:
                self._shared.append((adapter_class, instance))
            return instance

    def load_all(self, retry: str = NEVER) -> None:
        """Load every entry point that has not been tried yet."""
        came = False
        try:
            for entry in self.entries():
                before = entry.outcome
                self.load(entry, retry, announce=False)
                came = came or entry.outcome is not before
        finally:
            # Said once for all, since every function then looks at every backend.
            if came:
                self._on_change()

    @property
    def is_loading_here(self) -> bool:
        """Whether this very thread is loading an adapter, which is asking for something."""
        return any(entry.loading_here for entry in self.known_entries())

    # -- who answers to a name ---------------------------------------------------------------------------------------

    def find(self, label: str, retry: str = ALWAYS) -> Backend | Entry | None:
        """Return who answers to an untrusted label: a backend, the failed entry that holds it, or nobody."""
        for entry in self.named(label):
            outcome = self.load(entry, retry)
            if isinstance(outcome, Backend) and outcome.name == label:
                return outcome
            if entry.failed:
                return entry
        self.load_all()
        return self._answered().table.get(label)

    def candidates(self, trusted: TrustedBackend) -> list[Entry]:
        """Return the entry points verified for a trusted backend, those that bear its name first."""
        entries = in_order(entry for entry in self.entries() if trusted in entry.claims)
        return sorted(entries, key=lambda entry: rank(entry.record.name, trusted))

    def _answered(self) -> Answers:
        entries = self.known_entries()
        if any(entry.loading for entry in entries):
            # The answers differ by thread: for the one that tries a failed entry again, that entry holds no name.
            return Answers(entries)
        answers = self._answers
        # Merging asks for each function and each backend, and the answers seldom change.
        if not answers.are_of(entries):
            answers = self._answers = Answers(entries)
        return answers

    def answers(self) -> dict[str, Backend]:
        """Return every label that a backend answers to, of what is loaded so far."""
        return {label: who for label, who in self._answered().table.items() if isinstance(who, Backend)}

    def available(self) -> KeysView[Backend]:
        """Return the loaded backends that answer to their canonical names, in listing order."""
        return self._answered().available

    def conflicts(self) -> list[tuple[str, Entry, Entry]]:
        """Return each label that was claimed in vain: the label, who answers to it, who lost."""
        return self._answered().conflicts

    def shadowed(self, backend: Backend) -> bool:
        """Whether another product answers to this backend's own name, so that nothing can select it."""
        return self._answered().table.get(backend.name) is not backend

    # -- adapters without an entry point -----------------------------------------------------------------------------

    def read(self, record: EntryPointRecord) -> Entry:
        """Read an adapter that was handed over as an object, without making it known yet."""
        entry = self._entry(record)
        if entry.outcome is None:
            entry.outcome, entry.notices = self._read(entry)
        return entry

    def add(self, entry: Entry) -> None:
        """Make an entry known that was read."""
        with self._lock:
            self.registered += (entry,)
            self.revision += 1
        self._on_change()

    def remove(self, entry: Entry) -> None:
        """Take a registered adapter out again."""
        with self._lock:
            self.registered = tuple(one for one in self.registered if one is not entry)
            self.revision += 1
            self._forget_unused_instances()
            self._answers = NO_ANSWERS
        self._on_change()

    def _forget_unused_instances(self) -> None:
        left = [one.outcome.adapter for one in self.known_entries() if isinstance(one.outcome, Backend)]
        self._shared = [pair for pair in self._shared if any(pair[1] is adapter for adapter in left)]

    def snapshot(self) -> Callable[[], None]:
        """Return a function that brings back what is known now."""
        with self._lock:
            listing, listed, registered, shared = self.listing, self._listed, self.registered, list(self._shared)
            replaced = self.replaced
            outcomes = [(entry, entry.outcome, entry.notices) for entry in listed + registered]

        def restore() -> None:
            with self._lock:
                self.listing, self._listed, self.registered, self._shared = listing, listed, registered, shared
                self.replaced = replaced
                self.revision += 1
                self._answers = NO_ANSWERS
                for entry, outcome, notices in outcomes:
                    entry.outcome, entry.notices = outcome, notices
            self._on_change()

        return restore

    def after_fork(self) -> None:
        """Forget the parent's threads in a forked child, where a new thread may get the number of an old one."""
        self._lock = RLock()
        for entry in self.known_entries():
            entry.loading &= {get_ident()}


def _taken(entries: list[Entry], entry: Entry) -> Entry | None:
    """Take the entry that stands for the same adapter out of a list."""
    for index, known in enumerate(entries):
        if known.record.same_as(entry.record):
            return entries.pop(index)
    return None


def _kept(entry: Entry, known: Entry | None) -> Entry:
    """Return the known entry if it was loaded or is being loaded, else the fresh one.

    A fresh record can still read its distribution's version. After an upgrade, the files of an old one may be gone.
    """
    return known if known is not None and (known.loading or known.outcome is not None) else entry
