"""The foundation: how the package speaks, before it knows anything of backends.

Names and their grammar, warnings that land on the user's line, frames that warnings pass over, the log, errors, the
place where a process runs, immutable records, tables, amounts, waiting for values that are still being computed, and
the list of dispatchers that are alive. Nothing here knows what a backend is.

A door: it imports nothing, since import time is a promise. Other rooms import only the modules that ``DOOR`` names.
"""

from __future__ import annotations

DOOR = ["amounts", "foreign", "labels", "live", "log", "place", "record", "table", "unseen", "waiting", "warner"]
