"""Distributions that are as good as installed: metadata and modules in a folder for `sys.path`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import hosts

if TYPE_CHECKING:
    from pathlib import Path

GROUP = "bench_host.backends"


def distribution(folder: Path, name: str, entry_points: str = "") -> None:
    """Write the metadata of one distribution, of the size it usually has."""
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    lines = ["Metadata-Version: 2.1", f"Name: {name}", "Version: 1.0", "Summary: A package", ""]
    lines += ["A line of the description that a package index shows."] * 60
    (info / "METADATA").write_text("\n".join(lines), encoding="utf-8")
    (info / "RECORD").write_text(f"{name}/__init__.py,,\n" * 40, encoding="utf-8")
    if entry_points:
        (info / "entry_points.txt").write_text(entry_points, encoding="utf-8")


def others(folder: Path, count: int) -> None:
    """Write ``count`` distributions that have nothing to do with the host; every third has a command."""
    for index in range(count):
        command = f"[console_scripts]\nother-{index} = other_{index}:main\n" if index % 3 == 0 else ""
        distribution(folder, f"other-{index}", command)


def backend(folder: Path, label: str, source: str, *, group: str = GROUP) -> None:
    """Write a distribution ``bench-<label>`` with an adapter module that holds ``source``."""
    folder.mkdir(parents=True, exist_ok=True)
    module = f"bench_{label}"
    (folder / f"{module}.py").write_text(f'name = "{label}"\n\n\n{source}', encoding="utf-8")
    distribution(folder, f"bench-{label}", f"[{group}]\n{label} = {module}\n")


def fast(folder: Path, *, group: str = GROUP) -> None:
    """Write the backend that the calls are dispatched to: the host's own signatures."""
    parts = [hosts.function_source(f"call{size}", size) for size in hosts.SIZES]
    parts += [hosts.class_source(f"Model{size}", size) for size in hosts.SIZES]
    if group != GROUP:
        # networkx asks an object of the backend where it belongs, and a backend of networkx must say that it converts.
        parts.append(f'class Fast:\n    __{group.partition(".")[0]}_backend__ = "fast"\n')
    else:
        parts.append("class Fast(int):\n    pass\n")
    backend(folder, "fast", "\n\n".join(parts), group=group)


def implementing(folder: Path, label: str, count: int, *, extra: str = "", heavy: bool = False) -> None:
    """Write a backend that implements the first ``count`` of the documented functions, heavy to import if asked to."""
    names = [f"function_{index}" for index in range(count)]
    parts = [hosts.function_source(name, 6, documented=True, extra=extra) for name in names]
    if heavy:
        parts.append("HEAVY = sum(index * index for index in range(200_000))\n")
    backend(folder, label, "\n\n".join(parts))
