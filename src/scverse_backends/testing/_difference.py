"""Say whether, how far and where two results differ.

Nothing here knows of dispatching. The rules, one for every kind of value:

==================  ===================================================================================================
kind                agrees when
==================  ===================================================================================================
number              ``|actual - expected| <= atol + rtol * |expected|``, integers against floats by value; NaN equals
                    NaN, an infinity itself
text, truth value   equal
sequence            as long, and each element agrees; a list against a tuple is no difference
set                 the same elements, compared exactly
mapping             the same keys, in any order, and each value agrees
record              a dataclass, an attrs class or an object all of whose state are attributes: each public one agrees,
                    and private ones do not differ
array               the same shape and kind of dtype, and each element agrees
sparse matrix       the same shape and kind of dtype, and what is stored agrees, whatever the format
data frame, column  the same columns in the same order, the same index, names and categories, and each value agrees
labelled data       the same dimensions, coordinates and names, and each value agrees
annotated data      each part (``X``, ``layers``, ``obs``, ``var``, ..., ``uns``, ``raw``) agrees
random generator    the same state
lazy value          what it comes to agrees
object              it is the same object, or its own ``==`` says ``True``
==================  ===================================================================================================

What was attached to a value counts as well (``frame.attrs``, a public attribute of a subclass). Two values of different
kinds differ. Everything else, and whatever raises while it is looked at, is *not compared*: private attributes that
differ, for instance, since they may be caches.
"""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from scverse_backends.testing import _data_rules, _rules
from scverse_backends.testing._walk import Walk

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from scverse_backends.testing._findings import Difference
    from scverse_backends.testing._walk import Rule

_RULES: Final[dict[str, Rule]] = {
    "none": _rules.nothing,
    "text": _rules.texts,
    "scalar": _rules.scalars,
    "sequence": _rules.sequences,
    "set": _rules.sets,
    "mapping": _rules.mappings,
    "record": _rules.records,
    "random generator": _rules.random_generators,
    "object": _rules.objects,
    "array": _data_rules.arrays,
    "sparse matrix": _data_rules.sparse,
    "data frame": _data_rules.frames,
    "column": _data_rules.columns,
    "labelled data": _data_rules.labelled,
    "annotated data": _data_rules.annotated,
}

_IGNORING_WARNINGS: Final = Lock()


def difference(expected: Any, actual: Any, *, rtol: float, atol: float) -> Difference:
    """Compare two values of any kind; never raises because of what they are."""
    return difference_of([("", expected, actual)], rtol=rtol, atol=atol)


def difference_of(
    parts: Iterable[tuple[str, Any, Any]],
    *,
    rtol: float,
    atol: float,
    known: dict[int, tuple[object, object]] | None = None,
) -> Difference:
    """Compare several pairs at once.

    Parameters
    ----------
    parts
        For each pair the path to call it by, the expected and the actual value.
    rtol, atol
        The tolerances for numbers.
    known
        What lazy values come to, by their identity; others are computed here, and put into it.
    """
    walk = Walk(_RULES, rtol, atol, {} if known is None else known)
    with _without_warnings():
        for path, expected, actual in parts:
            walk.pair(path, expected, actual)
    return walk.findings.outcome()


@contextmanager
def _without_warnings() -> Generator[None]:
    """Let foreign objects warn unheard while they are looked at: a deprecated property, say, is nobody's doing."""
    # Warnings are ignored in all threads at once, so only one of them may change that. The others do not wait for it,
    # since what is looked at may itself wait for them.
    if not _IGNORING_WARNINGS.acquire(blocking=False):
        yield
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        _IGNORING_WARNINGS.release()
