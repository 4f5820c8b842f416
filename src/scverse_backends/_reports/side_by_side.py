"""The signature of a host's function and that of an implementation, side by side: what a call would stumble over."""

from __future__ import annotations

from inspect import Parameter

from scverse_backends._calls.implementations import can_run_of
from scverse_backends._docstrings.read import parameter_docs
from scverse_backends._foundation.foreign import in_a_line
from scverse_backends._foundation.labels import BACKEND_PARAMETER, suggestions
from scverse_backends._reports.problem import Problem
from scverse_backends._signatures.accepted import implementation_signature
from scverse_backends._signatures.arguments import Names
from scverse_backends._signatures.defaults import at_default
from scverse_backends._signatures.merged import documentation
from scverse_backends._signatures.router import backend_only

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from inspect import Signature
    from typing import Any

    from scverse_backends._calls.dispatched import Dispatched
    from scverse_backends._reports.problem import Severity

_SAME_ARGUMENTS = "Make can_run a function of the same arguments."


def can_run_problems(name: str, implementation: Any, signature: Signature | None) -> Iterator[Problem]:
    """Yield what is wrong with ``can_run``: what it is, and which arguments it does not take or requires beyond."""
    can_run = can_run_of(implementation)
    if can_run is not None and not callable(can_run):
        text = f"Its can_run is no callable but {type(can_run).__name__}, so that every call fails."
        yield Problem(name, "can_run", "error", text, _SAME_ARGUMENTS)
        return
    asked = implementation_signature(can_run) if can_run is not None else None
    if asked is None or signature is None:
        return
    theirs, mine = Names(signature.parameters.values()), Names(asked.parameters.values())
    rest = any(parameter.kind is Parameter.VAR_POSITIONAL for parameter in asked.parameters.values())
    lacking = [] if mine.takes_any else sorted(theirs.all - mine.all - ({*theirs.positional_only} if rest else set()))
    if lacking:
        text = f"Its can_run lacks {', '.join(map(repr, lacking))}, so that calls which give it fail."
        yield Problem(name, "can_run", "error", text, _SAME_ARGUMENTS)
    beyond = sorted({*mine.required} - theirs.all)
    if beyond:
        text = f"Its can_run requires {', '.join(map(repr, beyond))}, which the implementation does not have."
        yield Problem(name, "can_run", "error", text, _SAME_ARGUMENTS)


class Signatures:
    """The host's signature and an implementation's, side by side."""

    def __init__(self, record: Dispatched, signature: Signature, implementation: Any) -> None:
        self._name = record.attribute
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
        """Options that the host may have renamed: with that repaired, nothing else is wrong with them."""

    def _problem(self, parameter: str, severity: Severity, message: str, advice: str) -> Problem:
        return Problem(self._name, parameter, severity, message, advice)

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
            text = f"It is {_kind(theirs)} here and {_kind(mine)} in the host."
            yield self._problem(mine.name, "note", text, "Dispatched calls work; direct ones differ.")
        if mine.default is Parameter.empty or theirs.default is Parameter.empty or mine.name in self._converted:
            return
        if not _same_default(mine.default, theirs.default):
            text = f"Its default is {in_a_line(theirs.default)} here and {in_a_line(mine.default)} in the host."
            advice = "A call that leaves it out gives another result on this backend. Use the host's default."
            yield self._problem(mine.name, "warning", text, advice)

    def _missing(self, parameter: Parameter) -> Problem:
        name = parameter.name
        likely = self._renamed_from(parameter)
        if likely is not None:
            self._reported.add(likely)
        meant = f" The host may have renamed {likely!r}." if likely is not None else ""
        rename = f"Rename {likely!r} to {name!r}."
        if parameter.default is Parameter.empty:
            text = f"The host requires this parameter and the backend lacks it, so every call fails.{meant}"
            return self._problem(name, "error", text, f"Add {name!r}." if likely is None else rename)
        text = f"The host has this option and the backend lacks it, so it is dropped with a warning.{meant}"
        advice = "Add it where it can have an effect." if likely is None else rename
        return self._problem(name, "warning" if likely is not None else "note", text, advice)

    def _renamed_from(self, missing: Parameter) -> str | None:
        """Return an option that only the backend has and that this host parameter may have been called before.

        Similar names tell, and so does an option with the same default between the same parameters that both have,
        if it is the only one.
        """
        candidates = [name for name in self._theirs if name in self._options]
        likely = suggestions(missing.name, candidates)
        if likely:
            return likely[0]
        place = self._place(self._host, missing.name)
        same = [
            name
            for name in candidates
            if self._place(self._theirs, name) == place
            and self._theirs[name].kind is missing.kind
            and at_default(self._theirs[name].default, missing.default)
        ]
        return same[0] if len(same) == 1 else None

    def _place(self, parameters: Iterable[str], name: str) -> tuple[str | None, str | None]:
        """Return the nearest parameters before and after one that both sides have."""
        before: str | None = None
        passed = False
        for other in parameters:
            if other == name:
                passed = True
            elif other in self._host and other in self._theirs:
                if passed:
                    return before, other
                before = other
        return before, None

    def _unreachable(self) -> Iterator[Problem]:
        old_names = set(self._old.values())
        for name, parameter in self._theirs.items():
            if name not in self._names.all or name in self._host_names.all or name in old_names | self._reported:
                continue
            if name in self._options:
                if parameter.default is Parameter.empty:
                    text = "The backend requires this option, which the host does not have, so that plain calls fail."
                    yield self._problem(name, "warning", text, "Give it a default.")
                continue
            required = parameter.default is Parameter.empty
            if name == BACKEND_PARAMETER:
                text = "A parameter of this name is never given: backend= selects who runs the call."
                yield self._problem(name, "error" if required else "warning", text, "Give it another name.")
            elif required:
                text = "The backend requires it and nobody can give it: the host has no such parameter."
                yield self._problem(name, "error", text, "Give it a default.")

    def _undocumented(self) -> Iterator[Problem]:
        described = parameter_docs(documentation(self._implementation))
        for name in self._theirs:
            if name in self._options - self._reported and (
                name not in described or not any(described[name].description)
            ):
                text = "This option shows in the host's help without a description."
                yield self._problem(name, "warning", text, "Describe it under Parameters in the docstring.")


def _kind(parameter: Parameter) -> str:
    return parameter.kind.description


def _same_default(mine: Any, theirs: Any) -> bool:
    """Whether two defaults are the same, going by their text where they are no scalars: nothing foreign is compared."""
    if at_default(mine, theirs):
        return True
    return type(mine) is type(theirs) and type(mine) not in (bool, int, float, complex) and _text(mine) == _text(theirs)


def _text(value: object) -> str:
    try:
        return repr(value)
    except Exception:  # noqa: BLE001 - a foreign ``__repr__`` may raise anything.
        return f"<{type(value).__name__}>"
