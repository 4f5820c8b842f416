"""Waiting for values that are still being computed (7.3, 8.5)."""

from __future__ import annotations

import sys
import types

import pytest

from scverse_backends._foundation.waiting import DEEPEST, is_lazy, leaves, wait_for


class Pending:
    def __init__(self, log):
        self.log = log

    def block_until_ready(self):
        self.log.append("waited")


def test_everything_is_met_once_whatever_holds_whom():
    log = []
    pending = Pending(log)
    ring = [pending, {"again": pending}]
    ring.append(ring)
    assert sum(leaf is pending for leaf in leaves([ring, ring, (ring,)])) == 1
    assert wait_for(leaves([ring])) is True
    assert log == ["waited"]


def test_there_may_be_nothing_to_wait_for():
    assert wait_for(leaves([[1.0, "a", None], {"b": {2}}, object()])) is False


@pytest.mark.parametrize(("depth", "waited"), [(DEEPEST, ["waited"]), (DEEPEST + 1, [])])
def test_what_is_nested_too_deeply_is_left(depth, waited):
    log = []
    value = Pending(log)
    for _ in range(depth):
        value = [value]
    wait_for(leaves([value]))
    assert log == waited


def test_data_that_cannot_be_read_compute_nothing():
    class AnnData:
        obs = var = ()

        @property
        def X(self):
            raise OSError("the file is closed")

    data = AnnData()
    assert list(leaves([data])) == [data]


def test_the_mappings_of_annotated_data_are_looked_into():
    class Layers:
        def __init__(self, **arrays):
            self.arrays = arrays

        def keys(self):
            return self.arrays.keys()

        def __getitem__(self, name):
            return self.arrays[name]

    class AnnData:
        obs = var = ()

        def __init__(self, layers):
            self.layers = layers

    log = []
    wait_for(leaves([AnnData(Layers(counts=Pending(log)))]))
    assert log == ["waited"]


def test_a_tensor_waits_for_its_device(monkeypatch):
    waited = []
    torch = types.SimpleNamespace(cuda=types.SimpleNamespace(synchronize=waited.append))
    monkeypatch.setitem(sys.modules, "torch", torch)

    class Tensor:
        __cuda_array_interface__ = {}  # noqa: RUF012 - what matters is that it is there.
        is_cuda = True
        device = "cuda:1"

        def cpu(self):
            raise AssertionError("a transfer of everything")

    assert wait_for([Tensor()]) is True
    assert waited == ["cuda:1"]


def test_a_class_that_offers_to_compute_is_no_value():
    class Lazy:
        def __dask_graph__(self):
            raise AssertionError

    assert is_lazy(Lazy())
    assert not is_lazy(Lazy)
    assert not is_lazy(3.0)
