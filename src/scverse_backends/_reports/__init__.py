"""What a person can ask for: tables of backends, what would run and why, whether a backend keeps the contract.

``report`` makes tables and explanations, ``contract`` and ``side_by_side`` find what is wrong with a backend,
``discover`` loads everything and says what a host's developers should hear about.

Rule: nothing here runs a function of a backend.

A door: it imports nothing, since import time is a promise. Other rooms import only the modules that it names.
"""

from __future__ import annotations

__all__ = ["contract", "discover", "problem", "report"]
