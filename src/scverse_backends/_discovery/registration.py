"""Backends without an entry point: adapters that are handed over as objects, in notebooks and in tests."""

from __future__ import annotations

from scverse_backends._discovery.adapters import Backend, Failure
from scverse_backends.exceptions import UnknownBackendError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from scverse_backends._discovery.answers import Entry
    from scverse_backends._discovery.entry_points import RegisteredRecord
    from scverse_backends._discovery.registry import Registry


def register(registry: Registry, record: RegisteredRecord) -> str:
    """Make an adapter known, and return its canonical name.

    Raises
    ------
    ValueError
        If it breaks the rules, or a backend of that name is there already.
    """
    # Whoever was installed a moment ago was there first.
    registry.relist()
    before = registry.known_entries()
    entry = registry.read(record)
    outcome = entry.outcome
    if not isinstance(outcome, Backend):
        text = outcome.text if isinstance(outcome, Failure) else "it is being loaded"
        cause = outcome.error if isinstance(outcome, Failure) else None
        raise ValueError(f"The adapter cannot be registered: {text}.") from cause
    if any(_adapter_of(known) is outcome.adapter for known in before):
        return outcome.name
    taken = [known for known in registry.entries() if _bears(known, outcome.name)]
    if taken:
        by_hand = taken[0] in registry.registered()
        hint = f"unregister({outcome.name!r}) first" if by_hand else "give the adapter another name"
        raise ValueError(
            f"The adapter cannot be registered: {taken[0].record.origin} bears the name {outcome.name!r} "
            f"already. Please {hint}."
        )
    registry.add(entry)
    return outcome.name


def unregister(registry: Registry, name: str, host: str) -> None:
    """Take a registered adapter out again.

    Raises
    ------
    UnknownBackendError
        If no registered adapter answers to the name.
    """
    for entry in registry.registered():
        outcome = entry.outcome
        # The canonical name is one adapter's only; of an alias, several may have wanted to be the owner.
        if isinstance(outcome, Backend) and (outcome.name == name or registry.answers().get(name) is outcome):
            registry.remove(entry)
            return
    raise UnknownBackendError(
        f"No adapter is registered under {name!r}. Backends that are installed are uninstalled with pip.",
        host=host,
        backend=name,
    )


def _bears(entry: Entry, name: str) -> bool:
    outcome = entry.outcome
    return outcome.name == name if isinstance(outcome, Backend) else entry.record.name == name


def _adapter_of(entry: Entry) -> Any:
    return entry.outcome.adapter if isinstance(entry.outcome, Backend) else None
