"""Host functions that have a parameter ``backend`` of their own, joblib's for instance: it gets another name."""

from __future__ import annotations

from functools import wraps

from scverse_backends._selection.steps import like
from scverse_backends._signatures.accepted import signature_of
from scverse_backends._signatures.arguments import BACKEND_PARAMETER, InvalidCall, Names, bind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from inspect import Signature
    from typing import Any


class OwnBackend:
    """The new name of a host function's own ``backend``, and the values that old calls gave it."""

    __slots__ = ("name", "position", "values")

    def __init__(self, name: str, values: tuple[str, ...], function: Callable[..., Any]) -> None:
        self.name = name
        self.values = values
        positional = Names(signature_of(function).parameters.values()).positional
        self.position = positional.index(BACKEND_PARAMETER) if BACKEND_PARAMETER in positional else None
        """Which positional argument it is, if it can be one."""

    def given(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[Any]:
        """Return what a call gives for it under its new name, by keyword or by position."""
        by_position = list(args[self.position :][:1]) if self.position is not None else []
        return [kwargs[self.name]] if self.name in kwargs else by_position

    def host_function(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the host function as one that takes the parameter under its new name."""
        name = self.name

        def renamed(*args: Any, **kwargs: Any) -> Any:
            if name in kwargs:
                kwargs[BACKEND_PARAMETER] = kwargs.pop(name)
            try:
                return function(*args, **kwargs)
            except TypeError:
                self._check_call(function, args, kwargs)
                raise

        return wraps(function)(like(function, renamed))

    def _check_call(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Raise Python's error for a wrong call with the name that callers know the parameter by."""
        names = Names(self.in_signature(signature_of(function)).parameters.values())
        given = {self.name if name == BACKEND_PARAMETER else name: value for name, value in kwargs.items()}
        try:
            bind(getattr(function, "__qualname__", repr(function)), names, frozenset(), args, given)
        except InvalidCall as error:
            raise TypeError(str(error)) from None

    def in_signature(self, signature: Signature) -> Signature:
        """Return a signature with the parameter under its new name."""
        return signature.replace(
            parameters=[
                p.replace(name=self.name) if p.name == BACKEND_PARAMETER else p for p in signature.parameters.values()
            ]
        )

    def in_keyword_defaults(self, defaults: Mapping[str, Any]) -> dict[str, Any]:
        """Return ``__kwdefaults__`` with the parameter under its new name."""
        return {self.name if name == BACKEND_PARAMETER else name: value for name, value in defaults.items()}

    def in_annotations(self, annotations: Mapping[str, Any]) -> dict[str, Any]:
        """Return annotations with the parameter under its new name."""
        return {self.name if name == BACKEND_PARAMETER else name: value for name, value in annotations.items()}

    def is_old_value(self, backend: object) -> bool:
        """Whether a ``backend=`` was meant for the host's own parameter."""
        return isinstance(backend, str) and backend in self.values
