"""Section 8.6 on real data: which step of a scanpy pipeline goes astray, over one AnnData object that all change.

Runs with ``hatch run libraries:test``.
"""

from __future__ import annotations

import types
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
import scanpy as sc
import scipy.sparse

from scverse_backends import BackendDispatcher
from scverse_backends.testing import compare_calls
from scverse_backends.testing._difference import difference

# What these libraries say of each other is not what is tested here; what we say is.
pytestmark = pytest.mark.filterwarnings("ignore", "error::scverse_backends.exceptions.BackendWarning")

N_COMPS = 8
# In single precision, and eigenvectors of a matrix that was centred in another order.
CLOSE = {"rtol": 1e-3, "atol": 1e-3}


@pytest.fixture(scope="module")
def cells():
    return sc.datasets.pbmc68k_reduced().raw.to_adata()


def normalize_total(adata, *, target_sum=None):
    totals = np.asarray(adata.X.sum(axis=1)).ravel()
    adata.X = (scipy.sparse.diags_array((target_sum / totals).astype(np.float32)) @ adata.X).tocsr()


def log1p(data):
    data.X = data.X.log1p()
    data.uns["log1p"] = {"base": None}


def pca(data, *, n_comps=50, svd_solver=None):
    centred = data.X.toarray().astype(np.float64)
    centred -= centred.mean(axis=0)
    variance, axes = np.linalg.eigh(centred.T @ centred / (data.n_obs - 1))
    total = variance.sum()
    variance, axes = variance[::-1][:n_comps], axes[:, ::-1][:, :n_comps]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(n_comps)])
    data.obsm["X_pca"], data.varm["PCs"] = centred @ axes, axes
    params = {"zero_center": True, "use_highly_variable": False, "mask_var": None}
    data.uns["pca"] = {"params": params, "variance": variance, "variance_ratio": variance / total}


class Host:
    """scanpy's own functions, dispatched, and a backend that shares no code with them, with a wrong step or without."""

    def __init__(self, **wrong):
        self.dispatcher = BackendDispatcher(entrypoint_group="cells.backends", host_name="cells", untrusted="allow")
        self.settings = self.dispatcher.settings
        for function in (sc.pp.normalize_total, sc.pp.log1p, sc.pp.pca, sc.pp.neighbors):
            setattr(self, function.__name__, self.dispatcher.backend_dispatch(function))
        right = {"normalize_total": normalize_total, "log1p": log1p, "pca": pca}
        self.dispatcher.register(types.SimpleNamespace(name="fast", **right | wrong))

    def pipeline(self, adata):
        self.normalize_total(adata, target_sum=1e4)
        self.log1p(adata)
        self.pca(adata, n_comps=N_COMPS, svd_solver="arpack")
        self.neighbors(adata, n_neighbors=10)
        return adata


def one_score(data, **options):
    pca(data, **options)
    data.obsm["X_pca"][5, 2] += 1


def one_label(adata, **options):
    normalize_total(adata, **options)
    groups = adata.obs["louvain"].cat
    codes = groups.codes.to_numpy().copy()
    codes[7] = codes[7] == 0
    adata.obs["louvain"] = pd.Categorical.from_codes(codes, groups.categories)


def no_parameters(data):
    log1p(data)
    del data.uns["log1p"]


WRONG = {
    "none": ({}, None, None),
    "pca": ({"pca": one_score}, "pca", "data.obsm['X_pca'][5, 2]"),
    "normalize_total": ({"normalize_total": one_label}, "normalize_total", "adata.obs['louvain'][7]"),
    "log1p": ({"log1p": no_parameters}, "log1p", "data.uns"),
}


@pytest.mark.parametrize("name", WRONG)
def test_the_wrong_step_is_found(cells, name):
    wrong, step, where = WRONG[name]
    host = Host(**wrong)
    with host.settings.use_backend("fast"):
        alone = host.pipeline(cells.copy())
        with compare_calls(host.settings, **CLOSE) as table:
            watched = host.pipeline(cells.copy())
    assert [(r.function, r.compared) for r in table] == [("normalize_total", 1), ("log1p", 1), ("pca", 1)]
    assert [(r.function, r.worst.where) for r in table if r.differing] == ([(step, where)] if step else [])
    assert difference(alone, watched, rtol=0, atol=0).agrees is True
    assert "neighbors ran on the host only: fast: not implemented." in str(table)


def test_threads_that_work_on_data_of_their_own(cells):
    host = Host(log1p=no_parameters)
    several = [cells.copy() for _ in range(3)]
    block = compare_calls(host.settings, **CLOSE)
    with host.settings.use_backend("fast"), block as table, ThreadPoolExecutor(2) as pool:
        list(pool.map(host.settings.bind(host.pipeline), several))
    assert sorted((r.function, r.compared, r.differing) for r in table) == [
        ("log1p", 3, 3),
        ("normalize_total", 3, 0),
        ("pca", 3, 0),
    ]
