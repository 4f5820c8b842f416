"""Parameters that change what a call does are never dropped (4.15)."""

from __future__ import annotations

from typing import Any

import pytest
from labs import adapter, define

from scverse_backends import BackendDispatcher
from scverse_backends.exceptions import DroppedArgumentWarning, FallbackWarning, FunctionNotImplementedError


def make(**options: Any) -> BackendDispatcher:
    return BackendDispatcher(entrypoint_group="kept.backends", host_name="kept", untrusted="allow", **options)


@pytest.fixture
def lab() -> BackendDispatcher:
    return make(never_drop=("copy", "inplace"))


def scores(lab: BackendDispatcher, theirs: str = "def score(x, n=1): return 'fast', n", **options: Any) -> Any:
    score = lab.backend_dispatch(**options)(define("def score(x, n=1, copy=False): return 'host', copy"))
    lab.register(adapter(score=define(theirs)))
    return score


def test_a_backend_that_lacks_one_declines_the_call(lab: BackendDispatcher) -> None:
    score = scores(lab)
    for _ in range(2):
        assert score(0, backend="fast") == ("fast", 1)
        # At its default it changes nothing.
        assert score(0, copy=False, backend="fast") == ("fast", 1)
    with pytest.warns(FallbackWarning, match="declined this call of score.*lacks 'copy'"):
        assert score(0, copy=True, backend="fast") == ("host", True)
    with lab.settings.use_backend("fast", fallback="raise"):
        assert score(0) == ("fast", 1)
        with pytest.raises(FunctionNotImplementedError, match="lacks 'copy'"):
            score(0, copy=True)
    with lab.settings.trace() as calls, lab.settings.use_backend(["fast", "cpu"]):
        assert score(0, copy=True) == ("host", True)
    assert calls[0].reason is not None
    assert "fast: declined: lacks 'copy'" in calls[0].reason


def test_the_next_of_an_order_may_have_it(lab: BackendDispatcher) -> None:
    score = scores(lab)
    lab.register(adapter("slow", score=define("def score(x, copy=False): return 'slow', copy")))
    assert score(0, copy=True, backend=["fast", "slow"]) == ("slow", True)
    assert score(0, backend=["fast", "slow"]) == ("fast", 1)


@pytest.mark.parametrize(
    "theirs",
    [
        "def score(x, copy=False): return 'fast', copy",
        "def score(x, **rest): return 'fast', rest['copy']",
        "def score(x, make_copy=False): return 'fast', make_copy",
    ],
)
def test_a_backend_that_takes_it_runs(lab: BackendDispatcher, theirs: str) -> None:
    score = scores(lab, theirs, renamed={"copy": "make_copy"})
    assert score(0, copy=True, backend="fast") == ("fast", True)
    assert lab.explain(score, "fast").reason == "fast: runs"


def test_explain_says_it(lab: BackendDispatcher) -> None:
    explanation = lab.explain(scores(lab), "fast")
    assert explanation.executes == "fast"
    assert explanation.reason == (
        "fast: runs unless it declines the arguments, and it lacks 'copy'; then cpu: runs as fallback"
    )


def test_a_function_may_add_to_it() -> None:
    lab = make(never_drop="inplace")
    score = scores(lab, never_drop=["copy"])
    other = lab.backend_dispatch(name="other")(define("def other(x, copy=False, inplace=False): return 'host'"))
    lab.register(adapter("slow", other=define("def other(x): return 'slow'")))
    assert score(0, copy=True, backend=["fast", "cpu"]) == ("host", True)
    # For the other one, the seed's rule stands.
    with pytest.warns(DroppedArgumentWarning, match="'copy'"):
        assert other(0, copy=True, backend="slow") == "slow"
    assert other(0, inplace=True, backend=["slow", "cpu"]) == "host"


def test_a_class_may_have_one(lab: BackendDispatcher) -> None:
    @lab.backend_class(never_drop="lazy")
    class Model:
        def __init__(self, x: Any, lazy: bool = False, copy: bool = False) -> None:
            self.made = "host"

    class Fast:
        def __init__(self, x: Any) -> None:
            self.made = "fast"

    lab.register(adapter(Model=Fast))
    assert Model(0, backend="fast").made == "fast"
    assert Model(0, lazy=True, backend=["fast", "cpu"]).made == "host"
    assert Model(0, copy=True, backend=["fast", "cpu"]).made == "host"


def test_a_name_that_no_function_has_is_said_when_everything_is_discovered() -> None:
    lab = make(never_drop=("copi",))
    score = scores(lab)
    with pytest.raises(ValueError, match=r"never_drop: no function .* has a parameter 'copi'. Did you mean 'copy'?"):
        lab.discover()
    assert score(0, backend="fast") == ("fast", 1)


@pytest.mark.parametrize("wrong", [3, None, "not a name", [3], ["a b"]])
def test_what_is_no_name_is_refused_at_once(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"never_drop= takes names of parameters, and .* cannot be one"):
        make(never_drop=wrong)
    with pytest.raises(TypeError, match=r"never_drop= takes names of parameters, and .* cannot be one"):
        make().backend_dispatch(never_drop=wrong)
