"""Section 8.5: whether, how far and where two values differ, for every kind of value."""

from __future__ import annotations

import copy
import dataclasses
import enum
import functools
import math
import random
import subprocess
import sys
import types
import warnings
from collections import UserDict, namedtuple
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scverse_backends.testing import _arrays
from scverse_backends.testing._difference import difference, difference_of
from scverse_backends.testing._kinds import error_text, shortened


def compared(expected, actual, *, rtol=1e-5, atol=1e-8):
    """Compare both ways round, since whether two values agree must not depend on which comes first."""
    found = difference(expected, actual, rtol=rtol, atol=atol)
    assert difference(actual, expected, rtol=rtol, atol=atol).agrees is found.agrees
    return found


class Color(enum.Enum):
    RED = 1
    BLUE = 2


Point = namedtuple("Point", ["x", "y"])  # noqa: PYI024 - as many libraries make theirs.
Place = namedtuple("Place", ["x", "z"])  # noqa: PYI024 - as above.


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


@dataclasses.dataclass
class Result:
    scores: object
    name: str = "result"


class Attrs:
    """What `attrs.define` makes of a class, as far as it can be seen from outside."""

    __slots__ = ("x", "y")
    __attrs_attrs__ = (types.SimpleNamespace(name="x"), types.SimpleNamespace(name="y"))

    def __init__(self, x, y):
        self.x, self.y = x, y


class Plain:
    def __init__(self, **attributes):
        vars(self).update(attributes)


class Opaque:
    """An object of which nothing is known but what its own `==` answers."""

    __hash__ = None

    def __init__(self, answer):
        self._answer = answer

    def __eq__(self, other):
        if isinstance(self._answer, BaseException):
            raise self._answer
        return self._answer


class Column:
    """A column as pandas and its kin offer it."""

    def __init__(self, values, *, index=None, name="column", categories=None, ordered=False):
        self._values = np.asarray(values)
        self.name = name
        self.dtype = self._values.dtype
        if categories is not None:
            self.dtype = types.SimpleNamespace(categories=categories, ordered=ordered)
        if index is not None:
            self.iloc, self.index = self, index

    def to_numpy(self):
        return self._values


class Frame:
    """A data frame of the pandas family."""

    def __init__(self, columns, index=None):
        self.columns = [name for name, _ in columns]
        self.dtypes = [column.dtype for _, column in columns]
        self._values = [column for _, column in columns]
        self.index = range(len(columns[0][1].to_numpy())) if index is None else index
        self.iloc = self

    def __getitem__(self, key):
        return self._values[key[1]]


class OtherFrame:
    """A data frame of another library, which turns into one of pandas where that is installed."""

    def __init__(self, columns, pandas=None):
        self.columns = list(columns)
        self.dtypes = []
        self._columns = columns
        self._pandas = pandas

    def __getitem__(self, name):
        return self._columns[name]

    def to_pandas(self):
        if self._pandas is None:
            raise ModuleNotFoundError(name="pandas")
        return self._pandas


class Sparse:
    """A matrix as `scipy.sparse` offers it: any format turns into triplets."""

    def __init__(self, row, col, data, shape):
        self.row, self.col, self.data, self.shape = np.array(row), np.array(col), np.array(data), shape

    def tocoo(self):
        return self


class Keyed(dict):
    """A sparse matrix that is a mapping of positions to values as well, as SciPy's DOK format is."""

    def __init__(self, values, shape):
        super().__init__(values)
        self.shape = shape

    def __bool__(self):
        raise ValueError("The truth value of an array is ambiguous.")

    def tocoo(self):
        row, col = zip(*self, strict=True)
        return Sparse(row, col, list(self.values()), self.shape)


class Coordinates:
    """A sparse array of any number of dimensions, as the library `sparse` offers it."""

    def __init__(self, coords, data, shape):
        self.coords, self.data, self.shape = np.array(coords), np.array(data), shape

    def to_scipy_sparse(self):
        raise NotImplementedError


class AnnData(Plain):
    """An object with the parts of an AnnData."""


class Aligned(UserDict):
    """What `layers` and `obsm` are, actual ones and views: a mapping that also knows where its data come from."""

    is_view = True

    def __init__(self, shown, **found):
        super().__init__(shown)
        vars(self).update(found)


class Named(UserDict):
    """A mapping of somebody else, with an attribute that a view happens to have, too."""

    def __init__(self, shown, **attributes):
        super().__init__(shown)
        vars(self).update(attributes)


class Disk(UserDict):
    """A frame that is a mapping as well, and turns into one of pandas, as anndata's on disk does."""

    columns = dtypes = ()

    def __init__(self, frame):
        super().__init__()
        self._frame = frame

    def to_memory(self):
        return self._frame


def annotated(**changes):
    column = Column([1, 2, 3])
    parts = {
        "X": np.arange(6.0).reshape(3, 2),
        "layers": {},
        "obs": Frame([("n", column)]),
        "var": Frame([("n", Column([1, 2]))]),
        "obsm": {"X_pca": np.ones((3, 2))},
        "uns": {"pca": {"variance": np.ones(2)}},
        "raw": None,
    }
    return AnnData(**(parts | changes))


class OnDevice:
    """An array that refuses to be read where it is, and is brought to the host the way its library offers."""

    def __init__(self, **ways):
        vars(self).update(ways)

    def __array__(self, dtype=None, copy=None):
        raise TypeError("not in host memory")


class Lent:
    """An array that offers nothing but DLPack."""

    def __init__(self, values):
        self._values = np.array(values)

    def __dlpack__(self, **options):
        return self._values.__dlpack__(**options)

    def __dlpack_device__(self):
        return self._values.__dlpack_device__()


class Labelled:
    """An array with coordinates as xarray offers it."""

    __slots__ = ("_values", "attrs", "coords", "dims", "name")

    def __init__(self, values, *, dims=("x",), coords, name="n", attrs=None):
        self._values = np.array(values)
        self.dims, self.name, self.attrs = dims, name, attrs or {}
        self.coords = {key: types.SimpleNamespace(variable=Variable(one)) for key, one in coords.items()}

    @property
    def variable(self):
        return Variable(self._values, self.dims)

    def to_numpy(self):
        return self._values


class Variable:
    """The array of an array with coordinates."""

    __slots__ = ("_values", "dims", "dtype")

    def __init__(self, values, dims=("x",)):
        self._values = np.array(values)
        self.dtype = self._values.dtype
        self.dims = dims

    def to_numpy(self):
        return self._values


class DataSet(dict):
    """A data set of labelled arrays as xarray offers it: also a mapping, of its arrays alone."""

    def __init__(self, arrays, coords):
        super().__init__(arrays)
        self._coords = Labelled([0], coords=coords).coords

    dims = ("x",)

    @property
    def data_vars(self):
        return list(self)

    @property
    def coords(self):
        return self._coords


class Physical(Plain):
    """An array with a unit, as libraries for physical quantities offer it."""

    def __array__(self, dtype=None, copy=None):
        return np.array(self.values)


class Hidden(Plain):
    """An object that hides something, and says itself what is equal."""

    __hash__ = None

    def __eq__(self, other):
        return self._secret % 10 == other._secret % 10


class Slots:
    __slots__ = ("_secret", "x")

    def __init__(self, x, secret=0):
        self.x, self._secret = x, secret


class Once(Plain):
    @functools.cached_property
    def total(self):
        return sum(self.values)


def once(*, asked, **attributes):
    made = Once(**attributes)
    if asked:
        made.total  # noqa: B018 - to be asked for is what it needs.
    return made


class Number(float):
    """A number that somebody may put an attribute on."""


class Word(str):
    """A text that somebody may put an attribute on."""

    __slots__ = ("__dict__",)


def with_attribute(value, **attributes):
    vars(value).update(attributes)
    return value


@dataclasses.dataclass
class Failing:
    value: int

    @property
    def value(self):
        raise OSError("the file is closed")

    @value.setter
    def value(self, value):
        pass


class Stateless:
    """A generator of random numbers that does not tell its state."""

    def getstate(self):
        return object()

    def setstate(self, state):
        raise NotImplementedError


class Comparing:
    """An object that compares parts of its own in the middle of a comparison."""

    __hash__ = None

    def __init__(self):
        self._secret = 1

    def __eq__(self, other):
        return difference(self._secret, other._secret, rtol=0, atol=0).agrees


class Names(tuple):
    """The names of columns, which have a name themselves."""

    __slots__ = ()
    names = ("genes",)


class NamedFrame(Frame):
    def __init__(self, names):
        super().__init__([("a", Column([1]))])
        self.columns = names


class OtherNames(Names):
    __slots__ = ()
    names = ("Genes",)


class Filled(Sparse):
    def __init__(self, fill_value):
        super().__init__([0], [0], [1.0], (2, 2))
        self.fill_value = fill_value


class Unset:
    __slots__ = ("x", "y")

    def __init__(self):
        self.x = 1


NAN = math.nan
NAT = "NaT"
CATEGORIES = {"values": ["a", "b"], "categories": ["a", "b"]}

AGREEING = {
    "nothing": (None, None),
    "integers": (3, 3),
    "integer and float": (3, 3.0),  # 8.5: by value
    "within the tolerance": (1.0, 1.0 + 1e-9),
    "NaN": (NAN, float("nan")),  # 8.5: NaN equals NaN
    "infinity": (math.inf, math.inf),
    "complex": (1 + 2j, 1 + 2j),
    "complex NaN": (complex(NAN, 1), complex(1, NAN)),
    "truth values": (True, True),
    "truth value of NumPy": (True, np.True_),
    "number of NumPy": (1.5, np.float32(1.5)),
    "text": ("a", "a"),
    "bytes": (b"a", bytearray(b"a")),
    "list and tuple": ([1, "a"], (1, "a")),
    "named tuples": (Point(1, 2), Point(1, 2)),
    "a named tuple and a plain one": (Point(1, 2), (1, 2)),
    "sets": ({1, "a", NAN}, {1, "a", float("nan")}),
    "mappings in another order": ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    "dataclass": (Result(1.0), Result(1.0)),
    "attrs": (Attrs(1, 2), Attrs(1, 2)),
    "plain object": (Plain(x=1), Plain(x=1)),
    "namespace": (types.SimpleNamespace(x=1), types.SimpleNamespace(x=1)),
    "own equality": (Decimal("1.0"), Decimal("1.00")),
    "members": (Color.RED, Color.RED),
    "functions": (len, len),
    "classes": (np.float64, np.float64),
    "arrays": (np.arange(4), np.arange(4.0)),
    "empty arrays": (np.ones((0, 3)), np.ones((0, 3))),
    "NaN in arrays": (np.array([NAN, np.inf]), np.array([NAN, np.inf])),
    "unsigned": (np.array([2**63 - 1]), np.array([2**63 - 1], np.uint64)),
    "text arrays": (np.array(["a"]), np.array(["a"], object)),
    "text of any width": (np.array(["a"], "U9"), np.array(["a"], np.dtypes.StringDType())),
    "dates": (np.array(["2020-01-01", NAT], "M8[D]"), np.array(["2020-01-01", NAT], "M8[ns]")),
    "records": (np.array([(1, "a")], "i4,U3"), np.array([(1, "a")], "i8,U5")),
    "masked": (np.ma.array([1, 2], mask=[False, True]), np.ma.array([1, 9], mask=[False, True])),
    "mask of nothing": (np.ma.array([1, 2]), np.array([1, 2])),
    "raw bytes": (np.array([b"ab"], "V2"), np.array([b"ab"], "V2")),
    "sparse formats": (
        Sparse([0, 1], [0, 1], [1.0, 2.0], (2, 2)),
        Sparse([1, 0, 0, 1], [1, 0, 0, 0], [2.0, 0.5, 0.5, 0.0], (2, 2)),  # duplicates add up, explicit zeros are none
    ),
    "sparse without values": (Sparse([], [], [], (0, 3)), Sparse([], [], [], (0, 3))),
    "sparse too large to be dense": (Sparse([7], [9], [1.0], (10**9, 10**9)), Sparse([7], [9], [1.0], (10**9, 10**9))),
    "sparse in three dimensions": (
        Coordinates([[0], [1], [2]], [1.0], (2, 2, 3)),
        Coordinates([[0], [1], [2]], [1.0], (2, 2, 3)),
    ),
    "sparse formats of which one is a mapping": (Keyed({(1, 0): 2.0}, (2, 2)), Sparse([1], [0], [2.0], (2, 2))),
    "sparse matrices that are mappings": (Keyed({(0, 1): NAN}, (2, 2)), Keyed({(0, 1): NAN}, (2, 2))),
    "columns": (Column([1, 2], index=["p", "q"]), Column([1, 2], index=["p", "q"])),
    "categories": (Column(**CATEGORIES), Column(**CATEGORIES)),
    "frames": (Frame([("a", Column([1])), ("a", Column([2]))]), Frame([("a", Column([1])), ("a", Column([2]))])),
    "frame that becomes one of pandas": (OtherFrame({}, Frame([("a", Column([1]))])), Frame([("a", Column([1]))])),
    "frame that is a mapping": (Disk(Frame([("a", Column([1]))])), Frame([("a", Column([1]))])),
    # 8.5: what a view does not show is no part of what is compared.
    "views of other data": (
        annotated(obsm=Aligned({"a": [1]}, parent_mapping={"a": [1, 2]}, subset_idx=slice(1), isbacked=False)),
        annotated(obsm=Aligned({"a": [1]}, parent_mapping={"a": [1, 3]}, subset_idx=[0], isbacked=True)),
    ),
    "a view and a copy": (Aligned({"a": [1]}, parent_mapping={"a": [1, 2]}, subset_idx=0), UserDict({"a": [1]})),
    "frame without pandas": (OtherFrame({"a": Column([1])}), OtherFrame({"a": Column([1])})),
    "annotated data": (annotated(), annotated()),
    "array on a device with get": (OnDevice(get=lambda: np.arange(3)), np.arange(3)),
    "array on a device with cpu": (OnDevice(detach=lambda: types.SimpleNamespace(cpu=lambda: [0, 1])), np.arange(2)),
    "array over DLPack": (Lent([1.0, 2.0]), np.array([1.0, 2.0])),
    "private state": (Plain(_cache=1), Plain(_cache=1)),
    "slots": (Slots(1), Slots(1)),
    "slots that are not set": (Unset(), Unset()),
    "what was computed once": (once(asked=True, values=[1, 2]), once(asked=False, values=[1, 2])),
    "own equality that looks away": (Hidden(_secret=3), Hidden(_secret=13)),
    "NaN of one's own making": (Decimal("NaN"), Decimal("NaN")),
    "NaN as a key": ({NAN: 1, (NAN, "a"): 2}, {float("nan"): 1, (float("nan"), "a"): 2}),
    "matrices": (np.array([[1, 2], [3, 4]]).view(np.matrix), np.array([[1, 2], [3, 4]])),
    "integers that are no floats": (np.array([2**63, 1], np.uint64), np.array([2.0**63, 1.0])),
    "a huge integer and its float": (2**70, float(2**70)),
    "labelled arrays": (Labelled([1], coords={"x": [1]}), Labelled([1], coords={"x": [1.0]})),
    "data sets": (
        DataSet({"a": Labelled([1], coords={})}, {"x": [1]}),
        DataSet({"a": Labelled([1], coords={})}, {"x": [1]}),
    ),
    "units": (Physical(values=[1], unit="m"), Physical(values=[1.0], unit="m")),
    "members that are numbers": (Level.HIGH, Level.HIGH),
    "numbers with an attribute": (with_attribute(Number(1), source="a"), with_attribute(Number(1), source="a")),
    "a text with an attribute and a plain one": (with_attribute(Word("a"), source="a"), "a"),
    "keys that are sets": ({frozenset({NAN}): 1}, {frozenset({float("nan")}): 1}),
    "a comparison in a comparison": (Comparing(), Comparing()),
    "sparse matrices that are filled": (Filled(1.0), Filled(1.0)),
    "no unit": (Physical(values=[1], unit=None), Physical(values=[1.0], unit=None)),
}


@pytest.mark.parametrize("name", AGREEING)
def test_agrees(name):
    expected, actual = AGREEING[name]
    found = compared(expected, actual)
    assert (found.agrees, found.note) == (True, None)


LARGE = 2**63 - 1

DIFFERING = {
    # name: expected, actual, where, note (or its beginning)
    "numbers": (1.0, 1.5, "", "1.0 against 1.5"),
    "NaN and a number": (NAN, 1.0, "", "nan against 1.0"),
    "infinities": (math.inf, -math.inf, "", "inf against -inf"),
    "infinity is out of any tolerance": (math.inf, 1e300, "", "inf against 1e+300"),
    "complex": (1 + 1j, 1 - 1j, "", "(1+1j) against (1-1j)"),
    "truth value and number": (True, 1, "", "True against 1"),
    "truth values": (True, False, "", "True against False"),
    "nothing and something": (None, 0, "", "None against builtins.int (scalar)"),
    "text": (["a"], ["b"], "[0]", "'a' against 'b'"),
    "text and bytes": ("a", b"a", "", "'a' against b'a'"),
    "lengths": ([1, 2], [1], "", "length 2 against 1"),
    "list and array": ([1], np.array([1]), "", "builtins.list (sequence) against numpy.ndarray (array)"),
    "elements": ({1, 2, 3}, {3}, "", "missing element 1 and 1 more"),
    "NaN as element": ({1, NAN}, {1}, "", "missing element nan"),
    "missing key": ({"a": 1}, {}, "", "missing key 'a'"),
    "unexpected key": ({}, {"a": 1}, "", "unexpected key 'a'"),
    "dataclass": ([Result([1.0])], [Result([2.0])], "[0].scores[0]", "1.0 against 2.0"),
    "attrs": (Attrs(1, 2), Attrs(1, 3), ".y", "2 against 3"),
    "attributes": (Plain(x=1), Plain(y=1), "", "missing attribute 'x'"),
    "own equality": (Decimal(1), Decimal(2), "", "Decimal('1') against Decimal('2')"),
    "members": (Color.RED, Color.BLUE, "", "<Color.RED: 1> against <Color.BLUE: 2>"),
    "shapes": (np.ones((2, 3)), np.ones((3, 2)), ".shape", "shape (2, 3) against (3, 2)"),
    "one element and a number": (np.ones(1), 1.0, ".shape", "shape (1,) against ()"),
    "arrays": (np.zeros((2, 3)), np.eye(2, 3), "[0, 0]", "2 of 6 values outside the tolerance, here 0.0 against 1.0"),
    "kinds of dtype": (np.array([1]), np.array(["1"]), ".dtype", "int64 against <U1"),
    "numbers as objects": (np.array([1]), np.array([1], object), ".dtype", "int64 against object"),
    "truth values and numbers": (np.array([True]), np.array([1]), ".dtype", "bool against int64"),
    "NaN in arrays": (np.array([1, NAN]), np.array([1.0, 2.0]), "[1]", "1 of 2 values outside the tolerance"),
    "infinity in arrays": (np.array([np.inf]), np.array([1.0]), "[0]", "1 of 1 values outside the tolerance"),
    "objects": (np.array([["a", None]], object), np.array([["a", "b"]], object), "[0, 1]", "None against"),
    "dates": (np.array(["2020"], "M8[D]"), np.array([NAT], "M8[D]"), "[0]", "1 of 1 values differ, here"),
    "fields": (np.zeros(2, "i4,U3"), np.zeros(2, [("f0", "i4"), ("s", "U3")]), "", "missing field 'f1'"),
    "records": (np.array([(1, "a")], "i4,U3"), np.array([(1, "b")], "i4,U3"), "['f1'][0]", "1 of 1 values differ"),
    "arrays in records": (
        np.array([([1, 2],)], [("v", "i4", 2)]),
        np.array([([1, 3],)], [("v", "i4", 2)]),
        "['v'][0, 1]",
        "1 of 2 values outside the tolerance, here 2 against 3",
    ),
    "shapes in records": (np.zeros(1, [("v", "i4", 2)]), np.zeros(1, [("v", "i4", 3)]), "['v'].shape", "shape (1, 2)"),
    "masks": (np.ma.array([1, 2], mask=[False, True]), np.array([1, 2]), ".mask[1]", "1 of 2 values differ"),
    "sparse": (
        Sparse([0], [0], [1.0], (2, 3)),
        Sparse([0, 1], [0, 2], [1.0, 4.0], (2, 3)),
        "[1, 2]",
        "1 of 6 values outside the tolerance, here 0.0 against 4.0",
    ),
    "sparse shapes": (Sparse([0], [0], [1.0], (2, 3)), Sparse([0], [0], [1.0], (3, 2)), ".shape", "shape (2, 3)"),
    "sparse and dense": (
        Sparse([0], [0], [1.0], (1, 1)),
        np.ones((1, 1)),
        "",
        f"{__name__}.Sparse (sparse matrix)",
    ),
    "names of columns": (Column([1], name="a"), Column([1], name="b"), ".name", "'a' against 'b'"),
    "index": (Column([1], index=["a"]), Column([1], index=["b"]), ".index[0]", "'a' against 'b'"),
    "categorical and not": (Column(**CATEGORIES), Column(["a", "b"]), ".dtype", ""),
    "categories": (
        Column(["a"], categories=["a", "b"]),
        Column(["a"], categories=["b", "a"]),
        ".cat.categories[0]",
        "'a' against 'b'",
    ),
    "order of categories": (
        Column(**CATEGORIES),
        Column(**CATEGORIES, ordered=True),
        ".cat.ordered",
        "False against True",
    ),
    "values of columns": (
        Frame([("a", Column([1])), ("b", Column([2]))]),
        Frame([("a", Column([1])), ("b", Column([3]))]),
        "['b'][0]",
        "1 of 1 values outside the tolerance, here 2 against 3",
    ),
    "columns of frames": (
        Frame([("a", Column([1])), ("b", Column([2]))]),
        Frame([("b", Column([2]))]),
        ".columns",
        "missing column 'a'",
    ),
    "order of columns": (
        Frame([("a", Column([1])), ("b", Column([2]))]),
        Frame([("b", Column([2])), ("a", Column([1]))]),
        ".columns",
        "the columns stand in another order",
    ),
    "annotated array": (annotated(), annotated(obsm={"X_pca": np.eye(3, 2)}), ".obsm['X_pca'][0, 1]", "4 of 6 values"),
    "annotated frame": (annotated(), annotated(obs=Frame([("n", Column([1, 2, 4]))])), ".obs['n'][2]", "1 of 3 values"),
    "nested annotation": (annotated(), annotated(uns={"pca": {}}), ".uns['pca']", "missing key 'variance'"),
    "raw": (
        annotated(raw=AnnData(X=np.ones(1), var=[])),
        annotated(raw=AnnData(X=np.zeros(1), var=[])),
        ".raw.X[0]",
        "",
    ),
    "parts": (annotated(), annotated(varm={}), "", "unexpected part 'varm'"),
    "attributes of annotated data": (annotated(spatial=1), annotated(spatial=2), ".spatial", "1 against 2"),
    "more attributes of annotated data": (annotated(spatial=1), annotated(), "", "missing attribute 'spatial'"),
    "NaN as a key": ({NAN: 1}, {float("nan"): 2}, "[nan]", "1 against 2"),
    "matrices": (
        np.array([[1, 2], [3, 4]]).view(np.matrix),
        np.array([[1, 2], [3, 5]]).view(np.matrix),
        "[1, 1]",
        "1 of 4 values",
    ),
    "units": (Physical(values=[1], unit="m"), Physical(values=[1], unit="km"), ".unit", "'m' against 'km'"),
    "dimensions": (
        Labelled([1], coords={}),
        Labelled([1], coords={}, dims=("y",)),
        ".dims[0]",
        "'x' against 'y'",
    ),
    "coordinates": (
        Labelled([1], coords={"x": [1]}),
        Labelled([1], coords={"x": [2]}),
        ".coords['x'][0]",
        "1 of 1 values",
    ),
    "labelled values": (Labelled([1], coords={}), Labelled([2], coords={}), "[0]", "1 of 1 values"),
    "names of labelled arrays": (
        Labelled([1], coords={}),
        Labelled([1], coords={}, name="m"),
        ".name",
        "'n' against 'm'",
    ),
    "what is attached": (
        Labelled([1], coords={}, attrs={"unit": "m"}),
        Labelled([1], coords={}, attrs={"unit": "km"}),
        ".attrs['unit']",
        "'m' against 'km'",
    ),
    "arrays in data sets": (
        DataSet({"a": Labelled([1], coords={})}, {}),
        DataSet({"a": Labelled([2], coords={})}, {}),
        "['a'][0]",
        "1 of 1 values",
    ),
    "coordinates of data sets": (
        DataSet({"a": Labelled([1], coords={})}, {"t": [1]}),
        DataSet({"a": Labelled([1], coords={})}, {"t": [2]}),
        ".coords['t'][0]",
        "1 of 1 values",
    ),
    "a data set and an array": (DataSet({}, {}), Labelled([1], coords={}), "", f"{__name__}.DataSet (labelled data)"),
    "names of named tuples": (Point(1, 2), Place(1, 2), "._fields[1]", "'y' against 'z'"),
    "attributes of numbers": (
        with_attribute(Number(1), source="a"),
        with_attribute(Number(1), source="b"),
        ".source",
        "'a' against 'b'",
    ),
    "attributes of text": (
        with_attribute(Word("a"), source="a"),
        with_attribute(Word("a"), source="b"),
        ".source",
        "'a' against 'b'",
    ),
    "members that are numbers": (Level.HIGH, Level.LOW, "", "<Level.HIGH: 2> against <Level.LOW: 1>"),
    "what a sparse matrix is filled with": (Filled(1.0), Filled(2.0), ".fill_value", "1.0 against 2.0"),
    "names of the columns": (NamedFrame(Names("a")), NamedFrame(OtherNames("a")), ".columns.names[0]", "'genes'"),
    "columns of one name": (
        Frame([("a", Column([1])), ("a", Column([2]))]),
        Frame([("a", Column([1]))]),
        ".columns",
        "another number of columns 'a'",
    ),
    "what a view shows": (
        Aligned({"a": [1]}, parent_mapping={}, subset_idx=0),
        Aligned({"a": [2]}, parent_mapping={}, subset_idx=0),
        "['a'][0]",
        "1 against 2",
    ),
    "what else a mapping with such a name holds": (
        Named({}, parent_mapping=[1]),
        Named({}, parent_mapping=[2]),
        ".parent_mapping[0]",
        "1 against 2",
    ),
    "what was put into a view": (Aligned({}, note="a"), Aligned({}, note="b"), ".note", "'a' against 'b'"),
    "the index of a frame that is a mapping": (
        Disk(Frame([("a", Column([1], index=["p"]))], index=["p"])),
        Disk(Frame([("a", Column([1], index=["q"]))], index=["q"])),
        ".index[0]",
        "'p' against 'q'",
    ),
    "sparse matrices that are mappings": (
        Keyed({(1, 0): 2.0}, (2, 2)),
        Keyed({(1, 0): 3.0}, (2, 2)),
        "[1, 0]",
        "1 of 4 values outside the tolerance, here 2.0 against 3.0",
    ),
    "generators of different types": (
        np.random.default_rng(1),
        np.random.RandomState(1),
        "",
        "the generators are of different types: numpy.Generator(numpy.PCG64) against numpy.RandomState",
    ),
    "generators that draw in different ways": (
        np.random.Generator(np.random.PCG64(1)),
        np.random.Generator(np.random.Philox(1)),
        "",
        "the generators are of different types: numpy.Generator(numpy.PCG64) against numpy.Generator(numpy.Philox)",
    ),
    "generators of Python and NumPy": (
        random.Random(1),
        np.random.PCG64(1),
        "",
        "the generators are of different types: random.Random against numpy.PCG64",
    ),
    "text of NumPy": ([np.str_("a")], [np.str_("b")], "[0]", "'a' against 'b'"),
}


@pytest.mark.parametrize("name", DIFFERING)
def test_differs(name):
    expected, actual, where, note = DIFFERING[name]
    found = compared(expected, actual)
    assert (found.agrees, found.where) == (False, where)
    assert found.note.startswith(note)


@pytest.mark.parametrize(
    ("expected", "actual", "max_abs", "max_rel"),
    [
        (2.0, 3.0, 1.0, 0.5),
        (0, 3, 3.0, math.inf),  # No figure may look like no difference.
        (0, 0, 0.0, None),
        (NAN, NAN, None, None),
        (NAN, 1.0, NAN, NAN),
        (1.0, math.inf, math.inf, math.inf),
        (math.inf, 1.0, math.inf, math.inf),
        (math.inf, -math.inf, math.inf, math.inf),
        (math.inf, math.inf, 0.0, 0.0),
        ([0.0, 2.0], [1.0, 2.0], 1.0, math.inf),
        ([1.0, NAN, 1.0], [1.0, 1.0, 5.0], NAN, NAN),
        (np.array([0.0, 2.0]), np.array([1.0, 2.0]), 1.0, math.inf),
        (np.array([math.inf, 2.0]), np.array([1.0, 2.0]), math.inf, math.inf),
        (np.array([1.0, 2.0]), np.array([math.inf, 2.0]), math.inf, math.inf),
        (np.array([math.inf, 2.0]), np.array([math.inf, 2.0]), 0.0, 0.0),
        (np.array([0.0]), np.array([math.inf]), math.inf, math.inf),
        (np.array([0.0]), np.array([0.0]), 0.0, None),
        ("a", "b", None, None),
        ([1.0, "a"], [1.0, "b"], None, None),  # What differs is no number.
        ([1.0, "a"], [1.5, "b"], 0.5, 0.5),
        ([1.0, None], ["a", None], None, None),
        (1, "a", None, None),
        ([1.0, object()], [1.0, object()], None, None),  # Not compared, and no number may look like an answer.
        ([1.0, object()], [1.5, object()], 0.5, 0.5),
        ([1.0, 4.0], [1.5, 5.0], 1.0, 0.5),  # the largest of each, wherever they are
        (np.array([1.0, 4.0, 0.0, NAN]), np.array([1.5, 5.0, 0.0, 1.0]), NAN, NAN),
        (np.array([NAN]), np.array([NAN]), 0.0, None),
        (np.array([0, 255], np.uint8), np.array([255, 0], np.uint8), 255.0, math.inf),  # no wrapping around
        (np.array([-100], np.int8), np.array([100], np.int8), 200.0, 2.0),
        (LARGE, LARGE - 1, 1.0, 1 / LARGE),
        (np.array([LARGE]), np.array([LARGE - 1]), 1.0, 1 / LARGE),  # which are the same float
        (np.array([3 + 4j]), np.array([0j]), 5.0, 1.0),
    ],
)
def test_largest_differences(expected, actual, max_abs, max_rel):
    found = difference(expected, actual, rtol=0, atol=0)
    assert repr((found.max_abs, found.max_rel)) == repr((max_abs, max_rel))  # NaN is not equal to itself.


@pytest.mark.parametrize("kind", [list, np.array])
def test_noise_around_zero_does_not_drown_the_relative_differences(kind):
    found = difference(kind([0.0, 2.0]), kind([1e-9, 2.0 + 2e-7]), rtol=1e-5, atol=1e-8)
    assert found.agrees is True
    assert found.max_rel == pytest.approx(1e-7)


HUGE = {
    # Where a float cannot tell an integer from the next one.
    "integers": (10**400, 10**400 + 1, 1.0),
    "integers with a tolerance beyond floats": (10**400, 10**800, math.inf),
    "an integer and infinity": (10**400, math.inf, math.inf),
    "an integer and a complex number": (10**400, 1j, math.inf),
    "an integer and a float": (2**53 + 1, 2.0**53, 1.0),
    "an integer and a small complex number": (2**60, 1j, float(2**60)),
    "arrays": (np.array([2**60 + 1]), np.array([2**60 + 4]), 3.0),
    "arrays of other integers": (np.array([2**63], np.uint64), np.array([2**63 - 1]), 1.0),
    "arrays of small integers": (np.array([2**60]), np.array([1], np.int8), float(2**60 - 1)),
    "arrays of floats": (np.array([2**53 + 1]), np.array([2.0**53]), 1.0),
    "arrays of complex numbers": (np.array([2**60]), np.array([0j]), float(2**60)),
    "arrays with infinities": (np.array([2**60]), np.array([math.inf]), math.inf),
}


@pytest.mark.parametrize("name", HUGE)
def test_huge_integers_are_compared_exactly(name):
    expected, actual, max_abs = HUGE[name]
    found = compared(expected, actual, rtol=0, atol=0)
    assert (found.agrees, found.max_abs) == (False, max_abs)


@pytest.mark.parametrize(("rtol", "atol"), [(0, 0), (0, 0.1), (0.01, 0), (0.01, 0.1)])
@pytest.mark.parametrize("error", [0.05, 0.5, 1.05, 2.0])
def test_the_tolerances_are_those_of_numpy(rtol, atol, error):
    agrees = bool(np.isclose(100.0 + error, 100.0, rtol=rtol, atol=atol))
    assert difference(100.0, 100.0 + error, rtol=rtol, atol=atol).agrees is agrees
    assert difference(np.array([100.0]), np.array([100.0 + error]), rtol=rtol, atol=atol).agrees is agrees


def test_a_difference_from_zero_needs_an_absolute_tolerance():
    assert difference(0.0, 1e-12, rtol=1e-5, atol=0).agrees is False
    assert difference(np.zeros(1), np.full(1, 1e-12), rtol=1e-5, atol=0).agrees is False


def test_the_worst_place_is_shown():
    expected, actual = {"a": [1.0, 1.0], "b": np.ones((2, 2))}, {"a": [1.0, 2.0], "b": np.array([[1, 1], [9, 2.0]])}
    assert compared(expected, actual).where == "['b'][1, 0]"


def test_the_worst_place_within_the_tolerance_is_shown_too():
    found = compared([1.0, 1.0], [1.0, 1.0 + 1e-9])
    assert (found.agrees, found.where, found.note) == (True, "[1]", None)


def test_a_missing_part_outranks_numbers():
    assert compared({"a": 1.0, "b": {"c": 1}}, {"a": 9.0, "b": {}}).where == "['b']"


def test_large_arrays_are_measured_in_blocks(monkeypatch):
    monkeypatch.setattr(_arrays, "BLOCK", 3)
    expected, actual = np.zeros(10), np.zeros(10)
    actual[[1, 7]] = 1.0, 2.0
    found = compared(expected, actual)
    assert (found.where, found.max_abs, found.note[:7]) == ("[7]", 2.0, "2 of 10")


def test_narrow_floats_are_numbers():
    # The dtypes of `ml_dtypes` are of kind "V" and of a type of their own.
    assert _arrays.family(types.SimpleNamespace(names=None, kind="V", type=np.float16)) == "number"
    assert _arrays.family(np.dtype("V2")) == "raw"
    one, other = np.array([1.0, 2.0], np.float16), np.array([1.0, 2.5], np.float16)

    class Void:
        """An array of such a dtype, as far as it is looked at."""

        dtype = types.SimpleNamespace(kind="V")

        def __init__(self, values):
            self.astype = values.astype
            self.values = values

        def __len__(self):
            return len(self.values)

        def __getitem__(self, key):
            return Void(self.values[key])

    assert _arrays.measure(Void(one), Void(other), rtol=0, atol=0).max_abs == 0.5


# 8.5: what it cannot compare is reported as not compared, never as equal.

CYCLE = []
CYCLE.append(CYCLE)


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


class Printed(Exception):
    def __str__(self):
        raise ValueError


NOT_COMPARED = {
    "bare objects": (object(), object(), "builtins.object (object)"),
    "functions": (lambda: 0, lambda: 1, "builtins.function (object)"),
    "private state that differs": (Plain(_cache=1), Plain(_cache=2), "a private attribute (1 against 2)"),
    "private numbers": (Slots(1, 2.0), Slots(1, 3.0), "a private attribute (2.0 against 3.0)"),
    "private state of one": (Plain(_cache=1, x=1), Plain(x=1), "a private attribute of one of them"),
    "private parts that differ": (Plain(_x=[1, 2]), Plain(_x=[1]), "a private attribute (length 2 against 1)"),
    "fields that cannot be read": (Failing(1), Failing(1), "OSError: the file is closed"),
    "generators without a state": (Stateless(), Stateless(), "not compared: builtins.object (object)"),
    "keys that are not numbers": ({NAN: 1, float("nan"): 2}, {NAN: 1, float("nan"): 2}, "several keys of it are not a"),
    "no state": (Plain(), Plain(), f"{__name__}.Plain (object)"),
    "no opinion": (Opaque(NotImplemented), Opaque(NotImplemented), f"{__name__}.Opaque (object)"),
    "opinion that is no truth value": (Opaque([True]), Opaque([True]), f"{__name__}.Opaque (object)"),
    "objects of different classes": (Opaque(True), Plain(_x=1), ""),
    "failing comparison": (Opaque(RuntimeError("no\nway")), Opaque(True), "RuntimeError: no way"),
    "failing without a text": (Opaque(Printed()), Opaque(True), "Printed"),
    "panic": (Opaque(SystemExit(3)), Opaque(True), "SystemExit: 3"),
    "arrays that cannot be read": (OnDevice(), OnDevice(), "TypeError: not in host memory"),
    "objects of different classes with an opinion": (Decimal(1), Opaque(True), "decimal.Decimal (object)"),
    "too deep": (nested(150), nested(150), "nested too deeply"),
}


@pytest.mark.parametrize("name", NOT_COMPARED)
def test_not_compared(name):
    expected, actual, reason = NOT_COMPARED[name]
    found = difference(expected, actual, rtol=0, atol=0)
    assert found.agrees is None
    assert found.note.startswith(f"not compared: {reason}")
    assert found.where is not None
    assert (found.max_abs, found.max_rel) == (None, None)


def test_a_difference_is_still_found_beside_what_is_not_compared():
    found = compared([object(), 1, object()], [object(), 2, object()])
    assert (found.agrees, found.where) == (False, "[1]")
    assert found.note == "1 against 2; [0] not compared: builtins.object (object) (and 1 more)"


def test_keyboard_interrupt_passes():
    with pytest.raises(KeyboardInterrupt):
        difference(Opaque(KeyboardInterrupt()), Opaque(True), rtol=0, atol=0)


def test_cycles_end_and_shared_parts_are_walked_once():
    assert compared(CYCLE, copy.deepcopy(CYCLE)).agrees is True
    shared = [1.0]
    for _ in range(60):
        shared = [shared, shared]
    assert compared(shared, copy.deepcopy(shared)).agrees is True


def test_warnings_of_foreign_objects_are_not_passed_on():
    class Deprecated:
        dtype = np.dtype(float)

        def to_numpy(self):
            warnings.warn("old", DeprecationWarning, stacklevel=1)
            return np.ones(1)

    assert compared(Deprecated(), Deprecated()).agrees is True


def test_several_pairs_are_compared_at_once():
    found = difference_of([("result", 1, 1), ("data", [1.0], [2.0])], rtol=0, atol=0)
    assert (found.where, found.agrees) == ("data[0]", False)


def test_it_prints_what_it_found():
    text = "Difference(agrees=False, max_abs=1.0, max_rel=1.0, note='1 against 2', where='')"
    assert repr(compared(1, 2, rtol=0, atol=0)).replace("max_rel=0.5", "max_rel=1.0") == text


def test_texts_fit_in_a_line():
    assert shortened(["a\nb" * 100]).endswith("...")
    assert len(shortened("x" * 1000)) == 60
    assert error_text(ValueError("a\n  b")) == "ValueError: a b"
    assert error_text(ValueError()) == "ValueError"


def test_numpy_is_imported_only_when_an_array_is_met():
    code = (
        "import sys; from scverse_backends.testing._difference import difference;"
        "print(difference({'a': [1, 2.0, 'x', {3}]}, {'a': (1, 2, 'x', {3})}, rtol=0, atol=0).agrees,"
        "'numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.complex_numbers() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(value=VALUES)
def test_everything_agrees_with_its_copy(value):
    assert compared(value, copy.deepcopy(value), rtol=0, atol=0).agrees is True


@given(expected=VALUES, actual=VALUES)
def test_it_never_fails(expected, actual):
    assert difference(expected, actual, rtol=0, atol=0).agrees in {True, False, None}


# With the real libraries: everything above stands in for them, so that the rules are tested without them too.


def test_scipy():
    sparse = pytest.importorskip("scipy.sparse", reason="a scientific stack is not installed in every environment")
    matrix = sparse.csr_array(np.array([[0, 1.5], [2, 0]]))
    assert compared(matrix, matrix.tocsc()).agrees is True
    assert compared(matrix, matrix.tocsc() * 2).where == "[1, 0]"
    for keyed in (sparse.dok_array, sparse.dok_matrix):  # Which are mappings as well.
        assert compared(keyed(matrix), keyed(matrix)).agrees is True
        assert compared(keyed(matrix), keyed(matrix * 2)).where == "[1, 0]"
        assert compared(keyed(matrix), matrix).agrees is True
    assert compared(sparse.csr_matrix((10**6, 10**6)), sparse.csr_matrix((10**6, 10**6))).agrees is True


def test_pandas():
    pandas = pytest.importorskip("pandas", reason="a scientific stack is not installed in every environment")
    frame = pandas.DataFrame(
        {
            "n": [1, 2],
            "c": pandas.Categorical(["x", None]),
            "s": ["u", None],
            "i": pandas.array([1, None], dtype="Int64"),
        },
        index=["p", "q"],
    )
    assert compared(frame, frame.copy()).agrees is True
    for column, value in {"n": 3, "c": "x", "s": "v", "i": 7}.items():
        changed = frame.copy()
        changed.loc["q", column] = value
        assert compared(frame, changed).where == f"['{column}'][1]"
    assert compared(frame, frame.rename(index={"q": "r"})).where == ".index[1]"
    assert compared(frame["c"], frame["c"].cat.add_categories("z")).where == ".cat.categories.shape"


def test_anndata():
    anndata = pytest.importorskip("anndata", reason="a scientific stack is not installed in every environment")
    adata = anndata.AnnData(np.arange(6.0).reshape(3, 2))
    adata.raw = adata
    adata.obsm["X_pca"] = np.ones((3, 2))
    changed = adata.copy()
    assert compared(adata, changed).agrees is True
    changed.obsm["X_pca"][2, 1] = 5.0
    assert compared(adata, changed).where == ".obsm['X_pca'][2, 1]"
    # 8.5: views show what they show, whatever else their parents hold.
    assert compared(adata[:2], changed[:2]).agrees is True
    assert compared(adata[:2], changed[[0, 1]].copy()).agrees is True
    assert compared(adata[1:], changed[1:]).where == ".obsm['X_pca'][1, 1]"
