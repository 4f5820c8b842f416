"""Released scanpy and squidpy as they will be: decorated, in memory, while they are imported.

Their own decorators stay where they are. Ours goes beneath them all, directly on the function, as the page *Adopting it
in an existing host* says; a `singledispatch` is part of the function and stays beneath ours. Where the page asks for
another change, it is made here too: a host's decorator that swallowed `backend=` lets go of it.
"""

from __future__ import annotations

import ast
import importlib.machinery
import importlib.util
import sys
from pathlib import Path

HERE = Path(__file__).parent

# The module that each host adds, as a file beside this one.
ADDED = {"scanpy._backends": HERE / "scanpy_backends.py", "squidpy._backends": HERE / "squidpy_backends.py"}

# The functions that backends may provide, by module; those that a release does not have there are passed over. Where a
# function needs more than the bare decorator, the call that makes it.
PLAIN, SEEDED, JOBLIB = "backend_dispatch", "seeded", "joblib"
SCANPY = {
    "scanpy.get._aggregated": {"aggregate": PLAIN},
    "scanpy.neighbors": {"neighbors": SEEDED},
    "scanpy.neighbors._bbknn": {"bbknn": SEEDED},
    "scanpy.preprocessing._harmony": {"harmony_integrate": SEEDED},
    "scanpy.preprocessing._highly_variable_genes": {"highly_variable_genes": PLAIN},
    "scanpy.preprocessing._normalization": {"normalize_total": PLAIN},
    "scanpy.preprocessing._pca": {"pca": SEEDED},
    "scanpy.preprocessing._qc": {"calculate_qc_metrics": PLAIN},
    "scanpy.preprocessing._scale": {"scale": PLAIN},
    "scanpy.preprocessing._scrublet": {"scrublet": SEEDED, "scrublet_simulate_doublets": "doublets"},
    "scanpy.preprocessing._simple": {
        "filter_cells": PLAIN,
        "filter_genes": PLAIN,
        "log1p": PLAIN,
        "regress_out": PLAIN,
        "sqrt": PLAIN,
    },
    "scanpy.experimental.pp._normalization": {"normalize_pearson_residuals": PLAIN},
    "scanpy.tools._diffmap": {"diffmap": SEEDED},
    "scanpy.tools._draw_graph": {"draw_graph": SEEDED},
    "scanpy.tools._embedding_density": {"embedding_density": PLAIN},
    "scanpy.tools._ingest": {"ingest": PLAIN},
    "scanpy.tools._leiden": {"leiden": SEEDED},
    "scanpy.tools._louvain": {"louvain": SEEDED},
    "scanpy.tools._rank_genes_groups": {"rank_genes_groups": PLAIN},
    "scanpy.tools._score_genes": {"score_genes": SEEDED, "score_genes_cell_cycle": PLAIN},
    "scanpy.tools._tsne": {"tsne": SEEDED},
    "scanpy.tools._umap": {"umap": SEEDED},
}
SQUIDPY = {
    "squidpy.gr._build": {
        "spatial_neighbors_knn": PLAIN,
        "spatial_neighbors_radius": PLAIN,
        "spatial_neighbors_delaunay": PLAIN,
        "spatial_neighbors_grid": PLAIN,
        "spatial_neighbors_from_builder": PLAIN,
    },
    "squidpy.gr._ligrec": {"ligrec": JOBLIB},
    "squidpy.gr._nhood": {"nhood_enrichment": JOBLIB, "interaction_matrix": PLAIN},
    "squidpy.gr._niche": {"calculate_niche": PLAIN},
    "squidpy.gr._ppatterns": {"spatial_autocorr": JOBLIB, "co_occurrence": PLAIN},
    "squidpy.gr._ripley": {"ripley": SEEDED},
    "squidpy.gr._sepal": {"sepal": PLAIN},
}
DECORATED = SCANPY | SQUIDPY

# Text of a host's documentation that changes with its functions: what runs on joblib has a parameter of another name.
REWRITTEN = {
    "squidpy._docs": ("\nbackend\n    Parallelization backend", "\nparallel_backend\n    Parallelization backend"),
}


def let_go(decorators):
    """Take `backend` out of a decorator of the host that says goodbye to parameters."""
    for decorator in decorators:
        if isinstance(decorator, ast.Call) and getattr(decorator.func, "id", "") == "deprecated_params":
            (parameters,) = decorator.args
            kept = [
                pair
                for pair in zip(parameters.keys, parameters.values, strict=True)
                if ast.literal_eval(pair[0]) != "backend"
            ]
            parameters.keys, parameters.values = [key for key, _ in kept], [value for _, value in kept]


def decorate(tree, functions, package):
    """Decorate functions of a module in its syntax tree."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name in functions:
            let_go(node.decorator_list)
            place = [getattr(decorator, "id", "") for decorator in node.decorator_list]
            text = f"__import__('importlib').import_module('{package}._backends').{functions[node.name]}"
            ours = ast.parse(text, mode="eval").body
            for part in ast.walk(ours):
                # The line of the function: what is warned about at decoration stands there.
                ast.copy_location(part, node)
            node.decorator_list.insert(place.index("singledispatch") if "singledispatch" in place else len(place), ours)
    return tree


class Loader(importlib.machinery.SourceFileLoader):
    """Loads a module of a host with its functions decorated, and leaves nothing in its folder."""

    def path_stats(self, path):
        raise OSError  # No byte code is read or written for what is not the file's text.

    def source_to_code(self, data, path, **options):
        text = data.decode()
        if self.name in REWRITTEN:
            before, after = REWRITTEN[self.name]
            assert before in text
            text = text.replace(before, after)
        tree = decorate(ast.parse(text), DECORATED.get(self.name, {}), self.name.partition(".")[0])
        return compile(tree, path, "exec", dont_inherit=True)


class Finder:
    """Finds the modules that are changed or added, before Python's own finders do."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name in ADDED:
            return importlib.util.spec_from_file_location(name, ADDED[name])
        if name not in DECORATED and name not in REWRITTEN:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None:
            spec.loader = Loader(spec.loader.name, spec.loader.path)
        return spec


def decorate_at_import():
    """Have the hosts decorated when they are imported, which must not have happened yet."""
    assert not {"scanpy", "squidpy"} & sys.modules.keys()
    sys.meta_path.insert(0, Finder)
