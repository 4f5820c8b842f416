"""Two rules of the behaviour that meet in one call; each test names both."""

from __future__ import annotations

import asyncio
import functools
import inspect
import pickle
import random
import sys
import types
import warnings

import pytest
from labs import adapter, define, make

from scverse_backends import OMITTED, exceptions

HOST = "together"


@pytest.fixture
def d():
    return make(HOST)


def host(d, source, **options):
    return d.backend_dispatch(**options)(define(source))


def warned(record):
    return [str(one.message) for one in record]


# -- options of a scope ---------------------------------------------------------------------------------------------


class Lazy:
    """Provides a function anew each time it is asked, as a module's ``__getattr__`` may."""

    name = "lazy"

    def __getattr__(self, attribute):
        if attribute != "score":
            raise AttributeError(attribute)
        return define("def score(x, *, device=0): return 'lazy', device")


def test_options_that_are_bound_may_have_their_effect_later(d):  # 1.11, 1.8
    score = host(d, "def score(x): return 'cpu'")
    d.register(Lazy())
    with d.settings.use_backend("lazy", options={"device": 7}):
        job = d.settings.bind(score)
    assert job(1) == ("lazy", 7)


def test_options_that_nothing_loaded_takes_have_had_no_effect_so_far(d):  # 1.11, 2.3
    score = host(d, "def score(x): return 'cpu'")
    d.register(Lazy())
    scope = d.settings.use_backend("lazy", options={"device": 7})
    with pytest.warns(exceptions.DroppedArgumentWarning, match="'device' has had no effect so far"), scope:
        assert score(1, backend="cpu") == "cpu"


@pytest.mark.parametrize("loaded", [True, False])
def test_the_old_name_of_a_parameter_is_nobodys_option(d, loaded):  # 1.11, 4.13
    score = host(d, "def score(x, *, rng=None): return 'cpu'", renamed={"rng": "seed"})
    fast = adapter(score=lambda x, *, seed=0, tile=1: ("fast", seed))
    if loaded:
        d.register(fast)
    scope = d.settings.use_backend("fast", options={"seed": 4})
    if not loaded:
        d.register(fast)
        d.unregister("fast")
        d.register(fast)
    with pytest.raises(TypeError, match=r"the option 'seed'. It is the old name of a parameter of score\(\)"):
        scope.__enter__()
    assert score(1, rng=4, backend="fast") == ("fast", 4)


def test_options_name_a_backend_once(d):  # 1.11, 1.2
    fast = adapter(score=lambda x, *, a=0, b=0: (a, b))
    fast.aliases = ["quick"]
    d.register(fast)
    scope = d.settings.use_backend(["fast", "cpu"], options={"fast": {"a": 1}, "quick": {"b": 2}})
    with pytest.raises(TypeError, match="options= names backend 'fast' twice, once as 'quick'"):
        scope.__enter__()


def test_provenance_says_which_options_only_some_calls_had(d):  # 7.3, 1.11
    score = host(d, "def score(x): return 'cpu'")
    d.register(adapter(score=lambda x, *, tol=0.1, device=0: "fast"))
    with d.settings.trace() as calls, d.settings.use_backend("fast", options={"device": 1}):
        for tol in (1e-9, 1e-9, 0.5):
            with d.settings.use_backend("fast", options={"tol": tol}):
                score(1)
    assert calls.provenance()["functions"]["score"]["fast"] == {
        "calls": 3,
        "options": {"device": 1, "tol": "1e-09 in 2 calls, 0.5 in 1 call"},
    }
    with d.settings.trace() as calls:
        score(1, backend="fast")
        with d.settings.use_backend("fast", options={"tol": 3}):
            score(1)
    assert calls.provenance()["functions"]["score"]["fast"]["options"] == {"tol": "3 in 1 call"}


# -- two functions of one name ----------------------------------------------------------------------------------------


def test_options_of_a_function_that_is_meant_for_neither_are_not_shown(d):  # 4.1, 5.1, 4.9
    tl = host(d, "def umap(x, *, k=1): return 'tl'")
    pl = define("def umap(x, *, color=None): return 'pl'")
    pl.__qualname__ = "Plots.<locals>.umap"
    with pytest.warns(exceptions.BackendConflictWarning, match="umap"):
        pl = d.backend_dispatch(pl)
    d.register(adapter(umap=lambda x, *, k=1, opt=3: "fast"))
    lazy = adapter("lazy")
    type(lazy).umap = property(lambda self: define("def umap(x, *, late=3): ..."))
    d.register(lazy)
    with pytest.warns(exceptions.BackendConflictWarning, match="umap"):
        d.discover()
    assert list(inspect.signature(pl).parameters) == ["x", "color", "backend"]
    assert list(inspect.signature(tl).parameters) == ["x", "k", "backend"]
    with pytest.raises(TypeError) as info:
        pl(1, opt=4)
    assert "'fast'" not in str(info.value)


# -- the host in place of a backend -----------------------------------------------------------------------------------


def test_what_stands_around_the_hosts_function_works_once(d):  # 4.8, 5.6
    def outer(function):
        @functools.wraps(function)
        def inner(x, **options):
            return 10 * function(x, **options)

        return inner

    module = types.ModuleType("together_module")
    sys.modules[module.__name__] = module
    try:
        module.score = outer(d.backend_dispatch(define("def score(x): return x", __name__=module.__name__)))
        d.register(adapter(score=module.score))
        assert module.score(1, backend="fast") == 10
        explanation = d.settings.explain(module.score, backend="fast")
        assert explanation.executes == "cpu"
        assert "hands back the host's own function" in explanation.reason
    finally:
        del sys.modules[module.__name__]


def test_a_host_that_refuses_a_keyword_says_in_whose_place_it_ran(d):  # 4.6, 4.1
    source = "def fit(x, *, backend='loky'): return 'cpu'"
    fit = host(d, source, own_backend="parallel_backend", own_backend_values=("loky",))
    d.register(adapter())
    with pytest.warns(exceptions.FallbackWarning), pytest.raises(TypeError, match="'zz'") as info:
        fit(1, zz=1, backend="fast")
    assert info.value.__notes__ == ["The host ran this call: Backend 'fast' does not implement fit()."]
    with pytest.raises(TypeError, match="'zz'") as info:
        fit(1, zz=1)
    assert not hasattr(info.value, "__notes__")


def test_explain_knows_the_hosts_own_values(d):  # 7.2, 4.1
    source = "def fit(x, *, backend='loky'): return 'cpu'"
    fit = host(d, source, own_backend="parallel_backend", own_backend_values=("loky",))
    explanation = d.settings.explain(fit, backend="loky")
    assert (explanation.executes, explanation.source) == ("cpu", "default")


# -- renamed parameters -----------------------------------------------------------------------------------------------


def test_nothing_is_drawn_for_a_backend_that_would_lose_an_argument(d):  # 4.13, 4.15
    score = host(
        d,
        "def score(x, *, rng, copy=False): return 'cpu'",
        renamed={"rng": ("seed", lambda rng: rng.randrange(1000))},
        never_drop=["copy"],
    )
    d.register(adapter("lacking", score=lambda x, *, seed: ("lacking", seed)))
    d.register(adapter("whole", score=lambda x, *, seed, copy=False: ("whole", seed)))
    alone = score(1, rng=random.Random(0), copy=True, backend="whole")
    assert score(1, rng=random.Random(0), copy=True, backend=["lacking", "whole"]) == alone
    # At its default, nothing is lost.
    assert score(1, rng=random.Random(0), copy=False, backend=["lacking", "whole"])[0] == "lacking"


def test_a_required_argument_that_no_call_may_lose_is_declined(d):  # 4.15, 4.2
    score = host(d, "def score(x, y): return 'cpu'", never_drop=["y"])
    d.register(adapter("lacking", score=lambda x: "lacking"))
    d.register(adapter("whole", score=lambda x, y: "whole"))
    assert score(1, 2, backend=["lacking", "whole"]) == "whole"
    explanation = d.settings.explain(score, backend=["lacking", "whole"])
    assert explanation.executes == "whole"
    assert explanation.steps[0] == ("lacking", "declines: it lacks 'y', which every call gives")


def test_explain_says_that_every_call_would_raise(d):  # 7.2, 4.2
    score = host(d, "def score(x, y): return 'cpu'")
    d.register(adapter("lacking", score=lambda x: "lacking"))
    d.register(adapter("whole", score=lambda x, y: "whole"))
    explanation = d.settings.explain(score, backend=["lacking", "whole"])
    assert explanation.executes is None
    assert explanation.steps == (
        ("lacking", "would raise: it lacks 'y', which every call gives"),
        ("whole", "not reached"),
    )
    with pytest.raises(exceptions.BackendContractError, match="lacks the required parameter 'y'"):
        score(1, 2, backend=["lacking", "whole"])


def test_a_value_that_stands_for_none_where_one_is_needed(d):  # 4.13, 4.2
    score = host(
        d,
        "def score(x, rng): return 'cpu'",
        renamed={"rng": ("seed", lambda rng: OMITTED if rng is None else rng)},
    )
    d.register(adapter(score=lambda x, *, seed: ("fast", seed)))
    with pytest.raises(TypeError, match="needs a value for 'rng': the one that was given stands for none"):
        score(1, None, backend="fast")
    assert score(1, 3, backend="fast") == ("fast", 3)


def test_an_old_name_is_told_its_new_one(d):  # 4.9, 4.13
    score = host(d, "def score(x, *, rng=0): return 'cpu'", renamed={"rng": "seed"})
    d.register(adapter(score=lambda x, *, seed=0: ("fast", seed)))
    for backend in ("fast", "cpu"):
        with pytest.raises(TypeError, match="Did you mean 'rng'"):
            score(1, seed=3, backend=backend)


# -- which rule chose -------------------------------------------------------------------------------------------------


def test_inside_a_body_that_runs_in_steps_the_rule_is_the_same(d):  # 7.3, 1.10
    inner = host(d, "def inner(x): return 'cpu'")
    co = d.backend_dispatch(define("async def co(x): return inner(x)", inner=inner))
    steps = d.backend_dispatch(define("def steps(x): yield inner(x)", inner=inner))
    d.register(adapter(inner=lambda x: "fast"))

    def sources():
        with d.settings.trace() as calls:
            asyncio.run(co(1))
            list(steps(1))
        return [call.source for call in calls]

    assert sources() == ["default"] * 4
    d.settings.backend = "fast"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", exceptions.FallbackWarning)
        assert sources() == ["process"] * 4
    with d.settings.trace() as calls:
        list(steps(1, backend="cpu"))
    assert [call.source for call in calls] == ["argument", "scope"]


def test_a_scope_that_names_what_is_gone(d):  # 9, 2.10
    score = host(d, "def score(x): return 'cpu'")
    d.register(adapter())
    with d.settings.use_backend("fast"):
        d.unregister("fast")
        with pytest.raises(exceptions.UnknownBackendError, match=r"An open use_backend\(\) block selects it"):
            score(1)


# -- trust ------------------------------------------------------------------------------------------------------------


def installed(folder, name, *, group, point, value):
    information = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(f"Name: {name}\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(f"[{group}]\n{point} = {value}\n")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    return tmp_path


def test_what_is_installed_is_not_called_missing_in_an_order(folder):  # 2.11, 1.9, 4.6
    d = make(HOST, trusted_backends={"tpu": {"package": "tpu-b"}})
    score = host(d, "def score(x): return 'cpu'")
    installed(folder, "tpu-b", group=f"{HOST}.backend", point="tpu", value="tpu_b")
    with pytest.warns(exceptions.FallbackWarning) as record:
        score(1, backend=["tpu"])
    assert "(not in tpu-b 1.0, pip install --upgrade tpu-b)" in warned(record)[-1]
    scope = d.settings.use_backend(["tpu"], fallback="raise")
    with scope, pytest.raises(exceptions.FunctionNotImplementedError, match=r"not in tpu-b 1.0"):
        score(1)
    with pytest.raises(exceptions.BackendNotInstalledError) as info:
        score(1, backend="tpu")
    assert info.value.installed == pickle.loads(pickle.dumps(info.value)).installed == "1.0"


def test_a_trusted_adapter_that_writes_its_name_in_other_letters(folder):  # 3.2, 2.4
    d = make(HOST, trusted_backends={"cs": {"package": "cs-b"}})
    score = host(d, "def score(x): return 'cpu'")
    (folder / "together_cs.py").write_text("name = 'CS'\ndef score(x): return 'cs'\n")
    installed(folder, "cs-b", group=f"{HOST}.backends", point="cs", value="together_cs")
    with pytest.raises(exceptions.BackendLoadError, match="its name 'CS' has to be written 'cs'"):
        score(1, backend="cs")
