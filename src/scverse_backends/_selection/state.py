"""What is selected, as immutable values, and the one context variable that holds them.

Everything that a dispatched call changes for its body (the selection, the fallback policy, the traces that are open,
the implementations that are running) is one :class:`State`, so that entering a call is one ``ContextVar.set``.
"""

from __future__ import annotations

from _operator import is_  # The built-in that `operator` has it from, and which costs half a millisecond less.

from scverse_backends._foundation.labels import CPU

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextvars import ContextVar, Token
    from typing import Any


class Choice:
    """A selection: the canonical names in order of preference. There is one object per selection and dispatcher."""

    __slots__ = ("is_order", "names")

    def __init__(self, names: tuple[str, ...], *, is_order: bool = False) -> None:
        self.names: tuple[str, ...] = names
        self.is_order: bool = is_order

    @property
    def reading(self) -> str | tuple[str, ...]:
        """What ``settings.backend`` shows: a name, or a tuple where an order was given."""
        return self.names if self.is_order else self.names[0]

    def __repr__(self) -> str:
        return f"<Choice {self.reading!r}>"

    def __reduce__(self) -> tuple[Any, ...]:
        # A function that is pickled by value takes along the choice that it compares selections with.
        return _restored_choice, (self.names, self.is_order)


CPU_CHOICE = Choice((CPU,))
"""The host implementation."""

TRACED = Choice(("(traced)",))
"""Stands where the short cut looks while a trace is open, so that every call takes the long way."""


def _restored_choice(names: tuple[str, ...], is_order: bool) -> Choice:  # noqa: FBT001 - passed by position by pickle.
    return CPU_CHOICE if names == CPU_CHOICE.names and not is_order else Choice(names, is_order=is_order)


class Opening:
    """One entry into a ``with`` block: who opened it, and in which context."""

    __slots__ = ("_token", "by")

    def __init__(self, by: object) -> None:
        self.by = by
        self._token: Token[State] | None = None

    def take_place(self, variable: ContextVar[State], state: State) -> None:
        """Let this be the context of the opening, and set the state there."""
        # A token belongs to the context in which it was made, and nothing else tells contexts apart.
        self._token = variable.set(state)

    def happened_here(self, variable: ContextVar[State]) -> bool:
        """Whether this is the context of the opening, and not one that inherited from it."""
        state = variable.get()
        assert self._token is not None
        try:
            variable.reset(self._token)
        except ValueError:
            return False
        # A token works once, and the scope may still stand in states that are entered again in this context.
        self.take_place(variable, state)
        return True


class Options:
    """Defaults that one scope gives to options of backends."""

    __slots__ = ("by_backend", "carried")

    def __init__(self, by_backend: Mapping[str, Mapping[str, Any]]) -> None:
        self.by_backend: Mapping[str, Mapping[str, Any]] = by_backend
        """Canonical name of a backend, to names and values of its options."""
        self.carried: bool = False
        """Whether a function was bound that takes them along."""


class Scope:
    """One open ``with settings.use_backend(...)``, or one running call that said ``backend=``.

    An assignment inside replaces the scope by another one of the same owner.
    """

    __slots__ = ("choice", "fallback", "options", "owner", "source")

    def __init__(
        self,
        owner: object,
        choice: Choice | None,
        fallback: str | None,
        options: Options | None = None,
        source: str = "scope",
    ) -> None:
        self.owner: object = owner
        """An :class:`Opening` where a ``with`` block was entered, and else any object of its own."""
        self.choice: Choice | None = choice
        self.fallback: str | None = fallback
        self.options: Options | None = options
        self.source: str = source
        """Which rule made the choice, where no block and no call did."""


class State:
    """What is in force in one context. Never changed, only replaced."""

    __slots__ = ("choice", "depth", "running", "scopes", "short", "traces")

    def __init__(
        self,
        scopes: tuple[Scope, ...] = (),
        running: tuple[tuple[str, str], ...] = (),
        traces: tuple[Any, ...] = (),
        depth: int = 0,
    ) -> None:
        self.scopes: tuple[Scope, ...] = scopes
        self.running: tuple[tuple[str, str], ...] = running
        """The implementations that are running, each as backend and function."""
        self.traces: tuple[Any, ...] = traces
        self.depth: int = depth
        """How many traced calls are running."""
        chosen = (scope.choice for scope in reversed(scopes) if scope.choice is not None)
        self.choice: Choice | None = next(chosen, None)
        self.short: Choice | None = TRACED if traces else self.choice
        """What the short cut goes by: the choice, unless there is more to do than to follow it."""

    @property
    def source(self) -> str:
        """Which rule made the choice, where there is one."""
        return next(scope.source for scope in reversed(self.scopes) if scope.choice is not None)

    @property
    def fallback(self) -> str | None:
        """The fallback policy of the innermost scope that has one."""
        return next((scope.fallback for scope in reversed(self.scopes) if scope.fallback is not None), None)

    def given_options(self) -> Iterator[Options]:
        """Yield the options of each scope that gives any, the innermost last."""
        return (scope.options for scope in self.scopes if scope.options is not None)

    @property
    def options(self) -> dict[str, dict[str, Any]]:
        """Defaults for options of backends, by backend: what inner scopes give goes before what outer ones give."""
        merged: dict[str, dict[str, Any]] = {}
        for given in self.given_options():
            for backend, options in given.by_backend.items():
                merged.setdefault(backend, {}).update(options)
        return merged

    def with_scope(self, scope: Scope) -> State:
        """Return the state inside a scope."""
        return State((*self.scopes, scope), self.running, self.traces, self.depth)

    def without(self, owner: object) -> State:
        """Return the state without the innermost scope of an owner."""
        owned = next((scope for scope in reversed(self.scopes) if scope.owner is owner), None)
        scopes = tuple(scope for scope in self.scopes if scope is not owned)
        return State(scopes, self.running, self.traces, self.depth)

    def reassigned(self, *, choice: Choice | None = None, fallback: str | None = None) -> State:
        """Return the state after an assignment inside the innermost scope."""
        inner = self.scopes[-1]
        changed = Scope(inner.owner, choice or inner.choice, fallback or inner.fallback, inner.options)
        return State((*self.scopes[:-1], changed), self.running, self.traces, self.depth)

    def running_also(self, key: tuple[str, str]) -> State:
        """Return the state inside an implementation."""
        return State(self.scopes, (*self.running, key), self.traces, self.depth)

    def traced_by(self, traces: tuple[Any, ...]) -> State:
        """Return the state with these traces."""
        return State(self.scopes, self.running, traces, self.depth)

    def deeper(self) -> State:
        """Return the state inside a traced call."""
        return State(self.scopes, self.running, self.traces, self.depth + 1)

    def same_as(self, other: State) -> bool:
        """Whether another state is of the same parts."""
        mine = (*self.scopes, *self.running, *self.traces)
        others = (*other.scopes, *other.running, *other.traces)
        # By identity, since traces are lists, and two of them may hold the same.
        return len(mine) == len(others) and self.depth == other.depth and all(map(is_, mine, others))


class Entered:
    """A ``with`` block in another state. What its body changes stays, but for what the state itself adds."""

    __slots__ = ("_inner", "_outer", "_token", "_variable")

    def __init__(self, variable: ContextVar[State], inner: State) -> None:
        self._variable = variable
        self._inner = inner

    def __enter__(self) -> None:
        self._outer = self._variable.get()
        try:
            self._token: Token[State] = self._variable.set(self._inner)
        except BaseException:
            # An interrupt arrived when the state was set and the token was not there yet.
            self._variable.set(self._outer)
            raise

    def __exit__(self, *_error: object) -> None:
        try:
            current = self._variable.get()
        finally:
            self._variable.reset(self._token)
        if current is not self._inner:
            settle_call(self._variable, self._outer, self._inner, current)


def settle_call(variable: ContextVar[State], outer: State, inner: State, current: State) -> None:
    """Keep what the body of a call changed that ended in another state than it began in.

    The body may have assigned inside the call's scope, opened scopes that it did not close, or closed scopes that
    were open before. Only what the call itself added is taken away. The state of outside is in force again already,
    so an interrupt loses at most what the body changed.
    """
    added = [scope.owner for scope in inner.scopes[len(outer.scopes) :]]
    scopes = tuple(scope for scope in current.scopes if not any(scope.owner is owner for owner in added))
    remaining = State(scopes, outer.running, current.traces, outer.depth)
    # The very same object, where nothing changed: prepared calls know the state that they begin in by identity.
    if not remaining.same_as(outer):
        variable.set(remaining)
