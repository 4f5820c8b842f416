"""The files of a backend package, and how they come onto the disk: all of them or none, and nothing is overwritten."""

from __future__ import annotations

import inspect
import json
import re
import textwrap
from importlib import import_module
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from scverse_backends import __version__
from scverse_backends._inside.dispatchers import host_functions
from scverse_backends._inside.hosts import shown_as
from scverse_backends._skeleton.annotations import Import, import_block
from scverse_backends._skeleton.names import SkeletonError, chosen_functions, names_for
from scverse_backends._skeleton.provider import provider_of
from scverse_backends._skeleton.stubs import stub

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from scverse_backends import BackendDispatcher
    from scverse_backends._inside.dispatchers import HostFunction
    from scverse_backends._skeleton.names import Names
    from scverse_backends._skeleton.provider import Provider
    from scverse_backends._skeleton.stubs import Stub

_TESTING: Final = "scverse_backends.testing"


class Skeleton(NamedTuple):
    """A backend package that is not written yet."""

    names: Names
    functions: Sequence[str]
    """The host's functions that have a stub, as backends call them."""
    files: Mapping[str, str]
    """The text of each file, by its path in the folder."""


def skeleton(dispatcher: BackendDispatcher, host: str, name: str, functions: str | None) -> Skeleton:
    """Return the files of a new backend of a host.

    Parameters
    ----------
    dispatcher
        The host's.
    host
        Importable name of the host.
    name
        Name of the backend.
    functions
        Names of the functions to have stubs of, separated by commas; ``None`` for all.

    Raises
    ------
    SkeletonError
        If the host allows no backend of that name, or dispatches no such function.
    """
    names = names_for(dispatcher, host, name)
    known = {
        function.attribute: function for function in host_functions(dispatcher) if function.attribute.isidentifier()
    }
    by_any_name = {str(getattr(one.public, "__name__", attribute)): attribute for attribute, one in known.items()}
    chosen = chosen_functions(functions, {**by_any_name, **{attribute: attribute for attribute in known}})
    if not chosen:
        raise SkeletonError(f"{host} dispatches no function, so there is nothing that a backend could run.")
    made = _files(dispatcher, names, [known[attribute] for attribute in chosen])
    return Skeleton(names, chosen, made)


def write(made: Skeleton, folder: Path) -> None:
    """Write the files into a folder.

    Raises
    ------
    SkeletonError
        If one of them is there already, or cannot be written; then none is.
    """
    there = [path for path in made.files if (folder / path).exists()]
    if there:
        listed = ", ".join(there[:3]) + (f" and {len(there) - 3} more" if len(there) > 3 else "")
        raise SkeletonError(
            f"{folder} holds {listed} already, and nothing is overwritten. Choose another folder with --into."
        )
    written: list[Path] = []
    try:
        for path, text in made.files.items():
            file = folder / path
            for parent in reversed(file.parents):
                if not parent.exists():
                    parent.mkdir()
                    written.append(parent)
            with file.open("x", encoding="utf-8", newline="\n") as stream:
                written.append(file)
                stream.write(text)
    except OSError as error:
        for made_here in reversed(written):
            if made_here.is_dir():
                made_here.rmdir()
            else:
                made_here.unlink()
        raise SkeletonError(f"{folder} cannot be written: {error}. Choose another folder with --into.") from error


# -- the files ---------------------------------------------------------------------------------------------------------


def _files(dispatcher: BackendDispatcher, names: Names, functions: list[HostFunction]) -> dict[str, str]:
    provider = provider_of(names.host)
    checks = _checks_of(names.host)
    paths = {function.attribute: shown_as(names.host, function.public) for function in functions}
    body = "raise NotImplementedError(_TO_DO)"
    taken: dict[str, Import | None] = dict.fromkeys(paths)
    stubs = [stub(function, paths[function.attribute], body, taken) for function in functions]
    oldest = provider.python.removeprefix(">=") if provider else "3.12"
    example = min(functions, key=lambda function: function.is_class)
    adapter_path, impl_path = (f"{module.replace('.', '/')}.py" for module in (names.adapter, names.functions))
    fields = {
        "adapter": names.adapter,
        "adapter_path": adapter_path,
        "backend": names.backend,
        "development": _development(provider),
        "dispatch": ", require_dispatch=True" if checks and checks.takes_require_dispatch else "",
        "distribution": names.distribution,
        "entry_point": _toml_key(names.entry_point),
        "example": paths[example.attribute],
        "filters": "" if names.trusted else _UNTRUSTED.format(host=names.host),
        "function": example.attribute,
        "functions": names.functions,
        "group": json.dumps(dispatcher.entrypoint_group),
        "host": names.host,
        "host_distribution": provider.distribution if provider else names.host.replace("_", "-"),
        "impl_path": impl_path,
        "imports": _test_imports(names, checks),
        "package": names.package,
        "pythons": ", ".join(f'"{version}"' for version in dict.fromkeys([oldest, "3.14"])),
        "python": f">={oldest}",
        "requirement": json.dumps(provider.requirement) if provider else "",
        "run": checks.name if checks else "",
        "third_step": _CHECKED if checks else _COMPARED.format(host=names.host.replace(".", "_")),
        "unwritten": "\n".join(textwrap.wrap(f"Still to be written: {', '.join(paths)}.", 120, **_COMMENT)),
        "version": __version__,
    }
    made = {
        "pyproject.toml": "pyproject.toml",
        "README.md": "README.md",
        ".gitignore": "gitignore",
        ".github/workflows/test.yml": "test.yml",
        f"src/{adapter_path}": "adapter.py",
        f"tests/test_{names.host.replace('.', '_')}.py": "tests_checked.py" if checks else "tests_compared.py",
    }
    texts = {path: _filled(template, fields) for path, template in made.items()}
    for module in (names.adapter, names.functions):
        for package in _packages_of(module):
            about = names.distribution if "." not in package else f"part of {names.distribution}"
            texts.setdefault(
                f"src/{package.replace('.', '/')}/__init__.py", f'"""Functions of {names.host}, {about}."""\n'
            )
    texts[f"src/{impl_path}"] = _functions_file(names, stubs)
    return dict(sorted(texts.items()))


def _packages_of(module: str) -> list[str]:
    parts = module.split(".")[:-1]
    return [".".join(parts[: index + 1]) for index in range(len(parts))]


def _filled(template: str, fields: Mapping[str, str]) -> str:
    text = files("scverse_backends").joinpath("_skeleton", "templates", f"{template}.txt").read_text(encoding="utf-8")
    for field, value in fields.items():
        text = text.replace("{{" + field + "}}", value)
    return text.rstrip("\n") + "\n"


def _functions_file(names: Names, stubs: Sequence[Stub]) -> str:
    excused = sorted(frozenset[str]().union(*(one.excused for one in stubs)))
    imports = frozenset[Import]().union(*(one.imports for one in stubs))
    lines = [f'"""Functions of {names.host}, run by {names.backend}.', ""]
    lines += ["The parameters are those of the host. What has no default here gets the host's.", '"""', ""]
    if excused:
        # Who does not use these rules hears of it, by RUF100, that they need not be excused.
        codes = ", ".join([*excused, "RUF100"])
        lines += ["# The host gives these signatures and descriptions.", f"# ruff: noqa: {codes}", ""]
    lines += ["from __future__ import annotations", ""]
    if imports:
        block = import_block(imports, names.package)
        lines += ["from typing import TYPE_CHECKING", "", "if TYPE_CHECKING:"]
        lines += [f"    {line}".rstrip() for line in block] + [""]
    adapter = names.adapter.replace(".", "/")
    lines += [f'_TO_DO = "Write this function, then add it to _functions in src/{adapter}.py."', ""]
    return "\n".join(lines) + "\n\n" + "\n\n".join(one.source for one in stubs)


def _toml_key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key)


_COMMENT: Final[dict[str, Any]] = {"initial_indent": "    # ", "subsequent_indent": "    # "}
_UNTRUSTED: Final = """\
# {host} does not list this backend as trusted, and says so when it is first used.
filterwarnings = ["ignore::scverse_backends.exceptions.UntrustedBackendWarning"]
"""
_CHECKED: Final = "The tests run the host's own check of the function, if it has one. Add tests of your own options."
_COMPARED: Final = "Add a call of it to `CALLS` in `tests/test_{host}.py`, which compares the answer with the host's."


def _development(provider: Provider | None) -> str:
    """Return the line of the workflow that tests with the host as it is in its repository."""
    if provider is not None and provider.repository is not None:
        return f'          - "{provider.distribution} @ git+{provider.repository}"'
    return "          # Add the development version: NAME @ git+https://address.of/its/repository"


# -- the host's own checks ---------------------------------------------------------------------------------------------


class _Checks(NamedTuple):
    """The function by which a host runs its own checks on a backend."""

    module: str
    name: str
    takes_require_dispatch: bool


def _checks_of(host: str) -> _Checks | None:
    """Return what ``HOST.testing`` offers: by custom ``run_feedback``, which takes the name of a backend."""
    module = f"{host}.testing"
    try:
        offered: Any = import_module(module)
        function = offered.run_feedback
        parameters = inspect.signature(function).parameters
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001 - a host without checks, or whose checks need what is not installed.
        return None
    kinds = [parameter.kind for parameter in parameters.values()]
    takes = "require_dispatch" in parameters or inspect.Parameter.VAR_KEYWORD in kinds
    return _Checks(module, "run_feedback", takes)


def _test_imports(names: Names, checks: _Checks | None) -> str:
    package, _, adapter = names.adapter.rpartition(".")
    found = {Import(package, adapter, "adapter") if adapter != "adapter" else Import(package, adapter)}
    if checks is not None:
        found |= {Import(checks.module, checks.name), Import(_TESTING, "check_backend")}
    else:
        found |= {Import("pytest")} | {Import(_TESTING, name) for name in ("check_backend", "compare")}
    return "\n".join(import_block(found, names.package))
