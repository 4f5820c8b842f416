"""Host functions that have a parameter ``backend`` of their own, joblib's for instance: it gets another name."""

from __future__ import annotations

from functools import wraps

from scverse_backends._plan import BACKEND_PARAMETER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from inspect import Signature
    from typing import Any


class OwnBackend:
    """The new name of a host function's own ``backend``, and the values that old calls gave it."""

    __slots__ = ("name", "values")

    def __init__(self, name: str, values: tuple[str, ...]) -> None:
        self.name = name
        self.values = values

    def host_function(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the host function as one that takes the parameter under its new name."""
        name = self.name

        @wraps(function)
        def renamed(*args: Any, **kwargs: Any) -> Any:
            if name in kwargs:
                kwargs[BACKEND_PARAMETER] = kwargs.pop(name)
            return function(*args, **kwargs)

        return renamed

    def in_signature(self, signature: Signature) -> Signature:
        """Return a signature with the parameter under its new name."""
        return signature.replace(
            parameters=[
                p.replace(name=self.name) if p.name == BACKEND_PARAMETER else p for p in signature.parameters.values()
            ]
        )

    def in_annotations(self, annotations: Mapping[str, Any]) -> dict[str, Any]:
        """Return annotations with the parameter under its new name."""
        return {self.name if name == BACKEND_PARAMETER else name: value for name, value in annotations.items()}

    def is_old_value(self, backend: object) -> bool:
        """Whether a ``backend=`` was meant for the host's own parameter."""
        return isinstance(backend, str) and backend in self.values
