"""Adapters as foreign code: what they export, found out without trusting them."""

from __future__ import annotations

import sys
import types
from types import ModuleType

import pytest

from scverse_backends._discovery.adapters import Backend, Failure, load
from scverse_backends._discovery.entry_points import RegisteredRecord
from scverse_backends._discovery.exports import (
    MISSING,
    declares,
    exported,
    exported_if_loaded,
    exports,
    may_provide,
)
from scverse_backends._discovery.trust import Trust
from scverse_backends._foundation.foreign import describe_error, in_a_line


def module(**contents):
    made = ModuleType("adapter")
    vars(made).update({"name": "fast", **contents})
    return made


def loaded(adapter, trust=None, claims=(), share=lambda _, instance: instance):
    return load(RegisteredRecord("fast", adapter), trust or Trust(None, None), claims, share)


def function(x):
    return x


# -- loading -----------------------------------------------------------------------------------------------------------


def test_a_loaded_backend():
    adapter = module(aliases=["b", "a", "b", "fast"])
    backend, notices = loaded(adapter)
    assert repr(backend) == "<Backend 'fast' from no distribution>"
    assert backend.adapter is adapter
    assert (backend.name, backend.aliases, notices) == ("fast", ("b", "a"), [])
    assert (backend.trusted, backend.untrusted_reason) == (False, "the host does not list it as trusted")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("a b", "its name 'a b' contains"),
        ("x" * 200, "its name 'xxx.*longer"),
        (3, "its name must be a string, not int"),
    ],
)
def test_what_is_no_name(name, says):  # 2.4
    failure, _ = loaded(module(name=name))
    assert isinstance(failure, Failure)
    assert not failure.refused
    with pytest.raises(AssertionError, match=says):
        raise AssertionError(failure.text)


def test_a_name_of_a_foreign_string_class():  # 2.6
    class Name(str):
        __slots__ = ()

        def __eq__(self, other):
            raise SystemExit

        __hash__ = str.__hash__

    backend, notices = loaded(module(name=Name("fast"), aliases=[Name("f"), Name("c d")]))
    assert type(backend.name) is str
    assert (backend.name, backend.aliases) == ("fast", ("f",))
    assert "'c d'" in notices[0][1]


def test_many_bad_aliases_make_one_short_notice():  # 2.4
    _, (notice,) = loaded(module(aliases=[f"bad alias {number}" for number in range(9)]))
    assert "'bad alias 4'" in notice[1]
    assert notice[1].endswith("; and 4 more. Tell its authors.")


class Unprintable:
    def __str__(self):
        raise SystemExit(3)

    __repr__ = __str__


class Unlistable(list):
    def __iter__(self):
        raise SystemExit(3)


def test_aliases_that_misbehave_are_lost_alone():  # 2.4, 2.6
    backend, (notice,) = loaded(module(aliases=Unlistable()))
    assert backend.name == "fast"
    assert notice[1] == "The aliases of registered adapter 'fast' are ignored: SystemExit: 3."
    backend, (notice,) = loaded(module(aliases={"b", Unprintable(), "a"}))
    assert backend.aliases == ("a", "b")
    told = "Aliases of registered adapter 'fast' are ignored: one must be a string, not Unprintable. Tell its authors."
    assert notice[1] == told


def test_only_keyboard_interrupt_passes():  # 2.6
    def press(*_):
        raise KeyboardInterrupt

    class Aliases(list):
        __iter__ = press

    class Adapter:
        name = property(press)

    class Text(Exception):
        __str__ = press

    for adapter in (Adapter, module(aliases=Aliases())):
        with pytest.raises(KeyboardInterrupt):
            loaded(adapter)
    with pytest.raises(KeyboardInterrupt):
        describe_error(Text())
    with pytest.raises(KeyboardInterrupt):
        Failure("text", error=Formatted(KeyboardInterrupt))


class Formatted(Exception):
    """Raises while its traceback is formatted."""

    def __init__(self, category):
        super().__init__("said")
        self.category = category

    @property
    def __cause__(self):
        raise self.category


def test_exceptions_that_misbehave_are_shown_as_well_as_can_be():  # 2.6
    failure = Failure("text", error=Formatted(SystemExit))
    assert failure.traceback == "Formatted: said"
    assert describe_error(ValueError()) == "ValueError"
    assert describe_error(ValueError("x")) == "ValueError: x"
    assert describe_error(ValueError("\n  ")) == "ValueError"
    assert describe_error(ImportError("\n\nnumpy does not fit \n\nRead this:\n...")) == (
        "ImportError: numpy does not fit …"
    )
    assert len(describe_error(ImportError("x" * 10_000))) < 270


def raised(error, cause=None):
    try:
        raise error from cause
    except Exception as caught:  # noqa: BLE001 - whatever it was given.
        return caught


def test_frames_are_cut_behind_whatever_the_class_shows():  # 2.6
    class Hiding(Exception):
        __cause__ = __context__ = None

    hidden = raised(ValueError("hidden"))
    loop = raised(KeyError("loop"))
    error = raised(Hiding(), cause=hidden)
    BaseException.__dict__["__cause__"].__set__(error, hidden)
    hidden.__context__ = raised(ExceptionGroup("group", [loop]))
    loop.__context__ = error
    failure = Failure("text", error=error)
    assert "Hiding" in failure.traceback
    assert [one.__traceback__ for one in (error, hidden, hidden.__context__, loop)] == [None] * 4


def test_one_instance_of_a_class_for_everybody():  # 2.9
    class Adapter:
        name = "fast"

    first = Adapter()
    backend, _ = loaded(Adapter, share=lambda _, __: first)
    assert backend.adapter is first


def test_an_instance_that_cannot_be_read_is_not_shared():  # 2.8, 2.9
    shared = []

    class Adapter:
        broken = True

        @property
        def name(self):
            if self.broken:
                raise OSError("not yet")
            return "fast"

    def share(_, instance):
        if instance is not None:
            shared.append(instance)
        return shared[0] if shared else None

    failure, _ = loaded(Adapter, share=share)
    assert failure.text == "it could not be loaded: OSError: not yet"
    assert shared == []
    Adapter.broken = False
    backend, _ = loaded(Adapter, share=share)
    assert backend.adapter is shared[0]


def test_a_class_that_has_its_instance_makes_no_other():  # 2.2
    made = []

    class Adapter:
        name = "fast"

        def __init__(self):
            made.append(self)

    known = Adapter()
    backend, _ = loaded(Adapter, share=lambda *_: known)
    assert backend.adapter is known
    assert made == [known]


@pytest.mark.parametrize(
    "resistance",
    [
        {"__class__": property(lambda self: 1 / 0)},
        {"__getattribute__": lambda self, name: sys.exit(name)},
        {"__str__": lambda self: sys.exit(), "__context__": property(lambda self: sys.exit())},
    ],
)
@pytest.mark.parametrize("base", [Exception, BaseException])
def test_an_exception_that_resists_being_read(resistance, base):  # 2.6
    foreign = type("Foreign", (base,), resistance)

    class Adapter:
        def __init__(self):
            raise foreign("x")

    failure, _ = loaded(Adapter)
    assert "Foreign" in failure.text
    assert BaseException.__dict__["__traceback__"].__get__(failure.error) is None


def test_what_to_do_about_a_failure():  # 2.7, 2.9
    deadlock = type("_DeadlockError", (RuntimeError,), {})
    assert Failure("t", error=OSError("x")).advice == "Repair or reinstall it"
    assert Failure("t", refused=True).advice == "Ask its authors"
    assert "just try again" in Failure("t", error=deadlock("by _ModuleLock")).advice


def test_ignored_aliases_of_a_registered_adapter_say_whose_they_are():  # 2.4
    _, (notice,) = load(RegisteredRecord("", module(aliases="f")), Trust(None, None), (), lambda _, instance: instance)
    assert "of registered adapter 'fast' are ignored" in notice[1]


def test_names_that_belong_to_others_are_refused():  # 3.3
    trust = Trust({"fast": {}}, {"gpu": "Say cuda."})
    for name, why in [
        ("fast", "is reserved for the trusted backend 'fast'"),
        ("GPU", "is reserved by the host: Say cuda"),
        ("cpu", "is the name of the host implementation"),
    ]:
        failure, _ = loaded(module(name=name), trust)
        assert (failure.text, failure.refused) == (f"its name {name!r} {why}", True)
        assert (failure.error, failure.traceback) == (None, "")


# -- exports -----------------------------------------------------------------------------------------------------------


class Adapter:
    name = "fast"
    aliases = ()
    number = 3
    submodule = sys

    def method(self, x):
        return x

    @staticmethod
    def static(x):
        return x

    @classmethod
    def of_class(cls, x):
        return cls, x

    @property
    def lazy(self):
        raise OSError

    def _private(self):
        pass


def test_what_counts_as_exported_by_an_object():  # 4.7
    adapter = Adapter()
    adapter.own = function
    names = ["name", "aliases", "number", "submodule", "method", "static", "of_class", "_private", "own", "nothing"]
    found = {name for name in names if exported(adapter, name) is not MISSING}
    assert found == {"number", "method", "static", "of_class", "own"}
    assert {name for name in names if exported_if_loaded(adapter, name) is not MISSING} == found
    # What is no callable breaks the contract when it is called, and is listed as no implementation (7.1).
    assert {name for name in names if declares(adapter, name)} == found - {"number"}
    assert exported_if_loaded(adapter, "method") == adapter.method
    assert exported_if_loaded(adapter, "of_class")(1) == (Adapter, 1)
    assert exported_if_loaded(adapter, "static")(1) == 1
    assert exported_if_loaded(adapter, "own") is function


def test_lazily_provided_functions_are_not_touched():  # 2.3, 5.7
    adapter = Adapter()
    assert exported_if_loaded(adapter, "lazy") is MISSING
    assert declares(adapter, "lazy")
    with pytest.raises(OSError, match=r"^$"):
        exported(adapter, "lazy")


def test_what_counts_as_exported_by_a_module():  # 4.7
    adapter = module(f=function, sub=sys, _private=function, __getattr__=lambda name: function)
    assert exported(adapter, "f") is exported_if_loaded(adapter, "f") is function
    assert exported(adapter, "sub") is exported_if_loaded(adapter, "sub") is MISSING
    assert exported(adapter, "_private") is MISSING
    assert exported(adapter, "lazy") is function
    assert exported_if_loaded(adapter, "lazy") is MISSING
    assert not declares(adapter, "lazy")
    assert not declares(adapter, "sub")


class Strange:
    def __eq__(self, other):
        raise SystemExit

    __hash__ = None


@pytest.mark.parametrize("kind", [list, tuple])
def test_a_module_that_lists_its_exports(kind):  # 4.7
    adapter = module(f=function, g=function, _h=function, __all__=kind([Strange(), "f", "_h", "lazy", "name"]))
    assert [name for name in ("f", "g", "_h", "lazy", "name") if exports(adapter, name)] == ["f", "_h", "lazy"]
    assert [name for name in ("f", "g", "_h", "lazy", "name") if declares(adapter, name)] == ["f", "_h"]
    assert exported(adapter, "g") is MISSING
    assert exported_if_loaded(adapter, "g") is exported_if_loaded(adapter, "lazy") is MISSING
    adapter.__getattr__ = lambda name: None
    assert declares(adapter, "lazy")


def test_a_list_of_exports_that_is_none_does_not_count():
    assert exports(module(__all__="f"), "g")


def test_attribute_errors_about_something_else_pass():  # 4.7
    class Lazy:
        name = "fast"

        def __getattr__(self, attribute):
            if attribute == "absent":
                raise AttributeError(attribute, name=attribute, obj=self)
            raise AttributeError("of something else", name="something_else")

    assert exported(Lazy(), "absent") is MISSING
    with pytest.raises(AttributeError, match="something else"):
        exported(Lazy(), "broken")


def fail(*_):
    raise SystemExit


def test_looking_runs_no_foreign_code():  # 2.6, 5.7
    # Defined here, since collecting tests looks at what a module contains.
    class StrangeMeta(type):
        def __getattribute__(cls, attribute):
            raise SystemExit

    class StrangeAttribute(metaclass=StrangeMeta):
        pass

    namespace = {"__dict__": property(fail), "__class__": property(fail), "__getattribute__": fail, "f": function}
    odd = type(
        "Odd", (), {**namespace, "g": StrangeAttribute(), "h": type("Lying", (), {"__class__": property(fail)})()}
    )
    adapter = odd()
    assert exported_if_loaded(adapter, "f").__func__ is function
    assert exported_if_loaded(adapter, "g") is not MISSING
    assert exported_if_loaded(adapter, "h") is not MISSING
    assert exported_if_loaded(adapter, "nothing") is MISSING
    assert declares(adapter, "f")


def test_an_adapter_with_slots():
    class Slotted:
        __slots__ = ("f",)
        name = "fast"

    adapter = Slotted()
    assert exported_if_loaded(adapter, "f") is MISSING
    adapter.f = function
    assert exported(adapter, "f") is function
    assert isinstance(loaded(adapter)[0], Backend)


def test_a_value_shows_itself_in_a_line():
    class Silent:
        def __repr__(self):
            raise SystemExit

    class Interrupted:
        def __repr__(self):
            raise KeyboardInterrupt

    assert in_a_line("a\nb") == "'a\\nb'"
    assert in_a_line(types.SimpleNamespace(a=1)) == "namespace(a=1)"
    assert in_a_line(Silent()) == "<Silent>"
    assert in_a_line(list(range(100))) == "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, …"
    with pytest.raises(KeyboardInterrupt):
        in_a_line(Interrupted())


# -- what may still be provided ---------------------------------------------------------------------------------------


def test_what_an_adapter_may_still_provide():  # 1.11, 2.3
    class Lazy:
        name = "lazy"
        held = staticmethod(len)

        @property
        def computed(self):
            raise AssertionError("Nobody asks for it.")

        def __getattr__(self, attribute):
            raise AssertionError("Nobody asks for it.")

    lazy = Lazy()
    assert [may_provide(lazy, name) for name in ("held", "computed", "other", "_private")] == [False, True, True, False]
    plain = types.SimpleNamespace(name="plain", held=len)
    assert [may_provide(plain, name) for name in ("held", "other", "name")] == [False, False, False]
    module = types.ModuleType("module")
    module.__all__ = ["listed"]
    module.__getattr__ = lambda name: None
    assert [may_provide(module, name) for name in ("listed", "other")] == [True, False]
