"""The dispatchers that are alive, so that their settings can be restored by reference in another process."""

from __future__ import annotations

import os
import sys
from _weakref import ref  # The built-in that `weakref` has it from, and which costs a millisecond less to import.

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

Key = tuple[str, str, str, int]
"""The module that created a dispatcher, its group, its host, and which one of these it was."""

_LIVE: dict[Key, ref[Any]] = {}
_COUNTS: dict[tuple[str, str, str], int] = {}


def enlist(dispatcher: Any, module: str, group: str, host: str) -> Key:
    """Keep sight of a dispatcher for as long as it lives, and return what it can be found by."""
    number = _COUNTS.get((module, group, host), 0)
    _COUNTS[module, group, host] = number + 1
    key = (module, group, host, number)
    _LIVE[key] = ref(dispatcher, lambda _dead: _LIVE.pop(key, None))
    return key


def live_dispatchers() -> Iterator[tuple[Key, Any]]:
    """Yield the dispatchers that are alive, in the order of their creation, each with its key."""
    for key, reference in list(_LIVE.items()):
        dispatcher = reference()
        if dispatcher is not None:
            yield key, dispatcher


def _after_fork() -> None:
    """Open the locks that threads of the parent held at the fork: in the child, those threads do not exist."""
    for _, dispatcher in live_dispatchers():
        dispatcher._after_fork()  # noqa: SLF001 - between the parts of this package.


if hasattr(os, "register_at_fork"):  # pragma: no branch - where processes cannot be forked, no lock needs it.
    os.register_at_fork(after_in_child=_after_fork)


def restore(key: Key, part: str | None = None) -> Any:
    """Return the dispatcher that a key stands for, or a part of it, importing the module that creates it.

    Raises
    ------
    BackendError
        If that module creates no such dispatcher in this process.
    """
    module, group, host, number = key
    # A spawned process knows the script it was started from under another name.
    for name in (module, "__mp_main__") if module == "__main__" else (module,):
        if name not in sys.modules and name != "__mp_main__":
            __import__(name)
        reference = _LIVE.get((name, group, host, number))
        dispatcher = reference() if reference is not None else None
        if dispatcher is not None:
            return dispatcher if part is None else getattr(dispatcher, part)
    from scverse_backends.exceptions import BackendError  # Nobody waits for it until something is wrong.

    raise BackendError(
        f"The dispatcher of {host!r} cannot be restored here: importing {module!r} creates none for group {group!r}. "
        f"Create it at the level of an importable module.",
        host=host,
    )
