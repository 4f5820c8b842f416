"""Selecting a backend, as users do it: the rules of section 1."""

from __future__ import annotations

import asyncio
import contextvars
import copy
import pickle
import re
import subprocess
import sys
import textwrap
import threading
import unittest
from functools import partial
from itertools import count

import cloudpickle
import pytest

from scverse_backends import BackendDispatcher
from scverse_backends.exceptions import BackendLoadError, BackendNotInstalledError, UnknownBackendError
from scverse_backends.testing import isolated, temporary_backend

numbers = count()


class Fast:
    name = "fast"
    aliases = ("quick",)

    def where(self, x=0):
        return "fast"


class Other:
    name = "other"

    def where(self, x=0):
        return "other"


class Third:
    name = "third"

    def where(self, x=0):
        return "third"


class Empty:
    name = "empty"


class Host:
    """A host with one function, ``where``, which says who runs it, and ``selected``, which calls back."""

    def __init__(self, **options):
        self.name = f"host{next(numbers)}"
        options = {"untrusted": "allow", **options}
        self.dispatcher = BackendDispatcher(entrypoint_group=f"{self.name}.backends", host_name=self.name, **options)
        self.settings = self.dispatcher.settings
        for adapter in (Fast, Other, Empty):
            self.dispatcher.register(adapter)

        @self.dispatcher.backend_dispatch
        def where(x=0):
            return "cpu"

        @self.dispatcher.backend_dispatch
        def call(function):
            return function()

        self.where, self.call = where, call


@pytest.fixture
def host():
    return Host()


def in_thread(function, *args):
    """Return what a function gives in a thread of its own."""
    got = []
    thread = threading.Thread(target=lambda: got.append(contextvars.Context().run(function, *args)))
    thread.start()
    thread.join()
    return got[0]


# -- precedence and 1.1 ------------------------------------------------------------------------------------------------


def test_precedence(monkeypatch):
    monkeypatch.setenv("HOST_BACKEND", "x")  # not this host's
    number = next(numbers)
    monkeypatch.setenv(f"HOST{number + 1}_BACKEND", "empty")
    host = Host()
    settings = host.settings
    assert settings.backend == "empty"
    settings.backend = "other"
    assert host.where() == "other"
    with settings.use_backend("fast"):
        assert host.where() == "fast"
        with settings.use_backend("other"):
            assert host.where() == "other"
        assert host.where() == "fast"
        assert host.where(backend="cpu") == "cpu"
        assert host.where(backend="other") == "other"
    assert host.where() == "other"
    del settings.backend
    assert settings.backend == "empty"


def test_process_wide_selection_reaches_every_thread_and_context(host):
    host.settings.backend = "fast"
    assert in_thread(host.where) == "fast"
    assert contextvars.Context().run(host.where) == "fast"
    del host.settings.backend
    assert in_thread(host.where) == "cpu"


def test_scope_stays_in_its_thread_and_context(host):
    with host.settings.use_backend("fast"):
        assert in_thread(host.where) == "cpu"
        assert contextvars.Context().run(host.where) == "cpu"
        assert contextvars.copy_context().run(host.where) == "fast"


def test_none_is_no_choice(host):  # 1.1
    host.settings.backend = "fast"
    assert host.where(backend=None) == "fast"
    with host.settings.use_backend(None, fallback="raise"):
        assert host.settings.backend == "fast"
        assert host.settings.fallback == "raise"
    assert host.settings.fallback == "explicit"


def test_assigning_none_points_to_del(host):  # 1.1
    host.settings.backend = "fast"
    with pytest.raises(ValueError, match=r"del settings.backend"):
        host.settings.backend = None
    assert host.settings.backend == "fast"


def test_what_assigning_none_advises_works_on_a_host_s_own_settings_object(host):  # 1.1
    class HostSettings:  # Forwards the assignment and, as many do, nothing else.
        backend = property(
            lambda self: host.settings.backend, lambda self, name: setattr(host.settings, "backend", name)
        )

    settings = HostSettings()
    settings.backend = "fast"
    with pytest.raises(ValueError, match=r"settings object of the host's own may not offer that") as caught:
        settings.backend = None
    with pytest.raises(AttributeError):
        del settings.backend
    (advice,) = re.findall(r"write settings\.(\w+ = '\w+'), which any settings object takes", str(caught.value))
    assert advice == "backend = 'cpu'"
    settings.backend = "cpu"
    assert settings.backend == "cpu"


def test_cpu_triggers_no_discovery(monkeypatch, host):  # 1.1
    def refuse(**_):
        raise AssertionError("listed")

    monkeypatch.setattr("importlib.metadata.entry_points", refuse)
    host.settings.backend = "cpu"
    with host.settings.use_backend("cpu"):
        assert host.where() == host.where(backend="cpu") == "cpu"


# -- 1.2 and 1.9: names ------------------------------------------------------------------------------------------------


def test_reading_gives_the_canonical_name(host):  # 1.2
    host.settings.backend = "quick"
    assert host.settings.backend == "fast"
    host.settings.backend = "cpu"
    with host.settings.use_backend("quick"):
        assert host.settings.backend == "fast"


@pytest.mark.parametrize("wrong", ["nothing", "", " ", 3, (), ["fast", "nothing"], ["cpu", "fast"], [None], b"fast"])
def test_a_failed_selection_changes_nothing(host, wrong):  # 1.2, 1.9
    host.settings.backend = "other"
    with pytest.raises(ValueError, match=r"."):
        host.settings.backend = wrong
    scope = host.settings.use_backend(wrong)
    with pytest.raises(ValueError, match=r"."):
        scope.__enter__()
    with pytest.raises(ValueError, match=r"."):
        host.where(backend=wrong)
    assert host.settings.backend == "other"
    scope.__exit__(None, None, None)
    assert host.where() == "other"


def test_a_failed_assignment_in_a_scope_changes_nothing(host):  # 1.2, 1.3
    with host.settings.use_backend("fast"):
        with pytest.raises(UnknownBackendError, match="nothing"):
            host.settings.backend = "nothing"
        assert host.settings.backend == "fast"


@pytest.mark.parametrize("order", [["empty", "quick"], ("empty", "quick")])
def test_a_preference_order(host, order):  # 1.9
    host.settings.backend = order
    assert host.settings.backend == ("empty", "fast")
    assert host.where() == "fast"
    del host.settings.backend
    assert host.where(backend=order) == "fast"
    with host.settings.use_backend(["quick"]):
        assert host.settings.backend == ("fast",)
    assert host.where(backend=["empty", "cpu"]) == "cpu"


def test_a_listed_trusted_backend_that_is_missing_is_passed_over():  # 1.9
    host = Host(trusted_backends={"absent": {"package": "absent"}})
    with pytest.raises(BackendNotInstalledError, match="pip install absent"):
        host.settings.backend = "absent"
    host.settings.backend = ["absent", "fast"]
    with pytest.warns(UserWarning, match="absent"):
        assert host.where() == "fast"
    assert host.settings.backend == ("absent", "fast")


# -- 1.3: assignments --------------------------------------------------------------------------------------------------


def test_assigning_inside_a_scope_ends_with_it(host):  # 1.3
    settings = host.settings
    settings.backend = "other"
    with settings.use_backend("fast", fallback="warn"):
        settings.backend = "cpu"
        settings.fallback = "raise"
        assert (settings.backend, settings.fallback, host.where()) == ("cpu", "raise", "cpu")
        assert contextvars.copy_context().run(lambda: settings.backend) == "cpu"
        assert in_thread(lambda: settings.backend) == "other"
    assert (settings.backend, settings.fallback) == ("other", "explicit")


def test_assigning_changes_the_innermost_scope_only(host):  # 1.3
    settings = host.settings
    with settings.use_backend("fast"):
        with settings.use_backend(None, fallback="raise"):
            settings.backend = "other"
            assert settings.backend == "other"
        assert settings.backend == "fast"


def test_an_earlier_copy_of_the_context_does_not_see_an_assignment(host):  # 1.3
    settings = host.settings
    with settings.use_backend("fast"):
        earlier = contextvars.copy_context()
        settings.backend = "other"
        assert earlier.run(lambda: settings.backend) == "fast"


def test_del_undoes_the_process_wide_assignment_only(host):  # 1.3
    settings = host.settings
    settings.backend, settings.fallback = "fast", "silent"
    with settings.use_backend("other", fallback="warn"):
        del settings.backend
        del settings.fallback
        assert (settings.backend, settings.fallback) == ("other", "warn")
    assert (settings.backend, settings.fallback) == ("cpu", "explicit")
    del settings.backend
    del settings.fallback
    assert (settings.backend, settings.fallback) == ("cpu", "explicit")


@pytest.mark.parametrize("wrong", ["rais", "", None, 3])
def test_a_wrong_policy(host, wrong):  # 4.6
    with pytest.raises(ValueError, match="'explicit', 'silent', 'warn', 'raise'"):
        host.settings.fallback = wrong
    if wrong is not None:
        with pytest.raises(ValueError, match="fallback policy"):
            host.settings.use_backend("fast", fallback=wrong)
    assert host.settings.fallback == "explicit"


def test_a_misspelt_policy_gets_a_suggestion(host):
    with pytest.raises(ValueError, match="Did you mean 'raise'"):
        host.settings.fallback = "rais"


# -- 1.4: scopes -------------------------------------------------------------------------------------------------------


def test_the_name_is_checked_when_entered(host):  # 1.4
    scope = host.settings.use_backend("later")
    with pytest.raises(UnknownBackendError, match="later"):
        scope.__enter__()
    host.dispatcher.register(type("Later", (), {"name": "later", "where": lambda self, x=0: "later"}))
    with scope as yielded:
        assert yielded is None
        assert host.where() == "later"


def test_one_object_can_be_entered_again_and_nested(host):  # 1.4
    settings = host.settings
    scope = settings.use_backend("fast")
    for _ in range(2):
        with scope:
            with settings.use_backend("other"), scope:
                assert settings.backend == "fast"
            with scope:
                assert settings.backend == "fast"
            assert settings.backend == "fast"
        assert settings.backend == "cpu"


def test_scopes_closed_out_of_order(host):  # 1.4
    settings = host.settings
    first, second, third = (settings.use_backend(name) for name in ("fast", "other", "empty"))
    for scope in (first, second, third):
        scope.__enter__()
    second.__exit__(None, None, None)
    assert settings.backend == "empty"
    second.__exit__(None, None, None)
    assert settings.backend == "empty"
    first.__exit__(None, None, None)
    assert settings.backend == "empty"
    third.__exit__(None, None, None)
    assert settings.backend == "cpu"
    third.__exit__(None, None, None)
    assert settings.backend == "cpu"


def test_an_assigned_scope_is_still_closed_by_its_object(host):  # 1.3, 1.4
    scope = host.settings.use_backend("fast")
    scope.__enter__()
    host.settings.backend = "other"
    with host.settings.use_backend("empty"):
        scope.__exit__(None, None, None)
        assert host.settings.backend == "empty"
    assert host.settings.backend == "cpu"


def test_leaving_in_a_context_that_inherited_the_scope_changes_nothing(host):  # 1.4
    settings = host.settings
    scope = settings.use_backend("fast")
    scope.__enter__()
    inherited = contextvars.copy_context()

    def leave():
        scope.__exit__(None, None, None)
        return settings.backend

    assert inherited.run(leave) == "fast"
    assert settings.backend == "fast"
    assert leave() == "cpu"
    # Also after it was left where it was opened.
    assert inherited.run(leave) == "fast"


def test_leaving_in_a_context_where_it_was_entered_too_removes_that_one_only(host):  # 1.4
    settings = host.settings
    scope = settings.use_backend("fast")
    with settings.use_backend("other"):
        scope.__enter__()

        def inside():
            settings.backend = "empty"
            scope.__enter__()
            settings.backend = "other"
            scope.__exit__(None, None, None)
            scope.__exit__(None, None, None)
            return settings.backend

        assert contextvars.copy_context().run(inside) == "empty"
        assert settings.backend == "fast"
        scope.__exit__(None, None, None)
        assert settings.backend == "other"


def test_leaving_in_another_thread_changes_nothing(host):  # 1.4
    scope = host.settings.use_backend("fast")
    with scope:
        in_thread(scope.__exit__, None, None, None)
        assert host.settings.backend == "fast"


def test_tasks_keep_what_they_inherited(host):  # 1.4
    settings = host.settings

    async def wait_and_read(leave):
        await leave.wait()
        return settings.backend, host.where()

    async def main():
        leave = asyncio.Event()
        with settings.use_backend("fast"):
            task = asyncio.create_task(wait_and_read(leave))
            await asyncio.sleep(0)
        assert settings.backend == "cpu"
        leave.set()
        return await task

    assert asyncio.run(main()) == ("fast", "fast")


def test_tasks_do_not_see_each_other(host):  # 1.4
    settings = host.settings

    async def worker(name, barrier):
        with settings.use_backend(name):
            await barrier.wait()
            settings_seen = settings.backend, host.where()
            await barrier.wait()
        return settings_seen, settings.backend

    async def main():
        barrier = asyncio.Barrier(2)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(worker(name, barrier)) for name in ("fast", "other")]
        return [task.result() for task in tasks]

    assert asyncio.run(main()) == [(("fast", "fast"), "cpu"), (("other", "other"), "cpu")]


def test_an_exception_closes_the_scope(host):  # 1.4
    with pytest.raises(KeyError), host.settings.use_backend("fast"):
        raise KeyError
    assert host.settings.backend == "cpu"


def test_the_decorator_on_a_plain_function(host):  # 1.4
    @host.settings.use_backend("fast")
    def pipeline(value, *, power=1):
        """Doc."""
        return value, power, host.settings.backend, host.where()

    assert pipeline(3, power=2) == (3, 2, "fast", "fast")
    assert (pipeline.__name__, pipeline.__doc__) == ("pipeline", "Doc.")
    assert host.settings.backend == "cpu"
    late = host.settings.use_backend("nothing")(lambda: None)
    with pytest.raises(UnknownBackendError):
        late()


def test_the_decorator_checks_the_name_of_a_generator_when_it_is_called(host):  # 1.4
    @host.settings.use_backend("nothing")
    def steps():
        yield 1

    with pytest.raises(UnknownBackendError):
        steps()


def test_a_class_cannot_be_decorated(host):  # 1.4
    scope = host.settings.use_backend("fast")

    class TestUmap:
        def test_it(self): ...

    with pytest.raises(TypeError) as caught:
        scope(TestUmap)
    text = str(caught.value)
    assert "the class TestUmap," in text
    assert "with settings.use_backend('fast'):" in text
    assert "self.enterContext(settings.use_backend('fast'))" in text


def test_what_a_class_is_told_to_write_works(host):  # 1.4
    class Case(unittest.TestCase):
        def setUp(self):
            self.enterContext(host.settings.use_backend("fast"))

        def test_it(self):
            assert host.where() == "fast"

        @staticmethod
        @host.settings.use_backend("other")
        def elsewhere():
            return host.where()

        @host.settings.use_backend("other")
        def method(self):
            return host.where()

    result = unittest.TestResult()
    Case("test_it").run(result)
    assert (result.testsRun, result.failures, result.errors) == (1, [], [])
    assert Case.elsewhere() == Case().method() == "other"
    assert host.where() == "cpu"


@pytest.mark.parametrize(
    ("decorated", "advice"),
    [
        (staticmethod(len), "Write @settings.use_backend('fast') below the @staticmethod"),
        (classmethod(len), "Write @settings.use_backend('fast') below the @classmethod"),
        (property(len), "Write @settings.use_backend('fast') below the @property"),
        (3, "use_backend() decorates functions, not 3."),
        ("fast", "use_backend() decorates functions, not 'fast'."),
        (None, "use_backend() decorates functions, not None."),
    ],
)
def test_what_is_no_function_cannot_be_decorated(host, decorated, advice):  # 1.4
    with pytest.raises(TypeError) as caught:
        host.settings.use_backend("fast")(decorated)
    assert advice in str(caught.value)


@pytest.mark.parametrize(
    ("decorated", "named"),
    [
        (pytest.raises, "the function raises"),
        (Fast, "the class Fast"),
        (Fast().where, "the method Fast.where"),
        (partial(len), "functools.partial("),
        (classmethod(len), "len"),
        (property(), "<property object"),
    ],
)
def test_decorating_without_parentheses(host, decorated, named):  # 1.4
    with pytest.raises(TypeError) as caught:
        host.settings.use_backend(decorated)
    assert str(caught.value).startswith("use_backend() was given ")
    assert named in str(caught.value)
    assert "write @settings.use_backend('NAME')" in str(caught.value)
    assert host.settings.backend == "cpu"


def test_a_scope_says_that_it_does_nothing_until_it_is_entered(host):  # 1.4
    shown = repr(host.settings.use_backend("fast"))
    assert "does nothing until it is entered" in shown
    assert "Write 'with settings.use_backend('fast'):'" in shown
    assert host.where() == "cpu"
    assert "use_backend(None, fallback='raise')" in repr(host.settings.use_backend(None, fallback="raise"))
    assert "use_backend(['fast', 'cpu'])" in repr(host.settings.use_backend(["fast", "cpu"]))
    assert "records nothing until it is entered" in repr(host.settings.trace())


# -- 1.5: the environment variable -------------------------------------------------------------------------------------


@pytest.fixture
def with_variable(monkeypatch):
    def make(value, **options):
        number = next(numbers) + 1
        monkeypatch.setenv(f"HOST{number}_BACKEND", value)
        host = Host(**options)
        assert host.name == f"host{number}"
        return host, f"HOST{number}_BACKEND"

    return make


@pytest.mark.parametrize(
    ("value", "backend", "runs"),
    [
        (" quick\n", "fast", "fast"),
        ("cpu", "cpu", "cpu"),
        ("", "cpu", "cpu"),
        (" \t", "cpu", "cpu"),
        ("empty, quick", ("empty", "fast"), "fast"),
        ("quick,", ("fast",), "fast"),
    ],
)
def test_the_environment_selects(with_variable, value, backend, runs):  # 1.5, 1.9
    host, _ = with_variable(value)
    assert host.where() == runs
    assert host.settings.backend == backend
    expected = "environment" if value.strip() else "default"
    assert repr(host.settings) == f"<settings of {host.name}: backend={backend!r} ({expected}), fallback='explicit'>"


def _in_the_environment(host):
    return host.where


def _assigned(host):
    host.settings.backend = "other"
    return host.where


def _given(host):
    return lambda: host.where(backend="other")


def _given_the_host(host):
    host.settings.backend = "other"
    return lambda: host.where(backend="cpu")


@pytest.mark.parametrize("selected", [_in_the_environment, _assigned, _given, _given_the_host])
def test_later_calls_go_the_short_way(with_variable, selected):  # 10
    host, _ = with_variable("other" if selected is _in_the_environment else "")
    call = selected(host)
    runs = "cpu" if selected is _given_the_host else "other"
    assert (call(), call()) == (runs, runs)
    entered = []
    sys.setprofile(lambda frame, event, _: entered.append(frame.f_code.co_qualname) if event == "call" else None)
    try:
        call()
    finally:
        sys.setprofile(None)
    # Between what is called here and the backend's function, no Python function but the wrapper runs.
    names = [name.rpartition(".")[2] for name in entered]
    assert [name for name in names if name != "<lambda>"] == ["wrapper", "where"]


def test_the_environment_is_read_once_on_first_need(with_variable, monkeypatch):  # 1.5
    host, variable = with_variable("other")
    monkeypatch.setenv(variable, "fast")
    assert host.where() == "fast"
    monkeypatch.setenv(variable, "other")
    assert host.where() == "fast"
    host.settings.backend = "other"
    del host.settings.backend
    assert host.settings.backend == "fast"


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (
            None,
            "fast",
            "became 'fast' after it was read, which comes too late. Write settings.backend = 'fast' instead.",
        ),
        ("other", " fast", "became 'fast' after it was read, which comes too late. Write settings.backend = 'fast' "),
        ("other", None, "was removed after it was read, which comes too late. Write settings.backend = 'cpu' instead."),
        ("other", " ", "was removed after it was read, which comes too late."),
        ("nothing", "fast", "became 'fast' after it was read"),
        ("other", "other", None),
        ("other", "other\t", None),
        (None, "  ", None),
    ],
)
def test_a_variable_that_changes_too_late(with_variable, monkeypatch, before, after, told):  # 1.5
    host, name = with_variable(before or "")
    if before is None:
        monkeypatch.delenv(name)
    reads = lambda: (repr(host.settings), str(host.settings.explain(host.where)))  # noqa: E731 - both say it.
    assert not any("too late" in text for text in reads())
    runs = before if before == "other" else "cpu"
    if after is None:
        monkeypatch.delenv(name)
    else:
        monkeypatch.setenv(name, after)
    for text in reads():
        shown = " ".join(text.split())
        assert (f"The environment variable {name} {told}" in shown) if told is not None else ("too late" not in shown)
    explanation = host.settings.explain(host.where, "fast")
    assert explanation.executes == "fast"
    assert (explanation.note is not None) is (told is not None)
    if before != "nothing":
        assert host.where() == runs
        assert host.settings.backend == runs
    # What a scope, an assignment or the call itself selects is none of its business.
    with host.settings.use_backend("fast"):
        assert host.where() == "fast"


@pytest.mark.parametrize("selected", [False, True])
def test_a_block_of_a_test_reads_the_variable_anew(with_variable, monkeypatch, selected):  # 1.5, 8.3
    host, name = with_variable("")
    outside = "cpu"
    if selected:
        outside = host.settings.backend = "other"
    assert host.where() == host.where() == outside
    with isolated(host.dispatcher):
        monkeypatch.setenv(name, "fast")
        assert host.where() == ("other" if selected else "fast")
        assert "too late" not in repr(host.settings)
        with temporary_backend(
            host.dispatcher, type("Third", (), {"name": "third", "where": lambda self, x=0: "third"})
        ):
            monkeypatch.setenv(name, "third")
            assert host.where() == ("other" if selected else "third")
        assert host.where() == ("other" if selected else "fast")
        host.settings.backend = "fast"
        assert host.where() == "fast"
    assert host.where() == host.where() == outside
    assert "too late" in repr(host.settings) or selected
    host.settings.backend = "fast"
    assert host.where() == "fast"


@pytest.mark.parametrize("value", ["nothing", "cpu,fast", ",", "fast,nothing"])
def test_a_wrong_name_in_the_environment(with_variable, value):  # 1.5
    host, variable = with_variable(value)
    settings = host.settings
    for _ in range(2):
        for use in (host.where, lambda: settings.backend, lambda: settings.bind(len)):
            with pytest.raises(UnknownBackendError, match=variable) as caught:
                use()
            assert caught.value.source == "environment"
    assert variable in repr(settings)
    assert variable in str(settings.explain(host.where))
    assert host.where(backend="cpu") == "cpu"
    assert host.where(backend="fast") == "fast"
    assert settings.fallback == "explicit"
    with settings.use_backend("other"):
        assert host.where() == "other"
    with pytest.raises(UnknownBackendError, match=variable), settings.use_backend(None, fallback="raise"):
        host.where()
    settings.backend = "fast"
    assert host.where() == "fast"
    del settings.backend
    with pytest.raises(UnknownBackendError, match=variable):
        host.where()


def test_a_missing_trusted_backend_in_the_environment(with_variable):  # 1.5
    host, variable = with_variable("absent", trusted_backends={"absent": {"package": "absent"}})
    with pytest.raises(BackendNotInstalledError, match=variable) as caught:
        host.where()
    assert "pip install absent" in str(caught.value)


def test_a_broken_backend_in_the_environment_keeps_its_cause(with_variable, monkeypatch):  # 1.5, 2.7
    from importlib.metadata import EntryPoint, EntryPoints

    host, variable = with_variable("broken")
    entry_point = EntryPoint("broken", "no_such_module_here", f"{host.name}.backends")
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: EntryPoints([entry_point]))
    with pytest.raises(BackendLoadError, match=variable) as caught:
        host.where()
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)
    assert host.where(backend="cpu") == "cpu"


# -- 1.6 and 1.7: the object -------------------------------------------------------------------------------------------


def test_misspelt_attributes(host):  # 1.6
    with pytest.raises(AttributeError, match="Did you mean 'backend'"):
        host.settings.bakend = "fast"
    with pytest.raises(AttributeError, match="Did you mean 'use_backend'"):
        host.settings.use_bakend("fast")
    with pytest.raises(AttributeError, match="no attribute 'zzz'"):
        host.settings.zzz = 1
    assert not hasattr(host.settings, "zzz")


def test_repr(host):  # 1.6
    settings = host.settings
    start = f"<settings of {host.name}: "
    assert repr(settings) == f"{start}backend='cpu' (default), fallback='explicit'>"
    settings.backend = ["fast", "other"]
    assert repr(settings) == f"{start}backend=('fast', 'other') (process), fallback='explicit'>"
    with settings.use_backend("other", fallback="warn"):
        assert repr(settings) == f"{start}backend='other' (scope), fallback='warn'>"


def test_copies_are_the_same_object(host):  # 1.7
    for shared in (host.settings, host.dispatcher):
        assert copy.copy(shared) is shared
        assert copy.deepcopy([shared])[0] is shared
        for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
            assert pickle.loads(pickle.dumps(shared, protocol)) is shared
        assert cloudpickle.loads(cloudpickle.dumps(shared)) is shared


def test_functions_of_a_script_survive_cloudpickle_into_a_fresh_process(tmp_path):  # 1.7
    (tmp_path / "cp_host.py").write_text(
        textwrap.dedent(
            """
            from scverse_backends import BackendDispatcher

            dispatcher = BackendDispatcher(entrypoint_group="cp.backends", host_name="cp_host", untrusted="allow")
            settings = dispatcher.settings

            class Adapter:
                name = "fast"
                def count(self, n, extra=0): return "fast", n, extra
                def steps(self, n): return iter("fast")

            dispatcher.register(Adapter)
            """
        )
    )
    script = """
        import sys
        import cloudpickle
        from cp_host import dispatcher, settings

        @dispatcher.backend_dispatch
        def count(n):
            return n if n == 0 else count(n - 1)

        @dispatcher.backend_dispatch
        def steps(n):
            yield settings.backend

        @dispatcher.backend_dispatch
        async def later(n):
            return settings.backend

        @dispatcher.backend_dispatch(own_backend="parallel", own_backend_values=("loky",))
        def own(x, backend="threading"):
            return backend

        def pipeline(n):
            return settings.backend, count(n)

        with settings.use_backend("fast"):
            assert count(2) == ("fast", 2, 0)
            bound = settings.bind(pipeline)
        everything = (count, steps, later, own, settings, dispatcher, bound)
        copies = cloudpickle.loads(cloudpickle.dumps(everything))
        assert dispatcher.functions()["count"] is count
        assert copies[0](2, backend="fast") == count(2, backend="fast")
        sys.stdout.buffer.write(cloudpickle.dumps(everything))
    """
    other = """
        import asyncio, inspect, pickle, sys
        count, steps, later, own, settings, dispatcher, bound = pickle.load(sys.stdin.buffer)
        import cp_host
        assert settings is cp_host.settings and dispatcher is cp_host.dispatcher
        assert count(3) == 0 and count(3, backend="cpu") == 0
        assert count(3, backend="fast", extra=1) == ("fast", 3, 1)
        assert "extra" in inspect.signature(count).parameters
        assert dispatcher.functions()["count"] is count
        assert settings.explain(count).executes == "cpu"
        assert inspect.isgeneratorfunction(steps) and list(steps(1)) == ["cpu"]
        assert list(steps(1, backend="fast")) == list("fast")
        assert inspect.iscoroutinefunction(later) and asyncio.run(later(1)) == "cpu"
        assert own(1, parallel="x") == "x" and own(1) == "threading"
        assert bound(4) == ("fast", ("fast", 4, 0)) and settings.backend == "cpu"
        with settings.use_backend("fast"):
            assert count(1) == ("fast", 1, 0)
    """
    environment = {"PYTHONPATH": str(tmp_path)}
    written = _run(script, environment).stdout
    _run(other, environment, written)


def test_what_cannot_be_restored_says_so(host):  # 1.7
    from scverse_backends._foundation.live import restore

    with pytest.raises(Exception, match="Create it at the level of an importable module"):
        restore((__name__, "no.group", "nobody", 0, 0))


def _run(program, environment, stdin=b""):
    import os

    paths = [environment["PYTHONPATH"], *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program)],
        input=stdin,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done


# -- 1.10: what runs inside a call -------------------------------------------------------------------------------------


class Seeing:
    name = "seeing"
    aliases = ("eyes",)

    def call(self, function):
        return function()


def test_the_body_sees_the_selection_of_the_call(host):  # 1.10
    settings = host.settings
    host.dispatcher.register(Seeing)

    def look():
        return settings.backend, host.where()

    assert host.call(look, backend="eyes") == ("seeing", "cpu")
    assert host.call(look, backend=["empty", "eyes"]) == (("empty", "seeing"), "cpu")
    with pytest.warns(UserWarning, match="does not implement"):
        assert host.call(look, backend="fast") == ("fast", "fast")
    for _ in range(3):
        settings.backend = "fast"
        assert host.call(look, backend="cpu") == ("cpu", "cpu")
        assert host.call(look, backend="seeing") == ("seeing", "cpu")
        assert host.call(look) == ("fast", "fast")
        with settings.use_backend("other"):
            assert host.call(look, backend="cpu") == ("cpu", "cpu")
            assert host.call(look) == ("other", "other")
    assert settings.backend == "fast"


@pytest.mark.parametrize("backend", ["cpu", "seeing"])
@pytest.mark.parametrize("selected", [True, False])
def test_what_a_body_does_to_the_selection_ends_with_the_call(host, backend, selected):  # 1.3, 1.10
    settings = host.settings
    host.dispatcher.register(Seeing)
    host.where()
    if selected:
        with settings.use_backend("fast"):
            pass

    def assign():
        settings.backend = "other"
        settings.fallback = "raise"
        return settings.backend, settings.fallback, host.where(), in_thread(lambda: settings.backend)

    for _ in range(3):
        assert host.call(assign, backend=backend) == ("other", "raise", "other", "cpu")
        assert (settings.backend, settings.fallback) == ("cpu", "explicit")


@pytest.mark.parametrize("backend", ["cpu", "seeing"])
@pytest.mark.parametrize("selected", [True, False])
def test_a_scope_that_a_body_leaves_open_stays_open(host, backend, selected):  # 1.4, 1.10
    settings = host.settings
    host.dispatcher.register(Seeing)
    host.where()
    if selected:
        with settings.use_backend("fast"):
            pass
    scope = settings.use_backend("other")
    host.call(scope.__enter__, backend=backend)
    assert settings.backend == "other"
    host.call(lambda: scope.__exit__(None, None, None), backend=backend)
    assert settings.backend == "cpu"


def test_traces_opened_and_closed_by_a_body(host):  # 7.3
    outer, inner = host.settings.trace(), host.settings.trace()
    outer_calls = outer.__enter__()

    def swap():
        outer.__exit__(None, None, None)
        return inner.__enter__()

    inner_calls = host.call(swap, backend="cpu")
    host.where()
    inner.__exit__(None, None, None)
    inner.__exit__(None, None, None)
    host.where()
    assert [call.function for call in outer_calls] == ["call"]
    assert [call.function for call in inner_calls] == ["where"]


def test_services_are_the_dispatchers(host):
    assert host.settings.available_backends() == ["empty", "fast", "other"]
    assert isinstance(host.settings.get_backend("quick"), Fast)
    assert host.settings.get_backend("nothing") is None
    assert {row.name for row in host.settings.backends()} >= {"fast", "other"}
