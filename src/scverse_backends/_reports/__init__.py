"""What a person can ask for: tables of backends, what would run and why, whether a backend keeps the contract.

``report`` makes the table of backends, ``explain`` says what would run and why, ``trace`` shows what ran. ``offered``
says what backends add to each function. ``contract`` finds what is wrong with an adapter as a whole, ``function`` what
is wrong with one of its functions, ``side_by_side`` what is wrong with the parameters of that function. ``discover``
loads everything and says what a host's developers should hear about.

Rule: nothing here runs a function of a backend.

A door: it imports nothing, since import time is a promise. Other rooms import only the modules that ``DOOR`` names.
"""

from __future__ import annotations

DOOR = ["contract", "discover", "explain", "function", "offered", "problem", "report", "trace"]
