"""Immutable values."""

from __future__ import annotations

import copy
import pickle

import pytest

from scverse_backends._foundation.record import Record


class Point(Record):
    __slots__ = __match_args__ = ("x", "y")


class Other(Point):
    __slots__ = ()


def test_values():
    point = Point(1, [2])
    assert point == Point(1, [2])
    assert point != Point(1, [3])
    assert point != Other(1, [2])
    assert (point == 3) is False
    assert repr(point) == "Point(x=1, y=[2])"
    assert hash(Point(1, 2)) == hash(Point(1, 2))
    match point:
        case Point(x, y):
            assert (x, y) == (1, [2])


def test_nothing_changes():
    point = Point(1, 2)
    with pytest.raises(AttributeError, match="Point is immutable"):
        point.x = 3
    with pytest.raises(AttributeError, match="Point is immutable"):
        del point.x
    with pytest.raises(AttributeError, match="Point is immutable"):
        point.z = 3
    assert point == Point(1, 2)


def test_every_field_is_given_once():
    assert Point(1, y=2) == Point(y=2, x=1) == Point(1, 2)
    with pytest.raises(KeyError, match="y"):
        Point(1)
    with pytest.raises(ValueError, match="longer"):
        Point(1, 2, 3)


@pytest.mark.parametrize("trip", [copy.copy, copy.deepcopy, lambda value: Point.__reduce__(value)[0](1, 2)])
def test_copies(trip):
    assert trip(Point(1, 2)) == Point(1, 2)


def test_pickling():
    from scverse_backends._reports.explain import Explanation

    explanation = Explanation("f", "fast", "argument", "fast", "runs", (), None)
    assert pickle.loads(pickle.dumps(explanation)) == explanation
