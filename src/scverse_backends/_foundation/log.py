"""The logger ``scverse_backends``; :mod:`logging` is imported when there is something that somebody may read."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from logging import Logger


def _logger() -> Logger:
    from logging import NullHandler, getLogger

    ours = getLogger("scverse_backends")
    if not ours.handlers:
        # Who configured no logging hears of what matters through warnings, and not a second time on standard error.
        ours.addHandler(NullHandler())
    return ours


def debug(message: str, *args: object) -> None:
    """Log a step of discovery, or the first use of a plan."""
    # Nobody can have asked for it where the module was never imported, which costs as much as listing a group.
    if "logging" in sys.modules:
        _logger().debug(message, *args)


def info(message: str, *args: object) -> None:
    """Log a fallback."""
    if "logging" in sys.modules:
        _logger().info(message, *args)


def warning(message: str, *args: object) -> None:
    """Log a load failure."""
    _logger().warning(message, *args)
