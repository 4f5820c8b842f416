"""Hold a backend against its host without running any of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, final, overload

from scverse_backends._inside.dispatchers import knowing
from scverse_backends._inside.hosts import HostError, whole_host
from scverse_backends._inside.inspected import inspected
from scverse_backends._inside.words import Problem, count, installed_version
from scverse_backends.exceptions import BackendContractError, BackendLoadError, BackendNotInstalledError
from scverse_backends.testing._import_cost import import_cost

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scverse_backends import BackendDispatcher

_SLOW: Final = 1.0
_NAMES: Final = "Group, entry point and adapter need the names that the host configured for this distribution."
_ORDER: Final = ("error", "warning", "note")


@final
class CheckReport(Sequence[Problem]):
    """The problems of one backend, the gravest first: a sequence that prints as text to be pasted into an issue.

    Attributes
    ----------
    host
        Name of the host library.
    backend
        Canonical name of the backend; the entry point's name where it could not be loaded.
    distribution, version
        The installed distribution that provides it, ``None`` where that is not known.
    functions
        Names of the host functions that it implements.
    traceback
        Where a backend that could not be loaded failed, as text.
    """

    __slots__ = ("_problems", "backend", "distribution", "functions", "host", "traceback", "version")

    def __init__(
        self,
        problems: Iterable[Problem],
        *,
        host: str,
        backend: str,
        distribution: str | None = None,
        version: str | None = None,
        functions: Iterable[str] = (),
        traceback: str = "",
    ) -> None:
        self._problems = tuple(sorted(problems, key=lambda problem: _ORDER.index(problem.severity)))
        self.host: str = host
        self.backend: str = backend
        self.distribution: str | None = distribution
        self.version: str | None = version
        self.functions: tuple[str, ...] = tuple(functions)
        self.traceback: str = traceback

    @overload
    def __getitem__(self, index: int, /) -> Problem: ...
    @overload
    def __getitem__(self, index: slice, /) -> tuple[Problem, ...]: ...
    def __getitem__(self, index: int | slice, /) -> Problem | tuple[Problem, ...]:
        return self._problems[index]

    def __len__(self) -> int:
        return len(self._problems)

    @property
    def counts(self) -> dict[str, int]:
        """How many problems there are of each severity. As text, those with one message count once."""
        return {severity: sum(problem.severity == severity for problem in self._problems) for severity in _ORDER}

    @property
    def ok(self) -> bool:
        """Whether there is nothing worse than a note."""
        return all(problem.severity == "note" for problem in self._problems)

    def require(self) -> None:
        """Do nothing if all is well but for notes, as ``scverse-backends check --strict``.

        Raises
        ------
        BackendContractError
            With the whole report as its message.
        """
        __tracebackhide__ = True  # Pytest then ends the traceback at the line of the test.
        if not self.ok:
            raise BackendContractError(str(self), host=self.host, backend=self.backend, distribution=self.distribution)

    @property
    def title(self) -> str:
        """What was checked and how many problems it shows, as text."""
        return f"{self._subject()}: {self._counted()}"

    def _subject(self) -> str:
        provider = " ".join(text for text in (self.distribution, self.version) if text)
        return f"{self.host}: backend {self.backend!r}{f' ({provider})' if provider else ''}"

    def _counted(self) -> str:
        said = [severity for group in self._groups().values() for severity, _, _ in group]
        return ", ".join(count(said.count(severity), severity) for severity in _ORDER)

    def _groups(self) -> dict[str | None, dict[tuple[str, str, str], list[str]]]:
        """Return for each function what is said of it, each with the parameters that it is true of."""
        groups: dict[str | None, dict[tuple[str, str, str], list[str]]] = {}
        for problem in self._problems:
            what = problem.severity, problem.message, problem.advice
            # What is true of several parameters is said once.
            parameters = groups.setdefault(problem.function, {}).setdefault(what, [])
            parameters += [problem.parameter] if problem.parameter else []
        return groups

    def __str__(self) -> str:
        lines = [self._subject()]
        groups = self._groups()
        # What concerns the adapter as a whole comes first.
        for function in sorted(groups, key=lambda name: name or ""):
            lines += ["", function or "adapter"]
            for (severity, message, advice), parameters in groups[function].items():
                about = f"{', '.join(parameters)}: " if parameters else ""
                lines.append(f"  {severity:<8} {about}{message}")
                lines.append(f"  {'':8} -> {advice}")
        lines += ["", f"{count(len(self.functions), 'function')}, {self._counted()}"]
        return "\n".join(lines)

    __repr__ = __str__


def check_backend(dispatcher: BackendDispatcher | str, backend: str) -> CheckReport:
    """Hold everything that a backend exports against the host's functions, and report all problems at once.

    No function of the backend is executed. The adapter is imported, and so is what it provides lazily. Another backend
    is imported only where its entry point claims one of the same names.

    Reported are exports that no host function has, required parameters that are missing, shared parameters of another
    kind or with another default, options without a description, options that nobody can give, names and aliases that
    are ignored or claimed by others, lazy attributes that fail, functions that the adapter has and its ``__all__``
    leaves out, and an adapter that takes more than a second to import (measured in a fresh interpreter, without the
    host's own share).

    Parameters
    ----------
    dispatcher
        The host's dispatcher, or the importable name of the host: ``"example_host"``. By its name, all that the host
        provides lazily is imported first. Of several dispatchers, the one that knows the backend is asked.
    backend
        Name or alias of an installed or registered backend, or the name of an entry point that fails to load.

    Returns
    -------
    The report, a sequence of records with ``function``, ``parameter``, ``severity`` (``"error"``, ``"warning"`` or
    ``"note"``), ``message`` and ``advice``. In a test, ``check_backend(dispatcher, "fast").require()`` raises it.

    Raises
    ------
    BackendError
        If nothing of that name is installed, and for ``"cpu"``, the host itself. What is installed and not found
        under the names that the host trusts is reported.
    TypeError
        If `dispatcher` is none and no name, or `backend` is no string.
    ValueError
        If there is no host of that name, or the host contradicts itself; the message says why.

    Examples
    --------
    >>> from scverse_backends import BackendDispatcher
    >>> from scverse_backends.testing import check_backend, temporary_backend
    >>> host = BackendDispatcher(entrypoint_group="doc_host.backends", host_name="doc_host")
    >>> @host.backend_dispatch
    ... def scale(values, *, factor=2.0):
    ...     return [value * factor for value in values]
    >>> class Fast:
    ...     name = "fast"
    ...
    ...     def scale(self, values, *, factor=1.0):
    ...         return [value * factor for value in values]
    >>> with temporary_backend(host, Fast()):
    ...     report = check_backend(host, "fast")
    >>> [(problem.severity, problem.function, problem.parameter) for problem in report]
    [('warning', 'scale', 'factor'), ('note', None, None)]
    >>> report[0].message
    'Its default is 1.0 here and 2.0 in the host.'
    """
    host = _dispatcher(dispatcher, backend)
    try:
        found = inspected(host, backend)
    except (BackendLoadError, BackendNotInstalledError) as error:
        # For its author, a backend that is installed and cannot be found is one that was checked and is broken.
        version = installed_version(error.distribution) if error.distribution else None
        if version is None:
            raise
        problem = Problem(None, None, "error", str(error), _NAMES)
        name, provider = host.host_name, error.distribution
        return CheckReport([problem], host=name, backend=backend, distribution=provider, version=version)
    problems = list(found.problems())
    record = found.record
    if record.module and not found.traceback:
        problems += _slow_import(record.module, found.host_modules)
    return CheckReport(
        problems,
        host=host.host_name,
        backend=found.name,
        distribution=record.distribution,
        version=record.version,
        functions=found.functions,
        traceback=found.traceback,
    )


def _dispatcher(given: BackendDispatcher | str, backend: str) -> BackendDispatcher:
    if not isinstance(given, str):
        return given
    try:
        return knowing(whole_host(given)[0], backend)[0]
    except HostError as error:
        raise ValueError(str(error)) from error


def _slow_import(module: str, host_modules: Iterable[str]) -> list[Problem]:
    cost = import_cost(module, host_modules)
    if cost is not None and cost.seconds > _SLOW:
        # Once more, for the first time may have compiled or fetched what now lies ready.
        cost = import_cost(module, host_modules)
    if cost is None or cost.seconds <= _SLOW:
        return []
    brought = f", which brings {', '.join(cost.packages[:8])}" if cost.packages else ""
    return [
        Problem(
            None,
            None,
            "warning",
            f"Importing {module} takes {cost.seconds:.1f} s{brought}. Whoever lists the backends waits for it.",
            "Import the implementations in the adapter's __getattr__, when one of them is asked for.",
        )
    ]
