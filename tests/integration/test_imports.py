"""What is imported when: fresh processes, in which each adapter leaves a line on a record of imports."""

from __future__ import annotations

import subprocess
import sys

import pytest

import scverse_backends

HEAVY = ["inspect", "typing", "logging", "re", "importlib.metadata", "dataclasses", "asyncio"]

# What site-packages imports at start-up is no concern of ours, so these processes start without it.
BARE = ["-S"]


def test_importing_the_library_loads_no_heavy_module(site):  # section 10
    found = site.run("import sys, scverse_backends; report(sorted(sys.modules))", flags=BARE)
    assert not set(HEAVY) & set(found)


def test_importing_and_calling_a_host_lists_nothing(site):  # 2.1
    site.good()
    found = site.run(
        """
        import sys, hosted
        values = [hosted.double(2), hosted.double(2, backend="cpu"), hosted.triple(x=2)]
        hosted.settings.backend = "cpu"
        with hosted.settings.use_backend("cpu"):
            values.append(hosted.double(2))
        hosted.double.__doc__, repr(hosted.settings), hosted.settings.backend
        report([values, sorted(sys.modules)])
        """,
        flags=[*BARE, "-W", "error"],
    )
    assert found[0] == [["cpu", 4], ["cpu", 4], ["cpu", 6], ["cpu", 4]]
    assert not {"importlib.metadata", "good_backend"} & set(found[1])
    assert site.imported() == []


def test_a_listing_where_no_backend_is_installed_loads_nothing_that_a_call_needs(site):  # section 10
    found = site.run("import sys, hosted\nhosted.dispatcher.discover()\nreport(sorted(sys.modules))")
    assert "scverse_backends._discovery.registry" in found
    assert not [name for name in found if name.endswith(("_calls.merge", "_calls.decide", "_signatures.accepted"))]


def test_what_is_loaded_late_is_there_by_its_name(site):  # section 9
    loaded = site.run(
        """
        import sys, scverse_backends
        before = [name for name in sys.modules if name.startswith("scverse_backends") and "exceptions" in name]
        caught = scverse_backends.exceptions.BackendError
        report([before, caught.__module__, repr(scverse_backends.OMITTED)])
        """
    )
    assert loaded == [[], "scverse_backends.exceptions", "OMITTED"]


def test_a_misspelt_name_of_the_package():
    with pytest.raises(AttributeError, match="module 'scverse_backends' has no attribute 'OMITED'"):
        scverse_backends.OMITED  # noqa: B018 - the look is what is tested.


SELECTIONS = {
    "by argument": "hosted.double(2, backend='good')",
    "by scope": "with hosted.settings.use_backend('good'): hosted.double(2)",
    "by assignment": "hosted.settings.backend = 'good'; hosted.double(2)",
    "by order": "hosted.double(2, backend=['good', 'other'])",
    "by get_backend": "hosted.dispatcher.get_backend('good')",
    "by bind": "hosted.settings.backend = 'good'; hosted.settings.bind(hosted.double)(2)",
}


@pytest.mark.parametrize("way", SELECTIONS)
def test_a_selection_imports_one_adapter_and_no_other(site, way):  # 2.3
    for name in ("good", "other", "third"):
        site.good(name=name, aliases=(f"{name}-alias",))
    site.run(f"import hosted, warnings\nwarnings.simplefilter('ignore')\n{SELECTIONS[way]}")
    assert site.imported() == ["good"]


def test_the_environment_selects_one_adapter_when_it_is_needed(site):  # 1.5, 2.3
    site.good()
    site.good(name="other")
    program = "import hosted, warnings\nwarnings.simplefilter('ignore')\n"
    site.run(program, environment={"HOSTED_BACKEND": "good"})
    assert site.imported() == []
    value = site.run(program + "report(hosted.double(2))", environment={"HOSTED_BACKEND": "good"})
    assert value == ["good", 4]
    assert site.imported() == ["good"]


@pytest.mark.parametrize("name", ["real", "genuine"])
def test_a_trusted_backend_is_imported_alone_by_name_and_alias(site, name, adapter_source):  # 2.3
    site.good()
    site.install(
        "real-backend", modules={"real_backend.py": adapter_source("real")}, entry_points={"real": "real_backend"}
    )
    value = site.run(f"import hosted; report(hosted.double(2, backend={name!r}))", flags=["-W", "error"])
    assert value == ["real", 4]
    assert site.imported() == ["real"]


def test_an_alias_of_somebody_untrusted_is_found_by_loading(site):  # 2.3, 2.5
    site.good(aliases=("swift",))
    site.good(name="other")
    program = "import hosted, warnings\nwarnings.simplefilter('ignore')\n"
    assert site.run(program + "report(hosted.double(2, backend='swift'))") == ["good", 4]
    assert sorted(site.imported()) == ["good", "other"]


def test_everything_is_imported_once_where_everything_is_asked_for(site):  # 2.3, 2.9
    for name in ("good", "other", "third"):
        site.good(name=name)
    site.run(
        """
        import hosted, warnings
        warnings.simplefilter("ignore")
        for _ in range(3):
            hosted.dispatcher.discover()
            hosted.dispatcher.available_backend_names()
            hosted.settings.available_backends()
            hosted.dispatcher.backends()
        """
    )
    assert sorted(site.imported()) == ["good", "other", "third"]


LAZY = """
import sys
name = "lazy"
__all__ = ["double", "triple"]

def __getattr__(attribute):
    if attribute in __all__:
        import lazy_implementation
        return getattr(lazy_implementation, attribute)
    raise AttributeError(f"no {attribute}", name=attribute)
"""


def test_selecting_touches_nothing_that_is_provided_lazily(site):  # 2.3, 5.7
    site.install(
        "lazy-distribution",
        modules={
            "lazy_backend.py": LAZY,
            "lazy_implementation.py": "def double(x, *, lazily=1): return ('lazy', x)\n"
            "def triple(x): return ('lazy', x)",
        },
        entry_points={"lazy": "lazy_backend"},
    )
    found = site.run(
        """
        import inspect, sys, warnings
        import hosted
        warnings.simplefilter("ignore")
        seen = []
        def look():
            seen.append(["lazy_implementation" in sys.modules, "lazily" in inspect.signature(hosted.double).parameters])
        hosted.settings.backend = "lazy"
        hosted.dispatcher.available_backend_names()
        hosted.dispatcher.backends()
        look()
        hosted.double(2)
        look()
        report(seen)
        """
    )
    assert found == [[False, False], [True, True]]


def test_discovery_merges_what_is_provided_lazily(site):  # 5.7
    site.install(
        "lazy-distribution",
        modules={
            "lazy_backend.py": LAZY,
            "lazy_implementation.py": "def double(x, *, lazily=1): return ('lazy', x)",
        },
        entry_points={"lazy": "lazy_backend"},
    )
    found = site.run(
        """
        import inspect, warnings
        import hosted
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            hosted.dispatcher.discover()
        report([str(inspect.signature(hosted.double)), [str(one.message) for one in caught]])
        """
    )
    assert "lazily=1" in found[0]
    # An AttributeError of that very name means "not implemented", also behind a lazy import (4.7).
    assert not any("'triple'" in text for text in found[1])


@pytest.mark.parametrize("flags", [["-W", "error"], ["-X", "dev", "-W", "error"], ["-O"], ["-OO"]])
def test_clean_under_strict_interpreters(site, flags):  # issue: -W error, PYTHONDEVMODE=1
    site.install(
        "real-backend",
        modules={"real_backend.py": "name = 'real'\ndef double(x): return ('real', x)"},
        entry_points={"real": "real_backend"},
    )
    value = site.run(
        """
        import hosted
        hosted.dispatcher.discover()
        with hosted.settings.use_backend("real"), hosted.settings.trace() as calls:
            values = [hosted.double(2), hosted.double(2, backend="cpu"), hosted.triple(1)]
        repr(hosted.dispatcher.backends()), str(hosted.settings.explain(hosted.double)), repr(calls)
        report(values)
        """,
        flags=flags,
    )
    assert value == [["real", 2], ["cpu", 4], ["cpu", 3]]
    assert site.errors == ""


def test_importtime_shows_no_heavy_module(site):  # issue: -X importtime
    site.run("import scverse_backends", flags=[*BARE, "-X", "importtime"])
    imported = {line.rpartition("|")[2].strip() for line in site.errors.splitlines()}
    assert "scverse_backends" in imported
    assert not set(HEAVY) & imported


# -- real wheels -------------------------------------------------------------------------------------------------------


def test_wheels_installed_with_pip(site, tmp_path, adapter_source):  # 2.1, 3.2
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    built = [
        site.wheel(
            wheels,
            "real-backend",
            version="2.5",
            modules={"real_backend.py": adapter_source("real")},
            entry_points={"real": "real_backend"},
        ),
        site.wheel(
            wheels,
            "other-distribution",
            modules={"other_backend.py": adapter_source("other")},
            entry_points={"other": "other_backend"},
        ),
    ]
    target = tmp_path / "installed"
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--no-index",
            "--no-compile",
            "--disable-pip-version-check",
            "--target",
            target,
            *built,
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )
    found = site.run(
        """
        import hosted, warnings
        warnings.simplefilter("ignore")
        value = hosted.double(2, backend="real")
        table = hosted.dispatcher.backends()
        report([value, [[i.name, i.distribution, i.version, i.entry_point, i.trusted] for i in table]])
        """,
        path=[target],
    )
    assert found == [
        ["real", 4],
        [
            ["other", "other-distribution", "1.0", "other = other_backend", False],
            ["real", "real-backend", "2.5", "real = real_backend", True],
        ],
    ]
    assert site.imported() == ["real", "other"]


def test_a_wheel_on_the_path_needs_no_unpacking(site, tmp_path, adapter_source):  # 2.1: zip archives list as well
    wheel = site.wheel(
        tmp_path,
        "real-backend",
        modules={"real_backend.py": adapter_source("real")},
        entry_points={"real": "real_backend"},
    )
    assert site.run("import hosted; report(hosted.double(2, backend='real'))", path=[wheel]) == ["real", 4]
