"""What an object consists of: the attributes of a record, and what was put into an object of another kind."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import types
from typing import Any, Final, cast

_POINTER: Final = tuple.__itemsize__  # The elements of a tuple are pointers, as slots are.


def type_of(value: object) -> Any:
    """Return the class of a foreign object, of which no type checker knows anything."""
    return type(value)


def is_record(value: Any) -> bool:
    """Return whether all that an object knows stands in attributes that can be listed."""
    if dataclasses.is_dataclass(value) or _attrs_fields(value):
        return True
    kind = type_of(value)
    names = attribute_names(value)
    # A class that says itself what is equal, and hides something, knows better than we do.
    has_opinion: bool = kind.__eq__ is not object.__eq__
    if has_opinion and any(name.startswith("_") for name in names):
        return False
    return bool(names) and _holds_nothing_else(kind)


def _holds_nothing_else(kind: type) -> bool:
    """Return whether objects are as large as their slots make them: compiled code may keep its state elsewhere."""
    size = object.__basicsize__ + _POINTER * len(_slots(kind))
    return kind is types.SimpleNamespace or (kind.__basicsize__ == size and not kind.__itemsize__)


def _slots(kind: type) -> list[str]:
    """Return the names that a class keeps in slots, as its instances know them."""
    members = (item for base in kind.__mro__ for item in vars(base).items())
    slots = (name for name, member in members if isinstance(member, types.MemberDescriptorType))
    return [name for name in slots if name != "__dict__"]


def _attrs_fields(value: Any) -> tuple[Any, ...]:
    return tuple(inspect.getattr_static(type_of(value), "__attrs_attrs__", ()))


def attribute_names(record: Any) -> list[str]:
    """Return the names of the attributes of a record: its fields, and whatever else was put into it."""
    names: dict[str, None] = {}
    if dataclasses.is_dataclass(record):
        names.update((field.name, None) for field in dataclasses.fields(record))
    names.update((field.name, None) for field in _attrs_fields(record))
    names.update(dict.fromkeys(_slots(type_of(record))))
    names.update(dict.fromkeys(_namespace(record)))
    return [name for name in names if _is_set(record, name)]


def _is_set(record: Any, name: str) -> bool:
    try:
        getattr(record, name)
    except AttributeError:
        return False
    except Exception:  # noqa: BLE001 - it is there, and cannot be read: whoever reads it will say so.
        return True
    return True


def _namespace(value: object) -> dict[str, Any]:
    """Return what stands in the ``__dict__`` of an object, nothing where it has none."""
    found: Any = getattr(value, "__dict__", None)
    return cast("dict[str, Any]", found) if type(found) is dict else {}


def extra_names(value: Any) -> list[str]:
    """Return the names of the public attributes that were put into an object, beside what its class is about."""
    return [name for name in _namespace(value) if not name.startswith("_")]


def is_computed_once(value: Any, name: str) -> bool:
    """Return whether an attribute is only there because somebody asked for it, so that a copy may lack it."""
    return isinstance(inspect.getattr_static(type_of(value), name, None), functools.cached_property)
