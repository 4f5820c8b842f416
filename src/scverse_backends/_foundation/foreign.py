"""Exceptions of foreign code: said in a line, kept without their frames."""

from __future__ import annotations

from scverse_backends._foundation.labels import plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final

_MESSAGE_SHOWN = 240


def describe_error(error: BaseException) -> str:
    """Return an exception as ``Type: message``, in a line; even ``__str__`` of a foreign exception may raise.

    Binary packages explain themselves at length when they do not fit; the exception itself is chained, and says it all.
    """
    try:
        message = plain(str(error))
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001 - foreign __str__.
        message = "(its message cannot be shown)"
    whole = message.strip()
    message = whole.partition("\n")[0].rstrip()[:_MESSAGE_SHOWN]
    if message != whole:
        message += " …"
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def formatted(error: BaseException) -> str:
    """Return the traceback of an exception as text."""
    import traceback  # only a failure pays for this import.

    try:
        return "".join(traceback.format_exception(error))
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001 - foreign exceptions may misbehave even here.
        return describe_error(error)


_CAUSE: Final[Callable[[BaseException], BaseException | None]] = BaseException.__dict__["__cause__"].__get__
_CONTEXT: Final[Callable[[BaseException], BaseException | None]] = BaseException.__dict__["__context__"].__get__
_EXCEPTIONS: Final[Callable[[Any], tuple[BaseException, ...]]] = BaseExceptionGroup.__dict__["exceptions"].__get__


def without_frames(error: BaseException) -> None:
    """Cut the tracebacks of an exception and of those behind it, since each keeps its frames' locals alive."""
    seen: list[BaseException] = []
    pending: list[BaseException | None] = [error]
    while pending:
        current = pending.pop()
        if current is None or any(current is one for one in seen):
            continue
        seen.append(current)
        BaseException.with_traceback(current, None)
        # Read past whatever the foreign class puts in their place.
        pending += (_CAUSE(current), _CONTEXT(current))
        if issubclass(type(current), BaseExceptionGroup):
            pending += _EXCEPTIONS(current)
