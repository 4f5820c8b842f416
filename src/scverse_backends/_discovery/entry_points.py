"""Installed metadata: the entry points of one group as records, with nothing imported.

This is the only module that uses :mod:`importlib.metadata`, and it imports it when a listing is asked for: that
import costs more than everything else in this package together.
"""

from __future__ import annotations

import os
import sys

from scverse_backends._foundation.labels import normalize_distribution, normalize_reference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any


_UNREAD = "\0"
"""Stands for metadata that nobody has asked for yet; only ever compared by identity."""

_ATTEMPTS = 10
"""How often a finder is asked to forget: each failure for a race means that another thread made one step."""


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
        self._distribution: str | None = _UNREAD
        self._version: str | None = _UNREAD
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
        """Whether nothing provides it but a call of ``register()``, so that there is nothing to verify."""
        return False

    @property
    def distribution(self) -> str | None:
        """Name of the distribution that the entry point belongs to, ``None`` where the metadata does not say."""
        if self._distribution is _UNREAD:
            self._distribution = _told(_attribute(self._entry_point, "dist"), "name", "Name")
        return self._distribution

    @property
    def version(self) -> str | None:
        """Version of that distribution, ``None`` where the metadata does not say."""
        if self._version is _UNREAD:
            self._version = _told(_attribute(self._entry_point, "dist"), "version", "Version")
        return self._version

    def tells(self, kind: str) -> bool:  # noqa: ARG002 - the answer of real metadata is the same for all kinds.
        """Whether a kind of provider check can be made on this record (a stand-in may leave some open)."""
        return True

    def learn_name(self, name: str) -> None:
        """Take over the adapter's name where the record came without one."""

    def load(self) -> object:
        """Import what the entry point refers to.

        Raises
        ------
        ValueError
            If it refers to nothing that could be imported.
        """
        from importlib.metadata import EntryPoint

        if issubclass(type(self._entry_point), EntryPoint) and EntryPoint.pattern.match(self.value) is None:
            raise ValueError(f"{self.value!r} is no reference of the form 'module' or 'module:object'")
        return self._entry_point.load()

    def same_as(self, other: EntryPointRecord) -> bool:
        """Whether both stand for one and the same adapter, so that what was loaded for one holds for the other.

        Two entry points of the standard library with the same reference load the same object; the distribution
        counts because trust does. A stand-in, as hosts' tests use, is only the same as itself.
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
        self._distribution = distribution
        self._version = None
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


def _told(distribution: Any, attribute: str, field: str) -> str | None:
    """Return what the metadata of a distribution says of itself, nothing where it is missing or broken."""
    from importlib.metadata import Distribution

    ways: list[Callable[[], object]]
    if issubclass(type(distribution), Distribution):
        # Asking its attribute for a field that is missing gives a DeprecationWarning.
        ways = [lambda: distribution.metadata.get(field)]
    else:
        ways = [lambda: getattr(distribution, attribute), lambda: distribution.metadata[field]]
    for read in ways:
        text = _text(_attempt(read))
        if text:
            return text
    return None


def _attempt(read: Callable[[], Any]) -> Any:
    """Return what foreign code gives, ``None`` where it raises: metadata can be missing or broken in any way."""
    try:
        return read()
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001 - SystemExit and the like must not end the user's session.
        return None


def _attribute(foreign: Any, name: str) -> Any:
    return _attempt(lambda: getattr(foreign, name, None))


def _text(value: Any) -> str | None:
    """Return a foreign string as an exact one, which compares as strings do, and nothing for what is no string."""
    return str.__str__(value) if issubclass(type(value), str) else None


class Listing:
    """The records of one group, and the function that listed them."""

    __slots__ = ("_listed_with", "is_complete", "problems", "records")

    def __init__(
        self,
        records: tuple[EntryPointRecord, ...],
        problems: tuple[str, ...],
        listed_with: object,
        *,
        is_complete: bool = True,
    ) -> None:
        self.records = records
        self.problems = problems
        self.is_complete = is_complete
        """Whether all that is installed was looked at, so that what is not listed is not there."""
        self._listed_with = listed_with

    def is_current(self) -> bool:
        """Whether the listing function is still the one that made this listing (hosts' tests patch it)."""
        # Calls ask this, and calls run no import statement.
        return getattr(sys.modules.get("importlib.metadata"), "entry_points", None) is self._listed_with

    @property
    def is_patched(self) -> bool:
        """Whether somebody put another function in the place of the standard library's, perhaps for a moment only."""
        return getattr(self._listed_with, "__module__", None) != "importlib.metadata"


def list_entry_points(group: str) -> Listing:
    """List the entry points of a group without importing any of them.

    A malformed ``entry_points.txt`` anywhere makes the standard library's listing raise as a whole. Then the
    distributions are read one by one, so that only that file is lost.
    """
    import importlib.metadata

    list_group: Callable[..., Iterable[Any]] = importlib.metadata.entry_points
    problems: list[str] = []
    found: list[Any] = []
    worse: str | None = None
    error = _collect(found, list_group, group=group)
    if error is not None:
        found = []
        worse = _collect(found, _one_by_one, group=group, problems=problems)
        # Where no single file is to blame, backends may be missing for a reason that nobody would hear of.
        if worse is not None or not problems:
            problems.append(f"the installed distributions cannot be listed ({worse or error}). Backends may be missing")
    records: list[EntryPointRecord] = []
    for entry_point in found:
        name = _text(_attribute(entry_point, "name"))
        if name is not None:
            records.append(EntryPointRecord(name, _text(_attribute(entry_point, "value")) or "", entry_point))
    return Listing(tuple(records), tuple(problems), list_group, is_complete=worse is None)


def _collect(points: list[Any], read: Callable[..., Iterable[Any]], **arguments: Any) -> str | None:
    """Add what is read to a list, as far as it goes, and return what went wrong."""
    try:
        points.extend(read(**arguments))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - what a broken file raises depends on how it is broken.
        kind, caught = type(error).__name__, error
        message = _attempt(lambda: str(caught))
        return f"{kind}: {message}" if message else kind
    return None


def _of_group(distribution: Any, group: str) -> list[Any]:
    return [point for point in distribution.entry_points if point.group == group]


def _one_by_one(group: str, problems: list[str]) -> Iterator[Any]:
    import importlib.metadata

    seen: set[str] = set()
    for distribution in importlib.metadata.distributions():
        told = _told(distribution, "name", "Name")
        # The first distribution of a name on the path hides later ones, as for the standard library. Without a
        # readable name it can be no duplicate of another.
        name = normalize_distribution(told) if told else ""
        if name and name in seen:
            continue
        seen.add(name)
        found: list[Any] = []
        error = _collect(found, _of_group, distribution=distribution, group=group)
        if error is not None:
            whose = f"distribution {told!r}" if told else "a distribution without a name"
            problems.append(f"the entry_points.txt of {whose} cannot be read ({error}). Reinstall it")
        yield from found


def installed_version(distribution: str) -> str | None:
    """Return the installed version of a distribution, ``None`` where it is not installed or does not say."""
    installed = _installed(distribution)
    return None if installed is None else _told(installed, "version", "Version")


def _installed(distribution: str) -> Any:
    import importlib.metadata

    return _attempt(lambda: importlib.metadata.distribution(distribution))


def provider_of(names: tuple[str, ...], *, search: bool = False) -> tuple[str | None, str | None]:
    """Return the distribution that bears one of these names, and its version.

    Parameters
    ----------
    names
        Names to look for, in this order.
    search
        Whether to look for a distribution that provides a package of such a name, where none bears it. That reads the
        lists of files of all distributions.
    """
    import importlib.metadata

    for name in filter(None, names):
        installed = _installed(name)
        if installed is not None:
            return _told(installed, "name", "Name"), _told(installed, "version", "Version")
    providers: dict[str, list[str]] = (_attempt(importlib.metadata.packages_distributions) or {}) if search else {}
    provider = next((providers[name][0] for name in names if providers.get(name)), None)
    return (None, None) if provider is None else (provider, installed_version(provider))


def search_path() -> object:
    """Return what changes when a distribution is installed or removed, without reading any metadata."""
    import importlib.metadata

    found: list[object] = [importlib.metadata.entry_points]
    for folder in sys.path:
        try:
            found.append((folder, os.stat(folder or ".").st_mtime_ns))  # noqa: PTH116 - pathlib costs more than this.
        except (OSError, ValueError, TypeError):
            found.append(folder)
    return found


def forget_finder_caches() -> None:
    """Make a package that was installed a moment ago visible to the next listing and import."""
    for finder in tuple(sys.meta_path):
        forget = _attribute(finder, "invalidate_caches")
        # Python's own finder stops halfway, with a KeyError, where another thread forgot the same folder first. Whoever
        # stopped tries again, and what no attempt forgets is noticed by the change of the folder's time at the latest.
        for _ in range(_ATTEMPTS if callable(forget) else 0):
            if _succeeds(forget):
                break


def _succeeds(work: Callable[[], object]) -> bool:
    return _attempt(lambda: (work(), True)) is not None
