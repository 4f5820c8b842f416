"""Walk two results side by side and say whether, how far and where they differ.

Nothing here knows of dispatching. The rules, which `difference` follows for every kind of value:

==================  ===================================================================================================
kind                agrees when
==================  ===================================================================================================
number              ``|actual - expected| <= atol + rtol * |expected|``, integers against floats by value; NaN equals
                    NaN, an infinity itself
text, truth value   equal
sequence            as long, and each element agrees; a list against a tuple is no difference
set                 the same elements, compared exactly
mapping             the same keys, in any order, and each value agrees
record              a dataclass, an attrs class or an object of public attributes only: each attribute agrees
array               the same shape and kind of dtype, and each element agrees
sparse matrix       the same shape and kind of dtype, and what is stored agrees, whatever the format
data frame, column  the same columns in the same order, the same index and categories, and each value agrees
annotated data      each part (``X``, ``layers``, ``obs``, ``var``, ..., ``uns``, ``raw``) agrees
object              it is the same object, or its own ``==`` says ``True``
==================  ===================================================================================================

Two values of different kinds differ. Everything else, and whatever raises while it is looked at, is *not compared*.
"""

from __future__ import annotations

import enum
import math
import warnings
from typing import TYPE_CHECKING, Any, Final, final

from scverse_backends.testing import _arrays
from scverse_backends.testing._kinds import (
    attributes,
    column,
    described,
    error_text,
    has,
    kind_of,
    pandas_frame,
    shortened,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

_PARTS: Final = ("X", "layers", "obs", "var", "obsm", "varm", "obsp", "varp", "uns", "raw", "mod")
DEEPEST: Final = 100

# How far a finding outranks another one as the place to show: what cannot be measured comes before any number.
_WITHIN, _OUTSIDE, _STRUCTURE = range(3)


@final
class Difference:
    """Whether and where two values differ.

    Attributes
    ----------
    agrees
        ``None``: something could not be compared, and nothing that could be compared differs.
    max_abs, max_rel
        The largest absolute difference of numbers, and the largest one relative to the expected value: infinite where
        that is zero and the other outside the tolerance, NaN where one of two numbers is NaN. ``None`` where no two
        numbers were compared.
    where
        The path to the worst difference, empty for the value itself. ``None`` where nothing differs.
    note
        What differs there, or what was not compared and why.
    """

    __slots__ = ("agrees", "max_abs", "max_rel", "note", "where")

    def __init__(
        self, *, agrees: bool | None, max_abs: float | None, max_rel: float | None, where: str | None, note: str | None
    ) -> None:
        self.agrees = agrees
        self.max_abs = max_abs
        self.max_rel = max_rel
        self.where = where
        self.note = note

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={getattr(self, name)!r}" for name in sorted(self.__slots__))
        return f"Difference({values})"


def difference(expected: Any, actual: Any, *, rtol: float, atol: float) -> Difference:
    """Compare two values of any kind; never raises because of what they are."""
    return difference_of([("", expected, actual)], rtol=rtol, atol=atol)


def difference_of(parts: Iterable[tuple[str, Any, Any]], *, rtol: float, atol: float) -> Difference:
    """Compare several pairs at once, each given as the path to call it by, the expected and the actual value."""
    walk = _Walk(rtol, atol)
    with warnings.catch_warnings():
        # Looking at a foreign object may warn (a deprecated property, say), which is none of the caller's doing.
        warnings.simplefilter("ignore")
        for path, expected, actual in parts:
            walk.pair(path, expected, actual)
    return walk.outcome()


def _against(expected: Any, actual: Any) -> str:
    return f"{shortened(expected)} against {shortened(actual)}"


class _Walk:
    """One comparison: what has been found so far, and a method for each kind of value."""

    def __init__(self, rtol: float, atol: float) -> None:
        self._rtol = rtol
        self._atol = atol
        self._depth = 0
        self._max_abs: float | None = None
        self._max_rel: float | None = None
        self._worst: tuple[int, float, str | None, str | None] = (_WITHIN, 0.0, None, None)
        self._not_compared: list[tuple[str, str]] = []
        # Pairs already met, kept alive so that no identity is used twice: cycles end, shared parts are walked once.
        self._met: dict[tuple[int, int], tuple[object, object]] = {}

    def outcome(self) -> Difference:
        rank, _, where, note = self._worst
        agrees: bool | None = rank == _WITHIN
        if self._not_compared:
            path, reason = self._not_compared[0]
            missing = f"not compared: {reason}"
            if len(self._not_compared) > 1:
                missing += f" (and {len(self._not_compared) - 1} more)"
            if agrees:
                agrees, where, note = None, path, missing
            else:
                note = f"{note}; {path or 'the value'} {missing}"
        return Difference(agrees=agrees, max_abs=self._max_abs, max_rel=self._max_rel, where=where, note=note)

    def pair(self, path: str, expected: Any, actual: Any) -> None:
        if type(expected) is str and type(actual) is str and expected == actual:
            return  # The bulk of object columns; everything below costs more.
        try:
            self._depth += 1
            self._pair(path, expected, actual)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - foreign objects may raise anything, a Rust panic included.
            self._skip(path, error_text(error))
        finally:
            self._depth -= 1

    def _pair(self, path: str, expected: Any, actual: Any) -> None:
        if self._depth > DEEPEST:
            self._skip(path, "nested too deeply")
            return
        kinds = (kind_of(expected), kind_of(actual))
        kind = kinds[0]
        if set(kinds) == {"scalar", "array"}:
            kind = "array"
        elif kinds[0] != kinds[1]:
            self._differ(path, f"{described(expected, kinds[0])} against {described(actual, kinds[1])}")
            return
        if kind == "none":
            return
        if kind not in {"scalar", "text", "object"}:
            key = (id(expected), id(actual))
            if key in self._met:
                return
            self._met[key] = (expected, actual)
        _METHODS[kind](self, path, expected, actual)

    # What is found.

    def _differ(self, path: str, note: str) -> None:
        self._rank(_STRUCTURE, 1.0, path, note)

    def _skip(self, path: str, reason: str) -> None:
        self._not_compared.append((path, reason))

    def _rank(self, rank: int, score: float, path: str, note: str | None) -> None:
        if (rank, score) > self._worst[:2]:
            self._worst = (rank, score, path, note)

    def _measured(self, found: _arrays.Measure, path: str, values: str) -> None:
        self._max_abs = _arrays.largest(self._max_abs, found.max_abs)
        self._max_rel = _arrays.largest(self._max_rel, found.max_rel)
        if found.outside:
            self._rank(_OUTSIDE, found.score, path, values)
        else:
            self._rank(_WITHIN, found.score, path, None)

    # One method for each kind.

    def texts(self, path: str, expected: Any, actual: Any) -> None:
        if expected != actual:
            self._differ(path, _against(expected, actual))

    def scalars(self, path: str, expected: Any, actual: Any) -> None:
        if isinstance(expected, bool) or isinstance(actual, bool):
            if type(expected) is not type(actual) or expected != actual:
                self._differ(path, _against(expected, actual))
            return
        self._measured(
            _arrays.measure_scalars(expected, actual, rtol=self._rtol, atol=self._atol),
            path,
            _against(expected, actual),
        )

    def sequences(self, path: str, expected: Any, actual: Any) -> None:
        if len(expected) != len(actual):
            self._differ(path, f"length {len(expected)} against {len(actual)}")
        for position, (one, other) in enumerate(zip(expected, actual, strict=False)):
            self.pair(f"{path}[{position}]", one, other)

    def sets(self, path: str, expected: Any, actual: Any) -> None:
        # NaN is dropped here and counted as one element, since two of them would never be found equal.
        ours = {element for element in expected if element == element}  # noqa: PLR0124 - only NaN is unequal to itself.
        theirs = {element for element in actual if element == element}  # noqa: PLR0124 - as above.
        self._keys(path, ours, theirs, "element")
        if (len(ours) < len(expected)) != (len(theirs) < len(actual)):
            self._differ(path, "NaN in one of them only")

    def mappings(self, path: str, expected: Any, actual: Any) -> None:
        self._keys(path, dict.fromkeys(expected), dict.fromkeys(actual), "key")
        for key in expected:
            if key in actual:
                self.pair(f"{path}[{shortened(key)}]", expected[key], actual[key])

    def _keys(self, path: str, expected: Iterable[Any], actual: Iterable[Any], noun: str) -> None:
        missing = [key for key in expected if key not in actual]
        unexpected = [key for key in actual if key not in expected]
        for keys, word in ((missing, "missing"), (unexpected, "unexpected")):
            if keys:
                more = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
                self._differ(path, f"{word} {noun} {shortened(keys[0])}{more}")

    def records(self, path: str, expected: Any, actual: Any) -> None:
        ours, theirs = attributes(expected), attributes(actual)
        self._keys(path, ours, theirs, "attribute")
        for name in ours:
            if name in theirs:
                self.pair(f"{path}.{name}", ours[name], theirs[name])

    def annotated(self, path: str, expected: Any, actual: Any) -> None:
        ours = [name for name in _PARTS if has(expected, name)]
        theirs = [name for name in _PARTS if has(actual, name)]
        self._keys(path, ours, theirs, "part")
        for name in ours:
            if name in theirs:
                self.pair(f"{path}.{name}", getattr(expected, name), getattr(actual, name))

    def frames(self, path: str, expected: Any, actual: Any) -> None:
        expected, actual = pandas_frame(expected), pandas_frame(actual)
        names, other_names = list(expected.columns), list(actual.columns)
        self._keys(f"{path}.columns", names, other_names, "column")
        if names != other_names:
            self._differ(f"{path}.columns", "the columns stand in another order")
        self._indices(path, expected, actual)
        for position, name in enumerate(names):
            if name in other_names:
                # Names may occur twice; where the columns are the same ones, their position tells them apart.
                place = position if names == other_names else other_names.index(name)
                one, other = column(expected, position), column(actual, place)
                self._column_values(f"{path}[{shortened(name)}]", one, other)

    def columns(self, path: str, expected: Any, actual: Any) -> None:
        if has(expected, "dims") and has(expected, "coords"):
            self._skip(f"{path}.coords", "the coordinates of a labelled array")
        if has(expected, "name") and has(actual, "name"):
            self.pair(f"{path}.name", expected.name, actual.name)
        self._indices(path, expected, actual)
        self._column_values(path, expected, actual)

    def _indices(self, path: str, expected: Any, actual: Any) -> None:
        if has(expected, "iloc") and has(actual, "iloc"):
            self.pair(f"{path}.index", expected.index, actual.index)

    def _column_values(self, path: str, expected: Any, actual: Any) -> None:
        categories, others = getattr(expected.dtype, "categories", None), getattr(actual.dtype, "categories", None)
        if (categories is None) != (others is None):
            self._differ(f"{path}.dtype", f"{expected.dtype} against {actual.dtype}")
            return
        if categories is not None:
            self.pair(f"{path}.cat.categories", categories, others)
            self.pair(f"{path}.cat.ordered", expected.dtype.ordered, actual.dtype.ordered)
        self.arrays(path, expected.to_numpy(), actual.to_numpy())

    def arrays(self, path: str, expected: Any, actual: Any) -> None:
        expected, actual = _arrays.host_array(expected), _arrays.host_array(actual)
        if not self._same_shape(path, expected, actual):
            return
        if _arrays.is_masked(expected) or _arrays.is_masked(actual):
            masks = _arrays.mask_of(expected), _arrays.mask_of(actual)
            self.arrays(f"{path}.mask", *masks)
            hidden = masks[0] | masks[1]
            expected, actual = _arrays.unmasked(expected, hidden), _arrays.unmasked(actual, hidden)
        self._flat(path, expected.reshape(-1), actual.reshape(-1), expected.shape)

    def sparse(self, path: str, expected: Any, actual: Any) -> None:
        if self._same_shape(path, expected, actual):
            positions, ours, theirs = _arrays.stored_values(expected, actual)
            self._flat(path, ours, theirs, tuple(expected.shape), positions=positions)

    def _same_shape(self, path: str, expected: Any, actual: Any) -> bool:
        same = tuple(expected.shape) == tuple(actual.shape)
        if not same:
            self._differ(f"{path}.shape", f"shape {tuple(expected.shape)} against {tuple(actual.shape)}")
        return same

    def _flat(self, path: str, expected: Any, actual: Any, shape: tuple[int, ...], *, positions: Any = None) -> None:
        """Compare flat arrays whose elements stand at these positions (all of them, where not given) of the shape."""

        def at(flat: int) -> str:
            return path + _arrays.index_text(flat if positions is None else int(positions[flat]), shape)

        families = {_arrays.family(expected.dtype), _arrays.family(actual.dtype)}
        if len(families) > 1 and families != {"text", "object"}:
            self._differ(f"{path}.dtype", f"{expected.dtype} against {actual.dtype}")
        elif "structured" in families:
            self._keys(path, expected.dtype.names, actual.dtype.names, "field")
            for name in expected.dtype.names:
                if name in actual.dtype.names:
                    self._flat_field(f"{path}[{shortened(name)}]", expected[name], actual[name], shape)
        elif "object" in families:
            for flat, (one, other) in enumerate(zip(expected.tolist(), actual.tolist(), strict=True)):
                if one is not other or not isinstance(one, str):
                    self.pair(at(flat), one, other)
        elif "number" in families:
            found = _arrays.measure(expected, actual, rtol=self._rtol, atol=self._atol)
            if len(expected):
                values = _against(expected[found.position].item(), actual[found.position].item())
                outside = f"{found.outside} of {math.prod(shape)} values outside the tolerance, here {values}"
                self._measured(found, at(found.position), outside)
        else:
            unequal = _arrays.unequal(expected, actual)
            if len(unequal):
                first = int(unequal[0])
                values = _against(expected[first], actual[first])
                self._differ(at(first), f"{len(unequal)} of {math.prod(shape)} values differ, here {values}")

    def _flat_field(self, path: str, expected: Any, actual: Any, shape: tuple[int, ...]) -> None:
        # A field may itself hold a small array at each place, which makes its shape longer than that of the whole.
        if self._same_shape(path, expected, actual):
            self._flat(path, expected.reshape(-1), actual.reshape(-1), shape + expected.shape[1:])

    def objects(self, path: str, expected: Any, actual: Any) -> None:
        if expected is actual:
            return
        if isinstance(expected, enum.Enum):
            self._differ(path, _against(expected, actual))
            return
        answer: object = NotImplemented
        if type(expected) is type(actual):
            # Asked of the type, since `==` itself would answer by identity where the objects have no opinion.
            answer = _class_of(expected).__eq__(expected, actual)
        if answer is True:
            return
        if answer is False:
            self._differ(path, _against(expected, actual))
            return
        self._skip(path, described(expected, "object"))


def _class_of(value: object) -> Any:
    return type(value)


_METHODS: Final = {
    "text": _Walk.texts,
    "scalar": _Walk.scalars,
    "sequence": _Walk.sequences,
    "set": _Walk.sets,
    "mapping": _Walk.mappings,
    "record": _Walk.records,
    "annotated data": _Walk.annotated,
    "data frame": _Walk.frames,
    "sparse matrix": _Walk.sparse,
    "column": _Walk.columns,
    "array": _Walk.arrays,
    "object": _Walk.objects,
}
