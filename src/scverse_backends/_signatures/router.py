"""Two signatures, the host's and an implementation's, compiled once into a mapping of arguments.

The rules (by parameter name):

=======================  ==========================================  ==============================================
parameter                the caller gave it                          the caller omitted it
=======================  ==========================================  ==============================================
in both                  forwarded, even when equal to the default   the implementation's default; the host's where
                                                                     it has none
implementation only      forwarded                                   the implementation's default
host only, has default   at its default: dropped; else dropped with  nothing to do
                         a warning
host only, required      ``BackendContractError``                    the call is invalid
unknown to both          the error of a plain call                   nothing to do
=======================  ==========================================  ==============================================
"""

from __future__ import annotations

from scverse_backends._foundation.foreign import CallError
from scverse_backends._foundation.labels import BACKEND_PARAMETER
from scverse_backends._signatures.defaults import OMITTED, at_default
from scverse_backends.exceptions import BackendContractError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from scverse_backends._signatures.arguments import Given, Names


class Anything:
    """Stands for the keywords of an implementation that takes all that the host takes."""

    __slots__ = ()

    def issuperset(self, _names: Iterable[str]) -> bool:
        return True


type Keywords = frozenset[str] | Anything


class Arranged:
    """The arguments of one call for an implementation."""

    __slots__ = ("args", "dropped", "kwargs", "scoped")

    def __init__(self, args: Any, kwargs: dict[str, Any], dropped: Sequence[str] = ()) -> None:
        self.args = args
        self.kwargs = kwargs
        self.dropped = dropped
        """What the caller gave and the implementation does not know."""
        self.scoped: dict[str, Any] | None = None
        """Options among the keywords that a scope gave, ``None`` where no scope gives any that it takes."""


class Router:
    """The mapping of arguments by name."""

    __slots__ = (
        "_backend",
        "_function",
        "_host",
        "_implementation",
        "_omitted_by",
        "_reached",
        "_renamed",
        "_unsettled",
        "options",
    )

    def __init__(
        self,
        function: str,
        backend: str,
        host: Names,
        implementation: Names,
        renamed: Mapping[str, tuple[str, Callable[[Any], Any] | None]],
        unsettled: frozenset[str] = frozenset(),
    ) -> None:
        # What is given for these may be a placeholder, so each call that gives one is looked at.
        self._unsettled = unsettled
        self._function = function
        self._backend = backend
        self._host = host
        self._implementation = implementation
        stayed = {new: old for new, old in renamed.items() if new not in implementation.all}
        # An old name is used only where the implementation knows it and not the new one.
        self._renamed = {new: old for new, old in stayed.items() if old[0] in implementation.all}
        self._reached = implementation.all.union(self._renamed)
        self._omitted_by = {new: convert for new, (_, convert) in stayed.items() if convert is not None}
        """Converters that say whether nothing was given for a parameter that the implementation does not know."""
        # Old names are nobody's options, also where an implementation knows the new one beside them.
        self.options = backend_only(host, implementation) - {old for old, _ in renamed.values()}

    def knows(self, name: str) -> bool:
        """Whether calls can give the implementation a parameter of that name."""
        theirs = self._implementation
        return name in theirs.by_keyword or (name in theirs.all and name in self._host.all)

    def lacking(self, names: Iterable[str]) -> list[str]:
        """Return which parameters of the host a call cannot give to the implementation."""
        if self._implementation.takes_any:
            return []
        return sorted(name for name in names if name in self._host.all and name not in self._reached)

    def lost(self, named: Mapping[str, Any], kept: frozenset[str]) -> list[str]:
        """Return which of the parameters in ``kept`` a call gives and would lose."""
        return [name for name in self.lacking(kept) if name in named and not self._counts_as_none(name, named[name])]

    def _counts_as_none(self, name: str, value: Any) -> bool:
        """Whether a value says that nothing is given: it is the host's default, or a converter says so."""
        defaults, convert = self._host.defaults, self._omitted_by.get(name)
        if name in defaults and at_default(value, defaults[name]):
            return True
        return convert is not None and convert(value) is OMITTED

    def forwardable(self) -> tuple[int, Keywords]:
        """Return how many positional arguments and which keywords can be forwarded as they are; -1 for none at all."""
        host, implementation = self._host, self._implementation
        if set(host.required) != set(implementation.required):
            # Something has to be checked or filled in at every call.
            return -1, frozenset()
        special = host.positional_only or implementation.positional_only or self._renamed or self._unsettled
        if host.takes_any and special:
            # A key of ``**kwargs`` may then bear the name of one of these.
            return -1, frozenset()
        aligned = 0
        for mine, theirs in zip(host.positional, implementation.positional, strict=False):
            if mine != theirs:
                break
            aligned += 1
        if implementation.takes_any:
            if host.takes_any:
                return aligned, Anything()
            refused = {*self._renamed, *implementation.positional_only}
            return aligned, (host.by_keyword - refused) | (self.options - self._unsettled)
        return aligned, (host.by_keyword & implementation.by_keyword) | (self.options - self._unsettled)

    def completeness(self) -> Callable[[tuple[Any, ...], dict[str, Any]], bool]:
        """Return what tells whether a call that can be forwarded gives all that is required, and nothing twice."""
        required = frozenset(self._host.required)
        positional = self._host.positional
        first = [frozenset(positional[:count]) for count in range(len(positional) + 1)]

        def is_complete(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
            by_position = first[len(args)]
            if not by_position.isdisjoint(kwargs):
                return False
            return required <= by_position or required <= by_position.union(kwargs)

        return is_complete

    def same_parameters(self) -> bool:
        """Whether every call that the implementation takes is one of the merged signature, and means the same."""
        host, implementation = self._host, self._implementation
        return (
            not self._unsettled
            and host.positional == implementation.positional
            and host.by_keyword == implementation.by_keyword - self.options
            and host.takes_any == implementation.takes_any
        )

    def arrange(self, given: Given) -> Arranged:
        """Map the arguments of a call to those of the implementation."""
        host, implementation = self._host, self._implementation
        values = dict(given.options)
        dropped: list[str] = []
        for name, value in given.named.items():
            self._place(name, value, values, dropped)
        extra = dict(given.extra)
        # A key that bears the name of a positional-only parameter of the host is not that parameter.
        for name in implementation.by_keyword.intersection(extra).difference(values, host.positional_only):
            values[name] = extra.pop(name)
        for name in implementation.required:
            if name not in values:
                self._fill_in(name, values)
        positional: list[Any] = []
        for index, name in enumerate(implementation.positional_only):
            if name in values:
                positional.append(values.pop(name))
            elif any(later in values for later in implementation.positional_only[index + 1 :]):
                positional.append(implementation.defaults[name])
        if len(positional) == len(implementation.positional_only):
            # What was given by position arrives by position, since `functools.singledispatch` looks at nothing else.
            for name in implementation.positional[len(positional) :]:
                if name not in given.by_position or name not in values:
                    break
                positional.append(values.pop(name))
        lost = implementation.by_keyword.union(host.positional_only).difference(implementation.positional_only)
        for name, value in extra.items():
            if implementation.takes_any and name not in lost:
                values[name] = value
            else:
                dropped.append(name)
        return Arranged(positional, values, dropped)

    def _place(self, name: str, value: Any, values: dict[str, Any], dropped: list[str]) -> None:
        implementation = self._implementation
        if name in implementation.all:
            values[name] = value
        elif name in self._renamed:
            old, convert = self._renamed[name]
            converted = value if convert is None else convert(value)
            if converted is not OMITTED:
                values[old] = converted
        elif implementation.takes_any:
            values[name] = value
        elif name in self._host.required:
            raise BackendContractError(
                f"Backend {self._backend!r} cannot run {self._function}(): its implementation lacks the required "
                f"parameter {name!r}. Use backend='cpu' for this function and tell the backend's authors.",
                backend=self._backend,
                function=self._function,
                parameter=name,
            )
        elif not self._counts_as_none(name, value):
            dropped.append(name)

    def _fill_in(self, name: str, values: dict[str, Any]) -> None:
        """Give the implementation what it requires and the caller left out: the host's default, if there is one."""
        defaults = self._host.defaults
        new = next((new for new, (old, _) in self._renamed.items() if old == name), None)
        if name in defaults:
            values[name] = defaults[name]
        elif new in defaults:
            self._place(new, defaults[new], values, [])
        if name in values:
            return
        if new in self._host.required:
            raise CallError(
                f"{self._function}() on backend {self._backend!r} needs a value for {new!r}: the one that was given "
                "stands for none."
            )
        if new is not None:
            raise CallError(
                f"{self._function}() on backend {self._backend!r} needs the argument {new!r}, which the host can do "
                "without. Give it a value."
            )
        if name in self.options:
            raise CallError(
                f"{self._function}() on backend {self._backend!r} is missing the required argument {name!r}, "
                "which the host does not have. Give it by keyword."
            )
        raise BackendContractError(
            f"Backend {self._backend!r} cannot run {self._function}(): its implementation requires {name!r}, which "
            f"no call can give it. Use backend='cpu' for this function and tell the backend's authors.",
            backend=self._backend,
            function=self._function,
            parameter=name,
        )


def backend_only(host: Names, implementation: Names) -> frozenset[str]:
    """Return the public options that only the implementation has, which callers can give by keyword."""
    return frozenset(
        name for name in implementation.by_keyword - host.all if not name.startswith("_") and name != BACKEND_PARAMETER
    )
