"""From what a user writes to what is selected: names, aliases and preference orders, and what is wrong with them."""

from __future__ import annotations

from scverse_backends._adapters import Backend, Failure, describe_error, describe_origin
from scverse_backends._entry_points import installed_version
from scverse_backends._labels import CPU, did_you_mean, listing, plain, suggestions
from scverse_backends._state import CPU_CHOICE, Choice
from scverse_backends.exceptions import (
    BackendLoadError,
    BackendNotInstalledError,
    ReservedBackendError,
    UnknownBackendError,
    UntrustedBackendWarning,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from scverse_backends._registry import Entry, Registry
    from scverse_backends._trust import TrustedBackend
    from scverse_backends._warnings import Warner
    from scverse_backends.exceptions import BackendError


class Resolver:
    """Turns names into backends and selections, for one dispatcher."""

    __slots__ = ("_backends", "_choices", "_registry", "_warner", "host", "known", "warns_untrusted")

    def __init__(self, host: str, registry: Registry, warner: Warner, *, warn_untrusted: bool) -> None:
        self.host = host
        self.known: dict[object, Choice] = {CPU: CPU_CHOICE}
        """What calls look their ``backend=`` up in. Only ever a cache: it is emptied when a backend comes or goes."""
        self._choices: dict[tuple[tuple[str, ...], bool], Choice] = {((CPU,), False): CPU_CHOICE}
        self._backends: dict[str, Backend] = {}
        self._registry = registry
        self._warner = warner
        self.warns_untrusted = warn_untrusted

    def forget(self) -> None:
        """Resolve anew from now on: a backend came or went."""
        self._backends.clear()
        self.known.clear()
        self.known[CPU] = CPU_CHOICE

    # -- selections --------------------------------------------------------------------------------------------------

    def choice(self, value: object, source: str = "argument") -> Choice:
        """Return the selection that a name, or a list or tuple of names, stands for.

        Raises
        ------
        BackendError
            If a name cannot be selected; see the subclasses.
        """
        if isinstance(value, str):
            name = self._canonical(plain(value), source)
            choice = self._interned((name,), is_order=False)
            self.known[plain(value)] = choice
            return choice
        if isinstance(value, (list, tuple)):
            return self._order(value, source)
        raise UnknownBackendError(
            f"A backend is selected by a name or a list of names, not by {type(value).__name__}. "
            f"Available: {self._available_text()}.",
            host=self.host,
            source=source,
        )

    def _interned(self, names: tuple[str, ...], *, is_order: bool) -> Choice:
        return self._choices.setdefault((names, is_order), Choice(names, is_order=is_order))

    def _canonical(self, name: str, source: str) -> str:
        if name == CPU:
            return CPU
        backend = self.backend(name, source)
        self.note_use(backend)
        return backend.name

    def _order(self, values: list[object] | tuple[object, ...], source: str) -> Choice:
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
        answer = self._registry.answers().get(name)
        if answer is not None:
            return answer.name
        if any(entry.record.name == name for entry in self._registry.entries()):
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
        backend = self._backends.get(name)
        if backend is None:
            backend = self._find(name, source)
            self._backends[name] = backend
        return backend

    def _find(self, name: str, source: str) -> Backend:
        self._check_reserved(name, source)
        owner = self._registry.trust.owner(name)
        # The second look reads the installed metadata again: the package may have been installed a moment ago.
        for last_look in (False, True):
            if last_look:
                self._registry.relist()
            if owner is not None:
                found = self._trusted(owner)
                if found is not None:
                    return found
            else:
                answer = self._registry.find(name)
                if isinstance(answer, Backend):
                    return answer
                if answer is not None:
                    raise self._load_error(name, answer, source)
        if owner is not None:
            raise self._not_verified(name, owner, source)
        refused = self._refused_under(name)
        if refused is not None:
            raise self._refused_error(name, refused, source)
        raise self._unknown(name, source)

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
        origin = describe_origin(backend.record)
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

    def _refused_under(self, name: str) -> Entry | None:
        return next(
            (
                entry
                for entry in self._registry.known_entries()
                if entry.record.name == name and isinstance(entry.outcome, Failure)
            ),
            None,
        )

    def _unknown(self, name: object, source: str) -> BackendError:
        available = self._available()
        if not isinstance(name, str) or not name.strip():
            return UnknownBackendError(
                f"A backend name must be a non-empty string, not {name!r:.60}. Available: {self._available_text()}.",
                host=self.host,
                source=source,
            )
        likely = suggestions(name, [CPU, *available, *self._installable()])
        failed = self._failed_names()
        may_be = f" It may be a name of {listing(failed)}, which failed to load." if failed else ""
        return UnknownBackendError(
            f"Unknown backend {name!r:.140} for {self.host}.{did_you_mean(likely)} "
            f"Available: {self._available_text()}.{may_be}",
            host=self.host,
            backend=name,
            suggestions=likely,
            failed=failed,
            source=source,
        )

    def _installable(self) -> Iterable[str]:
        """Yield the names of trusted backends that could be installed; one that failed is never suggested."""
        for owner in self._registry.trust.trusted:
            if not any(entry.failed for entry in self._registry.candidates(owner)):
                yield from owner.labels

    def _load_error(self, name: str, entry: Entry, source: str) -> BackendError:
        failure = entry.outcome
        assert isinstance(failure, Failure)  # noqa: S101 - only failed entries are handed here.
        error = BackendLoadError(
            f"Backend {name!r} ({describe_origin(entry.record)}) cannot be used: {failure.text}. "
            f"Repair or reinstall it, or use backend='cpu'.",
            host=self.host,
            backend=name,
            distribution=entry.record.distribution,
            failed=(entry.record.name,),
            source=source,
        )
        error.__cause__ = failure.error
        return error

    def _refused_error(self, name: str, entry: Entry, source: str) -> BackendError:
        failure = entry.outcome
        assert isinstance(failure, Failure)  # noqa: S101 - only refused entries are handed here.
        return UnknownBackendError(
            f"Backend {name!r} ({describe_origin(entry.record)}) is refused: {failure.text}. "
            f"Available: {self._available_text()}.",
            host=self.host,
            backend=name,
            distribution=entry.record.distribution,
            source=source,
        )

    def _not_verified(self, name: str, owner: TrustedBackend, source: str) -> BackendError:
        """Say why a trusted backend cannot be used: it failed, it is misnamed, or it is not installed."""
        verified = self._registry.candidates(owner)
        for entry in verified:
            if isinstance(entry.outcome, Failure):
                return self._load_error(name, entry, source)
        for entry in verified:
            if isinstance(entry.outcome, Backend):
                return BackendLoadError(
                    f"{describe_origin(entry.record).capitalize()} is trusted to provide backend {owner.name!r}, but its adapter "
                    f"calls itself {entry.outcome.name!r}. Tell its authors, or use backend='cpu'.",
                    host=self.host,
                    backend=name,
                    distribution=entry.record.distribution,
                    source=source,
                )
        reasons = self._refusals(owner)
        for distribution in owner.distributions:
            version = installed_version(distribution)
            if version is not None:
                why = f" {reasons}" if reasons else f" It registers nothing that is verified under {self._registry.group!r}."
                return BackendNotInstalledError(
                    f"Backend {name!r} is not available: {distribution} {version} is installed, but does not provide it."
                    f"{why} Try: pip install --upgrade {distribution}",
                    host=self.host,
                    backend=name,
                    distribution=distribution,
                    source=source,
                )
        hint = f" Install it with: pip install {owner.distributions[0]}" if owner.distributions else ""
        return BackendNotInstalledError(
            f"Backend {name!r} is known to {self.host} but not installed.{hint}{' ' + reasons if reasons else ''}",
            host=self.host,
            backend=name,
            distribution=owner.distributions[0] if owner.distributions else None,
            source=source,
        )

    def _refusals(self, owner: TrustedBackend) -> str:
        """Say which entry points bear the trusted backend's name without being it."""
        refused = [
            f"{describe_origin(entry.record)} was refused: {'; '.join(owner.mismatches(entry.record))}"
            for entry in self._registry.known_entries()
            if entry.record.name in owner.labels and owner not in entry.claims
        ]
        return f"({'. '.join(refused)}.)" if refused else ""

    def explain_failure(self, entry: Entry) -> str:
        """Return in a line why an entry point gives no backend."""
        failure = entry.outcome
        if not isinstance(failure, Failure):
            return ""
        return failure.text if failure.error is None else describe_error(failure.error)
