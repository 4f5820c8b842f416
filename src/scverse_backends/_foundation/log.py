"""The logger ``scverse_backends``; :mod:`logging` is imported only when somebody may read what is logged."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from logging import Logger


def _logger() -> Logger:
    from logging import NullHandler, getLogger

    ours = getLogger("scverse_backends")
    if not ours.handlers:
        # Without it, Python would repeat on standard error what our warnings have said.
        ours.addHandler(NullHandler())
    return ours


def debug(message: str, *args: object) -> None:
    """Log a step of discovery, or the first use of a plan."""
    # If logging was never imported, nobody reads this, and the import costs as much as listing a group.
    if "logging" in sys.modules:
        _logger().debug(message, *args)


def info(message: str, *args: object) -> None:
    """Log a fallback."""
    if "logging" in sys.modules:
        _logger().info(message, *args)


def warning(message: str, *args: object) -> None:
    """Log a load failure."""
    _logger().warning(message, *args)
