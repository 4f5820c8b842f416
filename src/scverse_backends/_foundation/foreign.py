"""Foreign code: asked without letting it break anything, and its exceptions said in a line and kept without frames."""

from __future__ import annotations

from contextlib import suppress
from os.path import dirname, sep

from scverse_backends._foundation.labels import plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any, Final

# With the separator, since the name of a sibling package may begin the same.
LIBRARY = dirname(dirname(__file__)) + sep  # noqa: PTH120 - pathlib costs milliseconds to import.

_MESSAGE_SHOWN = 240
_VALUE_SHOWN = 60


def safely(read: Callable[[], Any], otherwise: Any = None) -> Any:
    """Return what foreign code gives, or something else where it raises anything but ``KeyboardInterrupt``."""
    try:
        return read()
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001 - SystemExit and the like must not end the user's session.
        return otherwise


def class_of(value: object) -> type[Any]:
    """Return the class of a foreign value: its ``__class__`` may say anything."""
    return type(value)


def describe_error(error: BaseException) -> str:
    """Return an exception as ``Type: message``, in one line.

    Binary packages that do not fit explain themselves at length. The exception is chained, so nothing of that is lost.
    """
    told: str = safely(lambda: plain(str(error)), "(its message cannot be shown)")
    whole = told.strip()
    message = whole.partition("\n")[0].rstrip()[:_MESSAGE_SHOWN]
    if message != whole:
        message += " …"
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def in_a_line(value: object) -> str:
    """Return the `repr` of a foreign value, in one line that is not too long."""
    text: str = safely(lambda: " ".join(repr(value).split()), f"<{type(value).__name__}>")
    return text if len(text) <= _VALUE_SHOWN else text[: _VALUE_SHOWN - 1] + "…"


def formatted(error: BaseException) -> str:
    """Return the traceback of an exception as text."""
    import traceback  # only a failure pays for this import.

    text: str | None = safely(lambda: "".join(traceback.format_exception(error)))
    return describe_error(error) if text is None else text


_TRACEBACK: Final[Callable[[BaseException], TracebackType | None]] = BaseException.__dict__["__traceback__"].__get__
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


class CallError(TypeError):
    """A wrong call. The caller gets a plain ``TypeError`` with the same text."""


class ChoiceError(ValueError):
    """A wrong value. The caller gets a plain ``ValueError`` with the same text."""


class Attempt:
    """What a function of ours came to: a value, or an error of ours for the caller to raise in its own frame."""

    __slots__ = ("_error", "value")

    def __init__(self, function: Callable[..., Any], *args: Any) -> None:
        self.value: Any = None
        self._error: BaseException | None = None
        try:
            self.value = function(*args)
        except _errors_of_ours() as error:
            self._error = without_our_frames(error)
        except CallError as error:
            self._error = _plain(error, TypeError)
        except ChoiceError as error:
            self._error = _plain(error, ValueError)

    @property
    def failed(self) -> bool:
        """Whether there is an error to raise."""
        return self._error is not None

    def peek(self) -> BaseException:
        """Look at the error without taking it."""
        assert self._error is not None
        return self._error

    def error(self) -> BaseException:
        """Hand the error out, once: if it stayed here, it would keep alive the frame that raises it."""
        error = self.peek()
        self._error = None
        return error


def _plain(error: Exception, kind: type[Exception]) -> Exception:
    plain = kind(str(error))
    for text in getattr(error, "__notes__", ()):
        plain.add_note(text)
    return plain


def _errors_of_ours() -> tuple[type[Exception], ...]:
    """Return what an attempt may end in: errors, and warnings where the user's filters make errors of them."""
    from scverse_backends.exceptions import BackendError  # Nobody waits for it until something is wrong.

    return BackendError, Warning


def without_our_frames[E: BaseException](error: E) -> E:
    """Return an error of ours without the frames that found it; those of a backend stay in its cause."""
    cause = error.__cause__
    error.__traceback__ = None
    # The context is what we tried on the way, and does not help the user.
    error.__context__ = None
    if cause is not None:
        BaseException.with_traceback(cause, _beyond_ours(_TRACEBACK(cause)))
        error.__cause__ = cause
    return error


def _beyond_ours(traceback: TracebackType | None) -> TracebackType | None:
    """Return the part of a traceback that begins with the first frame that is not ours."""
    while traceback is not None and traceback.tb_frame.f_code.co_filename.startswith(LIBRARY):
        traceback = traceback.tb_next
    return traceback


def note(error: BaseException, text: str) -> None:
    """Add a sentence to an exception, once. A foreign exception may refuse even that."""
    with suppress(Exception):
        if text not in getattr(error, "__notes__", ()):
            error.add_note(text)
