"""The command line on the pair, as the maintainers of the backend run it in their CI."""

from __future__ import annotations

import json

import pytest
from conftest import DISPATCHERS, HOSTS, RAPIDS


@pytest.mark.parametrize("host", HOSTS)
def test_list(host, command):  # 7.5
    code, output = command("list", host, "--json")
    assert code == 0
    assert f'"version": "{RAPIDS}"' in output


@pytest.mark.parametrize("host", HOSTS)
def test_check_finds_no_error(host, command):  # 8.2
    _, output = command("check", host, "cuda", "--json")
    found = json.loads(output)
    assert [one for one in found["problems"] if one["severity"] == "error"] == []
    functions = set(DISPATCHERS[host].functions()) | set(DISPATCHERS[host].get_backend("cuda").__all__)
    assert {one["function"] for one in found["problems"]} - {None} <= functions


def test_explain(command):  # 7.2
    code, output = command("explain", "scanpy", "umap", "--backend", "rapids")
    assert code == 0
    assert "rapids-singlecell" in output


@pytest.fixture
def problems(command):
    """What `check` says of scanpy and the backend, by function and parameter."""
    code, output = command("check", "scanpy", "cuda", "--json")
    assert code == 0  # Nothing is an error.
    found = json.loads(output)["problems"]
    return {(one["function"], one["parameter"]): one for one in found if one["parameter"]}


def test_defaults_that_only_look_different_are_no_warnings(problems):  # 8.2
    assert ("leiden", "resolution") not in problems  # 1 and 1.0.
    unsure = [one for (_, name), one in problems.items() if name in ("key_added", "mask_var")]
    assert {one["severity"] for one in unsure} <= {"note"}  # Each side computes them.


def test_a_rename_is_suggested_only_where_names_resemble_each_other(problems):  # 8.2
    assert "batchsize" not in problems["regress_out", "n_jobs"]["message"]
    assert "verbose" not in problems["regress_out", "copy"]["message"]


def test_what_changes_a_call_is_a_warning(problems):  # 8.2, 4.15
    for place in (("filter_cells", "copy"), ("highly_variable_genes", "subset"), ("regress_out", "copy")):
        assert problems[place]["severity"] == "warning"


def test_exports_that_the_host_does_not_dispatch_are_one_note(command):  # 8.2
    _, output = command("check", "scanpy", "cuda", "--json")
    others = set(DISPATCHERS["scanpy"].get_backend("cuda").__all__) - set(DISPATCHERS["scanpy"].functions())
    about = [one for one in json.loads(output)["problems"] if any(name in str(one) for name in others)]
    assert [one["severity"] for one in about] == ["note"]
