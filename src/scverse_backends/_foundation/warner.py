"""The only place that warns: it puts each warning on the line that the user wrote, and gives some only once."""

from __future__ import annotations

import sys
import warnings

from scverse_backends._foundation.foreign import LIBRARY
from scverse_backends._foundation.unseen import FILE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable
    from types import CodeType, FrameType

    from scverse_backends.exceptions import BackendWarning

    Key = tuple[Hashable, ...]
    """Identifies a warning that is given only once."""

_MOST_OF_A_SUBJECT = 8
"""How many different sentences one subject gets: a backend may have another for each data set."""

_GLUE = ("contextlib", "functools")
"""Modules of the standard library that may call a host's function in place of the user."""

_SCRIPTS = ("__main__", "__mp_main__")


def host_packages(host: str, group: str, module: str) -> frozenset[str]:
    """Return the packages that belong to the host, where a warning for its users should not point.

    The names of a host and of its group mostly begin with the name of its package. The module that made the dispatcher
    is part of the host, whatever the host calls itself, unless it is a script, a notebook or a test.

    Examples
    --------
    >>> sorted(host_packages("scikit-img", "scikit-img.backends", "skimg._dispatch"))
    ['scikit-img', 'skimg']
    """
    named = {name.partition(".")[0] for name in (host, group)}
    return frozenset(named if module in _SCRIPTS or _is_of_tests(module) else {*named, _package_of(module)})


def _package_of(module: str) -> str:
    """Return the outermost package of a module, without the namespaces that several projects share."""
    parts = module.split(".")
    outer = (".".join(parts[: end + 1]) for end in range(len(parts)))
    return next((name for name in outer if getattr(sys.modules.get(name), "__file__", None)), parts[0])


def _is_of_tests(module: str) -> bool:
    """Whether a module belongs to tests, as pytest and unittest find them. Its lines count as a user's."""
    parts = module.split(".")
    return parts[-1] == "conftest" or any(part in ("tests", "test") or part.startswith("test_") for part in parts)


class Warner:
    """Gives the warnings of one dispatcher."""

    def __init__(self, host: str, packages: Iterable[str]) -> None:
        self.host = host
        # With the dot, since the name of a sibling package may begin the same.
        self._packages = tuple(f"{package}." for package in packages)
        self._given: frozenset[Key] = frozenset()

    def warn(self, warning: BackendWarning) -> None:
        """Warn on the user's line; the warning is given its host here."""
        warning.host = self.host
        self.warn_plainly(warning, type(warning))

    def warn_author(self, warning: BackendWarning) -> None:
        """Warn the author of the host, on the line of the host that uses this library."""
        warning.host = self.host
        self._warn(warning, type(warning), self._frame_outside(lambda _frame: False))

    def warn_plainly(self, message: Warning | str, category: type[Warning]) -> None:
        """Give any warning on the user's line."""
        self._warn(message, category, self._frame_outside(self._is_no_users))

    def _warn(self, message: Warning | str, category: type[Warning], frame: FrameType) -> None:
        namespace = frame.f_globals
        warnings.warn_explicit(
            message,
            category,
            frame.f_code.co_filename,
            frame.f_lineno,
            module=namespace.get("__name__") or "<unknown>",
            registry=namespace.setdefault("__warningregistry__", {}),
        )

    def warn_once(self, key: Key, warning: BackendWarning) -> None:
        """Warn unless that was done before."""
        if key not in self._given:
            self._given |= {key}
            self.warn(warning)

    def warn_aside(self, key: Key, warning: BackendWarning) -> None:
        """Warn, unless that was done before, of something beside what the user asked for.

        Where warnings are errors, this one must not break the user's call. It is given again by `discover()`.
        """
        try:
            self.warn_once(key, warning)
        except type(warning):
            self._given -= {key}

    def is_news(self, subject: Hashable, text: str) -> bool:
        """Whether this is new, and not too much was said of the same subject."""
        if (subject, text) in self._given:
            return False
        said = sum(key[0] == subject for key in self._given)
        self._given |= {(subject, text)}
        return said < _MOST_OF_A_SUBJECT

    @property
    def given(self) -> frozenset[Key]:
        """What has been said once already."""
        return self._given

    def restore(self, given: frozenset[Key]) -> None:
        """Forget what was said since."""
        self._given = given

    def _frame_outside(self, skipped: Callable[[FrameType], bool]) -> FrameType:
        """Return the frame of the line that somebody else wrote.

        This library is skipped, and the functions around the dispatched one (its chain), and the files of decorators
        from other projects. For a user, so are the host's package and what the standard library puts in between. The
        file of the host function is skipped only as part of the host's package, since a notebook is also the user's.
        """
        # The way to find a caller's line is documented, its name notwithstanding.
        frame: FrameType | None = sys._getframe(1)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        chain: tuple[CodeType, ...] = ()
        decorator_files: set[str] = set()
        last = frame
        while frame is not None:
            code = frame.f_code
            if code.co_filename.startswith((LIBRARY, FILE)):
                if not chain:
                    chain = tuple(_codes_around(frame))
                    files = [one.co_filename for one in chain]
                    decorator_files = {*files} - {*files[-1:]}
            elif not (code in chain or code.co_filename in decorator_files or skipped(frame)):
                return frame
            last, frame = frame, frame.f_back
        assert last is not None  # The frame of this very function came first.
        return last

    def _is_no_users(self, frame: FrameType) -> bool:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        name = frame.f_globals.get("__name__")
        if not isinstance(name, str):
            return False
        return name in _GLUE or (not _is_of_tests(name) and any(map(f"{name}.".startswith, self._packages)))


def _codes_around(frame: FrameType) -> Iterable[CodeType]:
    """Return the code of the functions around the dispatched one that a frame of ours runs.

    Every frame of ours on the way of a call has the function's record under this name.
    """
    codes = getattr(frame.f_locals.get("record"), "codes", None)
    around: Iterable[CodeType] = () if codes is None else codes()
    return around
