"""Section 7.7: a function of the host's parameters, for a backend to fill in."""

from __future__ import annotations

import enum
import inspect
import textwrap
import types

import pytest
from labs import define, make

from scverse_backends import exceptions
from scverse_backends._inside.dispatchers import HostFunction, host_functions
from scverse_backends._skeleton.stubs import stub
from scverse_backends.testing import check_backend, temporary_backend


class Sentinel:
    def __repr__(self):
        return "<not given>"


class Mode(enum.Enum):
    FAST = 1


def written(function, *, decorate="backend_dispatch", keep=False):
    """Return the stub of a host's function."""
    dispatcher = make("stubbed_host")
    kept = getattr(dispatcher, decorate)(function)
    (found,) = host_functions(dispatcher)
    made = stub(found, f"stubbed_host.{found.attribute}", "raise NotImplementedError", {})
    return (made, dispatcher, kept) if keep else made


def header(function):
    """Return the signature of the stub, without its body."""
    source = written(function).source
    return source[: source.index('"""')].rstrip()


def f01(): ...
def f02(data, n=2, *, scale=False): ...
def f03(data, /, n=2, *, scale=False, **kwargs): ...
def f04(data, /): ...
def f05(data: int, text: str = 'a"b', other: str = "it's", pair=(1, -2.5), one=(1,), no=None): ...
def f07(*, alpha_parameter: int = 1, beta_parameter: int = 2, gamma_parameter: int = 3, d: int = 4) -> int: ...
def f08(*, x="y" * 70, z: int | str | bytes | list[int] | list[str] | list[bytes] | set[int] | dict[int, int] = 3): ...
def f09(*, x="y" * 90): ...
async def f10(data): ...
def f11(data):
    yield


async def f12(data):
    yield


# What is no plain value is left to the host, and what stands before it by position too.
f06 = define(
    "def f06(a=1, b=Sentinel(), c=3, *, d=FAST, e=[], f=float('nan'), g=float('inf'), h=((1, []),)): ...",
    Sentinel=Sentinel,
    FAST=Mode.FAST,
)


HEADERS = {
    f01: "def f01():",
    f02: "def f02(data, n=2, *, scale=False):",
    f03: "def f03(data, /, n=2, *, scale=False, **kwargs):",
    f04: "def f04(data, /):",
    f05: """
        def f05(
            data: int,
            text: str = 'a"b',
            other: str = "it's",
            pair=(1, -2.5),
            one=(1,),
            no=None,
        ):
        """,
    f06: "def f06(a, b, c=3, *, d, e, f, g, h):",
    f07: """
        def f07(
            *,
            alpha_parameter: int = 1,
            beta_parameter: int = 2,
            gamma_parameter: int = 3,
            d: int = 4,
        ) -> int:
        """,
    f08: f"""
        def f08(
            *,
            x="{"y" * 70}",
            z=3,
        ):
        """,
    f09: "def f09(*, x):",
    f10: "async def f10(data):",
    f11: "def f11(data):",
    f12: "async def f12(data):",
}  # fmt: skip


@pytest.mark.parametrize("function", HEADERS, ids=lambda function: function.__name__)
def test_signatures(function):
    assert header(function) == textwrap.dedent(HEADERS[function]).strip()


@pytest.mark.parametrize("function", HEADERS, ids=lambda function: function.__name__)
def test_what_is_written_is_what_the_host_wants(function):
    made, dispatcher, kept = written(function, keep=True)
    namespace = {}
    exec(f"from __future__ import annotations\n{made.source}", namespace)
    theirs = namespace[function.__name__]
    mine = inspect.signature(function).parameters.values()
    assert [(p.name, p.kind) for p in mine] == [(p.name, p.kind) for p in inspect.signature(theirs).parameters.values()]
    for kind in (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction):
        assert kind(theirs) == kind(function)
    # The static contract has nothing to say, of a host that trusts everybody but vouches for none.
    with temporary_backend(dispatcher, types.SimpleNamespace(name="fast", **{function.__name__: theirs})):
        report = check_backend(dispatcher, "fast")
    assert [problem.message for problem in report] == ["It is not trusted: the host does not list it as trusted."]
    assert kept.__name__ == function.__name__


def documented(data, scale=2, missing=0, *, _x="", **kwargs):
    r"""Scale.

    Parameters
    ----------
    data : array, shape (n,)
        Numbers, in \(x\) and in \"\"\"quotes\"\"\".

        Two paragraphs,
          indented.
    scale
    **kwargs
        More.
    stranger
        Of another function.

    Returns
    -------
    Numbers.
    """


def test_documentation():
    source = written(documented).source
    assert textwrap.dedent(source[source.index('    r"""') :]) == textwrap.dedent(
        r'''
        r"""Do what stubbed_host.documented does.

        Parameters
        ----------
        data : array, shape (n,)
            Numbers, in \(x\) and in \"\"\"quotes\"\"\".

            Two paragraphs,
              indented.
        scale
            As in the host.
        missing
            As in the host.
        _x
            As in the host.
        **kwargs
            More.
        """
        raise NotImplementedError
        '''
    ).lstrip("\n")


def test_quotes_in_a_documentation():
    def quoting(data):
        """Quote.

        Parameters
        ----------
        data
            In three quotes.
        """

    quoting.__doc__ = quoting.__doc__.replace("three quotes", '"""three quotes"""')
    source = written(quoting).source
    compile(source, "stub", "exec")
    assert "'''three quotes'''" in source


def test_without_documentation():
    assert written(f02).source.endswith(
        '    """Do what stubbed_host.f02 does."""\n    raise NotImplementedError\n'
    )  # fmt: skip


def test_the_options_of_other_backends_are_none_of_the_hosts():
    made, dispatcher, kept = written(documented, keep=True)

    def other(data, *, tile=1, **kwargs):
        """Scale.

        Parameters
        ----------
        tile
            An option of the other backend.
        """

    with temporary_backend(dispatcher, types.SimpleNamespace(name="other", documented=other)):
        dispatcher.discover()
        assert "tile" in inspect.signature(kept).parameters
        (found,) = host_functions(dispatcher)
        assert stub(found, "stubbed_host.documented", "raise NotImplementedError", {}) == made


class Model:
    """Fit.

    Parameters
    ----------
    size
        Of the model.
    """

    def __init__(self, size: int = 3, *, name=Mode.FAST) -> None: ...


class Undocumented:
    def __init__(self, size):
        """Make.

        Parameters
        ----------
        size
            Of it.
        """


def test_classes():
    assert (
        written(Model, decorate="backend_class").source
        == textwrap.dedent('''
        class Model:
            """Take the place of stubbed_host.Model.

            Parameters
            ----------
            size
                Of the model.
            name
                As in the host.
            """

            def __init__(self, size: int = 3, *, name) -> None:
                raise NotImplementedError
        ''').lstrip()
    )
    assert "            Of it." in written(Undocumented, decorate="backend_class").source.replace("\n", "\n    ")


def test_an_outer_function_that_leads_nowhere():
    made, dispatcher, kept = written(f02, keep=True)
    (found,) = host_functions(dispatcher)
    public = types.SimpleNamespace(__doc__=None, __wrapped__=None)
    public.__wrapped__ = public
    circle = HostFunction("f02", public, found.signature, is_class=False)
    again = stub(circle, "stubbed_host.f02", "raise NotImplementedError", {})
    assert (again.source, kept.__name__) == (made.source, "f02")


@pytest.mark.parametrize(
    ("source", "excused"),
    [
        ("def f(): ...", {"ANN201"}),
        ("def f(*, a: int = 1) -> int: ...", set()),
        ("def f(data, **kwargs): ...", {"ANN001", "ANN003", "ANN201"}),
    ],
)
def test_rules_that_the_host_breaks(source, excused):
    assert written(define(source)).excused == excused


def test_more_rules_that_the_host_breaks():
    compute = define("def Compute(input: bool, X: int, flag=True, *, match: bool = False) -> int: ...")
    compute.__doc__ = f"Compute.\n\nParameters\n----------\ninput\n    A range, 1\u20132.\nX\n    {'x' * 120}\n"
    assert written(compute).excused == {"ANN001", "A002", "FBT001", "FBT002", "N802", "N803", "RUF002", "E501"}


def test_functions_of_one_name_are_left_out():  # 4.1: a call on a backend is an error
    dispatcher = make("stubbed_host")

    def tl(data):
        """One."""

    def pl(data):
        """Another."""

    def embed(data):
        """A third."""

    kept = [dispatcher.backend_dispatch(embed), dispatcher.backend_dispatch(name="umap")(tl)]
    with pytest.warns(exceptions.BackendConflictWarning, match="umap"):
        kept.append(dispatcher.backend_dispatch(name="umap")(pl))
    assert [found.attribute for found in host_functions(dispatcher)] == ["embed"]
