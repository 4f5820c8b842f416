"""Installed metadata that is broken, doubled, unreadable, or changes while the process runs (2.5, 2.6, 2.8)."""

from __future__ import annotations

import pytest

LISTING = """
import warnings, hosted
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    hosted.dispatcher.discover()
    value = hosted.double(2, backend="good")
report({
    "value": value,
    "names": hosted.dispatcher.available_backend_names(),
    "table": [[i.name, i.state, i.distribution, i.version] for i in hosted.dispatcher.backends()],
    "warnings": [str(one.message) for one in caught],
})
"""

BROKEN = {
    "no-section": "bad = bad_backend\n",
    "no-equals-sign": "[hosted.backends]\nbad bad_backend\n",
    "unclosed-section": "[hosted.backends\nbad = bad_backend\n",
    "undecodable": b"[hosted.backends]\nb\xffd = bad_backend\n",
    "zeros": b"\0" * 4096,
    "empty": "",
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_malformed_entry_points_file_loses_only_that_file(site, fault):  # 2.6
    site.good()
    site.install("bad-distribution", modules={"bad_backend.py": "name = 'bad'"}, entry_points=BROKEN[fault])
    found = site.run(LISTING)
    assert found["value"] == ["good", 4]
    assert found["names"] == ["good"]


def test_what_is_lost_with_a_malformed_file_is_told(site):  # 2.7
    site.good()
    site.install("bad-distribution", entry_points=BROKEN["no-equals-sign"])
    told = [text for text in site.run(LISTING)["warnings"] if "metadata" in text or "entry_points" in text]
    assert any("bad-distribution" in text for text in told)


ANONYMOUS = {
    "no-name": "Metadata-Version: 2.1\nVersion: 1.0\n",
    "no-version": "Metadata-Version: 2.1\nName: bad-distribution\n",
    "neither": "Metadata-Version: 2.1\n",
    "empty": "",
    "undecodable": b"Metadata-Version: 2.1\nName: \xff\xfe\n",
}


@pytest.mark.parametrize("fault", ANONYMOUS)
@pytest.mark.parametrize("broken_neighbour", [False, True])
def test_a_distribution_without_name_or_version_works_and_is_trusted_by_nobody(site, fault, broken_neighbour):  # 2.6
    site.good()
    source = "name = 'bad'\ndef double(x): return ('bad', x)"
    site.install(
        "bad-distribution",
        modules={"bad_backend.py": source},
        entry_points={"bad": "bad_backend"},
        metadata=ANONYMOUS[fault],
    )
    if broken_neighbour:  # the distributions are then read one by one
        site.install("worse-distribution", entry_points=BROKEN["no-equals-sign"])
    found = site.run(LISTING)
    assert found["value"] == ["good", 4]
    assert {(name, state) for name, state, *_ in found["table"]} >= {("good", "available")}
    # Whether the standard library lists a distribution without a name differs between its versions.
    assert all(state == "available" for name, state, *_ in found["table"] if name == "bad")


def test_no_anonymous_distribution_passes_for_a_trusted_one(site):  # 3.2
    site.install(
        "real-backend",
        modules={"real_backend.py": "open('executed', 'w')\nname = 'real'"},
        entry_points={"real": "real_backend"},
        metadata="Metadata-Version: 2.1\nVersion: 1.0\n",
    )
    error = site.run(
        """
        import hosted
        try:
            hosted.double(2, backend="real")
        except ImportError as error:
            report([type(error).__name__, str(error)])
        """
    )
    assert error[0] == "BackendNotInstalledError"
    assert not (site.path.parent / "executed").exists()


def test_unreadable_metadata(site):  # 2.6
    site.good()
    information = site.path / "bad_distribution-1.0.dist-info"
    information.mkdir()
    for name in ("entry_points.txt", "METADATA"):
        (information / name).symlink_to(information / name)  # Opening it fails, also for root.
    found = site.run(LISTING)
    assert found["value"] == ["good", 4]


def test_metadata_without_any_file(site):  # 2.6
    site.good()
    (site.path / "empty_distribution-1.0.dist-info").mkdir()
    (site.path / "no_directory-1.0.dist-info").write_text("a file")
    assert site.run(LISTING)["value"] == ["good", 4]


def test_the_same_distribution_twice_on_the_path_is_no_conflict(site, tmp_path, adapter_source):  # 2.5
    site.good()
    site.good(name="other")
    second = tmp_path / "second"
    site.install(
        "good-distribution",
        version="0.9",
        modules={"good_backend.py": adapter_source("good")},
        entry_points={"good": "good_backend"},
        into=second,
    )
    # The same metadata twice in one directory, as an interrupted upgrade leaves it.
    site.install("good-distribution", version="1.1", entry_points={"good": "good_backend"})
    for broken in (False, True):
        if broken:
            site.install("worse-distribution", entry_points=BROKEN["no-equals-sign"])
        found = site.run(LISTING, path=[second])
        assert found["value"] == ["good", 4]
        assert [name for name, state, *_ in found["table"] if state != "not installed"] == ["good", "other"]
        assert not any("claim" in text for text in found["warnings"])


ODD_NAMES = {
    "of the host": "cpu",
    "in capitals": "CPU",
    "reserved": "gpu",
    "white space": "two words",
    "not ascii": "gro\u00df",
    "brackets": "a[b]",
}


@pytest.mark.parametrize("kind", ODD_NAMES)
def test_an_entry_points_name_can_be_anything(site, kind):  # 2.4, 2.6
    site.good()
    site.install(
        "bad-distribution",
        modules={"bad_backend.py": "name = 'fine'\ndef double(x): return ('fine', x)"},
        entry_points={ODD_NAMES[kind]: "bad_backend"},
    )
    found = site.run(LISTING)
    assert found["value"] == ["good", 4]
    assert "good" in found["names"]
    assert ODD_NAMES[kind] not in found["names"]


# -- while the process runs --------------------------------------------------------------------------------------------


def test_what_is_installed_while_the_process_runs_can_be_selected_at_once(site, adapter_source):  # 2.8
    site.good()
    files = site.files(
        "late-distribution", "1.0", {"late_backend.py": adapter_source("late")}, {"late": "late_backend"}, None
    )
    found = site.run(
        f"""
        import pathlib, warnings
        import hosted
        warnings.simplefilter("ignore")
        hosted.dispatcher.discover()
        try:
            hosted.double(2, backend="late")
        except ValueError as error:
            before = str(error)
        for name, text in {files!r}.items():
            target = pathlib.Path({str(site.path)!r}) / name
            target.parent.mkdir(exist_ok=True)
            target.write_text(text)
        report([before, hosted.double(2, backend="late"), hosted.double(2, backend="good")])
        """
    )
    assert "Unknown backend 'late'" in found[0]
    assert found[1:] == [["late", 4], ["good", 4]]


def test_a_missing_trusted_backend_is_found_once_it_is_installed(site, adapter_source):  # 2.8, 3.3
    files = site.files(
        "real-backend", "1.0", {"real_backend.py": adapter_source("real")}, {"real": "real_backend"}, None
    )
    found = site.run(
        f"""
        import pathlib
        import hosted
        try:
            hosted.settings.backend = "genuine"
        except ImportError as error:
            before = str(error)
        for name, text in {files!r}.items():
            target = pathlib.Path({str(site.path)!r}) / name
            target.parent.mkdir(exist_ok=True)
            target.write_text(text)
        hosted.settings.backend = "genuine"
        report([before, hosted.settings.backend, hosted.double(2)])
        """,
        flags=["-W", "error"],  # nothing is untrusted here
    )
    assert "pip install real-backend" in found[0]
    assert found[1:] == ["real", ["real", 4]]


UPGRADE = """
import importlib, pathlib, shutil, sys, warnings
import hosted
warnings.simplefilter("ignore")
root = pathlib.Path(sys.argv[1])
first = hosted.double(2, backend="good")
shutil.rmtree(root / "good_distribution-1.0.dist-info")
(root / "good_backend.py").unlink()
"""


def test_what_is_removed_while_the_process_runs_keeps_working_until_it_ends(site):  # 2.8
    site.good()
    found = site.run(
        UPGRADE
        + """
second = hosted.double(2, backend="good")  # loaded is loaded
try:
    hosted.double(2, backend="nonsense")  # reads the metadata again
except ValueError:
    pass
cpu = hosted.double(2, backend="cpu")
try:
    third = hosted.double(2, backend="good")
except Exception as error:
    third = type(error).__name__
report([first, second, cpu, third])
""",
        site.path,
    )
    assert found[:3] == [["good", 4], ["good", 4], ["cpu", 4]]
    # Once the listing shows that it is gone, it either still runs or is unknown: never another failure.
    assert found[3] in (["good", 4], "UnknownBackendError")


def test_an_upgrade_that_repairs_a_backend_works_without_a_restart(site, adapter_source):  # 2.8
    site.good()
    site.install(
        "bad-distribution",
        modules={"bad_backend.py": "raise RuntimeError('version 1')"},
        entry_points={"bad": "bad_backend"},
    )
    files = site.files(
        "bad-distribution", "2.0", {"bad_backend.py": adapter_source("bad")}, {"bad": "bad_backend"}, None
    )
    found = site.run(
        f"""
        import pathlib, shutil, sys, warnings
        import hosted
        warnings.simplefilter("ignore")
        root = pathlib.Path({str(site.path)!r})
        hosted.dispatcher.discover()
        try:
            hosted.double(2, backend="bad")
        except ImportError as error:
            before = str(error)
        shutil.rmtree(root / "bad_distribution-1.0.dist-info")
        for name, text in {files!r}.items():
            target = root / name
            target.parent.mkdir(exist_ok=True)
            target.write_text(text)
        after = hosted.double(2, backend="bad")
        hosted.dispatcher.discover()
        report([before, after, [[i.name, i.state] for i in hosted.dispatcher.backends()]])
        """
    )
    assert "version 1" in found[0]
    assert found[1] == ["bad", 4]
    assert ["bad", "available"] in found[2]


def test_a_removed_backend_that_was_never_loaded_fails_alone(site):  # 2.6, 2.8
    site.good()
    site.good(name="gone")
    found = site.run(
        """
        import pathlib, shutil, sys, warnings
        import hosted
        warnings.simplefilter("ignore")
        hosted.double(2, backend="good")  # lists both
        root = pathlib.Path(sys.argv[1])
        shutil.rmtree(root / "gone_distribution-1.0.dist-info")
        (root / "gone_backend.py").unlink()
        try:
            hosted.double(2, backend="gone")
        except Exception as error:
            gone = type(error).__name__
        report([gone, hosted.double(2, backend="good")])
        """,
        site.path,
    )
    assert found[0] in ("BackendLoadError", "UnknownBackendError")
    assert found[1] == ["good", 4]


# -- two products of one name ------------------------------------------------------------------------------------------

RIVALS = """
import os, sys, warnings, hosted
sys.path.append(os.environ["SECOND"])
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    first = {first}
    conflicts = [str(one.message) for one in caught if one.category.__name__ == "BackendConflictWarning"]
    hosted.dispatcher.discover()
    later = [str(one.message) for one in caught if one.category.__name__ == "BackendConflictWarning"]
report({{
    "first": first,
    "conflicts": conflicts,
    "later": later,
    "table": [[i.name, i.distribution, i.state] for i in hosted.dispatcher.backends() if i.state != "not installed"],
}})
"""


def rival(site, name, folder, adapter_source, *, point="fast", adapter="fast", entry_point=None):
    module = f"{name.replace('-', '_').replace('.', '_').lower()}_module"
    body = f"def triple(x): return ({name!r}, x)"
    site.install(
        name,
        modules={f"{module}.py": adapter_source(adapter, body=body)},
        entry_points={point: entry_point or module},
        into=folder,
    )


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("how", ["alone", "in an order", "selected", "listed"])
def test_neither_folders_nor_listings_decide_between_two_products(site, tmp_path, adapter_source, swapped, how):  # 2.5
    second = tmp_path / "second"
    # By PEP 503, "B.fast" is "b-fast", and that sorts behind "a-fast".
    for name, folder in (("a-fast", second if swapped else site.path), ("B.fast", site.path if swapped else second)):
        rival(site, name, folder, adapter_source)
    first = {
        "alone": "hosted.triple(1, backend='fast')",
        "in an order": "hosted.triple(1, backend=['fast', 'cpu'])",
        "selected": "[setattr(hosted.settings, 'backend', 'fast'), hosted.triple(1)][1]",
        "listed": "[hosted.settings.available_backends(), hosted.triple(1, backend='fast')][1]",
    }[how]
    found = site.run(RIVALS.format(first=first), environment={"SECOND": str(second)})
    conflict = (
        "Both entry point 'fast' of distribution 'a-fast' and entry point 'fast' of distribution 'B.fast' claim the "
        "backend name 'fast'. The former answers to it; uninstall the one that you do not need."
    )
    assert found["first"] == ["a-fast", 1]
    # Told when the name is used, although only one of the two was imported then, and once.
    assert found["conflicts"] == found["later"] == [conflict]
    assert site.imported() == ["fast", "fast"]
    assert found["table"] == [["fast", "B.fast", "refused"], ["fast", "a-fast", "available"]]


def test_a_name_that_is_not_used_is_not_told_of_before_all_is_listed(site, tmp_path, adapter_source):  # 2.5
    site.good()
    for name in ("a-fast", "b-fast"):
        rival(site, name, site.path, adapter_source)
    found = site.run(RIVALS.format(first="hosted.double(2, backend='good')"), environment={"SECOND": str(tmp_path)})
    assert (found["first"], found["conflicts"], len(found["later"])) == (["good", 4], [], 1)


@pytest.mark.parametrize("swapped", [False, True])
def test_what_only_loading_tells_is_decided_by_the_same_order(site, tmp_path, adapter_source, swapped):  # 2.5
    second = tmp_path / "second"
    folders = [site.path, second][:: -1 if swapped else 1]
    # Of one canonical name behind other entry points, and of one alias.
    rival(site, "a-product", folders[0], adapter_source, point="one", adapter="same")
    rival(site, "b-product", folders[1], adapter_source, point="two", adapter="same")
    source = "name = {!r}\naliases = ['quick']\ndef triple(x): return (name, x)\n"
    for name, folder in (("c-product", folders[1]), ("d-product", folders[0])):
        module = name.replace("-", "_")
        site.install(name, modules={f"{module}.py": source.format(name)}, entry_points={name: module}, into=folder)
    first = "[hosted.triple(1, backend='same'), hosted.triple(1, backend='quick')]"
    found = site.run(RIVALS.format(first=first), environment={"SECOND": str(second)})
    assert found["first"] == [["a-product", 1], ["c-product", 1]]
    assert len(found["conflicts"]) == 2


@pytest.mark.parametrize("measure", ["hosted.triple(1, backend='fast')", "hosted.triple(1, backend=['fast', 'cpu'])"])
def test_one_adapter_reached_twice_is_no_conflict(site, tmp_path, adapter_source, measure):  # 2.5
    rival(site, "a-fast", site.path, adapter_source)
    # A second distribution that points to the same module, as a metapackage does, and the same metadata once more.
    site.install("b-fast", entry_points={"fast": "a_fast_module"})
    second = tmp_path / "second"
    site.install("a-fast", version="0.9", entry_points={"fast": "a_fast_module"}, into=second)
    found = site.run(RIVALS.format(first=measure), environment={"SECOND": str(second)})
    assert (found["first"], found["later"]) == (["a-fast", 1], [])
    assert site.imported() == ["fast"]


def test_the_first_of_two_that_fails_holds_the_name(site, tmp_path, adapter_source):  # 2.5
    site.install("a-fast", modules={"broken_module.py": "import nowhere"}, entry_points={"fast": "broken_module"})
    rival(site, "b-fast", site.path, adapter_source)
    first = """None
    try:
        hosted.triple(1, backend="fast")
    except Exception as error:
        first = str(error)
    """
    found = site.run(RIVALS.format(first=first), environment={"SECOND": str(tmp_path)})
    assert "entry point 'fast' of distribution 'a-fast'" in found["first"]
    assert len(found["conflicts"]) == 1
    assert "holds it, although it cannot be loaded" in found["conflicts"][0]
    assert site.imported() == ["fast"]  # By discover().


def test_two_verified_products_of_one_trusted_name(site, tmp_path, adapter_source):  # 2.5, 3.2
    site.install(
        "host-of-two",
        modules={
            "host_of_two.py": """
                from scverse_backends import BackendDispatcher
                dispatcher = BackendDispatcher(
                    entrypoint_group="hosted.backends", host_name="host_of_two",
                    trusted_backends={"fast": {"distributions": ["a-fast", "b-fast"], "aliases": ["quick"]}},
                )
                settings = dispatcher.settings
                @dispatcher.backend_dispatch
                def triple(x): return ("cpu", x)
                """
        },
    )
    second = tmp_path / "second"
    rival(site, "b-fast", site.path, adapter_source)
    rival(site, "a-fast", second, adapter_source)
    rival(site, "c-fast", site.path, adapter_source)  # An impostor.
    program = RIVALS.replace("hosted", "host_of_two").format(first="host_of_two.triple(1, backend='quick')")
    found = site.run(program, environment={"SECOND": str(second)})
    assert found["first"] == ["a-fast", 1]
    assert len(found["conflicts"]) == 1
    assert (
        "'a-fast' and entry point 'fast' of distribution 'b-fast' claim the backend name 'fast'"
        in found["conflicts"][0]
    )
    assert site.imported() == ["fast", "fast"]
