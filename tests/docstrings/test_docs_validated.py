"""Numpydoc's validation, as hosts run it on themselves, finds nothing new in a decorated function (5.2)."""

from __future__ import annotations

import inspect
import itertools
import runpy
import warnings

import pytest
from numpydoc.docscrape import get_doc_object
from numpydoc.validate import validate

from scverse_backends import BackendDispatcher

ENTRY = "{} : int\n    A number.\n"
SECTIONS = {
    "Attributes": "a : int\n    An attribute.\n",
    "Returns": "int\n    The sum.\n",
    "Yields": "int\n    The next.\n",
    "Raises": "ValueError\n    If it is wrong.\n",
    "Warns": "UserWarning\n    If it is odd.\n",
    "See Also": "sum : The sum.\n",
    "Notes": "Text.\n",
    "Examples": ">>> 1\n1\n",
}


def section(title, text):
    return f"{title}\n{'-' * len(title)}\n{text}"


def complaints(function):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {code for code, _ in validate(get_doc_object(function))["errors"]}


class Tiled:
    name = "tiled"

    def f(self, *, tile=3, **kwargs):
        """Do it.

        Parameters
        ----------
        tile : int
            How many at once.
        """


def documents():
    """Yield signatures with docstrings that are in order, in the ways in which they can be."""
    titles = [[], ["Returns"], ["Yields", "Raises"], ["Raises", "Warns"], ["Attributes", "Returns", "Notes"]]
    titles += [["Returns", "Raises", "See Also", "Notes", "Examples"], ["Notes", "Examples"]]
    kwargs = "**kwargs\n    The others.\n"
    for more, takes_any, other in itertools.product(titles, [False, True], [False, True]):
        entries = ENTRY.format("x") + kwargs * (takes_any and not other)
        others = ENTRY.format("z") + kwargs * takes_any
        before = [title for title in more if title in ("Attributes", "Returns", "Yields")]
        parts = ["Sum.\n\nLonger.\n", section("Parameters", entries)]
        parts += [section(title, SECTIONS[title]) for title in before]
        parts += [section("Other Parameters", others)] if other else []
        parts += [section(title, SECTIONS[title]) for title in more if title not in before]
        yield f"x, {'z=1, ' if other else ''}{'**kwargs' if takes_any else ''}", "\n" + "\n".join(parts)
    yield "", "Sum."
    yield "x", "Sum."
    yield "x", "\nSum.\n"
    yield "x", "\nSum.\n\nReturns\n-------\nint\n    The sum.\n"


@pytest.mark.parametrize(("signature", "doc"), list(documents()))
def test_validation_finds_nothing_new(tmp_path, signature, doc):
    text = f'"""{doc}"""'.replace("\n", "\n    ")
    path = tmp_path / "validated.py"
    path.write_text(f"def f({signature}):\n    {text}\n")
    function = runpy.run_path(str(path))["f"]
    before = complaints(function)
    assert not before & {"PR03", "GL07"}
    dispatcher = BackendDispatcher(entrypoint_group="valid.backends", host_name="valid", untrusted="allow")
    decorated = dispatcher.backend_dispatch(function)
    assert "backend" in inspect.signature(decorated).parameters
    assert "backend" in decorated.__doc__
    assert complaints(decorated) <= before
    dispatcher.register(Tiled)
    assert "tile (tiled) : int" in decorated.__doc__
    # A name with its provider beside it is no parameter to it.
    assert complaints(decorated) <= before | {"PR01", "PR02"}
