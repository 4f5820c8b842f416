"""How the values of science are compared: arrays, sparse matrices, data frames, labelled and annotated data."""

from __future__ import annotations

import math
from collections import Counter
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from scverse_backends.testing import _arrays
from scverse_backends.testing._kinds import described, has, key_text, shortened
from scverse_backends.testing._rules import canonical, extras
from scverse_backends.testing._walk import against

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scverse_backends.testing._walk import Walk

_PARTS: Final = (
    *("X", "layers", "obs", "var", "obsm", "varm", "obsp", "varp", "uns", "raw"),
    *("mod", "obsmap", "varmap", "axis"),
)
# How AnnData finds its file is no part of the data.
_NO_PARTS: Final = (*_PARTS, "file")

# Most libraries call it the first, anndata calls it the second.
_TO_PANDAS: Final = ("to_pandas", "to_memory")

# What numbers mean: units of physical arrays, time zones, systems of coordinates. Compared as text.
_MEANINGS: Final = ("unit", "units", "tz", "crs")


def arrays(walk: Walk, path: str, expected: Any, actual: Any) -> None:
    """Compare arrays of any library by their shape, the kind of their dtype, and each value."""
    _meanings(walk, path, expected, actual)
    ours, theirs = _arrays.host_array(expected), _arrays.host_array(actual)
    if _same_shape(walk, path, ours, theirs):
        if _arrays.is_masked(ours) or _arrays.is_masked(theirs):
            masks = _arrays.mask_of(ours), _arrays.mask_of(theirs)
            arrays(walk, f"{path}.mask", *masks)
            hidden = masks[0] | masks[1]
            ours, theirs = _arrays.unmasked(ours, hidden), _arrays.unmasked(theirs, hidden)
        _flat(walk, path, ours.reshape(-1), theirs.reshape(-1), ours.shape)
    if _arrays.is_subclassed(expected) and _arrays.is_subclassed(actual):
        extras(walk, path, expected, actual, known=_arrays.OF_FILES)


def _meanings(walk: Walk, path: str, expected: Any, actual: Any) -> None:
    for name in _MEANINGS:
        if has(expected, name) and has(actual, name):
            walk.part(f"{path}.{name}", partial(_meaning, name), expected, actual)


def _meaning(name: str, value: Any) -> str | None:
    meaning = getattr(value, name)
    # Some libraries have it as a method for another purpose, and some leave it empty.
    return None if meaning is None or callable(meaning) else str(meaning)


def sparse(walk: Walk, path: str, expected: Any, actual: Any) -> None:
    """Compare sparse matrices by what is stored, whatever the format."""
    if has(expected, "fill_value") and has(actual, "fill_value"):
        walk.part(f"{path}.fill_value", attrgetter("fill_value"), expected, actual)
    if _same_shape(walk, path, expected, actual):
        positions, ours, theirs = _arrays.stored_values(expected, actual)
        _flat(walk, path, ours, theirs, tuple(expected.shape), positions=positions)


def _same_shape(walk: Walk, path: str, expected: Any, actual: Any) -> bool:
    same = tuple(expected.shape) == tuple(actual.shape)
    if not same:
        walk.differ(f"{path}.shape", f"shape {tuple(expected.shape)} against {tuple(actual.shape)}")
    return same


def _flat(walk: Walk, path: str, expected: Any, actual: Any, shape: tuple[int, ...], *, positions: Any = None) -> None:
    """Compare flat arrays whose elements stand at these positions (all of them, where not given) of the shape."""

    def at(flat: int) -> str:
        return path + _arrays.index_text(flat if positions is None else int(positions[flat]), shape)

    families = {_arrays.family(expected.dtype), _arrays.family(actual.dtype)}
    if len(families) > 1 and families != {"text", "object"}:
        walk.differ(f"{path}.dtype", f"{expected.dtype} against {actual.dtype}")
    elif "structured" in families:
        walk.keys(path, expected.dtype.names, actual.dtype.names, "field")
        for name in expected.dtype.names:
            if name in actual.dtype.names:
                _flat_field(walk, f"{path}[{key_text(name)}]", expected[name], actual[name], shape)
    elif "object" in families:
        for flat, (one, other) in enumerate(zip(expected.tolist(), actual.tolist(), strict=True)):
            # The bulk of such columns is text that agrees, and telling where it stands takes longer than to compare it.
            if not (type(one) is type(other) is str and one == other):
                walk.pair(at(flat), one, other)
    elif "number" in families:
        found = _arrays.measure(expected, actual, rtol=walk.rtol, atol=walk.atol)
        if len(expected):
            values = against(expected[found.position].item(), actual[found.position].item())
            outside = f"{found.outside} of {math.prod(shape)} values outside the tolerance, here {values}"
            walk.measured(found, at(found.position), outside)
    else:
        unequal = _arrays.unequal(expected, actual)
        if len(unequal):
            first = int(unequal[0])
            values = against(expected[first], actual[first])
            walk.differ(at(first), f"{len(unequal)} of {math.prod(shape)} values differ, here {values}")


def _flat_field(walk: Walk, path: str, expected: Any, actual: Any, shape: tuple[int, ...]) -> None:
    # A field may itself hold a small array at each place, which makes its shape longer than that of the whole.
    if _same_shape(walk, path, expected, actual):
        _flat(walk, path, expected.reshape(-1), actual.reshape(-1), shape + expected.shape[1:])


def frames(walk: Walk, path: str, expected: Any, actual: Any) -> None:
    """Compare data frames: their columns in order, their index, the names of both, and what is attached to them."""
    expected, actual = _pandas_frame(expected), _pandas_frame(actual)
    ours, theirs = _numbered(expected.columns), _numbered(actual.columns)
    walk.keys(f"{path}.columns", (label for label, _ in ours), (label for label, _ in theirs), "column")
    if ours != theirs and set(ours) == set(theirs):
        walk.differ(f"{path}.columns", "the columns stand in another order")
    for label, position in (*ours, *theirs):
        # What is not the first column of its name: no name is missing, and yet a column is.
        if position and ((label, position) in ours) != ((label, position) in theirs):
            walk.differ(f"{path}.columns", f"another number of columns {shortened(label)}")
    if has(expected.columns, "names") and has(actual.columns, "names"):
        walk.part(f"{path}.columns.names", lambda frame: frame.columns.names, expected, actual)
    _indices(walk, path, expected, actual)
    for position, column in enumerate(ours):
        if column in theirs:
            rule = partial(_columns_at, position, theirs.index(column))
            walk.apart(f"{path}[{key_text(expected.columns[position])}]", rule, expected, actual)
    _attached(walk, path, expected, actual)


def _numbered(labels: Iterable[Any]) -> list[tuple[Any, int]]:
    """Return labels that can be told apart: two columns may bear one name, and NaN is one."""
    seen: Counter[Any] = Counter()
    numbered: list[tuple[Any, int]] = []
    for label in map(canonical, labels):
        numbered.append((label, seen[label]))
        seen[label] += 1
    return numbered


def _pandas_frame(frame: Any) -> Any:
    """Return a frame of another library as the one of pandas it can turn into, itself where it cannot."""
    turn = next((name for name in _TO_PANDAS if has(frame, name)), None)
    if turn is None:
        return frame
    try:
        return getattr(frame, turn)()
    except ImportError:
        # Polars needs pandas and PyArrow for this; its own columns can be walked as well.
        return frame


def _columns_at(position: int, other: int, walk: Walk, path: str, expected: Any, actual: Any) -> None:
    _column_values(walk, path, _column(expected, position), _column(actual, other))


def _column(frame: Any, position: int) -> Any:
    """Return a column of a frame by its position, since pandas allows two columns of one name."""
    return frame.iloc[:, position] if has(frame, "iloc") else frame[frame.columns[position]]


def columns(walk: Walk, path: str, expected: Any, actual: Any) -> None:
    """Compare columns and indices: their names, their index, their dtype, and each value."""
    for name in ("names", "name"):
        if has(expected, name) and has(actual, name):
            # Of an index, each level has a name.
            walk.part(f"{path}.{name}", attrgetter(name), expected, actual)
            break
    if has(expected, "dims") and has(actual, "dims"):
        walk.part(f"{path}.dims", lambda column: tuple(column.dims), expected, actual)
    _indices(walk, path, expected, actual)
    walk.apart(path, _column_values, expected, actual)
    _attached(walk, path, expected, actual)


def _indices(walk: Walk, path: str, expected: Any, actual: Any) -> None:
    if has(expected, "iloc") and has(actual, "iloc"):
        walk.part(f"{path}.index", attrgetter("index"), expected, actual)


def _attached(walk: Walk, path: str, expected: Any, actual: Any) -> None:
    """Compare what is attached to data of pandas or xarray, and what somebody put into them."""
    if has(expected, "attrs") and has(actual, "attrs"):
        walk.part(f"{path}.attrs", attrgetter("attrs"), expected, actual)
    extras(walk, path, expected, actual)


def _column_values(walk: Walk, path: str, expected: Any, actual: Any) -> None:
    categories, others = getattr(expected.dtype, "categories", None), getattr(actual.dtype, "categories", None)
    if (categories is None) != (others is None):
        walk.differ(f"{path}.dtype", f"{expected.dtype} against {actual.dtype}")
        return
    if categories is not None:
        walk.pair(f"{path}.cat.categories", categories, others)
        walk.pair(f"{path}.cat.ordered", expected.dtype.ordered, actual.dtype.ordered)
    _meanings(walk, f"{path}.dtype", expected.dtype, actual.dtype)
    _meanings(walk, path, expected, actual)
    walk.apart(path, _as_arrays, expected, actual)


def _as_arrays(walk: Walk, path: str, expected: Any, actual: Any) -> None:
    arrays(walk, path, expected.to_numpy(), actual.to_numpy())


def labelled(walk: Walk, path: str, expected: Any, actual: Any) -> None:
    """Compare labelled arrays, and data sets of several: dimensions, coordinates, names, values, what is attached."""
    if has(expected, "data_vars") != has(actual, "data_vars"):
        walk.differ(path, f"{described(expected, 'labelled data')} against {described(actual, 'labelled data')}")
        return
    walk.part(f"{path}.dims", lambda data: tuple(data.dims), expected, actual)
    walk.part(f"{path}.coords", _coordinates, expected, actual)
    if has(expected, "data_vars"):
        walk.part(path, lambda data: {name: data[name].variable for name in data.data_vars}, expected, actual)
    else:
        walk.part(f"{path}.name", attrgetter("name"), expected, actual)
        walk.apart(path, _as_arrays, expected, actual)
    _attached(walk, path, expected, actual)


def _coordinates(data: Any) -> dict[Any, Any]:
    # A coordinate has coordinates of its own, itself among them; its variable has none.
    return {name: coordinate.variable for name, coordinate in data.coords.items()}


def annotated(walk: Walk, path: str, expected: Any, actual: Any) -> None:
    """Compare AnnData-like objects part by part."""
    ours = [name for name in _PARTS if has(expected, name)]
    theirs = [name for name in _PARTS if has(actual, name)]
    walk.keys(path, ours, theirs, "part")
    for name in ours:
        if name in theirs:
            walk.part(f"{path}.{name}", attrgetter(name), expected, actual)
    extras(walk, path, expected, actual, known=_NO_PARTS)
