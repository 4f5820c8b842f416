"""The signature of a host's function and that of an implementation, side by side: what a call would stumble over."""

from __future__ import annotations

import inspect
from enum import Enum
from inspect import Parameter
from itertools import takewhile

from scverse_backends._calls.implementations import can_run_of
from scverse_backends._docstrings.read import parameter_docs
from scverse_backends._foundation.foreign import class_of, in_a_line, safely
from scverse_backends._foundation.labels import BACKEND_PARAMETER, suggestions
from scverse_backends._reports.problem import Problem
from scverse_backends._signatures.accepted import implementation_signature
from scverse_backends._signatures.arguments import Names
from scverse_backends._signatures.defaults import at_default
from scverse_backends._signatures.merged import documentation
from scverse_backends._signatures.router import backend_only

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from inspect import Signature
    from typing import Any

    from scverse_backends._calls.dispatched import Dispatched
    from scverse_backends._reports.problem import Severity

_SAME_ARGUMENTS = "Make can_run a function of the same parameters as the implementation."


def resembling(name: str, candidates: Iterable[str]) -> tuple[str, ...]:
    """Return the candidates that a name may be a slip for."""
    return suggestions(name, candidates, cutoff=0.7)


# -- can_run -----------------------------------------------------------------------------------------------------------


def can_run_problems(record: Dispatched, implementation: Any, signature: Signature | None) -> Iterator[Problem]:
    """Yield what is wrong with ``can_run``: what it is, and how it takes the arguments that the implementation gets."""
    can_run = can_run_of(implementation)
    if can_run is None:
        return

    def problem(severity: Severity, text: str, advice: str = _SAME_ARGUMENTS) -> Problem:
        return Problem(record.attribute, "can_run", severity, text, advice)

    if not callable(can_run):
        text = f"It is an object of type {type(can_run).__name__}, which cannot be called, so every call fails."
        yield problem("error", text)
        return
    if any(is_kind(can_run) for is_kind in _NEVER_AN_ANSWER):
        text = "It is a coroutine function or a generator function, whose result is no answer, so every call fails."
        yield problem("error", text, "Make it a plain function that returns True, False or a sentence.")
    asked = implementation_signature(can_run)
    if asked is None or signature is None:
        return
    theirs, mine = Names(signature.parameters.values()), Names(asked.parameters.values())
    rest = any(parameter.kind is Parameter.VAR_POSITIONAL for parameter in asked.parameters.values())
    lacking = [] if mine.takes_any else sorted(theirs.all - mine.all - ({*theirs.positional_only} if rest else set()))
    if lacking:
        yield problem("error", f"It lacks {', '.join(map(repr, lacking))}, so that calls which give it fail.")
    beyond = sorted({*mine.required} - theirs.all)
    if beyond:
        yield problem("error", f"It requires {', '.join(map(repr, beyond))}, which the implementation does not have.")
    # Arguments by position reach the implementation by position.
    by_host = record.host_names().positional
    by_position = tuple(takewhile(lambda name: name in by_host, theirs.positional)) or theirs.positional_only
    if not lacking and not rest and mine.positional[: len(by_position)] != by_position:
        wanted, found = (", ".join(names) or "nothing" for names in (by_position, mine.positional))
        yield problem("error", f"By position it takes {found}, and the implementation {wanted}.")
    for shared in (one for one in theirs.defaults if one in mine.defaults):
        if same_default(theirs.defaults[shared], mine.defaults[shared]) is False:
            asked_for, runs = in_a_line(mine.defaults[shared]), in_a_line(theirs.defaults[shared])
            text = f"It judges {shared}={asked_for} where the implementation runs {shared}={runs}, their defaults."
            yield problem("warning", text, "Give both the same default.")


_NEVER_AN_ANSWER = (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction)


# -- the host's parameters and the implementation's --------------------------------------------------------------------


class Signatures:
    """The host's signature and an implementation's, side by side."""

    def __init__(self, record: Dispatched, signature: Signature, implementation: Any) -> None:
        self._record = record
        self._host = record.host_signature().parameters
        self._theirs = signature.parameters
        self._host_names = record.host_names()
        self._names = Names(signature.parameters.values())
        self._implementation = implementation
        # An old name stands for the new one where the implementation knows it and not the new one, as when called.
        self._old = {
            new: old
            for new, (old, _) in record.renamed.items()
            if new not in self._names.all and old in self._names.all
        }
        self._converted = {new for new, (_, convert) in record.renamed.items() if convert is not None}
        hidden = {old for old, _ in record.renamed.values()}
        self._options = backend_only(self._host_names, self._names) - hidden
        self._reported: set[str] = set()
        """Options that the host may have renamed. They are reported once, under the host's name."""

    def _problem(self, parameter: str, severity: Severity, message: str, advice: str) -> Problem:
        return Problem(self._record.attribute, parameter, severity, message, advice)

    def problems(self) -> Iterator[Problem]:
        for parameter in self._host.values():
            if parameter.kind is Parameter.VAR_KEYWORD:
                continue
            name = self._old.get(parameter.name, parameter.name)
            if name in self._names.all:
                yield from self._shared(parameter, self._theirs[name])
            elif not self._names.takes_any:
                yield self._missing(parameter)
        yield from self._unreachable()
        yield from self._undocumented()

    def _shared(self, mine: Parameter, theirs: Parameter) -> Iterator[Problem]:
        if mine.kind is not theirs.kind:
            text = f"It is {theirs.kind.description} here and {mine.kind.description} in the host."
            yield self._problem(mine.name, "note", text, "Dispatched calls work; direct ones differ.")
        if mine.default is Parameter.empty or theirs.default is Parameter.empty or mine.name in self._converted:
            return
        same = same_default(mine.default, theirs.default)
        if same:
            return
        text = f"Its default is {in_a_line(theirs.default)} here and {in_a_line(mine.default)} in the host."
        if same is None:
            yield self._problem(mine.name, "note", text, "See that a call which leaves it out gives the same result.")
            return
        advice = "A call that leaves it out gives another result on this backend. Use the host's default."
        yield self._problem(mine.name, "warning", text, advice)

    def _missing(self, parameter: Parameter) -> Problem:
        name = parameter.name
        renamed = resembling(name, [option for option in self._theirs if option in self._options])[:1]
        self._reported.update(renamed)
        meant = f" The host may have renamed {renamed[0]!r}." if renamed else ""
        advice = f"Rename {renamed[0]!r} to {name!r}." if renamed else f"Add {name!r}."
        if parameter.default is Parameter.empty:
            text = f"The host requires this parameter and the backend lacks it, so every call fails.{meant}"
            return self._problem(name, "error", text, advice)
        if name in self._record.never_drop:
            text = f"The backend lacks it and the host never drops it, so calls that give it do not run here.{meant}"
            return self._problem(name, "warning", text, advice)
        text = f"The host has this option and the backend lacks it, so it is dropped with a warning.{meant}"
        if renamed:
            return self._problem(name, "warning", text, advice)
        return self._problem(name, "note", text, "Add it where it can have an effect.")

    def _unreachable(self) -> Iterator[Problem]:
        old_names = set(self._old.values())
        for name, parameter in self._theirs.items():
            if name not in self._names.all or name in self._host_names.all or name in old_names | self._reported:
                continue
            required = parameter.default is Parameter.empty
            if name in self._options:
                if required:
                    text = "The backend requires this option, which the host does not have, so that plain calls fail."
                    yield self._problem(name, "warning", text, "Give it a default.")
            elif name == BACKEND_PARAMETER:
                text = "A parameter of this name is never given: backend= selects who runs the call."
                yield self._problem(name, "error" if required else "warning", text, "Give it another name.")
            elif required:
                text = "The backend requires it and nobody can give it: the host has no such parameter."
                yield self._problem(name, "error", text, "Give it a default.")
            elif parameter.kind is Parameter.POSITIONAL_ONLY and not name.startswith("_"):
                text = "Nobody can give this option: it is positional-only, and the host has no such parameter."
                yield self._problem(name, "warning", text, "Let it be given by keyword.")

    def _undocumented(self) -> Iterator[Problem]:
        described = parameter_docs(documentation(self._implementation))
        # The host's help may describe an option that its **kwargs take.
        by_host = parameter_docs(documentation(self._record.public())) if self._host_names.takes_any else {}
        for name in self._theirs:
            if name in self._options - self._reported and not any(
                name in docs and any(docs[name].description) for docs in (described, by_host)
            ):
                text = "This option shows in the host's help without a description."
                yield self._problem(name, "warning", text, "Describe it under Parameters in the docstring.")


def same_default(mine: Any, theirs: Any) -> bool | None:
    """Whether two defaults are the same; ``None`` where only running the functions could tell.

    Plain values can be compared. A sentinel, ``None`` included, stands for what the function works out.

    Examples
    --------
    >>> same_default(2, 2.0), same_default("mean", "median"), same_default(None, 50)
    (True, False, None)
    """
    if at_default(mine, theirs):
        return True
    try:
        return bool(_literal(mine) == _literal(theirs))
    except ValueError:
        # Two packages may each have their own sentinel with the same `repr`.
        return True if _text(mine) == _text(theirs) else None


_SCALARS = (bool, int, float, complex, str, bytes)
_CONTAINERS: dict[type, Callable[[Iterable[Any]], Any]] = {
    tuple: tuple,
    list: tuple,
    set: frozenset,
    frozenset: frozenset,
}
"""The forms in which containers are compared: a list is as good as a tuple."""
_DEEPEST = 5


def _literal(value: Any, depth: int = 0) -> Any:
    """Return what a default says, in a form that can be compared; a `ValueError` where it is not a plain value."""
    if isinstance(value, Enum):
        value = value.value
    kind = class_of(value)
    if kind.__module__ == "numpy" and getattr(value, "shape", None) == () and hasattr(value, "item"):
        value = value.item()
        kind = class_of(value)
    if kind in _SCALARS:
        return value
    if depth < _DEEPEST:
        if kind in _CONTAINERS:
            return _CONTAINERS[kind](_literal(one, depth + 1) for one in value)
        if kind is dict:
            return {key: _literal(one, depth + 1) for key, one in value.items()}
    raise ValueError(value)


def _text(value: object) -> object:
    return safely(lambda: repr(value), f"<{type(value).__name__}>")
