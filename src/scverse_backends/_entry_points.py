"""Installed metadata: the entry points of one group as records, with nothing imported.

This is the only module that uses :mod:`importlib.metadata`, and it imports it when a listing is asked for: that
import costs more than everything else in this package together.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any


def normalize_distribution(name: str) -> str:
    """Return the form in which PEP 503 compares distribution names."""
    out: list[str] = []
    for character in name.lower():
        if character not in "-_.":
            out.append(character)
        elif not out or out[-1] != "-":
            out.append("-")
    return "".join(out)


class EntryPointRecord:
    """One entry point as the metadata tells it.

    The distribution's name and version are read on first use, since each costs the parsing of a metadata file.
    """

    __slots__ = ("_distribution", "_entry_point", "_version", "name", "value")

    name: str
    value: str

    def __init__(self, name: str, value: str, entry_point: Any) -> None:
        self.name = name
        self.value = value
        self._entry_point = entry_point

    def __repr__(self) -> str:
        return f"<EntryPointRecord {self.name} = {self.value}>"

    @property
    def module(self) -> str:
        """The module part of the object reference."""
        return self.object_ref.partition(":")[0]

    @property
    def object_ref(self) -> str:
        """The object reference, ``module`` or ``module:attribute``, without extras and white space."""
        return "".join(self.value.partition("[")[0].split())

    @property
    def distribution(self) -> str | None:
        """Name of the distribution that the entry point belongs to, ``None`` where the metadata does not say."""
        try:
            return self._distribution
        except AttributeError:
            self._distribution = self._read_distribution("name", "Name")
            return self._distribution

    @property
    def version(self) -> str | None:
        """Version of that distribution, ``None`` where the metadata does not say."""
        try:
            return self._version
        except AttributeError:
            self._version = self._read_distribution("version", "Version")
            return self._version

    def _read_distribution(self, attribute: str, field: str) -> str | None:
        distribution = getattr(self._entry_point, "dist", None)
        value: object = None
        for read in (lambda: getattr(distribution, attribute), lambda: distribution.metadata[field]):
            try:
                value = read()
            except Exception:  # noqa: BLE001, S112 - a metadata file can be missing or broken in any way.
                continue
            if isinstance(value, str) and value:
                return value
        return None

    def tells(self, kind: str) -> bool:  # noqa: ARG002 - the answer of real metadata is the same for all kinds.
        """Whether a kind of provider check can be made on this record (a stand-in may leave some open)."""
        return True

    def load(self) -> object:
        """Import what the entry point refers to."""
        return self._entry_point.load()

    def same_as(self, other: EntryPointRecord) -> bool:
        """Whether both stand for one and the same adapter, so that what was loaded for one holds for the other.

        Two entry points of the standard library with the same reference load the same object. A stand-in, as hosts'
        tests use, is only the same as itself.
        """
        mine, theirs = self._entry_point, other._entry_point
        if mine is theirs:
            return True
        from importlib.metadata import EntryPoint  # noqa: PLC0415

        return (
            isinstance(mine, EntryPoint)
            and isinstance(theirs, EntryPoint)
            and (self.name, self.value) == (other.name, other.value)
        )


class RegisteredRecord(EntryPointRecord):
    """Stands for an adapter that was handed over as an object, in a notebook or in a host's tests."""

    __slots__ = ("_adapter", "_told")

    def __init__(self, name: str, adapter: object, *, distribution: str | None = None, value: str | None = None) -> None:
        super().__init__(name, value or "", None)
        self._adapter = adapter
        self._distribution = distribution
        self._version = None
        self._told = {"distributions"} if value is None else {"distributions", "entrypoints", "references"}

    def tells(self, kind: str) -> bool:
        return kind in self._told

    def load(self) -> object:
        return self._adapter

    def same_as(self, other: EntryPointRecord) -> bool:
        return self is other


class Listing:
    """The records of one group, and the function that listed them."""

    __slots__ = ("_listed_with", "problems", "records")

    def __init__(self, records: tuple[EntryPointRecord, ...], problems: tuple[str, ...], listed_with: object) -> None:
        self.records = records
        self.problems = problems
        self._listed_with = listed_with

    def is_current(self) -> bool:
        """Whether the listing function is still the one that made this listing (hosts' tests patch it)."""
        import importlib.metadata  # noqa: PLC0415 - see the module's docstring.

        return importlib.metadata.entry_points is self._listed_with


def list_entry_points(group: str) -> Listing:
    """List the entry points of a group without importing any of them.

    A malformed ``entry_points.txt`` anywhere makes the standard library's listing raise as a whole. Then the
    distributions are read one by one, so that only that file is lost.
    """
    import importlib.metadata  # noqa: PLC0415 - see the module's docstring.

    list_group: Callable[..., Iterable[Any]] = importlib.metadata.entry_points
    problems: list[str] = []
    try:
        found = list(list_group(group=group))
    except Exception:  # noqa: BLE001 - what a broken file raises depends on how it is broken.
        found = list(_one_by_one(group, problems))
    records = []
    for entry_point in found:
        name, value = getattr(entry_point, "name", None), getattr(entry_point, "value", None)
        if isinstance(name, str):
            records.append(EntryPointRecord(name, value if isinstance(value, str) else "", entry_point))
    return Listing(tuple(records), tuple(problems), list_group)


def _one_by_one(group: str, problems: list[str]) -> Iterator[Any]:
    import importlib.metadata  # noqa: PLC0415 - see the module's docstring.

    seen: set[str] = set()
    for distribution in importlib.metadata.distributions():
        try:
            name = normalize_distribution(distribution.metadata["Name"])
        except Exception:  # noqa: BLE001 - without a readable name it can be no duplicate of another.
            name = ""
        # The first distribution of a name on the path hides later ones, as for the standard library.
        if name and name in seen:
            continue
        seen.add(name)
        try:
            yield from [point for point in distribution.entry_points if point.group == group]
        except Exception as error:  # noqa: BLE001 - see above.
            problems.append(f"the entry points of {name or 'an unnamed distribution'} are unreadable: {error}")


def installed_version(distribution: str) -> str | None:
    """Return the installed version of a distribution, ``None`` where it is not installed or does not say."""
    import importlib.metadata  # noqa: PLC0415 - see the module's docstring.

    try:
        version: object = importlib.metadata.version(distribution)
    except Exception:  # noqa: BLE001 - missing, or its metadata is broken in any way.
        return None
    return version if isinstance(version, str) else None


def forget_finder_caches() -> None:
    """Make a package that was installed a moment ago visible to the next listing and import."""
    import importlib  # noqa: PLC0415 - see the module's docstring.

    importlib.invalidate_caches()
