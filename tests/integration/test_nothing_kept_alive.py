"""What is gone is freed: failed and unregistered adapters, re-decorated functions, dead dispatchers (2.6, 2.10)."""

from __future__ import annotations

import gc
import sys
import warnings
import weakref
from types import ModuleType

import pytest

from scverse_backends import BackendDispatcher


@pytest.fixture
def dispatcher():
    return BackendDispatcher(entrypoint_group="nobody.backends", host_name="alive", untrusted="allow")


class Adapter:
    name = "mine"

    def double(self, x, *, option=1):
        """Double.

        Parameters
        ----------
        option : int
            An option.
        """
        return ("mine", x)


def decorated(dispatcher):
    def double(x):
        """Double.

        Parameters
        ----------
        x : int
            A number.
        """
        return ("cpu", x)

    return dispatcher.backend_dispatch(double)


def is_freed(reference):
    for _ in range(3):
        gc.collect()
    return reference() is None


def test_an_unregistered_adapter_is_freed(dispatcher):
    double = decorated(dispatcher)
    adapter = Adapter()
    reference = weakref.ref(adapter)
    dispatcher.register(adapter)
    dispatcher.discover()
    double(1, backend="mine")
    double(1, backend=["mine", "cpu"])
    with dispatcher.settings.use_backend("mine"), dispatcher.settings.trace():
        double(1)
    dispatcher.settings.backend = "mine"
    double(1)
    repr(dispatcher.backends())
    dispatcher.settings.explain(double)
    dispatcher.unregister("mine")
    del adapter
    assert is_freed(reference)


def test_an_adapter_class_that_was_registered_is_freed_with_its_instance(dispatcher):
    class Mine(Adapter):
        pass

    references = [weakref.ref(Mine)]
    dispatcher.register(Mine)
    references.append(weakref.ref(dispatcher.get_backend("mine")))
    dispatcher.unregister("mine")
    del Mine
    assert all(map(is_freed, references))


def test_an_adapter_that_could_not_be_registered_is_freed(dispatcher):
    class Broken:
        name = "not a name"

    adapter = Broken()
    reference = weakref.ref(adapter)
    with pytest.raises(ValueError, match="not a name"):
        dispatcher.register(adapter)
    del adapter
    assert is_freed(reference)


def test_a_replaced_function_is_freed_with_everything_that_belongs_to_it(dispatcher):
    dispatcher.register(Adapter())
    first = decorated(dispatcher)
    first(1, backend="mine")
    first(1, backend="cpu")
    references = [weakref.ref(first), weakref.ref(first.__wrapped__)]
    second = decorated(dispatcher)
    dispatcher.discover()
    del first
    assert all(map(is_freed, references))
    assert second(1, backend="mine") == ("mine", 1)
    assert dispatcher.functions()["double"] is second


def test_a_thousand_reloads_leave_one_function(dispatcher):  # section 10
    dispatcher.register(Adapter())
    double = None
    for _ in range(1000):
        double = decorated(dispatcher)
    gc.collect()
    assert len(list(dispatcher._machinery.records)) == 1
    assert double(1, backend="mine") == ("mine", 1)


def test_a_dead_dispatcher_is_freed():
    dispatcher = BackendDispatcher(entrypoint_group="nobody.backends", host_name="alive", untrusted="allow")
    double = decorated(dispatcher)
    adapter = Adapter()
    dispatcher.register(adapter)
    double(1, backend="mine")
    with dispatcher.settings.use_backend("mine"):
        double(1)
    dispatcher.settings.backend = "mine"
    double(1)
    references = [weakref.ref(one) for one in (dispatcher, double, adapter)]
    del dispatcher, double, adapter
    assert all(map(is_freed, references))


def test_dispatchers_come_and_go_without_a_trace():
    def come_and_go():
        dispatcher = BackendDispatcher(entrypoint_group="nobody.backends", host_name="alive", untrusted="allow")
        dispatcher.register(Adapter())
        decorated(dispatcher)(1, backend="mine")

    come_and_go()
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(300):
        come_and_go()
    gc.collect()
    # One object for each of them would be three hundred; some dozens are what an interpreter caches.
    assert len(gc.get_objects()) - before < 150


class Heavy:
    """Stands for the data that a frame holds."""


@pytest.mark.parametrize("where", ["module", "class", "name"])
def test_a_load_error_holds_no_frames(dispatcher, monkeypatch, where):  # 2.6
    held = []

    def fail():
        heavy = Heavy()
        held.append(weakref.ref(heavy))
        try:
            raise KeyError("inner")
        except KeyError:
            raise RuntimeError("outer", where)  # noqa: B904 - the context is part of the test.

    class FailingClass:
        name = "failing"

        def __init__(self):
            fail()

    class FailingName:
        @property
        def name(self):
            return fail()

    loads = {"module": fail, "class": lambda: FailingClass, "name": FailingName}

    class EntryPoint:
        name, value, group, dist = "failing", "failing", "nobody.backends", None

        def load(self):
            return loads[where]()

    monkeypatch.setattr("importlib.metadata.entry_points", lambda *, group: [EntryPoint()])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        dispatcher.discover()
    assert len(caught) == 1
    del caught
    [info] = dispatcher.backends()
    assert info.state == "failed"
    # What is kept is the exception, what is behind it, and not one frame of either.
    assert type(info.error) is RuntimeError
    assert info.error.__traceback__ is None
    assert info.error.__context__.__traceback__ is None
    assert all(map(is_freed, held))
    assert len(held) == 1


def test_a_failed_module_is_freed(site):  # 2.6
    site.install(
        "bad-distribution",
        modules={
            "bad_backend.py": """
                import weakref, hosted, sys
                class Heavy: pass
                heavy = Heavy()
                hosted.reference = weakref.ref(heavy)
                raise RuntimeError("no")
                """
        },
        entry_points={"bad": "bad_backend"},
    )
    freed = site.run(
        """
        import gc, warnings, hosted
        warnings.simplefilter("ignore")
        hosted.dispatcher.discover()
        try:
            hosted.double(2, backend="bad")
        except ImportError:
            pass
        gc.collect()
        states = [info.state for info in hosted.dispatcher.backends() if info.name == "bad"]
        report([hosted.reference() is None, states])
        """
    )
    assert freed == [True, ["failed"]]


def test_a_fresh_object_at_every_access_leaks_nothing(dispatcher):  # 4.11
    made = []

    class Fresh:
        name = "fresh"

        @property
        def double(self):
            def implementation(x, *, option=1):
                return ("fresh", x)

            made.append(weakref.ref(implementation))
            return implementation

    dispatcher.register(Fresh())
    double = decorated(dispatcher)
    for _ in range(50):
        assert double(1, backend="fresh") == ("fresh", 1)
    gc.collect()
    # The plan of the last call is kept, and what merging read.
    assert len([reference for reference in made if reference() is not None]) <= 2


def test_modules_are_reloaded_without_leaving_their_functions_behind(dispatcher, monkeypatch):  # 2.9
    module = ModuleType("reloaded_host")
    monkeypatch.setitem(sys.modules, "reloaded_host", module)
    module.dispatcher = dispatcher
    source = "@dispatcher.backend_dispatch\ndef double(x):\n    return ('cpu', x)\n"
    dispatcher.register(Adapter())
    exec(source, vars(module))
    references = [weakref.ref(module.double)]
    for _ in range(5):
        exec(source, vars(module))
        references.append(weakref.ref(module.double))
        module.double(1, backend="mine")
    assert [is_freed(reference) for reference in references] == [True] * 5 + [False]
