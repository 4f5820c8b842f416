"""The table of backends: where each comes from, whether it is trusted, its state and functions."""

from __future__ import annotations

from collections.abc import Sequence

from scverse_backends._discovery.adapters import Backend, Failure
from scverse_backends._discovery.exports import MISSING, declares, static_lookup
from scverse_backends._discovery.installed import installed_version
from scverse_backends._discovery.unrecognised import unrecognised
from scverse_backends._foundation.foreign import describe_error, safely
from scverse_backends._foundation.record import Record
from scverse_backends._foundation.table import Row, Table
from scverse_backends._reports.discover import doubled
from scverse_backends.exceptions import BackendLoadError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import ClassVar, overload

    from scverse_backends._calls.dispatched import Dispatched
    from scverse_backends._discovery.answers import Entry
    from scverse_backends._discovery.registry import Registry
    from scverse_backends._discovery.resolver import Resolver
    from scverse_backends._discovery.trust import TrustedBackend


class BackendInfo(Record):
    """What is known of one backend.

    Attributes
    ----------
    name
        Canonical name; the entry point's name where the adapter could not be loaded.
    aliases
        Other names that select it.
    distribution, version
        The installed distribution that provides it, ``None`` where that is not known.
    entry_point
        Its entry point as ``"name = module:object"``, ``None`` for an adapter registered by hand.
    trusted
        Whether the host vouches for it and its provider was verified.
    reason
        Why it is not trusted.
    state
        ``"available"``, ``"failed"``, ``"refused"`` or ``"not installed"``.
    error
        The exception behind a failure.
    functions
        Names of the host functions that it implements.
    """

    # Annotated, so that checkers need not guess it from the fields.
    __match_args__: ClassVar[tuple[str, ...]] = (
        "name",
        "aliases",
        "distribution",
        "version",
        "entry_point",
        "trusted",
        "reason",
        "state",
        "error",
        "functions",
    )
    __slots__ = __match_args__
    name: str
    aliases: tuple[str, ...]
    distribution: str | None
    version: str | None
    entry_point: str | None
    trusted: bool
    reason: str | None
    state: str
    error: BaseException | None
    functions: tuple[str, ...]


_NAMES = ("name", "aliases", "provided by", "functions")


def _row(info: BackendInfo) -> Row:
    provider = " ".join(text for text in (info.distribution, info.version) if text)
    trusted = "" if info.state == "not installed" else "yes" if info.trusted else "no"
    cells = (info.name, ", ".join(info.aliases), info.state, trusted, provider, ", ".join(info.functions))
    if info.error is not None:
        return Row(cells, describe_error(info.error))
    # The reason why available ones are not trusted stands below the table, since most share it.
    return Row(cells, (info.reason or "") if info.state != "available" else "")


class BackendTable(Sequence[BackendInfo]):
    """The backends of one host. Prints as a table, and shows as one in notebooks."""

    __slots__ = ("_host", "_infos", "_notes")

    def __init__(self, host: str, infos: Iterable[BackendInfo], notes: Iterable[str] = ()) -> None:
        self._host = host
        self._infos = tuple(infos)
        self._notes = tuple(notes)

    if TYPE_CHECKING:

        @overload
        def __getitem__(self, index: int) -> BackendInfo: ...
        @overload
        def __getitem__(self, index: slice) -> Sequence[BackendInfo]: ...

    def __getitem__(self, index: int | slice) -> BackendInfo | Sequence[BackendInfo]:
        return self._infos[index]

    def __len__(self) -> int:
        return len(self._infos)

    def _table(self) -> Table:
        headers = ("name", "aliases", "state", "trusted", "provided by", "functions")
        title = f"Backends of {self._host}" if self._infos else f"No backend of {self._host} is installed."
        untrusted: dict[str, list[str]] = {}
        for info in self._infos:
            if info.state == "available" and info.reason is not None:
                untrusted.setdefault(info.reason, []).append(info.name)
        notes = [f"Not trusted, since {reason}: {', '.join(names)}." for reason, names in untrusted.items()]
        notes += self._notes
        return Table(title, headers, [_row(info) for info in self._infos], notes=notes, names=_NAMES)

    def __repr__(self) -> str:
        return self._table().text()

    def _repr_html_(self) -> str:
        return self._table().html()


def backend_table(host: str, registry: Registry, resolver: Resolver, records: Iterable[Dispatched]) -> BackendTable:
    """Return what is known of every backend, loading the adapters but not their lazily provided functions."""
    resolver.load_all()
    ordered = sorted(records, key=lambda record: (record.attribute, record.name))
    # Where two functions look for one name, no backend runs either of them.
    lost = {second.attribute for _, second in doubled(ordered)}
    ordered = [record for record in ordered if record.attribute not in lost]
    infos = [*_installed(registry, ordered), *_missing(registry, resolver)]
    found = sorted(infos, key=lambda info: (info.name, info.distribution or ""))
    notes = [f"Installed metadata is broken: {text}." for text in registry.listing.problems]
    if not registry.known_entries():
        notes += unrecognised(host, registry.group)
    return BackendTable(host, found, notes)


def _installed(registry: Registry, records: list[Dispatched]) -> Iterator[BackendInfo]:
    answers = registry.answers()
    seen: list[object] = []
    for entry in registry.known_entries():
        outcome = entry.outcome
        if isinstance(outcome, Backend):
            if any(outcome.adapter is adapter for adapter in seen):
                continue  # One adapter reached through two entry points.
            seen.append(outcome.adapter)
            yield _loaded(entry, outcome, answers, records)
        elif isinstance(outcome, Failure) and not entry.loading_here:
            yield _unusable(entry, outcome)


def _loaded(entry: Entry, backend: Backend, answers: dict[str, Backend], records: list[Dispatched]) -> BackendInfo:
    answered = answers.get(backend.name) is backend
    implemented = (record.name for record in records if answered and _implements(backend, record))
    return BackendInfo(
        name=backend.name,
        aliases=tuple(alias for alias in backend.aliases if answers.get(alias) is backend),
        distribution=backend.distribution,
        version=entry.record.version,
        entry_point=_point(entry),
        trusted=answered and backend.trusted,
        reason=backend.untrusted_reason if answered else "another product answers to its name",
        state="available" if answered else "refused",
        error=None,
        functions=tuple(dict.fromkeys(implemented)),
    )


def _implements(backend: Backend, record: Dispatched) -> bool:
    if declares(backend.adapter, record.attribute):
        return True
    # What an adapter provides lazily is known once it has been used.
    is_lazy = static_lookup(backend.adapter, record.attribute) is MISSING
    return is_lazy and record.sources.get(backend.name) is backend


def _unusable(entry: Entry, failure: Failure) -> BackendInfo:
    record = entry.record
    error = failure.error
    if (error is None and not failure.refused) or not _can_be_copied(error):
        ours = BackendLoadError(failure.text, backend=record.name, distribution=record.distribution)
        ours.__cause__, error = error, ours
    # One that the metadata has verified stays trusted when it fails.
    owner = next((claim for claim in entry.claims if claim.verifiable), None) if not failure.refused else None
    return BackendInfo(
        name=record.name,
        aliases=owner.aliases if owner is not None and owner.name == record.name else (),
        distribution=record.distribution,
        version=record.version,
        entry_point=_point(entry),
        trusted=owner is not None,
        reason=failure.text if owner is None else None,
        state="refused" if failure.refused else "failed",
        error=error,
        functions=(),
    )


def _can_be_copied(error: BaseException | None) -> bool:
    """Whether an exception can be copied, as pickle and pandas do with records."""
    from copy import deepcopy

    # A foreign exception may be made of other arguments than it keeps.
    return safely(lambda: (deepcopy(error), True)) is not None


def _point(entry: Entry) -> str | None:
    return f"{entry.record.name} = {entry.record.value}" if entry.record.value else None


def _missing(registry: Registry, resolver: Resolver) -> Iterator[BackendInfo]:
    """Yield the trusted backends that are not there. One that is there and fails has its own row."""
    present = {backend.name for backend in registry.available()}
    for owner in registry.trust.trusted:
        candidates = registry.candidates(owner)
        if owner.name in present or any(entry.failed or entry.loading_here for entry in candidates):
            continue
        if any(_is_refused(entry, owner) for entry in registry.known_entries()):
            continue
        why = resolver.errors.not_verified(owner.name, owner, "default")
        distribution = why.distribution
        version = installed_version(distribution) if distribution else None
        yield BackendInfo(
            name=owner.name,
            aliases=owner.aliases,
            distribution=distribution,
            version=version,
            entry_point=None,
            trusted=False,
            reason=str(why),
            state="failed" if version is not None or isinstance(why, BackendLoadError) else "not installed",
            error=why if isinstance(why, BackendLoadError) else None,
            functions=(),
        )


def _is_refused(entry: Entry, owner: TrustedBackend) -> bool:
    """Whether an entry point of a trusted distribution is refused, which its own row says."""
    outcome = entry.outcome
    return isinstance(outcome, Failure) and outcome.refused and owner.from_distribution(entry.record)
