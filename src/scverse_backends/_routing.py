"""Who runs a call: each name of the selection in its turn, and the fallback policy where none of them can."""

from __future__ import annotations

from scverse_backends import _log
from scverse_backends._labels import CPU, listing
from scverse_backends._state import CPU_CHOICE
from scverse_backends.exceptions import (
    BackendLoadError,
    BackendNotInstalledError,
    DroppedArgumentWarning,
    FallbackWarning,
    FunctionNotImplementedError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from scverse_backends._dispatched import Dispatched
    from scverse_backends._implementations import Implementations
    from scverse_backends._plan import Plan
    from scverse_backends._resolver import Resolver
    from scverse_backends._selection import Selection
    from scverse_backends._state import Choice, State
    from scverse_backends._warnings import Warner


class Candidate:
    """What one name of a selection comes to, for one function."""

    __slots__ = ("name", "plan", "problem", "reason", "runs_host")

    def __init__(
        self,
        name: str,
        reason: str,
        *,
        plan: Plan | None = None,
        runs_host: bool = False,
        problem: Exception | None = None,
    ) -> None:
        self.name = name
        self.reason = reason
        self.plan = plan
        self.runs_host = runs_host
        """Whether this name stands for the host implementation."""
        self.problem = problem
        """Why an entry of an order was passed over."""


class Route:
    """What runs, with which arguments, and why."""

    __slots__ = ("args", "executes", "implementation", "kwargs", "plan", "reason")

    def __init__(  # noqa: PLR0913 - the outcome of routing, made in two places.
        self,
        implementation: Callable[..., Any],
        args: Any,
        kwargs: dict[str, Any],
        executes: str,
        reason: str,
        plan: Plan | None = None,
    ) -> None:
        self.implementation = implementation
        self.args = args
        self.kwargs = kwargs
        self.executes = executes
        self.reason = reason
        self.plan = plan


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
                yield Candidate(CPU, "selected", runs_host=True)
                return
            try:
                find = self._resolver.backend_in_turn if choice.is_order else self._resolver.backend
                backend = find(name, source)
                if used:
                    self._resolver.note_use(backend)
                if (backend.name, record.attribute) in state.running:
                    yield Candidate(
                        CPU, f"{backend.name} is running it and asked the host in turn", runs_host=True
                    )
                    return
                plan = self._implementations.plan(record, backend)
            except (BackendLoadError, BackendNotInstalledError) as error:
                if not choice.is_order:
                    raise
                yield Candidate(name, _passed_over(error), problem=error)
                continue
            if plan is None:
                yield Candidate(backend.name, "not implemented")
            elif plan.implementation is record.wrapper_ref():
                yield Candidate(CPU, f"{backend.name} hands back the host's own function", runs_host=True)
                return
            else:
                yield Candidate(backend.name, "runs", plan=plan)

    def route(  # noqa: PLR0913 - one call, in its parts.
        self,
        record: Dispatched,
        choice: Choice,
        source: str,
        state: State,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Route:
        """Decide who runs a call.

        Raises
        ------
        BackendError, TypeError
            If nobody can, or may.
        """
        if choice is CPU_CHOICE:
            return Route(record.function, args, kwargs, CPU, f"selected ({source})")
        attempts: list[str] = []
        for candidate in self.candidates(record, choice, source, state):
            if candidate.runs_host:
                reason = "; ".join([*attempts, f"{CPU}: {candidate.reason}"])
                return Route(record.function, args, kwargs, CPU, reason)
            if candidate.plan is not None:
                plan = candidate.plan
                call_args, call_kwargs, dropped = self._implementations.arrange(record, plan, args, kwargs)
                declined = self._implementations.declined(record, plan, call_args, call_kwargs, state)
                if declined is None:
                    self._warn_dropped(record, plan, dropped)
                    reason = "; ".join([*attempts, f"{candidate.name}: runs"])
                    return Route(plan.implementation, call_args, call_kwargs, candidate.name, reason, plan)
                candidate.reason = f"declined: {declined}"
            elif candidate.problem is not None:
                self._warn_passed_over(record, candidate)
            attempts.append(f"{candidate.name}: {candidate.reason}")
        self._fall_back(record, choice, source, attempts)
        return Route(record.function, args, kwargs, CPU, "; ".join([*attempts, f"{CPU}: runs as fallback"]))

    def _warn_dropped(self, record: Dispatched, plan: Plan, dropped: list[str]) -> None:
        for name in dropped:
            self._warner.warn(
                DroppedArgumentWarning(
                    f"{record.name}(): {name!r} has no effect on backend {plan.backend.name!r}, which does not know it. "
                    f"Leave it out, or use backend='cpu'.",
                    backend=plan.backend.name,
                    distribution=plan.backend.distribution,
                    function=record.name,
                    parameter=name,
                ),
                record.codes(),
            )

    def _warn_passed_over(self, record: Dispatched, candidate: Candidate) -> None:
        self._warner.warn_once(
            ("passed over", candidate.name, candidate.reason),
            FallbackWarning(
                f"Backend {candidate.name!r} is passed over: {candidate.problem}",
                backend=candidate.name,
                function=record.name,
            ),
            record.codes(),
        )

    def _fall_back(self, record: Dispatched, choice: Choice, source: str, attempts: list[str]) -> None:
        """Apply the fallback policy: nobody that was asked for runs the call."""
        asked = listing(choice.names)
        why = "; ".join(attempts)
        policy = self._selection.fallback()
        declined = ": declined: " in why
        what = "declined this call of" if declined else "does not implement"
        if policy == "raise":
            raise FunctionNotImplementedError(
                f"Backend {asked} {what} {record.name}() ({why}), and settings.fallback is 'raise'. "
                f"Use backend='cpu' for this call.",
                host=self._warner.host,
                backend=choice.names[0],
                function=record.name,
                source=source,
            )
        key = (record.attribute, choice.names, why if declined else "")
        if self._warner.first(("logged fallback", *key)):
            _log.info("%s: the host runs %s() (%s)", self._warner.host, record.name, why)
        if policy == "warn" or (policy == "explicit" and source == "argument"):
            self._warner.warn_once(
                ("fallback", *key),
                FallbackWarning(
                    f"Backend {asked} {what} {record.name}() ({why}); the host implementation runs instead. "
                    f"Use backend='cpu' to ask for it, or settings.fallback = 'silent'.",
                    backend=choice.names[0],
                    function=record.name,
                    source=source,
                ),
                record.codes(),
            )


def _passed_over(error: Exception) -> str:
    return "not installed" if isinstance(error, BackendNotInstalledError) else "failed to load"
