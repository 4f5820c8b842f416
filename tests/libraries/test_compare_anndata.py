"""Section 8.5 on real data: scanpy's bundled PBMC cells, changed in place by scanpy-like functions.

Runs with ``hatch run libraries:test``.
"""

from __future__ import annotations

import types

import anndata
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
import scipy.sparse

from scverse_backends import BackendDispatcher
from scverse_backends.testing import compare
from scverse_backends.testing._describe import shape_text
from scverse_backends.testing._difference import difference

N_COMPS = 8

# What these libraries say of each other is not what is tested here; what we say is.
pytestmark = pytest.mark.filterwarnings("ignore", "error::scverse_backends.exceptions.BackendWarning")


@pytest.fixture(scope="module")
def cells():
    """Return the cells with the sparse matrix of all genes, and the embeddings, graphs and annotations they bring."""
    reduced = sc.datasets.pbmc68k_reduced()
    adata = reduced.raw.to_adata()
    adata.raw = adata
    adata.layers["counts"] = adata.X.copy()
    assert scipy.sparse.issparse(adata.X)
    assert set(adata.obsm) >= {"X_pca", "X_umap"}
    assert set(adata.obsp) >= {"connectivities", "distances"}
    return adata


def preprocess(adata, *, target_sum=1e4):
    """Normalize, take logarithms, embed and annotate, all in place and by scanpy."""
    sc.pp.calculate_qc_metrics(adata, percent_top=None, log1p=False, inplace=True)
    sc.pp.normalize_total(adata, target_sum=target_sum)
    sc.pp.log1p(adata)
    sc.pp.pca(adata, n_comps=N_COMPS, svd_solver="arpack")
    adata.obs["rich"] = pd.Categorical(
        np.where(adata.obs["total_counts"] > adata.obs["total_counts"].median(), "yes", "no")
    )


def preprocess_alone(adata, *, target_sum=1e4):
    """Do the same by NumPy and SciPy, as a backend does that shares no code with its host."""
    totals = np.asarray(adata.X.sum(axis=1)).ravel()
    adata.obs["n_genes_by_counts"] = adata.X.getnnz(axis=1).astype(np.int64)
    adata.obs["total_counts"] = totals
    adata.var["n_cells_by_counts"] = adata.X.getnnz(axis=0).astype(np.int64)
    adata.var["mean_counts"] = np.asarray(adata.X.mean(axis=0)).ravel()
    adata.var["pct_dropout_by_counts"] = 100 * (1 - adata.var["n_cells_by_counts"] / adata.n_obs)
    adata.var["total_counts"] = np.asarray(adata.X.sum(axis=0)).ravel()
    values = scipy.sparse.diags_array(target_sum / totals).astype(np.float32) @ adata.X
    adata.X = values.log1p().tocsr()
    adata.uns["log1p"] = {"base": None}
    centred = adata.X.toarray().astype(np.float64)
    centred -= centred.mean(axis=0)
    variance, axes = np.linalg.eigh(centred.T @ centred / (adata.n_obs - 1))
    total = variance.sum()
    variance, axes = variance[::-1][:N_COMPS], axes[:, ::-1][:, :N_COMPS]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(N_COMPS)])
    adata.obsm["X_pca"] = centred @ axes
    adata.varm["PCs"] = axes
    adata.uns["pca"] = {
        "params": {"zero_center": True, "use_highly_variable": False, "mask_var": None},
        "variance": variance,
        "variance_ratio": variance / total,
    }
    adata.obs["rich"] = pd.Categorical(np.where(totals > np.median(totals), "yes", "no"))


@pytest.fixture
def compared():
    """Make a function that compares scanpy with a backend which does the right thing and then something to it."""
    hosts = []

    def run(adata, change=lambda adata: None, **options):
        dispatcher = BackendDispatcher(entrypoint_group="cells.backends", host_name="cells", untrusted="allow")
        hosts.append(dispatcher)

        def implementation(adata, *, target_sum=1e4):
            preprocess_alone(adata, target_sum=target_sum)
            return change(adata)

        dispatcher.register(types.SimpleNamespace(name="fast", preprocess=implementation))
        # In single precision, and eigenvectors of matrices that were centred in another order.
        return compare(dispatcher.backend_dispatch(preprocess), adata, rtol=1e-3, atol=1e-3, **options)

    return run


def test_a_backend_that_does_the_same_agrees(compared, cells):
    before = cells.copy()
    table = compared(cells)
    assert [(r.backend, r.executed, r.agrees, r.error) for r in table] == [
        ("cpu", "cpu", None, None),
        ("fast", "fast", True, None),
    ]
    # In another precision, so that some difference was seen, and small.
    assert 0 < table[1].max_abs < 1e-3
    # The data given were left alone.
    assert "log1p" not in cells.uns
    assert (cells.X != before.X).nnz == 0
    assert list(cells.obs.columns) == list(before.obs.columns)


def test_options_reach_both(compared, cells):
    assert compared(cells, target_sum=100.0)[1].agrees is True


# What a backend does wrong, where `compare` says that it is, and what it says of it.


def one_value_in_x(adata):
    adata.X[11, 40] = 9.5


def one_stored_value_lost(adata):
    adata.X.data[adata.X.indptr[5]] = 0.0


def dense_matrix(adata):
    adata.X = adata.X.toarray()


def transposed_format(adata):
    adata.X = adata.X.tocsc()


def one_value_in_layer(adata):
    adata.layers["counts"][2, 7] = -3.0


def forgotten_layer(adata):
    del adata.layers["counts"]


def one_value_in_obs(adata):
    adata.obs.loc[adata.obs_names[123], "total_counts"] *= 1.5


def one_label_in_obs(adata):
    label = adata.obs["rich"].iloc[9]
    adata.obs.loc[adata.obs_names[9], "rich"] = "no" if label == "yes" else "yes"


def text_for_categories(adata):
    adata.obs["rich"] = adata.obs["rich"].astype(object)


def other_categories(adata):
    adata.obs["rich"] = adata.obs["rich"].cat.rename_categories({"yes": "Yes"})


def forgotten_column(adata):
    del adata.obs["rich"]


def truth_for_numbers(adata):
    adata.var["n_cells_by_counts"] = adata.var["n_cells_by_counts"] > 0


def one_value_in_var(adata):
    adata.var.loc[adata.var_names[3], "mean_counts"] = np.nan


def flipped_component(adata):
    adata.obsm["X_pca"][:, 2] *= -1


def fewer_components(adata):
    adata.obsm["X_pca"] = adata.obsm["X_pca"][:, :-1]


def one_value_in_embedding(adata):
    adata.obsm["X_pca"][17, 4] += 7.0


def one_edge(adata):
    adata.obsp["connectivities"][0, 1] = 0.5


def other_parameter_noted(adata):
    adata.uns["pca"]["params"]["zero_center"] = False


def one_variance(adata):
    adata.uns["pca"]["variance"][0] = 1.0


def other_names(adata):
    adata.obs_names = pd.Index([f"cell-{number}" for number in range(adata.n_obs)], name=adata.obs_names.name)


def fewer_cells(adata):
    adata._inplace_subset_obs(np.arange(adata.n_obs - 1))


def raw_changed(adata):
    adata.raw.X[4, 6] = 44.0


def wrong_result(adata):
    return adata


WRONG = [
    (one_value_in_x, "adata.X[11, 40]", "1 of 535500 values outside the tolerance, here"),
    (one_stored_value_lost, "adata.X[5, ", "1 of 535500 values outside the tolerance, here"),
    (dense_matrix, "adata.X", "(sparse matrix) against numpy.ndarray (array)"),
    (one_value_in_layer, "adata.layers['counts'][2, 7]", "against -3.0"),
    (forgotten_layer, "adata.layers", "missing key 'counts'"),
    (one_value_in_obs, "adata.obs['total_counts'][123]", "1 of 700 values"),
    (one_label_in_obs, "adata.obs['rich'][9]", "'yes'"),
    (text_for_categories, "adata.obs['rich'].dtype", "category against object"),
    (other_categories, "adata.obs['rich'].cat.categories[1]", "'yes' against 'Yes'"),
    (forgotten_column, "adata.obs.columns", "missing column 'rich'"),
    (truth_for_numbers, "adata.var['n_cells_by_counts'].dtype", "int64 against bool"),
    (one_value_in_var, "adata.var['mean_counts'][3]", "against nan"),
    (flipped_component, "adata.obsm['X_pca'][", "of 5600 values outside the tolerance"),
    (fewer_components, "adata.obsm['X_pca'].shape", "shape (700, 8) against (700, 7)"),
    (one_value_in_embedding, "adata.obsm['X_pca'][17, 4]", "1 of 5600 values"),
    (one_edge, "adata.obsp['connectivities'][0, 1]", "0.0 against 0.5"),
    (other_parameter_noted, "adata.uns['pca']['params']['zero_center']", "True against False"),
    (one_variance, "adata.uns['pca']['variance'][0]", "against 1.0"),
    (other_names, "adata.obs.index[", "against 'cell-"),
    (fewer_cells, ".shape", "700"),
    (raw_changed, "adata.raw.X[4, 6]", "against 44.0"),
    (wrong_result, "result", "None against anndata"),
]


@pytest.mark.parametrize(("change", "where", "note"), WRONG, ids=[change.__name__ for change, _, _ in WRONG])
def test_it_says_where_a_backend_is_wrong(compared, cells, change, where, note):
    record = compared(cells, change)[1]
    assert (record.executed, record.agrees, record.error) == ("fast", False, None)
    assert where in record.where, record
    assert note in record.note, record


def test_another_format_of_a_sparse_matrix_is_no_difference(compared, cells):
    assert compared(cells, transposed_format)[1].agrees is True


def test_an_annotated_result_is_compared_too(compared, cells):
    dispatcher = BackendDispatcher(entrypoint_group="cells.backends", host_name="cells", untrusted="allow")

    @dispatcher.backend_dispatch
    def log1p(adata):
        return sc.pp.log1p(adata, copy=True)

    def wrong(adata):
        result = sc.pp.log1p(adata, copy=True)
        result.obsm["X_umap"][3, 1] += 1
        return result

    dispatcher.register(types.SimpleNamespace(name="right", log1p=lambda adata: sc.pp.log1p(adata, copy=True)))
    dispatcher.register(types.SimpleNamespace(name="wrong", log1p=wrong))
    _, right, other = compare(log1p, cells)
    assert right.agrees is True
    assert (other.agrees, other.where) == (False, "result.obsm['X_umap'][3, 1]")


def test_functions_of_scanpy_itself_can_be_dispatched_and_compared(cells):
    dispatcher = BackendDispatcher(entrypoint_group="scanpy.backends", host_name="scanpy_like", untrusted="allow")
    normalize_total = dispatcher.backend_dispatch(sc.pp.normalize_total)

    def scaled(adata, *, target_sum=None, factor=1.0):
        totals = np.asarray(adata.X.sum(axis=1)).ravel()
        target = np.median(totals) if target_sum is None else target_sum
        adata.X = (scipy.sparse.diags_array(factor * target / totals) @ adata.X).tocsr()

    dispatcher.register(types.SimpleNamespace(name="fast", normalize_total=scaled))
    assert compare(normalize_total, cells, target_sum=1e4)[1].agrees is True
    assert compare(normalize_total, cells)[1].agrees is True
    # What only the backend knows, the host runs without.
    host, doubled = compare(normalize_total, cells, factor=2.0)
    assert (host.error, doubled.agrees) == (None, False)
    dispatcher.register(types.SimpleNamespace(name="off", normalize_total=lambda adata: scaled(adata, factor=1.01)))
    record = compare(normalize_total, cells, backends="off")[1]
    assert (record.agrees, record.where.startswith("adata.X[")) == (False, True)
    assert record.max_rel == pytest.approx(0.01, rel=1e-3)


def test_a_view_is_compared_as_what_it_shows(compared, cells):
    view = cells[:, :600]
    assert view.is_view
    assert compared(view)[1].agrees is True
    assert view.is_view


@pytest.mark.parametrize("part", ["X", "layers", "obsm", "obsp", "obs"])
def test_only_what_a_view_shows_is_compared(cells, part):  # 8.5
    other = cells.copy()
    last = other.n_obs - 1
    if part == "X":
        other.X[last, 0] = 99
    elif part == "obs":
        other.obs["n_genes"] = np.where(np.arange(other.n_obs) == last, -1, other.obs["n_genes"])
    else:
        key = {"layers": "counts", "obsm": "X_pca", "obsp": "distances"}[part]
        matrix = getattr(other, part)[key].copy()
        matrix[last, -1] = 99
        getattr(other, part)[key] = matrix
    assert difference(cells[:9], other[:9], rtol=0, atol=0).agrees is True
    assert difference(cells[:9], other[:9].copy(), rtol=0, atol=0).agrees is True
    found = difference(cells[-9:], other[-9:], rtol=0, atol=0)
    assert (found.agrees, found.where.startswith(f".{part}[")) == (False, True)


@pytest.mark.parametrize("make", [scipy.sparse.dok_matrix, scipy.sparse.dok_array])
def test_a_sparse_matrix_that_is_a_mapping(make):  # 8.5
    matrix = make(np.array([[0, 1.5], [np.nan, 0]]))
    assert difference(matrix, matrix.tocsr(), rtol=0, atol=0).agrees is True
    found = difference(matrix, matrix * 2, rtol=0, atol=0)
    assert (found.agrees, found.where, found.max_abs) == (False, "[0, 1]", 1.5)
    assert shape_text(matrix) == "2 × 2, float64, sparse"


def test_a_frame_on_disk_is_compared_with_its_index(tmp_path):  # 8.5
    def stored(*names):
        path = tmp_path / f"{'_'.join(names)}.h5ad"
        anndata.AnnData(np.eye(2), obs=pd.DataFrame(index=list(names))).write_h5ad(path)
        return anndata.experimental.read_lazy(path).obs

    assert difference(stored("a", "b"), stored("a", "b"), rtol=0, atol=0).agrees is True
    found = difference(stored("a", "b"), stored("a", "c"), rtol=0, atol=0)
    assert (found.agrees, found.where, found.note) == (False, ".index[1]", "'b' against 'c'")


def test_data_on_disk_cannot_be_changed_by_a_comparison(compared, cells, tmp_path):
    cells.write_h5ad(tmp_path / "cells.h5ad")
    backed = anndata.read_h5ad(tmp_path / "cells.h5ad", backed="r")
    with pytest.raises(TypeError, match="and adata cannot be copied"):
        compared(backed)
    backed.file.close()
