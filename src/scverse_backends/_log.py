"""The logger, fetched when there is something to log: :mod:`logging` is not imported before."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from logging import Logger


def logger() -> Logger:
    """Return the logger ``scverse_backends``."""
    from logging import NullHandler, getLogger

    ours = getLogger("scverse_backends")
    if not ours.handlers:
        # Who configured no logging hears of what matters through warnings, and not a second time on standard error.
        ours.addHandler(NullHandler())
    return ours
