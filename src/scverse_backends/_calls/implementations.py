"""A backend's implementation of one function: fetched anew at each call, checked, compiled into a plan, and asked."""

from __future__ import annotations

from types import MethodType, ModuleType

from scverse_backends._discovery.exports import MISSING, exported
from scverse_backends._foundation import log
from scverse_backends._foundation.foreign import CallError, describe_error
from scverse_backends._foundation.labels import CPU, listing
from scverse_backends._selection.state import Entered
from scverse_backends._signatures.accepted import implementation_signature
from scverse_backends._signatures.arguments import InvalidCall, Names, bind
from scverse_backends._signatures.plan import Plan
from scverse_backends._signatures.router import Arranged, Router
from scverse_backends.exceptions import BackendContractError, BackendError, BackendLoadError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextvars import ContextVar
    from typing import Any

    from scverse_backends._calls.dispatched import Dispatched
    from scverse_backends._calls.merge import Merger
    from scverse_backends._discovery.adapters import Backend
    from scverse_backends._discovery.resolver import Resolver
    from scverse_backends._foundation.warner import Warner
    from scverse_backends._selection.state import State
    from scverse_backends._signatures.arguments import Given

_NO_SENTENCE = "it did not say why"


class Implementations:
    """What the backends of one dispatcher implement."""

    __slots__ = ("_host", "_merger", "_resolver", "_variable", "_warner")

    def __init__(self, warner: Warner, variable: ContextVar[State], resolver: Resolver, merger: Merger) -> None:
        self._host = warner.host
        self._warner = warner
        self._resolver = resolver
        self._variable = variable
        self._merger = merger

    def plan(self, record: Dispatched, backend: Backend) -> Plan | None:
        """Ask the adapter for its implementation, and compile a plan unless there is one for that very object."""
        implementation = self._export(record, backend)
        if implementation is MISSING:
            return None
        plan = record.plans.get(backend)
        if plan is None or not plan.is_for(implementation):
            self._check(record, backend, implementation)
            # First, since a plan depends on what is merged.
            self._merger.merge(record, backend, implementation)
            plan = self._compile(record, backend, implementation)
            record.plans = {**record.plans, backend: plan}
        return plan

    def _export(self, record: Dispatched, backend: Backend) -> Any:
        try:
            known = record.sources.get(backend.name) is backend
            return exported(backend.adapter, record.attribute, known=known)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            text = (
                f"Backend {backend.name!r} could not provide {record.attribute!r}: {describe_error(error)}. "
                f"Repair or reinstall it, or use backend='cpu'."
            )
            raise self._error(BackendLoadError, record, backend, text) from error

    def _check(self, record: Dispatched, backend: Backend, implementation: Any) -> None:
        rivals = self._merger.rivals(record)
        if rivals:
            text = (
                f"Two functions of {self._host} look for {record.attribute!r} in backends: {record.place} and "
                f"{rivals[0].place}. Backend {backend.name!r} has one function of that name, meant for either. "
                f"Use backend='cpu', and ask the authors of {self._host} to give one of the two another name: "
                f"@backend_dispatch(name=...)."
            )
            raise self._error(BackendContractError, record, backend, text)
        if record.is_class:
            fits = isinstance(implementation, type) and implementation is not record.wrapper_ref()
            wanted = "a class of its own"
        else:
            fits = callable(implementation)
            wanted = "a callable"
        if not fits:
            text = (
                f"Backend {backend.name!r} breaks its contract: its {record.attribute!r} is not {wanted} but "
                f"{_kind_of(record, implementation)}. Use backend='cpu' and tell the backend's authors."
            )
            raise self._error(BackendContractError, record, backend, text)

    def _compile(self, record: Dispatched, backend: Backend, implementation: Any) -> Plan:
        key = (backend.name, record.attribute)
        # A plan is made anew when a backend comes or goes.
        if self._warner.is_news(("first use", key), ""):
            log.debug("%s: first use of backend %r for %s()", self._host, backend.name, record.name)
        signature = implementation_signature(implementation)
        router = None
        if signature is not None:
            theirs = Names(signature.parameters.values())
            router = Router(record.name, backend.name, record.host_names(), theirs, record.renamed, record.unsettled)
        can_run = can_run_of(implementation)
        if can_run is not None and not callable(can_run):
            raise self._broken_can_run(record, backend, f"must be callable, not {type(can_run).__name__}")
        return Plan(
            backend=backend,
            attribute=record.attribute,
            key=key,
            implementation=implementation,
            can_run=can_run,
            router=router,
        )

    def _broken_can_run(self, record: Dispatched, backend: Backend, what: str) -> BackendError:
        text = (
            f"Backend {backend.name!r} breaks its contract: can_run of {record.attribute!r} {what}. "
            f"It must take what the function takes, and return True, False or a sentence. Use backend='cpu' and tell "
            f"the backend's authors."
        )
        return self._error(BackendContractError, record, backend, text)

    def _error(self, kind: type[BackendError], record: Dispatched, backend: Backend, text: str) -> BackendError:
        return kind(
            text, host=self._host, backend=backend.name, distribution=backend.distribution, function=record.name
        )

    def arrange(
        self, record: Dispatched, plan: Plan, args: tuple[Any, ...], kwargs: dict[str, Any], state: State
    ) -> Arranged:
        """Map the arguments of a call to those of an implementation."""
        router = plan.router
        given = self.bind(record, plan, args, kwargs)
        if router is None:
            return Arranged(args, kwargs)
        lost = router.lost(given.named, record.never_drop)
        if lost:
            # Before the host's converters run, one of which may draw from a generator of random numbers.
            return Arranged(args, kwargs, lost)
        scoped = scoped_options_of(plan, state, self._resolver)
        # What the caller writes wins.
        added = {name: value for name, value in scoped.items() if name not in given.options}
        given.options.update(added)
        try:
            # The host's converters see the selection that the call is made under.
            with Entered(self._variable, state):
                arranged = router.arrange(given)
        except BackendContractError as error:
            error.host, error.distribution = self._host, plan.backend.distribution
            raise
        arranged.scoped = added if scoped else None
        return arranged

    def bind(self, record: Dispatched, plan: Plan | None, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Given:
        """Sort the arguments of a call by name; an error says who would know a keyword that nobody here knows."""
        options = frozenset[str]() if plan is None else plan.options
        try:
            constructs = record.constructor is not None
            unset = record.unset_in(kwargs)
            return bind(record.plain_name, record.host_names(), options, args, kwargs, unset, constructs=constructs)
        except InvalidCall as error:
            text = str(error)
            more = None
            if error.keyword is not None:
                ran = CPU if plan is None else plan.backend.name
                more = self._merger.unexpected(record, error.keyword, ran, text)
            raise CallError(with_more(text, more) if more else text) from None

    def declined(self, record: Dispatched, plan: Plan, arranged: Arranged, state: State) -> str | None:
        """Return why an implementation does not run a call, ``None`` where it does."""
        lacking = [name for name in arranged.dropped if name in record.never_drop]
        if lacking:
            return f"lacks {listing(lacking)}"
        if plan.can_run is None:
            return None
        ask = plan.can_run
        try:
            with Entered(self._variable, state.running_also(plan.key)):
                answer: object = ask(*arranged.args, **arranged.kwargs)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise self._broken_can_run(record, plan.backend, f"raised {describe_error(error)}") from error
        if type(answer).__module__ == "numpy" and type(answer).__name__ in ("bool", "bool_"):
            answer = bool(answer)  # What a condition on an array's properties easily comes to.
        if answer is True:
            return None
        if answer is False:
            return _NO_SENTENCE
        if isinstance(answer, str):
            return answer.strip() or _NO_SENTENCE
        raise self._broken_can_run(record, plan.backend, f"returned {type(answer).__name__}")


def scoped_options_of(plan: Plan, state: State, resolver: Resolver) -> dict[str, Any]:
    """Return the options that scopes give to an implementation, of those that it takes."""
    given = resolver.options_in(state).get(plan.backend.name, {})
    return {name: value for name, value in given.items() if name in plan.options}


def can_run_of(implementation: Any) -> Any:
    """Return an implementation's ``can_run``, whatever it is, and ``None`` where it has none.

    A plain attribute: an object whose ``__getattr__`` answers to every name does not have one.
    """
    from inspect import getattr_static

    holder = implementation.__func__ if type(implementation) is MethodType else implementation
    if getattr_static(holder, "can_run", None) is None:
        return None
    return getattr(implementation, "can_run", None)


def with_more(text: str, more: str) -> str:
    """Return Python's own error text and what there is to add."""
    return f"{text} {more}" if text.endswith("?") else f"{text}. {more}"


def _kind_of(record: Dispatched, implementation: Any) -> str:
    """Return what an export is, for the error that says it is not what it should be."""
    if implementation is record.wrapper_ref():
        return "the host's own dispatched class"
    if isinstance(implementation, ModuleType):
        return (
            f"the module {implementation.__name__!r}. An import has put it in the place of the function: "
            f"give the two different names"
        )
    return type(implementation).__name__
