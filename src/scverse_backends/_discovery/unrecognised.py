"""Installed and not recognised: distributions that seem to be meant for a host and do not reach it.

It reads the metadata of everything that is installed, so it is only used on the way to an error or an empty listing.
"""

from __future__ import annotations

from scverse_backends._discovery.entry_points import told
from scverse_backends._discovery.installed import all_distributions, editable_origin
from scverse_backends._foundation.foreign import safely
from scverse_backends._foundation.labels import listing, normalize_distribution

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

RESTART = "restart Python."
"""The end of a sentence about what is installed where this process does not look."""

_AGAIN = "install it again, an editable install too"
_SHOWN = 2
_SIMILAR = 0.75


def unrecognised(host: str, group: str, *names: str, distributions_only: bool = False) -> tuple[str, ...]:
    """Say which installed distributions seem to be meant for a host without reaching it, and what to do.

    Parameters
    ----------
    host
        The host's name, for the sentences.
    group
        The entry-point group that the host looks under.
    *names
        What is looked for: names of distributions or of backends. Without any, everything is told that registers under
        a group of nearly this name.
    distributions_only
        Whether the names are those of distributions, so that no other need be read.

    Returns
    -------
    Sentences, each about one distribution; few enough for a message.
    """
    wanted = {normalize_distribution(name) for name in names}
    # Those of a name are found by the names of folders; of all others, only the entry points are read.
    looks = [_Look(one, folder, host, group, wanted, is_named=True) for one, folder in _named(wanted)]
    if not distributions_only:
        looks += (_Look(one, folder, host, group, wanted, is_named=False) for one, folder in all_distributions())
    found: dict[str, str] = {}
    for look in looks:
        sentence = look.sentence()
        if sentence is not None and (name := look.name) is not None:
            found.setdefault(name, sentence)
    return tuple(found.values())[:_SHOWN]


def _named(wanted: set[str]) -> Iterable[tuple[Any, str | None]]:
    return all_distributions(*sorted(wanted)) if wanted else ()


class _Look:
    """One look at one distribution."""

    def __init__(
        self, distribution: Any, folder: str | None, host: str, group: str, wanted: set[str], *, is_named: bool
    ) -> None:
        self._distribution = distribution
        self._folder = folder
        self._host = host
        self._group = group
        self._wanted = wanted
        self._is_named = is_named

    @property
    def name(self) -> str | None:
        """The distribution's name, which costs the parsing of a file; what interrupted installations leave has none."""
        return told(self._distribution, "name", "Name")

    def sentence(self) -> str | None:
        """Say what keeps it from reaching the host, if it seems to be meant for it."""
        groups = self._groups()
        ours = self._meant(groups.get(self._group, []))
        if self._folder is not None:
            where = f"is in {self._folder}, which this process does not search"
            return f"Distribution {self.name!r} {where}: {RESTART}" if ours else None
        if ours:
            return None
        for theirs, names in groups.items():
            meant = self._meant(names)
            if meant and _resembles(theirs, self._group, loosely=bool(self._wanted)):
                return (
                    f"Distribution {self.name!r} registers {listing(meant)} under the group {theirs!r}, but "
                    f"{self._host} looks under {self._group!r}. Correct its pyproject.toml, then {_AGAIN}."
                )
        waiting = self._meant(list(_in_project(self._distribution, self._group)))
        if waiting:
            return (
                f"The pyproject.toml of distribution {self.name!r} registers {listing(waiting)} under {self._group!r}, "
                f"but was changed after it was installed. Install it again, although it is an editable install."
            )
        if self._is_named:
            return (
                f"Distribution {self.name!r} registers nothing under the group {self._group!r}. If it should, add that "
                f"to its pyproject.toml, then {_AGAIN}."
            )
        return None

    def _groups(self) -> dict[str, list[str]]:
        read: Any = safely(lambda: [(str(point.group), str(point.name)) for point in self._distribution.entry_points])
        groups: dict[str, list[str]] = {}
        for group, name in read or ():
            groups.setdefault(group, []).append(name)
        return groups

    def _meant(self, names: list[str]) -> list[str]:
        """Return which entry points may be what is looked for."""
        if self._is_named or not self._wanted:
            return names
        return [name for name in names if normalize_distribution(name) in self._wanted]


def _resembles(theirs: str, ours: str, *, loosely: bool) -> bool:
    """Whether one group may be a slip for another; loosely also where only the host's name is the same."""
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


def _in_project(distribution: Any, group: str) -> Iterator[str]:
    """Yield what the project behind an editable install registers today, as its pyproject.toml has it."""
    origin = editable_origin(distribution)
    if origin is None:
        return
    from urllib.parse import urlsplit
    from urllib.request import url2pathname

    def read() -> Any:
        import tomllib

        with open(url2pathname(urlsplit(origin).path) + "/pyproject.toml", "rb") as file:  # noqa: PTH123 - as above.
            return list(tomllib.load(file)["project"]["entry-points"][group])

    names: Any = safely(read)
    yield from names or ()
