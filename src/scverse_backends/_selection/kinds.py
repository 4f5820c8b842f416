"""The kinds of functions whose body does not run when they are called: one table of what each needs."""

from __future__ import annotations

from types import AsyncGeneratorType, CoroutineType, FunctionType, GeneratorType

from scverse_backends._foundation.record import Record
from scverse_backends._selection.steps import drive_async_generator, drive_coroutine, drive_generator

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from scverse_backends._selection.steps import Steps

    Drive = Callable[[Any, Steps, str, str], Any]


class Kind(Record):
    """One kind of function."""

    __slots__ = __match_args__ = ("name", "flag", "predicate", "result", "drive")
    name: str
    """What a person calls it."""
    flag: int
    """The flag of its code. :mod:`inspect` looks at nothing else, and the interpreter does not look at it."""
    predicate: str
    """Name of the function of :mod:`inspect` that knows it."""
    result: type
    """The type of what a call returns."""
    drive: Drive
    """Runs its body step by step."""


GENERATOR = Kind("a generator function", 0x20, "isgeneratorfunction", GeneratorType, drive_generator)
COROUTINE = Kind("a coroutine function", 0x80, "iscoroutinefunction", CoroutineType, drive_coroutine)
ASYNC_GENERATOR = Kind(
    "an async generator function", 0x200, "isasyncgenfunction", AsyncGeneratorType, drive_async_generator
)
KINDS = (COROUTINE, GENERATOR, ASYNC_GENERATOR)


def kind_of(function: Any) -> Kind | None:
    """Return what kind of function it is, ``None`` for one whose body runs when it is called."""
    import inspect

    return next((kind for kind in KINDS if getattr(inspect, kind.predicate)(function)), None)


def innermost_kind(function: Any) -> Kind | None:
    """Return what kind of function stands inside all decorators; a ``ValueError`` if it claims to wrap itself."""
    import inspect

    return kind_of(inspect.unwrap(function))


def driver_for(function: Callable[..., Any]) -> Drive | None:
    """Return what drives a function's result, ``None`` for a function whose body runs when it is called."""
    kind = kind_of(function)
    if kind is not None:
        return kind.drive
    try:
        # A decorator may hide what kind a function is of, and hand out its generator or coroutine all the same.
        return drive_result if innermost_kind(function) is not None else None
    except ValueError:
        return None


def drive_result(result: Any, steps: Steps, name: str, qualname: str) -> Any:
    """Return what drives a result where only the result itself tells whether there is anything to drive."""
    for kind in KINDS:
        if isinstance(result, kind.result):
            return kind.drive(result, steps, name, qualname)
    steps.ended()
    return result


def like(function: Callable[..., Any], wrapper: Callable[..., Any]) -> Callable[..., Any]:
    """Return a wrapper that :mod:`inspect` takes for the kind of function that it wraps.

    Unlike the mark of ``inspect.markcoroutinefunction``, a flag outlives pickling by value. Defaults of keywords are
    not taken along, since the caller sets those of the wrapped function.
    """
    kind = kind_of(function)
    if kind is None:
        return wrapper
    plain: Any = wrapper
    code = plain.__code__.replace(co_flags=plain.__code__.co_flags | kind.flag)
    return FunctionType(code, plain.__globals__, plain.__name__, plain.__defaults__, plain.__closure__)
