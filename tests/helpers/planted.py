"""Nested values of every kind, each with all the single differences that can be planted into it.

A :class:`Planted` makes its value anew each time, so that two of them share nothing, and knows for each difference
where `compare` has to find it. The strategies need hypothesis; pandas, SciPy, anndata and xarray are used where they
are installed.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import importlib.util
import math
import random
import types
from collections import OrderedDict, deque, namedtuple
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st


class Plant(NamedTuple):
    """One difference: what it is, where it has to be found, what makes the value that has it, and what is said."""

    kind: str
    path: str
    make: Any
    agrees: bool | None = False


class Planted(NamedTuple):
    """A value: what makes it, the differences that can be planted, and other ways to make an equal value."""

    make: Any
    plants: tuple[Plant, ...]
    alike: tuple[Any, ...] = ()


def outcomes(value, difference):
    """Yield for each comparison what was planted, ``None`` where nothing was, whether that was found, and what was."""
    for make in (value.make, *value.alike):
        outcome = difference(value.make(), make(), rtol=0, atol=0)
        yield None, outcome.agrees is True, outcome
    for plant in value.plants:
        outcome = difference(value.make(), plant.make(), rtol=0, atol=0)
        yield plant, (outcome.agrees, outcome.where) == (plant.agrees, plant.path), outcome


def installed(name):
    return importlib.util.find_spec(name) is not None


# -- leaves ------------------------------------------------------------------------------------------------------------


class Color(enum.Enum):
    RED = 1
    BLUE = 2


def leaf(value, kind, other, alike=()):
    """Return an immutable value that differs by being another one."""
    return Planted(lambda: value, (Plant(kind, "", lambda: other),), tuple(lambda v=v: v for v in alike))


def number(value):
    if isinstance(value, int):
        return leaf(value, "an integer", value + 1, [float(value)] if abs(value) < 2**53 else [])
    if math.isnan(value):
        return leaf(value, "a float", 0.0, [float("nan")])
    if math.isinf(value):
        return leaf(value, "a float", -value)
    return leaf(value, "a float", math.nextafter(value, math.inf))


INTEGERS = st.integers() | st.integers(2**53, 2**53 + 9) | st.sampled_from([10**400, -(10**400), 2**63, 0])

LEAVES = st.one_of(
    INTEGERS.map(number),
    st.floats(allow_subnormal=False).map(number),
    st.complex_numbers(allow_nan=False, allow_infinity=False, max_magnitude=1e6).map(
        lambda v: leaf(v, "a complex number", v + 1j)
    ),
    st.booleans().map(lambda v: leaf(v, "a truth value", not v)),
    st.booleans().map(lambda v: leaf(v, "a truth value for a number", int(v))),
    st.text(max_size=5).map(lambda v: leaf(v, "a text", v + "x")),
    st.binary(max_size=5).map(lambda v: leaf(v, "bytes", v + b"x", [bytearray(v)])),
    st.just(leaf(None, "nothing", 0)),
    st.just(leaf(Color.RED, "a member", Color.BLUE)),
    st.decimals(allow_nan=False, allow_infinity=False, places=2).map(
        lambda v: leaf(v, "an object with an opinion", v + 1, [Decimal(str(v) + "0")])
    ),
    st.dates().map(lambda v: leaf(v, "an object with an opinion", v + dt.timedelta(1 if v.year < 9000 else -1))),
    st.just(leaf(dt.UTC, "an object with an opinion", dt.timezone(dt.timedelta(hours=1)))),
    st.just(Planted(lambda: other_value, (Plant("a function", "", lambda: filled, None),))),
    st.just(leaf(len, "an object with an opinion", max)),
)


# -- arrays ------------------------------------------------------------------------------------------------------------


DTYPES = (
    *("i1", "i8", "u1", "u8", "f2", "f4", "f8", "c8", "c16", "?", "U3", "S3", "M8[D]", "m8[s]"),
    *("O", "i4,U3", np.dtypes.StringDType()),
)


def filled(dtype, shape, seed):
    rng = np.random.default_rng(seed)
    dtype = np.dtype(dtype)
    if dtype.names is not None:
        array = np.zeros(shape, dtype)
        array["f0"], array["f1"] = rng.integers(9, size=shape), rng.integers(9, size=shape).astype("U3")
        return array
    if dtype.kind == "O":
        array = np.empty(shape, object)
        array.reshape(-1)[:] = [["a", None, 1, float("nan")][i] for i in rng.integers(4, size=array.size)]
        return array
    numbers = rng.integers(2 if dtype.kind == "b" else 99, size=shape)
    if dtype.kind in "iu" and seed % 3 == 0:
        numbers = np.iinfo(dtype).max - numbers.astype(dtype) % 3
    if dtype.kind in "fc" and seed % 3 == 0:
        numbers = np.where(numbers % 7 == 0, np.nan, numbers)
    return np.asarray(numbers).astype(dtype)


def other_value(value):
    """Return another value that has place in the same array."""
    if isinstance(value, np.void):
        return (value["f0"] + 1, value["f1"])
    if value is None or isinstance(value, str):
        return f"{value or ''}y"[-3:]
    if isinstance(value, bytes):
        return (value + b"y")[-3:] if value != b"yyy" else b"x"
    if isinstance(value, (bool, np.bool_)):
        return not value
    if isinstance(value, np.datetime64 | np.timedelta64):
        return value + np.timedelta64(1, np.datetime_data(value.dtype)[0])
    if isinstance(value, np.integer):
        return value - 1 if value == np.iinfo(value.dtype).max else value + value.dtype.type(1)
    return 7.0 if np.isnan(value) else value + 1


@st.composite
def arrays(draw, dtypes=DTYPES):
    dtype = draw(st.sampled_from(dtypes))
    shape = tuple(draw(st.lists(st.integers(1, 3), max_size=3)))
    seed = draw(st.integers(0, 99))

    def make():
        return np.asarray(filled(dtype, shape, seed))

    name = str(np.dtype(dtype).kind)
    plants = [
        Plant("a shape", ".shape", lambda: make()[np.newaxis]),
        Plant("a dtype", ".dtype", lambda: np.zeros(shape, "V3")),
    ]
    alike = [lambda: make().copy(order="F"), lambda: make()[..., np.newaxis][..., 0]]
    if np.dtype(dtype).kind in "iu" and np.dtype(dtype).itemsize < 8:
        alike.append(lambda: make().astype("f8"))
    index = tuple(draw(st.integers(0, axis - 1)) for axis in shape)

    def changed():
        array = make()
        value = array[index] if array.dtype.kind != "O" or shape else array.item()
        array[index] = other_value(value)
        return array

    field = "['f0']" if np.dtype(dtype).names else ""
    place = field + (f"[{', '.join(map(str, index))}]" if index else "")
    plants.append(Plant(f"a value of an array ({name})", place, changed))
    return Planted(make, tuple(plants), tuple(alike))


@st.composite
def masked_arrays(draw):
    array = draw(arrays(("i8", "f8", "U3")))
    value = array.make()
    hidden = draw(st.integers(0, max(value.size - 1, 0)))

    def masked(make, *places):
        made = np.ma.array(make())
        mask = np.zeros(made.shape, bool)
        mask.reshape(-1)[list(places)] = True
        made.mask = mask
        return made

    def under_the_mask():
        made = np.ma.array(array.plants[-1].make())
        made.mask = np.ones(made.shape, bool)
        return made

    place = [int(axis) for axis in np.unravel_index(hidden, value.shape)]
    at = f"[{', '.join(map(str, place))}]" if place else ""
    return Planted(
        lambda: masked(array.make),
        (
            Plant("a mask", f".mask{at}", lambda: masked(array.make, hidden)),
            array.plants[-1]._replace(make=lambda: masked(array.plants[-1].make)),
        ),
        (array.make,),
    ), Planted(lambda: masked(array.make, *range(value.size)), (), (under_the_mask,))


class Tagged(np.ndarray):
    """An array that says where it comes from, as NumPy's own guide to subclasses shows it."""


def tagged(make, **attributes):
    def made():
        array = np.asarray(make()).view(Tagged)
        vars(array).update(attributes)
        return array

    return made


@st.composite
def subclassed_arrays(draw):
    array = draw(arrays(("i8", "f8")))
    if draw(st.booleans()):
        flat = Planted(
            lambda: np.array([[1.0, 2.0], [3.0, 4.0]]).view(np.matrix),
            (
                Plant("a value of a matrix", "[1, 0]", lambda: np.array([[1.0, 2.0], [3.5, 4.0]]).view(np.matrix)),
                Plant("a shape", ".shape", lambda: np.array([[1.0, 2.0, 3.0, 4.0]]).view(np.matrix)),
            ),
            (lambda: np.array([[1.0, 2.0], [3.0, 4.0]]),),
        )
        return draw(st.sampled_from([flat]))
    return Planted(
        tagged(array.make, source="a"),
        (
            Plant("an attribute of an array", ".source", tagged(array.make, source="b")),
            Plant("a missing attribute of an array", "", tagged(array.make)),
            *(plant._replace(make=tagged(plant.make, source="a")) for plant in array.plants[-1:]),
        ),
    )


# -- generators of random numbers --------------------------------------------------------------------------------------


def drawn(make, draw):
    def made():
        generator = make()
        draw(generator)
        return generator

    return made


GENERATORS = st.sampled_from(
    [
        (lambda: np.random.default_rng(1), lambda g: g.random()),
        (lambda: np.random.default_rng(1), lambda g: g.spawn(1)),
        (lambda: np.random.PCG64(1), lambda g: g.random_raw()),
        (lambda: np.random.RandomState(1), lambda g: g.normal()),
        (lambda: random.Random(1), lambda g: g.random()),
    ]
).map(lambda pair: Planted(pair[0], (Plant("a generator of random numbers", "", drawn(*pair)),)))


# -- containers --------------------------------------------------------------------------------------------------------


def within(children, wrap, paths):
    """Return the plants of a container's children: as they are in it, at their paths."""
    for index, child in enumerate(children):
        for plant in child.plants:
            others = list(children)

            def make(index=index, plant=plant, others=others):
                return wrap([plant.make() if i == index else other.make() for i, other in enumerate(others)])

            yield plant._replace(path=paths[index] + plant.path, make=make)


def alike_within(children, wrap):
    for index, child in enumerate(children):
        for alike in child.alike:

            def make(index=index, alike=alike):
                return wrap([alike() if i == index else other.make() for i, other in enumerate(children)])

            yield make


def container(children, wrap, paths, own=(), alike=()):
    children = list(children)

    def make(wrap=wrap):
        return wrap([child.make() for child in children])

    own = tuple(Plant(kind, path, lambda w=w: make(w), agrees) for kind, path, w, agrees in own)
    others = tuple(lambda w=w: make(w) for w in alike)
    return Planted(make, (*own, *within(children, wrap, paths)), (*others, *alike_within(children, wrap)))


class Labelled(list):
    """A list that somebody has put an attribute into."""


def labelled(values, **attributes):
    made = Labelled(values)
    vars(made).update(attributes)
    return made


def sequences(children):
    paths = [f"[{index}]" for index in range(len(children))]
    shorter = [("a missing element", "", lambda values: values[:-1], False)] if children else []
    return container(children, list, paths, shorter, [tuple, deque])


def labelled_sequences(children):
    paths = [f"[{index}]" for index in range(len(children))]
    return container(
        children,
        lambda values: labelled(values, source="a"),
        paths,
        [("an attribute of a list", ".source", lambda values: labelled(values, source="b"), False)],
    )


KEYS = ("a", "a b", 1, 2.5, None, True, float("nan"), ("x", 1), (float("nan"), "y"), b"k", "ß" * 40, "k" * 90)


@st.composite
def mappings(draw, children):
    keys = draw(
        st.lists(st.sampled_from(range(len(KEYS))), unique=True, min_size=len(children), max_size=len(children))
    )
    # 1 and True are the same key.
    keys = [KEYS[key] if KEYS[key] is not True else "true" for key in keys]

    def again(key):
        """Return an equal key that is another object, as another program would have made it."""
        if isinstance(key, tuple):
            return tuple(map(again, key))
        return float(str(key)) if isinstance(key, float) else key

    def wrap(values, kind=dict, drop=0):
        pairs = list(zip(map(again, keys), values, strict=True))
        return kind(pairs[: len(pairs) - drop])

    return container(
        children,
        wrap,
        [f"[{key!r}]" for key in keys],
        [("a missing key", "", lambda values: wrap(values, drop=1), False)] if children else [],
        [
            lambda values: wrap(values, OrderedDict),
            lambda values: dict(reversed(list(wrap(values).items()))),
            lambda values: types.MappingProxyType(wrap(values)),
        ],
    )


@dataclasses.dataclass
class Result:
    first: Any
    second: Any


class Bare:
    """An object that holds whatever is put into it."""

    def __init__(self, **attributes):
        vars(self).update(attributes)


class Slotted:
    __slots__ = ("first", "second")


Point = namedtuple("Point", ["first", "second"])  # noqa: PYI024 - as many libraries make theirs.
Other = namedtuple("Other", ["first", "zweites"])  # noqa: PYI024 - as above.


def slotted(values):
    made = Slotted()
    made.first, made.second = values
    return made


def with_attribute(made, **attributes):
    vars(made).update(attributes)
    return made


def records(children):
    one, two = children
    fields = [".first", ".second"]
    yield container(
        [one, two],
        lambda v: with_attribute(Result(*v), more=1),
        fields,
        [
            ("an attribute that is no field", ".more", lambda v: with_attribute(Result(*v), more=2), False),
            ("a missing attribute", "", lambda v: Result(*v), False),
        ],
    )
    yield container(
        [one, two],
        lambda v: Bare(first=v[0], second=v[1], _cache=1),
        fields,
        [
            ("a private attribute", "._cache", lambda v: Bare(first=v[0], second=v[1], _cache=2), None),
            ("a missing private attribute", "._cache", lambda v: Bare(first=v[0], second=v[1]), None),
            ("a missing attribute", "", lambda v: Bare(first=v[0], _cache=1), False),
        ],
    )
    yield container([one, two], slotted, fields)
    yield container(
        [one, two],
        lambda v: Point(*v),
        ["[0]", "[1]"],
        [("the names of a named tuple", "._fields[1]", lambda v: Other(*v), False)],
        [tuple],
    )
    yield container([one, two], lambda v: types.SimpleNamespace(first=v[0], second=v[1]), fields)


NAN = float("nan")
ELEMENTS = st.lists(st.sampled_from(["a", 1, 2.5, None, ("x", NAN), frozenset({1}), NAN]), unique_by=id, max_size=4)


def sets(elements):
    def make(*more, kind=set):
        return kind([*(float("nan") if element is NAN else element for element in elements), *more])

    return Planted(make, (Plant("an element", "", lambda: make("new")),), (lambda: make(kind=frozenset),))


# -- the libraries of science ------------------------------------------------------------------------------------------


LABELS = ["a", "b", float("nan"), ("p", 1), 7, "two words"]


@st.composite
def frames(draw):
    import pandas as pd

    names = draw(st.lists(st.sampled_from(range(len(LABELS))), unique=True, min_size=1, max_size=4))
    kinds = draw(st.lists(st.sampled_from(["i8", "f4", "str", "category", "M8[ns]", "Int64", "tz", "O"]), min_size=4))

    def column(kind, bump):
        base = [1 + bump, 2, 3]
        if kind == "category":
            return pd.Categorical.from_codes([bump, 1, 0], ["u", "v"])
        if kind == "str":
            return pd.Series([f"s{b}" for b in base], index=["r0", "r1", "r2"]).to_numpy()
        if kind == "M8[ns]":
            return pd.to_datetime([f"2020-01-0{b}" for b in base])
        if kind == "tz":
            return pd.to_datetime([f"2020-01-0{b}" for b in base]).tz_localize("UTC")
        if kind == "Int64":
            return pd.array([1 + bump, None, 3], dtype="Int64")
        return np.array(base, kind)

    def make(bump=None, index=("r0", "r1", "r2")):
        columns = pd.Index([LABELS[name] for name in names], name="genes", tupleize_cols=False, dtype=object)
        data = [column(kinds[i], bump == i) for i in range(len(names))]
        frame = pd.concat([pd.Series(d) for d in data], axis=1)
        frame.columns = columns
        frame.index = pd.Index(index, name="cells")
        frame.attrs["unit"] = "counts"
        return frame

    def changed(change):
        def made():
            frame = make()
            change(frame)
            return frame

        return made

    def set_name(frame):
        frame.index.name = "Cells"

    def set_columns_name(frame):
        frame.columns.name = "Genes"

    def set_attrs(frame):
        frame.attrs["unit"] = "log"

    return Planted(
        make,
        (
            Plant("the name of an index", ".index.names[0]", changed(set_name)),
            Plant("the name of the columns", ".columns.names[0]", changed(set_columns_name)),
            Plant("an attribute of a frame", ".attrs['unit']", changed(set_attrs)),
            Plant("a label of an index", ".index[1]", lambda: make(index=("r0", "rx", "r2"))),
            Plant("a missing row", ".index.shape", lambda: make().iloc[:2]),
            *(
                Plant(f"a value of a column ({kinds[i]})", f"[{LABELS[name]!r}][0]", lambda i=i: make(bump=i))
                for i, name in enumerate(names)
            ),
        ),
        (lambda: make().copy(),),
    )


@st.composite
def columns(draw):
    import pandas as pd

    kind = draw(st.sampled_from(["series", "index", "levels", "categorical"]))
    if kind == "series":
        return Planted(
            lambda: pd.Series([1, 2], name="n"),
            (
                Plant("the name of a column", ".name", lambda: pd.Series([1, 2], name="m")),
                Plant("a value of a column", "[1]", lambda: pd.Series([1, 3], name="n")),
                Plant("a label of an index", ".index[0]", lambda: pd.Series([1, 2], name="n", index=[5, 1])),
            ),
            (lambda: pd.Series([1.0, 2.0], name="n"),),
        )
    if kind == "levels":
        levels = [("a", 1), ("a", 2)]
        return Planted(
            lambda: pd.MultiIndex.from_tuples(levels, names=["x", "y"]),
            (
                Plant(
                    "the name of a level of an index",
                    ".names[1]",
                    lambda: pd.MultiIndex.from_tuples(levels, names=["x", "z"]),
                ),
                Plant(
                    "a label of a level of an index",
                    "[1][1]",
                    lambda: pd.MultiIndex.from_tuples([("a", 1), ("a", 3)], names=["x", "y"]),
                ),
            ),
        )
    if kind == "categorical":
        return Planted(
            lambda: pd.Categorical(["a", "b"]),
            (
                Plant("the order of categories", ".cat.ordered", lambda: pd.Categorical(["a", "b"], ordered=True)),
                Plant("a category", ".cat.categories.shape", lambda: pd.Categorical(["a", "b"], ["a", "b", "c"])),
                Plant("a value of a column", "[1]", lambda: pd.Categorical(["a", "a"], ["a", "b"])),
            ),
        )
    return Planted(
        lambda: pd.Index(["a", "b"], name="n"),
        (
            Plant("the name of an index", ".names[0]", lambda: pd.Index(["a", "b"], name="m")),
            Plant("a label of an index", "[0]", lambda: pd.Index(["c", "b"], name="n")),
        ),
    )


@st.composite
def sparse_matrices(draw, formats=("csr_matrix", "csc_array", "coo_array", "csr_array")):
    import scipy.sparse as sp

    seed = draw(st.integers(0, 99))
    kind = getattr(sp, draw(st.sampled_from(formats)))

    def make(kind=kind):
        return kind(sp.random(4, 5, 0.4, random_state=seed, dtype=np.float32, format="csr"))

    row, col = draw(st.integers(0, 3)), draw(st.integers(0, 4))

    def changed():
        matrix = make().tolil()
        matrix[row, col] = matrix[row, col] + 1
        return kind(matrix)

    def with_zeros():
        matrix = make(sp.coo_array)
        return sp.coo_array(
            (
                np.append(matrix.data, [0.0, 0.0, 0.0]).astype("f4"),
                (np.append(matrix.row, [0, 1, 1]), np.append(matrix.col, [0, 1, 1])),
            ),
            shape=matrix.shape,
        )

    return Planted(
        make,
        (
            Plant("a value of a sparse matrix", f"[{row}, {col}]", changed),
            Plant("the shape of a sparse matrix", ".shape", lambda: make().T),
            Plant("a sum of a sparse matrix", "", lambda: make().toarray()),
        ),
        (lambda: make(sp.csc_matrix), lambda: make(sp.coo_matrix), with_zeros),
    )


@st.composite
def annotated(draw):
    import anndata
    import pandas as pd

    matrix = draw(sparse_matrices(["csr_matrix"]))
    extra = draw(LEAVES | GENERATORS)

    def make(x=matrix.make, uns=extra.make, change=lambda adata: None):
        adata = anndata.AnnData(
            x(),
            obs=pd.DataFrame({"n": [1, 2, 3, 4]}, index=list("pqrs")),
            var=pd.DataFrame({"g": pd.Categorical(list("uvuvu"))}, index=list("abcde")),
        )
        adata.raw = adata.copy()
        adata.obsm["X_pca"] = np.ones((4, 2))
        adata.obsp["graph"] = np.eye(4)
        adata.varm["PCs"] = np.ones((5, 2))
        adata.layers["counts"] = np.ones((4, 5))
        adata.uns["nested"] = {"value": uns()}
        adata.purpose = "test"
        change(adata)
        return adata

    def setting(path, change):
        kind = f"a part of annotated data ({path.split('[')[0]})"
        return Plant(kind, path, lambda: make(change=change))

    def obs(adata):
        adata.obs.loc["r", "n"] = 7

    def graph(adata):
        adata.obsp["graph"][1, 2] = 5

    def pca(adata):
        adata.obsm["X_pca"][3, 1] = 5

    def loadings(adata):
        adata.varm["PCs"][4, 0] = 5

    def layer(adata):
        adata.layers["counts"][0, 1] = 5

    def attribute(adata):
        adata.purpose = "other"

    def name(adata):
        adata.obs.index.name = "cell"

    def values(adata):
        adata.X = matrix.plants[0].make()

    def raw(adata):
        adata.raw.var.loc["c", "g"] = "v"

    return Planted(
        make,
        (
            setting(".obs['n'][2]", obs),
            setting(".obsp['graph'][1, 2]", graph),
            setting(".obsm['X_pca'][3, 1]", pca),
            setting(".varm['PCs'][4, 0]", loadings),
            setting(".layers['counts'][0, 1]", layer),
            setting(".purpose", attribute),
            setting(".obs.index.names[0]", name),
            setting(".raw.var['g'][2]", raw),
            setting(f".X{matrix.plants[0].path}", values),
            *(
                plant._replace(
                    path=f".uns['nested']['value']{plant.path}", make=lambda plant=plant: make(uns=plant.make)
                )
                for plant in extra.plants
            ),
        ),
    )


@st.composite
def labelled_data(draw):
    import xarray as xr

    def array(value=1.0, dims=("x", "y"), unit="m", coordinate=1, name="n"):
        values = np.arange(6.0).reshape(2, 3)
        values[1, 2] = value
        return xr.DataArray(
            values, dims=dims, coords={"t": coordinate, dims[0]: [1, 2]}, attrs={"unit": unit}, name=name
        )

    def dataset(**options):
        attrs = {"made": options.pop("made", "here")}
        return xr.Dataset({"one": array(**options), "two": ("z", [1, 2])}, attrs=attrs)

    if draw(st.booleans()):
        return Planted(
            array,
            (
                Plant("a value of labelled data", "[1, 2]", lambda: array(value=2.0)),
                Plant("a dimension", ".dims[1]", lambda: array(dims=("x", "z"))),
                Plant("an attribute of labelled data", ".attrs['unit']", lambda: array(unit="km")),
                Plant("a coordinate", ".coords['t']", lambda: array(coordinate=2)),
                Plant("the name of labelled data", ".name", lambda: array(name="m")),
            ),
        )
    return Planted(
        dataset,
        (
            Plant("a value of labelled data", "['one'][1, 2]", lambda: dataset(value=2.0)),
            Plant("an attribute of labelled data", ".attrs['made']", lambda: dataset(made="there")),
            Plant("a coordinate", ".coords['t']", lambda: dataset(coordinate=2)),
        ),
    )


def _leaves():
    yield LEAVES
    yield arrays()
    yield GENERATORS
    yield subclassed_arrays()
    yield masked_arrays().flatmap(st.sampled_from)
    yield ELEMENTS.map(sets)
    if installed("pandas"):
        yield frames()
        yield columns()
    if installed("scipy"):
        yield sparse_matrices()
    if installed("anndata"):
        yield annotated()
    if installed("xarray"):
        yield labelled_data()


def _containers(inner):
    yield st.lists(inner, max_size=4).map(sequences)
    yield st.lists(inner, max_size=3).map(labelled_sequences)
    yield st.lists(inner, max_size=4).flatmap(mappings)
    yield st.tuples(inner, inner).map(list).flatmap(lambda pair: st.sampled_from(list(records(pair))))


VALUES = st.recursive(st.one_of(*_leaves()), lambda inner: st.one_of(*_containers(inner)), max_leaves=6)
