"""One backend as a static check sees it."""

from __future__ import annotations

from typing import cast

from scverse_backends._discovery.adapters import Backend, Failure
from scverse_backends._discovery.exports import declares
from scverse_backends._foundation.labels import CPU
from scverse_backends._inside.dispatchers import checked, inside
from scverse_backends._reports.contract import adapter_problems, failure_problems
from scverse_backends._reports.discover import check_never_drop, doubled
from scverse_backends._reports.function import ambiguous_problem, function_problems
from scverse_backends.exceptions import BackendError, UnknownBackendError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from scverse_backends._discovery.answers import Entry
    from scverse_backends._discovery.entry_points import EntryPointRecord
    from scverse_backends._dispatcher import BackendDispatcher
    from scverse_backends._reports.problem import Problem


class Inspected:
    """One backend as a static check sees it: its entry point and what became of it."""

    __slots__ = ("_dispatcher", "_entry", "name")

    def __init__(self, dispatcher: Any, entry: Entry) -> None:
        self._dispatcher = dispatcher
        self._entry = entry
        outcome = entry.outcome
        self.name = outcome.name if isinstance(outcome, Backend) else entry.record.name

    @property
    def record(self) -> EntryPointRecord:
        """The entry point."""
        return self._entry.record

    @property
    def host_modules(self) -> tuple[str, ...]:
        """The modules that make the dispatcher and define the functions, all of which a user of the backend has."""
        maker: str = self._dispatcher._key[0]  # noqa: SLF001 - what this module is for.
        homes = [record.function.__module__ for record in inside(self._dispatcher).records.listed()]
        return tuple(dict.fromkeys((maker, *homes)))

    @property
    def functions(self) -> tuple[str, ...]:
        """Names of the host functions that it says it implements."""
        outcome = self._entry.outcome
        if not isinstance(outcome, Backend):
            return ()
        known = {record.attribute for record in inside(self._dispatcher).records.listed()}
        return tuple(name for name in sorted(known) if declares(outcome.adapter, name))

    @property
    def traceback(self) -> str:
        """The traceback of a failure as text, empty where there is none."""
        outcome = self._entry.outcome
        return outcome.traceback if isinstance(outcome, Failure) else ""

    def problems(self) -> Iterator[Problem]:
        """Yield everything that is wrong with the adapter and with what it exports, calling none of its functions."""
        dispatcher, entry = self._dispatcher, self._entry
        outcome = entry.outcome
        registry = inside(dispatcher).registry
        if not isinstance(outcome, Backend):
            yield from failure_problems(entry, registry)
            return
        records = inside(dispatcher).records.listed()
        yield from adapter_problems(entry, outcome, records, registry)
        ambiguous = {one.attribute: (one, other) for one, other in doubled(records)}
        for name, record in sorted({record.attribute: record for record in records}.items()):
            if name not in ambiguous:
                yield from function_problems(record, outcome)
            elif declares(outcome.adapter, name):
                yield ambiguous_problem(*ambiguous[name])


def inspected(dispatcher: BackendDispatcher, name: str) -> Inspected:
    """Return what answers to a name, even if it is only the entry point that failed to load.

    Raises
    ------
    BackendError
        If nothing of that name is installed or registered.
    TypeError
        If what was given is no dispatcher, or no name.
    ValueError
        If the host keeps a parameter by `never_drop` that none of its functions has.
    """
    parts = inside(checked(dispatcher))
    if not isinstance(cast("object", name), str):
        raise TypeError(f"backend must be the name of a backend, not {type(name).__name__}.")
    if name == CPU:
        raise UnknownBackendError(f"{CPU!r} is the host itself, which has no adapter to look at.", backend=CPU)
    check_never_drop(parts.records.listed())
    registry = parts.registry
    try:
        backend = parts.resolver.backend(name)
    except BackendError:
        registry.load_all()
        for entry in registry.known_entries():
            if entry.record.name == name and isinstance(entry.outcome, Failure):
                return Inspected(dispatcher, entry)
        raise
    return Inspected(dispatcher, next(entry for entry in registry.known_entries() if entry.outcome is backend))
