"""What is special about squidpy: functions on joblib have a `backend` of their own, in three ways."""

from __future__ import annotations

import inspect
import warnings

import pytest
import squidpy as sq
from conftest import DISPATCHERS, RAPIDS

DISPATCHER = DISPATCHERS["squidpy"]


def recorded(function, *args, **kwargs):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = function(*args, **kwargs)
    return result, caught


def test_joblibs_backend_has_another_name():  # 4.1
    for function in (sq.gr.spatial_autocorr, sq.gr.nhood_enrichment):
        parameters = inspect.signature(function).parameters
        assert parameters["parallel_backend"].default == "loky"
        assert parameters["backend"].default is None
        assert "\nparallel_backend\n    Parallelization backend" in inspect.getdoc(function)


@pytest.mark.parametrize("name", ["loky", "threading"])
def test_an_old_call_still_reaches_joblib(name, data, monkeypatch):  # 4.1
    seen = {}

    def parallelize(*args, **options):
        seen.update(options)
        raise StopIteration

    monkeypatch.setattr("squidpy.gr._ppatterns.parallelize", parallelize)
    sq.gr.spatial_neighbors_knn(data, spatial_key="X_umap")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with pytest.raises(StopIteration):
            sq.gr.spatial_autocorr(data, genes=list(data.var_names[:2]), n_perms=2, backend=name)
        line = inspect.currentframe().f_lineno - 1
    assert seen["backend"] == name
    (deprecation,) = [one for one in caught if "parallel_backend" in str(one.message)]
    assert (deprecation.category, deprecation.filename, deprecation.lineno) == (FutureWarning, __file__, line)


def test_joblibs_backend_is_dropped_on_another(data):  # 4.2
    call, caught = recorded(sq.gr.spatial_autocorr, data, parallel_backend="threading", backend="cuda")
    assert "parallel_backend" not in call
    assert ["'parallel_backend' has no effect" in str(one.message) for one in caught] == [True]


def test_joblibs_backend_among_the_keywords_has_another_name_too(data, monkeypatch):  # 4.1
    seen = []
    monkeypatch.setattr("squidpy.gr._ligrec.PermutationTest.test", lambda self, *args, **options: seen.append(options))
    monkeypatch.setattr("squidpy.gr._ligrec.PermutationTest.prepare", lambda self, *args, **options: self)
    sq.gr.ligrec(data, "louvain", parallel_backend="threading", n_perms=2)
    with pytest.warns(FutureWarning, match="write parallel_backend='loky'"):
        sq.gr.ligrec(data, "louvain", backend="loky", n_perms=2)
    assert [options["backend"] for options in seen] == ["threading", "loky"]


def test_a_decorator_that_says_goodbye_to_parameters_lets_go_of_backend(data):
    call, caught = recorded(sq.gr.co_occurrence, data, "louvain", n_splits=2, backend="cuda")
    line = inspect.currentframe().f_lineno - 1
    assert call.function == "co_occurrence"
    assert [one.category for one in caught] == [FutureWarning]
    assert "n_splits" in str(caught[0].message)
    assert caught[0].lineno != line  # The call stands in `recorded`.


def test_keys_of_kwargs_that_the_backend_knows_arrive(data):  # 4.2, 4.3
    call, caught = recorded(sq.gr.ligrec, data, "louvain", n_perms=10, n_jobs=2, seed=3, backend="cuda")
    assert call["n_perms"] == 10
    text = " ".join(str(one.message) for one in caught)
    assert "'n_jobs'" in text
    assert ("'seed'" in text) is ("seed" not in call)


@pytest.mark.parametrize("inplace", [True, False])
def test_an_adapter_translates(inplace, data):
    name, value = ("inplace", inplace) if RAPIDS == "0.18.1" else ("copy", not inplace)
    call, caught = recorded(sq.gr.calculate_niche, data, "neighborhood", groups="g", inplace=inplace, backend="cuda")
    assert call[name] is value
    assert call["flavor"] == "neighborhood"
    assert caught == []


def test_a_seed_arrives_under_the_backends_name(data):  # 4.13
    if DISPATCHER.get_backend("cuda").__all__.count("ripley"):
        call, caught = recorded(sq.gr.ripley, data, "louvain", seed=4, backend="cuda")
        assert (call["rng"], caught) == (4, [])
    else:
        assert DISPATCHER.settings.explain(sq.gr.ripley, backend="cuda").executes == "cpu"
