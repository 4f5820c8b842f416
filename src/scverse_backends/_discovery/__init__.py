"""Which backends exist, whom the host trusts, and who answers to a name.

The way through: ``installed`` lists the metadata as records (``entry_points``), ``trust`` says what the host thinks of
a record, ``adapters`` loads one, ``exports`` looks at what it exports, ``answers`` decides who answers to which label,
``registry`` keeps all of them, ``resolver`` turns what a user wrote into a backend or a selection. Where that is wrong,
``errors`` says what to do, and ``unrecognised`` looks for what was meant. ``notices`` warns about what else was found.

Rules: nothing is imported that was not asked for; no lock is held while foreign code runs; whatever foreign code
raises becomes a record, except ``KeyboardInterrupt``.

A door: it imports nothing, since import time is a promise. Other rooms import only the modules that ``DOOR`` names.
"""

from __future__ import annotations

DOOR = [
    "adapters",
    "answers",
    "entry_points",
    "exports",
    "installed",
    "notices",
    "registry",
    "resolver",
    "trust",
    "unrecognised",
]
