"""Go through two values side by side, part by part. What to do with each kind of value, the rules say."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, final

from scverse_backends._inside.words import DEEPEST, computed, is_lazy
from scverse_backends.testing._findings import Findings
from scverse_backends.testing._kinds import described, error_text, key_text, kind_of, shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from scverse_backends.testing._arrays import Measure

    Rule = Callable[["Walk", str, Any, Any], None]

_NO_NEED_TO_REMEMBER: Final = frozenset({"scalar", "text", "object"})


@final
class Walk:
    """One comparison.

    Parameters
    ----------
    rules
        For each kind of value, what compares two of them.
    rtol, atol
        The tolerances for numbers.
    known
        What lazy values come to, by their identity, so that none is computed twice. Filled with what is computed here.
    """

    def __init__(
        self, rules: Mapping[str, Rule], rtol: float, atol: float, known: dict[int, tuple[object, object]]
    ) -> None:
        self.rtol = rtol
        self.atol = atol
        self.findings = Findings()
        self.rules = rules
        self._known = known
        self._depth = 0
        self._hidden = 0
        # Pairs already met, kept alive so that no identity is used twice: cycles end, shared parts are walked once.
        # What was met in private attributes only is walked again where everybody can see it.
        self._met: tuple[dict[tuple[int, int], Any], dict[tuple[int, int], Any]] = ({}, {})

    def pair(self, path: str, expected: Any, actual: Any) -> None:
        """Compare two values of any kind."""
        if type(expected) is str and type(actual) is str and expected == actual:
            return  # The bulk of object columns; everything below costs more.
        self._depth += 1
        self._guarded(path, self._pair, expected, actual)
        self._depth -= 1

    def part(self, path: str, read: Callable[[Any], Any], expected: Any, actual: Any) -> None:
        """Compare a part of two values. Where it cannot be read, only this part is not compared."""
        self._guarded(path, partial(self._read_pair, read), expected, actual)

    def _read_pair(self, read: Callable[[Any], Any], path: str, expected: Any, actual: Any) -> None:
        self.pair(path, read(expected), read(actual))

    def hidden(self, path: str, read: Callable[[Any], Any], expected: Any, actual: Any) -> None:
        """Compare a private part: it may be a cache, so that a difference there leaves the answer open."""
        self._hidden += 1
        self.part(path, read, expected, actual)
        self._hidden -= 1

    def apart(self, path: str, rule: Rule, expected: Any, actual: Any) -> None:
        """Follow a rule for a part, so that a failure there leaves the other parts alone."""
        self._guarded(path, partial(rule, self), expected, actual)

    def _guarded(self, path: str, action: Callable[[str, Any, Any], None], expected: Any, actual: Any) -> None:
        depth, hidden = self._depth, self._hidden
        try:
            action(path, expected, actual)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - foreign objects may raise anything, a Rust panic included.
            self._depth, self._hidden = depth, hidden
            self.skip(path, error_text(error))

    def _pair(self, path: str, expected: Any, actual: Any) -> None:
        if self._depth > DEEPEST:
            self.skip(path, "nested too deeply")
            return
        expected, actual = self._ready(expected), self._ready(actual)
        kinds = (kind_of(expected), kind_of(actual))
        kind = kinds[0]
        if set(kinds) == {"scalar", "array"}:
            kind = "array"
        elif set(kinds) == {"record", "object"}:
            self.skip(path, described(expected, kind))
            return
        elif kinds[0] != kinds[1]:
            self.differ(path, f"{described(expected, kinds[0])} against {described(actual, kinds[1])}")
            return
        if kind not in _NO_NEED_TO_REMEMBER:
            key = (id(expected), id(actual))
            if key in self._met[0] or (self._hidden and key in self._met[1]):
                return
            self._met[bool(self._hidden)][key] = (expected, actual)
        self.rules[kind](self, path, expected, actual)

    def _ready(self, value: Any) -> Any:
        if not is_lazy(value):
            return value
        if id(value) not in self._known:
            self._known[id(value)] = (value, computed(value))
        return self._known[id(value)][1]

    # What is found.

    def differ(self, path: str, note: str) -> None:
        """Note a difference that no number measures."""
        if self._hidden:
            self.skip(path, f"a private attribute ({note})")
        else:
            self.findings.differ(path, note)

    def skip(self, path: str, reason: str) -> None:
        """Note that something could not be compared."""
        self.findings.skip(path, reason)

    def measured(self, found: Measure, path: str, note: str) -> None:
        """Note how far numbers are apart, and what to say if that is too far."""
        if not self._hidden:
            self.findings.measured(found, path, note)
        elif found.outside:
            self.differ(path, note)

    def keys(self, path: str, expected: Iterable[Any], actual: Iterable[Any], noun: str) -> None:
        """Compare two sets of keys, which are compared exactly."""
        ours, theirs = dict.fromkeys(expected), dict.fromkeys(actual)
        for word, keys in (
            ("missing", [key for key in ours if key not in theirs]),
            ("unexpected", [key for key in theirs if key not in ours]),
        ):
            if keys:
                more = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
                self.differ(path, f"{word} {noun} {key_text(keys[0])}{more}")


def against(expected: Any, actual: Any) -> str:
    """Say that two values are not the same."""
    return f"{shortened(expected)} against {shortened(actual)}"
