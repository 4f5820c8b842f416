"""Entry points as records: what metadata tells of each, with nothing imported."""

from __future__ import annotations

from scverse_backends._foundation.foreign import safely
from scverse_backends._foundation.labels import as_text, normalize_reference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class EntryPointRecord:
    """One entry point as the metadata tells it.

    The distribution's name and version are read on first use, since each costs the parsing of a metadata file.
    """

    __slots__ = ("_entry_point", "_fields", "name", "value")

    def __init__(self, name: str, value: str, entry_point: Any) -> None:
        self.name = name
        self.value = value
        self._fields: dict[str, str | None] = {}
        self._entry_point = entry_point

    def __repr__(self) -> str:
        return f"<EntryPointRecord {self.name} = {self.value}>"

    @property
    def module(self) -> str:
        """The module part of the object reference."""
        return self.object_ref.partition(":")[0]

    @property
    def object_ref(self) -> str:
        """The object reference in the form in which references are compared."""
        return normalize_reference(self.value)

    @property
    def origin(self) -> str:
        """Who provides the entry point, for a message."""
        provider = f"distribution {self.distribution!r}" if self.distribution else "an unknown distribution"
        return f"entry point {self.name!r} of {provider}"

    @property
    def by_hand(self) -> bool:
        """Whether it comes from a call of ``register()``, so that there is no provider to verify."""
        return False

    @property
    def distribution(self) -> str | None:
        """Name of the distribution that the entry point belongs to, ``None`` where the metadata does not say."""
        return self._field("Name")

    @property
    def version(self) -> str | None:
        """Version of that distribution, ``None`` where the metadata does not say."""
        return self._field("Version")

    def _field(self, field: str) -> str | None:
        if field not in self._fields:
            self._fields[field] = told(foreign_attribute(self._entry_point, "dist"), field)
        return self._fields[field]

    def tells(self, kind: str) -> bool:  # noqa: ARG002 - the answer of real metadata is the same for all kinds.
        """Whether a kind of provider check can be made on this record (a stand-in may leave some open)."""
        return True

    def learn_name(self, name: str) -> None:
        """Take the adapter's name where the record has none."""

    def load(self) -> object:
        """Import what the entry point refers to."""
        from importlib.metadata import EntryPoint

        if issubclass(type(self._entry_point), EntryPoint) and EntryPoint.pattern.match(self.value) is None:
            raise ValueError(f"{self.value!r} is not of the form 'module' or 'module:object'")
        return self._entry_point.load()

    def same_as(self, other: EntryPointRecord) -> bool:
        """Whether both stand for the same adapter, so that what was loaded for one can be used for the other.

        Two entry points of the standard library with the same reference load the same object. The distribution counts,
        since trust depends on it. A stand-in of a host's test is only the same as itself.
        """
        mine, theirs = self._entry_point, other._entry_point
        if mine is theirs:
            return True
        from importlib.metadata import EntryPoint

        return (
            issubclass(type(mine), EntryPoint)
            and issubclass(type(theirs), EntryPoint)
            and (self.name, self.value, self.distribution) == (other.name, other.value, other.distribution)
        )


class RegisteredRecord(EntryPointRecord):
    """Stands for an adapter that was handed over as an object, in a notebook or in a host's tests."""

    __slots__ = ("_adapter", "_told")

    def __init__(
        self, name: str, adapter: object, *, distribution: str | None = None, value: str | None = None
    ) -> None:
        super().__init__(name, value or "", None)
        self._adapter = adapter
        self._fields = {"Name": distribution, "Version": None}
        given = {"distributions": True, "entrypoints": bool(name), "references": value is not None}
        self._told = {kind for kind, told in given.items() if told}

    @property
    def origin(self) -> str:
        return f"registered adapter {self.name!r}".removesuffix(" ''") if self.by_hand else super().origin

    @property
    def by_hand(self) -> bool:
        return self.distribution is None

    def tells(self, kind: str) -> bool:
        return kind in self._told

    def learn_name(self, name: str) -> None:
        self.name = self.name or name

    def load(self) -> object:
        return self._adapter

    def same_as(self, other: EntryPointRecord) -> bool:
        return self is other


# -- foreign metadata --------------------------------------------------------------------------------------------------


def told(distribution: Any, field: str) -> str | None:
    """Return a field of the metadata of a distribution, ``None`` where it is missing or broken."""
    from importlib.metadata import Distribution

    if issubclass(type(distribution), Distribution):
        # Asking its attribute for a field that is missing gives a DeprecationWarning.
        return as_text(safely(lambda: distribution.metadata.get(field))) or None
    text = as_text(foreign_attribute(distribution, field.lower()))
    return text or as_text(safely(lambda: distribution.metadata[field])) or None


def foreign_attribute(foreign: Any, name: str) -> Any:
    """Return an attribute of a foreign object, ``None`` where there is none or reading it raises."""
    return safely(lambda: getattr(foreign, name, None))
