"""Two hosts in one process, with one backend package between them."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import another_host as ah
import another_host.testing
import example_host as eh
import example_host.testing
import numpy as np
import pytest

from scverse_backends.testing import check_backend

COUNTS = np.random.default_rng(0).poisson(4, size=(300, 12)) * 1.0
HOSTS = [eh, ah]


def pipeline():
    """Use both hosts, and say what each one ran, and with which options."""
    with eh.settings.trace() as first, ah.settings.trace() as second:
        score = eh.compute_score(ah.normalize(COUNTS), [0, 1])
    return first[0].executed, second[0].executed, float(score.sum()), eh.settings.options, ah.settings.options


def run(code, **variables):
    environment = {key: value for key, value in os.environ.items() if not key.endswith("_BACKEND")} | variables
    command = [sys.executable, "-W", "ignore::UserWarning", "-c", code]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.parametrize("host", [example_host, another_host])
@pytest.mark.parametrize("name", ["example_shared", "shared"])
def test_the_checks_of_each_host(host, name) -> None:
    expected = {"compute_score"} if host is example_host else {"normalize", "predict"}
    results = host.testing.run_feedback(name, require_dispatch=True)
    assert {function for function, result in results.items() if result == "PASSED"} == expected


@pytest.mark.parametrize("host", HOSTS)
def test_contract(host) -> None:
    dispatcher = {eh: example_host, ah: another_host}[host].testing.dispatcher
    report = check_backend(dispatcher, "example_shared")
    report.require()
    assert {problem.severity for problem in report} <= {"note", "warning"}


def test_each_host_has_its_own_selection() -> None:
    assert [host.settings.available_backends().count("example_shared") for host in HOSTS] == [1, 1]
    eh.settings.backend = "shared"
    try:
        assert (eh.settings.backend, ah.settings.backend) == ("example_shared", "cpu")
        assert pipeline()[:2] == ("example_shared", "cpu")
        with ah.settings.use_backend("shared"), eh.settings.use_backend("cpu"):
            assert pipeline()[:2] == ("cpu", "example_shared")
    finally:
        del eh.settings.backend
    assert pipeline()[:2] == ("cpu", "cpu")
    assert eh.settings.get_backend("shared") is not ah.settings.get_backend("shared")


def test_each_host_has_its_own_options_and_traces() -> None:
    with (
        eh.settings.use_backend("shared"),
        ah.settings.use_backend("shared", options={"block_size": 7}),
        eh.settings.trace() as first,
        ah.settings.trace() as second,
    ):
        eh.compute_score(ah.normalize(COUNTS), [0, 1])
        assert (eh.settings.options, ah.settings.options) == ({}, {"example_shared": {"block_size": 7}})
    assert [call.function for call in first] == ["compute_score"]
    assert [call.function for call in second] == ["normalize"]


@pytest.mark.parametrize("variables", [{}, {"EXAMPLE_HOST_BACKEND": "shared"}, {"ANOTHER_HOST_BACKEND": "shared"}])
def test_each_host_has_its_own_environment_variable(variables) -> None:
    code = "import json, example_host as one, another_host as two; settings = one.settings, two.settings\n"
    hosts = run(code + "print(json.dumps([each.backend for each in settings]))", **variables)
    names = ("EXAMPLE_HOST_BACKEND", "ANOTHER_HOST_BACKEND")
    assert hosts == ["example_shared" if name in variables else "cpu" for name in names]


def test_each_host_trusts_whom_it_trusts() -> None:
    code = """
import json, warnings, example_host as eh, another_host as ah
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    eh.settings.backend = ah.settings.backend = "shared"
print(json.dumps([[type(warning.message).__name__, str(warning.message)] for warning in caught]))
"""
    ((category, message),) = run(code)
    assert category == "UntrustedBackendWarning"
    assert "is not trusted by example_host" in message


@pytest.mark.parametrize(("host", "other"), [("example_host", "another_host"), ("another_host", "example_host")])
def test_either_host_alone_is_enough(host, other) -> None:
    # The other host is not installed, as far as this process knows.
    code = f"""
import json, sys
sys.modules[{other!r}] = None
import {host} as host
host.settings.backend = "shared"
function = getattr(host, "normalize", None) or host.compute_score
function([[1.0, 2.0]])
print(json.dumps(sorted(name for name in sys.modules if name.startswith("example_shared."))))
"""
    assert run(code) == sorted(
        [
            "example_shared._backends",
            f"example_shared._backends.{host}",
            f"example_shared.{host}_impl",
            "example_shared.blocks",
        ]
    )


def test_both_selections_go_along_when_bound_twice() -> None:
    with eh.settings.use_backend("shared"), ah.settings.use_backend("shared", options={"block_size": 7}):
        both, one = eh.settings.bind(ah.settings.bind(pipeline)), ah.settings.bind(pipeline)
    total = pipeline()[2]
    spawn = multiprocessing.get_context("spawn")
    with ThreadPoolExecutor(1) as threads, ProcessPoolExecutor(1, mp_context=spawn) as processes:
        for pool in (threads, processes):
            executed = pool.submit(both).result(timeout=60)
            assert executed[:2] == ("example_shared", "example_shared")
            assert executed[2] == pytest.approx(total)
            assert executed[3:] == ({}, {"example_shared": {"block_size": 7}})
            assert pool.submit(one).result(timeout=60)[:2] == ("cpu", "example_shared")


def test_what_one_host_lacks_is_no_matter_of_the_other() -> None:
    with pytest.raises(ValueError, match="Unknown backend 'dusk' for another_host"):
        ah.settings.backend = "dusk"
    with eh.settings.use_backend("shared", fallback="raise"), pytest.raises(NotImplementedError, match="embed"):
        eh.embed(COUNTS)


@pytest.mark.parametrize("block_size", [1, 7, 1000])
def test_any_size_of_block(block_size) -> None:
    expected = [eh.compute_score(COUNTS), ah.normalize(COUNTS), ah.predict(COUNTS, COUNTS[:5])]
    with (
        eh.settings.use_backend("shared", options={"block_size": block_size}),
        ah.settings.use_backend("shared", options={"block_size": block_size}),
    ):
        actual = [eh.compute_score(COUNTS), ah.normalize(COUNTS), ah.predict(COUNTS, COUNTS[:5])]
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)
    with pytest.raises(ValueError, match="at least 1, got 0"):
        ah.normalize(COUNTS, block_size=0, backend="shared")
