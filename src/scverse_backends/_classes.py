"""``@backend_class``: constructing the decorated class constructs the backend's.

The class gets a metaclass whose ``__call__`` looks at the selection first. There is no subclass in between, so
``super(Model, self)``, pickling and ``inspect`` find what they always found, and an undecorated subclass is a normal
class.
"""

from __future__ import annotations

import inspect
from abc import ABCMeta
from types import SimpleNamespace
from typing import Protocol

from scverse_backends._dispatched import Dispatched
from scverse_backends._docs import add_backend_parameter
from scverse_backends._plan import BACKEND_PARAMETER
from scverse_backends._rebuild import with_metaclass
from scverse_backends._signature import MergedSignature
from scverse_backends._state import CPU_CHOICE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from inspect import Signature
    from typing import Any

    from scverse_backends._dispatch import Dispatch
    from scverse_backends._selection import Selection

_HEAP_TYPE = 1 << 9
_BASE_TYPE = 1 << 10

_UNSET = object()
"""An undecorated subclass may have a parameter ``backend`` of its own, and be given ``None`` for it."""

ATTRIBUTE = "__backend_class__"


class DispatchedClass:
    """What a decorated class knows of its dispatching. Inherited by its subclasses, which it does not apply to."""

    __slots__ = ("cls", "dispatch", "record", "selection")

    def __init__(self, cls: type, dispatch: Dispatch, record: Dispatched) -> None:
        self.cls = cls
        self.dispatch = dispatch
        self.selection: Selection = dispatch.selection
        self.record = record


def _make_call(forward: Callable[..., Any]) -> Callable[..., Any]:
    """Return the ``__call__`` of a metaclass, in front of the one that constructs instances."""

    def __call__(cls: Any, *args: Any, backend: Any = _UNSET, **kwargs: Any) -> Any:  # noqa: N807 - it becomes one.
        known = cls.__backend_class__
        if known.cls is not cls:
            if backend is not _UNSET:
                kwargs[BACKEND_PARAMETER] = backend
            return forward(cls, *args, **kwargs)
        if backend is _UNSET or backend is None:
            selection = known.selection
            if selection.idle:
                try:
                    return forward(cls, *args, **kwargs)
                except TypeError as error:
                    known.dispatch.explain_type_error(known.record, error, kwargs)
                    raise
            state = selection.variable.get()
            if (state.short or selection.base.choice) is CPU_CHOICE:
                try:
                    return forward(cls, *args, **kwargs)
                except TypeError as error:
                    known.dispatch.explain_type_error(known.record, error, kwargs)
                    raise
            backend = None
        return known.dispatch.call(known.record, backend, args, kwargs)

    return __call__


class DispatchMeta(type(Protocol)):  # type: ignore[misc]  # the metaclass of protocols has no name of its own.
    """Metaclass of decorated classes whose metaclass was plain ``type``.

    It derives from the metaclass of protocols, which derives from that of abstract classes, so that a subclass may
    inherit from those too. The checks of plain classes are ten times faster than theirs.
    """

    __call__ = _make_call(type.__call__)
    __instancecheck__ = type.__instancecheck__
    __subclasscheck__ = type.__subclasscheck__

    def __new__(metaclass, name: str, bases: tuple[type, ...], namespace: dict[str, Any], /, **kwargs: Any) -> Any:
        if metaclass is DispatchMeta and any(
            isinstance(base, ABCMeta) and not isinstance(base, DispatchMeta) for base in bases
        ):
            metaclass = AbstractDispatchMeta
        return super().__new__(metaclass, name, bases, namespace, **kwargs)


class AbstractDispatchMeta(DispatchMeta):
    """Metaclass of subclasses that inherit from an abstract class or a protocol as well: with the checks of those."""

    __instancecheck__ = type(Protocol).__instancecheck__
    __subclasscheck__ = type(Protocol).__subclasscheck__


_DERIVED: dict[type, type] = {type: DispatchMeta, ABCMeta: AbstractDispatchMeta, type(Protocol): AbstractDispatchMeta}


def _derived_metaclass(metaclass: type) -> type:
    """Return a metaclass that dispatches and otherwise is another; one per metaclass, so that they stay compatible."""
    derived = _DERIVED.get(metaclass)
    if derived is None:
        derived = metaclass
        if not issubclass(metaclass, DispatchMeta):
            derived = type(
                f"Dispatching{metaclass.__name__}",
                (metaclass, DispatchMeta),
                {
                    "__call__": _make_call(metaclass.__call__),
                    "__instancecheck__": metaclass.__instancecheck__,
                    "__subclasscheck__": metaclass.__subclasscheck__,
                    "__module__": __name__,
                },
            )
        _DERIVED[metaclass] = derived
    return derived


def _constructor(cell: list[Any], forward: Callable[..., Any], own_signature: Any) -> Callable[..., Any]:
    """Return the host's own construction as a function, which is all that the dispatching machinery knows.

    The class stands in a cell, since it may have to be built anew after this.
    """

    def construct(*args: Any, **kwargs: Any) -> Any:
        return forward(cell[0], *args, **kwargs)

    def signature() -> Signature:
        if own_signature is None:
            return constructor_signature(cell[0])
        own: Signature = own_signature.__get__(None, cell[0]) if hasattr(own_signature, "__get__") else own_signature
        return own

    cls = cell[0]
    construct.__name__, construct.__qualname__, construct.__module__ = cls.__name__, cls.__qualname__, cls.__module__
    construct.__signature__ = MergedSignature(SimpleNamespace(signature=signature))  # type: ignore[attr-defined]  # any function may have one.
    return construct


class ClassSignature:
    """The ``__signature__`` of a decorated class: merged for the class itself, an own one for each subclass."""

    __slots__ = ("_known",)

    def __init__(self, known: DispatchedClass) -> None:
        self._known = known

    def __get__(self, instance: object, owner: type) -> Signature:
        if instance is not None:
            # An instance that can be called has the signature of its ``__call__``.
            raise AttributeError("__signature__")
        if owner is self._known.cls:
            return self._known.record.signature()
        return constructor_signature(owner)


def constructor_signature(cls: type) -> Signature:
    """Return the signature that a class would have without its metaclass.

    :mod:`inspect` looks at the metaclass's ``__call__`` first. It is asked about a plain class with the same
    constructors in the same order instead, since its rules differ between Python versions.
    """
    twin: type = object
    for base in reversed(cls.__mro__[:-1]):
        constructors = {name: vars(base)[name] for name in ("__new__", "__init__") if name in vars(base)}
        if constructors:
            twin = type(cls.__name__, (twin,), constructors)
    return inspect.signature(twin) if twin is not object else inspect.Signature()


def dispatch_class(dispatch: Dispatch, cls: Any, *, name: str | None) -> tuple[type, Dispatched]:
    """Decorate one host class.

    Raises
    ------
    TypeError
        If it is none that can be dispatched; the message says why and what to do.
    """
    _check(cls)
    forward = type.__call__ if type(cls) is type else type(cls).__call__
    own_signature = next((vars(base)["__signature__"] for base in cls.__mro__ if "__signature__" in vars(base)), None)
    if isinstance(own_signature, ClassSignature):
        own_signature = None  # The class inherits from a decorated one.
    cell = [cls]
    constructor = _constructor(cell, forward, own_signature)
    _check_parameters(cls, constructor)
    try:
        built = with_metaclass(cls, _derived_metaclass(type(cls)))
    except TypeError as error:
        raise TypeError(
            f"{cls.__qualname__} cannot be given a metaclass that dispatches ({error}). "
            f"Dispatch a function that constructs it instead."
        ) from error
    cell[0] = built
    record = Dispatched(constructor, name if name is not None else cls.__name__)
    record.is_class = True
    known = DispatchedClass(built, dispatch, record)
    type.__setattr__(built, ATTRIBUTE, known)
    type.__setattr__(built, "__signature__", ClassSignature(known))
    doc = built.__doc__
    if isinstance(doc, str):
        built.__doc__ = add_backend_parameter(doc)
    return built, record


def _check(cls: Any) -> None:
    if not isinstance(cls, type):
        what = getattr(cls, "__qualname__", repr(cls))
        raise TypeError(f"{what} is no class: decorate functions with backend_dispatch instead of backend_class.")
    known = vars(cls).get(ATTRIBUTE)
    if known is not None:
        raise TypeError(f"{cls.__qualname__} is decorated already.")
    if not cls.__flags__ & _BASE_TYPE or not cls.__flags__ & _HEAP_TYPE:
        raise TypeError(
            f"{cls.__qualname__} cannot be dispatched: it is implemented in C or cannot be subclassed. "
            f"Dispatch a function that constructs it instead."
        )


def _check_parameters(cls: type, constructor: Callable[..., Any]) -> None:
    try:
        parameters = inspect.signature(constructor).parameters
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

