"""States are values; what a call leaves behind is told from what it brought."""

from __future__ import annotations

import contextvars
import copy
import pickle
from contextvars import ContextVar

import pytest

from scverse_backends._selection.state import CPU_CHOICE, Choice, Entered, Opening, Scope, State, settle_call

FAST, OTHER = Choice(("fast",)), Choice(("other", "cpu"), is_order=True)


@pytest.fixture
def variable():
    return ContextVar("variable", default=State())  # noqa: B039 - a State never changes.


def test_choices():  # 1.9
    assert (FAST.reading, OTHER.reading, CPU_CHOICE.reading) == ("fast", ("other", "cpu"), "cpu")
    assert Choice(("fast",), is_order=True).reading == ("fast",)
    assert repr(OTHER) == "<Choice ('other', 'cpu')>"


def test_the_host_is_one_choice_wherever_it_is_unpickled():  # 1.7
    assert pickle.loads(pickle.dumps(CPU_CHOICE)) is copy.deepcopy(CPU_CHOICE) is CPU_CHOICE
    again = pickle.loads(pickle.dumps([OTHER, Choice(("cpu",), is_order=True)]))
    assert [choice.reading for choice in again] == [("other", "cpu"), ("cpu",)]


def test_the_innermost_scope_that_says_something_holds():  # 1.1
    state = State((Scope(1, FAST, "raise"), Scope(2, OTHER, None), Scope(3, None, None)))
    assert (state.choice, state.fallback) == (OTHER, "raise")
    assert (State().choice, State().fallback) == (None, None)


def test_without_removes_the_innermost_scope_of_an_owner_only():  # 1.4
    owner = object()
    first, second, third = Scope(owner, FAST, None), Scope(owner, OTHER, None), Scope(object(), None, "warn")
    state = State((first, second, third), (("fast", "f"),), ("trace",))
    removed = state.without(owner)
    assert (removed.scopes, removed.running, removed.traces) == ((first, third), (("fast", "f"),), ("trace",))
    assert state.without(object()).same_as(state)


def test_reassigned_keeps_what_was_not_assigned():  # 1.3
    state = State((Scope(1, FAST, "raise"),), (("a", "b"),), ("t",))
    changed = state.reassigned(choice=OTHER)
    assert (changed.choice, changed.fallback, changed.running, changed.traces) == (
        OTHER,
        "raise",
        (("a", "b"),),
        ("t",),
    )
    changed = state.reassigned(fallback="warn")
    assert (changed.choice, changed.fallback, changed.scopes[0].owner) == (FAST, "warn", 1)


def test_same_as_looks_at_identity():
    assert State().same_as(State())
    assert not State(traces=([],)).same_as(State(traces=([],)))
    assert not State((Scope(1, FAST, None),)).same_as(State())


def test_openings_know_their_context(variable):  # 1.4
    opening = Opening("me")
    state = State((Scope(opening, FAST, None),))
    opening.take_place(variable, state)
    for _ in range(2):
        assert not contextvars.copy_context().run(opening.happened_here, variable)
        assert opening.happened_here(variable)
        assert variable.get() is state


def call(variable, outer, inner, body):
    """Do what a wrapper does."""
    variable.set(outer)
    variable.set(inner)
    body()
    current = variable.get()
    variable.set(outer)
    if current is not inner:
        settle_call(variable, outer, inner, current)
    return variable.get()


def test_a_call_that_changes_nothing_leaves_the_very_same_state(variable):  # 1.10
    outer = State((Scope(1, FAST, None),))
    inner = outer.with_scope(Scope(2, OTHER, None)).running_also(("fast", "f"))
    assert call(variable, outer, inner, lambda: None) is outer
    # Also where something was opened and closed again in between.
    assert call(variable, outer, inner, lambda: variable.set(inner.traced_by(()))) is outer


def test_what_a_body_did_to_the_calls_own_scope_ends_with_it(variable):  # 1.3, 1.10
    outer = State((Scope(1, FAST, None),))
    inner = outer.with_scope(Scope(2, OTHER, None))
    assert call(variable, outer, inner, lambda: variable.set(inner.reassigned(choice=FAST))) is outer


def test_what_a_body_opened_and_closed_outside_its_call_stays(variable):  # 1.4
    first, opened = Scope(1, FAST, None), Scope(3, OTHER, None)
    outer = State((first,))
    inner = outer.with_scope(Scope(2, OTHER, None)).running_also(("fast", "f"))

    def body():
        variable.set(inner.without(1).with_scope(opened).traced_by(("trace",)))

    after = call(variable, outer, inner, body)
    assert (after.scopes, after.running, after.traces) == ((opened,), (), ("trace",))


def test_a_block_in_another_state_leaves_behind_what_its_body_changed(variable):
    outer, opened = State((Scope(1, FAST, None),)), Scope(3, OTHER, None)
    variable.set(outer)
    with Entered(variable, outer.with_scope(Scope(2, OTHER, None))):
        pass
    assert variable.get() is outer
    with Entered(variable, outer.with_scope(Scope(2, OTHER, None))):
        variable.set(variable.get().with_scope(opened))
    assert variable.get().scopes == (*outer.scopes, opened)
