"""What must arrive at the backend, computed from the two signatures by the table of the contract, and nothing else."""

from __future__ import annotations

import inspect
from dataclasses import dataclass

SCALARS = (bool, int, float, complex, str, bytes, type(None))


@dataclass
class Routed:
    """The arguments that must arrive, and the names that must be warned about as dropped."""

    arrives: dict
    dropped: list


def at_default(value, default):
    if isinstance(value, tuple) and isinstance(default, tuple) and len(value) == len(default):
        return all(at_default(*pair) for pair in zip(value, default, strict=True))
    return value is default or (type(value) is type(default) and isinstance(value, SCALARS) and value == default)


def given(function, args, kwargs):
    """Return the arguments of a call by name; backend-only ones stand beside the host's."""
    host = inspect.signature(inspect.unwrap(function))
    open_ended = [p.name for p in host.parameters.values() if p.kind is p.VAR_KEYWORD]
    known = kwargs if open_ended else {name: value for name, value in kwargs.items() if name in host.parameters}
    bound = host.bind(*args, **known).arguments
    named = {name: value for name, value in bound.items() if name not in open_ended}
    for name in open_ended:
        named |= bound.get(name, {})
    return named | {name: value for name, value in kwargs.items() if name not in known}


def routed(function, implementation, args, kwargs):
    """Return what becomes of a call, by the table."""
    host = inspect.signature(inspect.unwrap(function)).parameters
    theirs = inspect.signature(implementation).parameters
    open_ended = any(p.kind is p.VAR_KEYWORD for p in theirs.values())
    result = Routed({}, [])
    for name, value in given(function, args, kwargs).items():
        if name in theirs or open_ended:
            result.arrives[name] = value
        elif name not in host or not at_default(value, host[name].default):
            result.dropped.append(name)
    return result


def arrived(call, name):
    """Return what arrived under a name, as a parameter or among the keys of ``**kwargs``."""
    if name in call:
        return call[name]
    if name == "data":
        return call["adata"]  # An adapter translates it.
    (rest,) = [call[key] for key in ("kwargs", "kwds") if key in call]
    return rest[name]
