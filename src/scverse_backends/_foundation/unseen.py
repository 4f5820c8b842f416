"""Frames that warnings and tracebacks pass over.

Between a user's call and the function that runs it stands one frame of ours. A function that warns with
``stacklevel=2`` means the line of its caller, and not ours. CPython skips some frames when it counts ``stacklevel``,
and when it looks at ``skip_file_prefixes``: those of code whose file name contains both ``importlib`` and
``_bootstrap``. So the code of our wrappers bears such a name. It names no file, so a plain traceback shows one line for
it, without source.
"""

from __future__ import annotations

from types import CodeType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

FILE = "<scverse_backends dispatch, skipped by warnings like importlib._bootstrap>"


def renamed(code: CodeType) -> CodeType:
    """Return code, and that of the functions defined in it, under the file name that is passed over."""
    inside = tuple(renamed(each) if isinstance(each, CodeType) else each for each in code.co_consts)
    return code.replace(co_filename=FILE, co_consts=inside)


def unseen[F: Callable[..., Any]](function: F) -> F:
    """Decorate a function of ours whose frame, or that of a function it makes, calls foreign code."""
    changed: Any = function
    changed.__code__ = renamed(changed.__code__)
    return function
