"""Host functions that have a parameter ``backend`` of their own, joblib's for instance: it gets another name."""

from __future__ import annotations

from scverse_backends._foundation.foreign import CallError
from scverse_backends._foundation.labels import BACKEND_PARAMETER
from scverse_backends._signatures.accepted import signature_of
from scverse_backends._signatures.arguments import Names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from inspect import Signature
    from typing import Any

    from scverse_backends._foundation.warner import Warner


class OwnBackend:
    """The new name of a host function's own ``backend``, and the values that old calls gave it."""

    __slots__ = ("name", "position", "values")

    def __init__(self, name: str, values: tuple[str, ...], function: Callable[..., Any]) -> None:
        self.name = name
        self.values = values
        positional = Names(signature_of(function).parameters.values()).positional
        self.position = positional.index(BACKEND_PARAMETER) if BACKEND_PARAMETER in positional else None
        """Which positional argument it is, if it can be one."""

    def means_own(self, backend: object) -> bool:
        """Whether ``backend=`` gives one of the host's own values, as old calls did."""
        return isinstance(backend, str) and backend in self.values

    def taken(
        self, function: str, backend: object, args: tuple[Any, ...], kwargs: dict[str, Any], warner: Warner
    ) -> tuple[object, dict[str, Any]]:
        """Return what a call selects, and its keywords: an old call gave the host's own values as ``backend=``."""
        if not self.means_own(backend):
            return backend, kwargs
        given = self._given(args, kwargs)
        if given:
            raise CallError(
                f"{function}() got both {self.name}={given[0]!r} and backend={backend!r}, which is the "
                f"old spelling of the same. Give {self.name}= only."
            )
        warner.warn_plainly(
            f"{function}(backend={backend!r}) is deprecated: write {self.name}={backend!r}. "
            f"The parameter 'backend' selects the implementation of {warner.host}.",
            FutureWarning,
        )
        return None, {**kwargs, self.name: backend}

    def _given(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[Any]:
        """Return what a call gives for it under its new name, by keyword or by position."""
        by_position = list(args[self.position :][:1]) if self.position is not None else []
        return [kwargs[self.name]] if self.name in kwargs else by_position

    def for_host(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        """Return keywords as the host's own function knows them."""
        return {BACKEND_PARAMETER if name == self.name else name: value for name, value in kwargs.items()}

    def in_signature(self, signature: Signature) -> Signature:
        """Return a signature with the parameter under its new name."""
        return signature.replace(
            parameters=[
                p.replace(name=self.name) if p.name == BACKEND_PARAMETER else p for p in signature.parameters.values()
            ]
        )

    def renamed(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return defaults or annotations with the parameter under its new name."""
        return {self.name if name == BACKEND_PARAMETER else name: value for name, value in values.items()}
