"""What adversaries and strangers found with nothing but the specification and the wheel in hand."""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import inspect
import pickle
import sys
import threading
import types
from typing import Any

import pytest
from labs import adapter, define, make

from scverse_backends.exceptions import (
    BackendContractError,
    BackendError,
    BackendLoadError,
    BackendLoadWarning,
    DroppedArgumentWarning,
    FallbackWarning,
    FunctionNotImplementedError,
    UnknownBackendError,
    UntrustedBackendWarning,
)
from scverse_backends.testing import check_backend, isolated, temporary_backend

HOST = "second_look"


def message(call: Any, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(TypeError) as info:
        call(*args, **kwargs)
    assert type(info.value) is TypeError
    assert pickle.loads(pickle.dumps(info.value)).args == info.value.args
    return str(info.value)


# -- calls -------------------------------------------------------------------------------------------------------------


def wrapped(function: Any) -> Any:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return "ran", args, kwargs

    return wrapper


class Claiming:
    __signature__ = inspect.signature(lambda x, n=1: 0)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return "ran", args, kwargs


@pytest.mark.parametrize("implementation", [wrapped(lambda x, n=1: 0), Claiming(), functools.partial(Claiming())])
@pytest.mark.parametrize("how", ["argument", "setting"])
def test_who_only_shows_a_signature_never_gets_a_wrong_call(implementation: Any, how: str) -> None:  # 4.2
    def score(x: Any, n: int = 1) -> None: ...

    dispatcher = make(HOST)
    dispatched = dispatcher.backend_dispatch(score)
    dispatcher.register(adapter(score=implementation))
    options = {"backend": "fast"} if how == "argument" else {}
    if how == "setting":
        dispatcher.settings.backend = "fast"
    for _ in range(2):  # The second call takes the short way.
        assert dispatched(1, **options) == ("ran", (1,), {})
        assert dispatched(n=2, x=1, **options)[0] == "ran"
        for args, kwargs in [((), {}), ((), {"n": 2}), ((1,), {"x": 1}), ((1, 2, 3), {}), ((1,), {"y": 1})]:
            assert message(dispatched, *args, **kwargs, **options) == message(score, *args, **kwargs)


def test_an_old_name_is_no_option_of_who_knows_both() -> None:  # 4.2, 4.13
    dispatcher = make(HOST)

    @dispatcher.backend_dispatch(renamed={"rng": "random_state"})
    def score(x: Any, *, rng: Any = None) -> None: ...

    dispatcher.register(adapter(score=lambda x, *, random_state=0, rng=1: (x, random_state, rng)))
    assert score(1, rng=5, backend="fast") == (1, 0, 5)
    assert "random_state" in message(score, 1, random_state=4, backend="fast")


@pytest.mark.parametrize("args", [(), (1, 2, 3)])
def test_constructors_are_called_wrongly_in_the_same_words_everywhere(args: tuple[int, ...]) -> None:  # 4.2, 6
    class Model:
        def __init__(self, a: Any, b: int = 1) -> None: ...

    class Made:
        def __new__(cls, a: Any, /, b: int = 1) -> Any: ...

    dispatcher = make(HOST)
    fast = type("Fast", (), {"__init__": lambda self, a, b=1: None})
    dispatcher.register(adapter(Model=fast, Made=fast))
    for plain in (Model, Made):
        expected = message(plain, *args)
        decorated: Any = dispatcher.backend_class(plain)
        assert message(decorated, *args, backend="fast") == message(decorated, *args) == expected
    assert "unexpected keyword argument 'c'" in message(decorated, 1, c=2, backend="fast")


def test_a_constructor_written_in_c_has_its_own_words() -> None:
    dispatcher = make(HOST)
    decorated: Any = dispatcher.backend_class(type("Empty", (), {}))
    dispatcher.register(adapter(Empty=type("Fast", (), {})))
    assert "Empty" in message(decorated, 1, backend="fast")


@pytest.mark.parametrize("name", ["", 3])
def test_a_name_for_backends_is_a_name(name: Any) -> None:
    with pytest.raises(TypeError, match=f"name={name!r}"):
        make(HOST).backend_dispatch(name=name)(lambda x: 0)


def test_a_misspelt_option_is_recognised() -> None:  # 4.9
    dispatcher = make(HOST)
    embed: Any = dispatcher.backend_dispatch(define("def embed(data): ..."))
    dispatcher.register(adapter(embed=lambda data, *, precision=1: 0))
    dispatcher.discover()
    assert message(embed, 1, precison=2, backend="fast").endswith(
        "Did you mean 'precision', an option of backend 'fast'?"
    )


@pytest.mark.parametrize("discovered", [False, True])
def test_a_misspelt_backend_is_recognised(discovered: bool) -> None:  # 4.9, 9
    dispatcher = make(HOST)
    embed: Any = dispatcher.backend_dispatch(define("def embed(data, *, background=None): ..."))
    if discovered:
        dispatcher.register(adapter(embed=lambda data, *, precision=1: 0))
    assert "Did you mean 'backend', which chooses who runs the call?" in message(embed, 1, bakend="fast")
    assert "'backend'" not in message(embed, 1, backgroun=1)
    assert message(embed, 1, nothing_like_it=1).endswith("'nothing_like_it'")


def test_an_implementation_that_was_replaced_is_not_said_to_know_the_option() -> None:  # 4.9, 4.11
    dispatcher = make(HOST)
    embed: Any = dispatcher.backend_dispatch(define("def embed(data): ..."))
    fast = adapter(embed=lambda data, *, precision=1: 0)
    dispatcher.register(fast)
    assert embed(1, precision=2, backend="fast") == 0
    fast.embed = lambda data: 1
    assert message(embed, 1, precision=2, backend="fast").endswith("unexpected keyword argument 'precision'")


def test_an_old_name_that_was_given_beside_the_new_is_said_to_be_taken() -> None:  # 4.13
    dispatcher = make(HOST)
    embed: Any = dispatcher.backend_dispatch(renamed={"rng": "seed"})(define("def embed(x, *, rng=None, **kw): ..."))
    dispatcher.register(adapter(embed=lambda x, *, seed=None: seed))
    with pytest.warns(DroppedArgumentWarning, match="'seed' has no effect .* got the value of 'rng' in its place"):
        assert embed(1, rng=4, seed=3, backend="fast") == 4


def test_what_a_call_can_only_give_by_position_is_not_known_by_name() -> None:  # 4.2
    dispatcher = make(HOST)
    embed: Any = dispatcher.backend_dispatch(define("def embed(x, /, **kw): ..."))
    dispatcher.register(adapter(embed=define("def f(x, q=3, /): return x, q")))
    with pytest.warns(DroppedArgumentWarning, match="'q' has no effect .* which does not know it"):
        assert embed(1, q=7, backend="fast") == (1, 3)
    # The host's own parameter of that name has its value already.
    with pytest.warns(DroppedArgumentWarning, match="'x' has no effect .* got the value of 'x' in its place"):
        assert embed(1, x=7, backend="fast") == (1, 3)


@pytest.mark.parametrize("decorated", [True, False])
def test_a_backend_that_copies_the_hosts_docstring_shows_its_own_options(decorated: bool) -> None:  # 4.2, 5.1
    dispatcher = make(HOST)

    def embed(x: Any, *, n: int = 2) -> Any:
        return "host", n

    host: Any = dispatcher.backend_dispatch(embed)
    source = host if decorated else embed

    @functools.wraps(source)
    def theirs(x: Any, *, n: int = 3, device: str = "cuda") -> Any:
        return n, device

    @functools.wraps(source)
    def passing(x: Any, *, stream: int = 0, **kwargs: Any) -> Any:
        return stream, kwargs

    @functools.wraps(source)
    def all_passing(*args: Any, stream: int = 0, **kwargs: Any) -> Any:
        return args, stream, kwargs

    for name, implementation in {"exact": theirs, "passing": passing, "all": all_passing}.items():
        dispatcher.register(adapter(name, embed=implementation))
    # What passes everything on to the host's own decorated function stands for the host.
    assert {"device"} | ({"stream"} if not decorated else set()) <= inspect.signature(host).parameters.keys()
    messages = [problem.message for problem in check_backend(dispatcher, "exact")]
    assert not any("hands back" in text for text in messages)
    assert any("default is 3 here and 2 in the host" in text for text in messages)
    assert host(1, device="cpu", backend="exact") == (3, "cpu")
    assert host(1, n=5, stream=2, backend="passing") == (2, {"n": 5})
    assert host(1, n=5, stream=2, backend="all") == ((1,), 2, {"n": 5})
    with pytest.raises(TypeError, match="unexpected keyword argument 'stream'"):
        host(1, stream=2, backend="exact")


def test_the_trust_warning_passes_over_decorators_in_other_files() -> None:  # 4.5
    namespace: dict[str, Any] = {}
    source = (
        "import functools\ndef outer(f):\n    @functools.wraps(f)\n    def g(*a, **k):\n        return f(*a, **k)\n"
    )
    exec(compile(f"{source}    return g\n", "decorators.py", "exec"), namespace)
    dispatcher = make(HOST, untrusted="warn")
    module = types.ModuleType("second_look_functions")
    embed: Any = namespace["outer"](dispatcher.backend_dispatch(define("def embed(data): ...")))
    module.embed = embed  # type: ignore[attr-defined]  # modules take any attribute.
    embed.__wrapped__.__module__ = module.__name__
    embed.__wrapped__.__qualname__ = "embed"
    dispatcher.register(adapter(embed=lambda data: data))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(__import__("sys").modules, module.__name__, module)
        with pytest.warns(UntrustedBackendWarning) as caught:
            assert embed(1, backend="fast") == 1
    assert [warning.filename for warning in caught] == [__file__]


def test_a_fallback_names_the_distribution() -> None:  # 9
    dispatcher = make(HOST)
    embed: Any = dispatcher.backend_dispatch(define("def embed(data): ..."))
    with temporary_backend(dispatcher, adapter(), distribution="fast-package"):
        with pytest.warns(FallbackWarning) as caught:
            embed(1, backend="fast")
        warning: Any = caught[0].message
        assert warning.distribution == "fast-package"
        dispatcher.settings.fallback = "raise"
        with pytest.raises(FunctionNotImplementedError) as info:
            embed(1, backend="fast")
        assert info.value.distribution == "fast-package"


def test_a_trace_says_what_a_wrong_environment_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:  # 7.3
    monkeypatch.setenv("SECOND_LOOK_BACKEND", "nonsense")
    dispatcher = make(HOST)
    embed: Any = dispatcher.backend_dispatch(define("def embed(data): ..."))
    with dispatcher.settings.trace() as calls, pytest.raises(UnknownBackendError):
        embed(1)
    assert calls[0].requested == "nonsense"


# -- names -------------------------------------------------------------------------------------------------------------


def test_the_name_of_a_distribution_leads_to_its_backend() -> None:  # 9
    dispatcher = make(HOST)
    with temporary_backend(dispatcher, adapter("quick"), distribution="Example_Fast"):
        with pytest.raises(UnknownBackendError, match="Did you mean 'quick'") as info:
            dispatcher.settings.backend = "example-fast"
        assert info.value.suggestions == ("quick",)


def test_several_names_in_one_string_are_told_how_to_be_written() -> None:
    with pytest.raises(UnknownBackendError, match=r"Several names are a list, backend=\['a', 'b'\]"):
        make(HOST).settings.backend = "fast,jax"


def test_a_function_is_explained_and_not_its_name() -> None:
    dispatcher = make(HOST)
    dispatcher.backend_dispatch(define("def embed(data): ..."))
    explain: Any = dispatcher.settings.explain
    with pytest.raises(TypeError, match="the name of a function: give the function itself"):
        explain("embed")


def test_methods_of_the_settings_cannot_be_assigned() -> None:  # 1.6
    with pytest.raises(AttributeError, match=r"settings\.trace cannot be assigned"):
        make(HOST).settings.trace = 1  # type: ignore[method-assign, assignment]  # what is tested.


def test_who_is_taken_out_is_who_bears_the_name() -> None:  # 2.10
    dispatcher = make(HOST)
    dispatcher.register(adapter("jax", aliases=["xla", "gx"]))
    dispatcher.register(adapter("xla"))
    dispatcher.unregister("xla")
    assert dispatcher.available_backend_names() == ["gx", "jax", "xla"]
    dispatcher.unregister("gx")
    assert dispatcher.available_backend_names() == []


@pytest.mark.parametrize("first", [0, 1])
def test_registering_does_not_depend_on_the_order(first: int) -> None:  # 2.5, 2.10
    dispatcher = make(HOST)
    steps = [lambda: dispatcher.register(adapter("a"), name="b"), lambda: dispatcher.register(adapter("b"))]
    assert {steps[first](), steps[1 - first]()} == {"a", "b"}


@pytest.mark.parametrize("given", ["notanadapter", None, {}])
def test_what_is_no_adapter_is_told_what_one_has(given: Any) -> None:
    with pytest.raises(ValueError, match="the adapter has no attribute 'name'"):
        make(HOST).register(given)


def test_an_attribute_error_of_the_name_itself_is_shown() -> None:
    class Broken:
        @property
        def name(self) -> str:
            return self.missing  # type: ignore[attr-defined, no-any-return]  # what is tested.

    with pytest.raises(ValueError, match="'missing'"):
        make(HOST).register(Broken())


def test_a_retry_that_another_thread_won_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:  # 2.8, 2.9
    dispatcher = make(HOST)
    dispatcher.register(adapter())
    registry: Any = dispatcher._machinery.registry
    (entry,) = registry.known_entries()
    found = iter([entry, entry.outcome])
    monkeypatch.setattr(registry, "find", lambda label, retry: next(found))
    assert dispatcher.get_backend("fast") is entry.outcome.adapter


# -- tests of hosts and backends ---------------------------------------------------------------------------------------


def test_blocks_that_overlap_lose_nothing_and_leave_nothing() -> None:  # 8.3
    dispatcher = make(HOST)
    first, second = temporary_backend(dispatcher, adapter("a")), temporary_backend(dispatcher, adapter("b"))
    first.__enter__()
    thread = threading.Thread(target=second.__enter__)
    thread.start()
    thread.join()
    first.__exit__(None, None, None)
    assert "b" in dispatcher.available_backend_names()
    second.__exit__(None, None, None)
    assert dispatcher.available_backend_names() == []
    with isolated(dispatcher):
        dispatcher.register(adapter("c"))
    assert dispatcher.available_backend_names() == []


@pytest.mark.parametrize(
    ("can_run", "text"),
    [
        (lambda data: True, "lacks 'n'"),
        (lambda: True, "lacks 'data', 'n'"),
        (lambda data, n, extra: True, "requires 'extra'"),
        # What callers give by position arrives by position.
        (lambda **kwargs: True, "By position it takes nothing, and the implementation data, n."),
        (lambda data, *, n=2: True, "By position it takes data, and the implementation data, n."),
        (dict, None),
    ],
)
def test_can_run_takes_what_the_implementation_takes(can_run: Any, text: str | None) -> None:  # 8.2
    dispatcher = make(HOST)
    host = dispatcher.backend_dispatch(name="pca")(lambda data, n=2: None)

    def pca(data: Any, n: int = 2) -> None: ...

    pca.can_run = can_run  # type: ignore[attr-defined]  # functions take any attribute.
    dispatcher.register(adapter(pca=pca))
    found = [problem.message for problem in check_backend(dispatcher, "fast") if problem.parameter == "can_run"]
    assert [text in message for message in found] == ([True] if text else [])
    assert list(dispatcher.functions().values()) == [host]


def test_who_answers_to_every_name_has_no_can_run() -> None:  # 4.12, 8.2
    class Obliging:
        def __call__(self, data: Any) -> Any:
            return data

        def __getattr__(self, name: str) -> Any:
            return lambda: True

    dispatcher = make(HOST)
    host = dispatcher.backend_dispatch(name="pca")(lambda data: None)
    dispatcher.register(adapter(pca=Obliging()))
    assert not [problem for problem in check_backend(dispatcher, "fast") if problem.parameter == "can_run"]
    assert host(3, backend="fast") == 3


def test_what_is_positional_only_may_go_to_the_rest() -> None:  # 8.2
    dispatcher = make(HOST)
    host = dispatcher.backend_dispatch(name="pca")(lambda data, /: None)

    def pca(data: Any, /) -> None: ...

    pca.can_run = lambda *args: True  # type: ignore[attr-defined]  # as above.
    dispatcher.register(adapter(pca=pca))
    assert not [problem for problem in check_backend(dispatcher, "fast") if problem.parameter == "can_run"]
    assert host((1,)) is None


def test_an_adapter_that_bears_another_name_than_the_trusted_one_is_told() -> None:  # 8.2
    dispatcher = make(HOST, trusted_backends={"fast": {"package": "fast-package"}})
    with temporary_backend(dispatcher, adapter("faster"), name="fast", distribution="fast-package"):
        (problem,) = [one for one in check_backend(dispatcher, "faster") if one.severity == "error"]
    assert problem.message == "The host trusts it to provide 'fast', and the adapter calls itself 'faster'."
    assert problem.advice == "Set name = 'fast'."


@pytest.mark.parametrize("package", ["pytest", "no-such-package"])
def test_what_is_installed_and_not_found_is_a_problem_of_its_own(package: str) -> None:  # 8.2
    dispatcher = make(HOST, trusted_backends={"fast": {"package": package}})
    if package == "pytest":
        (problem,) = check_backend(dispatcher, "fast")
        assert (problem.severity, "does not provide it" in problem.message) == ("error", True)
        assert "the names that the host configured" in problem.advice
    else:
        with pytest.raises(BackendError, match="not installed"):
            check_backend(dispatcher, "fast")


def test_who_fails_is_no_less_trusted() -> None:  # 7.1
    dispatcher = make(HOST, trusted_backends={"fast": {"package": "fast-package", "aliases": ["quick"]}})

    class Failing:
        name = "fast"

        def __init__(self) -> None:
            raise OSError("no device")

    with isolated(dispatcher):
        entry = failing_entry(dispatcher, Failing)
        (info,) = [one for one in dispatcher.backends() if one.state == "failed"]
        assert (info.trusted, info.reason, info.aliases) == (True, None, ("quick",))
        assert isinstance(entry.outcome.error, OSError)
        with pytest.raises(BackendLoadError, match="no device"):
            dispatcher.settings.backend = "quick"


def failing_entry(dispatcher: Any, cls: type) -> Any:
    """Return the entry of an adapter that fails, as if its distribution were installed."""
    from scverse_backends._discovery.entry_points import RegisteredRecord

    registry = dispatcher._machinery.registry
    entry = registry.read(RegisteredRecord("fast", cls, distribution="fast-package"))
    registry.add(entry)
    return entry


# -- what is asked on the way to an implementation ---------------------------------------------------------------------


@pytest.mark.parametrize("how", ["argument", "scope", "process", "order"])
def test_can_run_and_converters_see_the_selection_of_the_call(how: str) -> None:  # 1.10, 4.12, 4.13
    dispatcher = make(HOST)
    settings = dispatcher.settings
    seen: list[Any] = []

    def convert(value: Any) -> Any:
        seen.append((size(value), settings.backend))
        return value

    @dispatcher.backend_dispatch
    def size(x: Any) -> str:
        return "cpu"

    @dispatcher.backend_dispatch(renamed={"rng": ("random_state", convert)})
    def score(x: Any, rng: Any = None) -> Any: ...

    def theirs(x: Any, random_state: Any = None) -> str:
        return "ran"

    def can_run(x: Any, random_state: Any = None) -> bool:
        seen.append((size(x), settings.backend))
        return True

    theirs.can_run = can_run  # type: ignore[attr-defined]  # functions take any attribute.
    dispatcher.register(adapter(score=theirs, size=lambda x: "fast"))
    shown: Any = "fast"
    for _ in range(2):
        if how == "argument":
            assert score(1, rng=2, backend="fast") == "ran"
        elif how == "order":
            shown = ("fast", "cpu")
            assert score(1, rng=2, backend=["fast", "cpu"]) == "ran"
        elif how == "scope":
            with settings.use_backend("fast"):
                assert score(1, rng=2) == "ran"
        else:
            settings.backend = "fast"
            assert score(1, rng=2) == "ran"
    assert seen == [("fast", shown)] * 4


def test_a_can_run_that_calls_its_own_function_gets_the_host(recwarn: Any) -> None:  # 4.8, 4.12
    dispatcher = make(HOST)

    @dispatcher.backend_dispatch
    def score(x: Any) -> str:
        return "cpu"

    def theirs(x: Any) -> str:
        return "fast"

    theirs.can_run = lambda x: score(x) == "cpu"  # type: ignore[attr-defined]  # functions take any attribute.
    dispatcher.register(adapter(score=theirs))
    assert score(1, backend="fast") == "fast"
    with dispatcher.settings.use_backend("fast"):
        assert score(1) == "fast"
    assert not recwarn


@pytest.mark.parametrize("raised", [SystemExit, GeneratorExit, RecursionError, KeyboardInterrupt])
def test_whatever_can_run_raises_is_a_broken_contract_interrupts_apart(raised: type[BaseException]) -> None:  # 4.12
    dispatcher = make(HOST)

    @dispatcher.backend_dispatch
    def score(x: Any) -> None: ...

    def theirs(x: Any) -> None: ...

    def can_run(x: Any) -> None:
        raise raised

    theirs.can_run = can_run  # type: ignore[attr-defined]  # functions take any attribute.
    dispatcher.register(adapter(score=theirs))
    if raised is KeyboardInterrupt:
        with pytest.raises(KeyboardInterrupt):
            score(1, backend="fast")
    else:
        with pytest.raises(BackendContractError, match=f"raised {raised.__name__}") as info:
            score(1, backend="fast")
        assert isinstance(info.value.__cause__, raised)


# -- what is selected and gone -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["process", "scope", "environment"])
@pytest.mark.parametrize("order", [False, True])
def test_a_selection_does_not_go_over_to_who_takes_the_name_as_an_alias(
    how: str, order: bool, monkeypatch: Any
) -> None:  # 1.2, 1.5, 2.10
    if how == "environment":
        monkeypatch.setenv("SECOND_LOOK_BACKEND", "old,cpu" if order else "old")
    dispatcher = make(HOST)
    settings = dispatcher.settings
    selected: Any = ["old", "cpu"] if order else "old"

    @dispatcher.backend_dispatch
    def score(x: Any) -> str:
        return "cpu"

    dispatcher.register(adapter("old", score=lambda x: "old"))
    if how == "process":
        settings.backend = selected
    with settings.use_backend(selected) if how == "scope" else contextlib.nullcontext():
        assert score(1) == "old"
        dispatcher.unregister("old")
        dispatcher.register(adapter("new", aliases=["old"], score=lambda x: "new"))
        with pytest.raises(UnknownBackendError, match=r"'old' that was selected .* another name of 'new' now") as info:
            score(1)
        ways_out = {"process": "del settings.backend", "environment": "SECOND_LOOK_BACKEND selects it"}
        assert [key for key, text in ways_out.items() if text in str(info.value)] == [how] * (how in ways_out)
        assert settings.explain(score).executes is None
        assert score(1, backend=selected) == "new"
        settings.backend = selected
        assert settings.backend == (("new", "cpu") if order else "new")
        assert score(1) == "new"


def test_the_trace_of_a_call_under_a_wrong_environment_says_where_it_came_from(monkeypatch: Any) -> None:  # 7.3
    monkeypatch.setenv("SECOND_LOOK_BACKEND", "nope")
    dispatcher = make(HOST)

    @dispatcher.backend_dispatch
    def score(x: Any) -> None: ...

    with dispatcher.settings.trace() as calls, pytest.raises(UnknownBackendError):
        score(1)
    assert [(call.requested, call.source, call.executed) for call in calls] == [("nope", "environment", None)]


class Hiccup:
    """A finder of somebody else's that cannot list."""

    def find_spec(self, *_: Any) -> None: ...

    def find_distributions(self, _: Any) -> Any:
        raise OSError("stale handle")


def install(path: Any, name: str, *, module: str, result: str) -> None:
    """Write what an installer writes for a backend of one function, where the path leads."""
    folder = path / f"d_{name}-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: d-{name}\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text(f"[{HOST}.backends]\n{name} = {module}\n")
    (path / f"{module}.py").write_text(f"name = {name!r}\ndef score(x): return {result!r}\n")


# -- listings that break off -------------------------------------------------------------------------------------------


def test_a_listing_that_breaks_off_takes_away_no_backend(tmp_path: Any, monkeypatch: Any) -> None:  # 2.6, 2.7
    install(tmp_path, "fast", module="second_look_fast", result="fast")
    monkeypatch.syspath_prepend(str(tmp_path))
    dispatcher = make(HOST)

    @dispatcher.backend_dispatch
    def score(x: Any) -> str:
        return "cpu"

    assert score(1, backend="fast") == "fast"

    monkeypatch.setattr(sys, "meta_path", [Hiccup(), *sys.meta_path])
    with pytest.warns(BackendLoadWarning, match="stale handle"), pytest.raises(UnknownBackendError) as info:
        score(1, backend="nope")
    assert "cannot be listed (OSError: stale handle)" in str(info.value)
    assert score(1, backend="fast") == "fast"
    dispatcher.discover()
    table = dispatcher.backends()
    assert [one.state for one in table] == ["available"]
    assert "stale handle" in str(table)
    monkeypatch.undo()
    # What is gone is gone as soon as a listing comes to its end.
    with pytest.raises(UnknownBackendError) as info:
        score(1, backend="nope")
    assert "stale handle" not in str(info.value)
    with pytest.raises(UnknownBackendError):
        score(1, backend="fast")


def test_explain_looks_again_for_what_an_order_passed_over(tmp_path: Any, monkeypatch: Any) -> None:  # 1.9, 7.2
    monkeypatch.syspath_prepend(str(tmp_path))
    dispatcher = make(HOST, trusted_backends={"cuda": {"package": "d-cuda"}})

    @dispatcher.backend_dispatch
    def score(x: Any) -> str:
        return "cpu"

    dispatcher.register(adapter(score=lambda x: "fast"))
    dispatcher.settings.backend = ["cuda", "fast"]
    with pytest.warns(FallbackWarning, match="pip install d-cuda"):
        assert score(1) == "fast"
    assert dispatcher.settings.explain(score).executes == "fast"
    install(tmp_path, "cuda", module="second_look_cuda", result="cuda")
    assert dispatcher.settings.explain(score).executes == "cuda"
    assert score(1) == "cuda"


@pytest.mark.parametrize("how", ["argument", "process", "scope", "order"])
def test_what_a_test_patches_in_is_gone_after_it(how: str) -> None:  # 2.1
    dispatcher = make(HOST)
    settings = dispatcher.settings

    @dispatcher.backend_dispatch
    def score(x: Any) -> str:
        return "cpu"

    def point(what: str) -> Any:
        made = adapter(score=lambda x: what)
        return types.SimpleNamespace(name="fast", value=f"{what}:it", group=f"{HOST}.backends", load=lambda: made)

    def call() -> str:
        if how == "argument":
            return score(1, backend="fast")
        if how == "order":
            return score(1, backend=["fast", "cpu"])
        if how == "scope":
            with settings.use_backend("fast"):
                return score(1)
        settings.backend = "fast"
        return score(1)

    for what in ("one", "two"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(importlib.metadata, "entry_points", lambda group, what=what: [point(what)])
            assert [call(), call()] == [what, what]
    with pytest.raises(UnknownBackendError):
        call()
    if how == "process":
        with pytest.raises(UnknownBackendError):
            score(1)


def test_a_patch_inside_isolated_replaces_what_calls_have_prepared(tmp_path: Any, monkeypatch: Any) -> None:  # 2.1, 8.3
    install(tmp_path, "fast", module="second_look_real", result="real")
    monkeypatch.syspath_prepend(str(tmp_path))
    dispatcher = make(HOST)

    @dispatcher.backend_dispatch
    def score(x: Any) -> str:
        return "cpu"

    assert [score(1, backend="fast"), score(1, backend="fast")] == ["real", "real"]
    with isolated(dispatcher), pytest.MonkeyPatch.context() as patch:
        patch.setattr(importlib.metadata, "entry_points", lambda group: [])
        with pytest.raises(UnknownBackendError):
            score(1, backend="fast")
    assert score(1, backend="fast") == "real"


def test_a_first_listing_that_breaks_off_is_made_again_for_reports(tmp_path: Any, monkeypatch: Any) -> None:  # 2.6, 7.1
    install(tmp_path, "fast", module="second_look_again", result="fast")
    monkeypatch.syspath_prepend(str(tmp_path))
    dispatcher = make(HOST)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "meta_path", [Hiccup(), *sys.meta_path])
        with pytest.warns(BackendLoadWarning, match="stale handle"):
            dispatcher.discover()
        assert list(dispatcher.backends()) == []
    assert [one.name for one in dispatcher.backends()] == ["fast"]
