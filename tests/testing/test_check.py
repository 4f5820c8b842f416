"""Section 8.2: the static contract, all problems at once, and nothing of the backend is run."""

from __future__ import annotations

import enum
import functools
import json
import runpy
import sys
import types
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from labs import define, make

from scverse_backends import BackendDispatcher
from scverse_backends.exceptions import BackendConflictWarning, BackendContractError, BackendError, UnknownBackendError
from scverse_backends.testing import Problem, _check, _import_clock, check_backend, temporary_backend
from scverse_backends.testing._import_cost import ImportCost, import_cost


def convert(value):
    return value


@pytest.fixture
def d():
    """Make a dispatcher of a few functions."""
    dispatcher = BackendDispatcher(entrypoint_group="checked.backends", host_name="checked", untrusted="allow")

    def score(data, features=None, *, method="mean", copy=True):
        """Score."""

    def embed(data, n_components=2, *, scale=False):
        """Embed."""

    def seeded(data, *, rng=None, dtype=float):
        """Draw."""

    def take(data, /, **options):
        """Take."""

    async def fetch(url):
        """Fetch."""

    async def stream(url):
        """Stream."""
        yield url

    class Model:
        """A model."""

        def __init__(self, size=3):
            self.size = size

    keep = [dispatcher.backend_dispatch(function) for function in (score, embed, take, fetch, stream)]
    keep.append(dispatcher.backend_dispatch(renamed={"rng": "random_state", "dtype": ("kind", convert)})(seeded))
    keep.append(dispatcher.backend_class(Model))
    dispatcher_of_test = SimpleNamespace(d=dispatcher, keep=keep)
    yield dispatcher
    dispatcher_of_test.keep.clear()


def never(*args, **kwargs):
    raise AssertionError("A check runs nothing.")


def found(d, **exports):
    """Return the problems but for the note on trust, as (severity, function, parameter)."""
    with temporary_backend(d, SimpleNamespace(name="fast", **exports)):
        report = check_backend(d, "fast")
    return [problem for problem in report if "not list it as trusted" not in problem.message]


def short(problems):
    return [(problem.severity, problem.function, problem.parameter) for problem in problems]


def good(data, features=None, *, method="mean", copy=True, block=1):
    """Score.

    Parameters
    ----------
    block
        How many at once.
    """
    never()


def test_a_good_backend_is_clean(d):
    assert found(d, score=good) == []


def test_all_problems_at_once(d):
    def score(dataset, features=None, *, method="median"):
        never()

    def embed(data, n_components, *, scale=0):
        never()

    assert short(found(d, score=score, embed=embed, sumarize=never, seeded=3)) == [
        ("error", "score", "data"),
        ("error", "seeded", None),
        ("warning", "score", "method"),
        ("note", "score", "copy"),
    ]


# -- exports -----------------------------------------------------------------------------------------------------------


def test_export_no_host_function_has_with_a_suggestion(d):
    (problem,) = found(d, scores=never)
    assert (problem.severity, problem.function) == ("warning", "scores")
    assert problem.advice == "Call it 'score' if that is what it implements."


def test_a_name_like_that_of_a_function_which_is_there_is_no_slip(d):
    names = {"score": good, "scores": never, "scored": never}
    (problem,) = checked(d, module(__all__=[*names], **names))
    assert (problem.severity, problem.function) == ("note", None)
    assert problem.message == "The host dispatches no function called 'scored', 'scores', so nothing ever calls them."
    assert problem.advice == "Leave them out of the adapter, or begin their names with an underscore."
    (problem,) = checked(d, module(__all__=["score", "scores"], **names))
    assert problem.message == "The host dispatches no function called 'scores', so nothing ever calls it."
    assert problem.advice == "Leave it out of the adapter, or begin its name with an underscore."


def module(name="adapter_of_test", **contents):
    made = types.ModuleType(name)
    vars(made).update({"name": "fast", **contents})
    return made


def checked(d, adapter, **options):
    with temporary_backend(d, adapter, **options):
        return [problem for problem in check_backend(d, "fast") if "not list it as trusted" not in problem.message]


def test_what_a_module_lists_is_meant(d):
    adapter = module(__all__=["zeta", "name", "score", 3], score=good, zeta=1)
    (problem,) = checked(d, adapter)
    assert (problem.severity, problem.function) == ("note", None)
    assert "'zeta'" in problem.message


def test_what_a_module_imports_for_itself_is_nobodys_business(d):
    def helper():
        never()

    helper.__module__ = "adapter_of_test"
    adapter = module(score=good, SimpleNamespace=SimpleNamespace, never=never, sys=sys, CONSTANT=3, helper=helper)
    (problem,) = checked(d, adapter)
    assert (problem.severity, problem.function) == ("note", None)
    assert problem.message.startswith("The host dispatches no function called 'helper', so")


def test_helpers_of_a_class(d):
    class Adapter:
        __slots__ = ()
        name = "fast"

        @staticmethod
        def score(data, features=None, *, method="mean", copy=True):
            never()

        def connect(self):
            never()

    (problem,) = checked(d, Adapter)
    assert problem.message.startswith("The host dispatches no function called 'connect', so")


def test_listed_but_missing(d):
    (problem,) = checked(d, module(__all__=["score"]))
    assert (problem.severity, problem.function, problem.message) == (
        "error",
        "score",
        "It stands in __all__, but the adapter does not have it.",
    )


def test_a_function_that_the_list_leaves_out(d):  # 8.2
    def embed(data, n_components=2, *, scale=False):
        never()

    def fetch(url):
        never()

    embed.__module__ = "adapter_of_test.functions"
    adapter = module(__all__=["score"], score=good, embed=embed, fetch=fetch, take=3, stream=d.functions()["stream"])
    problems = checked(d, adapter)
    # What is imported from elsewhere may be there for the adapter's own use.
    assert short(problems) == [("warning", "embed", None), ("note", "fetch", None)]
    assert problems[0].message.endswith("Its __all__ leaves it out, so calls run on the host.")
    assert problems[0].advice == "Add 'embed' to __all__ of adapter_of_test once it is ready."


def test_a_lazy_function_that_the_list_leaves_out(d):
    def get(name):
        if name == "embed":
            good.__module__ = "adapter_of_test.functions"
            return good
        if name == "fetch":
            raise ImportError("asked for what was never promised")
        raise AttributeError(name)

    assert short(checked(d, module(__all__=["score"], score=good, __getattr__=get))) == [("warning", "embed", None)]
    # Without a list, a lazy module exports all that it answers to.
    assert short(checked(d, module(__getattr__=lambda name: getattr(SimpleNamespace(score=good), name)))) == []


def test_ctrl_c_while_asking_for_what_the_list_leaves_out(d):
    def get(name):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        checked(d, module(__all__=[], __getattr__=get))


def test_two_functions_of_the_host_that_look_for_one_name():  # 4.1
    dispatcher = make("doubled_of_check")
    tl = dispatcher.backend_dispatch(define("def umap(data): ...", __name__="host.tl"))
    with pytest.warns(BackendConflictWarning):
        pl = dispatcher.backend_dispatch(define("def umap(data): ...", __name__="host.pl"))
    (problem,) = found(dispatcher, umap=lambda dataset: never())
    assert (problem.severity, problem.function) == ("error", "umap")
    assert problem.message == "Both host.tl.umap and host.pl.umap look for it, so no call of either runs on a backend."
    assert "@backend_dispatch(name=...)" in problem.advice
    # A backend without it is none of its victims.
    assert found(dispatcher) == []
    assert (tl.__name__, pl.__name__) == ("umap", "umap")


def test_lazy_attribute_that_fails(d):
    def get(name):
        raise ImportError("no jax")

    (problem,) = checked(d, module(__all__=["score"], __getattr__=get))
    assert (problem.severity, problem.function) == ("error", "score")
    assert "ImportError: no jax" in problem.message


def test_ctrl_c_is_nobodys_problem(d):
    def get(name):
        raise KeyboardInterrupt if name == "score" else AttributeError(name)

    with pytest.raises(KeyboardInterrupt):
        checked(d, module(__all__=["score"], __getattr__=get))


def test_the_hosts_own_function_handed_back(d):
    (problem,) = found(d, score=d.functions()["score"])
    assert (problem.severity, problem.function) == ("note", "score")


def test_no_callable(d):
    (problem,) = found(d, score=[1])
    assert problem.message == "It is an object of type list, which cannot be called."


def test_no_signature(d):
    class Odd:
        __signature__ = 3

        def __call__(self, *args):
            never()

    (problem,) = found(d, score=Odd())
    assert (problem.severity, problem.parameter) == ("note", None)
    assert "cannot be read" in problem.message


# -- kinds of functions ------------------------------------------------------------------------------------------------


def hiding(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


def kinds():
    def plain(url):
        never()

    async def coroutine(url):
        never()

    def generator(url):
        yield never()

    async def async_generator(url):
        yield never()

    made = {"plain": plain, "coroutine": coroutine, "generator": generator, "async_generator": async_generator}
    return {**made, **{f"hidden {kind}": hiding(function) for kind, function in made.items()}}


@pytest.mark.parametrize("host", ["plain", "coroutine", "generator", "async_generator"])
@pytest.mark.parametrize("theirs", ["plain", "coroutine", "generator", "async_generator"])
@pytest.mark.parametrize("hidden", ["", "hidden "])
def test_kinds_of_functions(host, theirs, hidden):  # 8.2
    dispatcher = make("kinds_of_check")
    decorated = dispatcher.backend_dispatch(name="fetch")(kinds()[host])
    severities = {
        ("plain", "coroutine"): "warning",
        ("plain", "generator"): "warning",
        ("plain", "async_generator"): "warning",
        ("coroutine", "plain"): "note",
        ("coroutine", "generator"): "warning",
        ("coroutine", "async_generator"): "warning",
        ("generator", "coroutine"): "error",
        ("generator", "async_generator"): "error",
        ("async_generator", "plain"): "note",
        ("async_generator", "coroutine"): "error",
        ("async_generator", "generator"): "note",
    }
    expected = severities.get((host, theirs))
    found_there = short(found(dispatcher, fetch=kinds()[hidden + theirs]))
    assert found_there == ([(expected, "fetch", None)] if expected else [])
    assert decorated.__name__ == host


def test_a_function_that_claims_to_wrap_itself_is_a_plain_one(d):
    def fetch(url):
        never()

    fetch.__wrapped__ = fetch
    assert [severity for severity, _, _ in short(found(d, fetch=fetch))] == ["note", "note"]


def test_a_class_for_a_class(d):
    class Model:
        def __init__(self, size=3):
            never()

    assert found(d, Model=Model) == []
    assert short(found(d, Model=lambda size=3: never())) == [("error", "Model", None)]


@pytest.mark.parametrize("wrap", [lambda f: f, lambda f: types.MethodType(f, object())])
def test_can_run_is_callable(d, wrap):
    def score(*args, **kwargs):
        never()

    score.can_run = "yes"
    (problem,) = found(d, score=wrap(score))
    assert (problem.severity, problem.parameter) == ("error", "can_run")
    assert problem.message == "It is an object of type str, which cannot be called, so every call fails."
    score.can_run = never
    assert found(d, score=wrap(score)) == []


def can_run_of(d, source):
    def embed(data, n_components=2, *, scale=False):
        never()

    embed.can_run = define(source)
    return [(problem.severity, problem.message) for problem in found(d, embed=embed)]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def f(data, n_components=2): ...", "It lacks 'scale', so that calls which give it fail."),
        ("def f(data, n_components=2, *, scale=False, gpu): ...", "It requires 'gpu', which the implementation does"),
        (
            "def f(n_components=2, data=None, *, scale=False): ...",
            "By position it takes n_components, data, and the implementation data, n_components.",
        ),
        (
            "def f(*, data, n_components=2, scale=False): ...",
            "By position it takes nothing, and the implementation data",
        ),
        (
            "async def f(data, n_components=2, *, scale=False): ...",
            "It is a coroutine function or a generator function",
        ),
        ("def f(data, n_components=2, *, scale=False): yield", "It is a coroutine function or a generator function"),
    ],
)
def test_can_run_that_cannot_answer(d, source, message):
    ((severity, found_message),) = can_run_of(d, source)
    assert severity == "error"
    assert found_message.startswith(message)


@pytest.mark.parametrize(
    "source",
    [
        "def f(data, n_components=2, *, scale=False): ...",
        "def f(data, n_components=2, scale=0, **options): ...",
        "def f(*args, **kwargs): ...",
        "def f(data, *args, **kwargs): ...",
        "def f(data, n_components=None, *, scale=False): ...",
    ],
)
def test_can_run_that_can_answer(d, source):
    assert can_run_of(d, source) == []


def test_options_that_no_caller_gives_by_position_may_stand_elsewhere(d):
    def embed(data, n_components=2, scale=False, tile=1):
        """Embed.

        Parameters
        ----------
        tile
            Rows at once.
        """
        never()

    embed.can_run = define("def f(data, n_components=2, *, tile=1, scale=False): ...")
    assert [problem.parameter for problem in found(d, embed=embed)] == ["scale"]  # Keyword-only in the host.

    def take(data, /, tile=1):
        never()

    take.can_run = define("def f(*, data, tile=1): ...")
    assert "By position it takes nothing, and the implementation data." in found(d, take=take)[0].message


def test_can_run_with_another_default(d):
    ((severity, message),) = can_run_of(d, "def f(data, n_components=50, *, scale=False): ...")
    assert severity == "warning"
    assert message == "It judges n_components=50 where the implementation runs n_components=2, their defaults."


# -- parameters --------------------------------------------------------------------------------------------------------


def test_kinds_that_differ_are_worth_a_note(d):
    (problem,) = found(d, embed=lambda data, *, n_components=2, scale=False: never())
    assert (problem.severity, problem.parameter) == ("note", "n_components")
    assert problem.message == "It is keyword-only here and positional or keyword in the host."


class Loud:
    def __init__(self, text):
        self.text = text

    def __repr__(self):
        if self.text is None:
            raise RuntimeError
        return self.text

    def __eq__(self, other):
        raise AssertionError("No foreign value is compared.")

    __hash__ = None


class Silent(Loud):
    """Another class of the same look."""


class Method(enum.StrEnum):
    MEAN = "mean"


NESTED = []
NESTED.append(NESTED)


@pytest.mark.parametrize(
    ("mine", "theirs", "severity"),
    [
        (2, 2, None),
        (2, 3, "warning"),
        # Equal numbers are the same default whatever their type.
        (2, 2.0, None),
        (True, 1, None),
        (0.5, np.float32(0.5), None),
        (np.int64(3), np.array(3), None),
        (np.int64(3), 4, "warning"),
        (float("nan"), float("nan"), None),
        ("mean", "median", "warning"),
        ("x" * 80 + "a", "x" * 80 + "b", "warning"),
        ([1], [1.0], None),
        ((1, 2), [1, 2], None),
        ({1}, frozenset({1}), None),
        ([1], [2], "warning"),
        ({"a": [1]}, {"a": (1,)}, None),
        ({"a": [1]}, {"a": [2]}, "warning"),
        (Method.MEAN, "mean", None),
        (Method.MEAN, "median", "warning"),
        # What a function works out by itself may come to the same.
        (None, 2, "note"),
        (2, None, "note"),
        (None, None, None),
        (Loud("a"), Loud("a"), None),
        (Loud("a"), Loud("b"), "note"),
        (Loud(None), Loud(None), None),
        # Two sentinels, each of a package of its own, that show themselves in the same way.
        (Loud("_empty"), Silent("_empty"), None),
        (Loud("a"), "a", "note"),
        (float, np.float32, "note"),
        (np.zeros(3), np.zeros(3), None),
        ([Loud("a")], [Loud("b")], "note"),
        (NESTED, 3, "note"),
    ],
)
def test_defaults(mine, theirs, severity):
    dispatcher = BackendDispatcher(entrypoint_group="checked.backends", host_name="checked", untrusted="allow")

    @dispatcher.backend_dispatch
    def score(data, *, option=mine):
        never()

    problems = found(dispatcher, score=lambda data, *, option=theirs: never())
    assert short(problems) == ([(severity, "score", "option")] if severity else [])
    assert all(len(problem.message) < 200 for problem in problems)
    assert score is not None


def test_required_option_of_the_backend(d):
    def embed(data, n_components=2, *, scale=False, device, _hidden=1, _secret):
        never()

    problems = found(d, embed=embed)
    assert short(problems) == [
        ("error", "embed", "_secret"),
        ("warning", "embed", "device"),
        ("warning", "embed", "device"),
    ]
    assert "nobody can give it" in problems[0].message
    assert {problem.advice for problem in problems[1:]} == {
        "Give it a default.",
        "Describe it under Parameters in the docstring.",
    }


def test_an_option_that_only_a_position_can_give(d):
    def embed(data, n_components=2, tile=3, _hidden=4, /, *, scale=False):
        never()

    (problem,) = (one for one in found(d, embed=embed) if one.severity != "note")
    assert (problem.severity, problem.parameter, problem.advice) == ("warning", "tile", "Let it be given by keyword.")
    assert problem.message.startswith("Nobody can give this option: it is positional-only")


def test_a_parameter_called_backend(d):
    assert short(found(d, embed=lambda data, n_components=2, *, scale=False, backend=None: never())) == [
        ("warning", "embed", "backend")
    ]
    assert short(found(d, embed=lambda data, backend, n_components=2, *, scale=False: never())) == [
        ("error", "embed", "backend")
    ]


def test_options_without_a_word(d):
    def embed(data, n_components=2, *, scale=False, tile=1, rows=2):
        """Embed.

        Parameters
        ----------
        tile
            Rows at a time.
        rows
        """
        never()

    assert short(found(d, embed=embed)) == [("warning", "embed", "rows")]


def test_options_that_the_host_describes_already():  # 5.8
    dispatcher = make("described_of_check")

    @dispatcher.backend_dispatch
    def draw(data, **kwargs):
        """Draw.

        Parameters
        ----------
        data
            What to draw.
        **kwargs
            As matplotlib takes them.

        Other Parameters
        ----------------
        colour
            Of the dots.
        """

    (problem,) = found(dispatcher, draw=lambda data, *, colour="red", tile=1, **kwargs: never())
    assert (problem.severity, problem.parameter) == ("warning", "tile")
    assert draw is not None


def test_a_docstring_that_raises(d):
    class Odd:
        @property
        def __doc__(self):
            raise RuntimeError

        def __call__(self, data, n_components=2, *, scale=False, tile=1):
            never()

    assert short(found(d, embed=Odd())) == [("warning", "embed", "tile")]


def test_keywords_take_everything(d):
    assert found(d, embed=lambda **kwargs: never(), score=lambda data, **kwargs: never()) == []
    assert found(d, take=lambda data, /, **options: never()) == []


def test_old_names_count_as_the_new_ones(d):  # 4.13
    assert found(d, seeded=lambda data, *, random_state=None, kind="float": never()) == []
    assert found(d, seeded=lambda data, *, rng=None, random_state=None, dtype=float: never()) == []
    assert short(found(d, seeded=lambda data, *, random_state=0, dtype=float: never())) == [("note", "seeded", "rng")]


# -- a host's release --------------------------------------------------------------------------------------------------


def version(host_function):
    dispatcher = BackendDispatcher(entrypoint_group="released.backends", host_name="released", untrusted="allow")
    return dispatcher, dispatcher.backend_dispatch(host_function)


def test_a_renamed_parameter_is_found_against_the_hosts_new_version():
    def cluster(data, *, n_neighbours=15, n_iterations=2):
        """Version 1 of the host."""

    v1, keep1 = version(cluster)

    def cluster(data, *, n_neighbors=15, n_iterations=2):
        """Version 2 of the host."""

    v2, keep2 = version(cluster)

    def backends(data, *, n_neighbours=15, n_iterations=2):
        """Run on the backend."""

    assert found(v1, cluster=backends) == []
    (problem,) = found(v2, cluster=backends)
    assert (problem.severity, problem.function, problem.parameter) == ("warning", "cluster", "n_neighbors")
    assert "The host may have renamed 'n_neighbours'." in problem.message
    assert problem.advice == "Rename 'n_neighbours' to 'n_neighbors'."
    assert keep1 is not keep2


def test_a_renamed_required_parameter_is_an_error():
    def old(dataset, labels):
        """Version 2."""

    v2, keep = version(old)
    problems = found(v2, old=lambda data_set, labels: never())
    assert short(problems)[0] == ("error", "old", "dataset")
    assert "every call fails. The host may have renamed 'data_set'." in problems[0].message
    assert problems[0].advice == "Rename 'data_set' to 'dataset'."
    assert keep is not None


@pytest.mark.parametrize(("host", "theirs"), [("standardize", "scale"), ("method", "metric"), ("copy", "block")])
def test_names_that_do_not_resemble_each_other_are_no_rename(host, theirs):
    v2, keep = version(define(f"def embed(data, *, {host}=False): ..."))
    backends = define(f"def embed(data, *, {theirs}=False): ...")
    backends.__doc__ = f"Embed.\n\nParameters\n----------\n{theirs}\n    Its own.\n"
    (problem,) = found(v2, embed=backends)
    assert (problem.severity, problem.parameter) == ("note", host)
    assert "renamed" not in problem.message
    assert keep is not None


def test_a_parameter_that_the_host_never_drops():  # 4.15
    dispatcher = make("never_drop_of_check", never_drop=("copy",))
    host = dispatcher.backend_dispatch(define("def embed(data, *, copy=False, tile=1): ..."))
    problems = found(dispatcher, embed=define("def embed(data): ..."))
    assert short(problems) == [("warning", "embed", "copy"), ("note", "embed", "tile")]
    assert "the host never drops it, so calls that give it do not run here" in problems[0].message
    assert host.__name__ == "embed"


# -- the adapter -------------------------------------------------------------------------------------------------------


def test_names_and_aliases(d):
    adapter = SimpleNamespace(name="fast", aliases=["ok", "not ok", "cpu"], score=good)
    with pytest.warns(UserWarning, match="Aliases of registered adapter"), temporary_backend(d, adapter, name="other"):
        report = check_backend(d, "fast")
    assert [problem.severity for problem in report] == ["warning", "warning", "note"]
    assert "'not ok' contains ' '" in report[0].message
    assert "authors" not in report[0].message
    assert "The entry point is called 'other'" in report[1].message


def test_a_taken_alias(d):
    with temporary_backend(d, SimpleNamespace(name="first", aliases=["quick"])):
        problems = checked(d, SimpleNamespace(name="fast", aliases=["quick"]))
    (problem,) = problems
    assert (problem.severity, problem.function) == ("warning", None)
    assert problem.message == (
        "Both registered adapter 'first' and registered adapter 'fast' claim the name 'quick'. "
        "The former answers to it."
    )
    assert problem.advice == "Choose a name of your own."


class Point:
    """An entry point, as the standard library lists it."""

    group = "checked.backends"

    def __init__(self, name, adapter, value="some_module"):
        self.name, self.adapter, self.value = name, adapter, value
        self.dist = SimpleNamespace(name=f"dist-{name}", version="1.2")

    def load(self):
        if isinstance(self.adapter, BaseException):
            raise self.adapter
        return self.adapter


@pytest.fixture
def installed(monkeypatch):
    """Make a function that pretends what is installed."""

    def install(*points):
        monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: list(points))

    return install


def test_a_trusted_backend_hears_nothing_of_trust():
    dispatcher = BackendDispatcher(
        entrypoint_group="checked.backends",
        host_name="checked",
        trusted_backends={"fast": {"package": "checked-fast"}},
    )
    with temporary_backend(dispatcher, SimpleNamespace(name="fast"), distribution="checked-fast"):
        report = check_backend(dispatcher, "fast")
    assert list(report) == []
    assert report.title == "checked: backend 'fast' (checked-fast): 0 errors, 0 warnings, 0 notes"
    assert str(report) == "checked: backend 'fast' (checked-fast)\n\n0 functions, 0 errors, 0 warnings, 0 notes"


def test_what_others_quarrel_about(d):
    with (
        temporary_backend(d, SimpleNamespace(name="first", aliases=["quick"])),
        temporary_backend(d, SimpleNamespace(name="second", aliases=["quick"])),
    ):
        assert checked(d, SimpleNamespace(name="fast", score=good)) == []


def test_a_taken_name(d, installed):
    installed(Point("one", SimpleNamespace(name="fast", aliases=["x"])), Point("two", SimpleNamespace(name="fast")))
    report = check_backend(d, "fast")
    # The entry point of the one is called as neither is, and the name of both is claimed twice.
    assert (report.distribution, report.version) == ("dist-one", "1.2")
    assert [problem.severity for problem in report] == ["warning", "warning", "note"]
    assert report[0].message == (
        "Both entry point 'one' of distribution 'dist-one' and entry point 'two' of distribution 'dist-two' claim the "
        "name 'fast'. The former answers to it."
    )
    assert report[0].advice.startswith("Where both are installed, nobody reaches the other one by it.")


def rivals(installed, *adapters):
    """Install adapters under one entry point's name, each in a distribution of its own."""
    points = [Point("fast", adapter, f"package_{number}") for number, adapter in enumerate(adapters)]
    for number, point in enumerate(points):
        point.dist = SimpleNamespace(name=f"dist-{number}", version="1")
    installed(*points)


BROKEN = ImportError("no libcuda")


@pytest.mark.parametrize(
    ("adapters", "severities", "verb"),
    [
        ([SimpleNamespace(name="fast"), SimpleNamespace(name="fast")], ["warning", "note"], "answers to it"),
        # Its authors will repair the second one, and meet the first.
        ([SimpleNamespace(name="fast"), BROKEN], ["warning", "note"], "answers to it"),
        ([BROKEN, SimpleNamespace(name="fast")], ["error", "warning"], "holds it, although it cannot be loaded"),
        ([BROKEN, BROKEN], ["error", "warning"], "holds it, although it cannot be loaded"),
    ],
)
# Finding the backend warns of the conflict too, whose report is what is tested.
@pytest.mark.filterwarnings("ignore::scverse_backends.exceptions.BackendConflictWarning")
def test_a_name_that_two_distributions_claim(d, installed, adapters, severities, verb):  # 2.5, 8.2
    rivals(installed, *adapters)
    report = check_backend(d, "fast")
    assert report.distribution == "dist-0"
    assert [problem.severity for problem in report] == severities
    problem = report[severities.index("warning")]
    assert problem.message == (
        "Both entry point 'fast' of distribution 'dist-0' and entry point 'fast' of distribution 'dist-1' claim the "
        f"name 'fast'. The former {verb}."
    )


# Finding the backend warns of the conflict too, whose report is what is tested.
@pytest.mark.filterwarnings("ignore::scverse_backends.exceptions.BackendConflictWarning")
def test_an_alias_that_two_distributions_claim(d, installed):  # 2.5, 8.2
    fast = SimpleNamespace(name="fast", aliases=["quick"])
    installed(Point("fast", fast), Point("other", SimpleNamespace(name="other", aliases=["quick"])))
    # Which aliases an adapter claims is known once it is loaded.
    d.discover()
    problems = check_backend(d, "fast"), check_backend(d, "other")
    for report, advice in zip(problems, ["Where both are installed", "Choose a name of your own."], strict=True):
        assert [problem.severity for problem in report] == ["warning", "note"]
        assert report[0].advice.startswith(advice)
        assert report[0].message == (
            "Both entry point 'fast' of distribution 'dist-fast' and entry point 'other' of distribution 'dist-other' "
            "claim the name 'quick'. The former answers to it."
        )


def test_two_entry_points_to_one_adapter_are_no_rivals(d, installed):  # 2.5
    rivals(installed, *[SimpleNamespace(name="fast")] * 2)
    assert short(check_backend(d, "fast")) == [("note", None, None)]


def test_a_broken_backend_whose_name_another_one_holds(d, installed):  # 2.5, 8.2
    points = [Point("fast", BROKEN, "second"), Point("fast", BROKEN, "first")]
    for point in points:
        point.dist = SimpleNamespace(name=f"dist-{point.value}", version="1")
    installed(*points)
    with pytest.warns(BackendConflictWarning, match="dist-first"):
        report = check_backend(d, "fast")
    assert (report.distribution, report[1].advice) == ("dist-second", "Choose a name of your own.")
    assert report[1].severity == "error"
    assert report[1].message.endswith("The former holds it, although it cannot be loaded.")
    assert "'dist-first' and entry point" in report[1].message


def test_a_backend_that_fails_to_load_shows_its_traceback(d, installed):
    installed(Point("broken", ImportError("no libcuda")), Point("fast", SimpleNamespace(name="fast")))
    report = check_backend(d, "broken")
    assert short(report) == [("error", None, None)]
    assert "ImportError: no libcuda" in report[0].message
    assert "Traceback" in report.traceback
    assert (report.backend, report.distribution) == ("broken", "dist-broken")


@pytest.mark.parametrize(
    ("adapter", "text"),
    [
        (SimpleNamespace(), "the adapter has no attribute 'name'."),
        (SimpleNamespace(name="my fast"), "its name 'my fast' contains ' ', but only"),
        (SimpleNamespace(name=None), "its name must be a string, not NoneType."),
    ],
)
def test_an_adapter_without_a_proper_name(d, installed, adapter, text):
    installed(Point("fast", adapter, "fast_package._backends.host"))
    report = check_backend(d, "fast")
    (problem,) = report
    assert problem.message.startswith(f"The entry point 'fast' of distribution 'dist-fast' gives no backend: {text}")
    assert problem.advice == "Write name = 'fast' in fast_package._backends.host."
    assert report.traceback == ""  # A slip that a sentence explains.


SEEN_AGAIN = "Repair broken_package.adapter. To see the error again: python -c 'import broken_package.adapter'"
CORRECT = "Write the module, or correct the entry point in pyproject.toml. Then install the package again."


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (ImportError("no libcuda"), SEEN_AGAIN),
        (ValueError("odd"), SEEN_AGAIN),
        (ModuleNotFoundError("nameless"), SEEN_AGAIN),
        (ModuleNotFoundError("x", name="broken_package.functions"), SEEN_AGAIN),
        (ModuleNotFoundError("x", name="broken_package.adapter"), CORRECT),
        (ModuleNotFoundError("x", name="broken_package"), CORRECT),
        (ModuleNotFoundError("x", name="cupy"), "Install 'cupy', or import it in the functions that need it."),
    ],
)
def test_what_would_let_an_adapter_be_imported(d, installed, error, advice):
    installed(Point("broken", error, "broken_package.adapter"))
    (problem,) = check_backend(d, "broken")
    assert problem.advice == advice


class NeedsADevice:
    name = "fast"

    def __init__(self, device):
        never()


@pytest.mark.parametrize(
    ("value", "adapter", "advice"),
    [
        ("NAME", ImportError("x"), "Repair NAME. To see the error again: python -c 'import NAME'"),
        ("NAME:gone", AttributeError("x"), "Repair NAME. To see the error again: python -c 'from NAME import gone'"),
        (
            "NAME:NeedsADevice",
            NeedsADevice,
            "Repair NAME. To see the error again: python -c 'from NAME import NeedsADevice; NeedsADevice()'",
        ),
        (
            "src/fast/adapter.py",
            ModuleNotFoundError("x", name="src/fast/adapter"),
            "Write the name of a module in pyproject.toml, as Python imports it. Then install the package again.",
        ),
    ],
)
def test_what_to_type_to_see_the_error_again(d, installed, value, adapter, advice):
    installed(Point("fast", adapter, value.replace("NAME", __name__)))
    (problem,) = check_backend(d, "fast")
    assert problem.advice == advice.replace("NAME", __name__)


CONFIGURED = {"package": "dist-fast", "entrypoints": ["fast"], "module_prefixes": ["fast"], "object_refs": ["fast.a"]}


@pytest.mark.parametrize(
    ("kinds", "entry_point", "advice"),
    [
        (
            ["package", "module_prefixes"],
            ("fast", "other._adapter"),
            "Ask the host to list 'other._adapter' in module_prefixes of trusted_backends['fast'], or change what",
        ),
        (
            ["package", "object_refs"],
            ("fast", "fast.b"),
            "Ask the host to list 'fast.b' in object_refs of trusted_backends['fast'], or change what does not match.",
        ),
        (
            ["entrypoints", "module_prefixes"],
            ("quick", "other.a"),
            "Ask the host to list 'quick' in entrypoints, 'other.a' in module_prefixes of trusted_backends['fast'],",
        ),
    ],
)
def test_what_the_host_would_have_to_list(installed, kinds, entry_point, advice):
    trusted = {kind: CONFIGURED[kind] for kind in kinds}
    dispatcher = make("listing_of_check", trusted_backends={"fast": {"aliases": ["quick"], **trusted}})
    point = Point(entry_point[0], SimpleNamespace(name="fast"), entry_point[1])
    point.dist = SimpleNamespace(name="dist-fast", version="1")
    installed(point)
    report = check_backend(dispatcher, entry_point[0])
    assert report[0].severity == "error"
    assert advice in report[0].advice


def test_an_impostor_is_told_to_choose_another_name(installed):
    dispatcher = make("impostor_of_check", trusted_backends={"fast": {"package": "real-fast"}})
    installed(Point("fast", SimpleNamespace(name="fast")))
    (problem,) = check_backend(dispatcher, "fast")
    assert problem.advice == (
        "Give the backend a name of its own. If it is 'fast', ask the host to list 'dist-fast' in distributions."
    )


def test_a_host_that_cannot_verify_anybody(installed):  # 3.4
    dispatcher = make("unverifiable_of_check", trusted_backends={"fast": {"aliases": ["quick"]}})
    installed(Point("fast", SimpleNamespace(name="fast")))
    (problem,) = check_backend(dispatcher, "fast")
    assert problem.advice == "Ask the host to name its package in trusted_backends['fast']."


def test_an_adapter_of_a_name_it_may_not_have(d, installed):
    installed(Point("mine", SimpleNamespace(name="cpu")))
    (problem,) = check_backend(d, "mine")
    assert "is the name of the host implementation" in problem.message
    assert problem.advice == "Give the adapter a name of its own."


def test_unknown_backend(d, installed):
    installed(Point("broken", ImportError("no libcuda")))
    with pytest.raises(UnknownBackendError, match="Unknown backend 'fats'"):
        check_backend(d, "fats")
    with pytest.raises(BackendError):
        check_backend(d, "cpu!")


# -- what importing costs ----------------------------------------------------------------------------------------------


def test_the_cost_of_importing(d, installed, monkeypatch):
    installed(Point("fast", SimpleNamespace(name="fast"), "slow_module:adapter"))
    asked = []

    def measure(name, host_modules):
        asked.append((name, host_modules))
        return answers.pop(0)

    monkeypatch.setattr(_check, "import_cost", measure)
    # The first time may compile what then lies ready, so the second counts.
    answers = [ImportCost(9.0, []), ImportCost(2.34, ["jax", "numpy"])]
    problem = check_backend(d, "fast")[0]
    assert problem.message.startswith("Importing slow_module takes 2.3 s, which brings jax, numpy.")
    assert asked == [("slow_module", (__name__,))] * 2
    for answers in ([None], [ImportCost(0.1, ["jax"])], [ImportCost(9.0, []), ImportCost(0.1, [])]):
        assert short(check_backend(d, "fast")) == [("note", None, None)]
        assert answers == []
    answers = [ImportCost(2.0, [])] * 2
    assert "2.0 s. Whoever" in check_backend(d, "fast")[0].message


@pytest.fixture
def sources(tmp_path, monkeypatch):
    """Make a function that writes modules which can be imported."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(modules):
        for name, text in modules.items():
            path = tmp_path / f"{name}.py"
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)

    return write


def test_the_measurement(sources, monkeypatch, tmp_path):
    sources(
        {
            "measured_adapter": "import measured_host, measured_library, json; print('half a line', end='')\n",
            "measured_host": "print('loud')\n",
            "measured_library": "",
            "measured_exit": "import os; os._exit(0)\n",
        }
    )
    cost = import_cost("measured_adapter", ["measured_host"])
    assert cost.seconds > 0
    assert cost.packages == ["measured_library"]
    assert import_cost("no_such_module", ["measured_host"]) is None
    assert import_cost("measured_exit", ["measured_host"]) is None
    monkeypatch.setattr(sys, "executable", str(tmp_path / "none"))
    assert import_cost("measured_adapter", ["measured_host"]) is None
    assert "measured_adapter" not in sys.modules


def test_the_measurement_is_a_program(sources, monkeypatch, capsys):
    monkeypatch.setattr(sys, "path", sys.path.copy())
    monkeypatch.setattr(sys, "meta_path", sys.meta_path.copy())
    monkeypatch.setattr(sys, "argv", ["program", json.dumps([sys.path, [], "json"])])
    runpy.run_path(_import_clock.__file__, run_name="__main__")
    assert json.loads(capsys.readouterr().out.splitlines()[-1])[1] == []


def test_odd_entries_of_the_path_change_nothing(sources, monkeypatch):  # 8.2
    sources({"odd_path_adapter": ""})
    monkeypatch.setattr(sys, "path", [*sys.path, Path("somewhere"), b"bytes", None, "\udcff"])
    assert import_cost("odd_path_adapter", []) is not None


@pytest.fixture
def clocked(sources, monkeypatch, capsys):
    """Make a function that measures here, by a clock that only moves when a module says ``takes(seconds)``."""
    now = [0.0]

    def takes(seconds):
        now[0] += seconds

    monkeypatch.setattr("time.perf_counter", lambda: now[0])
    monkeypatch.setattr(sys, "path", sys.path.copy())
    monkeypatch.setattr(sys, "meta_path", sys.meta_path.copy())
    monkeypatch.setitem(sys.modules, "clock_of_test", SimpleNamespace(takes=takes))

    def measure(modules, module, *hosts):
        sources({name: f"from clock_of_test import takes\n{text}\n" for name, text in modules.items()})
        before, finders = set(sys.modules), sys.meta_path.copy()
        _import_clock.main(json.dumps([sys.path, hosts, module]))
        for name in set(sys.modules) - before:
            del sys.modules[name]
        sys.meta_path[:] = finders
        return ImportCost(*json.loads(capsys.readouterr().out.splitlines()[-1]))

    return measure


LAZY = "import importlib\ndef __getattr__(name): return importlib.import_module(f'{__name__}.{name}')"


def test_what_an_adapter_brings_is_charged_to_it(clocked):
    modules = {
        "clocked_adapter": "import clocked_small, clocked_large, this; takes(1)",
        "clocked_small": "takes(2)",
        "clocked_large": "import clocked_below, clocked_large_too; takes(4)",
        "clocked_below": "takes(8)",
        "clocked_large_too": "try:\n    import clocked_and_missing\nexcept ImportError: pass",
    }
    # What another package brings is part of that package, and the standard library is nobody's.
    assert clocked(modules, "clocked_adapter") == ImportCost(15.0, ["clocked_large", "clocked_small"])


def test_the_host_is_never_charged_to_the_adapter(clocked):  # 8.2
    modules = {
        # A host package with another name than `host_name` and the group, which imports most of itself lazily.
        "skcost/__init__": LAZY + "\ntakes(1)",
        "skcost/machinery": "takes(2)",
        "skcost/functions": "import heavy_of_host; takes(4)",
        "skcost/extra": "import heavy_of_extra; import skcost.more; takes(8)",
        "skcost/more": "takes(16)",
        "heavy_of_host": "takes(32)",
        "heavy_of_extra": "takes(64)",
        "charged_adapter": "import skcost, heavy_of_host\nskcost.extra\nimport charged_own; takes(128)",
        "charged_own": "takes(256)",
    }
    assert clocked(modules, "charged_adapter", "skcost.machinery", "skcost.functions") == ImportCost(
        384.0, ["charged_own"]
    )
    # Also where the host cannot be imported before, and where something else brings it.
    modules["heavy_of_host"] = "raise ImportError"
    modules["charged_adapter"] = "import charged_own; takes(128)"
    modules["charged_own"] = "import skcost.more; takes(256)"
    assert clocked(modules, "charged_adapter", "skcost.functions") == ImportCost(384.0, ["charged_own"])


def test_what_only_looks_like_the_host_is_charged(clocked):
    modules = {"skcost2/__init__": "", "skcost2_adapter": "import skcost2, skcost2_more", "skcost2_more": "takes(1)"}
    assert clocked(modules, "skcost2_adapter", "skcost2") == ImportCost(1.0, ["skcost2_more"])


def test_what_cannot_be_timed_counts_for_who_imports_it(clocked, monkeypatch):
    class Loader:
        __slots__ = ()

        def create_module(self, spec):
            return None

        def exec_module(self, module):
            sys.modules["clock_of_test"].takes(1)

    class Finder:
        def find_spec(self, name, path, target):
            return ModuleSpec(name, Loader()) if name == "clocked_odd" else None

    sys.meta_path[:0] = [SimpleNamespace(), Finder()]
    assert clocked({"clocked_odd_adapter": "import clocked_odd"}, "clocked_odd_adapter") == ImportCost(1.0, [])


def test_the_modules_of_a_host_are_asked_of_the_dispatcher(sources, d, monkeypatch):
    asked = []
    monkeypatch.setattr(_check, "import_cost", lambda _, modules: asked.append(modules))
    sources(
        {
            "skhost/__init__": "",
            "skhost/functions": "def f(x): ...\n",
            "skhost/_made": "from scverse_backends import BackendDispatcher\n"
            "d = BackendDispatcher(entrypoint_group='other.group', host_name='another name')\n",
        }
    )
    import skhost._made
    import skhost.functions

    kept = skhost._made.d.backend_dispatch(skhost.functions.f)
    entry_point = "fast = skhost_adapter"
    with temporary_backend(skhost._made.d, SimpleNamespace(name="fast"), distribution="x", entry_point=entry_point):
        check_backend(skhost._made.d, "fast")
    assert asked == [("skhost._made", "skhost.functions")]
    assert kept is not None


# -- the report --------------------------------------------------------------------------------------------------------


def test_the_report_is_text_for_an_issue(d, installed):
    installed(
        Point("fast", SimpleNamespace(name="fast", score=lambda features=None, *, method="x", copy=True: never()))
    )
    report = check_backend(d, "fast")
    assert str(report) == repr(report)
    assert str(report).splitlines() == [
        "checked: backend 'fast' (dist-fast 1.2)",
        "",
        "adapter",
        "  note     It is not trusted: the host does not list it as trusted.",
        "           -> Ask the host to list 'fast' in trusted_backends.",
        "",
        "score",
        "  error    data: The host requires this parameter and the backend lacks it, so every call fails.",
        "           -> Add 'data'.",
        "  warning  method: Its default is 'x' here and 'mean' in the host.",
        "           -> A call that leaves it out gives another result on this backend. Use the host's default.",
        "",
        "1 function, 1 error, 1 warning, 1 note",
    ]
    assert str(report[0]).startswith("error: score(data): The host requires")
    assert report.functions == ("score",)
    with pytest.raises(BackendContractError, match="1 error, 1 warning") as caught:
        report.require()
    assert (caught.value.host, caught.value.backend, caught.value.distribution) == ("checked", "fast", "dist-fast")


def test_what_is_true_of_several_parameters_is_said_once(d):
    def score(data, *, tile=1, device=0):
        never()

    with temporary_backend(d, SimpleNamespace(name="fast", score=score)):
        report = check_backend(d, "fast")
    assert len(report) == 6
    lines = str(report).splitlines()
    assert "  warning  tile, device: This option shows in the host's help without a description." in lines
    assert "  note     features, method, copy: The host has this option and the backend lacks it, so it is dropped" in (
        line.removesuffix(" with a warning.") for line in lines
    )
    # The last line counts the lines above it, and the report what they are made of.
    assert lines[-1] == "1 function, 0 errors, 1 warning, 2 notes"
    assert report.title == "checked: backend 'fast': 0 errors, 1 warning, 2 notes"
    assert report.counts == {"error": 0, "warning": 2, "note": 4}


def test_notes_are_no_reason_to_fail(d):
    with temporary_backend(d, SimpleNamespace(name="fast")):
        report = check_backend(d, "fast")
    report.require()
    assert (report.ok, len(report), report[0]) == (True, 1, report[-1])
    assert report.counts == {"error": 0, "warning": 0, "note": 1}
    assert report.title == "checked: backend 'fast': 0 errors, 0 warnings, 1 note"
    assert isinstance(report[0], Problem)


def test_a_problem_says_what_it_is_about():
    assert str(Problem("f", None, "note", "Message.", "Advice.")) == "note: f: Message. Advice."
    assert Problem("f", "x", "note", "m", "a").subject == "f(x)"
    assert Problem(None, None, "note", "m", "a").subject == "adapter"


@pytest.mark.parametrize("wrong", [3, None, ["fast"]])
def test_what_is_no_name(d, wrong):
    with pytest.raises(TypeError, match=f"backend must be the name of a backend, not {type(wrong).__name__}"):
        check_backend(d, wrong)


def test_a_host_by_its_name(sources, monkeypatch):
    sources(
        {
            "named_host/__init__": LAZY + "\n__all__ = ['all']",
            "named_host/_made": "from scverse_backends import BackendDispatcher\n"
            "dispatcher = BackendDispatcher(entrypoint_group='named_host.backends', host_name='named_host')\n"
            "@dispatcher.backend_dispatch\ndef embed(data): ...\n",
            "named_host/all": "import named_host._made\n",
        }
    )
    sources({"named_adapter": "name = 'fast'\ndef embed(data, *, tile=1): ...\n"})
    point = SimpleNamespace(name="fast", value="named_adapter", group="named_host.backends", dist=None)
    point.load = lambda: __import__("named_adapter")
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: [point])
    assert short(check_backend("named_host", "fast"))[0] == ("warning", "embed", "tile")


@pytest.mark.parametrize("host", ["no_such_host", "json", "not a name"])
def test_a_name_that_is_no_hosts(host):
    with pytest.raises(ValueError, match=f"{host!r}"):
        check_backend(host, "fast")


def test_what_is_no_dispatcher(d):
    for wrong in (3, d.settings):
        with pytest.raises(TypeError, match="dispatcher must be the host's BackendDispatcher, not"):
            check_backend(wrong, "fast")


def test_the_host_itself_has_nothing_to_check(d):
    with pytest.raises(UnknownBackendError, match=r"^'cpu' is the host itself, which has no adapter to look at\.$"):
        check_backend(d, "cpu")
