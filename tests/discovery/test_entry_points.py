"""Records of entry points: what metadata tells, however broken it is."""

from __future__ import annotations

import importlib.metadata
import re
import sys
import warnings
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scverse_backends._discovery.entry_points import (
    EntryPointRecord,
    RegisteredRecord,
)
from scverse_backends._discovery.installed import forget_finder_caches, installed_version, list_entry_points
from scverse_backends._foundation.labels import normalize_distribution, normalize_reference

GROUP = "records.backends"


@given(st.text("aB-_.", max_size=12))
def test_distribution_names_compare_as_pep_503_says(name):  # 3.2
    assert normalize_distribution(name) == re.sub(r"[-_.]+", "-", name).lower()


@given(
    st.from_regex(r"\A[a-z]\w{0,5}(\.[a-z]\w{0,5}){0,2}\Z"),
    st.none() | st.from_regex(r"\A[a-z]\w{0,5}(\.[a-z]\w{0,5})?\Z"),
    st.sampled_from(["", " ", "  "]),
    st.sampled_from(["", "[x]", " [x, y]"]),
)
def test_references_are_read_as_the_standard_library_reads_them(module, attribute, space, extras):  # 3.2
    value = f"{module}{space}:{space}{attribute}" if attribute else module
    record = EntryPointRecord("name", value + extras, None)
    point = importlib.metadata.EntryPoint("name", value + extras, GROUP)
    assert record.module == point.module == module
    assert record.object_ref == (f"{module}:{attribute}" if attribute else module) == normalize_reference(value)
    assert (point.attr or None) == attribute


def point_of(distribution):
    return SimpleNamespace(name="n", value="m", dist=distribution)


class Raising:
    @property
    def metadata(self):
        raise OSError

    name = version = metadata


@pytest.mark.parametrize(
    ("distribution", "name", "version"),
    [
        (SimpleNamespace(name="d", version="1"), "d", "1"),
        (SimpleNamespace(metadata={"Name": "d", "Version": "1"}), "d", "1"),
        (SimpleNamespace(name=None, version="", metadata={"Name": "d"}), "d", None),
        (SimpleNamespace(name=3, version=b"1"), None, None),
        (Raising(), None, None),
        (None, None, None),
    ],
)
def test_what_stand_ins_tell_of_their_distribution(distribution, name, version):  # 2.6
    record = EntryPointRecord("n", "m", point_of(distribution))
    assert (record.distribution, record.version) == (name, version)
    assert record.origin == f"entry point 'n' of {f'distribution {name!r}' if name else 'an unknown distribution'}"


def test_metadata_is_read_when_it_is_asked_for_and_once():  # 2.1
    reads = []

    class Distribution:
        @property
        def name(self):
            reads.append("name")
            return "d"

    record = EntryPointRecord("n", "m", point_of(Distribution()))
    assert repr(record) == "<EntryPointRecord n = m>"
    assert reads == []
    assert record.distribution == record.distribution == "d"
    assert reads == ["name"]


def make_distribution(folder, text):
    info = folder / "some_pkg-1.0.dist-info"
    info.mkdir(parents=True)
    if text is not None:
        (info / "METADATA").write_text(text)
    (info / "entry_points.txt").write_text(f"[{GROUP}]\nn = m\n")
    return info


@pytest.mark.parametrize(
    ("text", "name", "version"),
    [
        ("Name: some-pkg\nVersion: 2.0\n", "some-pkg", "2.0"),
        ("Name: some-pkg\n", "some-pkg", None),
        ("Version: 2.0\n", None, "2.0"),
        ("", None, None),
    ],
)
def test_missing_fields_are_nobodys_business(tmp_path, monkeypatch, text, name, version):  # 2.6
    make_distribution(tmp_path, text)
    monkeypatch.syspath_prepend(str(tmp_path))
    with warnings.catch_warnings(action="error"):
        (record,) = list_entry_points(GROUP).records
        assert (record.distribution, record.version) == (name, version)


def test_the_installed_version(tmp_path, monkeypatch):
    make_distribution(tmp_path, "Name: some-pkg\nVersion: 2.0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert installed_version("Some.Pkg") == "2.0"
    assert installed_version("another-pkg") is None
    assert installed_version("") is None


def test_stand_ins_that_are_no_entry_points_are_left_out(monkeypatch):
    points = [
        SimpleNamespace(name="n", value=None),
        SimpleNamespace(name=3, value="m"),
        SimpleNamespace(value="m"),
        SimpleNamespace(name="only a name"),
    ]
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda **_: points)
    listing = list_entry_points(GROUP)
    assert [(record.name, record.value) for record in listing.records] == [("n", ""), ("only a name", "")]
    assert listing.problems == ()
    assert listing.is_current()
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda **_: points)
    assert not listing.is_current()


def test_a_listing_that_raises_is_read_file_by_file(tmp_path, monkeypatch):  # 2.6
    make_distribution(tmp_path, "Name: some-pkg\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    def broken(**_):
        raise TypeError("malformed")

    monkeypatch.setattr(importlib.metadata, "entry_points", broken)
    assert [record.name for record in list_entry_points(GROUP).records] == ["n"]
    assert list_entry_points("another.group").records == ()


def test_one_and_the_same_adapter():  # 2.5, 2.8
    def point(name="n", value="m", distribution="d"):
        made = importlib.metadata.EntryPoint(name, value, GROUP)
        vars(made)["dist"] = SimpleNamespace(name=distribution)
        return EntryPointRecord(name, value, made)

    assert point().same_as(point())
    assert not point().same_as(point(name="o"))
    assert not point().same_as(point(value="o"))
    assert not point().same_as(point(distribution="o"))  # Trust would not be the same.
    stand_in = SimpleNamespace(name="n", value="m")
    assert EntryPointRecord("n", "m", stand_in).same_as(EntryPointRecord("n", "m", stand_in))
    assert not EntryPointRecord("n", "m", stand_in).same_as(EntryPointRecord("n", "m", SimpleNamespace()))
    assert not point().same_as(EntryPointRecord("n", "m", stand_in))


def test_registered_adapters():  # 2.10, 8.3
    adapter = object()
    record = RegisteredRecord("n", adapter)
    assert record.load() is adapter
    assert record.by_hand
    assert record.origin == "registered adapter 'n'"
    assert RegisteredRecord("", adapter).origin == "registered adapter"
    assert record.same_as(record)
    assert not record.same_as(RegisteredRecord("n", adapter))
    assert (record.distribution, record.version, record.value) == (None, None, "")

    given_distribution = RegisteredRecord("n", adapter, distribution="d")
    assert not given_distribution.by_hand
    assert given_distribution.origin == "entry point 'n' of distribution 'd'"
    kinds = ("distributions", "entrypoints", "references")
    assert [given_distribution.tells(kind) for kind in kinds] == [True, True, False]
    unnamed = RegisteredRecord("", adapter, distribution="d")
    assert [unnamed.tells(kind) for kind in kinds] == [True, False, False]
    unnamed.learn_name("m")
    given_distribution.learn_name("m")
    assert (unnamed.name, given_distribution.name) == ("m", "n")
    assert not unnamed.tells("entrypoints")  # What it learnt later was not given.
    assert [RegisteredRecord("n", adapter, distribution="d", value="m:a").tells(kind) for kind in kinds] == [True] * 3
    assert [EntryPointRecord("n", "m", None).tells(kind) for kind in kinds] == [True] * 3


def test_an_entry_point_loads_what_it_refers_to():
    record = EntryPointRecord("n", "json:dumps", importlib.metadata.EntryPoint("n", "json:dumps", GROUP))
    import json

    assert record.load() is json.dumps
    assert not record.by_hand


# -- foreign objects that resist being read ----------------------------------------------------------------------------


class Resisting:
    """An entry point or a distribution every attribute of which ends the interpreter, or whatever it is told to do."""

    def __init__(self, error=SystemExit, **attributes):
        self.__dict__.update(attributes, _error=error)

    @property
    def __class__(self):
        raise self._error

    def __getattr__(self, name):
        raise self._error


def test_an_entry_point_whose_attributes_cannot_be_read(monkeypatch):  # 2.6
    points = [Resisting(), Resisting(name="fast"), Resisting(name="slow", value="m:a", dist=Resisting())]
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda **_: points)
    listing = list_entry_points(GROUP)
    assert [(record.name, record.value) for record in listing.records] == [("fast", ""), ("slow", "m:a")]
    assert [(record.distribution, record.version) for record in listing.records] == [(None, None)] * 2
    assert not listing.records[0].same_as(listing.records[1])
    assert listing.problems == ()


def test_an_interrupt_while_metadata_is_read_passes_through(monkeypatch):  # 2.6
    record = EntryPointRecord("n", "m", Resisting(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        _ = record.distribution

    def interrupted(**_):
        raise KeyboardInterrupt

    monkeypatch.setattr(importlib.metadata, "entry_points", interrupted)
    with pytest.raises(KeyboardInterrupt):
        list_entry_points(GROUP)


def test_names_of_foreign_string_classes_become_exact():  # 2.6
    class Name(str):
        __slots__ = ()

    point = SimpleNamespace(name=Name("n"), value=Name("m"), dist=SimpleNamespace(name=Name("d"), version=Name("1")))
    record = EntryPointRecord("n", "m", point)
    assert [type(text) for text in (record.distribution, record.version)] == [str, str]


class Silent(BaseException):
    """Cannot even say what it is about."""

    def __str__(self):
        raise SystemExit

    def __getattribute__(self, name):
        raise SystemExit


@pytest.mark.parametrize(
    ("make", "shown"), [(lambda: OSError("gone"), "OSError: gone"), (Silent, "Silent"), (SystemExit, "SystemExit")]
)
def test_a_listing_that_fails_altogether_is_a_problem_to_be_told(monkeypatch, make, shown):  # 2.6, 2.7
    good = importlib.metadata.EntryPoint("good", "m", GROUP)

    def fails(**_):
        raise make()

    def breaks_off():
        yield SimpleNamespace(name="d", metadata={}, entry_points=[good])
        raise make()

    monkeypatch.setattr(importlib.metadata, "entry_points", fails)
    monkeypatch.setattr(importlib.metadata, "distributions", breaks_off)
    listing = list_entry_points(GROUP)
    assert [record.name for record in listing.records] == ["good"]
    assert listing.problems == (f"the installed distributions cannot be listed ({shown}). Backends may be missing",)


def test_a_listing_that_fails_without_a_file_to_blame(monkeypatch):  # 2.7
    def fails(**_):
        raise OSError("gone")

    monkeypatch.setattr(importlib.metadata, "entry_points", fails)
    monkeypatch.setattr(importlib.metadata, "distributions", lambda: iter(()))
    (problem,) = list_entry_points(GROUP).problems
    assert "OSError: gone" in problem


def test_a_distribution_that_cannot_be_asked_for_its_version(monkeypatch):  # 2.6
    monkeypatch.setattr(importlib.metadata, "distributions", lambda **_: [Resisting()])
    assert installed_version("any") is None


class Forgotten(dict):
    """What Python's finder sees where another thread takes an entry out between its look and its step."""

    def __init__(self, folders, times):
        super().__init__(folders)
        self.times = times

    def items(self):
        self.times -= 1
        return [*([("gone", None)] if self.times >= 0 else []), *super().items()]


@pytest.mark.parametrize(("times", "forgotten"), [(1, True), (3, True), (10**6, False)])
def test_a_folder_that_another_thread_forgot_first(monkeypatch, times, forgotten):  # 2.9
    monkeypatch.setattr(sys, "path_importer_cache", Forgotten({"relative": None}, times))
    forget_finder_caches()
    assert ("relative" not in sys.path_importer_cache) is forgotten


@pytest.mark.parametrize("raised", [KeyError, SystemExit, RecursionError])
def test_finders_that_cannot_forget_keep_no_other_from_it(monkeypatch, raised):  # 2.6
    def refuses():
        raise raised

    asked = []
    finders = [
        Resisting(raised),
        SimpleNamespace(invalidate_caches=refuses),
        SimpleNamespace(invalidate_caches=None),
        SimpleNamespace(),
        SimpleNamespace(invalidate_caches=lambda: asked.append("last")),
    ]
    monkeypatch.setattr(sys, "meta_path", finders)
    forget_finder_caches()
    assert asked == ["last"]


def test_an_interrupt_while_finders_forget_passes_through(monkeypatch):  # 2.6
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(sys, "meta_path", [SimpleNamespace(invalidate_caches=interrupted)])
    with pytest.raises(KeyboardInterrupt):
        forget_finder_caches()


def test_only_distributions_that_are_there_twice_are_looked_at_again(tmp_path, monkeypatch):  # 2.6, 10
    for folder in ("one/a-1.0.dist-info", "one/b-1.0.dist-info", "two/b-2.0.dist-info"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "METADATA").write_text("Metadata-Version: 2.1\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "one"), str(tmp_path / "two")])
    looked_at = []
    real = importlib.metadata.Distribution.at
    monkeypatch.setattr(importlib.metadata.Distribution, "at", lambda path: looked_at.append(path.name) or real(path))
    list_entry_points("twice.backends")
    assert looked_at == ["b-1.0.dist-info", "b-2.0.dist-info"]
