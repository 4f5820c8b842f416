"""Answer "does this backend give my data the same answer, and is it faster?" with a table."""

from __future__ import annotations

import copy
import html
import inspect
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, cast, final, overload

from scverse_backends._inside import DEEPEST
from scverse_backends.testing._difference import difference_of
from scverse_backends.testing._kinds import error_text, has

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_HOST: Final = "cpu"
_HEADINGS: Final = ("backend", "executed", "seconds", "agrees", "max abs", "max rel", "where", "note")

# Colours come from the page, so that the table is readable on a light and on a dark one.
_TABLE_STYLE: Final = "border-collapse: collapse; color: inherit; background: transparent;"
_CELL_STYLE: Final = (
    "padding: 0.2em 0.8em; text-align: left; border-bottom: 1px solid rgba(128, 128, 128, 0.5); color: inherit;"
)


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
    agrees
        Whether results and changed arguments agree with those of the host. ``None`` where that cannot be said: for the
        host itself, after an error, where the host ran in the backend's place, and where something was not compared.
    max_abs, max_rel
        The largest absolute difference, and the largest one relative to the host's value. Where that is zero, what is
        outside the tolerance is infinitely far, and the rest does not count. NaN where only one of two numbers is NaN.
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
    agrees: bool | None = None
    max_abs: float | None = None
    max_rel: float | None = None
    where: str | None = None
    error: str | None = None
    note: str | None = None


@final
class Comparison(Sequence[ComparisonRecord]):
    """The records of a comparison, host first: a sequence that prints as a table, in notebooks too."""

    __slots__ = ("_records",)

    def __init__(self, records: Iterable[ComparisonRecord]) -> None:
        self._records = tuple(records)

    @overload
    def __getitem__(self, index: int, /) -> ComparisonRecord: ...
    @overload
    def __getitem__(self, index: slice, /) -> Comparison: ...
    def __getitem__(self, index: int | slice, /) -> ComparisonRecord | Comparison:
        return Comparison(self._records[index]) if isinstance(index, slice) else self._records[index]

    def __len__(self) -> int:
        return len(self._records)

    def __str__(self) -> str:
        lines = [_HEADINGS, *map(_cells, self._records)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        padded = ("  ".join(map(str.ljust, line, widths)) for line in lines)
        return "\n".join(line.rstrip() for line in padded)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = [f"<tr>{_html_cells('th', _HEADINGS)}</tr>"]
        rows += [f"<tr>{_html_cells('td', _cells(record))}</tr>" for record in self._records]
        return f'<table style="{_TABLE_STYLE}">{"".join(rows)}</table>'


def compare(
    function: Callable[..., Any],
    /,
    *args: Any,
    backends: str | Iterable[str] | None = None,
    repeats: int = 1,
    rtol: float = 1e-5,
    atol: float = 1e-8,
    **kwargs: Any,
) -> Comparison:
    """Run the host and each backend on copies of the same arguments, and compare what they return and change.

    Each run gets fresh copies (``copy.deepcopy``, and ``.copy()`` of AnnData-like arguments), so the arguments given
    here are left alone. What the host returns, and its arguments as it leaves them, are what the others are compared
    with. Numbers agree where ``|backend - host| <= atol + rtol * |host|``. NaN equals NaN. What cannot be compared is
    reported as such, never as equal.

    The time is that of the call, without copying. A result that is still being computed is waited for: JAX arrays,
    arrays on a GPU, and Dask collections, which are computed. The first call of a backend may compile or warm up:
    ``repeats=3`` leaves that out. A function that draws random numbers should be given a seed.

    Parameters
    ----------
    function
        A function decorated by a dispatcher.
    *args
        Its positional arguments. One that is named like a parameter of this function must be among them.
    backends
        A name or several, canonical or aliases. By default all that are available. The host always runs.
    repeats
        How often each implementation is run. The first run is the one whose outcome is compared.
    rtol
        The tolerated difference relative to the value of the host.
    atol
        The tolerated absolute difference, in the unit of the values.
    **kwargs
        Keyword arguments of the function, without ``backend``.

    Returns
    -------
    A sequence of records, the host's first. A backend that fails has its ``error`` there.

    Raises
    ------
    TypeError
        `function` is not decorated, is a generator or coroutine function, or an argument cannot be copied.
    ValueError
        A backend is unknown, `repeats` is below 1, a tolerance is negative or not finite, or ``backend=`` was given.

    Examples
    --------
    >>> from scverse_backends import BackendDispatcher
    >>> from scverse_backends.testing import compare
    >>> host = BackendDispatcher(entrypoint_group="example_host.backends", host_name="example_host", untrusted="allow")
    >>> @host.backend_dispatch
    ... def mean(values):
    ...     return {"mean": sum(values) / len(values)}
    >>> class Fast:
    ...     name = "fast"
    ...
    ...     def mean(self, values):
    ...         return {"mean": sum(values) / (len(values) - 1)}
    >>> host.register(Fast())
    'fast'
    >>> table = compare(mean, [1.0, 2.0, 3.0])
    >>> [(record.backend, record.executed, record.agrees, record.where) for record in table]
    [('cpu', 'cpu', None, None), ('fast', 'fast', False, "result['mean']")]
    >>> table[1].note
    '2.0 against 3.0'
    """
    # Imported late: a test kit that is imported for something else should not load the whole dispatcher.
    from scverse_backends._inside import dispatcher_of

    settings: Any = dispatcher_of(function).settings
    _check_options(function, repeats, rtol, atol, kwargs)
    names = _canonical_names(settings, settings.available_backends() if backends is None else backends)
    run = _Runs(function, args, kwargs, settings, repeats)
    host, reference = run.of(_HOST)
    records = [host]
    for name in names:
        record, outcome = run.of(name)
        if outcome is not None and record.note is None:
            if reference is None:
                record = replace(record, note="the host failed, so there is nothing to compare with")
            else:
                pairs = zip(run.labels, reference, outcome, strict=True)
                found = difference_of(pairs, rtol=rtol, atol=atol)
                record = replace(
                    record,
                    agrees=found.agrees,
                    max_abs=found.max_abs,
                    max_rel=found.max_rel,
                    where=found.where,
                    note=found.note,
                )
        records.append(record)
    return Comparison(records)


def _check_options(
    function: Callable[..., Any], repeats: int, rtol: float, atol: float, kwargs: Mapping[str, Any]
) -> None:
    if (
        inspect.iscoroutinefunction(function)
        or inspect.isgeneratorfunction(function)
        or inspect.isasyncgenfunction(function)
    ):
        msg = "compare() runs plain functions; wrap this one in a decorated function that returns what it yields."
        raise TypeError(msg)
    if "backend" in kwargs:
        msg = "compare() chooses the backend itself; name the ones to compare with backends=."
        raise ValueError(msg)
    if repeats < 1 or repeats != int(repeats):
        msg = f"repeats must be a whole number of at least 1, not {repeats!r}."
        raise ValueError(msg)
    for name, tolerance in (("rtol", rtol), ("atol", atol)):
        if not 0 <= tolerance < math.inf:
            msg = f"{name} must be a finite number that is not negative, not {tolerance!r}."
            raise ValueError(msg)


def _canonical_names(settings: Any, backends: str | Iterable[str]) -> list[str]:
    """Return the canonical names, each once and without the host; an unknown name is an error before anything runs."""
    names: dict[str, None] = {}
    canonical: object
    for name in [backends] if isinstance(backends, str) else backends:
        try:
            with settings.use_backend(name):
                canonical = settings.backend
        except ImportError:
            canonical = name  # Known, but not usable: its own row will say why.
        if not isinstance(canonical, str):
            msg = f"backends takes names to be compared one by one, not a preference order such as {name!r}."
            raise ValueError(msg)
        names[canonical] = None
    names.pop(_HOST, None)
    return list(names)


class _Runs:
    """Runs of one function on copies of the same arguments, one implementation at a time."""

    def __init__(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], settings: Any, repeats: int
    ) -> None:
        self._function = function
        self._args = args
        self._kwargs = kwargs
        self._settings = settings
        self._repeats = repeats
        parameters = list(inspect.signature(function).parameters)
        # What is compared, by the names the paths start with. More arguments than parameters make every call fail.
        self.labels = ["result", *parameters[: len(args)], *kwargs]

    def of(self, name: str) -> tuple[ComparisonRecord, list[Any] | None]:
        """Run one implementation: its record, and its result and arguments, `None` where the call failed."""
        executed: str | None = None
        best = math.inf
        first: list[Any] | None = None
        reason: str | None = None
        for _ in range(self._repeats):
            args, kwargs = self._copies()
            calls: Sequence[Any] = ()
            try:
                with self._settings.trace() as calls, self._settings.use_backend(name, fallback="silent"):
                    start = time.perf_counter()
                    result = _awaited(self._function(*args, **kwargs), {})
                    changed = [_awaited(value, {}) for value in (*args, *kwargs.values())]
                    best = min(best, time.perf_counter() - start)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # noqa: BLE001 - whatever a backend raises, a SystemExit included, is its row.
                executed, _ = self._outermost(calls)
                return ComparisonRecord(backend=name, executed=executed, error=error_text(error)), None
            executed, reason = self._outermost(calls)
            first = first or [result, *changed]
        note = None
        if name == _HOST:
            note = "the reference"
        elif executed != name:
            # The row and this sentence say already which backend it is and what ran.
            why = (reason or "").removeprefix(f"{name}: ").removesuffix(f"; {executed}: runs as fallback")
            note = f"ran on {executed or 'nothing that was recorded'} instead" + (f": {why}" if why else "")
        return ComparisonRecord(backend=name, executed=executed, seconds=best, note=note), first

    def _copies(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        try:
            # One memory for all arguments: what two of them share stays shared in the copies.
            memory = {
                id(value): value.copy()
                for value in (*self._args, *self._kwargs.values())
                if has(value, "obs") and has(value, "var")
            }
            return copy.deepcopy((self._args, self._kwargs), memory)
        except Exception as error:
            msg = f"compare() runs on copies of the arguments, and one cannot be copied: {error_text(error)}"
            raise TypeError(msg) from error

    @staticmethod
    def _outermost(calls: Sequence[Any]) -> tuple[str | None, str | None]:
        """Return what ran the call itself, and why: calls are recorded as they begin, the outermost first."""
        if not calls:
            return None, None
        return calls[0].executed, calls[0].reason


def _awaited(value: Any, met: dict[int, Any], depth: int = 0) -> Any:
    """Return a result once it is there: libraries that compute later would be timed for nothing.

    Containers that were met already, which may hold each other, are not walked again, nor are those nested too deeply.
    """
    if isinstance(value, (list, tuple, dict)):
        container = cast("Any", value)
        if id(container) in met or depth > DEEPEST:
            return met.get(id(container), container)
        met[id(container)] = container
        met[id(container)] = done = _container_awaited(container, met, depth + 1)
        return done
    if has(value, "__dask_graph__"):
        return value.compute()
    if has(value, "block_until_ready"):
        value.block_until_ready()
    elif has(value, "__cuda_array_interface__"):
        _synchronize(value)
    return value


def _container_awaited(container: Any, met: dict[int, Any], depth: int) -> Any:
    if isinstance(container, dict):
        items = cast("Mapping[Any, Any]", container).items()
        return {key: _awaited(element, met, depth) for key, element in items}
    elements = [_awaited(element, met, depth) for element in container]
    # Only a lazy collection becomes another object; the others are waited for where they are.
    changed = any(done is not element for done, element in zip(elements, container, strict=True))
    return elements if changed else container


def _synchronize(value: Any) -> None:
    device: Any = getattr(value, "device", None)
    if has(device, "synchronize"):
        device.synchronize()  # CuPy
    elif has(value, "cpu"):
        value.cpu()  # A transfer waits for the computation, which is all that can be asked of a tensor itself.


def _cells(record: ComparisonRecord) -> tuple[str, ...]:
    agrees = {True: "yes", False: "no", None: "-"}[record.agrees]
    numbers = [
        f"{value:.3g}" if value is not None else "-" for value in (record.seconds, record.max_abs, record.max_rel)
    ]
    explanation = record.error or record.note or ""
    return (record.backend, record.executed or "-", numbers[0], agrees, *numbers[1:], record.where or "-", explanation)


def _html_cells(tag: str, texts: Iterable[str]) -> str:
    return "".join(f'<{tag} style="{_CELL_STYLE}">{html.escape(text)}</{tag}>' for text in texts)
