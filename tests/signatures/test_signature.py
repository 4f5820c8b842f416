"""The signature that a decorated function shows (5.1), and that it behaves like any other signature."""

from __future__ import annotations

import copy
import functools
import inspect
import pickle
import typing
from collections.abc import Sequence
from typing import Annotated, Any

import pytest
from labs import adapter, define, make

from scverse_backends._signatures.accepted import signature_of
from scverse_backends._signatures.arguments import Placeholder

BACKEND = "backend: str | collections.abc.Sequence[str] | None = None"


def shown(host: str, *theirs: tuple[str, str], **options: Any) -> Any:
    """Return a decorated function of one host, and of these backends by name and parameters."""
    dispatcher = make("shown_lab")
    function = dispatcher.backend_dispatch(**options)(define(f"def f({host}): return 'host'"))
    for name, parameters in theirs:
        dispatcher.register(adapter(name, f=define(f"def f({parameters}): return {name!r}")))
    return function


# -- 5.1 --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("x", f"(x, *, {BACKEND})"),
        ("", f"(*, {BACKEND})"),
        ("x, *, k=1", f"(x, *, k=1, {BACKEND})"),
        ("x, /, y=1, **others", f"(x, /, y=1, *, {BACKEND}, **others)"),
    ],
)
def test_backend_is_there_from_decoration_on(host: str, expected: str) -> None:
    assert str(inspect.signature(shown(host))) == expected


def test_options_come_before_backend_and_before_kwargs() -> None:
    function = shown(
        "x, *, k=1, **others", ("fast", "x, /, size: int = 3, *rest, level=None, _private=1, backend=2, **kw")
    )
    signature = inspect.signature(function)
    assert list(signature.parameters) == ["x", "k", "size", "level", "backend", "others"]
    assert signature.parameters["size"].kind is inspect.Parameter.KEYWORD_ONLY
    assert signature.parameters["size"].default == 3
    assert signature.parameters["size"].annotation is int


def test_positional_only_parameters_of_a_backend_are_no_options() -> None:
    assert list(inspect.signature(shown("x", ("fast", "x, size=3, /"))).parameters) == ["x", "backend"]


def test_a_required_option_gets_a_placeholder() -> None:
    function = shown("x", ("fast", "x, size"))
    parameter = inspect.signature(function).parameters["size"]
    assert repr(parameter.default) == "<required by fast>"
    inspect.signature(function).bind(1)
    assert function(1) == "host"


def test_the_order_does_not_depend_on_who_was_loaded_first() -> None:
    fast, slow = ("fast", "x, *, b=1, a=2"), ("slow", "x, *, c=1, a=2")
    one, other = shown("x", fast, slow), shown("x", slow, fast)
    assert inspect.signature(one) == inspect.signature(other)
    assert list(inspect.signature(one).parameters) == ["x", "b", "a", "c", "backend"]


def test_names_are_merged_once_however_often_discovery_runs() -> None:
    dispatcher = make("shown_lab")
    function = dispatcher.backend_dispatch(define("def f(x): 'Doc.\\n\\nParameters\\n----------\\nx\\n    X.\\n'"))
    dispatcher.register(adapter(f=define("def f(x, *, size=1): pass")))
    before = str(inspect.signature(function)), function.__doc__
    for _ in range(3):
        dispatcher.discover()
    assert (str(inspect.signature(function)), function.__doc__) == before
    assert before[1].count("size") == 1


@pytest.mark.parametrize(
    ("theirs", "default", "annotation"),
    [
        (("size: int = 1", "size: int = 1"), "1", int),
        (("size: int = 1", "size: str = 1"), "1", inspect.Parameter.empty),
        (("size=1", "size=2"), "<depends on the backend>", inspect.Parameter.empty),
        (("size=1", "size=True"), "<depends on the backend>", inspect.Parameter.empty),
        (("size=[]", "size=[]"), "<depends on the backend>", inspect.Parameter.empty),
        (("size", "size=2"), "<required by fast>", inspect.Parameter.empty),
        (("size", "size"), "<required by fast, slow>", inspect.Parameter.empty),
    ],
)
def test_two_backends_with_the_same_option(theirs: tuple[str, str], default: str, annotation: Any) -> None:
    function = shown("x", ("slow", f"x, *, {theirs[1]}"), ("fast", f"x, *, {theirs[0]}"))
    parameter = inspect.signature(function).parameters["size"]
    assert repr(parameter.default) == default
    assert parameter.annotation is annotation


def test_unregistering_takes_everything_out_again() -> None:
    dispatcher = make("shown_lab")
    function = dispatcher.backend_dispatch(
        define("def f(x: int) -> str: 'Doc.\\n\\nParameters\\n----------\\nx\\n    X.\\n'")
    )

    def state() -> Any:
        return str(inspect.signature(function)), function.__doc__, dict(function.__annotations__)

    before = state()
    dispatcher.register(adapter(f=define("def f(x, *, size: int = 1): pass")))
    dispatcher.register(adapter("slow", f=define("def f(x, *, size: int = 2, level: int = 3): pass")))
    assert state() != before
    dispatcher.unregister("slow")
    assert "level" not in inspect.signature(function).parameters
    assert repr(inspect.signature(function).parameters["size"].default) == "1"
    assert "level" not in function.__annotations__
    dispatcher.unregister("fast")
    assert state() == before


@pytest.mark.parametrize(
    "next_thing",
    [
        lambda dispatcher, function, other: other(1, backend="fast"),
        lambda dispatcher, function, other: function(1, backend="fast"),
        lambda dispatcher, function, other: dispatcher.backends(),
        lambda dispatcher, function, other: dispatcher.available_backend_names(),
        lambda dispatcher, function, other: dispatcher.settings.available_backends(),
        lambda dispatcher, function, other: dispatcher.settings.explain(other),
        lambda dispatcher, function, other: dispatcher.discover(),
    ],
    ids=["another call", "its call", "backends", "names", "available", "explain", "discover"],
)
def test_functions_decorated_after_a_backend_is_known_are_merged_when_something_happens_next(next_thing: Any) -> None:
    # 5.6: decorators outside may still format the docstring, and must find nothing of a backend's in it.
    dispatcher = make("shown_lab")
    other = dispatcher.backend_dispatch(define("def g(x): pass"))
    dispatcher.register(adapter(f=define("def f(x, *, size=1): pass"), g=define("def g(x): pass")))
    other(1, backend="fast")
    other(1, backend="fast")
    function = dispatcher.backend_dispatch(define("def f(x): pass"))
    assert "size" not in inspect.signature(function).parameters
    next_thing(dispatcher, function, other)
    assert "size" in inspect.signature(function).parameters


# -- annotations ------------------------------------------------------------------------------------------------------

THEIR_MODULE = """
from typing import Annotated, Optional
class Grid: pass
class Silent:
    def __repr__(self): raise SystemExit
def f(x, *, a: "Grid" = None, b: list["Grid"] = None, c: Optional["Nowhere"] = None, d: "Nowhere" = None,
      e: None = None, g: Annotated[int, "cells"] = 1, h: "no annotation at all" = 1, i: Silent() = 1, j=Silent()): pass
"""


def test_annotations_are_evaluated_in_the_backends_namespace() -> None:
    dispatcher = make("shown_lab")
    function = dispatcher.backend_dispatch(define("def f(x: int) -> str: pass"))
    theirs = define(THEIR_MODULE)
    dispatcher.register(adapter(f=theirs))
    grid = theirs.__globals__["Grid"]
    hints = typing.get_type_hints(function, include_extras=True)
    assert hints == {
        "x": int,
        "a": grid,
        "b": list[grid],
        "e": type(None),
        "g": Annotated[int, "cells"],
        "backend": str | Sequence[str] | None,
        "return": str,
    }
    assert list(hints)[-1] == "return"
    # What cannot be evaluated stands as text in the signature, and a foreign __repr__ loses only its own place.
    signature = inspect.signature(function, eval_str=True)
    assert "Nowhere" in signature.parameters["c"].annotation
    assert signature.parameters["d"].annotation == "Nowhere"
    assert signature.parameters["h"].annotation == "no annotation at all"
    assert signature.parameters["i"].annotation is inspect.Parameter.empty
    assert repr(signature.parameters["j"].default) == "…"
    assert "a: elsewhere.Grid = None" in str(signature)


def test_annotations_of_callable_objects_and_builtins() -> None:
    class Callable:
        def __call__(self, x: Any, *, size: Sequence[int] = ()) -> Any: ...

    dispatcher = make("shown_lab")
    function = dispatcher.backend_dispatch(define("def f(x): pass"))
    dispatcher.register(adapter(f=Callable()))
    assert inspect.signature(function).parameters["size"].annotation == Sequence[int]
    dispatcher.register(adapter("slow", f=functools.partial(Callable().__call__, 1)))
    assert inspect.signature(function).parameters["size"].annotation == Sequence[int]
    builtin = dispatcher.backend_dispatch(name="ordered")(lambda items: items)
    dispatcher.register(adapter("plain", ordered=sorted))
    assert {"key", "reverse"} <= inspect.signature(builtin).parameters.keys()


# -- the object -------------------------------------------------------------------------------------------------------


def the_hosts(x: int, *, k: Any = 1, **others: Any) -> str:
    return f"{x}{k}{others}"


@pytest.fixture
def merged() -> tuple[inspect.Signature, inspect.Signature]:
    """A merged signature, and a plain one with the same contents."""
    dispatcher = make("shown_lab")
    function = dispatcher.backend_dispatch(the_hosts)
    dispatcher.register(adapter(the_hosts=define("def f(x, *, size=3): pass")))
    signature = inspect.signature(function)
    # The function is kept alive by its signature's source.
    return signature, inspect.Signature(
        list(signature.parameters.values()), return_annotation=signature.return_annotation
    )


def test_it_is_a_signature(merged: tuple[Any, Any]) -> None:
    signature, plain = merged
    assert isinstance(signature, inspect.Signature)
    assert signature == plain
    assert plain == signature
    assert hash(signature) == hash(plain)
    assert str(signature) == str(plain)
    assert repr(signature) == repr(plain)
    assert signature.return_annotation == "str"
    assert signature.bind(1, size=2, other=3).arguments == plain.bind(1, size=2, other=3).arguments
    assert signature.bind_partial().arguments == {}
    with pytest.raises(TypeError, match="missing a required argument: 'x'"):
        signature.bind()


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s)), lambda s: s.replace()]
)
def test_copies_are_plain_signatures_of_that_moment(merged: tuple[Any, Any], again: Any) -> None:
    signature, plain = merged
    made = again(signature)
    assert type(made) is inspect.Signature
    assert made == plain


def test_replace(merged: tuple[Any, Any]) -> None:
    signature, plain = merged
    assert signature.replace(return_annotation=int) == plain.replace(return_annotation=int)
    assert list(signature.replace(parameters=[]).parameters) == []
    assert signature.__replace__(return_annotation=int).return_annotation is int


def test_a_signature_is_a_value_and_what_is_merged_later_makes_another() -> None:  # 5.1
    dispatcher = make("shown_lab")
    function = dispatcher.backend_dispatch(the_hosts)
    read, unread = inspect.signature(function), inspect.signature(dispatcher.backend_dispatch(name="two")(the_hosts))
    shown, copied, known = str(read), copy.copy(read), {read: 1}
    theirs = define("def f(x, *, size=3): pass")
    dispatcher.register(adapter(the_hosts=theirs, two=theirs))
    assert inspect.signature(function).parameters["size"].default == 3
    assert inspect.signature(functools.partial(function, 1)).parameters["size"].default == 3
    assert (str(read), known[copied]) == (shown, 1)
    assert "size" not in unread.parameters
    assert read == unread == copied != inspect.signature(function)


def test_a_decorator_that_keeps_a_signature_can_call_the_host_after_discovery() -> None:  # 5.1
    def keeping(function: Any) -> Any:
        signature = inspect.signature(function)

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            return function(*bound.args, **bound.kwargs)

        return wrapper

    dispatcher = make("keeping_lab")

    @keeping
    @dispatcher.backend_dispatch
    def score(x: Any, *, n: int = 2) -> Any:
        return "host", n

    dispatcher.register(adapter(score=define("def f(x, *, n=2, device, tile=3): return 'fast', n")))
    assert score(1) == ("host", 2)
    dispatcher.register(adapter("slow", score=define("def f(x, *, tile=4): return 'slow', tile")))
    late = keeping(dispatcher.functions()["score"])
    with pytest.raises(TypeError, match="missing the required argument 'device'"):
        late(1, backend="fast")
    # 4.9: what it fills in counts as not given.
    assert late(1) == ("host", 2)
    with pytest.raises(TypeError, match="unexpected keyword argument 'tile'"):
        late(1, tile=5)
    assert late(1, backend="slow") == ("slow", 4)


def test_placeholders_are_values() -> None:
    one, same, other = Placeholder("<a>"), Placeholder("<a>"), Placeholder("<b>")
    assert one == same
    assert hash(one) == hash(same)
    assert one != other
    assert one != "<a>"


# -- foreign signatures -----------------------------------------------------------------------------------------------


class Liar:
    """Says that its signature holds things that are no parameters."""

    def __init__(self, signature: Any) -> None:
        self.__signature__ = signature

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return "fast"


class Lying(inspect.Signature):
    parameters = {"size": "no parameter"}  # type: ignore[assignment]  # noqa: RUF012 - the lie.


class Leaving(inspect.Signature):
    @property
    def parameters(self) -> Any:
        raise SystemExit


@pytest.mark.parametrize("signature", ["text", Lying(), Leaving()])
def test_a_foreign_signature_that_misbehaves_loses_only_the_merge(signature: Any) -> None:
    dispatcher = make("shown_lab")
    function = dispatcher.backend_dispatch(define("def f(x): pass"))
    dispatcher.register(adapter(f=Liar(signature)))
    assert list(inspect.signature(function).parameters) == ["x", "backend"]
    assert function(1, backend="fast") == "fast"


def test_ctrl_c_passes() -> None:
    class Interrupted(inspect.Signature):
        @property
        def parameters(self) -> Any:
            raise KeyboardInterrupt

    dispatcher = make("shown_lab")
    function = dispatcher.backend_dispatch(define("def f(x): pass"))
    with pytest.raises(KeyboardInterrupt):
        dispatcher.register(adapter(f=Liar(Interrupted())))
    assert function(1) is None


def test_ctrl_c_in_a_repr_passes() -> None:
    class Interrupted:
        def __repr__(self) -> str:
            raise KeyboardInterrupt

    dispatcher = make("shown_lab")
    function = dispatcher.backend_dispatch(define("def f(x): pass"))
    with pytest.raises(KeyboardInterrupt):
        dispatcher.register(adapter(f=define("def f(x, *, size=default): pass", default=Interrupted())))
    assert function(1) is None


def test_a_docstring_that_cannot_be_read_loses_only_the_description() -> None:
    class Undocumented:
        def __call__(self, x: Any, *, size: int = 3) -> Any: ...

        @property
        def __doc__(self) -> Any:  # type: ignore[override]  # the point of the test.
            raise RuntimeError

    dispatcher = make("shown_lab")
    function = dispatcher.backend_dispatch(define("def f(x): pass"))
    dispatcher.register(adapter(f=Undocumented()))
    assert "size" in inspect.signature(function).parameters


def test_names_that_cannot_be_resolved_in_a_host() -> None:
    def raising() -> Any:
        raise NameError("not yet")

    class Host:
        __name__ = "host"

        @property
        def __signature__(self) -> Any:
            return raising()

        def __call__(self, x: Any) -> Any: ...

    with pytest.raises(NameError):
        signature_of(Host())


def applying_defaults(function: Any) -> Any:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        bound = inspect.signature(function).bind(*args, **kwargs)
        bound.apply_defaults()
        return function(*bound.args, **bound.kwargs)

    return wrapper


def shim(function: Any) -> Any:
    @functools.wraps(function)
    def renaming(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return renaming


def closed(x: Any, n: int = 1) -> Any:
    return {}


def open_ended(x: Any, n: int = 1, **more: Any) -> Any:
    return more


class Closed:
    def __init__(self, x: Any, n: int = 1) -> None:
        self.more: dict[str, Any] = {}


class OpenEnded:
    def __init__(self, x: Any, n: int = 1, **more: Any) -> None:
        self.more = more


class Theirs:
    def __init__(self, x: Any, n: int = 1, *, device: Any, tile: int = 3) -> None: ...


HOSTS = {"closed": closed, "shim": shim(closed), "open": open_ended, "class": Closed, "open class": OpenEnded}
WAYS: dict[str, dict[str, Any]] = {"nothing": {}, "argument": {"backend": "cpu"}, "fallback": {"backend": ["none"]}}


@pytest.mark.parametrize("kind", HOSTS)
@pytest.mark.parametrize("way", [*WAYS, "undone"])
# That the backend is untrusted, and that the host runs in its place, is tested elsewhere.
@pytest.mark.filterwarnings("ignore::scverse_backends.exceptions.BackendWarning")
def test_what_a_filling_decorator_adds_reaches_no_host(kind: str, way: str) -> None:  # 4.9
    dispatcher = make("filled_lab")
    is_class = "class" in kind
    # Built anew, since decorating a class changes it.
    host = type("score", HOSTS[kind].__bases__, dict(vars(HOSTS[kind]))) if is_class else HOSTS[kind]
    score = (dispatcher.backend_class if is_class else dispatcher.backend_dispatch)(name="score")(host)
    dispatcher.register(adapter(score=Theirs if is_class else define("def f(x, n=1, *, device, tile=3): ...")))
    dispatcher.register(adapter("none"))
    if way == "undone":
        dispatcher.settings.backend = "fast"
        del dispatcher.settings.backend

    def more(*args: Any, **kwargs: Any) -> Any:
        returned = score(*args, **kwargs, **WAYS.get(way, {}))
        return returned.more if is_class else returned

    filled = inspect.signature(score).bind(1)
    filled.apply_defaults()
    given = {name: value for name, value in filled.kwargs.items() if name != "backend"}
    assert list(given) == ["device", "tile"]
    assert more(*filled.args, **given) == {}
    if "open" in kind:
        # A caller may give such a key without meaning a backend.
        assert more(1, 1, device=2, tile=3) == {"device": 2, "tile": 3}


@pytest.mark.parametrize("how", ["argument", "scope"])
@pytest.mark.parametrize("rest", ["", ", **kw"])
def test_no_placeholder_reaches_a_backend(rest: str, how: str) -> None:  # 4.2, 5.1
    dispatcher = make("placeholder_lab")
    score = applying_defaults(dispatcher.backend_dispatch(define(f"def score(x, *, m=1{rest}): ...")))
    for name, option in {"three": ", o=3", "four": ", o=4", "none": "", "any": ", **kw"}.items():
        dispatcher.register(adapter(name, score=define(f"def f(x, *, m=1{option}): return locals()")))

    def call(name: str, **options: Any) -> Any:
        if how == "argument":
            return score(1, backend=name, **options)
        with dispatcher.settings.use_backend(name):
            return score(1, **options)

    # The first call merges and the second takes the short way; then one more option has no default of its own.
    for need in ({}, {"need": 6}):
        if need:
            dispatcher.register(adapter("needy", score=define("def f(x, *, m=1, need): return locals()")))
        for _ in range(2):
            assert call("three") == {"x": 1, "m": 1, "o": 3}
            assert call("four", o=5) == {"x": 1, "m": 1, "o": 5}
            assert call("none") == {"x": 1, "m": 1}
            assert call("any") == {"x": 1, "m": 1, "kw": {}}
            if need:
                assert call("needy", need=6) == {"x": 1, "m": 1, "need": 6}
                with pytest.raises(TypeError, match="missing the required argument 'need'"):
                    call("needy")
    dispatcher.unregister("needy")
    assert call("none") == {"x": 1, "m": 1}
