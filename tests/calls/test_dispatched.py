"""The record of a decorated function: what it shows, and where it is seen."""

from __future__ import annotations

import copy
import functools
import gc
import inspect
import sys
import types
import weakref
from types import SimpleNamespace
from typing import Any

from scverse_backends import BackendDispatcher
from scverse_backends._calls.dispatched import Dispatched, LiveRecords, leads_to
from scverse_backends._calls.functions import decorated_record


def make() -> BackendDispatcher:
    return BackendDispatcher(entrypoint_group="seen_lab.backends", host_name="seen_lab", untrusted="allow")


dispatcher = make()


def around(function: Any) -> Any:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


@around
@around
@dispatcher.backend_dispatch
def shown(x: int, k: float = 1.0) -> str:
    """Show."""
    return f"{x}{k}"


ours = shown.__wrapped__.__wrapped__


def record_of(function: Any) -> Dispatched:
    record = decorated_record(function)
    assert record is not None
    return record


def test_the_public_function_is_the_outermost_that_the_module_shows() -> None:
    record = record_of(ours)
    assert record.public() is shown
    assert list(record.chain()) == [shown, shown.__wrapped__, ours]
    codes = list(record.codes())
    assert codes[0] is shown.__code__
    assert codes[-1] is ours.__wrapped__.__code__


def test_a_function_that_no_module_shows_is_public_itself() -> None:
    @dispatcher.backend_dispatch(name="hidden")
    def hidden(x: Any) -> Any:
        return x

    record = record_of(hidden)
    assert record.public() is hidden
    hidden.__module__ = "no.such.module"
    assert record.public() is hidden
    hidden.__module__ = None
    assert record.public() is hidden


def test_a_module_that_shows_something_else_under_the_name(monkeypatch: Any) -> None:
    module = types.ModuleType("another_module")
    monkeypatch.setitem(sys.modules, "another_module", module)

    @dispatcher.backend_dispatch(name="other")
    def other(x: Any) -> Any:
        return x

    other.__module__, other.__qualname__ = "another_module", "other"
    record = record_of(other)
    for found in (None, 3, lambda x: x, around(lambda x: x)):
        module.other = found  # type: ignore[attr-defined]  # a module's namespace.
        assert record.public() is other
    loop = around(lambda x: x)
    loop.__wrapped__ = loop
    module.other = loop  # type: ignore[attr-defined]  # as above.
    assert record.public() is other
    module.other = around(other)  # type: ignore[attr-defined]  # as above.
    assert record.public() is module.other
    # What a class of the module holds is found by the qualified name.
    other.__qualname__ = "Holder.other"
    module.Holder = type("Holder", (), {"other": staticmethod(other)})  # type: ignore[attr-defined]  # as above.
    assert record.public() is module.Holder.__dict__["other"]
    # What cannot be called itself has no code, and what it wraps has.
    codes = list(record.codes())
    module.Holder.other = classmethod(other)  # type: ignore[attr-defined]  # as above.
    assert record.public() is module.Holder.__dict__["other"]
    assert list(record.codes()) == codes


def test_callables_without_code() -> None:
    decorated = dispatcher.backend_dispatch(name="integer")(functools.partial(sorted, reverse=True))
    assert len(list(record_of(decorated).codes())) == 1


def test_a_record_without_its_function_stands_for_the_host() -> None:
    record = Dispatched(len, "len")
    assert record.name == "len"
    assert record.public() is len
    assert list(record.chain()) == []


def test_replaced_functions_are_freed_with_their_records() -> None:
    lab = make()
    lab.register(type("Fast", (), {"name": "fast", "f": staticmethod(lambda x, *, size=1: x)}))

    def define() -> Any:
        @lab.backend_dispatch
        def f(x: Any) -> Any:
            """Doc."""
            return x

        f(1, backend="fast")
        return f

    first = define()
    function, record = weakref.ref(first), weakref.ref(record_of(first))
    first = define()
    gc.collect()
    assert function() is None
    assert record() is None
    assert list(lab.functions()) == ["f"]
    assert first(1) == 1


def test_signature_and_annotations_are_kept_apart_from_the_hosts() -> None:
    host = ours.__wrapped__
    assert list(host.__annotations__) == ["x", "k", "return"]
    assert list(ours.__annotations__) == ["x", "k", "backend", "return"]
    assert list(inspect.signature(host).parameters) == ["x", "k"]
    record = record_of(ours)
    assert record.signature(record.contributions) is record.signature(record.contributions)


def test_a_function_without_a_return_annotation() -> None:
    function = dispatcher.backend_dispatch(name="unreturned")(lambda x: x)
    assert list(function.__annotations__) == ["backend"]


def test_leads_to() -> None:
    assert leads_to(shown, ours)
    assert leads_to(ours, ours)
    assert not leads_to(len, ours)


def test_a_record_is_copied_with_all_that_belongs_to_it() -> None:
    lab = make()
    function = lab.backend_dispatch(renamed={"x": "data"})(around(lambda x: x))
    record = record_of(function)
    again = copy.copy(record)
    assert again is not record
    assert (again.name, again.attribute, again.function) == (record.name, record.attribute, record.function)
    assert again.renamed == {"x": ("data", None)}
    assert again.wrapper_ref() is function
    # Its dispatcher knows it, and one that has none is nobody's.
    assert lab.explain(function).executes == "cpu"
    again.gate = None
    assert copy.copy(again).gate is None


class Function:
    pass


def test_records_of_what_lives() -> None:
    records, functions = LiveRecords(), [Function(), Function()]
    made = [SimpleNamespace(name=index, attribute="f") for index, _ in enumerate(functions)]
    for record, function in zip(made, functions, strict=True):
        records.add(record, function)
    assert list(records) == made
    assert made[0].wrapper_ref() is functions[0]
    walk = iter(records)
    next(walk)
    functions.clear()
    function = None
    gc.collect()
    assert list(walk) == []  # Gone while somebody walks.
    assert list(records) == []


def test_references_to_the_dead_are_thrown_away_now_and_then() -> None:
    records = LiveRecords()
    for number in range(1000):
        records.add(SimpleNamespace(attribute=str(number)), Function())
    gc.collect()
    records.add(SimpleNamespace(attribute="last"), last := Function())
    assert [record.attribute for record in records] == ["last"]
    assert len(records._refs) <= 64
    assert records.rivals(next(iter(records))) == []
    del last


def test_many_functions_that_live_are_seldom_looked_through() -> None:
    records, living, limits = LiveRecords(), [Function() for _ in range(1000)], set()
    for number, function in enumerate(living):
        records.add(SimpleNamespace(attribute=str(number)), function)
        limits.add(records._clean_at)
    assert len(list(records)) == 1000
    # Else, decorating many functions would take time that grows with the square of their number.
    assert sorted(limits) == [64, 192, 448, 960, 1984]
