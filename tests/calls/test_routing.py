"""How the arguments of a call reach a backend: section 4.2 to 4.4, 4.9 and 4.13, as a user meets them."""

from __future__ import annotations

import enum
import inspect
import warnings
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from labs import adapter, define, make

from scverse_backends import OMITTED
from scverse_backends.exceptions import BackendContractError, DroppedArgumentWarning


def pair(host: str, implementation: str, *, can_run: Any = None, **options: Any) -> Any:
    """Return a decorated ``f`` of one host with one backend, ``fast``; each returns its name and its locals."""
    dispatcher = make("routing_lab")
    plain = define(f"def f({host}): return 'host', locals()")
    theirs = define(f"def f({implementation}): return 'fast', locals()")
    if can_run is not None:
        theirs.can_run = can_run
    decorated = dispatcher.backend_dispatch(**options)(plain)
    dispatcher.register(adapter(f=theirs))
    return decorated


def run_all_ways(function: Any, *args: Any, **kwargs: Any) -> Any:
    """Call on the backend, the long way and the short way: all must agree."""
    results = []
    for _ in range(3):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                outcome: Any = function(*args, backend="fast", **kwargs)
            except TypeError as error:
                outcome = (type(error), str(error))
        results.append((outcome, sorted(str(w.message) for w in caught)))
    assert results[0] == results[1] == results[2]
    return results[0][0]


# -- 4.2: the table ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "implementation", "args", "kwargs", "received"),
    [
        # In both signatures, given: forwarded, even when equal to the default.
        ("x, k=1", "x, k=5", (0,), {"k": 1}, {"x": 0, "k": 1}),
        ("x, k=1", "x, k=5", (0, 1), {}, {"x": 0, "k": 1}),
        # In both, omitted: the backend's default applies ...
        ("x, k=1", "x, k=5", (0,), {}, {"x": 0, "k": 5}),
        # ... and the host's where the backend has none.
        ("x, k=1", "x, k", (0,), {}, {"x": 0, "k": 1}),
        ("x, k=1", "k, x", (0,), {}, {"x": 0, "k": 1}),
        # Backend-only, given and omitted.
        ("x", "x, *, size=3", (0,), {"size": 4}, {"x": 0, "size": 4}),
        ("x", "x, *, size=3", (0,), {}, {"x": 0, "size": 3}),
        ("x", "x, size=3", (0,), {"size": 4}, {"x": 0, "size": 4}),
        # Host-only with a default, given at it: dropped silently.
        ("x, k=1", "x", (0, 1), {}, {"x": 0}),
        ("x, *, k=1", "x", (0,), {"k": 1}, {"x": 0}),
        ("x, k=float('nan')", "x", (0, float("nan")), {}, {"x": 0}),
        # Another order, and other kinds.
        ("a, b", "b, a", (1, 2), {}, {"a": 1, "b": 2}),
        ("a, b", "*, b, a", (1, 2), {}, {"a": 1, "b": 2}),
        ("*, a, b", "b, a, /", (), {"a": 1, "b": 2}, {"a": 1, "b": 2}),
        ("a, b, /", "a, b", (1, 2), {}, {"a": 1, "b": 2}),
        ("a, b, /", "*, a, b", (1, 2), {}, {"a": 1, "b": 2}),
        ("a, b=2, c=3", "a=7, b=8, c=9, /", (1,), {"c": 4}, {"a": 1, "b": 8, "c": 4}),
        # 4.3: a backend that takes **kwargs takes what the caller gave by name.
        ("x, k=1", "x, **others", (0,), {"k": 1}, {"x": 0, "others": {"k": 1}}),
        ("x, k=1", "x, **others", (0, 2), {}, {"x": 0, "others": {"k": 2}}),
        ("x, k=1", "x, **others", (0,), {}, {"x": 0, "others": {}}),
        ("x, k", "x, k, /, **others", (0,), {"k": 2}, {"x": 0, "k": 2, "others": {}}),
        # 4.3: a host's **kwargs.
        ("x, **others", "x, **kw", (0,), {"k": 1}, {"x": 0, "kw": {"k": 1}}),
        ("x, **others", "x, k=5", (0,), {"k": 1}, {"x": 0, "k": 1}),
        ("x, **others", "x, _k", (0,), {"_k": 1}, {"x": 0, "_k": 1}),
        # 4.3: a key of **kwargs that equals a positional-only name.
        ("x, /, **others", "x, /, **kw", (0,), {"x": 1}, {"x": 0, "kw": {"x": 1}}),
        ("x, k=1, /, **others", "x, k=1, /, **kw", (0,), {"k": 2}, {"x": 0, "k": 1, "kw": {"k": 2}}),
        ("x, **others", "x, k=5, /, **kw", (0,), {"k": 2}, {"x": 0, "k": 5, "kw": {"k": 2}}),
        # 4.3: a backend's *args is not fed.
        ("a, b", "a, *args, b", (1, 2), {}, {"a": 1, "b": 2, "args": ()}),
        # A backend's parameter called backend is neither merged nor fed.
        ("x", "x, backend='own'", (0,), {}, {"x": 0, "backend": "own"}),
    ],
)
def test_what_the_backend_receives(host: str, implementation: str, args: Any, kwargs: Any, received: Any) -> None:
    assert run_all_ways(pair(host, implementation), *args, **kwargs) == ("fast", received)


@pytest.mark.parametrize(
    ("host", "implementation", "args", "kwargs", "received", "lost"),
    [
        ("x, k=1", "x", (0, 2), {}, {"x": 0}, "k"),
        ("x, *, k=1", "x", (0,), {"k": True}, {"x": 0}, "k"),
        ("x, *, _k=1", "x", (0,), {"_k": 2}, {"x": 0}, "_k"),
        # A key of the host's **kwargs that the backend lacks stands at no default.
        ("x, **others", "x", (0,), {"k": None}, {"x": 0}, "k"),
        # What bears the name of a positional-only parameter is not that parameter.
        ("x, k=1, /, **others", "x, k=5", (0,), {"k": 2}, {"x": 0, "k": 5}, "k"),
        ("x, k=1, /, **others", "x, k=5, **kw", (0,), {"k": 2}, {"x": 0, "k": 5, "kw": {}}, "k"),
        ("x, k=1, /, **others", "x, **kw", (0, 3), {"k": 2}, {"x": 0, "kw": {"k": 3}}, "k"),
    ],
)
def test_what_is_dropped_with_a_warning(
    host: str, implementation: str, args: Any, kwargs: Any, received: Any, lost: str
) -> None:
    function = pair(host, implementation)
    for _ in range(3):
        with pytest.warns(DroppedArgumentWarning, match=f"f.*'{lost}' has no effect on backend 'fast'") as caught:
            assert function(*args, backend="fast", **kwargs) == ("fast", received)
        (warning,) = caught
        assert isinstance(warning.message, DroppedArgumentWarning)
        assert (warning.message.parameter, warning.message.backend) == (lost, "fast")
        assert (warning.message.host, warning.message.function) == ("routing_lab", "f")


def test_all_that_one_call_loses_stands_in_one_warning() -> None:
    function = pair("x, k=1, *, m=2, n=3, **others", "x")
    for _ in range(2):
        with pytest.warns(DroppedArgumentWarning) as caught:
            assert function(0, 2, m=3, n=3, z=4, backend="fast") == ("fast", {"x": 0})
        (warning,) = caught
        # What stands at its default is not lost.
        assert "f(): 'k', 'm', 'z' have no effect on backend 'fast'" in str(warning.message)
        assert isinstance(warning.message, DroppedArgumentWarning)
        assert warning.message.parameters == ("k", "m", "z")


def test_a_required_host_parameter_that_the_backend_lacks_breaks_the_contract() -> None:
    function = pair("x, k", "x")
    for _ in range(2):
        with pytest.raises(BackendContractError, match=r"'fast' cannot run f.*lacks the required .*'k'") as info:
            function(0, 1, backend="fast")
        assert (info.value.parameter, info.value.backend, info.value.function) == ("k", "fast", "f")
        assert info.value.host == "routing_lab"
    assert function(0, 1) == ("host", {"x": 0, "k": 1})


@pytest.mark.parametrize("implementation", ["x, backend", "x, *, _hidden", "x, y, /"])
def test_a_required_parameter_that_no_call_can_give_breaks_the_contract(implementation: str) -> None:
    function = pair("x", implementation)
    for _ in range(2):
        with pytest.raises(BackendContractError, match=r"'fast' cannot run f.*requires '.*which no call can give it"):
            function(0, backend="fast")


def test_a_required_option_of_the_backend_has_to_be_given() -> None:
    function = pair("x", "x, *, size")
    for _ in range(2):
        with pytest.raises(TypeError, match=r"f\(\) on backend 'fast' is missing the required argument 'size'"):
            function(0, backend="fast")
        assert function(0, size=2, backend="fast") == ("fast", {"x": 0, "size": 2})
        # 5.1: every valid call of the host stays valid.
        assert function(0) == ("host", {"x": 0})


WRONG_CALLS = [
    ("a, b=1", (1,), {"nonsense": 1}),
    ("alpha, beta=1", (1,), {"bet": 1}),
    ("a, b=1", (), {}),
    ("a, b=1", (1, 2, 3), {}),
    ("a, b=1", (1,), {"a": 2}),
    ("a, b", (1, 2, 3), {"nonsense": 4}),
    ("a, b, c", (), {}),
    ("a, /", (), {"a": 1}),
    ("a=1", (1, 2), {}),
    ("a", (1, 2), {}),
    ("*, a, b", (), {}),
    ("a, *, k=1", (1, 2), {"k": 3}),
    ("a, **others", (), {"b": 1}),
]


@pytest.mark.parametrize(("host", "args", "kwargs"), WRONG_CALLS)
@pytest.mark.parametrize("extra", ["", ", **kw"])
def test_a_wrong_call_gets_the_error_of_a_plain_call(host: str, args: Any, kwargs: Any, extra: str) -> None:
    plain = define(f"def f({host}): return 'host', locals()")
    with pytest.raises(TypeError) as info:
        plain(*args, **kwargs)
    implementation = host if "**" in host else host + extra
    function = pair(host, implementation)
    kind, on_backend = run_all_ways(function, *args, **kwargs)
    assert kind is TypeError
    with pytest.raises(TypeError) as on_host:
        function(*args, **kwargs)
    for text in (on_backend, str(on_host.value)):
        # From 3.13 on, Python suggests a name itself. Before, we do (4.9).
        more = text.removeprefix(str(info.value))
        assert text != more
        assert more == "" or more.endswith("Did you mean 'beta'?")


def test_an_error_of_a_wrong_call_names_the_host_function_on_the_short_way_too() -> None:
    def their_private_name(a: int) -> int:
        return a

    dispatcher = make("routing_lab")
    function = dispatcher.backend_dispatch(define("def f(a): return a"))
    dispatcher.register(adapter(f=their_private_name))
    assert function(1, backend="fast") == 1
    with pytest.raises(TypeError, match=r"^f\(\) missing 1 required positional argument: 'a'$"):
        function(backend="fast")


def test_a_type_error_from_inside_the_backend_passes_unchanged() -> None:
    mine = TypeError("f() missing nothing, this is mine")

    def theirs(a: int) -> None:
        raise mine

    dispatcher = make("routing_lab")
    function = dispatcher.backend_dispatch(define("def f(a): return a"))
    dispatcher.register(adapter(f=theirs))
    for _ in range(3):
        with pytest.raises(TypeError) as info:
            function(1, backend="fast")
        assert info.value is mine


def test_what_was_given_by_position_arrives_by_position() -> None:  # 4.2; as a singledispatch function needs it
    received: list[Any] = []

    def implementation(*args: Any, **kwargs: Any) -> None:
        received.append((args, kwargs))

    for host, theirs, args, arrived in (
        ("a, b=1", "a, b=1", (1,), ((1,), {})),
        ("a, b=1", "a, b=1, *, tile=2", (1, 2), ((1, 2), {})),
        ("a, b=1", "b=1, a=0", (1, 2), ((2, 1), {})),
        ("a, b=1", "b=1, a=0", (1,), ((), {"a": 1})),
        ("a, b, c", "c, a, b", (1, 2), ((), {"a": 1, "b": 2, "c": 3})),
        ("a, b=1", "x=0, a=1", (1,), ((), {"a": 1})),
    ):
        implementation.__signature__ = inspect.signature(define(f"def f({theirs}): pass"))  # type: ignore[attr-defined]  # functions take any attribute
        dispatcher = make("routing_lab")
        function = dispatcher.backend_dispatch(define(f"def f({host}): pass"))
        dispatcher.register(adapter(f=implementation))
        function(*args, backend="fast", **({"c": 3} if "c" in host else {}))
        assert received.pop() == arrived, (host, theirs)


def test_an_implementation_without_a_signature_is_called_as_the_host_is() -> None:
    class Opaque:
        @property
        def __signature__(self) -> Any:
            raise RuntimeError("no")

        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            return args, kwargs

    dispatcher = make("routing_lab")
    function = dispatcher.backend_dispatch(define("def f(a, b=1): return a"))
    dispatcher.register(adapter(f=Opaque()))
    for _ in range(2):
        assert function(1, b=2, backend="fast") == ((1,), {"b": 2})
        with pytest.raises(TypeError, match=r"f\(\) missing 1 required"):
            function(backend="fast")


# -- 4.4: at its default ----------------------------------------------------------------------------------------------


class Refuses:
    """Fails the test when somebody compares it."""

    def __eq__(self, other: object) -> bool:
        raise AssertionError("a foreign __eq__ was called")

    __hash__ = None  # type: ignore[assignment]  # as arrays have it.


class Sly(int):
    def __eq__(self, other: object) -> bool:
        raise AssertionError("the __eq__ of a subclass was called")

    __hash__ = int.__hash__


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


same = Refuses()


@pytest.mark.parametrize(
    ("default", "value", "at_default"),
    [
        (same, same, True),
        (same, Refuses(), False),
        (Refuses(), 1, False),
        (1, Refuses(), False),
        (1, Sly(1), False),
        (Sly(1), Sly(1), False),
        (1, 1, True),
        (1, True, False),
        (1, 1.0, False),
        (1.5, 1.5, True),
        (float("nan"), float("nan"), True),
        (complex("nan"), complex("nan"), True),
        (float("nan"), 1.0, False),
        ("abc", str(b"abc", "ascii"), True),
        (b"abc", bytes([97, 98, 99]), True),
        (Colour.RED, Colour.RED, True),
        (Colour.RED, Colour.BLUE, False),
        ((1, "a", float("nan")), (1, "a", float("nan")), True),
        ((1, 2), (1, 3), False),
        ((1, 2), (1, 2, 3), False),
        ((1, Colour.RED), (1, Colour.RED), True),
        ((Refuses(),), (Refuses(),), False),
        ([], [], False),
        (None, None, True),
        (None, 0, False),
    ],
)
def test_at_its_default(default: Any, value: Any, at_default: bool) -> None:
    dispatcher = make("routing_lab")
    function = dispatcher.backend_dispatch(define("def f(x, k=default): return 'host'", default=default))
    dispatcher.register(adapter(f=lambda x: ("fast", x)))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert function(0, k=value, backend="fast") == ("fast", 0)
    assert [w.category for w in caught] == ([] if at_default else [DroppedArgumentWarning])


# -- 4.9: options where nothing takes them ----------------------------------------------------------------------------


def test_an_option_on_the_host_says_which_backend_knows_it() -> None:
    function = pair("x", "x, *, size=3")
    for call in (lambda: function(0, size=4), lambda: function(0, size=4, backend="cpu")):
        for _ in range(2):
            with pytest.raises(TypeError, match="unexpected keyword argument 'size'") as info:
                call()
            assert "host implementation" in str(info.value)
            assert "'fast'" in str(info.value)


def test_an_option_of_another_backend() -> None:
    dispatcher = make("routing_lab")
    function = dispatcher.backend_dispatch(define("def f(x): return x"))
    dispatcher.register(adapter("fast", f=define("def f(x, *, size=1): return x")))
    dispatcher.register(adapter("slow", f=define("def f(x, *, other=1): return x")))
    for _ in range(2):
        with pytest.raises(TypeError, match="unexpected keyword argument 'size'") as info:
            function(0, size=2, backend="slow")
        assert "It ran on backend 'slow'" in str(info.value)
        assert "'fast'" in str(info.value)
        # 4.9: at the default that the signature shows, nobody gave it.
        assert function(0, size=1, backend="slow") == function(0, size=1) == function(0, size=1, backend="cpu") == 0


def test_an_option_in_a_fallback() -> None:
    dispatcher = make("routing_lab")
    function = dispatcher.backend_dispatch(define("def f(x): return x"))
    dispatcher.register(adapter("fast", f=define("def f(x, *, size=1): return x")))
    dispatcher.register(adapter("bare"))
    dispatcher.settings.fallback = "silent"
    with pytest.raises(TypeError, match=r"f\(\) got an unexpected keyword argument 'size'") as info:
        function(0, size=2, backend="bare")
    assert "It ran on the host implementation" in str(info.value)
    assert "'fast'" in str(info.value)
    assert function(0, size=1, backend="bare") == 0


@pytest.mark.parametrize("other", [True, False])
def test_a_misspelt_parameter_of_the_hosts_own_is_suggested_on_every_python(other: bool) -> None:  # 4.9
    dispatcher = make("routing_lab")
    function = dispatcher.backend_dispatch(define("def normalize(x, *, target_sum=None): return x"))
    if other:
        dispatcher.register(adapter(normalize=define("def normalize(x, *, target_sum=None, tile=8): return x")))
        dispatcher.discover()
    for way in ({}, {"backend": "cpu"}, *([{"backend": "fast"}] if other else [])):
        with pytest.raises(TypeError, match="'targetsum'") as info:
            function(0, targetsum=1, **way)
        assert str(info.value).count("Did you mean 'target_sum'?") == 1
        assert str(info.value).count("Did you mean") == 1


def test_a_suggestion_of_pythons_own_stays_in_the_message() -> None:
    function = pair("value, sizes=1", "value, sizes=1, *, size=3")
    with pytest.raises(TypeError, match="'size'") as info:
        function(0, size=1)
    plain = define("def f(value, sizes=1): return value")
    with pytest.raises(TypeError) as in_plain:
        plain(0, size=1)
    assert str(info.value).startswith(str(in_plain.value))


def test_a_host_with_kwargs_takes_the_option_as_in_a_plain_call() -> None:
    function = pair("x, **others", "x, *, size=3")
    assert function(0, size=4) == ("host", {"x": 0, "others": {"size": 4}})
    assert function(0, size=4, backend="cpu") == ("host", {"x": 0, "others": {"size": 4}})


def test_a_host_type_error_that_is_not_about_the_keyword_stays() -> None:
    dispatcher = make("routing_lab")
    function = dispatcher.backend_dispatch(define("def f(x): return x + 'a'"))
    dispatcher.register(adapter(f=define("def f(x, *, size=1): return x")))
    with pytest.raises(TypeError, match="unsupported operand"):
        function(1)
    with pytest.raises(TypeError, match=r"missing 1 required positional argument: 'x'$"):
        function()


# -- 4.13: parameters that were renamed -------------------------------------------------------------------------------


def seed_of(value: Any) -> Any:
    return OMITTED if value is None else int(value)


@pytest.mark.parametrize(
    ("implementation", "renamed", "kwargs", "received"),
    [
        ("x, random_state=7", {"rng": "random_state"}, {"rng": 3}, {"x": 0, "random_state": 3}),
        ("x, random_state=7", {"rng": "random_state"}, {}, {"x": 0, "random_state": 7}),
        ("x, random_state=7", {"rng": ("random_state", seed_of)}, {"rng": "3"}, {"x": 0, "random_state": 3}),
        ("x, random_state=7", {"rng": ("random_state", seed_of)}, {"rng": None}, {"x": 0, "random_state": 7}),
        # The new name wins where the implementation knows it.
        ("x, rng=5, random_state=7", {"rng": "random_state"}, {"rng": 3}, {"x": 0, "rng": 3, "random_state": 7}),
        # An implementation that requires the old name gets the host's default, converted.
        ("x, random_state", {"rng": "random_state"}, {}, {"x": 0, "random_state": None}),
        ("x, random_state", {"rng": ("random_state", lambda value: [value])}, {}, {"x": 0, "random_state": [None]}),
        ("x, random_state, /", {"rng": "random_state"}, {"rng": 1}, {"x": 0, "random_state": 1}),
        ("x, random_state=7, **kw", {"rng": "random_state"}, {"rng": 1}, {"x": 0, "random_state": 1, "kw": {}}),
        # An implementation that knows neither name is under the table's rules.
        ("x, **kw", {"rng": "random_state"}, {"rng": 1}, {"x": 0, "kw": {"rng": 1}}),
        ("x", {"rng": "random_state"}, {"rng": None}, {"x": 0}),
    ],
)
def test_renamed(implementation: str, renamed: Any, kwargs: Any, received: Any) -> None:
    function = pair("x, rng=None", implementation, renamed=renamed)
    assert run_all_ways(function, 0, **kwargs) == ("fast", received)
    # The host's own implementation never sees any of it.
    assert function(0, **kwargs) == ("host", {"x": 0, "rng": kwargs.get("rng")})
    assert "random_state" not in inspect.signature(function).parameters or "rng=5" in implementation


def test_renamed_beside_a_host_that_takes_kwargs() -> None:
    function = pair("x, rng=None, **others", "x, random_state=7, **kw", renamed={"rng": "random_state"})
    assert run_all_ways(function, 0, rng=1) == ("fast", {"x": 0, "random_state": 1, "kw": {}})


def test_old_names_are_no_options() -> None:
    function = pair("x, rng=None", "x, random_state=7", renamed={"rng": "random_state"})
    assert list(inspect.signature(function).parameters) == ["x", "rng", "backend"]
    for backend in ("cpu", "fast"):
        with pytest.raises(TypeError, match="unexpected keyword argument 'random_state'"):
            function(0, random_state=1, backend=backend)


def test_a_required_old_name_has_to_be_given_under_the_new_one() -> None:
    function = pair("x, rng=None", "x, random_state", renamed={"rng": ("random_state", seed_of)})
    with pytest.raises(TypeError, match=r"f\(\) on backend 'fast' needs the argument 'rng'"):
        function(0, backend="fast")
    assert function(0, rng=2, backend="fast") == ("fast", {"x": 0, "random_state": 2})


def test_renamed_must_speak_of_parameters_that_exist() -> None:
    with pytest.raises(TypeError, match="no parameter 'seed'"):
        pair("x", "x", renamed={"seed": "random_state"})


def test_omitted_shows_its_name_and_stays_the_same_object() -> None:
    import copy
    import pickle

    assert repr(OMITTED) == "OMITTED"
    assert pickle.loads(pickle.dumps(OMITTED)) is OMITTED
    assert copy.deepcopy(OMITTED) is OMITTED


# -- any signature, any call ------------------------------------------------------------------------------------------

HOST_NAMES = ["a", "b", "c", "_p"]
BACKEND_NAMES = ["a", "b", "c", "x", "_p", "_q", "backend"]
KEYWORDS = ["a", "b", "c", "x", "_p", "_q", "zzz"]
MISSING = type("Missing", (), {"__repr__": lambda _: "MISSING"})()


class Shape:
    """A signature to be written down: parameters by kind, with their defaults."""

    def __init__(self, groups: list[list[tuple[str, Any]]], *, varargs: bool, varkw: bool) -> None:
        self.groups = groups
        self.varargs = varargs
        self.varkw = varkw
        self.posonly, self.by_either, self.kwonly = ([name for name, _ in group] for group in groups)
        self.defaults = {n: v for group in groups for n, v in group if v is not MISSING}
        self.names = [*self.posonly, *self.by_either, *self.kwonly]
        self.by_keyword = {*self.by_either, *self.kwonly}

    def source(self, defaults: dict[str, str], more: tuple[str, ...] = ()) -> str:
        def spell(name: str) -> str:
            return f"{name}={defaults[name]}" if name in defaults else name

        parts = [spell(name) for name in self.posonly]
        if self.posonly:
            parts.append("/")
        parts += [spell(name) for name in self.by_either]
        if self.varargs:
            parts.append("*rest")
        elif self.kwonly or more:
            parts.append("*")
        parts += [spell(name) for name in (*self.kwonly, *more)]
        if self.varkw:
            parts.append("**others")
        return ", ".join(parts)

    def __repr__(self) -> str:
        return f"({self.source({name: repr(value) for name, value in self.defaults.items()})})"


@st.composite
def shapes(draw: Any, pool: list[str], *, varargs: bool) -> Shape:
    names = draw(st.lists(st.sampled_from(pool), unique=True, max_size=4))
    cuts = sorted(draw(st.lists(st.integers(0, len(names)), min_size=2, max_size=2)))
    positional = draw(st.integers(0, cuts[1]))  # from here on, positional parameters have defaults
    groups: list[list[tuple[str, Any]]] = [[], [], []]
    for index, name in enumerate(names):
        kind = 0 if index < cuts[0] else 1 if index < cuts[1] else 2
        has_default = index >= positional if kind < 2 else draw(st.booleans())
        groups[kind].append((name, draw(st.integers(0, 2)) if has_default else MISSING))
    return Shape(groups, varargs=varargs and draw(st.booleans()), varkw=draw(st.booleans()))


def expected(host: Shape, theirs: Shape, plain: Any, args: Any, kwargs: Any) -> Any:
    """The routing table, written down once more and slowly: Python itself sorts the arguments."""
    options = [n for n in theirs.names if n in theirs.by_keyword and n not in host.names]
    options = [n for n in options if not n.startswith("_") and n != "backend"]
    defaults = dict.fromkeys([*host.defaults, *options], "MISSING")
    merged = define(f"def f({host.source(defaults, tuple(options))}): return locals()", MISSING=MISSING)
    try:
        found = merged(*args, **kwargs)
    except TypeError:
        others = {name: value for name, value in kwargs.items() if name not in options or name in host.names}
        try:
            plain(*args, **others)
        except TypeError as error:
            return TypeError, str(error)
        raise
    extra = found.pop("others", {}) if host.varkw else {}
    received = {name: value for name, value in found.items() if name in options and value is not MISSING}
    open_ended: dict[str, Any] = {}
    dropped = []
    for name in host.names:
        value = found[name]
        if value is MISSING:
            continue
        if name in theirs.names:
            received[name] = value
        elif theirs.varkw:
            open_ended[name] = value
        elif name not in host.defaults:
            return (BackendContractError,)
        elif value != host.defaults[name]:
            dropped.append(name)
    for name, value in extra.items():
        namesake = name in host.posonly
        if name in theirs.by_keyword and not namesake:
            received[name] = value
        elif theirs.varkw and name not in theirs.by_keyword and (not namesake or name in theirs.posonly):
            open_ended[name] = value
        else:
            dropped.append(name)
    for name in theirs.names:
        if name not in received:
            if name in theirs.defaults:
                received[name] = theirs.defaults[name]
            elif name in host.defaults:
                received[name] = host.defaults[name]
            else:
                return (TypeError if name in options else BackendContractError,)
    if theirs.varargs:
        received["rest"] = ()
    if theirs.varkw:
        received["others"] = open_ended
    return received, sorted(dropped)


def outcome(function: Any, args: Any, kwargs: Any) -> Any:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            _, received = function(*args, **kwargs)
        except TypeError as error:
            return type(error), str(error)
    return received, sorted(
        name for w in caught if isinstance(w.message, DroppedArgumentWarning) for name in w.message.parameters
    )


@settings(max_examples=150)
@given(host=shapes(HOST_NAMES, varargs=False), theirs=shapes(BACKEND_NAMES, varargs=True), data=st.data())
def test_any_call_of_any_two_signatures(host: Shape, theirs: Shape, data: st.DataObject) -> None:
    text = host.source({name: repr(value) for name, value in host.defaults.items()})
    plain = define(f"def f({text}): return 'host', locals()")
    their_text = theirs.source({name: repr(value) for name, value in theirs.defaults.items()})
    dispatcher = make("routing_lab")
    function = dispatcher.backend_dispatch(plain)
    dispatcher.register(adapter(f=define(f"def private_name({their_text}): return 'fast', locals()")))
    signature = inspect.signature(function)
    for _ in range(4):
        args = data.draw(st.lists(st.integers(0, 2), max_size=3))
        kwargs = data.draw(st.dictionaries(st.sampled_from(KEYWORDS), st.integers(0, 2), max_size=4))
        wanted = expected(host, theirs, plain, args, kwargs)
        by_keyword = [outcome(function, args, {**kwargs, "backend": "fast"}) for _ in range(2)]
        with dispatcher.settings.use_backend("fast"):
            by_scope = [outcome(function, args, kwargs) for _ in range(2)]
        ways = [*by_keyword, *by_scope]
        assert all(way == ways[0] for way in ways), ways
        assert ways[0][: len(wanted)] == wanted
        # 5.1: the merged signature accepts every call that the host accepts.
        try:
            on_host = plain(*args, **kwargs)
        except TypeError:
            continue
        assert function(*args, **kwargs) == on_host
        try:
            inspect.signature(plain).bind(*args, **kwargs)
        except TypeError:
            # On Python 3.12 it refuses a key of `**kwargs` that is also the name of a positional-only parameter.
            continue
        signature.bind(*args, **kwargs)


# -- 4.9: what is installed and has not been loaded -------------------------------------------------------------------


def test_an_option_may_belong_to_a_backend_that_has_not_been_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.metadata

    waiting = importlib.metadata.EntryPoint("later", "no_such_module:Adapter", "routing_lab.backends")
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda **_: importlib.metadata.EntryPoints([waiting]))
    dispatcher = make("routing_lab")
    function = dispatcher.backend_dispatch(define("def f(x): return 'host', x"))
    with pytest.raises(TypeError, match=r"unexpected keyword argument 'size'.*not loaded.*'later'"):
        function(0, size=1)
    dispatcher.register(adapter(f=define("def f(x): return 'fast', x")))
    with pytest.raises(TypeError, match=r"unexpected keyword argument 'size'.*ran on backend 'fast'.*'later'"):
        function(0, size=1, backend="fast")
    # An argument that is missing is no option.
    with pytest.raises(TypeError, match=r"positional argument: 'x'$"):
        function()


# -- the short way and the state around a call ------------------------------------------------------------------------


def test_what_a_body_selects_ends_with_the_call() -> None:
    dispatcher = make("routing_lab")
    choices = dispatcher.settings

    def body(x: Any) -> Any:
        before = choices.backend
        choices.backend = "slow"
        return x, before, choices.backend

    function = dispatcher.backend_dispatch(define("def f(x): return body(x)", body=body))
    dispatcher.register(adapter(f=body))
    dispatcher.register(adapter("slow"))
    with choices.use_backend("slow"):
        for _ in range(3):
            assert function(0, backend="cpu") == (0, "cpu", "slow")
            assert function(0, backend="fast") == (0, "fast", "slow")
            assert choices.backend == "slow"
    assert choices.backend == "cpu"


def test_a_body_that_wakes_the_process_up_while_it_runs_on_the_host() -> None:
    dispatcher = make("routing_lab")

    def body(x: Any) -> Any:
        with dispatcher.settings.use_backend("fast"):
            inside = dispatcher.settings.backend
        return inside, dispatcher.settings.backend

    function = dispatcher.backend_dispatch(define("def f(x): return body(x)", body=body))
    dispatcher.register(adapter("fast"))
    assert dispatcher.settings.backend == "cpu"
    assert function(0, backend="cpu") == ("fast", "cpu")
    assert function(0, backend="cpu") == ("fast", "cpu")
    assert dispatcher.settings.backend == "cpu"


def test_names_of_other_types_take_the_long_way() -> None:
    class Name(str):
        __slots__ = ()

    function = pair("x", "x")
    for backend in (Name("fast"), ["fast"], ("fast", "cpu")):
        for _ in range(2):
            assert function(0, backend=backend) == ("fast", {"x": 0})
    for backend in (Name("cpu"), ["cpu"]):
        assert function(0, backend=backend) == ("host", {"x": 0})


def test_a_wrong_call_on_the_host_after_something_was_selected() -> None:
    dispatcher = make("routing_lab")
    function = dispatcher.backend_dispatch(define("def f(x): return 'host', x"))
    dispatcher.register(adapter(f=define("def f(x, *, size=1): return 'fast', x")))
    with dispatcher.settings.use_backend("fast"):
        assert function(0) == ("fast", 0)
        for _ in range(2):
            with pytest.raises(TypeError, match=r"'size'.*ran on the host implementation"):
                function(0, size=2, backend="cpu")
            with pytest.raises(TypeError, match=r"positional argument: 'x'$"):
                function(backend="cpu")
    with pytest.raises(TypeError, match=r"'size'.*ran on the host implementation"):
        function(0, size=2)


def test_traces_record_what_ran_and_what_was_raised() -> None:
    dispatcher = make("routing_lab")
    function = dispatcher.backend_dispatch(define("def f(x): return 'host', x"))
    dispatcher.register(adapter(f=lambda x: 1 / x))
    with dispatcher.settings.trace() as calls:
        assert function(0) == ("host", 0)
        assert function(1, backend="fast") == 1
        with pytest.raises(ZeroDivisionError):
            function(0, backend="fast")
        with pytest.raises(TypeError):
            function()
    assert [call.executed for call in calls][:3] == ["cpu", "fast", "fast"]
    assert [str(call.exception).partition(":")[0] for call in calls] == [
        "None",
        "None",
        "ZeroDivisionError",
        "TypeError",
    ]


def test_bodies_that_run_in_steps_are_routed_when_they_are_called() -> None:
    dispatcher = make("routing_lab")

    def steps(x: Any, k: int = 1) -> Any:
        yield "host", x

    function = dispatcher.backend_dispatch(name="steps")(steps)

    def theirs(x: Any) -> Any:
        yield 1 / x

    dispatcher.register(adapter(steps=theirs))
    with pytest.warns(DroppedArgumentWarning):
        assert list(function(1, k=2, backend="fast")) == [1]
    with pytest.raises(TypeError, match="missing 1 required"):
        function(backend="fast")
    with dispatcher.settings.trace() as calls:
        with pytest.raises(TypeError, match="missing 1 required"):
            function(backend="fast")
        with pytest.raises(ZeroDivisionError):
            list(function(0, backend="fast"))
        left = function(1)
        next(left)
        left.close()
    assert [str(call.exception).partition(":")[0] for call in calls] == ["TypeError", "ZeroDivisionError", "None"]


def test_a_wrong_call_with_cpu_before_anything_was_selected() -> None:
    dispatcher = make("routing_lab")
    function = dispatcher.backend_dispatch(define("def f(x): return 'host', x"))
    assert function(0) == ("host", 0)
    for _ in range(2):
        with pytest.raises(TypeError, match="missing 1 required"):
            function(backend="cpu")
        with pytest.raises(TypeError, match="missing 1 required"):
            function()
    assert dispatcher.settings.backend == "cpu"
