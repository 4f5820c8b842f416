"""On whose line warnings stand (4.5), with host packages that are really written and imported."""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
import subprocess
import sys
import textwrap
import uuid
import warnings
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from scverse_backends import BackendDispatcher
from scverse_backends._foundation.unseen import FILE
from scverse_backends._foundation.warner import Warner, host_packages
from scverse_backends.exceptions import DroppedArgumentWarning, FallbackWarning, UntrustedBackendWarning

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DISPATCHER = """
from scverse_backends import BackendDispatcher
dispatcher = BackendDispatcher(entrypoint_group="{name}.backends", host_name="{name}", untrusted="{untrusted}")
settings = dispatcher.settings

class Fast:
    name = "fast"
    def score(self, x):
        return "fast", x

class Bare:
    name = "bare"

dispatcher.register(Fast)
dispatcher.register(Bare)
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Write packages and import them; none has a name that another test used."""
    monkeypatch.syspath_prepend(str(tmp_path))
    written: list[str] = []

    def write(files: dict[str, str], *, untrusted: str = "allow", name: str | None = None) -> Any:
        name = name or f"host_{uuid.uuid4().hex[:8]}"
        folder = tmp_path / name
        folder.mkdir()
        written.append(name)
        (folder / "_dispatch.py").write_text(DISPATCHER.format(name=name, untrusted=untrusted))
        for file, text in files.items():
            (folder / file).write_text(textwrap.dedent(text).replace("THIS", name))
        return __import__(name)

    yield write
    for loaded in [key for key in sys.modules if key.partition(".")[0] in written]:
        del sys.modules[loaded]


def lines_of(call: Callable[[], Any]) -> list[tuple[str, int, type[Warning]]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    return [(warning.filename, warning.lineno, warning.category) for warning in caught]


def here() -> int:
    """Return the line of the caller."""
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    return frame.f_back.f_lineno


SIMPLE = {
    "__init__.py": """
        from THIS._dispatch import dispatcher, settings

        @dispatcher.backend_dispatch
        def score(x, k=1):
            return "host", x

        @dispatcher.backend_dispatch
        def pipeline(x):
            return score(x, 2)

        def plain_pipeline(x):
            return score(x, 2, backend="fast")
    """,
}


def test_the_users_line(package: Callable[..., Any]) -> None:
    host = package(SIMPLE)
    found = lines_of(lambda: host.score(0, 2, backend="fast"))
    assert found == [(__file__, here() - 1, DroppedArgumentWarning)]
    found = lines_of(lambda: host.score(0, backend="bare"))
    assert found == [(__file__, here() - 1, FallbackWarning)]


def test_frames_of_the_hosts_package_are_skipped(package: Callable[..., Any]) -> None:
    host = package(SIMPLE)
    found = lines_of(lambda: host.plain_pipeline(0))
    assert found == [(__file__, here() - 1, DroppedArgumentWarning)]

    def in_a_scope() -> None:
        with host.settings.use_backend("fast"):
            host.pipeline(0)  # the line

    (found,) = lines_of(in_a_scope)
    assert found == (__file__, here() - 3, DroppedArgumentWarning)


def test_decorators_of_other_projects_are_skipped(package: Callable[..., Any]) -> None:
    outside = package(
        {
            "__init__.py": """
                import functools

                def loud(function):
                    @functools.wraps(function)
                    def wrapper(*args, **kwargs):
                        return helper(function, args, kwargs)
                    return wrapper

                def helper(function, args, kwargs):
                    return function(*args, **kwargs)
            """
        }
    )
    files = {
        "__init__.py": f"""
            from {outside.__name__} import loud
            from THIS._dispatch import dispatcher, settings

            @loud
            @loud
            @dispatcher.backend_dispatch
            @loud
            def score(x, k=1):
                return "host", x
        """
    }
    host = package(files)
    # The helper's frame is in no function of the chain, but in a file of the chain.
    found = lines_of(lambda: host.score(0, 2, backend="fast"))
    assert found == [(__file__, here() - 1, DroppedArgumentWarning)]


def test_decorators_that_are_objects_are_skipped(package: Callable[..., Any]) -> None:  # 4.5
    outside = package(
        {
            "__init__.py": """
                import functools

                class Loud:
                    def __init__(self, function):
                        functools.update_wrapper(self, function)

                    def __call__(self, *args, **kwargs):
                        return self.__wrapped__(*args, **kwargs)
            """
        }
    )
    files = {
        "__init__.py": f"""
            from {outside.__name__} import Loud
            from THIS._dispatch import dispatcher

            @Loud
            @dispatcher.backend_dispatch
            def score(x, k=1):
                return "host", x
        """
    }
    host = package(files)
    found = lines_of(lambda: host.score(0, 2, backend="fast"))
    assert found == [(__file__, here() - 1, DroppedArgumentWarning)]


def test_the_standard_librarys_glue_is_skipped(package: Callable[..., Any]) -> None:  # 4.5
    files = {
        "__init__.py": """
            import contextlib
            import functools
            from THIS._dispatch import dispatcher, settings

            @contextlib.contextmanager
            def override(name):
                with settings.use_backend(name):
                    yield

            @dispatcher.backend_dispatch
            def score(x, k=1):
                return "host", x

            @functools.singledispatch
            def generic(x):
                return score(x, 2)

            class Results:
                @functools.cached_property
                def scores(self):
                    return score(0, 2)
        """
    }
    host = package(files, untrusted="warn")

    def recipe() -> None:
        with host.override("fast"):  # the first line
            host.generic(0)  # the second
            assert host.Results().scores == ("fast", 0)  # the third

    start = here() - 5
    assert lines_of(recipe) == [
        (__file__, start + 1, UntrustedBackendWarning),
        (__file__, start + 2, DroppedArgumentWarning),
        (__file__, start + 3, DroppedArgumentWarning),
    ]

    def stack() -> None:
        with contextlib.ExitStack() as entered:
            entered.enter_context(host.settings.use_backend("bare"))

    assert lines_of(stack) == [(__file__, here() - 2, UntrustedBackendWarning)]


def test_a_sibling_whose_name_begins_the_same_is_the_user(package: Callable[..., Any]) -> None:
    host = package(SIMPLE)
    user = package(
        {"__init__.py": f"import {host.__name__} as h\ndef run(): return h.score(0, 2, backend='fast')\n"},
        name=f"{host.__name__}_more",
    )
    assert lines_of(user.run) == [(user.__file__, 2, DroppedArgumentWarning)]
    library_like = package(
        {"__init__.py": f"import {host.__name__} as h\ndef run(): return h.score(0, 2, backend='fast')\n"},
        name=f"scverse_backends_{uuid.uuid4().hex[:6]}",
    )
    assert lines_of(library_like.run) == [(library_like.__file__, 2, DroppedArgumentWarning)]


# -- a host that stands in the user's own file -----------------------------------------------------------------------

local = BackendDispatcher(entrypoint_group="local_lab.backends", host_name="local_lab", untrusted="allow")


def same_file(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


@same_file
@local.backend_dispatch
def score_here(x: Any, k: Any = 1) -> Any:
    return "host", x


class FastHere:
    name = "fast"

    def score_here(self, x: Any) -> Any:
        return "fast", x


local.register(FastHere)


def test_a_host_function_in_the_users_own_file() -> None:
    found = lines_of(lambda: score_here(0, 2, backend="fast"))
    assert found == [(__file__, here() - 1, DroppedArgumentWarning)]


SCRIPT = """
from scverse_backends import BackendDispatcher
dispatcher = BackendDispatcher(entrypoint_group="script.backends", host_name="script", untrusted="allow")

@dispatcher.backend_dispatch
def score(x, k=1):
    return "host", x

class Fast:
    name = "fast"
    def score(self, x):
        return "fast", x

dispatcher.register(Fast)
def main():
    score(0, 2, backend="fast")  # the line
main()
"""


def test_a_host_function_in_main(tmp_path: Path) -> None:
    script = tmp_path / "script_of_a_user.py"
    script.write_text(SCRIPT)
    ran = subprocess.run([sys.executable, "-W", "always", script], capture_output=True, text=True, check=True)
    line = SCRIPT.splitlines().index('    score(0, 2, backend="fast")  # the line') + 1
    assert f"{script}:{line}: DroppedArgumentWarning" in ran.stderr


def test_a_host_package_that_is_run_has_no_user_but_itself(tmp_path: Path) -> None:
    folder = tmp_path / "script"
    folder.mkdir()
    (folder / "__init__.py").write_text(SCRIPT.rpartition("main()")[0])
    (folder / "__main__.py").write_text("import script\nscript.main()\n")
    ran = subprocess.run(
        [sys.executable, "-W", "always", "-m", "script"], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert "DroppedArgumentWarning" in ran.stderr
    assert f"{folder / '__main__.py'}:2" in ran.stderr


# Nothing of its name for users stands in the name of its package, as with scikit-image.
OTHERWISE = DISPATCHER.format(name="THIS", untrusted="allow").replace("THIS", "scikit-img")


def test_a_host_that_is_called_otherwise_than_its_package(package: Callable[..., Any]) -> None:  # 4.5
    inside = {"tests.py": "import THIS\ndef test_it():\n    THIS.plain_pipeline(0)\n"}
    host = package({**SIMPLE, **inside, "_dispatch.py": OTHERWISE})
    assert not host.__name__.startswith("scikit")
    assert lines_of(lambda: host.plain_pipeline(0)) == [(__file__, here(), DroppedArgumentWarning)]
    # Tests inside the package are where a host's developers look for the line.
    tests = importlib.import_module(f"{host.__name__}.tests")
    assert lines_of(tests.test_it) == [(tests.__file__, 3, DroppedArgumentWarning)]


def test_a_host_of_one_file_that_is_called_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # 4.5
    monkeypatch.syspath_prepend(str(tmp_path))
    functions = textwrap.dedent(SIMPLE["__init__.py"]).split("\n", 2)[2]
    (tmp_path / "skimg_of_one_file.py").write_text(OTHERWISE + functions)
    host = importlib.import_module("skimg_of_one_file")
    assert lines_of(lambda: host.plain_pipeline(0)) == [(__file__, here(), DroppedArgumentWarning)]


def test_packages_that_share_a_namespace_with_the_host_are_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    for name, text in {
        "img": f"{OTHERWISE}{textwrap.dedent(SIMPLE['__init__.py']).split(chr(10), 2)[2]}",
        "imgs": "import shared_space.img as img\ndef use():\n    img.plain_pipeline(0)\n",
    }.items():
        (tmp_path / "shared_space" / name).mkdir(parents=True)
        (tmp_path / "shared_space" / name / "__init__.py").write_text(text)
    user = importlib.import_module("shared_space.imgs")
    assert lines_of(user.use) == [(user.__file__, 3, DroppedArgumentWarning)]


@pytest.mark.parametrize(
    ("module", "packages"),
    [
        ("warnings", {"img", "scikit-img", "warnings"}),
        ("xml.etree.ElementTree", {"img", "scikit-img", "xml"}),
        ("gone_from_here.part", {"img", "scikit-img", "gone_from_here"}),
        ("__main__", {"img", "scikit-img"}),
        ("__mp_main__", {"img", "scikit-img"}),
        ("test_umap", {"img", "scikit-img"}),
        ("project.tests.umap", {"img", "scikit-img"}),
        ("tests.conftest", {"img", "scikit-img"}),
        ("conftest", {"img", "scikit-img"}),
        ("latest_umap", {"img", "scikit-img", "latest_umap"}),
    ],
)
def test_the_packages_of_a_host(module: str, packages: set[str]) -> None:
    assert host_packages("scikit-img", "img.backends", module) == packages


# -- as errors --------------------------------------------------------------------------------------------------------


def test_warnings_as_errors_break_the_call_that_they_are_about_and_no_other(package: Callable[..., Any]) -> None:
    host = package(SIMPLE, untrusted="warn")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UntrustedBackendWarning):
            host.score(0, backend="fast")
        # Said once; the backend works from now on.
        assert host.score(0, backend="fast") == ("fast", 0)
        with pytest.raises(UntrustedBackendWarning):
            host.score(0, backend="bare")
        with pytest.raises(DroppedArgumentWarning):
            host.score(0, 2, backend="fast")
        assert host.score(0, 1, backend="fast") == ("fast", 0)
    assert host.settings.backend == "cpu"


def test_the_first_use_of_an_untrusted_backend_stands_on_the_users_line(package: Callable[..., Any]) -> None:
    host = package(SIMPLE, untrusted="warn")
    found = lines_of(lambda: host.score(0, backend="fast"))
    assert found == [(__file__, here() - 1, UntrustedBackendWarning)]

    def assign() -> None:
        host.settings.backend = "bare"

    found = lines_of(assign)
    assert found == [(__file__, here() - 3, UntrustedBackendWarning)]


def test_filters_by_module_see_the_users_module(package: Callable[..., Any]) -> None:
    host = package(SIMPLE)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.filterwarnings("ignore", module=__name__.replace(".", r"\."))
        host.score(0, 2, backend="fast")
    assert caught == []


# -- the parts --------------------------------------------------------------------------------------------------------


def test_once_and_restored() -> None:
    warner = Warner("lab", ["lab"])
    before = warner.given
    with pytest.warns(FallbackWarning, match="one"):
        warner.warn_once(("key",), FallbackWarning("one"))
    warner.warn_once(("key",), FallbackWarning("one"))  # Warnings are errors in this suite.
    assert warner.is_news("other", "text")
    assert not warner.is_news("other", "text")
    assert warner.is_news("other", "another text")
    assert warner.given == {("key",), ("other", "text"), ("other", "another text")}
    warner.restore(before)
    assert warner.is_news("other", "text")
    with pytest.warns(FallbackWarning) as caught:
        warner.warn_once("key", FallbackWarning("one"))
    assert caught[0].message.host == "lab"  # type: ignore[union-attr]  # one of ours.


def test_a_namespace_without_a_name_is_a_user_too() -> None:
    warner = Warner("lab", ["lab"])
    scope = {"warner": warner, "FallbackWarning": FallbackWarning}
    with pytest.warns(FallbackWarning) as caught:
        exec(compile("warner.warn(FallbackWarning('nameless'))", "<nameless>", "exec"), scope)
    assert (caught[0].filename, caught[0].lineno) == ("<nameless>", 1)


def test_a_warning_aside_never_breaks_anything() -> None:
    warner = Warner("lab", ["lab"])
    # The suite turns warnings into errors: nothing is raised, and nothing counts as said.
    warner.warn_aside("key", FallbackWarning("aside"))
    assert warner.given == frozenset()
    with pytest.warns(FallbackWarning, match="aside"):
        warner.warn_aside("key", FallbackWarning("aside"))
    assert warner.given == {"key"}
    warner.warn_aside("key", FallbackWarning("aside"))


def test_where_every_frame_is_skipped_the_outermost_stands_for_the_user() -> None:
    stack = []
    frame = inspect.currentframe()
    while frame is not None:
        stack.append(frame.f_code)
        last, frame = frame, frame.f_back

    def wrapper(record: Any) -> None:
        # A frame of ours, in which the record of the function says what stands around it.
        Warner("lab", ["lab"]).warn(FallbackWarning("nobody"))

    wrapper.__code__ = wrapper.__code__.replace(co_filename=FILE)

    with pytest.warns(FallbackWarning) as caught:
        wrapper(SimpleNamespace(codes=lambda: stack))
    assert caught[0].filename == last.f_code.co_filename
