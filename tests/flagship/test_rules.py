"""What reviewers of the pair asked for: nothing is done that was not asked, and errors say where they come from."""

from __future__ import annotations

import inspect
import threading
import warnings
from types import SimpleNamespace

import pytest
import scanpy as sc
from conftest import DISPATCHERS
from test_seeds import SEEDED, silently

from scverse_backends.exceptions import (
    BackendWarning,
    DroppedArgumentWarning,
    FallbackWarning,
    FunctionNotImplementedError,
)
from scverse_backends.testing import temporary_backend

DISPATCHER = DISPATCHERS["scanpy"]
SETTINGS = DISPATCHER.settings


@pytest.fixture
def counts(data):
    data.X = data.raw.X.copy()
    return data


def with_ours(function, *args, **kwargs):
    """Call a function that runs on the host; returns its result and the warnings that are ours."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = function(*args, **kwargs)
    return result, [one for one in caught if issubclass(one.category, BackendWarning)]


# -- what must not be dropped ------------------------------------------------------------------------------------------


def test_a_copy_is_a_copy(counts):  # 4.15
    with pytest.warns(FallbackWarning, match="lacks 'copy'"):
        filtered = sc.pp.filter_cells(counts, min_genes=300, copy=True, backend="cuda")
    assert 0 < filtered.n_obs < counts.n_obs


def test_a_subset_is_a_subset(counts):  # 4.15
    with pytest.warns(FallbackWarning, match="lacks 'subset'"):
        sc.pp.highly_variable_genes(counts, n_top_genes=50, subset=True, backend="cuda")
    assert counts.n_vars == 50


def test_in_place_is_in_place(counts):  # 4.15
    with pytest.warns(FallbackWarning, match="lacks 'inplace'"):
        assert sc.pp.calculate_qc_metrics(counts, percent_top=None, inplace=True, backend="cuda") is None
    assert "total_counts" in counts.obs


def test_what_is_at_its_default_declines_nothing(data):  # 4.15
    call = silently(sc.pp.filter_genes, data, min_cells=3, copy=False, backend="cuda")
    assert call.function == "filter_genes"
    assert silently(sc.tl.umap, data, copy=True, backend="cuda")["copy"] is True  # The backend has it.


def test_an_order_and_a_policy_hear_of_it(counts):  # 4.15, 1.9, 4.6
    filtered, warned = with_ours(sc.pp.filter_cells, counts, min_genes=300, copy=True, backend=["cuda", "cpu"])
    assert 0 < filtered.n_obs < counts.n_obs
    assert warned == []
    with SETTINGS.use_backend("cuda", fallback="raise"), pytest.raises(FunctionNotImplementedError, match="'copy'"):
        sc.pp.filter_cells(counts, min_genes=300, copy=True)


# -- seeds that nobody gave --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seeded", [*SEEDED, sc.tl.tsne, sc.tl.diffmap], ids=lambda seeded: seeded.__name__)
def test_a_call_without_a_seed_is_silent(seeded, data):  # 4.13
    assert silently(seeded, data, backend="cuda", **SEEDED.get(seeded, {})).function == seeded.__name__


# -- warnings ----------------------------------------------------------------------------------------------------------


def test_one_call_gives_one_warning(data):  # 4.2
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        sc.tl.leiden(data, flavor="igraph", directed=False, n_iterations=2, backend="cuda")
    (warning,) = [one for one in caught if issubclass(one.category, DroppedArgumentWarning)]
    assert "'flavor'" in str(warning.message)
    assert "'directed'" in str(warning.message)


@pytest.mark.parametrize("backend", [None, "cpu"])
def test_what_the_host_warns_of_stands_on_the_users_line(backend, counts):  # 4.5
    counts.X[0] = 0
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        sc.pp.normalize_total(counts, target_sum=1, backend=backend)
        line = inspect.currentframe().f_lineno - 1
    places = [(one.filename, one.lineno) for one in caught if "zero counts" in str(one.message)]
    assert places == [(__file__, line)]


# -- errors ------------------------------------------------------------------------------------------------------------


def notes(error):
    return " ".join(getattr(error.value, "__notes__", ()))


def test_a_fallback_that_fails_says_that_it_was_one():  # 4.6
    part = SimpleNamespace(name="part", umap=lambda adata: "part")
    with (
        temporary_backend(DISPATCHER, part, distribution="part"),
        warnings.catch_warnings(action="ignore"),
        pytest.raises(Exception) as error,  # noqa: PT011 - scanpy's own, whatever it is.
    ):
        sc.pp.neighbors(object(), backend="part")
    assert "part" in notes(error)
    with warnings.catch_warnings(action="ignore"), pytest.raises(Exception) as error:  # noqa: PT011 - as above.
        sc.pp.filter_cells(object(), min_genes=1, copy=True, backend="cuda")
    assert "rapids-singlecell" in notes(error)
    assert "'copy'" in notes(error)


def test_an_option_that_went_into_the_hosts_kwargs_is_explained(data):  # 4.9
    with warnings.catch_warnings(action="ignore"), pytest.raises(TypeError) as error:
        sc.tl.leiden(data, flavor="leidenalg", use_dask=True)
    assert "use_dask" in notes(error)
    assert "rapids-singlecell" in notes(error)


@pytest.mark.parametrize("backend", [None, "cpu", "cuda"])
def test_a_misspelt_argument_is_recognised(backend, data):  # 4.9
    with pytest.raises(TypeError, match=r"normalize_total\(\)[\s\S]*'targetsum'[\s\S]*target_sum"):
        sc.pp.normalize_total(data, targetsum=1, backend=backend)


def test_an_option_at_its_merged_default_counts_as_not_given(data):  # 4.9
    assert with_ours(sc.pp.filter_cells, data, min_genes=1, verbose=True) == (None, [])
    with pytest.raises(TypeError, match="'verbose'"):
        sc.pp.filter_cells(data, min_genes=1, verbose=False)


def test_one_frame_of_ours_stands_in_a_traceback():  # 4.14
    with pytest.raises(Exception) as error:  # noqa: PT011 - scanpy's own, whatever it is.
        sc.pp.neighbors(object())
    files = [entry.frame.code.path for entry in error.traceback]
    assert len([file for file in files if "_bootstrap" in str(file) or "scverse_backends" in str(file)]) == 1


# -- which GPU? --------------------------------------------------------------------------------------------------------


def test_options_for_a_while(data):  # 1.11
    with SETTINGS.use_backend("cuda", options={"algorithm": "ivfflat"}):
        assert sc.pp.neighbors(data)["algorithm"] == "ivfflat"
        assert sc.pp.neighbors(data, algorithm="brute")["algorithm"] == "brute"
        assert "algorithm" not in sc.tl.umap(data)
        with SETTINGS.use_backend("cuda", options={"algorithm_kwds": {"n_lists": 4}}), SETTINGS.trace() as calls:
            call = sc.pp.neighbors(data)
        assert (call["algorithm"], call["algorithm_kwds"]) == ("ivfflat", {"n_lists": 4})
        assert calls[0].options["algorithm"] == "ivfflat"
        with warnings.catch_warnings(action="ignore"):
            sc.pp.filter_cells(data, min_genes=1, backend="cpu")  # The host sees none of it.
    assert sc.pp.neighbors(data, backend="cuda")["algorithm"] == "brute"


def test_options_that_nothing_takes_are_an_error_at_once():  # 1.11
    with pytest.raises(TypeError, match="algorithm"), SETTINGS.use_backend("cuda", options={"algoritm": "ivfflat"}):
        raise AssertionError


def test_options_go_along_with_a_bound_function(data):  # 1.11, 1.8
    found = []
    with SETTINGS.use_backend("cuda", options={"algorithm": "ivfflat"}):
        bound = SETTINGS.bind(lambda: found.append(sc.pp.neighbors(data)))
    thread = threading.Thread(target=bound)
    thread.start()
    thread.join()
    assert found[0]["algorithm"] == "ivfflat"


def test_explain_says_what_it_knows_beforehand():  # 4.15, 7.2
    text = str(SETTINGS.explain(sc.pp.filter_cells, backend="cuda"))
    assert "rapids-singlecell" in text
    assert "copy" in text
    assert "copy" not in str(SETTINGS.explain(sc.tl.umap, backend="cuda"))
    assert inspect.signature(sc.pp.filter_cells).parameters["verbose"].default is True
