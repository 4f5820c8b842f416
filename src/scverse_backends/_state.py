"""What is selected, as immutable values, and the one context variable that holds them.

Everything that a dispatched call changes for its body (the selection, the fallback policy, the traces that are open,
the implementations that are running) is one :class:`State`, so that entering a call is one ``ContextVar.set``.
"""

from __future__ import annotations

from contextvars import ContextVar

from scverse_backends._labels import CPU

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextvars import Token
    from typing import Any


class Choice:
    """A selection: the canonical names in order of preference. There is one object per selection and dispatcher."""

    __slots__ = ("is_order", "names")

    def __init__(self, names: tuple[str, ...], *, is_order: bool = False) -> None:
        self.names = names
        self.is_order = is_order

    @property
    def reading(self) -> str | tuple[str, ...]:
        """What ``settings.backend`` shows: a name, or a tuple where an order was given."""
        return self.names if self.is_order else self.names[0]

    def __repr__(self) -> str:
        return f"<Choice {self.reading!r}>"


CPU_CHOICE = Choice((CPU,))
"""The host implementation."""


class Scope:
    """One open ``with settings.use_backend(...)``, or one running call that said ``backend=``."""

    __slots__ = ("choice", "fallback", "owner", "token")

    def __init__(
        self, owner: object, choice: Choice | None, fallback: str | None, token: Token[State] | None = None
    ) -> None:
        self.owner = owner
        self.choice = choice
        self.fallback = fallback
        self.token = token
        """Belongs to the context in which the scope was opened, and only works there."""


class State:
    """What is in force in one context. Never changed, only replaced."""

    __slots__ = ("choice", "fallback", "running", "scopes", "traces")

    def __init__(
        self,
        scopes: tuple[Scope, ...] = (),
        running: tuple[tuple[str, str], ...] = (),
        traces: tuple[Any, ...] = (),
    ) -> None:
        self.scopes = scopes
        self.running = running
        """The implementations that are running, each as backend and function."""
        self.traces = traces
        self.choice = next((scope.choice for scope in reversed(scopes) if scope.choice is not None), None)
        self.fallback = next((scope.fallback for scope in reversed(scopes) if scope.fallback is not None), None)

    def with_scope(self, scope: Scope) -> State:
        """Return the state inside a scope."""
        return State((*self.scopes, scope), self.running, self.traces)

    def without(self, scope: Scope) -> State:
        """Return the state without a scope, the innermost where it stands more than once."""
        scopes = list(self.scopes)
        for index in reversed(range(len(scopes))):
            if scopes[index] is scope:
                del scopes[index]
                break
        return State(tuple(scopes), self.running, self.traces)

    def reassigned(self, *, choice: Choice | None = None, fallback: str | None = None) -> State:
        """Return the state after an assignment inside the innermost scope."""
        inner = self.scopes[-1]
        changed = Scope(inner.owner, choice or inner.choice, fallback or inner.fallback, inner.token)
        return State((*self.scopes[:-1], changed), self.running, self.traces)

    def running_also(self, key: tuple[str, str]) -> State:
        """Return the state inside an implementation."""
        return State(self.scopes, (*self.running, key), self.traces)

    def traced_by(self, traces: tuple[Any, ...]) -> State:
        """Return the state with these traces."""
        return State(self.scopes, self.running, traces)


def leave_call(variable: ContextVar[State], token: Token[State], outer: State, inner: State) -> None:
    """End a call whose body left the state different from how it found it.

    The body may have assigned inside the call's scope, opened scopes that it did not close, or closed scopes that
    were open before. Only what the call itself added is taken away.
    """
    current = variable.get()
    variable.reset(token)
    if current is inner:
        return
    added = inner.scopes[len(outer.scopes) :]
    owners = {id(scope.owner) for scope in added}
    scopes = tuple(scope for scope in current.scopes if id(scope.owner) not in owners)
    if scopes != outer.scopes or current.traces != outer.traces:
        variable.set(State(scopes, outer.running, current.traces))
