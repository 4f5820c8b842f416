"""Calls as scientists write them: the right arguments arrive, and a warning stands on the line of the call."""

from __future__ import annotations

import inspect
import sys
import warnings

import pytest
from conftest import DISPATCHERS, HOSTS
from routing import arrived, routed

from scverse_backends.exceptions import DroppedArgumentWarning

GENES = ["CD3D", "CD8A", "NKG7"]

# Host, function, arguments besides the data. Seeds, copies and the like have tests of their own.
CALLS = [
    ("scanpy", "calculate_qc_metrics", (), {"qc_vars": ["mt"]}),
    ("scanpy", "calculate_qc_metrics", (), {"qc_vars": ["mt"], "percent_top": None, "log1p": False}),
    ("scanpy", "calculate_qc_metrics", (), {"percent_top": (50, 100, 200, 500), "use_raw": False}),
    ("scanpy", "calculate_qc_metrics", (), {"use_raw": True}),
    ("scanpy", "filter_cells", (), {"min_genes": 200}),
    ("scanpy", "filter_cells", (), {"min_counts": 10, "verbose": False}),
    ("scanpy", "filter_genes", (), {"min_cells": 3}),
    ("scanpy", "filter_genes", (), {"max_counts": 10_000}),
    ("scanpy", "normalize_total", (), {"target_sum": 1e4}),
    ("scanpy", "normalize_total", (), {"exclude_highly_expressed": True, "max_fraction": 0.1, "key_added": "n"}),
    ("scanpy", "normalize_total", (), {"layer": "counts", "key_added": None}),
    ("scanpy", "log1p", (), {}),
    ("scanpy", "log1p", (), {"base": 2}),
    ("scanpy", "log1p", (), {"chunked": True, "chunk_size": 100}),
    ("scanpy", "highly_variable_genes", (), {"n_top_genes": 2000, "flavor": "seurat_v3", "layer": "counts"}),
    ("scanpy", "highly_variable_genes", (), {"min_mean": 0.0125, "max_mean": 3, "min_disp": 0.5}),
    ("scanpy", "highly_variable_genes", (), {"n_top_genes": 2000, "batch_key": "louvain", "span": 0.5}),
    ("scanpy", "highly_variable_genes", (), {"flavor": "pearson_residuals", "theta": 50, "n_top_genes": 500}),
    ("scanpy", "scale", (), {"max_value": 10}),
    ("scanpy", "scale", (), {"zero_center": False, "layer": "counts", "mask_obs": "good"}),
    ("scanpy", "regress_out", (["n_counts", "percent_mito"],), {}),
    ("scanpy", "regress_out", ("n_counts",), {"n_jobs": 2}),
    ("scanpy", "regress_out", ("n_counts",), {"batchsize": 100}),
    ("scanpy", "pca", (), {"n_comps": 30, "svd_solver": "arpack"}),
    ("scanpy", "pca", (30,), {"mask_var": "highly_variable", "dtype": "float64"}),
    ("scanpy", "pca", (), {"chunked": True, "chunk_size": 64, "key_added": "mine"}),
    ("scanpy", "neighbors", (), {"n_neighbors": 10, "n_pcs": 40}),
    ("scanpy", "neighbors", (10, 40), {"use_rep": "X_pca", "metric": "cosine"}),
    ("scanpy", "neighbors", (), {"method": "gauss", "knn": False}),
    ("scanpy", "neighbors", (), {"transformer": "pynndescent", "metric_kwds": {"p": 2}}),
    ("scanpy", "neighbors", (), {"algorithm": "ivfflat", "algorithm_kwds": {"n_lists": 20}}),
    ("scanpy", "scrublet", (), {"batch_key": "louvain", "expected_doublet_rate": 0.06}),
    ("scanpy", "scrublet", (), {"n_prin_comps": 20, "threshold": 0.25, "verbose": False}),
    ("scanpy", "scrublet_simulate_doublets", (), {"layer": "counts", "sim_doublet_ratio": 3.0}),
    ("scanpy", "normalize_pearson_residuals", (), {"theta": 50, "clip": 3.0}),
    ("scanpy", "normalize_pearson_residuals", (), {"obsm": "X_pca"}),
    ("scanpy", "draw_graph", (), {"init_pos": "X_pca", "max_iter": 100}),
    ("scanpy", "draw_graph", ("fr",), {"n_jobs": 4}),
    ("scanpy", "embedding_density", ("umap",), {"groupby": "louvain"}),
    ("scanpy", "embedding_density", (), {"components": "1,2", "key_added": "density"}),
    ("scanpy", "leiden", (), {"resolution": 0.5, "key_added": "fine"}),
    ("scanpy", "leiden", (0.8,), {"flavor": "igraph", "n_iterations": 2, "directed": False}),
    ("scanpy", "leiden", (), {"use_dask": True, "theta": 0.5, "restrict_to": ("louvain", ["1"])}),
    ("scanpy", "louvain", (), {"resolution": 1.2, "use_weights": True}),
    ("scanpy", "louvain", (), {"directed": False, "threshold": 1e-6}),
    ("scanpy", "rank_genes_groups", ("louvain",), {"method": "wilcoxon", "n_genes": 50, "pts": True}),
    ("scanpy", "rank_genes_groups", ("louvain",), {"groups": ["1", "2"], "reference": "3", "use_raw": False}),
    ("scanpy", "rank_genes_groups", ("louvain",), {"method": "logreg", "max_iter": 200}),
    ("scanpy", "score_genes", (GENES,), {"ctrl_size": 20, "score_name": "t_cells"}),
    ("scanpy", "score_genes", (GENES,), {"gene_pool": GENES * 3, "n_bins": 10, "use_raw": False}),
    ("scanpy", "score_genes_cell_cycle", (), {"s_genes": GENES[:1], "g2m_genes": GENES[1:]}),
    ("scanpy", "score_genes_cell_cycle", (), {"s_genes": GENES[:1], "g2m_genes": GENES[1:], "n_bins": 10}),
    ("scanpy", "umap", (), {"min_dist": 0.3, "spread": 2.0}),
    ("scanpy", "umap", (), {"init_pos": "paga", "gamma": 2.0, "maxiter": 100}),
    ("scanpy", "umap", (), {"n_components": 3, "neighbors_key": "mine", "a": 0.5, "b": 1.0}),
    ("scanpy", "aggregate", ("louvain", ["mean", "sum"]), {"layer": "counts"}),
    ("scanpy", "aggregate", (["louvain", "phase"], "count_nonzero"), {"return_sparse": True}),
    ("scanpy", "harmony_integrate", ("phase",), {"max_iter_harmony": 5}),
    ("squidpy", "spatial_autocorr", (), {"mode": "moran", "genes": GENES, "n_perms": 100}),
    ("squidpy", "spatial_autocorr", (), {"attr": "obs", "genes": ["n_counts"], "n_jobs": 2}),
    ("squidpy", "spatial_autocorr", (), {"multi_gpu": True, "use_sparse": False}),
    ("squidpy", "co_occurrence", (), {"cluster_key": "louvain", "interval": 30}),
    ("squidpy", "co_occurrence", ("louvain",), {"multi_gpu": [0, 1]}),
    ("squidpy", "ligrec", ("louvain",), {"threshold": 0.1, "use_raw": False, "n_perms": 100}),
    ("squidpy", "ligrec", ("louvain",), {"n_jobs": 2, "corr_method": "fdr_bh"}),
    ("squidpy", "calculate_niche", ("neighborhood",), {"groups": "louvain", "n_neighbors": 10, "resolutions": 0.5}),
    ("squidpy", "calculate_niche", (), {"flavor": "spatialleiden", "layer_ratio": 2.0}),
    ("squidpy", "nhood_enrichment", ("louvain",), {"n_perms": 50, "seed": 1}),
    ("squidpy", "nhood_enrichment", ("louvain",), {"numba_parallel": True}),
    ("squidpy", "interaction_matrix", ("louvain",), {"normalized": True, "weights": True}),
    ("squidpy", "ripley", ("louvain", "L"), {"n_simulations": 10}),
    ("squidpy", "sepal", (6,), {"genes": GENES, "n_iter": 10, "dtype": "float64"}),
    ("squidpy", "sepal", (6,), {"n_jobs": 2}),
    ("squidpy", "spatial_neighbors_knn", (), {"n_neighs": 8, "n_jobs": 2}),
    ("squidpy", "spatial_neighbors_radius", (), {"radius": 2.0}),
    ("squidpy", "spatial_neighbors_delaunay", (), {"percentile": 99.0}),
    ("squidpy", "spatial_neighbors_grid", (), {"n_rings": 2, "delaunay": True}),
]


def implemented():
    """Yield the calls of functions that both sides have in these releases and whose arguments they know."""
    for host, name, args, kwargs in CALLS:
        if host in HOSTS and name in DISPATCHERS[host].functions():
            implementation = getattr(DISPATCHERS[host].get_backend("cuda"), name, None)
            if implementation is None:
                continue
            decorated = DISPATCHERS[host].functions()[name]
            public = getattr(sys.modules[decorated.__module__], decorated.__name__)
            shown = inspect.signature(public).parameters
            if all(key in shown for key in kwargs) or any(p.kind is p.VAR_KEYWORD for p in shown.values()):
                yield pytest.param(host, public, implementation, args, kwargs, id=f"{name}-{'-'.join(kwargs)}")


def by_argument(dispatcher, function, args, kwargs):
    return function(*args, **kwargs, backend="cuda"), inspect.currentframe().f_lineno


def by_scope(dispatcher, function, args, kwargs):
    with dispatcher.settings.use_backend("rapids"):
        return function(*args, **kwargs), inspect.currentframe().f_lineno


def by_process(dispatcher, function, args, kwargs):
    dispatcher.settings.backend = "rapids_singlecell"
    try:
        return function(*args, **kwargs), inspect.currentframe().f_lineno
    finally:
        del dispatcher.settings.backend


def own_defaults(implementation):
    """Return the defaults of a backend's function, but for what its adapter or the host's own decorators translate."""
    translated = {"rng", "random_state", "random_seed", "inplace", "copy"}
    parameters = inspect.signature(implementation).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty and p.name not in translated}


@pytest.mark.parametrize("select", [by_argument, by_scope, by_process])
@pytest.mark.parametrize(("host", "public", "implementation", "args", "kwargs"), list(implemented()))
def test_call(host, public, implementation, args, kwargs, select, data):  # 4.2, 4.5
    expected = routed(public, implementation, (data, *args), kwargs)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call, line = select(DISPATCHERS[host], public, (data, *args), kwargs)
    for name, value in expected.arrives.items():
        assert arrived(call, name) is value
    for name, default in own_defaults(implementation).items():
        if name not in expected.arrives:
            assert call[name] is default
    # Of a deprecated function, the host warns by itself.
    dropped = [one for one in caught if issubclass(one.category, DroppedArgumentWarning)]
    assert bool(dropped) is bool(expected.dropped)
    assert all(repr(name) in " ".join(str(one.message) for one in dropped) for name in expected.dropped)
    assert [(one.filename, one.lineno) for one in dropped] == [(__file__, line)] * len(dropped)


def test_calls_are_many():
    assert len(list(implemented())) >= {"scanpy": 50, "squidpy": 10}[HOSTS[0]]
