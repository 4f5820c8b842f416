"""How time and memory grow with the number of samples: the host, JAX, and Dask with one and two workers.

``hatch run demo:scaling`` measures and prints the tables; ``--write`` puts them into ``docs/scaling.md``. Each cell is
measured in a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import time
import warnings
from importlib.metadata import version
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "scaling.md"
BEGIN, END = "<!-- measured: begin -->\n", "<!-- measured: end -->\n"

FEATURES = 50
CALLS = 3  # The best one counts, after one that compiles, starts and connects.

WAYS = {
    "host": "host",
    "jax": "JAX",
    "dask-1": "Dask, 1 worker",
    "dask-2": "Dask, 2 workers",
    "dask-2-there": "Dask, 2 workers, data already there",
}
FUNCTIONS = {
    "embed": "`embed(data, n_components=10)`",
    "summarize": "`summarize(data, groups)`, 20 groups",
}


# -- one cell, in a process of its own ---------------------------------------------------------------------------------


def peak_memory() -> int:
    """Return the most memory that this process ever held, in bytes."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def measure(function, way, samples):
    """Return the best time in seconds, and the peak memory of all processes together in bytes."""
    import example_host as eh
    import numpy as np

    warnings.simplefilter("ignore")
    rng = np.random.default_rng(0)
    data = rng.normal(size=(samples, FEATURES))
    groups = rng.integers(0, 20, samples)
    if not way.startswith("dask"):
        return best(eh, function, data, groups, "cpu" if way == "host" else way), peak_memory()

    from distributed import Client, LocalCluster, wait

    workers = int(way.split("-")[1])
    with (
        LocalCluster(
            n_workers=workers, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs="ERROR"
        ) as cluster,
        Client(cluster) as client,
    ):
        if way.endswith("there"):
            import dask.array as da

            data = da.from_array(data, chunks=(-(-samples // workers), FEATURES)).persist()
            wait(data)
        seconds = best(eh, function, data, groups, "dask")
        return seconds, peak_memory() + sum(client.run(peak_memory).values())


def best(eh, function, data, groups, backend):
    """Return the best time of several calls."""

    def call():
        if function == "embed":
            result = eh.embed(data, n_components=10, backend=backend)
            # A Dask array is computed when it is asked for; the host's result is here at once.
            return result.persist() if hasattr(result, "persist") else result
        return eh.summarize(data, groups, backend=backend)

    times = []
    for _ in range(CALLS + 1):
        begin = time.perf_counter()
        result = call()
        if hasattr(result, "dask"):
            from distributed import wait

            wait(result)
        times.append(time.perf_counter() - begin)
        del result
    return min(times[1:])


# -- all cells ---------------------------------------------------------------------------------------------------------


def run_cell(function, way, samples):
    """Measure one cell in a fresh process."""
    command = [sys.executable, __file__, "--cell", function, way, str(samples)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def tables(functions, sizes):
    """Yield the lines of the page."""
    for function in functions:
        yield f"**{FUNCTIONS[function]}**"
        yield ""
        yield f"| samples | {' | '.join(WAYS.values())} |"
        yield f"|{'---|' * (len(WAYS) + 1)}"
        for samples in sizes:
            cells = {way: run_cell(function, way, samples) for way in WAYS}
            host = cells["host"][0]
            shown = [cell(seconds, memory, host if way != "host" else None) for way, (seconds, memory) in cells.items()]
            yield f"| {samples:,} | {' | '.join(shown)} |"
        yield ""


def cell(seconds, memory, host):
    """Return the text of a cell."""
    duration = f"{seconds * 1e3:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"
    text = f"{duration}, {memory / 1e6:,.0f} MB"
    if host is None:
        return text
    times = max(seconds, host) / min(seconds, host)
    if times < 1.05:
        return f"{text}, as fast"
    return f"{text}, {times:.1f} × {'faster' if seconds < host else 'slower'}"


def machine():
    """Say where this was measured, and with what."""
    processor = platform.processor() or platform.machine()
    try:
        names = re.findall(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    except OSError:
        names = []
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    packages = ", ".join(f"{name} {version(name)}" for name in ("numpy", "jax", "dask"))
    kind = names[0] if names else processor
    return (
        f"Measured on a machine with {os.cpu_count()} cores ({kind}) and {memory:.0f} GiB of memory: "
        f"Python {platform.python_version()}, {packages}."
    )


def main():
    """Measure, and print or write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--largest", type=int, default=6, help="measure up to 10 to the power of this many samples")
    parser.add_argument("--functions", default=",".join(FUNCTIONS), help="names, separated by commas")
    parser.add_argument("--write", action="store_true", help="write the tables into the page")
    parser.add_argument("--cell", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.cell:
        function, way, samples = options.cell
        print(json.dumps(measure(function, way, int(samples))))
        return
    lines = [machine(), ""]
    for line in tables(options.functions.split(","), [10**power for power in range(3, options.largest + 1)]):
        print(line, flush=True)
        lines.append(line)
    print(lines[0])
    if options.write:
        before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
        _, after = rest.split(END)
        PAGE.write_text(before + BEGIN + "\n" + "\n".join(lines) + END + after, encoding="utf-8")


if __name__ == "__main__":
    main()
