"""Run implementations of one function on copies of the same arguments, one after the other."""

from __future__ import annotations

import copy
import inspect
import math
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from scverse_backends._inside.words import computed, is_lazy, leaves, wait_for
from scverse_backends.testing._comparison import ComparisonRecord
from scverse_backends.testing._difference import difference_of
from scverse_backends.testing._kinds import error_text, has
from scverse_backends.testing._random_state import random_state

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from scverse_backends.testing._findings import Difference

_CONTAINERS: Final = (list, tuple, dict)


class Outcome(NamedTuple):
    """What a call came to: its result and its arguments as it left them, by name, and what is lazy among them."""

    parts: list[tuple[str, Any]]
    computed: dict[int, tuple[object, object]]


def labels_of(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[str]:
    """Return what to call each argument. More arguments than parameters make every call fail."""
    parameters = list(inspect.signature(function).parameters)
    return [*parameters[: len(args)], *kwargs]


class CannotCopyError(TypeError):
    """An argument of which no copy can be made."""


def copied(labels: Iterable[str], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Return copies of the arguments of a call. What two of them share stays shared.

    Raises
    ------
    CannotCopyError
        If there is one that cannot be copied; the message names it.
    """
    memory: dict[int, Any] = {}
    done: list[Any] = []
    for label, value in zip(labels, (*args, *kwargs.values()), strict=True):
        try:
            # AnnData and its like know best how to copy themselves.
            memory.update((id(data), data.copy()) for data in _annotated_in(value) if id(data) not in memory)
            done.append(copy.deepcopy(value, memory))
        except Exception as error:
            raise CannotCopyError(f"{label} cannot be copied: {error_text(error)}") from error
    return done[: len(args)], dict(zip(kwargs, done[len(args) :], strict=True))


def _annotated_in(value: Any, depth: int = 0) -> Iterator[Any]:
    """Yield the AnnData-like objects that are an argument, or stand in one that is a list or the like."""
    if has(value, "obs") and has(value, "var"):
        yield value
    elif type(value) in _CONTAINERS and depth < len(_CONTAINERS):
        elements = cast("Any", value.values() if isinstance(value, dict) else value)
        for element in elements:
            yield from _annotated_in(element, depth + 1)


def timed(
    function: Callable[..., Any], labels: Iterable[str], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[float, Outcome]:
    """Call a function, wait for what it computes, and return the time that took with what it came to.

    What is lazy in the result is computed, since the call would be timed for nothing. What was lazy in the arguments
    before is none of its work.
    """
    given = (*args, *kwargs.values())
    lazy_before = {id(leaf): leaf for leaf in leaves(given) if is_lazy(leaf)}
    start = time.perf_counter()
    result = function(*args, **kwargs)
    end = time.perf_counter()
    found = list(leaves((result, *given)))
    # Looking for what there is to wait for takes time as well, which counts only where something was found.
    if wait_for(found):
        end = time.perf_counter()
    known: dict[int, tuple[object, object]] = {}
    for leaf in found:
        if is_lazy(leaf) and id(leaf) not in lazy_before:
            known[id(leaf)] = (leaf, computed(leaf))
            end = time.perf_counter()
    return end - start, Outcome(list(zip(("result", *labels), (result, *given), strict=True)), known)


def differences(expected: Outcome, actual: Outcome, *, rtol: float, atol: float) -> Difference:
    """Compare what two calls came to, each part by the name of its own."""
    theirs = dict(actual.parts)
    pairs = [(label, value, theirs[label]) for label, value in expected.parts if label in theirs]
    return difference_of(pairs, rtol=rtol, atol=atol, known={**expected.computed, **actual.computed})


class Runs:
    """Runs of one function on copies of the same arguments, one implementation at a time.

    Parameters
    ----------
    function
        The decorated function.
    settings
        Those of its host.
    args, kwargs
        What every run gets a copy of.
    repeats
        How often each implementation is run.
    """

    def __init__(
        self, function: Callable[..., Any], settings: Any, args: tuple[Any, ...], kwargs: dict[str, Any], repeats: int
    ) -> None:
        self._function = function
        self._settings = settings
        self._args = args
        self._kwargs = kwargs
        self._repeats = repeats
        # Every run draws the same numbers, and whoever compares goes on drawing as if nothing had happened.
        self._rewind = random_state()

    def of(
        self, name: str, *, without: Iterable[str] = (), options: Mapping[str, Any] | None = None
    ) -> tuple[ComparisonRecord, Outcome | None]:
        """Run one implementation: its record, and what the first of its calls came to, ``None`` where one failed.

        Parameters
        ----------
        name
            Canonical name of the backend.
        without
            Names of the arguments that it does not get.
        options
            What it gets beside the arguments that all get.
        """
        kwargs = {label: value for label, value in self._kwargs.items() if label not in set(without)}
        kwargs.update(options or {})
        best = math.inf
        first: Outcome | None = None
        call: Any = None
        for _ in range(self._repeats):
            given, named = copied(labels_of(self._function, self._args, kwargs), self._args, kwargs)
            calls: Sequence[Any] = ()
            self._rewind()
            try:
                with self._settings.trace() as calls, self._settings.use_backend(name, fallback="silent"):
                    seconds, outcome = timed(self._function, labels_of(self._function, given, named), given, named)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # noqa: BLE001 - whatever a backend raises, a SystemExit included, is its row.
                executed = calls[0].executed if calls else None
                return ComparisonRecord(backend=name, executed=executed, error=error_text(error)), None
            finally:
                self._rewind()
            # Calls are recorded as they begin, the outermost first.
            call = calls[0] if calls else None
            best = min(best, seconds)
            first = first or outcome
        executed = None if call is None else call.executed
        return ComparisonRecord(backend=name, executed=executed, seconds=best, note=_ran_elsewhere(name, call)), first


def _ran_elsewhere(name: str, call: Any) -> str | None:
    """Say why another implementation ran than the one that was asked for."""
    if call is None:
        return "ran on nothing that was recorded instead"
    if call.executed == name:
        return None
    # The row says already which backend it is and what ran.
    why = (call.reason or "").removeprefix(f"{name}: ").removesuffix(f"; {call.executed}: runs as fallback")
    return f"ran on {call.executed} instead" + (f": {why}" if why else "")
