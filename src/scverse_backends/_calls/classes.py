"""``@backend_class``: constructing the decorated class constructs the backend's.

The class gets a metaclass whose ``__call__`` looks at the selection first. There is no subclass in between, so
``super(Model, self)``, pickling and ``inspect`` find what they always found, and an undecorated subclass is a normal
class.
"""

from __future__ import annotations

import inspect
from abc import ABCMeta
from enum import EnumType
from types import MethodType
from typing import Protocol, is_typeddict
from weakref import ref

from scverse_backends._calls.dispatched import Dispatched
from scverse_backends._calls.rebuild import with_metaclass
from scverse_backends._docstrings.splice import add_backend_parameter
from scverse_backends._foundation.labels import BACKEND_PARAMETER
from scverse_backends._foundation.unseen import unseen
from scverse_backends._selection.state import CPU_CHOICE, Entered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from inspect import Signature
    from typing import Any

    from scverse_backends._calls.decision import Decision
    from scverse_backends._foundation.foreign import Attempt
    from scverse_backends._selection.selection import Selection

    class Gate(Protocol):
        """What decides the calls of a dispatcher."""

        selection: Selection

        def decide(
            self, record: Dispatched, requested: object, args: tuple[Any, ...], kwargs: dict[str, Any]
        ) -> Decision | Attempt: ...
        def failed(self, record: Dispatched, *call: Any) -> Decision | Attempt | None: ...
        def adopt(self, record: Dispatched) -> None: ...


_HEAP_TYPE = 1 << 9
_BASE_TYPE = 1 << 10

_UNSET = object()
"""An undecorated subclass may have a parameter ``backend`` of its own, and be given ``None`` for it."""

ATTRIBUTE = "_scverse_backends"
"""With one underscore, so that ``help()`` and completion leave it out. Only our own metaclass looks for it."""


class ClassCell:
    """A weak reference to the class, for the host's own construction. It is replaced where the class is built anew."""

    __slots__ = ("cls",)

    def __init__(self, cls: type) -> None:
        self.cls: Callable[[], Any] = ref(cls)

    def __reduce__(self) -> tuple[Any, ...]:
        return ClassCell, (self.cls(),)


class DispatchedClass:
    """What a decorated class knows of its dispatching. Subclasses inherit it, but do not dispatch."""

    __slots__ = ("cell", "cls", "gate", "record", "selection")

    def __init__(self, cell: ClassCell, gate: Gate, record: Dispatched) -> None:
        self.cls: type = cell.cls()
        self.cell = cell
        self.gate = gate
        self.selection: Selection = gate.selection
        self.record = record

    def move_to(self, cls: type) -> None:
        """Dispatch another class from now on: a decorator outside ours has built the class anew."""
        self.cls = cls
        self.cell.cls = ref(cls)
        self.record.forget_host()
        self.record.wrapper_ref = ref(cls)
        self.gate.adopt(self.record)


@unseen
def _make_call(forward: Any) -> Callable[..., Any]:
    """Return the ``__call__`` of a metaclass, in front of the one that constructs instances."""
    # Binding the class costs less than copying the arguments behind it.
    bound = forward.__get__
    # Of a frame's variables, those of the function around it count as well, and cost a call nothing.
    __tracebackhide__ = True

    def __call__(cls: Any, *args: Any, backend: Any = _UNSET, **kwargs: Any) -> Any:  # noqa: N807 - it becomes one.
        known = cls._scverse_backends
        decision: Any = None
        if backend is _UNSET:
            # First, since it is what nearly every call is, of the class itself and of its subclasses.
            selection = known.selection
            if selection.idle or (
                (selection.current().short or selection.base.choice) is CPU_CHOICE
                and (known.record.swallowed is None or known.record.swallowed.isdisjoint(kwargs))
            ):
                try:
                    return bound(cls)(*args, **kwargs)
                except TypeError as error:
                    decision = known.gate.failed(known.record, None, args, kwargs, error) if known.cls is cls else None
                    if decision is None:
                        raise
            backend = None
        elif known.cls is not cls:
            kwargs[BACKEND_PARAMETER] = backend
        if known.cls is not cls:
            return bound(cls)(*args, **kwargs)
        record = known.record
        if decision is None:
            decision = known.gate.decide(record, backend, args, kwargs)
        while __tracebackhide__ and not decision.failed:
            try:
                with Entered(known.selection.variable, decision.inner):
                    return decision.returned(decision.implementation(*decision.args, **decision.kwargs))
            except BaseException as error:
                again = known.gate.failed(record, backend, args, kwargs, error, None, decision)
                if again is None:
                    raise
                decision = again
        raise decision.error()

    return __call__


class DispatchMeta(type(Protocol)):  # type: ignore[misc]  # the metaclass of protocols has no name of its own.
    """Metaclass of decorated classes whose metaclass was plain ``type``.

    It derives from the metaclass of protocols, which derives from that of abstract classes, so that a subclass may
    inherit from those too. The checks of plain classes are ten times faster than theirs.
    """

    __call__ = _make_call(type.__call__)
    __backend_forward__ = type.__call__
    """What constructs instances where nothing is dispatched."""
    __instancecheck__ = type.__instancecheck__
    __subclasscheck__ = type.__subclasscheck__

    def __new__(metacls: Any, name: str, bases: tuple[type, ...], namespace: dict[str, Any], /, **kwargs: Any) -> Any:
        if metacls is DispatchMeta and any(
            isinstance(base, ABCMeta) and not isinstance(base, DispatchMeta) for base in bases
        ):
            metacls = AbstractDispatchMeta
        abstract = issubclass(metacls, AbstractDispatchMeta)
        # The host's metaclass may forbid what ABCMeta does to a class.
        next_after: Any = super
        above = next_after(DispatchMeta if abstract else ABCMeta, metacls)  # pyrefly: ignore[invalid-argument]  # a class.
        built: Any = above.__new__(metacls, name, bases, namespace, **kwargs)
        if not abstract:
            _mark_concrete(built)
        known = namespace.get(ATTRIBUTE)
        if isinstance(known, DispatchedClass):
            copied = known.cls
            if (name, namespace.get("__module__")) == (copied.__name__, copied.__module__):
                known.move_to(built)
        return built


def _mark_concrete(cls: type) -> None:
    """Give a class what abstract classes have, with nothing abstract in it.

    Outside ABCs, a method that is marked as abstract prevents nothing. The metaclass is not asked, since it may forbid
    to set attributes.
    """
    type.__setattr__(cls, "__abstractmethods__", frozenset())
    for name, value in vars(ABCMeta("_", (), {})).items():
        if name.startswith("_abc_"):
            type.__setattr__(cls, name, value)


class AbstractDispatchMeta(DispatchMeta):
    """Metaclass of subclasses that inherit from an abstract class or a protocol as well: with the checks of those."""

    __instancecheck__ = type(Protocol).__instancecheck__
    __subclasscheck__ = type(Protocol).__subclasscheck__


_DERIVED: dict[type, type] = {type: DispatchMeta, ABCMeta: AbstractDispatchMeta, type(Protocol): AbstractDispatchMeta}


def _derived_metaclass(metaclass: Any) -> type:
    """Return a metaclass that adds dispatching to another: one for each, so that they stay compatible."""
    if issubclass(metaclass, DispatchMeta):
        return metaclass  # type: ignore[no-any-return]  # it is a class: issubclass() was asked.
    derived = _DERIVED.get(metaclass)
    if derived is None:
        forward = _forward(metaclass)
        derived = type(
            f"Dispatching{metaclass.__name__}",
            (metaclass, AbstractDispatchMeta if issubclass(metaclass, ABCMeta) else DispatchMeta),
            {
                "__call__": _make_call(forward),
                "__backend_forward__": forward,
                "__instancecheck__": metaclass.__instancecheck__,
                "__subclasscheck__": metaclass.__subclasscheck__,
                "__module__": __name__,
            },
        )
        _DERIVED[metaclass] = derived
    return derived


def _forward(metaclass: Any) -> Callable[..., Any]:
    """Return what constructs the instances of a metaclass's classes where nothing is dispatched."""
    forward: Callable[..., Any] = getattr(metaclass, "__backend_forward__", metaclass.__call__)
    return forward


class Construction:
    """The construction of a class, where a record holds a function otherwise."""

    def __init__(self, cell: ClassCell, forward: Any) -> None:
        cls = cell.cls()
        self.__name__, self.__qualname__, self.__module__ = cls.__name__, cls.__qualname__, cls.__module__
        self._cell = cell
        self._forward = forward

    def bound(self) -> Callable[..., Any]:
        """Return what constructs an instance of the class."""
        called: Callable[..., Any] = self._forward.__get__(self._cell.cls())
        return called

    def signature(self) -> Signature:
        """Return what the construction takes."""
        cls = self._cell.cls()
        own = _own_signature(cls)
        shown = shown_signature(cls, self._forward, own)
        # Where the metaclass passes everything on, the constructor says what it takes.
        return constructor_signature(cls) if own is None and _takes_anything(shown) else shown

    def __reduce__(self) -> tuple[Any, ...]:
        return Construction, (self._cell, self._forward)


class ClassSignature:
    """The ``__signature__`` of a decorated class: merged for the class itself, an own one for each subclass."""

    __slots__ = ("_known", "own")

    def __init__(self, known: DispatchedClass, own: Any) -> None:
        self._known = known
        self.own = own
        """The ``__signature__`` that the class has without us."""

    def __get__(self, instance: object, owner: type) -> Signature:
        if instance is not None:
            # An instance that can be called has the signature of its ``__call__``.
            raise AttributeError("__signature__")
        if owner is self._known.cls:
            record = self._known.record
            return record.signature(record.contributions)
        return shown_signature(owner, _forward(type(owner)), self.own)


def _own_signature(cls: type) -> Any:
    """Return the ``__signature__`` that a class has or inherits without us."""
    found = next((vars(base)["__signature__"] for base in cls.__mro__ if "__signature__" in vars(base)), None)
    return found.own if isinstance(found, ClassSignature) else found


def shown_signature(cls: type, forward: Callable[..., Any], own: Any) -> Signature:
    """Return the signature that :mod:`inspect` would show for a class whose metaclass does not dispatch."""
    if own is not None:
        shown = own.__get__(None, cls) if hasattr(own, "__get__") else own
        if not isinstance(shown, inspect.Signature):
            raise TypeError(f"unexpected object {shown!r} in its __signature__")
        return shown
    if forward is type.__call__:
        return constructor_signature(cls)
    return inspect.signature(MethodType(forward, cls))


def constructor_signature(cls: type) -> Signature:
    """Return the signature that a class would have if its metaclass were plain ``type``.

    :mod:`inspect` looks at the metaclass's ``__call__`` first. It is asked about a plain class with the same
    constructors in the same order instead, since its rules differ between Python versions.
    """
    twin: type = object
    for base in reversed(cls.__mro__):
        constructors = {name: vars(base)[name] for name in ("__new__", "__init__") if name in vars(base)}
        if not base.__flags__ & _HEAP_TYPE:
            twin = base if issubclass(base, twin) else twin
        elif constructors or base is cls:
            twin = type(cls.__name__, (twin,), constructors)
    return inspect.signature(twin)


def _takes_anything(signature: Signature) -> bool:
    kinds = [parameter.kind for parameter in signature.parameters.values()]
    return kinds == [inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD]


def dispatch_class(gate: Gate, cls: Any, *, name: str | None, never_drop: frozenset[str]) -> tuple[type, Dispatched]:
    """Decorate one host class; a ``TypeError`` says why it cannot be dispatched, and what to do."""
    _check(cls)
    own_signature = _own_signature(cls)
    cell = ClassCell(cls)
    constructor = Construction(cell, _forward(type(cls)))
    _check_parameters(cls, constructor)
    try:
        metaclass = _derived_metaclass(type(cls))
        built = with_metaclass(cls, metaclass)
    except TypeError as error:
        raise TypeError(
            f"{cls.__qualname__} cannot be given a metaclass that dispatches ({error}). "
            f"Dispatch a function that constructs it instead."
        ) from error
    cell.cls = ref(built)
    if not issubclass(metaclass, AbstractDispatchMeta):
        _mark_concrete(built)
    record = Dispatched(constructor, name if name is not None else cls.__name__)
    record.is_class = True
    record.never_drop = never_drop
    known = DispatchedClass(cell, gate, record)
    type.__setattr__(built, ATTRIBUTE, known)
    type.__setattr__(built, "__signature__", ClassSignature(known, own_signature))
    doc = built.__doc__
    if isinstance(doc, str):
        type.__setattr__(built, "__doc__", add_backend_parameter(doc))
    return built, record


def _check(cls: Any) -> None:
    if not isinstance(cls, type):
        what = getattr(cls, "__qualname__", repr(cls))
        raise TypeError(f"{what} is not a class: decorate functions with backend_dispatch instead of backend_class.")
    if ATTRIBUTE in vars(cls):
        raise TypeError(f"{cls.__qualname__} is decorated already.")
    if isinstance(cls, EnumType) or is_typeddict(cls) or vars(cls).get("_is_protocol", False):
        raise TypeError(
            f"{cls.__qualname__} is an enumeration, a typed dictionary or a protocol, which nobody constructs: "
            f"backend_class decorates classes that compute something."
        )
    if not cls.__flags__ & _BASE_TYPE or not cls.__flags__ & _HEAP_TYPE:
        raise TypeError(
            f"{cls.__qualname__} cannot be dispatched: it is implemented in C or cannot be subclassed. "
            f"Dispatch a function that constructs it instead."
        )


def _check_parameters(cls: type, constructor: Any) -> None:
    try:
        parameters = constructor.signature().parameters
    except (TypeError, ValueError) as error:
        raise TypeError(f"The constructor of {cls.__qualname__} cannot be inspected ({error}).") from error
    if BACKEND_PARAMETER in parameters:
        raise TypeError(
            f"The constructor of {cls.__qualname__} has a parameter 'backend' of its own, which selects the "
            f"implementation in dispatched classes. Give it another name."
        )
    if any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in parameters.values()):
        raise TypeError(
            f"The constructor of {cls.__qualname__} takes *args, which cannot be mapped to a backend by name. "
            f"Spell its parameters out."
        )
