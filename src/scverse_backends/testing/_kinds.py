"""Recognise what kind of value something is, by what it offers: no library is imported to compare its objects."""

from __future__ import annotations

import enum
import inspect
import types
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final

from scverse_backends.testing._parts import is_record, type_of

_LONGEST: Final = 60
_LONGEST_KEY: Final = 200
_MISSING: Final = object()

# Nearly all values are of one of these types, and asking each of them for attributes would take much longer.
_EXACT: Final[dict[type, str]] = {
    types.NoneType: "none",
    str: "text",
    bytes: "text",
    bool: "scalar",
    int: "scalar",
    float: "scalar",
    complex: "scalar",
    list: "sequence",
    tuple: "sequence",
    dict: "mapping",
    set: "set",
    frozenset: "set",
}
_BUILTIN: Final[tuple[tuple[str, tuple[type, ...]], ...]] = (
    ("text", (str, bytes, bytearray)),
    ("scalar", (int, float, complex)),
    ("object", (type, types.FunctionType, types.ModuleType, enum.Enum)),
)
_CONTAINERS: Final[tuple[tuple[str, tuple[type, ...]], ...]] = (
    ("mapping", (Mapping,)),
    ("set", (AbstractSet,)),
    ("sequence", (Sequence,)),
)

# For each kind, alternatives of which all attributes must be there. The first kind that matches counts, which is why
# those with much in common (a data frame is also an array, and has a method `var`) stand in this order.
type _Offers = tuple[tuple[str, tuple[tuple[str, ...], ...]], ...]
_OFFERED_FIRST: Final[_Offers] = (
    # Some of these are mappings as well: data sets of xarray, frames of anndata, SciPy's DOK format.
    ("labelled data", (("data_vars", "coords"),)),
    ("data frame", (("columns", "dtypes"),)),
    ("sparse matrix", (("tocoo", "shape"), ("coords", "data", "shape", "to_scipy_sparse"))),
)
_OFFERED: Final[_Offers] = (
    ("labelled data", (("dims", "coords", "to_numpy"),)),
    ("column", (("to_numpy", "dtype"),)),
    ("array", (("__array__",), ("__array_interface__",), ("__dlpack__",), ("__cuda_array_interface__",))),
    ("annotated data", (("X", "var"), ("obs", "var", "mod"))),
    (
        "random generator",
        (("bit_generator",), ("random_raw", "state"), ("getstate", "setstate"), ("get_state", "set_state")),
    ),
)


def kind_of(value: Any) -> str:
    """Return the kind of a value, the name of one of the rules that `_difference` lists."""
    exact = _EXACT.get(type_of(value))
    if exact is not None:
        return exact
    return (
        _instance_of(value, _BUILTIN)
        or _offering(value, _OFFERED_FIRST)
        or _instance_of(value, _CONTAINERS)
        or _offering(value, _OFFERED)
        or ("record" if is_record(value) else "object")
    )


def _instance_of(value: Any, kinds: tuple[tuple[str, tuple[type, ...]], ...]) -> str | None:
    return next((kind for kind, classes in kinds if isinstance(value, classes)), None)


def _offering(value: Any, kinds: _Offers) -> str | None:
    for kind, alternatives in kinds:
        if any(all(has(value, name) for name in names) for names in alternatives):
            return kind
    return None


def has(value: Any, name: str) -> bool:
    """Return whether an attribute is there without running it: a property may be costly, a mock says yes to all."""
    return inspect.getattr_static(value, name, _MISSING) is not _MISSING


def shortened(value: Any, longest: int = _LONGEST) -> str:
    """Return the representation of a value, cut to what fits in a line."""
    text = " ".join(repr(_plain(value)).split())
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def _plain(value: Any) -> Any:
    """Return a scalar of NumPy as the one of Python that it stands for, which is how people write it."""
    kind: Any = getattr(value, "dtype", None) if type(value).__module__ == "numpy" else None
    return value.item() if getattr(kind, "kind", "") in {*"biufcUS"} and value.ndim == 0 else value


def key_text(key: Any) -> str:
    """Return a key as it stands in a path. A path is to be copied into a program, so it is hardly ever cut."""
    return shortened(key, _LONGEST_KEY)


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
