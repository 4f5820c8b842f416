"""Section 7.5: the command line."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import scverse_backends
from scverse_backends._cli.main import main

NUMBER = itertools.count()

HOST = '''
from scverse_backends import BackendDispatcher

dispatcher = BackendDispatcher(
    entrypoint_group="{host}.backends",
    host_name="{host}",
    trusted_backends={{"gone": {{"package": "gone-dist"}}}},
)

@dispatcher.backend_dispatch
def double(x, *, scale=1):
    """Double."""
    return 2 * x * scale

@dispatcher.backend_dispatch
def triple(x):
    """Triple."""
    return 3 * x

class Good:
    name = "good"
    aliases = ["g"]

    def double(self, x, *, scale=1):
        raise AssertionError("Nothing is run.")

class Bad:
    name = "bad"

    def double(self, x, *, scale=2):
        raise AssertionError("Nothing is run.")

dispatcher.register(Good())
dispatcher.register(Bad())
'''

BROKEN = "raise ImportError('no libcuda')\n"


@pytest.fixture
def host(tmp_path, monkeypatch):
    """Write a host with a name of its own."""
    name = f"cli_host_{next(NUMBER)}"
    (tmp_path / f"{name}.py").write_text(HOST.format(host=name))
    monkeypatch.syspath_prepend(tmp_path)
    yield name
    sys.modules.pop(name, None)


@pytest.fixture
def broken(host, tmp_path):
    """Install a backend of the host that fails to load."""
    info = tmp_path / "broken_dist-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-dist\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(f"[{host}.backends]\nbroken = {host}_broken\n")
    (tmp_path / f"{host}_broken.py").write_text(BROKEN)
    return host


def test_list(host, capsys):
    assert main(["list", host]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[0] == f"Backends of {host}"
    assert "good" in out
    assert "pip install gone-dist" in out
    assert "\033" not in out


def test_list_shows_failures_and_says_so_in_its_exit_code(broken, capsys):
    assert main(["list", broken]) == 1
    assert "ImportError: no libcuda" in capsys.readouterr().out


def test_list_as_json(broken, capsys):
    assert main(["list", broken, "--json"]) == 1
    infos = {info["name"]: info for info in json.loads(capsys.readouterr().out)}
    assert infos["good"] == {
        "name": "good",
        "aliases": ["g"],
        "distribution": None,
        "version": None,
        "entry_point": None,
        "trusted": False,
        "reason": "the host does not list it as trusted",
        "state": "available",
        "error": None,
        "functions": ["double"],
    }
    assert infos["broken"]["error"] == "ImportError: no libcuda"
    assert (infos["broken"]["distribution"], infos["broken"]["version"]) == ("broken-dist", "1.2")
    assert infos["gone"]["state"] == "not installed"


def test_check(host, capsys):
    assert main(["check", host, "g"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert (lines[0], lines[-1]) == (f"{host}: backend 'good'", "1 function, 0 errors, 0 warnings, 1 note")
    assert main(["check", host, "g", "--strict"]) == 0
    capsys.readouterr()
    # Errors fail; with `--strict` warnings do, too.
    assert main(["check", host, "bad"]) == 0
    assert "\ndouble\n  warning  scale: Its default is 2 here and 1 in the host.\n" in capsys.readouterr().out
    assert main(["check", host, "bad", "--strict"]) == 1


def test_check_shows_the_traceback_of_a_failure(broken, capsys):
    assert main(["check", broken, "broken"]) == 1
    out = capsys.readouterr().out
    assert out.startswith(f"{broken}: backend 'broken' (broken-dist 1.2)\n")
    assert "\n0 functions, 1 error, 0 warnings, 0 notes\n" in out
    assert "Traceback (most recent call last):" in out
    assert out.endswith("ImportError: no libcuda\n")


def test_check_as_json(broken, capsys):
    assert main(["check", broken, "bad", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    problems = report.pop("problems")
    assert report == {
        "host": broken,
        "backend": "bad",
        "distribution": None,
        "version": None,
        "functions": ["double"],
        "ok": False,
        "counts": {"error": 0, "warning": 1, "note": 1},
        "traceback": "",
    }
    assert problems[0] == {
        "function": "double",
        "parameter": "scale",
        "severity": "warning",
        "message": "Its default is 2 here and 1 in the host.",
        "advice": "A call that leaves it out gives another result on this backend. Use the host's default.",
    }
    assert main(["check", broken, "broken", "--json"]) == 1
    assert "no libcuda" in json.loads(capsys.readouterr().out)["traceback"]


def test_explain(host, capsys):
    assert main(["explain", host, "double"]) == 0
    assert main(["explain", host, f"{host}.double", "--backend", "g"]) == 0
    assert main(["explain", host, "triple", "--backend", "good"]) == 0
    assert main(["explain", host, "double", "--backend", "gone, good"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("double: runs on cpu (requested: cpu, by default)")
    assert lines[1].startswith("double: runs on good (requested: good, by argument)")
    assert lines[2].startswith("triple: runs on cpu (requested: good, by argument)")
    assert lines[3].startswith("double: runs on good (requested: gone, good, by argument)")


def test_explain_what_would_raise(host, capsys):
    assert main(["explain", host, "double", "--backend", "gone"]) == 1
    out = capsys.readouterr().out
    assert "would raise" in out
    assert "pip install gone-dist" in out


@pytest.mark.parametrize(("backend", "shown"), [("", "''"), (",", "nothing"), ("no name", "'no name'")])
def test_explain_of_what_is_no_name(host, backend, shown, capsys):
    assert main(["explain", host, "double", "--backend", backend]) == 1
    assert f"would raise (requested: {shown}, by argument)" in capsys.readouterr().out


def test_explain_as_json(host, capsys):
    assert main(["explain", host, "double", "--backend", "good", "--json"]) == 0
    explanation = json.loads(capsys.readouterr().out)
    assert {field: explanation[field] for field in ("function", "requested", "source", "executes", "reason")} == {
        "function": "double",
        "requested": "good",
        "source": "argument",
        "executes": "good",
        "reason": "good: runs",
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["list", "no_such_host"], "cannot import 'no_such_host': ModuleNotFoundError"),
        (["list", "no-such-host"], "Did you mean 'no_such_host'?"),
        (["list", "json"], "importing 'json' creates no dispatcher"),
        (["check", "HOST", "goof"], "Unknown backend 'goof' for HOST. Did you mean 'good'?"),
        (["check", "HOST", "zzzzzz"], f"For the one in this folder: {sys.executable} -m pip install -e ."),
        (["check", "HOST", "gone"], "pip install gone-dist"),
        (["check", "HOST", "cpu"], "'cpu' is the host itself, which has no adapter to look at."),
        (["list", "..HOST"], "HOST is the name of a module as it stands after 'import', example_host for instance."),
        (["list", "HOST:dispatcher"], "for instance. Did you mean 'HOST'?"),
        (["list", "./src"], "HOST is the name of a module as it stands after 'import', example_host for instance.\n"),
        (["list", ""], "HOST is the name of a module"),
        (
            ["explain", "HOST", "duoble"],
            "HOST dispatches no function 'duoble'. Did you mean 'double'? It dispatches: double",
        ),
    ],
)
def test_wrong_commands(host, arguments, message, capsys):
    assert main([argument.replace("HOST", host) for argument in arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("scverse-backends: ")
    assert message.replace("HOST is", "%").replace("HOST", host).replace("%", "HOST is") in captured.err


@pytest.mark.parametrize("raised", ["SystemExit(0)", "SystemExit", "GeneratorExit", "BaseException('odd')"])
def test_a_host_that_ends_the_program_when_imported(raised, tmp_path, monkeypatch, capsys):
    (tmp_path / "cli_ending_host.py").write_text(f"raise {raised}\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert main(["list", "cli_ending_host"]) == 2
    assert "cannot import 'cli_ending_host': " in capsys.readouterr().err


def test_ctrl_c_ends_the_program(tmp_path, monkeypatch):
    (tmp_path / "cli_interrupted_host.py").write_text("raise KeyboardInterrupt\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        main(["list", "cli_interrupted_host"])


@pytest.mark.parametrize(
    "arguments", [["list", "HOST"], ["check", "HOST", "loud"], ["explain", "HOST", "double", "--backend", "loud"]]
)
def test_what_foreign_code_prints_is_no_part_of_the_answer(host, tmp_path, arguments, capsys):
    file = tmp_path / f"{host}.py"
    loud = f"\nprint('host')\nclass Loud(Good):\n    name, aliases = 'loud', []\n{LOUD}\ndispatcher.register(Loud())\n"
    file.write_text(file.read_text() + loud)
    main([argument.replace("HOST", host) for argument in [*arguments, "--json"]])
    captured = capsys.readouterr()
    assert json.loads(captured.out)
    assert "host\n" in captured.err
    assert "adapter\n" in captured.err


LOUD = """
    def __getattribute__(self, name):
        print("adapter")
        return object.__getattribute__(self, name)
"""


def test_a_host_without_functions(tmp_path, monkeypatch, capsys):
    (tmp_path / "cli_empty_host.py").write_text(
        "from scverse_backends import BackendDispatcher\n"
        "d = BackendDispatcher(entrypoint_group='cli_empty_host.backends', host_name='cli_empty_host')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert main(["explain", "cli_empty_host", "f"]) == 2
    assert "It dispatches: none at all." in capsys.readouterr().err
    assert main(["list", "cli_empty_host"]) == 0
    assert capsys.readouterr().out == "No backend of cli_empty_host is installed.\n"


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["list"], ["check", "x"], ["list", "x", "--jsno"]])
def test_unparsable_commands(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: scverse-backends" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["--help"], ["list", "--help"], ["check", "--help"], ["explain", "--help"], ["new", "--help"]]
)
def test_help(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 0
    out = capsys.readouterr().out
    assert "Exit codes: 0 all is well, 1 problems were found, 2 the command itself was wrong." in " ".join(out.split())
    if len(arguments) == 1:
        assert "scverse-backends check example_host my_backend" in out


# -- colours -----------------------------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def on_terminal(monkeypatch):
    """Make a function that runs a command on a terminal and returns what it shows."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")

    def show(*arguments):
        stream = Terminal()
        # Replaced here and not around the test, since pytest's own capture puts its streams there.
        with contextlib.redirect_stdout(stream):
            main(arguments)
        return stream.getvalue()

    return show


def test_colour_on_a_terminal(broken, on_terminal):
    assert "\n  \033[33mwarning\033[0m  scale: Its default" in on_terminal("check", broken, "bad")
    table = on_terminal("list", broken)
    assert "  \033[32mavailable\033[0m  " in table
    assert "  \033[31mfailed\033[0m  " in table


@pytest.mark.parametrize(("variable", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_never_where_it_is_not_wanted(host, on_terminal, monkeypatch, variable, value):
    monkeypatch.setenv(variable, value)
    assert "\033" not in on_terminal("check", host, "bad")
    assert "\033" not in on_terminal("list", host)


def test_json_is_never_coloured(host, on_terminal):
    assert json.loads(on_terminal("check", host, "bad", "--json"))["backend"] == "bad"


# -- as a program ------------------------------------------------------------------------------------------------------


def run(*arguments, folder, **variables):
    environment = {
        **os.environ,
        **variables,
        "PYTHONPATH": os.pathsep.join([str(folder), str(Path(scverse_backends.__file__).parents[1])]),
    }
    command = [sys.executable, "-m", "scverse_backends", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_as_a_program(broken, tmp_path):
    result = run("check", broken, "good", folder=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    result = run("list", broken, "--json", folder=tmp_path)
    assert (result.returncode, result.stderr) == (1, "")
    assert {info["name"] for info in json.loads(result.stdout)} == {"bad", "broken", "gone", "good"}
    result = run("explain", broken, "nothing", folder=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert run("--help", folder=tmp_path).stdout.startswith("usage: scverse-backends")
    assert f"{broken}_broken" not in sys.modules


def test_python_dash_m_is_the_command(host, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["scverse-backends", "list", host])
    with pytest.raises(SystemExit) as caught:
        runpy.run_module("scverse_backends", run_name="__main__")
    assert caught.value.code == 0
    assert "Backends of" in capsys.readouterr().out
    namespace = runpy.run_module("scverse_backends.__main__", run_name="imported")
    assert namespace["main"] is main


SEVERAL = """
from scverse_backends import BackendDispatcher

a = BackendDispatcher(entrypoint_group="{host}.a", host_name="{host}_a")
b = BackendDispatcher(entrypoint_group="{host}.b", host_name="{host}_b")

@b.backend_dispatch(name="sum_up")
def total(x): ...
"""


@pytest.fixture
def several(tmp_path, monkeypatch):
    name = f"cli_several_{next(NUMBER)}"
    (tmp_path / f"{name}.py").write_text(SEVERAL.format(host=name), encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    return name


def test_a_host_of_several_dispatchers(several, capsys):
    assert main(["list", several]) == 0
    shown = capsys.readouterr()
    assert shown.out.startswith(f"No backend of {several}_a is installed.")
    assert f"{several} creates several dispatchers: {several}_a, {several}_b. This is {several}_a" in shown.err
    assert main(["list", several, "--dispatcher", f"{several}_b"]) == 0
    shown = capsys.readouterr()
    assert (shown.out.startswith(f"No backend of {several}_b"), shown.err) == (True, "")
    assert main(["list", several, "--dispatcher", "c"]) == 2
    assert f"Choose --dispatcher from: {several}_a, {several}_b." in capsys.readouterr().err


@pytest.mark.parametrize("function", ["total", "sum_up"])
def test_explain_takes_both_names_of_a_function(several, function, capsys):
    assert main(["explain", several, function, "--dispatcher", f"{several}_b"]) == 0
    assert capsys.readouterr().out.startswith("total: runs on cpu")


def test_a_reader_that_has_seen_enough(host, tmp_path):
    command = [sys.executable, "-m", "scverse_backends", "list", host, "--json"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    read, write = os.pipe()
    os.close(read)
    ended = subprocess.run(command, check=False, stdout=write, stderr=subprocess.PIPE, env=environment, text=True)
    os.close(write)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_what_a_terminal_has_no_character_for_is_made_visible(tmp_path):
    tmp_path.joinpath("cli_umlaut.py").write_text(HOST.format(host="hôte"), "utf-8")
    result = run("list", "cli_umlaut", folder=tmp_path, PYTHONIOENCODING="ascii")
    assert (result.returncode, result.stderr) == (0, "")
    assert "h\\xf4te" in result.stdout


def test_without_a_standard_output_the_exit_code_answers(host, monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    assert main(["list", host]) == 0


def test_a_module_that_takes_its_dispatcher_from_elsewhere(host, tmp_path, capsys):
    tmp_path.joinpath("cli_reexporting.py").write_text(f"from {host} import dispatcher\n")
    assert main(["list", "cli_reexporting"]) == 2
    assert "Hosts that are loaded: " in capsys.readouterr().err
