"""Immutable values without :mod:`dataclasses`, whose import costs more than all of this package."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar, NoReturn, dataclass_transform
else:

    def dataclass_transform(**_options: bool) -> Any:
        """Stand for what only type checkers read: :mod:`typing` takes milliseconds to import."""
        return lambda record: record


class AsDataClass:
    """An attribute by which data classes are known, so that pandas makes frames of records.

    It is made of the names in ``__match_args__`` when somebody asks for it.
    """

    __slots__ = ("_name",)

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: object, owner: type) -> Any:
        from dataclasses import make_dataclass  # Who asks has imported it already.

        record: Any = owner
        made = vars(make_dataclass(record.__name__, record.__match_args__, repr=False, eq=False))[self._name]
        setattr(owner, self._name, made)
        return made


@dataclass_transform(frozen_default=True)
class Record:
    """An immutable value: equal by its fields, printable, and picklable in spite of being immutable.

    A subclass names its fields in ``__slots__`` and ``__match_args__``, in the order in which they are given.
    """

    __slots__ = ()
    __match_args__: ClassVar[tuple[str, ...]] = ()
    __dataclass_fields__: ClassVar[Any] = AsDataClass()
    __dataclass_params__: ClassVar[Any] = AsDataClass()

    def __init__(self, *values: object, **named: object) -> None:
        rest = (named[field] for field in self.__match_args__[len(values) :])
        for field, value in zip(self.__match_args__, (*values, *rest), strict=True):
            object.__setattr__(self, field, value)

    def _values(self) -> tuple[object, ...]:
        return tuple(getattr(self, field) for field in self.__match_args__)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is immutable")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is immutable")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._values() == other._values()

    def __hash__(self) -> int:
        return hash(self._values())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{f}={getattr(self, f)!r}' for f in self.__match_args__)})"

    def __reduce__(self) -> tuple[type[Record], tuple[object, ...]]:
        return type(self), self._values()
