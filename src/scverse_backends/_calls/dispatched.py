"""What is known of the decorated host functions: how each is called, what it shows, and which are alive."""

from __future__ import annotations

import sys
from _weakref import ref  # The built-in that `weakref` has it from, and which costs a millisecond less to import.
from types import FunctionType

from scverse_backends._foundation.foreign import safely
from scverse_backends._foundation.labels import BACKEND_PARAMETER
from scverse_backends._signatures.plan import NO_PLAN
from scverse_backends._signatures.shown import BACKEND_ANNOTATION, MergedSignature

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from inspect import Signature
    from types import CodeType
    from typing import Any

    from scverse_backends._discovery.adapters import Backend
    from scverse_backends._selection.kinds import Drive
    from scverse_backends._signatures.arguments import Names
    from scverse_backends._signatures.merged import Contribution
    from scverse_backends._signatures.own_backend import OwnBackend
    from scverse_backends._signatures.plan import Plan

    Renamed = Mapping[str, tuple[str, Callable[[Any], Any] | None]]

NOTHING: Mapping[Any, Any] = {}
_NO_NAMES: frozenset[str] = frozenset()


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
        "current",
        "drive",
        "function",
        "gate",
        "is_class",
        "never_drop",
        "own_backend",
        "pinned",
        "plans",
        "renamed",
        "sources",
        "swallowed",
        "unsettled",
        "wrapper_ref",
        "written",
    )

    def __init__(self, function: Any, attribute: str, renamed: Renamed = NOTHING) -> None:
        self.function = function
        """The host's function; of a class, what stands for its construction."""
        self.attribute = attribute
        """What adapters are asked for."""
        self.renamed = renamed
        self.never_drop = _NO_NAMES
        """Parameters that no call loses: a backend that lacks one declines the call that gives it."""
        self.gate: Any = None
        """What decides the calls. A record that was pickled finds its dispatcher by it."""
        self.is_class = False
        """Whether this is a class, whose construction dispatches."""
        self.drive: Drive | None = None
        """Present where the body runs in steps after the call."""
        self.own_backend: OwnBackend | None = None
        """Present where the host function has a parameter ``backend`` of its own."""
        self.current: Plan = NO_PLAN
        """The plan of the last call on a backend that was selected by setting or scope. Only ever a cache."""
        self.pinned: Mapping[object, Plan] = NOTHING
        """The plans of the last calls that said ``backend=``, by what they said. Only ever a cache."""
        self.plans: Mapping[Backend, Plan] = NOTHING
        """The plan for the latest implementation of each backend."""
        self.contributions: Mapping[str, tuple[Contribution, ...]] = NOTHING
        """The options that backends add, by backend. Replaced, never changed in place."""
        self.sources: Mapping[str, Backend] = NOTHING
        """Which backend each contribution was read from."""
        self.unsettled: frozenset[str] = _NO_NAMES
        """The options whose default only a backend knows. A placeholder may be given for them."""
        self.swallowed: frozenset[str] | None = None
        """The options that the host function would take for keys of its ``**kwargs``, without an error, if any."""
        self.written: tuple[Any, ...] = ()
        """What merging found before it wrote, for each function that shows merged text."""
        self.wrapper_ref: Callable[[], Any] = _no_wrapper
        self._host_names: Names | None = None
        self._shown: tuple[Any, Signature] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        made_from = (self.function, self.attribute, dict(self.renamed))
        kept = (self.own_backend, self.is_class, self.drive, self.never_drop)
        return Dispatched, made_from, (kept, self.wrapper_ref(), self.gate)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        kept, wrapper, self.gate = state
        self.own_backend, self.is_class, self.drive, self.never_drop = kept
        self.wrapper_ref = ref(wrapper)
        if self.gate is not None:
            self.gate.adopt(self)

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

    @property
    def old_names(self) -> frozenset[str]:
        """The names that parameters of the host had once, which are nobody's options."""
        return frozenset(old for old, _ in self.renamed.values())

    # -- how it is called --------------------------------------------------------------------------------------------

    def host_signature(self) -> Signature:
        """Return the signature that callers see, before anything is merged."""
        if self.is_class:
            # Asked anew, since decorators outside ours may still change the class.
            constructed: Signature = self.function.signature()
            return constructed
        from scverse_backends._signatures.accepted import signature_of  # Importing a host need not pay for it.

        signature = signature_of(self.function)
        return signature if self.own_backend is None else self.own_backend.in_signature(signature)

    def host_names(self) -> Names:
        """Return what the host function accepts."""
        names = self._host_names
        if names is None:
            from scverse_backends._signatures.arguments import Names  # As above.

            names = self._host_names = Names(self.host_signature().parameters.values())
        return names

    def host_implementation(self) -> Callable[..., Any]:
        """Return what is called where the host runs a call."""
        called: Callable[..., Any] = self.function.bound() if self.is_class else self.function
        return called

    @property
    def keeps_plans(self) -> bool:
        """Whether what was decided for one call holds for the next: its arguments reach a backend as they are."""
        return self.drive is None and self.own_backend is None

    def forget_plans(self) -> None:
        """Compile anew from now on: a backend came or went."""
        self.current = NO_PLAN
        self.pinned = NOTHING
        self.plans = NOTHING

    def forget_host(self) -> None:
        """Look at the host's signature anew: its class was built anew."""
        self._host_names = self._shown = None
        self.forget_plans()

    # -- options that only backends have -------------------------------------------------------------------------------

    def unset_in(self, kwargs: dict[str, Any]) -> frozenset[str]:
        """Return the options of backends that a call gives without meaning it.

        A decorator may bind a call by the signature and fill in every default. A placeholder proves it. Without one,
        what a host takes by ``**kwargs`` may be meant for the host.
        """
        given = kwargs.keys() - self.host_names().all if self.contributions and kwargs else ()
        if not given:
            return _NO_NAMES
        from scverse_backends._signatures.arguments import Placeholder  # As above.
        from scverse_backends._signatures.defaults import at_default

        shown = self.signature(self.contributions).parameters
        unset = {name for name in given if isinstance(kwargs[name], Placeholder)}
        if unset or not self.host_names().takes_any:
            unset |= {name for name in given if name in shown and at_default(kwargs[name], shown[name].default)}
        return frozenset(unset)

    def without_unset(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        """Return keywords without the options of backends that nobody meant."""
        unset = self.unset_in(kwargs)
        return {name: value for name, value in kwargs.items() if name not in unset} if unset else kwargs

    # -- what it shows -----------------------------------------------------------------------------------------------

    def merged_signature(self) -> MergedSignature:
        """Return a signature that shows what is merged now."""
        return MergedSignature(self, self.contributions)

    def signature(self, found: Mapping[str, tuple[Contribution, ...]]) -> Signature:
        """Return the signature with what backends contribute, or contributed once."""
        shown = self._shown
        if shown is None or shown[0] is not found:
            from scverse_backends._signatures.merged import merged_parameters, with_parameters  # As above.

            shown = (found, with_parameters(self.host_signature(), merged_parameters(found)))
            self._shown = shown
        return shown[1]

    def added_annotations(self) -> dict[str, Any]:
        """Return the annotations that are not the host's: those that are usable objects, and ``backend``."""
        added: dict[str, Any] = {}
        if self.contributions:
            from scverse_backends._signatures.merged import is_evaluated, merged_parameters  # As above.

            parameters = merged_parameters(self.contributions)
            added = {each.name: each.annotation for each in parameters if is_evaluated(each.annotation)}
        added[BACKEND_PARAMETER] = BACKEND_ANNOTATION
        return added

    def annotations(self, host: Mapping[str, Any], added: Mapping[str, Any]) -> dict[str, Any]:
        """Return the host's annotations with the added ones, the result's last."""
        shown = dict(host) if self.own_backend is None else self.own_backend.renamed(host)
        returned = {"return": shown.pop("return")} if "return" in shown else {}
        return {**shown, **added, **returned}

    def annotate(self, wrapper: Any) -> None:
        """Show the annotations of ``backend`` and of the merged options beside the host's."""
        if sys.version_info >= (3, 14):  # Python 3.14 and later.
            from scverse_backends._calls.annotate import Annotate

            # Setting it anew empties Python's own cache.
            wrapper.__annotate__ = Annotate(self)
        else:
            host = getattr(self.function, "__annotations__", {})
            # Decorators outside ours share this very dictionary, so it is changed in place.
            shown: dict[str, Any] = wrapper.__annotations__
            merged = self.annotations(host, self.added_annotations())
            shown.clear()
            shown.update(merged)

    # -- where it is seen --------------------------------------------------------------------------------------------

    def public(self) -> Any:
        """Return the outermost function that the host's module shows under this function's name.

        Host decorators may stand outside ours; the module's attribute leads to ours through ``__wrapped__``.
        """
        return next(iter(self.chain()), self.function)

    def chain(self) -> list[Any]:
        """Return the functions from the public one down to our own wrapper, which comes last."""
        wrapper = self.wrapper_ref()
        if wrapper is None:
            return []
        path = _wrapped(_found_in_module(wrapper), wrapper)
        return path if path and path[-1] is wrapper else [wrapper]

    def is_shown_as(self, function: Any) -> bool:
        """Whether a function is the decorated one, or one that the host's decorators made of it."""
        # Asked for each call that is decided, and only what wraps something can be of the chain without being ours.
        if function is self.wrapper_ref():
            return True
        return "__wrapped__" in getattr(function, "__dict__", NOTHING) and any(function is one for one in self.chain())

    def is_being_defined(self) -> bool:
        """Whether its module is still being imported and does not show it yet: decorators may still come."""
        wrapper = self.wrapper_ref()
        module = sys.modules.get(getattr(wrapper, "__module__", None) or "")
        if not getattr(getattr(module, "__spec__", None), "_initializing", False):
            return False
        return not leads_to(_found_in_module(wrapper), wrapper)

    def codes(self) -> Iterator[CodeType]:
        """Yield the code of the functions along the whole chain, the host's own last."""
        for function in (*self.chain(), *_wrapped(self.function)):
            code = getattr(function, "__code__", None)
            if code is None and callable(function):
                # A decorator may also be an object, whose class says what a call runs.
                code = getattr(type(function).__call__, "__code__", None)
            if code is not None:
                yield code


def _no_wrapper() -> None:
    """Stand in for the reference to a function that is not made yet."""


def _found_in_module(wrapper: Any) -> Any:
    """Return what the module of a function shows under its qualified name; of one that a factory made, by its name."""
    found: Any = sys.modules.get(getattr(wrapper, "__module__", None) or "")
    for part in getattr(wrapper, "__qualname__", "").rpartition("<locals>.")[2].split("."):
        found = getattr(found, "__dict__", NOTHING).get(part)
    return found


def _wrapped(function: Any, goal: Any = None) -> list[Any]:
    """Return a function and all that it wraps, one in the other, no further than ``goal``."""
    path: list[Any] = []
    while function is not None and not any(function is one for one in path):
        path.append(function)
        function = getattr(function, "__wrapped__", None) if function is not goal else None
    return path


def leads_to(function: Any, goal: Any) -> bool:
    """Whether a function is another, or wraps it at some depth. A foreign ``__wrapped__`` may raise."""
    return bool(safely(lambda: any(one is goal for one in _wrapped(function, goal)), otherwise=False))


# -- those that are alive ----------------------------------------------------------------------------------------------


class _WrapperRef(ref):  # type: ignore[type-arg]  # its referent is of no one type.
    """A weak reference to a decorated function or class, with its record while that lives."""

    __slots__ = ("record",)

    record: Dispatched | None


def _forget(dead: Any) -> None:
    # The reference itself is thrown away later, many at a time.
    dead.record = None


class LiveRecords:
    """The records of the functions that are alive, in the order of decoration."""

    __slots__ = ("_clean_at", "_refs", "_seen", "_twice", "_unlisted")

    def __init__(self) -> None:
        # A list takes a quarter of the memory that a dictionary would, for each decorated function.
        self._refs: list[_WrapperRef] = []
        self._clean_at = 64
        """At how many references those to the dead are thrown away."""
        self._unlisted: set[int] = set()
        self._seen: set[str] = set()
        self._twice: set[str] = set()
        """What two functions looked for in adapters, once at least."""

    def add(self, record: Dispatched, wrapper: Any) -> None:
        """Keep sight of a record for as long as what was decorated lives."""
        reference = _WrapperRef(wrapper, _forget)
        reference.record = record
        record.wrapper_ref = reference
        self._refs.append(reference)
        (self._twice if record.attribute in self._seen else self._seen).add(record.attribute)
        if len(self._refs) >= self._clean_at:
            # One by one, since another thread may add one meanwhile.
            for dead in [one for one in self._refs if one.record is None]:
                self._refs.remove(dead)
                self._unlisted.discard(id(dead))
            self._clean_at = 2 * len(self._refs) + 64

    def rivals(self, record: Dispatched) -> list[Dispatched]:
        """Return the records of other functions that look for the same adapter attribute.

        Decorating the same function again, as reloading a module does, makes no rival.
        """
        if record.attribute not in self._twice:
            return []
        same = (other for other in self.listed() if other.attribute == record.attribute)
        return [other for other in same if other.place != record.place]

    def listed(self) -> list[Dispatched]:
        """Return the records of what the host offers: all but what was decorated for a while only."""
        found = (one.record for one in list(self._refs) if id(one) not in self._unlisted)
        return [record for record in found if record is not None]

    def snapshot(self) -> Callable[[], None]:
        """Return a function that no longer lists what is decorated from now on; it works for as long as it lives."""
        known = list(self._refs)  # Kept alive, so that no identity is used twice.
        return lambda: self._unlisted.update({id(one) for one in self._refs}.difference(map(id, known)))

    def __iter__(self) -> Iterator[Dispatched]:
        # A copy, since another thread may decorate while this one walks.
        references: list[Any] = list(self._refs)
        for reference in references:
            record: Dispatched | None = reference.record
            wrapper = reference()  # Kept alive meanwhile: a class is asked for its signature.
            if record is not None and wrapper is not None:
                yield record
