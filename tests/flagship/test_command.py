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
