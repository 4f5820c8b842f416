"""A host as messy as the real ones, and a backend for it, as distributions that are really installed.

Each test is a row of what real hosts do. The programs run in fresh processes, warnings being errors there.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from textwrap import dedent

import pytest

import scverse_backends

HOSTS = Path(__file__).parent / "hosts"

PRELUDE = """
import inspect, io, json, pydoc, sys, warnings
from importlib import metadata
import messy_host as mh

def report(value):
    print(json.dumps(value))

def message(function, *args, **kwargs):
    try:
        return ["nothing", repr(function(*args, **kwargs))]
    except Exception as error:
        return [type(error).__name__, str(error)]
"""


def install(source, site, *, distribution=None):
    """Put a package where a wheel of it would be unpacked, under another distribution's name if one is given."""
    project = tomllib.loads((source / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for package in (source / "src").iterdir():
        shutil.copytree(package, site / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    name = distribution or project["name"]
    information = site / f"{name.replace('-', '_')}-{project['version']}.dist-info"
    information.mkdir()
    information.joinpath("METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {project['version']}\n", encoding="utf-8"
    )
    lines = [
        line
        for group, points in project.get("entry-points", {}).items()
        for line in [f"[{group}]", *[f"{point} = {value}" for point, value in points.items()]]
    ]
    information.joinpath("entry_points.txt").write_text("\n".join([*lines, ""]), encoding="utf-8")


class Site:
    """A directory with the host and what else is installed, and processes that have it on their path."""

    def __init__(self, path):
        self.path = path
        install(HOSTS / "messy_host", path)

    def backend(self, distribution=None):
        install(HOSTS / "messy_backend", self.path, distribution=distribution)
        return self

    def run(self, program, *, flags=("-W", "error")):
        variables = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        path = os.pathsep.join([str(self.path), str(Path(scverse_backends.__file__).parents[1])])
        finished = subprocess.run(
            [sys.executable, *flags, "-c", PRELUDE + dedent(program)],
            check=False,
            capture_output=True,
            text=True,
            env={**variables, "PYTHONPATH": path},
            cwd=self.path,
        )
        assert finished.returncode == 0, finished.stderr
        return json.loads(finished.stdout)


@pytest.fixture
def bare(tmp_path):
    """The host alone."""
    return Site(tmp_path)


@pytest.fixture
def site(bare):
    """The host and its backend."""
    return bare.backend()


# -- docstring templates in decorators outside ours --------------------------------------------------------------------


@pytest.mark.parametrize(
    "load", ["mh.dispatcher.discover()", "mh.moran(0, backend='mine'), mh.umap(0, backend='mine')"]
)
def test_templates_are_filled_and_options_are_spliced_into_the_filled_text(site, load):  # 5.6
    moran, umap, raw = site.run(
        f"""
        {load}
        mh.dispatcher.discover()
        report([pydoc.plain(pydoc.render_doc(f)) for f in (mh.moran, mh.umap)] + [mh.moran.__wrapped__.__doc__])
        """
    )
    assert "The annotated data matrix, 100 % of it." in moran
    assert "%(adata)s" not in moran
    assert "batch_size (my-backend) : int" in moran
    assert "{as many} as fit into 90 % of the memory" in moran
    assert "%(adata)s" in raw  # the template is the inner function's own and stays with it
    assert "The random numbers, a seed say." in umap
    assert "Holds 'spatial_moran'." in umap
    assert "{" not in umap
    assert "batch_size (my-backend) : int" in umap
    for text in (moran, umap):
        assert text.count("batch_size (my-backend)") == 1
        assert text.count("backend : str") == 1


def test_the_public_signature_shows_the_options(site):  # 5.6
    assert site.run(
        """
        mh.dispatcher.discover()
        report([list(inspect.signature(f).parameters) for f in (mh.moran, mh.umap)])
        """
    ) == [["adata", "n_perms", "batch_size", "backend"], ["adata", "rng", "batch_size", "backend"]]


# -- a parameter called backend ----------------------------------------------------------------------------------------


def test_a_parameter_called_backend_gets_another_name(site):  # 4.1
    assert site.run(
        """
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            old = mh.ligrec(0, backend="threading")
        report([
            mh.ligrec(0), mh.ligrec(0, parallel_backend="threading"), old,
            [[w.category.__name__, w.filename] for w in caught], "parallel_backend=" in str(caught[0].message),
            mh.ligrec(0, n_jobs=2, parallel_backend="threading", backend="mine"),
            list(inspect.signature(mh.ligrec).parameters),
        ])
        """
    ) == [
        ["host", 1, "loky"],
        ["host", 1, "threading"],
        ["host", 1, "threading"],
        [["FutureWarning", "<string>"]],
        True,
        ["backend", 2, "threading"],
        ["adata", "n_jobs", "parallel_backend", "backend"],
    ]


def test_the_docstring_says_the_new_name_and_keeps_the_rest(site):  # 4.1, 5.2
    text = site.run("report(inspect.getdoc(mh.ligrec))")
    assert "\nparallel_backend\n    The backend of joblib, see :class:`joblib.Parallel`.\nbackend : str" in text


# -- a parameter that was renamed --------------------------------------------------------------------------------------


def test_the_users_seed_arrives_under_either_name(site):  # 4.13
    assert site.run(
        """
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            old = mh.umap(0, random_state=7, backend="mine")
        report([
            mh.umap(0, rng=7), mh.umap(0, rng=7, backend="mine"), old, mh.umap(0, backend="mine"),
            mh.umap(0, rng=None, backend="mine"), [str(w.message) for w in caught],
        ])
        """
    ) == [
        ["host", 7],
        ["backend", 7],
        ["backend", 7],
        ["backend", 0],  # nothing was given, so no warning speaks of an argument and the backend's default holds
        ["backend", 0],
        ["random_state is called rng now."],
    ]


# -- trust by a name that differs in spelling --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["my-backend", "my_backend", "mine"])
def test_a_package_that_calls_itself_by_its_alias_is_the_trusted_one(site, name):  # 3.2
    assert site.run(
        f"""
        answer = mh.score_genes(0, backend={name!r})
        [info] = mh.dispatcher.backends()
        report([answer, info.name, info.trusted, info.state, mh.settings.available_backends()])
        """
    ) == ["backend", "my-backend", True, "available", ["my-backend"]]


def test_the_other_distribution_of_the_same_backend_is_trusted_too(bare):  # 3
    site = bare.backend("my-backend-cu12")
    assert site.run("report(mh.score_genes(0, backend='mine'))") == "backend"


def test_a_backend_that_is_missing_is_said_to_be_missing(bare):  # 3.3
    kind, text = bare.run("report(message(mh.score_genes, 0, backend='mine'))")
    assert kind == "BackendNotInstalledError"
    assert "pip install my-backend" in text


def test_a_refusal_says_why(bare):  # 3.2, 3.3
    site = bare.backend("somebody-elses")
    kind, text = site.run("report(message(mh.score_genes, 0, backend='mine'))")
    assert kind == "BackendNotInstalledError"
    assert "somebody-elses" in text
    assert "pip install my-backend" in text
    reason = site.run("[info] = [i for i in mh.dispatcher.backends() if i.state == 'refused']; report(info.reason)")
    assert "somebody-elses" in reason
    assert "my-backend" in reason


# -- functions that call each other ------------------------------------------------------------------------------------


def test_what_runs_inside_a_call_sees_the_selection_of_that_call(site):  # 1.10, 4.6
    assert site.run(
        """
        warnings.simplefilter("ignore")
        answers = [mh.score_genes_cell_cycle(0), mh.score_genes_cell_cycle(0, backend="mine")]
        mh.settings.backend = "mine"
        answers += [mh.score_genes_cell_cycle(0), mh.score_genes_cell_cycle(0, backend="cpu"), mh.score_genes(0)]
        report(answers)
        """
    ) == [
        ["host", "host", "host"],
        ["host", "backend", "backend"],
        ["host", "backend", "backend"],
        ["host", "host", "host"],
        "backend",
    ]


# -- singledispatch, attributes, three decorators deep -----------------------------------------------------------------


def test_singledispatch_goes_on_working(site):  # 4.10
    assert site.run(
        """
        @mh.describe.register
        def _(data: list):
            return "user: a list"
        report([
            mh.describe("x"), mh.describe(3), mh.describe([]), mh.describe(3, backend="mine", precision="half"),
            mh.describe("x", backend="mine"),
            mh.describe.dispatch(list)([]), int in mh.describe.registry,
        ])
        """
    ) == [
        "host: anything",
        "host: a number",
        "user: a list",
        ["backend: a number", "half"],
        ["backend: anything", "double"],
        "user: a list",
        True,
    ]


def test_attributes_and_decorators_on_both_sides(site):  # 4.10, 5.6
    assert site.run(
        """
        answers = [mh.leiden(0, 2.0), mh.leiden(0, backend="mine", device="first")]
        mh.dispatcher.discover()
        report([
            answers, mh.leiden._doctest_needs, mh.leiden.calls,
            list(inspect.signature(mh.leiden).parameters), inspect.getdoc(mh.leiden).count("device (my-backend)"),
            mh.leiden.__name__, mh.leiden.__module__, inspect.getsource(mh.leiden).count("def leiden"),
        ])
        """
    ) == [
        [["host", 2.0], ["backend", 1.0, "first"]],
        "igraph",
        2,
        ["adata", "resolution", "device", "backend"],
        1,
        "leiden",
        "messy_host.functions",
        1,
    ]


# -- a heading that is not numpydoc's ----------------------------------------------------------------------------------


def test_params_is_a_heading(site):  # 5.3
    text = site.run("mh.dispatcher.discover(); report(inspect.getdoc(mh.filter_cells))")
    order = [
        "Params\n------",
        "min_counts",
        "backend : str",
        "Returns\n-",
        "Other Parameters\n-",
        "device (my-backend)",
    ]
    places = [text.index(part) for part in order]
    assert places == sorted(places)
    assert "\nParameters\n" not in text


# -- a settings object of the host's own -------------------------------------------------------------------------------


def test_the_hosts_settings_object_forwards(site):  # 1
    assert site.run(
        """
        s = mh.settings
        seen = [s.backend]
        with s.override(backend="mine", verbosity=3) as inside:
            seen += [s.backend, inside.verbosity, mh.score_genes(0)]
            with s.override(verbosity=2):
                seen += [s.backend, s.verbosity]
        seen += [s.backend, s.verbosity]
        s.backend = "mine"
        seen.append(s.backend)
        with s.override(backend="cpu"):
            seen.append(mh.score_genes(0))
        with s.use_backend("cpu"):
            seen.append(s.backend)
        seen.append(mh.score_genes(0))
        del s.backend
        report([*seen, s.backend, message(setattr, s, "backend", "mime")[0]])
        """
    ) == [
        "cpu",
        *["my-backend", 3, "backend"],
        *["my-backend", 2],
        *["cpu", 1],
        "my-backend",
        "host",
        "cpu",
        "backend",
        "cpu",
        "UnknownBackendError",
    ]


def test_leaving_an_override_by_an_error_restores(site):  # 1.4
    assert site.run(
        """
        try:
            with mh.settings.override(backend="mine", verbosity=3):
                raise KeyError
        except KeyError:
            report([mh.settings.backend, mh.settings.verbosity])
        """
    ) == ["cpu", 1]


# -- a list of what is dispatched --------------------------------------------------------------------------------------


def test_functions_are_listed_as_the_module_shows_them(site):  # 7.6
    listed, same = site.run(
        """
        found = mh.dispatcher.functions()
        report([sorted(found), [name for name in found if found[name] is getattr(mh, name)]])
        """
    )
    assert listed == sorted(
        ["describe", "filter_cells", "leiden", "ligrec", "moran", "score_genes", "score_genes_cell_cycle", "umap"]
    )
    assert sorted(same) == listed


# -- tests of the host -------------------------------------------------------------------------------------------------


def test_temporary_backends_need_no_private_registries(site):  # 8.3
    before, during, after = site.run(
        """
        from types import SimpleNamespace
        from scverse_backends.testing import isolated, temporary_backend

        def shown():
            return [
                mh.settings.backend, mh.settings.available_backends(), inspect.getdoc(mh.moran),
                str(inspect.signature(mh.moran)),
            ]

        def moran(adata, *, n_perms=100, tile=8):
            return "fake"

        mh.dispatcher.discover()
        before = shown()
        with temporary_backend(mh.dispatcher, SimpleNamespace(name="fake", moran=moran), distribution="fake"):
            warnings.simplefilter("ignore")
            mh.settings.backend = "fake"
            during = [mh.moran(0), *shown()]
        with isolated(mh.dispatcher):
            mh.settings.backend = "mine"
        report([before, during, shown()])
        """
    )
    assert during[:3] == ["fake", "fake", ["fake", "my-backend"]]
    assert "tile (fake)" in during[3]
    assert "tile" in during[4]
    assert before == after


def test_patching_entry_points_goes_on_working(site):  # 2.1
    assert site.run(
        """
        from unittest import mock
        seen = [mh.settings.available_backends()]
        with mock.patch("importlib.metadata.entry_points", lambda **query: []):
            seen += [message(mh.score_genes, 0, backend="other")[0], mh.settings.available_backends()]
        seen.append(mh.settings.available_backends())
        report(seen)
        """
    ) == [["my-backend"], "UnknownBackendError", [], ["my-backend"]]
