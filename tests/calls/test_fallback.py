"""Who runs a call: fallbacks, exports, the guard against recursion and ``can_run`` (4.6, 4.7, 4.8, 4.11, 4.12)."""

from __future__ import annotations

import gc
import logging
import types
import warnings
import weakref
from typing import Any

import pytest
from labs import adapter, make

from scverse_backends.exceptions import (
    BackendContractError,
    BackendLoadError,
    FallbackWarning,
    FunctionNotImplementedError,
)


class Lab:
    """A host with two functions and one backend, ``bare``, that implements nothing."""

    def __init__(self) -> None:
        self.dispatcher = make("fallback_lab")
        self.settings = self.dispatcher.settings

        @self.dispatcher.backend_dispatch
        def score(x: Any, k: Any = 1) -> Any:
            return "host", x

        @self.dispatcher.backend_dispatch
        def embed(x: Any) -> Any:
            return "host", x

        self.score, self.embed = score, embed
        self.register("bare")

    def register(self, name: str = "fast", **functions: Any) -> Any:
        made = adapter(name, **functions)
        self.dispatcher.register(made)
        return made


@pytest.fixture
def lab() -> Lab:
    return Lab()


def caught(call: Any) -> list[Any]:
    """Return the warnings of a call, which must run on the host."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        assert call() == ("host", 0)
    return [w.message for w in found]


# -- 4.6: policies ----------------------------------------------------------------------------------------------------


def test_explicit_warns_once_per_function_and_backend_and_only_where_the_call_asked(lab: Lab) -> None:
    assert lab.settings.fallback == "explicit"
    with lab.settings.use_backend("bare"):
        assert caught(lambda: lab.score(0)) == []
    (warning,) = caught(lambda: lab.score(0, backend="bare"))
    assert isinstance(warning, FallbackWarning)
    assert (warning.backend, warning.function, warning.host) == ("bare", "score", "fallback_lab")
    assert "does not implement score()" in str(warning)
    assert caught(lambda: lab.score(0, backend="bare")) == []
    assert len(caught(lambda: lab.embed(0, backend="bare"))) == 1
    lab.register("other")
    assert len(caught(lambda: lab.score(0, backend="other"))) == 1


def test_silent_never_warns(lab: Lab) -> None:
    lab.settings.fallback = "silent"
    assert caught(lambda: lab.score(0, backend="bare")) == []


def test_warn_warns_for_every_selection(lab: Lab) -> None:
    lab.settings.fallback = "warn"
    lab.settings.backend = "bare"
    assert len(caught(lambda: lab.score(0))) == 1
    assert caught(lambda: lab.score(0)) == []
    assert caught(lambda: lab.score(0, backend="bare")) == []


def test_raise_raises_each_time(lab: Lab) -> None:
    lab.settings.fallback = "raise"
    for _ in range(2):
        with pytest.raises(FunctionNotImplementedError, match=r"'bare'.*does not implement score") as info:
            lab.score(0, backend="bare")
    assert (info.value.backend, info.value.function, info.value.source) == ("bare", "score", "argument")
    with lab.settings.use_backend("bare"), pytest.raises(NotImplementedError) as by_scope:
        lab.score(0)
    assert by_scope.value.source == "scope"  # type: ignore[attr-defined]  # the class is asserted above.
    # The host is what was asked for here, so nothing falls back.
    assert lab.score(0, backend="cpu") == ("host", 0)


def test_a_scope_has_a_policy_of_its_own(lab: Lab) -> None:
    with lab.settings.use_backend("bare", fallback="raise"), pytest.raises(FunctionNotImplementedError):
        lab.score(0)
    with lab.settings.use_backend(None, fallback="silent"):
        assert caught(lambda: lab.score(0, backend="bare")) == []
    assert len(caught(lambda: lab.score(0, backend="bare"))) == 1


def test_a_warning_turned_into_an_error_is_given_once_as_well(lab: Lab) -> None:
    with pytest.raises(FallbackWarning):
        lab.score(0, backend="bare")  # The suite turns warnings into errors.
    assert lab.score(0, backend="bare") == ("host", 0)


def test_every_fallback_is_logged_once_at_info(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    lab.settings.fallback = "silent"
    with caplog.at_level(logging.INFO, logger="scverse_backends"):
        for _ in range(3):
            lab.score(0, backend="bare")
            lab.embed(0, backend="bare")
    messages = [record.getMessage() for record in caplog.records if record.levelno == logging.INFO]
    assert len(messages) == 2
    assert "score()" in messages[0]
    assert "embed()" in messages[1]
    assert all("bare" in message for message in messages)


@pytest.mark.parametrize("error", [NotImplementedError("mine"), FunctionNotImplementedError("mine"), KeyError("x")])
def test_what_an_implementation_raises_passes_unchanged(lab: Lab, error: Exception) -> None:
    def score(x: Any) -> Any:
        raise error

    lab.register(score=score)
    for _ in range(3):
        with pytest.raises(type(error)) as info:
            lab.score(0, backend="fast")
        assert info.value is error


def test_the_host_keeps_the_selection_in_a_fallback(lab: Lab) -> None:
    lab.register(embed=lambda x: ("fast", x))

    @lab.dispatcher.backend_dispatch
    def pipeline(x: Any) -> Any:
        return lab.embed(x), lab.settings.backend

    lab.settings.fallback = "silent"
    for _ in range(2):
        assert pipeline(0, backend="fast") == (("fast", 0), "fast")
        assert pipeline(0) == (("host", 0), "cpu")


def test_orders_fall_through_to_the_first_that_implements(lab: Lab) -> None:
    lab.register(score=lambda x: ("fast", x))
    for _ in range(2):
        assert lab.score(0, backend=["bare", "fast"]) == ("fast", 0)
    # A listed cpu is a choice and no fallback.
    assert caught(lambda: lab.embed(0, backend=["bare", "fast", "cpu"])) == []
    (warning,) = caught(lambda: lab.embed(0, backend=["bare", "fast"]))
    assert isinstance(warning, FallbackWarning)
    assert "'bare'" in str(warning)
    assert "'fast'" in str(warning)


# -- 4.7: what counts as exported -------------------------------------------------------------------------------------


def module(name: str = "adapter_module", **attributes: Any) -> types.ModuleType:
    made = types.ModuleType(name)
    for key, value in {"name": "fast", **attributes}.items():
        setattr(made, key, value)
    return made


def runs_on(lab: Lab, function: Any = None) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FallbackWarning)
        results = {(function or lab.score)(0, backend="fast")[0] for _ in range(3)}
    (result,) = results
    return str(result)


def theirs(x: Any) -> Any:
    return "fast", x


def test_a_module_exports_its_public_attributes(lab: Lab) -> None:
    lab.dispatcher.register(module(score=theirs))
    assert runs_on(lab) == "fast"
    assert runs_on(lab, lab.embed) == "host"


def test_a_module_with_all_exports_what_it_lists(lab: Lab) -> None:
    lab.dispatcher.register(module(score=theirs, embed=theirs, __all__=["embed"]))
    assert runs_on(lab) == "host"
    assert runs_on(lab, lab.embed) == "fast"


def test_submodules_are_no_implementations(lab: Lab) -> None:
    lab.dispatcher.register(module(score=types.ModuleType("adapter_module.score")))
    assert runs_on(lab) == "host"


def test_private_names_and_metadata_are_no_implementations(lab: Lab) -> None:
    lab.dispatcher.register(module(_hidden=theirs, aliases=["rapid"]))
    for attribute in ("_hidden", "name", "aliases"):
        function = lab.dispatcher.backend_dispatch(name=attribute)(lambda x: ("host", x))
        assert runs_on(lab, function) == "host"


def test_a_private_name_that_all_lists_is_one(lab: Lab) -> None:
    lab.dispatcher.register(module(_hidden=theirs, __all__=["_hidden"]))
    assert runs_on(lab, lab.dispatcher.backend_dispatch(name="_hidden")(lambda x: ("host", x))) == "fast"


@pytest.mark.parametrize("value", [None, 3, "text"])
def test_a_non_callable_breaks_the_contract(lab: Lab, value: Any) -> None:
    lab.dispatcher.register(module(score=value))
    for _ in range(2):
        with pytest.raises(BackendContractError, match="'score' is not a callable") as info:
            lab.score(0, backend="fast")
        assert (info.value.backend, info.value.function) == ("fast", "score")


def test_a_lazy_attribute_that_fails_is_a_load_error(lab: Lab) -> None:
    cause = ImportError("no cuda here")

    class Lazy:
        name = "fast"

        @property
        def score(self) -> Any:
            raise cause

    lab.dispatcher.register(Lazy())
    for _ in range(2):
        with pytest.raises(BackendLoadError, match=r"'fast' could not provide 'score'.*no cuda here") as info:
            lab.score(0, backend="fast")
        assert info.value.__cause__ is cause
        assert (info.value.backend, info.value.function) == ("fast", "score")
    assert lab.embed(0) == ("host", 0)


def test_a_lazy_attribute_that_fails_is_passed_over_in_an_order(lab: Lab) -> None:
    class Lazy:
        name = "fast"

        @property
        def score(self) -> Any:
            raise ImportError("no cuda here")

    lab.dispatcher.register(Lazy())
    lab.register("slow", score=lambda x: ("slow", x))
    with pytest.warns(FallbackWarning, match="'fast' is passed over.*no cuda here") as caught:
        assert lab.score(0, backend=["fast", "slow"]) == ("slow", 0)
    warning = caught[0].message
    assert (warning.backend, warning.distribution, warning.source) == ("fast", None, "argument")
    assert lab.score(0, backend=["fast", "slow"]) == ("slow", 0)


def test_ctrl_c_in_a_lazy_attribute_passes(lab: Lab) -> None:
    class Lazy:
        name = "fast"

        @property
        def score(self) -> Any:
            raise KeyboardInterrupt

    lab.dispatcher.register(Lazy())
    with pytest.raises(KeyboardInterrupt):
        lab.score(0, backend="fast")


def test_an_attribute_error_for_the_attribute_itself_means_not_implemented(lab: Lab) -> None:
    lazy = module()

    def lookup(attribute: str) -> Any:
        if attribute == "embed":
            return None.anything  # another attribute's error
        raise AttributeError(f"no {attribute}")

    lazy.__getattr__ = lookup  # type: ignore[method-assign]  # a module's own hook.
    lab.dispatcher.register(lazy)
    assert runs_on(lab) == "host"
    with pytest.raises(BackendLoadError, match=r"'embed'.*AttributeError"):
        lab.embed(0, backend="fast")


def test_a_lazy_module_that_stores_what_it_loaded(lab: Lab) -> None:
    lazy = module()
    asked = []

    def lookup(attribute: str) -> Any:
        asked.append(attribute)
        if attribute == "score":
            lazy.score = theirs  # type: ignore[attr-defined]  # a module's namespace.
            return theirs
        raise AttributeError(attribute)

    lazy.__getattr__ = lookup  # type: ignore[method-assign]  # a module's own hook.
    lab.dispatcher.register(lazy)
    assert runs_on(lab) == "fast"
    assert asked.count("score") == 1


# -- 4.8: the guard against recursion ---------------------------------------------------------------------------------


def test_an_adapter_that_hands_back_the_hosts_own_function(lab: Lab) -> None:
    lab.register(score=lab.score)
    for _ in range(3):
        assert lab.score(0, backend="fast") == ("host", 0)


def test_an_implementation_that_calls_the_host_to_fall_back(lab: Lab) -> None:
    def score(x: Any) -> Any:
        return "fast", lab.score(x), lab.score(x, backend="fast"), lab.settings.backend

    lab.register(score=score)
    wanted = ("fast", ("host", 0), ("host", 0), "fast")
    for _ in range(3):
        assert lab.score(0, backend="fast") == wanted
    with lab.settings.use_backend("fast"):
        for _ in range(3):
            assert lab.score(0) == wanted


def test_the_guard_covers_all_that_is_running_and_not_only_the_innermost(lab: Lab) -> None:
    lab.register(score=lambda x: ("fast", lab.embed(x)), embed=lambda x: ("fast", lab.score(x)))
    for _ in range(3):
        assert lab.score(0, backend="fast") == ("fast", ("fast", ("host", 0)))


def test_another_backend_that_is_named_explicitly_still_dispatches(lab: Lab) -> None:
    lab.register("slow", score=lambda x: ("slow", lab.score(x)))
    lab.register(score=lambda x: ("fast", lab.score(x, backend="slow")))
    for _ in range(3):
        # Inside, the selection is slow; slow's own call of the host is guarded, and so would fast's be.
        assert lab.score(0, backend="fast") == ("fast", ("slow", ("host", 0)))


def test_a_function_decorated_outside_is_guarded_too(lab: Lab) -> None:
    import functools

    inner = lab.score

    @functools.wraps(inner)
    def outer(*args: Any, **kwargs: Any) -> Any:
        return inner(*args, **kwargs)

    lab.register(score=outer)
    for _ in range(3):
        assert outer(0, backend="fast") == ("host", 0)


def test_the_guard_ends_with_the_call_also_by_an_error(lab: Lab) -> None:
    def score(x: Any) -> Any:
        if x == "bad":
            raise ValueError(x)
        return "fast", x

    lab.register(score=score)
    for _ in range(3):
        with pytest.raises(ValueError, match="bad"):
            lab.score("bad", backend="fast")
        assert lab.score(0, backend="fast") == ("fast", 0)


# -- 4.11: the adapter is asked anew ----------------------------------------------------------------------------------


def test_a_monkeypatched_adapter_is_honoured(lab: Lab) -> None:
    made = lab.register(score=theirs)
    assert runs_on(lab) == "fast"
    made.score = lambda x: ("patched", x)
    assert runs_on(lab) == "patched"
    # Another signature is routed by another plan.
    made.score = lambda *, k=2, x: ("swapped", x)
    assert runs_on(lab) == "swapped"
    del made.score
    assert runs_on(lab) == "host"


def test_a_monkeypatched_module_is_honoured(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    made = module(score=theirs)
    lab.dispatcher.register(made)
    assert runs_on(lab) == "fast"
    with monkeypatch.context() as patch:
        patch.setattr(made, "score", lambda x: ("patched", x))
        assert runs_on(lab) == "patched"
    assert runs_on(lab) == "fast"
    monkeypatch.delattr(made, "score")
    assert runs_on(lab) == "host"


def test_bound_methods_are_made_anew_and_compiled_once(lab: Lab) -> None:
    looked: list[str] = []

    class Adapter:
        name = "fast"

        def score(self, x: Any) -> Any:
            return "fast", x

    Adapter.score.__signature__ = _CountingSignature(looked)  # type: ignore[attr-defined]  # as decorators do.
    lab.dispatcher.register(Adapter)
    assert runs_on(lab) == "fast"
    compiled = len(looked)
    assert runs_on(lab) == "fast"
    assert len(looked) == compiled


class _CountingSignature:
    """Counts how often a function's signature is looked at; it is none that :mod:`inspect` could use."""

    def __init__(self, looked: list[str]) -> None:
        self._looked = looked

    @property
    def __class__(self) -> Any:  # what isinstance() asks after the type itself
        self._looked.append("looked")
        return _CountingSignature


def test_a_method_of_another_instance_is_another_implementation(lab: Lab) -> None:
    class Engine:
        def __init__(self, label: str) -> None:
            self.label = label

        def score(self, x: Any) -> Any:
            return self.label, x

    made = lab.register(score=Engine("first").score)
    assert runs_on(lab) == "first"
    made.score = Engine("second").score
    assert runs_on(lab) == "second"


def test_fresh_objects_at_every_access_leak_nothing(lab: Lab) -> None:
    made: list[weakref.ref[Any]] = []

    class Fresh:
        name = "fast"

        @property
        def score(self) -> Any:
            def score(x: Any, *, size: int = 3) -> Any:
                return "fast", x, size

            made.append(weakref.ref(score))
            return score

    lab.dispatcher.register(Fresh())
    for size in range(20):
        # A new object may get the address of one that is gone, and must not be taken for it.
        assert lab.score(0, size=size, backend="fast") == ("fast", 0, size)
    gc.collect()
    alive = [reference for reference in made if reference() is not None]
    assert len(made) >= 20
    assert len(alive) <= 2


def test_fresh_objects_with_other_signatures_never_share_a_plan(lab: Lab) -> None:
    sources = ["lambda x: ('one', x)", "lambda k, x: ('two', k, x)", "lambda *, x, k=9: ('three', k, x)"]
    turn = iter(sources * 10)

    class Fresh:
        name = "fast"

        def __getattr__(self, attribute: str) -> Any:
            if attribute != "score":
                raise AttributeError(attribute)
            return eval(next(turn))

    lab.dispatcher.register(Fresh())
    results = {lab.score(0, backend="fast") for _ in range(12)}
    assert results <= {("one", 0), ("two", 1, 0), ("three", 9, 0)}
    assert len(results) >= 2


def test_an_implementation_that_cannot_be_hashed_or_compared(lab: Lab) -> None:
    class Awkward:
        __hash__ = None  # type: ignore[assignment]  # the point of the test.

        def __eq__(self, other: object) -> bool:
            raise AssertionError("plans are compared by identity")

        def __call__(self, x: Any) -> Any:
            return "fast", x

    lab.register(score=Awkward())
    assert runs_on(lab) == "fast"


# -- 4.12: can_run ----------------------------------------------------------------------------------------------------


def picky(can_run: Any, name: str = "fast") -> Any:
    def score(x: Any, *, size: int = 3) -> Any:
        return name, x

    score.can_run = can_run  # type: ignore[attr-defined]  # the plain attribute that the rule speaks of.
    return score


def test_can_run_gets_what_the_implementation_would_get(lab: Lab) -> None:
    asked: list[Any] = []

    def can_run(*args: Any, **kwargs: Any) -> bool:
        asked.append((args, kwargs))
        return True

    lab.register(score=picky(can_run))
    for _ in range(2):
        with pytest.warns(UserWarning, match="'k' has no effect"):
            assert lab.score(0, 5, size=4, backend="fast") == ("fast", 0)
    assert asked == [((0,), {"size": 4})] * 2


@pytest.mark.parametrize(
    ("answer", "shown"),
    [(False, "declined"), ("sparse input needs more", "sparse input needs more"), ("", "declined"), ("  ", "declined")],
)
def test_declined_calls_fall_back_with_the_sentence(lab: Lab, answer: Any, shown: str) -> None:
    lab.register(score=picky(lambda x, **options: answer))
    (warning,) = caught(lambda: lab.score(0, backend="fast"))
    assert isinstance(warning, FallbackWarning)
    assert shown in str(warning)
    assert "declined" in str(warning)
    assert caught(lambda: lab.score(0, backend="fast")) == []
    lab.settings.fallback = "raise"
    with pytest.raises(FunctionNotImplementedError, match=shown):
        lab.score(0, backend="fast")


def test_a_declined_call_drops_nothing_with_a_warning(lab: Lab) -> None:
    lab.register(score=picky(lambda x, **options: False))
    lab.settings.fallback = "silent"
    assert caught(lambda: lab.score(0, k=5, backend="fast")) == []


def test_declined_calls_go_to_the_next_of_an_order(lab: Lab) -> None:
    lab.register(score=picky(lambda x, **options: x > 0 or "too small"))
    lab.register("slow", score=lambda x: ("slow", x))
    for _ in range(2):
        assert lab.score(0, backend=["fast", "slow"]) == ("slow", 0)
        assert lab.score(1, backend=["fast", "slow"]) == ("fast", 1)
    with lab.settings.trace() as calls:
        lab.score(0, backend=["fast", "slow"])
    assert calls[0].executed == "slow"
    assert "too small" in calls[0].reason


def test_a_declined_call_of_a_host_function_that_calls_itself_stays_on_the_host() -> None:
    # 4.6 and 4.12: its parts are no calls that the user made, and who declined the whole was not asked about them.
    dispatcher = make("recursive_lab")

    @dispatcher.backend_dispatch
    def inner(x: Any) -> Any:
        return "host"

    @dispatcher.backend_dispatch
    def count(x: Any) -> Any:
        return [count(part) for part in x] if isinstance(x, list) else inner(x)

    def fast_count(x: Any) -> str:
        return "fast"

    fast_count.can_run = lambda x: not isinstance(x, list)  # type: ignore[attr-defined]  # the attribute of the rule.
    dispatcher.register(adapter("fast", count=fast_count, inner=lambda x: "fast inner"))
    dispatcher.register(adapter("slow"))
    with dispatcher.settings.use_backend("fast"):
        assert count([1, [2]]) == ["fast inner", ["fast inner"]]
        assert count(1) == "fast"
    with dispatcher.settings.use_backend(["slow", "fast"]):
        assert count([1]) == ["fast inner"]
    assert count([1], backend=["fast", "cpu"]) == ["fast inner"]


@pytest.mark.parametrize("answer", [None, 1, 0, [], object()])
def test_any_other_answer_breaks_the_contract(lab: Lab, answer: Any) -> None:
    lab.register(score=picky(lambda x, **options: answer))
    for _ in range(2):
        with pytest.raises(BackendContractError, match="can_run of 'score' returned") as info:
            lab.score(0, backend="fast")
        assert (info.value.backend, info.value.function) == ("fast", "score")


def test_what_can_run_raises_breaks_the_contract(lab: Lab) -> None:
    cause = KeyError("x")

    def can_run(x: Any) -> bool:
        raise cause

    lab.register(score=picky(can_run))
    for _ in range(2):
        with pytest.raises(BackendContractError, match="can_run of 'score' raised KeyError") as info:
            lab.score(0, backend="fast")
        assert info.value.__cause__ is cause
    # The guard and the selection are as before.
    assert lab.settings.backend == "cpu"


def test_can_run_that_is_no_callable_breaks_the_contract(lab: Lab) -> None:
    lab.register(score=picky("yes"))
    with pytest.raises(BackendContractError, match="can_run of 'score' must be callable, not str"):
        lab.score(0, backend="fast")


def test_can_run_of_a_method(lab: Lab) -> None:
    class Adapter:
        name = "fast"

        def score(self, x: Any) -> Any:
            return "fast", x

        score.can_run = lambda x: x > 0  # type: ignore[attr-defined]  # an attribute of the function.

    lab.dispatcher.register(Adapter)
    lab.settings.fallback = "silent"
    for _ in range(2):
        assert lab.score(0, backend="fast") == ("host", 0)
        assert lab.score(1, backend="fast") == ("fast", 1)


def test_an_object_that_answers_to_every_name_has_no_can_run(lab: Lab) -> None:
    class Everything:
        def __getattr__(self, attribute: str) -> Any:
            if attribute.startswith("__"):
                raise AttributeError(attribute)
            return lambda *args, **kwargs: pytest.fail(f"{attribute} was called")

        def __call__(self, x: Any) -> Any:
            return "fast", x

    lab.register(score=Everything())
    assert runs_on(lab) == "fast"


def test_can_run_may_call_the_host(lab: Lab) -> None:
    lab.register(score=picky(lambda x, **options: lab.score(x) == ("host", x)))
    with lab.settings.use_backend("fast"):
        assert lab.score(0) == ("fast", 0)


def test_can_run_sees_the_selection_of_the_call(lab: Lab) -> None:  # 1.10
    seen: list[Any] = []
    lab.register(score=picky(lambda x, **options: seen.append(lab.settings.backend) is None))
    order = ["fast", "cpu"]
    lab.score(0, backend="fast")
    lab.score(0, backend=order)
    for selected in ("fast", order):
        with lab.settings.use_backend(selected):
            lab.score(0)
    with lab.settings.use_backend(order):
        lab.score(0, backend="fast")
        lab.score(0, backend=["fast"])
    with lab.settings.trace():
        lab.score(0, backend=order)
    # So a backend can tell whether it is asked for by its name alone.
    assert seen == ["fast", ("fast", "cpu"), "fast", ("fast", "cpu"), "fast", ("fast",), ("fast", "cpu")]


def test_can_run_none_counts_as_absent(lab: Lab) -> None:
    lab.register(score=picky(None))
    assert runs_on(lab) == "fast"


# -- a call that is interrupted by a change ---------------------------------------------------------------------------


def test_unregistered_while_selected(lab: Lab) -> None:
    from scverse_backends.exceptions import UnknownBackendError

    lab.register(score=theirs)
    lab.settings.backend = "fast"
    assert lab.score(0) == ("fast", 0)
    lab.dispatcher.unregister("fast")
    for _ in range(2):
        with pytest.raises(UnknownBackendError):
            lab.score(0)
        with pytest.raises(UnknownBackendError):
            lab.score(0, backend="fast")
    assert lab.score(0, backend="cpu") == ("host", 0)
    lab.register(score=lambda x: ("again", x))
    assert lab.score(0) == ("again", 0)


def test_unregistered_while_running(lab: Lab) -> None:
    def score(x: Any) -> Any:
        lab.dispatcher.unregister("fast")
        lab.register(score=lambda x: ("second", x))
        return "first", x

    lab.register(score=score)
    assert lab.score(0, backend="fast") == ("first", 0)
    assert lab.score(0, backend="fast") == ("second", 0)


def test_a_backend_that_unregisters_itself_while_it_is_looked_up(lab: Lab) -> None:
    class Vanishing:
        name = "fast"

        @property
        def score(self) -> Any:
            lab.dispatcher.unregister("fast")
            return theirs

    lab.dispatcher.register(Vanishing())
    assert lab.score(0, backend="fast") == ("fast", 0)
    with pytest.raises(ValueError, match="fast"):
        lab.score(0, backend="fast")


# -- 4.6: each reason is heard, and once ------------------------------------------------------------------------------


def sentences(lab: Lab, sentence: Any, *values: Any, **how: Any) -> list[str]:
    """Return the reasons that are warned of where a backend declines each of these values with a sentence."""

    def score(x: Any, k: Any = 1) -> Any: ...

    score.can_run = lambda x, k=1: sentence(x)  # type: ignore[attr-defined]  # functions may carry it.
    lab.register("picky", score=score)
    try:
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            for value in values:
                assert lab.score(value, **how) == ("host", value)
    finally:
        lab.dispatcher.unregister("picky")
    return [str(one.message).partition(" (")[2].partition(");")[0] for one in found]


def test_another_reason_is_heard_too(lab: Lab) -> None:
    first = sentences(lab, lambda x: f"needs {x}", "a", "a", "b", "a", backend="picky")
    assert first == ["needs a", "needs b"]
    assert sentences(lab, lambda x: f"needs {x}", "a", "b", "c", backend="picky") == ["needs c"]


def test_other_numbers_are_no_other_reason(lab: Lab) -> None:
    heard = sentences(lab, lambda x: f"only {x} samples, needs 1000", *range(100), backend="picky")
    assert heard == ["only 0 samples, needs 1000"]


def test_a_backend_that_always_says_something_else_is_heard_a_few_times(
    lab: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="scverse_backends"):
        assert len(sentences(lab, lambda x: f"not {'x' * x}", *range(1, 50), backend="picky")) == 8
    assert len([record for record in caplog.records if "declined" in record.message]) == 8
    lab.settings.fallback = "warn"
    assert sentences(lab, lambda x: f"not {'y' * x}", 60, backend="picky") == []
    # Of another function or selection there is still something to say.
    assert len(sentences(lab, lambda x: f"not {'y' * x}", 61, backend=["picky", "bare"])) == 1
