"""What a person can ask for: the table of backends, and which implementation would run and why."""

from __future__ import annotations

from collections.abc import Sequence

from scverse_backends._adapters import Backend, Failure, declares, describe_error
from scverse_backends._labels import CPU
from scverse_backends._record import Record
from scverse_backends._table import Table
from scverse_backends.exceptions import BackendError, BackendLoadError, BackendNotInstalledError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scverse_backends._dispatch import Dispatch
    from scverse_backends._dispatched import Dispatched
    from scverse_backends._registry import Entry, Registry


class BackendInfo(Record):
    """What is known of one backend.

    Attributes
    ----------
    name
        Canonical name; the entry point's name where the adapter could not be loaded.
    aliases
        Other names that select it.
    distribution, version
        The installed distribution that provides it, ``None`` where that is not known.
    entry_point
        Its entry point as ``"name = module:object"``, ``None`` for an adapter registered by hand.
    trusted
        Whether the host vouches for it and its provider was verified.
    reason
        Why it is not trusted.
    state
        ``"available"``, ``"failed"``, ``"refused"`` or ``"not installed"``.
    error
        The exception behind a failure.
    functions
        Names of the host functions that it implements.
    """

    __slots__ = (
        "aliases",
        "distribution",
        "entry_point",
        "error",
        "functions",
        "name",
        "reason",
        "state",
        "trusted",
        "version",
    )
    __match_args__ = (
        "name",
        "aliases",
        "distribution",
        "version",
        "entry_point",
        "trusted",
        "reason",
        "state",
        "error",
        "functions",
    )
    name: str
    aliases: tuple[str, ...]
    distribution: str | None
    version: str | None
    entry_point: str | None
    trusted: bool
    reason: str | None
    state: str
    error: BaseException | None
    functions: tuple[str, ...]

    def __init__(  # noqa: PLR0913 - the columns of the table.
        self,
        name: str,
        aliases: tuple[str, ...],
        distribution: str | None,
        version: str | None,
        entry_point: str | None,
        trusted: bool,  # noqa: FBT001 - a field like the others.
        reason: str | None,
        state: str,
        error: BaseException | None,
        functions: tuple[str, ...],
    ) -> None:
        self._fill(
            name, aliases, distribution, version, entry_point, trusted, reason, state, error, functions
        )

    def _cells(self) -> tuple[str, ...]:
        provider = " ".join(text for text in (self.distribution, self.version) if text)
        why = describe_error(self.error) if self.error is not None else self.reason or ""
        return (
            self.name,
            ", ".join(self.aliases),
            self.state,
            "yes" if self.trusted else "no",
            provider,
            ", ".join(self.functions),
            why,
        )


class BackendTable(Sequence[BackendInfo]):
    """The backends of one host. Prints as a table, and shows as one in notebooks."""

    __slots__ = ("_host", "_infos")

    def __init__(self, host: str, infos: Iterable[BackendInfo]) -> None:
        self._host = host
        self._infos = tuple(infos)

    def __getitem__(self, index):  # type: ignore[no-untyped-def]  # the two overloads of Sequence add nothing here.
        return self._infos[index]

    def __len__(self) -> int:
        return len(self._infos)

    def _table(self) -> Table:
        headers = ("name", "aliases", "state", "trusted", "provided by", "functions", "why")
        title = f"Backends of {self._host}" if self._infos else f"No backend of {self._host} is installed."
        return Table(title, headers, [info._cells() for info in self._infos])  # noqa: SLF001 - the table's own rows.

    def __repr__(self) -> str:
        return self._table().text()

    def _repr_html_(self) -> str:
        return self._table().html()


class Explanation(Record):
    """Which implementation would run, and why.

    Attributes
    ----------
    function
        Name of the host function.
    requested
        Canonical name of the selection, or a tuple of names where an order is selected.
    source
        Which rule chose it: ``"argument"``, ``"scope"``, ``"process"``, ``"environment"`` or ``"default"``.
    executes
        The backend that would run, ``"cpu"`` for the host's implementation; ``None`` where the call would raise.
    reason
        Why, for every name of the selection.
    """

    __slots__ = ("executes", "function", "reason", "requested", "source")
    __match_args__ = ("function", "requested", "source", "executes", "reason")
    function: str
    requested: str | tuple[str, ...]
    source: str
    executes: str | None
    reason: str

    def __init__(
        self, function: str, requested: str | tuple[str, ...], source: str, executes: str | None, reason: str
    ) -> None:
        self._fill(function, requested, source, executes, reason)

    def __str__(self) -> str:
        requested = self.requested if isinstance(self.requested, str) else ", ".join(self.requested)
        ends = f"runs on {self.executes}" if self.executes is not None else "would raise"
        return f"{self.function}: {ends} (requested: {requested}, by {self.source}). {self.reason}"

    def _repr_html_(self) -> str:
        headers = ("requested", "source", "executes", "reason")
        requested = self.requested if isinstance(self.requested, str) else ", ".join(self.requested)
        row = (requested, self.source, self.executes or "would raise", self.reason)
        return Table(f"{self.function}()", headers, [row]).html()


def backend_table(host: str, registry: Registry, records: Iterable[Dispatched]) -> BackendTable:
    """Return what is known of every backend, loading the adapters but not their lazily provided functions."""
    registry.load_all()
    names = sorted({(record.attribute, record.name) for record in records})
    return BackendTable(host, sorted(_infos(registry, names), key=lambda info: (info.name, info.distribution or "")))


def _infos(registry: Registry, names: list[tuple[str, str]]) -> Iterator[BackendInfo]:
    answers = registry.answers()
    present: set[str] = set()
    seen: list[object] = []
    for entry in registry.known_entries():
        outcome = entry.outcome
        if isinstance(outcome, Backend):
            if any(outcome.adapter is adapter for adapter in seen):
                continue  # One adapter reached through two entry points.
            seen.append(outcome.adapter)
        present.add(outcome.name if isinstance(outcome, Backend) else "")
        yield _info(entry, answers, names)
    for owner in registry.trust.trusted:
        if owner.name not in present and not any(entry.failed for entry in registry.candidates(owner)):
            distribution = owner.distributions[0] if owner.distributions else None
            hint = f"pip install {distribution}" if distribution else None
            yield BackendInfo(
                owner.name, owner.aliases, distribution, None, None, False, hint, "not installed", None, ()
            )


def _info(entry: Entry, answers: dict[str, Backend], names: list[tuple[str, str]]) -> BackendInfo:
    record, outcome = entry.record, entry.outcome
    point = f"{record.name} = {record.value}" if record.value else None
    if isinstance(outcome, Backend):
        aliases = tuple(alias for alias in outcome.aliases if answers.get(alias) is outcome)
        shadowed = answers.get(outcome.name) is not outcome
        functions = tuple(dict.fromkeys(shown for asked, shown in names if declares(outcome.adapter, asked)))
        reason = "another product answers to its name" if shadowed else outcome.untrusted_reason
        return BackendInfo(
            outcome.name,
            () if shadowed else aliases,
            outcome.distribution,
            record.version,
            point,
            outcome.trusted and not shadowed,
            reason,
            "refused" if shadowed else "available",
            None,
            () if shadowed else functions,
        )
    failure = outcome if isinstance(outcome, Failure) else Failure("it is being loaded")
    state = "refused" if failure.refused else "failed"
    error = failure.error
    if error is None and not failure.refused:
        error = BackendLoadError(failure.text, backend=record.name, distribution=record.distribution)
    return BackendInfo(
        record.name, (), record.distribution, record.version, point, False, failure.text, state, error, ()
    )


def explain(dispatch: Dispatch, record: Dispatched, backend: object) -> Explanation:
    """Say what a call would come to, without calling anything of the backend's."""
    selection = dispatch.selection
    name = record.name
    state = selection.state()
    try:
        if backend is None:
            choice, source = selection.effective()
        else:
            choice, source = dispatch.resolver.choice(backend), "argument"
    except BackendError as error:
        requested = backend if backend is not None else selection.environment()
        shown = tuple(map(str, requested)) if isinstance(requested, (list, tuple)) else str(requested)
        return Explanation(name, shown, error.source or "argument", None, str(error))
    attempts: list[str] = []
    try:
        for candidate in dispatch.candidates(record, choice, source, state):
            if candidate.runs_host:
                reason = "; ".join([*attempts, f"{CPU}: {candidate.reason}"])
                return Explanation(name, choice.reading, source, CPU, reason)
            if candidate.plan is not None:
                may = " unless it declines the arguments" if candidate.plan.can_run is not None else ""
                reason = "; ".join([*attempts, f"{candidate.name}: runs{may}"])
                return Explanation(name, choice.reading, source, candidate.name, reason)
            detail = f" ({_first_line(candidate.problem)})" if candidate.problem is not None else ""
            attempts.append(f"{candidate.name}: {candidate.reason}{detail}")
    except (BackendError, BackendNotInstalledError) as error:
        return Explanation(name, choice.reading, source, None, "; ".join([*attempts, str(error)]))
    if selection.fallback() == "raise":
        return Explanation(name, choice.reading, source, None, "; ".join([*attempts, "settings.fallback is 'raise'"]))
    return Explanation(name, choice.reading, source, CPU, "; ".join([*attempts, f"{CPU}: runs as fallback"]))


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
