"""The records of decorated functions that are alive."""

from __future__ import annotations

from weakref import ref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from scverse_backends._dispatched import Dispatched


class LiveRecords:
    """The records of the functions that are alive, in the order of decoration."""

    __slots__ = ("_refs",)

    def __init__(self) -> None:
        self._refs: dict[int, ref[Dispatched]] = {}

    def add(self, record: Dispatched) -> None:
        """Keep sight of a record for as long as its function lives."""
        key = id(record)
        refs = self._refs

        def forget(dead: ref[Dispatched]) -> None:
            if refs.get(key) is dead:
                del refs[key]

        refs[key] = ref(record, forget)

    def __iter__(self) -> Iterator[Dispatched]:
        # A copy, since another thread may decorate while this one walks.
        for reference in list(self._refs.values()):
            record = reference()
            if record is not None:
                yield record
