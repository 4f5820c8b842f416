"""Look into a dispatcher: its functions, its adapters, and what it makes of names."""

from __future__ import annotations

from scverse_backends._discovery.adapters import Backend
from scverse_backends._discovery.exports import MISSING, exported
from scverse_backends._dispatcher import BackendDispatcher
from scverse_backends._foundation.foreign import safely
from scverse_backends._foundation.labels import CPU, not_dispatched
from scverse_backends._foundation.live import live_dispatchers
from scverse_backends._foundation.record import Record
from scverse_backends._reports.discover import ambiguities as _ambiguities
from scverse_backends._reports.discover import doubled
from scverse_backends._signatures.accepted import implementation_signature
from scverse_backends._signatures.arguments import Names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from inspect import Signature
    from typing import Any

    from scverse_backends._discovery.trust import TrustedBackend
    from scverse_backends._machinery import Machinery


class HostFunction(Record):
    """One function or class that a host dispatches."""

    __slots__ = __match_args__ = ("attribute", "public", "signature", "is_class")
    attribute: str
    """What backends call it."""
    public: Any
    """What the host's users call, with the host's own decorators around."""
    signature: Signature
    """What a backend gets the arguments of."""
    is_class: bool


def inside(dispatcher: BackendDispatcher) -> Machinery:
    parts: Any = dispatcher
    machinery: Machinery = parts._machinery  # noqa: SLF001 - what this module is for.
    return machinery


def checked(given: object) -> BackendDispatcher:
    if not isinstance(given, BackendDispatcher):
        raise TypeError(f"dispatcher must be the host's BackendDispatcher, not {type(given).__name__}.")
    return given


def host_functions(dispatcher: BackendDispatcher) -> list[HostFunction]:
    """Return what a host dispatches, by the name that backends know it by; two of one name are both left out."""
    records = inside(checked(dispatcher)).records.listed()
    found = {record.attribute: record for record in records}
    for ambiguous, _ in doubled(records):
        found.pop(ambiguous.attribute, None)
    return [
        HostFunction(name, record.public(), record.host_signature(), is_class=record.is_class)
        for name, record in sorted(found.items())
    ]


def refusal_of(dispatcher: BackendDispatcher, name: str) -> str | None:
    """Say why no new backend may have a name, as far as the host's configuration tells."""
    return inside(dispatcher).trust.refusal(name)


def trusted_as(dispatcher: BackendDispatcher, name: str) -> TrustedBackend | None:
    """Return what the host has configured of the backend that it trusts with a name."""
    return inside(dispatcher).trust.owner(name)


def ambiguities(dispatcher: BackendDispatcher) -> list[str]:
    """Return a sentence for each two functions of a host that look for the same name in backends."""
    return [str(warning) for warning in _ambiguities(inside(dispatcher).records.listed())]


def live() -> list[BackendDispatcher]:
    """Return the dispatchers that are alive, in the order of their creation."""
    return [dispatcher for _, dispatcher in live_dispatchers()]


def holders(adapter: object) -> dict[BackendDispatcher, str]:
    """Return the dispatchers that know an adapter, each with the name that it knows it by."""
    return {
        dispatcher: entry.outcome.name
        for dispatcher in live()
        for entry in reversed(inside(dispatcher).registry.known_entries())
        if isinstance(entry.outcome, Backend) and entry.outcome.adapter is adapter
    }


def knowing(dispatchers: Sequence[BackendDispatcher], *backends: str) -> Sequence[BackendDispatcher]:
    """Return the dispatchers that know some backends, all of them where none does. Everyone knows the host itself."""
    if len(dispatchers) == 1:
        return dispatchers
    return [dispatcher for dispatcher in dispatchers if _names(dispatcher).issuperset(backends)] or dispatchers


def _names(dispatcher: BackendDispatcher) -> set[str]:
    return {CPU, *(info.name for info in dispatcher.backends()), *dispatcher.available_backend_names()}


def implements(adapter: object, function: str) -> bool:
    """Whether an adapter exports a function, which a lazy one imports for the answer, and may fail to."""
    return exported(adapter, function) is not MISSING


def dispatcher_behind(given: object) -> BackendDispatcher:
    """Return a dispatcher that was given itself or as its settings."""
    for dispatcher in live():
        if given is dispatcher or given is dispatcher.settings:
            return dispatcher
    raise TypeError(f"dispatcher must be the host's BackendDispatcher or its settings, not {type(given).__name__}.")


def takes(function: Any, backend: str) -> Callable[[str], bool]:
    """Return what says whether an implementation of a decorated function takes a keyword of a name.

    Where a backend lacks the function or fails to provide it, the host would run.
    """
    dispatcher = dispatcher_of(function)
    record = inside(dispatcher).record_of(function)
    names = record.host_names()
    if backend != CPU:
        implementation = safely(lambda: exported(dispatcher.get_backend(backend), record.attribute), MISSING)
        if implementation is not MISSING:
            signature = implementation_signature(implementation)
            # Its ``**kwargs`` take what the host knows, and nothing else.
            options = Names(signature.parameters.values()).by_keyword if signature is not None else frozenset[str]()
            return lambda name: name in options or name in names.by_keyword
    return lambda name: names.takes_any or name in names.by_keyword


def dispatcher_of(function: Any) -> BackendDispatcher:
    """Return the dispatcher of a decorated function."""
    for dispatcher in live():
        try:
            inside(dispatcher).record_of(function)
        except TypeError:
            continue
        return dispatcher
    raise TypeError(not_dispatched(function, "any host"))
