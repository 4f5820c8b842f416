"""What a backend author reads after a mistake: each one is made for real, in a package that `new` has written.

The sentences stand on the page for authors too, so that a search finds them.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from textwrap import dedent

import pytest
from workshop import Workshop

PAGE = (Path(__file__).parents[2] / "docs" / "usage" / "backend.md").read_text(encoding="utf-8")

# The example host without its dependencies.
HOST = '''
from scverse_backends import BackendDispatcher

dispatcher = BackendDispatcher(
    entrypoint_group="example_host.backends",
    host_name="example_host",
    trusted_backends={
        "example_jax": {
            "aliases": ["jax"],
            "package": "example-jax",
            "entrypoints": ["example_jax"],
            "module_prefixes": ["example_jax"],
        },
    },
    reserved_backends={"gpu": "Name a concrete backend instead, such as 'cuda'."},
)


@dispatcher.backend_dispatch
def compute_score(data, features=None, *, method="fast"):
    """Score."""
    return "host"


@dispatcher.backend_dispatch
def embed(data, n_components=2, *, scale=False):
    """Embed."""
    return "host"
'''

IMPLEMENTATION = '''
"""Functions of example_host, run by my_backend."""

from __future__ import annotations


def embed(data, n_components=2, *, scale=False, tile=1024):
    """Embed.

    Parameters
    ----------
    tile
        Samples at a time.
    """
    return "my_backend"
'''

PROJECT, ADAPTER = "pyproject.toml", "src/my_backend/_backends/example_host.py"
FUNCTIONS = "src/my_backend/example_host_impl.py"


class Author(Workshop):
    """A workshop with the example host and a package that `new` wrote, with one function written and listed."""

    def __init__(self, site, path):
        super().__init__(site, path)
        site.install("example-host", modules={"example_host.py": HOST})
        self.command("new", "example_host", "my_backend", "--functions", "embed")
        self.folder = path / "my-backend"
        self.change(ADAPTER, "    # Add a line", '    "embed": "my_backend.example_host_impl",\n    # Add a line')
        (self.folder / FUNCTIONS).write_text(IMPLEMENTATION)

    def change(self, file, old, new):
        """Change a text that stands in a file once."""
        text = (self.folder / file).read_text()
        assert text.count(old) == 1, text
        (self.folder / file).write_text(text.replace(old, dedent(new)))

    def check(self, name="my_backend", code=1):
        """Install the package and check it."""
        self.install(self.folder)
        return self.command("check", "example_host", name, code=code)


@pytest.fixture
def author(site, tmp_path):
    return Author(site, tmp_path / "work")


def test_without_a_mistake(author):
    out = author.check(code=0)
    assert out.endswith("1 function, 0 errors, 0 warnings, 1 note\n")
    tests = "tests/test_example_host.py"
    author.change(tests, "def test_contract", 'CALLS["embed"] = (example_host.embed, [1], {})\n\n\ndef test_contract')
    author.change(tests, "import pytest\n", "import example_host\nimport pytest\n")
    author.change(FUNCTIONS, 'return "my_backend"', 'return "host"')
    author.install(author.folder)
    assert "failed" not in author.test(author.folder)


def changed(path, old, new, **checked):
    """Return the mistake of a package that is checked after a text in it was replaced."""

    def mistake(author):
        author.change(path, old, new)
        return author.check(**checked)

    return mistake


# -- what keeps the host from finding the package ----------------------------------------------------------------------


def not_installed(author):
    return author.command("check", "example_host", "my_backend", code=2).replace(sys.executable, "/usr/bin/python3")


wrong_group = changed(PROJECT, '"example_host.backends"', '"example_host.backend"', code=2)
wrong_module = changed(PROJECT, "_backends.example_host", "_backends.examplehost")
missing_dependency = changed(ADAPTER, "from importlib import", "import a_gpu_library\nfrom importlib import")
no_name = changed(ADAPTER, 'name = "my_backend"\n', "")
bad_name = changed(ADAPTER, 'name = "my_backend"', 'name = "my backend"')
reserved_name = changed(ADAPTER, 'name = "my_backend"', 'name = "gpu"')
name_of_somebody_else = changed(PROJECT, 'my_backend = "', 'example_jax = "', name="example_jax")


def other_place_than_the_host_trusts(author):
    author.change(PROJECT, 'name = "my-backend"', 'name = "example-jax"')
    author.change(PROJECT, 'my_backend = "', 'example_jax = "')
    author.change(ADAPTER, 'name = "my_backend"', 'name = "example_jax"')
    return author.check("example_jax")


entry_point_of_another_name = changed(PROJECT, 'my_backend = "', 'mine = "', code=0)
aliases_as_text = changed(ADAPTER, 'name = "my_backend"', 'name = "my_backend"\naliases = "mine"', code=0)


# -- what keeps a function from being called ---------------------------------------------------------------------------

EAGER = '''
"""Adapter."""

from my_backend.example_host_impl import compute_score, embed

name = "my_backend"

__all__ = ["embed"]
'''


def left_out_of_all(author):
    (author.folder / ADAPTER).write_text(EAGER)
    with (author.folder / FUNCTIONS).open("a") as file:
        file.write("\n\ndef compute_score(data, features=None, *, method='mean'):\n    pass\n")
    return author.check(code=0)


misspelt_function = changed(ADAPTER, '"embed": ', '"embedd": ', code=0)
listed_and_not_there = changed(FUNCTIONS, "def embed(", "def embed_cells(")
library_that_is_missing_when_called = changed(
    FUNCTIONS, "from __future__ import annotations\n", "import a_gpu_library\n"
)


# -- what calls would stumble over -------------------------------------------------------------------------------------


required_parameter_of_another_name = changed(FUNCTIONS, "def embed(data,", "def embed(dataset,")
another_default = changed(FUNCTIONS, "n_components=2", "n_components=50", code=0)
option_without_a_description = changed(FUNCTIONS, "tile=1024", "tile=1024, device=0", code=0)
option_that_is_required = changed(FUNCTIONS, "tile=1024", "tile", code=0)
coroutine = changed(FUNCTIONS, "def embed(", "async def embed(", code=0)
can_run_of_other_parameters = changed(
    FUNCTIONS,
    '    return "my_backend"\n',
    '    return "my_backend"\n\n\nembed.can_run = lambda data, n_components=2: n_components < 100\n',
)


# -- what the list shows -----------------------------------------------------------------------------------------------


def listed(author, code):
    infos = json.loads(author.command("list", "example_host", "--json", code=code))
    return [(info["name"], info["state"], info["distribution"], info["version"]) for info in infos], infos


def test_a_trusted_package_that_is_refused_has_one_row(author):
    other_place_than_the_host_trusts(author)
    found, (info,) = listed(author, code=0)
    assert found == [("example_jax", "refused", "example-jax", "0.1.0")]
    assert "is not within 'example_jax'" in info["reason"]


def test_a_reserved_name_has_one_row_with_the_hosts_sentence(author):
    reserved_name(author)
    found, infos = listed(author, code=0)
    assert found[1:] == [("my_backend", "refused", "my-backend", "0.1.0")]
    assert infos[1]["reason"] == (
        "its name 'gpu' is reserved by the host: Name a concrete backend instead, such as 'cuda'"
    )


def test_what_is_installed_is_never_said_to_be_not_installed(author):
    author.change(PROJECT, 'name = "my-backend"', 'name = "example-jax"')
    author.change(PROJECT, '"example_host.backends"', '"another_host.backends"')
    author.install(author.folder)
    found, (info,) = listed(author, code=1)
    assert found == [("example_jax", "failed", "example-jax", "0.1.0")]
    assert "example-jax 0.1.0 is installed, but does not provide it." in info["reason"]


# -- in tests ----------------------------------------------------------------------------------------------------------


def stand_in_for_a_trusted_backend(author):
    (author.folder / "tests" / "test_stand_in.py").write_text(
        dedent("""
        from types import SimpleNamespace

        from example_host import dispatcher
        from scverse_backends.testing import temporary_backend


        def test_stand_in():
            with temporary_backend(dispatcher, SimpleNamespace(name="jax")):
                pass
        """)
    )
    author.install(author.folder)
    return author.test(author.folder, code=1)


def no_call_to_compare(author):
    author.install(author.folder)
    return author.test(author.folder, code=1)


def not_written_yet(author):
    (author.folder / FUNCTIONS).unlink()
    author.command("new", "example_host", "my_backend", "--functions", "embed", "--into", "again")
    text = (author.path / "again" / FUNCTIONS).read_text()
    (author.folder / FUNCTIONS).write_text(text)
    (author.folder / "tests" / "test_call.py").write_text(
        "import example_host\n\n\ndef test_call():\n    example_host.embed([], backend='my_backend')\n"
    )
    author.install(author.folder)
    return author.test(author.folder, code=1)


MISTAKES = {
    "It is not installed for this Python": not_installed,
    "Its group is misspelt, or it was not installed again": wrong_group,
    "The entry point names a module that is not there": wrong_module,
    "The adapter imports a library that is not installed": missing_dependency,
    "The adapter has no name": no_name,
    "The name is no label": bad_name,
    "The host reserves the name": reserved_name,
    "The name is that of a backend which the host trusts": name_of_somebody_else,
    "The trusted package keeps its adapter elsewhere than the host expects": other_place_than_the_host_trusts,
    "The entry point has another name than the backend": entry_point_of_another_name,
    "The aliases are a string": aliases_as_text,
    "`__all__` leaves it out": left_out_of_all,
    "Its name is misspelt": misspelt_function,
    "It is listed, and not there": listed_and_not_there,
    "What it imports is not installed": library_that_is_missing_when_called,
    "A required parameter has another name": required_parameter_of_another_name,
    "A default is another": another_default,
    "An option has no description": option_without_a_description,
    "An option has no default": option_that_is_required,
    "The function is `async`": coroutine,
    "`can_run` has other parameters": can_run_of_other_parameters,
    "It is listed before it is written": not_written_yet,
    "A test registers an adapter under a name that the host trusts": stand_in_for_a_trusted_backend,
    "A function is listed, and no test calls it": no_call_to_compare,
}


def words(text):
    """Return text without regard to where its lines end."""
    return " ".join(text.split())


SECTION = PAGE.partition("\n## When something is wrong\n")[2].partition("\n## ")[0]
ENTRIES = {
    entry[1]: words(entry[2]) for entry in re.finditer(r"^(\S.*)\n: ```text\n([^`]+)```$", SECTION, re.MULTILINE)
}


def test_the_page_has_every_mistake_and_no_other():
    assert list(ENTRIES) == list(MISTAKES)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_author_reads_what_the_page_says(author, mistake):
    assert ENTRIES[mistake] in words(MISTAKES[mistake](author))
