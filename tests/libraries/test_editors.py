"""What IPython, jedi and Sphinx show of decorated functions and classes, by their real completers and renderers."""

from __future__ import annotations

import subprocess
import sys

import jedi
import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

HOST = '''
"""A host."""
import abc
from scverse_backends import BackendDispatcher

dispatcher = BackendDispatcher(entrypoint_group="editorlab.backends", host_name="editorlab", untrusted="allow")

@dispatcher.backend_dispatch
def embed(data, n_components=2):
    """Embed.

    Parameters
    ----------
    data
        Data.
    """

@dispatcher.backend_class
class Model:
    """A model.

    Parameters
    ----------
    size
        How many.
    """

    def __init__(self, size=3):
        self.size = size

    def fit_it(self):
        """Fit the model."""

@dispatcher.backend_class
class AbstractModel(abc.ABC):
    """An abstract one.

    Parameters
    ----------
    size
        How many.
    """

    def __init__(self, size=3):
        self.size = size

    def fit_it(self):
        """Fit the model."""

class Theirs:
    """Theirs.

    Parameters
    ----------
    batch_size
        How many at once.
    """
    def __init__(self, size=3, batch_size=64):
        self.size = size

class Adapter:
    name = "fast"
    Model = AbstractModel = Theirs

    def embed(self, data, n_components=2, batch_size=64):
        """Embed fast.

        Parameters
        ----------
        batch_size
            How many at once.
        """

dispatcher.register(Adapter)
dispatcher.discover()
'''

NAMES = ("embed", "Model", "AbstractModel")
every_name = pytest.mark.parametrize("name", NAMES)


@pytest.fixture
def namespace(tmp_path, monkeypatch):
    (tmp_path / "editorlab.py").write_text(HOST)
    monkeypatch.syspath_prepend(tmp_path)
    import editorlab

    yield vars(editorlab)
    del sys.modules["editorlab"]


@pytest.fixture
def shell(namespace, tmp_path, monkeypatch):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    shell = InteractiveShell.instance()
    shell.history_manager.enabled = False
    shell.user_ns.update({name: namespace[name] for name in NAMES})
    yield shell
    shell.history_manager.end_session()
    InteractiveShell.clear_instance()


@every_name
@pytest.mark.parametrize("use_jedi", [True, False])
def test_ipython_completes_merged_parameters(shell, name, use_jedi):
    shell.Completer.use_jedi = use_jedi
    text = f"{name}(ba"
    with provisionalcompleter():
        found = {completion.text for completion in shell.Completer.completions(text, len(text))}
    assert {"batch_size=", "backend="} <= found


@every_name
@pytest.mark.parametrize("mark", ["?", "??"])
def test_ipython_help(shell, name, mark):
    info = shell.object_inspect_mime(name, detail_level=len(mark) - 1)["text/plain"]
    assert "batch_size" in info
    assert "backend" in info
    if mark == "??":
        assert "@dispatcher.backend_" in info
    else:
        assert "batch_size (fast)" in info
    with capture_output() as shown:
        shell.run_cell(name + mark)
    assert "batch_size" in shown.stdout


@every_name
def test_jedi_signatures_and_completions(namespace, name):
    script = jedi.Interpreter(f"{name}(ba", [namespace])
    assert {"batch_size=", "backend="} <= {found.name for found in script.complete()}
    (signature,) = jedi.Interpreter(f"{name}(", [namespace]).get_signatures()
    assert {"batch_size", "backend"} <= {parameter.name for parameter in signature.params}


@pytest.mark.parametrize("name", ["Model", "AbstractModel"])
def test_jedi_completes_methods(namespace, name):
    found = {found.name for found in jedi.Interpreter(f"{name}.fi", [namespace]).complete()}
    assert "fit_it" in found


def test_sphinx_autodoc_shows_methods_and_options(tmp_path):
    (tmp_path / "editorlab.py").write_text(HOST)
    (tmp_path / "conf.py").write_text(
        f"import sys\nsys.path.insert(0, {str(tmp_path)!r})\nproject = 'lab'\n"
        "extensions = ['sphinx.ext.autodoc', 'sphinx.ext.napoleon']\n"
        # Napoleon's default takes "batch_size (fast)" for a type and a name.
        "napoleon_use_param = False\n"
    )
    (tmp_path / "index.rst").write_text(
        "Lab\n===\n\n.. automodule:: editorlab\n   :members: embed, Model, AbstractModel\n   :undoc-members:\n"
    )
    command = [sys.executable, "-m", "sphinx", "-W", "-q", "-b", "text", str(tmp_path), str(tmp_path / "out")]
    subprocess.run(command, check=True, capture_output=True)
    text = (tmp_path / "out" / "index.txt").read_text()
    classes = text.split("class editorlab.")[1:]
    assert [found.split("(")[0] for found in classes] == ["AbstractModel", "Model"]
    for found in classes:
        assert "batch_size=64" in found
        assert "fit_it()" in found
        assert "batch_size (fast)" in found
    assert "Bases:" not in text
