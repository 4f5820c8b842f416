"""Docstrings: text in, text out.

``read`` finds sections and entries, ``entry`` says what an entry looks like, ``splice`` adds entries, and ``remove``
takes them out again. All are pure functions of text.

Rule: a docstring is spliced and never rendered again, so every byte of the author's text stays.

A door: it imports nothing, since import time is a promise. Other rooms import only the modules that ``DOOR`` names.
"""

from __future__ import annotations

DOOR = ["read", "remove", "splice"]
