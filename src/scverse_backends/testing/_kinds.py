"""Recognise what kind of value something is, by what it offers: no library is imported to compare its objects."""

from __future__ import annotations

import dataclasses
import inspect
import types
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final

_LONGEST: Final = 60
_MISSING: Final = object()

_BUILTIN: Final[tuple[tuple[str, tuple[type, ...]], ...]] = (
    ("none", (types.NoneType,)),
    ("object", (type, types.FunctionType, types.ModuleType)),
    ("text", (str, bytes, bytearray)),
    ("scalar", (int, float, complex)),
    ("mapping", (Mapping,)),
    ("set", (AbstractSet,)),
    ("sequence", (Sequence,)),
)

# For each kind, alternatives of which all attributes must be there. The first kind that matches counts, which is why
# those with much in common (a data frame is also an array, and has a method `var`) stand in this order.
_OFFERED: Final = (
    ("data frame", (("columns", "dtypes"),)),
    ("sparse matrix", (("tocoo", "shape"), ("coords", "data", "shape", "to_scipy_sparse"))),
    ("column", (("to_numpy", "dtype"),)),
    ("array", (("__array__",), ("__array_interface__",), ("__dlpack__",), ("__cuda_array_interface__",))),
    ("annotated data", (("X", "var"), ("obs", "var", "mod"))),
)


def kind_of(value: Any) -> str:
    """Return the kind of a value, the name of one of the rules that `_difference` lists."""
    for kind, classes in _BUILTIN:
        if isinstance(value, classes):
            return kind
    for kind, alternatives in _OFFERED:
        if any(all(has(value, name) for name in names) for names in alternatives):
            return kind
    return "record" if _is_record(value) else "object"


def has(value: Any, name: str) -> bool:
    """Return whether an attribute is there without running it: a property may be costly, a mock says yes to all."""
    return inspect.getattr_static(value, name, _MISSING) is not _MISSING


def _is_record(value: Any) -> bool:
    if dataclasses.is_dataclass(value) or has(value, "__attrs_attrs__"):
        return True
    # An object as large as a bare one keeps everything it knows in its `__dict__`. Private names there may hide caches,
    # about which nothing can be said, and a class of compiled code may keep its state elsewhere.
    bare = isinstance(value, types.SimpleNamespace) or type(value).__basicsize__ == object.__basicsize__
    names: dict[str, Any] = getattr(value, "__dict__", {})
    return bare and bool(names) and not any(name.startswith("_") for name in names)


def attributes(record: Any) -> dict[str, Any]:
    """Return the attributes that make up a record."""
    if dataclasses.is_dataclass(record):
        return {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}
    if has(record, "__attrs_attrs__"):
        return {field.name: getattr(record, field.name) for field in record.__attrs_attrs__}
    return dict(_namespace(record))


def _namespace(record: object) -> dict[str, Any]:
    return vars(record)


def pandas_frame(frame: Any) -> Any:
    """Return a frame of another library as the one of pandas it can turn into, itself where it cannot."""
    if not has(frame, "to_pandas"):
        return frame
    try:
        return frame.to_pandas()
    except ImportError:
        # Polars needs pandas and PyArrow for this; its own columns can be walked as well.
        return frame


def column(frame: Any, position: int) -> Any:
    """Return a column of a frame by its position, since pandas allows two columns of one name."""
    return frame.iloc[:, position] if has(frame, "iloc") else frame[frame.columns[position]]


def shortened(value: Any) -> str:
    """Return the representation of a value, cut to what fits in a line."""
    text = " ".join(repr(value).split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def described(value: Any, kind: str) -> str:
    """Return what to call a value whose kind matters more than its content."""
    return f"{type(value).__module__}.{type(value).__qualname__} ({kind})" if value is not None else "None"


def error_text(error: BaseException) -> str:
    """Return an exception as text, even one whose own text cannot be had."""
    try:
        message = " ".join(str(error).split())
    except Exception:  # noqa: BLE001 - a foreign exception may fail while it is printed.
        message = ""
    return f"{type(error).__name__}: {message}" if message else type(error).__name__
