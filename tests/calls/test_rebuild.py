"""Giving a class another metaclass: what is repaired, and what is left alone."""

from __future__ import annotations

import weakref
from typing import Any, ClassVar

import pytest

from scverse_backends._calls.rebuild import with_metaclass


class Meta(type):
    pass


def test_metaclass_that_is_a_python_class_is_changed_in_place():
    class Derived(Meta):
        pass

    class Model(metaclass=Meta):
        pass

    assert with_metaclass(Model, Derived) is Model
    assert type(Model) is Derived


def test_closures_are_repaired_wherever_they_are_held():
    class Foreign:
        @property
        def fget(self):
            raise RuntimeError("foreign")

    class Holder:
        def __init__(self, function):
            self.function = function
            self.again = self

    def unbound():
        return later

    class Model:
        foreign = Foreign()
        held = Holder(lambda: __class__)
        in_tuple = ([lambda: __class__], {"a": lambda: __class__})
        data = tuple(range(2000))
        unbound_name = staticmethod(unbound)

        def method(self):
            return __class__

    if False:
        later = 1
    functions = [Model.held.function, Model.in_tuple[0][0], Model.in_tuple[1]["a"], lambda: Model().method()]
    built = with_metaclass(Model, Meta)
    Model = built
    assert [function() for function in functions] == [built] * 4


def test_chains_of_wrappers_end_somewhere():
    class Model:
        def method(self):
            return __class__

        def deep(self):
            return None

    inner: Any = Model.__dict__["deep"]
    for _ in range(30):
        holder = type("Holder", (), {})()
        holder.inner = inner
        inner = holder
    Model.attribute = inner
    built = with_metaclass(Model, Meta)
    assert built().method() is built


def test_names_of_slots_and_descriptors_of_other_classes_stay():
    class Other:
        __slots__ = ("x",)

    class Model:
        __slots__ = ("a",)
        borrowed = Other.__dict__["x"]
        __dict__ = {"mine": 1}

    built = with_metaclass(Model, Meta)
    assert vars(built)["borrowed"] is Other.__dict__["x"]
    assert built.__dict__["__dict__"] == {"mine": 1}
    made = built()
    made.a = 1
    assert made.a == 1
    assert not hasattr(made, "b")


REGISTRY: dict[str, Any] = {}
LATEST: Any = None


def test_registries_know_the_new_class_only():
    local: list[Any] = []
    names = weakref.WeakValueDictionary()

    class Stubborn(dict):
        def __setitem__(self, key, value):
            if key in self:
                raise KeyError(key)
            super().__setitem__(key, value)

    class Base:
        every: ClassVar[set[type]] = set()
        weak: ClassVar[Any] = weakref.WeakSet()
        others: ClassVar[set[type]] = {int}
        by_class: ClassVar[dict[type, type]] = {}
        deep: ClassVar[dict[str, Any]] = {"a": {"b": {"c": {}}}}
        stubborn: ClassVar[dict[str, type]] = Stubborn()
        latest = None
        runs = 0

        def __init_subclass__(cls, *, needed, **keywords):
            global LATEST  # noqa: PLW0603 - a registry may be a global name.
            super().__init_subclass__(**keywords)
            cls.needed = needed
            Base.every.add(cls)
            Base.weak.add(cls)
            Base.by_class[cls] = cls
            Base.deep["a"]["b"]["c"]["d"] = cls
            Base.stubborn[cls.__name__] = cls
            Base.latest = cls
            Base.runs += 1
            REGISTRY[cls.__name__] = [int, cls]
            LATEST = cls
            local.append(cls)
            names[cls.__name__] = cls
            return unbound_here if needed == "never" else None

    class Hook:
        @staticmethod
        def __init_subclass__(**keywords):
            pass

    class Model(Base, needed=1):
        def __len__(self):
            return 3

    built = with_metaclass(Model, Meta)
    assert (Base.runs, built.needed, len(built())) == (1, 1, 3)
    assert built.__mro__ == (built, Base, object)
    assert Base.every == set(Base.weak) == {built}
    assert Base.by_class == {built: built}
    assert Base.others == {int}
    assert Base.latest is LATEST is local[0] is names["Model"] is built
    assert REGISTRY["Model"] == [int, built]
    # Three collections deep is nobody's registry, and what refuses is left alone.
    assert Base.deep["a"]["b"]["c"]["d"] is Base.stubborn["Model"] is Model

    class Sub(built, needed=2):
        pass

    unbound_here = None

    assert (Base.runs, Sub.needed) == (2, 2)
    assert with_metaclass(type("Hooked", (Hook,), {}), Meta).__mro__[1] is Hook


@pytest.mark.parametrize("base", [object, list, dict, tuple, int, bytes, str, float, set, Exception, OSError])
def test_builtin_bases(base):
    class Hook:
        __slots__ = ()

        def __init_subclass__(cls, **keywords):
            super().__init_subclass__(**keywords)

    bases = (Hook,) if base is object else (Hook, base)
    model = type("Model", bases, {})
    built = with_metaclass(model, Meta)
    assert built.__mro__ == (built, *model.__mro__[1:])
    assert built.__bases__ == bases
    if base is not object:
        assert isinstance(built(), base)


def test_slots_that_are_used_up_are_refused():
    with pytest.raises(TypeError, match="used up"):
        with_metaclass(type("Model", (), {"__slots__": iter(("a",))}), Meta)
