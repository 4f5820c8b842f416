"""How each library is asked for the same thing. A subject is one library in the process that imports it."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace

import hosts

SOURCE = "\n\n".join(hosts.function_source(f"call{size}", size) for size in hosts.SIZES)


class Bare:
    """No library: the two wrappers and the forwarding metaclass that set the scale, also present in every subject."""

    states = ("untouched", "cpu", "touched", "setting", "scope")
    group = "bench_host.backends"

    def __init__(self) -> None:
        self.x: object = 1
        self.namespace = {}
        self._open = contextlib.ExitStack()
        self._prepare()
        module = hosts.host_module(SOURCE)
        for size in hosts.SIZES:
            function = vars(module)[f"call{size}"]
            self.namespace[f"bare{size}"] = hosts.bare(function)
            self.namespace[f"scoped{size}"] = hosts.scoped(function)
            self.namespace[f"dispatched{size}"] = self.decorate(function)
            plain = vars(hosts.host_module(hosts.class_source(f"Model{size}", size)))[f"Model{size}"]
            header = "(metaclass=Forwarding)"
            source = hosts.class_source(f"Forwarded{size}", size, header=header)
            forwarded = hosts.host_module(source, Forwarding=hosts.Forwarding)
            self.namespace[f"Forwarded{size}"] = vars(forwarded)[f"Forwarded{size}"]
            if (decorated := self.decorate_class(plain)) is not None:
                self.namespace[f"Model{size}"] = decorated

    def _prepare(self) -> None:
        """Import the library."""

    def decorate(self, function):
        return hosts.bare(function)

    def decorate_class(self, class_):
        return class_

    def enter(self, state: str) -> None:
        """Leave the state before, enter this one."""
        self._open.close()
        self._open = contextlib.ExitStack()
        getattr(self, f"_{state}", lambda: None)()


class ByHand(Bare):
    """The least that dispatching costs in Python."""

    def _prepare(self) -> None:
        import bench_fast

        self._adapter = bench_fast

    def decorate(self, function):
        return hosts.by_hand(function, self._adapter)

    def _touched(self) -> None:
        hosts.Chosen.touched = True

    def _setting(self) -> None:
        hosts.Chosen.process = "fast"
        self._open.callback(setattr, hosts.Chosen, "process", None)

    def _scope(self) -> None:
        self._open.callback(hosts.Chosen.scope.reset, hosts.Chosen.scope.set("fast"))


class Scverse(Bare):
    """`scverse_backends`, ours or the released one: both have the public interface that hosts use."""

    def _prepare(self) -> None:
        self.dispatcher = dispatcher()

    def decorate(self, function):
        return self.dispatcher.backend_dispatch(function)

    def decorate_class(self, class_):
        # A row is left out rather than measured on something that does not dispatch.
        decorate = getattr(self.dispatcher, "backend_class", None)
        return decorate(class_) if decorate else None

    def _touched(self) -> None:
        """Use the backend in every way once, and undo it."""
        settings = self.dispatcher.settings
        with settings.use_backend("fast"):
            self.namespace["dispatched1"](1)
        self.namespace["dispatched1"](1, backend="fast")
        self._setting()
        self._open.close()

    def _setting(self) -> None:
        self.dispatcher.settings.backend = "fast"
        self._open.callback(unset, self.dispatcher.settings)

    def _scope(self) -> None:
        self._open.enter_context(self.dispatcher.settings.use_backend("fast"))


class Networkx(Bare):
    """networkx dispatches on a graph, or, as here, without one, on its configuration and `backend=`."""

    states = ("untouched", "cpu", "touched", "setting")
    group = "networkx.backends"

    def _prepare(self) -> None:
        import networkx as nx
        from networkx.utils.backends import _dispatchable

        self._networkx = nx
        self._dispatchable = _dispatchable

    def decorate(self, function):
        return self._dispatchable(graphs=None, returns_graph=True)(function)

    def _setting(self) -> None:
        priority = self._networkx.config.backend_priority
        priority.generators = ["fast"]
        self._open.callback(setattr, priority, "generators", [])


class Spatch(Bare):
    """spatch dispatches on types; a scope can add one, which selects the backend whatever the arguments are."""

    states = ("untouched", "touched", "scope")

    def _prepare(self) -> None:
        import bench_fast
        from spatch.backend_system import BackendSystem

        self._fast = bench_fast.Fast
        names = [f"call{size}" for size in hosts.SIZES]
        backend = SimpleNamespace(
            name="fast",
            primary_types=["bench_fast:Fast"],
            secondary_types=["builtins:int"],
            functions={f"{hosts.MODULE}:{name}": {"function": f"bench_fast:{name}"} for name in names},
            requires_opt_in=False,
        )
        self._system = BackendSystem(None, "BENCH", default_primary_types=["builtins:int"], backends=[backend])

    def decorate(self, function):
        return self._system.dispatchable(["p0"])(function)

    def _scope(self) -> None:
        self._open.enter_context(self._system.backend_opts(type=self._fast))


SUBJECTS = {"bare": Bare, "by hand": ByHand, "ours": Scverse, "0.0.3": Scverse, "networkx": Networkx, "spatch": Spatch}


def dispatcher():
    """Return the dispatcher of the measured host, which trusts the backend `fast` as a careful host would."""
    from scverse_backends import BackendDispatcher

    return BackendDispatcher(
        entrypoint_group="bench_host.backends",
        host_name="bench_host",
        trusted_backends={"fast": {"package": "bench-fast", "entrypoints": ["fast"]}},
    )


def unset(settings) -> None:
    """Undo the process-wide selection; the released version can only select the host again."""
    try:
        del settings.backend
    except AttributeError:
        settings.backend = "cpu"
