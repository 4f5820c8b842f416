"""A backend's implementation of one function: fetched anew at each call, checked, compiled into a plan, and asked."""

from __future__ import annotations

from types import MethodType

from scverse_backends._discovery.exports import MISSING, exported
from scverse_backends._foundation import log
from scverse_backends._foundation.foreign import describe_error
from scverse_backends._selection.state import run_in
from scverse_backends._signatures.accepted import implementation_signature
from scverse_backends._signatures.arguments import InvalidCall, bind
from scverse_backends._signatures.plan import Plan, compile_router
from scverse_backends.exceptions import BackendContractError, BackendLoadError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import ContextVar
    from typing import Any

    from scverse_backends._calls.dispatched import Dispatched
    from scverse_backends._discovery.adapters import Backend
    from scverse_backends._selection.state import State
    from scverse_backends._signatures.arguments import Given

_NO_SENTENCE = "it did not say why"


class Implementations:
    """What the backends of one dispatcher implement."""

    __slots__ = ("_host", "_merge", "_unexpected", "_variable")

    def __init__(
        self,
        host: str,
        variable: ContextVar[State],
        merge: Callable[[Dispatched, Backend, Any], None],
        unexpected: Callable[[Dispatched, str, str], str | None],
    ) -> None:
        self._host = host
        self._variable = variable
        self._merge = merge
        self._unexpected = unexpected

    def plan(self, record: Dispatched, backend: Backend) -> Plan | None:
        """Ask the adapter for its implementation, and compile a plan unless there is one for that very object."""
        implementation = self._export(record, backend)
        if implementation is MISSING:
            return None
        plan = record.plans.get(backend)
        if plan is None or not plan.is_for(implementation):
            self._check_export(record, backend, implementation)
            # First, since a plan depends on what is merged.
            self._merge(record, backend, implementation)
            plan = self._compile(record, backend, implementation)
            record.keep_plan(plan)
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
                host=self._host,
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
                host=self._host,
                backend=backend.name,
                distribution=backend.distribution,
                function=record.name,
            ) from error

    def _compile(self, record: Dispatched, backend: Backend, implementation: Any) -> Plan:
        log.debug("%s: first use of backend %r for %s()", self._host, backend.name, record.name)
        router = compile_router(
            record.name,
            backend.name,
            record.host_names(),
            implementation_signature(implementation),
            record.renamed,
            record.unsettled,
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
        can_run = can_run_of(implementation)
        if can_run is not None and not callable(can_run):
            raise self._broken_can_run(record, backend.name, f"is no callable but {type(can_run).__name__}")
        checked: Callable[..., object] | None = can_run
        return checked

    def _broken_can_run(self, record: Dispatched, backend: str, what: str) -> BackendContractError:
        return BackendContractError(
            f"Backend {backend!r} breaks its contract: can_run of {record.attribute!r} {what}. "
            f"It must return True, False or a sentence. Use backend='cpu' and tell the backend's authors.",
            host=self._host,
            backend=backend,
            function=record.name,
        )

    def arrange(
        self, record: Dispatched, plan: Plan, args: tuple[Any, ...], kwargs: dict[str, Any], state: State
    ) -> tuple[Any, dict[str, Any], list[str]]:
        """Map the arguments of a call; returns those for the implementation, and the names that it does not know."""
        router = plan.router
        given = self.bind(record, plan, args, kwargs)
        if router is None:
            return args, kwargs, []
        try:
            # The host's converters see the selection that the call is made under.
            arranged: tuple[Any, dict[str, Any], list[str]]
            arranged = run_in(self._variable, self._variable.get(), state, router.arrange, given)
        except BackendContractError as error:
            error.host, error.distribution = self._host, plan.backend.distribution
            raise
        return arranged

    def bind(self, record: Dispatched, plan: Plan, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Given:
        """Sort the arguments of a call by name.

        Raises
        ------
        TypeError
            If no function of the merged signature takes them; says who would know a keyword.
        """
        options = plan.router.options if plan.router is not None else frozenset[str]()
        try:
            constructs = record.constructor is not None
            return bind(record.plain_name, record.host_names(), options, args, kwargs, constructs=constructs)
        except InvalidCall as error:
            unknown = error.keyword
            more = self._unexpected(record, unknown, plan.backend.name) if unknown is not None else None
            raise TypeError(with_more(error, more) if more else str(error)) from None

    def declined(
        self, record: Dispatched, plan: Plan, args: list[Any], kwargs: dict[str, Any], state: State
    ) -> str | None:
        """Ask an implementation whether it can run a call; the answer is why not."""
        if plan.can_run is None:
            return None
        inner = state.running_also(plan.key)
        backend = plan.backend.name
        ask = plan.can_run
        try:
            answer: object = run_in(self._variable, self._variable.get(), inner, lambda: ask(*args, **kwargs))
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise self._broken_can_run(record, backend, f"raised {describe_error(error)}") from error
        if type(answer).__module__ == "numpy" and type(answer).__name__ in ("bool", "bool_"):
            answer = bool(answer)  # What a condition on an array's properties easily comes to.
        if answer is True:
            return None
        if answer is False:
            return _NO_SENTENCE
        if isinstance(answer, str):
            return answer.strip() or _NO_SENTENCE
        raise self._broken_can_run(record, backend, f"returned {type(answer).__name__}")


def can_run_of(implementation: Any) -> Any:
    """Return an implementation's ``can_run``, whatever it is, and ``None`` where it has none.

    A plain attribute: an object whose ``__getattr__`` answers to every name does not have one.
    """
    from inspect import getattr_static

    holder = implementation.__func__ if type(implementation) is MethodType else implementation
    if getattr_static(holder, "can_run", None) is None:
        return None
    return getattr(implementation, "can_run", None)


def with_more(plain: object, more: str) -> str:
    """Return Python's own error text and what there is to add."""
    text = str(plain)
    return f"{text} {more}" if text.endswith("?") else f"{text}. {more}"


def _kind_of(record: Dispatched, implementation: Any) -> str:
    """Return what an export is, for the error that says it is not what it should be."""
    if implementation is record.wrapper_ref():
        return "the host's own dispatched class"
    return type(implementation).__name__
