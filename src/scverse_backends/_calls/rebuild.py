"""Give an existing class another metaclass.

Python lets a class change its metaclass in place only where the old one is a Python class. A class whose metaclass is
plain ``type`` is built anew from its namespace, as attrs and :func:`dataclasses.dataclass` do for ``slots=True``. Two
things make that unnoticed: every closure that holds the old class (``__class__`` for ``super()``, the generated methods
of dataclasses) is repaired, and ``__init_subclass__`` of the bases does not run again, since nobody knows any more
which keywords the class statement gave it; what it has put into registries is replaced there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping, MutableSequence, MutableSet
from contextlib import suppress
from types import CellType, FunctionType, GetSetDescriptorType, MappingProxyType, MemberDescriptorType, ModuleType

from scverse_backends._foundation.foreign import safely

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# What holds a function in a class body without having it in its ``__dict__``.
_HOLDERS = ("__func__", "__wrapped__", "fget", "fset", "fdel", "func")

_DEEPEST = 8
_LARGEST = 1000
"""Collections with more items than this hold data and no functions."""


class _Silent:
    """Stands in front of the bases while a class is built anew, so that they hear nothing of it."""

    __slots__ = ()

    def __init_subclass__(cls, **_keywords: object) -> None:
        pass


def _silent_mro(cls: type) -> list[type]:
    order = type.mro(cls)
    return [order[0], _Silent, *order[1:]]


def with_metaclass(cls: type, metaclass: type) -> type:
    """Return the class with another metaclass: the same object where Python allows it, else built anew.

    A ``TypeError`` says that Python allows neither.
    """
    if type(cls) is not type:
        type.__setattr__(cls, "__class__", metaclass)
        return cls
    if isinstance(vars(cls).get("__slots__"), Iterator):
        raise TypeError("its __slots__ were an iterator, which is used up")
    namespace = {name: value for name, value in vars(cls).items() if not _made_by_type(name, value, cls)}
    namespace["__qualname__"] = cls.__qualname__
    if any("__init_subclass__" in vars(base) for base in cls.__mro__[1:-1]):
        silent: Any = type(metaclass.__name__, (metaclass,), {"mro": _silent_mro})
        built: type = silent(cls.__name__, cls.__bases__, namespace)
        type.__setattr__(built, "__class__", metaclass)
        # Has Python compute the order of the bases again.
        type.__setattr__(built, "__bases__", built.__bases__)
        _replace_in_registries(cls, built)
    else:
        built = metaclass(cls.__name__, cls.__bases__, namespace)
    for cell in _cells_of(cls):
        cell.cell_contents = built
    return built


def _made_by_type(name: str, value: object, cls: type) -> bool:
    """Whether ``type`` put an entry into the namespace, and will do so again."""
    if name in ("__dict__", "__weakref__"):
        return isinstance(value, GetSetDescriptorType)
    # One descriptor per slot; the names of the slots stay in ``__slots__``.
    return isinstance(value, MemberDescriptorType) and value.__objclass__ is cls


# -- closures ----------------------------------------------------------------------------------------------------------


def _cells_of(cls: type) -> list[CellType]:
    """Return the closure cells in which a class's own methods hold the class itself."""
    seen: set[int] = set()
    found: list[CellType] = []

    def visit(value: Any, depth: int) -> None:
        if depth > _DEEPEST or id(value) in seen or isinstance(value, (type, ModuleType, str, bytes, int, float)):
            return
        seen.add(id(value))
        for cell in _static(value, "__closure__") or ():
            try:
                contents = cell.cell_contents
            except ValueError:
                continue  # A name that is not bound yet.
            if contents is cls:
                found.append(cell)
            else:
                visit(contents, depth + 1)
        for holder in _HOLDERS:
            visit(_static(value, holder), depth + 1)
        visit(_static(value, "__dict__"), depth + 1)
        for inner in _items(value):
            visit(inner, depth + 1)

    visit(dict(vars(cls)), -1)
    return found


def _static(value: Any, name: str) -> Any:
    """Return an attribute, past the class's own way to look for it; a foreign property may raise."""
    return safely(lambda: object.__getattribute__(value, name))


def _items(value: Any) -> list[Any]:
    """Return what a builtin collection holds; others may do anything when they are walked through."""
    if type(value) in (list, tuple, dict, MappingProxyType) and len(value) <= _LARGEST:
        # Pyright forgets that `Any` is known as soon as something was asked about it.
        return list(value.values() if isinstance(value, Mapping) else value)  # pyright: ignore[reportUnknownArgumentType]
    return []


# -- registries --------------------------------------------------------------------------------------------------------


def _replace_in_registries(old: type, new: type) -> None:
    """Replace a class where ``__init_subclass__`` of its bases has put it: in their attributes and global names."""
    for base in old.__mro__[1:-1]:
        for name, value in list(vars(base).items()):
            if value is old:
                type.__setattr__(base, name, new)
            else:
                _replace_in(value, old, new)
        announce = getattr(vars(base).get("__init_subclass__"), "__func__", None)
        if isinstance(announce, FunctionType):
            for name in announce.__code__.co_names:
                value = announce.__globals__.get(name)
                if value is old:
                    announce.__globals__[name] = new
                else:
                    _replace_in(value, old, new)
            for cell in announce.__closure__ or ():
                with suppress(ValueError):  # A name that is not bound yet.
                    _replace_in(cell.cell_contents, old, new)


def _replace_in(registry: Any, old: type, new: type, depth: int = 0) -> None:
    """Replace a class in a collection, and in the collections inside it. What cannot be changed is left alone."""
    found: Any = registry  # Not narrowed to a collection of unknown items.
    with suppress(Exception):
        if isinstance(registry, MutableMapping):
            for key, value in list(found.items()):
                if value is old:
                    found[key] = new
                elif depth < 2:
                    _replace_in(value, old, new, depth + 1)
                if key is old:
                    found[new] = found.pop(old)
        elif isinstance(registry, MutableSequence):
            for position, value in enumerate(found):
                if value is old:
                    found[position] = new
        elif isinstance(registry, MutableSet) and any(value is old for value in found):
            found.discard(old)
            found.add(new)
