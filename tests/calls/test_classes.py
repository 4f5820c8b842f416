"""Complete classes: section 6, each kind of class beside its undecorated twin."""

from __future__ import annotations

import abc
import collections
import copy
import enum
import gc
import importlib.util
import inspect
import pickle
import pydoc
import re
import subprocess
import sys
import typing
import warnings
import weakref
from pathlib import Path
from typing import Any

import cloudpickle
import pytest
from hypothesis import given
from hypothesis import strategies as st
from labs import adapter, make

from scverse_backends.exceptions import (
    BackendContractError,
    DroppedArgumentWarning,
    FallbackWarning,
    FunctionNotImplementedError,
)

ZOO = Path(__file__).with_name("class_zoo.py")


def load_zoo(name, **namespace):
    spec = importlib.util.spec_from_file_location(name, ZOO)
    module = importlib.util.module_from_spec(spec)
    vars(module).update(namespace)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


PLAIN = load_zoo("class_zoo_plain")
DISPATCHER = make("class_lab")
ZOO_OF_HOST = load_zoo("class_zoo_of_host", decorate=DISPATCHER.backend_class)


class Theirs:
    def __init__(self, size, speed=1):
        self.size = size
        self.speed = speed


KINDS = sorted(PLAIN.KINDS)
every_kind = pytest.mark.parametrize("kind", KINDS)
DISPATCHER.register(adapter(**dict.fromkeys(KINDS, Theirs)))


def place(signature, name="backend"):
    """Return a signature without what dispatching adds."""
    kept = [p for p in signature.parameters.values() if p.name not in (name, "speed")]
    return signature.replace(parameters=kept)


# -- the zoo: each kind as its twin ----------------------------------------------------------------------------------


@every_kind
def test_host_runs_as_the_twin(kind):
    host, twin = ZOO_OF_HOST.KINDS[kind], PLAIN.KINDS[kind]
    made, expected = host(size=3), twin(size=3)
    assert type(made) is host
    assert made.total() == expected.total() == 12
    assert host(size=5, backend="cpu").total() == 20
    assert isinstance(made, host)
    assert not isinstance(expected, host)
    assert issubclass(host, host)
    assert inspect.isabstract(host) == inspect.isabstract(twin)


@every_kind
def test_construction_dispatches(kind):
    host = ZOO_OF_HOST.KINDS[kind]
    for _ in range(2):
        made = host(size=3, backend="fast", speed=7)
        assert type(made) is Theirs
        assert (made.size, made.speed) == (3, 7)
    with DISPATCHER.settings.use_backend("fast"):
        assert type(host(size=3)) is Theirs
        assert type(host(size=3, backend="cpu")) is host
    assert type(host(size=3, backend=None)) is host


@every_kind
def test_signature_is_the_twin_s_and_the_backend_s(kind):
    host, twin = ZOO_OF_HOST.KINDS[kind], PLAIN.KINDS[kind]
    shown = inspect.signature(host)
    assert list(shown.parameters)[-2:] == ["speed", "backend"]
    if kind in {"OfMetaclass", "OfAbstractMetaclass"}:
        # Their metaclass passes everything on, so that what can be given is what the constructor takes.
        twin = twin.__init__
        shown = shown.replace(
            parameters=[inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD), *shown.parameters.values()]
        )
    expected = inspect.signature(twin)
    assert str(place(shown)) == str(expected)


@every_kind
def test_the_class_itself_looks_like_the_twin(kind):
    host, twin = ZOO_OF_HOST.KINDS[kind], PLAIN.KINDS[kind]
    assert (host.__name__, host.__qualname__) == (twin.__name__, twin.__qualname__)
    assert inspect.getsource(host) == inspect.getsource(twin)
    assert [base.__name__ for base in host.__mro__] == [base.__name__ for base in twin.__mro__]
    ours = {"_scverse_backends", "__signature__", "__abstractmethods__", "_abc_impl", "__slotnames__"}
    # Python 3.14 and later keep there whether the annotations were looked at already.
    ours |= {"__annotate_func__", "__annotations_cache__"}
    assert vars(host).keys() - ours == vars(twin).keys() - ours
    assert typing.get_type_hints(host) == typing.get_type_hints(twin)
    assert getattr(host, "__slots__", None) == getattr(twin, "__slots__", None)
    assert hasattr(host(size=1), "__dict__") == hasattr(twin(size=1), "__dict__")


@every_kind
def test_help_shows_nothing_private_of_ours(kind):
    host, twin = ZOO_OF_HOST.KINDS[kind], PLAIN.KINDS[kind]

    def shown(cls):
        """Return the names of the attributes that help shows."""
        text = pydoc.plain(pydoc.render_doc(cls))
        return set(re.findall(r"^ \|  (\w+)(?:\(| = )", text, re.MULTILINE))

    # Python's own, which every class with an abstract base, with a signature of its own or once pickled shows.
    standard = {"__abstractmethods__", "__signature__", "__slotnames__"}
    if hasattr(twin, "_fields"):  # Of a named tuple, help shows what begins with an underscore, too.
        standard |= {"_abc_impl", "_scverse_backends"}
    assert "__signature__" in shown(host)
    assert shown(host) - shown(twin) <= standard


@every_kind
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles(kind, protocol):
    host, twin = ZOO_OF_HOST.KINDS[kind], PLAIN.KINDS[kind]
    assert pickle.loads(pickle.dumps(host, protocol)) is host
    try:
        pickle.dumps(twin(size=3), protocol)
    except TypeError:
        # Slots need protocol 2, of the twin as well.
        with pytest.raises(TypeError):
            pickle.dumps(host(size=3), protocol)
        return
    restored = pickle.loads(pickle.dumps(host(size=3), protocol))
    assert type(restored) is host
    assert restored.total() == 12


@every_kind
def test_copies(kind):
    host = ZOO_OF_HOST.KINDS[kind]
    made = host(size=3)
    assert copy.copy(host) is copy.deepcopy(host) is host
    for restored in (copy.copy(made), copy.deepcopy(made)):
        assert type(restored) is host
        assert restored.total() == 12


@every_kind
def test_subclasses_are_normal_classes(kind):
    # Section 6: only the decorated class dispatches.
    host, twin = ZOO_OF_HOST.KINDS[kind], PLAIN.KINDS[kind]
    keywords = {"flag": 4} if kind == "OfAnnounced" else {}
    sub, twin_sub = type(host)("Sub", (host,), {}, **keywords), type(twin)("Sub", (twin,), {}, **keywords)
    assert str(inspect.signature(sub)) == str(inspect.signature(twin_sub))
    with DISPATCHER.settings.use_backend("fast"):
        made = sub(size=3)
    assert type(made) is sub
    assert isinstance(made, host)
    assert made.total() == 12
    for given_ in ("fast", "cpu", None):
        with pytest.raises(TypeError) as ours:
            sub(size=3, backend=given_)
        with pytest.raises(TypeError) as theirs:
            twin_sub(size=3, backend=given_)
        assert str(ours.value) == str(theirs.value)


@every_kind
def test_a_subclass_may_inherit_other_things_too(kind):
    host, twin = ZOO_OF_HOST.KINDS[kind], PLAIN.KINDS[kind]
    if type(host).__name__.startswith("Dispatching") and not isinstance(twin, abc.ABCMeta):
        pytest.skip("the undecorated class has a metaclass that conflicts with these")
    keywords = {"flag": 4} if kind == "OfAnnounced" else {}

    class Closing(abc.ABC):
        @abc.abstractmethod
        def close(self): ...

    class Opened(typing.Protocol):
        def open(self): ...

    @DISPATCHER.backend_class
    class Second:
        __slots__ = ()

    unfinished = type(host)("Unfinished", (host, Closing), {}, **keywords)
    assert inspect.isabstract(unfinished)
    if not issubclass(host, (dict, tuple, Exception)):  # Python itself does not prevent it for subclasses of these.
        with pytest.raises(TypeError, match="abstract"):
            unfinished(size=3)
    finished = type(host)("Finished", (unfinished,), {"close": len}, **keywords)
    assert finished(size=3).size == 3
    assert isinstance(finished(size=3), Closing)
    of_protocol = type(host)("OfProtocol", (host, Opened), {"open": len}, **keywords)
    assert of_protocol(size=3).size == 3
    both = type(host)("Both", (host, Second), {}, **keywords)
    with DISPATCHER.settings.use_backend("fast"):
        assert type(both(size=3)) is both


@every_kind
def test_docs_show_the_options(kind):
    host = ZOO_OF_HOST.KINDS[kind]
    if PLAIN.KINDS[kind].__doc__ is None:
        assert host.__doc__ is None
        return
    assert "speed (fast)" in host.__doc__
    if kind != "PlainDataOutside":  # Its text was written after ours, from the signature.
        assert "backend : " in host.__doc__


def test_undecorated_subclasses_of_builtins():
    # ``Exception`` and ``dict`` tell their own signature, in the words of each Python version.
    for base in (Exception, dict, int, list):
        dispatched = DISPATCHER.backend_class(type("Base", (base,), {"__init__": lambda self, x=0: None}))
        twin = type("Base", (base,), {"__init__": lambda self, x=0: None})
        assert str(inspect.signature(type("Sub", (dispatched,), {}))) == str(
            inspect.signature(type("Sub", (twin,), {}))
        )


# -- what other decorators and libraries do with classes -------------------------------------------------------------


def test_init_subclass_runs_once_and_registries_know_the_class():
    announced, host = ZOO_OF_HOST.Announced, ZOO_OF_HOST.OfAnnounced
    assert announced.registry["OfAnnounced"] is host
    assert host in announced.by_flag[4]
    assert [cls for cls in announced.by_flag[4] if cls.__name__ == "OfAnnounced"] == [host]
    plain = PLAIN.Announced
    assert plain.runs.count(4) >= 1
    dispatcher = make("class_lab")

    class Base:
        runs = 0

        def __init_subclass__(cls, **keywords):
            Base.runs += 1

    dispatcher.backend_class(type("Sub", (Base,), {}))
    assert Base.runs == 1


def test_local_classes_find_themselves():
    local = ZOO_OF_HOST.made_in_function()
    assert local(size=3).again() is local
    assert local(size=3).total() == 12
    assert local(size=3) is not local(size=3)


def test_instances_that_can_be_called_keep_their_signature():
    made = ZOO_OF_HOST.Described(size=1)
    assert str(inspect.signature(made)) == "(extra)"
    assert not hasattr(made, "__signature__")


def test_a_class_built_anew_by_a_decorator_outside_ours_dispatches():
    host = ZOO_OF_HOST.DataOutside
    assert DISPATCHER.functions()["DataOutside"] is host
    assert type(host(3, backend="fast")) is Theirs
    assert DISPATCHER.settings.explain(host, backend="fast").executes == "fast"


def test_a_class_of_the_same_namespace_and_another_name_does_not_dispatch():
    host = ZOO_OF_HOST.Plain
    other = type(host)("Other", host.__bases__, dict(vars(host)))
    assert type(host(3, backend="fast")) is Theirs
    with pytest.raises(TypeError):
        other(3, backend="fast")


def test_generic_aliases_dispatch():
    for kind in ("Generics", "TypeParameters", "Subscribed"):
        host = ZOO_OF_HOST.KINDS[kind]
        assert type(host[int](3)) is host
        assert type(host[int](3, backend="fast")) is Theirs


def test_own_signature_of_the_host_is_kept():
    dispatcher = make("class_lab")
    shown = inspect.signature(lambda a, b=1: None)

    class Fixed:
        __signature__ = shown

        def __init__(self, *args, **kwargs):
            self.given = args, kwargs

    class Computed(Fixed):
        class Descriptor:
            def __get__(self, instance, owner):
                return shown.replace(return_annotation=owner.__name__)

        __signature__ = Descriptor()

    fixed, computed = dispatcher.backend_class(Fixed), dispatcher.backend_class(Computed)
    assert list(inspect.signature(fixed).parameters) == ["a", "b", "backend"]
    assert inspect.signature(computed).return_annotation == "Computed"
    assert inspect.signature(type("Sub", (fixed,), {})) == shown
    assert inspect.signature(type("Sub", (computed,), {})).return_annotation == "Sub"
    again = dispatcher.backend_class(type("Again", (fixed,), {}))
    assert list(inspect.signature(again).parameters) == ["a", "b", "backend"]
    assert fixed(1, b=2).given == ((1,), {"b": 2})


def test_subclass_that_is_decorated_as_well():
    dispatcher = make("class_lab")

    @dispatcher.backend_class
    class Base:
        def __init__(self, size):
            self.size = size

    @dispatcher.backend_class
    class Sub(Base):
        def __init__(self, size, more=0):
            super().__init__(size)
            self.more = more

    dispatcher.register(adapter(Sub=Theirs))
    assert (Sub(1, 2).more, type(Sub(1, backend="fast"))) == (2, Theirs)
    with pytest.warns(FallbackWarning):
        assert type(Base(1, backend="fast")) is Base
    assert list(inspect.signature(Sub).parameters) == ["size", "more", "speed", "backend"]
    assert list(inspect.signature(Base).parameters) == ["size", "backend"]


def test_two_dispatched_bases_of_different_metaclasses():
    dispatcher = make("class_lab")

    class MetaA(type):
        def __call__(cls, *args, **kwargs):
            return super().__call__(*args, **kwargs)

    class MetaB(type):
        pass

    a = dispatcher.backend_class(MetaA("A", (), {}))
    b = dispatcher.backend_class(type("B", (), {}))
    abstract = dispatcher.backend_class(abc.ABCMeta("C", (), {}))
    other = dispatcher.backend_class(MetaB("D", (), {}))
    assert type(a) is type(dispatcher.backend_class(MetaA("A2", (), {})))

    class Both(a, b): ...

    class Three(b, abstract): ...

    assert isinstance(Both(), a)
    assert isinstance(Three(), abstract)
    with pytest.raises(TypeError, match="metaclass conflict"):
        type(a)("All", (a, other), {})


def test_own_metaclass_on_top_of_ours():
    dispatcher = make("class_lab")
    base = dispatcher.backend_class(type("Base", (), {}))

    class Counting(type(base)):
        calls = 0

        def __call__(cls, *args, **kwargs):
            Counting.calls += 1
            return super().__call__(*args, **kwargs)

    class Sub(base, metaclass=Counting):
        def __init__(self, size=1):
            self.size = size

    sub = dispatcher.backend_class(Sub)
    dispatcher.register(adapter(Sub=Theirs))
    assert type(sub(2)) is Sub
    assert type(sub(2, backend="fast")) is Theirs
    assert Counting.calls == 2


def test_abstract_class_constructs_on_the_backend_only():
    dispatcher = make("class_lab")

    @dispatcher.backend_class
    class Model(abc.ABC):
        def __init__(self, size):
            self.size = size

        @abc.abstractmethod
        def fit(self): ...

    dispatcher.register(adapter(Model=Theirs))
    with pytest.raises(TypeError, match="abstract"):
        Model(1)
    assert type(Model(1, backend="fast")) is Theirs
    Model.register(Theirs)
    assert isinstance(Theirs(1), Model)
    # Only abstract classes look at what is registered with them.
    plain = dispatcher.backend_class(type("Plain", (), {}))
    plain.register(Theirs)
    assert not isinstance(Theirs(1), plain)


def test_slots_that_are_used_up():
    with pytest.raises(TypeError, match="__slots__ were an iterator"):
        make("class_lab").backend_class(type("Used", (), {"__slots__": iter(("a",))}))


def test_replaced_classes_are_freed():
    dispatcher = make("class_lab")
    made = dispatcher.backend_class(type("Model", (ZOO_OF_HOST.Quadruple,), {"__init__": lambda self, size: None}))
    assert list(dispatcher.functions()) == ["Model"]
    dead = weakref.ref(made)
    del made
    gc.collect()
    assert dead() is None
    assert dict(dispatcher.functions()) == {}


# -- refused ---------------------------------------------------------------------------------------------------------


class Colour(enum.Enum):
    RED = 1


class Wanted(typing.Protocol):
    size: int


class Movie(typing.TypedDict):
    title: str


def test_clear_errors():
    dispatcher = make("class_lab")
    model = type("Model", (), {})
    decorated = dispatcher.backend_class(model)
    for what, words in [
        (len, "len is not a class: decorate functions with backend_dispatch"),
        (3, "3 is not a class"),
        (decorated, "Model is decorated already"),
        (bool, "bool cannot be dispatched: it is implemented in C or cannot be subclassed"),
        (int, "int cannot be dispatched"),
        (Colour, "Colour is an enumeration"),
        (Wanted, "a protocol, which nobody constructs"),
        (Movie, "a typed dictionary"),
        (type("A", (), {"__init__": lambda self, backend=None: None}), "parameter 'backend' of its own"),
        (type("A", (), {"__init__": lambda self, *args: None}), r"takes \*args"),
        (type("A", (), {"__signature__": 3}), "cannot be inspected"),
    ]:
        with pytest.raises(TypeError, match=words):
            dispatcher.backend_class(what)
    with pytest.raises(TypeError, match="decorate it with backend_class"):
        dispatcher.backend_dispatch(model)


def test_metaclass_that_cannot_be_derived_from():
    class Final(type):
        def __init_subclass__(cls):
            raise TypeError("no more")

    with pytest.raises(TypeError, match="cannot be given a metaclass that dispatches") as caught:
        make("class_lab").backend_class(Final("Model", (), {}))
    assert "Dispatch a function that constructs it" in str(caught.value)


@pytest.mark.parametrize("export", [len, 3, "theirs", lambda size: None])
def test_export_that_is_no_class(export):
    dispatcher = make("class_lab")
    host = dispatcher.backend_class(type("Model", (), {"__init__": lambda self, size=1: None}))
    dispatcher.register(adapter(Model=export))
    with pytest.raises(BackendContractError, match="its 'Model' is not a class of its own but"):
        host(backend="fast")


def test_export_that_is_the_host_s_own_class():
    dispatcher = make("class_lab")
    host = dispatcher.backend_class(type("Model", (), {"__init__": lambda self, size=1: None}))
    dispatcher.register(adapter(Model=host))
    with pytest.raises(BackendContractError, match="the host's own dispatched class"):
        host(backend="fast")


# -- routing, policies and reports: sections 4, 5 and 7 apply to constructors ----------------------------------------


def lab():
    """Return a dispatcher with one host class and the class of one backend, which both keep what they were given."""
    dispatcher = make("class_lab")

    @dispatcher.backend_class
    class Model:
        """Host class.

        Parameters
        ----------
        x
            Input.
        """

        def __init__(self, x, k=1, host_only=2, *, flag=False):
            self.given = x, k, host_only, flag

    class Fast:
        """Fast class.

        Parameters
        ----------
        speed
            How fast.
        """

        def __init__(self, x, k=5, *, flag=True, speed: int = 9):
            self.given = x, k, flag, speed

    dispatcher.register(adapter(Model=Fast))
    return dispatcher, Model, Fast


def test_arguments_are_routed_against_the_two_constructors():
    # 4.2
    _, model, _ = lab()
    assert model(0, backend="fast").given == (0, 5, True, 9)
    assert model(0, 1, backend="fast").given == (0, 1, True, 9)
    assert model(x=0, flag=False, speed=3, backend="fast").given == (0, 5, False, 3)
    assert model(0, host_only=2, backend="fast").given == (0, 5, True, 9)
    with pytest.warns(DroppedArgumentWarning, match="host_only") as caught:
        model(0, host_only=3, backend="fast")
    assert caught[0].filename == __file__
    assert model(0, backend="cpu").given == model(0).given == (0, 1, 2, False)


def test_wrong_calls():
    # 4.9, on the short way and the long way, by the host's name
    dispatcher, model, _ = lab()
    for _ in range(2):
        with pytest.raises(TypeError, match=r"unexpected keyword argument 'speed'.*Loaded backends that do: 'fast'"):
            model(0, speed=3)
        with pytest.raises(TypeError, match="unexpected keyword argument 'wrong'"):
            model(0, wrong=3)
        with pytest.raises(TypeError, match=r"Model.* got an unexpected keyword argument 'wrong'"):
            model(0, wrong=3, backend="fast")
        with pytest.raises(TypeError, match="missing"):
            model(backend="fast")
        with dispatcher.settings.use_backend("cpu"), pytest.raises(TypeError, match="Loaded backends that do: 'fast'"):
            model(0, speed=3)


def test_orders_and_can_run():
    # 1.9 and 4.12
    dispatcher, model, fast = lab()

    class Choosy(fast):
        @staticmethod
        def can_run(x, k=5, **_):
            return x > 0 or "x must be positive"

    dispatcher.register(adapter("choosy", Model=Choosy))
    assert type(model(1, backend=["choosy", "fast"])) is Choosy
    assert type(model(0, backend=["choosy", "fast"])) is fast
    with pytest.warns(FallbackWarning, match="x must be positive"):
        assert type(model(0, backend="choosy")) is model
    explained = dispatcher.settings.explain(model, backend="choosy")
    assert (explained.executes, explained.requested) == ("choosy", "choosy")


def test_fallback_policies():
    # 4.6
    dispatcher = make("class_lab")
    host = dispatcher.backend_class(type("Model", (), {"__init__": lambda self, size=1: None}))
    dispatcher.register(adapter(other=Theirs))
    with pytest.warns(FallbackWarning):
        assert type(host(backend="fast")) is host
    with dispatcher.settings.use_backend("fast"):
        assert type(host()) is host
    with dispatcher.settings.use_backend("fast", fallback="raise"), pytest.raises(FunctionNotImplementedError):
        host()


def test_reports():
    # 7.1 to 7.3 and 7.6
    dispatcher, model, fast = lab()
    assert dict(dispatcher.functions()) == {"Model": model}
    assert dispatcher.backends()[0].functions == ("Model",)
    with dispatcher.settings.trace() as calls:
        assert type(model(0, backend="fast")) is fast
        assert type(model(0)) is model
    assert [(call.function, call.executed, call.source) for call in calls] == [
        ("Model", "fast", "argument"),
        ("Model", "cpu", "default"),
    ]
    assert dispatcher.settings.explain(model, backend="fast").executes == "fast"


def test_name_of_the_export():
    dispatcher = make("class_lab")
    host = dispatcher.backend_class(name="FastModel")(type("Model", (), {"__init__": lambda self, size: None}))
    dispatcher.register(adapter(FastModel=Theirs))
    assert type(host(1, backend="fast")) is Theirs
    assert dict(dispatcher.functions()) == {"FastModel": host}


def test_signature_and_docs_follow_the_backends():
    # 5.1, 5.2 and 2.10
    dispatcher, model, _ = lab()
    dispatcher.discover()
    assert str(inspect.signature(model)) == (
        "(x, k=1, host_only=2, *, flag=False, speed: int = 9, "
        "backend: str | collections.abc.Sequence[str] | None = None)"
    )
    assert "speed (fast)" in model.__doc__
    assert "How fast." in model.__doc__
    assert "speed" not in str(inspect.signature(model.__init__))
    dispatcher.unregister("fast")
    assert "speed" not in inspect.signature(model).parameters
    assert "speed" not in model.__doc__
    assert "backend : " in model.__doc__


def test_backend_class_that_inherits_from_the_host_s():
    dispatcher = make("class_lab")

    @dispatcher.backend_class
    class Model:
        def __init__(self, size, gain=1):
            self.size = size
            self.gain = gain
            self.constructed = getattr(self, "constructed", 0) + 1

        def smaller(self):
            return Model(self.size - 1)

    class Fast(Model):
        def __init__(self, size, speed=1):
            super().__init__(size, gain=speed)

        @classmethod
        def host(cls):
            return Model(3)

    dispatcher.register(adapter(Model=Fast))
    made = Model(2, backend="fast", speed=4)
    assert isinstance(made, Model)
    assert (type(made), made.gain, made.constructed) == (Fast, 4, 1)
    # 4.8 holds while the backend constructs, not after it.
    assert type(made.smaller()) is Model
    with dispatcher.settings.use_backend("fast"):
        assert type(made.smaller()) is Fast
        assert type(Fast(1)) is Fast


def test_construction_inside_the_backend_s_construction_is_the_host_s():
    # 4.8
    dispatcher = make("class_lab")

    @dispatcher.backend_class
    class Model:
        def __init__(self, size=1):
            self.size = size

    class Fast:
        def __init__(self, size=1):
            self.inner = Model(size)

    dispatcher.register(adapter(Model=Fast))
    with dispatcher.settings.use_backend("fast"):
        assert type(Model().inner) is Model


def test_a_subclass_may_have_a_parameter_backend():
    _, model, _ = lab()

    class Sub(model):
        def __init__(self, x, backend="mine"):
            super().__init__(x)
            self.backend = backend

    assert [Sub(1).backend, Sub(1, backend=None).backend, Sub(1, "b").backend] == ["mine", None, "b"]
    assert str(inspect.signature(Sub)) == "(x, backend='mine')"


# -- cloudpickle -----------------------------------------------------------------------------------------------------

PROGRAM = """
import abc, pickle, sys, warnings
warnings.simplefilter("ignore")
import hostlab
dispatcher = hostlab.dispatcher

class Passing(type):
    def __call__(cls, *args, **kwargs):
        return super().__call__(*args, **kwargs)

class Base:
    def __init__(self, size, gain=2):
        self.size = size * gain
    def again(self):
        return __class__(self.size)

@dispatcher.backend_class
class Model(Base):
    def __init__(self, size, gain=2):
        super().__init__(size, gain)

@dispatcher.backend_class
class Meta(Base, metaclass=Passing):
    def __init__(self, size, gain=2):
        super().__init__(size, gain)

@dispatcher.backend_class
class Abstract(Base, abc.ABC):
    def __init__(self, size, gain=2):
        super().__init__(size, gain)

import cloudpickle
sys.stdout.buffer.write(cloudpickle.dumps((Model, Meta, Abstract, [Model(1), Meta(1), Abstract(1)])))
"""

HOST = """
from scverse_backends import BackendDispatcher
dispatcher = BackendDispatcher(entrypoint_group="hostlab.backends", host_name="hostlab", untrusted="allow")
class Theirs:
    def __init__(self, size, speed=1):
        self.size = size, speed
class Adapter:
    name = "fast"
    Model = Meta = Abstract = Theirs
dispatcher.register(Adapter())
"""

READER = """
import inspect, pickle, sys
*classes, made = pickle.loads(sys.stdin.buffer.read())
import hostlab
for cls, one in zip(classes, made):
    assert type(one) is cls and one.size == 2
    assert cls(3).size == 6, cls
    assert type(cls(3, backend="fast", speed=2)) is hostlab.Theirs
    assert cls(3, backend="cpu").size == 6
    assert list(inspect.signature(cls).parameters) == ["size", "gain", "speed", "backend"], inspect.signature(cls)
    assert type(type("Sub", (cls,), {})(1)).__name__ == "Sub"
    assert hostlab.dispatcher.settings.explain(cls, backend="fast").executes == "fast"
print(sorted(hostlab.dispatcher.functions()))
"""


def test_cloudpickled_by_value_into_a_fresh_process(tmp_path):
    # 1.7
    (tmp_path / "hostlab.py").write_text(HOST)

    def run(program, data=None):
        command = [sys.executable, "-c", program]
        return subprocess.run(command, input=data, cwd=tmp_path, check=True, capture_output=True).stdout

    read = run(READER, run(PROGRAM))
    assert read.decode().strip() == "['Abstract', 'Meta', 'Model']"


def test_cloudpickled_where_it_lives_is_a_class_of_its_own():
    local = ZOO_OF_HOST.made_in_function()
    copied = cloudpickle.loads(cloudpickle.dumps(local))
    assert copied(size=3).total() == 12
    assert local(size=3).total() == 12


# -- signatures, as hypothesis finds them ----------------------------------------------------------------------------

NAMES = ("a", "b", "c", "d")


@st.composite
def parameter_lists(draw):
    """Return the text of parameters: some positional-only, some keyword-only, with defaults."""
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=4))
    only = draw(st.integers(0, len(names)))
    keywords = draw(st.integers(only, len(names)))
    first_default = draw(st.integers(0, len(names)))
    texts = []
    for position, name in enumerate(names):
        default = position >= first_default if position < keywords else draw(st.booleans())
        texts.append(name + ("=None" if default else ""))
    parts = texts[:only] + (["/"] if only else []) + texts[only:keywords]
    if keywords < len(names):
        parts += ["*", *texts[keywords:]]
    if draw(st.booleans()):
        parts.append("**rest")
    return ", ".join(parts)


@st.composite
def hierarchies(draw):
    """Return the constructors of each of up to three classes, each inheriting from the one before."""
    body = st.fixed_dictionaries({}, optional={"__init__": parameter_lists(), "__new__": parameter_lists()})
    return draw(st.lists(body, min_size=2, max_size=4))


def build(bodies, decorate, mixin):
    cls = object
    for level, body in enumerate(bodies):
        namespace: dict[str, Any] = {"__module__": __name__}
        for name, parameters in body.items():
            first = "self" if name == "__init__" else "cls"
            exec(f"def {name}({', '.join(filter(None, [first, parameters]))}): pass", namespace)
        namespace.pop("__builtins__", None)
        bases = (cls,) if level or not mixin else (cls, mixin) if cls is not object else (mixin,)
        cls = type(cls if cls is not object else object)(f"C{level}", bases, namespace)
        if level == 0:
            cls = decorate(cls)
    return cls


@given(hierarchies(), st.sampled_from([None, dict, Exception]))
def test_undecorated_subclasses_show_what_their_twin_shows(bodies, mixin):
    def shown(cls):
        try:
            return str(inspect.signature(cls))
        except ValueError as error:
            return type(error)

    dispatcher = make("class_lab")

    def decorate(cls):
        try:
            return dispatcher.backend_class(cls)
        except TypeError as error:
            assert "*args" in str(error) or "inspected" in str(error)  # noqa: PT017 - only these may be refused.
            return cls

    assert shown(build(bodies, decorate, mixin)) == shown(build(bodies, lambda cls: cls, mixin))


@given(parameter_lists())
def test_decorated_class_shows_the_constructor_and_backend(parameters):
    bodies = [{"__init__": parameters}]
    host, twin = build(bodies, make("class_lab").backend_class, None), build(bodies, lambda cls: cls, None)
    assert place(inspect.signature(host)) == inspect.signature(twin)
    assert "backend" in inspect.signature(host).parameters


def test_collections_of_the_zoo_are_complete():
    # Both loads must have run the whole file.
    assert set(ZOO_OF_HOST.KINDS) == set(PLAIN.KINDS)
    assert collections.Counter(KINDS).most_common(1)[0][1] == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        DISPATCHER.settings.explain(ZOO_OF_HOST.Plain)
