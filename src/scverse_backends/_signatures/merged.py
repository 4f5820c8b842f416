"""The signature that a decorated function shows: the host's, the options of the backends, and ``backend``.

It is computed when somebody looks at it and not before: a host pays nothing at import for signatures that nobody
reads.
"""

from __future__ import annotations

import inspect
from functools import partial
from inspect import Parameter, Signature

from scverse_backends._docstrings.read import ParameterDoc, parameter_docs
from scverse_backends._docstrings.splice import Offer
from scverse_backends._foundation.foreign import in_a_line, safely
from scverse_backends._foundation.labels import BACKEND_PARAMETER
from scverse_backends._foundation.record import Record
from scverse_backends._signatures.accepted import implementation_signature
from scverse_backends._signatures.arguments import Names, Placeholder
from scverse_backends._signatures.defaults import at_default
from scverse_backends._signatures.router import backend_only
from scverse_backends._signatures.shown import BACKEND_ANNOTATION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any


class Contribution(Record):
    """One option that one backend adds to one host function."""

    __slots__ = __match_args__ = ("name", "default", "annotation", "shown_annotation", "offer")
    name: str
    default: Any
    annotation: Any
    shown_annotation: str
    offer: Offer
    """What docstrings show of it."""


_UNDOCUMENTED = ParameterDoc(None, ())


def contributions(
    provider: str, host: Names, implementation: Any, hidden: frozenset[str] = frozenset()
) -> tuple[Contribution, ...]:
    """Return the options that a backend's implementation adds to the host's; not old names of host parameters."""
    signature = implementation_signature(implementation)
    if signature is None:
        return ()
    added = backend_only(host, Names(signature.parameters.values())) - hidden
    if not added:
        return ()
    described = parameter_docs(documentation(implementation))
    if isinstance(implementation, type):
        # The options of a class stand in its own docstring or in that of its constructor.
        constructor = implementation.__init__  # type: ignore[misc]  # it is read, not called.
        described = {**parameter_docs(documentation(constructor)), **described}
    found: list[Contribution] = []
    for name, parameter in signature.parameters.items():
        if name in added:
            default = _printable(parameter.default, Placeholder("…"))
            written = _printable(parameter.annotation, Parameter.empty)
            annotation = _printable(_evaluated(written, implementation), Parameter.empty)
            # A foreign ``__repr__`` runs here, where no lock is held, and never again.
            shown = None if default is Parameter.empty else in_a_line(default)
            doc = described.get(name, _UNDOCUMENTED)
            offer = Offer(provider, doc.type, doc.description, shown)
            found.append(Contribution(name, default, annotation, repr(annotation), offer))
    return tuple(found)


def _printable(value: Any, otherwise: Any) -> Any:
    """Return a value that ``help()`` can show: a foreign ``__repr__`` may raise anything."""
    return otherwise if safely(lambda: repr(value)) is None else value


def documentation(implementation: Any) -> object:
    """Return a foreign object's docstring, whatever it is."""
    try:
        return implementation.__doc__
    except Exception:  # noqa: BLE001 - a foreign property may raise anything.
        return None


def _evaluated(annotation: Any, implementation: Any) -> Any:
    """Evaluate an annotation where its backend's module can, at every depth; what cannot be becomes text."""
    if annotation is Parameter.empty:
        return annotation
    from typing import get_type_hints  # Only options with annotations pay for it.

    def holder() -> None: ...

    holder.__annotations__ = {"option": annotation}
    try:
        evaluated = get_type_hints(holder, _namespace(implementation), include_extras=True)["option"]
    except Exception:  # noqa: BLE001 - not resolvable now.
        if isinstance(annotation, str):
            return annotation
        return getattr(annotation, "__forward_arg__", None) or inspect.formatannotation(annotation)
    return None if evaluated is type(None) else evaluated


def _namespace(implementation: Any) -> dict[str, Any]:
    """Return the names that an implementation's annotations were written with."""
    function = inspect.unwrap(implementation)
    while isinstance(function, partial):
        function = inspect.unwrap(function.func)
    if not hasattr(function, "__globals__"):
        function = type(function).__call__
    return dict(getattr(function, "__globals__", {}))


def is_evaluated(annotation: Any) -> bool:
    """Whether an annotation is a usable object and neither missing nor text that could not be evaluated."""
    return annotation is not Parameter.empty and not isinstance(annotation, str)


def merged_options(found: Mapping[str, tuple[Contribution, ...]]) -> dict[str, list[Contribution]]:
    """Group contributions by option, in an order that does not depend on which backend was loaded first."""
    options: dict[str, list[Contribution]] = {}
    for provider in sorted(found):
        for contribution in found[provider]:
            options.setdefault(contribution.name, []).append(contribution)
    return options


def merged_parameters(found: Mapping[str, tuple[Contribution, ...]]) -> list[Parameter]:
    """Return the keyword-only parameters that backends add."""
    return [
        Parameter(name, Parameter.KEYWORD_ONLY, default=_merged_default(offers), annotation=_merged_annotation(offers))
        for name, offers in merged_options(found).items()
    ]


def _merged_default(offers: list[Contribution]) -> Any:
    """Return a default, since the merged signature must accept every valid call of the host."""
    first = offers[0]
    needing = [one.offer.provider for one in offers if one.default is Parameter.empty]
    if needing:
        return Placeholder(f"<required by {', '.join(needing)}>")
    if all(at_default(offer.default, first.default) for offer in offers):
        return first.default
    return Placeholder("<depends on the backend>")


def _merged_annotation(offers: list[Contribution]) -> Any:
    texts = {offer.shown_annotation for offer in offers}
    return offers[0].annotation if len(texts) == 1 else Parameter.empty


def with_parameters(signature: Signature, added: Iterable[Parameter]) -> Signature:
    """Return a signature with keyword-only parameters added: before ``backend`` and before ``**kwargs``."""
    parameters = [p for p in signature.parameters.values() if p.name != BACKEND_PARAMETER]
    names = {p.name for p in parameters}
    tail = [p for p in parameters if p.kind is Parameter.VAR_KEYWORD]
    backend = Parameter(BACKEND_PARAMETER, Parameter.KEYWORD_ONLY, default=None, annotation=BACKEND_ANNOTATION)
    new = [p for p in added if p.name not in names]
    return signature.replace(parameters=[*parameters[: len(parameters) - len(tail)], *new, backend, *tail])
