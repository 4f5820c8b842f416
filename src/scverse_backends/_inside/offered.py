"""What backends add to a host, as its documentation shows it."""

from __future__ import annotations

from scverse_backends._inside.dispatchers import dispatcher_of, inside
from scverse_backends._reports.offered import ShownOption, implementations, shown_options
from scverse_backends._reports.report import BackendInfo

__all__ = ["BackendInfo", "ShownOption", "implemented", "options_of"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from scverse_backends._dispatcher import BackendDispatcher


def options_of(function: Any) -> list[ShownOption]:
    """Return the options that backends have added to a host function, and nothing for any other object."""
    try:
        return shown_options(inside(dispatcher_of(function)).record_of(function))
    except TypeError:
        return []


def implemented(dispatcher: BackendDispatcher) -> dict[str, dict[str, tuple[str, ...] | None]]:
    """Return, for each function of a host, which backends implement it, and the options that each adds."""
    parts = inside(dispatcher)
    return implementations(parts.records.listed(), parts.registry.available())
