"""The parts of a dispatcher that only decorated functions need, and that importing a host therefore need not load."""

from __future__ import annotations

from scverse_backends._calls.dispatch import Dispatch
from scverse_backends._calls.dispatched import leads_to
from scverse_backends._calls.functions import CALL_CODE, dispatch_function, plain_maker
from scverse_backends._calls.merge import Merger
from scverse_backends._foundation.labels import listing
from scverse_backends._reports.report import backend_table, explain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from scverse_backends._calls.dispatched import Dispatched
    from scverse_backends._calls.records import LiveRecords
    from scverse_backends._discovery.registry import Registry
    from scverse_backends._discovery.resolver import Resolver
    from scverse_backends._foundation.warner import Warner
    from scverse_backends._reports.report import BackendTable, Explanation
    from scverse_backends._selection.selection import Selection


class Machinery:
    """Calls, merging and reports of one dispatcher."""

    __slots__ = ("_plain", "_records", "_registry", "_selection", "dispatch", "merger")

    def __init__(
        self, registry: Registry, resolver: Resolver, selection: Selection, warner: Warner, records: LiveRecords
    ) -> None:
        self._registry = registry
        self._records = records
        self._selection = selection
        self.merger = Merger(registry, records)
        self.dispatch = Dispatch(selection, resolver, warner, self.merger.merge, self.merger.unexpected, self._adopt)
        self._plain = plain_maker(self.dispatch)
        selection.call_codes = frozenset({CALL_CODE})

    def refresh(self) -> None:
        """Compile anew and show anew: a backend came or went."""
        self.dispatch.epoch += 1
        for record in self._records:
            record.forget_plans()
        self.merger.refresh()

    def decorate(self, function: Any, **options: Any) -> Callable[..., Any]:
        """Decorate one host function."""
        wrapper, record = dispatch_function(self.dispatch, self._plain, function, **options)
        self._show(record, wrapper)
        return wrapper

    def decorate_class(self, cls: Any, *, name: str | None) -> type:
        """Decorate one host class."""
        from scverse_backends._calls.classes import dispatch_class

        built, record = dispatch_class(self.dispatch, cls, name=name)
        self._show(record, built)
        return built

    def _show(self, record: Dispatched, shown: Any) -> None:
        # In this order, so that a backend that another thread publishes meanwhile is merged by one of the two.
        record.dispatch = self.dispatch
        self._records.add(record, shown)
        self.merger.attach(record)

    def _adopt(self, record: Dispatched) -> None:
        """Know a function that was pickled by value, unless it is a copy of one that lives here."""
        # Merged later, when a backend first runs it: at this moment the function is being put together.
        known_already = (known for known in self._records if known is not record)
        if not any(_same_function(known.function, record.function) for known in known_already):
            self._records.add(record, record.wrapper_ref())

    def functions(self) -> dict[str, Any]:
        """Return the decorated functions by the name that backends know them by; the latest wins."""
        found = {record.attribute: record.public() for record in self._records.listed()}
        return {name: found[name] for name in sorted(found)}

    def record_of(self, function: Any) -> Dispatched:
        """Return the record of a decorated function, also from a decorator outside it.

        Raises
        ------
        TypeError
            If this dispatcher did not decorate it.
        """
        for record in self._records:
            if leads_to(function, record.wrapper_ref()):
                return record
        name = getattr(function, "__qualname__", repr(function))
        if isinstance(function, str):
            raise TypeError(f"{name} is the name of a function: give the function itself, without quotes.")
        known = listing(self.functions())
        raise TypeError(f"{name} is not dispatched by this host. What it dispatches: {known}.")

    def backends(self, host: str) -> BackendTable:
        """Return the table of backends."""
        return backend_table(host, self._registry, self.dispatch.resolver, self._records.listed())

    def explain(self, function: Any, backend: object) -> Explanation:
        """Say which implementation of a function would run."""
        return explain(self.dispatch, self.record_of(function), backend)


def _same_function(one: Any, other: Any) -> bool:
    names = ("__module__", "__qualname__", "__code__")
    return all(getattr(one, name, None) == getattr(other, name, None) for name in names)
