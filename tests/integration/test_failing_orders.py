"""A preference order whose first backend cannot be imported: who pays for the import, and when again (1.9)."""

from __future__ import annotations

import pytest

# Every attempt is counted. Importing works once the file "repaired" is there, as when a driver was installed.
FAILING = """
import os
with open(os.environ["IMPORTS"], "a") as file:
    file.write("slow\\n")
if not os.path.exists(os.path.join(os.path.dirname(os.environ["IMPORTS"]), "repaired")):
    raise ImportError("libcuda.so.12 cannot be opened")
name = "slow"
def double(x, *, scale=1): return ("slow", x)
"""
# The adapter itself is cheap here, and each of its functions costs an import.
LAZY = """
import importlib
name = "slow"
__all__ = ["double", "triple"]
def __getattr__(attribute):
    if attribute in __all__:
        return getattr(importlib.import_module("slow_implementation"), attribute)
    raise AttributeError(attribute)
"""
PROGRAM = """
import os, pathlib, sys, warnings
import hosted
from hosted import settings
warnings.simplefilter("ignore")
folder = pathlib.Path(os.environ["IMPORTS"]).parent
repair = lambda: (folder / "repaired").write_text("")

def imports():
    path = pathlib.Path(os.environ["IMPORTS"])
    return path.read_text().split().count("slow") if path.exists() else 0

def install(name):
    information = pathlib.Path(hosted.__file__).parent / f"{name}-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(f"Name: {name}\\nVersion: 1.0\\n")

def attempt(*, backend):
    try:
        return hosted.double(1, backend=backend)
    except ImportError as error:
        return type(error).__name__

ORDER = ["slow", "cpu"]
CPU = ("cpu", 2)
first = [hosted.double(1, backend=ORDER), imports()]
assert first == [CPU, 1], first
"""


@pytest.fixture(params=["eager", "lazy"])
def slow(request, site):
    if request.param == "eager":
        modules = {"slow_backend.py": FAILING}
    else:
        modules = {"slow_backend.py": LAZY, "slow_implementation.py": FAILING}
    site.install("slow-distribution", modules=modules, entry_points={"slow": "slow_backend"})
    return site


def test_calls_scopes_and_selections_do_not_pay_again(slow):
    program = (
        PROGRAM
        + """
for _ in range(3):
    assert hosted.double(1, backend=ORDER) == hosted.double(1, backend=("slow", "cpu")) == CPU
    with settings.use_backend(ORDER):
        assert hosted.double(1) == CPU
        bound = settings.bind(hosted.double)
    assert bound(1) == CPU
    settings.backend = ORDER
    assert hosted.double(1) == CPU
    assert settings.explain(hosted.double).executes == "cpu"
    assert settings.explain(hosted.double, ORDER).executes == "cpu"
    del settings.backend
# A program may write its results where its modules are.
(pathlib.Path(hosted.__file__).parent / "results.txt").write_text("")
assert hosted.double(1, backend=ORDER) == CPU
report(imports())
"""
    )
    assert slow.run(program) == 1


def test_the_name_alone_pays_and_nobody_after_it(slow):
    program = (
        PROGRAM
        + """
found = []
for backend in ("slow", ORDER, "slow", ORDER, ORDER):
    found.append([attempt(backend=backend), imports()])
repair()
for backend in (ORDER, "slow", ORDER):
    found.append([attempt(backend=backend), imports()])
report(found)
"""
    )
    cpu = ["cpu", 2]
    assert slow.run(program) == [
        ["BackendLoadError", 2],
        [cpu, 2],
        ["BackendLoadError", 3],
        [cpu, 3],
        [cpu, 3],
        [cpu, 3],
        [["slow", 1], 4],
        [["slow", 1], 4],
    ]


LISTINGS = [
    "dispatcher.discover()",
    "dispatcher.available_backend_names()",
    "settings.available_backends()",
    "settings.backends()",
]


@pytest.mark.parametrize("listing", LISTINGS)
def test_a_listing_gives_another_chance(slow, listing):
    program = (
        PROGRAM
        + f"""
repair()
assert hosted.double(1, backend=ORDER) == CPU
hosted.{listing}
found = [hosted.double(1, backend=ORDER), imports()]
hosted.{listing}
report([*found, hosted.double(1, backend=ORDER), imports()])
"""
    )
    assert slow.run(program) == [["slow", 1], 2, ["slow", 1], 2]


def test_installing_something_gives_another_chance(slow):
    program = (
        PROGRAM
        + """
settings.backend = ORDER
assert hosted.double(1) == CPU
install("libcuda")
assert [hosted.double(1), hosted.double(1, backend=ORDER)] == [CPU, CPU]
still_broken = imports()
install("driver")
repair()
report([still_broken, hosted.double(1), hosted.double(1, backend=ORDER), imports()])
"""
    )
    assert slow.run(program) == [2, ["slow", 1], ["slow", 1], 3]


def test_a_listing_sees_what_installing_something_repaired(slow):
    program = (
        PROGRAM
        + """
state = lambda: [info.state for info in settings.backends() if info.name == "slow"]
before = state()
install("libcuda")
repair()
report([before, state()])
"""
    )
    # An adapter that provides everything lazily never failed itself.
    is_lazy = (slow.path / "slow_implementation.py").exists()
    assert slow.run(program) == [["available" if is_lazy else "failed"], ["available"]]


def test_threads_pay_once(slow):
    program = (
        PROGRAM
        + """
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(8) as pool:
    results = list(pool.map(lambda _: hosted.double(1, backend=ORDER), range(100)))
report([len(set(results)), imports()])
"""
    )
    assert slow.run(program) == [1, 1]


def test_the_environment_variable_does_not_pay_again(slow):
    program = (
        PROGRAM.replace("first = [hosted.double(1, backend=ORDER)", "first = [hosted.double(1)")
        + """
assert {hosted.double(1) for _ in range(3)} == {CPU}
report(imports())
"""
    )
    assert slow.run(program, environment={"HOSTED_BACKEND": "slow,cpu"}) == 1


def test_nothing_of_a_failed_import_is_kept_alive(slow):  # 2.6
    program = (
        PROGRAM
        + """
import gc
held = [frame for frame in gc.get_objects() if type(frame).__name__ == "frame" and "slow_" in frame.f_code.co_filename]
report(len(held))
"""
    )
    assert slow.run(program) == 0


def test_an_adapter_that_asks_for_itself_in_an_order_while_it_is_loaded(site):  # 1.9, 2.9
    source = """
        import hosted
        during = hosted.triple(1, backend=["{name}", "cpu"])
        name = {name!r}
        def double(x, *, scale=1): return (name, during)
        """
    trusted = {"real_backend.py": source.format(name="real")}
    site.install("real-backend", modules=trusted, entry_points={"real": "real_backend"})
    site.install("busy", modules={"busy_backend.py": source.format(name="busy")}, entry_points={"busy": "busy_backend"})
    program = """
    import hosted, warnings
    warnings.simplefilter("ignore")
    calls = [(name, order) for name in ("real", "busy") for order in ([name, "cpu"], (name,), name)]
    report([hosted.double(1, backend=order) for name, order in calls])
    """
    # While it is loaded it is not there, and then it is.
    assert site.run(program) == [["real", ["cpu", 3]]] * 3 + [["busy", ["cpu", 3]]] * 3
