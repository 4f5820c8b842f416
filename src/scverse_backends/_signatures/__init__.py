"""Two signatures, the host's and a backend's: what a call gives, what each side takes, what is shown.

``arguments`` sorts the arguments of a call by name, ``accepted`` finds out what a function takes, ``router`` compiles
the mapping from one side to the other, ``plan`` keeps it for the next call, ``merged`` puts together the signature that
the host's function shows.

Rule: everything here is computed from signatures, docstrings and arguments; no backend is asked for anything.

A door: it imports nothing, since import time is a promise. Other rooms import only the modules that ``DOOR`` names.
"""

from __future__ import annotations

DOOR = ["accepted", "arguments", "defaults", "merged", "own_backend", "plan", "router", "shown"]
