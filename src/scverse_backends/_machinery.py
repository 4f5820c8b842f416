"""What a dispatcher and its decorated functions share, of which only what is needed is made.

Importing a host needs the selection and the decorated functions. What finds backends and decides calls is made when
something asks for it first, since loading it takes longer than all of the rest.
"""

from __future__ import annotations

from _thread import RLock

from scverse_backends._foundation.labels import CPU, listing, not_dispatched
from scverse_backends._selection.selection import Selection

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


def _finding(machinery: Machinery) -> tuple[Registry, Resolver]:
    """Make what finds backends."""
    from scverse_backends._discovery.registry import Registry
    from scverse_backends._discovery.resolver import Resolver

    refuses, warns = machinery.untrusted == "refuse", machinery.untrusted == "warn"
    registry = Registry(
        group=machinery.group, trust=machinery.trust, refuse_untrusted=refuses, on_change=machinery.refresh
    )
    return registry, Resolver(machinery.host, registry, machinery.warner, warn_untrusted=warns)


def _deciding(machinery: Machinery) -> tuple[Merger, Decider]:
    """Make what decides calls, and what shows the options that backends add."""
    from scverse_backends._calls.decide import Decider
    from scverse_backends._calls.merge import Merger

    merger = Merger(machinery.registry, machinery.records)
    return merger, Decider(machinery.selection, machinery.resolver, machinery.warner, merger)


class Machinery:
    """The inside of one dispatcher."""

    __slots__ = (
        "_building",
        "_makers",
        "_module",
        "_parts",
        "group",
        "host",
        "never_drop",
        "owner",
        "reference",
        "selection",
        "trust",
        "untrusted",
    )

    def __init__(
        self, host: str, group: str, module: str, trust: Trust, untrusted: str, never_drop: frozenset[str]
    ) -> None:
        self.host = host
        self.group = group
        self._module = module
        self.trust = trust
        self.untrusted = untrusted
        self.never_drop = never_drop
        self.selection = Selection(host, self._choice)
        self.selection.reference = (selection_of, (self,))
        self.reference: tuple[Any, ...] = ()
        """What it is restored by in another process, set by the dispatcher."""
        self.owner: object = None
        """The dispatcher, which lives as long as its settings and functions do: they are restored through it."""
        self._parts: dict[str, Any] = {}
        self._makers: tuple[Maker, Maker] | None = None
        self._building = RLock()

    def __reduce__(self) -> tuple[Any, ...]:
        # A function that is pickled by value takes it along, and finds its own dispatcher's again.
        return self.reference

    # -- the parts, each made on first need --------------------------------------------------------------------------

    def _part[P](self, name: str, make: Callable[[], P]) -> P:
        """Return a part. Several threads may need it first at once: all use the one that was ready first."""
        if name not in self._parts:
            made = make()
            with self._building:
                self._parts.setdefault(name, made)
        part: P = self._parts[name]
        return part

    @property
    def warner(self) -> Warner:
        """Gives the warnings."""
        from scverse_backends._foundation.warner import Warner, host_packages

        return self._part("warner", lambda: Warner(self.host, host_packages(self.host, self.group, self._module)))

    @property
    def records(self) -> LiveRecords:
        """The decorated functions."""
        from scverse_backends._calls.dispatched import LiveRecords

        return self._part("records", LiveRecords)

    @property
    def registry(self) -> Registry:
        """Knows which backends exist."""
        return self._part("finding", lambda: _finding(self))[0]

    @property
    def resolver(self) -> Resolver:
        """Turns names into backends and selections."""
        return self._part("finding", lambda: _finding(self))[1]

    @property
    def merger(self) -> Merger:
        """Shows the options of the backends in the host's functions."""
        return self._part("deciding", lambda: _deciding(self))[0]

    @property
    def decider(self) -> Decider:
        """Decides calls."""
        return self._part("deciding", lambda: _deciding(self))[1]

    def _choice(self, value: Any, source: str) -> Choice:
        # Who looks at the settings need not use what the environment selects. The first call does.
        return self.resolver.choice(value, source, used=source != "environment")

    def reading(self, choice: Choice) -> str | tuple[str, ...]:
        """Return what settings show of a selection: by now, more may be known of the names of an order."""
        return tuple(dict.fromkeys(map(self.resolver.canonical, choice.names))) if choice.is_order else choice.reading

    def refresh(self) -> None:
        """Compile anew and show anew: a backend came or went."""
        self.resolver.forget()
        # Without decorated functions there is nothing to show, and no call to decide.
        if "records" in self._parts:
            self.decider.epoch += 1
            for record in self.records:
                record.forget_plans()
            self.merger.refresh()

    def after_fork(self) -> None:
        """Open, in a forked child, the locks that threads of the parent may have held."""
        self._building = RLock()
        self.selection.after_fork()
        if "finding" in self._parts:
            self.registry.after_fork()
        if "deciding" in self._parts:
            self.merger.after_fork()

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
        if self.never_drop:
            record.never_drop |= self.never_drop
        self.records.add(record, shown)
        if "deciding" in self._parts:
            self.merger.came(record)
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
        return dict(sorted(found.items()))

    def record_of(self, function: Any) -> Dispatched:
        """Return the record of a decorated function, also from a decorator outside it."""
        from scverse_backends._calls.dispatched import leads_to

        for record in self.records:
            if leads_to(function, record.wrapper_ref()):
                return record
        known = listing(self.functions()) or "nothing"
        raise TypeError(not_dispatched(function, f"this host. What it dispatches: {known}"))

    def discover(self) -> None:
        """Load and merge everything, and say what a host's developers should hear about."""
        from scverse_backends._reports.discover import report

        self.resolver.load_all()
        # Mostly nothing is installed, and loading what merges would double the time of the listing.
        nothing = not self.registry.known_entries() and "deciding" not in self._parts
        failed = [] if nothing else self.merger.merge_everything()
        records = self.records.listed() if "records" in self._parts else []
        report(self.resolver, self.registry, records, self.warner, failed)

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

    def providers(self, names: tuple[str, ...]) -> dict[str, tuple[str, str | None]]:
        """Return the distribution and version that each of some selected backends comes from, as far as is known."""
        found = {name: self.registry.provider(name) for name in names if name != CPU}
        return {name: provider for name, provider in found.items() if provider is not None}

    def get_backend(self, name: Any) -> Any:
        """Return the adapter that answers to a name, ``None`` if none does; warn where it cannot be loaded."""
        if not isinstance(name, str) or name == CPU:
            return None
        from scverse_backends.exceptions import BackendError, BackendLoadError, BackendLoadWarning

        try:
            return self.resolver.backend(name).adapter
        except BackendError as error:
            if isinstance(error, BackendLoadError):
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
        if "records" in self._parts:
            self.merger.catch_up()

    def register(
        self, adapter: Any, name: str | None, *, distribution: str | None = None, value: str | None = None
    ) -> str:
        """Add an adapter that has no entry point, and return its canonical name."""
        from scverse_backends._discovery.entry_points import RegisteredRecord

        record = RegisteredRecord(name or "", adapter, distribution=distribution, value=value)
        return self.resolver.register(record)

    def unregister(self, name: str) -> None:
        """Take a registered adapter out again."""
        self.resolver.unregister(name)

    # -- options of scopes -------------------------------------------------------------------------------------------

    def options(self) -> dict[str, dict[str, Any]]:
        """Return the options that the open scopes give."""
        return self.resolver.options_in(self.selection.variable.get())

    def scoped_options(self, choice: Choice | None, given: object) -> Options:
        """Return what a user wrote as options of a scope, once it is sure that something can take them."""
        from scverse_backends._calls.options import Takers, scoped_options

        options = scoped_options(choice, given, self.resolver)
        self.merger.catch_up()
        Takers(self.registry, self.resolver, self.records.listed()).check(options)
        return options

    def warn_unused(self, options: Options) -> None:
        """Warn of the options of a scope that no function takes."""
        from scverse_backends._calls.options import Takers

        for warning in Takers(self.registry, self.resolver, self.records.listed()).unused(options):
            self.warner.warn(warning)


def selection_of(machinery: Machinery) -> Selection:
    """Return the selection of a dispatcher: what its pickle is read by."""
    return machinery.selection


def _same_function(one: Any, other: Any) -> bool:
    names = ("__module__", "__qualname__", "__code__")
    return all(getattr(one, name, None) == getattr(other, name, None) for name in names)
