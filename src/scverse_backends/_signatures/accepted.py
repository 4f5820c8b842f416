"""What a function accepts, also where it shows the signature of another that it wraps.

:mod:`inspect` follows ``__wrapped__`` to the innermost function. But ``functools.wraps`` also stands on functions that
only copy a docstring by it, or that take options beside what they pass on, so each function on the way is looked at.
"""

from __future__ import annotations

import inspect
import sys
from inspect import Parameter, Signature
from types import FunctionType, MethodType

from scverse_backends._foundation.foreign import class_of, safely
from scverse_backends._foundation.labels import BACKEND_PARAMETER
from scverse_backends._signatures.arguments import BY_KEYWORD, POSITIONAL
from scverse_backends._signatures.shown import MergedSignature

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def signature_of(function: Callable[..., Any]) -> Signature:
    """Return a function's signature, also where its annotations cannot be evaluated yet."""
    try:
        return inspect.signature(function)
    except NameError:
        if sys.version_info >= (3, 14):  # Python 3.14 and later: what an annotation names may be defined after it.
            import annotationlib

            return inspect.signature(function, annotation_format=annotationlib.Format.FORWARDREF)
        raise


def implementation_signature(implementation: Any) -> Signature | None:
    """Return what a backend's function accepts, ``None`` where that cannot be found out."""

    def read() -> Signature | None:
        # First, since it does not go in circles.
        shown = signature_of(implementation)
        signature = shown if _layer(implementation) is None else _accepted(implementation)
        held = signature.parameters.values()
        # A foreign signature may hold what its annotation denies.
        return signature if all(isinstance(p, Parameter) for p in held) else None  # pyright: ignore[reportUnnecessaryIsInstance]

    found: Signature | None = safely(read)
    return found


def only_passes_on(function: Any, goal: Any) -> bool:
    """Whether all that stands around another function passes on what it is given, and takes nothing beside."""
    while function is not goal:
        layer = _layer(function)
        if layer is not None:
            if not layer.passes_on:
                return False
            known = _accepted(layer.wrapped).parameters
            if any(name not in known for name in layer.combined(list(known.values())).parameters):
                return False
        function = getattr(function, "__wrapped__", goal)
    return True


class _Layer:
    """One function around another, with its own parameters.

    The first argument of a ``bound`` one is an object that no caller gives. If it ``wraps_methods``, what it wraps may
    be given that object too.
    """

    __slots__ = ("_own", "_self", "_wraps_methods", "wrapped")

    def __init__(
        self, function: FunctionType, wrapped: Any, *, bound: bool = False, wraps_methods: bool = False
    ) -> None:
        self.wrapped = wrapped
        # Its annotations are those of the wrapped function too, and may not be evaluated yet.
        bare = FunctionType(function.__code__, {}, "bare", function.__defaults__, function.__closure__)
        bare.__kwdefaults__ = function.__kwdefaults__
        self._own = list(inspect.signature(bare).parameters.values())
        self._wraps_methods = wraps_methods
        self._self: str | None = None
        if bound and self._own and self._own[0].kind is not Parameter.VAR_POSITIONAL:
            self._self = self._own.pop(0).name

    def _has(self, kind: object) -> bool:
        return any(parameter.kind is kind for parameter in self._own)

    @property
    def passes_on(self) -> bool:
        """Whether it takes more than it names."""
        return self._has(Parameter.VAR_POSITIONAL) or self._has(Parameter.VAR_KEYWORD)

    def accepted(self) -> Signature:
        """Return what a call may give."""
        if not self.passes_on:
            return Signature(self._own)
        inner = list(_accepted(self.wrapped).parameters.values())
        # A method may wrap another method, whose object comes first too, or a function, which knows of none.
        if self._wraps_methods and inner and self._self in (None, inner[0].name):
            del inner[0]
        return self.combined(inner)

    def _aligned(self, inner: list[Parameter]) -> int:
        """Return how many positional arguments mean the same to both."""
        theirs = [parameter for parameter in inner if parameter.kind in POSITIONAL]
        mine = [parameter for parameter in self._own if parameter.kind in POSITIONAL]
        names = {parameter.name for parameter in inner}
        for index, (one, other) in enumerate(zip(mine, theirs, strict=False)):
            # What has no default and bears a name of its own is passed on under another name.
            is_renamed = one.name not in names and one.default is Parameter.empty
            if one.name != other.name and not is_renamed:
                return index
        if not self._has(Parameter.VAR_POSITIONAL):
            return len(mine)
        # What it takes by keyword only cannot come by position.
        by_keyword = {parameter.name for parameter in self._own if parameter.kind is Parameter.KEYWORD_ONLY}
        taken = (index for index, parameter in enumerate(theirs) if parameter.name in by_keyword)
        return next(taken, len(theirs))

    def combined(self, inner: list[Parameter]) -> Signature:
        """Return what it accepts itself and what it passes on. Where both name a parameter, its own word counts."""
        own = {parameter.name: parameter for parameter in self._own}
        by_position = self._has(Parameter.VAR_POSITIONAL)
        aligned = self._aligned(inner)
        found: list[Parameter] = []
        for index, parameter in enumerate(inner):
            mine = own.pop(parameter.name, None)
            if mine is not None and mine.kind in BY_KEYWORD:
                parameter = parameter.replace(kind=mine.kind, default=mine.default)  # noqa: PLW2901 - its own word.
            if parameter.kind is Parameter.POSITIONAL_OR_KEYWORD and index >= aligned:
                parameter = parameter.replace(kind=Parameter.KEYWORD_ONLY)  # noqa: PLW2901 - as above.
            found.append(parameter)
        for parameter in own.values():
            # One without a default is another name for a parameter of the wrapped function.
            is_option = parameter.default is not Parameter.empty and parameter.kind in BY_KEYWORD[by_position:]
            if (is_option or parameter.kind is Parameter.KEYWORD_ONLY) and parameter.name != BACKEND_PARAMETER:
                found.append(parameter.replace(kind=Parameter.KEYWORD_ONLY))
        try:
            return Signature(sorted(found, key=lambda parameter: parameter.kind))
        except ValueError:  # A default before a parameter without one: no call says which of the two is right.
            return Signature(inner)


def _layer(function: Any) -> _Layer | None:
    """Return the outermost function of those that wrap each other, ``None`` where there is nothing to look at."""
    held: dict[str, Any] = {} if issubclass(type(function), type) else getattr(function, "__dict__", {})
    claimed = held.get("__signature__")
    # Around a dispatched function, ``functools.wraps`` copies the signature too.
    if "__wrapped__" not in held or not (claimed is None or isinstance(claimed, MergedSignature)):
        return None
    wrapped = held["__wrapped__"]
    if type(function) is FunctionType:
        return _Layer(function, wrapped)
    if type(function) is MethodType:
        return _Layer(_called(function.__func__), wrapped, bound=True, wraps_methods=True)
    return _Layer(_called(inspect.getattr_static(class_of(function), "__call__", None)), wrapped, bound=True)


def _called(function: Any) -> Any:
    """Return what shows the parameters of a call; what is not written in Python passes everything on."""
    return function if type(function) is FunctionType else _anything


def _anything(*args: object, **kwargs: object) -> None:
    """Stand for a callable that passes everything on."""


def _accepted(function: Any) -> Signature:
    layer = _layer(function)
    return signature_of(function) if layer is None else layer.accepted()
