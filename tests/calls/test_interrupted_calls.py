"""``Ctrl-C`` at the very moment in which a call is entered: the selection outside is what it was."""

from __future__ import annotations

import types

import pytest

from scverse_backends import BackendDispatcher


class Interrupted:
    """A context variable after whose next ``set`` an interrupt arrives, before the caller sees the token."""

    def __init__(self, variable):
        self.variable = variable
        self.get = variable.get
        self.reset = variable.reset
        self.waiting = True

    def set(self, value):
        token = self.variable.set(value)
        if self.waiting:
            self.waiting = False
            raise KeyboardInterrupt
        return token


def can_run(x):
    return x >= 0


@pytest.fixture
def host():
    dispatcher = BackendDispatcher(entrypoint_group="ctrl_c.backends", host_name="ctrl_c", untrusted="allow")

    @dispatcher.backend_dispatch
    def f(x):
        return "cpu"

    @dispatcher.backend_dispatch
    def picky(x):
        return "cpu"

    module = types.ModuleType("fast")
    module.name = "fast"
    module.f = lambda x: "fast"
    module.picky = lambda x: "fast"
    module.picky.can_run = can_run
    dispatcher.register(module)
    return types.SimpleNamespace(dispatcher=dispatcher, f=f, picky=picky, selection=dispatcher._machinery.selection)


@pytest.mark.parametrize("backend", ["fast", "cpu"])
@pytest.mark.parametrize("prepared", [True, False])
def test_entering_a_call(host, backend, prepared):
    with host.dispatcher.settings.use_backend("fast"):
        if prepared:
            # The second call takes the short way.
            assert host.f(1, backend=backend) == backend
        outside = host.selection.variable.get()
        host.selection.variable = Interrupted(host.selection.variable)
        with pytest.raises(KeyboardInterrupt):
            host.f(1, backend=backend)
        assert host.selection.variable.get() is outside
        assert host.f(1, backend=backend) == backend


def test_asking_whether_an_implementation_can_run(host):
    implementations = host.dispatcher._machinery.decider._implementations
    outside = host.selection.variable.get()
    implementations._variable = Interrupted(host.selection.variable)
    with pytest.raises(KeyboardInterrupt):
        host.picky(1, backend="fast")
    assert host.selection.variable.get() is outside
    assert host.picky(1, backend="fast") == "fast"
