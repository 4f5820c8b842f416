"""Which process this is, for errors that are read elsewhere."""

from __future__ import annotations

import multiprocessing.process
import os
import platform
import sys
import types

import pytest

from scverse_backends._foundation.place import process, worker
from scverse_backends.exceptions import UnknownBackendError


def test_a_process_without_a_parent_is_no_worker(monkeypatch):
    assert worker() is None
    monkeypatch.delitem(sys.modules, "multiprocessing.process")
    assert worker() is None


def test_a_machine_may_have_no_name(monkeypatch):
    assert process() == f"process {os.getpid()} on {platform.node()}"
    monkeypatch.setattr(platform, "node", str)
    assert process() == f"process {os.getpid()} on an unnamed machine"


def test_workers_of_pools(monkeypatch):
    monkeypatch.setattr(multiprocessing.process, "parent_process", object)
    assert worker() == f"worker {process()}"


def test_dask_workers_have_an_address(monkeypatch):
    def nowhere():
        raise ValueError("No worker found")

    here = types.SimpleNamespace(address="tcp://10.0.0.3:4444")
    monkeypatch.setitem(sys.modules, "distributed", types.SimpleNamespace(get_worker=lambda: here))
    assert worker() == f"Dask worker tcp://10.0.0.3:4444, {process()}"
    monkeypatch.setitem(sys.modules, "distributed", types.SimpleNamespace(get_worker=nowhere))
    assert worker() is None


def test_an_error_names_the_first_worker_that_raised_it():
    error = UnknownBackendError("No such backend.", host="h", backend="b", suggestions=("c",), source="scope")
    error.__cause__ = cause = KeyError("b")
    moved = error.on_worker("worker 1")
    assert str(moved) == "In worker 1: No such backend."
    assert vars(moved) == {**vars(error), "worker": "worker 1"}
    assert moved.__cause__ is cause
    assert moved.on_worker("worker 2") is moved
    assert moved.rewritten("More.", source="scope").worker == "worker 1"
    with pytest.raises(UnknownBackendError, match=r"^In worker 1: "):
        raise moved
