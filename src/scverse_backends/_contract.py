"""The static contract between a host and a backend: everything that can be wrong without anything being called.

Looking at a lazily provided function makes its adapter import it; no function of the backend is ever executed.
"""

from __future__ import annotations

import inspect
from inspect import Parameter
from types import ModuleType
from typing import cast

from scverse_backends._adapters import MISSING, Failure, describe_error, describe_origin, exported, exports
from scverse_backends._arguments import BACKEND_PARAMETER, Names
from scverse_backends._defaults import at_default
from scverse_backends._dispatched import leads_to
from scverse_backends._docs_read import parameter_docs
from scverse_backends._labels import suggestions
from scverse_backends._plan import backend_only
from scverse_backends._record import Record
from scverse_backends._signature import implementation_signature

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from inspect import Signature
    from typing import Any, Literal

    from scverse_backends._adapters import Backend
    from scverse_backends._dispatched import Dispatched
    from scverse_backends._registry import Entry, Registry

    Severity = Literal["error", "warning", "note"]


class Problem(Record):
    """One thing that a backend should know about itself.

    Attributes
    ----------
    function
        The host function concerned, or the name that the adapter exports; ``None`` for the adapter as a whole.
    parameter
        The parameter concerned, or ``None``.
    severity
        ``"error"`` for what makes calls fail, ``"warning"`` for what users will stumble over, ``"note"`` for what may
        well be meant so.
    message
        What is the case.
    advice
        What to do about it.
    """

    __slots__ = ("advice", "function", "message", "parameter", "severity")
    __match_args__: tuple[str, ...] = ("function", "parameter", "severity", "message", "advice")
    function: str | None
    parameter: str | None
    severity: Severity
    message: str
    advice: str

    def __init__(
        self, function: str | None, parameter: str | None, severity: Severity, message: str, advice: str
    ) -> None:
        self._fill(function, parameter, severity, message, advice)

    @property
    def subject(self) -> str:
        """What the problem is about, as text: ``function(parameter)``."""
        if self.function is None:
            return "adapter"
        return self.function if self.parameter is None else f"{self.function}({self.parameter})"

    def __str__(self) -> str:
        return f"{self.severity}: {self.subject}: {self.message} {self.advice}"


# -- the adapter as a whole --------------------------------------------------------------------------------------------


def failure_problems(entry: Entry) -> Iterator[Problem]:
    """Yield why an entry point gives no backend."""
    failure = entry.outcome
    text = failure.text if isinstance(failure, Failure) else "it is being loaded"
    refused = isinstance(failure, Failure) and failure.refused
    advice = (
        "Give the adapter a name that is its own, or ask the host to trust this distribution."
        if refused
        else "Repair what it raises, or what it says of itself; nothing else can be checked before."
    )
    yield Problem(None, None, "error", f"The {describe_origin(entry.record)} gives no backend: {text}.", advice)


def adapter_problems(
    entry: Entry, backend: Backend, records: Iterable[Dispatched], registry: Registry
) -> Iterator[Problem]:
    """Yield what is wrong with names, aliases and trust, and the exports that no host function has."""
    for notice in entry.notices:
        # Who reads this is the author whom the warning, which is meant for users, speaks of.
        text = notice.message.removesuffix(" Tell its authors.")
        advice = "Give a list of plain names that neither the host nor another backend has, or leave them out."
        yield Problem(None, None, "warning", text, advice)
    for label, winner, loser in registry.conflicts():
        if loser is entry:
            yield Problem(
                None,
                None,
                "error" if label == backend.name else "warning",
                f"The name {label!r} is answered by {describe_origin(winner.record)}.",
                "Choose a name of your own.",
            )
    if entry.record.name not in (backend.name, *backend.aliases):
        yield Problem(
            None,
            None,
            "warning",
            f"The entry point is called {entry.record.name!r} and the backend {backend.name!r}, "
            f"so that finding {backend.name!r} takes loading every installed backend.",
            f"Call the entry point {backend.name!r}.",
        )
    if backend.untrusted_reason is not None:
        yield Problem(
            None,
            None,
            "note",
            f"The host does not vouch for it: {backend.untrusted_reason}.",
            "Ask the host to list the backend as trusted.",
        )
    yield from _unknown_exports(backend.adapter, {record.attribute for record in records})


def _unknown_exports(adapter: Any, known: set[str]) -> Iterator[Problem]:
    listed = _listed(adapter)
    for name in sorted(_offered(adapter, listed) - known):
        likely = suggestions(name, known)
        if not likely and listed is None and not _is_own_function(adapter, name):
            continue  # What an adapter imports for itself is nobody's business.
        remove = "leave it out of the adapter, or give its name a leading underscore."
        meant = " or ".join(map(repr, likely))
        yield Problem(
            name,
            None,
            "warning" if likely or listed is not None else "note",
            "No host function has this name, so nothing ever calls it.",
            f"Call it {meant} if that is what it implements; otherwise {remove}" if likely else remove.capitalize(),
        )


def _listed(adapter: Any) -> set[str] | None:
    names: object = vars(adapter).get("__all__") if isinstance(adapter, ModuleType) else None
    if not isinstance(names, (list, tuple, set, frozenset)):
        return None
    return {name for name in cast("Iterable[object]", names) if isinstance(name, str)}


def _offered(adapter: Any, listed: set[str] | None) -> set[str]:
    """Return the names that an adapter may be asked for, without touching any of them."""
    if listed is not None:
        return {name for name in listed if exports(adapter, name)}
    names: set[object]
    try:
        names = set(object.__getattribute__(adapter, "__dict__"))
    except AttributeError:
        names = set()
    if not isinstance(adapter, ModuleType):
        names.update(*(vars(base) for base in inspect.getmro(_class_of(adapter))))
    return {name for name in names if isinstance(name, str) and exports(adapter, name)}


def _class_of(value: object) -> type:
    return type(value)


def _is_own_function(adapter: Any, name: str) -> bool:
    value = inspect.getattr_static(adapter, name, None)
    value = getattr(value, "__func__", value)
    home = adapter.__name__ if isinstance(adapter, ModuleType) else type(adapter).__module__
    return inspect.isroutine(value) and getattr(value, "__module__", None) == home


# -- one function ------------------------------------------------------------------------------------------------------


def function_problems(record: Dispatched, backend: Backend) -> Iterator[Problem]:
    """Yield what is wrong with a backend's implementation of one host function; nothing where it has none."""
    name = record.attribute
    try:
        implementation = exported(backend.adapter, name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - foreign code, which may raise anything while it is imported.
        text = f"The adapter announces it but cannot provide it: {describe_error(error)}."
        yield Problem(name, None, "error", text, "Import it once by hand to see where this comes from.")
        return
    if implementation is MISSING:
        if name in (_listed(backend.adapter) or ()):
            text = "It stands in __all__, but the adapter does not have it."
            yield Problem(name, None, "error", text, "Provide it, or take it out of __all__.")
        return
    if leads_to(implementation, record.wrapper_ref()):
        what = "class" if record.is_class else "function"
        text = f"The adapter hands back the host's own {what}."
        advice = "Leave it out: the host runs what a backend does not have."
        yield Problem(name, None, "error" if record.is_class else "note", text, advice)
        return
    if not callable(implementation):
        text = f"It is no callable but {type(implementation).__name__}."
        yield Problem(name, None, "error", text, "Export a function, or call it something else.")
        return
    yield from _kind_problems(record, implementation)
    signature = implementation_signature(implementation)
    if signature is None:
        text = "Its signature cannot be read, so it is called with exactly what the host's caller gave."
        yield Problem(name, None, "note", text, "Give it a signature: a plain function, or __signature__.")
        return
    yield from _Signatures(record, signature, implementation).problems()


def _kind_problems(record: Dispatched, implementation: Any) -> Iterator[Problem]:
    name, host = record.attribute, record.function
    if record.is_class and not inspect.isclass(implementation):
        yield Problem(name, None, "error", "The host's is a class, and this is none.", "Export a class of that name.")
    for is_kind, kind in (
        (inspect.iscoroutinefunction, "a coroutine function"),
        (inspect.isasyncgenfunction, "an async generator function"),
    ):
        if is_kind(host) and not is_kind(implementation):
            text = f"The host's is {kind}, and this is none, so that its result cannot be awaited as the caller does."
            yield Problem(name, None, "error", text, f"Make it {kind}.")
    holder = getattr(implementation, "__func__", implementation)
    can_run = inspect.getattr_static(holder, "can_run", None)
    if can_run is not None and not callable(getattr(implementation, "can_run", None)):
        text = f"Its can_run is no callable but {type(can_run).__name__}, so that every call fails."
        yield Problem(name, "can_run", "error", text, "Make can_run a function of the same arguments.")


class _Signatures:
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
            text = f"Its default is {_shown(theirs.default)} here and {_shown(mine.default)} in the host."
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
        described = parameter_docs(_documentation(self._implementation))
        for name in self._theirs:
            if name in self._options - self._reported and (
                name not in described or not any(described[name].description)
            ):
                text = "This option shows in the host's help without a word."
                yield self._problem(name, "warning", text, "Describe it under Parameters in the docstring.")


def _documentation(implementation: Any) -> object:
    try:
        return implementation.__doc__
    except Exception:  # noqa: BLE001 - a foreign property.
        return None


def _kind(parameter: Parameter) -> str:
    return parameter.kind.description


def _same_default(mine: Any, theirs: Any) -> bool:
    """Whether two defaults are the same, going by their text where they are no scalars: nothing foreign is compared."""
    if at_default(mine, theirs):
        return True
    return type(mine) is type(theirs) and type(mine) not in (bool, int, float, complex) and _text(mine) == _text(theirs)


def _shown(value: object) -> str:
    text = " ".join(_text(value).split())
    return text if len(text) <= 60 else text[:59] + "…"


def _text(value: object) -> str:
    try:
        return repr(value)
    except Exception:  # noqa: BLE001 - foreign __repr__.
        return f"<{type(value).__name__}>"
