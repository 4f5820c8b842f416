"""Dispatchers that are alive, and how they are found again in another process."""

from __future__ import annotations

import gc
import pickle
import sys

import cloudpickle
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
    assert key[:4] == (__name__, "live.backends", "live_host", 0)
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
    monkeypatch.setitem(_LIVE, key[4], (key, lambda: None))
    assert key not in [key for key, _ in live_dispatchers()]
    with pytest.raises(BackendError):
        restore(key)


def test_the_module_that_creates_it_is_imported(tmp_path, monkeypatch):
    (tmp_path / "live_creator.py").write_text(
        "from scverse_backends import BackendDispatcher\n"
        "d = BackendDispatcher(entrypoint_group='live.backends', host_name='live_creator')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    key = ("live_creator", "live.backends", "live_creator", 0, 0)
    restored = restore(key)
    assert isinstance(restored, BackendDispatcher)
    assert restored is sys.modules["live_creator"].d
    assert restore(key, "host_name") == "live_creator"
    monkeypatch.delitem(sys.modules, "live_creator")


def test_a_module_that_runs_again_creates_the_same_dispatchers():  # 1.7
    names = (__name__, "again.backends", "again_host")
    first = [Dispatcher(), Dispatcher()]
    before = [enlist(one, *names, "first run") for one in first]
    second = [Dispatcher(), Dispatcher()]
    after = [enlist(one, *names, "second run") for one in second]
    assert [key[3] for key in before] == [key[3] for key in after] == [0, 1]
    # What was replaced is still itself for as long as it lives,
    assert list(map(restore, before)) == first
    assert list(map(restore, after)) == second
    # and another process finds what its own run of the module created.
    assert [restore((*names, position, -1)) for position in (0, 1)] == second
    # Both are there, for whoever looks after all of them.
    assert [one for _, one in live_dispatchers() if one in first + second] == first + second
    del first[:]
    gc.collect()
    assert list(map(restore, before)) == second


def test_a_module_that_creates_fewer_than_it_did_elsewhere():  # 1.7
    only = Dispatcher()
    module, group, host, position, number = enlist(only, __name__, "fewer.backends", "fewer_host")
    with pytest.raises(BackendError, match=f"importing '{__name__}' creates only 1 for group 'fewer.backends'"):
        restore((module, group, host, position + 1, number + 1))


def test_a_script_is_known_by_another_name_in_a_spawned_process():
    dispatcher = Dispatcher()
    enlist(dispatcher, "__mp_main__", "script.backends", "script_host")
    assert restore(("__main__", "script.backends", "script_host", 0, -1)) is dispatcher


@pytest.mark.parametrize("module", ["json", "__main__"])
def test_a_module_that_creates_none(module):
    with pytest.raises(BackendError, match=f"importing '{module}' creates none.*importable module") as caught:
        restore((module, "no.backends", "no_host", 0, 0))
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


def test_a_dispatcher_lives_as_long_as_its_settings_and_functions():  # 1.7
    def host():
        dispatcher = BackendDispatcher(entrypoint_group="kept.backends", host_name="kept")
        return dispatcher.settings, dispatcher.backend_dispatch(lambda x: x)

    settings, function = host()
    gc.collect()
    assert pickle.loads(pickle.dumps(settings)) is settings
    copy = cloudpickle.loads(cloudpickle.dumps(function))
    assert copy(1) == 1
    del settings
    gc.collect()
    assert cloudpickle.loads(cloudpickle.dumps(function))(2) == 2
    del function, copy
    gc.collect()
    assert "kept" not in [key[2] for key, _ in live_dispatchers()]
