r"""Run a host's own test suite on a backend.

.. code-block:: sh

    pytest -p scverse_backends.testing.pytest_plugin --backend example_host=jax \
        --pyargs example_host.tests

``--scverse-backend`` says the same, and is there as well where a test suite has an option ``--backend`` of its own.

The backend is selected for the whole process, as ``settings.backend = "jax"`` does, before every test. What the backend
lacks runs on the host: the summary counts what ran where, failures say what ran in them, and a run in which the
backend never ran fails. It works with pytest-xdist.

Of a host that creates several dispatchers, the one that knows the backend is meant. Once the host is imported, by a
``conftest.py`` or by an option before, HOST may also be the ``host_name`` of a dispatcher.

The fixture ``backend`` runs a test with ``"cpu"`` and with the name of each usable backend. Its host is the one of
``backend_host`` in pytest's configuration, or of the option, or the only one that is imported.
"""

from __future__ import annotations

import warnings
from collections import Counter
from contextlib import ExitStack, suppress
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, cast

import pytest

from scverse_backends._inside.dispatchers import knowing, live
from scverse_backends._inside.hosts import HostError, dispatchers_of
from scverse_backends._inside.watching import observed
from scverse_backends.exceptions import BackendError, BackendWarning

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from scverse_backends import BackendDispatcher

__all__ = ["backend"]

_CPU: Final = "cpu"
_SENT: Final = "scverse_backends_counts"
_RUNS: Final[pytest.StashKey[list[_Run]]] = pytest.StashKey()

_Counts = Counter[tuple[str, str, str]]
"""How often which function ran on what, and why."""


class _Run:
    """The selection of one backend for the whole test run, and what its calls came to."""

    def __init__(self, dispatcher: BackendDispatcher, requested: str | list[str]) -> None:
        self.dispatcher = dispatcher
        self.requested = requested
        self._events: list[tuple[str, str, str]] = []
        self._of_test: _Counts = Counter()
        self._counted: _Counts = Counter()
        self.select()
        selected = dispatcher.settings.backend
        self.names = (selected,) if isinstance(selected, str) else selected
        self._stack = ExitStack()
        self._stack.enter_context(observed([dispatcher], self._note))

    def _note(self, function: str, executed: str, reason: str) -> None:
        # Calls come from any thread: appending is safe there, counting would not be.
        self._events.append((function, executed, reason))

    def select(self) -> None:
        """Select the backend for the process; a test before may have selected something else."""
        with warnings.catch_warnings():
            # Whoever names a backend on the command line knows whose it is.
            warnings.simplefilter("ignore", BackendWarning)
            self.dispatcher.settings.backend = self.requested
            if isinstance(self.requested, str):
                return
            # An order warns when the turn of a backend comes, which is in somebody's test.
            for name in self.requested:
                with suppress(BackendError), self.dispatcher.settings.use_backend(name):
                    pass

    def forget_collection(self) -> None:
        """Do not count what ran while tests were collected, which is none of them."""
        self._events = []

    def begin_test(self) -> None:
        """Select, and count what comes from now on for the next test."""
        self.select()
        self.of_test()
        self._of_test = Counter[tuple[str, str, str]]()

    def of_test(self) -> _Counts:
        """Return what ran in this test so far."""
        events = self._events
        self._events = []
        self._of_test.update(events)
        self._counted.update(events)
        return self._of_test

    def totals(self) -> _Counts:
        """Return what ran since the beginning."""
        self.of_test()
        return self._counted

    def add(self, counts: list[tuple[list[str], int]]) -> None:
        """Add what another process counted."""
        for (function, executed, reason), count in counts:
            self._counted[function, executed, reason] += count

    def sent(self) -> list[tuple[list[str], int]]:
        """Return the totals in a form that xdist can send."""
        return [(list(key), count) for key, count in self.totals().items()]

    @property
    def name(self) -> str:
        """What is selected, as text."""
        return ", ".join(self.names)

    @property
    def ran(self) -> bool:
        """Whether the backend ran at all, or one of those in the order."""
        return self.names == (_CPU,) or any(
            executed != _CPU and executed in self.names for _, executed, _ in self.totals()
        )

    def title(self) -> str:
        """Say how many calls ran where."""
        host = self.dispatcher.host_name
        if self.names == (_CPU,):
            return f"{host}: the host itself was selected, whose calls are not counted"
        counts = dict.fromkeys((name for name in self.names if name != _CPU), 0)
        on_host = 0
        for (_, executed, _), count in self.totals().items():
            if executed == _CPU:
                on_host += count
            else:
                counts[executed] = counts.get(executed, 0) + count
        ran = ", ".join(f"{count} {'call' if count == 1 else 'calls'} ran on {name}" for name, count in counts.items())
        return f"{host}: {ran}, {on_host} on the host"

    def close(self) -> None:
        """Undo the selection."""
        self._stack.close()
        del self.dispatcher.settings.backend


# -- options -----------------------------------------------------------------------------------------------------------

_DEST: Final = "scverse_backend"
_LONG: Final = "--scverse-backend"
_SHORT: Final = "--backend"


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Add the option ``--scverse-backend`` and the setting ``backend_host``."""
    _add(parser, _LONG)
    parser.addini("backend_host", "host library whose backends the fixture 'backend' goes through")
    if any(str(name).endswith("conftest.py") for name, _ in pluginmanager.list_name_plugin()):
        # A conftest.py loads this plugin, so the hook below has been called already.
        config: Any = pluginmanager.get_plugin("pytestconfig")
        _add_short(parser, [*config.invocation_params.args, *config.getini("addopts")])


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, parser: pytest.Parser, args: list[str]
) -> Generator[None, object, object]:
    """Add the short option ``--backend``, unless a test suite has an option of that name itself."""
    # Pytest does not know the option yet, and takes what follows it for the path of a test.
    values = [value for option, value in pairwise(args) if option == _SHORT]
    paths: list[str] = early_config.known_args_namespace.file_or_dir
    paths[:] = [path for path in paths if path not in values]
    result = yield
    _add_short(parser, args)
    return result


def _add(parser: pytest.Parser, option: str) -> None:
    parser.getgroup("scverse-backends").addoption(
        option,
        action="append",
        default=[],
        dest=_DEST,
        metavar="HOST=NAME",
        help="run the tests with backend NAME selected for the host library HOST; several names separated by commas "
        "are an order of preference; can be given for several hosts, and the last one for a host counts; "
        f"{_SHORT} says the same where no test suite has an option of that name",
    )


def _add_short(parser: pytest.Parser, args: Iterable[str]) -> None:
    # Only where it is used, since some suites add theirs late, when tests are collected.
    if not any(argument.partition("=")[0] == _SHORT for argument in args):
        return
    given = f"{_SHORT}=HOST=NAME"
    try:
        _, unknown = parser.parse_known_and_unknown_args([given])
    except (Exception, SystemExit):  # noqa: BLE001 - whoever has the option expects something else there.
        return
    if given in unknown:
        _add(parser, _SHORT)


def pytest_configure(config: pytest.Config) -> None:
    """Import the hosts and select the backends; a wrong name ends the run before it begins."""
    runs: list[_Run] = []
    config.stash[_RUNS] = runs
    config.add_cleanup(lambda: _close(runs))
    chosen: dict[BackendDispatcher, tuple[str, str | list[str]]] = {}
    for order in cast("list[str]", config.getoption(_DEST)):
        host, equals, name = order.partition("=")
        if not host or not equals or not name:
            raise pytest.UsageError(f"backend {order!r}: write HOST=NAME, example_host=jax for instance.")
        names = [one.strip() for one in name.split(",") if one.strip()]
        chosen[_dispatcher(host, names)] = (order, names if "," in name else name)
    for dispatcher, (order, requested) in chosen.items():
        try:
            runs.append(_Run(dispatcher, requested))
        except BackendError as error:
            raise pytest.UsageError(f"backend {order!r}: {error}") from error


def _close(runs: list[_Run]) -> None:
    for run in runs:
        run.close()


def _dispatcher(host: str, names: Iterable[str]) -> BackendDispatcher:
    """Return the dispatcher that is meant: of several, the one that knows the names."""
    with warnings.catch_warnings():
        # Looking for who knows a name loads what nobody has asked for.
        warnings.simplefilter("ignore", BackendWarning)
        return knowing(_dispatchers(host), *names)[0]


def _dispatchers(host: str) -> list[BackendDispatcher]:
    try:
        return dispatchers_of(host)
    except HostError as error:
        # A second dispatcher of a host may have a name that is not the host's, and no module's.
        named = [dispatcher for dispatcher in live() if dispatcher.host_name == host]
        if named:
            return named[-1:]
        raise pytest.UsageError(str(error)) from error


# -- one test ----------------------------------------------------------------------------------------------------------


def pytest_collection_finish(session: pytest.Session) -> None:
    """Begin to count."""
    for run in session.config.stash[_RUNS]:
        run.forget_collection()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Select the backends, whatever the test before did."""
    for run in item.config.stash[_RUNS]:
        run.begin_test()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Say in a failure's report which implementations ran."""
    report = yield
    for run in item.config.stash[_RUNS]:
        if report.failed:
            title = f"backends of {run.dispatcher.host_name} ({run.name} selected)"
            report.sections.append((title, _told(run.of_test()) or "No call was dispatched to a backend."))
    return report


def _told(counts: _Counts) -> str:
    lines: list[str] = []
    for (function, executed, reason), count in sorted(counts.items()):
        times = "" if count == 1 else f", {count} times"
        where = f"the host ({reason})" if executed == _CPU else executed
        lines.append(f"{function}() ran on {where}{times}")
    return "\n".join(lines)


# -- the fixture -------------------------------------------------------------------------------------------------------


@pytest.hookimpl(trylast=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give the fixture ``backend`` its names, unless a test suite has a fixture or parameter of that name itself."""
    if "backend" not in metafunc.fixturenames:
        return
    # There is no public way to ask which definition counts (the last), and who has given it parameters.
    definitions: Any = getattr(metafunc, "_arg2fixturedefs", {}).get("backend", ())
    if not definitions or definitions[-1].func.__module__ != __name__:
        return
    calls: Any = getattr(metafunc, "_calls", ())
    if any("backend" in call.params for call in calls):
        return
    names = {_CPU: None}
    for dispatcher in _hosts(metafunc.config):
        names.update(dict.fromkeys(dispatcher.settings.available_backends()))
    metafunc.parametrize("backend", list(names), indirect=True)


def _hosts(config: pytest.Config) -> list[BackendDispatcher]:
    selected = [run.dispatcher for run in config.stash[_RUNS]]
    host = config.getini("backend_host")
    if host:
        found = _dispatchers(host)
        return [dispatcher for dispatcher in found if dispatcher in selected] or found[:1]
    if selected:
        return selected
    found = live()
    if len(found) != 1:
        names = ", ".join(sorted({dispatcher.host_name for dispatcher in found})) or "none"
        raise pytest.UsageError(f"the fixture 'backend' needs to know its host: set backend_host (imported: {names}).")
    return found


@pytest.fixture
def backend(request: pytest.FixtureRequest) -> str:
    """Name of a backend to call a host's functions with: ``"cpu"``, and each that is usable here.

    Examples
    --------
    A test with this argument runs once for each of them::

        def test_embed_keeps_the_samples(backend):
            assert len(example_host.embed(DATA, backend=backend)) == len(DATA)
    """
    if not hasattr(request, "param"):
        pytest.fail(
            "The fixture 'backend' must be an argument of the test function itself. Tests of unittest.TestCase have no "
            f"arguments: run them on a backend with {_LONG} HOST=NAME.",
            pytrace=False,
        )
    return str(request.param)


# -- the whole run -----------------------------------------------------------------------------------------------------


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:  # noqa: ARG001 - xdist gives both.
    """Add what a worker of pytest-xdist counted."""
    for run, counts in zip(node.config.stash[_RUNS], getattr(node, "workeroutput", {}).get(_SENT, ()), strict=False):
        run.add(counts)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run if a requested backend never ran; a worker leaves that to who started it."""
    runs = session.config.stash[_RUNS]
    output: dict[str, object] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[_SENT] = [run.sent() for run in runs]
    elif _is_complete(session) and not all(run.ran for run in runs):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _is_complete(session: pytest.Session) -> bool:
    # A run that failed, was interrupted or had no tests ends with a status of its own.
    return session.exitstatus == pytest.ExitCode.OK and not session.config.option.collectonly


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say how many calls ran on each backend and how many on the host."""
    runs = config.stash[_RUNS]
    if not runs or config.option.collectonly:
        return
    terminalreporter.section("backends")
    for run in runs:
        terminalreporter.line(run.title(), red=not run.ran)
        for function, (count, reason) in sorted(_fallbacks(run.totals()).items()):
            terminalreporter.line(f"  {function}: {count} on the host ({reason})")
        if not run.ran:
            text = f"  Backend {run.name!r} never ran, so this run says nothing about it and counts as failed."
            terminalreporter.line(text, red=True)


def _fallbacks(totals: _Counts) -> dict[str, tuple[int, str]]:
    found: dict[str, tuple[int, str]] = {}
    for (function, executed, reason), count in totals.items():
        if executed == _CPU:
            found[function] = (found.get(function, (0, ""))[0] + count, reason)
    return found
