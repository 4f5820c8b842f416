"""What a comparison found: a record for each backend, and the table that shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, final, overload

from scverse_backends._inside.words import Row, Table, duration, speed

if TYPE_CHECKING:
    from collections.abc import Iterable

HOST: Final = "cpu"
REFERENCE: Final = "the reference"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonRecord:
    """One row of a comparison: what one backend did.

    Attributes
    ----------
    backend
        The canonical name of the backend that was asked for, ``"cpu"`` for the host.
    executed
        Which implementation really ran, ``"cpu"`` where the backend lacks the function. ``None`` where none did.
    seconds
        The best wall time of all repeats. ``None`` where the call failed.
    speedup
        How many times as fast as the reference it was.
    agrees
        Whether results and changed arguments agree with those of the reference. ``None`` where that cannot be said: for
        the reference itself, after an error, where another implementation ran in the backend's place, and where
        something was not compared.
    max_abs, max_rel
        The largest absolute difference, and the largest one relative to the reference's value. Where that is zero, what
        is outside the tolerance is infinitely far, and the rest does not count. NaN where only one of two numbers is
        NaN. ``None`` where numbers do not tell: none were compared, something was not compared, or what differs is no
        number.
    where
        The path to what differs most: ``result[3, 7]``, or the name of an argument that was changed in place and
        the path in it, ``adata.obsm['X_pca'][3, 7]``.
    error
        What the call raised, as text.
    note
        What differs there, what was not compared, or why nothing was.
    """

    backend: str
    executed: str | None = None
    seconds: float | None = None
    speedup: float | None = None
    agrees: bool | None = None
    max_abs: float | None = None
    max_rel: float | None = None
    where: str | None = None
    error: str | None = None
    note: str | None = None


@final
class Comparison(Sequence[ComparisonRecord]):
    """The records of a comparison, the reference first: a sequence that prints as a table, in notebooks too.

    Parameters
    ----------
    records
        What each implementation did.
    title
        What was compared.
    about
        Sentences about the data and the tolerances.
    """

    __slots__ = ("_about", "_records", "_title")

    def __init__(
        self, records: Iterable[ComparisonRecord], *, title: str = "Comparison", about: Iterable[str] = ()
    ) -> None:
        self._records = tuple(records)
        self._title = title
        self._about = tuple(about)

    @overload
    def __getitem__(self, index: int, /) -> ComparisonRecord: ...
    @overload
    def __getitem__(self, index: slice, /) -> Comparison: ...
    def __getitem__(self, index: int | slice, /) -> ComparisonRecord | Comparison:
        if isinstance(index, slice):
            return Comparison(self._records[index], title=self._title, about=self._about)
        return self._records[index]

    def __len__(self) -> int:
        return len(self._records)

    def _table(self) -> Table:
        return Table(
            self._title,
            ("backend", "ran on", "time", "speed", "answer", "max abs", "max rel"),
            map(_row, self._records),
            about=self._about,
            numbers=["time", "speed", "max abs", "max rel"],
            names=["backend", "ran on"],
        )

    def __str__(self) -> str:
        return self._table().text()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self._table().html()


def _row(record: ComparisonRecord) -> Row:
    # Its note may also say which options it did not get.
    is_reference = (record.note or "").startswith(REFERENCE)
    ran_on = "" if record.executed == record.backend else record.executed or ("nothing" if record.error else "")
    cells = (
        record.backend,
        ran_on,
        "" if record.seconds is None else duration(record.seconds),
        "" if record.speedup is None or is_reference else speed(record.speedup),
        "reference" if is_reference and record.error is None else answer(record),
        number(record.max_abs),
        number(record.max_rel),
    )
    detail = record.error or (record.note or "").removeprefix(REFERENCE).removeprefix("; ")
    path = "" if record.agrees else record.where or ""
    return Row(cells, detail, path=path, mark=record.agrees is False or record.error is not None)


def answer(record: ComparisonRecord) -> str:
    """Say in a word or two what came of a comparison."""
    if record.error is not None:
        return "failed"
    return {True: "agrees", False: "differs", None: "not compared"}[record.agrees]


def number(value: float | None) -> str:
    """Return a difference as it stands in a table."""
    return "" if value is None else f"{value:.3g}"
