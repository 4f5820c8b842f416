"""Decorated classes stay classes, and decorated functions work as methods: every checker must accept this file."""

from __future__ import annotations

import abc
import dataclasses
from typing import Any, Self, assert_type, override

from scverse_backends import BackendDispatcher

dispatcher = BackendDispatcher(entrypoint_group="typed_host.backends", host_name="typed_host")


@dispatcher.backend_class
class Model:
    """A class whose methods are nobody's business but its own."""

    shared: int = 3

    def __init__(self, size: int = 3) -> None:
        self.size = size

    def fit(self, values: list[float]) -> Self:
        return self

    @property
    def fitted(self) -> bool:
        return True

    @classmethod
    def of(cls, size: int) -> Self:
        return cls(size)

    @staticmethod
    def version() -> str:
        return "1"


@dispatcher.backend_class(name="Other")
class Named:
    pass


@dispatcher.backend_class
@dataclasses.dataclass
class Record:
    name: str
    count: int = 0


@dispatcher.backend_class
class Box[T]:
    def __init__(self, content: T) -> None:
        self.content = content


@dispatcher.backend_class
class Base(abc.ABC):
    @abc.abstractmethod
    def run(self) -> int: ...


# Constructing, and what instances have.
model = Model(size=5)
assert_type(model, Model)
assert_type(model.size, int)
assert_type(model.fit([1.0]), Model)
assert_type(model.fit([1.0]).fit([2.0]).fitted, bool)
assert_type(Model.of(3), Model)
assert_type(Model.version(), str)
assert_type(Model.shared, int)
assert_type(Named(), Named)
assert_type(Record("a", count=2).count, int)
assert_type(Box(3).content, int)
assert_type(Box("a"), Box[str])


# Annotations, `type[...]`, subclassing, and `isinstance`.
def use(model: Model, kind: type[Model]) -> Model:
    return kind(size=model.size)


class Child(Model):
    @override
    def fit(self, values: list[float]) -> Self:
        return super().fit(values)

    def more(self) -> int:
        return self.size


class Concrete(Base):
    @override
    def run(self) -> int:
        return 3


assert_type(use(Child(3), Child), Model)
assert_type(Child(3).fit([]).more(), int)
assert_type(Concrete().run(), int)


def narrowed(value: object) -> int:
    if isinstance(value, Model):
        assert_type(value, Model)
        return value.size
    return 0


def of_a_kind(kind: type[object]) -> bool:
    return issubclass(kind, Model)


models: list[Model] = [Model(), Child(2)]


def matched(value: Record | None) -> str:
    match value:
        case Record(name, _):
            return name
        case None:
            return ""


# Functions that dispatch, called from methods; the class itself is not decorated.
@dispatcher.backend_dispatch
def total(values: list[float]) -> float:
    return sum(values)


class Table:
    def __init__(self, values: list[float]) -> None:
        self.values = values

    def total(self, **options: Any) -> float:
        return total(self.values, backend="fast", **options)


assert_type(Table([1.0]).total(), float)
