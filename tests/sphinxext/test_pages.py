"""The pages of a host's documentation (5.9): real projects, built by Sphinx in fresh processes, and read as text."""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

NAPOLEON, NUMPYDOC = "sphinx.ext.napoleon", "numpydoc"

HOST = '''
"""A host with functions in several styles."""
import functools

from scverse_backends import BackendDispatcher

dispatcher = BackendDispatcher(
    entrypoint_group="genehost.backends",
    host_name="genehost",
    trusted_backends={
        "fast": {"aliases": ["quick"], "package": "genehost-fast"},
        "slow": {"package": "genehost-slow"},
        "broken": {"package": "genehost-broken"},
        "absent": {"package": "genehost-absent"},
    },
)


def filled(**values):
    def decorate(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            return function(*args, **kwargs)

        wrapper.__doc__ = function.__doc__ % values
        return wrapper

    return decorate


@filled(adata="The annotated data.")
@dispatcher.backend_dispatch
def moran(adata, *, n_perms=100):
    """Compute Moran's I.

    Parameters
    ----------
    adata
        %(adata)s
    n_perms : int
        Number of permutations.

    Returns
    -------
    numpy.ndarray
        The statistic.
    """


@dispatcher.backend_dispatch
def leiden(adata, resolution=1.0):
    """Find clusters.

    Args:
        adata: The data.
        resolution (float): How coarse.
    """


@dispatcher.backend_dispatch
def summarize(adata):
    """Summarize."""


@dispatcher.backend_dispatch
def untouched(adata):
    """Do what no backend does."""


@dispatcher.backend_class
class Model:
    """A model.

    Parameters
    ----------
    size : int
        How large.
    """

    def __init__(self, size=3):
        self.size = size
'''

FAST = '''
name = "fast"
aliases = ["quick"]


def moran(adata, *, n_perms=100, batch_size=64, dtype="float32", layout=None, undocumented=None):
    """Compute Moran's I.

    Parameters
    ----------
    batch_size : int
        Genes per batch.
    dtype : {'float32', 'float64'}
        Precision.
    layout : str or None
        - ``"row"``: by rows.
        - ``"column"``: by columns.
    """


def leiden(adata, resolution=1.0, *, theta=1.0):
    """Find clusters.

    Args:
        theta (float): Randomness of the refinement.
    """


class Model:
    """A model.

    Parameters
    ----------
    device : str
        Where it lives.
    """

    def __init__(self, size=3, *, device="cpu"):
        ...
'''

SLOW = '''
name = "slow"
__all__ = ["moran", "summarize"]


def moran(adata, *, n_perms=100, dtype="float32"):
    """Compute Moran's I.

    Parameters
    ----------
    dtype : {'float32', 'float64'}
        Precision.
    """


def __getattr__(attribute):
    if attribute == "summarize":
        raise ImportError("libslow.so is missing")
    raise AttributeError(attribute)
'''

INDEX = """
genehost
========

.. automodule:: genehost
   :members:
"""

CONF = """
project = "genehost"
extensions = ["scverse_backends.sphinxext", "sphinx.ext.autodoc", "{style}"]
backends_discover = ["genehost"]
numpydoc_show_class_members = False
nitpicky = True
nitpick_ignore_regex = [("py:class", "(?!genehost).*")]
"""


class Project:
    """A documentation project, with the host and its backends installed beside it."""

    def __init__(self, folder: Path) -> None:
        self.source, self.output, self.site = folder / "source", folder / "output", folder / "site"
        self.source.mkdir()
        self.site.mkdir()
        self.write(self.site / "genehost.py", HOST)

    @staticmethod
    def write(path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def install(self, name: str, module: str, version: str = "1.2") -> None:
        information = self.site / f"genehost_{name}-{version}.dist-info"
        self.write(self.site / f"genehost_{name}.py", module)
        self.write(information / "METADATA", f"Metadata-Version: 2.1\nName: genehost-{name}\nVersion: {version}\n")
        self.write(information / "entry_points.txt", f"[genehost.backends]\n{name} = genehost_{name}\n")

    def build(self, style: str = NAPOLEON, *, conf: str = "", **pages: str) -> subprocess.CompletedProcess:
        self.write(self.source / "conf.py", CONF.format(style=style) + conf)
        for name, text in {"index": INDEX, **pages}.items():
            self.write(self.source / f"{name}.rst", text)
        # Some of what Sphinx builds on warns of its own future.
        ignored = ["-W", "ignore::DeprecationWarning", "-W", "ignore::PendingDeprecationWarning"]
        command = [sys.executable, *ignored, "-m", "sphinx", "-q", "-E", str(self.source), str(self.output)]
        paths = [str(self.site), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "NO_COLOR": "1"}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)

    def text(self, page: str = "index") -> str:
        """Return what a reader sees of a page, without what the browser does with spaces."""
        content = (self.output / f"{page}.html").read_text(encoding="utf-8")
        body = content[content.index('role="main"') : content.index('class="sphinxsidebar"')]
        body = body.replace('<span class="classifier">', " : ")
        # Blocks stand apart, inline elements do not.
        body = re.sub(r"<(?:/?(?:p|li|ul|dt|dd|td|th|tr|ol|dl)\b)[^>]*>", " ", body)
        return " ".join(html.unescape(re.sub(r"<[^>]*>", "", body)).replace("\N{EN DASH}", "-").split())

    def cells(self, page: str) -> list[list[str]]:
        """Return the table of a page, row by row."""
        content = (self.output / f"{page}.html").read_text(encoding="utf-8")
        rows = re.findall(r"<tr\b.*?</tr>", content, re.DOTALL)
        cells = [re.findall(r"<t[hd]\b[^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in rows]
        return [[" ".join(html.unescape(re.sub(r"<[^>]*>", " ", one)).split()) for one in row] for row in cells]


MATRIX = ":orphan:\n\nBackends\n========\n\n.. backend-matrix:: genehost\n"
CHOSEN = f"{MATRIX}   :backends: slow, quick\n   :implemented:\n"
# Each on a page of its own, with what Sphinx says of it.
WRONG = {
    "nohost": (MATRIX.replace("genehost", "genehorst"), "backend-matrix: cannot import 'genehorst'"),
    "misspelt": (
        f"{MATRIX}   :backends: fats\n",
        "backend-matrix: there is no backend 'fats' here. Did you mean 'fast'? There are: 'absent', 'broken', ",
    ),
    "unknown": (f"{MATRIX}   :backends: zzzzzz\n", "backend-matrix: there is no backend 'zzzzzz' here. There are: "),
}
SHOW_DOCSTRING = """
def show(app, error):
    import genehost
    print(genehost.moran.__doc__)

def setup(app):
    app.connect("build-finished", show)
"""


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


LAZY_HOST = """
import importlib

def __getattr__(name):
    if name in ("tl", "broken"):
        return importlib.import_module(f"lazygene.{name}")
    raise AttributeError(name)

def __dir__():
    return ["tl", "broken"]
"""

LAZY_PART = (
    HOST.replace("genehost", "lazygene").partition("@filled")[0]
    + """
@dispatcher.backend_dispatch
def moran(adata):
    \"\"\"Compute.\"\"\"
"""
)


def test_a_host_that_provides_its_parts_lazily(project):
    project.write(project.site / "lazygene" / "__init__.py", LAZY_HOST)
    project.write(project.site / "lazygene" / "made.py", LAZY_PART)
    project.write(project.site / "lazygene" / "tl.py", "from lazygene.made import dispatcher, moran\n")
    project.write(project.site / "lazygene" / "broken.py", "raise ImportError('no such part')\n")
    information = project.site / "lazygene_fast-1.0.dist-info"
    project.write(project.site / "lazygene_fast.py", "name = 'fast'\ndef moran(adata, *, tile=3): pass\n")
    project.write(information / "METADATA", "Metadata-Version: 2.1\nName: lazygene-fast\nVersion: 1.0\n")
    project.write(information / "entry_points.txt", "[lazygene.backends]\nfast = lazygene_fast\n")
    page = "Host\n====\n\n.. autofunction:: lazygene.tl.moran\n"
    # Python's own types would be found by intersphinx. No word of our entry is missed.
    conf = 'backends_discover = ["lazygene"]\nnitpick_ignore_regex = [("py:.*", "str|None|collections.*")]\n'
    done = project.build(conf=conf, index=page)
    assert (done.returncode, done.stderr) == (0, "")
    assert "tile=3" in project.text()
    assert "backend (str, sequence of str or None, default: None)" in project.text()


def built(folder, style):
    """Build everything at once, since each build starts an interpreter that imports much."""
    project = Project(folder)
    project.install("fast", FAST)
    project.install("slow", SLOW, version="0.9")
    project.install("broken", "raise ImportError('libcuda.so is missing')", version="3.0")
    wrong = {name: text for name, (text, _) in WRONG.items()}
    project.result = project.build(style, conf=SHOW_DOCSTRING, matrix=MATRIX, chosen=CHOSEN, **wrong)
    assert project.result.returncode == 0, project.result.stderr
    return project


@pytest.fixture(scope="module")
def with_napoleon(tmp_path_factory):
    return built(tmp_path_factory.mktemp("napoleon"), NAPOLEON)


@pytest.fixture(scope="module")
def with_numpydoc(tmp_path_factory):
    return built(tmp_path_factory.mktemp("numpydoc"), NUMPYDOC)


def test_napoleon_shows_name_type_and_backend(with_napoleon):
    shown = with_napoleon.text()
    assert 'batch_size (int) - Only with backend="fast". Genes per batch.' in shown
    assert "dtype ({'float32', 'float64'}) - Only with backend=\"fast\" or backend=\"slow\". Precision." in shown
    # A list begins a paragraph of its own.
    assert 'layout (str or None) - Only with backend="fast". "row": by rows. "column": by columns.' in shown
    # Of what nobody documented, the name and the backend.
    assert 'undocumented - Only with backend="fast".' in shown
    # Google's style, and a class, whose options stand in its own docstring.
    assert 'theta (float) - Only with backend="fast". Randomness of the refinement.' in shown
    assert 'device (str) - Only with backend="fast". Where it lives.' in shown


def test_numpydoc_shows_name_type_and_backend(with_numpydoc):
    shown = with_numpydoc.text()
    assert 'batch_size : int Only with backend="fast". Genes per batch.' in shown
    assert 'Only with backend="fast" or backend="slow". Precision.' in shown
    assert 'layout : str or None Only with backend="fast". "row": by rows. "column": by columns.' in shown
    assert 'undocumented Only with backend="fast".' in shown
    assert 'device : str Only with backend="fast". Where it lives.' in shown


def test_what_the_host_documents_is_there_too(with_napoleon, with_numpydoc):
    for project in (with_napoleon, with_numpydoc):
        shown = project.text()
        # A decorator outside of ours filled in the template.
        assert "The annotated data." in shown
        assert "%(adata)s" not in shown
        assert "(fast" not in shown


def test_docstrings_stay_as_they_are(with_napoleon):
    # 5.9: in the page, not in `__doc__`.
    assert "batch_size (fast) : int\n" in with_napoleon.result.stdout
    assert "Only with" not in with_napoleon.result.stdout


def test_what_fails_to_load_is_a_warning(with_napoleon):
    # 2.7: failures are visible; the page lacks the options of the backend that fails.
    said = with_napoleon.result.stderr
    assert "WARNING: The entry point 'broken' of distribution 'genehost-broken' cannot be used" in said
    assert "WARNING: Backend 'slow' could not provide 'summarize': ImportError: libslow.so is missing" in said
    assert "[backends.load]" in said


def test_matrix(with_napoleon):
    assert with_napoleon.cells("matrix") == [
        # Of a backend that cannot be imported here, metadata tell name, distribution and version.
        ["function", "broken genehost-broken 3.0", "fast genehost-fast 1.2", "slow genehost-slow 0.9"],
        ["Model", "?", "✓ device", ""],
        ["leiden", "?", "✓ theta", ""],
        ["moran", "?", "✓ batch_size , dtype , layout , undocumented", "✓ dtype"],
        ["summarize", "?", "", "✓ *"],
        ["untouched", "?", "", ""],
    ]
    shown = with_napoleon.text("matrix")
    assert "* The options could not be read on the machine that built this page." in shown
    assert "? broken could not be loaded on the machine that built this page: ImportError: libcuda.so" in shown
    assert "absent was not installed on the machine that built this page. Install it with pip install " in shown
    # Names of functions lead to their entries.
    content = (with_napoleon.output / "matrix.html").read_text(encoding="utf-8")
    assert 'href="index.html#genehost.moran"' in content


def test_matrix_of_chosen_backends_and_without_what_none_of_them_implements(with_napoleon):
    table = with_napoleon.cells("chosen")
    # `quick` is an alias.
    assert table[0] == ["function", "slow genehost-slow 0.9", "fast genehost-fast 1.2"]
    assert [row[0] for row in table[1:]] == ["Model", "leiden", "moran", "summarize"]
    assert "absent" not in with_napoleon.text("chosen")


@pytest.mark.parametrize("page", WRONG)
def test_a_wrong_matrix_is_an_error_at_its_line(with_napoleon, page):
    said = with_napoleon.result.stderr
    assert re.search(rf"{page}\.rst:6: ERROR: {re.escape(WRONG[page][1])}", said), said


def test_nothing_is_said_where_all_is_well(project):
    # What whoever builds the documentation installed on purpose is no warning, trusted or not. A function without an
    # entry has no link. Warnings of ours can be switched off, and those of backends themselves go their own way.
    project.install("fast", FAST)
    project.install("other", "import warnings\nwarnings.warn('beware', UserWarning)\nname = 'other'")
    project.install("broken", "raise ImportError")
    result = project.build(index=MATRIX, conf='suppress_warnings = ["backends.load"]')
    assert result.returncode == 0
    assert re.fullmatch(r".*genehost_other\.py:2: UserWarning: beware\n.*\n", result.stderr), result.stderr
    assert "moran" in project.text()


def test_without_hosts_and_backends(project):
    project.install("fast", FAST)
    host = HOST.replace("trusted_backends={", "trusted_backends={} and {").replace("genehost", "lonely")
    project.write(project.site / "lonely.py", host)
    result = project.build(conf="backends_discover = []", matrix=MATRIX.replace("genehost", "lonely"))
    assert (result.returncode, result.stderr) == (0, "")
    # Nothing is loaded that `conf.py` does not name.
    assert "batch_size" not in project.text()
    assert "No backend of lonely was installed on the machine that built this page." in project.text("matrix")


@pytest.mark.parametrize("hosts", ['["genehorst"]', '["json"]'])
def test_a_host_that_is_none_is_an_error_of_the_configuration(project, hosts):
    result = project.build(conf=f"backends_discover = {hosts}")
    assert result.returncode == 2
    assert "Configuration error" in result.stderr
    assert "backends_discover in conf.py: " in result.stderr
