"""``KeyboardInterrupt`` at every point of discovery and of selecting: the next call works, and no lock stays closed.

An interpreter looks for interrupts when a Python function begins and after a call into C returns. At each of these
points in this library's files, one after the other, an interrupt is raised here, in a fresh dispatcher each time.
The suite tries some forty points of each action; `tests/stress/soak.py` tries every one.
"""

from __future__ import annotations

import os

import pytest

EVERY_POINT = "SOAK" in os.environ

HARNESS = """
import _thread, gc, importlib, os, sys, threading, warnings
import scverse_backends
from scverse_backends import BackendDispatcher

warnings.simplefilter("ignore")
library = os.path.dirname(scverse_backends.__file__) + os.sep
modules = ["good_backend", "class_backend", "bad_backend"]
LOCKS = (_thread.LockType, _thread.RLock)

def fresh():
    for name in modules:
        sys.modules.pop(name, None)
    dispatcher = BackendDispatcher(entrypoint_group="hosted.backends", host_name="hosted", trusted_backends={
        "real": {"package": "real-backend"},
    })

    @dispatcher.backend_dispatch
    def double(x, *, scale=1):
        "Double."
        return ("cpu", 2 * x * scale)

    return dispatcher, double

class Mine:
    name = "mine"
    def double(self, x, *, mine_option=1, good_option=2):
        return ("mine", 2 * x)

class Interrupter:
    # Counts the points, and raises at one of them.
    def __init__(self, at):
        self.at, self.count = at, 0

    def __call__(self, frame, event, argument):
        if event not in ("call", "c_return") or not frame.f_code.co_filename.startswith(library):
            return
        # What is raised in a generator that is being thrown away is ignored by Python itself, and 3.14 shows nothing
        # else of it than that it goes on.
        if argument is sys.setprofile or isinstance(argument, GeneratorExit) or frame.f_code.co_flags & 0x20:
            return
        # 3.14 and later show the point between taking a lock and entering its block, where nothing written in Python
        # could let go of the lock.
        if getattr(argument, "__name__", "") == "__enter__" and isinstance(argument.__self__, LOCKS):
            return
        # A block that is interrupted while it is opened or closed is in no state that its owner could tell, which is
        # so for every context manager that is written in Python.
        outside = frame
        while outside is not None and outside.f_code.co_filename.startswith(library):
            if outside.f_code.co_name in ("__exit__", "open"):
                return
            outside = outside.f_back
        self.count += 1
        if self.count == self.at:
            sys.setprofile(None)
            raise KeyboardInterrupt

def run(action, at):
    interrupter = Interrupter(at)
    gc.disable()  # What a collection runs swallows exceptions, which is CPython's own rule.
    sys.setprofile(interrupter)
    try:
        action()
        return interrupter.count, False
    except KeyboardInterrupt:
        return interrupter.count, True
    finally:
        sys.setprofile(None)
        gc.enable()

def locks_of(start):
    seen, pending, locks = set(), [start], []
    while pending:
        one = pending.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, LOCKS):
            locks.append(one)
        elif type(one).__module__.startswith("scverse_backends"):
            pending += gc.get_referents(one)
    return locks

def check(dispatcher, double, at):
    # In another thread, where a lock that stayed closed would be seen although it is reentrant.
    free = []
    locks = locks_of(dispatcher)
    def look():
        for lock in locks:
            free.append(lock.acquire(blocking=False))
            if free[-1]:
                lock.release()
    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert locks and all(free), (at, "a lock stayed closed")
    assert dispatcher.settings.backend == "cpu", at
    assert double(1) == ("cpu", 2), at
    assert double(1, backend="good") == ("good", 2), at
    assert double(1, backend="class") == ("class", 2), at
    assert double(1, backend="swift") == ("good", 2), at
    try:
        double(1, backend="bad")
    except ImportError as error:
        assert type(error).__name__ == "BackendLoadError", at
    else:
        raise AssertionError(at)
    try:
        dispatcher.unregister("mine")
    except ValueError:
        pass
    dispatcher.discover()
    assert dispatcher.available_backend_names() == ["class", "good", "swift"], at
    import inspect
    assert list(inspect.signature(double).parameters) == ["x", "scale", "class_option", "good_option", "backend"], at
    assert "mine" not in double.__doc__, at
    assert [double.__doc__.count(f"{name}_option (") for name in ("class", "good")] == [1, 1], at
    assert double(1, backend="cpu") == ("cpu", 2), at
    with dispatcher.settings.use_backend("good"):
        assert double(1) == ("good", 2), at
    assert double(1) == ("cpu", 2), at

def everywhere(action):
    # The first run imports what is imported late.
    dispatcher, double = fresh()
    check(dispatcher, double, 0)
    dispatcher, double = fresh()
    total, _ = run(lambda: action(dispatcher, double), -1)
    points = range(1, total + 1, 1 if sys.argv[1] == "every" else max(1, total // 40))
    reached = interrupted = 0
    for at in points:
        dispatcher, double = fresh()
        count, stopped = run(lambda: action(dispatcher, double), at)
        # The last points of the first run may not come again, where something was cached meanwhile.
        reached += count >= at
        interrupted += stopped
        check(dispatcher, double, at)
    return [total, reached, interrupted]
"""

CLASS_ADAPTER = """
class Adapter:
    name = "class"
    def double(self, x, *, class_option=1):
        return ("class", 2 * x)
"""

ACTIONS = {
    "discover": "dispatcher.discover()",
    "select": "double(1, backend='good')",
    "select by alias": "double(1, backend='swift')",
    "select what fails": """
    try:
        double(1, backend='bad')
    except ImportError:
        pass""",
    "select what is unknown": """
    try:
        double(1, backend='nonsense')
    except ValueError:
        pass""",
    "scope": """
    with dispatcher.settings.use_backend('class'):
        double(1)""",
    "order": "double(1, backend=['bad', 'class', 'good'])",
    "list": "dispatcher.backends()",
    "get_backend": "dispatcher.get_backend('class')",
    "register": """
    dispatcher.register(Mine())
    double(1, backend='mine')
    dispatcher.unregister('mine')""",
}


@pytest.fixture
def interrupted(site):
    site.good(aliases=("swift",))
    site.install(
        "class-distribution",
        modules={"class_backend.py": CLASS_ADAPTER},
        entry_points={"class": "class_backend:Adapter"},
    )
    site.install(
        "bad-distribution", modules={"bad_backend.py": "raise SystemExit"}, entry_points={"bad": "bad_backend"}
    )
    return site


@pytest.mark.parametrize("action", ACTIONS)
def test_after_an_interrupt_anywhere_the_next_call_works(interrupted, action):  # 2.9
    found = interrupted.run(
        HARNESS + f"\ndef action(dispatcher, double):\n    {ACTIONS[action]}\nreport(everywhere(action))\n",
        "every" if EVERY_POINT else "some",
        flags=["-S"],  # few distributions to list: this is done hundreds of times
        seconds=1200 if EVERY_POINT else 40,
    )
    total, reached, interrupted_at = found
    assert total > 30
    assert reached > 25
    # Nothing swallows an interrupt.
    assert interrupted_at == reached


def test_an_interrupt_in_an_adapter_passes_through(site):  # 2.6
    site.good()
    source = "import hosted\nif not hasattr(hosted, 'tried'):\n    hosted.tried = True\n    raise KeyboardInterrupt\n"
    site.install(
        "stopped-distribution",
        modules={"stopped_backend.py": source + "name = 'stopped'\ndef double(x): return ('stopped', x)"},
        entry_points={"stopped": "stopped_backend"},
    )
    found = site.run(
        """
        import hosted, warnings
        warnings.simplefilter("ignore")
        try:
            hosted.dispatcher.discover()
        except KeyboardInterrupt:
            passed = True
        report([passed, hosted.double(1, backend="good"), hosted.double(1, backend="stopped")])
        """
    )
    assert found == [True, ["good", 2], ["stopped", 1]]
