"""The first steps of an analysis, on the CPU; what they computed is one number."""

from __future__ import annotations

import hashlib


def digest():
    import scanpy as sc

    adata = sc.datasets.pbmc68k_reduced()
    adata.X = adata.raw.X.copy()
    sc.pp.filter_genes(adata, min_cells=3)
    sc.pp.normalize_total(adata, target_sum=1e4)
    sc.pp.log1p(adata)
    sc.pp.highly_variable_genes(adata, n_top_genes=200)
    sc.pp.pca(adata, n_comps=10, svd_solver="full")
    sc.tl.score_genes(adata, list(adata.var_names[:20]))
    values = [adata.X.data, adata.obsm["X_pca"], adata.obs["score"].to_numpy()]
    return hashlib.sha256(b"".join(value.tobytes() for value in values)).hexdigest()
