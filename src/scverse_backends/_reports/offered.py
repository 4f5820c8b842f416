"""What backends offer for each function of a host, as documentation shows it: which functions, with which options."""

from __future__ import annotations

from scverse_backends._discovery.exports import declares
from scverse_backends._foundation.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from scverse_backends._calls.dispatched import Dispatched
    from scverse_backends._discovery.adapters import Backend


class ShownOption(Record):
    """An option as a host's docstring shows it: its backends, in that order, and the types that they give it."""

    __slots__ = __match_args__ = ("name", "providers", "types")
    name: str
    providers: tuple[str, ...]
    types: tuple[str, ...]


def shown_options(record: Dispatched) -> list[ShownOption]:
    """Return the options that backends have added to a function."""
    found: dict[str, tuple[list[str], list[str]]] = {}
    for backend in sorted(record.contributions):
        for one in record.contributions[backend]:
            providers, types = found.setdefault(one.name, ([], []))
            providers.append(backend)
            types += [" ".join(one.offer.type.split())] if one.offer.type else []
    return [ShownOption(name, tuple(providers), tuple(types)) for name, (providers, types) in found.items()]


def implementations(
    records: Iterable[Dispatched], available: Iterable[Backend]
) -> dict[str, dict[str, tuple[str, ...] | None]]:
    """Return, for each function, which backends implement it, and the options that each adds.

    The options are ``None`` where a lazily provided function was not loaded, so that nobody could read them.
    """
    backends = sorted(available, key=lambda backend: backend.name)
    found: dict[str, dict[str, tuple[str, ...] | None]] = {}
    for record in records:
        of = found.setdefault(record.attribute, {})
        for backend in backends:
            if declares(backend.adapter, record.attribute):
                read = record.sources.get(backend.name) is backend
                of[backend.name] = tuple(one.name for one in record.contributions[backend.name]) if read else None
    return found
