"""From what a user writes to what is selected: names, aliases and preference orders, and what is wrong with them."""

from __future__ import annotations

from scverse_backends._discovery.adapters import Backend, Failure
from scverse_backends._discovery.entry_points import installed_version, search_path
from scverse_backends._foundation.labels import CPU, did_you_mean, listing, normalize_distribution, plain, suggestions
from scverse_backends._foundation.place import worker
from scverse_backends._selection.state import CPU_CHOICE, Choice
from scverse_backends.exceptions import (
    BackendError,
    BackendLoadError,
    BackendNotInstalledError,
    ReservedBackendError,
    UnknownBackendError,
    UntrustedBackendWarning,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from scverse_backends._discovery.answers import Entry
    from scverse_backends._discovery.registry import Registry
    from scverse_backends._discovery.trust import TrustedBackend
    from scverse_backends._foundation.warner import Warner


_ORDERS: tuple[type[Any], ...] = (list, tuple)

_REFUSALS_SHOWN = 2


class Resolver:
    """Turns names into backends and selections, for one dispatcher."""

    __slots__ = ("_backends", "_choices", "_in_vain", "_registry", "_warner", "host", "warns_untrusted")

    def __init__(self, host: str, registry: Registry, warner: Warner, *, warn_untrusted: bool) -> None:
        self.host = host
        self._choices: dict[tuple[tuple[str, ...], bool], Choice] = {((CPU,), False): CPU_CHOICE}
        self._backends: dict[str, Backend] = {}
        self._in_vain: dict[str, tuple[int, object, BackendError]] = {}
        self._registry = registry
        self._warner = warner
        self.warns_untrusted = warn_untrusted

    def forget(self) -> None:
        """Resolve anew from now on: a backend came or went."""
        # A new one, so that a search which began before leaves what it finds in the old one.
        self._backends = {}

    @property
    def is_lasting(self) -> bool:
        """Whether what a name stands for may be kept for the next call without being looked up."""
        return not self._registry.is_patched

    # -- selections --------------------------------------------------------------------------------------------------

    def choice(self, value: Any, source: str = "argument", *, used: bool = True) -> Choice:
        """Return the selection that a name, or a list or tuple of names, stands for.

        Who only looks does not use it: nobody is warned of what would be used.

        Raises
        ------
        BackendError
            If a name cannot be selected; see the subclasses.
        """
        if isinstance(value, str):
            name = self._canonical(plain(value), source, used=used)
            return self._interned((name,), is_order=False)
        if isinstance(value, _ORDERS):
            return self._order(value, source)
        raise UnknownBackendError(
            f"A backend is selected by a name or a list of names, not by {type(value).__name__}. "
            f"Available: {self._available_text()}.",
            host=self.host,
            source=source,
        )

    def _interned(self, names: tuple[str, ...], *, is_order: bool) -> Choice:
        return self._choices.setdefault((names, is_order), Choice(names, is_order=is_order))

    def _canonical(self, name: str, source: str, *, used: bool) -> str:
        if name == CPU:
            return CPU
        backend = self.backend(name, source)
        if used:
            self.note_use(backend)
        return backend.name

    def _order(self, values: Sequence[object], source: str) -> Choice:
        names: list[str] = []
        for value in values:
            if CPU in names:
                raise UnknownBackendError(
                    f"Nothing can stand behind 'cpu' in an order of backends, since the host runs every call. "
                    f"Leave out {value!r}.",
                    host=self.host,
                    source=source,
                )
            if not isinstance(value, str) or not value:
                raise self._unknown(value, source)
            name = self._known_name(plain(value), source)
            self.ask_again(name)
            if name not in names:
                names.append(name)
        if not names:
            raise UnknownBackendError(
                "The order of backends is empty. Give at least one name, or backend='cpu' for the host.",
                host=self.host,
                source=source,
            )
        return self._interned(tuple(names), is_order=True)

    def _known_name(self, name: str, source: str) -> str:
        """Check one name of an order, loading nothing where the metadata alone can tell that it is known."""
        if name == CPU:
            return CPU
        self._check_reserved(name, source)
        owner = self._registry.trust.owner(name)
        if owner is not None:
            return owner.name
        if any(_may_be(entry, name) for entry in self._registry.entries()):
            return name
        return self.backend(name, source).name

    # -- backends ----------------------------------------------------------------------------------------------------

    def backend(self, name: str, source: str = "argument") -> Backend:
        """Return the backend that answers to a name, loading as little as settles it.

        Raises
        ------
        UnknownBackendError, ReservedBackendError, BackendNotInstalledError, BackendLoadError
            If none does, saying why and what to do.
        """
        self._registry.entries()  # Another listing function makes this forget what it knows.
        backends = self._backends
        backend = backends.get(name)
        if backend is None:
            try:
                backend = self._find(name, source)
            except BackendError as error:
                self.tell()
                here = worker()
                if here is None:
                    raise
                raise error.on_worker(here) from error.__cause__
            # Where something changed meanwhile, this is no longer the cache, and the next one looks for itself.
            backends[name] = backend
            self._in_vain.pop(backend.name, None)
            self.tell()
        return backend

    def backend_in_turn(self, name: str, source: str) -> Backend:
        """Return the backend of an order whose turn has come.

        What was looked for in vain is not looked for again at each call, only when it is asked for again.

        Raises
        ------
        UnknownBackendError, ReservedBackendError, BackendNotInstalledError, BackendLoadError
            As for :meth:`backend`.
        """
        revision, _, known = self._in_vain.get(name, (0, None, None))
        if known is not None and revision == self._registry.revision:
            raise known.rewritten(str(known), source=source) from known.__cause__
        try:
            return self.backend(name, source)
        except (BackendLoadError, BackendNotInstalledError) as error:
            # A copy, since the one that is raised collects the frames it passes through.
            copy = error.rewritten(str(error), source=source)
            copy.__cause__ = error.__cause__
            self._in_vain[name] = self._registry.revision, search_path(), copy
            raise

    def ask_again(self, name: str) -> None:
        """Let a name of an order be looked for again, since it is explicitly asked for."""
        _, path, error = self._in_vain.get(name, (0, None, None))
        # A call in a loop asks each time, and reading all metadata takes longer than most calls.
        if not isinstance(error, BackendNotInstalledError) or path != search_path():
            self._in_vain.pop(name, None)

    def load_all(self) -> None:
        """Load everything, for who asks for a listing; what was not there before may have come since."""
        if self._in_vain or not self._registry.is_complete:
            self._registry.relist()
        self._registry.load_all()

    def tell(self) -> None:
        """Warn of what has become known of adapters and metadata; none of it is what the user asked for."""
        for notice in self._registry.notices():
            self._warner.warn_aside(("notice", notice.message), notice.category(notice.message))

    def _find(self, name: str, source: str) -> Backend:
        self._check_reserved(name, source)
        owner = self._registry.trust.owner(name)
        answer = self._look(name, owner)
        # The package may have been installed or replaced a moment ago.
        if not isinstance(answer, Backend) and self._registry.relist():
            answer = self._look(name, owner)
        if isinstance(answer, Backend):
            return answer
        if answer is not None:
            failure = answer.outcome
            if not isinstance(failure, Failure):
                return self._find(name, source)  # Another thread has tried it again in the meantime, and succeeded.
            raise self._load_error(name, answer, failure, source)
        if owner is not None:
            raise self.not_verified(name, owner, source)
        for entry in self._registry.known_entries():
            refusal = entry.outcome
            if entry.record.name == name and isinstance(refusal, Failure):
                raise self._refused_error(name, entry, refusal, source)
        raise self._unknown(name, source)

    def _look(self, name: str, owner: TrustedBackend | None) -> Backend | Entry | None:
        return self._registry.find(name) if owner is None else self._trusted(owner)

    def _check_reserved(self, name: str, source: str) -> None:
        message = self._registry.trust.reserved_message(name)
        if message is not None:
            raise ReservedBackendError(
                f"The backend name {name!r} is reserved by {self.host}. {message}",
                host=self.host,
                backend=name,
                source=source,
            )

    def _trusted(self, owner: TrustedBackend) -> Backend | None:
        for entry in self._registry.candidates(owner):
            outcome = self._registry.load(entry, again=True)
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
        origin = backend.record.origin
        self._warner.warn_once(
            ("untrusted", backend.name, backend.distribution),
            UntrustedBackendWarning(
                f"Backend {backend.name!r} ({origin}) is not trusted by {self.host}: {backend.untrusted_reason}. "
                f"Use it only if you trust whoever provides it; its results have not been verified by {self.host}.",
                backend=backend.name,
                distribution=backend.distribution,
            ),
        )

    # -- what is wrong -----------------------------------------------------------------------------------------------

    def _available(self) -> list[str]:
        self._registry.load_all()
        return sorted(self._registry.answers())

    def _available_text(self) -> str:
        return listing([CPU, *self._available()])

    def _failed_names(self) -> tuple[str, ...]:
        return tuple(entry.record.name for entry in self._registry.known_entries() if entry.failed)

    def _unknown(self, name: object, source: str) -> BackendError:
        available = self._available()
        if not isinstance(name, str) or not name.strip():
            return UnknownBackendError(
                f"A backend name must be a non-empty string, not {name!r:.60}. Available: {self._available_text()}.",
                host=self.host,
                source=source,
            )
        likely = self._provided_by(name) or suggestions(name, [CPU, *available, *self._installable()])
        failed = self._failed_names()
        may_be = (
            f" It may be a name of {listing(failed)}, which failed to load: settings.backends() shows why."
            if failed
            else ""
        )
        unread = "".join(f" Installed metadata is broken: {text}." for text in self._registry.metadata_problems[:1])
        several = " Several names are a list, backend=['a', 'b']." if "," in name else ""
        return UnknownBackendError(
            f"Unknown backend {name!r:.140} for {self.host}.{several}{did_you_mean(likely)} "
            f"Available: {self._available_text()}.{may_be}{unread}",
            host=self.host,
            backend=name,
            suggestions=likely,
            failed=failed,
            source=source,
        )

    def _provided_by(self, distribution: str) -> tuple[str, ...]:
        """Return the backends that an installed distribution provides, whose name users know from installing it."""
        wanted = normalize_distribution(distribution)
        installed = [(one.name, one.distribution) for one in self._registry.available()]
        return tuple(name for name, provider in installed if provider and normalize_distribution(provider) == wanted)

    def _installable(self) -> Iterable[str]:
        """Yield the names of trusted backends that could be installed; one that is there and fails is none."""
        for owner in self._registry.trust.trusted:
            if not self._registry.candidates(owner):
                yield from owner.labels

    def _load_error(self, name: str, entry: Entry, failure: Failure, source: str) -> BackendError:
        error = BackendLoadError(
            f"Backend {name!r} ({entry.record.origin}) cannot be used: {failure.text}. "
            f"{failure.advice}, or use backend='cpu'.",
            host=self.host,
            backend=name,
            distribution=entry.record.distribution,
            failed=() if failure.refused else (entry.record.name,),
            source=source,
        )
        error.__cause__ = failure.error
        return error

    def _refused_error(self, name: str, entry: Entry, failure: Failure, source: str) -> BackendError:
        return UnknownBackendError(
            f"Backend {name!r} ({entry.record.origin}) is refused: {failure.text}. "
            f"Available: {self._available_text()}.",
            host=self.host,
            backend=name,
            distribution=entry.record.distribution,
            source=source,
        )

    def not_verified(self, name: str, owner: TrustedBackend, source: str) -> BackendError:
        """Say why a trusted backend cannot be used: it failed, it is misnamed, or it is not installed."""
        verified = [(entry, entry.outcome) for entry in self._registry.candidates(owner)]
        for entry, outcome in verified:
            if isinstance(outcome, Failure):
                return self._load_error(name, entry, outcome, source)
        for entry, outcome in verified:
            if isinstance(outcome, Backend):
                return BackendLoadError(
                    f"Backend {name!r} cannot be used: {entry.record.origin} is trusted to provide it, but "
                    f"its adapter calls itself {outcome.name!r}. Tell its authors, or use backend='cpu'.",
                    host=self.host,
                    backend=name,
                    distribution=entry.record.distribution,
                    source=source,
                )
        reasons = self._refusals(owner)
        for distribution in owner.distributions:
            version = installed_version(distribution)
            if version is not None:
                why = reasons or f" It registers nothing under {self._registry.group!r}."
                return BackendNotInstalledError(
                    f"Backend {name!r} is not available: {distribution} {version} is installed, but does not provide "
                    f"it.{why} Try: pip install --upgrade {distribution}",
                    host=self.host,
                    backend=name,
                    distribution=distribution,
                    source=source,
                )
        hint = (
            f"Install it with: pip install {owner.distributions[0]}"
            if owner.distributions
            else f"The documentation of {self.host} says which package provides it."
        )
        return BackendNotInstalledError(
            f"Backend {name!r} is known to {self.host} but not installed.{reasons} {hint}",
            host=self.host,
            backend=name,
            distribution=owner.distributions[0] if owner.distributions else None,
            source=source,
        )

    def _refusals(self, owner: TrustedBackend) -> str:
        """Say which entry points seem to be the trusted backend without being it."""
        trust = self._registry.trust
        refused = [
            f" The {entry.record.origin} was refused: {why}."
            for entry in self._registry.known_entries()
            if owner not in entry.claims
            and (trust.impersonates(entry.record) is owner or owner.from_distribution(entry.record))
            if (why := "; ".join(owner.mismatches(entry.record)))
        ]
        return "".join(refused[:_REFUSALS_SHOWN])


def _may_be(entry: Entry, name: str) -> bool:
    """Whether an entry point of an order's name is, or may still turn out to be, the backend of that name."""
    if entry.record.name != name:
        return False
    outcome = entry.outcome
    return outcome.name == name if isinstance(outcome, Backend) else outcome is None or not outcome.refused
