"""A backend package that is complete but for the work: written from a live host, for somebody to fill in.

``names`` decides what everything is called, ``stubs`` writes the source of one function for each of the host,
``annotations`` finds out where the names in its annotations come from, ``package`` puts the files together and writes
them. The other files are templates.
"""

from __future__ import annotations
