"""Whom the host trusts: its configuration, parsed once, and what it says of an entry point before any import."""

from __future__ import annotations

from scverse_backends._foundation.labels import (
    COLLECTIONS,
    CPU,
    SETS,
    did_you_mean,
    fold,
    normalize_distribution,
    normalize_reference,
    problem,
    suggestions,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from scverse_backends._discovery.entry_points import EntryPointRecord

_SPELLINGS = {
    **dict.fromkeys(("package", "packages", "distribution", "distributions"), "distributions"),
    **dict.fromkeys(("entrypoint", "entrypoints"), "entrypoints"),
    **dict.fromkeys(("object_ref", "object_refs"), "object_refs"),
    **dict.fromkeys(("module_prefix", "module_prefixes"), "module_prefixes"),
}


class TrustedBackend:
    """One backend that the host vouches for, and how its provider is recognised."""

    __slots__ = ("aliases", "distributions", "entrypoints", "module_prefixes", "name", "object_refs")

    def __init__(self, name: str, aliases: tuple[str, ...], checks: Mapping[str, tuple[str, ...]]) -> None:
        self.name = name
        self.aliases = aliases
        self.distributions = checks.get("distributions", ())
        self.entrypoints = checks.get("entrypoints", ())
        self.object_refs = checks.get("object_refs", ())
        self.module_prefixes = checks.get("module_prefixes", ())

    @property
    def labels(self) -> tuple[str, ...]:
        """Every name that is this backend's alone."""
        return (self.name, *self.aliases)

    @property
    def verifiable(self) -> bool:
        """Whether anything at all tells this backend's provider from an impostor."""
        return bool(self.distributions or self.entrypoints or self.object_refs or self.module_prefixes)

    def from_distribution(self, record: EntryPointRecord) -> bool:
        """Whether a distribution that the host configured provides the entry point."""
        distribution = record.distribution
        return distribution is not None and normalize_distribution(distribution) in {
            normalize_distribution(name) for name in self.distributions
        }

    def why_not(self, record: EntryPointRecord) -> str:
        """Say why an entry point is not this backend's; nothing where every check is met."""
        return "; ".join(sentence for _, _, sentence in self.mismatches(record))

    def mismatches(self, record: EntryPointRecord) -> Iterator[tuple[str, str, str]]:
        """Yield each kind of check that is not met, the value that the host would have to list, and a sentence."""
        if self.distributions and not self.from_distribution(record):
            distribution = record.distribution or ""
            found = f"distribution {distribution!r}" if distribution else "an unknown distribution"
            yield "distributions", distribution, f"it comes from {found} and not from {_either(self.distributions)}"
        # A test's stand-in may leave something open. With the right distribution, that counts as met.
        lenient = self.from_distribution(record)
        if self.entrypoints and not record.tells("entrypoints"):
            if not lenient:
                yield "entrypoints", "", "its entry point is unknown"
        elif self.entrypoints and record.name not in self.entrypoints:
            sentence = f"its entry point is {record.name!r} and not {_either(self.entrypoints)}"
            yield "entrypoints", record.name, sentence
        if not record.tells("references"):
            if not lenient and (self.object_refs or self.module_prefixes):
                yield "object_refs", "", "what it refers to is unknown"
            return
        if self.object_refs and record.object_ref not in self.object_refs:
            sentence = f"it refers to {record.object_ref!r} and not to {_either(self.object_refs)}"
            yield "object_refs", record.object_ref, sentence
        if self.module_prefixes and not any(
            record.module == prefix or record.module.startswith(prefix + ".") for prefix in self.module_prefixes
        ):
            sentence = f"its module {record.module!r} is not within {_either(self.module_prefixes)}"
            yield "module_prefixes", record.module, sentence


def _either(values: tuple[str, ...]) -> str:
    return " or ".join(repr(value) for value in values)


class Trust:
    """The host's whole configuration: trusted backends and reserved names."""

    def __init__(
        self,
        trusted_backends: Mapping[str, Mapping[str, object]] | None,
        reserved_backends: Mapping[str, str] | None,
    ) -> None:
        self._reserved = _parse_reserved(reserved_backends)
        self.trusted = tuple(_parse_trusted(trusted_backends))
        self._owners: dict[str, TrustedBackend] = {}
        for backend in self.trusted:
            if len(set(map(fold, backend.labels))) < len(backend.labels):
                raise ValueError(
                    f"trusted_backends[{backend.name!r}]: a name stands twice in {list(backend.labels)} "
                    f"(case does not tell names apart)."
                )
            for label in backend.labels:
                folded = fold(label)
                if folded in self._reserved:
                    raise ValueError(
                        f"trusted_backends[{backend.name!r}]: the name {label!r} also stands in reserved_backends."
                    )
                other = self._owners.setdefault(folded, backend)
                if other is not backend:
                    raise ValueError(
                        f"trusted_backends[{backend.name!r}]: the name {label!r} is claimed by {other.name!r} too."
                    )

    def owner(self, label: str) -> TrustedBackend | None:
        """Return the trusted backend that is selected by exactly this label."""
        backend = self._owners.get(fold(label))
        return backend if backend is not None and label in backend.labels else None

    def reserved_message(self, label: str) -> str | None:
        """Return the host's message for a name that it reserves."""
        return self._reserved.get(fold(label))

    def refusal(self, label: str, owner: TrustedBackend | None = None) -> str | None:
        """Say why a backend may not carry this label; ``owner`` is the trusted backend it has been verified as."""
        folded = fold(label)
        if folded == CPU:
            return "is the name of the host implementation"
        if folded in self._reserved:
            return f"is reserved by the host: {self._reserved[folded].rstrip('. ')}"
        holder = self._owners.get(folded)
        if holder is not None and holder is not owner:
            return f"is reserved for the trusted backend {holder.name!r}"
        return None

    def mismatch(self, label: str, record: EntryPointRecord) -> str:
        """Say which checks an entry point does not meet whose adapter has the label of a trusted backend."""
        holder = self._owners.get(fold(label))
        found = "" if holder is None or record.by_hand else holder.why_not(record)
        return f", and {found}" if found else ""

    def claims(self, record: EntryPointRecord) -> tuple[TrustedBackend, ...]:
        """Return the trusted backends that this entry point can be, by everything that metadata tells."""
        if record.by_hand:
            return ()
        return tuple(
            backend
            for backend in self.trusted
            if (not any(backend.mismatches(record)) if backend.verifiable else record.name in backend.labels)
        )

    def impersonates(self, record: EntryPointRecord) -> TrustedBackend | None:
        """Return the trusted backend whose name an entry point has without being verified for it."""
        holder = self._owners.get(fold(record.name))
        return None if holder is None or self.claims(record) else holder


def _parse_reserved(configured: Mapping[str, str] | None) -> dict[str, str]:
    reserved: dict[str, str] = {}
    for label, message in _items({} if configured is None else configured, "reserved_backends"):
        _check_label(label, "reserved_backends")
        if not isinstance(message, str) or not message.strip():
            raise ValueError(f"reserved_backends[{label!r}]: the message must be a non-empty string.")
        if fold(label) in reserved:
            raise ValueError(f"reserved_backends: {label!r} stands twice (case does not tell names apart).")
        reserved[fold(label)] = message
    return reserved


def _parse_trusted(configured: Mapping[str, Mapping[str, object]] | None) -> Iterator[TrustedBackend]:
    for name, entry in _items({} if configured is None else configured, "trusted_backends"):
        where = f"trusted_backends[{name!r}]"
        _check_label(name, "trusted_backends")
        aliases: tuple[str, ...] = ()
        checks: dict[str, tuple[str, ...]] = {}
        # The install hint names the first distribution; "package" is how hosts say which one they mean.
        items = sorted(_items(entry, where), key=lambda item: (item[0] != "package", item[0] != "packages"))
        for key, value in items:
            if key == "aliases":
                aliases = _strings(value, f"{where}['aliases']", one_may_stand_alone=False)
                for alias in aliases:
                    _check_label(alias, f"{where}['aliases']")
            elif key in _SPELLINGS:
                kind = _SPELLINGS[key]
                texts = _strings(value, f"{where}[{key!r}]")
                for text in texts:
                    _check_value(kind, text, f"{where}[{key!r}]")
                values = map(_NORMALIZERS.get(kind, str), texts)
                checks[kind] = tuple(dict.fromkeys((*checks.get(kind, ()), *values)))
            else:
                likely = suggestions(key, (*_SPELLINGS, "aliases"))
                raise ValueError(f"{where}: unknown key {key!r}.{did_you_mean(likely[:1])}")
        yield TrustedBackend(name, aliases, checks)


def _without_dot(prefix: str) -> str:
    return prefix.removesuffix(".")


# Records give references in this form. A prefix is compared up to the end of a module's name anyway.
_NORMALIZERS: dict[str, Callable[[str], str]] = {"object_refs": normalize_reference, "module_prefixes": _without_dot}


def _check_value(kind: str, text: str, where: str) -> None:
    """Refuse what no entry point can match: such a slip would lock the backend out without a word."""
    if kind == "distributions":
        letters = text[0] + text[-1] + "".join(char for char in text if char not in "-_.")
        if not (letters.isascii() and letters.isalnum()):
            raise ValueError(f"{where}: {text!r} cannot be the name of a distribution.")
    elif kind == "object_refs":
        module, colon, attribute = text.partition("[")[0].partition(":")
        if not _is_dotted_name(module.strip()) or (colon and not _is_dotted_name(attribute.strip())):
            raise ValueError(f"{where}: {text!r} is not of the form 'module:object'.")
    elif kind == "module_prefixes" and not _is_dotted_name(_without_dot(text)):
        raise ValueError(f"{where}: {text!r} is not the dotted name of a module.")


def _is_dotted_name(text: str) -> bool:
    return all(part.isidentifier() for part in text.split("."))


def _items(configured: Any, where: str) -> Iterator[tuple[str, object]]:
    try:
        items: list[tuple[object, object]] = list(configured.items())
    except AttributeError:
        raise ValueError(f"{where} must be a mapping, not {type(configured).__name__}.") from None
    for key, value in items:
        if not isinstance(key, str):
            raise ValueError(f"{where}: the key {key!r} is not a string.")
        yield key, value


def _strings(value: Any, where: str, *, one_may_stand_alone: bool = True) -> tuple[str, ...]:
    """Return the strings of a configured value.

    Aliases are always a collection, as in an adapter: a string is refused, and there may be none at all.
    """
    values: tuple[object, ...]
    if one_may_stand_alone and isinstance(value, str):
        values = (value,)
    elif isinstance(value, COLLECTIONS):
        # A set has no order of its own, and the first distribution is named in the install hint.
        values = tuple(sorted(value, key=str)) if isinstance(value, SETS) else tuple(value)
    elif one_may_stand_alone:
        raise ValueError(f"{where} must be a string or a collection of strings, not {type(value).__name__}.")
    else:
        written = f" Write [{value!r}]." if isinstance(value, str) else ""
        raise ValueError(f"{where} must be a list, tuple or set of strings, not {type(value).__name__}.{written}")
    texts: list[str] = []
    for item in values:
        if not isinstance(item, str):
            raise ValueError(f"{where}: {item!r} is not a string.")
        if not item or item != item.strip():
            raise ValueError(f"{where}: {item!r} is empty or has white space around it.")
        texts.append(item)
    if not texts and one_may_stand_alone:
        raise ValueError(f"{where} is empty. Leave it out where it does not apply.")
    return tuple(texts)


def _check_label(label: str, where: str) -> None:
    wrong = problem(label)
    if wrong is not None:
        raise ValueError(f"{where}: the name {label!r} {wrong}.")
    if fold(label) == CPU:
        raise ValueError(f"{where}: {label!r} is always the host implementation.")


def checked_name(value: object, what: str) -> str:
    """Return the name of a host or of its entry-point group, if it is a proper one."""
    if not isinstance(value, str) or not value or value != value.strip():
        raise ValueError(f"{what} must be a non-empty string without white space around it, not {value!r}.")
    return value
