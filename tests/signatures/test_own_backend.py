"""Host functions that have a parameter ``backend`` of their own, and what else decoration refuses (4.1)."""

from __future__ import annotations

import asyncio
import functools
import inspect
import typing
import warnings
from typing import Any

import pytest
from labs import adapter, make

from scverse_backends.exceptions import BackendConflictWarning

DOC = """Score.

    Parameters
    ----------
    x
        The data; the backend is chosen below.
    backend : str
        How joblib runs it: the backend.
    """


dispatcher = make("own_lab")
own = dispatcher.backend_dispatch(own_backend="parallel_backend", own_backend_values=("loky", "threading"))


@own
def score(x: int, backend: str = "loky") -> tuple[Any, ...]:
    return "host", x, backend


@own
def keyword_only(x: Any, *, backend: str = "loky") -> tuple[Any, ...]:
    return "host", x, backend


@own
def required(x: Any, backend: str) -> tuple[Any, ...]:
    return "host", x, backend


class Fast:
    name = "fast"

    def score(self, x: Any, *, parallel_backend: str = "theirs") -> Any:
        return "fast", x, parallel_backend


@pytest.fixture
def fast() -> Any:
    dispatcher.register(Fast)
    yield
    dispatcher.unregister("fast")


# -- 4.1: a parameter backend of the host's own -----------------------------------------------------------------------


@pytest.mark.parametrize("function", [score, keyword_only])
def test_callers_write_the_new_name(function: Any) -> None:
    for _ in range(2):
        assert function(0) == ("host", 0, "loky")
        assert function(0, parallel_backend="threading") == ("host", 0, "threading")
        assert function(0, parallel_backend="threading", backend="cpu") == ("host", 0, "threading")


def test_the_parameter_can_still_be_given_by_position() -> None:
    assert score(0, "threading") == ("host", 0, "threading")
    assert score(0, "threading", backend="cpu") == ("host", 0, "threading")


@pytest.mark.parametrize("function", [score, keyword_only])
def test_old_calls_still_reach_it_with_a_future_warning_on_their_line(function: Any) -> None:
    line = inspect.currentframe().f_lineno + 2  # type: ignore[union-attr]  # there is one.
    with pytest.warns(FutureWarning, match="parallel_backend='threading'") as caught:
        assert function(0, backend="threading") == ("host", 0, "threading")
    (warning,) = caught
    assert (warning.filename, warning.lineno) == (__file__, line)
    assert f"{function.__name__}(backend='threading')" in str(warning.message)


def test_both_at_once_is_a_type_error() -> None:
    with pytest.raises(TypeError, match=r"parallel_backend='loky'.*backend='threading'.*parallel_backend= only"):
        score(0, parallel_backend="loky", backend="threading")
    with pytest.raises(TypeError, match=r"parallel_backend='loky'.*backend='threading'.*parallel_backend= only"):
        score(0, "loky", backend="threading")
    with pytest.raises(TypeError, match="takes 1 positional argument but 2"), pytest.warns(FutureWarning):
        keyword_only(0, "loky", backend="threading")
    with pytest.raises(TypeError, match="got multiple values for argument 'parallel_backend'"):
        score(0, "loky", parallel_backend="threading")


def test_pythons_errors_speak_of_the_new_name() -> None:
    with pytest.raises(TypeError, match=r"required\(\) missing 1 required positional argument: 'parallel_backend'"):
        required(0)
    assert required(0, parallel_backend="loky") == ("host", 0, "loky")


def test_a_type_error_from_inside_passes() -> None:
    @own
    def broken(x: Any, backend: str = "loky") -> Any:
        raise TypeError("mine")

    with pytest.raises(TypeError, match=r"^mine$"):
        broken(0, parallel_backend="loky")


def test_backends_know_the_parameter_under_its_new_name(fast: None) -> None:
    for _ in range(3):
        assert score(0, backend="fast") == ("fast", 0, "theirs")
        assert score(0, parallel_backend="loky", backend="fast") == ("fast", 0, "loky")
        assert score(0, "threading", backend="fast") == ("fast", 0, "threading")
        with dispatcher.settings.use_backend("fast"):
            assert score(0, "threading") == ("fast", 0, "threading")
            with pytest.warns(FutureWarning):
                assert score(0, backend="loky") == ("fast", 0, "loky")


def test_any_other_value_selects_a_backend() -> None:
    with pytest.raises(ValueError, match="sequential"):
        score(0, backend="sequential")


def test_signature_and_annotations_show_the_new_name() -> None:
    signature = inspect.signature(score)
    assert list(signature.parameters) == ["x", "parallel_backend", "backend"]
    assert signature.parameters["parallel_backend"].default == "loky"
    assert signature.parameters["backend"].default is None
    hints = typing.get_type_hints(score)
    assert list(hints) == ["x", "parallel_backend", "backend", "return"]
    assert hints["parallel_backend"] is str
    assert hints["backend"] is not str
    assert keyword_only.__kwdefaults__ == {"parallel_backend": "loky", "backend": None}


def test_the_docstring_replaces_the_name_on_the_parameters_own_line_only() -> None:
    def documented(x: Any, backend: str = "loky") -> Any:
        return x

    documented.__doc__ = DOC
    shown = own(documented).__doc__
    assert shown.startswith(DOC.replace("    backend : str", "    parallel_backend : str").rstrip(" "))
    assert "the backend is chosen below" in shown
    assert "How joblib runs it: the backend." in shown
    assert shown.count("\n    backend : ") == 1


def test_coroutines_and_generators_are_still_recognised() -> None:
    @own
    async def later(x: Any, *, backend: str = "loky") -> Any:
        return "host", x, backend

    @own
    def one_by_one(x: Any, *, backend: str = "loky") -> Any:
        yield "host"
        yield backend

    @own
    async def one_by_one_later(x: Any, backend: str = "loky") -> Any:
        yield backend

    assert inspect.iscoroutinefunction(later)
    assert inspect.isgeneratorfunction(one_by_one)
    assert inspect.isasyncgenfunction(one_by_one_later)
    assert asyncio.run(later(0)) == ("host", 0, "loky")
    assert asyncio.run(later(0, parallel_backend="x")) == ("host", 0, "x")
    assert list(one_by_one(0)) == ["host", "loky"]
    with pytest.warns(FutureWarning):
        assert list(one_by_one(0, backend="threading")) == ["host", "threading"]

    async def collect() -> list[Any]:
        return [value async for value in one_by_one_later(0, parallel_backend="y")]

    assert asyncio.run(collect()) == ["y"]


def test_one_value_may_be_given_as_a_string() -> None:
    decorated = make("own_lab").backend_dispatch(own_backend="engine", own_backend_values="loky")(
        lambda x, backend: backend
    )
    with pytest.warns(FutureWarning, match="engine='loky'"):
        assert decorated(0, backend="loky") == "loky"


@pytest.mark.parametrize(
    ("function", "options", "message"),
    [
        (lambda x: x, {"own_backend": "engine"}, "has no parameter 'backend'"),
        (lambda engine, backend: engine, {"own_backend": "engine"}, "has a parameter 'engine' already"),
        (lambda backend: backend, {"own_backend": "backend"}, "has a parameter 'backend' already"),
        (lambda **kwargs: kwargs, {"own_backend": "backend"}, "has a parameter 'backend' already"),
        (lambda backend: backend, {"own_backend": "not a name"}, "cannot be the name of a parameter"),
        (lambda backend: backend, {"own_backend": "class"}, "cannot be the name of a parameter"),
        (lambda x, backend: x, {}, "own_backend='parallel_backend'"),
    ],
)
def test_wrong_uses_of_the_option(function: Any, options: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        make("own_lab").backend_dispatch(**options)(function)


# -- 4.1: what decoration refuses -------------------------------------------------------------------------------------


class Model:
    def fit(self, x: Any) -> Any:
        return x

    @staticmethod
    def load(x: Any) -> Any:
        return x


class Opaque:
    __name__ = "opaque"
    __signature__ = "no signature"

    def __call__(self, x: Any) -> Any:
        return x


def starred(*args: Any) -> Any:
    return args


@functools.wraps(score)
def wrapped(*args: Any, **kwargs: Any) -> Any:
    return args


@functools.wraps(starred)
def wrapped_starred(x: Any) -> Any:
    return x


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (Model, "backend_class"),
        (Model().fit, "method"),
        (Model.fit, "defined in the body of Model"),
        (Model.load, "defined in the body of Model"),
        (staticmethod(Model.load), "method"),
        (classmethod(Model.load), "method"),
        (property(Model.load), "method"),
        ("text".join, "defined in the body of str"),
        (starred, r"takes \*args"),
        (wrapped_starred, r"takes \*args"),
        (wrapped, "backend"),
        (lambda x, backend: x, "a parameter 'backend' of its own"),
        (3, "not callable"),
        (Opaque(), "cannot be inspected"),
        (functools.partial(Model.load, 1), "no __name__"),
    ],
)
def test_refusals(function: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        make("own_lab").backend_dispatch(function)
    with pytest.raises(TypeError, match=message):
        make("own_lab").backend_dispatch()(function)


def test_a_local_variable_is_no_parameter() -> None:
    @make("own_lab").backend_dispatch
    def plain(x: Any, *, y: Any = 2) -> Any:
        backend = "local"
        return x, y, backend

    @make("own_lab").backend_dispatch
    def taking_keywords(x: Any, **kwargs: Any) -> Any:
        backend = kwargs
        return x, backend

    @make("own_lab").backend_dispatch(own_backend="pool", own_backend_values="loky")
    def owning(x: Any, backend: Any = None) -> Any:
        pool = backend
        return x, pool

    @make("own_lab").backend_dispatch(renamed={"rng": "seed"})
    def moved_on(x: Any, rng: Any = None) -> Any:
        backend, seed = "local", rng
        return x, seed, backend

    assert plain(1) == plain(1, backend="cpu") == (1, 2, "local")
    assert taking_keywords(1, z=3) == taking_keywords(1, z=3, backend="cpu") == (1, {"z": 3})
    assert owning(1, pool="loky") == owning(1, pool="loky", backend="cpu") == (1, "loky")
    assert moved_on(1, rng=2) == moved_on(1, rng=2, backend="cpu") == (1, 2, "local")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"own_backend": "pool"}, "has no parameter 'backend': leave own_backend= out"),
        ({"own_backend_values": ["loky"]}, "own_backend_values= needs own_backend="),
        ({"renamed": {"rng": "seed"}}, "has no parameter 'rng'"),
    ],
)
def test_an_option_speaks_of_parameters_and_not_of_variables(options: Any, message: str) -> None:
    def local(x: Any) -> Any:
        backend = rng = x
        return backend, rng

    with pytest.raises(TypeError, match=message):
        make("own_lab").backend_dispatch(**options)(local)


def test_a_function_is_decorated_once() -> None:
    with pytest.raises(TypeError, match="decorated already"):
        dispatcher.backend_dispatch(score)


def test_callables_of_other_kinds_can_be_decorated_with_a_name() -> None:
    lab = make("own_lab")
    decorated = lab.backend_dispatch(name="load")(functools.partial(Model.load, x=1))
    assert decorated() == 1
    assert decorated(backend="cpu") == 1
    assert list(inspect.signature(decorated).parameters) == ["x", "backend"]


def test_a_first_parameter_called_self_is_fine() -> None:
    @make("own_lab").backend_dispatch
    def of(self: Any, cls: Any = 1) -> Any:
        return self, cls

    assert of(0) == (0, 1)
    assert of(0, backend="cpu") == (0, 1)


def test_annotations_that_name_nothing_are_no_reason_to_refuse() -> None:
    @make("own_lab").backend_dispatch
    def lazily(x: Nowhere) -> Nowhere:  # type: ignore[name-defined]  # noqa: F821 - the point of the test.
        return x

    assert lazily(1) == 1
    assert inspect.signature(lazily).parameters["x"].annotation == "Nowhere"


# -- 4.1: two functions that look for one attribute -------------------------------------------------------------------


def test_two_functions_that_look_for_one_attribute_are_reported() -> None:
    lab = make("own_lab")

    def first(x: Any) -> Any:
        return x

    def second(x: Any) -> Any:
        return x

    kept = [lab.backend_dispatch(name="umap")(first)]
    with pytest.warns(BackendConflictWarning, match="both look for 'umap'") as caught:
        kept.append(lab.backend_dispatch(name="umap")(second))
    assert caught[0].filename == __file__
    with pytest.warns(BackendConflictWarning, match="both look for 'umap'") as caught:
        lab.discover()
    assert "first" in str(caught[0].message)
    assert "second" in str(caught[0].message)
    with warnings.catch_warnings():
        lab.discover()
    assert len(kept) == 2


def test_decorating_the_same_function_again_is_not_reported() -> None:
    lab = make("own_lab")

    def reload() -> Any:
        @lab.backend_dispatch
        def score(x: Any) -> Any:
            return x

        return score

    kept = [reload(), reload()]
    lab.discover()
    assert kept[0](1) == kept[1](1)


def test_the_attribute_can_have_another_name() -> None:
    lab = make("own_lab")

    @lab.backend_dispatch(name="pl_umap")
    def umap(x: Any) -> Any:
        return "host", x

    made = type("Adapter", (), {"name": "fast", "pl_umap": staticmethod(lambda x: ("fast", x)), "umap": None})
    lab.register(made)
    assert umap.__name__ == "umap"
    assert umap(0, backend="fast") == ("fast", 0)
    assert list(lab.functions()) == ["pl_umap"]


class Unresolved:
    __name__ = "unresolved"

    @property
    def __signature__(self) -> Any:
        raise NameError("not there yet")

    def __call__(self, x: Any) -> Any:
        return x


def test_a_signature_that_names_what_is_not_there_cannot_be_inspected() -> None:
    with pytest.raises(TypeError, match=r"cannot be inspected .not there yet."):
        make("own_lab").backend_dispatch(Unresolved())


def test_a_function_that_uses_a_name_which_is_bound_later() -> None:
    lab = make("own_lab")

    @lab.backend_dispatch
    def score(x: Any) -> Any:
        return x, later

    later = 1
    assert score(0) == (0, 1)


def test_a_backend_that_the_host_passes_on_in_its_kwargs() -> None:
    # 4.1: joblib's `backend` is a key of **kwargs here, as in functions that hand them on.
    dispatcher = make("kwargs_lab")

    @dispatcher.backend_dispatch(own_backend="parallel_backend", own_backend_values=("loky", "threading"))
    def permute(x: Any, **kwargs: Any) -> Any:
        return x, kwargs

    dispatcher.register(adapter("fast", permute=lambda x, *, n_perms=10: ("fast", n_perms)))
    assert permute(1, n_jobs=2) == (1, {"n_jobs": 2})
    assert permute(1, parallel_backend="threading", n_jobs=2) == (1, {"backend": "threading", "n_jobs": 2})
    with pytest.warns(FutureWarning, match=r"write parallel_backend='loky'"):
        assert permute(1, backend="loky") == (1, {"backend": "loky"})
    with pytest.raises(TypeError, match="got both parallel_backend='threading' and backend='loky'"):
        permute(1, backend="loky", parallel_backend="threading")
    with pytest.warns(UserWarning, match="'parallel_backend' has no effect"):
        assert permute(1, parallel_backend="loky", n_perms=5, backend="fast") == ("fast", 5)
    assert list(inspect.signature(permute).parameters) == ["x", "n_perms", "backend", "kwargs"]
