"""Who runs a call: each name of the selection in its turn, and the fallback policy where none of them can."""

from __future__ import annotations

from functools import partial

from scverse_backends._calls.decision import Candidate, Decision
from scverse_backends._foundation import log
from scverse_backends._foundation.foreign import CallError, describe_error, note
from scverse_backends._foundation.labels import CPU, listing
from scverse_backends._selection.state import CPU_CHOICE
from scverse_backends.exceptions import (
    BackendLoadError,
    BackendNotInstalledError,
    DroppedArgumentWarning,
    FallbackWarning,
    FunctionNotImplementedError,
    UnknownBackendError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from scverse_backends._calls.dispatched import Dispatched
    from scverse_backends._calls.implementations import Implementations
    from scverse_backends._discovery.adapters import Backend
    from scverse_backends._discovery.resolver import Resolver
    from scverse_backends._foundation.warner import Warner
    from scverse_backends._selection.selection import Selection
    from scverse_backends._selection.state import Choice, State
    from scverse_backends._signatures.plan import Plan
    from scverse_backends.exceptions import BackendError


class Routing:
    """Decides who runs the calls of one dispatcher."""

    __slots__ = ("_implementations", "_resolver", "_selection", "_warner")

    def __init__(
        self, selection: Selection, resolver: Resolver, warner: Warner, implementations: Implementations
    ) -> None:
        self._selection = selection
        self._resolver = resolver
        self._warner = warner
        self._implementations = implementations

    def candidates(
        self, record: Dispatched, choice: Choice, source: str, state: State, *, used: bool = True
    ) -> Iterator[Candidate]:
        """Yield what each name of a selection comes to for a function, loading each backend when its turn comes."""
        for name in choice.names:
            if name == CPU:
                yield Candidate(CPU, "selected")
                return
            try:
                backend = self._find(name, source, in_turn=choice.is_order)
                if used:
                    self._resolver.note_use(backend)
                if (backend.name, record.attribute) in state.running:
                    yield Candidate(CPU, f"part of a call that {backend.name} runs or declined")
                    return
                plan = self._resolver.sought(
                    (backend.name, record.attribute),
                    source,
                    partial(self._implementations.plan, record, backend),
                    again=not choice.is_order,
                )
            except (BackendLoadError, BackendNotInstalledError) as error:
                if not choice.is_order:
                    raise
                yield Candidate(name, _passed_over(error), problem=error)
                continue
            if plan is None:
                yield Candidate(backend.name, "not implemented", distribution=backend.distribution)
            elif record.is_shown_as(plan.implementation):
                yield Candidate(CPU, f"{backend.name} hands back the host's own function")
                return
            else:
                yield Candidate(backend.name, "runs", plan=plan, distribution=backend.distribution)

    def _find(self, name: str, source: str, *, in_turn: bool) -> Backend:
        """Return the backend that a name of a selection stands for; the error says what selects it where it is gone."""
        try:
            return self._of_that_name(name, source, in_turn=in_turn)
        except UnknownBackendError as error:
            selected_by = {
                "process": "settings.backend still selects it: assign another name, or del settings.backend.",
                "environment": f"The environment variable {self._selection.variable_name} selects it.",
                "scope": "An open use_backend() block selects it, or bind() did.",
            }
            raise error.rewritten(f"{error} {selected_by.get(source, '')}".rstrip(), source=source) from None

    def _of_that_name(self, name: str, source: str, *, in_turn: bool) -> Backend:
        """Return a backend of that very name: it is gone where another one has come that answers to the name."""
        if in_turn:
            return self._resolver.backend_in_turn(name, source)
        backend = self._resolver.backend(name, source)
        if backend.name == name:
            return backend
        raise self._resolver.errors.gone(name, backend, source)

    def route(
        self,
        record: Dispatched,
        choice: Choice,
        source: str,
        state: State,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Decision:
        """Decide who runs a call that enters a state; what is asked for it runs in that state too."""
        if choice is CPU_CHOICE:
            return self._on_host(record, args, kwargs, f"selected ({source})")
        attempts: list[Candidate] = []
        for candidate in self.candidates(record, choice, source, state):
            if candidate.runs_host:
                return self._on_host(record, args, kwargs, _chain(attempts, CPU, candidate.reason), attempts)
            plan = candidate.plan
            if plan is not None:
                arranged = self._implementations.arrange(record, plan, args, kwargs, state)
                declined = self._implementations.declined(record, plan, arranged, state)
                if declined is None:
                    self._warn_dropped(record, plan, arranged.dropped)
                    reason = _chain(attempts, candidate.name, "runs")
                    given = (plan.implementation, arranged.args, arranged.kwargs)
                    return Decision(record, *given, reason, plan=plan, options=arranged.scoped, running=(plan.key,))
                candidate.reason = f"declined: {declined}"
            elif candidate.problem is not None:
                self._warn_passed_over(record, candidate, candidate.problem, source)
            attempts.append(candidate)
        self._fall_back(record, choice, source, attempts)
        return self._on_host(record, args, kwargs, _chain(attempts, CPU, "runs as fallback"), attempts)

    def _on_host(
        self,
        record: Dispatched,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        reason: str,
        attempts: Sequence[Candidate] = (),
    ) -> Decision:
        """Decide that the host runs a call, after those who could not."""
        instead = f"The host ran this call: {_nobody_runs(record, attempts)}." if attempts else None
        own = record.own_backend
        if own is not None:
            try:
                self._implementations.bind(record, None, args, kwargs)
            except CallError as error:
                if instead is not None:
                    note(error, instead)
                raise
            kwargs = own.for_host(kwargs)
        kwargs = record.without_unset(kwargs)
        declined = tuple(attempt.plan.key for attempt in attempts if attempt.plan is not None)
        return Decision(record, record.host_implementation(), args, kwargs, reason, note=instead, running=declined)

    def _warn_dropped(self, record: Dispatched, plan: Plan, dropped: Sequence[str]) -> None:
        if not dropped:
            return
        overruled = [name for name in dropped if plan.router is not None and plan.router.knows(name)]
        unknown = [name for name in dropped if name not in overruled]
        them, have = ("it", "has") if len(dropped) == 1 else ("them", "have")
        why = [f"does not know {them if not overruled else listing(unknown)}"] if unknown else []
        new = {old: new for new, (old, _) in record.renamed.items()}
        instead = listing(new.get(name, name) for name in overruled)
        why += [f"got the value of {instead} in its place"] if overruled else []
        self._warner.warn(
            DroppedArgumentWarning(
                f"{record.name}(): {listing(dropped)} {have} no effect on backend {plan.backend.name!r}, "
                f"which {' and '.join(why)}. Leave {them} out, or use backend='cpu'.",
                backend=plan.backend.name,
                distribution=plan.backend.distribution,
                function=record.name,
                parameter=dropped[0],
                parameters=tuple(dropped),
            )
        )

    def _warn_passed_over(self, record: Dispatched, candidate: Candidate, problem: BackendError, source: str) -> None:
        self._warner.warn_once(
            ("passed over", candidate.name, candidate.reason),
            FallbackWarning(
                f"In this order, {candidate.name!r} is passed over. {problem}",
                backend=candidate.name,
                distribution=problem.distribution,
                function=record.name,
                source=source,
            ),
        )

    def _fall_back(self, record: Dispatched, choice: Choice, source: str, attempts: list[Candidate]) -> None:
        """Apply the fallback policy: nobody that was asked for runs the call."""
        what = _nobody_runs(record, attempts)
        about: dict[str, Any] = {
            "backend": choice.names[0],
            "distribution": attempts[0].distribution,
            "function": record.name,
            "source": source,
        }
        policy = self._selection.fallback()
        if policy == "raise":
            text = f"{what}, and settings.fallback is 'raise'. Use backend='cpu' for this call."
            raise FunctionNotImplementedError(text, host=self._warner.host, **about)
        # Each reason is heard once. One that speaks of the data may have other numbers at each call.
        reason = _without_numbers(what)
        if self._warner.is_news(("logged fallback", record.attribute, choice.names), reason):
            log.info("%s: %s; the host runs it", self._warner.host, what)
        if (policy == "warn" or (policy == "explicit" and source == "argument")) and self._warner.is_news(
            ("fallback", record.attribute, choice.names), reason
        ):
            text = (
                f"{what}; the host implementation runs instead. "
                f"Use backend='cpu' to ask for it, or settings.fallback = 'silent'."
            )
            self._warner.warn(FallbackWarning(text, **about))


def _without_numbers(text: str) -> str:
    """Return a text in which every number looks the same."""
    return " ".join("#" if any(map(str.isdigit, word)) else word for word in text.split())


def _chain(attempts: list[Candidate], name: str, reason: str) -> str:
    """Return why one name of a selection runs, after those before it could not."""
    return "; ".join([*(f"{attempt.name}: {attempt.reason}" for attempt in attempts), f"{name}: {reason}"])


def _nobody_runs(record: Dispatched, attempts: Sequence[Candidate]) -> str:
    if len(attempts) > 1:
        why = "; ".join(f"{attempt.name}: {_reason(attempt)}" for attempt in attempts)
        return f"None of the backends {listing(attempt.name for attempt in attempts)} runs {record.name}() ({why})"
    (attempt,) = attempts
    if attempt.plan is not None:
        return f"Backend {attempt.name!r} declined this call of {record.name}() ({attempt.reason.partition(': ')[2]})"
    if attempt.problem is not None:
        return f"Backend {attempt.name!r} cannot run {record.name}() ({_reason(attempt)})"
    return f"Backend {attempt.name!r} does not implement {record.name}()"


def _reason(attempt: Candidate) -> str:
    """Return why a name does not run the call, with what can be done about it."""
    error = attempt.problem
    if isinstance(error, BackendNotInstalledError) and error.distribution is not None:
        upgrade = "" if error.installed is None else "--upgrade "
        return f"{attempt.reason}, pip install {upgrade}{error.distribution}"
    if error is not None and error.__cause__ is not None:
        return f"{attempt.reason}, {describe_error(error.__cause__)}"
    return attempt.reason


def _passed_over(error: Exception) -> str:
    if not isinstance(error, BackendNotInstalledError):
        return "failed to load"
    return "not installed" if error.installed is None else f"not in {error.distribution} {error.installed}"
