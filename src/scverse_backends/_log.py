"""The logger, fetched when there is something to log: :mod:`logging` is not imported before."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from logging import Logger


def logger() -> Logger:
    """Return the logger ``scverse_backends``."""
    from logging import getLogger  # noqa: PLC0415 - see the module's docstring.

    return getLogger("scverse_backends")
