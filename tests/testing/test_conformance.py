"""Section 8.1: a host's checks, run on a backend, come out as the host and the backend's authors expect."""

from __future__ import annotations

import asyncio
import functools
import subprocess
import sys
import threading
import unittest
import warnings
from types import SimpleNamespace

import pytest

from scverse_backends import BackendDispatcher
from scverse_backends.exceptions import BackendLoadWarning, UnknownBackendError
from scverse_backends.testing import run_conformance, temporary_backend


@pytest.fixture
def host():
    """Make a dispatcher with two functions, as a namespace."""
    dispatcher = BackendDispatcher(entrypoint_group="conf.backends", host_name="conf", untrusted="allow")

    @dispatcher.backend_dispatch
    def double(x):
        return 2 * x

    @dispatcher.backend_dispatch
    def triple(x):
        return 3 * x

    class Fast:
        name = "fast"
        aliases = ("quick",)

        def double(self, x):
            return x + x

    dispatcher.register(Fast())
    return SimpleNamespace(d=dispatcher, double=double, triple=triple)


def conform(host, tests, **options):
    options = {"backend_name": "fast", "get_backend": host.d.get_backend, **options}
    return run_conformance(tests=tests, **options)


def test_statuses(host):  # The table at the top of the specification.
    def no(backend_name):
        raise AssertionError("no")

    tests = {"double": no, "triple": no}
    assert conform(host, tests, raise_on_failure=False) == {
        "double": "FAILED: no",
        "triple": "SKIPPED (not implemented)",
    }
    assert conform(host, {"double": lambda backend_name: None}) == {"double": "PASSED"}


def test_each_check_is_called_with_the_name_as_given(host):
    seen = []
    assert conform(host, {"double": seen.append}, backend_name="quick") == {"double": "PASSED"}
    assert seen == ["quick"]


def test_the_checks_own_exception_is_raised_with_its_traceback(host):
    raised = RuntimeError("broken")

    def check(backend_name):
        raise raised

    with pytest.raises(RuntimeError) as caught:
        conform(host, {"double": check})
    assert caught.value is raised
    assert caught.traceback[-1].name == "check"


def test_some_of_the_functions(host):
    tests = {"double": lambda backend_name: None, "triple": lambda backend_name: None}
    assert conform(host, tests, functions=["double"]) == {"double": "PASSED"}
    assert conform(host, tests, functions=("triple", "double")) == {
        "triple": "SKIPPED (not implemented)",
        "double": "PASSED",
    }
    # 8.1: any collection of names, and none of them is no check, as ever.
    assert conform(host, tests, functions=(name for name in tests)) == conform(host, tests)
    assert conform(host, tests, functions=[]) == {}
    assert conform(host, {}) == {}


@pytest.mark.parametrize("functions", ["double", [""], [3], 3, [None]])
def test_malformed_functions(host, functions):
    with pytest.raises(ValueError, match="functions must be a sequence of non-empty strings"):
        conform(host, {"double": print}, functions=functions)


def test_unknown_functions(host):
    with pytest.raises(
        ValueError, match=r"Unknown conformance functions: \['dubble'\]. There are checks for \['double"
    ):
        conform(host, {"double": print}, functions=["double", "dubble"])


# -- a backend that cannot be had --------------------------------------------------------------------------------------


def test_unknown_backend_shows_what_there_is(host):
    with pytest.raises(ValueError, match=r"Backend 'fsat' not found: .*Did you mean 'fast'") as caught:
        conform(host, {}, backend_name="fsat")
    assert isinstance(caught.value.__cause__, UnknownBackendError)


def test_settings_are_asked_too(host):
    with pytest.raises(ValueError, match=r"Backend 'fsat' not found: .*Did you mean 'fast'"):
        conform(host, {}, backend_name="fsat", get_backend=host.d.settings.get_backend)


def test_the_host_itself_is_no_backend(host):
    with pytest.raises(ValueError, match="Backend 'cpu' not found: it is the host itself"):
        conform(host, {}, backend_name="cpu")


def test_backend_that_is_not_installed_gives_the_pip_hint():
    d = BackendDispatcher(
        entrypoint_group="conf.backends", host_name="conf", trusted_backends={"gone": {"package": "conf-gone"}}
    )
    with pytest.raises(ValueError, match="pip install conf-gone"):
        run_conformance(backend_name="gone", tests={}, get_backend=d.get_backend)


def test_get_backend_may_be_any_callable():
    with pytest.raises(ValueError, match=r"^Backend 'x' not found\.$"):
        run_conformance(backend_name="x", tests={}, get_backend=lambda name: None)
    adapter = SimpleNamespace(double=1)
    assert run_conformance(backend_name="x", tests={"double": print}, get_backend=lambda name: adapter) == {
        "double": "PASSED"
    }


@pytest.fixture
def failing(monkeypatch):
    """Make a dispatcher with an installed backend that fails to load."""

    class Point:
        name, value, group, dist = "bad", "bad_module", "conf.backends", None

        def load(self):
            raise ImportError("libcuda is missing")

    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: [Point()])
    return BackendDispatcher(entrypoint_group="conf.backends", host_name="conf")


@pytest.mark.parametrize("action", ["error", "ignore", "always"])
@pytest.mark.parametrize("bound", [True, False])
def test_a_load_error_is_shown(failing, action, bound, recwarn):
    def indirect(name):
        return failing.get_backend(name)

    get_backend = failing.get_backend if bound else indirect
    with warnings.catch_warnings():
        warnings.simplefilter(action, BackendLoadWarning)
        with pytest.raises(ValueError, match=r"Backend 'bad' not found: .*libcuda is missing"):
            run_conformance(backend_name="bad", tests={}, get_backend=get_backend)


# -- how a check can end -----------------------------------------------------------------------------------------------


def raising(error):
    def check(backend_name):
        raise error

    return check


def outcome(call):
    try:
        call()
    except BaseException as error:  # noqa: BLE001 - the outcomes of pytest derive from it.
        return error
    raise AssertionError


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (outcome(lambda: pytest.skip("no data")), "SKIPPED (no data)"),
        (outcome(lambda: pytest.skip("")), "SKIPPED (no reason given)"),
        (outcome(lambda: pytest.xfail("issue 3")), "SKIPPED (expected to fail: issue 3)"),
        (outcome(lambda: pytest.xfail("")), "SKIPPED (expected to fail)"),
        (unittest.SkipTest("not here"), "SKIPPED (not here)"),
        (outcome(lambda: pytest.fail("bad")), "FAILED: Failed: bad"),
        (SystemExit(3), "FAILED: SystemExit: 3"),
        (ValueError("two\nlines"), "FAILED: two\nlines"),
    ],
)
def test_outcomes(host, error, status):
    assert conform(host, {"double": raising(error)}, raise_on_failure=False) == {"double": status}


def test_a_skip_is_recorded_even_if_failures_are_raised(host):
    assert conform(host, {"double": lambda backend_name: pytest.skip("later")}) == {"double": "SKIPPED (later)"}


def test_pytest_exit_and_ctrl_c_end_the_run(host):
    for error in (outcome(lambda: pytest.exit("stop")), KeyboardInterrupt()):
        with pytest.raises(type(error)):
            conform(host, {"double": raising(error)}, raise_on_failure=False)


def test_a_bare_assert_is_recorded_with_its_line(host):
    def check(backend_name):
        exec(compile("assert 1 == 2", "somewhere.py", "exec"))  # Out of reach of pytest's rewriting.

    assert conform(host, {"double": check}, raise_on_failure=False) == {
        "double": "FAILED: AssertionError at somewhere.py:1: "
    }


def test_a_bare_assert_of_a_file_shows_its_source(host, tmp_path):
    file = tmp_path / "checks.py"
    file.write_text("def check(name):\n    assert name == 'other', ''\n")
    namespace = {}
    exec(compile(file.read_text(), str(file), "exec"), namespace)
    text = conform(host, {"double": namespace["check"]}, raise_on_failure=False)["double"]
    assert text == f"FAILED: AssertionError at {file}:2: assert name == 'other', ''"


def test_an_error_that_cannot_be_printed(host):
    class Odd(Exception):
        def __str__(self):
            raise RuntimeError

    text = conform(host, {"double": raising(Odd())}, raise_on_failure=False)["double"]
    assert text.startswith("FAILED: Odd at ")


def test_a_lazy_attribute_that_fails_is_that_checks_failure(host):
    class Lazy:
        name = "lazy"

        @property
        def double(self):
            raise ImportError("no jax")

        def triple(self, x):
            return x

    tests = {"double": lambda backend_name: None, "triple": lambda backend_name: None}
    with temporary_backend(host.d, Lazy()):
        assert conform(host, tests, backend_name="lazy", raise_on_failure=False) == {
            "double": "FAILED: no jax",
            "triple": "PASSED",
        }
        with pytest.raises(ImportError, match="no jax"):
            conform(host, tests, backend_name="lazy")


# -- require_dispatch --------------------------------------------------------------------------------------------------


def test_a_check_that_forgets_the_backend_fails(host):
    tests = {"double": lambda backend_name: host.double(1)}
    results = conform(host, tests, require_dispatch=True, raise_on_failure=False)
    assert results["double"].startswith("FAILED: no dispatched call ran on backend 'fast' during this check. Pass")
    assert conform(host, tests) == {"double": "PASSED"}
    with pytest.raises(AssertionError, match="no dispatched call"):
        conform(host, tests, require_dispatch=True)


def test_a_call_that_falls_back_is_no_call_on_the_backend(host):
    host.d.settings.fallback = "silent"
    results = conform(
        host, {"double": lambda name: host.triple(1, backend=name)}, require_dispatch=True, raise_on_failure=False
    )
    assert "The host ran 1 call in its place (" in results["double"]


def call(host):
    return lambda name: host.double(1, backend=name)


def in_scope(host):
    def check(name):
        with host.d.settings.use_backend(name):
            host.double(1)

    return check


def in_thread(host):
    def check(name):
        thread = threading.Thread(target=lambda: host.double(1, backend=name))
        thread.start()
        thread.join()

    return check


@pytest.mark.parametrize("way", [call, in_scope, in_thread])
@pytest.mark.parametrize("name", ["fast", "quick"])
def test_calls_on_the_backend_count_in_every_thread(host, way, name):
    tests = {"double": way(host)}
    for _ in range(3):  # The short way of a call must not hide it.
        tests["double"]("fast")
        assert conform(host, tests, backend_name=name, require_dispatch=True) == {"double": "PASSED"}


def test_each_check_is_watched_by_itself(host):
    tests = {"double": call(host), "triple": lambda name: None}
    with temporary_backend(host.d, SimpleNamespace(name="all", double=lambda x: x, triple=lambda x: x)):
        results = conform(host, tests, backend_name="all", require_dispatch=True, raise_on_failure=False)
    assert results["double"] == "PASSED"
    assert results["triple"].startswith("FAILED: no dispatched call")


def test_a_failing_check_keeps_its_own_message(host):
    results = conform(host, {"double": raising(ValueError("why"))}, require_dispatch=True, raise_on_failure=False)
    assert results == {"double": "FAILED: why"}


def test_watching_ends_with_the_check(host):
    conform(host, {"double": call(host)}, require_dispatch=True)
    assert host.d._machinery.decider.observers == ()
    assert host.double(2, backend="fast") == 4


def test_an_adapter_of_no_dispatcher_cannot_be_watched():
    with pytest.raises(ValueError, match="none that is alive knows the adapter"):
        run_conformance(backend_name="x", tests={}, get_backend=lambda name: SimpleNamespace(), require_dispatch=True)


def test_the_kit_works_without_pytest():
    code = "import sys; sys.modules['pytest'] = None; import scverse_backends.testing as t; print(*t.__all__)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(result.stdout.split()) >= {
        "check_backend",
        "compare",
        "isolated",
        "run_conformance",
        "temporary_backend",
    }


# -- what is given wrongly ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [None, 3, ["fast"]])
def test_a_backend_name_is_a_string(host, name):
    with pytest.raises(ValueError, match=r"^backend_name must be the name of a backend, not "):
        conform(host, {}, backend_name=name)


@pytest.mark.parametrize(
    ("tests", "message"),
    [
        (None, "tests must be a mapping of function names to checks, not NoneType"),
        ([print], "tests must be a mapping of function names to checks, not list"),
        ({3: print}, "tests must be a mapping of function names to checks, and 3 is not one"),
        ({"": print}, "tests must be a mapping of function names to checks, and '' is not one"),
        ({"double": 3}, r"tests\['double'\] must be a function that takes the backend's name, not 3"),
    ],
)
def test_tests_are_checks_by_name(host, tests, message):
    with pytest.raises(ValueError, match=message):
        conform(host, tests)


@pytest.mark.parametrize("error", [SystemExit(3), GeneratorExit("odd"), RuntimeError("no driver"), LookupError()])
def test_whatever_get_backend_raises_is_why_there_is_none(error):
    with pytest.raises(ValueError, match=f"^Backend 'x' not found: {type(error).__name__}") as caught:
        run_conformance(backend_name="x", tests={}, get_backend=raising(error))
    assert caught.value.__cause__ is error


def test_what_get_backend_raises_when_asked_why(host):
    answers = [None, SystemExit]

    def get_backend(name):
        answer = answers.pop(0)
        if answer is not None:
            raise answer

    with pytest.raises(ValueError, match=r"^Backend 'x' not found: SystemExit"):
        run_conformance(backend_name="x", tests={}, get_backend=get_backend)


@pytest.mark.parametrize(
    "error",
    [
        KeyboardInterrupt(),
        unittest.SkipTest("not here"),
        outcome(lambda: pytest.skip("no gpu")),
        outcome(lambda: pytest.exit("stop")),
    ],
)
def test_what_ends_a_test_passes_through(error):
    with pytest.raises(type(error)) as caught:
        run_conformance(backend_name="x", tests={}, get_backend=raising(error))
    assert caught.value is error


# -- checks whose body does not run when they are called ---------------------------------------------------------------


async def fetching(name):
    await asyncio.sleep(0)
    raise AssertionError("ran")


def stepping(name):
    yield
    raise AssertionError("ran")


async def streaming(name):
    yield
    raise AssertionError("ran")


@pytest.mark.parametrize("check", [fetching, stepping, streaming])
@pytest.mark.parametrize("require_dispatch", [False, True])
def test_checks_run_to_their_end(host, check, require_dispatch):
    options = {"raise_on_failure": False, "require_dispatch": require_dispatch}
    assert conform(host, {"double": check}, **options) == {"double": "FAILED: ran"}
    assert conform(host, {"double": functools.partial(check)}, **options) == {"double": "FAILED: ran"}


def test_what_they_call_counts(host):
    async def fetch(name):
        assert host.double(2, backend=name) == 4

    def step(name):
        yield host.double(2, backend=name)

    async def stream(name):
        yield host.double(2, backend=name)

    for check in (fetch, step, stream):
        assert conform(host, {"double": check}, require_dispatch=True) == {"double": "PASSED"}


def test_a_skip_inside_a_coroutine(host):
    async def check(name):
        pytest.skip("later")

    assert conform(host, {"double": check}) == {"double": "SKIPPED (later)"}


@pytest.mark.parametrize("check", [fetching, streaming])
def test_inside_a_running_event_loop_they_fail_and_say_so(host, check):
    async def main():
        return conform(host, {"double": check}, raise_on_failure=False)

    status = asyncio.run(main())["double"]
    assert status.startswith("FAILED: this check is asynchronous and an event loop is running already")
