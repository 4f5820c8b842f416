"""Plans and the sorting of arguments on their own; what a user sees of them is in ``test_routing.py``."""

from __future__ import annotations

import functools
import inspect
import types
from typing import Any

import pytest

from scverse_backends._signatures.arguments import InvalidCall, Names, bind
from scverse_backends._signatures.plan import NO_PLAN, Plan
from scverse_backends._signatures.router import Router, backend_only

NOTHING_UNSET: frozenset[str] = frozenset()


def names(function: Any) -> Names:
    return Names(inspect.signature(function).parameters.values())


class Engine:
    def run(self, x: Any) -> Any:
        return x


def plan_for(implementation: Any, host: Any = lambda x: x, *, can_run: Any = None, adapter: Any = None) -> Plan:
    backend = types.SimpleNamespace(name="fast", adapter=adapter)
    router = Router("f", "fast", names(host), names(implementation), {})
    return Plan(
        backend=backend, attribute="f", key=("fast", "f"), implementation=implementation, can_run=can_run, router=router
    )


def test_names() -> None:
    found = names(lambda a, /, b, c=1, *rest, d, e=2, **others: None)
    assert found.positional == ("a", "b", "c")
    assert found.positional_only == ("a",)
    assert found.keyword_only == ("d", "e")
    assert found.by_keyword == {"b", "c", "d", "e"}
    assert found.all == {"a", "b", "c", "d", "e"}
    assert found.required == ("a", "b", "d")
    assert found.defaults == {"c": 1, "e": 2}
    assert found.takes_any
    assert not names(lambda *rest: None).takes_any


def test_a_plan_is_for_one_implementation_by_identity() -> None:
    function = lambda x: x  # noqa: E731 - needs no name.
    plan = plan_for(function)
    assert plan.is_for(function)
    assert not plan.is_for(lambda x: x)
    engine = Engine()
    plan = plan_for(engine.run)
    # 4.11: a bound method is made anew at each access and known by its halves.
    assert plan.is_for(engine.run)
    assert not plan.is_for(Engine().run)
    assert not plan.is_for(Engine.run)


@pytest.mark.parametrize(
    ("host", "implementation", "aligned", "direct"),
    [
        (lambda a, b: 0, lambda a, b: 0, 2, {"a", "b"}),
        (lambda a, b: 0, lambda b, a: 0, 0, {"a", "b"}),
        (lambda a, b=1: 0, lambda a, c=1: 0, 1, {"a", "c"}),
        (lambda a, b=1: 0, lambda a: 0, 1, {"a"}),
        (lambda a, b=1: 0, lambda a, b: 0, -1, set()),
        (lambda a, b: 0, lambda a, b, /: 0, 2, set()),
        (lambda a, b: 0, lambda a, b, /, **kw: 0, 2, set()),
        (lambda a, b=1: 0, lambda a, **kw: 0, 1, {"a", "b"}),
        (lambda a, **kw: 0, lambda a, b=1: 0, 1, {"a", "b"}),
        (lambda a, /, **kw: 0, lambda a, **kw: 0, -1, set()),
    ],
)
def test_calls_that_are_forwarded_as_they_are(host: Any, implementation: Any, aligned: int, direct: set[str]) -> None:
    plan = plan_for(implementation, host)
    assert (plan.aligned, plan.direct) == (aligned, direct)


def test_any_keyword_is_forwarded_where_both_sides_take_any() -> None:
    plan = plan_for(lambda a, **kw: 0, lambda a, **kw: 0)
    assert plan.aligned == 1
    assert plan.direct.issuperset(["anything"])


def test_nothing_is_forwarded_unseen_where_somebody_has_to_be_asked() -> None:
    plan = plan_for(lambda x: x, can_run=lambda x: True)
    assert plan.aligned == -1
    assert plan.exact is not plan.implementation


def _wrapping(function: Any) -> Any:
    @functools.wraps(function)
    def wrapper(**kwargs: Any) -> Any:
        return function(**kwargs)

    return wrapper


def _lying(function: Any) -> Any:
    function.__signature__ = inspect.signature(lambda a, b=1: 0)
    return function


@pytest.mark.parametrize(
    ("host", "implementation", "exact"),
    [
        (lambda a, b=1: 0, lambda a, b=2: 0, True),
        (lambda a, b=1: 0, lambda a, b=2, *, more=3: 0, True),
        (lambda a, /, b=1: 0, lambda a, /, b=2: 0, True),
        (lambda a, **kw: 0, lambda a, **kw: 0, True),
        # Something that the implementation takes is no parameter of the merged signature, or another one.
        (lambda a, b=1: 0, lambda a, b=2, more=3: 0, False),
        (lambda a, b=1: 0, lambda a, b=2, *, _more=3: 0, False),
        (lambda a, b=1: 0, lambda a, b=2, *, backend=3: 0, False),
        (lambda a, b=1: 0, lambda a, b=2, **kw: 0, False),
        (lambda a, b=1: 0, lambda a, b=2, *rest: 0, False),
        (lambda a, /, b=1: 0, lambda a, b=2: 0, False),
        # Something has to be dropped, moved or filled in.
        (lambda a, b=1: 0, lambda a: 0, False),
        (lambda a, *, b=1: 0, lambda a, b=1: 0, False),
        (lambda a, b: 0, lambda b, a: 0, False),
        (lambda a, b=1: 0, lambda a, b: 0, False),
        (lambda a, **kw: 0, lambda a: 0, False),
        # What is shown is not what Python checks.
        (lambda a, b=1: 0, _wrapping(lambda a, b=1: 0), False),
        (lambda a, b=1: 0, _lying(lambda a, **kw: 0), False),
        (lambda x: 0, functools.partial(lambda x: 0), False),
    ],
)
def test_calls_that_need_no_check_of_ours(host: Any, implementation: Any, *, exact: bool) -> None:
    assert (plan_for(implementation, host).exact is implementation) is exact


@pytest.mark.parametrize("host", [lambda x: 0, lambda y: 0])
def test_a_method_is_known_by_its_function(host: Any) -> None:
    plan = plan_for(Engine().run, host)
    assert (plan.exact_function is Engine.run) is ("x" in names(host).by_keyword)
    assert plan.exact is not plan.implementation


def test_a_plan_that_enters_a_state_is_a_copy() -> None:
    plan = plan_for(lambda x: x, adapter=types.ModuleType("adapter"))
    choice, outer, inner = object(), object(), object()
    copy = plan.entering(choice, outer, inner)  # type: ignore[arg-type]  # they are only kept.
    assert (copy.choice, copy.outer, copy.inner) == (choice, outer, inner)
    assert (plan.choice, plan.outer, plan.inner) == (None, None, None)
    assert copy.implementation is plan.implementation
    assert copy.namespace is plan.namespace is not None
    assert NO_PLAN.outer is None


def test_options_are_public_and_can_be_given_by_keyword() -> None:
    found = backend_only(names(lambda x: 0), names(lambda x, y, /, z=1, _p=2, backend=3, *, w=4, **kw: 0))
    assert found == {"z", "w"}


def test_sorting() -> None:
    host = names(lambda a, /, b=1, **others: 0)
    given = bind("f", host, frozenset({"size"}), (1,), {"a": 2, "size": 3, "b": 4}, NOTHING_UNSET)
    assert given.named == {"a": 1, "b": 4}
    assert given.options == {"size": 3}
    assert given.extra == {"a": 2}


def test_what_is_wrong_with_a_call() -> None:
    host = names(lambda a, /, b=1, *, c: 0)
    with pytest.raises(InvalidCall, match=r"^pkg\.f\(\) got an unexpected keyword argument 'zzz'") as info:
        bind("pkg.f", host, frozenset(), (1,), {"zzz": 1, "c": 2}, NOTHING_UNSET)
    assert info.value.keyword == "zzz"
    with pytest.raises(InvalidCall, match=r"f\(\) missing 1 required keyword-only argument: 'c'") as info:
        bind("f", host, frozenset({"size"}), (1,), {"size": 1}, NOTHING_UNSET)
    assert info.value.keyword is None
    with pytest.raises(InvalidCall, match="positional-only") as info:
        bind("f", host, frozenset(), (), {"a": 1, "c": 2}, NOTHING_UNSET)
    assert info.value.keyword is None
    # A parameter may be called what one would call a stand-in's own.
    with pytest.raises(InvalidCall, match="missing"):
        bind("f", names(lambda kwargs, __, **others: 0), frozenset(), (), {"more": 1}, NOTHING_UNSET)
