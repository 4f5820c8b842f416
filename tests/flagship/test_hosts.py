"""What users of scanpy meet besides plain calls: the host's own decorators, the CPU, fallbacks and errors."""

from __future__ import annotations

import inspect
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pipeline
import pytest
import scanpy as sc
from conftest import DISPATCHERS, HOSTS

from scverse_backends.exceptions import (
    BackendContractError,
    DroppedArgumentWarning,
    FallbackWarning,
    UntrustedBackendWarning,
)
from scverse_backends.testing import temporary_backend

HERE = Path(__file__).parent
DISPATCHER = DISPATCHERS["scanpy"]
OLD_HOST = "random_state" in inspect.signature(sc.tl.umap).parameters

# A process in which nothing but the host is installed.
ALONE = """
import importlib.metadata, sys, warnings
warnings.simplefilter("ignore")
import hosts
hosts.decorate_at_import()
import scanpy as sc

def listing(**selection):
    groups.append(selection["group"])
    return found(**selection)

groups, found, importlib.metadata.entry_points = [], importlib.metadata.entry_points, listing
adata = sc.datasets.pbmc68k_reduced()
sc.pp.log1p(adata)
sc.pp.log1p(adata, backend="cpu")
print("LISTED", [group for group in groups if group.endswith(".backends")])
sc.tl.umap(adata, backend="cuda")
"""


@pytest.fixture(scope="module")
def alone():
    command = [sys.executable, "-c", ALONE]
    return subprocess.run(command, check=False, capture_output=True, text=True, cwd=HERE)


def test_on_the_cpu_nothing_changes(plain):
    with warnings.catch_warnings(action="ignore"):
        assert pipeline.digest() == plain["digest"]


def test_importing_decorating_and_the_cpu_look_for_no_backend(alone):  # 2.1
    assert "LISTED []" in alone.stdout


def test_a_trusted_backend_that_is_not_installed_is_named(alone):  # 3.3
    assert "pip install rapids-singlecell" in alone.stderr.splitlines()[-1]


# -- the host's own decorators -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("give", [sc.pp.scale, sc.pp.log1p], ids=["scale", "log1p"])
def test_singledispatch_goes_on_by_type(give):
    values = np.array([[1.0, 2.0], [3.0, 5.0]])
    assert isinstance(give(values), np.ndarray)
    assert callable(sc.pp.scale.register)


def test_a_deprecated_function_warns_where_it_does_undecorated(data):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        sc.tl.louvain(data, backend="cuda")
        line = inspect.currentframe().f_lineno - 1
    (deprecation,) = [one for one in caught if issubclass(one.category, (FutureWarning, DeprecationWarning))]
    if OLD_HOST:  # There a decorator of another library stands outside the one that warns, with or without ours.
        assert "legacy_api_wrap" in deprecation.filename
    else:
        assert (deprecation.filename, deprecation.lineno) == (__file__, line)


def test_old_positional_arguments_arrive(data):
    if OLD_HOST:
        with pytest.warns(FutureWarning, match="positional"):
            call = sc.pp.normalize_total(data, 1e4, backend="cuda")
        assert call["target_sum"] == 1e4
    else:  # The next release takes them no more, and says so in the name of its function.
        with pytest.raises(TypeError, match=r"normalize_total\(\) takes 1 positional argument"):
            sc.pp.normalize_total(data, 1e4, backend="cuda")


# -- warnings ----------------------------------------------------------------------------------------------------------


def test_a_warning_as_error_says_the_same():  # 4.5
    with warnings.catch_warnings(action="error"), pytest.raises(DroppedArgumentWarning, match="'gamma'"):
        sc.tl.umap(None, gamma=2.0, backend="cuda")


# -- what the backend lacks --------------------------------------------------------------------------------------------


def test_the_parts_of_a_fallback_run_on_the_backend(data):  # 4.6
    seen = []

    def score_genes(adata, gene_list, **options):
        seen.append(sorted(options))
        return sc.tl.score_genes(adata, gene_list, **options, backend="cpu")

    part = SimpleNamespace(name="part", score_genes=score_genes)
    genes = list(data.var_names[:6])
    with temporary_backend(DISPATCHER, part, distribution="part"), pytest.warns() as caught:
        sc.tl.score_genes_cell_cycle(data, s_genes=genes[:3], g2m_genes=genes[3:], backend="part")
    assert [one.category for one in caught if "does not implement" in str(one.message)] == [FallbackWarning]
    assert len(seen) == 2
    assert {"phase", "S_score", "G2M_score"} <= set(data.obs)


def test_a_required_parameter_that_the_backend_calls_otherwise(data):  # 4.2
    def umap(anndata, *, min_dist=0.5):
        raise AssertionError

    with (
        temporary_backend(DISPATCHER, SimpleNamespace(name="odd", umap=umap), distribution="odd"),
        pytest.warns(UntrustedBackendWarning),
        pytest.raises(BackendContractError, match="'adata'"),
    ):
        sc.tl.umap(data, backend="odd")


def test_an_option_of_the_backend_on_the_cpu_is_an_error_that_names_the_backend(data):  # 4.9
    with pytest.raises(TypeError, match=r"regress_out\(\).*'batchsize'[\s\S]*rapids-singlecell"):
        sc.pp.regress_out(data, "n_counts", batchsize=100)


# -- two hosts ---------------------------------------------------------------------------------------------------------


def test_hosts_share_nothing():
    first, *others = DISPATCHERS.values()
    with first.settings.use_backend("cuda"):
        assert first.settings.backend == "rapids-singlecell"
        assert [other.settings.backend for other in others] == ["cpu"] * (len(HOSTS) - 1)


def test_the_real_package_is_trusted():  # 3.2
    (record,) = DISPATCHER.backends()
    assert (record.name, record.distribution, record.trusted) == ("rapids-singlecell", "rapids-singlecell-cu12", True)


def test_a_reserved_name_says_which_to_choose(data):  # 2.4
    with pytest.raises(ValueError, match="'cuda' is the backend for NVIDIA's GPUs"):
        sc.tl.umap(data, backend="gpu")
