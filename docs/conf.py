"""Sphinx configuration. Builds without a network: nothing is fetched from other projects' documentation."""

from __future__ import annotations

from importlib.metadata import metadata

_package = metadata("scverse-backends")
_year = "2026"

project = _package["Name"]
author = _package["Author"]
version = release = _package["Version"]
copyright = f"{_year}, {author}"  # noqa: A001 - the name that Sphinx reads.

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_autodoc_typehints",
    "sphinx_copybutton",
    "sphinx_design",
]
# The examples are distributions of their own with their own READMEs.
exclude_patterns = ["_build", "examples", "Thumbs.db", ".DS_Store"]

myst_enable_extensions = ["attrs_block", "colon_fence", "deflist"]
myst_heading_anchors = 3

# Notebooks are run anew at each build, so that what they show is what the library does.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120

autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_rtype = False
typehints_defaults = None
always_use_bars_union = True

html_theme = "scanpydoc"
html_title = "scverse-backends"
html_static_path = ["_static"]
html_css_files = ["css/custom.css"]
html_theme_options = {
    "repository_url": "https://github.com/scverse/scverse-backends",
    "repository_branch": "main",
    "use_repository_button": True,
    "path_to_docs": "docs/",
    # The sidebar has a search box already.
    "navbar_persistent": [],
    "show_navbar_depth": 1,
    "home_page_in_toc": False,
    "toc_title": "On this page",
}
