"""The registry's own states: listings that race, what is brought back, and forks."""

from __future__ import annotations

import importlib.metadata
from _thread import get_ident
from types import SimpleNamespace

import pytest

from scverse_backends._discovery.adapters import Backend, Failure
from scverse_backends._discovery.entry_points import RegisteredRecord
from scverse_backends._discovery.notices import notices
from scverse_backends._discovery.registry import Registry
from scverse_backends._discovery.trust import Trust


class Adapter:
    def __init__(self, name, aliases=()):
        self.name = name
        self.aliases = aliases


def point(name, adapter, value="module:adapter"):
    return SimpleNamespace(name=name, value=value, dist=None, load=lambda: adapter)


@pytest.fixture
def changes():
    return []


@pytest.fixture
def make(monkeypatch, changes):
    def make(*points, trusted=None, refuse=False):
        monkeypatch.setattr(importlib.metadata, "entry_points", lambda **_: list(points))
        return Registry(
            group="registry.backends",
            trust=Trust(trusted, None),
            refuse_untrusted=refuse,
            on_change=lambda: changes.append("changed"),
        )

    return make


def test_nothing_is_listed_before_it_is_needed(make):  # 2.1
    registry = make(point("fast", Adapter("fast")))
    assert registry.known_entries() == ()
    assert registry.listing.problems == ()
    assert list(notices(registry)) == []
    assert [entry.record.name for entry in registry.entries()] == ["fast"]
    assert registry.entries()[0].outcome is None


def test_two_threads_that_make_the_first_listing(make, monkeypatch):  # 2.9
    adapter = Adapter("fast")
    shared = point("fast", adapter)
    registry = make(shared)
    inner = []

    def list_while_listing(**_):
        if not inner:
            inner.append(None)
            inner[0] = registry.find("fast")  # Stands for the other thread, which is faster.
        return [shared]

    monkeypatch.setattr(importlib.metadata, "entry_points", list_while_listing)
    assert registry.find("fast") is inner[0]
    assert registry.find("fast").adapter is adapter


def test_what_is_loaded_stays_loaded(make, changes):  # 2.1, 2.8
    registry = make(point("fast", Adapter("fast")), point("slow", Adapter("slow")))
    fast = registry.find("fast")
    revision = registry.revision
    changes.clear()
    assert registry.relist() is False
    assert registry.find("fast") is fast
    assert (changes, registry.revision) == ([], revision)


def test_a_loser_of_the_race_takes_the_first_outcome(make):  # 2.9
    first = Backend(
        name="fast",
        aliases=(),
        adapter=Adapter("fast"),
        record=RegisteredRecord("fast", None),
        untrusted_reason="",
    )
    races = []

    class Slow:
        @property
        def name(self):
            # Another thread published its outcome in the meantime.
            (entry,) = registry.entries()
            entry.outcome = first
            races.append(entry)
            return "fast"

    registry = make(point("fast", Slow()))
    assert registry.find("fast") is first
    assert len(races) == 1


def test_a_refused_entry_point_is_not_tried_again(make):  # 3.2
    registry = make(point("fast", Adapter("fast")), trusted={"fast": {"package": "fast-pkg"}})
    (entry,) = registry.entries()
    outcome = registry.load(entry, "always")
    assert isinstance(outcome, Failure)
    assert outcome.text == (
        "the name 'fast' is reserved for the trusted backend 'fast', "
        "and it comes from an unknown distribution and not from 'fast-pkg'"
    )
    assert not entry.failed


def test_every_refusal_says_why(make):  # 3.2, 3.4, 3.5
    registry = make(point("FAST", None), point("quick", None), trusted={"fast": {}, "quick": {}}, refuse=True)
    texts = [entry.outcome.text for entry in registry.entries()]
    assert texts == [
        "the name 'FAST' is reserved for the trusted backend 'fast', and its entry point is 'FAST' and not 'fast'",
        "the host uses trusted backends only, and the host configured nothing to verify its provider by",
    ]
    registry = make(point("other", None), refuse=True)
    assert registry.entries()[0].outcome.text == (
        "the host uses trusted backends only, and the host does not list it as trusted"
    )


def test_two_verified_entry_points_of_one_trusted_backend(make):  # 2.5
    official, alias = Adapter("fast"), Adapter("fast")
    trusted = {"fast": {"aliases": ["f"], "module_prefix": "module"}}
    registry = make(point("f", alias), point("fast", official), trusted=trusted)
    registry.load_all()
    assert registry.answers()["fast"].adapter is registry.answers()["f"].adapter is official
    (loser,) = {conflict[2].outcome.adapter for conflict in registry.conflicts()}
    assert loser is alias
    (beaten,) = (entry.outcome for entry in registry.entries() if entry.outcome.adapter is alias)
    assert registry.shadowed(beaten)
    assert [backend.adapter for backend in registry.available()] == [official]


def test_a_snapshot_brings_everything_back(make, changes):  # 8.3
    registry = make(point("fast", Adapter("fast")), point("slow", Adapter("slow")))
    fast = registry.find("fast")
    restore = registry.snapshot()
    revision = registry.revision
    registry.add(registry.read(RegisteredRecord("", Adapter("mine"))))
    registry.load_all()
    assert sorted(registry.answers()) == ["fast", "mine", "slow"]
    changes.clear()
    restore()
    assert changes == ["changed"]
    assert registry.revision > revision
    assert sorted(registry.answers()) == ["fast"]
    assert registry.find("fast") is fast
    assert [entry.outcome for entry in registry.known_entries()] == [fast, None]


def test_registered_adapters_come_last_and_go(make):  # 2.10
    registry = make(point("fast", Adapter("fast")))
    entry = registry.read(RegisteredRecord("", Adapter("mine", ["fast"])))
    registry.add(entry)
    assert entry.record.name == "mine"
    assert registry.find("fast").name == "fast"
    assert [one.record.name for one in registry.entries()] == ["fast", "mine"]
    registry.remove(entry)
    assert registry.registered == ()


def test_instances_of_classes_that_are_gone_are_forgotten(make):
    class Made:
        name = "mine"

    class Another(Made):
        name = "another"

    registry = make()
    registry.add(registry.read(RegisteredRecord("", Another)))
    entries = [registry.read(RegisteredRecord("", Made)) for _ in range(2)]
    assert entries[0].outcome.adapter is entries[1].outcome.adapter
    registry.add(entries[0])
    registry.remove(entries[0])
    assert registry.read(RegisteredRecord("", Made)).outcome.adapter is not entries[0].outcome.adapter


def test_a_forked_child_forgets_the_threads_that_stayed_behind(make):  # 2.9
    registry = make(point("fast", Adapter("fast")))
    (entry,) = registry.entries()
    entry.loading = {get_ident() + 1}
    registry.after_fork()
    assert entry.loading == set()
    assert registry.find("fast").name == "fast"


def test_an_entry_point_that_this_thread_is_loading_counts_as_not_found(make):  # 2.9
    registry = make(point("fast", Adapter("fast")))
    (entry,) = registry.entries()
    entry.loading = {get_ident()}
    assert registry.load(entry) is None
    assert registry.find("fast") is None
    assert entry.outcome is None
    registry.relist()
    assert registry.entries() == (entry,)  # Who is being loaded stays the one that is known.
    entry.outcome = Failure("it could not be loaded")
    assert not entry.failed
    entry.loading = set()
    assert entry.failed
