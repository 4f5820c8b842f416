"""The records of decorated functions that are alive."""

from __future__ import annotations

from weakref import ref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from scverse_backends._dispatched import Dispatched


class WrapperRef(ref):  # type: ignore[type-arg]  # its referent is of no one type.
    """A weak reference to a decorated function or class, with its record."""

    __slots__ = ("record",)

    record: Dispatched


class LiveRecords:
    """The records of the functions that are alive, in the order of decoration."""

    __slots__ = ("_forget", "_refs")

    def __init__(self) -> None:
        refs: dict[int, WrapperRef] = {}
        self._refs = refs

        # One function for all references, since there are as many of them as decorated functions.
        def forget(dead: ref[Any]) -> None:
            refs.pop(id(dead), None)

        self._forget = forget

    def add(self, record: Dispatched, wrapper: Any) -> None:
        """Keep sight of a record for as long as what was decorated lives."""
        reference = WrapperRef(wrapper, self._forget)
        reference.record = record
        record.wrapper_ref = reference
        self._refs[id(reference)] = reference

    def __iter__(self) -> Iterator[Dispatched]:
        # A copy, since another thread may decorate while this one walks.
        for reference in list(self._refs.values()):
            if reference() is not None:
                yield reference.record
