"""What a person can ask for: which backends there are, what would run, and the log (7.1, 7.2, 7.4, 7.6)."""

from __future__ import annotations

import dataclasses
import io
import logging
import pickle
import pprint
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scverse_backends import BackendDispatcher
from scverse_backends.exceptions import BackendError, BackendLoadError, BackendWarning

GROUP = "report_lab.backends"


class Distribution:
    def __init__(self, name, version):
        self.name, self.version = name, version
        self.metadata = {"Name": name, "Version": version}


class Point:
    """An entry point as ``importlib.metadata`` gives it, whose adapter is made when it is loaded."""

    group = GROUP

    def __init__(self, name, make, *, distribution=None, version="1.2"):
        self.name, self.make = name, make
        self.value = f"{name}_module:adapter"
        self.dist = Distribution(distribution, version) if distribution else None
        self.loads = 0

    def load(self):
        self.loads += 1
        return self.make()


def adapter(name, aliases=(), **functions):
    made = type("Adapter", (), {})()
    made.name, made.aliases = name, list(aliases)
    for key, function in functions.items():
        setattr(made, key, function)
    return made


def fails(error):
    def make():
        raise error

    return make


def ran(name):
    return lambda x=0: name


def maybe(name, answer):
    implementation = ran(name)
    implementation.can_run = lambda x=0: answer
    return implementation


class Host:
    def __init__(self, points=(), **options):
        import importlib.metadata

        importlib.metadata.entry_points = lambda *, group: list(points)
        options.setdefault("untrusted", "allow")
        self.dispatcher = BackendDispatcher(entrypoint_group=GROUP, host_name="report_lab", **options)
        self.settings = self.dispatcher.settings

        @self.dispatcher.backend_dispatch
        def embed(x=0):
            return "cpu"

        @self.dispatcher.backend_dispatch(name="pl_score")
        def score(x=0):
            return "cpu"

        self.embed, self.score = embed, score

    def backend(self, name):
        (info,) = [info for info in self.dispatcher.backends() if info.name == name]
        return info


@pytest.fixture(autouse=True)
def _listing(monkeypatch):
    import importlib.metadata

    monkeypatch.setattr(importlib.metadata, "entry_points", importlib.metadata.entry_points)


# -- 7.1: the table of backends ----------------------------------------------------------------------------------------

TRUSTED = {
    "fast": {"package": "lab-fast", "aliases": ["quick"]},
    "absent": {"package": "lab-absent", "aliases": ["gone"]},
    "bare": {"entrypoints": ["bare"]},
    "misnamed": {"package": "lab-misnamed"},
    "broken": {"package": "lab-broken"},
}


@pytest.fixture
def lab():
    return Host(
        [
            Point("fast", lambda: adapter("fast", ["swift"], embed=ran("fast")), distribution="lab-fast"),
            Point("broken", fails(OSError("no driver")), distribution="lab-broken"),
            Point("misnamed", lambda: adapter("other"), distribution="lab-misnamed"),
            Point("quick", lambda: adapter("quick"), distribution="impostor"),
            Point("stranger", lambda: adapter("stranger", pl_score=ran("s")), distribution="somebody"),
            Point("bad", lambda: adapter("no good name"), distribution=None),
            Point("twin", lambda: adapter("stranger"), distribution="twin"),
        ],
        trusted_backends=TRUSTED,
        untrusted="warn",
    )


def test_an_available_trusted_backend(lab):
    info = lab.backend("fast")
    assert (info.aliases, info.distribution, info.version) == (("quick", "swift"), "lab-fast", "1.2")
    assert (info.entry_point, info.trusted, info.reason) == ("fast = fast_module:adapter", True, None)
    assert (info.state, info.error, info.functions) == ("available", None, ("embed",))


def test_functions_go_by_the_names_of_the_host(lab):
    # The backend provides ``pl_score``, which callers know as ``score``.
    info = next(info for info in lab.dispatcher.backends() if info.distribution == "somebody")
    assert info.functions == ("score",)
    assert (info.trusted, info.reason) == (False, "the host does not list it as trusted")


def test_a_failed_backend_shows_its_cause(lab):
    info = lab.backend("broken")
    assert (info.state, info.functions, info.aliases) == ("failed", (), ())
    assert isinstance(info.error, OSError)
    info = lab.backend("bad")
    assert info.state == "failed"
    assert isinstance(info.error, BackendLoadError)
    assert "no good name" in str(info.error)
    assert (info.distribution, info.version) == (None, None)


def test_a_refused_backend_shows_why(lab):
    info = lab.backend("quick")
    assert (info.state, info.error, info.trusted) == ("refused", None, False)
    assert "reserved for the trusted backend 'fast'" in info.reason
    twin = next(info for info in lab.dispatcher.backends() if info.distribution == "twin")
    assert (twin.state, twin.reason) == ("refused", "another product answers to its name")
    assert (twin.functions, twin.aliases, twin.trusted) == ((), (), False)


def test_a_missing_trusted_backend_shows_how_to_get_it(lab):
    info = lab.backend("absent")
    assert (info.state, info.aliases, info.distribution) == ("not installed", ("gone",), "lab-absent")
    assert "pip install lab-absent" in info.reason
    assert (info.error, info.version, info.entry_point) == (None, None, None)
    info = lab.backend("bare")
    assert info.state == "not installed"
    assert "pip" not in info.reason
    assert info.distribution is None


def test_the_right_distribution_with_a_wrong_adapter_is_not_said_to_be_missing(lab):  # 3.3
    info = lab.backend("misnamed")
    assert info.state == "failed"
    assert isinstance(info.error, BackendLoadError)
    assert "calls itself 'other'" in str(info.error)
    # A failed one has one line, and none that says that it is not installed.
    assert len([info for info in lab.dispatcher.backends() if info.name == "broken"]) == 1


def test_one_adapter_behind_two_entry_points_is_one_backend():
    shared = adapter("shared", ["also"])
    host = Host([Point("shared", lambda: shared, distribution="d"), Point("also", lambda: shared, distribution="d")])
    assert [info.name for info in host.dispatcher.backends()] == ["shared"]


def test_registered_adapters_are_listed():
    host = Host()
    host.dispatcher.register(adapter("mine", embed=ran("mine")))
    info = host.backend("mine")
    assert (info.distribution, info.entry_point, info.state, info.functions) == (None, None, "available", ("embed",))


def test_an_adapter_that_asks_for_the_table_while_it_is_loading():  # 2.9
    found = []

    def make():
        found.extend(host.dispatcher.backends())
        return adapter("curious")

    host = Host([Point("curious", make)])
    assert host.backend("curious").state == "available"
    assert found == []

    broken = Point("broken", fails(OSError("not yet")))
    again = Host([broken], trusted_backends={"broken": {"entrypoint": "broken"}})
    assert again.backend("broken").state == "failed"
    broken.make = lambda: found.extend(again.dispatcher.backends()) or adapter("broken")
    assert again.dispatcher.get_backend("broken") is not None
    assert found == []


def test_lazily_provided_functions_are_not_loaded():
    class Lazy:
        name = "lazy"
        asked: list[str] = []  # noqa: RUF012 - one instance only.

        def __getattr__(self, name):
            self.asked.append(name)
            raise AttributeError(name=name)

    host = Host([Point("lazy", Lazy)])
    assert host.backend("lazy").functions == ()
    assert set(Lazy.asked) <= {"aliases"}


def test_functions_that_became_known_by_being_used():  # 7.1
    class Lazy:
        name = "lazy"

        def __getattr__(self, name):
            if name == "embed":
                return ran("lazy")
            raise AttributeError(name)

    host = Host([Point("lazy", Lazy), Point("other", lambda: adapter("other"))])
    assert host.backend("lazy").functions == ()
    assert host.embed(backend="lazy") == "lazy"
    assert host.backend("lazy").functions == ("embed",)
    host.dispatcher.register(adapter("more"))  # Everything is looked at anew.
    assert host.backend("lazy").functions == ("embed",)
    assert host.backend("other").functions == ()


def test_records_are_frozen(lab):
    info = lab.backend("fast")
    for field in info.__match_args__:
        with pytest.raises(AttributeError):
            setattr(info, field, None)
        with pytest.raises(AttributeError):
            delattr(info, field)
    with pytest.raises(AttributeError):
        info.something_else = 1
    assert pickle.loads(pickle.dumps(info)) == info


def test_it_is_a_sequence_sorted_by_name(lab):
    table = lab.settings.backends()
    names = [info.name for info in table]
    assert names == sorted(names)
    assert len(table) == len(names)
    assert table[0] is next(iter(table))
    assert list(table[:2]) == [table[0], table[1]]
    assert table[-1] in table


def test_it_prints_as_a_table(lab):
    text = str(lab.dispatcher.backends())
    lines = text.splitlines()
    assert lines[0] == "Backends of report_lab"
    assert lines[2].split() == ["name", "aliases", "state", "trusted", "provided", "by", "functions"]
    fast = next(line for line in lines if line.startswith("fast"))
    assert fast.split() == ["fast", "quick,", "swift", "available", "yes", "lab-fast", "1.2", "embed"]
    assert "    OSError: no driver" in lines
    absent = next(line for line in lines if line.startswith("absent"))
    # It is no question whether something that is not there is trusted.
    assert absent.split() == ["absent", "gone", "not", "installed", "lab-absent"]
    assert lines[-1] == "Not trusted, since the host does not list it as trusted: other, stranger."
    assert max(map(len, lines)) <= 100
    assert repr(lab.dispatcher.backends()) == text


def test_without_backends_it_says_so():
    table = Host().dispatcher.backends()
    assert str(table) == "No backend of report_lab is installed."
    assert "No backend of report_lab" in table._repr_html_()


def test_foreign_text_is_escaped_in_html():
    host = Host([Point("evil", fails(ValueError("<img src=x onerror=alert(1)>")), distribution="<b>d</b>")])
    html = host.dispatcher.backends()._repr_html_()
    assert "<img" not in html
    assert "<b>" not in html
    assert "&lt;img src=x" in html


def test_the_table_warns_of_nothing_that_it_shows(lab):
    # Warnings are errors in this suite: only conflicts may be told, and they are told aside.
    assert len(lab.dispatcher.backends()) == 10


# -- 7.2: what would run -----------------------------------------------------------------------------------------------


def explained(host, *args):
    explanation = host.settings.explain(host.embed, *args)
    return explanation.requested, explanation.source, explanation.executes, explanation.reason


def test_every_source():
    host = Host([Point("fast", lambda: adapter("fast", ["quick"], embed=ran("fast")))])
    assert explained(host) == ("cpu", "default", "cpu", "cpu: selected")
    assert explained(host, "quick") == ("fast", "argument", "fast", "fast: runs")
    assert explained(host, "cpu") == ("cpu", "argument", "cpu", "cpu: selected")
    with host.settings.use_backend("quick"):
        assert explained(host) == ("fast", "scope", "fast", "fast: runs")
    host.settings.backend = "fast"
    assert explained(host) == ("fast", "process", "fast", "fast: runs")


def test_the_environment(monkeypatch):
    monkeypatch.setenv("REPORT_LAB_BACKEND", "fast, cpu")
    host = Host([Point("fast", lambda: adapter("fast", embed=ran("fast")))])
    assert explained(host) == (("fast", "cpu"), "environment", "fast", "fast: runs; cpu: not needed")


def test_a_wrong_environment_variable(monkeypatch):  # 1.5
    monkeypatch.setenv("REPORT_LAB_BACKEND", "fsat")
    host = Host([Point("fast", lambda: adapter("fast", embed=ran("fast")))])
    requested, source, executes, reason = explained(host)
    assert (requested, source, executes) == ("fsat", "environment", None)
    assert "REPORT_LAB_BACKEND" in reason
    assert "Did you mean 'fast'?" in reason
    assert "would raise (requested: fsat, by environment)" in str(host.settings.explain(host.embed))
    assert host.settings.explain(host.embed, "fast").executes == "fast"


def test_every_reason(lab):
    assert explained(lab, "absent")[2:] == (None, lab.backend("absent").reason)
    assert "OSError: no driver" in explained(lab, "broken")[3]
    assert explained(lab, "fast")[3] == "fast: runs"
    assert lab.settings.explain(lab.score, "fast").reason == "fast: not implemented; cpu: runs as fallback"
    with lab.settings.use_backend(None, fallback="raise"):
        explanation = lab.settings.explain(lab.score, "fast")
        assert explanation.executes is None
        assert explanation.reason == "fast: not implemented; cpu: does not run, since settings.fallback is 'raise'"
    requested, source, executes, reason = explained(lab, ["fast", 3])
    assert (requested, source, executes) == (("fast", "3"), "argument", None)
    assert "non-empty string" in reason


class Odd(Exception):
    """An exception that is made of more than it keeps, so that it cannot be copied or pickled."""

    def __init__(self, one, other):
        super().__init__(f"{one} {other}")


def test_an_error_that_cannot_be_copied_stands_behind_one_of_ours():
    host = Host([Point("odd", fails(Odd("no", "driver")))])
    (info,) = host.dispatcher.backends()
    assert isinstance(info.error, BackendLoadError)
    assert isinstance(info.error.__cause__, Odd)
    assert "no driver" in str(info.error)
    assert pickle.loads(pickle.dumps(info)).name == "odd"


def test_an_interrupt_while_an_error_is_copied_passes():
    class Interrupting(Exception):
        def __deepcopy__(self, memory):
            raise KeyboardInterrupt

    host = Host([Point("odd", fails(Interrupting()))])
    with pytest.raises(KeyboardInterrupt):
        host.dispatcher.backends()


def test_records_are_data_classes_to_whoever_asks(lab):
    info = lab.backend("fast")
    assert dataclasses.asdict(info)["aliases"] == info.aliases
    assert dataclasses.replace(info, name="other").name == "other"
    assert [field.name for field in dataclasses.fields(type(info))] == list(type(info).__match_args__)
    pprint.pprint([info] * 3, stream=io.StringIO())


def test_what_stands_behind_an_error_is_not_reached():
    host = Host([Point("odd", lambda: adapter("odd", embed=3)), Point("fast", lambda: adapter("fast"))])
    explanation = host.settings.explain(host.embed, ["odd", "fast", "cpu"])
    assert explanation.executes is None
    assert explanation.steps[1:] == (("fast", "not reached"), ("cpu", "not reached"))


def test_a_broken_export_would_raise():
    host = Host([Point("odd", lambda: adapter("odd", embed=3))])
    explanation = host.settings.explain(host.embed, "odd")
    assert explanation.executes is None
    assert explanation.steps[0][0] == "odd"
    assert explanation.steps[0][1].startswith("would raise: Backend 'odd' breaks its contract")


def test_what_is_unregistered_while_it_is_selected():
    host = Host()
    host.dispatcher.register(adapter("mine", embed=ran("mine")))
    host.settings.backend = "mine"
    host.dispatcher.unregister("mine")
    explanation = host.settings.explain(host.embed)
    assert (explanation.source, explanation.executes) == ("process", None)
    assert "Unknown backend 'mine'" in explanation.reason


def test_inside_the_implementation_the_host_would_run():  # 4.8
    seen = []
    host = Host()
    made = adapter("mine", embed=lambda x=0: seen.append(host.settings.explain(host.embed)))
    host.dispatcher.register(made)
    host.embed(backend="mine")
    assert seen[0].executes == "cpu"
    assert seen[0].reason == "cpu: part of a call that mine runs or declined"


def test_an_order_shows_every_entry():
    points = {
        "bare": Point("bare", lambda: adapter("bare")),
        "broken": Point("broken", fails(OSError("no driver"))),
        "choosy": Point("choosy", lambda: adapter("choosy", embed=maybe("choosy", "too big"))),
        "dask": Point("dask", lambda: adapter("dask", embed=ran("dask"))),
        "unused": Point("unused", lambda: adapter("unused", embed=ran("unused"))),
    }
    host = Host(points.values(), trusted_backends={"absent": {"package": "lab-absent"}})
    explanation = host.settings.explain(host.embed, ["absent", *points, "cpu"])
    assert explanation.executes == "choosy"
    assert explanation.requested == ("absent", *points, "cpu")
    names, texts = zip(*explanation.steps, strict=True)
    assert names == explanation.requested
    # The name stands beside each, and is not said again.
    assert texts[0] == "is known to report_lab but not installed. Install it with: pip install lab-absent"
    assert texts[1] == "not implemented"
    assert "no driver" in texts[2]
    assert all("Backend" not in text for text in texts)
    assert texts[3:] == ("runs unless it declines the arguments", "runs", "not needed", "not needed")
    assert "; then dask: runs; unused: not needed; cpu: not needed" in explanation.reason
    # Nothing is loaded that the call could not need.
    assert points["unused"].loads == 0
    assert points["dask"].loads == 1


def test_all_of_an_order_may_decline():
    host = Host([Point("choosy", lambda: adapter("choosy", embed=maybe("choosy", False)))])
    explanation = host.settings.explain(host.embed, ["choosy"])
    assert explanation.executes == "choosy"
    assert explanation.reason == "choosy: runs unless it declines the arguments; then cpu: runs as fallback"
    with host.settings.use_backend(None, fallback="raise"):
        explanation = host.settings.explain(host.embed, "choosy")
    assert explanation.executes == "choosy"
    assert explanation.reason.endswith("then cpu: does not run, since settings.fallback is 'raise'")


def test_explaining_is_not_using(lab):  # 3.5
    lab.settings.explain(lab.score, "stranger")
    lab.settings.explain(lab.score, ["fast", "stranger"])
    with pytest.warns(BackendWarning, match="not trusted"):
        lab.score(backend="stranger")


def test_it_is_one_line_where_one_line_does():
    host = Host([Point("fast", lambda: adapter("fast", embed=ran("fast")))])
    explanation = host.settings.explain(host.embed, "fast")
    # What the title has said already is not repeated.
    assert str(explanation) == "embed: runs on fast (requested: fast, by argument)"
    assert explanation.reason == "fast: runs"
    assert str(host.settings.explain(host.embed)) == "embed: runs on cpu (requested: cpu, by default)"
    assert repr(explanation) == str(explanation)


def test_it_is_a_table_where_one_line_does_not(lab):
    explanation = lab.settings.explain(lab.embed, ["absent", "broken", "fast", "cpu"])
    lines = str(explanation).splitlines()
    assert lines[0] == "embed: runs on fast (requested: absent, broken, fast, cpu, by argument)"
    assert max(map(len, lines)) <= 100
    assert lines[-2:] == ["fast     runs", "cpu      not needed"]
    html = explanation._repr_html_()
    assert html.count("<tr") == 5
    assert "not needed" in html


def test_an_error_is_shown_without_a_table(lab):
    explanation = lab.settings.explain(lab.embed, "<b>" * 30)
    assert explanation.steps == ()
    assert max(map(len, str(explanation).splitlines())) <= 100
    assert "<table" not in explanation._repr_html_()
    assert "<b><b>" not in explanation._repr_html_()


def test_explanations_are_frozen(lab):
    explanation = lab.settings.explain(lab.embed)
    with pytest.raises(AttributeError):
        explanation.executes = "fast"
    assert pickle.loads(pickle.dumps(explanation)) == explanation


def test_only_functions_of_the_host_can_be_explained(lab):
    with pytest.raises(TypeError, match="not dispatched"):
        lab.settings.explain(len)


KINDS = ("runs", "accepts", "declines", "lacks", "breaks", "fails", "refused", "not installed", "untrusted", "nothing")
NAMES = ("a", "b", "c", "d")


def installed(kinds, refuse):
    """Return a host with one backend of each kind, as the metadata and the adapters of an environment would have it."""
    points, trusted = [], {}
    for name, kind in kinds.items():
        if kind not in {"untrusted", "nothing"}:
            trusted[name] = {"package": f"dist-{name}"}
        if kind in ("nothing", "not installed"):
            continue
        functions = {
            "accepts": {"embed": maybe(name, True)},
            "declines": {"embed": maybe(name, "never today")},
            "lacks": {},
            "breaks": {"embed": 3},
        }.get(kind, {"embed": ran(name)})
        make = fails(OSError(f"no {name}")) if kind == "fails" else lambda n=name, f=functions: adapter(n, **f)
        distribution = "impostor" if kind == "refused" else f"dist-{name}"
        points.append(Point(name, make, distribution=distribution))
    return Host(points, trusted_backends=trusted, untrusted="refuse" if refuse else "allow")


@given(
    kinds=st.fixed_dictionaries({name: st.sampled_from(KINDS) for name in NAMES}),
    order=st.one_of(
        st.sampled_from((*NAMES, "cpu", "nope")),
        st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True).flatmap(
            lambda names: st.sampled_from([names, [*names, "cpu"]])
        ),
    ),
    how=st.sampled_from(["argument", "scope", "process", "environment", "default"]),
    policy=st.sampled_from(["explicit", "silent", "warn", "raise"]),
    refuse=st.booleans(),
    explain_first=st.booleans(),
)
@settings(max_examples=300)
def test_explain_agrees_with_what_then_runs(kinds, order, how, policy, refuse, explain_first):
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore", BackendWarning)
        import importlib.metadata

        patch.setattr(importlib.metadata, "entry_points", importlib.metadata.entry_points)
        if how == "environment":
            patch.setenv("REPORT_LAB_BACKEND", order if isinstance(order, str) else ", ".join(order))
        host = installed(kinds, refuse)
        argument = order if how == "argument" else None
        scope = host.settings.use_backend(None, fallback=policy)
        scope.__enter__()
        inner = host.settings.use_backend(order)
        try:
            if how == "scope":
                inner.__enter__()
            elif how == "process":
                scope.__exit__(None, None, None)
                host.settings.backend = order
                scope.__enter__()
        except BackendError:
            return  # What cannot be selected is not there to be explained.
        explanation = host.settings.explain(host.embed, argument) if explain_first else None
        with host.settings.trace() as calls:
            try:
                result = host.embed(backend=argument)
            except (BackendError, NotImplementedError):
                result = None
        explanation = explanation or host.settings.explain(host.embed, argument)
        names = [name for name, _ in explanation.steps]
        assert explanation.source == how
        assert calls[0].executed == result
        if result is not None:
            assert explanation.requested == calls[0].requested
            assert calls[0].source == how
        # The first that does not decline runs: the steps say who comes after one that may.
        may = {name for name, text in explanation.steps if "unless it declines" in text}
        if any(kinds[name] == "declines" for name in may):
            runs = [name for name, text in explanation.steps if text.startswith(("runs", "selected"))]
            expected = next((name for name in runs if kinds.get(name) != "declines"), None)
            assert result == expected
        else:
            assert explanation.executes == result
        if how != "default" and isinstance(order, list) and explanation.steps and explanation.executes in order:
            assert names[: len(order)] == order


# -- 7.6: the functions of the host ------------------------------------------------------------------------------------


def test_the_functions_of_a_host():
    host = Host()
    assert dict(host.dispatcher.functions()) == {"embed": host.embed, "pl_score": host.score}


# -- 7.4: the log ------------------------------------------------------------------------------------------------------


def test_discovery_is_logged_step_by_step(caplog):
    caplog.set_level(logging.DEBUG, logger="scverse_backends")
    host = Host([Point("fast", lambda: adapter("fast", embed=ran("fast")), distribution="lab-fast")])
    host.embed()
    assert caplog.records == []
    host.embed(backend="fast")
    assert {record.levelname for record in caplog.records} == {"DEBUG"}
    texts = [record.getMessage() for record in caplog.records]
    assert any("entry points in group 'report_lab.backends': 1, some of them new" in text for text in texts)
    assert any(text.startswith("loading entry point 'fast' of distribution 'lab-fast'") for text in texts)
    assert "report_lab: first use of backend 'fast' for embed()" in texts
    caplog.clear()
    # What was compiled while the backend was only becoming known is compiled once more, and that is no first use.
    host.embed(backend="fast")
    host.embed(backend="fast")
    assert caplog.records == []


def test_load_failures_are_logged_as_warnings_with_their_traceback_at_debug(caplog):  # 2.6
    caplog.set_level(logging.DEBUG, logger="scverse_backends")
    host = Host([Point("broken", fails(OSError("no driver")))])
    with pytest.raises(BackendLoadError):
        host.embed(backend="broken")
    (warning,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "'broken'" in warning.getMessage()
    assert "OSError: no driver" in warning.getMessage()
    assert any("Traceback (most recent call last)" in record.getMessage() for record in caplog.records)
    assert all(record.name == "scverse_backends" for record in caplog.records)
