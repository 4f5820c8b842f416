"""What an adapter exports, read with as little of its code run as the question allows."""

from __future__ import annotations

from types import FunctionType, GetSetDescriptorType, MemberDescriptorType, ModuleType

from scverse_backends._foundation.foreign import class_of
from scverse_backends._foundation.labels import COLLECTIONS, as_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Final

_METADATA = frozenset({"name", "aliases"})
"""What an adapter says of itself. These are never implementations."""


MISSING: Final = object()
"""Stands for an attribute that an adapter does not export."""


def exports(adapter: Any, attribute: str) -> bool:
    """Whether an adapter may be asked for an attribute at all: its own rules, before anything is looked up."""
    if attribute in _METADATA:
        return False
    names = listed(adapter)
    if names is not None:
        # Only strings are compared, since other objects may have a foreign ``__eq__``.
        return any(as_text(one) == attribute for one in names)
    return not attribute.startswith("_")


def listed(adapter: Any) -> Any:
    """Return ``__all__`` of a module that has one."""
    names = own(adapter).get("__all__") if _is_module(adapter) else None
    return names if isinstance(names, COLLECTIONS) else None


def exported(adapter: Any, attribute: str, *, known: bool = False) -> Any:
    """Look up what an adapter exports under a name, anew at each call, or :data:`MISSING`.

    A module is not an export of a package, unless an import has put it in the place of one: ``fast.embed``, the
    function, and ``fast/embed.py``. `known` says that the adapter exported something under this name before. Whatever
    the adapter raises is raised, except an ``AttributeError`` for the attribute itself.
    """
    if not exports(adapter, attribute):
        return MISSING
    value = _asked(adapter, attribute)
    if not _is_module(value):
        # Looking the function up may have imported a submodule of the same name, which now stands in its place.
        replaced = _is_module(adapter) and _is_module(own(adapter).get(attribute))
        return _asked(adapter, attribute) if replaced else value
    if known or listed(adapter) is not None or _stands_in_the_way(adapter, attribute, value):
        return value
    return MISSING


def _asked(adapter: Any, attribute: str) -> Any:
    try:
        return getattr(adapter, attribute)
    except AttributeError as error:
        if error.name == attribute:
            return MISSING
        raise


def _stands_in_the_way(adapter: Any, attribute: str, module: Any) -> bool:
    """Whether a module stands where a function was meant: ``fast/embed.py``, which defines ``embed``."""
    home, _, name = str(own(module).get("__name__")).rpartition(".")
    if name != attribute:
        return False
    if not _is_module(adapter):
        # An object has no submodules: this module was put in the place of what it defines.
        return callable(own(module).get(attribute))
    provide = own(adapter).get("__getattr__")
    if provide is None or home != own(adapter).get("__name__"):
        return False
    try:
        return not _is_module(provide(attribute))
    except AttributeError as error:
        # A foreign `AttributeError` may not say which name was missing.
        if error.name in (attribute, None):
            return False
        raise


def exported_if_loaded(adapter: Any, attribute: str) -> Any:
    """Look up an export without running any code of the adapter: lazily provided ones count as missing.

    Examples
    --------
    >>> class Adapter:
    ...     def score(self): ...
    ...     @property
    ...     def heavy(self): raise ImportError
    >>> exported_if_loaded(Adapter(), "score"), exported_if_loaded(Adapter(), "heavy") is MISSING # doctest: +ELLIPSIS
    (<bound method ...>, True)
    """
    if not exports(adapter, attribute):
        return MISSING
    static: Any = static_lookup(adapter, attribute)
    if static is MISSING or _is_module(static):
        return MISSING
    if attribute in own(adapter):
        return static
    # Plain functions and the two standard wrappers bind without running foreign code; any other descriptor may not.
    if class_of(static) in _BINDING:
        return static.__get__(adapter, type(adapter))
    return static if _class_lookup(static, "__get__") is MISSING else MISSING


_BINDING: Final[tuple[type, ...]] = (FunctionType, staticmethod, classmethod)


def _is_module(value: object) -> bool:
    """Whether a value is a module. Its ``__class__`` is not asked, since that may be foreign code."""
    return issubclass(type(value), ModuleType)


# Read past whatever a foreign metaclass puts in their place.
_MRO: Final[Callable[[type], tuple[type, ...]]] = type.__dict__["__mro__"].__get__
_NAMESPACE: Final[Callable[[type], Mapping[str, Any]]] = type.__dict__["__dict__"].__get__


def own(adapter: Any) -> Mapping[str, Any]:
    """Return what stands in an object itself, past a ``__dict__`` that its class may define as code of its own."""
    descriptor = _class_lookup(adapter, "__dict__")
    if isinstance(descriptor, (GetSetDescriptorType, MemberDescriptorType)):
        inside: dict[str, Any] = descriptor.__get__(adapter)
        return inside
    return {}


def static_lookup(adapter: Any, attribute: str) -> Any:
    """Return what stands under a name in an object or its classes, or :data:`MISSING`, with none of its code run."""
    inside = own(adapter)
    return inside[attribute] if attribute in inside else _class_lookup(adapter, attribute)


def _class_lookup(value: Any, attribute: str) -> Any:
    for base in _MRO(class_of(value)):
        namespace = _NAMESPACE(base)
        if attribute in namespace:
            return namespace[attribute]
    return MISSING


def declares(adapter: Any, attribute: str) -> bool:
    """Whether an adapter says that it exports a name, with no code of the export run."""
    if not exports(adapter, attribute):
        return False
    static = static_lookup(adapter, attribute)
    if static is MISSING:
        # A module may provide lazily what stands in ``__all__``.
        return listed(adapter) is not None and static_lookup(adapter, "__getattr__") is not MISSING
    # An implementation is callable, or is computed on access. Nothing else is known of a foreign type.
    return not _is_module(static) and (callable(static) or hasattr(type(static), "__get__"))  # pyright: ignore[reportUnknownArgumentType]


def may_provide(adapter: Any, attribute: str) -> bool:
    """Whether an adapter may still provide a name that it does not hold: when asked, or by a property."""
    if not exports(adapter, attribute) or exported_if_loaded(adapter, attribute) is not MISSING:
        return False
    if static_lookup(adapter, attribute) is not MISSING:
        return declares(adapter, attribute)
    return static_lookup(adapter, "__getattr__") is not MISSING
