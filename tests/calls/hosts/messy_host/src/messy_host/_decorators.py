"""The decorators that the host had before it dispatched."""

from __future__ import annotations

import functools
import inspect
import warnings
from textwrap import dedent


def fill_percent(**values):
    """Fill ``%(adata)s``; on a copy of the function."""

    def decorate(function):
        @functools.wraps(function)
        def filled(*args, **kwargs):
            return function(*args, **kwargs)

        filled.__doc__ = function.__doc__ % values
        return filled

    return decorate


def fill_braces(**values):
    """Fill ``{rng}`` and ``{s.MORAN.s!r}``; in place, as scanpy does."""

    def decorate(function):
        function.__doc__ = dedent(function.__doc__).format(**values)
        return function

    return decorate


def doctest_needs(module):
    """Leave a mark that the doctest runner reads."""

    def decorate(function):
        function._doctest_needs = module
        return function

    return decorate


def logged(function):
    """Stand between, as a decorator of the host's does."""

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        wrapper.calls += 1
        return function(*args, **kwargs)

    wrapper.calls = 0
    return wrapper


def accepts_random_state(function):
    """Turn ``random_state=``, the old spelling, into ``rng=``, and show only the new one."""

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        if "random_state" in kwargs:
            warnings.warn("random_state is called rng now.", FutureWarning, stacklevel=2)
            kwargs["rng"] = kwargs.pop("random_state")
        return function(*args, **kwargs)

    wrapper.__signature__ = inspect.signature(function)
    return wrapper
