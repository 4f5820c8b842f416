"""The command line: which backends there are, whether one keeps its contract, what would run, and a new backend.

``main`` parses what was typed, finds the host and prints; ``commands`` has one function for each command; ``output`` is
how an answer looks on a terminal and to a program.

Exit codes are for CI: 0 if all is well, 1 if problems were found, 2 if the command itself was wrong.
"""

from __future__ import annotations
