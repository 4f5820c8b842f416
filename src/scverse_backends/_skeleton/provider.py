"""What the installed metadata says of a host: which distribution it is, and where its sources are."""

from __future__ import annotations

import importlib.metadata
import re
from typing import Final, NamedTuple

_REPOSITORY: Final = re.compile(r"https://(?:github\.com|gitlab\.com|codeberg\.org)/(?!sponsors/)[\w.-]+/[\w.-]+")
_OLDEST: Final = 12
"""The minor version of the oldest Python that this package, and with it every host, runs on."""


class Provider(NamedTuple):
    """The distribution that a host is installed from."""

    distribution: str
    requirement: str
    """What a backend that is written now should require."""
    python: str
    """Which Pythons it runs on."""
    repository: str | None


def provider_of(host: str) -> Provider | None:
    """Return the distribution of a host, ``None`` where it is imported from somewhere else than an installation."""
    names = importlib.metadata.packages_distributions().get(host.partition(".")[0], ())
    for name in names:
        metadata = importlib.metadata.metadata(name)
        release = re.fullmatch(r"(\d+\.\d+)(?:\.\d+)*", metadata.get("Version") or "")
        oldest = re.search(r">=\s*3\.(\d+)", metadata.get("Requires-Python") or "")
        urls = [*(metadata.get_all("Project-URL") or ()), metadata.get("Home-page") or ""]
        found = [match[0].removesuffix(".git") for match in map(_REPOSITORY.search, urls) if match]
        return Provider(
            name,
            # A version that is not released yet is no reason to require it.
            f"{name}>={release[1]}" if release else name,
            f">=3.{max(_OLDEST, int(oldest[1]) if oldest else 0)}",
            found[0] if found else None,
        )
    return None
