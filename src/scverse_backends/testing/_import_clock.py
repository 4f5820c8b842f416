"""A program that imports a module and prints, as JSON on its last line, what that took beyond the module's host.

It is started in an interpreter of its own. Its argument is JSON, too: the path to import from, the modules of the host,
and the module to measure.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from importlib.machinery import ModuleSpec


class Clock:
    """A finder that stands before all others and times the modules that they find.

    ``-X importtime`` would do, were it not blind to ``importlib.import_module``, by which lazy packages import.

    Parameters
    ----------
    hosts
        The top-level packages of the host.
    own
        The top-level package of what is measured.
    """

    def __init__(self, hosts: Iterable[str], own: str) -> None:
        self.hosts = set(hosts)
        self._own = own
        self._running: list[str] = []
        self.seconds: dict[str, float] = {}
        """By top-level package: what it took with all that it brought, unless something else brought it."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Return what another finder finds, with a loader that is timed."""
        for finder in sys.meta_path:
            find = None if finder is self else getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = find(name, path, target) if find is not None else None
            if spec is not None:
                self._time(spec.loader, name.partition(".")[0])
                return spec
        return None

    def _time(self, loader: Any, package: str) -> None:
        if self._is_built_in(package):
            return
        for step in ("create_module", "exec_module"):
            # What cannot be timed counts for who imports it.
            with suppress(AttributeError):
                setattr(loader, step, self._timed(getattr(loader, step), package))

    def _timed(self, step: Callable[[Any], Any], package: str) -> Callable[[Any], Any]:
        def run(argument: Any) -> Any:
            counts = self._counts(package)
            self._running.append(package)
            start = time.perf_counter()
            try:
                return step(argument)
            finally:
                self._running.pop()
                if counts:
                    self.seconds[package] = self.seconds.get(package, 0.0) + time.perf_counter() - start

        return run

    def _counts(self, package: str) -> bool:
        if package in self.hosts:
            return not self.hosts.intersection(self._running)
        return package != self._own and all(outer == self._own for outer in self._running)

    @staticmethod
    def _is_built_in(package: str) -> bool:
        return package in sys.stdlib_module_names


def main(order: str) -> None:
    """Measure, and print the seconds and the packages that came along, the most expensive first."""
    sys.path[:], host_modules, module = json.loads(order)
    for host in host_modules:
        with suppress(BaseException):  # A host that cannot be imported alone is timed when the adapter imports it.
            importlib.import_module(host)
    clock = Clock((host.partition(".")[0] for host in host_modules), module.partition(".")[0])
    sys.meta_path.insert(0, clock)
    start = time.perf_counter()
    importlib.import_module(module)
    seconds = time.perf_counter() - start
    of_host = sum(clock.seconds.pop(host, 0.0) for host in clock.hosts)
    packages = sorted(clock.seconds, key=lambda package: (-clock.seconds[package], package))
    shown = [package for package in packages if not package.startswith("_")]
    sys.stdout.write(f"\n{json.dumps([seconds - of_host, shown])}\n")  # The module may have printed half a line.


if __name__ == "__main__":
    main(sys.argv[1])
