"""From what a user gives to what is selected: names, aliases and preference orders, and adapters handed over."""

from __future__ import annotations

from scverse_backends._discovery.adapters import Backend, Failure
from scverse_backends._discovery.errors import Errors
from scverse_backends._discovery.notices import claimed_twice, notices
from scverse_backends._discovery.registry import ALWAYS, IF_CHANGED
from scverse_backends._foundation.foreign import without_frames
from scverse_backends._foundation.labels import CPU, plain
from scverse_backends._foundation.place import worker
from scverse_backends._selection.state import CPU_CHOICE, Choice
from scverse_backends.exceptions import (
    BackendError,
    BackendLoadError,
    BackendNotInstalledError,
    UnknownBackendError,
    UntrustedBackendWarning,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from scverse_backends._discovery.answers import Entry
    from scverse_backends._discovery.entry_points import RegisteredRecord
    from scverse_backends._discovery.registry import Registry
    from scverse_backends._discovery.trust import TrustedBackend
    from scverse_backends._foundation.warner import Warner
    from scverse_backends._selection.state import State


_ORDERS: tuple[type[Any], ...] = (list, tuple)


class Resolver:
    """Turns names into backends and selections, for one dispatcher."""

    def __init__(self, host: str, registry: Registry, warner: Warner, *, warn_untrusted: bool) -> None:
        self.host = host
        self._choices: dict[tuple[tuple[str, ...], bool], Choice] = {((CPU,), False): CPU_CHOICE}
        self._backends: dict[str, Backend] = {}
        self._by_entry_point: dict[str, Backend] = {}
        """Backends of orders, by the names of their entry points where their own names differ."""
        self._in_vain: dict[tuple[str, ...], tuple[object, BackendError]] = {}
        """For what was not found: what was installed then, and the error."""
        self._registry = registry
        self.errors = Errors(host, registry)
        self._warner = warner
        self.warns_untrusted = warn_untrusted

    def forget(self) -> None:
        """Resolve anew from now on: a backend came or went."""
        # New dictionaries, so that a search which began before writes into the old ones.
        self._backends = {}
        self._by_entry_point = {}

    @property
    def is_lasting(self) -> bool:
        """Whether what a name stands for may be kept for the next call without being looked up."""
        return not self._registry.listing.is_patched

    # -- selections --------------------------------------------------------------------------------------------------

    def choice(self, value: Any, source: str = "argument", *, used: bool = True) -> Choice:
        """Return the selection that a name, or a list or tuple of names, stands for.

        Where it is only looked at and not `used`, nobody is warned about the backend.
        """
        if isinstance(value, str):
            name = plain(value)
            if name != CPU:
                backend = self.backend(name, source)
                if used:
                    self.note_use(backend)
                name = backend.name
            return self._interned((name,), is_order=False)
        if isinstance(value, _ORDERS):
            return self._order(value, source)
        raise self.errors.no_name(value, source)

    def _interned(self, names: tuple[str, ...], *, is_order: bool) -> Choice:
        return self._choices.setdefault((names, is_order), Choice(names, is_order=is_order))

    def _order(self, values: Sequence[object], source: str) -> Choice:
        names: list[str] = []
        for value in values:
            if CPU in names:
                raise self.errors.after_cpu(value, source)
            if not isinstance(value, str) or not value:
                raise self.errors.unknown(value, source)
            name = self._known_name(plain(value), source)
            if name not in names:
                names.append(name)
        if not names:
            raise self.errors.empty_order(source)
        return self._interned(tuple(names), is_order=True)

    def _known_name(self, name: str, source: str) -> str:
        """Check one name of an order, loading nothing where the metadata alone can tell that it is known."""
        if name == CPU:
            return CPU
        self._check_reserved(name, source)
        owner = self._registry.trust.owner(name)
        if owner is not None:
            return owner.name
        named = self._registry.named(name)
        if not named:
            return self.backend(name, source).name
        # The name of an entry point counts as known, whatever its adapter calls itself.
        if all(isinstance(entry.outcome, Backend) for entry in named):
            try:
                return self.backend_in_turn(name, source).name
            except BackendLoadError:
                pass  # The calls of the order say so when they come to this name.
        return name

    def canonical(self, name: str) -> str:
        """Return the canonical name of a name that is selected, as far as that is known without loading anything."""
        try:
            return self._known_name(name, "scope")
        except BackendError:
            return name  # It is gone since it was selected, and the next call says so.

    def options_in(self, state: State) -> dict[str, dict[str, Any]]:
        """Return the options that scopes give, by what is known by now of the canonical names."""
        merged: dict[str, dict[str, Any]] = {}
        for name, given in state.options.items():
            merged.setdefault(self.canonical(name), {}).update(given)
        return merged

    # -- backends ----------------------------------------------------------------------------------------------------

    def backend(self, name: str, source: str = "argument") -> Backend:
        """Return the backend that answers to a name, loading no more than needed."""
        return self.sought((name,), source, lambda: self._backend(name, source), again=True)

    def backend_in_turn(self, name: str, source: str) -> Backend:
        """Return the backend of an order whose turn has come.

        Where a name that is known has none, the error is a `BackendNotInstalledError` or a `BackendLoadError`, and the
        order goes on.
        """
        return self.sought((name,), source, lambda: self._known_backend(name, source), again=False)

    def sought[T](self, key: tuple[str, ...], source: str, find: Callable[[], T], *, again: bool) -> T:
        """Find something, unless that was tried in vain before and may not be tried again.

        An import may take seconds to fail. So the calls of an order do not pay for it again, unless the name was asked
        for alone (`again`), everything was listed, or something was installed in the meantime. What `find` raised then
        is raised anew. The key is the name of a backend, or also that of a function that it may provide lazily.
        """
        in_vain = self._in_vain.get(key)
        if in_vain is not None and not again and in_vain[0] == self._registry.state():
            known = in_vain[1]
            raise known.rewritten(str(known), source=source) from known.__cause__
        try:
            found = find()
        except (BackendLoadError, BackendNotInstalledError) as error:
            # An adapter that asks for itself while it is loaded will be there later. And an error that the user sees
            # has a traceback, which must not be kept alive.
            if not again and not self._registry.is_loading_here:
                copy = error.rewritten(str(error), source=source)
                copy.__cause__ = error.__cause__
                without_frames(copy)
                self._in_vain[key] = self._registry.state(), copy
            raise
        if in_vain is not None:
            self._in_vain.pop(key, None)
        return found

    def _backend(self, name: str, source: str, *, retry: str = ALWAYS) -> Backend:
        self._registry.entries()  # Another listing function makes this forget what it knows.
        backends = self._backends
        backend = backends.get(name)
        if backend is None:
            try:
                backend = self._find(name, source, retry)
            except BackendError as error:
                self.tell(name)
                here = worker()
                if here is None:
                    raise
                raise error.on_worker(here) from error.__cause__
            # If something changed meanwhile, this is an old dictionary, and the next call looks again.
            backends[name] = backend
            self.tell(name, backend.name, backend.record.name)
        return backend

    def _known_backend(self, name: str, source: str) -> Backend:
        """Return the backend for a name of an order, which may also be that of its entry point."""
        self._registry.entries()  # Another listing function makes this forget what it knows.
        by_entry_point = self._by_entry_point
        if name in by_entry_point:
            return by_entry_point[name]
        try:
            backend = self._backend(name, source, retry=IF_CHANGED)
        except UnknownBackendError as error:
            named = self._registry.named(name)
            for entry in named:
                if isinstance(entry.outcome, Backend) and not self._registry.shadowed(entry.outcome):
                    by_entry_point[name] = entry.outcome
                    return entry.outcome
            if named:
                raise self.errors.not_of_that_name(name, named[0], source) from error
            raise
        if backend.name != name and not self._registry.named(name):
            raise self.errors.gone(name, backend, source)
        return backend

    def load_all(self) -> None:
        """Load everything for a listing, and what failed before if something has changed since."""
        # Who asks for a listing may have repaired something, so it tries again what orders found to be broken.
        again = bool(self._in_vain)
        if again or not self._registry.listing.is_complete:
            self._in_vain.clear()
            self._registry.relist()
        self._registry.load_all(ALWAYS if again else IF_CHANGED)

    def tell(self, *names: str) -> None:
        """Warn of what has become known of adapters and metadata, although the user asked for something else.

        The metadata alone may show that the names which are about to be used are claimed twice.
        """
        for category, text in (*notices(self._registry), *claimed_twice(self._registry, names)):
            self._warner.warn_aside(("notice", text), category(text))

    def _find(self, name: str, source: str, retry: str) -> Backend:
        self._check_reserved(name, source)
        owner = self._registry.trust.owner(name)
        answer = self._look(name, owner, retry)
        # The package may have been installed or replaced a moment ago.
        if not isinstance(answer, Backend) and self._registry.relist():
            answer = self._look(name, owner, retry)
        if isinstance(answer, Backend):
            return answer
        if answer is not None:
            failure = answer.outcome
            if not isinstance(failure, Failure):
                return self._find(name, source, retry)  # Another thread has tried again in the meantime, and succeeded.
            raise self.errors.failed(name, answer, failure, source)
        if owner is not None:
            raise self.errors.not_verified(name, owner, source)
        for entry in self._registry.known_entries():
            refusal = entry.outcome
            if entry.record.name == name and isinstance(refusal, Failure):
                raise self.errors.refused(name, entry, refusal, source)
        raise self.errors.unknown(name, source)

    def _look(self, name: str, owner: TrustedBackend | None, retry: str) -> Backend | Entry | None:
        return self._registry.find(name, retry) if owner is None else self._trusted(owner, retry)

    def _check_reserved(self, name: str, source: str) -> None:
        message = self._registry.trust.reserved_message(name)
        if message is not None:
            raise self.errors.reserved(name, message, source)

    def _trusted(self, owner: TrustedBackend, retry: str) -> Backend | None:
        for entry in self._registry.candidates(owner):
            outcome = self._registry.load(entry, retry)
            if isinstance(outcome, Backend) and outcome.name == owner.name:
                return outcome
        if owner.verifiable:
            return None
        # Nothing was configured to verify the provider by, so the adapter's own name has to do.
        self._registry.load_all()
        return self._registry.answers().get(owner.name)

    def note_use(self, backend: Backend) -> None:
        """Warn when a backend that the host does not vouch for is used for the first time."""
        if backend.trusted or not self.warns_untrusted:
            return
        name, record = backend.name, backend.record
        text = (
            f"Backend {name!r} ({record.origin}) is not trusted by {self.host}: {backend.untrusted_reason}. "
            f"Nobody there has checked its results. Once you have, silence this with "
            f"warnings.filterwarnings('ignore', \"Backend '{name}' .* not trusted\")."
        )
        # A host cannot list what a user registers by hand.
        if not record.by_hand:
            text += f" Authors of {self.host} list it in trusted_backends, or write untrusted='allow'."
        warning = UntrustedBackendWarning(text, backend=name, distribution=backend.distribution)
        self._warner.warn_once(("untrusted", name, backend.distribution), warning)

    # -- adapters without an entry point -----------------------------------------------------------------------------

    def register(self, record: RegisteredRecord) -> str:
        """Make an adapter known that was handed over as an object, and return its canonical name."""
        registry = self._registry
        # What was installed a moment ago was there first.
        registry.relist()
        before = registry.known_entries()
        entry = registry.read(record)
        outcome = entry.outcome
        if isinstance(outcome, Failure):
            raise ValueError(f"The adapter cannot be registered: {outcome.text}.") from outcome.error
        assert outcome is not None  # What was read is a backend, or says why not.
        if not any(isinstance(known.outcome, Backend) and known.outcome.adapter is outcome.adapter for known in before):
            taken = [known for known in registry.entries() if known.name == outcome.name]
            if taken:
                by_hand = taken[0] in registry.registered
                hint = f"unregister({outcome.name!r}) first" if by_hand else "give the adapter another name"
                raise ValueError(
                    f"The adapter cannot be registered: {taken[0].record.origin} bears the name {outcome.name!r} "
                    f"already. Please {hint}."
                )
            registry.add(entry)
        self.tell()
        return outcome.name

    def unregister(self, name: str) -> None:
        """Take a registered adapter out again."""
        for entry in self._registry.registered:
            outcome = entry.outcome
            # Only one adapter has the canonical name, while several may have claimed an alias.
            if isinstance(outcome, Backend) and (outcome.name == name or self._registry.answers().get(name) is outcome):
                self._registry.remove(entry)
                return
        raise UnknownBackendError(
            f"No adapter is registered under {name!r}. Backends that are installed are uninstalled with pip.",
            host=self.host,
            backend=name,
        )
