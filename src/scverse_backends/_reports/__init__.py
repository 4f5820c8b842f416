"""What a person can ask for: tables of backends, what would run and why, whether a backend keeps the contract.

``report`` makes the table of backends, ``explain`` says what would run and why, ``trace`` shows what ran. ``contract``
and ``side_by_side`` find what is wrong with a backend, ``discover`` loads everything and says what a host's developers
should hear about.

Rule: nothing here runs a function of a backend.

A door: it imports nothing, since import time is a promise. Other rooms import only the modules that ``DOOR`` names.
"""

from __future__ import annotations

DOOR = ["contract", "discover", "explain", "problem", "report", "trace"]
