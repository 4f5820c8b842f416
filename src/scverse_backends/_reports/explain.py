"""Which implementation would run, and why: the decision of a call as a value that a person reads."""

from __future__ import annotations

from itertools import pairwise

from scverse_backends._calls.implementations import scoped_options_of
from scverse_backends._foundation.foreign import in_a_line
from scverse_backends._foundation.labels import CPU, listing, problem
from scverse_backends._foundation.record import Record
from scverse_backends._foundation.table import Row, Table, width
from scverse_backends.exceptions import BackendError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, ClassVar

    from scverse_backends._calls.decide import Decider
    from scverse_backends._calls.decision import Candidate
    from scverse_backends._calls.dispatched import Dispatched
    from scverse_backends._selection.state import Choice, State

_MAY_DECLINE = "runs unless it declines the arguments"


class Explanation(Record):
    """Which implementation would run, and why.

    Attributes
    ----------
    function
        Name of the host function.
    requested
        Canonical name of the selection, or a tuple of names where an order is selected.
    source
        Which rule chose it: ``"argument"``, ``"scope"``, ``"process"``, ``"environment"`` or ``"default"``.
    executes
        The backend that would run, ``"cpu"`` for the host's implementation; ``None`` where the call would raise.
        What may decline the arguments of a call counts as running: the steps say what would come next.
    reason
        Why, in one sentence.
    steps
        What each name of the selection comes to, in order: pairs of a name and a sentence. Empty where the selection
        itself is wrong.
    note
        What else a user should know, for instance that the environment variable was set too late.
    """

    # Annotated, so that checkers need not guess it from the fields.
    __match_args__: ClassVar[tuple[str, ...]] = (
        "function",
        "requested",
        "source",
        "executes",
        "reason",
        "steps",
        "note",
    )
    __slots__ = __match_args__
    function: str
    requested: str | tuple[str, ...]
    source: str
    executes: str | None
    reason: str
    steps: tuple[tuple[str, str], ...]
    note: str | None

    def _title(self) -> str:
        names = (self.requested,) if isinstance(self.requested, str) else self.requested
        # What cannot be a name is quoted, since it may be empty.
        requested = ", ".join(repr(name) if problem(name) else name for name in names) or "nothing"
        ends = f"runs on {self.executes}" if self.executes is not None else "would raise"
        return f"{self.function}: {ends} (requested: {requested}, by {self.source})"

    def _is_plain(self) -> bool:
        """Whether the title says it all: the one name that was asked for runs."""
        return len(self.steps) == 1 and self.steps[0][1] in ("runs", "selected")

    def _table(self) -> Table:
        notes = [self.note] if self.note is not None else []
        if not self.steps:
            return Table(self._title(), (), (), notes=[self.reason, *notes])
        return Table(
            self._title(), ("backend", "what it comes to"), map(Row, self.steps), notes=notes, names=["backend"]
        )

    def __repr__(self) -> str:
        line = self._title() if self._is_plain() else f"{self._title()}. {self.reason}"
        if self.note is not None:
            return self._table().text()
        return line if len(line) <= width() and line.isprintable() else self._table().text()

    def _repr_html_(self) -> str:
        return self._table().html()


def explain(decider: Decider, record: Dispatched, backend: object) -> Explanation:
    """Say what a call would come to, without calling the backend."""
    selection = decider.selection
    name = record.name
    if record.own_backend is not None and record.own_backend.means_own(backend):
        backend = None  # The host's own parameter, by its old name.
    state = selection.variable.get()
    try:
        if backend is None:
            choice, source = selection.effective()
        else:
            choice, source = decider.resolver.choice(backend, used=False), "argument"
    except BackendError as error:
        requested = backend if backend is not None else selection.environment()
        names: Any = requested
        shown = tuple(map(str, names)) if isinstance(requested, (list, tuple)) else str(requested)
        return Explanation(name, shown, error.source or "argument", None, str(error), (), selection.too_late())
    found = list(_steps(decider, record, choice, source, state))
    # What runs first is what the call comes to, although it may decline the arguments.
    executes = next((runs or None for _, _, runs in found if runs is not None), None)
    steps = tuple((of, text) for of, text, _ in found)
    parts = [
        f"{'then ' if before.startswith(_MAY_DECLINE) else ''}{of}: {text}"
        for (_, before), (of, text) in pairwise([("", ""), *steps])
    ]
    return Explanation(name, choice.reading, source, executes, "; ".join(parts), steps, selection.too_late())


def _steps(
    decider: Decider, record: Dispatched, choice: Choice, source: str, state: State
) -> Iterator[tuple[str, str, str | None]]:
    """Follow a selection as a call would, up to what surely runs.

    Yields each name, what it comes to, and what runs then: nothing (``""``) where the call would raise, ``None`` where
    the next name decides.
    """
    left = list(choice.names)
    try:
        for candidate in decider.routing.candidates(record, choice, source, state, used=False):
            plan = candidate.plan
            scoped: dict[str, Any] = {} if plan is None else scoped_options_of(plan, state, decider.resolver)
            given = ", ".join(f"{name}={in_a_line(value)}" for name, value in scoped.items())
            added = f", with {given} of the scope" if given else ""
            router = None if plan is None else plan.router
            lacking: list[str] = [] if router is None else router.lacking(record.never_drop)
            missing: list[str] = [] if router is None else router.lacking(record.host_names().required)
            if missing:
                what = f"it lacks {listing(missing)}, which every call gives"
                if set(missing).isdisjoint(record.never_drop):
                    yield candidate.name, f"would raise: {what}", ""
                    yield from ((name, "not reached", None) for name in left[1:])
                    return
                yield candidate.name, f"declines: {what}", None
            elif candidate.runs_host or (plan is not None and plan.can_run is None and not lacking):
                yield candidate.name, f"{candidate.reason}{added}", candidate.name
                yield from ((name, "not needed", None) for name in left[1:])
                return
            elif plan is not None:
                may = f"{_MAY_DECLINE}, and it lacks {listing(lacking)}" if lacking else _MAY_DECLINE
                yield candidate.name, f"{may}{added}", candidate.name
            else:
                yield candidate.name, _why_not(candidate), None
            del left[0]
    except BackendError as error:
        yield left[0], f"would raise: {error}", ""
        yield from ((name, "not reached", None) for name in left[1:])
        return
    if decider.selection.fallback() == "raise":
        yield CPU, "does not run, since settings.fallback is 'raise'", ""
    else:
        yield CPU, "runs as fallback", CPU


def _why_not(candidate: Candidate) -> str:
    """Return why a backend is passed over, without its name, which stands beside it."""
    if candidate.problem is None:
        return candidate.reason
    return str(candidate.problem).partition("\n")[0].removeprefix(f"Backend {candidate.name!r} ")
