"""The measured host: the same functions and classes for every library, and the wrappers that set the scale."""

from __future__ import annotations

import functools
import sys
import types
from contextvars import ContextVar

MODULE = "bench_host"
SIZES = (1, 5, 20)

_DOC = '''\
    """Compute something about the observations.

    The first paragraph says what is computed, and the second one how, so that
    the text has the length that it has in an ordinary scientific package.

    Parameters
    ----------
{entries}

    Returns
    -------
    The first argument, as it came.

    Raises
    ------
    ValueError
        If the observations are empty.

    Notes
    -----
    The cost grows with the number of observations; see the tutorial for the
    choice of the parameters.

    Examples
    --------
    >>> {name}(data)  # doctest: +SKIP
    """
'''


def function_source(name: str, count: int, *, documented: bool = False, extra: str = "") -> str:
    """Source of a function with ``count`` parameters; ``extra`` is a parameter that only a backend has."""
    names = [f"p{index}" for index in range(count)]
    signature = ", ".join([*names, *(["*", f"{extra}=None"] if extra else [])])
    entries = "\n".join(
        f"    {each}\n        What {each} stands for, in a sentence." for each in [*names, extra] if each
    )
    doc = _DOC.format(entries=entries, name=name) if documented else ""
    return f"def {name}({signature}):\n{doc}    return p0\n"


def class_source(name: str, count: int, *, header: str = "") -> str:
    """Source of a class whose constructor has ``count`` parameters and keeps the first."""
    names = ", ".join(f"p{index}" for index in range(count))
    return f"class {name}{header}:\n    def __init__(self, {names}):\n        self.p0 = p0\n"


def host_module(source: str, **namespace: object) -> types.ModuleType:
    """Execute ``source`` as the host's module: what a decorator finds there is what it finds in a real package."""
    module = sys.modules.setdefault(MODULE, types.ModuleType(MODULE))
    module.__dict__.update(namespace)
    exec(compile(source, f"<{MODULE}>", "exec"), module.__dict__)
    return module


def functions(count: int, parameters: int = 6) -> list[types.FunctionType]:
    """Return ``count`` functions with ordinary numpydoc docstrings."""
    names = [f"function_{index}" for index in range(count)]
    module = host_module("\n".join(function_source(name, parameters, documented=True) for name in names))
    return [vars(module)[name] for name in names]


def bare(function):
    """Wrap ``function`` and do nothing: what any decorator costs."""

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


def scoped(function, variable=ContextVar("scoped"), value=("fast",)):  # noqa: B008 - one variable serves all.
    """Wrap ``function`` and set one context variable around the call: what any call that keeps its selection costs."""

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        token = variable.set(value)
        try:
            return function(*args, **kwargs)
        finally:
            variable.reset(token)

    return wrapper


class Chosen:
    """What the dispatcher written by hand knows: whether anything was ever selected, and what is selected now."""

    touched = False
    process = None
    scope = ContextVar("chosen", default=None)


def by_hand(function, adapter, chosen=Chosen):
    """Dispatch in the fewest steps that keep the rules, for one backend whose parameters are the host's.

    No name is checked, no argument dropped, no warning given and no trace kept: what a dispatcher costs beyond this is
    its own; what this costs is Python's.
    """
    name = function.__name__
    scope = chosen.scope

    @functools.wraps(function)
    def wrapper(*args, backend=None, **kwargs):
        if backend is None:
            if not chosen.touched:
                return function(*args, **kwargs)
            backend = scope.get() or chosen.process
            if backend is None:
                return function(*args, **kwargs)
        elif backend == "cpu" and chosen.process is None and scope.get() is None:
            return function(*args, **kwargs)
        # The adapter is asked at each call, and what runs inside sees the selection.
        implementation = function if backend == "cpu" else getattr(adapter, name)
        token = scope.set(backend)
        try:
            return implementation(*args, **kwargs)
        finally:
            scope.reset(token)

    return wrapper


class Forwarding(type):
    """A metaclass whose ``__call__`` only forwards: what any class that decides at construction costs."""

    def __call__(cls, *args, **kwargs):
        return super().__call__(*args, **kwargs)
