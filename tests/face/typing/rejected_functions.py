"""Wrong calls of decorated functions: every checker must reject each line that is marked, and no other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from scverse_backends import BackendDispatcher

dispatcher = BackendDispatcher(entrypoint_group="typed_host.backends", host_name="typed_host")


@dispatcher.backend_dispatch
def scale(x: list[float], *, factor: float = 1.0) -> list[float]:
    return [value * factor for value in x]


@dispatcher.backend_dispatch(name="other_name")
def named(x: int) -> str:
    return str(x)


@dispatcher.backend_dispatch(own_backend="engine")
def with_own_backend(x: int, backend: str = "loky") -> float:
    return float(x)


@dispatcher.backend_dispatch
def first[T](values: Sequence[T], default: T) -> T:
    return values[0] if values else default


@dispatcher.backend_dispatch
async def fetch(key: str) -> int:
    return len(key)


@dispatcher.backend_dispatch
def steps(count: int) -> Iterator[int]:
    yield from range(count)


# The host's parameters.
scale()  # rejected
scale("text")  # rejected
scale([1.0], 2.0)  # rejected
scale([1.0], factor="much")  # rejected
scale([1.0], faktor=2.0)  # rejected
named("text")  # rejected
named(1, 2)  # rejected
with_own_backend("text")  # rejected

# A backend-only option without the backend.
scale([1.0], batch_size=512)  # rejected

# What is no backend.
scale([1.0], backend=3)  # rejected
scale([1.0], backend=True)  # rejected
scale([1.0], backend=[1, 2])  # rejected
scale([1.0], backend=b"fast")  # rejected

# What comes out.
text: str = scale([1.0])  # rejected
with_backend: str = scale([1.0], backend="fast")  # rejected
number: int = first(["a"], "b")  # rejected
not_awaited: int = fetch("a")  # rejected
not_a_list: list[int] = steps(3)  # rejected


async def main() -> None:
    wrong: str = await fetch("a")  # rejected
    await steps(3)  # rejected
    print(wrong)


# The decorator.
dispatcher.backend_dispatch(3)  # rejected
dispatcher.backend_dispatch(name=3)  # rejected
dispatcher.backend_dispatch(own_backend_values=3)  # rejected
dispatcher.backend_dispatch(renamed={"rng": 3})  # rejected
dispatcher.backend_dispatch(unknown=True)  # rejected
BackendDispatcher("typed_host.backends", "typed_host")  # rejected
BackendDispatcher(entrypoint_group="typed_host.backends")  # rejected
BackendDispatcher(entrypoint_group="a.b", host_name="a", untrusted="perhaps")  # rejected
