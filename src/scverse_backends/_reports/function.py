"""The static contract of one function: what it is, and what a call would stumble over before any argument counts."""

from __future__ import annotations

import inspect
from types import ModuleType

from scverse_backends._calls.dispatched import leads_to
from scverse_backends._discovery.exports import MISSING, exported, listed
from scverse_backends._foundation.foreign import describe_error, safely
from scverse_backends._foundation.labels import as_text
from scverse_backends._reports.problem import Problem
from scverse_backends._reports.side_by_side import Signatures, can_run_problems
from scverse_backends._selection.kinds import ASYNC_GENERATOR, COROUTINE, GENERATOR, innermost_kind
from scverse_backends._signatures.accepted import implementation_signature, only_passes_on

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from scverse_backends._calls.dispatched import Dispatched
    from scverse_backends._discovery.adapters import Backend
    from scverse_backends._selection.kinds import Kind


def function_problems(record: Dispatched, backend: Backend) -> Iterator[Problem]:
    """Yield what is wrong with a backend's implementation of one host function; nothing where it has none."""
    name = record.attribute
    try:
        implementation = exported(backend.adapter, name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - foreign code, which may raise anything while it is imported.
        text = f"The adapter announces it but cannot provide it: {describe_error(error)}."
        yield Problem(name, None, "error", text, _seen_again(backend, name))
        return
    if implementation is MISSING:
        if name in (listed_names(backend.adapter) or ()):
            text = "It stands in __all__, but the adapter does not have it."
            yield Problem(name, None, "error", text, "Provide it, or take it out of __all__.")
        return
    if hands_back(implementation, record.wrapper_ref()):
        what = "class" if record.is_class else "function"
        text = f"The adapter hands back the host's own {what}."
        advice = "Leave it out: the host runs what a backend does not have."
        yield Problem(name, None, "error" if record.is_class else "note", text, advice)
        return
    if not callable(implementation):
        text = f"It is an object of type {type(implementation).__name__}, which cannot be called."
        yield Problem(name, None, "error", text, "Export a function, or give it another name.")
        return
    yield from _kind_problems(record, implementation)
    signature = implementation_signature(implementation)
    yield from can_run_problems(record, implementation, signature)
    if signature is None:
        text = "Its signature cannot be read, so it is called with exactly what the host's caller gave."
        yield Problem(name, None, "note", text, "Give it a signature: a plain function, or __signature__.")
        return
    yield from Signatures(record, signature, implementation).problems()


def ambiguous_problem(one: Dispatched, other: Dispatched) -> Problem:
    """Return what is wrong with an implementation that two functions of the host look for."""
    text = f"Both {one.place} and {other.place} look for it, so no call of either runs on a backend."
    advice = "Ask the host to give one of them another name: @backend_dispatch(name=...)."
    return Problem(one.attribute, None, "error", text, advice)


def _seen_again(backend: Backend, name: str) -> str:
    """Say how the error behind a lazy export can be looked at."""
    module = getattr(backend.adapter, "__name__", "") if isinstance(backend.adapter, ModuleType) else ""
    return f"To see the error again: python -c 'from {module} import {name}'" if module else "Repair what it raises."


def listed_names(adapter: Any) -> set[str] | None:
    """Return the names in ``__all__`` of a module that has one."""
    names = listed(adapter)
    return None if names is None else {name for name in map(as_text, names) if name is not None}


def hands_back(implementation: Any, own: object) -> bool:
    """Whether an implementation is the host's own decorated function, unchanged by what stands around it."""
    # What stands in between may not be inspected.
    return bool(safely(lambda: leads_to(implementation, own) and only_passes_on(implementation, own), otherwise=True))


def _kind_problems(record: Dispatched, implementation: Any) -> Iterator[Problem]:
    name, host = record.attribute, record.function
    if record.is_class and not inspect.isclass(implementation):
        yield Problem(name, None, "error", "The host's is a class, and this is none.", "Export a class of that name.")
    mine, theirs = _kind(host), _kind(implementation)
    if mine == theirs or record.is_class:
        return
    if mine in _ITERATED and theirs not in _ITERATED[mine]:
        text = f"It is {theirs} and the host's is {mine}, so that iterating over its result fails."
        yield Problem(name, None, "error", text, f"Make it {mine}.")
    elif theirs != _PLAIN and mine not in _ITERATED:
        text = f"It is {theirs} and the host's is {mine}: callers get what it returns in place of the result."
        yield Problem(name, None, "warning", text, f"Make it {mine}.")
    elif mine in _AWAITING:
        text = f"It is {theirs} and the host's is {mine}: the event loop waits while its body runs."
        yield Problem(name, None, "note", text, f"Make it {mine} if it takes long.")


_PLAIN = "a plain function"
_AWAITING = (COROUTINE.name, ASYNC_GENERATOR.name)
_ITERATED = {
    GENERATOR.name: (_PLAIN, GENERATOR.name),
    ASYNC_GENERATOR.name: (_PLAIN, GENERATOR.name, ASYNC_GENERATOR.name),
}
"""Kinds of functions that can replace one whose result is iterated over."""


def _kind(function: Any) -> str:
    """Return what kind of function it is, whatever decorators stand around it."""
    # A foreign ``__wrapped__`` may raise, or lead in a circle.
    kind: Kind | None = safely(lambda: innermost_kind(function))
    return _PLAIN if kind is None else kind.name
