"""Whose docstrings and signatures show the options of the backends, and when (5.2, 5.6, 5.7)."""

from __future__ import annotations

import functools
import inspect
import sys
import textwrap
import threading
import types
import typing
import uuid
import warnings
from typing import TYPE_CHECKING, Any

import pytest
from labs import adapter, make
from numpydoc.docscrape import FunctionDoc, NumpyDocString

from scverse_backends import BackendDispatcher
from scverse_backends.exceptions import BackendLoadWarning

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def fast_score(x: Any, *, size: int = 3) -> Any:
    """Fast.

    Parameters
    ----------
    size : int
        How many at once.
    """
    return "fast", x, size


def slow_score(x: Any, *, size: int = 5, level: Any = None) -> Any:
    """Slow.

    Other Parameters
    ----------------
    size : int
        How many in a row.
    level
        How deep.
    """
    return "slow", x, size


DOC = """Score it.

    Parameters
    ----------
    x
        %(x)s

    Returns
    -------
    The score.
    """


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """Write a host module and import it."""
    monkeypatch.syspath_prepend(str(tmp_path))
    names: list[str] = []

    def write(text: str) -> Any:
        name = f"merge_host_{uuid.uuid4().hex[:8]}"
        names.append(name)
        (tmp_path / f"{name}.py").write_text(
            textwrap.dedent("""
                import functools, inspect
                from scverse_backends import BackendDispatcher
                dispatcher = BackendDispatcher(entrypoint_group="m.backends", host_name="m", untrusted="allow")
            """)
            + textwrap.dedent(text)
        )
        return __import__(name)

    yield write
    for name in names:
        del sys.modules[name]


FILLED = f"""
def fill(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)
    wrapper.__doc__ = wrapper.__doc__ % dict(x="The data.")
    return wrapper

@fill
@dispatcher.backend_dispatch
def score(x):
    '''{DOC}'''
    return "host", x
"""


# -- 5.2 --------------------------------------------------------------------------------------------------------------


def test_the_provider_stands_on_the_parameters_line(host: Any) -> None:
    module = host(FILLED)
    module.dispatcher.register(adapter(score=fast_score))
    lines = inspect.cleandoc(module.score.__doc__).splitlines()
    start = lines.index("Other Parameters")
    assert lines[start : start + 4] == [
        "Other Parameters",
        "----------------",
        "size (fast) : int",
        "    How many at once.",
    ]
    assert lines.index("Parameters") < lines.index("Returns") < start


def test_two_backends_with_the_same_option_are_both_quoted(host: Any) -> None:
    module = host(FILLED)
    module.dispatcher.register(adapter("slow", score=slow_score))
    module.dispatcher.register(adapter(score=fast_score))
    doc = module.score.__doc__
    assert "size (fast, slow)" in doc
    assert doc.count("size (") == 1
    assert "How many at once." in doc
    assert "How many in a row." in doc
    assert repr(inspect.signature(module.score).parameters["size"].default) == "<depends on the backend>"
    module.dispatcher.unregister("slow")
    assert "size (fast) : int" in module.score.__doc__
    assert "level" not in module.score.__doc__


def names_in(doc: str) -> set[str]:
    """Return the names that numpydoc's own parser reads, minus the providers."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        parsed = NumpyDocString(inspect.cleandoc(doc))
    entries = [*parsed["Parameters"], *parsed["Other Parameters"]]
    return {entry.name.partition(" (")[0] for entry in entries}


@pytest.mark.parametrize("providers", [[], ["fast"], ["slow"], ["fast", "slow"], ["slow", "fast"]])
def test_numpydoc_reads_every_merged_docstring(host: Any, providers: list[str]) -> None:
    module = host(FILLED)
    for provider in providers:
        module.dispatcher.register(adapter(provider, score={"fast": fast_score, "slow": slow_score}[provider]))
    names = set(inspect.signature(module.score).parameters)
    assert names_in(module.score.__doc__) == names
    assert {"x", "backend"} <= names
    # numpydoc's reader of functions agrees, since it takes the docstring as it is shown.
    assert {entry.name.partition(" (")[0] for entry in FunctionDoc(module.score)["Parameters"]} <= names


# -- 5.6: decorators outside ours -------------------------------------------------------------------------------------


def test_filled_templates_stay_filled(host: Any) -> None:
    module = host(FILLED)
    before = module.score.__doc__
    assert "The data." in before
    module.dispatcher.register(adapter(score=fast_score))
    assert "The data." in module.score.__doc__
    assert "%(x)s" not in module.score.__doc__
    assert "size (fast)" in module.score.__doc__
    # The text of our own wrapper is spliced on its own.
    assert "%(x)s" in module.score.__wrapped__.__doc__
    assert "size (fast)" in module.score.__wrapped__.__doc__
    module.dispatcher.unregister("fast")
    assert module.score.__doc__ == before


def test_text_that_a_decorator_writes_later_is_spliced_into(host: Any) -> None:
    module = host(FILLED)
    module.dispatcher.register(adapter(score=fast_score))
    module.score.__doc__ = "New.\n\nParameters\n----------\nx\n    Another.\n"
    module.dispatcher.register(adapter("slow", score=slow_score))
    doc = module.score.__doc__
    assert doc.startswith("New.")
    assert "level (slow)" in doc
    module.dispatcher.unregister("slow")
    module.dispatcher.unregister("fast")
    assert module.score.__doc__ == "New.\n\nParameters\n----------\nx\n    Another.\n"


def test_a_signature_that_a_decorator_made_gets_the_options_too(host: Any) -> None:
    module = host("""
        def annotate(function):
            @functools.wraps(function)
            def wrapper(*args, **kwargs):
                return function(*args, **kwargs)
            wrapper.__signature__ = inspect.signature(function).replace(return_annotation=int)
            return wrapper

        @annotate
        @dispatcher.backend_dispatch
        def score(x):
            "Doc."
    """)
    before = inspect.signature(module.score)
    module.dispatcher.register(adapter("slow", score=slow_score))
    module.dispatcher.register(adapter(score=fast_score))
    merged = inspect.signature(module.score)
    assert list(merged.parameters) == ["x", "size", "level", "backend"]
    assert merged.return_annotation is int
    module.dispatcher.unregister("slow")
    assert list(inspect.signature(module.score).parameters) == ["x", "size", "backend"]
    module.dispatcher.unregister("fast")
    assert inspect.signature(module.score) == before


def test_a_signature_without_backend_is_left_alone(host: Any) -> None:
    module = host("""
        def hide(function):
            @functools.wraps(function)
            def wrapper(*args, **kwargs):
                return function(*args, **kwargs)
            wrapper.__signature__ = inspect.Signature()
            return wrapper

        @hide
        @dispatcher.backend_dispatch
        def score(x):
            "Doc."
    """)
    module.dispatcher.register(adapter(score=fast_score))
    assert inspect.signature(module.score) == inspect.Signature()


@pytest.mark.parametrize(
    "body",
    [
        # No doc that could be written.
        "__doc__ = property(lambda self: 'fixed')",
        "__slots__ = ('__wrapped__', '__weakref__')",
        # Not even a weak reference.
        "__slots__ = ('__wrapped__',)",
        # Writing raises what it likes.
        """def __setattr__(self, name, value):
        if name != '__wrapped__': raise RuntimeError(name)
        object.__setattr__(self, name, value)""",
    ],
)
def test_outer_callables_that_cannot_be_written_to_are_left_alone(host: Any, body: str) -> None:
    module = host(f"""
class Outer:
    '''Outer.'''
    {body}
    def __init__(self, function):
        self.__wrapped__ = function
    def __call__(self, *args, **kwargs):
        return self.__wrapped__(*args, **kwargs)

@Outer
@dispatcher.backend_dispatch
def score(x):
    '''{DOC}'''
    return "host", x
""")
    before = module.score.__doc__
    module.dispatcher.register(adapter(score=fast_score))
    assert module.score.__doc__ == before
    assert "size (fast)" in module.score.__wrapped__.__doc__
    assert module.score(0, backend="fast") == ("fast", 0, 3)


def test_a_signature_that_cannot_be_replaced_is_left_alone(host: Any) -> None:
    module = host("""
        class Fixed:
            "Fixed."
            def __init__(self, function):
                self.__dict__["__wrapped__"] = function
                self.__dict__["__signature__"] = inspect.signature(function).replace()
            def __setattr__(self, name, value):
                raise RuntimeError(name)
            def __call__(self, *args, **kwargs):
                return self.__wrapped__(*args, **kwargs)

        @Fixed
        @dispatcher.backend_dispatch
        def score(x):
            "Doc."
    """)
    module.dispatcher.register(adapter(score=fast_score))
    assert list(inspect.signature(module.score).parameters) == ["x", "backend"]
    assert "size" in inspect.signature(module.score.__wrapped__).parameters


def test_a_host_without_a_docstring_stays_without() -> None:
    lab = make("merge_lab")
    function = lab.backend_dispatch(lambda x: x)
    assert function.__doc__ is None
    lab2 = make("merge_lab")
    undocumented = lab2.backend_dispatch(name="score")(lambda x: x)
    lab2.register(adapter(score=fast_score))
    assert undocumented.__doc__ is None
    assert "size" in inspect.signature(undocumented).parameters


# -- 5.7: only what is loaded -----------------------------------------------------------------------------------------


class Lazy:
    """An adapter that imports its functions when they are asked for."""

    name = "lazy"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __getattr__(self, attribute: str) -> Any:
        if attribute == "score":
            self.asked.append(attribute)
            return fast_score
        raise AttributeError(attribute)


class WithProperty:
    name = "lazy"

    def __init__(self) -> None:
        self.asked: list[str] = []

    @property
    def score(self) -> Any:
        self.asked.append("score")
        return fast_score


def lazy_module() -> Any:
    made = types.ModuleType("lazy_module")
    made.name = "lazy"  # type: ignore[attr-defined]  # a module's namespace.
    made.asked = []  # type: ignore[attr-defined]  # as above.

    def lookup(attribute: str) -> Any:
        if attribute == "score":
            made.asked.append(attribute)
            return fast_score
        raise AttributeError(attribute)

    made.__getattr__ = lookup  # type: ignore[method-assign]  # a module's own hook.
    return made


@pytest.mark.parametrize("factory", [Lazy, WithProperty, lazy_module])
@pytest.mark.parametrize("how", ["call", "discover"])
def test_lazy_functions_are_merged_when_called_or_discovered(factory: Any, how: str) -> None:
    lab = make("merge_lab")

    @lab.backend_dispatch
    def score(x: Any) -> Any:
        """Doc."""
        return "host", x

    lazy = factory()
    lab.register(lazy)
    lab.settings.backend = "lazy"
    assert lab.available_backends() == ["lazy"]
    assert lazy.asked == []
    assert "size" not in inspect.signature(score).parameters
    if how == "call":
        assert score(0) == ("fast", 0, 3)
    else:
        lab.discover()
    assert lazy.asked
    assert "size" in inspect.signature(score).parameters
    assert typing.get_type_hints(score)["size"] is int
    lab.unregister("lazy")
    assert "size" not in inspect.signature(score).parameters


def test_discover_warns_once_about_what_cannot_be_provided() -> None:
    class Broken:
        name = "broken"

        @property
        def score(self) -> Any:
            raise SystemExit("no cuda")

    lab = make("merge_lab")
    functions = [lab.backend_dispatch(name=name)(lambda x: x) for name in ("score", "embed")]
    lab.register(Broken())
    lab.register(adapter(score=fast_score))
    with pytest.warns(BackendLoadWarning, match="'broken' could not provide 'score': SystemExit: no cuda") as caught:
        lab.discover()
    assert len(caught) == 1
    lab.discover()
    assert "size" in inspect.signature(functions[0]).parameters


def test_ctrl_c_while_everything_is_merged_passes() -> None:
    class Broken:
        name = "broken"

        @property
        def score(self) -> Any:
            raise KeyboardInterrupt

    lab = make("merge_lab")
    kept = lab.backend_dispatch(name="score")(lambda x: x)
    lab.register(Broken())
    with pytest.raises(KeyboardInterrupt):
        lab.discover()
    assert kept(1) == 1


# -- adapters that hand back the host's function ----------------------------------------------------------------------


def test_an_adapter_that_hands_back_the_hosts_function_adds_nothing(host: Any) -> None:
    module = host(FILLED)
    before = module.score.__doc__
    module.dispatcher.register(adapter("slow", score=slow_score))
    module.dispatcher.register(adapter("same", score=module.score))
    module.dispatcher.register(adapter("inner", score=module.score.__wrapped__))
    assert "same" not in module.score.__doc__
    module.dispatcher.unregister("slow")
    assert module.score.__doc__ == before


def test_a_wrapped_attribute_that_misbehaves_loses_only_this_merge() -> None:
    class Strange:
        def __call__(self, x: Any, *, size: int = 3) -> Any:
            return "fast", x

        @property
        def __wrapped__(self) -> Any:
            raise ValueError("strange")

    lab = make("merge_lab")
    function = lab.backend_dispatch(name="score")(lambda x: ("host", x))
    lab.register(adapter(score=Strange()))
    assert function(0) == ("host", 0)
    assert function(0, backend="fast") == ("fast", 0)


def test_a_loop_of_wrapped_attributes_ends() -> None:
    lab = make("merge_lab")

    def theirs(x: Any) -> Any:
        return "fast", x

    theirs.__wrapped__ = theirs  # type: ignore[attr-defined]  # the loop.
    function = lab.backend_dispatch(name="score")(lambda x: ("host", x))
    lab.register(adapter(score=theirs))
    assert function(0, backend="fast") == ("fast", 0)


# -- everything that hosts do with a decorated function ---------------------------------------------------------------


def gone(doc: str) -> bool:
    return not any(word in doc for word in ("size", "level", "Other Parameters", "(fast", "(slow"))


COPIES = {
    "copied": lambda doc: doc,
    "indented": lambda doc: doc.replace("\n", "\n        "),
    "cleaned": lambda doc: inspect.cleandoc(doc.replace("\n", "\n    ")),
    "formatted": lambda doc: (doc + "\n%(more)s\n") % {"more": "More."},
    "continued": lambda doc: "First.\n\n" + inspect.cleandoc(doc) + "\n\nThe end.\n",
}


@pytest.mark.parametrize("copy", COPIES)
def test_an_outer_function_whose_text_was_made_of_ours(host: Any, copy: str) -> None:  # 5.1, 5.2, 5.6
    lab = host("""
        @dispatcher.backend_dispatch
        def score(x):
            \"\"\"Score it.

            Parameters
            ----------
            x
                The data.
            \"\"\"
        """)
    before = lab.score.__doc__
    lab.dispatcher.register(adapter("fast", score=fast_score))
    inner = lab.score
    assert "size (fast) : int" in inner.__doc__

    @functools.wraps(inner)
    def outer(*args: Any, **kwargs: Any) -> Any:
        return inner(*args, **kwargs)

    outer.__doc__ = COPIES[copy](inner.__doc__)
    lab.score = outer
    lab.dispatcher.register(adapter("slow", score=slow_score))
    for doc in (inner.__doc__, outer.__doc__):
        assert "size (fast, slow)" in doc
        assert (doc.count("size (fast"), doc.count("level (slow)"), doc.count("Other Parameters")) == (1, 1, 1)
        assert doc.count("How many at once.") == 1
    lab.dispatcher.unregister("fast")
    assert "size (fast" not in outer.__doc__
    assert "size (slow) : int" in outer.__doc__
    lab.dispatcher.unregister("slow")
    assert gone(outer.__doc__)
    assert inner.__doc__ == before
    assert inspect.cleandoc(outer.__doc__) == inspect.cleandoc(COPIES[copy](before))


@pytest.mark.parametrize("copy", COPIES)
def test_a_copy_that_stands_alone_after_everything_is_gone(host: Any, copy: str) -> None:  # 5.1, 5.6
    lab = host("""
        @dispatcher.backend_dispatch
        def score(x):
            \"\"\"Score it.\"\"\"
        """)
    inner, before = lab.score, lab.score.__doc__
    lab.dispatcher.register(adapter("fast", score=fast_score))
    outer = functools.wraps(inner)(lambda x: inner(x, backend="cpu"))
    outer.__doc__ = COPIES[copy](inner.__doc__)
    lab.score = outer
    lab.dispatcher.unregister("fast")
    assert gone(outer.__doc__)
    assert inspect.cleandoc(outer.__doc__) == inspect.cleandoc(COPIES[copy](before))


def test_an_outer_decorator_that_documents_backend_itself(host: Any) -> None:  # 5.8
    lab = host("""
        def fill(function):
            function.__doc__ = function.__doc__.replace("FILL", "backend\\n                Who runs it.")
            return function

        @fill
        @dispatcher.backend_dispatch
        def score(x):
            \"\"\"Score it.

            Parameters
            ----------
            x
                The data.
            FILL
            \"\"\"
        """)
    lab.dispatcher.register(adapter("fast", score=fast_score))
    assert [entry.name for entry in FunctionDoc(lab.score)["Parameters"]] == ["x", "backend"]
    assert "Which implementation runs" not in lab.score.__doc__
    assert "size (fast) : int" in lab.score.__doc__


def test_an_option_that_the_host_documents(host: Any) -> None:  # 5.8
    lab = host("""
        @dispatcher.backend_dispatch
        def score(x, **kwargs):
            \"\"\"Score it.

            Parameters
            ----------
            x
                The data.
            **kwargs
                Given on.

            Other Parameters
            ----------------
            size
                How many the host takes.
            \"\"\"
        """)
    before = lab.score.__doc__
    lab.dispatcher.register(adapter("fast", score=fast_score))
    assert lab.score.__doc__ == before
    lab.dispatcher.register(adapter("slow", score=slow_score))
    other = [entry.name for entry in FunctionDoc(lab.score)["Other Parameters"]]
    assert other == ["size", "level (slow)", "backend"]


def test_help_shows_the_options(host: Any, capsys: pytest.CaptureFixture[str]) -> None:
    module = host(FILLED)
    module.dispatcher.register(adapter(score=fast_score))
    help(module.score)
    shown = capsys.readouterr().out
    assert "size" in shown
    assert "How many at once." in shown
    assert functools.partial(module.score, 0)() == ("host", 0)


def test_a_class_as_implementation_is_described_by_its_docstring_or_its_constructors() -> None:
    class Score:
        """Score.

        Parameters
        ----------
        size
            From the class.
        """

        def __init__(self, x: Any, *, size: int = 3, level: int = 1) -> None:
            """Make one.

            Parameters
            ----------
            size
                Hidden.
            level
                From the constructor.
            """

    lab = make("merge_lab")

    def score(x: Any) -> Any:
        """Doc."""
        return "host", x

    function = lab.backend_dispatch(score)
    lab.register(adapter(score=Score))
    assert isinstance(function(0, level=2, backend="fast"), Score)
    assert "From the class." in function.__doc__
    assert "From the constructor." in function.__doc__
    assert "Hidden." not in function.__doc__


def test_what_was_shown_is_brought_back(host: Any) -> None:
    from scverse_backends.testing import temporary_backend

    module = host(FILLED)
    module.dispatcher.register(adapter("slow", score=slow_score))

    def state() -> Any:
        return module.score.__doc__, str(inspect.signature(module.score)), dict(module.score.__annotations__)

    before = state()
    with temporary_backend(module.dispatcher, adapter(score=fast_score)):
        assert "size (fast, slow)" in module.score.__doc__
        during = state()
    assert state() == before != during


def test_a_second_adapter_of_the_same_name_replaces_the_first(host: Any) -> None:
    module = host(FILLED)
    module.dispatcher.register(adapter(score=fast_score))
    module.dispatcher.unregister("fast")
    module.dispatcher.register(adapter(score=slow_score))
    assert "level (fast)" in module.score.__doc__
    assert "How many at once." not in module.score.__doc__
    assert module.score(0, level=1, backend="fast") == ("slow", 0, 5)


def test_the_hosts_own_text_is_never_touched(host: Any) -> None:
    module = host(FILLED)
    module.dispatcher.register(adapter(score=fast_score))
    own = inspect.unwrap(module.score)
    assert "backend" not in own.__doc__
    assert "size" not in own.__doc__
    assert "backend" not in own.__annotations__


class Documented:
    """Calls like a function, and raises what it is told to when somebody reads about it."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __call__(self, x: Any, *, size: int = 3) -> Any:
        return "fast", x

    @property
    def __doc__(self) -> Any:  # type: ignore[override]  # the point of it.
        raise self.error


class Wrapping(Documented):
    __doc__ = "Nothing to be told here."

    @property
    def __wrapped__(self) -> Any:
        raise self.error


@pytest.mark.parametrize("kind", [Documented, Wrapping])
def test_whatever_reading_about_an_implementation_raises_loses_only_this_merge(kind: Any) -> None:
    lab = make("merge_lab")
    function = lab.backend_dispatch(name="score")(lambda x: ("host", x))
    other = lab.backend_dispatch(name="other")(lambda x: ("host", x))
    lab.register(adapter(score=kind(SystemExit("no")), other=fast_score))
    assert list(inspect.signature(function).parameters) == ["x", "backend"]
    assert "size" in inspect.signature(other).parameters
    assert function(0, backend="fast") == ("fast", 0)


@pytest.mark.parametrize("kind", [Documented, Wrapping])
def test_ctrl_c_while_reading_about_an_implementation_passes(kind: Any) -> None:
    lab = make("merge_lab")
    function = lab.backend_dispatch(name="score")(lambda x: ("host", x))
    with pytest.raises(KeyboardInterrupt):
        lab.register(adapter(score=kind(KeyboardInterrupt())))
    assert function(0) == ("host", 0)


def test_classes_show_the_options_of_constructors() -> None:
    lab = make("merge_lab")

    class Model:
        """Model."""

        def __init__(self, x: Any) -> None:
            self.x = x

    before = Model.__annotations__.copy() if hasattr(Model, "__annotations__") else {}
    Model = lab.backend_class(Model)

    class FastModel:
        def __init__(self, x: Any, *, size: int = 3) -> None:
            self.x = x

    lab.register(adapter(Model=FastModel))
    assert "size" in inspect.signature(Model).parameters
    # The annotations of a class are those of its attributes, and no options.
    assert Model.__annotations__ == before
    lab.unregister("fast")
    assert "size" not in inspect.signature(Model).parameters


def test_functions_that_a_temporary_backend_leaves_alone() -> None:
    from scverse_backends.testing import temporary_backend

    lab = make("merge_lab")
    first = lab.backend_dispatch(name="score")(lambda x: x)
    second = lab.backend_dispatch(name="embed")(lambda x: x)
    with temporary_backend(lab, adapter(score=fast_score)):
        assert "size" in inspect.signature(first).parameters
        assert "size" not in inspect.signature(second).parameters
    assert "size" not in inspect.signature(first).parameters


def test_a_forked_child_finds_the_lock_open() -> None:
    lab = make("merge_lab")
    function = lab.backend_dispatch(name="score")(lambda x: x)
    merger = lab._machinery.merger
    thread = threading.Thread(target=merger._lock.acquire)
    thread.start()
    thread.join()
    assert not merger._lock.acquire(blocking=False)
    merger.after_fork()
    lab.register(adapter(score=fast_score))
    assert "size" in inspect.signature(function).parameters


def test_a_backend_that_comes_while_another_is_read_stays_merged() -> None:  # 2.9, 5.1
    dispatcher = BackendDispatcher(entrypoint_group="meanwhile.backends", host_name="meanwhile", untrusted="allow")

    @dispatcher.backend_dispatch
    def score(x: int) -> int:
        return x

    class Second:
        name = "second"

        def score(self, x: int, *, late: int = 1) -> int:
            return x

    class Implementation:
        """Has a signature that takes its time, in which another backend is registered."""

        @property
        def __signature__(self) -> inspect.Signature:
            if "second" not in dispatcher.available_backends():
                dispatcher.register(Second)
            return inspect.signature(lambda x, *, early=1: x)

        def __call__(self, x: int, **options: int) -> int:
            return x

    first = types.ModuleType("first")
    vars(first).update(name="first", score=Implementation())
    dispatcher.register(first)
    assert list(inspect.signature(score).parameters) == ["x", "early", "late", "backend"]
