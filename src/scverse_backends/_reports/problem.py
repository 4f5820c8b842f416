"""One thing that a backend's author should know, and what to do about it."""

from __future__ import annotations

from scverse_backends._foundation.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import ClassVar, Literal

    Severity = Literal["error", "warning", "note"]


class Problem(Record):
    """One thing that a backend should know about itself.

    Attributes
    ----------
    function
        The host function concerned, or the name that the adapter exports; ``None`` for the adapter as a whole.
    parameter
        The parameter concerned, or ``None``.
    severity
        ``"error"`` for what makes calls fail, ``"warning"`` for what users will stumble over, ``"note"`` for what may
        well be meant so.
    message
        What is the case.
    advice
        What to do about it.
    """

    # Annotated, so that checkers need not guess it from the fields.
    __match_args__: ClassVar[tuple[str, ...]] = ("function", "parameter", "severity", "message", "advice")
    __slots__ = __match_args__
    function: str | None
    parameter: str | None
    severity: Severity
    message: str
    advice: str

    @property
    def subject(self) -> str:
        """Return what the problem is about as ``function(parameter)``."""
        if self.function is None:
            return "adapter"
        return self.function if self.parameter is None else f"{self.function}({self.parameter})"

    def __str__(self) -> str:
        return f"{self.severity}: {self.subject}: {self.message} {self.advice}"
