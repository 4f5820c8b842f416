"""Tables as frames of pandas (7.1, 7.3, 8.5, 8.6), and provenance in a file of AnnData (7.3).

Runs with ``hatch run libraries:test``.
"""

from __future__ import annotations

import importlib.metadata
import sys
import types

import anndata
import numpy as np
import pandas as pd
import pytest

from scverse_backends import BackendDispatcher
from scverse_backends.testing import check_backend, compare, compare_calls


class Fast:
    name = "fast"
    aliases = ("quick",)

    def score(self, x, *, device=0):
        return x + 1


class Odd(Exception):
    """An exception that cannot be copied."""

    def __init__(self, one, other):
        super().__init__(f"{one} {other}")


class Broken:
    name = "broken"

    def __init__(self):
        raise Odd("no", "driver")


# What these libraries say of each other is not what is tested here; what we say is.
pytestmark = pytest.mark.filterwarnings("ignore", "error::scverse_backends.exceptions.BackendWarning")


@pytest.fixture
def host():
    dispatcher = BackendDispatcher(entrypoint_group="frames.backends", host_name="frames", untrusted="allow")

    @dispatcher.backend_dispatch
    def score(x):
        return x + 2

    dispatcher.register(Fast())
    return types.SimpleNamespace(dispatcher=dispatcher, settings=dispatcher.settings, score=score)


def test_backends(host):
    frame = pd.DataFrame(host.settings.backends())
    assert list(frame.columns)[:3] == ["name", "aliases", "distribution"]
    assert frame.loc[0, "name"] == "fast"
    assert frame.loc[0, "aliases"] == ("quick",)


def test_a_backend_that_failed_in_its_own_way(host, monkeypatch):
    point = importlib.metadata.EntryPoint("broken", "frames_backend:Broken", "frames.backends")
    listed = importlib.metadata.EntryPoints([point])
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda **_: listed)
    monkeypatch.setitem(sys.modules, "frames_backend", types.SimpleNamespace(Broken=Broken))
    frame = pd.DataFrame(host.settings.backends()).set_index("name")
    assert frame.loc["broken", "state"] == "failed"
    assert "no driver" in str(frame.loc["broken", "error"])


def test_calls(host):
    with host.settings.trace() as calls:
        host.score(1)
        with host.settings.use_backend("fast", options={"device": 1}):
            host.score(1)
    frame = pd.DataFrame(calls)
    assert frame["executed"].tolist() == ["cpu", "fast"]
    assert frame["options"].tolist() == [{}, {"device": 1}]
    assert frame.groupby("executed")["seconds"].sum().to_dict() == {
        name: pytest.approx(seconds) for name, (_, seconds) in calls.totals().items()
    }


def test_comparisons(host):
    frame = pd.DataFrame(compare(host.score, np.ones(3)))
    assert frame["backend"].tolist() == ["cpu", "fast"]
    assert frame["agrees"].tolist() == [None, False]
    assert frame["where"].tolist()[1] == "result[0]"


def test_compared_calls_and_problems(host):
    with compare_calls(host.settings) as table:
        host.score(np.ones(3), backend="fast")
    frame = pd.DataFrame(table)
    assert frame[["function", "calls", "differing"]].to_dict("records") == [
        {"function": "score", "calls": 1, "differing": 1}
    ]
    problems = pd.DataFrame(check_backend(host.dispatcher, "fast"))
    assert list(problems.columns) == ["function", "parameter", "severity", "message", "advice"]


def test_provenance_can_be_written_with_the_data(host, tmp_path):
    with host.settings.trace() as calls:
        host.score(1)
        with host.settings.use_backend("fast", options={"device": 1}):
            host.score(1)
    adata = anndata.AnnData(np.ones((2, 2), np.float32))
    adata.uns["provenance"] = calls.provenance()
    adata.write_h5ad(tmp_path / "data.h5ad")
    again = anndata.read_h5ad(tmp_path / "data.h5ad").uns["provenance"]
    assert again["functions"]["score"]["fast"]["options"]["device"] == 1
    assert again["python"] == calls.provenance()["python"]
