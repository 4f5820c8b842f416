"""The dispatchers that are alive, so that their settings can be restored by reference in another process."""

from __future__ import annotations

import os
import sys
from _weakref import ref  # `weakref` takes it from there, and costs a millisecond more to import.
from itertools import count

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

Key = tuple[str, str, str, int, int]
"""What a dispatcher is found by: the module that created it, its group, its host, how many of these that module had
created before, and its number in this process."""

_LIVE: dict[int, tuple[Key, ref[Any]]] = {}
_NUMBERS = count()
_RUNS: dict[tuple[str, str, str], tuple[object, int]] = {}
"""The latest run of each module, and how many dispatchers of that group and host it has created."""


def enlist(dispatcher: Any, module: str, group: str, host: str, run: object = None) -> Key:
    """Keep sight of a dispatcher for as long as it lives, and return what it can be found by.

    `run` is the module's ``__spec__``, which ``importlib.reload`` makes anew. Another process runs the module once, so
    what a reload creates gets the positions of the first run.
    """
    known_run, created = _RUNS.get((module, group, host), (run, 0))
    position = created if known_run is run else 0
    _RUNS[module, group, host] = (run, position + 1)
    number = next(_NUMBERS)
    key = (module, group, host, position, number)
    _LIVE[number] = (key, ref(dispatcher, lambda _dead: _LIVE.pop(number, None)))
    return key


def live_dispatchers() -> Iterator[tuple[Key, Any]]:
    """Yield the dispatchers that are alive, in the order of their creation, each with its key."""
    for key, reference in list(_LIVE.values()):
        dispatcher = reference()
        if dispatcher is not None:
            yield key, dispatcher


def _after_fork() -> None:
    """Open the locks that threads of the parent held at the fork, since the child does not have these threads."""
    for _, dispatcher in live_dispatchers():
        dispatcher._after_fork()  # noqa: SLF001 - between the parts of this package.


if hasattr(os, "register_at_fork"):  # pragma: no branch - where processes cannot be forked, no lock needs it.
    os.register_at_fork(after_in_child=_after_fork)


def restore(key: Key, part: str | None = None) -> Any:
    """Return the dispatcher that a key stands for, or a part of it, importing the module that creates it."""
    module, group, host, position, number = key
    # A spawned process knows the script it was started from under another name.
    names = (module, "__mp_main__") if module == "__main__" else (module,)
    if module not in sys.modules:
        __import__(module)
    alike = [(one, dispatcher) for one, dispatcher in live_dispatchers() if one[0] in names and one[1:3] == key[1:3]]
    found = {one[4]: dispatcher for one, dispatcher in alike if one[3] == position}
    if found:
        # The same one if it lives here, else the latest, since one that a reload replaced may live on.
        dispatcher = found.get(number, found[max(found)])
        return dispatcher if part is None else getattr(dispatcher, part)
    from scverse_backends.exceptions import BackendError  # Nobody waits for it until something is wrong.

    how_many = "none" if not alike else f"only {len({one[3] for one, _ in alike})}"
    raise BackendError(
        f"The dispatcher of {host!r} cannot be restored in this process: importing {module!r} creates {how_many} for "
        f"group {group!r}. Create it at the level of an importable module.",
        host=host,
    )
