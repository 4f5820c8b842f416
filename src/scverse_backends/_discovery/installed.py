"""What is installed: the entry points of one group, listed with nothing imported.

:mod:`importlib.metadata` is imported when something is asked for: that import costs more than everything else in this
package together.
"""

from __future__ import annotations

import os
import sys

from scverse_backends._discovery.entry_points import EntryPointRecord, foreign_attribute, told
from scverse_backends._foundation.foreign import safely
from scverse_backends._foundation.labels import as_text, normalize_distribution

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

_ATTEMPTS = 10
"""How often a finder is asked to forget. Where two threads ask at once, each failure means that one got further."""

_FAILED = object()

_METADATA_FOLDERS = (".dist-info", ".egg-info")
# The empty name is for a very old kind of distribution, whose metadata is a single file.
_METADATA_FILES = ("METADATA", "PKG-INFO", "")


class Listing:
    """The records of one group, and the function that listed them: none where nothing has been listed yet."""

    __slots__ = ("_listed_with", "is_complete", "is_patched", "problems", "records")

    def __init__(
        self,
        records: tuple[EntryPointRecord, ...] = (),
        problems: tuple[str, ...] = (),
        listed_with: object = None,
        *,
        is_complete: bool = True,
        is_patched: bool = False,
    ) -> None:
        self.records = records
        self.problems = problems
        self.is_complete = is_complete
        """Whether everything installed was looked at, so that what is not listed is not there."""
        self._listed_with = listed_with
        self.is_patched = is_patched
        """Whether the listing function was not the standard library's. A test may have put it there for a moment."""

    def is_current(self) -> bool:
        """Whether the listing function is still the one that made this listing (hosts' tests patch it)."""
        # Calls ask this, and calls run no import statement.
        now = getattr(sys.modules.get("importlib.metadata"), "entry_points", None)
        return now is not None and now is self._listed_with


NOTHING_LISTED = Listing()


def list_entry_points(group: str) -> Listing:
    """List the entry points of a group without importing any of them.

    A malformed ``entry_points.txt`` anywhere makes the standard library's listing raise as a whole. Then the
    distributions are read one by one, so that only that file is lost.
    """
    import importlib.metadata

    list_group: Callable[..., Iterable[Any]] = importlib.metadata.entry_points
    is_patched = getattr(list_group, "__module__", None) != "importlib.metadata"
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
    elif not is_patched:
        found = [point for point in found if not _is_remnant(foreign_attribute(point, "dist"))]
    records = _records(found)
    if error is None and not is_patched:
        hidden: list[Any] = []
        _collect(hidden, _hidden, group=group)
        records += [one for one in _records(hidden) if not any(one.same_as(known) for known in records)]
    return Listing(tuple(records), tuple(problems), list_group, is_complete=worse is None, is_patched=is_patched)


def _records(points: Iterable[Any]) -> list[EntryPointRecord]:
    records: list[EntryPointRecord] = []
    for point in points:
        name = as_text(foreign_attribute(point, "name"))
        if name is not None:
            records.append(EntryPointRecord(name, as_text(foreign_attribute(point, "value")) or "", point))
    return records


def _collect(points: list[Any], read: Callable[..., Iterable[Any]], **arguments: Any) -> str | None:
    """Add what is read to a list, as far as it goes, and return what went wrong."""
    try:
        points.extend(read(**arguments))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - what a broken file raises depends on how it is broken.
        kind, caught = type(error).__name__, error
        message = safely(lambda: str(caught))
        return f"{kind}: {message}" if message else kind
    return None


def _of_group(distribution: Any, group: str) -> list[Any]:
    return [point for point in distribution.entry_points if point.group == group]


def _one_by_one(group: str, problems: list[str]) -> Iterator[Any]:
    import importlib.metadata

    seen: set[str] = set()
    for distribution in importlib.metadata.distributions():
        name = told(distribution, "Name")
        # As for the standard library, the first distribution of a name hides later ones. One without a readable name
        # hides nothing.
        normalized = normalize_distribution(name) if name else ""
        if (normalized and normalized in seen) or (not name and _is_remnant(distribution)):
            continue
        seen.add(normalized)
        found: list[Any] = []
        error = _collect(found, _of_group, distribution=distribution, group=group)
        if error is not None:
            whose = f"distribution {name!r}" if name else "a distribution without a name"
            problems.append(f"the entry_points.txt of {whose} cannot be read ({error}). Reinstall it")
        yield from found


# -- what interrupted installations leave ------------------------------------------------------------------------------


def _is_remnant(distribution: Any) -> bool:
    """Whether a folder for metadata is empty, as an interrupted upgrade leaves it. Then it is not a distribution."""
    from importlib.metadata import Distribution

    if not issubclass(type(distribution), Distribution):
        return False
    holds: bool | None = safely(lambda: any(distribution.read_text(file) is not None for file in _METADATA_FILES))
    # A file that cannot be read is there all the same.
    return holds is False


def _hidden(group: str) -> Iterator[Any]:
    """Yield the entry points of distributions that a remnant of the same name hides from the standard library.

    That goes by the names of the folders, and takes the first of each name for the distribution.
    """
    from importlib.metadata import Distribution
    from pathlib import Path

    for folders in _metadata_folders().values():
        if len(folders) == 1:
            continue
        distributions = [Distribution.at(Path(*folder)) for folder in folders]
        whole = [distribution for distribution in distributions if not _is_remnant(distribution)]
        if whole and len(whole) < len(distributions):
            yield from _of_group(whole[0], group)


def _metadata_folders() -> dict[str, list[tuple[str, str]]]:
    """Return the folders on the path that are named as metadata is, by the distribution's name, in order."""
    found: dict[str, list[tuple[str, str]]] = {}
    for place in dict.fromkeys(sys.path):
        for name in _names_in(place):
            if name.endswith(_METADATA_FOLDERS):
                # The names of folders differ from those of distributions in case and, in old ones, in dots.
                distribution = name.rpartition(".")[0].partition("-")[0].lower().replace(".", "_")
                found.setdefault(distribution, []).append((place, name))
    return found


def _names_in(folder: str) -> list[str]:
    names: list[str] = safely(lambda: os.listdir(folder or "."), [])  # noqa: PTH208 - pathlib costs more than this.
    return names


# -- single distributions ----------------------------------------------------------------------------------------------


def installed_version(distribution: str) -> str | None:
    """Return the installed version of a distribution, ``None`` where it is not installed or does not say."""
    installed = _distribution(distribution)
    return None if installed is None else told(installed, "Version")


def provider_of(names: tuple[str, ...], *, search: bool = False) -> tuple[str | None, str | None]:
    """Return the first distribution that has one of these names, and its version.

    Where none has, `search` looks for one that provides a package of such a name, which reads the lists of files of all
    distributions.
    """
    import importlib.metadata

    for name in names:
        installed = _distribution(name)
        if installed is not None:
            return told(installed, "Name"), told(installed, "Version")
    providers: dict[str, list[str]] = (safely(importlib.metadata.packages_distributions) or {}) if search else {}
    provider = next((providers[name][0] for name in names if providers.get(name)), None)
    return (None, None) if provider is None else (provider, installed_version(provider))


def is_editable(distribution: str) -> bool:
    """Whether a distribution of that name is an editable install, whose path Python adds when it starts."""
    return editable_origin(_distribution(distribution)) is not None


def editable_origin(distribution: Any) -> str | None:
    """Return the address of the folder that an editable install stands for, ``None`` for any other."""
    import json

    # This file says where a distribution was installed from (PEP 610).
    origin: Any = safely(lambda: json.loads(distribution.read_text("direct_url.json")))
    url: str | None = safely(lambda: str(origin["url"]) if origin["dir_info"]["editable"] is True else None)
    return url


def all_distributions(*names: str) -> Iterator[tuple[Any, str | None]]:
    """Yield every distribution (of these names, if there are any), and the folder where this process does not look.

    ``pip`` makes a user's own folder for packages when it first needs one, and Python looks for it when it starts.
    """
    import site

    for distribution in _distributions(*names):
        yield distribution, None
    folder: Any = safely(site.getusersitepackages) if site.ENABLE_USER_SITE else None
    if folder is not None and folder not in sys.path:
        for distribution in _distributions(*names, path=[folder]):
            yield distribution, folder


def _distributions(*names: str, **where: Any) -> list[Any]:
    import importlib.metadata

    searches: list[dict[str, Any]] = [{"name": name} for name in names] or [{}]
    found: list[Any] | None = safely(
        lambda: [one for search in searches for one in importlib.metadata.distributions(**search, **where)]
    )
    return found or []


def _distribution(name: str) -> Any:
    return next((one for one in _distributions(name) if not _is_remnant(one)), None) if name else None


# -- what changes ------------------------------------------------------------------------------------------------------


class Installed:
    """Tells whether anything was installed, upgraded or removed, without reading any metadata."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[int, object]] = {}

    def state(self) -> object:
        """Return a value that stays equal for as long as the same distributions are installed.

        A program may write its results into a folder on the path, so the folder's own time of change does not count.
        The times of the metadata in it do.
        """
        import importlib.metadata

        return (importlib.metadata.entry_points, *(self._folder(place) for place in tuple(sys.path)))

    def _folder(self, place: Any) -> object:
        try:
            # Each `noqa` below has one reason: pathlib costs more than the question.
            changed = os.stat(place or ".").st_mtime_ns  # noqa: PTH116 - as said.
            known, metadata = self._seen.get(place, (None, None))
            if changed != known:
                is_folder = os.path.isdir(place or ".")  # noqa: PTH112 - as said.
                metadata = _times_of_metadata(place or ".") if is_folder else changed
                self._seen[place] = (changed, metadata)
        except (OSError, ValueError, TypeError):
            return place
        return place, metadata


def _times_of_metadata(folder: str) -> object:
    with os.scandir(folder) as entries:
        return frozenset(
            (entry.name, entry.stat().st_mtime_ns) for entry in entries if entry.name.endswith(_METADATA_FOLDERS)
        )


def forget_finder_caches() -> None:
    """Make a package that was installed a moment ago visible to the next listing and import."""
    for finder in tuple(sys.meta_path):
        forget = foreign_attribute(finder, "invalidate_caches")
        # Python's own finder stops halfway, with a KeyError, where another thread forgot the same folder first. It is
        # asked again then. If that never works, Python notices the change by the folder's time.
        for _ in range(_ATTEMPTS if callable(forget) else 0):
            if safely(forget, _FAILED) is not _FAILED:
                break
