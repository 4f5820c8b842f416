"""Raises every error and warning of the library for real and writes what they say to ``messages.md``.

``python docs/messages.py`` rewrites the page; a test holds it against what the library says today.
"""

from __future__ import annotations

import importlib.metadata
import logging
import math
import os
import warnings
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from textwrap import wrap
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple
from unittest import mock

from scverse_backends import BackendDispatcher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

PAGE = Path(__file__).with_name("messages.md")
WIDTH = 86
GROUP = "myhost.backends"

INTRODUCTION = """\
# What the messages mean

The errors and warnings that users meet, each raised for real by `docs/messages.py`, which writes this page. The host
here is called `myhost`; it trusts the backends `cuda` (from the package `myhost-cuda`, also called `rapids`) and `jax`,
and reserves the name `gpu`. Each message says what happened, to what, and what to do next. The classes are those of
{doc}`scverse_backends.exceptions <api>` where they are not Python's own.
"""


class Situation(NamedTuple):
    """What somebody did, and how to do it again."""

    chapter: str
    what: str
    provoke: Callable[[], object]


class Message(NamedTuple):
    situation: Situation
    category: type[BaseException]
    text: str


SITUATIONS: list[Situation] = []


def situation(chapter: str, what: str) -> Callable[[Callable[[], object]], None]:
    def add(provoke: Callable[[], object]) -> None:
        SITUATIONS.append(Situation(chapter, what, provoke))

    return add


# -- a host, and what may be installed next to it --------------------------------------------------------------------


class Point:
    """An entry point of a package that is installed only here."""

    group = GROUP

    def __init__(self, name: str, adapter: object, distribution: str, version: str = "1.2") -> None:
        self.name, self.adapter = name, adapter
        self.value = f"{distribution.replace('-', '_')}:adapter"
        self.dist = SimpleNamespace(name=distribution, version=version, metadata={})

    def load(self) -> object:
        if isinstance(self.adapter, Exception):
            raise self.adapter
        return self.adapter


def adapter(name: object, aliases: object = (), **functions: object) -> Any:
    made = type("Adapter", (), functions)()
    made.name, made.aliases = name, aliases
    return made


TRUSTED = {
    "cuda": {"aliases": ["rapids"], "package": "myhost-cuda"},
    "jax": {"package": "myhost-jax"},
}


def host(*installed: Point, **options: Any) -> SimpleNamespace:
    importlib.metadata.entry_points = lambda *, group: list(installed)  # type: ignore[assignment]  # Stands in.
    options = {
        "trusted_backends": TRUSTED,
        "reserved_backends": {"gpu": "Use a concrete backend such as 'cuda'."},
        "untrusted": "allow",
        **options,
    }
    dispatcher = BackendDispatcher(entrypoint_group=GROUP, host_name="myhost", **options)

    @dispatcher.backend_dispatch
    def embed(data: object, n_components: int = 2, *, seed: int = 0) -> str:
        return "host"

    @dispatcher.backend_class
    class Model:
        def __init__(self, size: int = 3) -> None: ...

    return SimpleNamespace(dispatcher=dispatcher, settings=dispatcher.settings, embed=embed, Model=Model)


def runs(self: object, data: object, n_components: int = 2, *, seed: int = 0) -> str:
    return "backend"


def with_can_run(can_run: object) -> Callable[..., str]:
    def embed(data: object, n_components: int = 2, *, seed: int = 0) -> str:
        return "backend"

    embed.can_run = can_run  # type: ignore[attr-defined]  # Functions may carry attributes.
    return embed


def fast(**functions: object) -> Point:
    return Point("fast", adapter("fast", **functions), "myhost-fast")


def installed(name: str, **groups: Sequence[str]) -> Any:
    """Put a distribution where unrecognised ones are looked for, and no other."""
    named = [(f"myhost.{group}", point) for group, points in groups.items() for point in points]
    points = [SimpleNamespace(group=group, name=point) for group, point in named]
    found = [(SimpleNamespace(name=name, entry_points=points), None)] if name else []
    return mock.patch("scverse_backends._discovery.unrecognised.all_distributions", return_value=found)


BROKEN = ImportError("libcudart.so.12: cannot open shared object file: No such file or directory")


def raising() -> None:
    raise BROKEN


# -- what is selected ------------------------------------------------------------------------------------------------

SELECTING = "Selecting a backend"


@situation(SELECTING, "The name is misspelt.")
def _() -> None:
    host(fast(embed=runs)).embed(1, backend="fsat")


@situation(SELECTING, "The name is unknown, and something that is installed failed to load.")
def _() -> None:
    host(fast(embed=runs), Point("broken", BROKEN, "myhost-broken")).embed(1, backend="torch")


@situation(SELECTING, "The name of the backend is empty, or no name at all.")
def _() -> None:
    host(fast(embed=runs)).settings.backend = ""


@situation(SELECTING, "The selection is neither a name nor a list of names.")
def _() -> None:
    host(fast(embed=runs)).embed(1, backend=3)


@situation(SELECTING, "A preference order is empty.")
def _() -> None:
    host().embed(1, backend=[])


@situation(SELECTING, "A preference order goes on after the host.")
def _() -> None:
    host(fast(embed=runs)).embed(1, backend=["cpu", "fast"])


@situation(SELECTING, "The name is reserved by the host.")
def _() -> None:
    host().settings.backend = "gpu"


@situation(SELECTING, "The backend is known to the host and not installed.")
def _() -> None:
    host().embed(1, backend="cuda")


@situation(SELECTING, "It is not installed, and somebody else's package bears its name.")
def _() -> None:
    host(Point("cuda", adapter("cuda"), "cuda-for-all")).embed(1, backend="cuda")


@situation(SELECTING, "It is not installed, and the host does not say what provides it.")
def _() -> None:
    host(trusted_backends={"cuda": {"entrypoints": "cuda"}}).embed(1, backend="cuda")


@situation(SELECTING, "The right package is installed, and provides no backend.")
def _() -> None:
    trusted = {"cuda": {"package": "pip"}}
    with installed("pip"), mock.patch("scverse_backends._discovery.errors.installed_version", return_value="1.2"):
        host(trusted_backends=trusted).embed(1, backend="cuda")


@situation(SELECTING, "The package is installed, and registers its backend under a group that is misspelt.")
def _() -> None:
    with installed("myhost-torch", backend=["torch"]):
        host().embed(1, backend="torch")


@situation(SELECTING, "The package is installed, and registers nothing that the host would find.")
def _() -> None:
    with installed("myhost-torch"):
        host().embed(1, backend="myhost-torch")


@situation(SELECTING, "The right package is installed, and its backend goes by another name.")
def _() -> None:
    host(Point("cuda", adapter("other"), "myhost-cuda")).embed(1, backend="cuda")


@situation(SELECTING, "The backend is installed and cannot be imported.")
def _() -> None:
    host(Point("cuda", BROKEN, "myhost-cuda")).embed(1, backend="cuda")


@situation(SELECTING, "The backend was installed as editable while Python ran.")
def _() -> None:
    missing = ModuleNotFoundError("No module named 'myhost_cuda'", name="myhost_cuda")
    with mock.patch("scverse_backends._discovery.adapters.is_editable", return_value=True):
        host(Point("cuda", missing, "myhost-cuda")).embed(1, backend="cuda")


@situation(SELECTING, "The host uses trusted backends only.")
def _() -> None:
    host(fast(embed=runs), untrusted="refuse").embed(1, backend="fast")


@situation(SELECTING, "The environment variable is wrong.")
def _() -> None:
    with mock.patch.dict(os.environ, {"MYHOST_BACKEND": "fsat"}):
        host(fast(embed=runs)).embed(1)


@situation(SELECTING, "`settings.backend` is set to `None`.")
def _() -> None:
    host().settings.backend = None


@situation(SELECTING, "A setting is misspelt.")
def _() -> None:
    host().settings.bakend = "cpu"


@situation(SELECTING, "A fallback policy is misspelt.")
def _() -> None:
    host().settings.fallback = "rise"


@situation(SELECTING, "`settings.bind` gets something that cannot be called.")
def _() -> None:
    host().settings.bind("embed")


@situation(SELECTING, "A class is decorated with a selection.")
def _() -> None:
    class TestEmbed: ...

    host().settings.use_backend("fast")(TestEmbed)


@situation(SELECTING, "The parentheses are missing where a function is decorated with a selection.")
def _() -> None:
    def pipeline() -> None: ...

    host().settings.use_backend(pipeline)


@situation(SELECTING, "`settings.explain` gets a function that the host does not dispatch.")
def _() -> None:
    myhost = host()
    myhost.settings.explain(math.sqrt)


@situation(SELECTING, "A backend that the host does not list is used for the first time.")
def _() -> None:
    host(fast(embed=runs), untrusted="warn").embed(1, backend="fast")


@situation(SELECTING, "The host lists a backend without saying how to verify it.")
def _() -> None:
    host(fast(embed=runs), trusted_backends={"fast": {}}, untrusted="warn").embed(1, backend="fast")


# -- calls -----------------------------------------------------------------------------------------------------------

CALLING = "Calling a function"


@situation(CALLING, "The backend that the call names lacks the function.")
def _() -> None:
    host(fast()).embed(1, backend="fast")


@situation(CALLING, 'The same, and `fallback` is `"raise"`.')
def _() -> None:
    myhost = host(fast())
    myhost.settings.fallback = "raise"
    myhost.embed(1, backend="fast")


@situation(CALLING, "The backend declines the arguments.")
def _() -> None:
    host(fast(embed=staticmethod(with_can_run(lambda *a, **k: "sparse input needs cupy 13")))).embed(1, backend="fast")


@situation(CALLING, 'The same, and `fallback` is `"raise"`.')
def _() -> None:
    myhost = host(fast(embed=staticmethod(with_can_run(lambda *a, **k: "sparse input needs cupy 13"))))
    with myhost.settings.use_backend("fast", fallback="raise"):
        myhost.embed(1)


@situation(CALLING, "A backend of a preference order is not installed.")
def _() -> None:
    host(fast(embed=runs)).embed(1, backend=["cuda", "fast"])


@situation(CALLING, "A backend of a preference order cannot be imported.")
def _() -> None:
    host(fast(embed=runs), Point("cuda", BROKEN, "myhost-cuda")).embed(1, backend=["cuda", "fast"])


@situation(CALLING, "An argument has no effect on the backend.")
def _() -> None:
    def embed(self: object, data: object, n_components: int = 2) -> str:
        return "backend"

    host(fast(embed=embed)).embed(1, seed=7, backend="fast")


@situation(CALLING, "An option is known to another backend only.")
def _() -> None:
    def embed(self: object, data: object, n_components: int = 2, *, seed: int = 0, batch_size: int = 9) -> str:
        return "backend"

    myhost = host(fast(embed=embed))
    myhost.dispatcher.discover()
    myhost.embed(1, batch_size=3)


@situation(CALLING, "An option is unknown, and not all backends are loaded.")
def _() -> None:
    host(fast(embed=runs)).embed(1, batch_size=3)


@situation(CALLING, "An option that the backend requires is missing.")
def _() -> None:
    def embed(self: object, data: object, n_components: int = 2, *, seed: int = 0, device: str) -> str:
        return "backend"

    host(fast(embed=embed)).embed(1, backend="fast")


@situation(CALLING, "A parameter of the host goes by its new name, and the call says the old one.")
def _() -> None:
    myhost = host()

    @myhost.dispatcher.backend_dispatch(own_backend="parallel_backend", own_backend_values=("loky", "threading"))
    def neighbors(data: object, backend: str = "loky") -> str:
        return backend

    neighbors(1, backend="threading")


@situation(CALLING, "The call says both.")
def _() -> None:
    myhost = host()

    @myhost.dispatcher.backend_dispatch(own_backend="parallel_backend", own_backend_values=("loky", "threading"))
    def neighbors(data: object, backend: str = "loky") -> str:
        return backend

    neighbors(1, backend="threading", parallel_backend="loky")


# -- broken backends -------------------------------------------------------------------------------------------------

BROKEN_BACKENDS = "A backend breaks its contract"


@situation(BROKEN_BACKENDS, "It has something under the function's name that cannot be called.")
def _() -> None:
    host(fast(embed=3)).embed(1, backend="fast")


@situation(BROKEN_BACKENDS, "The host has a class, and it has something else under that name.")
def _() -> None:
    host(fast(Model=3)).Model(backend="fast")


@situation(BROKEN_BACKENDS, "A part of it that is loaded late cannot be imported.")
def _() -> None:
    host(fast(embed=property(lambda self: raising()))).embed(1, backend="fast")


@situation(BROKEN_BACKENDS, "It lacks a parameter that the host requires.")
def _() -> None:
    def embed(self: object, n_components: int = 2, *, seed: int = 0) -> str:
        return "backend"

    host(fast(embed=embed)).embed(1, backend="fast")


@situation(BROKEN_BACKENDS, "It requires what nobody can give.")
def _() -> None:
    def embed(self: object, data: object, _handle: object, n_components: int = 2, *, seed: int = 0) -> str:
        return "backend"

    host(fast(embed=embed)).embed(1, backend="fast")


@situation(BROKEN_BACKENDS, "Its `can_run` raises.")
def _() -> None:
    host(fast(embed=staticmethod(with_can_run(lambda *a, **k: 1 / 0)))).embed(1, backend="fast")


@situation(BROKEN_BACKENDS, "Its `can_run` answers neither yes nor no.")
def _() -> None:
    host(fast(embed=staticmethod(with_can_run(lambda *a, **k: 3)))).embed(1, backend="fast")


@situation(BROKEN_BACKENDS, "Its `can_run` cannot be called.")
def _() -> None:
    host(fast(embed=staticmethod(with_can_run(3)))).embed(1, backend="fast")


# -- finding backends ------------------------------------------------------------------------------------------------

FINDING = "Finding backends"


@situation(FINDING, "Everything is loaded, and a backend fails.")
def _() -> None:
    host(Point("broken", BROKEN, "myhost-broken")).dispatcher.discover()


@situation(FINDING, "Everything is loaded, and a backend bears a name of another.")
def _() -> None:
    host(Point("cuda", adapter("cuda"), "cuda-for-all")).dispatcher.discover()


@situation(FINDING, "Everything is loaded, and the host does not list some of it.")
def _() -> None:
    host(fast(embed=runs), Point("torch", adapter("torch"), "myhost-torch"), untrusted="warn").dispatcher.discover()


@situation(FINDING, "The adapter of a backend that fails is asked for.")
def _() -> None:
    host(Point("cuda", BROKEN, "myhost-cuda")).settings.get_backend("cuda")


@situation(FINDING, "A backend has a name that no backend may have.")
def _() -> None:
    host(Point("broken", adapter("no good name"), "myhost-broken")).dispatcher.discover()


@situation(FINDING, "A backend's aliases are not a list.")
def _() -> None:
    host(Point("fast", adapter("fast", "quick"), "myhost-fast")).dispatcher.discover()


@situation(FINDING, "Some of a backend's aliases cannot be used.")
def _() -> None:
    host(Point("fast", adapter("fast", ["quick", "gpu", "two words"]), "myhost-fast")).dispatcher.discover()


@situation(FINDING, "Two packages provide a backend of the same name.")
def _() -> None:
    host(fast(), Point("fast", adapter("fast"), "another-fast")).dispatcher.discover()


@situation(FINDING, "The same, and the one that comes first cannot be imported.")
def _() -> None:
    host(fast(), Point("fast", BROKEN, "another-fast")).dispatcher.discover()


@situation(FINDING, "The metadata of a package cannot be read.")
def _() -> None:
    myhost = host()

    def broken(*, group: str) -> object:
        raise ValueError(group)

    class Broken(importlib.metadata.Distribution):
        def read_text(self, filename: str) -> str:
            return "Name: damaged\n" if filename == "METADATA" else "[myhost.backends]\nno reference"

        def locate_file(self, path: Any) -> Any:
            return path

    importlib.metadata.entry_points = broken  # type: ignore[assignment]  # Stands in.
    with mock.patch("importlib.metadata.distributions", return_value=[Broken()]):
        myhost.dispatcher.discover()


# -- for host authors ------------------------------------------------------------------------------------------------

DECORATING = "For authors of hosts: decorating"


def decorates(what: str, make: Callable[[], object], *, cls: bool = False, **options: Any) -> None:
    @situation(DECORATING, what)
    def _() -> None:
        dispatcher = host().dispatcher
        decorate = dispatcher.backend_class if cls else dispatcher.backend_dispatch
        decorate(**options)(make())


def _takes_varargs() -> object:
    def embed(*args: object) -> None: ...

    return embed


def _takes_backend() -> object:
    def embed(data: object, backend: str = "loky") -> None: ...

    return embed


def _plain() -> object:
    def embed(data: object) -> None: ...

    return embed


class Holder:
    def method(self) -> None: ...


class _TakesBackend:
    def __init__(self, backend: str) -> None: ...


class _TakesVarargs:
    def __init__(self, *args: object) -> None: ...


decorates("A class is decorated as a function.", lambda: Holder)
decorates("A method is decorated.", lambda: Holder().method)
decorates("A function in the body of a class is decorated.", lambda: Holder.method)
decorates("What is decorated is no function.", lambda: 3)
decorates("A function takes `*args`.", _takes_varargs)
decorates("A function has a parameter `backend` of its own.", _takes_backend)
decorates("A new name is given for a parameter that is not there.", _plain, own_backend="parallel_backend")
decorates("The new name is taken.", _takes_backend, own_backend="data")
decorates("The new name is none.", _takes_backend, own_backend="parallel backend")
decorates("A function has no name.", lambda: partial(len))
decorates("A parameter that is renamed is not there.", _plain, renamed={"rng": "random_state"})
decorates("A function is decorated twice.", lambda: host().embed)
decorates("A function is decorated as a class.", _plain, cls=True)
decorates("A class is decorated twice.", lambda: host().Model, cls=True)
decorates("A constructor has a parameter `backend` of its own.", lambda: _TakesBackend, cls=True)
decorates("A constructor takes `*args`.", lambda: _TakesVarargs, cls=True)
decorates("A class cannot be subclassed.", lambda: bool, cls=True)


@situation(DECORATING, "Two functions look for the same name in backends.")
def _() -> None:
    myhost = host()

    @myhost.dispatcher.backend_dispatch(name="embed")
    def other(data: object) -> None: ...


CONFIGURING = "For authors of hosts: configuring"


def configures(what: str, **options: Any) -> None:
    @situation(CONFIGURING, what)
    def _() -> None:
        host(**options)


configures("A key is misspelt.", trusted_backends={"cuda": {"pakage": "myhost-cuda"}})
configures("A value is of the wrong type.", trusted_backends={"cuda": {"package": 3}})
configures("A value is empty.", trusted_backends={"cuda": {"distributions": []}})
configures("A backend is configured by something else than a mapping.", trusted_backends={"cuda": "myhost-cuda"})
configures("A name is none.", trusted_backends={"cuda!": {"package": "myhost-cuda"}})
configures("A name is the host's.", trusted_backends={"CPU": {"package": "myhost-cuda"}})
configures("The aliases are one string.", trusted_backends={"cuda": {"aliases": "rapids", "package": "myhost-cuda"}})
configures("A name is claimed twice.", trusted_backends={**TRUSTED, "amd": {"aliases": ["rapids"], "package": "amd"}})
configures("A name is trusted and reserved.", trusted_backends={"gpu": {"package": "myhost-gpu"}})
configures("A reserved name says nothing.", reserved_backends={"gpu": ""})
configures("The policy for other backends is misspelt.", untrusted="deny")

REGISTERING = "For notebooks and tests: registering"


@situation(REGISTERING, "The adapter bears a name that the host keeps for a trusted backend.")
def _() -> None:
    host().dispatcher.register(adapter("cuda"))


@situation(REGISTERING, "A backend of that name is there already.")
def _() -> None:
    host(fast()).dispatcher.register(adapter("fast"))


@situation(REGISTERING, "A registered one of that name is there already.")
def _() -> None:
    dispatcher = host().dispatcher
    dispatcher.register(adapter("mine"))
    dispatcher.register(adapter("mine"))


@situation(REGISTERING, "The name cannot be that of an entry point.")
def _() -> None:
    host().dispatcher.register(adapter("mine"), name="two words")


@situation(REGISTERING, "A name is unregistered that was never registered.")
def _() -> None:
    host().dispatcher.unregister("mine")


# -- the page --------------------------------------------------------------------------------------------------------


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Leave the process as it was found."""
    ours = logging.getLogger("scverse_backends")
    before = ours.disabled
    ours.disabled = True
    try:
        # What is installed here is nothing to the host of this page.
        with mock.patch.object(importlib.metadata, "entry_points", importlib.metadata.entry_points), installed(""):
            yield
    finally:
        ours.disabled = before


def messages() -> list[Message]:
    """Provoke every situation, and return what was said."""
    return [Message(one, type(said), str(said)) for one in SITUATIONS for said in _said(one)]


def _said(one: Situation) -> Sequence[BaseException]:
    with _undisturbed(), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            one.provoke()
        except Exception as error:  # noqa: BLE001 - whatever it is stands on the page.
            return [error]
    if not caught:
        raise AssertionError(f"nothing is said: {one.chapter}: {one.what}")
    return [warning.message for warning in caught if isinstance(warning.message, Warning)]


def lines_of(text: str, width: int = WIDTH) -> list[str]:
    return [line for part in text.splitlines() for line in wrap(part, width, break_on_hyphens=False)]


def page() -> str:
    parts = [INTRODUCTION]
    chapter = ""
    for message in messages():
        if message.situation.chapter != chapter:
            chapter = message.situation.chapter
            parts.append(f"\n## {chapter}\n")
        text = "\n".join(lines_of(f"{message.category.__name__}: {message.text}"))
        parts.append(f"\n{message.situation.what}\n\n```text\n{text}\n```\n")
    return "".join(parts)


if __name__ == "__main__":
    from messages import page  # Under its own name, which some messages show.

    PAGE.write_text(page(), encoding="utf-8")
