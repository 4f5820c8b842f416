"""Every kind of class that a host may have. `test_classes` loads this file twice: decorated, and as the plain twin.

Each can be constructed with ``size=3``, has a method ``total`` that returns four times the size, and equality or a
``key`` to compare by.
"""

from __future__ import annotations

import abc
import dataclasses
import functools
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar

import attrs

decorate = globals().get("decorate", lambda cls: cls)
T = TypeVar("T")
KINDS: dict[str, type] = {}


def kind(cls):
    KINDS[cls.__name__] = cls
    return cls


class Quadruple:
    """What most of the zoo inherits from: takes no constructor part."""

    __slots__ = ()

    def total(self):
        return 4 * self.size

    def key(self):
        return type(self).__name__, self.size


@kind
@decorate
class Plain(Quadruple):
    """Plain class.

    Parameters
    ----------
    size
        How many.
    """

    def __init__(self, size, gain=2):
        super().__init__()
        self.size = size
        self.gain = gain

    def total(self):
        return super().total()


@kind
@decorate
class ExplicitSuper(Quadruple):
    def __init__(self, size):
        super(ExplicitSuper, self).__init__()  # noqa: UP008 - the other form of super() is the point.
        self.size = size

    def total(self):
        return super(ExplicitSuper, self).total()  # noqa: UP008 - as above.


@kind
@decorate
class Slotted(Quadruple):
    __slots__ = ("__hidden", "size")

    def __init__(self, size):
        self.size = size
        self.__hidden = 4

    def total(self):
        assert isinstance(self, __class__)
        return self.__hidden * self.size


@kind
@decorate
class SlottedWithDict(Quadruple):
    __slots__ = ("__dict__", "__weakref__", "size")

    def __init__(self, size):
        super().__init__()
        self.size = size
        self.more = 1


@kind
@decorate
@dataclasses.dataclass
class Data(Quadruple):
    size: int
    gain: int = 2
    parts: list[int] = dataclasses.field(default_factory=list)


@kind
@decorate
@dataclasses.dataclass(frozen=True, order=True)
class FrozenData(Quadruple):
    size: int
    gain: int = 2

    def total(self):
        return super().total()


@kind
@decorate
@dataclasses.dataclass(slots=True)
class SlottedData(Quadruple):
    # No ``super()``, which a dataclass with slots itself breaks before Python 3.14.
    size: int
    gain: int = 2


@kind
@decorate
@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FrozenSlottedData(Quadruple):
    size: int
    gain: int = dataclasses.field(default=2, repr=False)


@kind
@dataclasses.dataclass(slots=True)
@decorate
class DataOutside(Quadruple):
    """A decorator outside ours builds the class anew."""

    size: int
    gain: int = 2


@kind
@dataclasses.dataclass
@decorate
class PlainDataOutside(Quadruple):
    size: int
    gain: int = 2


@kind
@decorate
class Generics(Quadruple, Generic[T]):  # noqa: UP046 - the old form is the point.
    def __init__(self, size: T, gain: int = 2) -> None:
        super().__init__()
        self.size = size


@kind
@decorate
class TypeParameters[S](Quadruple):
    def __init__(self, size: S, gain: int = 2) -> None:
        super().__init__()
        self.size = size


@kind
@decorate
class Abstract(abc.ABC):  # noqa: B024 - its metaclass is the point.
    def __init__(self, size):
        super().__init__()
        self.size = size

    total = Quadruple.total
    key = Quadruple.key


@kind
@decorate
class MarkedAbstractOnly(Quadruple):
    """Outside an ABC the mark means nothing."""

    def __init__(self, size):
        self.size = size

    @abc.abstractmethod
    def total(self):
        return super().total()


class Sized(Protocol):
    size: int

    def total(self) -> int: ...


@kind
@decorate
class OfProtocol(Sized):
    def __init__(self, size):
        super().__init__()
        self.size = size

    total = Quadruple.total
    key = Quadruple.key


class PassingMeta(type):
    made: ClassVar[list[str]] = []

    @classmethod
    def __prepare__(metaclass, name, bases, **keywords):
        return {"prepared": keywords}

    def __new__(metaclass, name, bases, namespace, **keywords):
        return super().__new__(metaclass, name, bases, namespace)

    def __init__(cls, name, bases, namespace, **keywords):
        super().__init__(name, bases, namespace)

    def __call__(cls, *args, **kwargs):
        cls.made.append(cls.__name__)
        return super().__call__(*args, **kwargs)


@kind
@decorate
class OfMetaclass(Quadruple, metaclass=PassingMeta, flag=1):
    def __init__(self, size, gain=2):
        assert self.prepared == {"flag": 1}
        super().__init__()
        self.size = size


class ConvertingMeta(type):
    def __call__(cls, size, *, doubled=False):
        return super().__call__(size * 2 if doubled else size)


@kind
@decorate
class OfConvertingMetaclass(Quadruple, metaclass=ConvertingMeta):
    def __init__(self, whatever):
        self.size = whatever


class StubbornMeta(type):
    def __setattr__(cls, name, value):
        raise AttributeError(name)


@kind
@decorate
class OfStubbornMetaclass(Quadruple, metaclass=StubbornMeta):
    """Cannot be written to."""

    def __init__(self, size):
        self.size = size


class AbstractPassingMeta(abc.ABCMeta):
    def __call__(cls, *args, **kwargs):
        return super().__call__(*args, **kwargs)


@kind
@decorate
class OfAbstractMetaclass(Quadruple, metaclass=AbstractPassingMeta):
    def __init__(self, size):
        super().__init__()
        self.size = size


class Announced:
    registry: ClassVar[dict[str, Any]] = {}
    by_flag: ClassVar[dict[int, list[type]]] = {}
    latest: ClassVar[type | None] = None
    runs: ClassVar[list[int]] = []

    def __init_subclass__(cls, *, flag, **keywords):
        super().__init_subclass__(**keywords)
        cls.flag = flag
        Announced.registry[cls.__name__] = cls
        Announced.by_flag.setdefault(flag, []).append(cls)
        Announced.latest = cls
        Announced.runs.append(flag)


@kind
@decorate
class OfAnnounced(Quadruple, Announced, flag=4):
    def __init__(self, size):
        super().__init__()
        self.size = size

    def total(self):
        return self.flag * self.size


@kind
@decorate
class Tuple(NamedTuple):
    size: int
    gain: int = 2

    total = Quadruple.total
    key = Quadruple.key


@kind
@decorate
class Problem(Exception):
    def __init__(self, size):
        super().__init__(size)
        self.size = size

    total = Quadruple.total
    key = Quadruple.key


@kind
@decorate
class OfDict(dict):
    def __init__(self, size):
        super().__init__(size=size)

    @property
    def size(self):
        return self["size"]

    total = Quadruple.total


@kind
@decorate
class WithNew(Quadruple):
    def __new__(cls, size, gain=2):
        made = super().__new__(cls)
        made.size = size
        return made

    def __getnewargs__(self):
        return (self.size,)


@kind
@decorate
class Subscribed(Quadruple):
    def __init__(self, size):
        self.size = size

    def __class_getitem__(cls, item):
        return cls


def passing(function):
    @functools.wraps(function)
    def inner(*args, **kwargs):
        return function(*args, **kwargs)

    return inner


class Named:
    def __set_name__(self, owner, name):
        self.owner, self.name = owner, name

    def __get__(self, instance, owner=None):
        return self if instance is None else (self.owner, self.name)


@kind
@decorate
class Described(Quadruple):
    """Everything that a class body may hold, each finding its class."""

    named = Named()

    def __init__(self, size):
        self.size = size

    @property
    def by_property(self):
        return super().total()

    @functools.cached_property
    def by_cached_property(self):
        return super().total()

    @passing
    @passing
    def by_decorated(self):
        return super().total()

    @classmethod
    def by_classmethod(cls):
        return __class__

    @staticmethod
    def by_staticmethod():
        return __class__

    @functools.singledispatchmethod
    def by_type(self, value):
        return __class__

    @by_type.register
    def _(self, value: int):
        return super().total() + value

    @by_type.register
    def _(self, value: str):
        return super().total(), value

    by_partial = functools.partialmethod(by_decorated)

    def __call__(self, extra):
        return extra

    class Inner:
        def __init__(self):
            self.deep = 1

    def total(self):
        assert self.named == (Described, "named")
        assert isinstance(self, Described)
        assert self.by_classmethod() is self.by_staticmethod() is self.by_type(1.5) is Described
        assert self.by_property == self.by_cached_property == self.by_decorated() == self.by_partial()
        assert self.by_type(1) - 1 == self.by_type("a")[0] == self.by_property
        return self.by_property


class OnlyThere:
    """The one place that holds the class is a function in a collection."""

    def __init__(self, size):
        self.size = size

    def key(self):
        return type(self).__name__, self.size


@kind
@decorate
class InCollection(OnlyThere):
    methods: ClassVar[dict[str, Any]] = {"total": lambda self: isinstance(self, __class__) and 4 * self.size}

    def __getattr__(self, name):
        if name == "total":
            return functools.partial(type(self).methods[name], self)
        raise AttributeError(name)


class Outer:
    @decorate
    class Nested(Quadruple):
        def __init__(self, size):
            super().__init__()
            self.size = size


KINDS["Nested"] = Outer.Nested


def made_in_function():
    @decorate
    class Local(Quadruple):
        def __init__(self, size):
            super().__init__()
            self.size = size

        def again(self):
            return Local

    return Local


@kind
@decorate
@attrs.define
class Attrs(Quadruple):
    size: int
    gain: int = 2

    def total(self):
        return super().total()


@kind
@decorate
@attrs.frozen(slots=False, kw_only=True)
class FrozenAttrs(Quadruple):
    size: int
    gain: int = attrs.field(default=2, converter=int)


@kind
@attrs.define
@decorate
class AttrsOutside(Quadruple):
    size: int
    gain: int = 2

    def total(self):
        return super().total()
