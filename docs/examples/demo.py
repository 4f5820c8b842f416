"""One host, three backends that are installed next to it, and real data: the scanned digits that scikit-learn ships.

``hatch run demo:demo`` installs the four example distributions and runs this. The exit status is 1 if any backend
failed or gave another answer than the host.
"""

from __future__ import annotations

import inspect
import sys
import textwrap
import time
import warnings
from itertools import starmap

import example_host as eh
import numpy as np
from sklearn.datasets import load_digits

from scverse_backends.exceptions import BackendWarning
from scverse_backends.testing import compare

WIDTH = 100
DIGITS, LABELS = load_digits(return_X_y=True)
CENTRE = [27, 28, 35, 36]  # The four pixels in the middle of a digit: dark in a zero only.

# What counts as the same answer: example-fast computes in single precision, and values reach up to 30.
RTOL, ATOL = 1e-4, 1e-3
COPIES = 150  # Of the digits, where a cluster is shown with large data.
REPEATS = 3  # The best time counts: the first call compiles (JAX) or starts a cluster (Dask).

CALLS = [
    (eh.compute_score, (DIGITS, CENTRE), {"method": "zscore"}),
    (eh.embed, (DIGITS,), {"n_components": 10}),
    (eh.summarize, (DIGITS, LABELS), {"ddof": 1}),
]


def available() -> list[str]:
    return [info.name for info in eh.settings.backends() if info.state == "available"]


def show_backends() -> list[str]:
    """Print what is installed, and return what failed to load."""
    infos = eh.settings.backends()
    rows = [
        (
            info.name,
            ", ".join(info.aliases),
            "yes" if info.trusted else "no",
            f"{info.distribution} {info.version or ''}",
            ", ".join(info.functions) or info.state,
        )
        for info in infos
    ]
    print_table(("backend", "aliases", "trusted", "distribution", "implements"), rows)
    problems = [f"{i.name} is {i.state}: {i.error or i.reason}" for i in infos if i.state != "available"]
    for problem in problems:
        print_wrapped(problem)
    return problems


def show_warnings() -> list[str]:
    """Print what a user is told who asks for more than a backend can do."""
    print_calls("eh.compute_score(digits, copy=False, backend='fast')", "eh.summarize(digits, labels, backend='fast')")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", BackendWarning)
        eh.compute_score(DIGITS, copy=False, backend="fast")
        eh.summarize(DIGITS, LABELS, backend="fast")
    for warning in caught:
        print_wrapped(f"{warning.category.__name__}: {warning.message}")
    return []


def show_functions() -> list[str]:
    """Run every function on every backend, print how they compare with the host, and return what went wrong."""
    rows, problems = [], []
    for function, args, options in CALLS:
        name = function.__name__
        records = compare(function, *args, backends=available(), repeats=REPEATS, rtol=RTOL, atol=ATOL, **options)
        host = records[0].seconds
        for record in records:
            rows.append(
                (
                    name if record.backend == "cpu" else "",
                    record.backend,
                    record.executed or "-",
                    "-" if record.seconds is None else f"{record.seconds * 1000:.2f} ms",
                    ratio(record.seconds, host),
                    "-" if record.max_abs is None else f"{record.max_abs:.1e}",
                    outcome(record),
                )
            )
            if record.error or record.agrees is False:
                problems.append(f"{name} on {record.backend}: {record.error or record.note}")
    print_table(("function", "backend", "ran on", "time", "beside the host", "largest diff.", ""), rows)
    print(f"\n  {len(DIGITS)} samples x {DIGITS.shape[1]} features, the best time of {REPEATS} calls.")
    print(f"  A result agrees where no value is off by more than {ATOL:g} plus {RTOL:g} of its size.")
    for problem in problems:
        print_wrapped(problem)
    return problems


def outcome(record: object) -> str:
    if record.error:
        return "FAILED"
    if record.backend == "cpu":
        return "the host"
    if record.executed == "cpu":
        return "lacks it"
    return {True: "agrees", False: "DIFFERS", None: "not compared"}[record.agrees]


def ratio(seconds: float | None, host: float | None) -> str:
    """Say how much faster or slower than the host something was."""
    if not seconds or not host or seconds == host:
        return "-"
    times = max(seconds, host) / min(seconds, host)
    return f"{times:.1f} x {'faster' if seconds < host else 'slower'}"


def show_cluster() -> list[str]:
    """Compute small and large data on a cluster and on the host, and let an order of preference choose."""
    print_calls("eh.embed(data, 10, backend='dask')", "eh.embed(data, 10, backend=['dask', 'cpu'])")
    rows, problems, reasons = [], [], []
    for copies, expected in {1: "cpu", COPIES: "example_dask"}.items():
        # Every pixel gets a little noise, since repeated digits are no new data.
        noise = np.random.default_rng(0).normal(size=(copies * len(DIGITS), DIGITS.shape[1]))
        data = np.tile(DIGITS, (copies, 1)) + noise
        records = compare(eh.embed, data, 10, backends=["dask"], repeats=REPEATS, rtol=RTOL, atol=ATOL)
        host, cluster = records
        with eh.settings.trace() as calls:
            eh.embed(data, 10, backend=["dask", "cpu"])
        reasons.append(calls[0].reason)
        times = [f"{record.seconds * 1000:.0f} ms" for record in records]
        rows.append((f"{data.size:,} values", *times, ratio(cluster.seconds, host.seconds), calls[0].executed))
        if not cluster.agrees:
            problems.append(f"embed on dask: {cluster.error or cluster.note}")
        if calls[0].executed != expected:
            problems.append(f"the order ran {data.size:,} values on {calls[0].executed}, not on {expected}")
    print_table(("data", "host", "dask", "beside the host", "the order ran on"), rows)
    print()
    print_wrapped(
        "A call on a cluster first sends its data, and a message for each task. With small data, the host is done by "
        "then. With large data, all cores work on parts of it, and nobody needs to hold the whole."
    )
    print_wrapped(f"The order, with the small data: {reasons[0]}")
    return problems


def show_class() -> list[str]:
    """Construct a class on the host and on a backend, which adds an option to the constructor."""
    print_calls("eh.Neighborhood(n_neighbors=5, block_size=256, backend='fast').fit(digits)")
    graphs = {}
    for name, options in {"cpu": {}, "fast": {"block_size": 256}}.items():
        begin = time.perf_counter()
        graphs[name] = eh.Neighborhood(n_neighbors=5, **options, backend=name).fit(DIGITS)
        duration = time.perf_counter() - begin
        kind = type(graphs[name])
        print(f"  {name:<5} {duration * 1000:7.2f} ms   {kind.__module__}.{kind.__qualname__}")
    same = np.array_equal(graphs["cpu"].indices, graphs["fast"].indices)
    print(f"  the same neighbours: {'yes' if same else 'NO'}")
    return [] if same else ["Neighborhood on fast: other neighbours than on the host"]


def show_help() -> list[str]:
    """Print the help of one function, with the options of all backends in it and the backends' names on them."""
    signature = inspect.signature(eh.embed)
    plain = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in signature.parameters.values()]
    bare = signature.replace(parameters=plain, return_annotation=inspect.Signature.empty)
    print_wrapped(f"embed{bare}", hanging=6)
    print(textwrap.indent(inspect.getdoc(eh.embed).partition("\nRaises\n")[0].rstrip(), "      "))
    return []


def show_ways_to_select() -> list[str]:
    """Select a backend by argument, by scope and by setting, and print what ran and which rule chose it."""
    with eh.settings.trace() as calls:
        eh.embed(DIGITS, backend="jax")
        with eh.settings.use_backend("dask"):
            eh.embed(DIGITS)
        eh.settings.backend = "fast"
        try:
            eh.embed(DIGITS)
            eh.embed(DIGITS, backend="cpu")
        finally:
            del eh.settings.backend
        eh.embed(DIGITS)
    code = [
        "eh.embed(digits, backend='jax')",
        "with eh.settings.use_backend('dask'): eh.embed(digits)",
        "eh.settings.backend = 'fast'; eh.embed(digits)",
        "eh.embed(digits, backend='cpu')",
        "del eh.settings.backend; eh.embed(digits)",
    ]
    expected = ["example_jax", "example_dask", "fast", "cpu", "cpu"]
    rows = [(line, call.executed, call.source) for line, call in zip(code, calls, strict=True)]
    print_table(("what is written", "ran on", "chosen by"), rows)
    return [
        f"{row[0]} ran on {row[1]}, not on {name}" for row, name in zip(rows, expected, strict=True) if row[1] != name
    ]


def show_preference_order() -> list[str]:
    """Name two backends, of which the first lacks the function, or declines data with so many features."""
    print_calls("print(eh.settings.explain(eh.summarize, backend=['fast', 'jax']))")
    print(textwrap.indent(str(eh.settings.explain(eh.summarize, backend=["fast", "jax"])), "  "))
    print()
    wide = np.tile(DIGITS[:300], (1, 65))
    print_calls("eh.embed(wide, backend=['jax', 'dask'])")
    print(f"  wide has {wide.shape[0]} samples and {wide.shape[1]} features")
    with eh.settings.trace() as calls:
        coordinates = eh.embed(wide, backend=["jax", "dask"])
    call = calls[0]
    print(f"  asked for  {', '.join(call.requested)}")
    print(f"  ran on     {call.executed}")
    print_wrapped(f"because    {call.reason}", hanging=11)
    difference = np.abs(coordinates - eh.embed(wide, backend="cpu")).max()
    print(f"  largest difference from the host: {difference:.1e}")
    problems = [] if call.executed == "example_dask" else [f"the order ran on {call.executed}, not on example_dask"]
    return problems if difference < ATOL else [*problems, f"the order's result differs by {difference:.1e}"]


def print_table(headers: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    lines = [headers, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, tuple("-" * width for width in widths))
    for line in lines:
        print("  " + "  ".join(starmap(str.ljust, zip(line, widths, strict=True))).rstrip())


def print_calls(*code: str) -> None:
    for line in code:
        print(f"  >>> {line}")


def print_wrapped(text: str, hanging: int = 4) -> None:
    print(textwrap.fill(text, WIDTH, initial_indent="  ", subsequent_indent=" " * (2 + hanging)))


SECTIONS = {
    "Which backends are installed, and which does the host trust?": show_backends,
    "What is a user told?": show_warnings,
    "The same answers, and how fast?": show_functions,
    "A cluster: where it loses, and where it wins": show_cluster,
    "A class": show_class,
    "The help of one function, with what the backends add": show_help,
    "Three ways to select": show_ways_to_select,
    "An order of preference, where the first cannot": show_preference_order,
}


def main() -> int:
    begin = time.perf_counter()
    # Untrusted backends and fallbacks warn; one section shows how, the others would repeat it.
    warnings.simplefilter("ignore", BackendWarning)
    problems: list[str] = []
    for number, (title, show) in enumerate(SECTIONS.items(), 1):
        print(f"{number}. {title}\n")
        try:
            problems += show()
        except Exception as error:  # noqa: BLE001 - One broken backend must not hide what the others do.
            problems.append(f"{title}: {type(error).__name__}: {error}")
            print_wrapped(f"FAILED  {type(error).__name__}: {error}")
        print()
    count = "1 problem" if len(problems) == 1 else f"{len(problems) or 'No'} problems"
    print(f"{count} in {time.perf_counter() - begin:.1f} s.")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
