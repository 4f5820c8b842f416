"""A Sphinx extension for the documentation of hosts.

Add it to ``conf.py``, and say which hosts to load the backends of::

    extensions = [
        "sphinx.ext.autodoc",
        "sphinx.ext.napoleon",
        "scverse_backends.sphinxext",
    ]
    backends_discover = ["example_host"]

It does three things:

- It loads the installed backends of each host before autodoc reads the first docstring. Without that, the options of
  backends are not in the docstrings yet.
- It rewrites the entries of these options on the page, so that napoleon and numpydoc show name, type and backend. The
  docstrings themselves stay as they are.
- It adds a directive, ``.. backend-matrix:: example_host``, which draws a table of functions and backends.

A backend that cannot be loaded where the documentation is built is a warning of the type ``backends.load``, which
``suppress_warnings = ["backends.load"]`` in ``conf.py`` switches off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scverse_backends.sphinxext._discover import discover_hosts
from scverse_backends.sphinxext._entries import rewrite_docstring
from scverse_backends.sphinxext._matrix import BackendMatrix, keep_unresolved

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata

__all__ = ["setup"]

# Napoleon and numpydoc rewrite docstrings with Sphinx's own priority, 500, and must find the entries rewritten already.
_BEFORE_NAPOLEON = 400


def setup(app: Sphinx) -> ExtensionMetadata:
    """Connect the extension; Sphinx calls this.

    Parameters
    ----------
    app : sphinx.application.Sphinx
        The application that builds the documentation.

    Returns
    -------
    dict
        That documents may be read and written in parallel.

    Examples
    --------
    In ``conf.py``:

    >>> extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "scverse_backends.sphinxext"]
    >>> backends_discover = ["example_host"]
    """
    app.setup_extension("sphinx.ext.autodoc")  # Knows the event below, wherever `conf.py` lists this extension.
    app.add_config_value("backends_discover", (), "env", types=frozenset({list, tuple}))
    app.connect("builder-inited", discover_hosts)
    app.connect("autodoc-process-docstring", rewrite_docstring, priority=_BEFORE_NAPOLEON)
    app.connect("missing-reference", keep_unresolved)
    app.add_directive("backend-matrix", BackendMatrix)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
