"""Section 7.7: the annotations of a host, written in another module with the imports that they need."""

from __future__ import annotations

import decimal
import sys
import types
from inspect import Parameter

import pytest

from scverse_backends._skeleton.annotations import Import, Source, double_quoted, import_block

EMPTY = Parameter.empty

MODULE = """
from __future__ import annotations

import collections.abc as abc
import typing
import typing as t
from typing import TYPE_CHECKING, Any, Callable, Literal, Optional, Union

import os.path

from . import _sibling
from ._private import Exported, Hidden
from .public import Public
from ..other import Above

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray as Array
    from numpy._core import secret

class Here: ...
class Shown: ...
type Alias = int
"""


@pytest.fixture
def source(tmp_path, monkeypatch):
    """Make a function that reads the annotations of a module of a host."""
    package = tmp_path / "annotated_host"
    (package / "part").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "other.py").write_text("class Above: ...\n")
    for name, text in {
        "__init__": "",
        "_sibling": "",
        "_private": "class Exported: ...\nclass Hidden: ...\n",
        "public": "class Public: ...\n",
        "module": MODULE,
    }.items():
        (package / "part" / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    from annotated_host.part import module

    sys.modules["annotated_host"].Exported = module.Exported
    yield lambda **taken: Source(module.__name__, "annotated_host.part", taken)
    for name in [name for name in sys.modules if name.partition(".")[0] == "annotated_host"]:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("given", "text", "imports"),
    [
        ("int | None", "int | None", []),
        ("ArrayLike", "ArrayLike", [Import("numpy.typing", "ArrayLike")]),
        (
            "Array[np.float64]",
            "Array[np.float64]",
            [Import("numpy", None, "np"), Import("numpy.typing", "NDArray", "Array")],
        ),
        ("Literal['a', \"b\"]", 'Literal["a", "b"]', [Import("typing", "Literal")]),
        ("typing.Literal['a']", 'typing.Literal["a"]', [Import("typing")]),
        ("t.Any", "t.Any", [Import("typing", None, "t")]),
        ("abc.Sequence[str]", "abc.Sequence[str]", [Import("collections.abc", None, "abc")]),
        ("os.path.Thing", "os.path.Thing", [Import("os.path")]),
        # What `typing` only hands on is imported from where it is.
        ("Callable[[], int]", "Callable[[], int]", [Import("collections.abc", "Callable")]),
        ("Public", "Public", [Import("annotated_host.part.public", "Public")]),
        ("Above", "Above", [Import("annotated_host.other", "Above")]),
        # Written in private and exported from the package.
        ("Exported", "Exported", [Import("annotated_host", "Exported")]),
        ("Shown", "Shown", [Import("annotated_host.part.module", "Shown")]),
        # Objects, as `inspect` has them where annotations are evaluated.
        (int, "int", []),
        (list[int] | None, "list[int] | None", []),
        (types.SimpleNamespace, "types.SimpleNamespace", [Import("types")]),
    ],
)
def test_annotations_that_can_be_written_elsewhere(source, given, text, imports):
    found = source().annotation(given, EMPTY)
    assert (found.text, sorted(found.imports)) == (text, imports)


@pytest.mark.parametrize(
    "given",
    [
        EMPTY,
        "Hidden",
        "_sibling.Thing",
        "secret",
        "unknown_name",
        "unknown.name",
        # Linters would want these rewritten.
        "Optional[int]",
        "Union[int, str]",
        # They look into quotes, too.
        "list['Public']",
        # Nobody can read these.
        "not a type",
        "(",
    ],
)
def test_annotations_that_are_left_out(source, given):
    assert source().annotation(given, EMPTY) is None


@pytest.mark.parametrize(
    ("given", "is_kept"), [("int", False), ("int | None", True), ("Any", True), ("object", True), ("t.Any", True)]
)
def test_a_default_of_none_must_be_in_the_annotation(source, given, is_kept):
    assert (source().annotation(given, None) is not None) == is_kept


def test_one_name_means_one_thing(source):
    same, other = Import("numpy.typing", "ArrayLike"), Import("elsewhere", "ArrayLike")
    assert source(ArrayLike=same).annotation("ArrayLike", EMPTY) is not None
    assert source(ArrayLike=other).annotation("ArrayLike", EMPTY) is None
    # A function of that name stands in the same module.
    assert source(ArrayLike=None).annotation("ArrayLike", EMPTY) is None
    taken = {}
    Source("annotated_host.part.module", "annotated_host", taken).annotation("np.ndarray | Public", EMPTY)
    assert taken == {"np": Import("numpy", None, "np"), "Public": Import("annotated_host.part.public", "Public")}


@pytest.mark.parametrize("module", ["no_such_module", "sys"])
def test_a_module_without_a_source(module):
    assert Source(module, "annotated_host", {}).annotation("int", EMPTY).text == "int"
    assert Source(module, "annotated_host", {}).annotation("ArrayLike", EMPTY) is None


def test_what_is_known_at_run_time_only(monkeypatch):
    host = types.ModuleType("run_time_host")
    host.Decimal = host.Renamed = decimal.Decimal
    monkeypatch.setitem(sys.modules, "run_time_host", host)
    found = Source("run_time_host", "run_time_host", {})
    assert found.annotation("Decimal", EMPTY).imports == {Import("decimal", "Decimal")}
    assert found.annotation("Renamed", EMPTY) is None
    # As `inspect` shows the objects of `typing`.
    assert found.annotation("Literal['a']", EMPTY).imports == {Import("typing", "Literal")}


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("'a'", '"a"'),
        ("f('a', \"b\", 1)", 'f("a", "b", 1)'),
        ("'say \"a\"'", "'say \"a\"'"),
        (r"'\n'", r"'\n'"),
        ("b'a'", "b'a'"),
        ("1", "1"),
    ],
)
def test_double_quotes(code, expected):
    assert double_quoted(code) == expected


def test_the_block_of_imports():
    imports = [
        Import("numpy", None, "np"),
        Import("numpy.typing", "NDArray"),
        Import("numpy.typing", "ArrayLike"),
        Import("numpy", "float64", "f64"),
        Import("typing", "TYPE_CHECKING"),
        Import("typing", "Literal"),
        Import("typing", "cast"),
        Import("collections.abc", "Sequence"),
        Import("Zoo"),
        Import("my_backend.other", "thing"),
    ]
    assert import_block(imports, "my_backend") == [
        "from collections.abc import Sequence",
        "from typing import TYPE_CHECKING, Literal, cast",
        "",
        "import numpy as np",
        "import Zoo",
        "from numpy import float64 as f64",
        "from numpy.typing import ArrayLike, NDArray",
        "",
        "from my_backend.other import thing",
    ]
