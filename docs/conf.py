"""Sphinx configuration. Builds without a network: nothing is fetched from other projects' documentation."""

from __future__ import annotations

import os
import re
from importlib.metadata import metadata

from docutils import nodes

_package = metadata("scverse-backends")
_year = "2026"

project = _package["Name"]
author = _package["Author"]
version = release = _package["Version"]
copyright = f"{_year}, {author}"  # noqa: A001 - the name that Sphinx reads.

extensions = [
    "myst_nb",
    "scverse_backends.sphinxext",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_autodoc_typehints",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinxcontrib.mermaid",
]
# The examples are distributions of their own with their own READMEs.
exclude_patterns = ["_build", "examples"]

myst_enable_extensions = ["attrs_block", "colon_fence", "deflist"]
myst_heading_anchors = 3

# Notebooks are run anew at each build, so that what they show is what the library does.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120
# Tables that a notebook prints as text are as wide as a code block of the page.
os.environ["COLUMNS"] = "86"

nitpicky = True
nitpick_ignore_regex = [
    # Other projects are not looked up, since nothing is fetched.
    ("py:.*", r"(Ellipsis|(argparse|collections|contextlib|functools|inspect|numpy|pytest|sphinx|types|typing)\b.*)"),
    # For type checkers only; the text says what is returned.
    ("py:class", r"scverse_backends\._protocols\..*"),
]
suppress_warnings = [
    # Some annotations name what only type checkers can import; they are shown as they are written.
    "sphinx_autodoc_typehints.forward_reference",
    "sphinx_autodoc_typehints.guarded_import",
]

add_module_names = False
toc_object_entries_show_parents = "hide"
autodoc_member_order = "bysource"
autosummary_generate = False
# As high as it needs to be, so that its words can be read.
mermaid_height = "auto"
napoleon_google_docstring = False
napoleon_use_rtype = False
typehints_defaults = None
always_use_bars_union = True
typehints_document_overloads = False

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


def with_public_bases(_app, _name, _obj, _options, bases):
    """Show the bases of a base class that nobody can import in its place."""
    for index, base in reversed(list(enumerate(bases))):
        if getattr(base, "__name__", "").startswith("_"):
            bases[index : index + 1] = [
                one for one in base.__bases__ if not any(issubclass(b, one) for b in bases if b is not base)
            ]


def without_constructors_that_nobody_calls(_app, what, name, _obj, _options, signature, _returned):
    """Show a class without arguments where the page says so, and those of errors once, with their base."""
    is_error = what == "exception" and name != "scverse_backends.exceptions.BackendError"
    return ("", None) if is_error or (what == "class" and signature == "()") else None


def mark_printed_tables(_app, doctree, _docname):
    """Give tables that were printed as text a class, since they must not wrap as messages do."""
    for block in doctree.findall(nodes.literal_block):
        if re.search(r"^ *-{2,}(?:  -{2,})+$", block.astext(), re.MULTILINE):
            block["classes"].append("printed-table")


def setup(app):
    app.connect("doctree-resolved", mark_printed_tables)
    # The first answer counts, and sphinx-autodoc-typehints answers with the priority 500.
    app.connect("autodoc-process-signature", without_constructors_that_nobody_calls, priority=400)
    # sphinx-autodoc-typehints makes text of the bases with the priority 500.
    app.connect("autodoc-process-bases", with_public_bases, priority=400)
