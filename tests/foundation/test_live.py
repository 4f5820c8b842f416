"""Dispatchers that are alive, and how they are found again in another process."""

from __future__ import annotations

import gc
import sys

import pytest

from scverse_backends import BackendDispatcher
from scverse_backends._discovery.entry_points import RegisteredRecord
from scverse_backends._foundation.live import _LIVE, _after_fork, enlist, live_dispatchers, restore
from scverse_backends.exceptions import BackendError


class Dispatcher:
    name = "mine"
    settings = "its settings"


def test_a_dispatcher_is_found_while_it_lives():
    dispatcher = Dispatcher()
    key = enlist(dispatcher, __name__, "live.backends", "live_host")
    assert key == (__name__, "live.backends", "live_host", 0)
    assert (key, dispatcher) in list(live_dispatchers())
    assert restore(key) is dispatcher
    assert restore(key, "settings") == "its settings"
    second = Dispatcher()
    assert enlist(second, __name__, "live.backends", "live_host")[3] == 1
    del dispatcher
    gc.collect()
    assert key not in [key for key, _ in live_dispatchers()]


def test_a_dispatcher_that_dies_while_the_living_are_looked_at(monkeypatch):
    dispatcher = Dispatcher()
    key = enlist(dispatcher, __name__, "dying.backends", "live_host")
    # As between the end of the object and the clean-up that follows it.
    monkeypatch.setitem(_LIVE, key, lambda: None)
    assert key not in [key for key, _ in live_dispatchers()]
    with pytest.raises(BackendError):
        restore(key)


def test_the_module_that_creates_it_is_imported(tmp_path, monkeypatch):
    (tmp_path / "live_creator.py").write_text(
        "from scverse_backends import BackendDispatcher\n"
        "d = BackendDispatcher(entrypoint_group='live.backends', host_name='live_creator')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    key = ("live_creator", "live.backends", "live_creator", 0)
    restored = restore(key)
    assert isinstance(restored, BackendDispatcher)
    assert restored is sys.modules["live_creator"].d
    assert restore(key, "host_name") == "live_creator"
    monkeypatch.delitem(sys.modules, "live_creator")


def test_a_script_is_known_by_another_name_in_a_spawned_process():
    dispatcher = Dispatcher()
    enlist(dispatcher, "__mp_main__", "script.backends", "script_host")
    assert restore(("__main__", "script.backends", "script_host", 0)) is dispatcher


@pytest.mark.parametrize("module", ["json", "__main__"])
def test_a_module_that_creates_none(module):
    with pytest.raises(BackendError, match=f"importing '{module}' creates none.*importable module") as caught:
        restore((module, "no.backends", "no_host", 0))
    assert caught.value.host == "no_host"


def test_a_forked_child_opens_the_locks_of_a_dispatcher_that_has_looked_for_nothing_yet():  # 2.9
    dispatcher = BackendDispatcher(entrypoint_group="fork.backends", host_name="fork_host")
    lock = dispatcher._machinery._building
    gc.collect()  # The stand-ins of other tests.
    _after_fork()
    assert dispatcher._machinery._building is not lock


def test_a_forked_child_opens_the_locks_of_every_dispatcher():  # 2.9
    dispatcher = BackendDispatcher(entrypoint_group="fork.backends", host_name="fork_host")
    entry = dispatcher._machinery.registry.read(RegisteredRecord("mine", Dispatcher))
    dispatcher._machinery.registry.add(entry)
    lock = dispatcher._machinery.registry._lock
    entry.loading = {-1}  # A thread of the parent.
    gc.collect()  # The stand-ins of other tests.
    _after_fork()
    assert entry.loading == set()
    assert dispatcher._machinery.registry._lock is not lock
