"""Options that a scope gives to a backend (1.11)."""

from __future__ import annotations

import asyncio
import pickle
import types
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from labs import adapter, define, make

from scverse_backends import BackendDispatcher
from scverse_backends.exceptions import DroppedArgumentWarning, UnknownBackendError

dispatcher = BackendDispatcher(
    entrypoint_group="optional.backends", host_name="optional", untrusted="allow"
)  # At the level of the module, so that what is bound can be pickled.


@dispatcher.backend_dispatch
def embed(x: Any, n: int = 2) -> Any:
    return "cpu", n


@dispatcher.backend_dispatch
def plain(x: Any) -> Any:
    return "cpu"


@dispatcher.backend_dispatch
async def later(x: Any) -> Any:
    return "cpu"


@dispatcher.backend_dispatch
def steps(x: Any) -> Any:
    yield "cpu"


@dispatcher.backend_class
class Model:
    def __init__(self, x: Any) -> None:
        self.made = "cpu"


class FastModel:
    def __init__(self, x: Any, device: int = 0) -> None:
        self.made = device


class Fast:
    name = "fast"
    aliases = ("quick",)

    def embed(self, x: Any, n: int = 3, *, device: int = 0, tile: int = 8, _private: int = 0) -> Any:
        return "fast", n, device, tile, _private

    def plain(self, x: Any) -> Any:
        return "fast"

    async def later(self, x: Any, *, device: int = 0) -> Any:
        await asyncio.sleep(0)
        return device

    def steps(self, x: Any, *, device: int = 0) -> Any:
        yield device

    Model = FastModel


class Slow:
    name = "slow"

    def embed(self, x: Any, *, device: int = 0) -> Any:
        return "slow", device


dispatcher.register(Fast)
dispatcher.register(Slow)
settings = dispatcher.settings


def test_a_call_gets_what_its_implementation_takes() -> None:
    with settings.use_backend("fast", options={"device": 1}):
        for _ in range(3):
            assert embed(0) == ("fast", 3, 1, 8, 0)
        assert plain(0) == "fast"
        assert Model(0).made == 1
        assert asyncio.run(later(0)) == 1
        assert list(steps(0)) == [1]
        assert settings.options == {"fast": {"device": 1}}
    assert settings.options == {}
    with settings.use_backend("fast"):
        assert embed(0) == ("fast", 3, 0, 8, 0)


def test_what_the_caller_writes_wins() -> None:
    with settings.use_backend("fast", options={"device": 1}):
        assert embed(0, device=2) == ("fast", 3, 2, 8, 0)
        # Also where it is the default.
        assert embed(0, device=0, tile=4) == ("fast", 3, 0, 4, 0)
        assert embed(0, tile=4) == ("fast", 3, 1, 4, 0)


def test_an_inner_scope_adds_and_wins() -> None:
    with settings.use_backend("fast", options={"device": 1, "tile": 2}):
        with settings.use_backend("quick", options={"tile": 3}):
            assert embed(0) == ("fast", 3, 1, 3, 0)
            assert settings.options == {"fast": {"device": 1, "tile": 3}}
        assert embed(0) == ("fast", 3, 1, 2, 0)


def test_the_host_and_other_backends_never_see_them() -> None:
    with settings.use_backend("fast", options={"device": 1}):
        assert embed(0, backend="cpu") == ("cpu", 2)
        assert embed(0, backend="slow") == ("slow", 0)
        # The scope is for whatever runs on that backend, however it was selected.
        assert embed(0, backend="fast") == embed(0, backend="quick") == ("fast", 3, 1, 8, 0)
        with settings.use_backend("cpu"):
            assert embed(0) == ("cpu", 2)
            assert settings.options == {"fast": {"device": 1}}


def test_host_parameters_are_not_touched() -> None:
    with pytest.raises(TypeError, match=r"No function of backend 'fast' takes the option 'n'"):
        settings.use_backend("fast", options={"n": 5}).__enter__()


def test_an_order_says_which_are_for_which() -> None:
    given = {"quick": {"tile": 5}, "slow": {"device": 3}}
    with settings.use_backend(["slow", "fast", "cpu"], options=given):
        assert embed(0) == ("slow", 3)
        assert embed(0, backend="fast") == ("fast", 3, 0, 5, 0)
    with settings.use_backend(None, options={"fast": {"device": 4}}):
        assert embed(0) == ("cpu", 2)
        assert embed(0, backend="fast") == ("fast", 3, 4, 8, 0)


@pytest.mark.parametrize(
    ("name", "options", "error", "message"),
    [
        ("fast", 3, TypeError, "options= is a mapping of names to values, such as {'device': 1}, not int"),
        ("fast", {1: 2}, TypeError, "1 is not a name"),
        ("cpu", {"device": 1}, TypeError, "options= are for backends, and this scope selects the host"),
        ("fast", {"devise": 1}, TypeError, "takes the option 'devise'. Did you mean 'device'?"),
        ("fast", {"zzz": 1}, TypeError, "takes the option 'zzz'. Its options: 'device', 'tile'"),
        ("fast", {"_private": 1}, TypeError, "takes the option '_private'"),
        (["fast"], {"device": 1}, TypeError, "not options without a backend such as 'device'"),
        (None, {"device": 1}, TypeError, "not options without a backend such as 'device'"),
        (["fast"], {"device": {"device": 1}}, UnknownBackendError, "Unknown backend 'device'"),
        (["fast"], {"fast": 1}, TypeError, "options= says which are for which"),
        (["fast"], {"slow": {"device": 1}}, TypeError, "names 'slow', but this scope selects 'fast'"),
        (["fast", "cpu"], {"cpu": {"device": 1}}, TypeError, "names 'cpu'"),
        (None, {"cpu": {"device": 1}}, TypeError, "names 'cpu', but this scope selects no backend"),
        (None, {"nope": {"device": 1}}, UnknownBackendError, "Unknown backend 'nope'"),
    ],
)
def test_what_is_wrong_is_said_when_the_scope_is_entered(
    name: Any, options: Any, error: type[Exception], message: str
) -> None:
    scope = settings.use_backend(name, options=options)
    with pytest.raises(error) as info:
        scope.__enter__()
    assert message in str(info.value)
    assert (settings.backend, settings.options) == ("cpu", {})


def lazy_lab() -> Any:
    lab = make("optional_lazy")
    score = lab.backend_dispatch(name="score")(define("def score(x): return 'cpu'"))
    other = lab.backend_dispatch(name="other")(define("def other(x): return 'cpu'"))
    module: Any = types.ModuleType("lazy")
    module.name, module.__all__ = "lazy", ["score", "other"]
    functions = {
        "score": define("def score(x, *, device=0): return 'lazy', device"),
        "other": define("def other(x): return 'lazy'"),
    }
    module.__getattr__ = lambda name: vars(module).setdefault(name, functions[name])
    lab.register(module)
    return types.SimpleNamespace(settings=lab.settings, score=score, other=other)


def test_what_a_lazy_backend_takes_is_known_at_the_end() -> None:
    lab = lazy_lab()
    with lab.settings.use_backend("lazy", options={"device": 2}):
        assert lab.other(0) == "lazy"
        assert lab.score(0) == ("lazy", 2)
    lab = lazy_lab()
    # One block in the other, since the line of the inner one is what is looked at.
    with pytest.warns(DroppedArgumentWarning, match="'devise'.* Did you mean 'device'?") as caught:  # noqa: SIM117 - as said.
        with lab.settings.use_backend("lazy", options={"devise": 2}):
            assert lab.score(0) == ("lazy", 0)
    assert (caught[0].filename, caught[0].message.backend, caught[0].message.parameter) == (__file__, "lazy", "devise")
    # Now that everything is loaded, it is known when the scope is entered.
    assert lab.other(0, backend="lazy") == "lazy"
    with pytest.raises(TypeError, match="'devise'"):
        lab.settings.use_backend("lazy", options={"devise": 2}).__enter__()


def test_an_error_in_the_block_is_not_drowned() -> None:
    lab = lazy_lab()
    with pytest.raises(ZeroDivisionError), lab.settings.use_backend("lazy", options={"devise": 2}):
        1 / 0  # noqa: B018 - it raises.


def test_decorated_functions_give_them_too() -> None:
    @settings.use_backend("fast", options={"device": 7})
    def run() -> Any:
        return embed(0)

    @settings.use_backend("fast", options={"device": 7})
    def generate() -> Any:
        yield embed(0)
        yield embed(0)

    assert run() == ("fast", 3, 7, 8, 0)
    running = generate()
    assert next(running) == ("fast", 3, 7, 8, 0)
    assert settings.options == {}
    assert list(running) == [("fast", 3, 7, 8, 0)]
    lab = lazy_lab()

    @lab.settings.use_backend("lazy", options={"devise": 2})
    def wrong() -> Any:
        yield lab.score(0)

    with pytest.warns(DroppedArgumentWarning, match="'devise'"):
        assert list(wrong()) == [("lazy", 0)]

    @lab.settings.use_backend("lazy", options=3)
    def worse() -> Any:
        yield 1

    with pytest.raises(TypeError, match="options= is a mapping"):
        worse()


def test_bound_functions_carry_them() -> None:
    with settings.use_backend("fast", options={"device": 5}):
        bound = settings.bind(embed)
    assert bound(0) == ("fast", 3, 5, 8, 0)
    with ThreadPoolExecutor() as pool:
        assert pool.submit(bound, 0).result() == ("fast", 3, 5, 8, 0)
    assert pickle.loads(pickle.dumps(bound))(0) == ("fast", 3, 5, 8, 0)


def test_assignments_inside_keep_them() -> None:  # 1.3
    with settings.use_backend("fast", options={"device": 5}):
        settings.backend = "slow"
        assert embed(0) == ("slow", 0)
        settings.backend = "fast"
        assert embed(0) == ("fast", 3, 5, 8, 0)


@pytest.mark.parametrize("error", [ValueError("the function's own"), KeyboardInterrupt()], ids=repr)
def test_a_decorated_function_that_fails_leaves_its_block_and_says_nothing_else(error: BaseException) -> None:
    lab = make("optional_failing")

    class Lazy:
        name = "lazy"

        def __getattr__(self, name: str) -> Any:
            raise AttributeError(name)

    lab.register(Lazy())
    score = lab.backend_dispatch(define("def score(x): return 'cpu'"))

    @lab.settings.use_backend("lazy", options={"device": 1})
    def failing() -> None:
        assert lab.settings.backend == "lazy"
        raise error

    # The warning that nothing takes the option would be an error here.
    with pytest.raises(type(error)) as caught:
        failing()
    assert caught.value is error
    assert (lab.settings.backend, lab.settings.options, score(0)) == ("cpu", {}, "cpu")


def test_traces_and_explain_show_what_was_added() -> None:
    with settings.use_backend("fast", options={"device": 5}), settings.trace() as calls:
        embed(0)
        plain(0)
        embed(0, device=1)
        assert "device=5" in settings.explain(embed).reason
        assert "device" not in settings.explain(plain).reason
    assert [dict(call.options) for call in calls] == [{"device": 5}, {}, {}]


def test_an_implementation_that_takes_any_keyword_gets_what_it_names_only() -> None:
    lab = make("optional_any")
    score = lab.backend_dispatch(name="score")(define("def score(x): return 'cpu'"))
    lab.register(adapter(score=define("def score(x, *, device=0, **rest): return device, rest")))
    with lab.settings.use_backend("fast", options={"device": 1}):
        assert score(0) == (1, {})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with pytest.raises(TypeError, match="'other'"):
            lab.settings.use_backend("fast", options={"other": 1}).__enter__()
    assert caught == []


def test_implementations_without_a_signature_say_nothing() -> None:
    class Unreadable:
        __signature__ = 3

        def __call__(self, x: Any) -> Any:
            return x

    lab = make("optional_unreadable")
    score = lab.backend_dispatch(name="score")(define("def score(x): return 'cpu'"))
    lab.register(adapter(score=Unreadable()))
    with pytest.raises(TypeError, match="'device'"):
        lab.settings.use_backend("fast", options={"device": 1}).__enter__()
    assert score(3, backend="fast") == 3


def test_a_backend_whose_turn_has_not_come_is_not_loaded_for_its_options(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.metadata

    waiting = importlib.metadata.EntryPoint("later", "no_such_module:Adapter", "optional_waiting.backends")
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda **_: importlib.metadata.EntryPoints([waiting]))
    lab = make("optional_waiting")
    score = lab.backend_dispatch(name="score")(define("def score(x): return 'cpu'"))
    lab.register(adapter(score=define("def score(x): return 'fast'")))
    with lab.settings.use_backend(["fast", "later"], options={"later": {"device": 1}}):
        assert score(0) == "fast"


def test_what_a_backend_provides_anew_each_time_was_taken_all_the_same() -> None:
    class Fresh:
        name = "fresh"

        def __getattr__(self, attribute: str) -> Any:
            if attribute != "score":
                raise AttributeError(attribute)
            return define("def score(x, *, device=0): return device")

    lab = make("optional_fresh")
    score = lab.backend_dispatch(name="score")(define("def score(x): return 'cpu'"))
    lab.register(Fresh())
    with lab.settings.use_backend("fresh", options={"device": 3}):
        assert score(0) == 3
    with lab.settings.use_backend("fresh", options={"device": 3}):
        pass  # No call took it, and one could have.
    with pytest.raises(TypeError, match=r"takes the option 'devise'\. Did you mean 'device'"):
        lab.settings.use_backend("fresh", options={"devise": 3}).__enter__()
