"""What came of the calls of a pipeline: a record for each function and backend, and the table that shows them."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, final, overload

from scverse_backends._inside.words import Row, Table, count, duration
from scverse_backends.testing._comparison import ComparisonRecord, number

if TYPE_CHECKING:
    from collections.abc import Iterator


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedFunction:
    """What came of the calls of one function on one backend.

    Attributes
    ----------
    function
        Name of the host function.
    backend
        The backend that ran it.
    calls
        How many outermost calls it ran.
    compared
        How many of these were compared with the host. One of which something could not be compared is not among them,
        unless it differs elsewhere.
    differing
        How many of these differ.
    failed
        How many calls the backend ended with an exception, which are not compared.
    max_abs, max_rel
        The largest differences in all of them, as in :class:`ComparisonRecord`.
    first
        The number of the first call that differs, the function's first call on this backend being 1.
    worst
        What came of the call with the gravest outcome: one that differs, before one that could not be compared, before
        one that agrees; among these the one with the largest relative difference.
    seconds, host_seconds
        The time that the backend and the host took for the compared calls. What happens once (a compilation, say) is
        part of it: :func:`compare` with its ``repeats`` says which of them is faster.
    """

    function: str
    backend: str
    calls: int
    compared: int
    differing: int
    failed: int
    max_abs: float | None
    max_rel: float | None
    first: int | None
    worst: ComparisonRecord | None
    seconds: float
    host_seconds: float


class Tally:
    """What has come of the calls of one function on one backend so far."""

    def __init__(self, function: str, backend: str) -> None:
        self.function = function
        self._backend = backend
        self.calls = 0
        self._compared = 0
        self._differing = 0
        self._failed = 0
        self._max_abs: float | None = None
        self._max_rel: float | None = None
        self._first: int | None = None
        self._worst: ComparisonRecord | None = None
        self._seconds = 0.0
        self._host_seconds = 0.0

    def add(self, number: int, record: ComparisonRecord, host_seconds: float | None) -> None:
        """Count what came of one call; without a time of the host, the host did not run it."""
        if record.agrees is not None and host_seconds is not None and record.seconds is not None:
            self._compared += 1
            self._seconds += record.seconds
            self._host_seconds += host_seconds
        self._failed += record.error is not None
        if record.agrees is False:
            self._differing += 1
            self._first = number if self._first is None else min(self._first, number)
        self._max_abs = _larger(self._max_abs, record.max_abs)
        self._max_rel = _larger(self._max_rel, record.max_rel)
        if self._worst is None or _gravity(record) > _gravity(self._worst):
            self._worst = record

    def record(self) -> ComparedFunction:
        """Return it as it is now."""
        return ComparedFunction(
            function=self.function,
            backend=self._backend,
            calls=self.calls,
            compared=self._compared,
            differing=self._differing,
            failed=self._failed,
            max_abs=self._max_abs,
            max_rel=self._max_rel,
            first=self._first,
            worst=self._worst,
            seconds=self._seconds,
            host_seconds=self._host_seconds,
        )


def _larger(one: float | None, other: float | None) -> float | None:
    return max((value for value in (one, other) if value is not None), key=_size, default=None)


def _size(value: float | None) -> float:
    # Where one side is not a number, nothing is known of the difference, and nothing can be larger.
    return -1.0 if value is None else math.inf if math.isnan(value) else value


def _gravity(record: ComparisonRecord) -> tuple[bool, bool, bool, float, float]:
    return (
        record.agrees is False,
        record.error is not None,
        record.agrees is None,
        _size(record.max_rel),
        _size(record.max_abs),
    )


class Ledger:
    """All that has come of the calls in a block so far. Threads write into it at once."""

    def __init__(self, about: str = "") -> None:
        self.about: str = about
        """A sentence about the tolerances."""
        self.on_host: dict[str, str] = {}
        """The functions that no backend ran, and why."""
        self.first: str | None = None
        """The first call that differs."""
        self.costs: dict[str, float] = {"on the host": 0.0, "copying": 0.0, "comparing": 0.0}
        """The seconds that the pipeline alone would not have taken."""
        self._lock = Lock()
        self._tallies: dict[tuple[str, str], Tally] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Return what a pickle or a copy holds: what has come until now, and no lock."""
        with self._lock:
            return {**vars(self), "_lock": None, "_tallies": copy.deepcopy(self._tallies)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _lock=Lock())

    def number_of(self, key: str, function: str, backend: str) -> int:
        """Count a call, and return its number."""
        with self._lock:
            tally = self._tallies.setdefault((key, backend), Tally(function, backend))
            tally.calls += 1
            return tally.calls

    def add(self, key: str, number: int, record: ComparisonRecord, host_seconds: float | None = None) -> None:
        """Add what came of a call."""
        with self._lock:
            tally = self._tallies[key, record.backend]
            tally.add(number, record, host_seconds)
            if record.agrees is False and self.first is None:
                self.first = f"{tally.function}, in call {number}"

    def add_cost(self, what: str, seconds: float) -> None:
        """Count time that the pipeline alone would not have taken."""
        with self._lock:
            self.costs[what] += seconds

    def records(self) -> list[ComparedFunction]:
        """Return a record for each function and backend, in the order in which they were first called."""
        with self._lock:
            return [tally.record() for tally in self._tallies.values()]


@final
class ComparedCalls(Sequence[ComparedFunction]):
    """What came of the calls in a block, a record for each function and backend in the order of their first calls.

    It grows while the block runs, and prints as a table, in notebooks too.
    """

    __slots__ = ("_ledger",)

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    @property
    def costs(self) -> dict[str, float]:
        """Return the seconds that comparing took beside the pipeline (on the host, copying arguments, comparing)."""
        return dict(self._ledger.costs)

    @overload
    def __getitem__(self, index: int, /) -> ComparedFunction: ...
    @overload
    def __getitem__(self, index: slice, /) -> Sequence[ComparedFunction]: ...
    def __getitem__(self, index: int | slice, /) -> ComparedFunction | Sequence[ComparedFunction]:
        return self._ledger.records()[index]

    def __len__(self) -> int:
        return len(self._ledger.records())

    def _table(self) -> Table:
        records = self._ledger.records()
        backends = {record.backend for record in records}
        # One backend stands in the title, several have a column.
        where = "several backends" if len(backends) > 1 else "".join(backends)
        functions = count(len({record.function for record in records}), "function")
        title = f"{functions} on {where}, each call compared with the host"
        return Table(
            title if records else "Nothing ran on a backend in this block.",
            ("function", "backend", "compared", "differ", "first", "max abs", "max rel"),
            (_row(record, shows_backend=len(backends) > 1) for record in records),
            about=[self._ledger.about] if records else [],
            notes=self._notes(records),
            numbers=["compared", "differ", "first", "max abs", "max rel"],
            names=["function", "backend"],
        )

    def _notes(self, records: list[ComparedFunction]) -> Iterator[str]:
        if not records and not self._ledger.on_host:
            yield "Select one, with settings.use_backend(...) around the calls, or with backend= in each."
        if self._ledger.first is not None:
            yield (
                f"The first that differs: {self._ledger.first}. Each call was compared on what the pipeline gave it, "
                f"so that no step is blamed for an earlier one."
            )
        for function, reason in self._ledger.on_host.items():
            yield f"{function} ran on the host only: {reason}."
        costs = self.costs
        if sum(costs.values()):
            parts = ", ".join(f"{duration(seconds)} {what}" for what, seconds in costs.items())
            yield f"Beside the pipeline this took {duration(sum(costs.values()))}: {parts}."

    def __str__(self) -> str:
        return self._table().text()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self._table().html()


def _row(record: ComparedFunction, *, shows_backend: bool) -> Row:
    worst = record.worst
    cells = (
        record.function,
        record.backend if shows_backend else "",
        f"{record.compared:,}" if record.compared == record.calls else f"{record.compared:,} of {record.calls:,}",
        f"{record.differing:,}" if record.compared else "",
        "" if record.first is None else f"call {record.first:,}",
        number(record.max_abs),
        number(record.max_rel),
    )
    if worst is None or worst.agrees is True:
        return Row(cells)
    mark = bool(record.differing or record.failed)
    return Row(cells, worst.error or worst.note or "", path=worst.where or "", mark=mark)
