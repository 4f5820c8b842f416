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


PLUGIN = ["-p", "scverse_backends.testing.pytest_plugin"]


@pytest.fixture
def suite(pytester):
    """Make a function that runs tests of a host, which has a name of its own each time."""
    host = f"plugin_host_{next(NUMBER)}"

    def run(tests, *arguments, backend="fast", code=HOST, new_process=False, plugin=PLUGIN):
        pytester.makepyfile(**{host: code.replace("HOST", host), "test_host": tests.replace("HOST", host)})
        pytester.syspathinsert()
        options = [*plugin, "-p", "no:randomly", "-p", "no:cacheprovider"]
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


SECOND = """
    second = BackendDispatcher(entrypoint_group="HOST.others", host_name="HOST-second")

    @second.backend_dispatch
    def half(x):
        return x / 2

    class Other:
        name = "other"
        aliases = ["quick"]

        def half(self, x):
            return x * 0.5

    second.register(Other())
"""

TESTS_OF_BOTH = """
    import HOST

    def test_double():
        assert HOST.double(2) == 4

    def test_half():
        assert HOST.half(2) == 1
"""


@pytest.mark.parametrize("backend", ["other", "other,cpu"])
def test_of_several_dispatchers_the_one_that_knows_the_backend_is_meant(suite, backend):  # 8.4, as 7.5
    result = suite(TESTS_OF_BOTH, backend=backend, code=HOST + SECOND)
    name = f"{suite.host}-second"
    result.stdout.fnmatch_lines(["*= backends =*", f"{name}: 1 call ran on other, 0 on the host"])
    assert result.ret == 0


def test_of_several_that_know_it_the_first_is_meant(suite):  # 8.4
    result = suite(TESTS_OF_BOTH, backend="quick", code=HOST + SECOND)
    result.stdout.fnmatch_lines(["*= backends =*", f"{suite.host}: 1 call ran on fast, 0 on the host"])
    assert f"{suite.host}-second:" not in result.stdout.str()
    assert result.ret == 0


def test_a_second_dispatcher_has_a_name_of_its_own(suite):  # 8.4
    result = suite(TESTS_OF_BOTH, "--backend", "HOST-second=quick", backend="quick", code=HOST + SECOND)
    name = f"{suite.host}-second"
    result.stdout.fnmatch_lines([f"{suite.host}: 1 call ran on fast*", f"{name}: 1 call ran on other, 0 on the host"])
    assert result.ret == 0


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
        ("HOST=cpu,fast", "'cpu' must come last"),
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


# -- an option that somebody else has --------------------------------------------------------------------------------

OWN_OPTION = """
    def pytest_addoption(parser):
        parser.addoption("--backend", default="numpy", OPTIONS)
"""
OWN_TESTS = """
    import HOST, pytest

    def test_own(request):
        assert request.config.getoption("--backend") == EXPECTED
        assert HOST.settings.backend == "SELECTED"
        HOST.double(2)
"""


def own_tests(expected, selected):
    return OWN_TESTS.replace("EXPECTED", repr(expected)).replace("SELECTED", selected)


@pytest.mark.parametrize("options", ["", "choices=['numpy', 'torch']", "action='append'", "action='store_true'"])
def test_a_suites_own_option_is_left_alone(suite, pytester, options):  # 8.4
    pytester.makeconftest(OWN_OPTION.replace("OPTIONS", options))
    suite(own_tests("numpy", "cpu"), backend=None).assert_outcomes(passed=1)
    result = suite(own_tests("numpy", "fast"), "--scverse-backend", "HOST=fast", backend=None)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines([f"{suite.host}: 1 call ran on fast, 0 on the host"])


@pytest.mark.parametrize("options", ["", "choices=['numpy', 'torch']"])
def test_a_suites_own_option_is_given(suite, pytester, options):
    pytester.makeconftest(OWN_OPTION.replace("OPTIONS", options))
    arguments = ["--backend", "torch", "--scverse-backend", "HOST=fast"]
    suite(own_tests("torch", "fast"), *arguments, backend=None).assert_outcomes(passed=1)
    suite(own_tests("torch", "fast"), "-n1", *arguments, backend=None, new_process=True).assert_outcomes(passed=1)


@pytest.mark.parametrize("first", [True, False])
def test_another_plugins_option_is_left_alone(suite, pytester, first):
    pytester.makepyfile(other_plugin=OWN_OPTION.replace("OPTIONS", ""))
    plugin = ["-p", "other_plugin", *PLUGIN] if first else [*PLUGIN, "-p", "other_plugin"]
    result = suite(own_tests("numpy", "fast"), "--scverse-backend=HOST=fast", backend=None, plugin=plugin)
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("option", ["--backend HOST=fast", "--backend=HOST=fast", "--scverse-backend HOST=fast"])
def test_both_spellings_find_the_tests_where_they_are_configured(suite, pytester, option):
    # The value after `--backend` must not be taken for the path of a test before the option is known.
    folder = pytester.mkdir("suite")
    (folder / "conftest.py").write_text("def pytest_addoption(parser): parser.addoption('--own')\n")
    (folder / "test_own.py").write_text(
        f"import {suite.host}\ndef test_own(request):\n    {suite.host}.double(1)\n"
        "    assert request.config.getoption('--own') == 'x'\n"
    )
    pytester.makeini("[pytest]\ntestpaths = suite")
    result = suite("", *option.split(), "--own=x", backend=None)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines([f"{suite.host}: 1 call ran on fast, 0 on the host"])


def test_an_option_that_comes_while_tests_are_collected(suite, pytester):
    # `--pyargs` finds the conftest.py of a package only then.
    package = pytester.mkpydir("installed_tests")
    (package / "conftest.py").write_text(OWN_OPTION.replace("OPTIONS", "").replace("\n    ", "\n"))
    (package / "test_own.py").write_text(own_tests("numpy", "fast").replace("HOST", suite.host).replace("\n    ", "\n"))
    arguments = ["--pyargs", "installed_tests", "--scverse-backend", "HOST=fast"]
    suite("", *arguments, backend=None).assert_outcomes(passed=1)
    suite("", *arguments, "-n1", backend=None, new_process=True).assert_outcomes(passed=1)


def test_both_spellings_together(suite):
    result = suite(TESTS, "--scverse-backend", "HOST=cpu", backend="fast")
    assert "the host itself was selected" in result.stdout.str()


@pytest.mark.parametrize("own", [False, True])
def test_a_conftest_that_loads_the_plugin(suite, pytester, own):
    text = "pytest_plugins = ['scverse_backends.testing.pytest_plugin']\n"
    if own:
        text += "def pytest_addoption(parser):\n    parser.addoption('--backend', default='numpy')\n"
    pytester.makeconftest(text)
    option = "--scverse-backend" if own else "--backend"
    for more in ((), ("-n1",)):
        result = suite(TESTS, option, "HOST=fast", *more, backend=None, plugin=(), new_process=bool(more))
        result.assert_outcomes(passed=3)
        result.stdout.fnmatch_lines([f"{suite.host}: 4 calls ran on fast, 1 on the host"])


# -- tests of unittest -------------------------------------------------------------------------------------------------


def test_test_cases_of_unittest_run_on_the_backend(suite):
    result = suite("""
        import unittest, HOST

        class TestDouble(unittest.TestCase):
            @classmethod
            def setUpClass(cls):
                cls.selected = HOST.settings.backend

            def setUp(self):
                HOST.double(1)

            def test_double(self):
                self.assertEqual((self.selected, HOST.settings.backend), ("fast", "fast"))
                for number in range(2):
                    with self.subTest(number=number):
                        self.assertEqual(HOST.double(number), 2 * number)

            def test_fails(self):
                self.assertEqual(HOST.double(1), 3)
    """)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["double() ran on fast, 2 times", f"{suite.host}: 5 calls ran on fast, 0 on the host"])


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


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (["-o", "backend_host=HOST-second"], ["cpu", "other"]),
        # Both are dispatchers of this host. And without it, each option may mean the host of the tests.
        (["-o", "backend_host=HOST"], ["cpu", "fast", "other"]),
        ([], ["cpu", "fast", "other"]),
    ],
)
def test_the_configured_host_is_the_fixtures_whatever_else_is_selected(suite, options, names):  # 8.4
    code = (HOST + SECOND).replace('host_name="HOST-second"', 'host_name="HOST-second", untrusted="allow"')
    tests = """
        import HOST

        def test_names(backend):
            assert (HOST.half(2), HOST.double(2)) == (1, 4)
    """
    result = suite(tests, "--backend", "HOST=other", *options, "-v", code=code)
    shown = [line for line in result.outlines if "::test_names[" in line]
    assert [line.partition("[")[2].partition("]")[0] for line in shown] == names


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


NAMES = "pytest.mark.parametrize('backend', ['fast', 'cpu']"
TEST = "def test_it(backend): assert HOST.double(1, backend=backend) == 2"
MORE = "@pytest.mark.parametrize('x', [1])\ndef test_it(x, backend): assert HOST.double(x, backend=backend) == 2"
METHOD = "def test_it(self, backend): assert HOST.double(1, backend=backend) == 2"
CHOSEN = {
    "indirect": f"@{NAMES}, indirect=True)\n{TEST}",
    "partly indirect": f"@{NAMES}, indirect=['backend'])\n{MORE}",
    "direct": f"@{NAMES})\n{TEST}",
    "class": f"@{NAMES}, indirect=True)\nclass TestIt:\n    {METHOD}",
    "module": f"pytestmark = {NAMES}, indirect=True)\n{TEST}",
}


@pytest.mark.parametrize("tests", CHOSEN)
def test_a_suite_may_choose_the_names_itself(suite, tests):  # 8.4
    code = f"import HOST, pytest\n{CHOSEN[tests]}\n"
    suite(code, "-W", "ignore", backend=None).assert_outcomes(passed=2)


@pytest.mark.parametrize("indirect", [True, False])
def test_a_suites_conftest_may_choose_the_names(suite, pytester, indirect):
    pytester.makeconftest(f"""
        def pytest_generate_tests(metafunc):
            if "backend" in metafunc.fixturenames:
                metafunc.parametrize("backend", ["cpu"], indirect={indirect})
    """)
    suite(FIXTURE, backend=None).assert_outcomes(passed=1)


def test_the_fixture_beside_other_parameters(suite):
    result = suite(
        """
        import HOST, pytest

        @pytest.mark.parametrize("x", [1, 2])
        class TestIt:
            def test_it(self, backend, x):
                assert HOST.double(x, backend=backend) == 2 * x
    """,
        "-n1",
        "-W",
        "ignore",
        new_process=True,
    )
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines([f"{suite.host}: 2 calls ran on fast, 0 on the host"])


@pytest.mark.parametrize(
    "tests",
    [
        "@pytest.mark.usefixtures('backend')\n    class TestIt(unittest.TestCase):\n        def test_it(self): pass",
        "def test_it(request): request.getfixturevalue('backend')",
    ],
)
def test_where_the_fixture_cannot_have_names_it_says_what_to_do(suite, tests):
    result = suite(f"\n    import pytest, unittest\n\n    {tests}\n")
    assert "The fixture 'backend' must be an argument of the test function itself." in result.stdout.str()
    assert "--scverse-backend HOST=NAME" in result.stdout.str()
    assert "passed" not in result.stdout.str()


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
