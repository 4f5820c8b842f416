"""Whether a value stands at its default (4.4), beyond the table in ``test_routing.py``."""

from __future__ import annotations

import pickle
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from scverse_backends._signatures.defaults import at_default

scalars = st.one_of(
    st.booleans(), st.integers(), st.floats(), st.complex_numbers(), st.text(max_size=4), st.binary(max_size=4)
)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3).map(tuple), max_leaves=6)


@given(values)
def test_a_value_is_at_a_default_that_was_made_anew(value: Any) -> None:
    assert at_default(value, value)
    assert at_default(anew(value), value)


def anew(value: Any) -> Any:
    """Return an equal value that is another object wherever Python makes one."""
    return pickle.loads(pickle.dumps(value))


@given(values, values)
def test_it_says_what_equality_of_equal_types_says(one: Any, other: Any) -> None:
    assert at_default(one, other) == (plainly(one) == plainly(other))


def plainly(value: Any) -> Any:
    """Return a value in a form in which ``==`` means what the rule says."""
    if isinstance(value, tuple):
        return tuple, [plainly(item) for item in value]
    if value != value:  # noqa: PLR0124 - NaN.
        return type(value), "nan"
    return type(value), value


def test_tuples_of_another_type_are_foreign() -> None:
    class Point(tuple):  # noqa: SLOT001 - a foreign class as small as can be.
        def __eq__(self, other: object) -> bool:
            raise AssertionError("a foreign __eq__ was called")

        __hash__ = tuple.__hash__

    assert not at_default(Point((1,)), Point((1,)))
    assert not at_default(Point((1,)), (1,))
    assert not at_default((1,), Point((1,)))
    assert not at_default([1], [1])
    assert not at_default((1, [2]), (1, [2]))


def test_it_never_costs_more_than_a_default_is_worth():  # 4.4
    wide, deep = (1.5,), (1,)
    for _ in range(30):
        wide = (wide, wide)
    for _ in range(5000):
        deep = (deep,)
    assert at_default(wide, wide)
    other = eval("((1.5,), (1.5,))")
    assert at_default(other, ((1.5,), (1.5,)))
    twin = (1,)
    for _ in range(5000):
        twin = (twin,)
    assert not at_default(twin, deep)
