"""Give an existing class another metaclass.

Python lets a class change its metaclass in place only where the old one is a Python class. A class whose metaclass is
plain ``type`` is built anew from its namespace, as attrs and :func:`dataclasses.dataclass` do for ``slots=True``, and
every closure that holds the old class (``__class__`` for ``super()``, the generated methods of dataclasses) is
repaired.
"""

from __future__ import annotations

from types import CellType, GetSetDescriptorType, MemberDescriptorType, ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

# What holds a function in a class body without having it in its ``__dict__``.
_HOLDERS = ("__func__", "__wrapped__", "fget", "fset", "fdel", "func")

_DEEPEST = 8


def with_metaclass(cls: type, metaclass: type) -> type:
    """Return the class with another metaclass: the same object where Python allows it, else built anew."""
    if type(cls) is not type:
        cls.__class__ = metaclass  # type: ignore[assignment]  # a subclass of the metaclass it has.
        return cls
    namespace = {name: value for name, value in vars(cls).items() if not _made_by_type(name, value, cls)}
    namespace["__qualname__"] = cls.__qualname__
    built: type = metaclass(cls.__name__, cls.__bases__, namespace)
    for cell in _cells_of(cls):
        cell.cell_contents = built
    return built


def _made_by_type(name: str, value: object, cls: type) -> bool:
    """Whether ``type`` put an entry into the namespace, and will do so again."""
    if name in ("__dict__", "__weakref__"):
        return isinstance(value, GetSetDescriptorType)
    # One descriptor per slot; the names of the slots stay in ``__slots__``.
    return isinstance(value, MemberDescriptorType) and value.__objclass__ is cls


def _cells_of(cls: type) -> Iterator[CellType]:
    """Yield the closure cells in which a class's own methods hold the class itself."""
    seen: set[int] = set()
    found: list[CellType] = []

    def visit(value: Any, depth: int) -> None:
        if depth > _DEEPEST or id(value) in seen or isinstance(value, (type, ModuleType, str, bytes, int, float)):
            return
        seen.add(id(value))
        for cell in getattr(value, "__closure__", None) or ():
            try:
                contents = cell.cell_contents
            except ValueError:
                continue  # A name that is not bound yet.
            if contents is cls:
                found.append(cell)
            else:
                visit(contents, depth + 1)
        for holder in _HOLDERS:
            inner = _static(value, holder)
            if inner is not None:
                visit(inner, depth + 1)
        for inner in _own_values(value):
            visit(inner, depth + 1)

    for value in vars(cls).values():
        visit(value, 0)
    yield from found


def _static(value: Any, name: str) -> Any:
    try:
        return object.__getattribute__(value, name)
    except AttributeError:
        return None


def _own_values(value: Any) -> list[Any]:
    own = _static(value, "__dict__")
    return list(own.values()) if isinstance(own, dict) else []
