"""Find the step at which a pipeline goes astray: compare each of its calls on a backend with the host's."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any, final

from scverse_backends._inside.dispatchers import dispatcher_behind, takes
from scverse_backends._inside.watching import intercepted
from scverse_backends._inside.words import leaves, wait_for
from scverse_backends.testing._compared_calls import ComparedCalls, Ledger
from scverse_backends.testing._comparison import HOST, ComparisonRecord
from scverse_backends.testing._kinds import error_text
from scverse_backends.testing._random_state import random_state
from scverse_backends.testing._runs import CannotCopyError, Outcome, copied, differences, labels_of, timed
from scverse_backends.testing._tolerances import check_tolerances, tolerances_text, whole_number

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from scverse_backends import BackendDispatcher, Settings
    from scverse_backends._inside.watching import OutermostCall

    Ended = Callable[[BaseException | None, Any], None]


def compare_calls(
    dispatcher: BackendDispatcher | Settings, *, rtol: float = 1e-5, atol: float = 1e-8, every: int = 1
) -> AbstractContextManager[ComparedCalls]:
    """Compare each call that runs on a backend inside a ``with`` block with what the host makes of it.

    Each outermost call on a backend is also run on the host, with copies of what it was given, and compared as
    :func:`compare` does. The block goes on with the backend's result: what it computes is the same as without, the
    random numbers of Python and NumPy included. So each step is judged on its own, by the very data that reached it.

    Calls that a backend's own functions make are part of these. Calls of generators and coroutines are counted and
    not compared, and so are calls that end in an exception. Other threads take part. The arguments of one call are
    copied at a time.

    Parameters
    ----------
    dispatcher
        The host's dispatcher, or its ``settings``.
    rtol
        The tolerated difference relative to the host's value.
    atol
        The tolerated absolute difference, in the unit of the values.
    every
        Compare the first call of each function, and from there on each n-th.

    Returns
    -------
    A context manager, to be entered once, that gives the table: a sequence with a record for each function and backend.

    Raises
    ------
    TypeError
        `dispatcher` is neither a dispatcher nor settings, or one of the others is no number.
    ValueError
        A tolerance is negative or not finite, or `every` is below 1.

    Examples
    --------
    >>> from scverse_backends import BackendDispatcher
    >>> from scverse_backends.testing import compare_calls
    >>> host = BackendDispatcher(entrypoint_group="example_host.backends", host_name="example_host", untrusted="allow")
    >>> @host.backend_dispatch
    ... def scale(values):
    ...     return [value * 2 for value in values]
    >>> @host.backend_dispatch
    ... def shift(values):
    ...     return [value + 1 for value in values]
    >>> class Fast:
    ...     name = "fast"
    ...
    ...     def scale(self, values):
    ...         return [value + value for value in values]
    ...
    ...     def shift(self, values):
    ...         return [value + 1.5 for value in values]
    >>> host.register(Fast())
    'fast'
    >>> with compare_calls(host) as table, host.settings.use_backend("fast"):
    ...     result = shift(scale([1.0, 2.0]))
    >>> [(record.function, record.compared, record.differing) for record in table]
    [('scale', 1, 0), ('shift', 1, 1)]
    >>> table[1].worst.where, table[1].worst.note
    ('result[0]', '3.0 against 3.5')
    """
    found = dispatcher_behind(dispatcher)
    check_tolerances(rtol, atol)
    return _Block(found, rtol, atol, whole_number("every", every))


@final
class _Block(AbstractContextManager[ComparedCalls]):
    """One block whose calls are compared."""

    def __init__(self, dispatcher: BackendDispatcher, rtol: float, atol: float, every: int) -> None:
        only = f"; the first of every {every} calls of a function" if every > 1 else ""
        self._ledger = Ledger(f"{tolerances_text(rtol, atol)}{only}")
        self._rtol = rtol
        self._atol = atol
        self._every = every
        self._watching = intercepted(dispatcher, self._begin)
        self._was_entered = False

    def __enter__(self) -> ComparedCalls:
        if self._was_entered:
            raise RuntimeError("this comparison has had its block already: call compare_calls() again for another one.")
        self._was_entered = True
        self._watching.__enter__()
        return ComparedCalls(self._ledger)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None, /
    ) -> None:
        self._watching.__exit__(kind, error, traceback)

    def _begin(self, call: OutermostCall) -> Ended | None:
        ledger = self._ledger
        if call.backend == HOST:
            ledger.on_host.setdefault(call.function, call.reason.removesuffix(f"; {HOST}: runs as fallback"))
            return None
        number = ledger.number_of(call.attribute, call.function, call.backend)
        if (number - 1) % self._every:
            return None
        compared = _Compared(ledger, call, number, self._rtol, self._atol)
        compared.begin()
        return compared.end


class _Compared:
    """One call that is compared."""

    def __init__(self, ledger: Ledger, call: OutermostCall, number: int, rtol: float, atol: float) -> None:
        self._ledger = ledger
        self._call = call
        self._number = number
        self._rtol = rtol
        self._atol = atol
        self._copies: tuple[list[Any], dict[str, Any]] | None = None
        self._problem: str | None = None
        self._rewind = _nothing
        self._started = 0.0
        self._is_over = False

    def begin(self) -> None:
        """Copy what the host will get, and note where the random numbers are."""
        call = self._call
        if call.runs_in_steps:
            self._problem = "its body runs in steps, which are not compared"
        else:
            with call.aside():
                start = perf_counter()
                known = takes(call.public, HOST)
                kwargs = {name: value for name, value in call.kwargs.items() if known(name)}
                try:
                    self._copies = copied(labels_of(call.public, call.args, kwargs), call.args, kwargs)
                except CannotCopyError as error:
                    self._problem = str(error)
                self._ledger.add_cost("copying", perf_counter() - start)
        self._rewind = random_state()
        self._started = perf_counter()

    def end(self, error: BaseException | None, result: Any) -> None:
        """Run the call on the host, and compare."""
        if self._is_over:
            return
        self._is_over = True
        seconds = perf_counter() - self._started
        copies, self._copies = self._copies, None
        call = self._call
        if error is not None:
            if not isinstance(error, GeneratorExit):
                self._add(ComparisonRecord(backend=call.backend, executed=call.backend, error=error_text(error)))
            return
        if copies is None:
            self._add(self._record(seconds, note=f"not compared: {self._problem}"))
            return
        given = (*call.args, *call.kwargs.values())
        try:
            if wait_for(leaves((result, *given))):
                seconds = perf_counter() - self._started
        except Exception as late:  # noqa: BLE001 - what an accelerator says only now, the pipeline will hear in time.
            self._add(ComparisonRecord(backend=call.backend, executed=call.backend, error=error_text(late)))
            return
        labels = labels_of(call.public, call.args, call.kwargs)
        outcome = Outcome(list(zip(("result", *labels), (result, *given), strict=True)), {})
        with call.aside():
            forward = random_state()
            self._rewind()
            try:
                self._compare(copies, outcome, seconds)
            finally:
                forward()

    def _compare(self, copies: tuple[list[Any], dict[str, Any]], outcome: Outcome, seconds: float) -> None:
        call = self._call
        args, kwargs = copies
        start = perf_counter()
        try:
            labels = labels_of(call.public, args, kwargs)
            host_seconds, expected = timed(partial(call.public, backend=HOST), labels, args, kwargs)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever the host raises, the pipeline goes on.
            self._add(self._record(seconds, note=f"not compared: the host failed, {error_text(error)}"))
            return
        finally:
            self._ledger.add_cost("on the host", perf_counter() - start)
        start = perf_counter()
        found = differences(expected, outcome, rtol=self._rtol, atol=self._atol)
        self._ledger.add_cost("comparing", perf_counter() - start)
        record = self._record(
            seconds,
            agrees=found.agrees,
            max_abs=found.max_abs,
            max_rel=found.max_rel,
            where=found.where,
            note=found.note,
            speedup=host_seconds / seconds if seconds else None,
        )
        self._add(record, host_seconds)

    def _record(self, seconds: float, **found: Any) -> ComparisonRecord:
        call = self._call
        return ComparisonRecord(backend=call.backend, executed=call.backend, seconds=seconds, **found)

    def _add(self, record: ComparisonRecord, host_seconds: float | None = None) -> None:
        self._ledger.add(self._call.attribute, self._number, record, host_seconds)


def _nothing() -> None:
    """Rewind nothing."""
