"""The records of decorated functions that are alive."""

from __future__ import annotations

from _weakref import ref  # The built-in that `weakref` has it from, and which costs a millisecond less to import.

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from scverse_backends._calls.dispatched import Dispatched


class WrapperRef(ref):  # type: ignore[type-arg]  # its referent is of no one type.
    """A weak reference to a decorated function or class, with its record."""

    __slots__ = ("record",)

    record: Dispatched


class LiveRecords:
    """The records of the functions that are alive, in the order of decoration."""

    __slots__ = ("_forget", "_refs", "_unlisted")

    def __init__(self) -> None:
        refs: dict[int, WrapperRef] = {}
        unlisted: set[int] = set()
        self._refs = refs
        self._unlisted = unlisted

        # One function for all references, since there are as many of them as decorated functions.
        def forget(dead: ref[Any]) -> None:
            refs.pop(id(dead), None)
            unlisted.discard(id(dead))

        self._forget = forget

    def add(self, record: Dispatched, wrapper: Any) -> None:
        """Keep sight of a record for as long as what was decorated lives."""
        reference = WrapperRef(wrapper, self._forget)
        reference.record = record
        record.wrapper_ref = reference
        self._refs[id(reference)] = reference

    def listed(self) -> list[Dispatched]:
        """Return the records of what the host offers: all but what was decorated for a while only."""
        references = [reference for key, reference in list(self._refs.items()) if key not in self._unlisted]
        return [reference.record for reference in references if reference() is not None]

    def snapshot(self) -> Callable[[], None]:
        """Return a function that no longer lists what is decorated from now on; it works for as long as it lives."""
        known = dict(self._refs)  # Kept alive, so that no identity is used twice.
        return lambda: self._unlisted.update(set(self._refs).difference(known))

    def __iter__(self) -> Iterator[Dispatched]:
        # A copy, since another thread may decorate while this one walks.
        for reference in list(self._refs.values()):
            if reference() is not None:
                yield reference.record
