"""Docstrings of hosts, and what parsers read in them."""

from __future__ import annotations

import inspect
import textwrap

from numpydoc.docscrape import NumpyDocString

from scverse_backends._docstrings.splice import Offer, Option

PLAIN = Option("batch_size", (Offer("my_backend", None, ("Backend batch size.",), "None"),))
TYPED = Option("tile", (Offer("my_backend", "int", (), "3"),))

HOST = """Sum.

Longer.

Parameters
----------
x : int
    A number.
y
    Another.

Returns
-------
int
    The sum.

Notes
-----
None.
"""
GOOGLE = """Sum.

Args:
    x (int): A number
        of many.
    y: Another.

Returns:
    The sum.
"""


def raw(doc):
    """Indent a docstring as Python 3.12 leaves it."""
    first, _, rest = doc.partition("\n")
    return first + "\n" + textwrap.indent(rest, "    ") + "    "


def numpydoc(doc):
    parsed = NumpyDocString(inspect.cleandoc(doc))
    return [entry.name for entry in parsed["Parameters"]], [entry.name for entry in parsed["Other Parameters"]]
