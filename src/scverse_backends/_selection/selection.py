"""What is selected here and now, and which rule chose it.

The process-wide part stands in plain attributes, so that a call reads it without a lock; the part that belongs to a
context (scopes, running calls) stands in one context variable. How a name becomes a choice is given to it.
"""

from __future__ import annotations

import os
from _thread import RLock
from contextvars import ContextVar

from scverse_backends._foundation.labels import CPU
from scverse_backends._selection.state import CPU_CHOICE, Choice, Opening, Options, Scope, State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

POLICIES = ("explicit", "silent", "warn", "raise")
"""What may happen when the host runs in place of the backend that was asked for."""


def environment_variable(host_name: str) -> str:
    """Return the name of the variable that selects a backend of this host.

    Examples
    --------
    >>> environment_variable("my-host")
    'MY_HOST_BACKEND'
    """
    letters = (character if character.isascii() and character.isalnum() else "_" for character in host_name)
    return "".join(letters).upper() + "_BACKEND"


def _names_in(text: str) -> str | list[str]:
    """Return the name that an environment variable holds, or the list of several."""
    return [name.strip() for name in text.split(",") if name.strip()] if "," in text else text


class Selection:
    """The selection of one dispatcher.

    ``idle`` is true while nothing but the host was ever selected in this process, the environment included: then a call
    without ``backend=`` needs to look no further. It never becomes true again, since counting open scopes would lose
    updates on free-threaded builds.
    """

    __slots__ = (
        "_environment",
        "_lock",
        "_policy",
        "_process",
        "_woken",
        "base",
        "changes",
        "current",
        "idle",
        "reference",
        "resolve",
        "source",
        "variable",
        "variable_name",
    )

    def __init__(self, host_name: str, resolve: Callable[..., Choice]) -> None:
        self.base: State = State()
        """What is in force outside every scope; its ``choice`` is the process-wide one, ``None`` where a call has to
        take the long way to find it. The only state that is ever changed in place."""
        self.variable: ContextVar[State] = ContextVar(f"{host_name} backend", default=self.base)
        self.current: Callable[[], State] = self.variable.get
        """Returns what is in force in this context; bound once, since every call asks."""
        self.idle: bool = False
        self.source: str = "default"
        self.variable_name: str = environment_variable(host_name)
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
        # Reentrant, since a finalizer that selects something may run anywhere.
        self._lock = RLock()

    def after_fork(self) -> None:
        """Open, in a forked child, the lock that a thread of the parent may have held."""
        self._lock = RLock()

    # -- reading -----------------------------------------------------------------------------------------------------

    def effective(self) -> tuple[Choice, str]:
        """Return the selection in force and which rule chose it."""
        state = self.variable.get()
        if state is not self.base and state.choice is not None:
            return state.choice, state.source
        choice = self._process or self._settle_environment()
        return choice, self.source

    def fallback(self) -> Any:
        """Return the fallback policy in force."""
        return self.variable.get().fallback or self._policy or POLICIES[0]

    def environment(self) -> str | None:
        """Return what the environment variable held on first need, ``None`` where it was unset or blank."""
        if self._environment is None:
            self._environment = os.environ.get(self.variable_name, "").strip()
        return self._environment or None

    def too_late(self) -> str | None:
        """Say what the environment variable has become since it was read; nothing where it is what it was."""
        before, now = self._environment, os.environ.get(self.variable_name, "").strip()
        if before is None or now == before:
            return None
        became = f"became {now!r}" if now else "was removed"
        return (
            f"The environment variable {self.variable_name} {became} after it was read, which comes too late. "
            f"Write settings.backend = {_names_in(now) if now else CPU!r} instead."
        )

    def _settle_environment(self) -> Choice:
        text = self.environment()
        if text is None:
            choice, source = CPU_CHOICE, "default"
        else:
            from scverse_backends.exceptions import BackendError  # Importing a host need not pay for it.

            try:
                choice, source = self.resolve(_names_in(text), "environment"), "environment"
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
        """Show calls the process-wide choice."""
        self.base.choice = self.base.short = self._process

    # -- changing ----------------------------------------------------------------------------------------------------

    def assign(self, choice: Choice) -> None:
        """Select inside the innermost open scope, or for the process where none is open."""
        self.wake()
        state = self.variable.get()
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
        state = self.variable.get()
        if state.scopes:
            self._replace(state.reassigned(fallback=policy))
        else:
            self._policy = policy

    def unassign_fallback(self) -> None:
        """Undo the process-wide fallback policy."""
        self._policy = None

    def open(self, by: object, choice: Choice | None, fallback: str | None, options: Options | None = None) -> None:
        """Open a scope in this context."""
        self.wake()
        opening = Opening(by)
        state = self.variable.get().with_scope(Scope(opening, choice, fallback, options))
        self.changes = object()
        opening.take_place(self.variable, state)

    def close(self, by: object) -> Scope | None:
        """Close the innermost scope that somebody opened in this very context, and return it, if there is one."""
        state = self.variable.get()
        for scope in reversed(state.scopes):
            opening = scope.owner
            if isinstance(opening, Opening) and opening.by is by and opening.happened_here(self.variable):
                self._replace(state.without(opening))
                return scope
        return None

    def snapshot(self) -> Callable[[], None]:
        """Return a function that brings back what is selected now: for the process, and in this context."""
        process, source, policy = self._process, self.source, self._policy
        environment, idle = self._environment, self.idle
        token = self.variable.set(self.variable.get())
        with self._lock:
            # Read anew in the meantime: a test sets it for itself.
            self._environment, self.idle = None, False
            if source != "process":
                self._process, self.source = None, "default"
                self._publish()

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
        self._replace(self.variable.get().traced_by(traces))

    def _replace(self, state: State) -> None:
        self.changes = object()
        blank = not (state.scopes or state.running or state.traces)
        # Prepared calls know the state that they begin in by identity, and most begin outside everything.
        self.variable.set(self.base if blank else state)

    def wake(self) -> None:
        """Let every call look at the selection from now on."""
        if not self._woken:
            with self._lock:
                self.idle = False
                self._woken = True
