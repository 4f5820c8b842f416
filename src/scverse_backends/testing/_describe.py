"""Say in a few words what a call was given: the names of its arguments, short values, the shapes of data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from scverse_backends.testing._kinds import kind_of, shortened
from scverse_backends.testing._parts import type_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_LONGEST_VALUE: Final = 40
_SHORT: Final = frozenset({"none", "text", "scalar"})


def call_text(name: str, arguments: Iterable[tuple[str, Any]]) -> str:
    """Return a call as it might be written: data by name, short values as they are."""
    return f"{name}({', '.join(_argument(label, value) for label, value in arguments)})"


def _argument(label: str, value: Any) -> str:
    text = _short(value)
    return label if text is None else f"{label}={text}"


def _short(value: Any) -> str | None:
    """Return a value that fits in a call, ``None`` for data."""
    if kind_of(value) not in _SHORT and not callable(value):
        return None
    text = getattr(value, "__qualname__", "...") if callable(value) else shortened(value)
    return text if len(text) <= _LONGEST_VALUE else "..."


def data_texts(arguments: Iterable[tuple[str, Any]]) -> list[str]:
    """Return for each argument that is data what it is: ``data: 500 × 40, float64``."""
    found: list[str] = []
    for label, value in arguments:
        try:
            text = None if _short(value) is not None else shape_text(value)
        except Exception:  # noqa: BLE001 - foreign data may raise anything while it is looked at.
            text = type_of(value).__name__
        if text:
            found.append(f"{label}: {text}")
    return found


def shape_text(value: Any) -> str:
    """Return what data is, in a few words."""
    describe = _DESCRIBED.get(kind_of(value))
    name: str = type_of(value).__name__
    return name if describe is None else describe(name, value)


def _array(_name: str, value: Any) -> str:
    return ", ".join(part for part in (_shape(value), str(getattr(value, "dtype", ""))) if part)


def _sparse(_name: str, value: Any) -> str:
    return f"{_shape(value)}, {value.dtype}, sparse"


def _named(name: str, value: Any) -> str:
    return f"{name}, {_shape(value)}"


def _sized(name: str, value: Any) -> str:
    return f"{name} of {len(value):,}"


def _shape(value: Any) -> str:
    shape: Any = getattr(value, "shape", ())
    return " × ".join(f"{side:,}" if isinstance(side, int) else str(side) for side in shape) or "a single value"


_DESCRIBED: Final[dict[str, Callable[[str, Any], str]]] = {
    "array": _array,
    "column": _array,
    "sparse matrix": _sparse,
    "labelled data": _named,
    "data frame": _named,
    "annotated data": _named,
    "sequence": _sized,
    "mapping": _sized,
    "set": _sized,
}
