"""``@backend_dispatch``: the decorated function, and the short way that nearly every call takes through it.

The figures that shape :func:`plain_maker` are those of ``docs/performance.md``. While nothing is selected in the
process, a call reads one attribute and forwards. A call on a backend whose plan says "the same names, nothing to drop"
sets one context variable and forwards. Everything else is :class:`~scverse_backends._calls.dispatch.Dispatch`'s.
"""

from __future__ import annotations

import inspect
from functools import update_wrapper
from keyword import iskeyword
from time import perf_counter
from types import FunctionType, MethodType

from scverse_backends._calls.dispatch import begin
from scverse_backends._calls.dispatched import Dispatched
from scverse_backends._calls.merge import write_annotations
from scverse_backends._docstrings.splice import add_backend_parameter, rename_parameter
from scverse_backends._foundation.labels import CPU, fold, is_string
from scverse_backends._selection.state import CPU_CHOICE, settle_call
from scverse_backends._selection.steps import Steps, driver_for, like
from scverse_backends._signatures.accepted import signature_of
from scverse_backends._signatures.arguments import BACKEND_PARAMETER
from scverse_backends._signatures.own_backend import OwnBackend
from scverse_backends._signatures.plan import NO_PLAN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import CodeType
    from typing import Any

    from scverse_backends._calls.dispatch import Dispatch
    from scverse_backends._selection.trace import Call

    type Maker = Callable[[Callable[..., Any], Dispatched], Callable[..., Any]]


def plain_maker(dispatch: Dispatch) -> Maker:  # noqa: PLR0915 - see the wrapper.
    """Return what makes the wrappers of plain functions for one dispatcher.

    A wrapper's closure holds the host function, its record, and two objects that all wrappers of the dispatcher
    share, which pickle by reference to the host's own.
    """
    selection = dispatch.selection

    def make(function: Callable[..., Any], record: Dispatched) -> Callable[..., Any]:  # noqa: PLR0915 - as above.
        # A part in a function of its own would cost each call another call.
        def wrapper(*args: Any, backend: Any = None, **kwargs: Any) -> Any:  # noqa: PLR0915 - see above.
            if backend is None:
                if selection.idle:
                    try:
                        return function(*args, **kwargs)
                    except TypeError as error:
                        dispatch.explain_type_error(record, error, kwargs)
                        raise
                state = selection.current()
                choice = state.short
                if choice is None:
                    choice = selection.base.choice
                if choice is CPU_CHOICE:
                    try:
                        return function(*args, **kwargs)
                    except TypeError as error:
                        dispatch.explain_type_error(record, error, kwargs)
                        raise
                plan = record.current
                if plan.outer is not state or plan.choice is not choice:
                    return dispatch.call(record, None, args, kwargs)
                inner = plan.inner
            else:
                plan = None
                if backend is not CPU:
                    try:
                        plan = record.pinned[backend]
                    except Exception:  # noqa: BLE001 - not prepared yet, or not even hashable.
                        plan = NO_PLAN  # The long way begins outside this clause: what it runs shall not see the error.
                if plan is not None:
                    state = plan.outer
                    if state is not selection.current():
                        return dispatch.call(record, backend, args, kwargs)
                    inner = plan.inner
                elif selection.asleep:
                    # No scope is opened here; Selection.wake() finds this frame by its code and its missing ``inner``.
                    try:
                        return function(*args, **kwargs)
                    except TypeError as error:
                        dispatch.explain_type_error(record, error, kwargs)
                        raise
                    finally:
                        if not selection.asleep:
                            selection.unpin()  # type: ignore[unreachable]  # what the call did may have woken the process.
                else:
                    state, inner = record.cpu_states
                    if state is not selection.current():
                        return dispatch.call(record, CPU, args, kwargs)
            implementation: Any
            if plan is None:
                implementation = function
            else:
                try:
                    namespace = plan.namespace
                    implementation = (
                        getattr(plan.adapter, plan.attribute) if namespace is None else namespace[plan.attribute]
                    )
                except Exception:  # noqa: BLE001 - asked again, and told apart, on the long way.
                    implementation = NO_PLAN  # As above: no plan is for it.
                if not (
                    implementation is plan.exact
                    or (
                        type(implementation) is MethodType
                        and implementation.__func__ is plan.exact_function
                        and implementation.__self__ is plan.owner
                    )
                ) and (
                    len(args) > plan.aligned
                    or (kwargs and not plan.direct.issuperset(kwargs))
                    or (implementation is not plan.implementation and not plan.is_for(implementation))
                    or (plan.needs_all is not None and not plan.needs_all(args, kwargs))
                ):
                    return dispatch.call(record, backend, args, kwargs)
            variable = selection.variable
            changes = selection.changes
            try:
                token = variable.set(inner)
            except BaseException:
                variable.set(state)  # An interrupt arrived when the state was set and the token was not there yet.
                raise
            try:
                return implementation(*args, **kwargs)
            except TypeError as error:
                if plan is None:
                    dispatch.explain_type_error(record, error, kwargs)
                else:
                    dispatch.explain_backend_type_error(record, plan, args, kwargs)
                raise
            finally:
                if selection.changes is changes:
                    variable.reset(token)
                else:
                    try:
                        current = variable.get()
                    finally:
                        variable.reset(token)
                    settle_call(variable, state, inner, current)

        return wrapper

    return make


def _inner_code(outer: CodeType, name: str) -> CodeType:
    codes: Iterator[CodeType] = (code for code in outer.co_consts if getattr(code, "co_name", None) == name)
    return next(codes)


CALL_CODE = _inner_code(_inner_code(plain_maker.__code__, "make"), "wrapper")
"""The code that every plain wrapper shares, by which frames of running calls are known."""


def _stepwise(
    dispatch: Dispatch, record: Dispatched, drive: Callable[[Any, Steps, str, str], Any]
) -> Callable[..., Any]:
    """Return the wrapper of a function whose body runs in steps: its selection is fixed when it is called."""

    def wrapper(*args: Any, backend: Any = None, **kwargs: Any) -> Any:
        state = dispatch.selection.state()
        ended = _Ended(begin(record, state)) if state.traces else None
        try:
            route, inner = dispatch.prepare(record, backend, args, kwargs, None if ended is None else ended.call)
            steps = Steps(dispatch.selection.variable, inner, ended)
            result = steps.run(dispatch.invoke, record, route)
        except BaseException as error:
            if ended is not None:
                ended(error)
            raise
        return drive(result, steps, record.name, getattr(record.function, "__qualname__", record.name))

    return wrapper


class _Ended:
    """Completes the record of a call whose body runs in steps."""

    __slots__ = ("_started", "call")

    def __init__(self, call: Call) -> None:
        self.call = call
        self._started = perf_counter()

    def __call__(self, error: BaseException | None) -> None:
        self.call.seconds = perf_counter() - self._started
        self.call.exception = None if isinstance(error, GeneratorExit) else error


def _wrapper(dispatch: Dispatch, plain: Maker, function: Callable[..., Any], record: Dispatched) -> Callable[..., Any]:
    """Return the wrapper for the kind of function that the host's is."""
    drive = driver_for(function)
    if drive is None:
        return plain(function, record)
    return like(function, _stepwise(dispatch, record, drive))


def _with_own_backend(
    dispatch: Dispatch, record: Dispatched, own: OwnBackend, inside: Callable[..., Any]
) -> Callable[..., Any]:
    """Return a wrapper that still takes the host's own values as ``backend=``."""

    def wrapper(*args: Any, backend: Any = None, **kwargs: Any) -> Any:
        if own.is_old_value(backend):
            given = own.given(args, kwargs)
            if given:
                raise TypeError(
                    f"{record.name}() got both {own.name}={given[0]!r} and backend={backend!r}, which is the "
                    f"old spelling of the same. Give {own.name}= only."
                )
            dispatch.warner.warn_plainly(
                f"{record.name}(backend={backend!r}) is deprecated: write {own.name}={backend!r}. "
                f"The parameter 'backend' selects the implementation of {dispatch.warner.host}.",
                FutureWarning,
                record.codes(),
            )
            kwargs[own.name] = backend
            backend = None
        return inside(*args, backend=backend, **kwargs)

    return wrapper


def dispatch_function(
    dispatch: Dispatch,
    plain: Maker,
    function: Any,
    *,
    name: str | None,
    own_backend: str | None,
    own_backend_values: tuple[str, ...],
    renamed: dict[str, tuple[str, Callable[[Any], Any] | None]],
) -> tuple[Callable[..., Any], Dispatched]:
    """Decorate one host function.

    Raises
    ------
    TypeError
        If it is none that can be dispatched; the message says why and what to do.
    """
    parameters = _checked_parameters(function, own_backend)
    _check_renamed(function, parameters, renamed)
    if any(fold(value) == CPU for value in own_backend_values):
        raise TypeError(
            f"{_named(function)}: own_backend_values cannot contain 'cpu', since backend='cpu' always asks for the "
            f"host."
        )
    attribute = name if name is not None else getattr(function, "__name__", None)
    if name is not None and not (is_string(name) and name):
        raise TypeError(f"{_named(function)}: name={name!r:.60} is no name that a backend could give its function.")
    if not isinstance(attribute, str):
        raise TypeError(f"{_named(function)} has no __name__: say which name backends use, with name=....")
    own = None
    implementation = function
    if own_backend is not None:
        own = OwnBackend(own_backend, own_backend_values, function)
        implementation = own.host_function(function)
    record = Dispatched(implementation, attribute, renamed)
    record.own_backend = own
    wrapper = _wrapper(dispatch, plain, implementation, record)
    if own is not None:
        wrapper = like(function, _with_own_backend(dispatch, record, own, wrapper))
    _dress(wrapper, function, record, attribute)
    return wrapper, record


# One dictionary for all functions that need no other, since there are so many of them.
_KEYWORD_DEFAULTS = {BACKEND_PARAMETER: None}


def _dress(wrapper: Any, function: Any, record: Dispatched, attribute: str) -> None:
    """Give the wrapper everything that the host function shows."""
    defaults = getattr(function, "__kwdefaults__", None)
    own = record.own_backend
    keywords = _KEYWORD_DEFAULTS
    if defaults:
        keywords = {**keywords, **(defaults if own is None else own.in_keyword_defaults(defaults))}
    wrapper.__name__ = wrapper.__qualname__ = attribute
    update_wrapper(wrapper, function)
    wrapper.__defaults__ = getattr(function, "__defaults__", None)
    wrapper.__kwdefaults__ = keywords
    wrapper.__signature__ = record.merged_signature()
    annotations: dict[str, Any] = {}
    wrapper.__annotations__ = annotations
    write_annotations(record, wrapper)
    doc = wrapper.__doc__
    if isinstance(doc, str):
        if record.own_backend is not None:
            doc = rename_parameter(doc, BACKEND_PARAMETER, record.own_backend.name)
        wrapper.__doc__ = add_backend_parameter(doc)


def _check_renamed(function: Any, parameters: tuple[str, ...], renamed: Mapping[str, tuple[str, Any]]) -> None:
    """Refuse what could only go wrong when a call is routed."""
    what = _named(function)
    old_names: set[str] = set()
    for new, (old, convert) in renamed.items():
        if new not in parameters:
            raise TypeError(f"{what} has no parameter {new!r}, which 'renamed' speaks of.")
        if not old.isidentifier() or old in parameters or old == BACKEND_PARAMETER or old in old_names:
            raise TypeError(
                f"{what}: renamed={{{new!r}: {old!r}}} needs the old name of a parameter, one that is no name of today "
                f"and stands only once."
            )
        if convert is not None and not callable(convert):
            raise TypeError(f"{what}: the converter of {new!r} in 'renamed' is not callable: {convert!r:.60}.")
        old_names.add(old)


# -- what can be decorated ---------------------------------------------------------------------------------------------


def _named(function: Any) -> str:
    return f"{getattr(function, '__qualname__', None) or repr(function)}"


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
    if BACKEND_PARAMETER not in names:
        raise TypeError(f"{what} has no parameter 'backend': leave own_backend= out.")
    if own_backend in names:
        raise TypeError(f"{what} has a parameter {own_backend!r} already: choose another name for own_backend=.")
    if not own_backend.isidentifier() or iskeyword(own_backend):
        raise TypeError(f"own_backend={own_backend!r} is no name that a parameter can have.")
    return tuple(own_backend if name == BACKEND_PARAMETER else name for name in names)


def _parameter_names(function: Any, what: str) -> Iterator[str]:
    """Yield the names, read from the code where that is all there is to know, since hosts decorate by the hundred."""
    varargs = f"{what} takes *args, which cannot be mapped to a backend by name. Spell its parameters out."
    if type(function) is FunctionType and not {"__wrapped__", "__signature__"} & function.__dict__.keys():
        code = function.__code__
        if code.co_flags & inspect.CO_VARARGS:
            raise TypeError(varargs)
        count = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & inspect.CO_VARKEYWORDS)
        yield from code.co_varnames[:count]
        return
    try:
        # Annotations that cannot be evaluated yet say nothing against the function.
        parameters = signature_of(function).parameters.values()
    except (NameError, TypeError, ValueError) as error:
        raise TypeError(f"{what} cannot be inspected ({error}), so no backend could be called like it.") from error
    for parameter in parameters:
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
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
