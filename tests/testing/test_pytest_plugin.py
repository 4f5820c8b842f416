"""Section 8.4: a host's own test suite, run on a backend."""

from __future__ import annotations

import builtins
import itertools
import subprocess
import sys
from types import SimpleNamespace

import pytest

from scverse_backends.testing import pytest_plugin

pytest_plugins = ["pytester"]

NUMBER = itertools.count()

HOST = """
    from scverse_backends import BackendDispatcher

    dispatcher = BackendDispatcher(entrypoint_group="HOST.backends", host_name="HOST")
    settings = dispatcher.settings

    @dispatcher.backend_dispatch
    def double(x):
        return 2 * x

    @dispatcher.backend_dispatch
    def triple(x):
        return 3 * x

    class Fast:
        name = "fast"
        aliases = ["quick"]

        def double(self, x):
            return x + x

    dispatcher.register(Fast())
"""


@pytest.fixture
def suite(pytester):
    """Make a function that runs tests of a host, which has a name of its own each time."""
    host = f"plugin_host_{next(NUMBER)}"

    def run(tests, *arguments, backend="fast", code=HOST, new_process=False):
        pytester.makepyfile(**{host: code.replace("HOST", host), "test_host": tests.replace("HOST", host)})
        pytester.syspathinsert()
        options = ["-p", "scverse_backends.testing.pytest_plugin", "-p", "no:randomly", "-p", "no:cacheprovider"]
        if backend is not None:
            options += ["--backend", f"{host}={backend}"]
        method = pytester.runpytest_subprocess if new_process else pytester.runpytest_inprocess
        return method(*options, *(argument.replace("HOST", host) for argument in arguments))

    run.host = host
    return run


TESTS = """
    import HOST, threading

    def test_double():
        assert HOST.double(2) == 4

    def test_double_in_thread():
        threads = [threading.Thread(target=HOST.double, args=(1,)) for _ in range(3)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]

    def test_triple():
        assert HOST.triple(2) == 6
        assert HOST.triple(2, backend="cpu") == 6
"""


def test_the_suite_runs_on_the_backend_and_the_summary_counts(suite):
    result = suite(TESTS)
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(
        [
            "*= backends =*",
            f"{suite.host}: 4 calls ran on fast, 1 on the host",
            "  triple: 1 on the host (fast: not implemented; cpu: runs as fallback)",
        ]
    )
    assert result.ret == 0
    assert "never ran" not in result.stdout.str()


def test_an_alias_is_as_good_as_the_name(suite):
    result = suite(TESTS, backend="quick")
    result.stdout.fnmatch_lines(["*: 4 calls ran on fast, 1 on the host"])
    assert result.ret == 0


def test_a_failure_names_what_ran(suite):
    result = suite("""
        import HOST

        def test_fails():
            HOST.double(1)
            HOST.double(2)
            HOST.triple(1)
            assert False

        def test_fails_by_itself():
            assert False
    """)
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        [
            f"*- backends of {suite.host} (fast selected) -*",
            "double() ran on fast, 2 times",
            "triple() ran on the host (fast: not implemented; cpu: runs as fallback)",
            f"*- backends of {suite.host} (fast selected) -*",
            "No call was dispatched to a backend.",
        ]
    )
    assert result.ret == 1


def test_what_a_fixture_called_counts_for_the_test(suite):
    result = suite("""
        import HOST, pytest

        @pytest.fixture
        def four():
            return HOST.double(2)

        def test_fails(four):
            assert four == 5
    """)
    result.stdout.fnmatch_lines(["double() ran on fast"])


def test_a_run_in_which_the_backend_never_ran_fails(suite):
    result = suite("""
        import HOST

        def test_triple():
            assert HOST.triple(2) == 6
    """)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        [
            "*: 0 calls ran on fast, 1 on the host",
            "  Backend 'fast' never ran, so this run says nothing about it and counts as failed.",
        ]
    )
    assert result.ret == 1


def test_calls_while_tests_are_collected_are_no_tests(suite):  # 8.4
    result = suite("""
        import HOST, pytest

        @pytest.mark.parametrize("doubled", [HOST.double(2)])
        def test_triple(doubled):
            assert HOST.triple(2) == 6
    """)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*: 0 calls ran on fast, 1 on the host"])
    assert result.ret == 1


def test_statuses_of_their_own_are_kept(suite):
    assert suite("", "-k", "nothing").ret == pytest.ExitCode.NO_TESTS_COLLECTED
    result = suite(TESTS, "--collect-only")
    assert result.ret == 0
    assert "ran on" not in result.stdout.str()


def test_a_test_that_selects_something_else_does_not_spoil_the_next(suite):
    result = suite("""
        import HOST

        def test_first():
            HOST.settings.backend = "cpu"
            assert HOST.double(2) == 4

        def test_second():
            assert HOST.settings.backend == "fast"
            HOST.double(2)

        def test_third():
            del HOST.settings.backend

        def test_fourth():
            assert HOST.settings.backend == "fast"
    """)
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(["*: 1 call ran on fast, 0 on the host"])


def test_the_host_itself_can_be_named(suite):
    result = suite(TESTS, backend="cpu")
    result.stdout.fnmatch_lines([f"{suite.host}: the host itself was selected, whose calls are not counted"])
    assert result.ret == 0


SLOW = """
    class Slow:
        name = "slow"

        def double(self, x):
            return 2 * x

        def triple(self, x):
            return 3 * x

    dispatcher.register(Slow())
"""


def test_an_order_can_be_named(suite):
    result = suite(TESTS, backend="fast, slow,cpu", code=HOST + SLOW)
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines([f"{suite.host}: 4 calls ran on fast, 1 call ran on slow, 0 on the host"])
    assert result.ret == 0
    result = suite(TESTS, backend="quick,")
    result.stdout.fnmatch_lines(["*: 4 calls ran on fast, 1 on the host"])


def test_an_order_of_which_nothing_ran_fails(suite):
    tests = "import HOST\ndef test_triple():\n    HOST.triple(1)\n"
    result = suite(tests, backend="fast,cpu")
    result.stdout.fnmatch_lines(["*: 0 calls ran on fast, 1 on the host", "  Backend 'fast, cpu' never ran*"])
    assert result.ret == 1


def test_other_backends_are_counted_by_themselves(suite):
    tests = "import HOST\ndef test_it():\n    HOST.double(1)\n    HOST.double(1, backend='slow')\n"
    result = suite(tests, "-W", "ignore", code=HOST + SLOW)
    result.stdout.fnmatch_lines(["*: 1 call ran on fast, 1 call ran on slow, 0 on the host"])


def test_given_twice_for_one_host_the_last_counts(suite):
    result = suite(TESTS, "--backend", "HOST=fast", backend="cpu")
    assert result.stdout.str().count("calls ran on fast") == 1
    assert "the host itself" not in result.stdout.str()
    assert result.ret == 0


def test_without_the_option_nothing_changes(suite):
    result = suite(TESTS, backend=None)
    result.assert_outcomes(passed=3)
    assert "ran on" not in result.stdout.str()


def test_nothing_stays_selected_after_the_run(suite):
    suite(
        TESTS
        + "\ndef test_keep():\n    import builtins, HOST\n    builtins.kept_by_test = HOST\n".replace("\n", "\n    ")
    )
    host = builtins.__dict__.pop("kept_by_test")
    assert host.settings.backend == "cpu"
    assert host.dispatcher._machinery.decider.observers == ()


@pytest.mark.parametrize(
    ("order", "message"),
    [
        ("HOST=cpu,fast", "Nothing can stand behind 'cpu'"),
        ("HOST=,", "empty"),
        ("..HOST=fast", "cannot import .*HOST is the name of a module"),
        ("plugin_host_that_exits=fast", "cannot import 'plugin_host_that_exits': SystemExit: 0"),
        ("HOST=fats", "Unknown backend 'fats'.*Did you mean 'fast'"),
        ("HOST", "write HOST=NAME"),
        ("=fast", "write HOST=NAME"),
        ("HOST=", "write HOST=NAME"),
        ("no_such_host_module=fast", "cannot import 'no_such_host_module': ModuleNotFoundError"),
        ("json=fast", "importing 'json' creates no dispatcher"),
    ],
)
def test_wrong_orders_end_the_run_before_it_begins(suite, pytester, order, message):
    pytester.makepyfile(plugin_host_that_exits="raise SystemExit(0)")
    result = suite(TESTS, "--backend", order, backend=None)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.re_match_lines([f".*{message}"])


# -- the fixture -------------------------------------------------------------------------------------------------------

FIXTURE = """
    import HOST

    def test_everywhere(backend):
        assert HOST.double(2, backend=backend) == 4
"""


def test_the_fixture_goes_through_cpu_and_what_is_installed(suite):
    result = suite(FIXTURE, "-v", "-W", "ignore")
    result.stdout.fnmatch_lines(["*test_everywhere[[]cpu[]] PASSED*", "*test_everywhere[[]fast[]] PASSED*"])
    result.assert_outcomes(passed=2)


def test_the_hosts_name_can_be_configured(suite):
    result = suite(FIXTURE, "-W", "ignore", "-o", "backend_host=HOST", backend=None)
    result.assert_outcomes(passed=2)


def test_a_single_host_is_found(suite, monkeypatch):
    monkeypatch.setattr(pytest_plugin, "live", lambda: pytest_plugin.dispatchers_of(suite.host))
    suite(FIXTURE, "-W", "ignore", backend=None).assert_outcomes(passed=2)


@pytest.mark.parametrize("hosts", [[], [SimpleNamespace(host_name="one"), SimpleNamespace(host_name="two")]])
def test_otherwise_the_fixture_asks_for_it(suite, monkeypatch, hosts):
    monkeypatch.setattr(pytest_plugin, "live", lambda: hosts)
    result = suite(FIXTURE, backend=None)
    result.stdout.fnmatch_lines([f"*set backend_host (imported: {'one, two' if hosts else 'none'})*"])
    assert result.ret != 0


def test_a_suites_own_fixture_of_that_name_is_left_alone(suite):
    result = suite("""
        import HOST, pytest

        @pytest.fixture
        def backend():
            return "mine"

        def test_own(backend):
            assert (backend, HOST.double(1)) == ("mine", 2)

        @pytest.mark.parametrize("backend", ["given"], ids=["x"])
        def test_parameter(backend):
            assert backend == "given"
    """)
    result.assert_outcomes(passed=2)


# -- several processes -------------------------------------------------------------------------------------------------


def run_of(name, events):
    run = object.__new__(pytest_plugin._Run)
    run.names, run._events = (name,), events
    run._counted, run._of_test = pytest_plugin._Counts(), pytest_plugin._Counts()
    return run


def test_a_worker_sends_its_counts_and_leaves_the_verdict_to_who_started_it():
    config = SimpleNamespace(stash=pytest.Stash(), workeroutput={})
    config.stash[pytest_plugin._RUNS] = [run_of("fast", [("double", "cpu", "r")] * 2)]
    session = SimpleNamespace(config=config, exitstatus=pytest.ExitCode.OK)
    pytest_plugin.pytest_sessionfinish(session)
    assert session.exitstatus == pytest.ExitCode.OK
    assert config.workeroutput == {"scverse_backends_counts": [[(["double", "cpu", "r"], 2)]]}
    starter = SimpleNamespace(stash=pytest.Stash())
    starter.stash[pytest_plugin._RUNS] = [run_of("fast", [("double", "fast", "")])]
    pytest_plugin.pytest_testnodedown(SimpleNamespace(config=starter, workeroutput=config.workeroutput), None)
    pytest_plugin.pytest_testnodedown(SimpleNamespace(config=starter, workeroutput={}), None)
    pytest_plugin.pytest_testnodedown(SimpleNamespace(config=starter), "crashed")  # A worker that crashed sent nothing.
    assert starter.stash[pytest_plugin._RUNS][0].totals() == {("double", "cpu", "r"): 2, ("double", "fast", ""): 1}


def test_with_xdist(suite):
    result = suite(TESTS, "-n", "2", new_process=True)
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(
        [
            f"{suite.host}: 4 calls ran on fast, 1 on the host",
            "  triple: 1 on the host (fast: not implemented; cpu: runs as fallback)",
        ]
    )
    assert result.ret == 0
    never = suite("import HOST\ndef test_triple():\n    HOST.triple(1)\n", "-n", "2", new_process=True)
    assert never.ret == 1


def test_tracebacks_show_the_test_and_the_check_only(suite):
    result = suite(
        """
        import HOST
        from scverse_backends.testing import check_backend, run_conformance

        def test_contract():
            check_backend(HOST.dispatcher, "fast").require()

        def check_double(backend_name):
            assert HOST.double(21, backend=backend_name) == 41

        def test_feedback():
            run_conformance(
                backend_name="fast", tests={"double": check_double}, get_backend=HOST.settings.get_backend,
                require_dispatch=True,
            )
        """,
        backend=None,
        code=HOST.replace("def double(self, x)", "def double(self, x, option=None)"),
    )
    result.assert_outcomes(failed=2)
    shown = result.stdout.str()
    assert "This option shows in the host's help without a description." in shown
    assert "assert HOST.double(21".replace("HOST", suite.host) in shown
    assert "in check_double" in shown or "def check_double" in shown
    assert "_conformance.py" not in shown
    assert "def require" not in shown


def test_the_plugin_is_opt_in():
    code = "import pytest, sys; sys.exit(pytest.main(['--backend', 'x=y', '--collect-only', '-q']))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd="/")
    assert "unrecognized arguments: --backend" in result.stderr
