"""Installed and not recognised: distributions that seem to be meant for a host and do not reach it.

It reads the metadata of everything that is installed, so it is only used on the way to an error or an empty listing.
"""

from __future__ import annotations

from scverse_backends._discovery.entry_points import told
from scverse_backends._discovery.installed import all_distributions, editable_origin
from scverse_backends._foundation.foreign import safely
from scverse_backends._foundation.labels import listing, normalize_distribution
from scverse_backends._foundation.live import live_dispatchers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

RESTART = "restart Python."
"""Ends the sentence about a distribution in a folder that this process does not search."""

INSTALL_IT = "If the name is right, install the package that provides it."
"""What is left to say where nothing that is installed resembles a name."""

_AGAIN = "install it again, an editable install too"
_SHOWN = 2
_SIMILAR = 0.75


def unrecognised(host: str, group: str, *names: str, distributions_only: bool = False) -> tuple[str, ...]:
    """Say which installed distributions seem to be meant for a host without reaching it, and what to do.

    The names are those of distributions or of backends. Without any, all distributions count that register under a
    group of nearly this name. With `distributions_only`, no other distributions are read.
    """
    wanted = {normalize_distribution(name) for name in names}
    # A distribution of this name is found by its folder. Of all others, only the entry points are read.
    named = all_distributions(*sorted(wanted)) if wanted else ()
    others = () if distributions_only else all_distributions()
    sentences: dict[str, str] = {}
    for found, is_named in ((named, True), (others, False)):
        for distribution, folder in found:
            why = _why(distribution, folder, host, group, wanted, is_named=is_named)
            # Reading the name parses a file. What an interrupted installation leaves has no name.
            name = None if why is None else told(distribution, "Name")
            if why is not None and name is not None:
                sentences.setdefault(name, f"{why[0]} {name!r} {why[1]}")
    return tuple(sentences.values())[:_SHOWN]


def _why(
    distribution: Any, folder: str | None, host: str, group: str, wanted: set[str], *, is_named: bool
) -> tuple[str, str] | None:
    """Say why a distribution that seems to be meant for the host does not reach it: the words around its name."""

    def meant(names: list[str]) -> list[str]:
        if is_named or not wanted:
            return names
        return [name for name in names if normalize_distribution(name) in wanted]

    groups: dict[str, list[str]] = {}
    read: Any = safely(lambda: [(str(point.group), str(point.name)) for point in distribution.entry_points], ())
    for theirs, name in read:
        groups.setdefault(theirs, []).append(name)
    ours = meant(groups.get(group, []))
    if folder is not None:
        return ("Distribution", f"is in {folder}, which this process does not search: {RESTART}") if ours else None
    if ours:
        return None
    hosts = {theirs: name for (_, theirs, name, *_), _ in live_dispatchers()}
    for theirs, names in groups.items():
        found = meant(names)
        if found and theirs in hosts:
            return "Distribution", f"registers {listing(found)} for {hosts[theirs]}, which is another host than {host}."
        if found and _resembles(theirs, group, loosely=bool(wanted)):
            what = f"registers {listing(found)} under the group {theirs!r}, but {host} looks under {group!r}"
            return "Distribution", f"{what}. Correct its pyproject.toml, then {_AGAIN}."
    waiting = meant(_in_project(distribution, group))
    if waiting:
        what = f"registers {listing(waiting)} under {group!r}, but was changed after it was installed"
        again = "Install it again, although it is an editable install"
        return "The pyproject.toml of distribution", f"{what}. {again}."
    if is_named:
        what = f"registers nothing under the group {group!r}"
        return "Distribution", f"{what}. If it should, add that to its pyproject.toml, then {_AGAIN}."
    return None


def _resembles(theirs: str, ours: str, *, loosely: bool) -> bool:
    """Whether one group may be a slip for another. `loosely` asks only for the same host in front."""
    written, wanted = theirs.split("."), ours.split(".")
    if _letters(theirs) == _letters(ours) or (loosely and _letters(written[0]) == _letters(wanted[0])):
        return True
    # Part by part: the groups of different hosts end in the same word.
    return len(written) == len(wanted) and all(map(_similar, written, wanted))


def _similar(one: str, other: str) -> bool:
    from difflib import SequenceMatcher  # Only an error pays for this import.

    return SequenceMatcher(None, _letters(one), _letters(other)).ratio() >= _SIMILAR


def _letters(text: str) -> str:
    return "".join(character for character in text.lower() if character.isalnum())


def _in_project(distribution: Any, group: str) -> list[str]:
    """Return what the project behind an editable install registers today, as its pyproject.toml has it."""
    origin = editable_origin(distribution)
    if origin is None:
        return []
    import tomllib
    from pathlib import Path
    from urllib.parse import urlsplit
    from urllib.request import url2pathname

    def read() -> list[str]:
        project = tomllib.loads(Path(url2pathname(urlsplit(origin).path), "pyproject.toml").read_text("utf-8"))
        return list(project["project"]["entry-points"][group])

    names: list[str] = safely(read, [])
    return names
