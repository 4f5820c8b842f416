"""The command line: which backends there are, whether one keeps its contract, and what would run.

Exit codes are for CI: 0 if all is well, 1 if problems were found, 2 if the command itself was wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import warnings
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from scverse_backends._inside import HostError, did_you_mean, dispatchers_of, suggestions
from scverse_backends.exceptions import BackendError, BackendWarning
from scverse_backends.testing import check_backend

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from scverse_backends import BackendDispatcher

_FINE, _PROBLEMS, _USAGE = 0, 1, 2

_COLOURS: Final = {
    "error": "31",
    "failed": "31",
    "warning": "33",
    "refused": "33",
    "not installed": "33",
    "note": "36",
    "available": "32",
}
_SEVERITIES: Final = re.compile("^(?:error|warning|note)(?= )", re.MULTILINE)
_STATES: Final = re.compile("(?<=  )(?:available|failed|refused|not installed)(?=  )")

_DESCRIPTION: Final = """\
Look at the backends of a host library: a package whose functions can run on other packages.

Examples:
  scverse-backends list example_host
  scverse-backends check example_host my_backend
  scverse-backends explain example_host compute_score --backend cuda
"""
_EXIT_CODES: Final = "Exit codes: 0 all is well, 1 problems were found, 2 the command itself was wrong."


class _UsageError(Exception):
    """The command cannot be carried out as it was given."""


class _Answer(NamedTuple):
    """What a command comes to: its exit code, what it shows, and the words that have a colour on a terminal."""

    code: int
    text: str
    coloured: re.Pattern[str] | None = None


type _Command = Callable[[BackendDispatcher, argparse.Namespace], _Answer]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    argv
        The arguments, by default those of the process.

    Raises
    ------
    SystemExit
        As :mod:`argparse` does for ``--help`` and for arguments that it cannot parse (with code 2).

    Examples
    --------
    >>> from scverse_backends._cli import main
    >>> main(["list", "no_such_host"])
    2
    """
    arguments = _parser().parse_args(argv)
    run: _Command = arguments.run
    try:
        # What a host or an adapter prints while it is imported is no part of the answer, which programs may read.
        with redirect_stdout(sys.stderr), warnings.catch_warnings():
            # What they say stands in the output.
            warnings.simplefilter("ignore", BackendWarning)
            answer = run(_dispatcher(arguments.host, arguments.dispatcher), arguments)
    except (_UsageError, HostError, BackendError) as error:
        print(f"scverse-backends: {error}", file=sys.stderr)
        return _USAGE
    try:
        text = answer.text if answer.coloured is None else _coloured(answer.text, answer.coloured)
        print(_encodable(text), flush=True)
    except BrokenPipeError:
        # Who reads has seen enough. Python would complain once more when it closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return answer.code


def _dispatcher(host: str, name: str | None) -> BackendDispatcher:
    """Return the dispatcher that a host creates, or the one of several that bears a name."""
    found = dispatchers_of(host)
    names = [dispatcher.host_name for dispatcher in found]
    if name is not None:
        if name not in names:
            raise _UsageError(f"{host} creates no dispatcher with host_name={name!r}, but {', '.join(names)}.")
        return found[names.index(name)]
    if len(found) > 1:
        print(
            f"scverse-backends: {host} creates several dispatchers: {', '.join(names)}. This is {names[0]}; "
            f"choose with --dispatcher.",
            file=sys.stderr,
        )
    return found[0]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scverse-backends",
        description=_DESCRIPTION,
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("host", metavar="HOST", help="importable name of the host library, example_host for instance")
    common.add_argument("--json", action="store_true", help="print JSON for programs")
    common.add_argument("--dispatcher", metavar="NAME", help="its host_name, where HOST creates several dispatchers")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def add(name: str, run: _Command, text: str) -> Any:
        command = commands.add_parser(
            name, parents=[common], help=text, description=f"{text[0].upper()}{text[1:]}.", epilog=_EXIT_CODES
        )
        command.set_defaults(run=run)
        return command

    add("list", _list, "list the backends of a host, and why some cannot be used")
    check = add("check", _check, "hold a backend against the host's functions, without running any of it")
    check.add_argument("backend", metavar="BACKEND", help="name or alias of an installed backend")
    explain = add("explain", _explain, "say which implementation of a function would run now, and why")
    explain.add_argument("function", metavar="FUNCTION", help="name of a function of the host")
    explain.add_argument("--backend", help="as the call would say it, several names separated by commas")
    return parser


# -- the commands ------------------------------------------------------------------------------------------------------


def _list(dispatcher: BackendDispatcher, arguments: argparse.Namespace) -> _Answer:
    table = dispatcher.backends()
    code = _PROBLEMS if any(info.state == "failed" for info in table) else _FINE
    if arguments.json:
        return _Answer(code, _json([_info(info) for info in table]))
    return _Answer(code, str(table), _STATES)


def _info(info: Any) -> Mapping[str, object]:
    fields = {field: getattr(info, field) for field in info.__match_args__}
    error = fields["error"]
    fields["error"] = None if error is None else f"{type(error).__name__}: {error}"
    return fields


def _check(dispatcher: BackendDispatcher, arguments: argparse.Namespace) -> _Answer:
    report = check_backend(dispatcher, arguments.backend)
    code = _FINE if report.ok else _PROBLEMS
    if not arguments.json:
        traceback = f"\n\n{report.traceback.rstrip()}" if report.traceback else ""
        return _Answer(code, f"{report}{traceback}", _SEVERITIES)
    fields = {
        "host": report.host,
        "backend": report.backend,
        "distribution": report.distribution,
        "version": report.version,
        "ok": report.ok,
        "problems": [{field: getattr(problem, field) for field in problem.__match_args__} for problem in report],
        "traceback": report.traceback,
    }
    return _Answer(code, _json(fields))


def _explain(dispatcher: BackendDispatcher, arguments: argparse.Namespace) -> _Answer:
    functions = dispatcher.functions()
    name = arguments.function.rpartition(".")[2]
    # Backends may know a function by another name than the host's users do.
    functions = {**{getattr(function, "__name__", key): function for key, function in functions.items()}, **functions}
    if name not in functions:
        known = ", ".join(functions) or "none at all"
        likely = did_you_mean(suggestions(name, functions))
        raise _UsageError(f"{dispatcher.host_name} dispatches no function {name!r}.{likely} It dispatches: {known}.")
    backend = arguments.backend
    if backend is not None and "," in backend:
        backend = [part.strip() for part in backend.split(",") if part.strip()]
    explanation = dispatcher.explain(functions[name], backend)
    code = _FINE if explanation.executes is not None else _PROBLEMS
    if arguments.json:
        return _Answer(code, _json({field: getattr(explanation, field) for field in explanation.__match_args__}))
    return _Answer(code, str(explanation))


# -- printing ----------------------------------------------------------------------------------------------------------


def _json(value: object) -> str:
    return json.dumps(value, indent=2)


def _coloured(text: str, words: re.Pattern[str]) -> str:
    if (
        sys.stdout is not None
        and sys.stdout.isatty()
        and not os.environ.get("NO_COLOR")
        and os.environ.get("TERM") != "dumb"
    ):
        return words.sub(lambda found: f"\033[{_COLOURS[found[0]]}m{found[0]}\033[0m", text)
    return text


def _encodable(text: str) -> str:
    """Return text with what the terminal has no character for made visible, as Python does for errors."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)
