"""The source of one function for each of the host: its signature, what the host says of its parameters, and no body."""

from __future__ import annotations

import builtins
import inspect
import keyword
import textwrap
from inspect import Parameter
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from scverse_backends._inside.words import parameter_docs
from scverse_backends._skeleton.annotations import Source, double_quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from scverse_backends._inside.dispatchers import HostFunction
    from scverse_backends._skeleton.annotations import Annotation, Import

_WIDTH: Final = 88
"""The widest line of formatters that nobody has configured."""
_LITERALS: Final = (bool, int, float, complex, str, bytes, type(None))
_POSITIONAL: Final = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
_AMBIGUOUS: Final = frozenset("\u00a0\u00b4\u00d7\u2010\u2011\u2012\u2013\u2014\u2018\u2019\u201c\u201d\u2212")
"""Characters of good typography that linters take for others."""


class Stub(NamedTuple):
    """The source of one function, and what it needs of its module."""

    source: str
    imports: frozenset[Import]
    excused: frozenset[str]
    """Rules of linters that the host's signature or text breaks."""


class _Shown(NamedTuple):
    """One parameter as it is written."""

    parameter: Parameter
    annotation: Annotation | None
    default: str | None


def stub(function: HostFunction, path: str, body: str, taken: dict[str, Import | None]) -> Stub:
    """Write a function, or a class, of the same parameters as one of the host.

    Parameters
    ----------
    function
        The host's.
    path
        What the host's users call it, ``example_host.tl.umap`` for instance.
    body
        The statement that is run.
    taken
        The names that the module has already, with the import that gives them; it grows.
    """
    source = Source(_home(function), path, taken)
    parameters = [_shown(parameter, source) for parameter in function.signature.parameters.values()]
    _leave_defaults_to_the_host(parameters)
    returned = None
    if not function.is_class:
        returned = source.annotation(function.signature.return_annotation, Parameter.empty)
    docstring = _docstring(function, [one.parameter for one in parameters], path)
    name = function.attribute
    if function.is_class:
        inner = _definition("def __init__", parameters, "None", first="self")
        code = f"class {name}:\n{_indented(docstring)}\n\n{_indented(inner)}\n{_indented(body, 2)}\n"
    else:
        kind = "async def" if _is_async(function.public) else "def"
        steps = "\n    yield" if _is_generator(function.public) else ""
        header = _definition(f"{kind} {name}", parameters, returned.text if returned else None)
        code = f"{header}\n{_indented(docstring)}\n{_indented(body)}{steps}\n"
    written = [one.annotation for one in parameters if one.annotation is not None]
    imports = frozenset[Any]().union(*(one.imports for one in (*written, *([returned] if returned else []))))
    return Stub(code, imports, frozenset(_excused(function, parameters, returned, docstring)))


def _home(function: HostFunction) -> str:
    """Return the module that the host's function is written in, whatever decorators stand around it."""
    try:
        return str(inspect.unwrap(function.public).__module__)
    except (AttributeError, ValueError):
        return ""


def _is_async(function: Any) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


def _is_generator(function: Any) -> bool:
    return inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)


# -- the signature -----------------------------------------------------------------------------------------------------


def _shown(parameter: Parameter, source: Source) -> _Shown:
    annotation = source.annotation(parameter.annotation, parameter.default)
    default = None if parameter.default is Parameter.empty else _literal(parameter.default)
    shown = _Shown(parameter, annotation, default)
    # A formatter would break a longer line, each in its own way.
    if len(_written(shown)) > _WIDTH - len("    ,"):
        shown = shown._replace(annotation=None)
    if len(_written(shown)) > _WIDTH - len("    ,"):
        shown = shown._replace(default=None)
    return shown


def _literal(value: Any) -> str | None:
    """Return a default as source; ``None`` for what is no plain value, which only the host has."""
    if isinstance(value, tuple):
        inner = [_literal(one) for one in cast("tuple[object, ...]", value)]
        if None in inner:
            return None
        return f"({', '.join(map(str, inner))}{',' if len(inner) == 1 else ''})"
    if type(value) not in _LITERALS or value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124 - NaN.
        return None
    return double_quoted(repr(value))


def _leave_defaults_to_the_host(parameters: list[_Shown]) -> None:
    """Take away defaults before a positional parameter without one; calls get those of the host, as for that one."""
    needed = False
    for index in reversed(range(len(parameters))):
        shown = parameters[index]
        if shown.parameter.kind in _POSITIONAL:
            if needed:
                parameters[index] = shown._replace(default=None)
            needed = needed or shown.default is None


def _written(shown: _Shown) -> str:
    stars = "**" if shown.parameter.kind is Parameter.VAR_KEYWORD else ""
    text = f"{stars}{shown.parameter.name}"
    if shown.annotation is not None:
        text += f": {shown.annotation.text}"
    if shown.default is not None:
        text += f" = {shown.default}" if shown.annotation is not None else f"={shown.default}"
    return text


def _definition(start: str, parameters: list[_Shown], returned: str | None, *, first: str | None = None) -> str:
    parts = [first] if first else []
    kinds = [shown.parameter.kind for shown in parameters]
    for index, shown in enumerate(parameters):
        kind, before = kinds[index], kinds[index - 1] if index else None
        if before is Parameter.POSITIONAL_ONLY and kind is not before:
            parts.append("/")
        if kind is Parameter.KEYWORD_ONLY and kind is not before:
            parts.append("*")
        parts.append(_written(shown))
    if kinds and kinds[-1] is Parameter.POSITIONAL_ONLY:
        parts.append("/")
    end = f") -> {returned}:" if returned else "):"
    line = f"{start}({', '.join(parts)}{end}"
    if len(line) <= _WIDTH - (4 if first else 0):
        return line
    return "\n".join([f"{start}(", *(f"    {part}," for part in parts), end])


# -- the docstring -----------------------------------------------------------------------------------------------------


def _docstring(function: HostFunction, parameters: list[Parameter], path: str) -> str:
    lines = [f"Take the place of {path}." if function.is_class else f"Do what {path} does."]
    described = _described(function)
    if any(parameter.name in described for parameter in parameters):
        lines += ["", "Parameters", "----------"]
        for parameter in parameters:
            lines += _entry(parameter, described)
    if len(lines) == 1:
        return f'"""{lines[0]}"""'
    text = "\n".join(lines).replace('"""', "'''")
    raw = "r" if "\\" in text else ""
    return f'{raw}"""{text}\n"""'


def _described(function: HostFunction) -> Mapping[str, Any]:
    found = parameter_docs(getattr(function.public, "__doc__", None))
    if function.is_class and not found:
        found = parameter_docs(getattr(function.public.__init__, "__doc__", None))
    return found


def _entry(parameter: Parameter, described: Mapping[str, Any]) -> list[str]:
    stars = "**" if parameter.kind is Parameter.VAR_KEYWORD else ""
    doc = described.get(parameter.name)
    if doc is None:
        return [f"{stars}{parameter.name}", "    As in the host."]
    head = f"{stars}{parameter.name} : {doc.type}" if doc.type else f"{stars}{parameter.name}"
    return [head, *(f"    {line}".rstrip() for line in doc.description or ("As in the host.",))]


def _indented(text: str, times: int = 1) -> str:
    return textwrap.indent(text, "    " * times)


# -- linters -----------------------------------------------------------------------------------------------------------


def _excused(
    function: HostFunction, parameters: Iterable[_Shown], returned: Annotation | None, docstring: str
) -> Iterable[str]:
    """Yield the rules of ruff that a faithful copy of the host's signature breaks."""
    for shown in parameters:
        parameter = shown.parameter
        if shown.annotation is None:
            yield "ANN003" if parameter.kind is Parameter.VAR_KEYWORD else "ANN001"
        if hasattr(builtins, parameter.name) or keyword.issoftkeyword(parameter.name):
            yield "A002"
        if parameter.name.lower() != parameter.name:
            yield "N803"
        if parameter.kind in _POSITIONAL:
            if isinstance(parameter.default, bool) and shown.default is not None:
                yield "FBT002"
            if shown.annotation is not None and shown.annotation.text.startswith("bool"):
                yield "FBT001"
    if returned is None and not function.is_class:
        yield "ANN201"
    if function.attribute.lower() != function.attribute and not function.is_class:
        yield "N802"
    if _AMBIGUOUS.intersection(docstring):
        yield "RUF002"
    if any(len(line) > 120 - 4 for line in docstring.splitlines()):
        yield "E501"
