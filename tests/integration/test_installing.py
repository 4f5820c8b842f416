"""Installed while Python runs, installed where it does not look, installed and not recognised (2.6, 2.8, 2.11)."""

from __future__ import annotations

import subprocess
import sys
import venv
from textwrap import dedent

import pytest

# Builds what pip asks for by hand, so that the test needs no network. An editable install is a wheel with a .pth file.
BUILDER = """
import pathlib, zipfile

def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    name = "mine_distribution-1.0-py3-none-any.whl"
    information = "mine_distribution-1.0.dist-info"
    files = {
        "mine.pth": str(pathlib.Path("src").resolve()),
        f"{information}/METADATA": "Metadata-Version: 2.1\\nName: mine-distribution\\nVersion: 1.0\\n",
        f"{information}/WHEEL": "Wheel-Version: 1.0\\nGenerator: tests\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
        f"{information}/entry_points.txt": pathlib.Path("entry_points.txt").read_text(),
    }
    files[f"{information}/RECORD"] = "".join(f"{path},,\\n" for path in files) + f"{information}/RECORD,,\\n"
    with zipfile.ZipFile(pathlib.Path(wheel_directory) / name, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return name
"""

PYPROJECT = """
[build-system]
requires = []
build-backend = "builder"
backend-path = ["."]

[project]
name = "mine-distribution"
version = "1.0"

[project.entry-points."hosted.backends"]
mine = "mine_backend"
"""


class Environment:
    """A virtual environment, and the project of a backend that can be installed there."""

    def __init__(self, folder, adapter):
        venv.create(folder / "venv", symlinks=True)
        self.python = folder / "venv" / "bin" / "python"
        self.project = folder / "project"
        (self.project / "src").mkdir(parents=True)
        self.write("src/mine_backend.py", adapter("mine"))
        self.write("builder.py", BUILDER)
        self.write("pyproject.toml", PYPROJECT)
        self.write("entry_points.txt", "[hosted.backends]\nmine = mine_backend\n")
        pip = ["-m", "pip", "--python", str(self.python), "install", "--quiet", "--no-index", "--no-build-isolation"]
        self.pip = [sys.executable, *pip, "--disable-pip-version-check", "--editable", str(self.project)]

    def write(self, path, text):
        (self.project / path).write_text(dedent(text))

    def install(self):
        subprocess.run(self.pip, check=True, capture_output=True, timeout=120)


@pytest.fixture
def environment(tmp_path, adapter_source):
    return Environment(tmp_path, adapter_source)


TRYING = """
import os, subprocess, sys, warnings
import hosted
warnings.simplefilter("ignore")

def attempt(backend):
    try:
        return hosted.double(2, backend=backend)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
"""


def test_an_editable_install_from_the_running_process(site, environment):  # 2.8
    program = (
        TRYING
        + """
before = attempt("mine")
if sys.argv[1:]:
    subprocess.run(sys.argv[1:], check=True, capture_output=True)
report([before, attempt("mine"), attempt(["mine", "cpu"]), attempt("mine")])
"""
    )
    before, *after = site.run(program, *environment.pip, python=environment.python, measured=False)
    assert before.startswith("UnknownBackendError: Unknown backend 'mine'")
    assert after[0] == after[2]
    assert after[0] == (
        "BackendLoadError: Backend 'mine' (entry point 'mine' of distribution 'mine-distribution') cannot be used: it "
        "could not be loaded: ModuleNotFoundError: No module named 'mine_backend'. mine-distribution is an editable "
        "install, which Python sees only when it starts. Restart Python. If that does not help, correct its entry "
        "point, or use backend='cpu'."
    )
    assert after[1] == ["cpu", 4]
    # What the message says helps.
    assert site.run(program, python=environment.python, measured=False)[1] == ["mine", 4]


def test_an_editable_install_that_was_not_repeated(site, environment):  # 2.11
    environment.write("entry_points.txt", "[another.group]\nmine = mine_backend\n")
    environment.install()
    program = TRYING + "report([attempt('mine'), attempt('mine-distribution'), repr(hosted.settings.backends())])"
    by_name, by_distribution, table = site.run(program, python=environment.python, measured=False)
    sentence = (
        "The pyproject.toml of distribution 'mine-distribution' registers 'mine' under 'hosted.backends', but was "
        "changed after it was installed. Install it again, although it is an editable install."
    )
    assert by_name == f"UnknownBackendError: Unknown backend 'mine' for hosted. Available: 'cpu'. {sentence}"
    assert sentence in by_distribution
    assert sentence in " ".join(table.split())
    environment.write("entry_points.txt", "[hosted.backends]\nmine = mine_backend\n")
    environment.install()
    assert site.run(program, python=environment.python, measured=False)[0] == ["mine", 4]


def test_an_adapter_of_an_editable_neighbour(site, environment, adapter_source):  # 2.8
    environment.write("src/mine_distribution.py", "")
    environment.write("entry_points.txt", "[another.group]\n")
    # An adapter that can be seen, and imports what cannot.
    site.install(
        "front-distribution",
        modules={"front_backend.py": "import mine_distribution" + adapter_source("front")},
        entry_points={"front": "front_backend"},
    )
    program = (
        TRYING
        + """
subprocess.run(sys.argv[1:], check=True, capture_output=True)
report([attempt("front"), attempt("front")])
"""
    )
    texts = site.run(program, *environment.pip, python=environment.python, measured=False)
    assert set(texts) == {texts[0]}
    assert "No module named 'mine_distribution'" in texts[0]
    assert "mine_distribution is an editable install, which Python sees only when it starts. Restart Python" in texts[0]


def test_a_module_that_is_nowhere_is_no_reason_to_restart(site):  # 2.7
    for module, body in {"gone_backend": None, "needy_backend": "import nowhere_at_all\n"}.items():
        site.install(
            module.replace("_", "-"),
            modules={} if body is None else {f"{module}.py": body},
            entry_points={module.partition("_")[0]: module},
        )
    found = site.run(TRYING + "report([attempt('gone'), attempt('needy')])")
    assert all(text.endswith("Repair or reinstall it, or use backend='cpu'.") for text in found), found


def test_a_part_that_a_package_does_not_have_is_no_reason_to_restart_either(site, environment):  # 2.7
    environment.write("entry_points.txt", "[hosted.backends]\nmine = mine_backend.nowhere\n")
    environment.install()
    (found,) = site.run(TRYING + "report([attempt('mine')])", python=environment.python, measured=False)
    assert "No module named 'mine_backend.nowhere'" in found
    assert found.endswith(
        "Its entry point names a module that it does not have. Reinstall it, or tell its authors, or use backend='cpu'."
    )


# -- where this process does not look ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("mine", "UnknownBackendError: Unknown backend 'mine' for hosted. Available: 'cpu'. "),
        (
            "mine-distribution",
            "UnknownBackendError: Unknown backend 'mine-distribution' for hosted. Available: 'cpu'. ",
        ),
        ("real", "BackendNotInstalledError: Backend 'real' is known to hosted but not installed. "),
    ],
)
def test_a_folder_of_the_users_own_that_came_when_python_ran(site, tmp_path, asked, expected):  # 2.8
    program = (
        TRYING
        + """
import site
report([attempt(sys.argv[1]), site.getusersitepackages(), site.ENABLE_USER_SITE])
"""
    )
    home = {"PYTHONUSERBASE": str(tmp_path / "home")}
    venv.create(tmp_path / "venv", system_site_packages=True, symlinks=True)
    python = tmp_path / "venv" / "bin" / "python"
    _, folder, enabled = site.run(program, asked, python=python, environment=home, measured=False)
    assert enabled
    prepared = f"""
import pathlib, shutil
shutil.copytree(sys.argv[2], {folder!r})
"""
    made = tmp_path / "made"
    for distribution, name in (("mine-distribution", "mine"), ("real-backend", "real")):
        site.install(distribution, entry_points={name: f"{name}_backend"}, into=made)
    text, *_ = site.run(
        TRYING + prepared + program.replace(TRYING, ""), asked, made, python=python, environment=home, measured=False
    )
    distribution = "real-backend" if asked == "real" else "mine-distribution"
    where = f"Distribution '{distribution}' is in {folder}, which this process does not search: restart Python."
    assert text == f"{expected}{where}"


# -- remnants ----------------------------------------------------------------------------------------------------------

LISTED = (
    TRYING
    + """
table = hosted.settings.backends()
report([attempt("good"), [[i.name, i.distribution, i.version, i.state] for i in table if i.state != "not installed"]])
"""
)
GOOD = [["good", 4], [["good", "good-distribution", "1.1", "available"]]]
REMNANTS = {
    "empty": {},
    "a record only": {"RECORD": "good_backend.py,,\n"},
    "entry points only": {"entry_points.txt": "[hosted.backends]\ngood = nowhere_at_all\n"},
}


@pytest.mark.parametrize("remnant", REMNANTS)
@pytest.mark.parametrize("where", ["beside", "before", "behind"])
@pytest.mark.parametrize("broken_neighbour", [False, True])
def test_an_interrupted_upgrade(site, tmp_path, adapter_source, remnant, where, broken_neighbour):  # 2.6
    site.install(
        "good-distribution",
        version="1.1",
        modules={"good_backend.py": adapter_source("good")},
        entry_points={"good": "good_backend"},
    )
    other = tmp_path / "other"
    for version in ("1.0", "1.2", "0.9"):  # Whatever order a file system lists them in.
        folder = (site.path if where == "beside" else other) / f"good_distribution-{version}.dist-info"
        folder.mkdir(parents=True)
        for name, text in REMNANTS[remnant].items():
            (folder / name).write_text(text)
    if broken_neighbour:
        site.install("bad-distribution", entry_points="[hosted.backends]\nbad bad_backend\n")
    path = {"before": [other], "behind": [], "beside": []}[where]
    environment = {"OTHER": str(other)}
    program = "import os, sys; sys.path.append(os.environ['OTHER'])\n" + LISTED
    assert site.run(program, path=path, environment=environment) == GOOD


def test_a_remnant_alone_is_not_installed(site):  # 2.6, 3.3
    folder = site.path / "real_backend-1.0.dist-info"
    folder.mkdir()
    (folder / "entry_points.txt").write_text("[hosted.backends]\nreal = real_backend\n")
    found = site.run(TRYING + "report([attempt('real'), [i.state for i in hosted.settings.backends()]])")
    assert found == [
        (
            "BackendNotInstalledError: Backend 'real' is known to hosted but not installed. "
            "Install it with: pip install real-backend"
        ),
        ["not installed"],
    ]


def test_the_version_of_what_is_installed_beside_a_remnant(site):  # 2.6, 3.3
    (site.path / "real_backend-0.1.dist-info").mkdir()
    site.install("real-backend", version="2.0")
    text = site.run(TRYING + "report(attempt('real'))")
    assert "real-backend 2.0 is installed, but does not provide it." in text


# -- installed and not recognised --------------------------------------------------------------------------------------

AGAIN = "Correct its pyproject.toml, then install it again, an editable install too."


def slip(theirs, names="'mine'", distribution="mine-distribution"):
    return (
        f"Distribution '{distribution}' registers {names} under the group '{theirs}', but hosted looks under "
        f"'hosted.backends'. {AGAIN}"
    )


@pytest.mark.parametrize(
    "group",
    ["hosted.backend", "hosted-backends", "Hosted.Backends", "hosted_backends", "hosted.plugins", "hostd.backends"],
)
def test_a_slip_in_the_group(site, group):  # 2.11
    site.install("mine-distribution", entry_points=f"[{group}]\nmine = mine_backend\n")
    asked = ["mine", "mine-distribution", "Mine_Distribution"]
    found = site.run(
        TRYING + "report([[attempt(name) for name in sys.argv[1:]], repr(hosted.settings.backends())])", *asked
    )
    unknown = "UnknownBackendError: Unknown backend {!r} for hosted. Available: 'cpu'. " + slip(group)
    assert found[0] == list(map(unknown.format, asked))
    # The listing knows no name to look for, so it tells of close ones only.
    assert (slip(group) in " ".join(found[1].split())) is (group != "hosted.plugins")


def test_a_slip_of_the_trusted_package(site):  # 2.11, 3.3
    site.install("real-backend", entry_points="[hosted.backend]\nreal = real_backend\n")
    found = site.run(TRYING + "report([attempt('genuine'), repr(hosted.settings.backends())])")
    assert found[0] == (
        "BackendNotInstalledError: Backend 'genuine' is not available: real-backend 1.0 is installed, but does not "
        f"provide it. {slip('hosted.backend', names=repr('real'), distribution='real-backend')} "
        "Try: pip install --upgrade real-backend"
    )
    assert "under the group 'hosted.backend'" in " ".join(found[1].split())


def test_an_entry_point_that_bears_the_name_of_the_trusted_package(site):  # 2.11, 3.3
    site.install("mine-distribution", entry_points="[hosted.backend]\nreal-backend = mine_backend\n")
    # Somebody else's package says nothing about the one that the host trusts.
    assert site.run(TRYING + "report(attempt('genuine'))") == (
        "BackendNotInstalledError: Backend 'genuine' is known to hosted but not installed. "
        "Install it with: pip install real-backend"
    )


def test_nothing_is_registered(site):  # 2.11
    site.install("mine-distribution")
    assert site.run(TRYING + "report(attempt('mine_distribution'))") == (
        "UnknownBackendError: Unknown backend 'mine_distribution' for hosted. Available: 'cpu'. Distribution "
        "'mine-distribution' registers nothing under the group 'hosted.backends'. If it should, add that to its "
        "pyproject.toml, then install it again, an editable install too."
    )


def test_groups_of_others_are_no_slips(site):  # 2.11
    groups = ["scanned.backends", "console_scripts", "backends", "hidden.plugins", "x.y.z"]
    site.install("mine-distribution", entry_points="".join(f"[{group}]\nmine = mine_backend\n" for group in groups))
    found = site.run(TRYING + "report([attempt('mine'), repr(hosted.settings.backends())])")
    assert found[0] == (
        "UnknownBackendError: Unknown backend 'mine' for hosted. Available: 'cpu'. "
        "If the name is right, install the package that provides it."
    )
    assert "registers" not in found[1]


def test_what_is_recognised_is_not_told_of(site, adapter_source):  # 2.11
    site.install(
        "mine-distribution",
        modules={"mine_backend.py": adapter_source("mine")},
        entry_points="[hosted.backends]\nmine = mine_backend\n[hosted.backend]\nmine = mine_backend\n",
    )
    found = site.run(TRYING + "report([attempt('mine-distribution'), repr(hosted.settings.backends())])")
    assert found[0] == (
        "UnknownBackendError: Unknown backend 'mine-distribution' for hosted. Did you mean 'mine'? "
        "Available: 'cpu', 'mine'."
    )
    assert "registers" not in found[1]


def test_metadata_that_cannot_be_read_says_nothing(site):  # 2.6, 2.11
    site.install("bad-distribution", entry_points="[hosted.backend\nbad bad_backend\n")
    site.install("mine-distribution", entry_points="[hosted.backend]\nmine = mine_backend\n")
    found = site.run(TRYING + "report([attempt('bad'), attempt('mine')])")
    assert "group" not in found[0]
    assert slip("hosted.backend") in found[1]


def test_nobody_looks_before_there_is_an_error(site):  # 2.11: one look, only on the way to an error
    site.good()
    site.install("mine-distribution", entry_points="[hosted.backend]\nmine = mine_backend\n")
    program = """
import scverse_backends._discovery.errors as errors
looks = []
real = errors.unrecognised
errors.unrecognised = lambda *names: looks.append(names) or real(*names)
attempt("good"), attempt(["good", "cpu"]), attempt("cpu"), hosted.double(1)
hosted.dispatcher.discover(), hosted.settings.available_backends(), hosted.dispatcher.get_backend("good")
before = len(looks)
attempt("mine")
report([before, len(looks)])
"""
    assert site.run(TRYING + program) == [0, 1]
