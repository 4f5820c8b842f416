"""Annotations that are computed when they are asked for (PEP 649, Python 3.14 and later)."""

from __future__ import annotations

import sys

# Checkers that check for an older version read no further.
assert sys.version_info >= (3, 14)

import annotationlib  # noqa: E402 - see above.
from annotationlib import Format  # noqa: E402 - see above.

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Protocol

    class Annotated(Protocol):
        """The record of a decorated function, as far as its annotations go."""

        function: Callable[..., Any]

        def added_annotations(self) -> dict[str, Any]: ...
        def annotations(self, host: Mapping[str, Any], added: Mapping[str, Any]) -> dict[str, Any]: ...


class Annotate:
    """The ``__annotate__`` of a decorated function: the host's annotations and what was added to them."""

    __slots__ = ("_record",)

    def __init__(self, record: Annotated) -> None:
        self._record = record

    def __call__(self, format: Format, /) -> dict[str, Any]:  # noqa: A002 - the protocol's word.
        if format == Format.VALUE_WITH_FAKE_GLOBALS:
            raise NotImplementedError(format)
        record = self._record
        try:
            annotations: dict[str, Any] = dict(annotationlib.get_annotations(record.function, format=format))
        except TypeError:
            annotations = {}  # A callable that has none.
        added = record.added_annotations()
        if format == Format.STRING:
            added = {name: annotationlib.type_repr(value) for name, value in added.items()}
        return record.annotations(annotations, added)
