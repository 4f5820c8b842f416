"""The arguments of a call, sorted by the names of the host's signature as Python would sort them."""

from __future__ import annotations

from inspect import Parameter

from scverse_backends._foundation.foreign import CallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
BY_KEYWORD = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)


class Placeholder:
    """Stands in a merged signature for a default that only a backend could tell.

    It comes back as an argument where a decorator outside ours binds a call and applies what it takes for defaults.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Placeholder) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


class Names:
    """What a signature accepts, by name."""

    __slots__ = ("by_keyword", "defaults", "keyword_only", "positional", "positional_only", "required", "takes_any")

    def __init__(self, parameters: Iterable[Parameter]) -> None:
        named = [p for p in parameters if p.kind not in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)]
        self.positional = tuple(p.name for p in named if p.kind in POSITIONAL)
        self.positional_only = tuple(p.name for p in named if p.kind is Parameter.POSITIONAL_ONLY)
        self.keyword_only = tuple(p.name for p in named if p.kind is Parameter.KEYWORD_ONLY)
        self.by_keyword = frozenset(p.name for p in named if p.kind in BY_KEYWORD)
        self.defaults: dict[str, Any] = {p.name: p.default for p in named if p.default is not Parameter.empty}
        self.required = tuple(p.name for p in named if p.default is Parameter.empty)
        self.takes_any = any(p.kind is Parameter.VAR_KEYWORD for p in parameters)

    @property
    def all(self) -> frozenset[str]:
        """Every named parameter."""
        return self.by_keyword.union(self.positional_only)


class Given:
    """The arguments of one call, by the names of the host's signature."""

    __slots__ = ("by_position", "extra", "named", "options")

    def __init__(self) -> None:
        self.by_position: tuple[str, ...] = ()
        """The names of those that were given by position."""
        self.named: dict[str, Any] = {}
        self.options: dict[str, Any] = {}
        """Options that only the implementation has."""
        self.extra: dict[str, Any] = {}
        """What the host's ``**kwargs`` takes."""


def bind(
    function: str,
    host: Names,
    options: frozenset[str],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    unset: frozenset[str],
    *,
    constructs: bool = False,
) -> Given:
    """Sort the arguments of a call by name, as Python does when it calls a function of the merged signature.

    A wrong call raises :class:`InvalidCall`, in the words of a plain call of the host function. What is `unset`
    counts as not given, where no side takes it as an argument of its own. A call that `constructs` an object runs a
    method, whose ``self`` Python counts in its errors.
    """
    given = Given()
    valid = len(args) <= len(host.positional)
    given.by_position = host.positional[: len(args)]
    given.named.update(zip(host.positional, args, strict=False))
    for name, value in kwargs.items():
        if name in host.by_keyword:
            valid = valid and name not in given.named
            given.named[name] = value
        elif isinstance(value, Placeholder):
            continue
        elif name in options:
            given.options[name] = value
        elif name in unset:
            continue
        elif host.takes_any:
            given.extra[name] = value
        else:
            valid = False
    if valid and given.named.keys() >= set(host.required):
        return given
    others = {
        name: value
        for name, value in kwargs.items()
        if name in host.by_keyword or not (name in given.options or name in unset)
    }
    raise InvalidCall(function, host, args, others, constructs=constructs)


class InvalidCall(CallError):  # noqa: N818 - named for what is wrong; callers see a ``TypeError``.
    """A call that no function of the host's signature takes."""

    def __init__(
        self, function: str, host: Names, args: tuple[Any, ...], kwargs: dict[str, Any], *, constructs: bool
    ) -> None:
        text = _plain_error(function, host, args, kwargs, ["_self_"] if constructs else [])
        super().__init__(text)
        unknown = (name for name in kwargs if name not in host.all)
        self.keyword = next((name for name in unknown if f"unexpected keyword argument {name!r}" in text), None)
        """The keyword that neither side takes, if that is what is wrong."""


def _plain_error(function: str, host: Names, args: tuple[Any, ...], kwargs: dict[str, Any], before: list[str]) -> str:
    """Return what Python says to a wrong call, which depends on its version: it is asked with an empty function."""
    parameters = [*before, *(f"{name}=None" if name in host.defaults else name for name in host.positional)]
    if host.positional_only:
        parameters.insert(len(before) + len(host.positional_only), "/")
    if host.keyword_only:
        parameters += ["*", *(f"{name}=None" if name in host.defaults else name for name in host.keyword_only)]
    if host.takes_any:
        parameters.append("**" + "_".join(["_", *sorted(host.all)]))
    namespace: dict[str, Any] = {}
    exec(f"def stand_in({', '.join(parameters)}): pass", namespace)  # noqa: S102 - made of parameter names only.
    stand_in = namespace["stand_in"]
    stand_in.__qualname__ = function
    text = ""
    try:
        stand_in(*before, *args, **kwargs)
    except TypeError as error:
        text = str(error)
    return text
