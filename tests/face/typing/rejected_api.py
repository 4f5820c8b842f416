"""Wrong uses of settings and of the testing kit: every checker must reject each line that is marked, and no other."""

from __future__ import annotations

from scverse_backends import BackendDispatcher, exceptions
from scverse_backends.testing import check_backend, compare_calls, run_conformance

dispatcher = BackendDispatcher(entrypoint_group="typed_host.backends", host_name="typed_host")
settings = dispatcher.settings


@settings.use_backend("fast")
def decorated(x: int, *, flag: bool = False) -> str:
    return str(x)


# Settings.
settings.backend = 3  # rejected
settings.fallback = "never"  # rejected
settings.use_backend(3)  # rejected
settings.use_backend("fast", fallback="never")  # rejected
dispatcher.settings = settings  # rejected

# Decorating and binding keep the signature.
decorated("text")  # rejected
decorated(3, flog=True)  # rejected
number: int = decorated(3)  # rejected
settings.bind(decorated)("text")  # rejected
settings.bind(3)  # rejected
other: int = settings.bind(decorated)(3)  # rejected

# Reading.
names: list[str] = settings.backend  # rejected
dispatcher.get_backend(3)  # rejected
exceptions.BackendError("text", unknown="fast")  # rejected
function: int = exceptions.BackendError("text").function  # rejected

# The testing kit.
check_backend(3, "fast")  # rejected
run_conformance("fast")  # rejected
compare_calls(dispatcher, tolerance=1e-3)  # rejected
settings.trace("synchronize")  # rejected
