"""The steps of the page *Adopting it in an existing host* that no other file takes: settings and threads."""

from __future__ import annotations

import inspect
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import scanpy as sc
import scverse_misc
from conftest import DISPATCHERS

DISPATCHER = DISPATCHERS["scanpy"]


class Settings(scverse_misc.Settings):
    """The pydantic class that scanpy's settings derive from, with what the page adds to it."""

    verbosity: int = 1
    """How much is said."""

    @property
    def backend(self):
        return DISPATCHER.settings.backend

    @backend.setter
    def backend(self, name):
        DISPATCHER.settings.backend = name

    @backend.deleter
    def backend(self):
        del DISPATCHER.settings.backend

    use_backend = staticmethod(DISPATCHER.settings.use_backend)

    @contextmanager
    def override(self, *, backend=None, **others):
        with DISPATCHER.settings.use_backend(backend), super().override(**others):
            yield


@pytest.fixture
def settings():
    return Settings()


def test_settings_of_the_hosts_own_forward(settings, data):
    settings.backend = "cuda"
    assert settings.backend == "rapids-singlecell"
    assert sc.tl.umap(data).function == "umap"
    del settings.backend
    assert settings.backend == "cpu"
    with settings.use_backend("rapids"):
        assert sc.tl.umap(data).function == "umap"
    with pytest.raises(ValueError, match="Available: 'cpu', 'cuda'"):
        settings.backend = "nope"
    assert settings.model_dump() == {"verbosity": 1}


def test_override_opens_a_scope_and_pins_nothing(settings, data):
    with settings.override(backend="cuda", verbosity=3):
        assert (settings.backend, settings.verbosity) == ("rapids-singlecell", 3)
        assert sc.tl.umap(data).function == "umap"
        with settings.override(verbosity=0):
            assert settings.backend == "rapids-singlecell"
    assert settings.verbosity == 1
    assert "process" not in repr(DISPATCHER.settings)
    with pytest.raises(RuntimeError, match="inside"), settings.override(backend="cuda"):
        raise RuntimeError("inside")
    assert settings.backend == "cpu"


def test_overriding_by_assignment_would_pin_the_cpu(settings):
    # What the page warns of: the generic override reads `backend`, and assigns what it read.
    with scverse_misc.Settings.override(settings, backend="cuda"):
        assert settings.backend == "rapids-singlecell"
    assert DISPATCHER.explain(sc.tl.umap).source == "process"
    del settings.backend


def test_work_in_threads_is_bound(data):
    def part(_):
        return getattr(sc.tl.umap(data), "function", "host")

    with DISPATCHER.settings.use_backend("cuda"), ThreadPoolExecutor(2) as pool:
        assert list(pool.map(DISPATCHER.settings.bind(part), range(4))) == ["umap"] * 4


def test_backend_is_shown_before_any_backend_is_known():
    # The host's own decorators fill their templates into text that has the entry already.
    assert "backend : str, sequence of str or None" in sc.tl.leiden.__doc__
    assert inspect.signature(sc.tl.leiden).parameters["backend"].default is None


def test_an_old_script_runs_as_before(data):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        sc.pp.normalize_total(data, target_sum=1e4)
        sc.pp.scale(data, max_value=10)
    assert not [one for one in caught if "scverse_backends" in type(one.message).__module__]
