"""The decorated function: it has a call decided, and makes it.

This is the only place that calls a host's function or a backend's, and the only frame of ours between the caller and
what runs. Its shape follows from the figures of ``docs/performance.md``, since every call goes through it:

- where the host is selected and nothing changes for it, the call goes straight to the host's function;
- a decision that the last call was made by is kept, and found again by the state and the choice that it was made in;
- else the call is decided now. From there on, both take the same way.
"""

from __future__ import annotations

from types import MethodType

from scverse_backends._foundation.unseen import unseen
from scverse_backends._selection.state import CPU_CHOICE, TRACED, State, settle_call
from scverse_backends._signatures.plan import NO_PLAN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import ContextVar
    from typing import Any

    from scverse_backends._calls.dispatched import Dispatched
    from scverse_backends._selection.selection import Selection

    Maker = Callable[[Callable[..., Any], Dispatched], Callable[..., Any]]


NOTHING: Any = None
"""What is found where nothing is kept."""

_UNKNOWN = State()
_UNKNOWN.short = TRACED


class NeverIdle:
    """The selection as wrappers see it of whose calls each has to be decided: nothing is known of it."""

    __slots__ = ("_selection", "base")

    idle = False

    def __init__(self, selection: Selection) -> None:
        self._selection = selection
        self.base = selection.base

    def current(self) -> State:
        """Return a state that no decision was kept in."""
        return _UNKNOWN

    @property
    def variable(self) -> ContextVar[State]:
        """The variable that holds the state."""
        return self._selection.variable

    @property
    def changes(self) -> object:
        """Another object after each change of a context's scopes."""
        return self._selection.changes

    def __reduce__(self) -> tuple[Any, ...]:
        return NeverIdle, (self._selection,)


@unseen
def maker(selection: Selection | NeverIdle) -> Maker:  # noqa: PLR0915 - see the wrapper.
    """Return what makes the wrappers of functions for one dispatcher.

    A wrapper's closure holds the host function, its record, and the selection, which pickles by reference to the host's
    own. Each further variable costs every call a hundredth.
    """
    # Of a frame's variables, those of the function around it count as well, and cost less than an assignment.
    __tracebackhide__ = True

    def make(function: Callable[..., Any], record: Dispatched) -> Callable[..., Any]:  # noqa: PLR0915 - as above.
        # A part in a function of its own would cost each call another call, and stand between caller and callee.
        def wrapper(*args: Any, backend: Any = None, **kwargs: Any) -> Any:  # noqa: PLR0915 - see above.
            if backend is None:
                if selection.idle or (
                    (choice := (state := selection.current()).short or selection.base.choice) is CPU_CHOICE
                    and (record.swallowed is None or record.swallowed.isdisjoint(kwargs))
                ):
                    try:
                        return function(*args, **kwargs)
                    except TypeError as error:
                        decision = record.gate.failed(record, None, args, kwargs, error)
                        if decision is None:
                            raise
                    plan = NO_PLAN
                    state = plan.outer
                else:
                    decision = None
                    plan = record.current
                    if plan.outer is not state or plan.choice is not choice:
                        plan = NO_PLAN
            else:
                decision = None
                try:
                    plan = record.pinned[backend]
                except Exception:  # noqa: BLE001 - not kept yet, or not even hashable.
                    plan = NO_PLAN
                state = plan.outer
                if state is not selection.current():
                    plan = NO_PLAN
            implementation: Any
            try:
                implementation = (
                    getattr(plan.adapter, plan.attribute) if plan.namespace is None else plan.namespace[plan.attribute]
                )
            except Exception:  # noqa: BLE001 - nothing is kept, or deciding will tell what is wrong.
                implementation = NOTHING
            if (
                not (
                    implementation is plan.exact
                    or (
                        type(implementation) is MethodType
                        and implementation.__func__ is plan.exact_function
                        and implementation.__self__ is plan.owner
                    )
                )
                and (
                    len(args) > plan.aligned
                    or (kwargs and not plan.direct.issuperset(kwargs))
                    or (implementation is not plan.implementation and not plan.is_for(implementation))
                    or (plan.needs_all is not None and not plan.needs_all(args, kwargs))
                )
                and decision is None
            ):
                decision = record.gate.decide(record, backend, args, kwargs)
            inner = plan.inner
            while True:
                if decision is not None:
                    if decision.failed and __tracebackhide__:  # Named where it costs nothing, so that the frame has it.
                        raise decision.error()
                    implementation, args, kwargs = decision.implementation, decision.args, decision.kwargs
                    state, inner = decision.outer, decision.inner
                variable = selection.variable
                changes = selection.changes
                try:
                    token = variable.set(inner)
                except BaseException:
                    variable.set(state)  # An interrupt arrived when the state was set and the token was not there yet.
                    raise
                try:
                    result = implementation(*args, **kwargs)
                    break
                except BaseException as error:
                    decision = record.gate.failed(record, backend, args, kwargs, error, plan, decision)
                    if decision is None:
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
            return result if decision is None else decision.returned(result)

        return wrapper

    return make
