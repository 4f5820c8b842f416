"""Section 7.7: the files of a new backend package, and that nothing is ever overwritten."""

from __future__ import annotations

import sys
import tomllib
import types

import pytest
from labs import define, make

from scverse_backends import __version__
from scverse_backends._skeleton import package, provider
from scverse_backends._skeleton.names import SkeletonError
from scverse_backends._skeleton.package import skeleton, write
from scverse_backends._skeleton.provider import Provider, provider_of

HOST = "packaged_host"


@pytest.fixture
def host(monkeypatch):
    """Make a host whose functions are those of its package."""
    dispatcher = make(HOST, trusted_backends={"real": {"package": "real-dist"}})
    module = types.ModuleType(HOST)
    module.embed = dispatcher.backend_dispatch(define("def embed(data, n=2): ...", __name__=HOST))
    module.Model = dispatcher.backend_class(type("Model", (), {"__init__": define("def __init__(self, size=3): ...")}))
    module.odd = dispatcher.backend_dispatch(name="no.identifier")(define("def odd(data): ..."))
    monkeypatch.setitem(sys.modules, HOST, module)
    return dispatcher


def made(host, name="my_backend", functions=None):
    return skeleton(host, HOST, name, functions)


def test_the_files(host):
    found = made(host)
    assert list(found.functions) == ["Model", "embed"]
    assert list(found.files) == [
        ".github/workflows/test.yml",
        ".gitignore",
        "README.md",
        "pyproject.toml",
        "src/my_backend/__init__.py",
        "src/my_backend/_backends/__init__.py",
        "src/my_backend/_backends/packaged_host.py",
        "src/my_backend/packaged_host_impl.py",
        "tests/test_packaged_host.py",
    ]
    for path, text in found.files.items():
        assert "{{" not in text.replace("${{ matrix.", ""), path
        assert text.endswith("\n"), path
        assert not text.endswith("\n\n"), path
        if path.endswith(".py"):
            compile(text, path, "exec")


def test_the_project(host):
    project = tomllib.loads(made(host, "my.backend").files["pyproject.toml"])
    assert project["project"]["name"] == "my-backend"
    assert project["project"]["dependencies"] == []  # The host of this test is installed from nowhere.
    assert project["project"]["optional-dependencies"]["test"] == ["pytest>=8", f"scverse-backends>={__version__}"]
    points = {"packaged_host.backends": {"my.backend": "my_backend._backends.packaged_host"}}
    assert project["project"]["entry-points"] == points
    assert "UntrustedBackendWarning" in project["tool"]["pytest"]["ini_options"]["filterwarnings"][0]
    trusted = tomllib.loads(made(host, "real").files["pyproject.toml"])
    assert trusted["project"]["name"] == "real-dist"
    assert "filterwarnings" not in trusted["tool"]["pytest"]["ini_options"]


def test_an_adapter_within_a_prefix_of_the_host():
    dispatcher = make(HOST, trusted_backends={"real": {"module_prefixes": ["real.plugins.host"]}})
    kept = dispatcher.backend_dispatch(define("def embed(data): ..."))
    module = types.ModuleType(HOST)
    module.embed = kept
    sys.modules[HOST] = module
    files = skeleton(dispatcher, HOST, "real", None).files
    del sys.modules[HOST]
    assert [path for path in files if path.startswith("src")] == [
        "src/real/__init__.py",
        "src/real/packaged_host_impl.py",
        "src/real/plugins/__init__.py",
        "src/real/plugins/host.py",
    ]
    assert "from real.plugins import host as adapter" in files["tests/test_packaged_host.py"]


@pytest.mark.parametrize("functions", ["odd", "no.identifier"])
def test_a_function_that_no_module_can_export_is_left_out(host, functions):
    with pytest.raises(SkeletonError, match="It dispatches: Model, embed"):
        made(host, functions=functions)


def test_a_host_of_no_functions(monkeypatch):
    monkeypatch.setitem(sys.modules, HOST, types.ModuleType(HOST))
    with pytest.raises(SkeletonError, match="packaged_host dispatches no function, so there is nothing that"):
        skeleton(make(HOST), HOST, "my_backend", None)


def test_what_the_readme_and_the_adapter_name(host):
    files = made(host, functions="embed").files
    assert "# Still to be written: embed." in files["src/my_backend/_backends/packaged_host.py"]
    assert '"embed": "my_backend.packaged_host_impl",' in files["README.md"]
    assert 'packaged_host.embed(..., backend="my_backend")' in files["README.md"]
    assert "src/my_backend/_backends/packaged_host.py" in files["src/my_backend/packaged_host_impl.py"]


# -- the host's own checks ---------------------------------------------------------------------------------------------


def run_feedback(backend_name): ...
def run_with_options(backend_name, **options): ...
def run_strictly(backend_name, *, require_dispatch=False): ...


@pytest.mark.parametrize(
    ("function", "call"),
    [
        (run_feedback, 'run_feedback("my_backend")'),
        (run_with_options, 'run_feedback("my_backend", require_dispatch=True)'),
        (run_strictly, 'run_feedback("my_backend", require_dispatch=True)'),
        (None, None),
        (3, None),
    ],
)
def test_the_hosts_checks_are_run_where_it_has_them(host, monkeypatch, function, call):
    testing = types.ModuleType(f"{HOST}.testing")
    if function is not None:
        testing.run_feedback = function
    monkeypatch.setitem(sys.modules, testing.__name__, testing)
    text = made(host).files["tests/test_packaged_host.py"]
    assert (call in text) if call else ("compare(call" in text)
    assert ("from packaged_host.testing import run_feedback" in text) == bool(call)


def test_checks_that_cannot_be_imported(host, tmp_path, monkeypatch):
    (tmp_path / "testing.py").write_text("raise SystemExit\n")
    sys.modules[HOST].__path__ = [str(tmp_path)]
    assert "compare(call" in made(host).files["tests/test_packaged_host.py"]
    (tmp_path / "testing.py").write_text("raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        made(host)


# -- the host's distribution -------------------------------------------------------------------------------------------


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Make a function that installs a distribution of the host with some metadata."""
    monkeypatch.syspath_prepend(tmp_path)

    def install(metadata):
        info = tmp_path / "packaged_dist-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: packaged-dist\n{metadata}")
        (info / "top_level.txt").write_text(HOST)

    return install


REPOSITORY = "https://github.com/org/packaged"
SPONSORS = "Project-URL: Funding, https://github.com/sponsors/org\nProject-URL: Docs, https://x.org/a/b\n"


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ("Version: 1.4.2\n", ("packaged-dist>=1.4", ">=3.12", None)),
        ("Version: 2.0\nRequires-Python: >=3.10\n", ("packaged-dist>=2.0", ">=3.12", None)),
        ("Version: 2.0\nRequires-Python: >= 3.13, <4\n", ("packaged-dist>=2.0", ">=3.13", None)),
        # What is not released is no reason to require it.
        ("Version: 2.0.dev3+g12\n", ("packaged-dist", ">=3.12", None)),
        ("", ("packaged-dist", ">=3.12", None)),
        (f"Version: 1.0\nProject-URL: Source, {REPOSITORY}.git\n", ("packaged-dist>=1.0", ">=3.12", REPOSITORY)),
        (f"Version: 1.0\nHome-page: {REPOSITORY}/\n", ("packaged-dist>=1.0", ">=3.12", REPOSITORY)),
        (
            f"Version: 1.0\n{SPONSORS}Project-URL: Tracker, {REPOSITORY}/issues\n",
            ("packaged-dist>=1.0", ">=3.12", REPOSITORY),
        ),
    ],
)
def test_what_the_metadata_says(installed, metadata, expected):
    installed(metadata)
    assert provider_of(f"{HOST}.tl") == Provider("packaged-dist", *expected)


def test_a_host_that_nothing_installed(monkeypatch):
    monkeypatch.setattr(provider.importlib.metadata, "packages_distributions", dict)
    assert provider_of(HOST) is None


def test_what_becomes_of_the_metadata(host, monkeypatch):
    monkeypatch.setattr(
        package, "provider_of", lambda _: Provider("packaged-dist", "packaged-dist>=1.4", ">=3.13", REPOSITORY)
    )
    files = made(host).files
    project = tomllib.loads(files["pyproject.toml"])["project"]
    assert (project["dependencies"], project["requires-python"]) == (["packaged-dist>=1.4"], ">=3.13")
    workflow = files[".github/workflows/test.yml"]
    assert 'python: ["3.13", "3.14"]' in workflow
    assert f'host:\n          - "packaged-dist"\n          - "packaged-dist @ git+{REPOSITORY}"\n' in workflow
    monkeypatch.setattr(package, "provider_of", lambda _: Provider("packaged-dist", "packaged-dist", ">=3.14", None))
    workflow = made(host).files[".github/workflows/test.yml"]
    assert 'python: ["3.14"]' in workflow
    assert '- "packaged-dist"\n          # Add the development version: ' in workflow


# -- writing -----------------------------------------------------------------------------------------------------------


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_writing(host, tmp_path):
    found = made(host)
    write(found, tmp_path / "new" / "folder")
    assert contents(tmp_path / "new" / "folder") == {path: text.encode() for path, text in found.files.items()}


def test_beside_what_is_there(host, tmp_path):
    (tmp_path / "LICENSE").write_text("mine")
    (tmp_path / "src").mkdir()
    write(made(host), tmp_path)
    assert (tmp_path / "LICENSE").read_text() == "mine"


@pytest.mark.parametrize(
    ("there", "listed"),
    [
        (["README.md"], "README.md"),
        (["README.md", ".gitignore", "pyproject.toml", "tests/test_packaged_host.py"], "and 1 more"),
        (["src/my_backend/__init__.py/folder"], "src/my_backend/__init__.py"),
    ],
)
def test_nothing_is_overwritten(host, tmp_path, there, listed):
    for path in there:
        (tmp_path / path).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / path).write_text("mine")
    before = contents(tmp_path)
    with pytest.raises(SkeletonError, match=r"nothing is overwritten\. Choose another folder with --into") as caught:
        write(made(host), tmp_path)
    assert listed in str(caught.value)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("obstacle", ["src", "tests"])
def test_what_cannot_be_written_leaves_nothing_behind(host, tmp_path, obstacle):
    (tmp_path / obstacle).write_text("a file where a folder should be")
    before = contents(tmp_path)
    with pytest.raises(SkeletonError, match=r"cannot be written: .* Choose another folder with --into"):
        write(made(host), tmp_path)
    assert contents(tmp_path) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == [obstacle]
