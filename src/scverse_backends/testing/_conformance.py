"""Run the checks that a host wrote down for every implementation of its functions."""

from __future__ import annotations

import asyncio
import traceback
import unittest
import warnings
from collections import deque
from collections.abc import AsyncGenerator, Coroutine, Generator, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from scverse_backends._inside.dispatchers import holders, implements
from scverse_backends._inside.watching import observed
from scverse_backends._inside.words import describe_error
from scverse_backends.exceptions import BackendError, BackendWarning

if TYPE_CHECKING:
    from collections.abc import Callable

_PASSED: Final = "PASSED"
_NOT_IMPLEMENTED: Final = "SKIPPED (not implemented)"

# Known by name: the kit works without pytest, and a check that raises one of these has imported it. For the sake of
# short tracebacks, pytest says of some that they were builtins.
_PYTEST: Final = ("_pytest.outcomes", "builtins")


def run_conformance(
    *,
    backend_name: str,
    tests: Mapping[str, Callable[[str], object]],
    get_backend: Callable[[str], Any],
    functions: Iterable[str] | None = None,
    raise_on_failure: bool = True,
    require_dispatch: bool = False,
) -> dict[str, str]:
    """Run a host's checks on a backend.

    Parameters
    ----------
    backend_name
        Name or alias, handed to every check as it is.
    tests
        The check of each host function, called with the backend's name. An ``async def`` is run in an event loop of
        its own, and a generator to its end.
    get_backend
        Returns the adapter of a name: the host's ``settings.get_backend``.
    functions
        The names of the checks to run, by default all. None of them are run where it is empty.
    raise_on_failure
        Raise the first failure as the check raised it, with its traceback, rather than record it.
    require_dispatch
        Fail a check during which no dispatched call ran on the backend, in any thread. It catches a check that
        forgets ``backend=``.

    Returns
    -------
    For each function ``"PASSED"``, ``"SKIPPED (not implemented)"``, ``"SKIPPED (...)"`` with the reason of a
    ``pytest.skip`` or ``pytest.xfail`` inside the check, or ``"FAILED: ..."``. Without any check it is empty.

    Raises
    ------
    ValueError
        If the backend cannot be had (the message says why), `functions` is no collection of names or names one that
        `tests` does not have, or `tests` is no mapping of names to checks.
    Exception
        What a check raised, with ``raise_on_failure=True``.

    Notes
    -----
    A check that hangs hangs: give it a timeout, with pytest-timeout for instance.

    Examples
    --------
    >>> from scverse_backends import BackendDispatcher
    >>> from scverse_backends.testing import run_conformance, temporary_backend
    >>> host = BackendDispatcher(entrypoint_group="doc_host.backends", host_name="doc_host", untrusted="allow")
    >>> @host.backend_dispatch
    ... def double(x):
    ...     return 2 * x
    >>> def check_double(backend_name):
    ...     assert double(21, backend=backend_name) == 42
    >>> class Fast:
    ...     name = "fast"
    ...
    ...     def double(self, x):
    ...         return x + x
    >>> with temporary_backend(host, Fast()):
    ...     run_conformance(backend_name="fast", tests={"double": check_double}, get_backend=host.get_backend)
    {'double': 'PASSED'}
    """
    __tracebackhide__ = True  # Pytest then shows the test and the check, without what lies between them.
    _refuse_malformed(backend_name, tests)
    adapter = _adapter(get_backend, backend_name)
    chosen = _chosen(tests, functions)
    watch = _Watch(adapter, backend_name) if require_dispatch else None
    results: dict[str, str] = {}
    for name in chosen:
        try:
            results[name] = _run(adapter, name, tests[name], backend_name, watch)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            if raise_on_failure or _is_outcome(error, "Exit"):
                raise
            results[name] = f"FAILED: {_failure_text(error)}"
    return results


def _run(adapter: object, name: str, check: Callable[[str], object], backend_name: str, watch: _Watch | None) -> str:
    __tracebackhide__ = True
    if not implements(adapter, name):
        return _NOT_IMPLEMENTED
    try:
        if watch is None:
            _finish(check(backend_name))
        else:
            watch.run(check, backend_name)
    except BaseException as error:
        reason = _skip_reason(error)
        if reason is None:
            raise
        return f"SKIPPED ({reason})"
    return _PASSED


def _finish(returned: object) -> None:
    """Run what a check only began: the bodies of coroutines and generators do not run when they are called."""
    __tracebackhide__ = True
    if isinstance(returned, (Coroutine, AsyncGenerator)):
        if _in_event_loop():
            if isinstance(returned, Coroutine):
                returned.close()  # It would warn that it was never awaited.
            raise RuntimeError(
                "this check is asynchronous and an event loop is running already: call run_conformance() outside of it."
            )
        asyncio.run(_awaited(cast("Any", returned)))
    elif isinstance(returned, Generator):
        deque[object](cast("Any", returned), maxlen=0)


async def _awaited(returned: Coroutine[Any, Any, object] | AsyncGenerator[object]) -> None:
    __tracebackhide__ = True
    if isinstance(returned, Coroutine):
        await returned
    else:
        async for _ in returned:
            pass


def _in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


class _Watch:
    """Tells whether a check's calls reach the backend, in whichever thread they are made."""

    def __init__(self, adapter: object, backend_name: str) -> None:
        self._names = holders(adapter)
        if not self._names:
            raise ValueError(
                f"require_dispatch=True watches the dispatcher that backend {backend_name!r} belongs to, "
                f"and none that is alive knows the adapter that get_backend returned."
            )

    def run(self, check: Callable[[str], object], backend_name: str) -> None:
        """Run a check and fail it if nothing ran on the backend."""
        __tracebackhide__ = True
        ran: list[tuple[str, str]] = []
        names = set(self._names.values())
        with observed(self._names, lambda _function, executed, reason: ran.append((executed, reason))):
            _finish(check(backend_name))
        if names.isdisjoint(executed for executed, _ in ran):
            on_host = [reason for executed, reason in ran if executed == "cpu"]
            calls = "1 call" if len(on_host) == 1 else f"{len(on_host)} calls"
            why = (
                f"The host ran {calls} in its place ({on_host[0]})."
                if on_host
                else "Pass backend=backend_name to the host's function."
            )
            raise AssertionError(f"no dispatched call ran on backend {backend_name!r} during this check. {why}")


def _refuse_malformed(backend_name: object, tests: object) -> None:
    if not isinstance(backend_name, str):
        raise ValueError(f"backend_name must be the name of a backend, not {backend_name!r}.")
    if not isinstance(tests, Mapping):
        raise ValueError(f"tests must be a mapping of function names to checks, not {type(tests).__name__}.")
    checks = cast("Mapping[object, object]", tests)
    for name, check in checks.items():
        if not isinstance(name, str) or not name:
            raise ValueError(f"tests must be a mapping of function names to checks, and {name!r} is not one.")
        if not callable(check):
            raise ValueError(f"tests[{name!r}] must be a function that takes the backend's name, not {check!r}.")


def _chosen(tests: Mapping[str, object], functions: Iterable[str] | None) -> list[str]:
    if functions is None:
        return list(tests)
    malformed = isinstance(functions, str) or not isinstance(cast("object", functions), Iterable)
    names: list[Any] = [] if malformed else list(functions)
    if malformed or not all(isinstance(name, str) and name for name in names):
        raise ValueError("functions must be a sequence of non-empty strings.")
    unknown = [name for name in names if name not in tests]
    if unknown:
        raise ValueError(f"Unknown conformance functions: {unknown}. There are checks for {sorted(tests)}.")
    return names


def _adapter(get_backend: Callable[[str], Any], name: str) -> Any:
    why = ""
    cause: Exception | None = None
    try:
        adapter = get_backend(name)
        if adapter is None:
            why, cause = _why_missing(get_backend, name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        if _is_outcome(error, "Exit") or _skip_reason(error) is not None:
            raise
        # A warning comes as an error under ``-W error``.
        text = str(error) if isinstance(error, (BackendWarning, BackendError)) else f"{describe_error(error)}."
        raise ValueError(f"Backend {name!r} not found: {text}") from error
    if adapter is None:
        raise ValueError(f"Backend {name!r} not found{f': {why}' if why else '.'}") from cause
    return adapter


def _why_missing(get_backend: Callable[[str], Any], name: str) -> tuple[str, Exception | None]:
    """Return what is known of why there is no such backend: the error of selecting it, or the warning of looking."""
    owner: Any = getattr(get_backend, "__self__", None)
    settings = getattr(owner, "settings", owner)
    if hasattr(settings, "use_backend"):
        try:
            with settings.use_backend(name):
                return "it is the host itself, which has no adapter.", None
        except (ImportError, ValueError) as error:
            return str(error), error
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        get_backend(name)
    return " ".join(str(warning.message) for warning in caught), None


def _is_outcome(error: BaseException, name: str) -> bool:
    return any(base.__name__ == name and base.__module__ in _PYTEST for base in type(error).__mro__)


def _skip_reason(error: BaseException) -> str | None:
    if _is_outcome(error, "Skipped") or isinstance(error, unittest.SkipTest):
        return str(error) or "no reason given"
    if _is_outcome(error, "XFailed"):
        return f"expected to fail: {error}" if str(error) else "expected to fail"
    return None


def _failure_text(error: BaseException) -> str:
    """Return what went wrong; without a message, the line where it did."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - a foreign exception may fail while it is printed.
        text = ""
    if text.strip():
        # Exceptions that do not stand for a failed check are told apart by their type.
        return text if isinstance(error, Exception) else f"{type(error).__name__}: {text}"
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {frames[-1].filename}:{frames[-1].lineno}: {frames[-1].line}" if frames else ""
    return f"{type(error).__name__}{place}"
