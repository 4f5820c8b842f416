"""The static contract of an adapter as a whole: its name, its aliases, its trust, and what it exports.

Looking at a lazily provided function makes its adapter import it; no function of the backend is ever executed.
"""

from __future__ import annotations

import inspect
import sys
from types import ModuleType

from scverse_backends._discovery.adapters import UNVERIFIABLE, Backend, Failure
from scverse_backends._discovery.exports import MISSING, exports, own, static_lookup
from scverse_backends._discovery.notices import has_it
from scverse_backends._foundation.foreign import class_of, safely
from scverse_backends._foundation.labels import listing
from scverse_backends._reports.function import hands_back, listed_names
from scverse_backends._reports.problem import Problem
from scverse_backends._reports.side_by_side import resembling

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from typing import Any

    from scverse_backends._calls.dispatched import Dispatched
    from scverse_backends._discovery.answers import Entry
    from scverse_backends._discovery.registry import Registry
    from scverse_backends._discovery.trust import TrustedBackend
    from scverse_backends._reports.problem import Severity


_AGAIN = "Then install the package again."

# -- an adapter that gives no backend ----------------------------------------------------------------------------------


def failure_problems(entry: Entry, registry: Registry) -> Iterator[Problem]:
    """Yield why an entry point gives no backend."""
    failure, record = entry.outcome, entry.record
    text = failure.text if isinstance(failure, Failure) else "it is being loaded"
    if isinstance(failure, Failure) and failure.refused:
        owner = registry.trust.impersonates(record)
        advice = "Give the adapter a name of its own." if owner is None else _to_be_recognised(entry, owner)
    elif isinstance(failure, Failure) and failure.error is not None:
        advice = _to_be_imported(record.object_ref, failure.error)
    else:
        advice = f"Write name = {record.name!r} in {record.module}."
    yield Problem(None, None, "error", f"The {record.origin} gives no backend: {text}.", advice)
    yield from _conflicts(entry, registry)


def _to_be_imported(reference: str, error: BaseException) -> str:
    """Say what would let an adapter be imported."""
    module, _, attribute = reference.partition(":")
    if not all(part.isidentifier() for part in module.split(".")):
        return f"Write the name of a module in pyproject.toml, as Python imports it. {_AGAIN}"
    missing = str(error.name or "") if isinstance(error, ModuleNotFoundError) else ""
    if missing and f"{module}.".startswith(f"{missing}."):
        return f"Write the module, or correct the entry point in pyproject.toml. {_AGAIN}"
    if missing and missing.partition(".")[0] != module.partition(".")[0]:
        return f"Install {missing!r}, or import it in the functions that need it."
    again = f"from {module} import {attribute}" if attribute.isidentifier() else f"import {module}"
    if module in sys.modules and isinstance(own(sys.modules[module]).get(attribute), type):
        again += f"; {attribute}()"  # A class is made without arguments.
    return f"Repair {module}. To see the error again: python -c '{again}'"


def _to_be_recognised(entry: Entry, owner: TrustedBackend) -> str:
    """Say what the host would have to list for an entry point to be the trusted backend whose name it bears."""
    record = entry.record
    wanted = ", ".join(f"{found!r} in {kind}" for kind, found, _ in owner.mismatches(record) if found)
    if owner.distributions and not owner.from_distribution(record):
        return f"Give the backend a name of its own. If it is {owner.name!r}, ask the host to list {wanted}."
    return f"Ask the host to list {wanted} of trusted_backends[{owner.name!r}], or change what does not match."


# -- names, aliases and trust ------------------------------------------------------------------------------------------


def adapter_problems(
    entry: Entry, backend: Backend, records: Collection[Dispatched], registry: Registry
) -> Iterator[Problem]:
    """Yield what is wrong with names, aliases and trust, and the exports that no host function has."""
    for _, message in entry.notices:
        # The warning is meant for users, and this is read by the author.
        text = message.removesuffix(" Tell its authors.")
        advice = "Give a list of plain names that neither the host nor another backend has, or leave them out."
        yield Problem(None, None, "warning", text, advice)
    yield from _conflicts(entry, registry)
    promised = [claim.name for claim in entry.claims]
    if promised and backend.name not in promised:
        text = f"The host trusts it to provide {promised[0]!r}, and the adapter calls itself {backend.name!r}."
        yield Problem(None, None, "error", text, f"Set name = {promised[0]!r}.")
    elif not promised and entry.record.name not in (backend.name, *backend.aliases):
        called = f"The entry point is called {entry.record.name!r} and the backend {backend.name!r}"
        text = f"{called}, so that finding {backend.name!r} takes loading every installed backend."
        yield Problem(None, None, "warning", text, f"Call the entry point {backend.name!r}. {_AGAIN}")
    if backend.untrusted_reason is not None:
        wanted = f"list {backend.name!r} in trusted_backends"
        if backend.untrusted_reason == UNVERIFIABLE:
            wanted = f"name its package in trusted_backends[{backend.name!r}]"
        text = f"It is not trusted: {backend.untrusted_reason}."
        yield Problem(None, None, "note", text, f"Ask the host to {wanted}.")
    yield from _unknown_exports(backend.adapter, {record.attribute for record in records})
    yield from _left_out(backend.adapter, records)


_ANOTHER_NAME = "Choose a name of your own."
_TWO_NAMES = "Where both are installed, nobody reaches the other one by it. Agree with its authors on two names."


def _conflicts(entry: Entry, registry: Registry) -> Iterator[Problem]:
    """Yield which names an entry point and another one both claim, whichever of them answers."""
    named = [one for one in registry.named(entry.record.name) if isinstance(one.outcome, Backend) or one.failed]
    # Nobody can select one that lost its name and cannot be loaded, but its authors will repair it.
    broken = [(entry.record.name, named[0], one) for one in named[1:] if one.failed]
    for label, winner, loser in (*registry.conflicts(), *broken):
        if entry not in (winner, loser):
            continue
        both = f"Both {winner.record.origin} and {loser.record.origin} claim the name {label!r}."
        severity: Severity = "error" if loser is entry and label == entry.name else "warning"
        advice = _ANOTHER_NAME if loser is entry else _TWO_NAMES
        yield Problem(None, None, severity, f"{both} The former {has_it(winner)}.", advice)


# -- exports -----------------------------------------------------------------------------------------------------------


def _unknown_exports(adapter: Any, known: set[str]) -> Iterator[Problem]:
    """Yield what the host would never ask for: likely slips one by one, and one note on all the others."""
    listed = listed_names(adapter)
    offered = _offered(adapter, listed)
    others: list[str] = []
    for name in sorted(offered - known):
        likely = resembling(name, known - offered)
        if likely:
            meant = " or ".join(map(repr, likely))
            text = "No host function has this name, so nothing ever calls it."
            yield Problem(name, None, "warning", text, f"Call it {meant} if that is what it implements.")
        elif listed is not None or _is_own_function(adapter, name):
            others.append(name)  # What an adapter imports for itself does not count.
    if others:
        them, names = ("it", "its name") if len(others) == 1 else ("them", "their names")
        text = f"The host dispatches no function called {listing(others)}, so nothing ever calls {them}."
        advice = f"Leave {them} out of the adapter, or begin {names} with an underscore."
        yield Problem(None, None, "note", text, advice)


def _left_out(adapter: Any, records: Iterable[Dispatched]) -> Iterator[Problem]:
    """Yield functions that the adapter has, and that its ``__all__`` keeps from ever being called."""
    listed = listed_names(adapter)
    if listed is None:
        return
    home = adapter.__name__.partition(".")[0]
    for record in records:
        name = record.attribute
        found = MISSING if name in listed or name.startswith("_") else _provided(adapter, name)
        if found is MISSING or not callable(found) or hands_back(found, record.wrapper_ref()):
            continue
        # What comes from another package may be there for the adapter's own use.
        is_own = (getattr(found, "__module__", None) or "").partition(".")[0] == home
        text = "The adapter has a function of this name. Its __all__ leaves it out, so calls run on the host."
        advice = f"Add {name!r} to __all__ of {adapter.__name__} once it is ready."
        yield Problem(name, None, "warning" if is_own else "note", text, advice)


def _provided(adapter: ModuleType, name: str) -> Any:
    """Return what a module has under a name, exported or not, lazy or not."""
    found = static_lookup(adapter, name)
    if found is MISSING and static_lookup(adapter, "__getattr__") is not MISSING:
        return safely(lambda: getattr(adapter, name), MISSING)
    return found


def _offered(adapter: Any, listed: set[str] | None) -> set[str]:
    """Return the names that an adapter may be asked for, without touching any of them."""
    if listed is not None:
        return {name for name in listed if exports(adapter, name)}
    names: set[object] = {*own(adapter)}
    if not isinstance(adapter, ModuleType):
        names.update(*(vars(base) for base in inspect.getmro(class_of(adapter))))
    return {name for name in names if isinstance(name, str) and exports(adapter, name)}


def _is_own_function(adapter: Any, name: str) -> bool:
    value = inspect.getattr_static(adapter, name, None)
    value = getattr(value, "__func__", value)
    home = adapter.__name__ if isinstance(adapter, ModuleType) else type(adapter).__module__
    return inspect.isroutine(value) and getattr(value, "__module__", None) == home
