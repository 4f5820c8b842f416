"""The whole way of a call: what is selected, who can run it, and running it.

Calls whose way is known already take the short cut in :mod:`scverse_backends._functions` and never get here.
"""

from __future__ import annotations

from time import perf_counter
from types import MethodType

from scverse_backends import _log
from scverse_backends._adapters import MISSING, describe_error, exported
from scverse_backends._labels import CPU, listing
from scverse_backends._plan import InvalidCall, Plan, bind, compile_router
from scverse_backends._signature import implementation_signature
from scverse_backends._state import CPU_CHOICE, Scope, leave_call
from scverse_backends._trace import Call
from scverse_backends.exceptions import (
    BackendContractError,
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

    from scverse_backends._adapters import Backend
    from scverse_backends._dispatched import Dispatched
    from scverse_backends._plan import Given
    from scverse_backends._resolver import Resolver
    from scverse_backends._selection import Selection
    from scverse_backends._state import Choice, State
    from scverse_backends._warnings import Warner

_NO_SENTENCE = "it did not say why"


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


class Dispatch:
    """Routes and runs the calls of one dispatcher."""

    __slots__ = ("_unexpected", "adopt", "epoch", "merge", "observers", "resolver", "selection", "warner")

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
        self.merge = merge
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
        variable = self.selection.variable
        token = variable.set(inner)
        try:
            return self.invoke(record, route)
        finally:
            leave_call(variable, token, state, inner)

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
        if inner.choice is not choice:
            inner = inner.with_scope(Scope(object(), choice, None))
        return route, inner

    def _enter(  # noqa: PLR0913 - one call, in its parts.
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
            choice, source = self.selection.effective()
            entered = state
        else:
            choice, source = self.resolver.choice(requested), "argument"
            if choice is CPU_CHOICE:
                self.selection.look_at_environment()
            else:
                self.selection.wake()
            # What runs inside sees the selection of the call, as in a ``with`` block around it.
            entered = state.with_scope(Scope(object(), choice, None))
        if call is not None:
            call.requested, call.source = choice.reading, source
        route = self._route(record, choice, source, state, args, kwargs)
        if call is not None:
            call.executed, call.reason = route.executes, route.reason
        if choice is not CPU_CHOICE:
            for observe in self.observers:
                observe(record.name, route.executes, route.reason)
        plan = route.plan
        inner = entered if plan is None else entered.running_also(plan.key)
        if not state.traces and not self.observers:
            self._remember(record, plan, choice, requested, state, inner, epoch)
        return route, inner, choice

    def _remember(  # noqa: PLR0913 - one call, in its parts.
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
        if self.epoch != epoch:
            record.forget_plans()

    # -- routing -----------------------------------------------------------------------------------------------------

    def candidates(
        self, record: Dispatched, choice: Choice, source: str, state: State, *, used: bool = True
    ) -> Iterator[Candidate]:
        """Yield what each name of a selection comes to for a function, loading each backend when its turn comes."""
        for name in choice.names:
            if name == CPU:
                yield Candidate(CPU, "selected", runs_host=True)
                return
            try:
                find = self.resolver.backend_in_turn if choice.is_order else self.resolver.backend
                backend = find(name, source)
                if used:
                    self.resolver.note_use(backend)
                if (backend.name, record.attribute) in state.running:
                    yield Candidate(
                        CPU, f"{backend.name} is running it and asked the host in turn", runs_host=True
                    )
                    return
                plan = self._plan(record, backend)
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

    def _route(  # noqa: PLR0913 - one call, in its parts.
        self,
        record: Dispatched,
        choice: Choice,
        source: str,
        state: State,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Route:
        if choice is CPU_CHOICE:
            return Route(record.function, args, kwargs, CPU, f"selected ({source})")
        attempts: list[str] = []
        for candidate in self.candidates(record, choice, source, state):
            if candidate.runs_host:
                reason = "; ".join([*attempts, f"{CPU}: {candidate.reason}"])
                return Route(record.function, args, kwargs, CPU, reason)
            if candidate.plan is not None:
                route, declined = self._arrange(record, candidate.plan, args, kwargs, state)
                if route is not None:
                    route.reason = "; ".join([*attempts, f"{candidate.name}: runs"])
                    return route
                candidate.reason = f"declined: {declined}"
            elif candidate.problem is not None:
                self._warn_passed_over(record, candidate)
            attempts.append(f"{candidate.name}: {candidate.reason}")
        self._fall_back(record, choice, source, attempts)
        return Route(record.function, args, kwargs, CPU, "; ".join([*attempts, f"{CPU}: runs as fallback"]))

    def _plan(self, record: Dispatched, backend: Backend) -> Plan | None:
        """Ask the adapter for its implementation, and compile a plan unless there is one for that very object."""
        implementation = self._export(record, backend)
        if implementation is MISSING:
            return None
        plan = record.plans.get(backend)
        if plan is None or not plan.is_for(implementation):
            self._check_export(record, backend, implementation)
            plan = self._compile(record, backend, implementation)
            record.keep_plan(plan)
            self.merge(record, backend, implementation)
        return plan

    def _check_export(self, record: Dispatched, backend: Backend, implementation: Any) -> None:
        if record.is_class:
            fits = isinstance(implementation, type) and implementation is not record.wrapper_ref()
            wanted = "a class of its own"
        else:
            fits = callable(implementation)
            wanted = "a callable"
        if not fits:
            raise BackendContractError(
                f"Backend {backend.name!r} breaks its contract: its {record.attribute!r} is not {wanted} but "
                f"{_kind_of(record, implementation)}. Use backend='cpu' and tell the backend's authors.",
                host=self.warner.host,
                backend=backend.name,
                distribution=backend.distribution,
                function=record.name,
            )

    def _export(self, record: Dispatched, backend: Backend) -> Any:
        try:
            return exported(backend.adapter, record.attribute)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise BackendLoadError(
                f"Backend {backend.name!r} could not provide {record.attribute!r}: {describe_error(error)}. "
                f"Repair or reinstall it, or use backend='cpu'.",
                host=self.warner.host,
                backend=backend.name,
                distribution=backend.distribution,
                function=record.name,
            ) from error

    def _compile(self, record: Dispatched, backend: Backend, implementation: Any) -> Plan:
        _log.debug("%s: first use of backend %r for %s()", self.warner.host, backend.name, record.name)
        router = compile_router(
            record.name, backend.name, record.host_names(), implementation_signature(implementation), record.renamed
        )
        return Plan(
            backend=backend,
            attribute=record.attribute,
            key=(backend.name, record.attribute),
            implementation=implementation,
            can_run=self._can_run(record, backend, implementation),
            router=router,
        )

    def _can_run(self, record: Dispatched, backend: Backend, implementation: Any) -> Callable[..., object] | None:
        holder = implementation.__func__ if type(implementation) is MethodType else implementation
        from inspect import getattr_static  # noqa: PLC0415 - imported long before, by the signatures.

        # A plain attribute: an object whose ``__getattr__`` answers to every name does not have one.
        if getattr_static(holder, "can_run", None) is None:
            return None
        can_run = getattr(implementation, "can_run", None)
        if can_run is not None and not callable(can_run):
            raise self._broken_can_run(record, backend.name, f"is no callable but {type(can_run).__name__}")
        return can_run  # type: ignore[no-any-return]  # callable() was asked above.

    def _broken_can_run(self, record: Dispatched, backend: str, what: str) -> BackendContractError:
        return BackendContractError(
            f"Backend {backend!r} breaks its contract: can_run of {record.attribute!r} {what}. "
            f"It must return True, False or a sentence. Use backend='cpu' and tell the backend's authors.",
            host=self.warner.host,
            backend=backend,
            function=record.name,
        )

    def _arrange(
        self, record: Dispatched, plan: Plan, args: tuple[Any, ...], kwargs: dict[str, Any], state: State
    ) -> tuple[Route | None, str]:
        """Map the arguments; the route is missing where the implementation declines them."""
        router = plan.router
        backend = plan.backend.name
        options = router.options if router is not None else frozenset[str]()
        given = self._bind(record, backend, options, args, kwargs)
        if router is None:
            call_args: Any = args
            call_kwargs, dropped = kwargs, []
        else:
            try:
                call_args, call_kwargs, dropped = router.arrange(given)
            except BackendContractError as error:
                error.host, error.distribution = self.warner.host, plan.backend.distribution
                raise
        if plan.can_run is not None:
            declined = self._declined(record, plan, call_args, call_kwargs, state)
            if declined is not None:
                return None, declined
        for name in dropped:
            self.warner.warn(
                DroppedArgumentWarning(
                    f"{record.name}(): {name!r} has no effect on backend {backend!r}, which does not know it. "
                    f"Leave it out, or use backend='cpu'.",
                    backend=backend,
                    distribution=plan.backend.distribution,
                    function=record.name,
                    parameter=name,
                ),
                record.codes(),
            )
        return Route(plan.implementation, call_args, call_kwargs, backend, "", plan), ""

    def _bind(
        self, record: Dispatched, backend: str, options: frozenset[str], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Given:
        try:
            return bind(record.plain_name, record.host_names(), options, args, kwargs)
        except InvalidCall as error:
            more = self._unexpected(record, error.keyword, backend) if error.keyword is not None else None
            raise TypeError(_with_more(error, more) if more else str(error)) from None

    def _declined(
        self, record: Dispatched, plan: Plan, args: list[Any], kwargs: dict[str, Any], state: State
    ) -> str | None:
        """Ask an implementation whether it can run a call; the answer is why not."""
        variable = self.selection.variable
        inner = state.running_also(plan.key)
        token = variable.set(inner)
        backend = plan.backend.name
        assert plan.can_run is not None  # noqa: S101 - asked by the caller.
        try:
            answer = plan.can_run(*args, **kwargs)
        except Exception as error:
            raise self._broken_can_run(record, backend, f"raised {describe_error(error)}") from error
        finally:
            leave_call(variable, token, state, inner)
        if answer is True:
            return None
        if answer is False:
            return _NO_SENTENCE
        if isinstance(answer, str):
            return answer.strip() or _NO_SENTENCE
        raise self._broken_can_run(record, backend, f"returned {type(answer).__name__}")

    # -- when the backend that was asked for does not run ------------------------------------------------------------

    def _warn_passed_over(self, record: Dispatched, candidate: Candidate) -> None:
        self.warner.warn_once(
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
        policy = self.selection.fallback()
        declined = ": declined: " in why
        what = "declined this call of" if declined else "does not implement"
        if policy == "raise":
            raise FunctionNotImplementedError(
                f"Backend {asked} {what} {record.name}() ({why}), and settings.fallback is 'raise'. "
                f"Use backend='cpu' for this call.",
                host=self.warner.host,
                backend=choice.names[0],
                function=record.name,
                source=source,
            )
        key = (record.attribute, choice.names, why if declined else "")
        if self.warner.first(("logged fallback", *key)):
            _log.info("%s: the host runs %s() (%s)", self.warner.host, record.name, why)
        if policy == "warn" or (policy == "explicit" and source == "argument"):
            self.warner.warn_once(
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
            raise TypeError(_with_more(error if plain in str(error) else plain, more)) from error

    def explain_backend_type_error(
        self, record: Dispatched, plan: Plan, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        """Replace an implementation's error for a call that is wrong for the host too, which no user knows it by."""
        assert plan.router is not None  # noqa: S101 - calls without one take the long way, which binds first.
        self._bind(record, plan.backend.name, plan.router.options, args, kwargs)


def begin(record: Dispatched, state: State) -> Call:
    """Start the record of a call in every open trace."""
    call = Call(record.name)
    for trace in state.traces:
        trace.append(call)
    return call


def _with_more(plain: object, more: str) -> str:
    text = str(plain)
    return f"{text} {more}" if text.endswith("?") else f"{text}. {more}"


def _kind_of(record: Dispatched, implementation: Any) -> str:
    """Return what an export is, for the error that says it is not what it should be."""
    if implementation is record.wrapper_ref():
        return "the host's own dispatched class"
    return type(implementation).__name__


def _passed_over(error: Exception) -> str:
    return "not installed" if isinstance(error, BackendNotInstalledError) else "failed to load"
