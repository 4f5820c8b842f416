"""The objects that users and authors of backends handle: every checker must accept this file."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, assert_type

from scverse_backends import BackendDispatcher, Settings, exceptions
from scverse_backends.testing import (
    CheckReport,
    ComparedCalls,
    ComparedFunction,
    Comparison,
    ComparisonRecord,
    Problem,
    check_backend,
    compare,
    compare_calls,
    isolated,
    run_conformance,
    temporary_backend,
)

dispatcher = BackendDispatcher(entrypoint_group="typed_host.backends", host_name="typed_host")
settings: Settings = dispatcher.settings


@dispatcher.backend_dispatch
def score(x: int) -> float:
    return float(x)


# -- settings ----------------------------------------------------------------------------------------------------------


def selecting() -> None:
    settings.backend = "fast"
    assert_type(settings.available_backends(), list[str])


def selecting_an_order() -> None:
    settings.backend = ["fast", "cpu"]
    settings.fallback = "raise"
    del settings.backend
    del settings.fallback


def reading(given: Settings) -> None:
    assert_type(given.backend, str | tuple[str, ...])
    policy: str = given.fallback
    adapter: Any = given.get_backend("fast")
    print(policy, adapter)


with settings.use_backend("fast"):
    score(1)
with settings.use_backend(["fast", "cpu"], fallback="silent") as nothing:
    assert_type(nothing, None)
with settings.use_backend(None, fallback="raise"):
    score(1)
scope: AbstractContextManager[None] = settings.use_backend("fast")


@settings.use_backend("fast")
def decorated(x: int, *, flag: bool = False) -> str:
    return str(x)


@settings.use_backend("fast")
async def decorated_coroutine(x: int) -> str:
    return str(x)


@settings.use_backend("fast")
def decorated_generator(x: int) -> Iterator[int]:
    yield x


@settings.use_backend("fast")
async def decorated_async_generator(x: int) -> AsyncIterator[int]:
    yield x


assert_type(decorated(3, flag=True), str)
assert_type(list(decorated_generator(3)), list[int])
assert_type(settings.bind(decorated)(3, flag=True), str)
assert_type(settings.bind(score)(3), float)


async def main() -> None:
    assert_type(await decorated_coroutine(3), str)
    assert_type(await settings.bind(decorated_coroutine)(3), str)
    async for number in decorated_async_generator(3):
        assert_type(number, int)


# -- seeing what happens -----------------------------------------------------------------------------------------------

explained = settings.explain(score, backend=["fast", "cpu"])
assert_type(explained.function, str)
assert_type(explained.requested, str | tuple[str, ...])
assert_type(explained.executes, str | None)

for info in dispatcher.backends():
    assert_type(info.name, str)
    assert_type(info.aliases, tuple[str, ...])
    assert_type(info.trusted, bool)
    assert_type(info.error, BaseException | None)
    assert_type(info.functions, tuple[str, ...])
assert_type(len(settings.backends()), int)

with settings.trace() as calls:
    score(1)
for call in calls:
    assert_type(call.function, str)
    assert_type(call.executed, str | None)
    assert_type(call.seconds, float | None)
    assert_type(call.exception, str | None)
    assert_type(call.depth, int)
    assert_type(call.distribution, str | None)
assert_type(calls.totals(), dict[str, tuple[int, float]])
assert_type(calls.provenance(), dict[str, Any])
with settings.trace(synchronize=True) as waited_for:
    assert_type(waited_for[0].options, Mapping[str, object])

# -- the dispatcher ----------------------------------------------------------------------------------------------------

assert_type(dispatcher.available_backend_names(), list[str])
assert_type(dispatcher.discover(), None)
assert_type(dispatcher.register(object(), name="fast"), str)
functions: Mapping[str, Any] = dispatcher.functions()

# -- errors and warnings -----------------------------------------------------------------------------------------------

try:
    settings.backend = "unknown"
except exceptions.UnknownBackendError as error:
    value_error: ValueError = error
    assert_type(error.host, str | None)
    assert_type(error.backend, str | None)
    assert_type(error.distribution, str | None)
    assert_type(error.function, str | None)
    assert_type(error.parameter, str | None)
    assert_type(error.suggestions, tuple[str, ...])
    assert_type(error.failed, tuple[str, ...])
    assert_type(error.source, str | None)
except (exceptions.BackendNotInstalledError, exceptions.BackendLoadError) as error:
    import_error: ImportError = error
except exceptions.BackendContractError as error:
    type_error: TypeError = error
except exceptions.FunctionNotImplementedError as error:
    not_implemented: NotImplementedError = error

category: type[Warning] = exceptions.FallbackWarning
raised = exceptions.ReservedBackendError("gpu is reserved", host="typed_host", backend="gpu")
assert_type(raised.backend, str | None)

# -- the testing kit ---------------------------------------------------------------------------------------------------


def check_score(backend_name: str) -> None:
    assert score(1, backend=backend_name) == 1.0


statuses = run_conformance(
    backend_name="fast",
    tests={"score": check_score},
    get_backend=settings.get_backend,
    functions=["score"],
    raise_on_failure=False,
    require_dispatch=True,
)
assert_type(statuses, dict[str, str])

report = check_backend(dispatcher, "fast")
assert_type(report, CheckReport)
for problem in report:
    assert_type(problem, Problem)
    assert_type(problem.message, str)

with temporary_backend(dispatcher, object(), name="fast", distribution="example-fast"):
    score(1)
with isolated(dispatcher):
    score(1)

compared = compare(score, 3, backends=["fast"], repeats=3, rtol=1e-6)
assert_type(compared, Comparison)
assert_type(compared[0].backend, str)
assert_type(compared[0].speedup, float | None)
compare(score, 3, reference="fast", options={"fast": {"device": 1}})

with compare_calls(settings, rtol=1e-3, every=10) as steps:
    score(1)
assert_type(steps, ComparedCalls)
assert_type(steps[0], ComparedFunction)
assert_type(steps[0].first, int | None)
assert_type(steps[0].worst, ComparisonRecord | None)
compare_calls(dispatcher)
