"""What numpydoc's own checker says of a docstring."""

from __future__ import annotations

import warnings

from numpydoc.validate import validate


def complaints(name):
    """Return the codes of what is wrong with the docstring of a function, found by its full name."""
    with warnings.catch_warnings(action="ignore"):
        try:
            return sorted({code for code, _ in validate(name)["errors"]})
        except ValueError:
            return ["cannot be read"]
