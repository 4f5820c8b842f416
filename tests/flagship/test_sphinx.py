"""The pages that Sphinx makes of the pair, with either of the two readers of numpydoc's format."""

from __future__ import annotations

import re
import warnings

import pytest
from conftest import HOSTS
from sphinx.application import Sphinx

PAGES = {
    "scanpy": {"scanpy.tl.leiden": ["use_dask", "theta"], "scanpy.tl.rank_genes_groups": ["chunk_size"]},
    "squidpy": {"squidpy.gr.spatial_autocorr": ["multi_gpu", "use_sparse"]},
}


NAMES = [name for host in HOSTS for name in PAGES[host]]


@pytest.fixture(scope="module", params=["sphinx.ext.napoleon", "numpydoc"])
def pages(request, tmp_path_factory):
    """The text of one page for each function."""
    folder = tmp_path_factory.mktemp("docs")
    (folder / "index.rst").write_text(".. toctree::\n\n" + "".join(f"   {name}\n" for name in NAMES), "utf-8")
    for name in NAMES:
        (folder / f"{name}.rst").write_text(f"Page\n====\n\n.. autofunction:: {name}\n", "utf-8")
    settings = {"extensions": ["sphinx.ext.autodoc", request.param, "scverse_backends.sphinxext"]}
    out = folder / "out"
    with warnings.catch_warnings(action="ignore"):
        Sphinx(folder, None, out, folder / "d", "text", confoverrides=settings, status=None, warning=None).build()
    return {name: " ".join((out / f"{name}.txt").read_text("utf-8").split()) for name in NAMES}


@pytest.mark.parametrize(
    ("shown", "option"),
    [(name, option) for host in HOSTS for name, options in PAGES[host].items() for option in options],
)
def test_name_and_provider_are_shown(shown, option, pages):  # 5.9
    assert re.search(rf"[*\s]{option}\W[^•]{{0,80}}?rapids-singlecell", pages[shown].partition("Parameters")[2])
