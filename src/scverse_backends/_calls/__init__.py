"""From a call to the function that runs it: decorate, decide, run.

``functions`` and ``classes`` decorate, ``dispatch`` decides who runs a call (``routing`` goes through the names of a
selection, ``implementations`` asks a backend for its function), ``merge`` shows the options of the backends in the
host's functions.

Rule: decide, then call. The machinery returns what to run; the decorated function runs it.

A door: it imports nothing, since import time is a promise. Other rooms import only the modules that it names.
"""

from __future__ import annotations

__all__ = ["classes", "dispatch", "dispatched", "functions", "implementations", "merge", "records"]
