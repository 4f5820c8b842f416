"""Decide: from what a caller wrote to what runs.

:class:`Decider` returns a :class:`~scverse_backends._calls.decision.Decision`, and calls nothing of a backend's but its
``can_run``. The decorated function runs what was decided.
"""

from __future__ import annotations

from scverse_backends._calls.implementations import Implementations, with_more
from scverse_backends._calls.routing import Routing
from scverse_backends._foundation.foreign import Attempt, CallError, note
from scverse_backends._foundation.labels import BACKEND_PARAMETER, CPU, listing
from scverse_backends._selection.state import CPU_CHOICE, Scope
from scverse_backends._signatures.plan import host_plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from scverse_backends._calls.decision import Decision
    from scverse_backends._calls.dispatched import Dispatched
    from scverse_backends._calls.merge import Merger
    from scverse_backends._discovery.resolver import Resolver
    from scverse_backends._foundation.warner import Warner
    from scverse_backends._selection.selection import Selection
    from scverse_backends._selection.state import Choice, State
    from scverse_backends._selection.trace import Recording
    from scverse_backends._signatures.plan import Plan


class Decider:
    """Decides the calls of one dispatcher."""

    __slots__ = ("_implementations", "_merger", "_warner", "epoch", "observers", "resolver", "routing", "selection")

    def __init__(self, selection: Selection, resolver: Resolver, warner: Warner, merger: Merger) -> None:
        self.selection = selection
        self.resolver = resolver
        self._warner = warner
        self._merger = merger
        self._implementations = Implementations(warner, selection.variable, resolver, merger)
        self.routing = Routing(selection, resolver, warner, self._implementations)
        self.epoch = 0
        """Counts the times that a backend came or went, so that nothing compiled before is kept afterwards."""
        self.observers: tuple[Callable[[Decision, tuple[Any, ...], dict[str, Any]], None], ...] = ()
        """Are told, before each call with a backend selected, what was decided and what the caller gave.

        While there is one, no decision is kept, so that every such call is decided.
        """

    def decide(
        self, record: Dispatched, requested: object, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Decision | Attempt:
        """Return what runs a call, or the error that it ends in."""
        state = self.selection.variable.get()
        recording = None
        if state.traces:
            from scverse_backends._selection.trace import Recording  # Only who traces pays for it.

            recording = Recording(record.name, state)
        try:
            decided = Attempt(self._decided, record, requested, args, kwargs, state, recording)
        except BaseException as error:
            if recording is not None:
                recording.end(error)
            raise
        if not decided.failed:
            decision: Decision = decided.value
            return decision
        if recording is not None:
            recording.end(decided.peek())
        return decided

    def _decided(
        self,
        record: Dispatched,
        requested: object,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        state: State,
        recording: Recording | None,
    ) -> Decision:
        self._merger.catch_up()
        epoch = self.epoch
        if record.own_backend is not None:
            requested, kwargs = record.own_backend.taken(record.name, requested, args, kwargs, self._warner)
        if recording is not None:
            # Until it is known to be something that can run.
            source = "environment" if requested is None else "argument"
            recording.asks_for(self.selection.environment() if requested is None else requested, source)
        choice, source = self._selected(requested)
        if recording is not None:
            recording.asks_for(choice.reading, source)
        # What runs inside sees the selection of the call, as in a ``with`` block around it.
        entered = state if requested is None else state.with_scope(Scope(object(), choice, None))
        decision = self.routing.route(record, choice, source, entered, args, kwargs)
        inner = entered
        for key in decision.running:
            inner = inner.running_also(key)
        if recording is not None:
            _record(recording, decision)
            inner = inner.deeper()
        # The outermost state shows the choice of the process, which may change before a body's next step.
        if record.drive is not None and (inner is self.selection.base or inner.choice is not choice):
            inner = inner.with_scope(Scope(object(), choice, None, source="scope" if requested is not None else source))
        decision.variable, decision.outer, decision.inner = self.selection.variable, state, inner
        if choice is not CPU_CHOICE:
            for observe in self.observers:
                observe(decision, args, kwargs)
        if not state.traces and not self.observers and self.resolver.is_lasting:
            self._keep(record, decision, choice, requested, epoch)
        return decision

    def _selected(self, requested: object) -> tuple[Choice, str]:
        """Return what a call asks for, and which rule says so."""
        if requested is None:
            return self.selection.effective()
        choice = self.resolver.choice(requested)
        # A call on the host needs no look at the environment, which may select a backend later.
        if choice is not CPU_CHOICE:
            self.selection.wake()
        return choice, "argument"

    def _keep(self, record: Dispatched, decision: Decision, choice: Choice, requested: object, epoch: int) -> None:
        """Keep the decision for the next call like this one, where that call needs no second look."""
        plan = decision.plan
        if not record.keeps_plans:
            return
        if choice is CPU_CHOICE:
            if requested is None:
                return
            plan = host_plan(record.attribute, record.host_implementation())
        elif plan is None or plan.backend.name != choice.names[0] or decision.options is not None:
            return
        if plan.aligned < 0:
            return
        prepared = plan.entering(choice, decision.outer, decision.inner)
        if requested is None:
            record.current = prepared
        elif type(requested) is str:
            record.pinned = {**record.pinned, requested: prepared}
        if self.epoch != epoch or record.plans.get(plan.backend, plan) is not plan:
            record.forget_plans()

    # -- calls that fail ---------------------------------------------------------------------------------------------

    def failed(
        self,
        record: Dispatched,
        requested: object,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        error: BaseException,
        plan: Plan | None = None,
        decision: Decision | None = None,
    ) -> Decision | Attempt | None:
        """Look at what a call raised: ``None`` where it is the function's own error.

        Where Python refused the call itself, so that no body ran, returns what to run or to raise in its place, if
        there is anything better.
        """
        if decision is not None:
            plan = decision.plan
        on_host = plan is None or plan.backend is None
        again: Attempt | None = None
        if isinstance(error, TypeError):
            traceback = error.__traceback__
            # An error that a body raised has that body's frame behind the wrapper's.
            if traceback is not None and traceback.tb_next is None:
                if decision is None and record.unset_in(kwargs):
                    # A kept decision went without a look at the arguments.
                    return self.decide(record, requested, args, kwargs)
                refused = Attempt(self._check, record, None if on_host else plan, args, kwargs, str(error))
                again = refused if refused.failed else None
            if again is None and on_host:
                self._note_options(record, kwargs, error)
        if decision is not None:
            decision.over(error if again is None else again.peek())
        return again

    def _check(
        self, record: Dispatched, plan: Plan | None, args: tuple[Any, ...], kwargs: dict[str, Any], said: str
    ) -> None:
        """Raise a better error for a call that Python refused, where there is one.

        There is if the call is wrong for the host too, whose function is the one that its user knows, or if more can be
        said of a keyword that the host refused.
        """
        if plan is not None:
            self._implementations.bind(record, plan, args, kwargs)
            return
        host = record.host_names()
        # A parameter of the host's own that is called ``backend`` has another name here.
        unknown = next((name for name in kwargs if name not in host.all and name != BACKEND_PARAMETER), None)
        if unknown is None or host.takes_any:
            return
        plain = f"{record.plain_name}() got an unexpected keyword argument {unknown!r}"
        said = said if plain in said else plain
        more = self._merger.unexpected(record, unknown, CPU, said)
        if more:
            raise CallError(with_more(said, more))

    def _note_options(self, record: Dispatched, kwargs: dict[str, Any], error: TypeError) -> None:
        """Say in the error of a host with ``**kwargs`` which backends know a keyword that it was given."""
        for name in kwargs if record.host_names().takes_any else ():
            if name in (record.swallowed or ()):
                knowing = [who for who, found in record.contributions.items() if any(one.name == name for one in found)]
                note(error, f"{name!r} is an option of {listing(knowing)}, and this call ran on the host.")


def _record(recording: Recording, decision: Decision) -> None:
    """Note what runs a call, and how it ends."""
    provider = None if decision.plan is None else decision.plan.backend.record
    distribution, version = (None, None) if provider is None else (provider.distribution, provider.version)
    recording.runs(decision.executes, decision.reason, distribution, version, decision.options or {})
    decision.tell(lambda error, result: recording.end(error, result, decision.args, decision.kwargs))
