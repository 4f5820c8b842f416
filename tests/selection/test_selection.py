"""What is in force where: idleness and its end, and long histories against a model."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import queue
import threading
import weakref
from itertools import count

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from scverse_backends import BackendDispatcher
from scverse_backends._calls.wrapper import NeverIdle
from scverse_backends._selection.selection import environment_variable
from scverse_backends.exceptions import FallbackWarning
from scverse_backends.testing import isolated, temporary_backend

numbers = count()


class Adapter:
    def where(self, x=0):
        return self.name

    def call(self, function):
        return function()


class Fast(Adapter):
    name = "fast"


class Other(Adapter):
    name = "other"


class Third(Adapter):
    name = "third"


class Host:
    def __init__(self):
        self.name = f"selection{next(numbers)}"
        self.dispatcher = BackendDispatcher(
            entrypoint_group=f"{self.name}.backends", host_name=self.name, untrusted="allow"
        )
        self.settings = self.dispatcher.settings
        self.selection = self.dispatcher._machinery.selection
        for adapter in (Fast, Other):
            self.dispatcher.register(adapter)

        @self.dispatcher.backend_dispatch
        def where(x=0):
            return "cpu"

        @self.dispatcher.backend_dispatch
        def call(function):
            return function()

        @self.dispatcher.backend_dispatch
        def steps(n):
            for _ in range(n):
                yield self.settings.backend

        self.where, self.call, self.steps = where, call, steps


@pytest.fixture
def host():
    return Host()


@pytest.fixture
def idle(host):
    host.where()
    assert host.selection.idle
    return host


@pytest.mark.parametrize(
    ("host_name", "variable"),
    [("my-host", "MY_HOST_BACKEND"), ("a.b9", "A_B9_BACKEND"), ("größe", "GR__E_BACKEND"), ("X", "X_BACKEND")],
)
def test_environment_variable(host_name, variable):  # precedence 4
    assert environment_variable(host_name) == variable


# -- idle, and no longer -----------------------------------------------------------------------------------------------


def test_a_process_in_which_nothing_is_selected_is_idle_after_the_first_call(host):
    assert not host.selection.idle
    assert host.where() == "cpu"
    assert host.selection.idle
    assert host.where(backend="cpu") == host.call(host.where, backend="cpu") == "cpu"
    assert (host.settings.backend, host.selection.idle) == ("cpu", True)


def test_a_call_that_says_cpu_does_not_read_the_environment(host, monkeypatch):  # 1.1, 1.5
    assert [host.where(backend="cpu"), host.where(backend="cpu")] == ["cpu", "cpu"]
    assert not host.selection.idle
    monkeypatch.setenv(host.selection.variable_name, "fast")
    assert host.where() == "fast"
    assert host.where(backend="cpu") == "cpu"
    assert host.call(host.where, backend="cpu") == "cpu"


def test_calls_that_say_cpu_are_idle_once_the_environment_is_known(host):
    assert host.where(backend="cpu") == "cpu"
    assert host.where() == "cpu"
    assert host.selection.idle
    assert host.where(backend="cpu") == "cpu"


@pytest.mark.parametrize("value", ["fast", "cpu", "nothing"])
def test_not_with_the_environment_variable(monkeypatch, value):  # 1.5
    monkeypatch.setenv(f"SELECTION{next(numbers) + 1}_BACKEND", value)
    host = Host()
    assert host.where(backend="cpu") == "cpu"
    assert not host.selection.idle


def test_an_explicit_backend_ends_it(idle):
    assert idle.where(backend="fast") == "fast"
    assert not idle.selection.idle


WAKING = {
    "assignment": lambda settings: setattr(settings, "backend", "fast"),
    "assignment of cpu": lambda settings: setattr(settings, "backend", "cpu"),
    "policy": lambda settings: setattr(settings, "fallback", "warn"),
    "scope": lambda settings: settings.use_backend("fast").__enter__(),
    "closed scope": lambda settings: settings.use_backend("fast").__enter__(),
    "trace": lambda settings: settings.trace().__enter__(),
    "bound": lambda settings: settings.bind(int)(),
    "decorated generator": lambda settings: list(settings.use_backend("fast")(_generate)()),
}


def _generate():
    yield 1


@pytest.mark.parametrize("waking", WAKING.values(), ids=WAKING)
def test_whatever_selects_or_traces_ends_it_for_good(idle, waking):
    contextvars.copy_context().run(waking, idle.settings)
    assert not idle.selection.idle
    del idle.settings.backend
    del idle.settings.fallback
    assert idle.where() == idle.where(backend="cpu") == "cpu"
    assert idle.settings.backend == "cpu"
    assert not idle.selection.idle


def test_a_failed_selection_leaves_it_idle(idle):
    with pytest.raises(ValueError, match="nothing"):
        idle.settings.backend = "nothing"
    assert idle.selection.idle


# -- calls that said "cpu" and are running when something is first selected (1.10) -------------------------------------


def test_assignment_in_the_body(idle):
    settings = idle.settings
    elsewhere = []

    def body():
        settings.backend = "fast"
        settings.fallback = "raise"
        thread = threading.Thread(target=lambda: elsewhere.append(settings.backend))
        thread.start()
        thread.join()
        assert repr(settings).startswith(f"<settings of {idle.name}: backend='fast' (scope)")
        return settings.backend, idle.where(), settings.fallback

    assert idle.call(body, backend="cpu") == ("fast", "fast", "raise")
    assert elsewhere == ["cpu"]
    assert (settings.backend, settings.fallback, idle.where()) == ("cpu", "explicit", "cpu")
    assert idle.selection.variable.get() is idle.selection.base


def test_a_scope_left_open_in_the_body(idle):
    scope = idle.settings.use_backend("fast")
    idle.call(scope.__enter__, backend="cpu")
    assert idle.where() == "fast"
    scope.__exit__(None, None, None)
    assert idle.where() == "cpu"


def test_a_scope_closed_in_the_body_leaves_the_call_on_the_host(idle):
    def body():
        with idle.settings.use_backend("fast"):
            inside = idle.where()
        idle.settings.backend  # noqa: B018 - reading may do harm.
        return inside, idle.where()

    assert idle.call(body, backend="cpu") == ("fast", "cpu")


def test_nested_calls_end_one_by_one(idle):
    settings = idle.settings
    seen = []

    def inner():
        settings.backend = "fast"
        seen.append(settings.backend)

    def outer():
        idle.call(inner, backend="cpu")
        seen.append(settings.backend)
        settings.backend = "other"
        seen.append(settings.backend)

    def outermost():
        idle.call(lambda: idle.call(outer, backend="cpu"))
        seen.append(settings.backend)

    idle.call(outermost, backend="cpu")
    seen.append(settings.backend)
    assert seen == ["fast", "cpu", "other", "cpu", "cpu"]


def test_new_calls_inside_such_a_call(idle):
    settings = idle.settings

    def body():
        with settings.use_backend("fast"):
            assert idle.call(lambda: settings.backend, backend="cpu") == "cpu"
            assert idle.call(lambda: settings.backend, backend="other") == "other"
            assert idle.call(lambda: settings.backend, backend="other") == "other"
        assert idle.call(lambda: settings.backend, backend="other") == "other"
        with pytest.warns(FallbackWarning):
            assert list(idle.steps(1, backend="other")) == ["other"]
        return settings.backend

    # "other" and "fast" implement ``call``; what it calls must see them.
    assert idle.call(body, backend="cpu") == "cpu"
    assert settings.backend == "cpu"


def test_an_exception_ends_it_too(idle):
    def body():
        idle.settings.backend = "fast"
        raise KeyError

    with pytest.raises(KeyError):
        idle.call(body, backend="cpu")
    assert idle.settings.backend == "cpu"


def test_a_generator_begun_inside(idle):
    def body():
        steps = idle.steps(3)
        first = next(steps)
        with idle.settings.use_backend("fast"):
            second = next(steps)
        idle.settings.backend = "other"
        return first, second, next(steps)

    assert idle.call(body, backend="cpu") == ("cpu", "cpu", "cpu")


def test_selected_in_another_context_of_the_same_thread(idle):
    settings = idle.settings

    def select():
        settings.backend = "fast"
        return settings.backend

    async def in_a_loop():
        return await asyncio.create_task(asyncio.to_thread(lambda: None)), select()

    for select_there, after in (
        (lambda: contextvars.copy_context().run(select), "cpu"),
        # An empty context has no scope, so what is assigned there is the choice of the process.
        (lambda: contextvars.Context().run(select), "fast"),
        (lambda: asyncio.run(in_a_loop()), "cpu"),
    ):
        host = Host()
        host.where()
        settings = host.settings

        def body(select_there=select_there, host=host):
            select_there()
            return host.settings.backend, host.where()

        assert host.call(body, backend="cpu") == ("cpu", "cpu")
        assert host.settings.backend == after


class Worker:
    """A thread that runs one call and does in its body what it is told."""

    def __init__(self, function, *, backend):
        self.orders, self.answers = queue.Queue(), queue.Queue()
        self.thread = threading.Thread(target=function, args=(self._body,), kwargs={"backend": backend})
        self.thread.start()
        self.answers.get()

    def _body(self):
        self.answers.put("running")
        while (order := self.orders.get()) is not None:
            self.answers.put(order())

    def do(self, order):
        self.orders.put(order)
        return self.answers.get(timeout=60)

    def end(self):
        self.orders.put(None)
        self.thread.join()


def test_another_thread_selects_meanwhile(idle):
    settings = idle.settings
    worker = Worker(idle.call, backend="cpu")
    unscoped = Worker(idle.call, backend=None)
    settings.backend = "fast"
    assert idle.where() == "fast"
    assert unscoped.do(idle.where) == "fast"
    assert worker.do(idle.where) == "cpu"
    assert worker.do(lambda: settings.backend) == "cpu"
    assert worker.do(lambda: idle.where(backend="other")) == "other"
    assert worker.do(lambda: idle.call(idle.where)) == "cpu"
    assert worker.do(lambda: contextvars.copy_context().run(idle.where)) == "cpu"

    def assign():
        settings.backend = "other"
        return idle.where()

    assert worker.do(assign) == "other"
    assert (settings.backend, idle.where(), unscoped.do(idle.where)) == ("fast", "fast", "fast")
    del settings.backend
    assert (idle.where(), unscoped.do(idle.where), worker.do(idle.where)) == ("cpu", "cpu", "other")
    settings.backend = "fast"
    worker.end()
    assert (idle.where(), unscoped.do(idle.where)) == ("fast", "fast")
    unscoped.end()


def test_a_call_in_another_thread_leaves_nothing_behind(idle):
    worker = Worker(idle.call, backend="cpu")
    with idle.settings.use_backend("fast"):
        worker.end()
        assert idle.where() == "fast"
    assert idle.where() == "cpu"


def test_a_forked_child_opens_the_lock(idle):  # 2.9
    worker = Worker(idle.call, backend="cpu")
    idle.settings.backend = "fast"
    worker.do(idle.selection._lock.acquire)
    # As in the child, where the other thread is gone and its lock with it.
    idle.selection.after_fork()
    assert idle.selection.base.choice.reading == "fast"
    idle.settings.backend = "other"
    assert idle.where() == "other"
    worker.end()


def test_ending_idleness_keeps_nothing_alive(idle):
    class Data:
        pass

    def body(data):
        idle.settings.backend = "fast"
        return weakref.ref(data)

    gc.disable()
    try:
        assert idle.call(lambda: body(Data()), backend="cpu")() is None
    finally:
        gc.enable()


def test_waking_twice_at_once(idle):
    selection = idle.selection
    # Another thread is waking the process while this one wants to.
    with selection._lock:
        thread = threading.Thread(target=selection.wake)
        thread.start()
        selection.wake()
    thread.join()
    assert not selection.idle


def test_wrappers_that_always_decide_see_whether_a_body_changed_anything(host):
    seen = NeverIdle(host.selection)
    before = seen.changes
    assert seen.changes is before
    with host.settings.use_backend("fast"):
        assert seen.changes is not before


def test_settling_after_somebody_assigned(host):
    selection = host.selection
    host.settings.backend = "fast"
    # A call that began to look at the environment before finds the assignment, and does not undo it.
    assert selection._settle_environment().reading == "fast"
    assert (selection.source, selection.idle) == ("process", False)


def test_snapshots_bring_back_what_was_selected(host):
    settings = host.settings
    with settings.use_backend("fast"):
        restore = host.selection.snapshot()
        settings.backend = "other"
        host.selection.assign_fallback("warn")
        restore()
        assert (settings.backend, settings.fallback) == ("fast", "explicit")
        restore = contextvars.copy_context().run(host.selection.snapshot)
        # A running call sees by this that its body did something to the selection.
        before = host.selection.changes
        restore()
        assert host.selection.changes is not before
        assert settings.backend == "fast"


def _scoped(settings):
    with settings.use_backend("fast"):
        pass


def _assigned(settings):
    settings.backend = "fast"


def _traced(settings):
    with settings.trace():
        pass


@pytest.mark.parametrize("block", [isolated, lambda given: temporary_backend(given, Third)])
@pytest.mark.parametrize("inside", [_scoped, _assigned, _traced, None])
def test_selections_after_a_block_of_a_test_count(idle, block, inside):  # 8.3
    settings = idle.settings
    with block(idle.dispatcher):
        assert idle.where() == "cpu"
        if inside is not None:
            inside(settings)
    assert (idle.where(), settings.backend) == ("cpu", "cpu")
    with settings.use_backend("other"):
        assert (idle.where(), settings.backend) == ("other", "other")
    settings.backend = "fast"
    assert (idle.where(), settings.backend) == ("fast", "fast")


# -- long histories against a model ------------------------------------------------------------------------------------

NAMES = st.sampled_from(["fast", "other", "cpu", ["other", "cpu"], None])
POLICIES = st.sampled_from([None, "silent", "warn", "raise"])
PLACES = st.integers(0, 3)


class Place:
    """A context, in a thread of its own or in this one."""

    def __init__(self, context, *, threaded):
        self.context, self.threaded = context, threaded

    def run(self, function, *args):
        if not self.threaded:
            return self.context.run(function, *args)
        results = []
        thread = threading.Thread(target=lambda: results.append(self.context.run(function, *args)))
        thread.start()
        thread.join()
        return results[0]


def reading(name):
    return tuple(name) if isinstance(name, list) else name


class Histories(RuleBasedStateMachine):
    """Ten lines say what is selected: a value for the process, and for each place a list of open scopes."""

    @initialize(environment=st.sampled_from([None, "fast", " other "]))
    def begin(self, environment):
        with pytest.MonkeyPatch.context() as patch:
            if environment is not None:
                patch.setenv(f"SELECTION{next(numbers) + 1}_BACKEND", environment)
            self.host = Host()
            self.host.where()
        self.settings = self.host.settings
        self.objects = []
        self.places = [Place(contextvars.Context(), threaded=False)]
        # The model. A scope is [object, place where it was opened, name, policy].
        self.default = (environment or "cpu").strip()
        self.process, self.policy = None, "explicit"
        self.scopes = [[]]

    def expected(self, place):
        names = [scope[2] for scope in self.scopes[place] if scope[2] is not None]
        policies = [scope[3] for scope in self.scopes[place] if scope[3] is not None]
        return reading([*[self.process or self.default], *names][-1]), [self.policy, *policies][-1]

    @rule(name=NAMES, policy=POLICIES)
    @precondition(lambda self: len(self.objects) < 4)
    def make(self, name, policy):
        self.objects.append((self.settings.use_backend(name, fallback=policy), name, policy))

    @rule(place=PLACES, threaded=st.booleans())
    @precondition(lambda self: len(self.places) < 4)
    def copy_context(self, place, threaded):
        place %= len(self.places)
        self.places.append(Place(self.places[place].run(contextvars.copy_context), threaded=threaded))
        self.scopes.append([list(scope) for scope in self.scopes[place]])

    @rule(place=PLACES, which=st.integers(0, 3))
    @precondition(lambda self: self.objects)
    def enter(self, place, which):
        place %= len(self.places)
        scope, name, policy = self.objects[which % len(self.objects)]
        self.places[place].run(scope.__enter__)
        self.scopes[place].append([scope, place, name, policy])

    @rule(place=PLACES, which=st.integers(0, 3))
    @precondition(lambda self: self.objects)
    def leave(self, place, which):
        place %= len(self.places)
        scope = self.objects[which % len(self.objects)][0]
        self.places[place].run(scope.__exit__, None, None, None)
        here = [entry for entry in self.scopes[place] if entry[:2] == [scope, place]]
        self.scopes[place] = [entry for entry in self.scopes[place] if not here or entry is not here[-1]]

    @rule(place=PLACES, name=NAMES.filter(bool))
    def assign(self, place, name):
        place %= len(self.places)
        self.places[place].run(setattr, self.settings, "backend", name)
        if self.scopes[place]:
            self.scopes[place][-1][2] = name
        else:
            self.process = name

    @rule(place=PLACES, policy=POLICIES.filter(bool))
    def assign_policy(self, place, policy):
        place %= len(self.places)
        self.places[place].run(setattr, self.settings, "fallback", policy)
        if self.scopes[place]:
            self.scopes[place][-1][3] = policy
        else:
            self.policy = policy

    @rule(place=PLACES)
    def undo(self, place):
        self.places[place % len(self.places)].run(delattr, self.settings, "backend")
        self.process = None

    @rule(place=PLACES)
    def undo_policy(self, place):
        self.places[place % len(self.places)].run(delattr, self.settings, "fallback")
        self.policy = "explicit"

    @rule(place=PLACES, name=NAMES, inner=NAMES, leave_open=st.booleans(), assigned=NAMES)
    def call(self, place, name, inner, leave_open, assigned):
        """Call with ``backend=``: what the body does to the call's own scope ends with the call."""
        place %= len(self.places)
        seen = []

        def body():
            seen.append(self.settings.backend)
            if assigned is not None and name is not None:
                self.settings.backend = assigned
                seen.append(self.settings.backend)
            self.host.call(lambda: seen.append(self.settings.backend), backend=inner)
            scope = self.settings.use_backend("other")
            scope.__enter__()
            if leave_open:
                self.objects.append((scope, "other", None))
            else:
                scope.__exit__(None, None, None)

        first = self.expected(place)[0] if name is None else reading(name)
        self.places[place].run(lambda: self.host.call(body, backend=name))
        changed = [reading(assigned)] if assigned is not None and name is not None else []
        last = [first, *changed][-1] if inner is None else reading(inner)
        assert seen == [first, *changed, last]
        if leave_open:
            self.scopes[place].append([self.objects[-1][0], place, "other", None])

    @invariant()
    def reads_as_the_model_says(self):
        for number, place in enumerate(self.places):
            backend, policy = self.expected(number)
            assert place.run(lambda: (self.settings.backend, self.settings.fallback)) == (backend, policy)
            runs = backend[0] if isinstance(backend, tuple) else backend
            assert place.run(self.host.where) == runs
            assert place.run(lambda: self.host.where(backend="cpu")) == "cpu"
            # A backend that is asked for ends idleness, whose end is one of the things to be found here.
            if not self.host.selection.idle:
                assert place.run(lambda: self.host.where(backend="fast")) == "fast"


TestHistories = Histories.TestCase


def test_cpu_calls_need_no_look_at_the_environment(monkeypatch):  # 1.5, 1.10
    dispatcher = BackendDispatcher(entrypoint_group="late.backends", host_name="late_host", untrusted="allow")

    @dispatcher.backend_dispatch
    def step():
        return "cpu"

    @dispatcher.backend_dispatch
    def pipeline():
        return step()

    class Fast:
        name = "fast"

        def step(self):
            return "fast"

    dispatcher.register(Fast)
    assert step(backend="cpu") == "cpu"
    monkeypatch.setenv("LATE_HOST_BACKEND", "fast")
    # The step inside is what first needs the variable, and still stays on the host.
    assert pipeline(backend="cpu") == "cpu"
    assert (step(), pipeline(), pipeline(backend="cpu")) == ("fast", "fast", "cpu")
    assert dispatcher.settings.backend == "fast"
