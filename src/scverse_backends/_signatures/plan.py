"""A plan: how the calls of one host function reach one implementation.

It knows the calls that can be forwarded as they are, which are nearly all: no more positional arguments than the two
sides have in common at the front, and no other keywords than both take. Where the implementation is a plain function of
the host's own parameters, Python's check of its arguments is all the check that a call needs.
"""

from __future__ import annotations

from types import FunctionType, MethodType, ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from scverse_backends._selection.state import Choice, State
    from scverse_backends._signatures.router import Keywords, Router

_VARARGS = 0x04
"""The flag of functions that take ``*args``, as :mod:`inspect` names it."""

_NEVER = object()
"""Stands for the exact implementation where there is none."""


class Plan:
    """How calls of one host function reach one implementation.

    ``aligned`` and ``direct`` tell the calls that are forwarded as they are: at most so many positional arguments, no
    other keywords. ``exact`` is the implementation (of a bound method, ``exact_function`` the function) if that holds
    for every call that it takes. The state that such a call enters is kept from the last call, with what was selected
    outside.
    """

    __slots__ = (
        "adapter",
        "aligned",
        "attribute",
        "backend",
        "can_run",
        "choice",
        "direct",
        "exact",
        "exact_function",
        "function",
        "implementation",
        "inner",
        "key",
        "namespace",
        "needs_all",
        "outer",
        "owner",
        "router",
    )

    def __init__(
        self,
        *,
        backend: Any,
        attribute: str,
        key: tuple[str, str],
        implementation: Any,
        can_run: Callable[..., object] | None,
        router: Router | None,
    ) -> None:
        self.backend = backend
        self.adapter = backend.adapter
        # A plain module is asked through its dictionary, which costs a third of ``getattr``.
        self.namespace = vars(self.adapter) if type(self.adapter) is ModuleType else None
        self.attribute = attribute
        self.key = key
        self.implementation = implementation
        is_method = type(implementation) is MethodType
        # A bound method is made anew at each access, so it is known by its two halves.
        self.function = implementation.__func__ if is_method else None
        self.owner = implementation.__self__ if is_method else None
        self.can_run = can_run
        self.router = router
        self.aligned = -1
        self.direct: Keywords = frozenset()
        self.exact: Any = _NEVER
        self.exact_function: Any = _NEVER
        honest = _shows_its_own(self.function if is_method else implementation)
        # Python checks what a plain function shows. Of any other callable nobody knows who checks what it shows.
        self.needs_all = None if honest or router is None else router.completeness()
        if router is not None and can_run is None:
            self.aligned, self.direct = router.forwardable()
            if self.aligned >= 0 and honest and router.same_parameters():
                if is_method:
                    self.exact_function = self.function
                else:
                    self.exact = implementation
        self.choice: Choice | None = None
        # Any, since it is `None` in plans that no call finds: those have not gone through :meth:`entering`.
        self.outer: Any = None
        self.inner: Any = None

    def entering(self, choice: Choice, outer: State, inner: State) -> Plan:
        """Return a copy that enters ``inner`` when a call under ``choice`` begins in ``outer``.

        A copy, since other threads may be reading this plan: what they read must belong together.
        """
        copy: Plan = object.__new__(Plan)
        for slot in Plan.__slots__:
            setattr(copy, slot, getattr(self, slot))
        copy.choice, copy.outer, copy.inner = choice, outer, inner
        return copy

    @property
    def options(self) -> frozenset[str]:
        """The options that only the implementation has."""
        return frozenset() if self.router is None else self.router.options

    def is_for(self, implementation: Any) -> bool:
        """Whether this plan was made for that very implementation."""
        if implementation is self.implementation:
            return True
        return (
            type(implementation) is MethodType
            and implementation.__func__ is self.function
            and implementation.__self__ is self.owner
        )


def _shows_its_own(implementation: Any) -> bool:
    """Whether the signature that a function shows is the one that Python checks its arguments by, ``*args`` aside."""
    if type(implementation) is not FunctionType or implementation.__code__.co_flags & _VARARGS:
        return False
    return not {"__wrapped__", "__signature__"}.intersection(vars(implementation))


class _NoPlan(Plan):
    """A plan that no call fits: nothing is found where it looks, and no call begins in its state."""

    __slots__ = ()

    def __init__(self) -> None:
        for slot in Plan.__slots__:
            setattr(self, slot, None)
        self.namespace = {}
        self.aligned = -1
        self.exact = self.exact_function = _NEVER

    def __reduce__(self) -> str:
        return "NO_PLAN"


NO_PLAN: Plan = _NoPlan()
"""Stands for the plan of the last call where there was none."""


def host_plan(attribute: str, function: Any) -> Plan:
    """Return the plan of the host's own function: it takes what the host takes."""
    plan = _NoPlan()
    plan.namespace = {attribute: function}
    plan.attribute = attribute
    plan.aligned = 0
    plan.exact = plan.implementation = function
    return plan
