"""One frame of ours between a caller and what runs, on every way that a call can take; and warnings pass over it.

Everything runs in a fresh process: what coverage measures here keeps its file's own name (see ``conftest.py``), and the
frames are those that users have.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import scverse_backends
from scverse_backends._foundation.unseen import FILE

HOST = '''
import sys, warnings
from scverse_backends import BackendDispatcher

dispatcher = BackendDispatcher(entrypoint_group="framed.backends", host_name="framed", untrusted="allow")
settings = dispatcher.settings
seen = []


def note(who):
    """Note the frames between the caller and the body, and warn as the body's author would."""
    frame, between = sys._getframe(2), []
    while frame is not None and not frame.f_code.co_filename.endswith("user.py"):
        between.append((frame.f_code.co_filename, bool(frame.f_locals.get("__tracebackhide__"))))
        frame = frame.f_back
    seen.append((who, between))
    warnings.warn("two levels up", DeprecationWarning, stacklevel=3)
    # Shorter than the names of the files: CPython takes no whole name for a prefix.
    warnings.warn("outside", FutureWarning, skip_file_prefixes=(__file__.removesuffix("ramed.py"),))


@dispatcher.backend_dispatch
def plain(x, *, n=1):
    note("host")
    return x

@dispatcher.backend_dispatch
def lacking(x):
    note("host")
    return x

@dispatcher.backend_dispatch(own_backend="engine", own_backend_values=("loky",))
def owned(x, backend="loky"):
    note("host")
    return x

@dispatcher.backend_dispatch
def steps(x):
    note("host")
    yield x
    note("host")

@dispatcher.backend_dispatch
async def later(x):
    note("host")
    return x

@dispatcher.backend_dispatch
async def stream(x):
    note("host")
    yield x

@dispatcher.backend_class
class Model:
    def __init__(self, x):
        note("host")
'''

FAST = """
from framed import note
name = "fast"

def plain(x):
    note("fast")
    return x

owned = plain

def steps(x):
    note("fast")
    yield x
    note("fast")

async def later(x):
    note("fast")
    return x

async def stream(x):
    note("fast")
    yield x

class Model:
    def __init__(self, x):
        note("fast")

def declining(x):
    note("fast")
"""

# Each line is one way: a name, the implementation that runs, and an expression. `run` drives what runs in steps.
WAYS = """
host, nothing selected: host: f.plain(1)
host, nothing selected, again: host: f.plain(1)
class, nothing selected: host: f.Model(1)
generator, nothing selected: host: list(f.steps(1))
coroutine, nothing selected: host: asyncio.run(f.later(1))
async generator, nothing selected: host: asyncio.run(collect(f.stream(1)))
own backend, nothing selected: host: f.owned(1)
host, cpu, first: host: f.plain(1, backend="cpu")
host, cpu, kept: host: f.plain(1, backend="cpu")
class, cpu: host: f.Model(1, backend="cpu")
backend, first: fast: f.plain(1, backend="fast")
backend, kept: fast: f.plain(1, backend="fast")
backend, an argument dropped: fast: dropping(lambda: f.plain(1, n=2, backend="fast"))
backend, order: fast: f.plain(1, backend=["fast", "cpu"])
host, listed: host: f.lacking(1, backend=["fast", "cpu"])
host, fallback: host: silent(lambda: f.lacking(1, backend="fast"))
host, cpu, after a selection: host: f.plain(1, backend="cpu")
host, after a selection: host: f.plain(1)
class, backend: fast: f.Model(1, backend="fast")
class, after a selection: host: f.Model(1)
generator, backend: fast: list(f.steps(1, backend="fast"))
coroutine, backend: fast: asyncio.run(f.later(1, backend="fast"))
async generator, backend: fast: asyncio.run(collect(f.stream(1, backend="fast")))
own backend, new name: host: f.owned(1, engine="threading")
own backend, old value: host: dropping(lambda: f.owned(1, backend="loky"))
own backend, backend: fast: dropping(lambda: f.owned(1, engine="threading", backend="fast"))
scope: fast: scoped(lambda: f.plain(1))
scope, kept: fast: scoped(lambda: f.plain(1))
scope, class: fast: scoped(lambda: f.Model(1))
scope, generator: fast: scoped(lambda: list(f.steps(1)))
scope of cpu: host: scoped(lambda: f.plain(1), "cpu")
setting, first: fast: setting(lambda: f.plain(1))
setting, kept: fast: setting(lambda: f.plain(1))
traced, host: host: traced(lambda: f.plain(1))
traced, backend: fast: traced(lambda: f.plain(1, backend="fast"))
traced, fallback: host: traced(lambda: silent(lambda: f.lacking(1, backend="fast")))
traced, class: fast: traced(lambda: f.Model(1, backend="fast"))
traced, generator: fast: traced(lambda: list(f.steps(1, backend="fast")))
traced, coroutine: fast: traced(lambda: asyncio.run(f.later(1, backend="fast")))
"""

USER = """
import asyncio, json, sys, warnings
import framed as f

def dropping(call):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*(no effect|deprecated)")
        return call()

def silent(call):
    with f.settings.use_backend(None, fallback="silent"):
        return call()

def scoped(call, name="fast"):
    with f.settings.use_backend(name):
        return call()

def setting(call):
    f.settings.backend = "fast"
    try:
        return call()
    finally:
        del f.settings.backend

def traced(call):
    with f.settings.trace():
        return call()

async def collect(values):
    return [value async for value in values]

import fast
f.dispatcher.register(fast)

def warned(call):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    return sorted({(str(w.message), w.filename) for w in caught})

# Where the warnings of the same bodies stand without us.
later, stream = f.later.__wrapped__, f.stream.__wrapped__
undecorated = {
    "coroutine": warned(lambda: asyncio.run(later(1))),
    "async generator": warned(lambda: asyncio.run(collect(stream(1)))),
}
found = {}
for line in WAYS.strip().splitlines():
    name, who, expression = line.split(": ", 2)
    f.seen.clear()
    where = warned(lambda: eval(compile(expression, __file__, "eval")))
    found[name] = {
        "who": [one for one, _ in f.seen],
        "wanted": who,
        "between": [between for _, between in f.seen],
        "warned": where,
    }
print(json.dumps([found, undecorated]))
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("frames")
    for name, text in {"framed.py": HOST, "fast.py": FAST}.items():
        (folder / name).write_text(text)

    def run(program):
        user = folder / "user.py"
        user.write_text(f"import sys; sys.path[:0] = [{str(Path(scverse_backends.__file__).parents[1])!r}]\n" + program)
        return subprocess.run(
            [sys.executable, str(user)], capture_output=True, text=True, cwd=folder, check=False, timeout=120
        )

    return run


@pytest.fixture(scope="module")
def ways(run):
    result = run(f"WAYS = {WAYS!r}\n{USER}")
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


NAMES = [line.partition(": ")[0] for line in WAYS.strip().splitlines()]


@pytest.mark.parametrize("way", NAMES)
def test_one_hidden_frame_of_ours_stands_in_between(ways, way):  # 4.14
    found = ways[0][way]
    assert set(found["who"]) == {found["wanted"]}
    for between in found["between"]:
        ours = [(file, hidden) for file, hidden in between if "scverse_backends" in file]
        # Its name stands for no file, so that no tool shows source for it.
        assert ours == [(FILE, True)]
        # The frames of the event loop aside, nothing else is in between.
        assert [file for file, _ in between if file != FILE and "asyncio" not in file] == []


@pytest.mark.parametrize("way", NAMES)
def test_warnings_of_the_body_stand_where_they_would_undecorated(ways, way):  # 4.5
    found, undecorated = ways
    kind = next((kind for kind in ("async generator", "coroutine") if kind in way), None)
    if kind is not None:
        assert found[way]["warned"] == undecorated[kind]
    else:
        files = {(message, Path(file).name) for message, file in found[way]["warned"]}
        assert files == {("two levels up", "user.py"), ("outside", "user.py")}


def test_a_plain_traceback_shows_one_line_of_ours_without_source(run):  # 4.14
    result = run("import framed\nframed.plain(1, backend='nope')\n")
    assert result.returncode == 1
    lines = result.stderr.splitlines()
    ours = [index for index, line in enumerate(lines) if FILE in line]
    assert len(ours) == 1
    assert lines[ours[0] + 1].startswith("scverse_backends.exceptions.UnknownBackendError: Unknown backend 'nope'")
    assert len(lines) <= 6


def test_deprecations_of_a_host_are_shown_to_who_calls_it_from_main(run):  # 4.5
    # Python shows a DeprecationWarning by default where it stands in ``__main__``, and nowhere else.
    result = run("import framed\nframed.plain(1)\n")
    assert "DeprecationWarning: two levels up" in result.stderr
