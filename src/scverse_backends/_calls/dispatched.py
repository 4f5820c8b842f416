"""What is known of one decorated host function: how it is called, what it shows, and its compiled plans."""

from __future__ import annotations

import sys
from types import FunctionType
from weakref import ref

from scverse_backends._foundation.labels import CPU
from scverse_backends._signatures.accepted import signature_of
from scverse_backends._signatures.arguments import BACKEND_PARAMETER, Names
from scverse_backends._signatures.merged import (
    BACKEND_ANNOTATION,
    is_evaluated,
    merged_parameters,
    with_parameters,
)
from scverse_backends._signatures.merged_signature import MergedSignature
from scverse_backends._signatures.plan import NO_PLAN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from inspect import Signature
    from types import CodeType
    from typing import Any

    from scverse_backends._discovery.adapters import Backend
    from scverse_backends._signatures.merged import Contribution
    from scverse_backends._signatures.own_backend import OwnBackend
    from scverse_backends._signatures.plan import Plan

    Renamed = Mapping[str, tuple[str, Callable[[Any], Any] | None]]

_NOTHING: Mapping[Any, Any] = {}
_NO_NAMES: frozenset[str] = frozenset()
_ONLY_THE_HOST: Mapping[object, None] = {CPU: None}


class Dispatched:
    """One host function (or class) that dispatches.

    The decorated function keeps its record alive and not the other way round, so that a function which is decorated
    again is freed with everything that belongs to it.
    """

    __slots__ = (
        "__weakref__",
        "_host_names",
        "_shown",
        "attribute",
        "contributions",
        "cpu_states",
        "current",
        "dispatch",
        "function",
        "is_class",
        "own_backend",
        "pinned",
        "plans",
        "renamed",
        "sources",
        "unsettled",
        "wrapper_ref",
        "written",
    )

    def __init__(self, function: Callable[..., Any], attribute: str, renamed: Renamed = _NOTHING) -> None:
        self.function = function
        """The host's implementation."""
        self.attribute = attribute
        """What adapters are asked for."""
        self.renamed = renamed
        self.dispatch: Any = None
        """What runs the calls, so that a record which was pickled is known to its dispatcher again."""
        self.is_class = False
        """Whether this is a class, whose construction dispatches."""
        self.own_backend: OwnBackend | None = None
        """Present where the host function has a parameter ``backend`` of its own."""
        self.current: Any = NO_PLAN
        """The plan of the last call on a backend that was selected by setting or scope. Only ever a cache."""
        self.pinned: Mapping[object, Plan | None] = _ONLY_THE_HOST
        """The plans of the last calls that said ``backend=``, by what they said, and none for the host. A cache."""
        self.plans: Mapping[Backend, Plan] = _NOTHING
        self.contributions: Mapping[str, tuple[Contribution, ...]] = _NOTHING
        """The options that backends add, by backend. Replaced, never changed in place."""
        self.sources: Mapping[str, Backend] = _NOTHING
        """Which backend each contribution was read from."""
        self.unsettled: frozenset[str] = _NO_NAMES
        """The options whose default only a backend could tell, so that a placeholder may be given for them."""
        self.cpu_states: tuple[Any, Any] = (None, None)
        """The state outside and inside the last call that said ``backend="cpu"``."""
        self.written: tuple[Any, ...] = ()
        """What merging found before it wrote, for each function that shows merged text."""
        self.wrapper_ref: Callable[[], Any] = _no_wrapper
        self._host_names: Names | None = None
        self._shown: tuple[Any, Signature] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        made_from = (self.function, self.attribute, dict(self.renamed))
        return Dispatched, made_from, (self.own_backend, self.is_class, self.wrapper_ref(), self.dispatch)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.own_backend, self.is_class, wrapper, self.dispatch = state
        self.wrapper_ref = ref(wrapper)
        if self.dispatch is not None:
            self.dispatch.adopt(self)

    @property
    def name(self) -> str:
        """The function's name in messages."""
        return str(getattr(self.function, "__name__", self.attribute))

    @property
    def place(self) -> str:
        """Where the function stands, as ``module.qualified_name``."""
        shown = self.wrapper_ref()
        return f"{getattr(shown, '__module__', '?')}.{getattr(shown, '__qualname__', self.name)}"

    @property
    def constructor(self) -> FunctionType | None:
        """The method that Python checks the arguments of a construction by, where a class has one written in Python."""
        if not self.is_class:
            return None
        made = self.wrapper_ref()
        methods = (getattr(made, name, None) for name in ("__new__", "__init__"))
        return next((method for method in methods if isinstance(method, FunctionType)), None)

    @property
    def plain_name(self) -> str:
        """The function's name in the errors that Python raises for a wrong call."""
        return str(getattr(self.constructor or self.function, "__qualname__", self.name))

    # -- how it is called --------------------------------------------------------------------------------------------

    def host_signature(self) -> Signature:
        """Return the signature that callers see, before anything is merged."""
        if self.is_class:
            # Asked anew, since decorators outside ours may still change the class.
            construct: Any = self.function
            signature: Signature = construct.signature()
            return signature
        signature = signature_of(self.function)
        return signature if self.own_backend is None else self.own_backend.in_signature(signature)

    def host_names(self) -> Names:
        """Return what the host function accepts."""
        names = self._host_names
        if names is None:
            names = self._host_names = Names(self.host_signature().parameters.values())
        return names

    def keep_plan(self, plan: Plan) -> None:
        """Keep the plan for the backend's latest implementation."""
        self.plans = {**self.plans, plan.backend: plan}

    def forget_plans(self) -> None:
        """Compile anew from now on: a backend came or went."""
        self.current = NO_PLAN
        self.pinned = _ONLY_THE_HOST
        self.plans = _NOTHING

    def forget_host(self) -> None:
        """Look at the host's signature anew: its class was built anew."""
        self._host_names = self._shown = None
        self.forget_plans()

    # -- what it shows -----------------------------------------------------------------------------------------------

    def merged_signature(self) -> MergedSignature:
        """Return a signature that shows what is merged now."""
        return MergedSignature(self, self.contributions)

    def signature(self, found: Mapping[str, tuple[Contribution, ...]]) -> Signature:
        """Return the signature with what backends contribute, or contributed once."""
        shown = self._shown
        if shown is None or shown[0] is not found:
            shown = (found, with_parameters(self.host_signature(), merged_parameters(found)))
            self._shown = shown
        return shown[1]

    def added_annotations(self) -> dict[str, Any]:
        """Return the annotations that are not the host's: those that are usable objects, and ``backend``."""
        added = {p.name: p.annotation for p in merged_parameters(self.contributions) if is_evaluated(p.annotation)}
        added[BACKEND_PARAMETER] = BACKEND_ANNOTATION
        return added

    def annotations(self, host: Mapping[str, Any], added: Mapping[str, Any]) -> dict[str, Any]:
        """Return the host's annotations with the added ones, the result's last."""
        shown = dict(host) if self.own_backend is None else self.own_backend.in_annotations(host)
        returned = {"return": shown.pop("return")} if "return" in shown else {}
        return {**shown, **added, **returned}

    # -- where it is seen --------------------------------------------------------------------------------------------

    def public(self) -> Any:
        """Return the outermost function that the host's module shows under this function's name.

        Host decorators may stand outside ours; the module's attribute leads to ours through ``__wrapped__``.
        """
        return next(self.chain(), self.function)

    def chain(self) -> Iterator[Any]:
        """Yield the functions from the public one down to our own wrapper, which comes last."""
        wrapper = self.wrapper_ref()
        if wrapper is None:
            return
        seen = _found_in_module(wrapper)
        path = list(_unwrapped(seen, wrapper)) if seen is not None else []
        yield from path or [wrapper]

    def codes(self) -> Iterator[CodeType]:
        """Yield the code of the functions along the whole chain, the host's own last."""
        for function in (*self.chain(), *_all_wrapped(self.function)):
            code = getattr(function, "__code__", None)
            if code is None and callable(function):
                # A decorator may also be an object, whose class says what a call runs.
                code = getattr(type(function).__call__, "__code__", None)
            if code is not None:
                yield code


def _no_wrapper() -> None:
    """Stand in for the reference to a function that is not made yet."""


def _found_in_module(wrapper: Any) -> Any:
    """Return what the module of a function shows under its qualified name."""
    found: Any = sys.modules.get(getattr(wrapper, "__module__", None) or "")
    for part in getattr(wrapper, "__qualname__", "").split("."):
        found = getattr(found, "__dict__", _NOTHING).get(part)
    return found


def _unwrapped(function: Any, goal: Any) -> Iterator[Any]:
    """Yield a function and what it wraps, down to ``goal``; nothing if it does not lead there."""
    path: list[Any] = []
    while function is not None and not any(function is one for one in path):
        path.append(function)
        if function is goal:
            yield from path
            return
        function = getattr(function, "__wrapped__", None)


def _all_wrapped(function: Any) -> Iterator[Any]:
    path: list[Any] = []
    while function is not None and not any(function is one for one in path):
        path.append(function)
        function = getattr(function, "__wrapped__", None)
    yield from path


def leads_to(function: Any, goal: Any) -> bool:
    """Whether a function is another, or wraps it at some depth."""
    try:
        return any(one is goal for one in _all_wrapped(function))
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001 - a foreign ``__wrapped__``.
        return False
