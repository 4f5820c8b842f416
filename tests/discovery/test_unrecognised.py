"""Distributions that seem to be meant for a host and do not reach it (2.8, 2.11), and what is read of each."""

from __future__ import annotations

import importlib.metadata
import json
import os
import site
import sys

import pytest

from scverse_backends import BackendDispatcher
from scverse_backends._discovery.installed import Installed, all_distributions, installed_version, is_editable
from scverse_backends._discovery.unrecognised import unrecognised
from scverse_backends.exceptions import BackendNotInstalledError

GROUP = "near_host.backends"


class Folder:
    def __init__(self, path):
        self.path = path
        path.mkdir(parents=True, exist_ok=True)

    def install(self, name, groups=(), *, origin=None, version="1.0"):
        information = self.path / f"{name.replace('-', '_')}-{version}.dist-info"
        information.mkdir()
        (information / "METADATA").write_text(f"Name: {name}\nVersion: {version}\n")
        text = "".join(f"[{group}]\n{point} = module\n" for group, point in groups)
        (information / "entry_points.txt").write_text(text)
        if origin is not None:
            (information / "direct_url.json").write_text(origin if isinstance(origin, str) else json.dumps(origin))
        return information


@pytest.fixture
def folder(tmp_path, monkeypatch):
    made = Folder(tmp_path / "folder")
    monkeypatch.setattr(sys, "path", [str(made.path), *sys.path])
    return made


def test_what_is_meant_for_the_host(folder):  # 2.11
    folder.install("near-one", [("near_host.backend", "one"), ("console_scripts", "one")])
    (sentence,) = unrecognised("near_host", GROUP)
    assert sentence == (
        "Distribution 'near-one' registers 'one' under the group 'near_host.backend', but near_host looks under "
        "'near_host.backends'. Correct its pyproject.toml, then install it again, an editable install too."
    )
    assert unrecognised("near_host", GROUP, "ONE") == unrecognised("near_host", GROUP, "near_one") == (sentence,)
    assert unrecognised("near_host", GROUP, "two") == ()
    assert unrecognised("near_host", GROUP, "near-one", distributions_only=True) == (sentence,)
    assert unrecognised("near_host", GROUP, "one", distributions_only=True) == ()


def test_what_is_meant_for_another_host_of_this_process(folder):  # 2.11
    folder.install("near-two", [("near_host.others", "two")])
    folder.install("far-one", [("near_host.backends2", "two")])
    other = BackendDispatcher(entrypoint_group="near_host.others", host_name="near_other")
    sentences = unrecognised("near_host", GROUP, "two")
    assert "'far-one' registers 'two' under the group 'near_host.backends2'" in min(sentences)
    assert max(sentences) == (
        "Distribution 'near-two' registers 'two' for near_other, which is another host than near_host."
    )
    assert unrecognised("near_host", GROUP, "three") == ()
    assert other.available_backends() == []


def test_a_message_has_room_for_few(folder):  # 2.11
    for number in range(5):
        folder.install(f"near-{number}", [("near_host.backend", "same")])
    assert len(unrecognised("near_host", GROUP, "same")) == 2


def test_the_project_behind_an_editable_install(folder, tmp_path):  # 2.11
    project = tmp_path / "a project"
    project.mkdir()
    folder.install("editable-one", origin={"url": project.as_uri(), "dir_info": {"editable": True}})
    assert unrecognised("near_host", GROUP) == ()  # It has no pyproject.toml,
    for text in ("not [toml", "[project]\nname = 'x'\n", "[project.entry-points.another]\none = 'm'\n"):
        (project / "pyproject.toml").write_text(text)  # or one that says nothing.
        assert unrecognised("near_host", GROUP) == ()
    (project / "pyproject.toml").write_text(f"[project.entry-points.'{GROUP}']\none = 'module'\n")
    (sentence,) = unrecognised("near_host", GROUP)
    assert sentence == (
        "The pyproject.toml of distribution 'editable-one' registers 'one' under 'near_host.backends', but was changed "
        "after it was installed. Install it again, although it is an editable install."
    )
    assert unrecognised("near_host", GROUP, "one") == (sentence,)
    assert unrecognised("near_host", GROUP, "two") == ()


@pytest.mark.parametrize(
    ("origin", "editable"),
    [
        (None, False),
        ("{", False),
        ([], False),
        ({"url": "file:///x"}, False),
        ({"url": "file:///x", "dir_info": {}}, False),
        ({"url": "file:///x", "dir_info": {"editable": False}}, False),
        ({"url": "file:///x", "dir_info": {"editable": True}}, True),
    ],
)
def test_what_is_editable(folder, origin, editable):  # 2.8
    folder.install("some-pkg", origin=origin)
    assert is_editable("Some_Pkg") is editable
    assert not is_editable("another-pkg")


def test_the_users_own_folder_that_python_did_not_find_when_it_started(folder, tmp_path, monkeypatch):  # 2.8
    own = Folder(tmp_path / "own")
    own.install("own-one", [(GROUP, "one")])
    own.install("own-two", [("another", "two")])
    monkeypatch.setattr(site, "getusersitepackages", lambda: str(own.path))
    monkeypatch.setattr(site, "ENABLE_USER_SITE", True)
    sentence = f"Distribution 'own-one' is in {own.path}, which this process does not search: restart Python."
    for names in ((), ("one",), ("own-one",)):
        assert unrecognised("near_host", GROUP, *names) == (sentence,)
    assert unrecognised("near_host", GROUP, "two") == unrecognised("near_host", GROUP, "own-two") == ()
    # The name of a trusted package may stand in the message, but no advice to install what is installed.
    trusted = {"one": {"package": "own-one"}}
    dispatcher = BackendDispatcher(entrypoint_group=GROUP, host_name="near_host", trusted_backends=trusted)
    with pytest.raises(BackendNotInstalledError) as caught:
        dispatcher.settings.backend = "one"
    assert str(caught.value) == f"Backend 'one' is known to near_host but not installed. {sentence}"
    monkeypatch.setattr(site, "ENABLE_USER_SITE", False)
    assert unrecognised("near_host", GROUP, "one") == ()
    monkeypatch.setattr(site, "ENABLE_USER_SITE", True)
    monkeypatch.setattr(sys, "path", [*sys.path, str(own.path)])
    assert unrecognised("near_host", GROUP, "one") == ()


def test_metadata_that_cannot_be_listed_at_all(monkeypatch):  # 2.6
    def fails(**_):
        raise OSError("gone")

    monkeypatch.setattr(importlib.metadata, "distributions", fails)
    assert list(all_distributions()) == []
    assert unrecognised("near_host", GROUP, "one") == ()
    assert installed_version("pip") is None


# -- what changes ------------------------------------------------------------------------------------------------------


def test_the_state_of_what_is_installed(folder, monkeypatch):  # 1.9
    installed = Installed()
    state = installed.state()

    def changed():
        nonlocal state
        before, state = state, installed.state()
        assert installed.state() == state
        return state != before

    assert not changed()
    # What a program writes beside its modules is not installed.
    (folder.path / "results.csv").write_text("")
    (folder.path / "__pycache__").mkdir()
    assert not changed()
    information = folder.install("one")
    assert changed()
    # The same version once more, as pip installs it: the folder is made anew.
    information.rename(folder.path / "waiting")
    assert changed()
    (folder.path / "waiting").rename(information)
    assert changed()
    os.utime(information, ns=(1, 1))
    os.utime(folder.path, ns=(2, 2))
    assert changed()
    monkeypatch.setattr(sys, "path", [*sys.path, str(folder.path / "new")])
    assert changed()
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda **_: ())
    assert changed()


def test_a_path_that_is_no_folder_is_part_of_the_state(tmp_path, monkeypatch):  # 1.9
    archive = tmp_path / "archive.zip"
    archive.write_bytes(b"")
    os.utime(archive, ns=(1, 1))
    monkeypatch.setattr(sys, "path", ["", str(archive), str(tmp_path / "absent"), 3, "\0", *sys.path])
    installed = Installed()
    before = installed.state()
    assert installed.state() == before
    os.utime(archive, ns=(2, 2))
    assert installed.state() != before
