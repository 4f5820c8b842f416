"""Threads, tasks and forks that meet while backends are found and loaded (2.9).

Nothing here waits for time to pass: threads meet at barriers and wait for events, and a watchdog ends what hangs.
"""

from __future__ import annotations

import sys

import pytest

START = """
import sys, threading, warnings
import hosted
warnings.simplefilter("ignore")
sys.setswitchinterval(1e-5)

def together(*works):
    barrier = threading.Barrier(len(works))
    problems = []
    def run(work):
        barrier.wait()
        try:
            work()
        except BaseException as error:
            import traceback
            problems.append("".join(traceback.format_exception(error)))
    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems, problems[0]
"""

CLASS_ADAPTER = """
import itertools, hosted
hosted.instances = getattr(hosted, "instances", [])

class Adapter:
    name = {name!r}
    def __init__(self):
        hosted.instances.append(self)
    def double(self, x):
        return ({name!r}, x)
"""


def test_first_use_of_ten_backends_by_thirty_two_threads(site):
    for index in range(4):
        site.good(name=f"good{index}")
    for index in range(3):
        site.install(
            f"class{index}-distribution",
            modules={f"class{index}_backend.py": CLASS_ADAPTER.format(name=f"class{index}")},
            entry_points={f"class{index}": f"class{index}_backend:Adapter"},
        )
    for index, fault in enumerate(["raise SystemExit(3)", "raise RecursionError", "name = 3"]):
        site.install(
            f"bad{index}-distribution",
            modules={f"bad{index}_backend.py": fault},
            entry_points={f"bad{index}": f"bad{index}_backend"},
        )
    seen = site.run(
        START
        + """
names = [f"good{i}" for i in range(4)] + [f"class{i}" for i in range(3)] + [f"bad{i}" for i in range(3)]
seen = []
def work(start):
    for step in range(10):
        name = names[(start + step) % 10]
        try:
            value = hosted.double(1, backend=name)[0]
            seen.append([name, value, id(hosted.dispatcher.get_backend(name))])
        except ImportError as error:
            seen.append([name, type(error).__name__, 0])
together(*[lambda start=start: work(start) for start in range(32)])
report(seen)
"""
    )
    assert len(seen) == 320
    for name, value, _ in seen:
        assert value == ("BackendLoadError" if name.startswith("bad") else name)
    # Everybody sees the same adapter.
    assert len({(name, number) for name, _, number in seen}) == 10
    # Every module that can be imported was executed once.
    assert sorted(site.imported()) == [f"good{index}" for index in range(4)]


def test_listings_by_thirty_two_threads_agree(site):
    for index in range(5):
        site.good(name=f"good{index}")
    site.install(
        "bad-distribution", modules={"bad_backend.py": "raise SystemExit"}, entry_points={"bad": "bad_backend"}
    )
    found = site.run(
        START
        + """
ways = [
    lambda: sorted(hosted.dispatcher.available_backend_names()),
    lambda: sorted(hosted.settings.available_backends()),
    lambda: sorted(info.name for info in hosted.dispatcher.backends() if info.state == "available"),
    lambda: hosted.dispatcher.discover() or sorted(hosted.dispatcher.available_backend_names()),
]
found = []
together(*[lambda way=ways[i % 4]: found.append(way()) for i in range(32)])
import inspect
report([found, list(inspect.signature(hosted.double).parameters), hosted.double.__doc__.count("_option")])
"""
    )
    names = [f"good{index}" for index in range(5)]
    assert found[0] == [names] * 32
    # Merged once, in a stable order (5.1).
    assert found[1] == ["x", "scale", *(f"{name}_option" for name in names), "backend"]
    assert found[2] == 5
    assert sorted(site.imported()) == names


PART = """
from bighost import dispatcher

@dispatcher.backend_dispatch
def function{index}(x):
    \"\"\"Compute.

    Parameters
    ----------
    x : int
        A number.
    \"\"\"
    return ("cpu", x)
"""


def test_importing_parts_of_the_host_while_others_discover(site):  # Python's import locks
    parts = {f"bighost/part{index}.py": PART.format(index=index) for index in range(8)}
    site.install(
        "bighost",
        modules={
            "bighost/__init__.py": "from scverse_backends import BackendDispatcher\n"
            "dispatcher = BackendDispatcher(entrypoint_group='bighost.backends', host_name='bighost')\n",
            **parts,
        },
    )
    for index in range(4):
        # Adapters import parts of the host in turn, as real ones do for its types.
        site.install(
            f"backend{index}",
            modules={
                f"backend{index}.py": f"import bighost.part{index}, bighost.part{7 - index}\nname = 'backend{index}'\n"
                + "".join(f"def function{part}(x, *, option{index}=1): return (name, x)\n" for part in range(8))
            },
            entry_points=f"[bighost.backends]\nbackend{index} = backend{index}\n",
        )
    found = site.run(
        START
        + """
import importlib, inspect, bighost
def import_parts(start):
    for step in range(8):
        importlib.import_module(f"bighost.part{(start + step) % 8}")
works = [lambda start=start: import_parts(start) for start in range(8)]
works += [bighost.dispatcher.discover, bighost.dispatcher.backends] * 4
works += [lambda name=f"backend{i}": bighost.dispatcher.get_backend(name) for i in range(4)]
together(*works)
functions = bighost.dispatcher.functions()
report({
    name: [list(inspect.signature(function).parameters), function(1, backend="backend0"), function(1)]
    for name, function in functions.items()
})
"""
    )
    assert sorted(found) == [f"function{index}" for index in range(8)]
    for parameters, on_backend, on_host in found.values():
        assert parameters == ["x", *(f"option{index}" for index in range(4)), "backend"]
        assert (on_backend, on_host) == (["backend0", 1], ["cpu", 1])


def test_decorating_again_while_others_discover(site):  # 2.9
    for index in range(4):
        site.good(name=f"good{index}")
    found = site.run(
        START
        + """
import importlib, inspect
made = []
def redecorate():
    for _ in range(20):
        def double(x, *, scale=1):
            "Double."
            return ("cpu", x)
        # As if its module were loaded again: another function of that name would be a rival.
        double.__module__, double.__qualname__ = "hosted", "double"
        made.append(hosted.dispatcher.backend_dispatch(double))
def use(name):
    for _ in range(20):
        for function in made[-3:]:
            assert function(1, backend=name)[0] == name
works = [redecorate] * 4 + [hosted.dispatcher.discover] * 2
works += [lambda name=f"good{i}": use(name) for i in range(4)]
together(*works)
report(sorted({tuple(inspect.signature(function).parameters) for function in made}))
"""
    )
    assert found == [["x", "scale", *(f"good{index}_option" for index in range(4)), "backend"]]


def test_reloading_the_hosts_module_while_others_discover(site):  # 2.9
    site.install("part", modules={"part.py": PART.replace("bighost", "hosted").format(index=0)})
    site.install(
        "good-distribution",
        modules={"good_backend.py": "name = 'good'\ndef function0(x, *, option=1): return ('good', x)"},
        entry_points={"good": "good_backend"},
    )
    found = site.run(
        START
        + """
import importlib, inspect, part
def reload():
    for _ in range(10):
        importlib.reload(part)
def use():
    for _ in range(30):
        assert part.function0(1, backend="good") == ("good", 1)
together(reload, hosted.dispatcher.discover, use, use, hosted.dispatcher.backends)
hosted.dispatcher.backends()  # The last reload may have been the last thing that happened.
report([list(inspect.signature(part.function0).parameters), part.function0.__doc__.count("option (good)")])
"""
    )
    assert found == [["x", "option", "backend"], 1]


def test_registering_and_unregistering_while_others_call(site):  # 2.10
    site.good()
    found = site.run(
        START
        + """
class Mine:
    name = "mine"
    def double(self, x, *, mine_option=1):
        return ("mine", x)
done = threading.Event()
def come_and_go():
    for _ in range(50):
        hosted.dispatcher.register(Mine())
        assert hosted.double(1, backend="mine") == ("mine", 1)
        hosted.dispatcher.unregister("mine")
    done.set()
outcomes = set()
def call():
    while True:
        last = done.is_set()
        try:
            outcomes.add(hosted.double(1, backend="mine")[0])
        except ValueError as error:
            outcomes.add(type(error).__name__)
        assert hosted.double(1, backend="good")[0] == "good"
        if last:
            break
together(come_and_go, call, call, hosted.dispatcher.discover)
import inspect
# After the end, nobody may find what was unregistered in a cache.
try:
    hosted.double(1, backend="mine")
except ValueError as error:
    end = type(error).__name__
report([sorted(outcomes - {"mine"}), end, list(inspect.signature(hosted.double).parameters)])
"""
    )
    assert found[0] in ([], ["UnknownBackendError"])
    assert found[1:] == ["UnknownBackendError", ["x", "scale", "good_option", "backend"]]


def test_asyncio_tasks_keep_their_own_selection_while_others_discover(site):  # 1.10, 2.9
    for index in range(3):
        site.good(name=f"good{index}")
    found = site.run(
        START
        + """
import asyncio
async def work(name):
    with hosted.settings.use_backend(name):
        await asyncio.sleep(0)
        first = hosted.double(1)[0]
        await asyncio.to_thread(hosted.dispatcher.discover)
        inside = await asyncio.to_thread(hosted.double, 1)
        return [name, first, hosted.double(1)[0], inside[0], hosted.double(1, backend="cpu")[0]]
async def main():
    return await asyncio.gather(*[work(f"good{i % 3}") for i in range(12)])
report([asyncio.run(main()), hosted.double(1)[0]])
"""
    )
    assert found[1] == "cpu"
    for name, *ran in found[0]:
        assert ran == [name, name, name, "cpu"]


# -- adapters that use the host while they load ------

LOADING = {
    "dispatches": "import hosted\nvalue = hosted.double(1, backend='good')\nassert value == ('good', 2), value",
    "dispatches on cpu": "import hosted\nassert hosted.double(1, backend='cpu') == ('cpu', 2)",
    "discovers": "import hosted\nhosted.dispatcher.discover()",
    "lists": "import hosted\nhosted.dispatcher.backends(); hosted.dispatcher.available_backend_names()",
    "asks for itself": "import hosted\nassert hosted.dispatcher.get_backend('busy') is None",
    "selects itself": (
        "import hosted\ntry:\n    hosted.double(1, backend='busy')\nexcept ValueError as error:\n"
        "    assert type(error).__name__ == 'UnknownBackendError'\nelse:\n    raise AssertionError"
    ),
    "asks for what does not exist": "import hosted\nassert hosted.dispatcher.get_backend('nonsense') is None",
    "opens a scope": "import hosted\nwith hosted.settings.use_backend('good'):\n    hosted.double(1)",
    "changes the settings": "import hosted\nhosted.settings.backend = 'good'\nhosted.settings.fallback = 'warn'",
    "registers another": (
        "import hosted\nclass Extra:\n    name = 'extra'\n    def double(self, x): return ('extra', x)\n"
        "hosted.dispatcher.register(Extra())"
    ),
    "decorates": "import hosted\n@hosted.dispatcher.backend_dispatch\ndef extra(x):\n    return ('cpu', x)",
    "waits for threads that use another": (
        "import hosted, threading\nvalues = []\n"
        "def work(): values.append(hosted.double(1, backend='good'))\n"
        "threads = [threading.Thread(target=work) for _ in range(4)]\n"
        "for thread in threads: thread.start()\n"
        "for thread in threads: thread.join()\n"
        "assert values == [('good', 2)] * 4, values"
    ),
    "waits for a thread that asks the host": (
        "import hosted, threading\n"
        "thread = threading.Thread(target=lambda: hosted.double(1))\nthread.start()\nthread.join()"
    ),
    "leaves a thread that discovers": (
        "import hosted, threading\n"
        "hosted.thread = threading.Thread(target=hosted.dispatcher.discover)\nhosted.thread.start()"
    ),
    "leaves a thread that selects it": (
        "import hosted, threading\nhosted.answers = []\n"
        "hosted.thread = threading.Thread(target=lambda: hosted.answers.append(hosted.double(1, backend='busy')))\n"
        "hosted.thread.start()"
    ),
}


@pytest.mark.parametrize("first", ["select", "discover", "order"])
@pytest.mark.parametrize("what", LOADING)
def test_an_adapter_may_use_its_host_while_it_loads(site, what, first):  # 2.9
    site.good()
    source = LOADING[what] + "\nname = 'busy'\ndef double(x, *, busy_option=1): return ('busy', 2 * x)\n"
    site.install("busy-distribution", modules={"busy_backend.py": source}, entry_points={"busy": "busy_backend"})
    steps = {
        "select": "hosted.double(1, backend='busy')",
        "discover": "hosted.dispatcher.discover()",
        "order": "hosted.double(1, backend=['busy', 'good'])",
    }
    found = site.run(
        START
        + f"""
{steps[first]}
if hasattr(hosted, "thread"):
    hosted.thread.join()
import inspect
report([
    hosted.double(1, backend="busy"),
    hosted.double(1, backend="good"),
    hosted.double(1, backend="cpu"),
    sorted(info.state for info in hosted.dispatcher.backends() if info.name in ("busy", "good")),
    list(inspect.signature(hosted.double).parameters),
    getattr(hosted, "answers", None),
])
"""
    )
    assert found[:3] == [["busy", 2], ["good", 2], ["cpu", 2]]
    assert found[3] == ["available", "available"]
    assert [name for name in found[4] if name.endswith("_option")] == ["busy_option", "good_option"]
    assert found[5] in (None, [["busy", 2]])


def test_a_circular_import_resolves_when_asked_again(site):  # 2.8
    site.install(
        "eager",
        modules={
            "eager.py": """
                from scverse_backends import BackendDispatcher
                import warnings
                dispatcher = BackendDispatcher(entrypoint_group="eager.backends", host_name="eager")
                with warnings.catch_warnings(action="ignore"):
                    dispatcher.discover()  # before the function stands there

                @dispatcher.backend_dispatch
                def double(x):
                    return ("cpu", x)
                """
        },
    )
    source = "from eager import double as _double\nname = 'circular'\ndef double(x): return ('circular', x)"
    site.install(
        "circular",
        modules={"circular_backend.py": source},
        entry_points="[eager.backends]\ncircular = circular_backend\n",
    )
    found = site.run(
        """
        import eager, warnings
        warnings.simplefilter("ignore")
        before = [info.state for info in eager.dispatcher.backends()]
        report([before, eager.double(1, backend="circular"), [info.state for info in eager.dispatcher.backends()]])
        """
    )
    assert found == [["failed"], ["circular", 1], ["available"]]


# -- fork --------------------------------------------------------------------------------------------------------------

FORK = (
    START
    + """
import faulthandler, os, signal
def in_child(work):
    child = os.fork()
    if child == 0:
        status = 1
        try:
            # The thread of faulthandler's watchdog stays with the parent; a signal comes in any case.
            faulthandler.register(signal.SIGALRM, all_threads=True, chain=True)
            signal.alarm(15)
            work()
            status = 0
        except BaseException:
            import traceback
            traceback.print_exc()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
"""
)

needs_fork = pytest.mark.skipif(sys.platform == "win32", reason="processes cannot be forked there")


@needs_fork
def test_a_fork_while_another_thread_imports_an_adapter(site):  # 2.9
    site.good()
    site.good(name="other")
    slow = "import hosted\nhosted.entered.set()\nhosted.gate.wait()\nname = 'slow'\ndef double(x): return ('slow', x)"
    site.install("slow-distribution", modules={"slow_backend.py": slow}, entry_points={"slow": "slow_backend"})
    found = site.run(
        FORK
        + """
hosted.entered, hosted.gate = threading.Event(), threading.Event()
thread = threading.Thread(target=hosted.dispatcher.get_backend, args=("slow",))
thread.start()
hosted.entered.wait()
def child():
    assert hosted.double(1, backend="good") == ("good", 2)
    assert hosted.double(1, backend=["other", "good"]) == ("other", 2)
    assert hosted.double(1) == ("cpu", 2)
    worker = threading.Thread(target=hosted.double, args=(1,), kwargs={"backend": "other"})
    worker.start()
    worker.join()
status = in_child(child)
hosted.gate.set()
thread.join()
report([status, hosted.double(1, backend="slow")])
"""
    )
    assert found == [0, ["slow", 1]]


@needs_fork
def test_no_lock_that_another_thread_held_is_closed_in_a_child(site):  # 2.9
    site.good()
    found = site.run(
        FORK
        + """
import _thread, gc
hosted.double(1, backend="cpu")

def locks_of(start):
    # Everything of this library's that the dispatcher leads to, and the locks among it.
    seen, pending, locks = set(), [start], []
    while pending:
        one = pending.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, (_thread.LockType, _thread.RLock)):
            locks.append(one)
        elif type(one) in (dict, tuple) or type(one).__module__.startswith("scverse_backends"):
            pending += gc.get_referents(one)
    return locks

locks = locks_of(hosted.dispatcher)
held, release = threading.Event(), threading.Event()
def hold():
    for lock in locks:
        lock.acquire()
    held.set()
    release.wait()
    for lock in locks:
        lock.release()
thread = threading.Thread(target=hold)
thread.start()
held.wait()
class Mine:
    name = "mine"
    def double(self, x): return ("mine", x)
def child():
    with hosted.settings.use_backend("good"):
        assert hosted.double(1) == ("good", 2)
    hosted.dispatcher.discover()
    hosted.settings.backend = "good"
    del hosted.settings.backend
    hosted.dispatcher.register(Mine())
    hosted.dispatcher.backend_dispatch(lambda x: x)
status = in_child(child)
release.set()
thread.join()
report([status, len(locks), hosted.double(1, backend="good")])
"""
    )
    assert found[0] == 0
    assert found[1] >= 3  # of the registry, the selection and the merged texts
    assert found[2] == ["good", 2]


@needs_fork
def test_a_childs_new_thread_is_not_taken_for_one_that_was_loading(site):  # 2.9
    slow = "import hosted\nhosted.pause()\nname = 'slow'\ndef double(x): return ('slow', x)"
    site.install("slow-distribution", modules={"slow_backend.py": slow}, entry_points={"slow": "slow_backend"})
    found = site.run(
        FORK
        + """
entered, gate = threading.Event(), threading.Event()
def pause():
    entered.set()
    gate.wait()
hosted.pause = pause
thread = threading.Thread(target=hosted.dispatcher.get_backend, args=("slow",))
thread.start()
entered.wait()
def child():
    # The thread that was loading is gone, and a new one may get its number: nothing of it may be left.
    [entry] = hosted.dispatcher._machinery.registry.known_entries()
    assert not entry.loading
status = in_child(child)
gate.set()
thread.join()
report([status, hosted.double(1, backend="slow")])
"""
    )
    assert found == [0, ["slow", 1]]


@needs_fork
def test_forks_while_threads_discover_and_decorate(site):  # 2.9
    for index in range(3):
        site.good(name=f"good{index}")
    found = site.run(
        FORK
        + """
class Mine:
    name = "mine"
    def double(self, x, *, mine_option=1): return ("mine", x)
hosted.dispatcher.discover()
stop = threading.Event()
def churn():
    while not stop.is_set():
        hosted.dispatcher.register(Mine())
        def extra(x):
            "Extra."
        hosted.dispatcher.backend_dispatch(extra)
        hosted.dispatcher.unregister("mine")
def child():
    assert hosted.double(1, backend="good1") == ("good1", 2)
    hosted.dispatcher.discover()
    hosted.dispatcher.backends()
threads = [threading.Thread(target=churn)]
for thread in threads: thread.start()
statuses = [in_child(child) for _ in range(15)]
stop.set()
for thread in threads: thread.join()
report(statuses)
""",
        # Coverage holds a lock of its own at random moments, and a forked child that it traces waits for it for ever.
        measured=False,
    )
    assert found == [0] * 15
