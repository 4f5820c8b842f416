"""What type checkers know of decorated functions. Imported by them only, never at run time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, overload


class DispatchedFunction[**P, R](Protocol):
    """A decorated function, for type checkers.

    Ordinary calls are checked as the host's own. With ``backend=`` the options depend on what is installed, so
    only the result is known.
    """

    @property
    def __name__(self) -> str: ...
    @property
    def __wrapped__(self) -> Callable[P, R]: ...
    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R: ...
    @overload
    def __call__(self, *args: Any, backend: str | Sequence[str] | None, **kwargs: Any) -> R: ...


class FunctionDecorator(Protocol):
    """What ``backend_dispatch(...)`` returns, for type checkers."""

    def __call__[**P, R](self, func: Callable[P, R], /) -> DispatchedFunction[P, R]: ...


class ClassDecorator(Protocol):
    """What ``backend_class(...)`` returns, for type checkers."""

    def __call__[C: type](self, cls: C, /) -> C: ...


type Renamed = Mapping[str, str | tuple[str, Callable[[Any], Any]]]
