"""Where the names in a host's annotations come from, so that another module can write the same annotations.

A name may be imported for type checkers only, so the source of the host's module is read, and nothing is evaluated.
"""

from __future__ import annotations

import ast
import builtins
import collections.abc
import inspect
import io
import sys
import tokenize
import typing
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_OLD_SPELLINGS: Final = {"Dict", "FrozenSet", "List", "Optional", "Set", "Tuple", "Type", "Union"}
"""Of :mod:`typing`, what today's Python writes without it; linters would want it rewritten."""


_OF_TYPING: Final = frozenset[str](cast("Any", typing).__all__)


class Import(NamedTuple):
    """One import statement: of a module, or of a name from it."""

    module: str
    name: str | None = None
    alias: str | None = None


class Annotation(NamedTuple):
    """An annotation as source, and the imports that it needs."""

    text: str
    imports: frozenset[Import]


class Source:
    """The source of one module of a host, as far as its annotations need it.

    Parameters
    ----------
    module
        Its name.
    host
        Importable name of the host.
    taken
        The names that the new module has already, with the import that gives them; it grows.
    """

    def __init__(self, module: str, host: str, taken: dict[str, Import | None]) -> None:
        self._module = sys.modules.get(module)
        self._host = host.partition(".")[0]
        self._taken = taken
        self._imports = dict(_imports(self._module))

    def annotation(self, given: object, default: object) -> Annotation | None:
        """Return a parameter's annotation for another module; ``None`` where it names something private.

        Parameters
        ----------
        given
            What :mod:`inspect` says it is: text, or an object.
        default
            The parameter's default: without a mention of None, an annotation contradicts it.
        """
        if given is inspect.Parameter.empty:
            return None
        try:
            text = given if isinstance(given, str) else inspect.formatannotation(given)
            tree = ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError):
            return None
        roots = _roots(tree)
        if roots is None or (default is None and not {"None", "Any", "object"} & set(_words(tree))):
            return None
        imports: set[Import] = set()
        for root in roots:
            found = self._import_of(root)
            if found is None:
                return None
            imports.update(found)
        names = {(one.alias or one.name or one.module.partition(".")[0]): one for one in imports}
        # Two modules may mean different things by one name, and a function may bear it.
        if any(self._taken.get(name, one) != one for name, one in names.items()):
            return None
        self._taken.update(names)
        return Annotation(double_quoted(ast.unparse(tree)), frozenset(imports))

    def _import_of(self, dotted: str) -> Iterable[Import] | None:
        """Return the import that a name needs, nothing for a builtin; ``None`` where there is no public one."""
        root, dot, _ = dotted.partition(".")
        if hasattr(builtins, root):
            return ()
        found = self._imports.get(root)
        if found is None:
            found = self._at_run_time(root) or (Import(root) if dot and root in sys.modules else None)
        if found is None or (found.module == "typing" and found.name in _OLD_SPELLINGS):
            return None
        if found.module == "typing" and hasattr(collections.abc, found.name or ""):
            found = found._replace(module="collections.abc")
        return (found,) if _is_public(found) else self._exported_by_host(root)

    def _at_run_time(self, name: str) -> Import | None:
        """Return how a name can be imported that the module has without importing it by that name."""
        value: Any = getattr(self._module, name, None)
        if value is None:
            # Objects are shown with the module that they are from, those of `typing` without.
            return Import("typing", name) if name in _OF_TYPING else None
        home, qualified = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
        return Import(home, name) if isinstance(home, str) and qualified == name else None

    def _exported_by_host(self, name: str) -> Iterable[Import] | None:
        """Return the import of what the host defines in private and exports from its package."""
        package = sys.modules.get(self._host)
        exported = getattr(package, name, None)
        if exported is None or exported is not getattr(self._module, name, None):
            return None
        return (Import(self._host, name),)


def _is_public(found: Import) -> bool:
    return not any(part.startswith("_") for part in (*found.module.split("."), found.name or ""))


def _imports(module: Any) -> Iterator[tuple[str, Import]]:
    """Yield what the module imports, also for type checkers only, by the names that it has there."""
    try:
        tree = ast.parse(inspect.getsource(module))
    except (OSError, TypeError, SyntaxError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                name = alias.asname or alias.name.partition(".")[0]
                yield name, Import(alias.name, None, alias.asname)
        elif isinstance(node, ast.ImportFrom):
            package = str(module.__package__ or "").split(".")
            base = package[: len(package) - node.level + 1] if node.level else []
            home = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                yield alias.asname or alias.name, Import(home, alias.name, alias.asname)


def _roots(tree: ast.expr) -> set[str] | None:
    """Return the dotted names in an annotation; ``None`` where it quotes some, since linters look into quotes."""
    found: set[str] = set()
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.Name, ast.Attribute)):
            found.add(ast.unparse(node))
        elif isinstance(node, ast.Subscript) and ast.unparse(node.value).rpartition(".")[2] == "Literal":
            waiting.append(node.value)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            return None
        else:
            waiting += ast.iter_child_nodes(node)
    return found


def _words(tree: ast.expr) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant):
            yield repr(node.value)
        elif isinstance(node, (ast.Name, ast.Attribute)):
            yield ast.unparse(node).rpartition(".")[2]


def double_quoted(code: str) -> str:
    """Return code whose plain strings stand in double quotes, as formatters write them."""
    out: list[str] = []
    end = 0
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        if token.type == tokenize.STRING and token.string[0] == "'" and not {'"', "\\"} & set(token.string):
            start, stop = token.start[1], token.end[1]
            out += [code[end:start], '"', token.string[1:-1], '"']
            end = stop
    return "".join(out) + code[end:]


def import_block(imports: Iterable[Import], package: str) -> list[str]:
    """Return import statements in the order in which linters sort them."""
    sections: dict[int, list[str]] = {}
    plain = sorted({found for found in imports if found.name is None}, key=lambda found: found.module.lower())
    for found in plain:
        alias = f" as {found.alias}" if found.alias else ""
        sections.setdefault(_section(found.module, package), []).append(f"import {found.module}{alias}")
    members: dict[str, set[str]] = {}
    for found in imports:
        if found.name is not None:
            alias = f" as {found.alias}" if found.alias else ""
            members.setdefault(found.module, set()).add(f"{found.name}{alias}")
    for module in sorted(members, key=str.lower):
        names = ", ".join(sorted(members[module], key=_member_order))
        sections.setdefault(_section(module, package), []).append(f"from {module} import {names}")
    lines: list[str] = []
    for section in sorted(sections):
        lines += ["", *sections[section]] if lines else sections[section]
    return lines


def _section(module: str, package: str) -> int:
    top = module.partition(".")[0]
    return 0 if top in sys.stdlib_module_names else 2 if top == package else 1


def _member_order(name: str) -> tuple[int, str]:
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2
    return kind, name.lower()
