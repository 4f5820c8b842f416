"""Answer "does this backend give my data the same answer, and is it faster?" with a table."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterable, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast

from scverse_backends._inside.dispatchers import dispatcher_of, takes
from scverse_backends._inside.words import did_you_mean, suggestions
from scverse_backends.testing._comparison import HOST, REFERENCE, Comparison, ComparisonRecord
from scverse_backends.testing._describe import call_text, data_texts
from scverse_backends.testing._runs import CannotCopyError, Outcome, Runs, differences, labels_of
from scverse_backends.testing._tolerances import check_tolerances, tolerances_text, whole_number

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

_OWN_PARAMETERS: Final = ("backends", "reference", "options", "repeats", "rtol", "atol")


def compare(
    function: Callable[..., Any],
    /,
    *args: Any,
    backends: str | Iterable[str] | None = None,
    reference: str = HOST,
    options: Mapping[str, Mapping[str, Any]] | None = None,
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
    arrays on a GPU, and lazy results (of Dask, say), which are computed. The first call of a backend may compile or
    warm up: ``repeats=3`` leaves that out.

    Every run begins with the random numbers of Python and NumPy in the same state, and they are in that state again
    afterwards. A generator of random numbers among the arguments is copied, and compared by its state.

    Parameters
    ----------
    function
        A function decorated by a dispatcher.
    *args
        Its positional arguments. One that bears the name of a parameter of this function must be among them, or be
        given with :func:`functools.partial`.
    backends
        A name or several, canonical or aliases. By default all that are available.
    reference
        What the others are compared with: ``"cpu"``, the host, or a backend where the host cannot take the data. The
        host then runs only if `backends` names it.
    options
        For each backend the options that only it gets: ``{"cuda": {"dtype": "float32"}}``.
    repeats
        How often each implementation is run. The first run is the one whose outcome is compared.
    rtol
        The tolerated difference relative to the value of the reference.
    atol
        The tolerated absolute difference, in the unit of the values.
    **kwargs
        Keyword arguments of the function, without ``backend``. An option that only some backends know goes to these,
        and the rows of the others say so.

    Returns
    -------
    A sequence of records, the reference's first. A backend that fails has its ``error`` there.

    Raises
    ------
    TypeError
        `function` is not decorated, is a generator or coroutine function, an argument cannot be copied, neither the
        host nor a backend knows a keyword, or a parameter of :func:`compare` itself has a wrong type.
    ValueError
        A backend is unknown, `options` speaks of one that is not compared, `repeats` is below 1, a tolerance is
        negative or not finite, or ``backend=`` was given.

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
    function, args, kwargs = _without_partials(function, args, kwargs)
    settings: Any = dispatcher_of(function).settings
    _check_call(function, kwargs)
    with _saying_whose(function):
        check_tolerances(rtol, atol)
        repeats = whole_number("repeats", repeats)
        first, *others = names = _names(settings, backends, reference)
        own = _own_options(settings, options, names)
    left_out = _left_out(function, kwargs, names)
    runs = Runs(function, settings, args, kwargs, repeats)
    try:
        record, expected = runs.of(first, without=left_out[first], options=own.get(first, {}))
        records = [_reference(record)]
        if records[0].note != REFERENCE:
            expected = None
        for name in others:
            record, outcome = runs.of(name, without=left_out[name], options=own.get(name, {}))
            if outcome is not None and record.note is None:
                record = _compared(record, records[0], expected, outcome, rtol=rtol, atol=atol)
            records.append(record)
    except CannotCopyError as error:
        raise TypeError(f"compare() runs on copies of the arguments, and {error}") from error
    arguments = list(zip(labels_of(function, args, kwargs), (*args, *kwargs.values()), strict=True))
    about = [*data_texts(arguments), tolerances_text(rtol, atol), *([f"best of {repeats} runs"] if repeats > 1 else [])]
    return Comparison(
        [_with_note(record, left_out[record.backend]) for record in records],
        title=f"{call_text(name_of(function), arguments)}, compared with {first}",
        about=["; ".join(about)],
    )


def name_of(function: Any) -> str:
    """Return what to call a function."""
    return str(getattr(function, "__name__", "the function"))


def _without_partials(
    function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]:
    """Take the arguments that came with `functools.partial`, by which any name can be given."""
    while type(function) is functools.partial:
        given = cast("Any", function)
        args, kwargs, function = (*given.args, *args), {**given.keywords, **kwargs}, given.func
    return function, args, kwargs


def _check_call(function: Callable[..., Any], kwargs: Mapping[str, Any]) -> None:
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


@contextmanager
def _saying_whose(function: Callable[..., Any]) -> Generator[None]:
    """Let an error about a parameter of `compare` say so where the function has one of that name, too."""
    try:
        yield
    except (TypeError, ValueError) as error:
        parameters = inspect.signature(function).parameters
        taken = [name for name in _OWN_PARAMETERS if name in parameters]
        if taken:
            error.add_note(
                f"{' and '.join(map(repr, taken))} is a parameter of compare() itself. If you mean the one of "
                f"{name_of(function)}(), give it with functools.partial: "
                f"compare(partial({name_of(function)}, {taken[0]}=...), ...)."
            )
        raise


def _names(settings: Any, backends: str | Iterable[str] | None, reference: str) -> list[str]:
    """Return the canonical names of all that run, the reference first; an unknown one is an error before that."""
    first = _canonical_name(settings, reference, "reference")
    given = settings.available_backends() if backends is None else backends
    if not isinstance(cast("object", given), Iterable):
        raise TypeError(f"backends must be the name of a backend or several names, not {given!r:.60}.")
    names = [_canonical_name(settings, name, "backends") for name in ([given] if isinstance(given, str) else given)]
    return list(dict.fromkeys([first, *names]))


def _canonical_name(settings: Any, name: object, parameter: str) -> str:
    if not isinstance(name, str):
        raise ValueError(f"{parameter} takes names to be compared one by one, not a preference order such as {name!r}.")
    try:
        with settings.use_backend(name):
            canonical: str = settings.backend
    except ImportError:
        canonical = name  # Known, but not usable: its own row will say why.
    return canonical


def _own_options(
    settings: Any, options: Mapping[str, Mapping[str, Any]] | None, names: list[str]
) -> dict[str, Mapping[str, Any]]:
    """Return the options of each backend by its canonical name."""
    own: dict[str, Mapping[str, Any]] = {}
    if options is not None and not isinstance(cast("object", options), Mapping):
        raise TypeError(
            f"options must map names of backends to options, {{'cuda': {{'device': 1}}}} for instance, "
            f"not be {options!r:.60}."
        )
    for name, given in (options or {}).items():
        canonical = _canonical_name(settings, name, "options")
        if canonical not in names:
            raise ValueError(f"options= names {name!r}, which is not compared. Compared are: {', '.join(names)}.")
        if not isinstance(cast("object", given), Mapping) or not all(
            isinstance(cast("object", key), str) for key in given
        ):
            raise TypeError(f"options[{name!r}] must map names of options to values, not be {given!r:.60}.")
        own[canonical] = {**own.get(canonical, {}), **given}
    return own


def _left_out(function: Callable[..., Any], kwargs: Mapping[str, Any], names: list[str]) -> dict[str, dict[str, str]]:
    """Return for each backend the keywords that it does not get, each with who takes it.

    An option that the host knows goes to all: what a backend lacks, a call on it drops with a warning.
    """
    known_to_host = takes(function, HOST)
    options = [label for label in kwargs if not known_to_host(label)]
    left_out: dict[str, dict[str, str]] = {name: {} for name in names}
    if not options:
        return left_out
    known = {name: takes(function, name) for name in names}
    for option in options:
        takers = [name for name in names if known[name](option)]
        if not takers:
            likely = did_you_mean(suggestions(option, inspect.signature(function).parameters))
            raise TypeError(f"{name_of(function)}() has no parameter {option!r} on {' or '.join(names)}.{likely}")
        for name in names:
            if name not in takers:
                left_out[name][option] = f"{' and '.join(takers)} {'takes' if len(takers) == 1 else 'take'}"
    return left_out


def _with_note(record: ComparisonRecord, left_out: Mapping[str, str]) -> ComparisonRecord:
    """Say which options an implementation did not get."""
    if not left_out:
        return record
    without = ", ".join(f"{option}, which only {takers}" for option, takers in left_out.items())
    return replace(record, note=f"{record.note}; without {without}" if record.note else f"without {without}")


def _reference(record: ComparisonRecord) -> ComparisonRecord:
    if record.error is not None or record.note is not None:
        return record
    return replace(record, note=REFERENCE, speedup=1.0)


def _compared(
    record: ComparisonRecord,
    reference: ComparisonRecord,
    expected: Outcome | None,
    outcome: Outcome,
    *,
    rtol: float,
    atol: float,
) -> ComparisonRecord:
    if expected is None:
        what = "the host" if reference.backend == HOST else reference.backend
        why = "failed" if reference.error is not None else str(reference.note)
        advice = f"reference={record.backend!r} compares with this one"
        return replace(record, note=f"{what} {why}, so there is nothing to compare with; {advice}")
    found = differences(expected, outcome, rtol=rtol, atol=atol)
    return replace(
        record,
        speedup=reference.seconds / record.seconds if reference.seconds and record.seconds else None,
        agrees=found.agrees,
        max_abs=found.max_abs,
        max_rel=found.max_rel,
        where=found.where,
        note=found.note,
    )
