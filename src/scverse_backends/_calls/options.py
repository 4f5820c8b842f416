"""Options that a scope gives to backends: for which backend each is, and whether anything takes it."""

from __future__ import annotations

from collections.abc import Mapping

from scverse_backends._discovery.exports import declares, may_provide
from scverse_backends._foundation.foreign import CallError
from scverse_backends._foundation.labels import CPU, did_you_mean, listing, suggestions
from scverse_backends._selection.state import Options
from scverse_backends.exceptions import DroppedArgumentWarning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from scverse_backends._calls.dispatched import Dispatched
    from scverse_backends._discovery.adapters import Backend
    from scverse_backends._discovery.registry import Registry
    from scverse_backends._discovery.resolver import Resolver
    from scverse_backends._selection.state import Choice

_FOR_ONE = "options= is a mapping of names to values, such as {'device': 1}"
_FOR_SEVERAL = "With several backends, options= says which are for which: {'cuda': {'device': 1}, 'jax': {...}}"


def scoped_options(choice: Choice | None, given: Any, resolver: Resolver) -> Options:
    """Return what a user wrote as options of a scope, by backend."""
    if choice is not None and not choice.is_order:
        (name,) = choice.names
        if name == CPU:
            raise CallError("options= are for backends, and this scope selects the host.")
        return Options({name: _checked(given, _FOR_ONE)})
    by_backend: dict[str, dict[str, Any]] = {}
    for name, options in _checked(given, _FOR_SEVERAL).items():
        if not isinstance(options, Mapping):
            raise CallError(f"{_FOR_SEVERAL}, not options without a backend such as {name!r}.")
        (canonical,) = resolver.choice([name], "scope").names
        canonical = resolver.canonical(canonical)
        if canonical == CPU or (choice is not None and canonical not in map(resolver.canonical, choice.names)):
            selected = "no backend" if choice is None else listing(choice.names)
            raise CallError(f"options= names {name!r}, but this scope selects {selected}.")
        if canonical in by_backend:
            raise CallError(f"options= names backend {canonical!r} twice, once as {name!r}.")
        by_backend[canonical] = _checked(options, _FOR_SEVERAL)
    return Options(by_backend)


def _checked(options: Any, usage: str) -> dict[str, Any]:
    if not isinstance(options, Mapping):
        raise CallError(f"{usage}, not {type(options).__name__}.")
    checked: dict[str, Any] = {}
    for name, value in options.items():  # pyright: ignore[reportUnknownVariableType]  # whatever a user wrote.
        if not isinstance(name, str):
            raise CallError(f"{usage}; {name!r:.40} is not a name.")
        checked[name] = value
    return checked


class Takers:
    """Which options the functions of the loaded backends take."""

    __slots__ = ("_records", "_registry", "_resolver")

    def __init__(self, registry: Registry, resolver: Resolver, records: Iterable[Dispatched]) -> None:
        self._registry = registry
        self._resolver = resolver
        self._records = list(records)

    def check(self, options: Options) -> None:
        """Refuse options that no function takes, where that can be known without importing anything."""
        for backend, name, known, all_known in self._untaken(options):
            if all_known:
                raise CallError(
                    f"No function of backend {backend.name!r} takes the option {name!r}.{self._meant(name, known)}"
                )

    def unused(self, options: Options) -> Iterator[DroppedArgumentWarning]:
        """Yield a warning for each option that no function takes, of those that are known now."""
        if options.carried:
            return  # They may have their effect elsewhere, and later.
        for backend, name, known, _ in self._untaken(options):
            yield DroppedArgumentWarning(
                f"The option {name!r} has had no effect so far: no function of backend {backend.name!r} that is loaded "
                f"takes it.{self._meant(name, known)}",
                backend=backend.name,
                distribution=backend.distribution,
                parameter=name,
                suggestions=suggestions(name, known),
            )

    def _untaken(self, options: Options) -> Iterator[tuple[Backend, str, set[str], bool]]:
        """Yield each option that no known function takes: its backend, its name, what is known, whether that is all."""
        answers = self._registry.answers()
        for label, given in options.by_backend.items():
            backend = answers.get(self._resolver.canonical(label))
            if backend is None:
                continue  # Not loaded yet, since its turn in an order has not come.
            known: set[str] = set()
            all_known = True
            for record in self._records:
                if record.sources.get(backend.name) is backend:
                    known.update(option.name for option in record.contributions[backend.name])
                elif declares(backend.adapter, record.attribute) or may_provide(backend.adapter, record.attribute):
                    all_known = False
            yield from ((backend, name, known, all_known) for name in given if name not in known)

    def _meant(self, name: str, known: set[str]) -> str:
        """Return what may have been meant, or else what there is."""
        for record in self._records:
            if name in record.old_names:
                return f" It is the old name of a parameter of {record.name}(): give that to the call."
        meant = did_you_mean(suggestions(name, known))
        return meant or (f" Its options: {listing(sorted(known))}." if known else "")
