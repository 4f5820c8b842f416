"""Section 8.3: a dispatcher is left exactly as it was found."""

from __future__ import annotations

import contextvars
import gc
import inspect
import warnings
from types import SimpleNamespace

import pytest

from scverse_backends import BackendDispatcher
from scverse_backends.exceptions import (
    BackendConflictWarning,
    FallbackWarning,
    UnknownBackendError,
    UntrustedBackendWarning,
)
from scverse_backends.testing import check_backend, isolated, temporary_backend


@pytest.fixture
def d():
    return BackendDispatcher(
        entrypoint_group="temp.backends",
        host_name="temp",
        trusted_backends={
            "strict": {
                "aliases": ["st"],
                "package": "strict-dist",
                "entrypoints": ["strict"],
                "module_prefixes": ["strict_module"],
            }
        },
    )


@pytest.fixture
def score(d):
    @d.backend_dispatch
    def score(x, *, option=1):
        """Score.

        Parameters
        ----------
        x
            Data.
        option
            An option.
        """
        return "host"

    return score


def fast_score(x, *, option=1, tile=3):
    """Score.

    Parameters
    ----------
    tile
        Rows at a time.
    """
    return "fast"


def adapter(name="fast", **contents):
    return SimpleNamespace(name=name, score=fast_score, **contents)


def shown(function):
    return str(inspect.signature(function)), function.__doc__, dict(inspect.get_annotations(function))


def test_backend_comes_and_goes_with_all_that_it_merged(d, score):
    before = shown(score)
    with temporary_backend(d, adapter(aliases=["f"])) as name:
        assert name == "fast"
        assert d.available_backend_names() == ["f", "fast"]
        assert "tile" in inspect.signature(score).parameters
        assert "Rows at a time." in score.__doc__
        with pytest.warns(UntrustedBackendWarning):
            assert score(1, backend="f") == "fast"
    assert d.available_backend_names() == []
    assert shown(score) == before
    with pytest.raises(UnknownBackendError):
        score(1, backend="fast")
    assert score(1) == "host"


def test_everything_is_restored_after_an_error_too(d, score):
    before = shown(score)
    with pytest.raises(ZeroDivisionError), temporary_backend(d, adapter()):
        raise ZeroDivisionError
    assert (shown(score), d.available_backend_names()) == (before, [])


def test_a_class_is_instantiated(d, score):
    class Adapter:
        name = "fast"

        def score(self, x, *, option=1):
            return "class"

    with temporary_backend(d, Adapter), warnings.catch_warnings(action="ignore"):
        assert score(1, backend="fast") == "class"


# -- the rules of sections 2 and 3 -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "provider",
    [
        {"distribution": "strict-dist"},
        {"distribution": "Strict.Dist", "name": "strict"},
        {"distribution": "strict-dist", "entry_point": "strict = strict_module.sub:adapter"},
    ],
)
def test_trusted_as_if_that_distribution_provided_it(d, score, provider):
    with temporary_backend(d, adapter("strict"), **provider) as name:  # Without a warning, which would be an error.
        assert score(1, backend="st") == "fast"
        (info,) = d.backends()
        assert (name, info.trusted, info.distribution) == ("strict", True, provider["distribution"])
        assert info.entry_point == provider.get("entry_point")


@pytest.mark.parametrize(
    ("provider", "reason"),
    [
        ({"distribution": "other"}, "reserved for the trusted backend 'strict', and it comes from .* 'other'"),
        ({"distribution": "strict-dist", "name": "other"}, "its entry point is 'other' and not 'strict'"),
        ({"distribution": "strict-dist", "entry_point": "strict = evil"}, "its module 'evil' is not within"),
        (
            {"distribution": "strict-dist", "entry_point": "x = strict_module"},
            "reserved for the trusted backend 'strict', and its entry point is 'x' and not 'strict'",
        ),
    ],
)
def test_refused_as_the_installed_one_would_be(d, provider, reason):
    with pytest.raises(ValueError, match=reason), temporary_backend(d, adapter("strict"), **provider):
        raise AssertionError
    assert d.available_backend_names() == []


class Silent:
    """Bears its name only when it is made."""

    def __init__(self):
        self.name = "strict"


@pytest.mark.parametrize("given", [adapter("strict"), adapter("st"), type("Adapter", (), {"name": "strict"})])
@pytest.mark.parametrize("options", [{}, {"name": "other"}, {"entry_point": "strict = strict_module"}])
def test_a_trusted_name_asks_for_the_distribution(d, given, options):  # 8.3
    message = (
        r"temp trusts another provider with the name 'strict'\. "
        r"To stand in for it, pass distribution='strict-dist'; else give the adapter another name\.$"
    )
    with pytest.raises(ValueError, match=message), temporary_backend(d, given, **options):
        raise AssertionError
    with temporary_backend(d, given, distribution="strict-dist") as name:
        assert name == "strict"


def test_a_trusted_name_that_the_entry_point_would_bear(d):
    with pytest.raises(ValueError, match="pass distribution='strict-dist'"), temporary_backend(d, adapter(), name="st"):
        raise AssertionError


def test_a_trusted_name_that_shows_too_late_is_refused_all_the_same(d):
    message = "its name 'strict' is reserved for the trusted backend 'strict'"
    with pytest.raises(ValueError, match=message), temporary_backend(d, Silent):
        raise AssertionError


@pytest.mark.parametrize(
    ("checks", "wanted"),
    [
        ({"entrypoints": ["main"]}, {"distribution": "a-name", "entry_point": "main = module"}),
        ({"module_prefixes": ["pre"]}, {"distribution": "a-name", "entry_point": "fast = pre"}),
        ({"object_refs": ["pre.a:b"], "module_prefixes": ["pre"]}, {"entry_point": "fast = pre.a:b"}),
        ({}, {"distribution": "a-name"}),
    ],
)
def test_what_is_to_be_passed_can_be_passed(checks, wanted):
    dispatcher = BackendDispatcher(
        entrypoint_group="stand_in.backends", host_name="stand_in", trusted_backends={"fast": checks}
    )
    with pytest.raises(ValueError, match="To stand in for it, pass") as caught:
        temporary_backend(dispatcher, adapter("fast")).__enter__()
    assert all(f"{option}={value!r}" in str(caught.value) for option, value in wanted.items())
    with temporary_backend(dispatcher, adapter("fast"), **{"distribution": "a-name", **wanted}) as name:
        assert name == "fast"
        assert dispatcher.backends()[0].trusted == bool(checks)


def test_where_the_real_package_is_installed_the_adapter_stands_in_its_place(d, score, monkeypatch):  # 8.3
    real = SimpleNamespace(
        name="strict",
        value="strict_module",
        group="temp.backends",
        dist=SimpleNamespace(name="Strict.Dist", version="1"),
        load=lambda: SimpleNamespace(name="strict", score=lambda x, *, option=1: "real"),
    )
    also_real = SimpleNamespace(**{**vars(real), "name": "more", "load": lambda: SimpleNamespace(name="more")})
    other = SimpleNamespace(name="other", value="m", group="temp.backends", dist=None, load=lambda: adapter("other"))
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: [real, also_real, other])
    for _ in range(2):
        assert score(1, backend="strict") == "real"
        with temporary_backend(d, adapter("strict"), distribution="strict-dist"):
            assert score(1, backend="strict") == "fast"
            # The pretended distribution provides this adapter and nothing else; others stay.
            assert d.settings.available_backends() == ["other", "strict"]
            with pytest.raises(UnknownBackendError):
                d.settings.backend = "more"  # Reads the installed metadata once more.
    assert d.settings.available_backends() == ["more", "other", "strict"]
    # Without the distribution it is another product, and the name is taken.
    with pytest.raises(ValueError, match="bears the name 'other' already"), temporary_backend(d, adapter("other")):
        raise AssertionError


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"entry_point": "no equals sign"}, "not of the form 'name = module:object'"),
        ({"entry_point": "fast ="}, "not of the form"),
        ({"entry_point": "fast = m", "name": "slow"}, "contradicts"),
        ({"name": "not a label"}, "contains ' '"),
        ({"entry_point": " = m"}, "is empty"),
    ],
)
def test_malformed_entry_points(d, options, message):
    with pytest.raises(ValueError, match=message), temporary_backend(d, adapter(), **options):
        raise AssertionError


def test_name_and_entry_point_may_agree(d):
    with temporary_backend(d, adapter(), entry_point="fast = m:a", name="fast") as name:
        assert name == "fast"
        assert d.backends()[0].entry_point == "fast = m:a"


# -- isolated ----------------------------------------------------------------------------------------------------------


def test_settings_of_the_process_are_restored(d, score):
    d.register(adapter())
    with isolated(d), warnings.catch_warnings(action="ignore"):
        d.settings.backend = "fast"
        d.settings.fallback = "raise"
        assert score(1) == "fast"
    assert (d.settings.backend, d.settings.fallback) == ("cpu", "explicit")
    assert score(1) == "host"
    assert repr(d.settings) == "<settings of temp: backend='cpu' (default), fallback='explicit'>"


def test_what_was_selected_before_stays_selected(d, score):
    d.register(adapter())
    with warnings.catch_warnings(action="ignore"):
        d.settings.backend = "fast"
    d.settings.fallback = "warn"
    with isolated(d):
        del d.settings.backend
        del d.settings.fallback
        assert score(1) == "host"
    assert (d.settings.backend, d.settings.fallback, score(1)) == ("fast", "warn", "fast")


def test_scopes_that_were_left_open_are_closed(d):
    with isolated(d):
        d.settings.use_backend("cpu", fallback="raise").__enter__()
        assert d.settings.fallback == "raise"
    assert d.settings.fallback == "explicit"


def test_scopes_around_stay_open(d):
    with d.settings.use_backend(None, fallback="silent"):
        with isolated(d):
            d.settings.fallback = "warn"
        assert d.settings.fallback == "silent"
    assert d.settings.fallback == "explicit"


def test_left_in_another_context(d):
    block = isolated(d)
    contextvars.copy_context().run(block.__enter__)
    d.settings.fallback = "raise"
    block.__exit__(None, None, None)
    assert d.settings.fallback == "explicit"


def test_the_environment_is_read_anew_afterwards(d, score, monkeypatch):
    with isolated(d):
        monkeypatch.setenv("TEMP_BACKEND", "cpu")
        assert score(1) == "host"
        assert "(environment)" in repr(d.settings)
        monkeypatch.delenv("TEMP_BACKEND")
    assert "(default)" in repr(d.settings)
    monkeypatch.setenv("TEMP_BACKEND", "nonsense")
    with isolated(d):
        pass
    assert "(default)" in repr(d.settings)  # It was read before.


def test_idle_calls_do_not_outlive_what_made_them_idle(score, d, monkeypatch):
    with isolated(d):
        assert score(1) == "host"
    monkeypatch.setenv("TEMP_BACKEND", "nonsense")
    with pytest.raises(UnknownBackendError, match="TEMP_BACKEND"):
        score(1)


def test_warnings_are_given_again(d, score):
    for _ in range(2):
        with temporary_backend(d, SimpleNamespace(name="fast")):
            with pytest.warns(UntrustedBackendWarning), pytest.warns(FallbackWarning):
                score(1, backend="fast")
            score(1, backend="fast")  # Once.


def test_registered_backends_are_restored(d, score):
    d.register(adapter())
    with isolated(d):
        d.unregister("fast")
        d.register(adapter("other"))
        assert d.settings.available_backends() == ["other"]
    assert d.settings.available_backends() == ["fast"]
    assert "tile" in inspect.signature(score).parameters


def test_lazily_merged_options_are_taken_out_again(d, score):
    class Lazy:
        name = "lazy"

        @property
        def score(self):
            return fast_score

    d.register(Lazy())
    before = shown(score)
    with isolated(d), warnings.catch_warnings(action="ignore"):
        d.discover()
        assert "tile" in inspect.signature(score).parameters
    assert shown(score) == before


def test_installed_backends_are_forgotten_again(d, score, monkeypatch):
    loads = []

    class Point:
        name, value, dist = "fast", "m:a", None

        def load(self):
            loads.append(1)
            return adapter()

    points = [Point()]
    before = shown(score)

    def listing(**_):
        return points

    with isolated(d):
        monkeypatch.setattr("importlib.metadata.entry_points", listing)
        assert d.settings.available_backends() == ["fast"]
        monkeypatch.undo()
    assert shown(score) == before
    assert d.settings.available_backends() == []
    assert loads == [1]


def test_functions_decorated_inside_work_but_are_no_longer_listed(d, score):
    with isolated(d):

        @d.backend_dispatch
        def late(x):
            return x

        def other(x, *, option=1):
            return "other"

        with pytest.warns(BackendConflictWarning, match="both look for 'score'"):
            score_for_a_while = d.backend_dispatch(name="score")(other)

        assert d.functions() == {"late": late, "score": score_for_a_while}
        d.settings.backend = "cpu"
    assert d.functions() == {"score": score}
    assert late(3, backend="cpu") == 3
    d.discover()  # Nothing is ambiguous any more, which a warning would say.
    with temporary_backend(d, SimpleNamespace(name="fast", late=lambda x: "fast")), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert late(3, backend="fast") == "fast"
        assert d.backends()[0].functions == ()
        assert [problem.function for problem in check_backend(d, "fast")] == [None]
        assert d.settings.explain(late, "fast").executes == "fast"
    with pytest.raises(UnknownBackendError):  # It is told of backends that go.
        late(3, backend="fast")


def test_what_was_decorated_inside_can_be_forgotten(d, score):
    with isolated(d):
        late = d.backend_dispatch(lambda x: x)
    del late
    gc.collect()
    assert d.functions() == {"score": score}
    for _ in range(200):  # What is thrown away many at a time.
        d.backend_dispatch(lambda x: x)
    gc.collect()
    kept = d._machinery.records
    d.backend_dispatch(lambda x: x)
    assert list(kept._unlisted) == []
    assert len(kept._refs) < 150


@pytest.mark.parametrize("block", [isolated, lambda given: temporary_backend(given, adapter())])
def test_what_is_no_dispatcher(block, d):
    for wrong in (3, d.settings):
        message = f"dispatcher must be the host's BackendDispatcher, not {type(wrong).__name__}"
        with pytest.raises(TypeError, match=message), block(wrong):
            raise AssertionError


@pytest.mark.parametrize("option", ["name", "distribution", "entry_point"])
def test_what_is_no_text(option, d):
    with (
        pytest.raises(TypeError, match=f"{option} must be a string, not int"),
        temporary_backend(d, adapter(), **{option: 3}),
    ):
        raise AssertionError
    assert d.available_backend_names() == []


def test_an_empty_distribution(d):
    with pytest.raises(ValueError, match="distribution must be"), temporary_backend(d, adapter(), distribution=" "):
        raise AssertionError


def test_nested(d, score):
    with temporary_backend(d, adapter("one")):
        with temporary_backend(d, adapter("two")):
            assert d.settings.available_backends() == ["one", "two"]
        assert d.settings.available_backends() == ["one"]
        assert "tile (one)" in score.__doc__
    assert d.settings.available_backends() == []


@pytest.fixture
def fast(d):
    with temporary_backend(d, adapter()) as name:
        yield name


def test_as_a_fixture(fast, d):
    assert (fast, d.settings.available_backends()) == ("fast", ["fast"])
