"""What `probe.py` runs for the scaling table and for threads."""

from __future__ import annotations

import _thread
import builtins
import threading
import time

import hosts
from probe import best_call, clock

ARGUMENTS = tuple(range(6))


def _one_function():
    from subjects import dispatcher

    measured = dispatcher()
    (function,) = hosts.functions(1)
    return measured, measured.backend_dispatch(function)


def distributions(**_) -> dict:
    """With many distributions installed: the first call on a backend, and the calls after it."""
    import importlib.metadata  # noqa: F401 - its import is not what is measured.

    _, decorated = _one_function()
    start = clock()
    decorated(*ARGUMENTS, backend="fast")
    first = clock() - start
    return {
        "first": first,
        "call": best_call(decorated, *ARGUMENTS, backend="fast"),
        "host": best_call(decorated, *ARGUMENTS),
    }


def backends(**_) -> dict:
    """With many backends installed: the first call on one, the calls after it, and loading all."""
    import importlib.metadata  # noqa: F401 - its import is not what is measured.

    measured, decorated = _one_function()
    start = clock()
    decorated(*ARGUMENTS, backend="fast")
    first = clock() - start
    call = best_call(decorated, *ARGUMENTS, backend="fast")
    start = clock()
    measured.discover()
    return {
        "first": first,
        "call": call,
        "discover": clock() - start,
        "after": best_call(decorated, *ARGUMENTS, backend="fast"),
    }


def functions(*, count: int, **_) -> dict:
    """With many decorated functions: decorating them, discovering for all of them, calling one."""
    import importlib.metadata  # noqa: F401 - its import is not what is measured.

    from subjects import dispatcher

    measured = dispatcher()
    plain = hosts.functions(count)
    measured.backend_dispatch(plain.pop())
    start = clock()
    kept = [measured.backend_dispatch(function) for function in plain]
    decorated = clock()
    measured.discover()
    discovered = clock()
    call = best_call(kept[-1], *ARGUMENTS, backend="fast")
    return {"decorate": decorated - start, "discover": discovered - decorated, "call": call}


def scopes(*, count: int, **_) -> dict:
    """In many open scopes: opening and closing them, and a call in the innermost."""
    measured, decorated = _one_function()
    decorated(*ARGUMENTS, backend="fast")
    use_backend = measured.settings.use_backend
    opened = []
    start = clock()
    for _ in range(count):
        scope = use_backend("fast")
        scope.__enter__()
        opened.append(scope)
    entered = clock()
    call = best_call(decorated, *ARGUMENTS)
    leaving = clock()
    for scope in reversed(opened):
        scope.__exit__(None, None, None)
    return {"open": entered - start, "call": call, "close": clock() - leaving}


def _together(count: int, work) -> float:
    """Seconds until ``count`` threads that start at the same moment have done their work."""
    ready, go = [], []

    def run() -> None:
        ready.append(True)
        # A turn of waiting without a lock: locks are what is counted here.
        while not go:
            time.sleep(0.0005)
        work()

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    while len(ready) < count:
        time.sleep(0.0005)
    start = clock()
    go.append(True)
    for thread in threads:
        thread.join()
    return clock() - start


def threads(*, count: int, calls: int, **_) -> dict:
    """Share a number of calls among threads: seconds for one call, on the host, on the backend, and of `bare`."""
    _, decorated = _one_function()
    (function,) = hosts.functions(1)
    bare = hosts.bare(function)
    decorated(*ARGUMENTS, backend="fast")
    share = calls // count

    def repeat(called, **selection):
        def work() -> None:
            for _ in range(share):
                called(*ARGUMENTS, **selection)

        return min(_together(count, work) for _ in range(3)) / (share * count)

    return {"bare": repeat(bare), "host": repeat(decorated), "backend": repeat(decorated, backend="fast")}


class _Counting:
    """A lock that counts how often it is taken; stands for every lock made in this process by Python code."""

    taken = 0
    counts = False

    def __init__(self, make) -> None:
        self._lock = make()

    def acquire(self, *args, **kwargs):
        if _Counting.counts:
            _Counting.taken += 1
        return self._lock.acquire(*args, **kwargs)

    def __enter__(self):
        return self.acquire()

    def __exit__(self, *_):
        self._lock.release()

    def __getattr__(self, name):
        return getattr(self._lock, name)


def locks(*, count: int, **_) -> dict:
    """Count locks taken and modules asked for by calls in threads, on the host and on the backend."""
    lock, rlock = threading.Lock, threading.RLock
    # Both places that a library can get its locks from.
    threading.Lock = _thread.allocate_lock = lambda: _Counting(lock)
    threading.RLock = _thread.RLock = lambda: _Counting(rlock)
    control = threading.Lock()
    measured, decorated = _one_function()
    decorated(*ARGUMENTS, backend="fast")
    threading.Lock = _thread.allocate_lock = lock
    threading.RLock = _thread.RLock = rlock
    _Counting.counts = True
    with control:
        _Counting.counts = False
    if _Counting.taken != 1:
        raise RuntimeError("the counter of locks does not count")
    _Counting.taken = 0
    results = {}
    for name, selection in {"host": {}, "backend": {"backend": "fast"}, "cpu": {"backend": "cpu"}}.items():

        def work(selection=selection) -> None:
            decorated(*ARGUMENTS, **selection)  # The thread's own first call, outside the count.
            _Counting.counts = True
            for _ in range(1000):
                decorated(*ARGUMENTS, **selection)

        _together(count, work)
        _Counting.counts = False
        results[name] = _Counting.taken
        _Counting.taken = 0
    real, imports = builtins.__import__, []

    def counting(name, *arguments, **named):
        imports.append(name)
        return real(name, *arguments, **named)

    with measured.settings.use_backend("fast"):
        # An import statement costs something also where the module is loaded, so statements are counted.
        builtins.__import__ = counting
        decorated(*ARGUMENTS)
        decorated(*ARGUMENTS, backend="cpu")
        decorated(*ARGUMENTS, backend="fast")
        import json  # noqa: F401 - shows that the counter counts.

        builtins.__import__ = real
    decorated(*ARGUMENTS)
    if imports.pop() != "json":
        raise RuntimeError("the counter of imports does not count")
    return {**results, "imports": len(imports)}
