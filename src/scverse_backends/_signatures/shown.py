"""The signature that a decorated function shows, put together when somebody reads it and not before."""

from __future__ import annotations

from collections.abc import Sequence
from inspect import Signature

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from inspect import Parameter
    from typing import Any, Protocol

    class SignatureSource(Protocol):
        """What a merged signature is put together by."""

        def signature(self, found: Any) -> Signature: ...


BACKEND_ANNOTATION = str | Sequence[str] | None
"""A real object and no text, so that it resolves in every namespace."""


class MergedSignature(Signature):
    """A signature that is put together when it is first read.

    It is a value, as every signature is: what is merged later makes another one. It has the two attributes that
    :class:`inspect.Signature` keeps its state in, as properties; everything else is inherited. Copies and pickles are
    plain signatures.
    """

    __slots__ = ("_found", "_source")

    def __init__(self, source: SignatureSource, found: Any) -> None:
        self._source = source
        self._found = found

    def _plain(self) -> Signature:
        return self._source.signature(self._found)

    @property
    def _parameters(self) -> Mapping[str, Parameter]:
        return self._plain().parameters

    @property
    def _return_annotation(self) -> Any:
        return self._plain().return_annotation

    def replace(self, **changes: Any) -> Any:
        """Return a plain signature with other parameters or another return annotation."""
        return self._plain().replace(**changes)

    __replace__ = replace

    def __reduce__(self) -> Any:
        return self._plain().__reduce__()

    def __repr__(self) -> str:
        return repr(self._plain())
