"""What everything in a new backend package is called."""

from __future__ import annotations

import keyword
import re
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple

from scverse_backends._inside.dispatchers import refusal_of, trusted_as
from scverse_backends._inside.words import CPU, did_you_mean, label_problem, suggestions

if TYPE_CHECKING:
    from scverse_backends import BackendDispatcher


class SkeletonError(Exception):
    """The package cannot be written as it was asked for; the message says what to do."""


class Names(NamedTuple):
    """The names of one backend package."""

    backend: str
    """Canonical name of the backend."""
    entry_point: str
    distribution: str
    package: str
    adapter: str
    """Full name of the adapter's module."""
    functions: str
    """Full name of the module that holds the functions."""
    host: str
    """Importable name of the host."""
    trusted: bool
    """Whether the host will recognise the package as one that it trusts."""


def names_for(dispatcher: BackendDispatcher, host: str, wanted: str) -> Names:
    """Return the names of a package for a backend, those that the host has configured where it trusts one of that name.

    Raises
    ------
    SkeletonError
        If no backend of this host can have the name.
    """
    wrong = label_problem(wanted)
    if wrong is not None:
        likely = re.sub(r"[^0-9A-Za-z._-]+", "_", wanted).strip("._-")
        raise SkeletonError(f"The name {wanted!r} {wrong}.{did_you_mean([likely] if likely else [])}")
    if wanted.lower() == CPU:
        raise SkeletonError(f"{wanted!r} is the host itself. Choose another name.")
    host_module = host.rpartition(".")[2]
    trusted = trusted_as(dispatcher, wanted)
    if trusted is None:
        refusal = refusal_of(dispatcher, wanted)
        if refusal is not None:
            raise SkeletonError(f"The name {wanted!r} {refusal}.")
        package = _free_package(wanted, host)
        return Names(
            backend=wanted,
            entry_point=wanted,
            distribution=package.strip("_").replace("_", "-"),
            package=package,
            adapter=f"{package}._backends.{host_module}",
            functions=f"{package}.{host_module}_impl",
            host=host,
            trusted=False,
        )
    module, colon, attribute = next(iter(trusted.object_refs), "").partition(":")
    if colon:
        raise SkeletonError(
            f"{host} trusts {trusted.name!r} only as {module}:{attribute}, an object in a module. A package with an "
            f"adapter module is all that can be written here."
        )
    prefix = next(iter(trusted.module_prefixes), "")
    package = (module or prefix).partition(".")[0] or _as_package(trusted.name)
    adapter = module or f"{package}._backends.{host_module}"
    if not module and prefix and not f"{adapter}.".startswith(f"{prefix}."):
        adapter = prefix
    return Names(
        backend=trusted.name,
        entry_point=next(iter(trusted.entrypoints), trusted.name),
        distribution=next(iter(trusted.distributions), package.replace("_", "-")),
        package=package,
        adapter=adapter,
        functions=f"{package}.{host_module}_impl",
        host=host,
        trusted=trusted.verifiable,
    )


def _as_package(name: str) -> str:
    package = re.sub(r"\W", "_", name.lower(), flags=re.ASCII)
    return f"_{package}" if package[0].isdigit() or keyword.iskeyword(package) else package


def _free_package(name: str, host: str) -> str:
    """Return the name of a package that is not the name of another package, which is often that of the library used."""
    package = _as_package(name)
    if package.startswith("_") or package in sys.stdlib_module_names or _exists(package):
        package = f"{host.partition('.')[0]}_{package.strip('_')}"
    return package


def _exists(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except (ImportError, ValueError):
        return True  # Something of that name is there, however odd.


def chosen_functions(wanted: str | None, known: dict[str, str]) -> list[str]:
    """Return the host's names of functions that a user chose, all of them where nothing was chosen.

    Parameters
    ----------
    wanted
        Names separated by commas; what users call a function is as good as what backends call it.
    known
        What backends call each function, by every name that it has.

    Raises
    ------
    SkeletonError
        If the host dispatches no function of a name.
    """
    if wanted is None:
        return sorted(set(known.values()))
    names = [part.strip().rpartition(".")[2] for part in wanted.split(",") if part.strip()]
    for name in names:
        if name not in known:
            likely = did_you_mean(suggestions(name, known))
            everything = ", ".join(sorted(set(known.values()))) or "none at all"
            raise SkeletonError(f"The host dispatches no function {name!r}.{likely} It dispatches: {everything}.")
    if not names:
        raise SkeletonError("--functions names none. Leave it out for all of them.")
    return sorted({known[name] for name in names})
