"""What is selected, here and now.

A call asks :mod:`~scverse_backends._selection.selection`, which reads one immutable
:class:`~scverse_backends._selection.state.State` from one context variable. ``steps`` keeps a state for bodies that run
step by step, ``kinds`` knows which functions have such bodies, ``bind`` takes a state along to another thread or
process, ``trace`` holds the records of calls.

Rules: a state is never changed, only replaced. Nothing here knows how a name becomes a backend; it is given a function
that does.

A door: it imports nothing, since import time is a promise. Other rooms import only the modules that ``DOOR`` names.
"""

from __future__ import annotations

DOOR = ["bind", "kinds", "selection", "state", "steps", "trace"]
