"""What the testing kit and the command line see of a dispatcher beyond its public names.

They stand on top of everything and use this module instead of reaching into the parts one by one, so that what the
parts look like stays their own business.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from importlib import import_module
from contextlib import contextmanager
from inspect import getattr_static
from typing import cast

from scverse_backends._calls.watched import OutermostCall, outermost, watching
from scverse_backends._discovery.adapters import Backend, Failure
from scverse_backends._discovery.exports import MISSING, declares, exported
from scverse_backends._discovery.installed import installed_version
from scverse_backends._dispatcher import BackendDispatcher
from scverse_backends._docstrings.read import parameter_docs
from scverse_backends._foundation.amounts import count, duration, speed
from scverse_backends._foundation.foreign import describe_error
from scverse_backends._foundation.labels import CPU, did_you_mean, normalize_distribution, suggestions
from scverse_backends._foundation.labels import problem as label_problem
from scverse_backends._foundation.live import live_dispatchers
from scverse_backends._foundation.table import Row, Table
from scverse_backends._foundation.waiting import DEEPEST, computed, is_lazy, leaves, wait_for
from scverse_backends._reports.contract import adapter_problems, failure_problems
from scverse_backends._reports.discover import ambiguities as _ambiguities
from scverse_backends._reports.discover import check_never_drop, doubled
from scverse_backends._reports.function import ambiguous_problem, function_problems
from scverse_backends._reports.problem import Problem
from scverse_backends._signatures.accepted import implementation_signature
from scverse_backends._signatures.arguments import Names
from scverse_backends.exceptions import BackendError, UnknownBackendError

__all__ = [
    "CPU",
    "DEEPEST",
    "HostFunction",
    "Inspected",
    "OutermostCall",
    "Problem",
    "Row",
    "Table",
    "ambiguities",
    "canonical_name",
    "computed",
    "count",
    "describe_error",
    "did_you_mean",
    "dispatcher_behind",
    "dispatcher_of",
    "duration",
    "holders",
    "host_functions",
    "implements",
    "inspected",
    "installed_version",
    "intercepted",
    "is_lazy",
    "label_problem",
    "leaves",
    "live",
    "observed",
    "parameter_docs",
    "provide",
    "refusal_of",
    "snapshot",
    "speed",
    "suggestions",
    "takes",
    "trusted_as",
    "wait_for",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from inspect import Signature
    from typing import Any

    from scverse_backends._calls.decision import Decision, Ended
    from scverse_backends._calls.watched import Observe
    from scverse_backends._discovery.answers import Entry
    from scverse_backends._discovery.entry_points import EntryPointRecord
    from scverse_backends._discovery.trust import TrustedBackend
    from scverse_backends._machinery import Machinery

    Observer = Callable[[str, str, str], None]
    """Takes the name of a host function, what runs it (``"cpu"`` for the host), and why."""


class HostFunction:
    """One function or class that a host dispatches."""

    __slots__ = ("attribute", "is_class", "public", "signature")

    def __init__(self, attribute: str, public: Any, signature: Signature, *, is_class: bool) -> None:
        self.attribute = attribute
        """What backends call it."""
        self.public = public
        """What the host's users call, with the host's own decorators around."""
        self.signature = signature
        """What a backend gets the arguments of."""
        self.is_class = is_class


class Inspected:
    """One backend as a static check sees it: its entry point and what became of it."""

    __slots__ = ("_dispatcher", "_entry", "name")

    def __init__(self, dispatcher: Any, entry: Entry) -> None:
        self._dispatcher = dispatcher
        self._entry = entry
        outcome = entry.outcome
        self.name = outcome.name if isinstance(outcome, Backend) else entry.record.name

    @property
    def record(self) -> EntryPointRecord:
        """The entry point."""
        return self._entry.record

    @property
    def host_modules(self) -> tuple[str, ...]:
        """The modules that make the dispatcher and define the functions, all of which a user of the backend has."""
        maker: str = self._dispatcher._key[0]  # noqa: SLF001 - what this module is for.
        homes = [record.function.__module__ for record in _inside(self._dispatcher).records.listed()]
        return tuple(dict.fromkeys((maker, *homes)))

    @property
    def functions(self) -> tuple[str, ...]:
        """Names of the host functions that it says it implements."""
        outcome = self._entry.outcome
        if not isinstance(outcome, Backend):
            return ()
        known = {record.attribute for record in _inside(self._dispatcher).records.listed()}
        return tuple(name for name in sorted(known) if declares(outcome.adapter, name))

    @property
    def traceback(self) -> str:
        """The traceback of a failure as text, empty where there is none."""
        outcome = self._entry.outcome
        return outcome.traceback if isinstance(outcome, Failure) else ""

    def problems(self) -> Iterator[Problem]:
        """Yield everything that is wrong with the adapter and with what it exports, calling none of its functions."""
        dispatcher, entry = self._dispatcher, self._entry
        outcome = entry.outcome
        registry = _inside(dispatcher).registry
        if not isinstance(outcome, Backend):
            yield from failure_problems(entry, registry)
            return
        records = _inside(dispatcher).records.listed()
        yield from adapter_problems(entry, outcome, records, registry)
        ambiguous = {one.attribute: (one, other) for one, other in doubled(records)}
        for name, record in sorted({record.attribute: record for record in records}.items()):
            if name not in ambiguous:
                yield from function_problems(record, outcome)
            elif declares(outcome.adapter, name):
                yield ambiguous_problem(*ambiguous[name])


def _inside(dispatcher: BackendDispatcher) -> Machinery:
    parts: Any = dispatcher
    machinery: Machinery = parts._machinery  # noqa: SLF001 - what this module is for.
    return machinery


def _dispatcher(given: object) -> BackendDispatcher:
    if not isinstance(given, BackendDispatcher):
        raise TypeError(f"dispatcher must be the host's BackendDispatcher, not {type(given).__name__}.")
    return given


def inspected(dispatcher: BackendDispatcher, name: str) -> Inspected:
    """Return what answers to a name, even if it is only the entry point that failed to load.

    Raises
    ------
    BackendError
        If nothing of that name is installed or registered.
    TypeError
        If what was given is no dispatcher, or no name.
    ValueError
        If the host keeps a parameter by `never_drop` that none of its functions has.
    """
    parts = _inside(_dispatcher(dispatcher))
    if not isinstance(cast("object", name), str):
        raise TypeError(f"backend must be the name of a backend, not {type(name).__name__}.")
    if name == CPU:
        raise UnknownBackendError(f"{CPU!r} is the host itself, which has no adapter to look at.", backend=CPU)
    check_never_drop(parts.records.listed())
    registry = parts.registry
    try:
        backend = parts.resolver.backend(name)
    except BackendError:
        registry.load_all()
        for entry in registry.known_entries():
            if entry.record.name == name and isinstance(entry.outcome, Failure):
                return Inspected(dispatcher, entry)
        raise
    return Inspected(dispatcher, next(entry for entry in registry.known_entries() if entry.outcome is backend))


def host_functions(dispatcher: BackendDispatcher) -> list[HostFunction]:
    """Return what a host dispatches, by the name that backends know it by; two of one name are both left out."""
    records = _inside(_dispatcher(dispatcher)).records.listed()
    found = {record.attribute: record for record in records}
    for ambiguous, _ in doubled(records):
        found.pop(ambiguous.attribute, None)
    return [
        HostFunction(name, record.public(), record.host_signature(), is_class=record.is_class)
        for name, record in sorted(found.items())
    ]


def refusal_of(dispatcher: BackendDispatcher, name: str) -> str | None:
    """Say why no new backend may have a name, as far as the host's configuration tells."""
    return _inside(dispatcher).trust.refusal(name)


def trusted_as(dispatcher: BackendDispatcher, name: str) -> TrustedBackend | None:
    """Return what the host has configured of the backend that it trusts with a name."""
    return _inside(dispatcher).trust.owner(name)


def ambiguities(dispatcher: BackendDispatcher) -> list[str]:
    """Return a sentence for each two functions of a host that look for the same name in backends."""
    return [str(warning) for warning in _ambiguities(_inside(dispatcher).records.listed())]


def live() -> list[BackendDispatcher]:
    """Return the dispatchers that are alive, in the order of their creation."""
    return [dispatcher for _, dispatcher in live_dispatchers()]


def holders(adapter: object) -> list[BackendDispatcher]:
    """Return the dispatchers that know an adapter."""
    return [
        dispatcher
        for dispatcher in live()
        if any(
            isinstance(entry.outcome, Backend) and entry.outcome.adapter is adapter
            for entry in _inside(dispatcher).registry.known_entries()
        )
    ]


def implements(adapter: object, function: str) -> bool:
    """Whether an adapter exports a function, which a lazy one imports for the answer.

    Raises
    ------
    Exception
        Whatever the adapter raises.
    """
    return exported(adapter, function) is not MISSING


def dispatcher_behind(given: object) -> BackendDispatcher:
    """Return a dispatcher that was given itself or as its settings.

    Raises
    ------
    TypeError
        If it is neither.
    """
    for _, dispatcher in live_dispatchers():
        if given is dispatcher or given is dispatcher.settings:
            return cast("BackendDispatcher", dispatcher)
    raise TypeError(f"dispatcher must be the host's BackendDispatcher or its settings, not {type(given).__name__}.")


def takes(function: Any, backend: str) -> Callable[[str], bool]:
    """Return what says whether an implementation of a decorated function takes a keyword of a name.

    Where a backend lacks the function or fails to provide it, the host would run.
    """
    dispatcher: Any = dispatcher_of(function)
    record = dispatcher._machinery.record_of(function)  # noqa: SLF001 - what this module is for.
    names = record.host_names()
    if backend != CPU:
        try:
            implementation = exported(dispatcher.get_backend(backend), record.attribute)
        except Exception:  # noqa: BLE001 - the call will say what is wrong.
            implementation = MISSING
        if implementation is not MISSING:
            signature = implementation_signature(implementation)
            # Its ``**kwargs`` take what the host knows, and nothing else.
            options = Names(signature.parameters.values()).by_keyword if signature is not None else frozenset[str]()
            return lambda name: name in options or name in names.by_keyword
    return lambda name: names.takes_any or name in names.by_keyword


def canonical_name(dispatcher: BackendDispatcher, adapter: object) -> str:
    """Return the name that a dispatcher knows an adapter by."""
    outcomes = (entry.outcome for entry in _inside(dispatcher).registry.known_entries())
    return next(one.name for one in outcomes if isinstance(one, Backend) and one.adapter is adapter)


@contextmanager
def observed(dispatchers: Iterable[BackendDispatcher], observer: Observer) -> Generator[None]:
    """Tell an observer of every call on a selected backend, in any thread, and of every fallback to the host."""

    def observe(decision: Decision, _args: object, _kwargs: object) -> None:
        observer(decision.record.name, decision.executes, decision.reason)

    with ExitStack() as stack:
        for dispatcher in dispatchers:
            _watch(stack, dispatcher, observe)
        yield


@contextmanager
def intercepted(dispatcher: BackendDispatcher, begin: Callable[[OutermostCall], Ended | None]) -> Generator[None]:
    """Announce each outermost call with a backend selected, in any thread, before it runs.

    Parameters
    ----------
    dispatcher
        Whose calls.
    begin
        Given each call. It may return a function that is told how the call ended: with which exception, and with which
        result.
    """
    with ExitStack() as stack:
        _watch(stack, dispatcher, outermost(_inside(dispatcher).decider, begin))
        yield


def _watch(stack: ExitStack, dispatcher: BackendDispatcher, observe: Observe) -> None:
    machinery = _inside(dispatcher)
    stack.enter_context(watching(machinery.decider, observe))
    machinery.refresh()  # Every call is decided anew from now on, and no decision is kept.


def snapshot(dispatcher: BackendDispatcher) -> Callable[[], None]:
    """Return a function that brings a dispatcher back to what it is now.

    Backends, settings (of the process and of this context), the warnings given, merged signatures and docstrings, and
    the list of functions.

    Raises
    ------
    TypeError
        If what was given is no dispatcher.
    """
    parts = _inside(_dispatcher(dispatcher))
    warner = parts.warner
    given = warner.given
    # In this order: bringing back the backends shows their options anew, and what was shown before has the last word.
    steps = [
        parts.registry.snapshot(),
        parts.merger.snapshot(),
        parts.selection.snapshot(),
        lambda: warner.restore(given),
        parts.records.snapshot(),
    ]

    def restore() -> None:
        for step in steps:
            step()

    # What calls have kept before would not see another listing function.
    parts.refresh()
    return restore


def provide(
    dispatcher: BackendDispatcher, adapter: object, name: str | None, distribution: str | None, entry_point: str | None
) -> str:
    """Register an adapter as if a distribution provided it, and return its canonical name.

    Raises
    ------
    TypeError
        If what describes the provider is no text.
    ValueError
        If the adapter breaks the rules, or the entry point is malformed.
    """
    given: dict[str, object] = {"name": name, "distribution": distribution, "entry_point": entry_point}
    for option, text in given.items():
        if text is not None and not isinstance(text, str):
            raise TypeError(f"{option} must be a string, not {type(text).__name__}.")
    if distribution is not None and not distribution.strip():
        raise ValueError("distribution must be the name of a distribution, and is empty.")
    value = None
    if entry_point is not None:
        point, equals, value = (part.strip() for part in entry_point.partition("="))
        if not equals or not value:
            raise ValueError(f"entry_point={entry_point!r} is not of the form 'name = module:object'.")
        if name is not None and name != point:
            raise ValueError(f"name={name!r} contradicts entry_point={entry_point!r}. Leave name= out.")
        name = point
    if name is not None and (wrong := label_problem(name)) is not None:
        raise ValueError(f"The name {name!r} of the entry point {wrong}.")
    parts = _inside(dispatcher)
    if distribution is None:
        _refuse_trusted_names(parts, name, getattr_static(adapter, "name", None))
    else:
        # It stands in for the distribution, which may well be installed.
        parts.registry.replaced |= {normalize_distribution(distribution)}
    return parts.register(adapter, name, distribution=distribution, value=value)


def _refuse_trusted_names(parts: Machinery, *names: object) -> None:
    """Say what to pass where an adapter bears a name that the host trusts a distribution with."""
    owners = (parts.trust.owner(name) for name in names if isinstance(name, str))
    owner = next((owner for owner in owners if owner is not None), None)
    if owner is None:
        return
    if owner.distributions:
        wanted = f"distribution={owner.distributions[0]!r}"
    else:
        point = next(iter(owner.entrypoints), owner.name)
        module = next(iter((*owner.object_refs, *owner.module_prefixes)), "module")
        wanted = f"distribution='a-name', entry_point='{point} = {module}'"
    raise ValueError(
        f"The adapter cannot be registered: {parts.warner.host} trusts another provider with the name {owner.name!r}. "
        f"To stand in for it, pass {wanted}; else give the adapter another name."
    )


def dispatcher_of(function: Any) -> BackendDispatcher:
    """Return the dispatcher of a decorated function.

    Raises
    ------
    TypeError
        If no dispatcher that is alive decorated it.
    """
    for dispatcher in live():
        try:
            _inside(dispatcher).record_of(function)
        except TypeError:
            continue
        return dispatcher
    raise TypeError(f"{getattr(function, '__qualname__', repr(function))} is not dispatched by any host.")
