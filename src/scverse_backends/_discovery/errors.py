"""The errors of a selection: what is wrong with a name, and what its user can do about it."""

from __future__ import annotations

from scverse_backends._discovery.adapters import Backend, Failure
from scverse_backends._discovery.installed import installed_version
from scverse_backends._discovery.unrecognised import INSTALL_IT, RESTART, unrecognised
from scverse_backends._foundation.labels import CPU, did_you_mean, listing, normalize_distribution, suggestions
from scverse_backends.exceptions import (
    BackendLoadError,
    BackendNotInstalledError,
    ReservedBackendError,
    UnknownBackendError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from scverse_backends._discovery.answers import Entry
    from scverse_backends._discovery.registry import Registry
    from scverse_backends._discovery.trust import TrustedBackend
    from scverse_backends.exceptions import BackendError

_REFUSALS_SHOWN = 2


class Errors:
    """Makes the errors of one dispatcher. Everything that the message needs is loaded for it."""

    def __init__(self, host: str, registry: Registry) -> None:
        self._host = host
        self._registry = registry

    def _available(self) -> list[str]:
        self._registry.load_all()
        return sorted(self._registry.answers())

    def _available_text(self) -> str:
        return f"Available: {listing([CPU, *self._available()])}."

    def _error[E: BackendError](self, kind: type[E], text: str, source: str, **about: Any) -> E:
        return kind(text, host=self._host, source=source, **about)

    # -- what a user wrote -------------------------------------------------------------------------------------------

    def no_name(self, value: object, source: str) -> BackendError:
        """Return the error for what is neither a name nor an order of names."""
        kind = type(value).__name__
        text = f"A backend is selected by a name or a list of names, not by {kind}. {self._available_text()}"
        return self._error(UnknownBackendError, text, source)

    def empty_order(self, source: str) -> BackendError:
        """Return the error for an order without any name."""
        text = f"The order of backends is empty. Give at least one name. {self._available_text()}"
        return self._error(UnknownBackendError, text, source)

    def after_cpu(self, value: object, source: str) -> BackendError:
        """Return the error for a name that stands behind ``"cpu"`` in an order."""
        text = "'cpu' must come last in an order of backends, since the host runs every call."
        return self._error(UnknownBackendError, f"{text} Leave out {value!r:.60}.", source)

    def reserved(self, name: str, message: str, source: str) -> BackendError:
        """Return the error for a name that the host reserves, with the host's own sentence."""
        text = f"The backend name {name!r} is reserved by {self._host}. {message}"
        return self._error(ReservedBackendError, text, source, backend=name)

    def unknown(self, name: object, source: str) -> BackendError:
        """Return the error for a name that no backend has."""
        if not isinstance(name, str) or not name.strip():
            text = f"A backend name must be a non-empty string, not {name!r:.60}. {self._available_text()}"
            return self._error(UnknownBackendError, text, source)
        available = self._available()
        provided = self._provided_by(name)
        likely = provided or suggestions(name, [CPU, *available, *self._installable()])
        failed = tuple(entry.record.name for entry in self._registry.known_entries() if entry.failed)
        told = [f"Unknown backend {name!r:.140} for {self._host}."]
        if "," in name:
            told.append("Several names are a list, backend=['a', 'b'].")
        told += [did_you_mean(likely).strip(), self._available_text()]
        if failed:
            told.append(f"It may be a name of {listing(failed)}, which failed to load: settings.backends() shows why.")
        told += [f"Installed metadata is broken: {text}." for text in self._registry.listing.problems[:1]]
        found = () if provided else unrecognised(self._host, self._registry.group, name)
        if not (found or likely or failed or "," in name):
            told.append(INSTALL_IT)
        told += found
        text = " ".join(filter(None, told))
        return self._error(UnknownBackendError, text, source, backend=name, suggestions=likely, failed=failed)

    def _provided_by(self, name: str) -> tuple[str, ...]:
        """Return the backends from an entry point or a distribution of this name that call themselves otherwise."""
        wanted = normalize_distribution(name)
        return tuple(
            backend.name
            for backend in self._registry.available()
            if backend.record.name == name
            or (backend.distribution and normalize_distribution(backend.distribution) == wanted)
        )

    def _installable(self) -> Iterable[str]:
        """Yield the names of trusted backends that are not installed; one that is there and fails does not count."""
        for owner in self._registry.trust.trusted:
            if not self._registry.candidates(owner):
                yield from owner.labels

    # -- what is wrong with a backend --------------------------------------------------------------------------------

    def failed(self, name: str, entry: Entry, failure: Failure, source: str) -> BackendError:
        """Return the error for a backend that could not be loaded, with its cause."""
        why = f"{failure.text}. {failure.advice}, or use backend='cpu'"
        error = self._not_usable(name, entry, why, source)
        error.failed = () if failure.refused else (entry.record.name,)
        error.__cause__ = failure.error
        return error

    def _not_usable(self, name: str, entry: Entry, why: str, source: str) -> BackendError:
        text = f"Backend {name!r} ({entry.record.origin}) cannot be used: {why}."
        return self._error(BackendLoadError, text, source, backend=name, distribution=entry.record.distribution)

    def refused(self, name: str, entry: Entry, failure: Failure, source: str) -> BackendError:
        """Return the error for an entry point that is not to be used."""
        text = f"Backend {name!r} ({entry.record.origin}) is refused: {failure.text}. {self._available_text()}"
        return self._error(UnknownBackendError, text, source, backend=name, distribution=entry.record.distribution)

    def gone(self, name: str, backend: Backend, source: str) -> BackendError:
        """Return the error for a backend that is gone after it was selected, and whose name now means another."""
        text = (
            f"The backend {name!r} that was selected for {self._host} is gone, and {name!r} is another name of "
            f"{backend.name!r} now. Select it anew if that is meant."
        )
        return self._error(UnknownBackendError, text, source, backend=name)

    def not_of_that_name(self, name: str, entry: Entry, source: str) -> BackendError:
        """Return the error for an entry point whose name stands in an order and whose adapter is another's or nobody's.

        The name is known, so the order goes on with the next.
        """
        outcome = entry.outcome
        if isinstance(outcome, Failure):
            return self.failed(name, entry, outcome, source)
        why = "it is being loaded"
        if outcome is not None:
            why = f"its adapter calls itself {outcome.name!r}, and another product answers to that name"
        return self._not_usable(name, entry, why, source)

    def not_verified(self, name: str, owner: TrustedBackend, source: str) -> BackendError:
        """Say why a trusted backend cannot be used: it failed, it is misnamed, or it is not installed."""
        verified = [(entry, entry.outcome) for entry in self._registry.candidates(owner)]
        for entry, outcome in verified:
            if isinstance(outcome, Failure):
                return self.failed(name, entry, outcome, source)
        for entry, outcome in verified:
            if isinstance(outcome, Backend):
                text = (
                    f"Backend {name!r} cannot be used: {entry.record.origin} is trusted to provide it, but "
                    f"its adapter calls itself {outcome.name!r}. Tell its authors, or use backend='cpu'."
                )
                return self._error(BackendLoadError, text, source, backend=name, distribution=entry.record.distribution)
        reasons = self._refusals(owner)
        seen = ""
        if owner.distributions:
            found = unrecognised(self._host, self._registry.group, *owner.distributions, distributions_only=True)
            seen = "".join(f" {sentence}" for sentence in found)
        for distribution in owner.distributions:
            version = installed_version(distribution)
            if version is not None:
                text = (
                    f"Backend {name!r} is not available: {distribution} {version} is installed, but does not provide "
                    f"it.{reasons or seen} Try: pip install --upgrade {distribution}"
                )
                about = {"backend": name, "distribution": distribution}
                error = self._error(BackendNotInstalledError, text, source, **about)
                error.installed = version
                return error
        first = next(iter(owner.distributions), None)
        if seen.endswith(RESTART):
            hint = ""
        elif first is not None:
            hint = f" Install it with: pip install {first}"
        else:
            hint = f" The documentation of {self._host} says which package provides it."
        text = f"Backend {name!r} is known to {self._host} but not installed.{reasons}{seen}{hint}"
        return self._error(BackendNotInstalledError, text, source, backend=name, distribution=first)

    def _refusals(self, owner: TrustedBackend) -> str:
        """Say which entry points seem to be the trusted backend without being it."""
        trust = self._registry.trust
        refused = [
            f" The {entry.record.origin} was refused: {why}."
            for entry in self._registry.known_entries()
            if owner not in entry.claims
            and (trust.impersonates(entry.record) is owner or owner.from_distribution(entry.record))
            if (why := owner.why_not(entry.record))
        ]
        return "".join(refused[:_REFUSALS_SHOWN])
