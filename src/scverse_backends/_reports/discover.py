"""Say what a host's developers should hear about, once everything is loaded and merged."""

from __future__ import annotations

from scverse_backends._discovery.adapters import Backend, Failure
from scverse_backends._discovery.notices import notices
from scverse_backends._foundation.labels import did_you_mean, listing, suggestions
from scverse_backends.exceptions import BackendConflictWarning, BackendLoadWarning, UntrustedBackendWarning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from scverse_backends._calls.dispatched import Dispatched
    from scverse_backends._discovery.registry import Registry
    from scverse_backends._discovery.resolver import Resolver
    from scverse_backends._foundation.warner import Key, Warner
    from scverse_backends.exceptions import BackendWarning


def report(
    resolver: Resolver, registry: Registry, records: list[Dispatched], warner: Warner, merged: list[BackendLoadWarning]
) -> None:
    """Say what is wrong with the backends and with the host, once everything is loaded and merged."""
    pending: list[tuple[Key, BackendWarning]] = [(("notice", str(warning)), warning) for warning in merged]
    pending += _warnings(resolver, registry, records)
    # Everything is merged by now, so a warning that is an error leaves nothing half-done.
    for key, warning in pending:
        warner.warn_once(key, warning)
    check_never_drop(records)


def check_never_drop(records: Sequence[Dispatched]) -> None:
    """Refuse a slip in `never_drop`: a name that no function has as a parameter would keep nothing."""
    kept = {name for record in records for name in record.never_drop}
    if not kept:
        return  # Reading all signatures would take longer than everything else here.
    known = {name for record in records for name in record.host_names().all}
    lost = sorted(kept - known)
    if lost:
        likely = did_you_mean(suggestions(lost[0], known))
        raise ValueError(f"never_drop: no function of the host has a parameter {listing(lost)}.{likely}")


def _warnings(
    resolver: Resolver, registry: Registry, records: Iterable[Dispatched]
) -> Iterator[tuple[Key, BackendWarning]]:
    """Yield each warning, with a key by which it is given only once."""
    for category, text in notices(registry):
        yield ("notice", text), category(text)
    for entry in registry.known_entries():
        failure, record = entry.outcome, entry.record
        if isinstance(failure, Failure):
            verb, advice = ("is refused", "") if failure.refused else ("cannot be used", f" {failure.advice}.")
            text = f"The {record.origin} {verb}: {failure.text}.{advice}"
            warning = BackendLoadWarning(text, backend=record.name, distribution=record.distribution)
            yield ("failed", entry), warning
    for owner in registry.trust.trusted:
        adapters = [entry.outcome for entry in registry.candidates(owner)]
        if adapters and all(isinstance(one, Backend) and one.name != owner.name for one in adapters):
            error = resolver.errors.not_verified(owner.name, owner, "default")
            warning = BackendLoadWarning(str(error), backend=owner.name, distribution=error.distribution)
            yield ("notice", str(error)), warning
    for ambiguity in ambiguities(records):
        yield ("notice", str(ambiguity)), ambiguity
    untrusted = [backend for backend in registry.available() if not backend.trusted]
    if untrusted and resolver.warns_untrusted:
        host = resolver.host
        listed = "; ".join(f"{backend.name!r} ({backend.record.origin})" for backend in untrusted)
        text = (
            f"These backends are not trusted by {host}, and their options now show in its help: {listed}. "
            f"Use them only if you trust whoever provides them. Authors of {host} list those that they have "
            f"reviewed in trusted_backends, or write untrusted='allow'."
        )
        yield ("untrusted listing", listed), UntrustedBackendWarning(text)


def ambiguities(records: Iterable[Dispatched]) -> Iterator[BackendConflictWarning]:
    """Yield a warning for each two host functions that look for the same adapter attribute."""
    for first, second in doubled(records):
        yield ambiguity(first, second)


def doubled(records: Iterable[Dispatched]) -> Iterator[tuple[Dispatched, Dispatched]]:
    """Yield each two different host functions that look for the same adapter attribute."""
    owners: dict[str, Dispatched] = {}
    for record in records:
        first = owners.setdefault(record.attribute, record)
        # Reloading a module decorates the same function again.
        if first.place != record.place:
            yield first, record


def ambiguity(first: Dispatched, second: Dispatched) -> BackendConflictWarning:
    """Return the warning for two host functions that look for the same adapter attribute."""
    return BackendConflictWarning(
        f"{first.place} and {second.place} both look for {second.attribute!r} in backends, so no backend runs either "
        f"of them. Give one of them @backend_dispatch(name=...).",
        function=second.attribute,
    )
