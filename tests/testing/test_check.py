"""Section 8.2: the static contract, all problems at once, and nothing of the backend is run."""

from __future__ import annotations

import functools
import sys
import types
from types import SimpleNamespace

import pytest
from labs import make

from scverse_backends import BackendDispatcher
from scverse_backends.exceptions import BackendContractError, BackendError, UnknownBackendError
from scverse_backends.testing import Problem, _check, check_backend, temporary_backend
from scverse_backends.testing._import_cost import import_seconds


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
        ("warning", "embed", "scale"),
        ("warning", "score", "method"),
        ("note", "score", "copy"),
    ]


# -- exports -----------------------------------------------------------------------------------------------------------


def test_export_no_host_function_has_with_a_suggestion(d):
    (problem,) = found(d, scores=never)
    assert (problem.severity, problem.function) == ("warning", "scores")
    assert problem.advice.startswith("Call it 'score' if that is what it implements; otherwise leave it out")


def module(name="adapter_of_test", **contents):
    made = types.ModuleType(name)
    vars(made).update({"name": "fast", **contents})
    return made


def checked(d, adapter, **options):
    with temporary_backend(d, adapter, **options):
        return [problem for problem in check_backend(d, "fast") if "not list it as trusted" not in problem.message]


def test_what_a_module_lists_is_meant(d):
    adapter = module(__all__=["zeta", "name", "score", 3], score=good, zeta=1)
    assert short(checked(d, adapter)) == [("warning", "zeta", None)]


def test_what_a_module_imports_for_itself_is_nobodys_business(d):
    def helper():
        never()

    helper.__module__ = "adapter_of_test"
    adapter = module(score=good, SimpleNamespace=SimpleNamespace, never=never, sys=sys, CONSTANT=3, helper=helper)
    assert short(checked(d, adapter)) == [("note", "helper", None)]


def test_helpers_of_a_class(d):
    class Adapter:
        __slots__ = ()
        name = "fast"

        @staticmethod
        def score(data, features=None, *, method="mean", copy=True):
            never()

        def connect(self):
            never()

    assert short(checked(d, Adapter)) == [("note", "connect", None)]


def test_listed_but_missing(d):
    (problem,) = checked(d, module(__all__=["score"]))
    assert (problem.severity, problem.function, problem.message) == (
        "error",
        "score",
        "It stands in __all__, but the adapter does not have it.",
    )


def test_lazy_attribute_that_fails(d):
    def get(name):
        raise ImportError("no jax")

    (problem,) = checked(d, module(__all__=["score"], __getattr__=get))
    assert (problem.severity, problem.function) == ("error", "score")
    assert "ImportError: no jax" in problem.message


def test_ctrl_c_is_nobodys_problem(d):
    def get(name):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        checked(d, module(__all__=["score"], __getattr__=get))


def test_the_hosts_own_function_handed_back(d):
    (problem,) = found(d, score=d.functions()["score"])
    assert (problem.severity, problem.function) == ("note", "score")


def test_no_callable(d):
    (problem,) = found(d, score=[1])
    assert problem.message == "It is no callable but list."


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
    score.can_run = never
    assert found(d, score=wrap(score)) == []


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


@pytest.mark.parametrize(
    ("mine", "theirs", "differ"),
    [
        (2, 2, False),
        (2, 3, True),
        (2, 2.0, True),
        (float("nan"), float("nan"), False),
        ([1], [1], False),
        ([1], [2], True),
        (Loud("a"), Loud("a"), False),
        (Loud("a"), Loud("b"), True),
        (Loud(None), Loud(None), False),
        ("x" * 80 + "a", "x" * 80 + "b", True),
    ],
)
def test_defaults(mine, theirs, differ):
    dispatcher = BackendDispatcher(entrypoint_group="checked.backends", host_name="checked", untrusted="allow")

    @dispatcher.backend_dispatch
    def score(data, *, option=mine):
        never()

    problems = found(dispatcher, score=lambda data, *, option=theirs: never())
    assert short(problems) == ([("warning", "score", "option")] if differ else [])
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
    assert short(found(d, seeded=lambda data, *, random_state=0, dtype=float: never())) == [
        ("warning", "seeded", "rng")
    ]


# -- a host's release --------------------------------------------------------------------------------------------------


def version(host_function):
    dispatcher = BackendDispatcher(entrypoint_group="released.backends", host_name="released", untrusted="allow")
    return dispatcher, dispatcher.backend_dispatch(host_function)


def test_a_renamed_parameter_is_found_against_the_hosts_new_version():
    def cluster(data, *, resolution=1.0, n_iterations=2):
        """Version 1 of the host."""

    v1, keep1 = version(cluster)

    def cluster(data, *, gamma=1.0, n_iterations=2):
        """Version 2 of the host."""

    v2, keep2 = version(cluster)

    def backends(data, *, resolution=1.0, n_iterations=2):
        """Run on the backend."""

    assert found(v1, cluster=backends) == []
    (problem,) = found(v2, cluster=backends)
    assert (problem.severity, problem.function, problem.parameter) == ("warning", "cluster", "gamma")
    assert "The host may have renamed 'resolution'." in problem.message
    assert problem.advice == "Rename 'resolution' to 'gamma'."
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


def test_an_option_of_the_backend_alone_hides_no_renamed_one():
    def embed(data, n_components=2, *, standardize=False, seed=0):
        """Version 2."""

    def backends(data, n_components=2, *, precision="double", scale=False, threads=None, seed=0):
        """Run on the backend.

        Parameters
        ----------
        precision, threads
            Its own.
        """

    v2, keep = version(embed)
    (problem,) = found(v2, embed=backends)
    assert (problem.parameter, problem.advice) == ("standardize", "Rename 'scale' to 'standardize'.")
    assert keep is not None


def test_two_options_that_may_have_been_renamed_are_no_clue():
    def embed(data, *, standardize=False):
        """Version 2."""

    def backends(data, *, scale=False, quick=False):
        """Run on the backend.

        Parameters
        ----------
        scale, quick
            Its own.
        """

    v2, keep = version(embed)
    (problem,) = found(v2, embed=backends)
    assert (problem.severity, problem.parameter) == ("note", "standardize")
    assert "renamed" not in problem.message
    assert keep is not None


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
    assert "The name 'quick' is answered by registered adapter 'first'" in problem.message


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
    assert str(report) == "checked: backend 'fast' (checked-fast): 0 errors, 0 warnings, 0 notes"


def test_what_others_quarrel_about(d):
    with (
        temporary_backend(d, SimpleNamespace(name="first", aliases=["quick"])),
        temporary_backend(d, SimpleNamespace(name="second", aliases=["quick"])),
    ):
        assert checked(d, SimpleNamespace(name="fast", score=good)) == []


def test_a_taken_name(d, installed):
    installed(Point("one", SimpleNamespace(name="fast", aliases=["x"])), Point("two", SimpleNamespace(name="fast")))
    report = check_backend(d, "fast")
    assert report.distribution == "dist-one"
    assert (report.version, report.ok) == ("1.2", False)  # Its entry point has another name.


def test_a_backend_that_fails_to_load_shows_its_traceback(d, installed):
    installed(Point("broken", ImportError("no libcuda")), Point("fast", SimpleNamespace(name="fast")))
    report = check_backend(d, "broken")
    assert short(report) == [("error", None, None)]
    assert "ImportError: no libcuda" in report[0].message
    assert "Traceback" in report.traceback
    assert (report.backend, report.distribution) == ("broken", "dist-broken")


def test_an_adapter_of_a_name_it_may_not_have(d, installed):
    installed(Point("mine", SimpleNamespace(name="cpu")))
    (problem,) = check_backend(d, "mine")
    assert "is the name of the host implementation" in problem.message
    assert "Give the adapter a name that is its own" in problem.advice


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

    def measure(name, host):
        asked.append((name, host))
        return 2.34, ["jax", "numpy"]

    monkeypatch.setattr(_check, "import_seconds", measure)
    problem = check_backend(d, "fast")[0]
    assert problem.message.startswith("Importing slow_module takes 2.3 s, which brings jax, numpy.")
    assert asked == [("slow_module", "checked")]
    for nothing_to_say in (None, (0.1, ["jax"])):
        monkeypatch.setattr(_check, "import_seconds", lambda name, host, answer=nothing_to_say: answer)
        assert short(check_backend(d, "fast")) == [("note", None, None)]
    monkeypatch.setattr(_check, "import_seconds", lambda name, host: (2.0, []))
    assert "2.0 s. Whoever" in check_backend(d, "fast")[0].message


def test_the_measurement(tmp_path, monkeypatch):
    (tmp_path / "measured_host.py").write_text("print('loud')\n")
    (tmp_path / "measured_adapter.py").write_text("import measured_host, measured_library, json\n")
    (tmp_path / "measured_library.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    seconds, packages = import_seconds("measured_adapter", "measured_host")
    assert seconds >= 0
    assert packages == ["measured_library"]
    assert import_seconds("measured_adapter", "no_such_host")[1] == ["measured_host", "measured_library"]
    assert import_seconds("no_such_module", "measured_host") is None
    monkeypatch.setattr(sys, "executable", str(tmp_path / "none"))
    assert import_seconds("measured_adapter", "measured_host") is None
    assert "measured_adapter" not in sys.modules


# -- the report --------------------------------------------------------------------------------------------------------


def test_the_report_is_text_for_an_issue(d, installed):
    installed(
        Point("fast", SimpleNamespace(name="fast", score=lambda features=None, *, method="x", copy=True: never()))
    )
    report = check_backend(d, "fast")
    assert str(report) == repr(report)
    assert str(report).splitlines() == [
        "checked: backend 'fast' (dist-fast 1.2): 1 error, 1 warning, 1 note",
        "error    score(data): The host requires this parameter and the backend lacks it, so every call fails.",
        "         -> Add 'data'.",
        "warning  score(method): Its default is 'x' here and 'mean' in the host.",
        "         -> A call that leaves it out gives another result on this backend. Use the host's default.",
        "note     adapter: The host does not vouch for it: the host does not list it as trusted.",
        "         -> Ask the host to list the backend as trusted.",
    ]
    assert str(report[0]).startswith("error: score(data): The host requires")
    with pytest.raises(BackendContractError, match="1 error, 1 warning") as caught:
        report.require()
    assert (caught.value.host, caught.value.backend, caught.value.distribution) == ("checked", "fast", "dist-fast")


def test_notes_are_no_reason_to_fail(d):
    with temporary_backend(d, SimpleNamespace(name="fast")):
        report = check_backend(d, "fast")
    report.require()
    assert (report.ok, len(report), report[0]) == (True, 1, report[-1])
    assert str(report).startswith("checked: backend 'fast': 0 errors, 0 warnings, 1 note")
    assert isinstance(report[0], Problem)


def test_subjects():
    assert Problem("f", None, "note", "m", "a").subject == "f"


@pytest.mark.parametrize("wrong", [3, None, ["fast"]])
def test_what_is_no_name(d, wrong):
    with pytest.raises(TypeError, match=f"backend must be the name of a backend, not {type(wrong).__name__}"):
        check_backend(d, wrong)


def test_what_is_no_dispatcher(d):
    for wrong in (3, d.settings):
        with pytest.raises(TypeError, match="dispatcher must be the host's BackendDispatcher, not"):
            check_backend(wrong, "fast")


def test_the_host_itself_has_nothing_to_check(d):
    with pytest.raises(UnknownBackendError, match=r"^'cpu' is the host itself, which has no adapter to look at\.$"):
        check_backend(d, "cpu")
