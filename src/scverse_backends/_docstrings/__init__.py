"""Docstrings: text in, text out.

``read`` finds sections and entries, ``splice`` adds entries. Both are pure functions of text.

Rule: a docstring is spliced and never rendered again, so every byte of the author's text stays.

A door: it imports nothing, since import time is a promise. Other rooms import only the modules that ``DOOR`` names.
"""

from __future__ import annotations

DOOR = ["read", "splice"]
