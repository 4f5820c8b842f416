"""What a dispatcher and its decorated functions share, of which only what is needed is made.

Importing a host needs the selection and the decorated functions. What finds backends and decides calls is made when
something asks for it first, since loading it takes longer than all of the rest.
"""

from __future__ import annotations

from _thread import RLock

from scverse_backends._foundation.labels import CPU, listing
from scverse_backends._selection.selection import Selection
from scverse_backends.exceptions import BackendError, BackendLoadWarning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from scverse_backends._calls.decide import Decider
    from scverse_backends._calls.decision import Decision
    from scverse_backends._calls.dispatched import Dispatched, LiveRecords
    from scverse_backends._calls.merge import Merger
    from scverse_backends._calls.wrapper import Maker
    from scverse_backends._discovery.registry import Registry
    from scverse_backends._discovery.resolver import Resolver
    from scverse_backends._discovery.trust import Trust
    from scverse_backends._foundation.foreign import Attempt
    from scverse_backends._foundation.warner import Warner
    from scverse_backends._reports.explain import Explanation
    from scverse_backends._reports.report import BackendTable
    from scverse_backends._selection.state import Choice, Options


class _Parts:
    """What finds backends and decides calls."""

    __slots__ = ("decider", "merger", "registry", "resolver")

    def __init__(self, machinery: Machinery) -> None:
        from scverse_backends._calls.decide import Decider
        from scverse_backends._calls.merge import Merger
        from scverse_backends._discovery.registry import Registry
        from scverse_backends._discovery.resolver import Resolver

        refuses, warns = machinery.untrusted == "refuse", machinery.untrusted == "warn"
        warner, selection = machinery.warner, machinery.selection
        self.registry = Registry(
            group=machinery.group, trust=machinery.trust, refuse_untrusted=refuses, on_change=machinery.refresh
        )
        self.resolver = Resolver(machinery.host, self.registry, warner, warn_untrusted=warns)
        self.merger = Merger(self.registry, machinery.records)
        self.decider = Decider(selection, self.resolver, warner, self.merger)


class Machinery:
    """The inside of one dispatcher."""

    __slots__ = (
        "_building",
        "_makers",
        "_packages",
        "_parts",
        "_records",
        "_warner",
        "group",
        "host",
        "never_drop",
        "reference",
        "selection",
        "trust",
        "untrusted",
    )

    def __init__(
        self,
        host: str,
        group: str,
        packages: set[str],
        trust: Trust,
        untrusted: str,
        never_drop: frozenset[str],
    ) -> None:
        self.host = host
        self.group = group
        self._packages = packages
        self.trust = trust
        self.untrusted = untrusted
        self._warner: Warner | None = None
        self._records: LiveRecords | None = None
        self.never_drop = never_drop
        self.selection = Selection(host, self._choice)
        self.selection.reference = (selection_of, (self,))
        self.reference: tuple[Any, ...] = ()
        """What it is restored by in another process, set by the dispatcher."""
        self._parts: _Parts | None = None
        self._makers: tuple[Maker, Maker] | None = None
        self._building = RLock()

    def __reduce__(self) -> tuple[Any, ...]:
        # Functions that are pickled by value take it along: they shall find their own dispatcher's again.
        return self.reference

    # -- what finds backends and decides calls -----------------------------------------------------------------------

    def _built(self) -> _Parts:
        if self._parts is None:
            built = _Parts(self)
            # Several threads may need them first at once; all use the ones that were ready first.
            with self._building:
                if self._parts is None:
                    self._parts = built
        return self._parts

    @property
    def registry(self) -> Registry:
        """Knows which backends exist."""
        return self._built().registry

    @property
    def resolver(self) -> Resolver:
        """Turns names into backends and selections."""
        return self._built().resolver

    @property
    def merger(self) -> Merger:
        """Shows the options of the backends in the host's functions."""
        return self._built().merger

    @property
    def decider(self) -> Decider:
        """Decides calls."""
        return self._built().decider

    @property
    def warner(self) -> Warner:
        """Gives the warnings."""
        if self._warner is None:
            from scverse_backends._foundation.warner import Warner  # As below.

            warner = Warner(self.host, self._packages)
            with self._building:
                if self._warner is None:
                    self._warner = warner
        return self._warner

    @property
    def records(self) -> LiveRecords:
        """The decorated functions."""
        if self._records is None:
            from scverse_backends._calls.dispatched import LiveRecords  # Importing this package need not pay for it.

            records = LiveRecords()
            with self._building:
                if self._records is None:
                    self._records = records
        return self._records

    def _choice(self, value: Any, source: str) -> Choice:
        return self.resolver.choice(value, source)

    def refresh(self) -> None:
        """Compile anew and show anew: a backend came or went."""
        parts = self._built()
        parts.resolver.forget()
        parts.decider.epoch += 1
        for record in self.records:
            record.forget_plans()
        parts.merger.refresh()

    def after_fork(self) -> None:
        """Open, in a forked child, the locks that threads of the parent may have held."""
        self._building = RLock()
        self.selection.after_fork()
        if self._parts is not None:
            self._parts.registry.after_fork()
            self._parts.merger.after_fork()

    # -- for decorated functions -------------------------------------------------------------------------------------

    def decide(
        self, record: Dispatched, requested: object, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Decision | Attempt:
        """Return what runs a call, or the error that it ends in."""
        return self.decider.decide(record, requested, args, kwargs)

    def failed(self, record: Dispatched, *call: Any) -> Decision | Attempt | None:
        """Look at what a call raised, and return what to run or to raise in its place, if there is anything better."""
        return self.decider.failed(record, *call)

    def decorate(self, function: Any, **options: Any) -> Callable[..., Any]:
        """Decorate one host function."""
        from scverse_backends._calls.functions import dispatch_function

        if self._makers is None:
            from scverse_backends._calls.wrapper import NeverIdle, maker

            self._makers = (maker(self.selection), maker(NeverIdle(self.selection)))
        wrapper, record = dispatch_function(self._makers, function, **options)
        self._show(record, wrapper)
        return wrapper

    def decorate_class(self, cls: Any, **options: Any) -> type:
        """Decorate one host class."""
        from scverse_backends._calls.classes import dispatch_class

        built, record = dispatch_class(self, cls, **options)
        self._show(record, built)
        return built

    def _show(self, record: Dispatched, shown: Any) -> None:
        record.gate = self
        record.never_drop |= self.never_drop
        self.records.add(record, shown)
        if self._parts is not None:
            self._parts.merger.came(record)
        rivals = self.records.rivals(record)
        for rival in rivals:
            rival.forget_plans()
        if rivals:
            from scverse_backends._reports.discover import ambiguity  # Few hosts need it.

            self.warner.warn_author(ambiguity(rivals[0], record))

    def adopt(self, record: Dispatched) -> None:
        """Know a function that was pickled by value, unless it is a copy of one that lives here."""
        # Merged later, when a backend first runs it: at this moment the function is being put together.
        known_already = (known for known in self.records if known is not record)
        if not any(_same_function(known.function, record.function) for known in known_already):
            self.records.add(record, record.wrapper_ref())

    # -- for people --------------------------------------------------------------------------------------------------

    def functions(self) -> dict[str, Any]:
        """Return the decorated functions by the name that backends know them by; the latest wins."""
        found = {record.attribute: record.public() for record in self.records.listed()}
        return {name: found[name] for name in sorted(found)}

    def record_of(self, function: Any) -> Dispatched:
        """Return the record of a decorated function, also from a decorator outside it.

        Raises
        ------
        TypeError
            If this dispatcher did not decorate it.
        """
        from scverse_backends._calls.dispatched import leads_to

        for record in self.records:
            if leads_to(function, record.wrapper_ref()):
                return record
        name = getattr(function, "__qualname__", repr(function))
        if isinstance(function, str):
            raise TypeError(f"{name} is the name of a function: give the function itself, without quotes.")
        known = listing(self.functions()) or "nothing"
        raise TypeError(f"{name} is not dispatched by this host. What it dispatches: {known}.")

    def discover(self) -> None:
        """Load and merge everything, and say what a host's developers should hear about."""
        from scverse_backends._reports.discover import discover

        discover(self.resolver, self.registry, self.records, self.warner, self.merger)

    def backends(self) -> BackendTable:
        """Return the table of backends."""
        from scverse_backends._reports.report import backend_table

        self.merger.catch_up()
        return backend_table(self.host, self.registry, self.resolver, self.records.listed())

    def explain(self, function: Any, backend: object) -> Explanation:
        """Say which implementation of a function would run."""
        from scverse_backends._reports.explain import explain

        self.merger.catch_up()
        return explain(self.decider, self.record_of(function), backend)

    def get_backend(self, name: Any) -> Any:
        """Return the adapter that answers to a name, ``None`` if none does; warn where it cannot be loaded."""
        if not isinstance(name, str) or name == CPU:
            return None
        try:
            return self.resolver.backend(name).adapter
        except BackendError as error:
            if isinstance(error, ImportError) and error.failed:
                self.warner.warn(BackendLoadWarning(str(error), backend=name, distribution=error.distribution))
            return None

    def available_names(self) -> list[str]:
        """Return every name and alias that can be selected, sorted."""
        self._load_all()
        return sorted(self.registry.answers())

    def available_backends(self) -> list[str]:
        """Return the canonical names of all usable backends, sorted."""
        self._load_all()
        return sorted(backend.name for backend in self.registry.available())

    def _load_all(self) -> None:
        self.resolver.load_all()
        self.resolver.tell()
        self.merger.catch_up()

    def register(
        self, adapter: Any, name: str | None, *, distribution: str | None = None, value: str | None = None
    ) -> str:
        """Add an adapter that has no entry point, and return its canonical name."""
        from scverse_backends._discovery.entry_points import RegisteredRecord
        from scverse_backends._discovery.registration import register

        record = RegisteredRecord(name or "", adapter, distribution=distribution, value=value)
        canonical = register(self.registry, record)
        self.resolver.tell()
        return canonical

    def unregister(self, name: str) -> None:
        """Take a registered adapter out again."""
        from scverse_backends._discovery.registration import unregister

        unregister(self.registry, name, self.host)

    # -- options of scopes -------------------------------------------------------------------------------------------

    def scoped_options(self, choice: Choice | None, given: object) -> Options:
        """Return what a user wrote as options of a scope, once it is sure that something can take them."""
        from scverse_backends._calls.options import Takers, scoped_options

        options = scoped_options(choice, given, self.resolver)
        Takers(self.registry, self.records.listed()).check(options)
        return options

    def warn_unused(self, options: Options) -> None:
        """Warn of the options of a scope that no function takes."""
        from scverse_backends._calls.options import Takers

        for warning in Takers(self.registry, self.records.listed()).unused(options):
            self.warner.warn(warning)


def selection_of(machinery: Machinery) -> Selection:
    """Return the selection of a dispatcher: what its pickle is read by."""
    return machinery.selection


def _same_function(one: Any, other: Any) -> bool:
    names = ("__module__", "__qualname__", "__code__")
    return all(getattr(one, name, None) == getattr(other, name, None) for name in names)
