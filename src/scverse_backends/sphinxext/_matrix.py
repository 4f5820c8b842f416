"""The directive ``backend-matrix``: which backend implements which function of a host, with which options."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, ClassVar, Final

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx import addnodes
from sphinx.util.docutils import SphinxDirective

from scverse_backends._inside.hosts import HostError
from scverse_backends._inside.offered import implemented
from scverse_backends._inside.words import describe_error, suggestions
from scverse_backends.sphinxext._discover import discover

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

    from scverse_backends import BackendDispatcher
    from scverse_backends._inside.offered import BackendInfo

    Options = Mapping[str, tuple[str, ...] | None]
    """The options that each backend of one function adds; ``None`` where they could not be read."""

_OURS: Final = "backend_matrix"
_YES, _UNREAD, _UNKNOWN = "✓", "✓ *", "?"
_HERE: Final = "on the machine that built this page"


class BackendMatrix(SphinxDirective):
    """``.. backend-matrix:: example_host`` draws a table of the host's functions and its installed backends.

    ``:backends: fast, jax`` shows these backends only, in this order. ``:implemented:`` leaves out the functions that
    none of them implements.
    """

    required_arguments = 1
    option_spec: ClassVar[dict[str, Callable[[str], Any]] | None] = {
        "backends": directives.unchanged_required,
        "implemented": directives.flag,
    }

    def run(self) -> list[nodes.Node]:
        """Return the table, and what has to be said below it."""
        host = self.arguments[0]
        # What is installed may change without any change in the page.
        self.env.note_reread()
        try:
            dispatchers = discover(host)
        except HostError as error:
            raise self.error(f"backend-matrix: {error}") from error
        drawn: list[nodes.Node] = []
        for dispatcher in dispatchers:
            drawn += self._drawn(dispatcher, host)
        return drawn

    def _drawn(self, dispatcher: BackendDispatcher, host: str) -> list[nodes.Node]:
        infos = [info for info in dispatcher.backends() if info.state != "refused"]
        columns = [info for info in self._chosen(infos) if info.state != "not installed"]
        missing = [info for info in self._chosen(infos) if info.state == "not installed"]
        names = [info.name for info in columns]
        rows = {
            _public_path(function, host): options
            for key, options in implemented(dispatcher).items()
            for function in [dispatcher.functions()[key]]
            if "implemented" not in self.options or any(name in options for name in names)
        }
        drawn: list[nodes.Node] = [self._table(host, columns, dict(sorted(rows.items())))] if columns else []
        return drawn + _notes(dispatcher, columns, missing, rows)

    def _chosen(self, infos: Sequence[BackendInfo]) -> list[BackendInfo]:
        if "backends" not in self.options:
            return list(infos)
        chosen: list[BackendInfo] = []
        for name in (part.strip() for part in self.options["backends"].split(",")):
            found = [info for info in infos if name in (info.name, *info.aliases)]
            if not found:
                likely = suggestions(name, [info.name for info in infos])
                hint = f" Did you mean {likely[0]!r}?" if likely else ""
                known = ", ".join(repr(info.name) for info in infos) or "none"
                raise self.error(f"backend-matrix: there is no backend {name!r} here.{hint} There are: {known}.")
            chosen += found
        return chosen

    def _table(self, host: str, columns: Sequence[BackendInfo], rows: Mapping[str, Options]) -> nodes.table:
        group = nodes.tgroup(cols=1 + len(columns))
        group += [nodes.colspec(colwidth=1) for _ in range(1 + len(columns))]
        head = nodes.row()
        head += _entry([nodes.Text("function")])
        head += [_entry([nodes.literal("", info.name), nodes.Text(f" {_provider(info)}")]) for info in columns]
        group += nodes.thead("", head)
        body = nodes.tbody()
        for path, options in rows.items():
            row = nodes.row()
            row += _entry([_reference(path, host)])
            row += [_cell(info, options) for info in columns]
            body += row
        group += body
        return nodes.table("", group, classes=["backend-matrix"])


# Napoleon takes each word of the type of ``backend`` for a class.
_WORDS_OF_OUR_ENTRY = frozenset({"sequence", "default: None"})


def keep_unresolved(_app: Sphinx, _env: BuildEnvironment, node: addnodes.pending_xref, content: Any) -> Any:
    """Leave without a link, as no mistake, functions that have no page and the words of our entry that are no types."""
    return content if node.get(_OURS) or node.get("reftarget") in _WORDS_OF_OUR_ENTRY else None


def _public_path(function: Any, host: str) -> str:
    """Return the shortest path under which the host's modules show a function, ``example_host.tl.umap`` say."""
    name = getattr(function, "__qualname__", "")
    package = host.partition(".")[0]
    found = [
        f"{module}.{name}"
        for module, content in list(sys.modules.items())
        if (module == package or module.startswith(f"{package}."))
        and not any(part.startswith("_") for part in module.split("."))
        and getattr(content, "__dict__", {}).get(name) is function
    ]
    found.sort(key=lambda path: (path.count("."), path))
    return found[0] if found else f"{getattr(function, '__module__', host)}.{name}"


def _reference(path: str, host: str) -> addnodes.pending_xref:
    shown = path.removeprefix(f"{host.partition('.')[0]}.")
    reference = addnodes.pending_xref("", refdomain="py", reftype="obj", reftarget=path, refexplicit=True)
    reference[_OURS] = True
    reference += nodes.literal("", shown, classes=["xref", "py", "py-obj"])
    return reference


def _provider(info: BackendInfo) -> str:
    return " ".join(part for part in (info.distribution, info.version) if part)


def _entry(inline: Sequence[nodes.Node]) -> nodes.entry:
    return nodes.entry("", nodes.paragraph("", "", *inline))


def _cell(info: BackendInfo, options: Options) -> nodes.entry:
    if info.state != "available":
        return _entry([nodes.Text(_UNKNOWN)])
    if info.name not in options:
        return _entry([])
    found = options[info.name]
    if found is None:
        return _entry([nodes.Text(_UNREAD)])
    shown: list[nodes.Node] = [nodes.Text(_YES)]
    for index, option in enumerate(found):
        shown += [nodes.Text(", " if index else " "), nodes.literal("", option)]
    return _entry(shown)


def _notes(
    dispatcher: BackendDispatcher,
    columns: Sequence[BackendInfo],
    missing: Sequence[BackendInfo],
    rows: Mapping[str, Options],
) -> list[nodes.Node]:
    """Return the sentences below the table."""
    notes: list[nodes.Node] = []

    def say(*parts: str | nodes.Node) -> None:
        inline = [nodes.Text(part) if isinstance(part, str) else part for part in parts]
        notes.append(nodes.paragraph("", "", *inline, classes=["backend-matrix-note"]))

    if any(options.get(info.name, ()) is None for options in rows.values() for info in columns):
        say(f"* The options could not be read {_HERE}.")
    for info in columns:
        if info.state != "available":
            why = describe_error(info.error) if info.error is not None else info.reason or info.state
            say("? ", nodes.literal("", info.name), f" could not be loaded {_HERE}: {why}.")
    for info in missing:
        command = [" Install it with ", nodes.literal("", f"pip install {info.distribution}"), "."]
        say(nodes.literal("", info.name), f" was not installed {_HERE}.", *(command if info.distribution else ()))
    if not columns and not missing:
        say(f"No backend of {dispatcher.host_name} was installed {_HERE}.")
    return notes
