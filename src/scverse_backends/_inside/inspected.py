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
    from scverse_backends._dispatcher import BackendDispatcher
    from scverse_backends._reports.problem import Problem


class Inspected:
    """One backend as a static check sees it: its entry point and what became of it."""

    __slots__ = ("_dispatcher", "_entry", "_records", "functions", "name", "record", "traceback")

    def __init__(self, dispatcher: BackendDispatcher, entry: Entry) -> None:
        self._dispatcher = dispatcher
        self._entry = entry
        self._records = inside(dispatcher).records.listed()
        outcome = entry.outcome
        self.record = entry.record
        self.name = outcome.name if isinstance(outcome, Backend) else entry.record.name
        self.traceback = outcome.traceback if isinstance(outcome, Failure) else ""
        """The traceback of a failure as text, empty where there is none."""
        self.functions: tuple[str, ...] = ()
        """Names of the host functions that it says it implements."""
        if isinstance(outcome, Backend):
            known = sorted({record.attribute for record in self._records})
            self.functions = tuple(name for name in known if declares(outcome.adapter, name))

    @property
    def host_modules(self) -> tuple[str, ...]:
        """The modules that make the dispatcher and define the functions, all of which a user of the backend has."""
        parts: Any = self._dispatcher
        maker: str = parts._key[0]  # noqa: SLF001 - what this module is for.
        homes = [record.function.__module__ for record in self._records]
        return tuple(dict.fromkeys((maker, *homes)))

    def problems(self) -> Iterator[Problem]:
        """Yield everything that is wrong with the adapter and with what it exports, calling none of its functions."""
        entry, outcome = self._entry, self._entry.outcome
        registry = inside(self._dispatcher).registry
        if not isinstance(outcome, Backend):
            yield from failure_problems(entry, registry)
            return
        yield from adapter_problems(entry, outcome, self._records, registry)
        ambiguous = {one.attribute: (one, other) for one, other in doubled(self._records)}
        for name, record in sorted({record.attribute: record for record in self._records}.items()):
            if name not in ambiguous:
                yield from function_problems(record, outcome)
            elif declares(outcome.adapter, name):
                yield ambiguous_problem(*ambiguous[name])


def inspected(dispatcher: BackendDispatcher, name: str) -> Inspected:
    """Return what answers to a name, even if it is only the entry point that failed to load."""
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
    # Whether somebody else claims its names. Further aliases of others are known once these are loaded.
    for label in (backend.name, *backend.aliases):
        for entry in registry.named(label):
            registry.load(entry)
    return Inspected(dispatcher, next(entry for entry in registry.known_entries() if entry.outcome is backend))
