"""The static contract between a host and a backend: everything that can be wrong without anything being called.

Looking at a lazily provided function makes its adapter import it; no function of the backend is ever executed.
"""

from __future__ import annotations

import inspect
from types import ModuleType
from typing import cast

from scverse_backends._calls.dispatched import leads_to
from scverse_backends._discovery.adapters import Failure
from scverse_backends._discovery.exports import MISSING, exported, exports
from scverse_backends._foundation.foreign import describe_error
from scverse_backends._foundation.labels import suggestions
from scverse_backends._reports.problem import Problem
from scverse_backends._reports.side_by_side import Signatures, can_run_problems
from scverse_backends._selection.kinds import ASYNC_GENERATOR, COROUTINE, GENERATOR, innermost_kind
from scverse_backends._signatures.accepted import implementation_signature, only_passes_on

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from scverse_backends._calls.dispatched import Dispatched
    from scverse_backends._discovery.adapters import Backend
    from scverse_backends._discovery.answers import Entry
    from scverse_backends._discovery.registry import Registry


# -- the adapter as a whole --------------------------------------------------------------------------------------------


def failure_problems(entry: Entry) -> Iterator[Problem]:
    """Yield why an entry point gives no backend."""
    failure = entry.outcome
    text = failure.text if isinstance(failure, Failure) else "it is being loaded"
    refused = isinstance(failure, Failure) and failure.refused
    advice = (
        "Give the adapter a name that is its own, or ask the host to trust this distribution."
        if refused
        else "Repair what it raises, or what it says of itself; nothing else can be checked before."
    )
    yield Problem(None, None, "error", f"The {entry.record.origin} gives no backend: {text}.", advice)


def adapter_problems(
    entry: Entry, backend: Backend, records: Iterable[Dispatched], registry: Registry
) -> Iterator[Problem]:
    """Yield what is wrong with names, aliases and trust, and the exports that no host function has."""
    for notice in entry.notices:
        # Who reads this is the author whom the warning, which is meant for users, speaks of.
        text = notice.message.removesuffix(" Tell its authors.")
        advice = "Give a list of plain names that neither the host nor another backend has, or leave them out."
        yield Problem(None, None, "warning", text, advice)
    for label, winner, loser in registry.conflicts():
        if loser is entry:
            yield Problem(
                None,
                None,
                "error" if label == backend.name else "warning",
                f"The name {label!r} is answered by {winner.record.origin}.",
                "Choose a name of your own.",
            )
    promised = [claim.name for claim in entry.claims]
    if promised and backend.name not in promised:
        yield Problem(
            None,
            None,
            "error",
            f"The host trusts it to provide {promised[0]!r}, and the adapter calls itself {backend.name!r}.",
            f"Set name = {promised[0]!r}.",
        )
    elif entry.record.name not in (backend.name, *backend.aliases):
        yield Problem(
            None,
            None,
            "warning",
            f"The entry point is called {entry.record.name!r} and the backend {backend.name!r}, "
            f"so that finding {backend.name!r} takes loading every installed backend.",
            f"Call the entry point {backend.name!r}.",
        )
    if backend.untrusted_reason is not None:
        yield Problem(
            None,
            None,
            "note",
            f"The host does not vouch for it: {backend.untrusted_reason}.",
            "Ask the host to list the backend as trusted.",
        )
    yield from _unknown_exports(backend.adapter, {record.attribute for record in records})


def _unknown_exports(adapter: Any, known: set[str]) -> Iterator[Problem]:
    listed = _listed(adapter)
    for name in sorted(_offered(adapter, listed) - known):
        likely = suggestions(name, known)
        if not likely and listed is None and not _is_own_function(adapter, name):
            continue  # What an adapter imports for itself is nobody's business.
        remove = "leave it out of the adapter, or give its name a leading underscore."
        meant = " or ".join(map(repr, likely))
        yield Problem(
            name,
            None,
            "warning" if likely or listed is not None else "note",
            "No host function has this name, so nothing ever calls it.",
            f"Call it {meant} if that is what it implements; otherwise {remove}" if likely else remove.capitalize(),
        )


def _listed(adapter: Any) -> set[str] | None:
    names: object = vars(adapter).get("__all__") if isinstance(adapter, ModuleType) else None
    if not isinstance(names, (list, tuple, set, frozenset)):
        return None
    return {name for name in cast("Iterable[object]", names) if isinstance(name, str)}


def _offered(adapter: Any, listed: set[str] | None) -> set[str]:
    """Return the names that an adapter may be asked for, without touching any of them."""
    if listed is not None:
        return {name for name in listed if exports(adapter, name)}
    names: set[object]
    try:
        names = set(object.__getattribute__(adapter, "__dict__"))
    except AttributeError:
        names = set()
    if not isinstance(adapter, ModuleType):
        names.update(*(vars(base) for base in inspect.getmro(_class_of(adapter))))
    return {name for name in names if isinstance(name, str) and exports(adapter, name)}


def _class_of(value: object) -> type:
    return type(value)


def _is_own_function(adapter: Any, name: str) -> bool:
    value = inspect.getattr_static(adapter, name, None)
    value = getattr(value, "__func__", value)
    home = adapter.__name__ if isinstance(adapter, ModuleType) else type(adapter).__module__
    return inspect.isroutine(value) and getattr(value, "__module__", None) == home


# -- one function ------------------------------------------------------------------------------------------------------


def function_problems(record: Dispatched, backend: Backend) -> Iterator[Problem]:
    """Yield what is wrong with a backend's implementation of one host function; nothing where it has none."""
    name = record.attribute
    try:
        implementation = exported(backend.adapter, name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - foreign code, which may raise anything while it is imported.
        text = f"The adapter announces it but cannot provide it: {describe_error(error)}."
        yield Problem(name, None, "error", text, "Import it once by hand to see where this comes from.")
        return
    if implementation is MISSING:
        if name in (_listed(backend.adapter) or ()):
            text = "It stands in __all__, but the adapter does not have it."
            yield Problem(name, None, "error", text, "Provide it, or take it out of __all__.")
        return
    if _hands_back(implementation, record.wrapper_ref()):
        what = "class" if record.is_class else "function"
        text = f"The adapter hands back the host's own {what}."
        advice = "Leave it out: the host runs what a backend does not have."
        yield Problem(name, None, "error" if record.is_class else "note", text, advice)
        return
    if not callable(implementation):
        text = f"It is no callable but {type(implementation).__name__}."
        yield Problem(name, None, "error", text, "Export a function, or call it something else.")
        return
    yield from _kind_problems(record, implementation)
    signature = implementation_signature(implementation)
    yield from can_run_problems(name, implementation, signature)
    if signature is None:
        text = "Its signature cannot be read, so it is called with exactly what the host's caller gave."
        yield Problem(name, None, "note", text, "Give it a signature: a plain function, or __signature__.")
        return
    yield from Signatures(record, signature, implementation).problems()


def _hands_back(implementation: Any, own: object) -> bool:
    """Whether an implementation is the host's own decorated function, with nothing around it that makes it another."""
    try:
        return leads_to(implementation, own) and only_passes_on(implementation, own)
    except Exception:  # noqa: BLE001 - what stands in between may not be inspected.
        return True


def _kind_problems(record: Dispatched, implementation: Any) -> Iterator[Problem]:
    name, host = record.attribute, record.function
    if record.is_class and not inspect.isclass(implementation):
        yield Problem(name, None, "error", "The host's is a class, and this is none.", "Export a class of that name.")
    mine, theirs = _kind(host), _kind(implementation)
    if mine == theirs or record.is_class:
        return
    if mine in _ITERATED and theirs not in _ITERATED[mine]:
        text = f"It is {theirs} and the host's is {mine}, so that iterating over its result fails."
        yield Problem(name, None, "error", text, f"Make it {mine}.")
    elif theirs != _PLAIN and mine not in _ITERATED:
        text = f"It is {theirs} and the host's is {mine}: callers get what it returns in place of the result."
        yield Problem(name, None, "warning", text, f"Make it {mine}.")
    elif mine in _AWAITING:
        text = f"It is {theirs} and the host's is {mine}: the event loop waits while its body runs."
        yield Problem(name, None, "note", text, f"Make it {mine} if it takes long.")


_PLAIN = "a plain function"
_AWAITING = (COROUTINE.name, ASYNC_GENERATOR.name)
_ITERATED = {
    GENERATOR.name: (_PLAIN, GENERATOR.name),
    ASYNC_GENERATOR.name: (_PLAIN, GENERATOR.name, ASYNC_GENERATOR.name),
}
"""What may stand for a function whose result is iterated over."""


def _kind(function: Any) -> str:
    """Return what kind of function it is, whatever decorators stand around it."""
    try:
        kind = innermost_kind(function)
    except Exception:  # noqa: BLE001 - a foreign ``__wrapped__`` may raise anything, and lead in a circle.
        return _PLAIN
    return _PLAIN if kind is None else kind.name
