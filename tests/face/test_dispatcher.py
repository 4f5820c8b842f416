"""What the dispatcher's own file does besides putting parts together."""

from __future__ import annotations

import types

import pytest

from scverse_backends import BackendDispatcher, _machinery
from scverse_backends._selection.state import Choice, State


@pytest.fixture
def dispatcher():
    return BackendDispatcher(entrypoint_group="parts.backends", host_name="parts", untrusted="allow")


def test_repr(dispatcher):
    assert repr(dispatcher) == "<BackendDispatcher of parts for 'parts.backends'>"


def test_all_threads_use_the_parts_that_were_ready_first(dispatcher, monkeypatch):  # 2.9
    real = _machinery._deciding
    made = []

    def build(machinery):
        if not made:
            made.append(None)
            # As another thread would, which overtakes this one.
            made.append(machinery.decider)
        return real(machinery)

    monkeypatch.setattr(_machinery, "_deciding", build)
    assert dispatcher._machinery.decider is made[1]
    assert dispatcher._machinery.decider is made[1]


def test_nothing_stands_behind_the_host(dispatcher):  # 1.9, 4.8
    @dispatcher.backend_dispatch
    def f(x):
        return "cpu"

    fast = types.ModuleType("fast")
    fast.name = "fast"
    fast.f = lambda x: "fast"
    own = types.ModuleType("own")
    own.name = "own"
    own.f = f
    dispatcher.register(fast)
    dispatcher.register(own)
    (record,) = dispatcher._machinery.records
    candidates = dispatcher._machinery.decider.routing.candidates

    def names(choice, state):
        return [(c.name, c.runs_host) for c in candidates(record, Choice(choice, is_order=True), "argument", state)]

    assert names(("cpu", "fast"), State()) == [("cpu", True)]
    assert names(("own", "fast"), State()) == [("cpu", True)]
    assert names(("fast", "own"), State()) == [("fast", False), ("cpu", True)]
    assert names(("fast", "own"), State(running=(("fast", "f"),))) == [("cpu", True)]
