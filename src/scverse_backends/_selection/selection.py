"""What is selected here and now, and which rule chose it.

The process-wide part stands in plain attributes, so that a call reads it without a lock; the part that belongs to a
context (scopes, running calls) stands in one context variable. Given a resolver, this module knows no registry.
"""

from __future__ import annotations

import os
import sys
from _thread import RLock, get_ident
from contextvars import ContextVar

from scverse_backends._foundation.labels import CPU
from scverse_backends._selection.state import CPU_CHOICE, Choice, Opening, Scope, State
from scverse_backends.exceptions import BackendError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType
    from typing import Any

POLICIES = ("explicit", "silent", "warn", "raise")
"""What may happen when the host runs in place of the backend that was asked for."""

_PINNED = object()
"""Owner of the scopes that stand for calls which were running with ``backend="cpu"`` when the process woke up."""


def environment_variable(host_name: str) -> str:
    """Return the name of the variable that selects a backend of this host.

    Examples
    --------
    >>> environment_variable("my-host")
    'MY_HOST_BACKEND'
    """
    letters = (character if character.isascii() and character.isalnum() else "_" for character in host_name)
    return "".join(letters).upper() + "_BACKEND"


class Selection:
    """The selection of one dispatcher.

    ``idle`` is true while nothing was ever selected or traced in this process, the environment included: then a call
    needs to look no further. ``asleep`` is true until something is, whether or not anybody looked at the environment:
    then ``backend="cpu"`` needs no scope. Neither becomes true again, since counting open scopes would lose updates
    on free-threaded builds.
    """

    __slots__ = (
        "_environment",
        "_lock",
        "_policy",
        "_process",
        "_woken",
        "asleep",
        "base",
        "call_codes",
        "changes",
        "current",
        "idle",
        "known",
        "reference",
        "resolve",
        "source",
        "stragglers",
        "variable",
        "variable_name",
    )

    def __init__(self, host_name: str, resolve: Callable[..., Choice], known: dict[object, Choice]) -> None:
        self.base: State = State()
        """What is in force outside every scope; its ``choice`` is the process-wide one, ``None`` where a call has to
        take the long way to find it. The only state that is ever changed in place."""
        self.variable: ContextVar[State] = ContextVar(f"{host_name} backend", default=self.base)
        self.current: Callable[[], State] = self.variable.get
        """Returns what is in force in this context; bound once, since every call asks."""
        self.idle: bool = False
        self.asleep: bool = True
        self.source: str = "default"
        self.variable_name: str = environment_variable(host_name)
        self.call_codes: frozenset[CodeType] = frozenset()
        self.resolve: Callable[..., Choice] = resolve
        """Turns what a user wrote into a choice."""
        self.changes: object = object()
        """Another object after each change of a context's scopes, so that a call can tell whether its body made any.
        No counter, which would lose updates on free-threaded builds."""
        self.reference: tuple[Any, ...] = ()
        """What the selection is restored by in another process, set by the dispatcher."""
        self._environment: str | None = None
        self._woken = False
        self._process: Choice | None = None
        self._policy: str | None = None
        self.stragglers: frozenset[int] = frozenset()
        """Threads in which calls with ``backend="cpu"`` are running since before the process woke up."""
        self.known: dict[object, Choice] = known
        """What each ``backend=`` that was seen before stands for; kept by the resolver."""
        # Reentrant, since a finalizer that selects something may run anywhere.
        self._lock = RLock()

    def after_fork(self) -> None:
        """Forget, in a forked child, the threads of the parent, and the lock that one of them may have held."""
        self._lock = RLock()
        self.stragglers &= {get_ident()}
        self._publish()

    # -- reading -----------------------------------------------------------------------------------------------------

    def state(self) -> State:
        """Return what is in force in this context."""
        if self.stragglers:
            self._pin_running_calls()
        return self.variable.get()

    def effective(self) -> tuple[Choice, str]:
        """Return the selection in force and which rule chose it.

        Raises
        ------
        BackendError
            If the environment variable names a backend that cannot be used.
        """
        state = self.state()
        if state is not self.base and state.choice is not None:
            return state.choice, "scope"
        if self.asleep and self._process is None and self.environment() is not None:
            # The environment selects something, and calls that must not see it may be running.
            self.wake()
            return self.effective()
        return self.process_choice(), self.source

    def process_choice(self) -> Choice:
        """Return the selection outside every scope."""
        return self._process or self._settle_environment()

    def fallback(self) -> Any:
        """Return the fallback policy in force."""
        return self.state().fallback or self._policy or POLICIES[0]

    def environment(self) -> str | None:
        """Return what the environment variable held on first need, ``None`` where it was unset or blank."""
        if self._environment is None:
            self._environment = os.environ.get(self.variable_name, "").strip()
        return self._environment or None

    def _settle_environment(self) -> Choice:
        text = self.environment()
        if text is None:
            choice, source = CPU_CHOICE, "default"
        else:
            names: object = [name.strip() for name in text.split(",") if name.strip()] if "," in text else text
            try:
                choice, source = self.resolve(names, "environment"), "environment"
            except BackendError as error:
                message = f"The environment variable {self.variable_name} selects {text!r}. {error}"
                raise error.rewritten(message, source="environment") from error.__cause__
        with self._lock:
            if self._process is None:
                self._process, self.source = choice, source
            # Only where nobody woke the process in the meantime may calls stop looking.
            if choice is CPU_CHOICE and source == "default" and not self._woken:
                self.idle = True
            self._publish()
            return self._process

    def _publish(self) -> None:
        """Show calls the process-wide choice; while there are stragglers, every call has to take the long way."""
        self.base.choice = self.base.short = None if self.stragglers else self._process

    # -- changing ----------------------------------------------------------------------------------------------------

    def assign(self, choice: Choice) -> None:
        """Select inside the innermost open scope, or for the process where none is open."""
        self.wake()
        state = self.state()
        if state.scopes:
            self._replace(state.reassigned(choice=choice))
        else:
            with self._lock:
                self._process, self.source = choice, "process"
                self._publish()

    def unassign(self) -> None:
        """Undo the process-wide selection."""
        with self._lock:
            if self.source == "process":
                self._process, self.source = None, "default"
                self._publish()

    def assign_fallback(self, policy: str) -> None:
        """Set the fallback policy of the innermost open scope, or of the process where none is open."""
        self.wake()
        state = self.state()
        if state.scopes:
            self._replace(state.reassigned(fallback=policy))
        else:
            self._policy = policy

    def unassign_fallback(self) -> None:
        """Undo the process-wide fallback policy."""
        self._policy = None

    def open(self, by: object, choice: Choice | None, fallback: str | None) -> None:
        """Open a scope in this context."""
        self.wake()
        opening = Opening(by)
        state = self.state().with_scope(Scope(opening, choice, fallback))
        self.changes = object()
        opening.take_place(self.variable, state)

    def close(self, by: object) -> None:
        """Close the innermost scope that somebody opened in this very context, if there is one."""
        state = self.variable.get()
        for scope in reversed(state.scopes):
            opening = scope.owner
            if isinstance(opening, Opening) and opening.by is by and opening.happened_here(self.variable):
                self._replace(state.without(opening))
                return

    def bound_state(
        self,
        owner: object,
        choice: Choice,
        fallback: str,
        running: tuple[tuple[str, str], ...],
        traces: tuple[Any, ...],
    ) -> State:
        """Return the state of a bound function: what was in force where it was bound, and who traces here."""
        here = self.state().traces
        still_open = [trace for trace in traces if trace.is_open]
        joined = (*still_open, *(trace for trace in here if not any(trace is one for one in still_open)))
        return State((Scope(owner, choice, fallback),), running, joined)

    def snapshot(self) -> Callable[[], None]:
        """Return a function that brings back what is selected now: for the process, and in this context."""
        process, source, policy = self._process, self.source, self._policy
        environment, idle = self._environment, self.idle
        token = self.variable.set(self.variable.get())

        def restore() -> None:
            with self._lock:
                self._process, self.source, self._policy = process, source, policy
                self._environment = environment
                self.idle = idle and not self._woken
                self._publish()
            self.changes = object()
            try:
                self.variable.reset(token)
            except ValueError:
                return  # A fixture may be left in another context than it was entered in.

        return restore

    def __reduce__(self) -> tuple[Any, ...]:
        return self.reference

    def swap_traces(self, traces: tuple[object, ...]) -> None:
        """Replace the open traces of this context."""
        self.wake()
        self._replace(self.state().traced_by(traces))

    def _replace(self, state: State) -> None:
        self.changes = object()
        blank = not (state.scopes or state.running or state.traces)
        # Prepared calls know the state that they begin in by identity, and most begin outside everything.
        self.variable.set(self.base if blank else state)

    # -- the end of idleness -----------------------------------------------------------------------------------------
    #
    # Before anything is selected, ``f(x, backend="cpu")`` opens no scope, which would double its cost. What it does
    # is marked by nothing but its frame: calls of that kind which are running when something is first selected are
    # found on the stacks. From then on, whoever asks in such a thread for the state gets it with the scopes that these
    # calls stand for, around all others, since none can have been opened before them.

    def wake(self) -> None:
        """Let every call look at the selection from now on."""
        if self._woken:
            return
        with self._lock:
            self.idle = self.asleep = False
            # In no variable, which would keep this very frame alive, and with it those of all callers.
            # The function is documented, its name notwithstanding.
            self.stragglers = frozenset(
                thread
                for thread, frame in sys._current_frames().items()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
                if self._cpu_calls(frame)
            )
            self._publish()
            # Last, so that nobody selects anything before the calls that must not see it are known.
            self._woken = True

    def _cpu_calls(self, frame: FrameType | None) -> int:
        """Count the calls on a stack that said ``backend="cpu"`` and opened no scope."""
        count = 0
        while frame is not None:
            if frame.f_code in self.call_codes:
                inside = frame.f_locals
                said = inside.get("backend")
                unscoped = "inner" not in inside and isinstance(said, str) and str.__eq__(said, CPU)
                count += unscoped and inside.get("selection") is self
            frame = frame.f_back
        return count

    def _pin_running_calls(self) -> None:
        """Give this context the scopes of the calls that are running in this thread without one."""
        thread = get_ident()
        state = self.variable.get()
        if thread not in self.stragglers or any(scope.owner is _PINNED for scope in state.scopes):
            return
        count = self._cpu_calls(sys._getframe())  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # see above.
        if count:
            self._replace(state.within((Scope(_PINNED, CPU_CHOICE, None),) * count))

    def unpin(self) -> None:
        """End a call that was running with ``backend="cpu"`` when the process woke up."""
        state = self.variable.get()
        if any(scope.owner is _PINNED for scope in state.scopes):
            self._replace(state.without(_PINNED))
        # The call that ends is still there.
        if self._cpu_calls(sys._getframe()) <= 1:  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # see above.
            with self._lock:
                self.stragglers -= {get_ident()}
                self._publish()
