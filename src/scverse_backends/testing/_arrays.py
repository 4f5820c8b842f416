"""Bring arrays of any library to NumPy and measure how far two of them are apart.

This is the only file of the comparison that needs NumPy, and it imports NumPy when the first array is met: comparing
lists and numbers works where NumPy is not installed.
"""

from __future__ import annotations

import cmath
import math
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

# Differences are computed block by block, so that comparing two large arrays needs little memory of its own.
BLOCK = 1 << 20

# Up to here, every integer is a float as well.
_EXACT = 1 << 53
_FLOATS_HOLD = 4
"""Integers of so many bytes are floats as well."""
_HALF = 1 << 32


class Measure(NamedTuple):
    """How far numbers are apart: the largest errors, and the place (a flat position) where it matters most."""

    max_abs: float | None
    max_rel: float | None
    outside: int
    position: int
    score: float


def measure_scalars(expected: Any, actual: Any, *, rtol: float, atol: float) -> Measure:
    """Measure two numbers of Python's own types, without NumPy, and with integers exactly."""
    if _is_nan(expected) and _is_nan(actual):
        return Measure(None, None, 0, 0, 0.0)
    if expected == actual:
        return Measure(0.0, 0.0 if expected else None, 0, 0, 0.0)
    if not (_is_finite(expected) and _is_finite(actual)):
        error = math.nan if _is_nan(expected) or _is_nan(actual) else math.inf
        return Measure(error, error, 1, 0, math.inf)
    try:
        return _measure_finite(expected, actual, rtol, atol)
    except OverflowError:
        # A complex number beside an integer that is larger than any float.
        return Measure(math.inf, math.inf, 1, 0, math.inf)


def _measure_finite(expected: Any, actual: Any, rtol: Any, atol: Any) -> Measure:
    if _is_huge(expected) or _is_huge(actual):
        expected, actual, rtol, atol = map(_exact, (expected, actual, rtol, atol))
    distance, size = abs(actual - expected), abs(expected)
    allowed = atol + rtol * size
    score = distance / allowed if allowed else math.inf if rtol or atol else distance
    outside = distance > allowed
    relative = _as_float(distance / size) if size else math.inf if outside else None
    return Measure(_as_float(distance), relative, int(outside), 0, _as_float(score))


def _is_huge(value: Any) -> bool:
    return isinstance(value, int) and abs(value) > _EXACT


def _exact(value: Any) -> Any:
    """Return a number as a fraction: a float can hardly tell a huge integer from the next one."""
    from fractions import Fraction

    return value if isinstance(value, complex) else Fraction(value)


def _is_finite(value: Any) -> bool:
    return isinstance(value, int) or cmath.isfinite(value)


def _as_float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _is_nan(value: Any) -> bool:
    return bool(value != value)  # noqa: PLR0124 - the test that also holds for complex numbers.


def _is_array(value: object) -> bool:
    import numpy as np

    return isinstance(value, np.ndarray)


def host_array(value: Any) -> Any:
    """Return `value` as a NumPy array in host memory, whichever device it lives on."""
    import numpy as np

    if isinstance(value, np.ma.MaskedArray | int | float | complex):
        return np.asanyarray(value)
    if _is_array(value):
        return np.asarray(value)  # A matrix would stay one whatever is done to it, and has always two dimensions.
    protocols = ("__array__", "__array_interface__")
    attempts: tuple[Callable[[], Any], ...] = (
        lambda: value.get(),  # noqa: PLW0108 - the attribute is to be missed in its turn. CuPy refuses implicit transfers.
        lambda: value.detach().cpu(),  # Torch refuses them too, and tensors that record gradients.
        lambda: np.from_dlpack(value),
    )
    if any(hasattr(value, name) for name in protocols):
        attempts = (lambda: value, *attempts)
    first_error: Exception | None = None
    for attempt in attempts:
        try:
            return np.asarray(attempt())
        except Exception as error:  # noqa: BLE001 - each library refuses a transfer with an error of its own.
            first_error = first_error or error
    raise TypeError(str(first_error)) from first_error


def family(dtype: Any) -> str:
    """Return which values of a dtype are comparable with each other: all numbers are, whatever their width."""
    import numpy as np

    if dtype.names is not None:
        return "structured"
    if dtype.kind in "iufc":
        return "number"
    if dtype.kind == "V":
        # The narrow floats of machine learning (bfloat16 and its like) call themselves void, but are numbers.
        return "raw" if dtype.type is np.void else "number"
    return {"b": "boolean", "U": "text", "T": "text", "S": "bytes", "O": "object"}.get(dtype.kind, str(dtype.kind))


def measure(expected: Any, actual: Any, *, rtol: float, atol: float) -> Measure:
    """Measure two flat arrays of numbers of the same length."""
    worst = Measure(None, None, 0, 0, -1.0)
    for start in range(0, len(expected), BLOCK):
        block = _measure_block(expected[start : start + BLOCK], actual[start : start + BLOCK], rtol, atol)
        further = block.score > worst.score
        worst = Measure(
            largest(worst.max_abs, block.max_abs),
            largest(worst.max_rel, block.max_rel),
            worst.outside + block.outside,
            start + block.position if further else worst.position,
            block.score if further else worst.score,
        )
    return worst


def largest(one: float | None, other: float | None) -> float | None:
    """Return the larger of two numbers of which either may be missing; NaN is the largest: nothing is known of it."""
    if one is None or other is None:
        return other if one is None else one
    return one if math.isnan(one) or one > other else other


def _measure_block(expected: Any, actual: Any, rtol: float, atol: float) -> Measure:
    import numpy as np

    if "V" in {expected.dtype.kind, actual.dtype.kind}:
        expected, actual = _widened(expected), _widened(actual)
    exactly_equal = expected == actual
    huge = _is_huge_in(expected) | _is_huge_in(actual)
    huge = np.flatnonzero(huge & np.isfinite(expected) & np.isfinite(actual))
    exact = _exact_distance(expected[huge], actual[huge]) if len(huge) else ()
    expected, actual = _widened(expected), _widened(actual)
    with np.errstate(all="ignore"):
        same = exactly_equal | (np.isnan(expected) & np.isnan(actual))
        error = np.abs(actual - expected)
        error[same] = 0.0
        if len(huge):
            error[huge] = exact
            same[huge] = error[huge] == 0
        size = np.abs(expected)
        allowed = atol + rtol * size
        finite = np.isfinite(expected) & np.isfinite(actual)
        outside = ~same & (~finite | (error > allowed))
        score = np.where(same, 0.0, error / allowed if rtol or atol else error)
        score[~same & ~finite] = math.inf
        # Relative to zero, what is within the tolerance says nothing, and the rest is infinitely far.
        relative = np.where(np.isinf(error), math.inf, error / size)[outside | (finite & (size > 0))]
    position = int(np.argmax(score))
    return Measure(
        float(error.max()),
        float(relative.max()) if relative.size else None,
        int(np.count_nonzero(outside)),
        position,
        float(score[position]),
    )


def _is_huge_in(array: Any) -> Any:
    """Return where integers are too large for a float to tell them from the next one."""
    if array.dtype.kind not in "iu" or array.dtype.itemsize <= _FLOATS_HOLD:
        return False
    return (array > _EXACT) | (array < -_EXACT)


def _exact_distance(expected: Any, actual: Any) -> Any:
    """Return how far numbers are apart that are too large for floats: their upper and lower halves are not."""
    if "c" in {expected.dtype.kind, actual.dtype.kind}:
        return abs(_widened(expected) - _widened(actual))
    (upper, lower), (other_upper, other_lower) = _halves(expected), _halves(actual)
    return abs((upper - other_upper) * _HALF + (lower - other_lower))


def _halves(array: Any) -> tuple[Any, Any]:
    import numpy as np

    if array.dtype.kind in "iu":
        whole = array if array.dtype.itemsize > _FLOATS_HOLD else array.astype(np.int64)
        return (whole >> 32).astype(np.float64), (whole & (_HALF - 1)).astype(np.float64)
    wide = _widened(array)
    upper = np.floor(wide / _HALF)
    return upper, wide - upper * _HALF


def _widened(array: Any) -> Any:
    """Return numbers as floats of at least double precision, so that no difference overflows or wraps around."""
    import numpy as np

    if array.dtype.kind == "V":
        return array.astype(np.float64)
    return array.astype(np.result_type(array.dtype, np.float64))


OF_FILES = ("filename", "mode", "offset")
"""Where an array that lives in a file finds it, which is no part of the array."""


def is_subclassed(value: Any) -> bool:
    """Return whether this is one of NumPy's arrays that may know more than an array does."""
    import numpy as np

    return _is_array(value) and type(value) is not np.ndarray


def is_masked(value: Any) -> bool:
    """Return whether this is one of NumPy's masked arrays."""
    import numpy as np

    return isinstance(value, np.ma.MaskedArray)


def unmasked(array: Any, mask: Any) -> Any:
    """Return the data of an array with the same placeholder wherever the mask hides a value."""
    import numpy as np

    data = np.ma.getdata(array)
    return np.where(mask, np.zeros((), data.dtype), data)


def mask_of(array: Any) -> Any:
    """Return the mask of any array: a plain one hides nothing."""
    import numpy as np

    return np.ma.getmaskarray(array)


def unequal(expected: Any, actual: Any) -> Any:
    """Return the flat positions where values that are no numbers differ; a missing value equals a missing value."""
    import numpy as np

    missing_in_both = (expected != expected) & (actual != actual)  # noqa: PLR0124 - only NaN and NaT differ from themselves.
    return np.flatnonzero((expected != actual) & ~missing_in_both)


def stored_values(expected: Any, actual: Any) -> tuple[Any, Any, Any]:
    """Align two sparse matrices of one shape: flat positions stored in either, and the values of each there.

    Duplicates add up and an explicit zero equals an absent one, as everywhere in sparse arithmetic.
    """
    import numpy as np

    triplets = [_triplets(expected), _triplets(actual)]
    (keys, data), (other_keys, other_data) = triplets
    if np.array_equal(keys, other_keys) and bool(np.all(keys[1:] > keys[:-1])):
        return keys, data, other_data  # Stored at the same places in the same order, as most are.
    positions, inverse = np.unique(np.concatenate([keys for keys, _ in triplets]), return_inverse=True)
    split = len(triplets[0][0])
    aligned: list[Any] = []
    for (_, data), where in zip(triplets, (inverse[:split], inverse[split:]), strict=True):
        values = np.zeros(len(positions), data.dtype)
        np.add.at(values, where, data)
        aligned.append(values)
    return positions, aligned[0], aligned[1]


def _triplets(value: Any) -> tuple[Any, Any]:
    import numpy as np

    coo = value.tocoo() if hasattr(value, "tocoo") else value
    coordinates = coo.coords if hasattr(coo, "coords") else (coo.row, coo.col)
    indices = tuple(host_array(axis).astype(np.int64) for axis in coordinates)
    data = host_array(coo.data)
    if not len(data):
        return np.zeros(0, np.int64), data
    return np.ravel_multi_index(indices, tuple(coo.shape)), data


def index_text(position: int, shape: tuple[int, ...]) -> str:
    """Return a flat position as the index a user would write, `[3, 7]`; nothing for a scalar."""
    import numpy as np

    index = np.unravel_index(position, shape)
    return f"[{', '.join(str(int(axis)) for axis in index)}]" if index else ""
