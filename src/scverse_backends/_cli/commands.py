"""What each command does: it takes the dispatchers of a host and what was typed, and returns an answer."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from scverse_backends._cli.output import SEVERITIES, STATES, Answer, as_json, say
from scverse_backends._inside.dispatchers import ambiguities, knowing
from scverse_backends._inside.words import INSTALL_IT, did_you_mean, suggestions
from scverse_backends._skeleton.names import SkeletonError
from scverse_backends._skeleton.package import skeleton, write
from scverse_backends.exceptions import BackendError, UnknownBackendError
from scverse_backends.testing import check_backend

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from scverse_backends import BackendDispatcher

    type Command = Callable[[Sequence[BackendDispatcher], argparse.Namespace], Answer]

FINE: Final = 0
PROBLEMS: Final = 1
USAGE: Final = 2


class UsageError(Exception):
    """The command cannot be carried out as it was given."""


def list_backends(dispatchers: Sequence[BackendDispatcher], arguments: argparse.Namespace) -> Answer:
    """List the backends of a host; fails where one cannot be loaded, or where the host itself is ambiguous."""
    dispatcher = _first(dispatchers, arguments)
    table = dispatcher.backends()
    doubled = ambiguities(dispatcher)
    code = PROBLEMS if doubled or any(info.state == "failed" for info in table) else FINE
    if arguments.json:
        for text in doubled:
            say(text)  # JSON is a list of the backends, and this is about the host.
        return Answer(code, as_json([_info(info) for info in table]))
    return Answer(code, "\n".join([str(table), *doubled]), STATES)


def _info(info: Any) -> Mapping[str, object]:
    fields = _fields(info)
    error = fields["error"]
    fields["error"] = None if error is None else f"{type(error).__name__}: {error}"
    return fields


def _fields(record: Any) -> dict[str, object]:
    return {field: getattr(record, field) for field in record.__match_args__}


def check(dispatchers: Sequence[BackendDispatcher], arguments: argparse.Namespace) -> Answer:
    """Hold a backend against the host's functions; fails for errors, with ``--strict`` for warnings too."""
    try:
        dispatcher = _first(knowing(dispatchers, arguments.backend), arguments)
        report = check_backend(dispatcher, arguments.backend)
    except UnknownBackendError as error:
        if not str(error).endswith(INSTALL_IT):
            raise  # It says already what is wrong with a package that is installed.
        advice = f"For the one in this folder: {sys.executable} -m pip install -e ."
        raise error.rewritten(f"{error} {advice}", source=error.source) from None
    except BackendError:
        raise
    except ValueError as error:
        raise UsageError(f"the host {arguments.host} contradicts itself: {error}") from error
    fails = report.counts["error"] or (arguments.strict and not report.ok)
    code = PROBLEMS if fails else FINE
    if not arguments.json:
        traceback = f"\n\n{report.traceback.rstrip()}" if report.traceback else ""
        return Answer(code, f"{report}{traceback}", SEVERITIES)
    fields = {
        "host": report.host,
        "backend": report.backend,
        "distribution": report.distribution,
        "version": report.version,
        "functions": report.functions,
        "ok": report.ok,
        "counts": report.counts,
        "problems": [_fields(problem) for problem in report],
        "traceback": report.traceback,
    }
    return Answer(code, as_json(fields))


def explain(dispatchers: Sequence[BackendDispatcher], arguments: argparse.Namespace) -> Answer:
    """Say what would run; fails where the call would raise."""
    asked = arguments.function.rpartition(".")[2]
    known = [(dispatcher, _by_both_names(dispatcher)) for dispatcher in dispatchers]
    having = [dispatcher for dispatcher, functions in known if asked in functions]
    if not having:
        hosts = ", ".join(dispatcher.host_name for dispatcher in dispatchers)
        every = [name for _, functions in known for name in functions]
        likely = did_you_mean(suggestions(asked, every))
        dispatched = ", ".join(dict.fromkeys(every)) or "none at all"
        raise UsageError(f"{hosts} dispatches no function {asked!r}.{likely} It dispatches: {dispatched}.")
    dispatcher = _first(having, arguments)
    backend = arguments.backend
    if backend is not None and "," in backend:
        backend = [part.strip() for part in backend.split(",") if part.strip()]
    explanation = dispatcher.explain(_by_both_names(dispatcher)[asked], backend)
    code = FINE if explanation.executes is not None else PROBLEMS
    return Answer(code, as_json(_fields(explanation)) if arguments.json else str(explanation))


def new(dispatchers: Sequence[BackendDispatcher], arguments: argparse.Namespace) -> Answer:
    """Write a backend package for somebody to fill in."""
    dispatcher = _first(dispatchers, arguments)
    host = arguments.host
    try:
        made = skeleton(dispatcher, host, arguments.name, arguments.functions)
        folder = Path(arguments.into or made.names.distribution)
        write(made, folder)
    except SkeletonError as error:
        raise UsageError(str(error)) from error
    names = made.names
    commands = [
        *([] if folder == Path() else [f"cd {shlex.quote(str(folder))}"]),
        'python -m pip install -e ".[test]"',
        f"scverse-backends check {host} {names.backend}",
        "python -m pytest",
    ]
    source = f"src/{names.functions.replace('.', '/')}.py"
    if arguments.json:
        fields = {"folder": str(folder), "files": list(made.files), "functions": made.functions, "next": commands}
        return Answer(FINE, as_json({**names._asdict(), **fields}))
    lines = [f"A backend {names.backend!r} of {host} is in {folder}:"]
    lines += [f"  {path}" for path in made.files]
    lines += ["", "Now type:", *(f"  {command}" for command in commands), ""]
    lines += [f"Then write a function in {source}.", "README.md says how it goes on."]
    return Answer(FINE, "\n".join(lines))


def _by_both_names(dispatcher: BackendDispatcher) -> dict[str, Any]:
    """Return the host's functions by the names that its users know, and by those that backends know."""
    functions = dispatcher.functions()
    return {**{getattr(function, "__name__", key): function for key, function in functions.items()}, **functions}


# -- a host of several dispatchers -------------------------------------------------------------------------------------


def chosen(dispatchers: Sequence[BackendDispatcher], name: str | None) -> Sequence[BackendDispatcher]:
    """Return the dispatchers that are meant: the one of a name, or all of them where no name was typed.

    Raises
    ------
    UsageError
        If none bears the name.
    """
    if name is None:
        return dispatchers
    found = [dispatcher for dispatcher in dispatchers if dispatcher.host_name == name]
    if not found:
        names = _names(dispatchers)
        raise UsageError(f"No dispatcher has host_name={name!r}. Choose --dispatcher from: {names}.")
    return found


def _first(dispatchers: Sequence[BackendDispatcher], arguments: argparse.Namespace) -> BackendDispatcher:
    if len(dispatchers) > 1:
        say(
            f"{arguments.host} creates several dispatchers: {_names(dispatchers)}. "
            f"This is {dispatchers[0].host_name}; choose with --dispatcher."
        )
    return dispatchers[0]


def _names(dispatchers: Iterable[BackendDispatcher]) -> str:
    return ", ".join(dispatcher.host_name for dispatcher in dispatchers)
