"""Finding backends as a user meets it: real metadata on `sys.path`, faked entry points, adapters registered by hand."""

from __future__ import annotations

import gc
import importlib
import importlib.metadata
import logging
import pickle
import re
import sys
import threading
import warnings
import weakref
from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scverse_backends import BackendDispatcher
from scverse_backends.exceptions import (
    BackendConflictWarning,
    BackendLoadError,
    BackendLoadWarning,
    BackendNotInstalledError,
    FallbackWarning,
    ReservedBackendError,
    UnknownBackendError,
    UntrustedBackendWarning,
)
from scverse_backends.testing import isolated

GROUP = "disc_host.backends"


class Site:
    """A folder on `sys.path` that holds distributions, and a record of the modules that were executed."""

    def __init__(self, folder):
        self.folder = folder
        self.log = folder / "executed.txt"
        self.log.write_text("")

    def module(self, name, source):
        path = self.folder.joinpath(*name.split(".")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        note = f"with open({str(self.log)!r}, 'a') as log: log.write(__name__ + '\\n')\n"
        path.write_text(note + dedent(source))

    def distribution(self, name, points, *, version="1.0", metadata=None, folder=None):
        stem = name.replace("-", "_")
        info = (folder or self.folder) / f"{stem}-{version}.dist-info"
        info.mkdir(parents=True)
        if metadata is None:
            metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        (info / "METADATA").write_text(metadata)
        if isinstance(points, dict):
            points = f"[{GROUP}]\n" + "".join(f"{key} = {value}\n" for key, value in points.items())
        (info / "entry_points.txt").write_text(points)
        return info

    def backend(self, name, *, module=None, distribution=None, aliases=(), body=""):
        """Install a distribution whose adapter module calls itself as its entry point does."""
        module = module or f"disc_{name.replace('-', '_').replace('.', '_')}"
        self.module(module, f"name = {name!r}\naliases = {list(aliases)!r}\ndef f(x): return {name!r}\n{body}")
        return self.distribution(distribution or f"{name}-pkg", {name: module})

    @property
    def executed(self):
        return self.log.read_text().split()


@pytest.fixture
def site(tmp_path, monkeypatch):
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    before = set(sys.modules)
    yield Site(folder)
    for name in set(sys.modules) - before:
        if name.startswith(("disc_", "my_backend")):
            del sys.modules[name]


def make(**options):
    options.setdefault("untrusted", "allow")
    dispatcher = BackendDispatcher(entrypoint_group=GROUP, host_name="disc_host", **options)

    @dispatcher.backend_dispatch
    def f(x):
        return "host"

    return dispatcher, f


def fake_points(monkeypatch, points):
    """Patch the listing, as hosts' own tests do."""
    calls = []

    def entry_points(**selection):
        calls.append(selection)
        return list(points)

    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)
    return calls


class FakeDistribution:
    def __init__(self, name, version="1.0"):
        self.name = name
        self.version = version


class FakePoint:
    """A stand-in that hands out an object or calls a function, and counts how often."""

    def __init__(self, name, adapter, *, value="fake_module:adapter", dist=None):
        self.name = name
        self.value = value
        self.dist = FakeDistribution(dist) if dist else None
        self.adapter = adapter
        self.loads = 0

    def load(self):
        self.loads += 1
        return self.adapter() if callable(self.adapter) and not isinstance(self.adapter, type) else self.adapter


def adapter(name, aliases=(), **functions):
    class Adapter:
        pass

    made = Adapter()
    made.name = name
    made.aliases = list(aliases)
    for key, function in (functions or {"f": lambda x: name}).items():
        setattr(made, key, function)
    return made


# -- 2.1 listing -------------------------------------------------------------------------------------------------------


def test_importing_decorating_and_cpu_calls_list_nothing(monkeypatch):  # 2.1
    calls = fake_points(monkeypatch, [])
    dispatcher, f = make()
    assert f(1) == f(1, backend="cpu") == "host"
    with dispatcher.settings.use_backend("cpu"):
        assert f(1) == "host"
    assert calls == []


def test_each_dispatcher_lists_once(site, monkeypatch):  # 2.1
    site.backend("fast")
    real = importlib.metadata.entry_points
    calls = []

    def counting(**selection):
        calls.append(selection)
        return real(**selection)

    monkeypatch.setattr(importlib.metadata, "entry_points", counting)
    dispatcher, f = make()
    assert f(1, backend="fast") == "fast"
    dispatcher.discover()
    assert dispatcher.available_backends() == ["fast"]
    assert calls == [{"group": GROUP}]


def test_another_listing_function_is_asked_anew(monkeypatch):  # 2.1
    dispatcher, f = make()
    fake_points(monkeypatch, [FakePoint("one", adapter("one"))])
    assert dispatcher.available_backends() == ["one"]
    fake_points(monkeypatch, [FakePoint("two", adapter("two"))])
    assert dispatcher.available_backends() == ["two"]
    assert f(1, backend="two") == "two"
    with pytest.raises(UnknownBackendError):
        f(1, backend="one")


# -- 2.2 adapters ------------------------------------------------------------------------------------------------------


def test_module_class_and_object_adapters(site):  # 2.2
    site.module(
        "disc_kinds",
        """
        made = []
        class Class:
            name = "class"
            def __init__(self): made.append(self)
            def f(self, x): return "class"
        class Other:
            def f(self, x): return "object"
        obj = Other()
        obj.name = "object"
        name = "module"
        def f(x): return "module"
        """,
    )
    site.distribution(
        "kinds", {"module": "disc_kinds", "class": "disc_kinds:Class", "object": "disc_kinds:obj [extra]"}
    )
    dispatcher, f = make()
    assert [f(1, backend=name) for name in ("module", "class", "object")] == ["module", "class", "object"]
    f(2, backend="class")
    dispatcher.discover()
    assert len(sys.modules["disc_kinds"].made) == 1
    assert dispatcher.get_backend("module") is sys.modules["disc_kinds"]


# -- 2.3 only what is asked for ----------------------------------------------------------------------------------------


def test_a_selection_imports_one_adapter(site):  # 2.3
    for name in ("fast", "slow", "other"):
        site.backend(name)
    _dispatcher, f = make(trusted_backends={"other": {"aliases": ["o"], "package": "other-pkg"}})
    assert f(1, backend="fast") == "fast"
    assert site.executed == ["disc_fast"]
    assert f(1, backend="o") == "other"
    assert site.executed == ["disc_fast", "disc_other"]


def test_an_alias_that_only_adapters_know_loads_them_all(site):  # 2.3
    site.backend("fast")
    site.backend("slow", aliases=["s"])
    dispatcher, f = make()
    assert f(1, backend="s") == "slow"
    assert sorted(site.executed) == ["disc_fast", "disc_slow"]
    dispatcher.settings.backend = "s"
    assert dispatcher.settings.backend == "slow"


@pytest.mark.parametrize("ask", ["discover", "available_backend_names", "available_backends", "backends"])
def test_listings_load_every_adapter(site, ask):  # 2.3
    site.backend("fast")
    site.backend("slow")
    dispatcher, _ = make()
    getattr(dispatcher, ask)()
    assert sorted(site.executed) == ["disc_fast", "disc_slow"]


def test_selecting_touches_no_lazily_provided_function(site):  # 2.3
    lazy = """
    name = {name!r}
    __all__ = ["f"]
    def __getattr__(attribute):
        if attribute.startswith("__") or attribute == "aliases":
            raise AttributeError(attribute)
        with open({log!r}, "a") as log:
            log.write({name!r} + "." + attribute + "\\n")
        return lambda x: {name!r}
    """
    for name in ("fast", "slow"):
        site.module(f"disc_{name}", dedent(lazy).format(name=name, log=str(site.log)))
        site.distribution(name, {name: f"disc_{name}"})
    dispatcher, f = make()
    dispatcher.settings.backend = "fast"
    assert dispatcher.available_backends() == ["fast", "slow"]
    assert dispatcher.backends()[0].functions == ("f",)
    assert sorted(site.executed) == ["disc_fast", "disc_slow"]
    assert f(1) == "fast"
    assert set(site.executed) == {"disc_fast", "disc_slow", "fast.f"}


# -- 2.4 labels --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["cpu", "CPU", "Gpu", "TRUSTED", "t-alias", "T-Alias", "", "a b", "-a", "a.", 3, None])
def test_names_that_no_backend_may_bear(monkeypatch, name):  # 2.4
    fake_points(monkeypatch, [FakePoint("point", adapter(name))])
    dispatcher, _ = make(
        trusted_backends={"trusted": {"aliases": ["t-alias"], "package": "p"}}, reserved_backends={"gpu": "Say cuda."}
    )
    with pytest.warns(BackendLoadWarning, match="its name"):
        dispatcher.discover()
    assert dispatcher.available_backend_names() == []


def test_bad_aliases_are_ignored_one_by_one(monkeypatch):  # 2.4
    point = FakePoint("fast", adapter("fast", ["ok", "CPU", "a b", "gpu", 7, "fast", "also-ok"]), dist="fast-pkg")
    fake_points(monkeypatch, [point])
    dispatcher, f = make(reserved_backends={"GPU": "Say cuda."})
    with pytest.warns(BackendLoadWarning, match="Aliases of entry point 'fast' of distribution 'fast-pkg'") as caught:
        assert f(1, backend="fast") == "fast"
    assert len(caught) == 1
    for part in ("'CPU'", "'a b'", "'gpu'", "int"):
        assert part in str(caught[0].message)
    assert dispatcher.available_backend_names() == ["also-ok", "fast", "ok"]


@pytest.mark.parametrize("aliases", ["cuda", None, 3, {"a": 1}])
def test_what_is_no_collection_of_aliases_is_ignored(monkeypatch, aliases):  # 2.4
    made = adapter("fast")
    made.aliases = aliases
    fake_points(monkeypatch, [FakePoint("fast", made)])
    dispatcher, _ = make()
    with pytest.warns(BackendLoadWarning, match="must be a list, tuple or set"):
        assert dispatcher.available_backend_names() == ["fast"]


@pytest.mark.parametrize("kind", [list, tuple, set, frozenset])
def test_collections_of_aliases(monkeypatch, kind):  # 2.4
    made = adapter("fast")
    made.aliases = kind(["b", "a"])
    fake_points(monkeypatch, [FakePoint("fast", made)])
    assert make()[0].available_backend_names() == ["a", "b", "fast"]


# -- 2.5 who answers ---------------------------------------------------------------------------------------------------

LABELS = ["a", "b", "c", "d"]
specifications = st.lists(
    st.tuples(
        st.sampled_from(LABELS),  # entry point
        st.sampled_from([*LABELS, "fails"]),  # adapter
        st.lists(st.sampled_from(LABELS), max_size=2),  # aliases
    ),
    max_size=5,
)


def points_of(specification):
    def broken():
        raise ImportError("broken")

    return [
        FakePoint(point, broken if name == "fails" else adapter(name, aliases), dist=f"dist-{index}")
        for index, (point, name, aliases) in enumerate(specification)
    ]


def expected_answers(specification):
    """Say who answers to each label, by 2.5 read literally: the index of the entry point, or ("failed", index)."""
    table = {}
    shadowed = set()
    for index, (point, name, _) in enumerate(specification):
        if name == "fails" and point not in table:
            table[point] = ("failed", index)
        elif name == point:
            if name in table:
                shadowed.add(index)
            else:
                table[name] = index
    for index, (point, name, _) in enumerate(specification):
        if name not in ("fails", point):
            if name in table:
                shadowed.add(index)
            else:
                table[name] = index
    for index, (_, name, aliases) in enumerate(specification):
        if name != "fails" and index not in shadowed:
            for alias in aliases:
                table.setdefault(alias, index)
    return table


@given(specifications, st.lists(st.sampled_from([*LABELS, "all"]), max_size=6))
@settings(max_examples=150)
def test_who_answers_does_not_depend_on_what_is_loaded(specification, queries):  # 2.5
    points = points_of(specification)
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fake_points(patch, points)
        dispatcher, f = make()
        expected = expected_answers(specification)
        for query in [*queries, *LABELS]:
            if query == "all":
                dispatcher.discover()
                continue
            answer = expected.get(query)
            if answer is None:
                with pytest.raises(UnknownBackendError):
                    dispatcher.settings.backend = query
            elif isinstance(answer, tuple):
                with pytest.raises(BackendLoadError) as caught:
                    dispatcher.settings.backend = query
                assert caught.value.distribution == f"dist-{answer[1]}"
            else:
                assert dispatcher.get_backend(query) is points[answer].adapter
                dispatcher.settings.backend = query
                assert dispatcher.settings.backend == points[answer].adapter.name
                with dispatcher.settings.use_backend([query]):
                    assert f(1) == points[answer].adapter.name
        names = sorted(label for label, answer in expected.items() if not isinstance(answer, tuple))
        assert dispatcher.available_backend_names() == names


def expected_of_order(specification, name):
    """Say what runs under ``[name, "cpu"]``: an adapter's name, the host, or nothing, since the name is unknown."""
    answer = expected_answers(specification).get(name)
    if isinstance(answer, int):
        return specification[answer][1]
    if answer is None:
        for index, (point, own_name, _) in enumerate(specification):
            # An entry point's name is known. What its adapter calls itself decides whether it can be selected.
            if point == name and expected_answers(specification).get(own_name) == index:
                return own_name
    return "host" if any(point == name for point, *_ in specification) else None


@given(specifications, st.randoms(use_true_random=False), st.lists(st.sampled_from([*LABELS, "all"]), max_size=4))
@settings(max_examples=150)
def test_neither_the_listing_nor_what_is_loaded_decides(specification, random, queries):  # 1.9, 2.5
    points = points_of(specification)
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fake_points(patch, random.sample(points, len(points)))
        dispatcher, f = make()
        for query in queries:
            if query == "all":
                dispatcher.discover()
            else:
                dispatcher.get_backend(query)
        for label in random.sample(LABELS, len(LABELS)):
            expected = expected_of_order(specification, label)
            if expected is None:
                with pytest.raises(UnknownBackendError):
                    dispatcher.settings.backend = [label, "cpu"]
                with pytest.raises(UnknownBackendError):
                    f(1, backend=[label, "cpu"])
                continue
            assert [f(1, backend=[label, "cpu"]) for _ in range(2)] == [expected] * 2
            dispatcher.settings.backend = [label, "cpu"]
            assert f(1) == expected
        answers = {
            label: answer for label, answer in expected_answers(specification).items() if isinstance(answer, int)
        }
        assert dispatcher.available_backend_names() == sorted(answers)
        for label, answer in answers.items():
            assert dispatcher.get_backend(label) is points[answer].adapter


def test_the_trusted_owner_comes_first(monkeypatch):  # 2.5
    trusted = FakePoint("official", adapter("fast", ["turbo"]), dist="fast-pkg")
    turbo = FakePoint("turbo", adapter("turbo"), dist="turbo-pkg")
    for points in ([trusted, turbo], [turbo, trusted]):
        fake_points(monkeypatch, points)
        dispatcher, f = make(trusted_backends={"fast": {"package": "fast-pkg", "aliases": ["f"]}})
        assert f(1, backend="f") == "fast"
        # What the trusted adapter adds of its own is an alias like any other's.
        with pytest.warns(BackendConflictWarning, match="turbo"):
            dispatcher.discover()
        assert f(1, backend="turbo") == "turbo"
        assert dispatcher.available_backend_names() == ["f", "fast", "turbo"]


def test_the_loser_is_named_when_it_becomes_known(monkeypatch):  # 2.5
    first = FakePoint("one", adapter("same"), dist="first-pkg")
    second = FakePoint("two", adapter("same"), dist="second-pkg")
    fake_points(monkeypatch, [first, second])
    dispatcher, f = make()
    with pytest.warns(BackendConflictWarning, match=r"'first-pkg'.*'second-pkg'.*'same'.*former answers") as caught:
        assert f(1, backend="same") == "same"
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert dispatcher.get_backend("same") is first.adapter
    dispatcher.discover()  # Said once.
    assert dispatcher.backends()[1].state == "refused"


@pytest.mark.parametrize("ask", ["available_backend_names", "available_backends", "get_backend"])
def test_listings_tell_of_conflicts_too(monkeypatch, ask):  # 2.5
    fake_points(monkeypatch, [FakePoint("one", adapter("same")), FakePoint("two", adapter("same"))])
    dispatcher, _ = make()
    with pytest.warns(BackendConflictWarning):
        getattr(dispatcher, ask)(*(["same"] if ask == "get_backend" else []))


def test_warnings_that_are_errors_do_not_break_another_backend(monkeypatch):  # 4.5
    points = [FakePoint("one", adapter("same")), FakePoint("two", adapter("same")), FakePoint("x", adapter("fast"))]
    fake_points(monkeypatch, points)
    dispatcher, f = make()
    with warnings.catch_warnings(action="error"):
        assert f(1, backend="fast") == "fast"  # Had to load them all.
        with pytest.raises(BackendConflictWarning):
            dispatcher.discover()
        dispatcher.discover()


def test_a_conflict_with_a_failed_entry_point(monkeypatch):  # 2.5
    def broken():
        raise ImportError("no driver")

    fake_points(monkeypatch, [FakePoint("other", adapter("fast")), FakePoint("fast", broken, dist="fast-pkg")])
    dispatcher, f = make()
    for _ in range(2):
        with pytest.raises(BackendLoadError, match="no driver"):
            f(1, backend="fast")
    with pytest.warns(BackendConflictWarning, match="holds it, although it cannot be loaded"):
        assert dispatcher.available_backends() == []


def test_the_same_adapter_twice_is_no_conflict(site):  # 2.5
    site.module("disc_twice", "class A:\n    name = 'twice'\n    aliases = ['t']\n    def f(self, x): return 'twice'\n")
    site.distribution("twice", {"twice": "disc_twice:A", "again": "disc_twice:A"})
    site.distribution("copy", {"twice": "disc_twice:A"})
    dispatcher, f = make()
    dispatcher.discover()
    assert f(1, backend="t") == f(1, backend="twice") == "twice"
    assert dispatcher.available_backend_names() == ["t", "twice"]
    assert len(dispatcher.backends()) == 1


def test_duplicate_metadata_on_the_path(site, tmp_path, monkeypatch):  # 2.5
    site.backend("fast")
    other = tmp_path / "other"
    site.distribution("fast-pkg", {"fast": "disc_fast"}, folder=other, version="0.9")
    monkeypatch.syspath_prepend(str(other))
    dispatcher, f = make()
    dispatcher.discover()
    assert f(1, backend="fast") == "fast"
    assert dispatcher.backends()[0].version == "0.9"
    assert len(dispatcher.backends()) == 1


# -- 2.6 foreign exceptions --------------------------------------------------------------------------------------------


class Unprintable(Exception):
    def __str__(self):
        raise SystemExit


class OwnExit(BaseException):
    pass


@pytest.mark.parametrize("error", [ImportError("x"), SystemExit(3), OwnExit(), Unprintable(), GeneratorExit()])
@pytest.mark.parametrize("where", ["load", "instantiate", "name", "aliases"])
def test_foreign_exceptions_stay_with_their_entry_point(monkeypatch, error, where):  # 2.6
    def fail(*_):
        raise error

    if where == "load":
        bad = fail
    elif where == "instantiate":
        bad = type("Bad", (), {"__init__": fail})
    else:
        bad = type("Bad", (), {"name": "bad", where: property(fail)})()
    fake_points(monkeypatch, [FakePoint("bad", bad, dist="bad-pkg"), FakePoint("good", adapter("good"))])
    dispatcher, f = make()
    assert f(1, backend="good") == "good"
    with pytest.warns(BackendLoadWarning, match=f"bad-pkg.*cannot be used.*{type(error).__name__}"):
        dispatcher.discover()
    dispatcher.discover()  # 2.7: once
    with pytest.raises(BackendLoadError, match="'bad'") as caught:
        f(1, backend="bad")
    assert caught.value.__cause__ is error
    info = next(info for info in dispatcher.backends() if info.name == "bad")
    assert (info.state, info.error, info.distribution) == ("failed", error, "bad-pkg")


def test_no_frame_is_kept_alive(monkeypatch):  # 2.6
    class Local:
        pass

    gone = []

    def broken():
        local = Local()
        gone.append(weakref.ref(local))
        try:
            try:
                raise KeyError("inner")
            except KeyError as error:
                raise ValueError("outer") from error
        except ValueError as error:
            raise ExceptionGroup("group", [error, OSError(local is None)]) from None

    fake_points(monkeypatch, [FakePoint("bad", broken)])
    dispatcher, _ = make()
    dispatcher.available_backends()
    gc.collect()
    assert [reference() for reference in gone] == [None]
    assert dispatcher.backends()[0].error.exceptions[0].__context__.__traceback__ is None


def test_keyboard_interrupt_passes_and_the_next_call_works(monkeypatch):  # 2.6, 2.9
    presses = [KeyboardInterrupt()]

    def impatient():
        if presses:
            raise presses.pop()
        return adapter("fast")

    fake_points(monkeypatch, [FakePoint("fast", impatient)])
    dispatcher, f = make()
    with pytest.raises(KeyboardInterrupt):
        dispatcher.discover()
    assert f(1, backend="fast") == "fast"
    dispatcher.discover()  # No failure was recorded.


@pytest.mark.parametrize("points", [f"[{GROUP}]\nthis is no entry point\n", b"[\xff\xfe]\n\xff = \xfe\n"])
def test_a_malformed_file_loses_only_itself(site, points):  # 2.6
    site.backend("fast")
    info = site.distribution("broken-pkg", "")
    (info / "entry_points.txt").write_bytes(points if isinstance(points, bytes) else points.encode())
    dispatcher, f = make(trusted_backends={"fast": {"package": "fast-pkg"}}, untrusted="warn")
    with pytest.warns(BackendLoadWarning, match=r"'broken-pkg' cannot be read.*Reinstall"):
        assert f(1, backend="fast") == "fast"
    dispatcher.discover()


def test_metadata_without_name_or_version(site):  # 2.6
    site.module("disc_bare", "name = 'bare'\ndef f(x): return 'bare'\n")
    site.distribution("bare", {"bare": "disc_bare"}, metadata="Metadata-Version: 2.1\n")
    dispatcher, f = make(untrusted="warn")
    with pytest.warns(UntrustedBackendWarning, match="unknown distribution"):
        assert f(1, backend="bare") == "bare"
    info = dispatcher.backends()[0]
    assert (info.distribution, info.version, info.entry_point) == (None, None, "bare = disc_bare")


def test_an_unnamed_distribution_with_a_malformed_file(site):  # 2.6
    site.backend("fast")
    site.distribution("bare", "[x]\nnonsense\n", metadata="Metadata-Version: 2.1\n")
    dispatcher, _ = make()
    with pytest.warns(BackendLoadWarning, match="a distribution without a name"):
        assert dispatcher.available_backends() == ["fast"]


def test_distributions_read_one_by_one_hide_each_other_too(site, tmp_path, monkeypatch):  # 2.6
    site.backend("fast")
    site.distribution("broken-pkg", "[x]\nnonsense\n")
    other = tmp_path / "other"
    site.distribution("fast_pkg", {"fast": "disc_missing"}, folder=other, version="0.9")
    monkeypatch.setattr(sys, "path", [*sys.path, str(other)])
    dispatcher, f = make()
    with pytest.warns(BackendLoadWarning, match="broken-pkg"):
        assert f(1, backend="fast") == "fast"
    dispatcher.discover()


def test_a_malformed_object_reference_loses_only_itself(site):  # 2.6
    site.backend("fast")
    site.distribution("odd", {"odd": "not a reference!"})
    _, f = make()
    with warnings.catch_warnings(action="ignore"):  # On new Pythons the file is malformed, on old ones the reference.
        assert f(1, backend="fast") == "fast"
        with pytest.raises((BackendLoadError, UnknownBackendError), match="odd"):
            f(1, backend="odd")


# -- 2.7 visible failures ----------------------------------------------------------------------------------------------


def broken_site(site):
    site.module("disc_broken", "name = 'broken'\nraise ImportError('libcuda is missing')\n")
    site.distribution("broken-pkg", {"broken": "disc_broken"})


def test_get_backend_of_a_failed_one(site):  # 2.7
    broken_site(site)
    dispatcher, _ = make()
    with pytest.warns(BackendLoadWarning, match="libcuda is missing"):
        assert dispatcher.get_backend("broken") is None
    assert dispatcher.get_backend("cpu") is dispatcher.get_backend("nothing") is dispatcher.get_backend(3) is None


def test_an_unknown_name_lists_what_failed(site):  # 2.7, 9
    broken_site(site)
    site.backend("fast", aliases=["quick"])
    dispatcher, _ = make(
        trusted_backends={"quack": {"package": "quack-pkg"}}, reserved_backends={"quic": "Say something."}
    )
    with pytest.raises(UnknownBackendError, match="'broken', which failed to load") as caught:
        dispatcher.settings.backend = "quikc"
    error = caught.value
    assert error.failed == ("broken",)
    assert error.suggestions == ("quick", "quack")
    assert (error.host, error.backend, error.source) == ("disc_host", "quikc", "process")
    assert "Available: 'cpu', 'fast', 'quick'" in str(error)
    assert str(error).count("\n") < 4
    with pytest.raises(UnknownBackendError) as caught:
        dispatcher.settings.backend = "brokn"
    assert caught.value.suggestions == ()


@pytest.mark.parametrize(("asked", "meant"), [("CPU", "cpu"), (" Cpu ", "cpu"), ("my_b", "my-b"), ("MY b", "my-b")])
def test_suggestions_ignore_how_names_are_written(monkeypatch, asked, meant):  # 9
    fake_points(monkeypatch, [FakePoint("my-b", adapter("my-b", ["other"]))])
    with pytest.raises(UnknownBackendError) as caught:
        make()[0].settings.backend = asked
    assert caught.value.suggestions[0] == meant


def test_a_failed_trusted_name_is_never_suggested(site):  # 9
    broken_site(site)
    dispatcher, _ = make(trusted_backends={"broken": {"package": "broken-pkg", "aliases": ["brokem"]}})
    with pytest.raises(UnknownBackendError) as caught:
        dispatcher.settings.backend = "broke"
    assert caught.value.suggestions == ()


def test_load_failures_are_logged(site, caplog):  # 2.6, 7.4
    broken_site(site)
    caplog.set_level(logging.DEBUG, logger="scverse_backends")
    make()[0].available_backends()
    levels = [record.levelname for record in caplog.records if "libcuda" in record.getMessage()]
    assert levels == ["WARNING", "DEBUG"]
    assert "disc_broken.py" in caplog.text  # The traceback.


# -- 2.8 a running process ---------------------------------------------------------------------------------------------


def test_a_package_installed_meanwhile_is_found(site):  # 2.8
    _dispatcher, f = make(trusted_backends={"trusted": {"package": "trusted-pkg"}})
    with pytest.raises(UnknownBackendError):
        f(1, backend="fast")
    with pytest.raises(BackendNotInstalledError):
        f(1, backend="trusted")
    site.backend("fast", aliases=["quick"])
    assert f(1, backend="quick") == "fast"
    site.backend("trusted")
    assert f(1, backend="trusted") == "trusted"
    assert sorted(site.executed) == ["disc_fast", "disc_trusted"]


def test_what_is_installed_meanwhile_has_its_rights(site):  # 2.5, 2.8
    site.backend("slow", aliases=["fast"])
    _dispatcher, f = make()
    assert f(1, backend="fast") == "slow"
    site.backend("fast")
    with pytest.raises(UnknownBackendError):
        f(1, backend="unheard-of")
    with pytest.warns(BackendConflictWarning):
        assert f(1, backend="fast") == "fast"


def test_a_failed_adapter_is_tried_again_when_asked_for(site):  # 2.8
    site.backend("fast", body="import disc_dependency\n")
    dispatcher, f = make()
    for times in (1, 2):
        with pytest.raises(BackendLoadError, match="disc_dependency"):
            f(1, backend="fast")
        assert site.executed == ["disc_fast"] * times
    site.module("disc_dependency", "")
    assert f(1, backend="fast") == "fast"
    dispatcher.discover()


def test_an_upgrade_that_moves_the_adapter(site):  # 2.8
    site.module("disc_old", "raise ImportError('old')\n")
    info = site.distribution("fast-pkg", {"fast": "disc_old"})
    dispatcher, f = make(trusted_backends={"fast": {"package": "fast-pkg"}})
    with pytest.raises(BackendLoadError, match="old"):
        f(1, backend="fast")
    site.module("disc_new", "name = 'fast'\ndef f(x): return 'new'\n")
    (info / "entry_points.txt").write_text(f"[{GROUP}]\nfast = disc_new\n")
    assert f(1, backend="fast") == "new"
    assert [backend.state for backend in dispatcher.backends()] == ["available"]


def test_an_uninstalled_package_is_gone_at_the_next_listing(site):  # 2.8
    info = site.backend("fast")
    dispatcher, f = make()
    assert f(1, backend="fast") == "fast"
    (info / "entry_points.txt").write_text("")
    with pytest.raises(UnknownBackendError):
        f(1, backend="unheard-of")
    assert dispatcher.available_backends() == []


CLASS = """
class Adapter:
    name = "fast"

    def f(self, x):
        return "fast"
"""


def _unregistered(dispatcher, site):
    dispatcher.register(importlib.import_module("disc_class").Adapter)
    yield
    dispatcher.unregister("fast")


def _restored(dispatcher, site):
    with isolated(dispatcher):
        dispatcher.register(importlib.import_module("disc_class").Adapter)
        yield


def _uninstalled(dispatcher, site):
    info = site.distribution("fast-pkg", {"fast": "disc_class:Adapter"})
    yield
    (info / "entry_points.txt").write_text("")
    with pytest.raises(UnknownBackendError):
        dispatcher.settings.backend = "unheard-of"


@pytest.mark.parametrize("used", [False, True])
@pytest.mark.parametrize("goes", [_unregistered, _restored, _uninstalled])
def test_a_backend_that_is_gone_is_freed(site, goes, used):  # 2.8, 2.10, 8.3
    site.module("disc_class", CLASS)
    if used:
        dispatcher, f = make()
    else:
        dispatcher = BackendDispatcher(entrypoint_group=GROUP, host_name="disc_host", untrusted="allow")
    steps = goes(dispatcher, site)
    next(steps)
    assert dispatcher.available_backends() == ["fast"]
    assert not used or f(1, backend="fast") == "fast"
    assert len(instances("disc_class")) == 1
    assert next(steps, None) is None
    gc.collect()
    assert instances("disc_class") == []


def instances(module):
    """Return the adapters of a module that are alive."""
    return [one for one in gc.get_objects() if type(one) is sys.modules[module].Adapter]


def test_calls_under_an_order_do_not_look_again(site, monkeypatch):  # 1.9
    broken_site(site)
    site.backend("fast")
    dispatcher, f = make(trusted_backends={"absent": {"package": "absent-pkg"}})
    dispatcher.settings.backend = ["absent", "broken", "fast"]
    with pytest.warns(FallbackWarning) as caught:
        assert f(1) == "fast"
    assert [str(warning.message).partition(".")[0] for warning in caught] == [
        "In this order, 'absent' is passed over",
        "In this order, 'broken' is passed over",
    ]
    listings = []
    real = importlib.metadata.distributions
    monkeypatch.setattr(importlib.metadata, "distributions", lambda **how: listings.append(how) or real(**how))
    for _ in range(3):
        assert f(1) == "fast"
    assert listings == []
    assert site.executed.count("disc_broken") == 1
    site.backend("absent")
    dispatcher.settings.backend = ["absent", "broken", "fast"]
    assert f(1) == "absent"


def test_names_of_an_order(site):  # 1.9
    site.backend("fast", aliases=["quick"])
    site.backend("slow")
    site.module("disc_misnamed", "name = 'another'\ndef f(x): return 'another'\n")
    site.distribution("misnamed-pkg", {"misnamed": "disc_misnamed"})
    dispatcher, _f = make(
        trusted_backends={"t": {"aliases": ["u"], "package": "t-pkg"}}, reserved_backends={"gpu": "No."}
    )
    settings = dispatcher.settings
    settings.backend = ["u", "slow", "misnamed", "cpu"]
    assert site.executed == []
    assert settings.backend == ("t", "slow", "misnamed", "cpu")
    settings.backend = ["quick", "fast"]
    assert settings.backend == ("fast",)
    for wrong in (["fast", "nothing"], [], ["cpu", "fast"], ["fast", ""], [3], ["fast", "gpu"], ["CPU"]):
        with pytest.raises(ValueError, match=r"Available|Give|Leave out|No\."):
            settings.backend = wrong
        assert settings.backend == ("fast",)


@pytest.mark.parametrize("loaded", [False, True])
def test_an_order_may_name_an_entry_point_whose_adapter_calls_itself_otherwise(site, loaded):  # 1.9
    site.module("disc_misnamed", "name = 'another'\ndef f(x): return 'another'\n")
    site.distribution("misnamed-pkg", {"misnamed": "disc_misnamed"})
    site.backend("fast")
    dispatcher, f = make()
    if loaded:
        dispatcher.discover()
    for order in (["misnamed", "cpu"], ("misnamed",)):
        assert f(1, backend=order) == f(1, backend=order) == "another"
        dispatcher.settings.backend = order
        assert f(1) == f(1) == "another"
        with dispatcher.settings.use_backend(order):
            assert f(1) == "another"
            assert dispatcher.settings.explain(f).executes == "another"
    # Alone, it is no name of a backend, and the error says which one is.
    with pytest.raises(UnknownBackendError, match="Did you mean 'another'") as caught:
        f(1, backend="misnamed")
    assert caught.value.suggestions == ("another",)
    assert dispatcher.get_backend("misnamed") is None


@pytest.mark.parametrize("trusted", [False, True])
@pytest.mark.parametrize("loaded", [False, True])
@pytest.mark.parametrize("way", ["scope", "bound", "decorator"])
def test_options_for_an_entry_point_reach_its_adapter_whatever_that_calls_itself(site, loaded, trusted, way):  # 1.11
    site.module("disc_fast", "name = 'fast'\naliases = ['quick']\ndef f(x, device=0): return device\n")
    site.distribution("fast-pkg", {"quick": "disc_fast"})
    site.backend("other")
    owner = {"fast": {"aliases": ["quick"], "package": "fast-pkg"}} if trusted else {}
    dispatcher, f = make(trusted_backends=owner)
    settings = dispatcher.settings
    if loaded:
        dispatcher.discover()
    scope = settings.use_backend(["quick", "other"], options={"quick": {"device": 7}})
    with scope, settings.trace() as calls:
        explained = settings.explain(f)
        if way == "bound":
            assert settings.bind(f)(1) == 7
        elif way == "decorator":
            assert scope(f)(1) == 7
        assert f(1) == 7
        # By now it is known who that is (1.2).
        assert settings.backend == ("fast", "other")
        assert "backend=('fast', 'other')" in repr(settings)
        assert settings.options == {"fast": {"device": 7}}
        # Inside, the backend has its own name, and what an inner scope gives goes first.
        with settings.use_backend("fast", options={"device": 8}):
            assert f(1) == 8
            assert settings.options == {"fast": {"device": 8}}
    assert "device=7 of the scope" in repr(explained)
    assert [call.options for call in calls[-2:]] == [{"device": 7}, {"device": 8}]
    with settings.use_backend(["quick", "other"], options={"fast": {"device": 9}}):
        assert f(1) == 9
    slip = settings.use_backend(["quick", "other"], options={"quick": {"devise": 9}})
    with pytest.raises(TypeError, match="No function of backend 'fast' takes the option 'devise'"), slip:
        raise AssertionError
    with settings.use_backend(["quick"], options={"quick": {"device": 1}}):
        (site.folder / "fast_pkg-1.0.dist-info" / "entry_points.txt").write_text("")
        assert f(1, backend="other") == "other"


def test_a_backend_that_went_away_is_still_shown_as_selected(site):  # 1.2
    site.backend("fast")
    dispatcher, _ = make()
    dispatcher.settings.backend = [dispatcher.register(adapter("mine", f=abs)), "fast"]
    dispatcher.unregister("mine")
    assert dispatcher.settings.backend == ("mine", "fast")


def test_a_listing_pays_for_a_failed_import_and_no_call_after_it(site):  # 1.9
    broken_site(site)
    site.backend("fast")
    dispatcher, f = make()
    with pytest.warns(FallbackWarning, match="'broken' is passed over"):
        assert f(1, backend=["broken", "fast"]) == "fast"
    for count in (2, 3):
        assert dispatcher.available_backends() == ["fast"]
        assert site.executed.count("disc_broken") == count
        assert f(1, backend=["broken", "fast"]) == f(1, backend=["broken", "fast"]) == "fast"
        assert site.executed.count("disc_broken") == count
    # Nobody has tried it in the meantime.
    dispatcher.available_backends()
    dispatcher.available_backends()
    assert site.executed.count("disc_broken") == 4


@pytest.mark.parametrize("look", [repr, lambda settings: settings.backend, lambda settings: settings.bind(abs)])
def test_looking_at_the_settings_is_no_use_of_a_backend(site, monkeypatch, look):  # 1.5, 3.5
    site.backend("fast")
    monkeypatch.setenv("DISC_HOST_BACKEND", "fast")
    dispatcher, f = make(untrusted="warn")
    look(dispatcher.settings)
    with pytest.warns(UntrustedBackendWarning, match="'fast' .* is not trusted"):
        assert f(1) == "fast"
    assert f(1) == "fast"


@pytest.mark.parametrize("loaded", [False, True])
@pytest.mark.parametrize(
    ("adapters", "why"),
    [
        ({"taken": "fast"}, "its adapter calls itself 'fast', and another product answers to that name"),
        ({"taken": "gpu"}, "its name 'gpu' is reserved by the host"),
        ({"taken": "no name"}, "contains ' '"),
    ],
)
def test_an_order_goes_on_where_a_known_name_comes_to_nothing(site, loaded, adapters, why):  # 1.9
    for point, name in adapters.items():
        site.module(f"disc_{point}", f"name = {name!r}\ndef f(x): return 'wrong'\n")
        site.distribution(f"{point}-pkg", {point: f"disc_{point}"})
    site.backend("fast")
    dispatcher, f = make(reserved_backends={"gpu": "No."})
    if loaded:
        with warnings.catch_warnings(action="ignore"):
            dispatcher.discover()
    dispatcher.settings.backend = ["taken", "cpu"]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert f(1) == f(1, backend=["taken", "cpu"]) == "host"
    assert [why in str(one.message) for one in caught if one.category is FallbackWarning] == [True]
    # Loaded or not, assigning gives the same answer again.
    dispatcher.settings.backend = ("taken", "fast")
    assert f(1) == "fast"


def test_an_entry_points_name_may_be_another_backends(site):  # 1.9, 2.5
    site.module("disc_first", "name = 'second'\ndef f(x): return 'second'\n")
    site.distribution("first-pkg", {"first": "disc_first"})
    site.module("disc_other", "name = 'other'\naliases = ['first']\ndef f(x): return 'other'\n")
    site.distribution("other-pkg", {"other": "disc_other"})
    for loaded in (False, True):
        dispatcher, f = make()
        if loaded:
            dispatcher.discover()
        dispatcher.settings.backend = ["first", "cpu"]
        # Who answers to a label is the same in an order and alone.
        assert f(1) == f(1, backend="first") == f(1, backend=["first"]) == "other"


# -- 2.9 foreign code while loading ------------------------------------------------------------------------------------


def test_an_adapter_that_uses_its_host_while_loading(site):  # 2.9
    site.module(
        "disc_host_module",
        f"""
        from scverse_backends import BackendDispatcher
        d = BackendDispatcher(entrypoint_group={GROUP!r}, host_name="disc_host", untrusted="allow")
        @d.backend_dispatch
        def f(x):
            return "host"
        """,
    )
    site.module(
        "disc_curious",
        """
        import disc_host_module as host
        seen = [host.d.available_backend_names(), host.f(1), host.d.get_backend("curious")]
        try:
            host.f(1, backend="curious")
        except ValueError as error:
            seen.append(str(error))
        host.d.discover()
        name = "curious"
        def f(x): return "curious"
        """,
    )
    site.distribution("curious", {"curious": "disc_curious"})
    import disc_host_module as host

    assert host.f(1, backend="curious") == "curious"
    assert sys.modules["disc_curious"].seen[:3] == [[], "host", None]
    assert "Unknown backend 'curious'" in sys.modules["disc_curious"].seen[3]
    assert site.executed.count("disc_curious") == 1
    assert host.d.backends()[0].state == "available"
    host.d.discover()  # No failure to warn of.


def test_an_adapter_that_fails_after_somebody_else_answered(site):  # 2.5, 2.9
    site.backend("other", aliases=["fast"])
    site.module(
        "disc_failing",
        """
        import disc_state
        disc_state.answers.append(disc_state.f(1, backend="fast"))
        raise ImportError("after all")
        """,
    )
    site.distribution("failing", {"fast": "disc_failing"})
    site.module("disc_state", "answers = []\n")
    import disc_state

    _dispatcher, disc_state.f = make()
    for _ in range(2):
        with pytest.raises(BackendLoadError, match="after all"):
            disc_state.f(1, backend="fast")
    # Neither time does the answer that it got itself stay behind.
    assert disc_state.answers == ["other"] * 2


def test_threads_share_one_execution_and_one_instance(site):  # 2.9
    site.module(
        "disc_shared",
        """
        class A:
            name = "shared"
            def f(self, x): return self
        """,
    )
    site.distribution("shared", {"shared": "disc_shared:A"})
    _dispatcher, f = make()
    barrier = threading.Barrier(8)
    results = []

    def work():
        barrier.wait()
        results.append(f(1, backend="shared"))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8
    assert len({id(result) for result in results}) == 1
    assert site.executed == ["disc_shared"]


def test_a_class_that_two_entry_points_refer_to_is_instantiated_once(site):  # 2.2, 2.5
    site.module(
        "disc_once",
        """
        class A:
            name = "once"
            made = 0
            def __init__(self): A.made += 1
            def f(self, x): return "once"
        """,
    )
    site.distribution("once", {"once": "disc_once:A", "again": "disc_once:A"})
    dispatcher, _ = make()
    dispatcher.discover()
    import disc_once

    assert dispatcher.register(disc_once.A) == "once"
    assert disc_once.A.made == 1
    assert dispatcher.available_backend_names() == ["once"]


def test_foreign_objects_that_end_the_interpreter_lose_only_themselves(site, monkeypatch):  # 2.1, 2.6
    class Bad:
        name = "bad"

        @property
        def value(self):
            raise SystemExit(3)

        @property
        def dist(self):
            raise GeneratorExit

        @property
        def load(self):
            raise SystemExit

    fake_points(monkeypatch, [Bad(), FakePoint("fast", adapter("fast"))])
    dispatcher, f = make()
    assert f(1, backend="fast") == "fast"
    with pytest.warns(BackendLoadWarning, match="entry point 'bad' of an unknown distribution"):
        dispatcher.discover()
    assert [info.state for info in dispatcher.backends()] == ["failed", "available"]
    with pytest.raises(BackendLoadError, match="SystemExit"):
        f(1, backend="bad")


def test_an_exception_that_cannot_be_read_is_a_failure_like_any_other(site):  # 2.6
    site.module("disc_odd", "class E(BaseException):\n  def __getattribute__(self, n): raise SystemExit\nraise E('x')")
    site.distribution("odd", {"odd": "disc_odd"})
    site.backend("fast")
    dispatcher, f = make()
    with pytest.warns(BackendLoadWarning, match="could not be loaded: E"):
        dispatcher.discover()
    assert f(1, backend="fast") == "fast"


def test_a_listing_that_fails_altogether_is_told(monkeypatch):  # 2.6, 2.7
    def fails(**_):
        raise OSError("the disk is gone")

    monkeypatch.setattr(importlib.metadata, "entry_points", fails)
    monkeypatch.setattr(importlib.metadata, "distributions", fails)
    dispatcher, f = make()
    with pytest.warns(BackendLoadWarning, match="cannot be listed .OSError: the disk is gone.*may be missing"):
        dispatcher.discover()
    with pytest.raises(UnknownBackendError):
        f(1, backend="fast")
    assert f(1) == "host"


@pytest.mark.parametrize(
    "look", ["discover", "available_backends", "available_backend_names", "backends"], ids=lambda name: name
)
def test_what_an_order_passed_over_is_found_once_a_listing_is_asked_for(site, look):  # 1.9, 2.8
    site.backend("other")
    dispatcher, f = make(trusted_backends={"fast": {"package": "fast-pkg"}})
    dispatcher.settings.backend = ["fast", "other"]
    with pytest.warns(FallbackWarning, match="not installed"):
        assert f(1) == "other"
    site.backend("fast")
    getattr(dispatcher, look)()
    assert f(1) == "fast"
    assert dispatcher.available_backends() == ["fast", "other"]


# -- 2.10 registering --------------------------------------------------------------------------------------------------


def test_what_was_installed_a_moment_ago_was_there_before_what_is_registered(site):  # 2.5, 2.8, 2.10
    dispatcher, f = make()
    assert dispatcher.available_backends() == []
    site.backend("fast")
    with pytest.raises(ValueError, match="'fast-pkg' bears the name 'fast' already"):
        dispatcher.register(adapter("fast"))
    assert f(1, backend="fast") == "fast"


def test_a_conflict_with_a_registered_adapter_says_how_to_be_rid_of_it(site):  # 2.5, 2.10
    site.backend("fast", aliases=["f"])
    dispatcher, _ = make()
    dispatcher.register(adapter("mine", ["f", "m"]))
    with pytest.warns(BackendConflictWarning, match=r"registered adapter 'mine'.*; unregister or uninstall the one"):
        dispatcher.discover()
    with pytest.warns(BackendConflictWarning, match=r"'m'.*; unregister the one"):
        dispatcher.register(adapter("yours", ["m"]))


def test_register_and_unregister():  # 2.10
    dispatcher, f = make(trusted_backends={"trusted": {"aliases": ["t"]}}, untrusted="warn")
    assert dispatcher.register(adapter("mine", ["m"])) == "mine"
    with pytest.warns(UntrustedBackendWarning, match="registered adapter 'mine'"):
        assert f(1, backend="m") == "mine"
    dispatcher.settings.backend = "m"
    dispatcher.unregister("m")
    with pytest.raises(UnknownBackendError, match="mine"):
        f(1)
    del dispatcher.settings.backend
    with pytest.raises(UnknownBackendError, match="registered under 'mine'"):
        dispatcher.unregister("mine")
    for label in ("trusted", "t", "T"):
        with pytest.raises(ValueError, match="reserved"):
            dispatcher.register(adapter(label))
        with pytest.raises(ValueError, match="reserved"):
            dispatcher.register(adapter("other"), name=label)
    with pytest.raises(ValueError, match="name is empty"):
        dispatcher.register(adapter("other"), name="")
    with pytest.raises(ValueError, match="must be a string, not int"):
        dispatcher.register(adapter(3))


def test_registering_twice_and_beside_another(site):  # 2.10, 2.5
    site.backend("fast", aliases=["a"])
    dispatcher, f = make()
    mine = adapter("mine", ["a"])
    assert dispatcher.register(mine) == dispatcher.register(mine) == "mine"
    with pytest.warns(BackendConflictWarning, match=r"'fast'.*registered adapter 'mine' claim the backend name 'a'"):
        assert dispatcher.available_backends() == ["fast", "mine"]
    with pytest.raises(ValueError, match="unregister"):
        dispatcher.register(adapter("mine"))
    with pytest.raises(ValueError, match="another name"):
        dispatcher.register(adapter("fast"))
    assert f(1, backend="mine") == "mine"


def test_a_class_that_was_registered_is_made_anew_afterwards():  # 2.10
    class A:
        name = "mine"

        def f(self, x):
            return self

    dispatcher, f = make()
    dispatcher.register(A)
    first = f(1, backend="mine")
    assert f(1, backend="mine") is first
    dispatcher.unregister("mine")
    dispatcher.register(A)
    assert f(1, backend="mine") is not first


def test_the_untrusted_host_policy_holds_for_registered_adapters():  # 2.10, 3.5
    dispatcher, _ = make(untrusted="refuse")
    with pytest.raises(ValueError, match="trusted backends only"):
        dispatcher.register(adapter("mine"))


# -- 3.2, 3.3 impostors ------------------------------------------------------------------------------------------------

TRUSTED = {
    "my-backend": {
        "aliases": ["my_backend", "mine"],
        "package": "My.Backend",
        "entrypoints": ["my_backend"],
        "module_prefixes": ["my_backend"],
    }
}


@pytest.mark.parametrize(
    ("distribution", "point", "module", "why"),
    [
        ("evil", "my_backend", "my_backend.adapter", "distribution 'evil' and not from 'My.Backend'"),
        ("my-backend", "mine", "my_backend.adapter", "entry point is 'mine' and not 'my_backend'"),
        ("my-backend", "my_backend", "my_backend_evil", "module 'my_backend_evil' is not within 'my_backend'"),
        ("evil", "MY-BACKEND", "disc_evil", "distribution 'evil'"),
    ],
)
def test_an_impostor_never_runs(site, distribution, point, module, why):  # 3.2, 3.3
    site.module(module, "name = 'my-backend'\naliases = ['mine']\ndef f(x): return 'evil'\n")
    site.distribution(distribution, {point: module})
    dispatcher, f = make(trusted_backends=TRUSTED, untrusted="warn")
    for name in ("my-backend", "my_backend", "mine"):
        with pytest.raises(BackendNotInstalledError, match=r"pip install (--upgrade )?My.Backend") as caught:
            f(1, backend=name)
        assert why in str(caught.value)
        assert caught.value.distribution == "My.Backend"
    with pytest.warns(BackendLoadWarning, match="is refused") as warned:
        dispatcher.discover()
    assert why in str(warned[0].message)
    assert site.executed == []
    states = {info.name: info.state for info in dispatcher.backends()}
    assert states[point] == "refused"


@pytest.mark.parametrize("spelling", ["My.Backend", "my-backend", "MY__BACKEND", "my-_.backend"])
@pytest.mark.parametrize("own_name", ["my-backend", "my_backend", "mine"])
def test_the_trusted_backend_under_any_of_its_names(site, spelling, own_name):  # 3.2
    site.module("my_backend._backends.host", f"name = {own_name!r}\naliases = ['extra']\ndef f(x): return 'real'\n")
    site.distribution("my-backend", {"my_backend": "my_backend._backends.host"})
    trusted = {"my-backend": {**TRUSTED["my-backend"], "package": spelling}}
    dispatcher, f = make(trusted_backends=trusted, untrusted="warn")
    assert f(1, backend="mine") == "real"
    dispatcher.settings.backend = "my_backend"
    assert dispatcher.settings.backend == "my-backend"
    assert dispatcher.available_backends() == ["my-backend"]
    assert dispatcher.available_backend_names() == ["extra", "mine", "my-backend", "my_backend"]
    info = dispatcher.backends()[0]
    assert (info.trusted, info.reason, info.state, info.version) == (True, None, "available", "1.0")


def test_a_forged_module_name_does_not_pass(site):  # 3.2
    site.module(
        "disc_forged", "__name__ = 'my_backend.x'\nclass A:\n    name = 'my-backend'\n    __module__ = 'my_backend'\n"
    )
    site.distribution("my-backend", {"my_backend": "disc_forged:A"})
    _, f = make(trusted_backends=TRUSTED)
    with pytest.raises(BackendNotInstalledError, match="not within 'my_backend'"):
        f(1, backend="mine")
    assert site.executed == []


def test_an_impostor_under_an_innocent_entry_point(site):  # 3.2
    site.module("disc_sly", "name = 'my-backend'\ndef f(x): return 'evil'\n")
    site.distribution("sly", {"sly": "disc_sly"})
    dispatcher, f = make(trusted_backends=TRUSTED)
    with pytest.warns(BackendLoadWarning, match="reserved for the trusted backend 'my-backend'"):
        dispatcher.discover()
    with pytest.raises(BackendNotInstalledError, match=r"pip install My.Backend"):
        f(1, backend="mine")
    with pytest.raises(UnknownBackendError, match=r"'sly'.*is refused.*reserved for"):
        f(1, backend="sly")


def test_a_trusted_adapter_that_fails_or_is_misnamed(site):  # 3.3
    site.module("my_backend.host", "name = 'other'\ndef f(x): return 'other'\n")
    site.distribution("my-backend", {"my_backend": "my_backend.host"})
    dispatcher, f = make(trusted_backends=TRUSTED)
    with pytest.raises(BackendLoadError, match="calls itself 'other'") as caught:
        f(1, backend="mine")
    assert "pip install" not in str(caught.value)
    # 2.7
    with pytest.warns(BackendLoadWarning, match="calls itself 'other'"):
        assert dispatcher.get_backend("mine") is None
    with pytest.warns(BackendLoadWarning, match="'my-backend' cannot be used.*calls itself 'other'") as warned:
        dispatcher.discover()
    assert (warned[0].message.backend, warned[0].message.distribution) == ("my-backend", "my-backend")
    strict, f = make(trusted_backends=TRUSTED, untrusted="refuse")
    with pytest.raises(BackendLoadError, match="calls itself 'other'"):
        f(1, backend="mine")
    with pytest.raises(UnknownBackendError):
        f(1, backend="other")
    assert strict.available_backends() == []
    site.module("my_backend.host", "raise ImportError('no driver')\n")
    del sys.modules["my_backend.host"]
    dispatcher, f = make(trusted_backends=TRUSTED)
    with pytest.raises(BackendLoadError, match="no driver") as caught:
        f(1, backend="mine")
    assert "pip install" not in str(caught.value)
    assert caught.value.failed == ("my_backend",)
    assert [info.state for info in dispatcher.backends()] == ["failed"]


def test_the_right_distribution_without_the_adapter(site):  # 3.3
    site.distribution("my-backend", "")
    _, f = make(trusted_backends=TRUSTED)
    with pytest.raises(BackendNotInstalledError, match=r"My.Backend 1.0 is installed.*registers nothing.*--upgrade"):
        f(1, backend="mine")


def test_no_pip_hint_is_guessed():  # 3.3
    dispatcher, f = make(trusted_backends={"fast": {"entrypoint": "fast"}})
    with pytest.raises(BackendNotInstalledError, match="documentation of disc_host") as caught:
        f(1, backend="fast")
    assert "pip" not in str(caught.value)
    assert caught.value.distribution is None
    assert dispatcher.backends()[0].state == "not installed"


def test_reserved_names_say_what_to_use():
    _dispatcher, f = make(reserved_backends={"gpu": "Use cuda or rocm."})
    for name in ("gpu", "GPU"):
        with pytest.raises(ReservedBackendError, match=r"reserved by disc_host. Use cuda or rocm.") as caught:
            f(1, backend=name)
        assert caught.value.backend == name


# -- 3.4, 3.5 the others -----------------------------------------------------------------------------------------------


def test_a_trusted_backend_that_cannot_be_verified(site):  # 3.4
    site.backend("fast")
    dispatcher, f = make(trusted_backends={"fast": {"aliases": ["quick"]}}, untrusted="warn")
    with pytest.warns(UntrustedBackendWarning, match="configured nothing to verify"):
        assert f(1, backend="quick") == "fast"
    assert dispatcher.backends()[0].trusted is False
    _, f = make(trusted_backends={"fast": {}}, untrusted="refuse")
    with pytest.raises(BackendLoadError, match="configured nothing to verify"):
        f(1, backend="fast")


def test_an_unverifiable_backend_behind_another_entry_point(site):  # 3.4
    site.module("disc_x", "name = 'fast'\ndef f(x): return 'fast'\n")
    site.distribution("x", {"x": "disc_x"})
    _, f = make(trusted_backends={"fast": {}})
    assert f(1, backend="fast") == "fast"


def test_untrusted_backends_warn_once(site):  # 3.5
    site.backend("fast")
    dispatcher, f = make(untrusted="warn")
    with pytest.warns(UntrustedBackendWarning, match="fast-pkg") as caught:
        f(1, backend="fast")
    dispatcher.settings.backend = "fast"
    assert f(1) == f(1, backend="fast") == "fast"  # Silent: warnings are errors in this suite.
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert caught[0].message.distribution == "fast-pkg"
    with pytest.warns(UntrustedBackendWarning, match=r"'fast'.*fast-pkg"):
        dispatcher.discover()
    dispatcher.discover()


@pytest.mark.parametrize("by_hand", [False, True])
def test_the_warning_says_how_to_silence_it(site, by_hand):  # 3.5
    site.backend("fast.1")

    def host(**options):
        dispatcher, f = make(**{"untrusted": "warn", **options})
        dispatcher.register(adapter("mine"))
        return f

    name = "mine" if by_hand else "fast.1"
    with pytest.warns(UntrustedBackendWarning) as caught:
        host()(1, backend=name)
    text = str(caught[0].message)
    advice = re.search(r"warnings\.filterwarnings\(.*?\"\)", text)[0]
    with warnings.catch_warnings(action="error"):
        exec(advice, {"warnings": warnings})
        assert host()(1, backend=name) == name
        # Of no other backend.
        with pytest.raises(UntrustedBackendWarning):
            host()(1, backend="fast.1" if by_hand else "mine")
    assert ("list it in trusted_backends, or write untrusted='allow'" in text) is not by_hand
    if not by_hand:
        assert host(trusted_backends={name: {"package": "fast.1-pkg"}})(1, backend=name) == name
    assert host(untrusted="allow")(1, backend=name) == name


def test_refused_backends_are_never_imported(site):  # 3.5
    site.backend("fast")
    dispatcher, f = make(untrusted="refuse")
    with pytest.raises(UnknownBackendError, match=r"fast-pkg.*refused.*trusted backends only.*not list it") as caught:
        f(1, backend="fast")
    assert caught.value.distribution == "fast-pkg"
    assert dispatcher.get_backend("fast") is None
    with pytest.warns(BackendLoadWarning, match="refused"):
        dispatcher.discover()
    assert dispatcher.available_backends() == []
    assert [info.state for info in dispatcher.backends()] == ["refused"]
    with pytest.raises(UnknownBackendError, match="refused"):
        dispatcher.settings.backend = ["fast"]
    assert site.executed == []


def test_allowed_backends_are_silent(site):  # 3.5
    site.backend("fast")
    dispatcher, f = make(untrusted="allow")
    assert f(1, backend="fast") == "fast"
    dispatcher.discover()


# -- the dispatcher itself ---------------------------------------------------------------------------------------------


def test_two_hosts_share_nothing(site):
    site.backend("fast")
    one, _f = make()
    two, _g = make()
    one.register(adapter("mine"))
    assert two.available_backends() == ["fast"]
    assert one.available_backends() == ["fast", "mine"]


def test_a_dead_dispatcher_is_freed(site):
    site.backend("fast")
    dispatcher, f = make()
    assert f(1, backend="fast") == "fast"
    with pytest.raises(UnknownBackendError):
        f(1, backend="nothing")
    reference = weakref.ref(dispatcher)
    del dispatcher, f
    gc.collect()
    assert reference() is None


@pytest.mark.parametrize("wrong", [None, 3, b"fast", {"fast"}, "", "  ", "x" * 300, "\n", "ä", ("fast", None)])
def test_what_is_no_name(site, wrong):
    site.backend("fast")
    dispatcher, _ = make()
    with pytest.raises(ValueError, match=r"(?s)Available|del settings.backend") as caught:
        dispatcher.settings.backend = wrong
    assert str(caught.value).count("\n") < 4
    assert len(str(caught.value)) < 480
    assert type(pickle.loads(pickle.dumps(caught.value))) is type(caught.value)
