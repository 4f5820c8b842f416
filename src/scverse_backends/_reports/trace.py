"""What ran: the calls of a block, as a table, as totals, and as data for a methods section."""

from __future__ import annotations

import sys

from scverse_backends._discovery.installed import installed_version, provider_of
from scverse_backends._foundation.amounts import count, duration
from scverse_backends._foundation.labels import CPU
from scverse_backends._foundation.table import Row, Table
from scverse_backends._selection.trace import Call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

_SHOWN = 30
"""How many calls a table shows from the beginning and from the end of a long trace."""

_ACCELERATORS = ("jax", "cupy", "torch")
"""Libraries whose calls return before the work is done."""


class Trace(list[Call]):
    """The calls of one ``with settings.trace()`` block, in the order in which they began.

    Prints as a table with totals per backend, and shows as one in notebooks. Calls that other calls made stand below
    these, moved to the right. ``pandas.DataFrame(calls)`` has a row for each.

    Parameters
    ----------
    calls
        What it begins with.
    host, package
        Name of the host, and of the module that its settings are from.
    synchronize
        Whether each call waits until an accelerator has computed its values.
    depth
        How many dispatched calls the block itself stands in.
    """

    __slots__ = ("_host", "_names", "depth", "is_open", "synchronize")

    def __init__(
        self,
        calls: Iterable[Call] = (),
        *,
        host: str = "",
        package: str = "",
        synchronize: bool = False,
        depth: int = 0,
    ) -> None:
        super().__init__(calls)
        self._host = host
        self._names = (host, package)
        self.synchronize: bool = synchronize
        self.depth: int = depth
        self.is_open: bool = True
        """Whether its block still runs: functions that were bound inside it may live much longer."""

    def close(self) -> None:
        """End the block, and look up what the host is, which only traces need to know."""
        self.is_open = False
        on_host = [call for call in self if call.executed == CPU]
        if on_host:
            distribution, version = provider_of(self._names)
            for call in on_host:
                call.distribution, call.version = distribution, version

    def totals(self) -> dict[str, tuple[int, float]]:
        """Return, for each implementation that ran, how often it did and for how many seconds in all.

        Only calls that no other call made count: what they called is part of them.

        Examples
        --------
        >>> from scverse_backends import BackendDispatcher
        >>> dispatcher = BackendDispatcher(entrypoint_group="doc_host.backends", host_name="doc_host")
        >>> @dispatcher.backend_dispatch
        ... def score(x): return x + 1
        >>> @dispatcher.backend_dispatch
        ... def double_score(x): return score(x) * 2
        >>> with dispatcher.settings.trace() as calls:
        ...     result = double_score(1)
        >>> len(calls), calls.totals()["cpu"][0]
        (2, 1)
        """
        found: dict[str, tuple[int, float]] = {}
        for call in self._outermost():
            name = call.executed or "(none)"
            number, seconds = found.get(name, (0, 0.0))
            found[name] = (number + 1, seconds + (call.seconds or 0.0))
        return found

    def _outermost(self) -> list[Call]:
        return [call for call in self if call.depth <= self.depth]

    def provenance(self) -> dict[str, Any]:
        """Return what a methods section needs: which versions of what ran which functions, and how often.

        Plain data, for ``json.dump`` and for ``adata.uns``.

        Returns
        -------
        A mapping with ``"host"``, ``"backends"``, ``"functions"``, ``"python"``, ``"platform"`` and
        ``"scverse-backends"``. What is not known is left out.

        Examples
        --------
        >>> from scverse_backends import BackendDispatcher
        >>> dispatcher = BackendDispatcher(entrypoint_group="doc_host.backends", host_name="doc_host")
        >>> @dispatcher.backend_dispatch
        ... def score(x): return x + 1
        >>> with dispatcher.settings.trace() as calls:
        ...     result = score(1)
        >>> calls.provenance()["functions"]
        {'score': {'cpu': {'calls': 1}}}
        """
        import platform

        distribution, version = provider_of(self._names, search=True)
        functions: dict[str, Any] = {}
        backends: dict[str, Any] = {}
        given: dict[tuple[str, str], list[Mapping[str, object]]] = {}
        for call in self:
            if call.executed is None:
                continue
            runs = functions.setdefault(call.function, {}).setdefault(call.executed, {"calls": 0})
            runs["calls"] += 1
            if call.exception is not None:
                runs["failed"] = runs.get("failed", 0) + 1
            given.setdefault((call.function, call.executed), []).append(call.options)
            if call.executed != CPU:
                backends.setdefault(call.executed, _known(distribution=call.distribution, version=call.version))
        for (function, backend), options in given.items():
            if any(options):
                functions[function][backend]["options"] = _in_all(options)
        return {
            "host": _known(name=self._host or None, distribution=distribution, version=version),
            "backends": backends,
            "functions": functions,
            "python": platform.python_version(),
            "platform": platform.platform(),
            **_known(**{"scverse-backends": installed_version("scverse-backends")}),
        }

    def _table(self) -> Table:
        left_out = max(len(self) - 2 * _SHOWN, 0)
        calls = [*self[:_SHOWN], *self[_SHOWN + left_out :]]
        return Table(
            count(len(self), "dispatched call"),
            ("function", "requested", "by", "ran on", "time"),
            (Row(tuple(_cells(call)), _detail(call), depth=max(call.depth - self.depth, 0)) for call in calls),
            notes=self._notes(left_out),
            numbers=["time"],
            names=["function", "requested", "ran on"],
        )

    def _notes(self, left_out: int) -> Iterator[str]:
        if not self:
            yield "Calls in other processes, and in threads without settings.bind, are not seen here."
        if left_out:
            yield f"{left_out:,} calls between the first and the last {_SHOWN} are not shown."
        for name, (number, seconds) in self.totals().items():
            yield f"{name}: {count(number, 'call')}, {duration(seconds)}"
        inside = len(self) - len(self._outermost())
        if inside:
            yield f"The times of {count(inside, 'call')} inside other calls are part of these."
        if self.synchronize:
            yield "Each time ends when an accelerator had computed the values of the call."
        elif any(name in sys.modules for name in _ACCELERATORS) and any(
            call.executed not in (CPU, None) for call in self
        ):
            yield (
                "Each time ends when the call returned: an accelerator may still have been working. "
                "trace(synchronize=True) waits for it."
            )

    def __repr__(self) -> str:
        return self._table().text()

    def _repr_html_(self) -> str:
        return self._table().html()


def _in_all(calls: list[Mapping[str, object]]) -> dict[str, object]:
    """Return the options of several calls: each with its value, or as text where not all calls had that value."""
    found: dict[str, object] = {}
    for name in dict.fromkeys(name for options in calls for name in options):
        values = [options[name] for options in calls if name in options]
        numbers: dict[str, int] = {}
        for value in values:
            numbers[str(value)] = numbers.get(str(value), 0) + 1
        if len(numbers) == 1 and len(values) == len(calls):
            found[name] = values[0]
        else:
            found[name] = ", ".join(f"{text} in {count(number, 'call')}" for text, number in numbers.items())
    return found


def _known(**values: str | None) -> dict[str, str]:
    return {name: value for name, value in values.items() if value is not None}


def _cells(call: Call) -> Iterator[str]:
    requested = call.requested
    yield call.function
    yield ", ".join(requested) if isinstance(requested, tuple) else str(requested or "")
    yield call.source or ""
    yield call.executed or ""
    yield "running" if call.seconds is None else duration(call.seconds)


def _why(call: Call) -> str:
    """Return why another implementation ran than the first that was asked for."""
    first = call.requested[0] if isinstance(call.requested, tuple) else call.requested
    return "" if call.executed == first else (call.reason or "").removesuffix(f"; {CPU}: runs as fallback")


def _detail(call: Call) -> str:
    options = ", ".join(f"{name}={value!r}" for name, value in call.options.items())
    raised = "" if call.exception is None else f"raised {call.exception}"
    return "; ".join(text for text in (_why(call), f"with {options}" if options else "", raised) if text)
