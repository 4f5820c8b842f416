"""A fresh interpreter that measures one thing that happens once in a process, and prints it as JSON.

Started as `probe.py NAME ARGUMENTS`, the arguments a JSON object with the folder of distributions among them.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
import warnings

clock = time.perf_counter


def best_call(function, *args, repeats: int = 9, loops: int = 1000, **kwargs) -> float:
    """Seconds for one call, the best of some short series: for costs in states that exist once in a process."""
    for _ in range(100):
        function(*args, **kwargs)
    series = []
    for _ in range(repeats):
        start = clock()
        for _ in range(loops):
            function(*args, **kwargs)
        series.append((clock() - start) / loops)
    return min(series)


def decorate(*, count: int, **_) -> dict:
    """Decorate functions with docstrings, after a first one that brings in what is imported lazily."""
    import hosts
    from subjects import dispatcher

    functions = hosts.functions(count + 1)
    backend_dispatch = dispatcher().backend_dispatch
    start = clock()
    backend_dispatch(functions.pop())
    first = clock() - start
    start = clock()
    kept = [backend_dispatch(function) for function in functions]
    each = (clock() - start) / len(kept)
    call = best_call(kept[0], *range(6))
    return {"first": first, "each": each, "call": call}


def host_import(*, count: int, preload: list[str], **_) -> dict:
    """Import a host of decorated functions: what the library, its dispatcher and the decorations add."""
    import hosts

    for name in preload:
        importlib.import_module(name)
    plain = hosts.functions(count)
    start = clock()
    kept = [hosts.bare(function) for function in plain]
    bare = clock() - start
    before = set(sys.modules)
    start = clock()
    from scverse_backends import BackendDispatcher

    library = clock()
    dispatcher = BackendDispatcher(entrypoint_group="bench_host.backends", host_name="bench_host")
    created = clock()
    kept = [dispatcher.backend_dispatch(plain[0])]
    first = clock()
    kept += [dispatcher.backend_dispatch(function) for function in plain[1:]]
    end = clock()
    brought = sorted({name.partition(".")[0] for name in set(sys.modules) - before})
    return {
        "bare": bare,
        "total": end - start,
        "library": library - start,
        "dispatcher": created - library,
        "first": first - created,
        "rest": end - first,
        "functions": len(kept),
        "brought": brought,
    }


def decorate_discovered(*, count: int, **_) -> dict:
    """Decorate after discovery, when each decoration has something to merge."""
    import hosts
    from subjects import dispatcher

    functions = hosts.functions(count + 1)
    measured = dispatcher()
    measured.backend_dispatch(functions.pop())
    measured.discover()
    start = clock()
    kept = [measured.backend_dispatch(function) for function in functions]
    decorated = clock()
    lengths = [len(function.__doc__) for function in kept]
    read = clock()
    merged = sum("batch_size" in function.__doc__ for function in kept)
    return {"total": decorated - start, "read": read - decorated, "merged": merged / len(lengths)}


def listing(*, library: bool, group: str, preload: list[str], **_) -> dict:
    """List the installed distributions for the first time, by the standard library or by the measured one."""
    import importlib.metadata

    for name in preload:
        importlib.import_module(name)

    from subjects import dispatcher

    # In both, since what was allocated before decides whether a garbage collection falls into the listing.
    measured = dispatcher()
    if not library:
        start = clock()
        list(importlib.metadata.entry_points(group=group))
        return {"seconds": clock() - start}
    start = clock()
    measured.discover()
    first = clock() - start
    start = clock()
    measured.discover()
    return {"seconds": first, "again": clock() - start}


def listing_count(**_) -> dict:
    """Count how often the installed distributions are listed by ordinary use."""
    import importlib.metadata

    import hosts
    from subjects import dispatcher

    real, listed = importlib.metadata.entry_points, []

    def counting(**params):
        listed.append(params)
        return real(**params)

    importlib.metadata.entry_points = counting
    measured = dispatcher()
    (function,) = hosts.functions(1)
    decorated = measured.backend_dispatch(function)
    decorated(*range(6))
    on_host = len(listed)
    measured.discover()
    measured.discover()
    measured.settings.available_backends()
    measured.available_backend_names()
    decorated(*range(6))
    return {"on host": on_host, "listed": len(listed)}


def heavy(*, label: str, **_) -> dict:
    """Select one of many heavy adapters by name, and count those that were imported for it."""
    import importlib.metadata  # noqa: F401 - its import is not what is measured.

    import hosts
    from subjects import dispatcher

    (function,) = hosts.functions(1)
    decorated = dispatcher().backend_dispatch(function)
    start = clock()
    decorated(*range(6), backend=label)
    first = clock() - start
    imported = [name for name in sys.modules if name.startswith("bench_") and hasattr(sys.modules[name], "HEAVY")]
    return {"seconds": first, "imported": len(imported), "call": best_call(decorated, *range(6), backend=label)}


def memory(*, count: int, library: bool, documented: bool = True, **_) -> dict:
    """Bytes that decorating adds for each function: what `tracemalloc` sees of live blocks after a collection."""
    import gc
    import tracemalloc

    import hosts

    functions = hosts.functions(count + 1)
    for function in functions:
        function.__doc__ = function.__doc__ if documented else None
    if library:
        from subjects import dispatcher

        decorate_one = dispatcher().backend_dispatch
    else:
        decorate_one = hosts.bare
    kept = [decorate_one(functions.pop())]
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    kept += [decorate_one(function) for function in functions]
    gc.collect()
    return {"bytes": (tracemalloc.get_traced_memory()[0] - before) / count, "kept": len(kept)}


def freed(*, count: int, **_) -> dict:
    """Replace one decorated function many times, as reloading its module does, and count what stays alive."""
    import gc
    import weakref

    import hosts
    from subjects import dispatcher

    backend_dispatch = dispatcher().backend_dispatch
    replaced = []
    for _ in range(count):
        (function,) = hosts.functions(1)
        current = backend_dispatch(function)
        current(*range(6))
        replaced.append(weakref.ref(function))
    gc.collect()
    return {"alive": sum(reference() is not None for reference in replaced[:-1])}


def main() -> None:
    warnings.simplefilter("ignore")
    name, arguments = sys.argv[1], json.loads(sys.argv[2])
    sys.path.insert(0, arguments["folder"])
    measured = globals().get(name)
    if measured is None:
        import probe_scaling

        measured = getattr(probe_scaling, name)
    answers, sys.stdout = sys.stdout, sys.stderr
    print(json.dumps(measured(**arguments)), file=answers)


if __name__ == "__main__":
    main()
