"""The whole way of a call: what is selected, who can run it, and running it.

Calls whose way is known already take the short cut in :mod:`scverse_backends._calls.functions` and never get here.
"""

from __future__ import annotations

from time import perf_counter

from scverse_backends._calls.implementations import Implementations, with_more
from scverse_backends._calls.routing import Routing
from scverse_backends._foundation.labels import CPU
from scverse_backends._selection.state import CPU_CHOICE, Scope, run_in
from scverse_backends._selection.trace import Call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from scverse_backends._calls.dispatched import Dispatched
    from scverse_backends._calls.routing import Route
    from scverse_backends._discovery.adapters import Backend
    from scverse_backends._discovery.resolver import Resolver
    from scverse_backends._foundation.warner import Warner
    from scverse_backends._selection.selection import Selection
    from scverse_backends._selection.state import Choice, State
    from scverse_backends._signatures.plan import Plan


class Dispatch:
    """Routes and runs the calls of one dispatcher."""

    __slots__ = (
        "_implementations",
        "_unexpected",
        "adopt",
        "epoch",
        "observers",
        "resolver",
        "routing",
        "selection",
        "warner",
    )

    def __init__(
        self,
        selection: Selection,
        resolver: Resolver,
        warner: Warner,
        merge: Callable[[Dispatched, Backend, Any], None],
        unexpected: Callable[[Dispatched, str, str], str | None],
        adopt: Callable[[Dispatched], None],
    ) -> None:
        self.selection = selection
        self.resolver = resolver
        self.warner = warner
        self._implementations = Implementations(warner.host, selection.variable, merge, unexpected)
        self.routing = Routing(selection, resolver, warner, self._implementations)
        self.epoch = 0
        """Counts the times that a backend came or went, so that nothing compiled before is kept afterwards."""
        self.observers: tuple[Callable[[str, str, str], None], ...] = ()
        """Who is told of every call with a backend selected: its function, what runs it, and why.

        While there is one, no short cut is prepared, so that no such call takes one.
        """
        self._unexpected = unexpected
        self.adopt = adopt
        """Makes the record of an unpickled function known."""

    def __reduce__(self) -> tuple[Any, ...]:
        # Functions that are pickled by value take it along: they shall find their own dispatcher's again.
        restore, (key, _part) = self.selection.reference
        return restore, (key, "_dispatch")

    # -- running -----------------------------------------------------------------------------------------------------

    def call(self, record: Dispatched, requested: object, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run one call of a plain function."""
        state = self.selection.state()
        if state.traces:
            return self._traced(record, requested, args, kwargs, state)
        route, inner, _ = self._enter(record, requested, args, kwargs, state, None)
        return self._run(record, route, state, inner)

    def _run(self, record: Dispatched, route: Route, state: State, inner: State) -> Any:
        if inner is state:
            return self.invoke(record, route)
        return run_in(self.selection.variable, state, inner, self.invoke, record, route)

    def invoke(self, record: Dispatched, route: Route) -> Any:
        """Call what the route leads to."""
        if route.plan is not None:
            return route.implementation(*route.args, **route.kwargs)
        try:
            return route.implementation(*route.args, **route.kwargs)
        except TypeError as error:
            self.explain_type_error(record, error, route.kwargs)
            raise

    def _traced(
        self, record: Dispatched, requested: object, args: tuple[Any, ...], kwargs: dict[str, Any], state: State
    ) -> Any:
        call = begin(record, state)
        started = perf_counter()
        try:
            route, inner, _ = self._enter(record, requested, args, kwargs, state, call)
            return self._run(record, route, state, inner)
        except BaseException as error:
            call.exception = error
            raise
        finally:
            call.seconds = perf_counter() - started

    def prepare(
        self, record: Dispatched, requested: object, args: tuple[Any, ...], kwargs: dict[str, Any], call: Call | None
    ) -> tuple[Route, State]:
        """Route a call whose body runs in steps; its selection is fixed now and holds in every step."""
        state = self.selection.state()
        route, inner, choice = self._enter(record, requested, args, kwargs, state, call)
        # The choice of the process stands in the outermost state too, but may change before the body runs.
        if inner is self.selection.base or inner.choice is not choice:
            inner = inner.with_scope(Scope(object(), choice, None))
        return route, inner

    def _enter(
        self,
        record: Dispatched,
        requested: object,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        state: State,
        call: Call | None,
    ) -> tuple[Route, State, Choice]:
        """Decide what runs, and the state that it runs in."""
        epoch = self.epoch
        if requested is None:
            if call is not None:
                # Until it is known to be something that can run.
                call.requested = self.selection.environment()
                call.source = None if call.requested is None else "environment"
            choice, source = self.selection.effective()
            entered = state
        else:
            if call is not None:
                call.requested, call.source = _shown(requested), "argument"
            choice, source = self.resolver.choice(requested), "argument"
            # The host needs no look at the environment, so what is found there later is not settled here.
            if choice is not CPU_CHOICE:
                self.selection.wake()
            # What runs inside sees the selection of the call, as in a ``with`` block around it.
            entered = state.with_scope(Scope(object(), choice, None))
        if call is not None:
            call.requested, call.source = choice.reading, source
        route = self.routing.route(record, choice, source, entered, args, kwargs)
        if call is not None:
            call.executed, call.reason = route.executes, route.reason
        if choice is not CPU_CHOICE:
            for observe in self.observers:
                observe(record.name, route.executes, route.reason)
        plan = route.plan
        inner = entered if plan is None else entered.running_also(plan.key)
        if not state.traces and not self.observers and self.resolver.is_lasting:
            self._remember(record, plan, choice, requested, state, inner, epoch)
        return route, inner, choice

    def _remember(
        self,
        record: Dispatched,
        plan: Plan | None,
        choice: Choice,
        requested: object,
        state: State,
        inner: State,
        epoch: int,
    ) -> None:
        """Prepare the short cut for the next call like this one."""
        if choice is CPU_CHOICE:
            if requested is not None:
                record.cpu_states = (state, inner)
            return
        # Only what the first name of the selection can run needs no second look.
        if plan is None or plan.backend.name != choice.names[0] or plan.aligned < 0:
            return
        prepared = plan.entering(choice, state, inner)
        if requested is None:
            record.current = prepared
        elif type(requested) is str:
            record.pinned = {**record.pinned, requested: prepared}
        if self.epoch != epoch or record.plans.get(plan.backend) is not plan:
            record.forget_plans()

    def explain_type_error(self, record: Dispatched, error: TypeError, kwargs: dict[str, Any]) -> None:
        """Replace Python's error for a keyword that the host does not know, where there is more to say.

        A call with such a keyword can never have reached the host's body, so no error from inside is replaced.
        """
        host = record.host_names()
        if host.takes_any:
            return
        unknown = next((name for name in kwargs if name not in host.by_keyword), None)
        if unknown is None or unknown in host.positional_only:
            return
        more = self._unexpected(record, unknown, CPU)
        if more:
            plain = f"{record.plain_name}() got an unexpected keyword argument {unknown!r}"
            raise TypeError(with_more(error if plain in str(error) else plain, more)) from error

    def explain_backend_type_error(
        self, record: Dispatched, plan: Plan, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        """Replace an implementation's error for a call that is wrong for the host too, which no user knows it by."""
        self._implementations.bind(record, plan, args, kwargs)


def begin(record: Dispatched, state: State) -> Call:
    """Start the record of a call in every open trace."""
    call = Call(record.name)
    for trace in state.traces:
        # A task may outlive the block that it was started in.
        if trace.is_open:
            trace.append(call)
    return call


def _shown(requested: object) -> str | tuple[str, ...]:
    """Return what was asked for, for the record of a call that may fail to make sense of it."""
    if isinstance(requested, (list, tuple)):
        return tuple(map(str, requested))  # pyright: ignore[reportUnknownArgumentType,reportUnknownVariableType]  # foreign.
    return str(requested)
