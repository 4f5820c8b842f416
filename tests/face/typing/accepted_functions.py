"""Decorated functions as hosts and their users write them: every checker must accept this file."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from functools import wraps
from typing import Any, assert_type, cast, overload

from scverse_backends import OMITTED, BackendDispatcher

dispatcher = BackendDispatcher(
    entrypoint_group="typed_host.backends",
    host_name="typed_host",
    trusted_backends={"fast": {"aliases": ["f"], "package": "example-fast"}},
    reserved_backends={"gpu": "Use a concrete alias such as cuda."},
    untrusted="refuse",
)


# -- bare and called ---------------------------------------------------------------------------------------------------


@dispatcher.backend_dispatch
def scale(x: list[float], *, factor: float = 1.0) -> list[float]:
    return [value * factor for value in x]


@dispatcher.backend_dispatch()
def called(x: int) -> str:
    return str(x)


@dispatcher.backend_dispatch(name="other_name")
def named(x: int) -> str:
    return str(x)


@dispatcher.backend_dispatch(own_backend="engine", own_backend_values=["loky", "threading"])
def with_own_backend(x: int, backend: str = "loky") -> float:
    return float(x)


def _seed(rng: Any) -> Any:
    return OMITTED if rng is None else int(rng)


@dispatcher.backend_dispatch(renamed={"rng": ("random_state", _seed), "n_jobs": "threads"})
def with_renamed(x: int, *, rng: int | None = None, n_jobs: int = 1) -> bytes:
    return bytes(x)


# The host's own parameters are those of an ordinary call.
assert_type(scale([1.0]), list[float])
assert_type(scale([1.0], factor=2.0), list[float])
assert_type(scale(x=[1.0], factor=2), list[float])
assert_type(called(1), str)
assert_type(named(1), str)
assert_type(with_own_backend(1), float)
assert_type(with_renamed(1, rng=3, n_jobs=2), bytes)

# With `backend=` whatever else the backend takes is accepted, and the result is known.
assert_type(scale([1.0], backend="fast"), list[float])
assert_type(scale([1.0], backend=None), list[float])
assert_type(scale([1.0], backend=["fast", "cpu"]), list[float])
assert_type(scale([1.0], backend=("fast", "jax")), list[float])
assert_type(scale([1.0], factor=2.0, backend="fast", batch_size=512, stream=None), list[float])
assert_type(with_own_backend(1, backend="fast", engine="loky"), float)


def forwards(x: list[float], backend: str | Sequence[str] | None = None) -> list[float]:
    return scale(x, backend=backend)


# -- what is known of the function itself ------------------------------------------------------------------------------

assert_type(scale.__name__, str)
plain: Callable[[list[float]], list[float]] = scale
assert_type([called(x) for x in range(3)], list[str])
assert_type(list(map(called, [1, 2])), list[str])


# -- under the names that hosts give the decorators --------------------------------------------------------------------

backend_dispatch = dispatcher.backend_dispatch


@backend_dispatch
def by_short_name(x: int) -> str:
    return str(x)


@backend_dispatch(name="other")
def by_short_name_called(x: int) -> str:
    return str(x)


assert_type(by_short_name(1, backend="fast"), str)
assert_type(by_short_name_called(1), str)


# -- beneath a decorator of the host's own -----------------------------------------------------------------------------


def logged[F: Callable[..., Any]](func: F) -> F:
    """Give back the type of what is decorated, so that `backend=` stays visible."""

    @wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return func(*args, **kwargs)

    return cast("F", wrapper)


@logged
@dispatcher.backend_dispatch
def beneath(x: int, *, k: int = 1) -> str:
    return str(x * k)


assert_type(beneath(1, k=2), str)
assert_type(beneath(1, backend="fast", batch_size=3), str)


# -- generics ----------------------------------------------------------------------------------------------------------


@dispatcher.backend_dispatch
def first[T](values: Sequence[T], default: T) -> T:
    return values[0] if values else default


numbers: int = first([1, 2], 3)
texts: str = first(["a"], default="b")


# -- overloads: each says that it takes `backend=`, as docs/usage/adopting.md tells hosts --------------------------------


@overload
def half(x: int, *, backend: str | Sequence[str] | None = None, **options: Any) -> int: ...
@overload
def half(x: str, *, backend: str | Sequence[str] | None = None, **options: Any) -> str: ...
@dispatcher.backend_dispatch
def half(x: int | str) -> int | str:
    return x[: len(x) // 2] if isinstance(x, str) else x // 2


assert_type(half(2), int)
assert_type(half("ab"), str)
assert_type(half(2, backend="fast", batch_size=3), int)
assert_type(half("ab", backend=["fast", "cpu"]), str)


# -- every kind of function --------------------------------------------------------------------------------------------


@dispatcher.backend_dispatch
async def fetch(key: str) -> int:
    return len(key)


@dispatcher.backend_dispatch
def steps(count: int) -> Iterator[int]:
    yield from range(count)


@dispatcher.backend_dispatch
async def stream(count: int) -> AsyncIterator[bytes]:
    for number in range(count):
        yield bytes(number)


assert_type(list(steps(3)), list[int])
assert_type(list(steps(3, backend="fast", chunk=2)), list[int])


async def main() -> None:
    assert_type(await fetch("a"), int)
    assert_type(await fetch("a", backend="fast", timeout=3), int)
    waiting: Coroutine[Any, Any, int] = fetch("a")
    assert_type(await waiting, int)
    async for chunk in stream(3):
        assert_type(chunk, bytes)
    async for chunk in stream(3, backend="fast"):
        assert_type(chunk, bytes)
