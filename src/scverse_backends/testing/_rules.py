"""How Python's own values are compared: numbers, text, containers, records, and objects with an opinion."""

from __future__ import annotations

import enum
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

from scverse_backends.testing import _arrays
from scverse_backends.testing._kinds import described, has, key_text
from scverse_backends.testing._parts import attribute_names, extra_names, is_computed_once, type_of
from scverse_backends.testing._walk import against

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scverse_backends.testing._walk import Walk


class _NotANumber:
    """Stands for NaN among keys, where two of them are never found equal."""

    def __repr__(self) -> str:
        return "nan"


_NAN: Final = _NotANumber()

# How `layers`, `obsm` and their like find their data is no part of the data: a view also holds what it does not show.
_OF_ALIGNED: Final = ("parent_mapping", "subset_idx", "isbacked")


def nothing(_walk: Walk, _path: str, _expected: None, _actual: None) -> None:
    """Compare nothing with nothing."""


def texts(walk: Walk, path: str, expected: Any, actual: Any) -> None:
    """Compare text, and bytes."""
    if expected != actual:
        walk.differ(path, against(expected, actual))
    extras(walk, path, expected, actual)


def scalars(walk: Walk, path: str, expected: Any, actual: Any) -> None:
    """Compare two numbers, or two truth values."""
    if isinstance(expected, bool) or isinstance(actual, bool):
        if type(expected) is not type(actual) or expected != actual:
            walk.differ(path, against(expected, actual))
        return
    found = _arrays.measure_scalars(expected, actual, rtol=walk.rtol, atol=walk.atol)
    walk.measured(found, path, against(expected, actual))
    extras(walk, path, expected, actual)


def sequences(walk: Walk, path: str, expected: Any, actual: Any) -> None:
    """Compare lists, tuples and their like, element by element."""
    if len(expected) != len(actual):
        walk.differ(path, f"length {len(expected)} against {len(actual)}")
    for position, (one, other) in enumerate(zip(expected, actual, strict=False)):
        walk.pair(f"{path}[{position}]", one, other)
    _fields(walk, path, expected, actual)
    extras(walk, path, expected, actual)


def _fields(walk: Walk, path: str, expected: Any, actual: Any) -> None:
    """Compare the names of two named tuples. A plain tuple in the place of one is no difference."""
    if has(expected, "_fields") and has(actual, "_fields"):
        walk.pair(f"{path}._fields", expected._fields, actual._fields)


def sets(walk: Walk, path: str, expected: Any, actual: Any) -> None:
    """Compare sets. Their elements are compared exactly."""
    walk.keys(path, map(canonical, expected), map(canonical, actual), "element")
    extras(walk, path, expected, actual)


def mappings(walk: Walk, path: str, expected: Any, actual: Any) -> None:
    """Compare mappings by their keys, whatever the order."""
    ours, theirs = ({canonical(key): key for key in mapping} for mapping in (expected, actual))
    if len(ours) < len(expected) or len(theirs) < len(actual):
        walk.skip(path, "several keys of it are not a number")
    walk.keys(path, ours, theirs, "key")
    for key, name in ours.items():
        if key in theirs:
            walk.apart(f"{path}[{key_text(name)}]", partial(_values, name, theirs[key]), expected, actual)
    are_aligned = has(expected, "is_view") and has(actual, "is_view")
    extras(walk, path, expected, actual, known=_OF_ALIGNED if are_aligned else ())


def _values(key: Any, other: Any, walk: Walk, path: str, expected: Any, actual: Any) -> None:
    walk.pair(path, expected[key], actual[other])


def canonical(key: Any) -> Any:
    """Return what to look a key up by: itself, with everything that is not a number made the same."""
    if isinstance(key, tuple):
        return tuple(map(canonical, cast("Any", key)))
    if isinstance(key, frozenset):
        return frozenset(map(canonical, cast("Any", key)))
    return key if key == key else _NAN  # noqa: PLR0124 - only what is not a number is unequal to itself.


def records(walk: Walk, path: str, expected: Any, actual: Any) -> None:
    """Compare objects attribute by attribute; private attributes may be caches."""
    ours, theirs = attribute_names(expected), attribute_names(actual)
    shared = [name for name in ours if name in theirs]
    walk.keys(
        path,
        (name for name in ours if name in shared or not _may_be_missing(expected, name)),
        (name for name in theirs if name in shared or not _may_be_missing(actual, name)),
        "attribute",
    )
    for name in shared:
        compare = walk.hidden if name.startswith("_") else walk.part
        compare(f"{path}.{name}", partial(_attribute, name), expected, actual)
    for name in {*ours, *theirs}.difference(shared):
        if name.startswith("_"):
            walk.skip(f"{path}.{name}", "a private attribute of one of them")


def _attribute(name: str, value: Any) -> Any:
    return getattr(value, name)


def _may_be_missing(record: Any, name: str) -> bool:
    return name.startswith("_") or is_computed_once(record, name)


def extras(walk: Walk, path: str, expected: Any, actual: Any, *, known: Iterable[str] = ()) -> None:
    """Compare the attributes that somebody put into two values, beside what their kind is about."""
    if type(expected).__flags__ & type(actual).__flags__ & _HEAP_TYPE == 0:
        return  # Nothing can be put into an object of a built-in class.
    ours, theirs = (set(extra_names(value)).difference(known) for value in (expected, actual))
    if type(expected) is type(actual):
        walk.keys(path, sorted(ours), sorted(theirs), "attribute")
    for name in sorted(ours & theirs):
        walk.part(f"{path}.{name}", partial(_attribute, name), expected, actual)


_HEAP_TYPE: Final = 1 << 9


def random_generators(walk: Walk, path: str, expected: Any, actual: Any) -> None:
    """Compare generators of random numbers by their type and their state: by what they would draw next."""
    ours, theirs = _type_text(expected), _type_text(actual)
    if ours != theirs:
        walk.differ(path, f"the generators are of different types: {ours} against {theirs}")
        return
    same = type(walk)(walk.rules, 0.0, 0.0, {})
    same.pair(path, _state_of(expected), _state_of(actual))
    found = same.findings.outcome()
    if found.agrees is None:
        walk.skip(path, str(found.note))
    elif not found.agrees:
        walk.differ(path, "the generators stand at different places: they drew different numbers, or another count")


def _type_text(generator: Any) -> str:
    kind = type_of(generator)
    name = f"{kind.__module__.partition('.')[0]}.{kind.__qualname__}"
    return f"{name}({_type_text(generator.bit_generator)})" if has(generator, "bit_generator") else name


def _state_of(generator: Any) -> Any:
    if has(generator, "bit_generator"):
        return _state_of(generator.bit_generator)
    if has(generator, "random_raw"):
        seeds = getattr(generator, "seed_seq", None)
        # Those that were spawned from it are not drawn from it, but the next one will depend on their number.
        return generator.state, getattr(seeds, "n_children_spawned", None)
    return generator.getstate() if has(generator, "getstate") else generator.get_state()


def objects(walk: Walk, path: str, expected: Any, actual: Any) -> None:
    """Compare objects of which nothing is known but what their own ``==`` says."""
    if expected is actual:
        return
    if isinstance(expected, enum.Enum):
        walk.differ(path, against(expected, actual))
        return
    answer: object = NotImplemented
    if type(expected) is type(actual):
        # Asked of the type, since `==` itself would answer by identity where the objects have no opinion.
        equal: Any = type_of(expected).__eq__
        answer = equal(expected, actual)
        if answer is False and equal(expected, expected) is False and equal(actual, actual) is False:
            return  # Neither is a number.
    if answer is False:
        walk.differ(path, against(expected, actual))
    elif answer is not True:
        walk.skip(path, described(expected, "object"))
