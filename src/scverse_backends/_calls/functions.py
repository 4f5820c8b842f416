"""``@backend_dispatch``: what can be decorated, and what the decorated function shows."""

from __future__ import annotations

from functools import update_wrapper
from keyword import iskeyword
from types import FunctionType, MethodType

from scverse_backends._calls.dispatched import Dispatched
from scverse_backends._docstrings.splice import add_backend_parameter, rename_parameter
from scverse_backends._foundation.labels import BACKEND_PARAMETER, CPU, fold, is_string

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from scverse_backends._calls.dispatched import Renamed
    from scverse_backends._calls.wrapper import Maker

_VARARGS, _VARKEYWORDS, _RUNS_IN_STEPS = 0x04, 0x08, 0x20 | 0x80 | 0x200
"""Flags of code, as :mod:`inspect` names them: of ``*args``, ``**kwargs``, and all kinds that run in steps."""


def dispatch_function(
    makers: tuple[Maker, Maker],
    function: Any,
    *,
    name: str | None,
    own_backend: str | None,
    own_backend_values: tuple[str, ...],
    renamed: Renamed,
    never_drop: frozenset[str],
) -> tuple[Callable[..., Any], Dispatched]:
    """Decorate one host function; a ``TypeError`` says why it cannot be dispatched, and what to do.

    The first of the makers makes the wrapper of a function whose calls may go straight to the host; the second, of one
    whose calls never do.
    """
    parameters = _checked_parameters(function, own_backend)
    _check_renamed(function, parameters, renamed)
    if own_backend_values and own_backend is None:
        raise TypeError(f"{_named(function)}: own_backend_values= needs own_backend=, whose values they are.")
    if any(fold(value) == CPU for value in own_backend_values):
        raise TypeError(
            f"{_named(function)}: own_backend_values cannot contain 'cpu', since backend='cpu' always asks for the "
            f"host."
        )
    attribute = name if name is not None else getattr(function, "__name__", None)
    if name is not None and not (is_string(name) and name):
        raise TypeError(f"{_named(function)}: name={name!r:.60} cannot be the name of a backend's function.")
    if not isinstance(attribute, str):
        raise TypeError(f"{_named(function)} has no __name__: say which name backends use, with name=....")
    record = Dispatched(function, attribute, renamed)
    record.never_drop = never_drop
    if own_backend is not None:
        from scverse_backends._signatures.own_backend import OwnBackend  # Few functions need it.

        record.own_backend = OwnBackend(own_backend, own_backend_values, function)
    wrapper = _wrapper(makers, function, record)
    _dress(wrapper, function, record)
    return wrapper, record


def _wrapper(makers: tuple[Maker, Maker], function: Any, record: Dispatched) -> Callable[..., Any]:
    """Return the wrapper for the kind of function that the host's is."""
    straight, deciding = makers
    plain = type(function) is FunctionType and not function.__code__.co_flags & _RUNS_IN_STEPS
    if not plain or function.__dict__:
        from scverse_backends._selection.kinds import driver_for, like  # Most functions need none of it.

        record.drive = driver_for(function)
        if record.drive is not None:
            return like(function, deciding(function, record))
    return (straight if record.own_backend is None else deciding)(function, record)


# One dictionary for all functions that need no other, since there are so many of them.
_KEYWORD_DEFAULTS = {BACKEND_PARAMETER: None}


def _dress(wrapper: Any, function: Any, record: Dispatched) -> None:
    """Give the wrapper everything that the host function shows."""
    defaults = getattr(function, "__kwdefaults__", None)
    own = record.own_backend
    keywords = _KEYWORD_DEFAULTS
    if defaults:
        keywords = {**keywords, **(defaults if own is None else own.renamed(defaults))}
    wrapper.__name__ = wrapper.__qualname__ = record.attribute
    update_wrapper(wrapper, function)
    wrapper.__defaults__ = getattr(function, "__defaults__", None)
    wrapper.__kwdefaults__ = keywords
    wrapper.__signature__ = record.merged_signature()
    annotations: dict[str, Any] = {}
    wrapper.__annotations__ = annotations
    record.annotate(wrapper)
    doc = wrapper.__doc__
    if isinstance(doc, str):
        if own is not None:
            doc = rename_parameter(doc, BACKEND_PARAMETER, own.name)
        wrapper.__doc__ = add_backend_parameter(doc)


def _check_renamed(function: Any, parameters: tuple[str, ...], renamed: Mapping[str, tuple[str, Any]]) -> None:
    """Refuse what could only go wrong when a call is routed."""
    what = _named(function)
    old_names: set[str] = set()
    for new, (old, convert) in renamed.items():
        if new not in parameters:
            raise TypeError(f"{what} has no parameter {new!r}, which renamed= names.")
        if not old.isidentifier() or old in parameters or old == BACKEND_PARAMETER or old in old_names:
            raise TypeError(
                f"{what}: renamed={{{new!r}: {old!r}}} needs the old name of a parameter. It must not be the name of a "
                f"parameter of today, and stands only once."
            )
        if convert is not None and not callable(convert):
            raise TypeError(f"{what}: the converter of {new!r} in renamed= is not callable: {convert!r:.60}.")
        old_names.add(old)


# -- what can be decorated ---------------------------------------------------------------------------------------------


def _named(function: Any) -> str:
    return str(getattr(function, "__qualname__", None) or repr(function))


def _checked_parameters(function: Any, own_backend: str | None) -> tuple[str, ...]:
    """Return the names of a function's parameters, once it is sure that it can be decorated."""
    what = _named(function)
    if isinstance(function, type):
        raise TypeError(f"{what} is a class: decorate it with backend_class instead of backend_dispatch.")
    if isinstance(function, (staticmethod, classmethod, property, MethodType)):
        raise TypeError(f"{what} is a method: only functions at the level of a module can be dispatched.")
    if not callable(function):
        raise TypeError(f"{what} is not callable: backend_dispatch decorates functions.")
    owner = getattr(function, "__qualname__", "").rpartition(".")[0]
    if owner and not owner.endswith("<locals>"):
        raise TypeError(
            f"{what} is defined in the body of {owner}: only functions at the level of a module can be dispatched. "
            f"Dispatch the whole class with backend_class, or move the computation into a function."
        )
    if decorated_record(function) is not None:
        raise TypeError(f"{what} is decorated already.")
    names = tuple(_parameter_names(function, what))
    if own_backend is None:
        if BACKEND_PARAMETER in names:
            raise TypeError(
                f"{what} has a parameter 'backend' of its own. Give it another name for callers: "
                f"@backend_dispatch(own_backend='parallel_backend', own_backend_values=('loky', 'threading'))."
            )
        return names
    if BACKEND_PARAMETER not in names and not _takes_any_keyword(function):
        raise TypeError(f"{what} has no parameter 'backend': leave own_backend= out.")
    if own_backend in (*names, BACKEND_PARAMETER):
        raise TypeError(f"{what} has a parameter {own_backend!r} already: choose another name for own_backend=.")
    if not own_backend.isidentifier() or iskeyword(own_backend):
        raise TypeError(f"own_backend={own_backend!r} cannot be the name of a parameter.")
    return tuple(own_backend if name == BACKEND_PARAMETER else name for name in names)


def _takes_any_keyword(function: Any) -> bool:
    """Whether a function has ``**kwargs``, which may pass a ``backend`` on to joblib, say."""
    from scverse_backends._signatures.accepted import signature_of  # As above.

    return any(p.kind is p.VAR_KEYWORD for p in signature_of(function).parameters.values())


def _parameter_names(function: Any, what: str) -> Iterator[str]:
    """Yield the names, read from the code where that is all there is to know, since hosts decorate by the hundred."""
    varargs = f"{what} takes *args, which cannot be mapped to a backend by name. Spell its parameters out."
    if type(function) is FunctionType and not {"__wrapped__", "__signature__"} & function.__dict__.keys():
        code = function.__code__
        if code.co_flags & _VARARGS:
            raise TypeError(varargs)
        count = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & _VARKEYWORDS)
        yield from code.co_varnames[:count]
        return
    from inspect import Parameter

    from scverse_backends._signatures.accepted import signature_of  # Hosts decorate plain functions by the hundred.

    try:
        # Annotations that cannot be evaluated yet say nothing against the function.
        parameters = signature_of(function).parameters.values()
    except (NameError, TypeError, ValueError) as error:
        raise TypeError(f"{what} cannot be inspected ({error}), so no backend could be called like it.") from error
    for parameter in parameters:
        if parameter.kind is Parameter.VAR_POSITIONAL:
            raise TypeError(varargs)
        yield parameter.name


def decorated_record(function: Any) -> Dispatched | None:
    """Return the record of a decorated function or class, ``None`` for anything else."""
    for cell in getattr(function, "__closure__", None) or ():
        try:
            contents = cell.cell_contents
        except ValueError:
            continue  # A name that is not bound yet.
        if isinstance(contents, Dispatched) and contents.wrapper_ref() is function:
            return contents
    return None
