"""From the name of a module to the host library that it belongs to, and to the dispatchers that the library creates."""

from __future__ import annotations

import sys
import warnings
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from scverse_backends._foundation.foreign import describe_error, safely
from scverse_backends._foundation.labels import COLLECTIONS, did_you_mean, listing
from scverse_backends._foundation.live import live_dispatchers

if TYPE_CHECKING:
    from typing import TypeGuard

    from scverse_backends._dispatcher import BackendDispatcher


class HostError(Exception):
    """A name leads to no dispatcher; the message says why in one line."""


def dispatchers_of(host: str) -> list[BackendDispatcher]:
    """Import a host and return the dispatchers that it creates, one at least, the likeliest first.

    A submodule of a host stands for the host. A :class:`HostError` says why there is none.
    """
    try:
        import_module(host)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise HostError(f"cannot import {host!r}: {describe_error(error)}.{_advice(host, error)}") from error
    found = _created_by(host)
    if not found:
        # A host that provides everything lazily may make its dispatcher when something is first asked for.
        import_shown(host)
        found = _created_by(host)
    if not found:
        hosts = sorted({name for (_, _, name, *_), _ in live_dispatchers()})
        others = f" Hosts that are loaded: {listing(hosts)}." if hosts else ""
        raise HostError(f"importing {host!r} creates no dispatcher, so it is not a host of backends.{others}")
    return found


def whole_host(host: str) -> tuple[list[BackendDispatcher], list[str]]:
    """Import a host with everything that it provides lazily, so that all its functions are known.

    Returns the dispatchers, and a sentence for each part of the host that could not be imported.
    """
    dispatchers_of(host)
    missing = import_shown(host)
    return _created_by(host), missing


def _created_by(host: str) -> list[BackendDispatcher]:
    """Return the dispatchers of a module, or of the nearest package around it that creates some."""
    # A module that is loaded again makes its dispatcher anew, and the latest is the one in use.
    live = {(module, group, name): dispatcher for (module, group, name, *_), dispatcher in live_dispatchers()}
    place = host
    while place:
        found = [
            dispatcher
            for (module, _, name), dispatcher in live.items()
            if place in (name, module) or module.startswith(f"{place}.")
        ]
        if found:
            # Asked for a submodule, the dispatcher of its functions is meant; asked for the host, the one of its name.
            return sorted(
                found, key=lambda one: (place != host and not _has_functions_in(one, host), one.host_name != place)
            )
        place = place.rpartition(".")[0]
    return []


def _has_functions_in(dispatcher: BackendDispatcher, module: str) -> bool:
    homes = (getattr(function, "__module__", None) or "" for function in dispatcher.functions().values())
    return any(home == module or home.startswith(f"{module}.") for home in homes)


# -- what is provided lazily -------------------------------------------------------------------------------------------


def import_shown(host: str) -> list[str]:
    """Import what the package of a host provides lazily (PEP 562), since decorating happens when a module is imported.

    Returns a sentence for each name that the package shows and cannot provide.
    """
    package = host.partition(".")[0]
    problems: list[str] = []
    waiting = [sys.modules[package]]
    seen: set[str] = set()
    while waiting:
        module = waiting.pop()
        seen.add(module.__name__)
        for name in _shown_by(module):
            try:
                # A deprecated attribute warns, but nobody uses it here.
                with warnings.catch_warnings(action="ignore"):
                    value = getattr(module, name)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # noqa: BLE001 - foreign code; the rest of the host is still of use.
                problems.append(f"{module.__name__}.{name} cannot be imported: {describe_error(error)}.")
                continue
            if _is_part(value, package) and value.__name__ not in seen:
                waiting.append(value)
    return problems


def _is_part(value: object, package: str) -> TypeGuard[ModuleType]:
    """Whether a value is a module within a package."""
    # A module of another package may load itself as soon as anything is asked of it: its class is asked instead.
    return isinstance(value, ModuleType) and ModuleType.__getattribute__(value, "__name__").startswith(f"{package}.")


def _shown_by(module: ModuleType) -> list[str]:
    """Return the public names of a module, in the order in which they are asked for."""
    names = {*vars(module)}
    if "__getattr__" in names:
        for listed in (vars(module).get("__all__", ()), safely(lambda: dir(module))):
            if isinstance(listed, COLLECTIONS):
                names.update(name for name in listed if isinstance(name, str))
    return sorted(name for name in names if not name.startswith("_"))


def shown_as(host: str, function: object) -> str:
    """Return the name under which a host shows a function to its users: ``example_host.tl.umap``.

    The shortest there is, since a package may show one module under several names.
    """
    package = host.partition(".")[0]
    waiting: list[tuple[str, ModuleType]] = [(package, sys.modules[package])]
    seen: list[ModuleType] = []
    found: list[str] = []
    while waiting:
        path, module = waiting.pop(0)
        seen.append(module)
        for name, value in sorted(vars(module).items()):
            if name.startswith("_"):
                continue
            if value is function:
                found.append(f"{path}.{name}")
            elif _is_part(value, package) and not any(value is one for one in seen):
                waiting.append((f"{path}.{name}", value))
    home = f"{getattr(function, '__module__', package)}.{getattr(function, '__qualname__', '')}"
    return min(found, key=lambda path: (path.count("."), len(path)), default=home)


# -- what is wrong -----------------------------------------------------------------------------------------------------


def _advice(host: str, error: BaseException) -> str:
    """Say what to do about a host that cannot be imported."""
    if not _is_module_name(host):
        likely = host.partition(":")[0].strip(".").replace("-", "_")
        meant = did_you_mean([likely] if _is_module_name(likely) else [])
        return f" HOST is the name of a module as it stands after 'import', example_host for instance.{meant}"
    package = host.partition(".")[0]
    if not isinstance(error, ModuleNotFoundError):
        return f" To see where that comes from: python -c 'import {host}'"
    if error.name != package:
        return "" if (error.name or "").startswith(f"{package}.") else f" {package} needs it: install it."
    if Path(package).is_dir() or Path(f"{package}.py").is_file():
        return " It lies in this folder: install it, or use 'python -m scverse_backends' for 'scverse-backends'."
    return f" Is it installed for {sys.executable}?"


def _is_module_name(name: str) -> bool:
    return all(part.isidentifier() for part in name.split("."))
