"""What a call comes to, as a value: what runs, with which arguments, in which state, and why."""

from __future__ import annotations

from scverse_backends._foundation.foreign import note
from scverse_backends._foundation.labels import CPU
from scverse_backends._selection.steps import Steps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextvars import ContextVar
    from typing import Any

    from scverse_backends._calls.dispatched import Dispatched
    from scverse_backends._selection.state import State
    from scverse_backends._signatures.plan import Plan
    from scverse_backends.exceptions import BackendError

    Ended = Callable[[BaseException | None, Any], None]


class Candidate:
    """What one name of a selection comes to, for one function."""

    __slots__ = ("distribution", "name", "plan", "problem", "reason")

    def __init__(
        self,
        name: str,
        reason: str,
        *,
        plan: Plan | None = None,
        problem: BackendError | None = None,
        distribution: str | None = None,
    ) -> None:
        self.name = name
        self.distribution = distribution
        self.reason = reason
        self.plan = plan
        self.problem = problem
        """Why an entry of an order was passed over."""

    @property
    def runs_host(self) -> bool:
        """Whether this name stands for the host implementation."""
        return self.name == CPU


class Decision:
    """What runs a call, and how."""

    __slots__ = (
        "_ended",
        "args",
        "implementation",
        "inner",
        "kwargs",
        "note",
        "options",
        "outer",
        "plan",
        "reason",
        "record",
        "running",
        "variable",
    )

    variable: ContextVar[State]
    """What holds the state. Known once the call enters it, as the next two."""
    outer: State
    """The state that the call is made in."""
    inner: State
    """The state that it runs in."""

    failed = False
    """There is something to run. An :class:`Attempt` to decide that failed is true here, and has the error to raise."""

    def __init__(
        self,
        record: Dispatched,
        implementation: Callable[..., Any],
        args: Any,
        kwargs: dict[str, Any],
        reason: str,
        *,
        plan: Plan | None = None,
        options: Mapping[str, Any] | None = None,
        note: str | None = None,
        running: tuple[tuple[str, str], ...],
    ) -> None:
        self.record = record
        self.implementation = implementation
        self.args = args
        self.kwargs = kwargs
        self.reason = reason
        self.plan = plan
        """The plan of the backend's implementation, ``None`` for the host's."""
        self.options = options
        """Options that a scope gave, ``None`` where no scope gives any that the implementation takes."""
        self.note = note
        """What is added to an exception of the host where it runs in place of a backend."""
        self.running = running
        """What counts as running inside, each as backend and function: what runs, or what the host runs in place of.

        A host function may call itself for parts of its data. These stay on the host: a backend that declined the whole
        call was never asked about a part.
        """
        self._ended: tuple[Ended, ...] = ()

    @property
    def executes(self) -> str:
        """Name of the backend that runs the call, ``"cpu"`` for the host."""
        return CPU if self.plan is None else str(self.plan.backend.name)

    def tell(self, ended: Ended) -> None:
        """Have somebody told how the call ended: with which exception, and with which result."""
        self._ended += (ended,)

    def returned(self, result: Any) -> Any:
        """Return what the caller gets: the result, or what runs a body that runs step by step."""
        drive = self.record.drive
        if drive is None:
            self.over(None, result)
            return result
        steps = Steps(self.variable, self.inner, self.over)
        function = self.record.function
        return drive(result, steps, self.record.name, getattr(function, "__qualname__", self.record.name))

    def over(self, error: BaseException | None, result: Any = None) -> None:
        """Tell how the call ended, and say in an exception of the host's what it ran in place of."""
        for ended in self._ended:
            ended(error, result)
        if error is not None and self.note is not None:
            note(error, self.note)
