"""The program ``scverse-backends``: parses what was typed, finds the host, runs a command, prints its answer."""

from __future__ import annotations

import argparse
import sys
import warnings
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any, Final

from scverse_backends import __version__
from scverse_backends._cli.commands import USAGE, UsageError, check, chosen, explain, list_backends, new
from scverse_backends._cli.output import say, show
from scverse_backends._inside.hosts import HostError, whole_host
from scverse_backends.exceptions import BackendError, BackendWarning

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scverse_backends._cli.commands import Command

_DESCRIPTION: Final = """\
Look at the backends of a host library: a package whose functions can run on other packages.

Examples:
  scverse-backends list example_host
  scverse-backends check example_host my_backend
  scverse-backends explain example_host compute_score --backend cuda
  scverse-backends new example_host my_backend --functions embed
"""
_EXIT_CODES: Final = "Exit codes: 0 all is well, 1 problems were found, 2 the command itself was wrong."


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
    >>> from scverse_backends._cli.main import main
    >>> main(["list", "no_such_host"])
    2
    """
    arguments = _parser().parse_args(argv)
    run: Command = arguments.run
    try:
        # What a host or an adapter prints while it is imported is no part of the answer, which programs may read.
        with redirect_stdout(sys.stderr), warnings.catch_warnings():
            # What they say stands in the output.
            warnings.simplefilter("ignore", BackendWarning)
            dispatchers, missing = whole_host(arguments.host)
            answer = run(chosen(dispatchers, arguments.dispatcher), arguments)
            for text in missing:
                say(text)
    except (UsageError, HostError, BackendError) as error:
        say(str(error))
        return USAGE
    show(answer)
    return answer.code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scverse-backends",
        description=_DESCRIPTION,
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("host", metavar="HOST", help="importable name of the host library, example_host for instance")
    common.add_argument("--json", action="store_true", help="print JSON for programs")
    common.add_argument("--dispatcher", metavar="NAME", help="its host_name, where HOST creates several dispatchers")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def add(name: str, run: Command, text: str) -> Any:
        command = commands.add_parser(
            name, parents=[common], help=text, description=f"{text[0].upper()}{text[1:]}.", epilog=_EXIT_CODES
        )
        command.set_defaults(run=run)
        return command

    add("list", list_backends, "list the backends of a host, and why some cannot be used")
    checking = add("check", check, "hold a backend against the host's functions, without running any of it")
    checking.add_argument("backend", metavar="BACKEND", help="name or alias of an installed backend")
    checking.add_argument("--strict", action="store_true", help="let warnings be a reason to fail, too")
    explaining = add("explain", explain, "say which implementation of a function would run now, and why")
    explaining.add_argument("function", metavar="FUNCTION", help="name of a function of the host")
    explaining.add_argument("--backend", help="as the call would say it, several names separated by commas")
    making = add("new", new, "write a backend package that is complete but for the work, to be filled in")
    making.add_argument("name", metavar="NAME", help="name of the new backend, which users select it by")
    making.add_argument("--functions", metavar="F,G", help="the functions that you mean to write, by default all")
    making.add_argument("--into", metavar="DIR", help="the folder that becomes the package, by default one of its name")
    return parser
