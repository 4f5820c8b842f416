"""What a comparison has found so far, and what is said of it in the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from scverse_backends.testing._arrays import largest

if TYPE_CHECKING:
    from scverse_backends.testing._arrays import Measure

# How far a finding outranks another one as the place to show: what cannot be measured comes before any number.
_WITHIN, _OUTSIDE, _STRUCTURE = range(3)


@final
class Difference:
    """Whether and where two values differ.

    Attributes
    ----------
    agrees
        ``None``: something could not be compared, and nothing that could be compared differs.
    max_abs, max_rel
        The largest absolute difference of numbers, and the largest one relative to the expected value: infinite where
        that is zero and the other outside the tolerance, NaN where one of two numbers is NaN. ``None`` where numbers do
        not tell: none were compared, something was not compared, or what differs is no number.
    where
        The path to the worst difference, empty for the value itself. ``None`` where nothing differs.
    note
        What differs there, or what was not compared and why.
    """

    __slots__ = ("agrees", "max_abs", "max_rel", "note", "where")

    def __init__(
        self, *, agrees: bool | None, max_abs: float | None, max_rel: float | None, where: str | None, note: str | None
    ) -> None:
        self.agrees = agrees
        self.max_abs = max_abs
        self.max_rel = max_rel
        self.where = where
        self.note = note

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={getattr(self, name)!r}" for name in sorted(self.__slots__))
        return f"Difference({values})"


@final
class Findings:
    """The worst difference so far, the largest numbers, and what was not compared."""

    def __init__(self) -> None:
        self._differing_numbers = False
        self._max_abs: float | None = None
        self._max_rel: float | None = None
        self._worst: tuple[int, float, str | None, str | None] = (_WITHIN, 0.0, None, None)
        self._skipped: list[tuple[str, str]] = []

    def differ(self, path: str, note: str) -> None:
        """Note a difference that no number measures."""
        self._rank(_STRUCTURE, 1.0, path, note)

    def skip(self, path: str, reason: str) -> None:
        """Note that something could not be compared."""
        self._skipped.append((path, reason))

    def measured(self, found: Measure, path: str, note: str) -> None:
        """Note how far numbers are apart, and what to say if that is too far."""
        self._max_abs = largest(self._max_abs, found.max_abs)
        self._max_rel = largest(self._max_rel, found.max_rel)
        if found.outside:
            self._differing_numbers = True
            self._rank(_OUTSIDE, found.score, path, note)
        else:
            self._rank(_WITHIN, found.score, path, None)

    def _rank(self, rank: int, score: float, path: str, note: str | None) -> None:
        if (rank, score) > self._worst[:2]:
            self._worst = (rank, score, path, note)

    def outcome(self) -> Difference:
        """Return what is to be said of it all."""
        rank, _, where, note = self._worst
        agrees: bool | None = rank == _WITHIN
        if self._skipped:
            path, reason = self._skipped[0]
            missing = f"not compared: {reason}"
            if len(self._skipped) > 1:
                missing += f" (and {len(self._skipped) - 1} more)"
            if agrees:
                agrees, where, note = None, path, missing
            else:
                note = f"{note}; {path or 'the value'} {missing}"
        # Beside what is not compared or differs otherwise, numbers that agree would look like an answer.
        tells = agrees or self._differing_numbers
        max_abs, max_rel = (self._max_abs, self._max_rel) if tells else (None, None)
        return Difference(agrees=agrees, max_abs=max_abs, max_rel=max_rel, where=where, note=note)
