"""From a call to the function that runs it: decorate, decide, run.

``functions`` and ``classes`` decorate. A call begins in ``wrapper``, the decorated function. It asks ``decide`` what
runs: ``routing`` goes through the names of the selection, ``implementations`` asks a backend for its function, and what
comes out is a :class:`~scverse_backends._calls.decision.Decision`. ``watched`` announces calls to whoever watches.
``merge`` shows the options of the backends in the host's functions, ``options`` looks after those that a scope gives,
``dispatched`` is what is known of each function.

Rule: decide, then call. Only the decorated function calls what was decided (``wrapper``, for classes the metaclass).

A door: it imports nothing, since import time is a promise. Other rooms import only the modules that ``DOOR`` names.
"""

from __future__ import annotations

DOOR = [
    "classes",
    "decide",
    "decision",
    "dispatched",
    "functions",
    "implementations",
    "merge",
    "options",
    "watched",
    "wrapper",
]
