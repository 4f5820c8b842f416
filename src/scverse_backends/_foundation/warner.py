"""The only place that warns: it puts each warning on the line that the user wrote, and gives some only once."""

from __future__ import annotations

import sys
import warnings
from os.path import dirname, sep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable
    from types import CodeType, FrameType

    from scverse_backends.exceptions import BackendWarning

# The separator keeps a sibling package whose name begins the same from being skipped too.
_LIBRARY = dirname(dirname(__file__)) + sep  # noqa: PTH120 - pathlib costs milliseconds to import.

_GLUE = ("contextlib", "functools")
"""Modules that stand between a host's functions and whoever calls them, and in which no user writes a line."""


class Warner:
    """Gives the warnings of one dispatcher."""

    __slots__ = ("_given", "_packages", "host")

    def __init__(self, host: str, packages: Iterable[str]) -> None:
        self.host = host
        self._packages = frozenset(packages)
        self._given: frozenset[Hashable] = frozenset()

    def warn(self, warning: BackendWarning, chain: Iterable[CodeType] = ()) -> None:
        """Warn on the user's line.

        Parameters
        ----------
        warning
            What to say; it is given its host here.
        chain
            Code of the functions along the ``__wrapped__`` chain of the public function.
        """
        warning.host = self.host
        self.warn_plainly(warning, type(warning), chain)

    def warn_plainly(self, message: Warning | str, category: type[Warning], chain: Iterable[CodeType] = ()) -> None:
        """Give any warning on the user's line."""
        frame = self._user_frame(tuple(chain))
        namespace = frame.f_globals
        warnings.warn_explicit(
            message,
            category,
            frame.f_code.co_filename,
            frame.f_lineno,
            module=namespace.get("__name__") or "<unknown>",
            registry=namespace.setdefault("__warningregistry__", {}),
            source=None,
        )

    def warn_once(self, key: Hashable, warning: BackendWarning, chain: Iterable[CodeType] = ()) -> bool:
        """Warn unless that was done before; says whether this is the first time."""
        if key in self._given:
            return False
        self._given |= {key}
        self.warn(warning, chain)
        return True

    def warn_aside(self, key: Hashable, warning: BackendWarning) -> None:
        """Warn, unless that was done before, of something beside what the user asked for.

        Where warnings are errors, this one must not break that; it is left for who asks for everything.
        """
        try:
            self.warn_once(key, warning)
        except type(warning):
            self._given -= {key}

    def first(self, key: Hashable) -> bool:
        """Whether something happens for the first time, which it no longer does afterwards."""
        if key in self._given:
            return False
        self._given |= {key}
        return True

    @property
    def given(self) -> frozenset[Hashable]:
        """What has been said once already."""
        return self._given

    def restore(self, given: frozenset[Hashable]) -> None:
        """Forget what was said since."""
        self._given = given

    def _user_frame(self, chain: tuple[CodeType, ...]) -> FrameType:
        """Return the frame of the line that the user wrote.

        Skipped are this library, the host's package, the functions along the chain, the files that decorators of
        other projects stand in, and what the standard library puts in between. The file of the host function itself is
        skipped only as part of the host's package: in a notebook or a script, it is also the user's.
        """
        # The way to find a caller's line is documented, its name notwithstanding.
        frame: FrameType | None = sys._getframe(1)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        chain = chain or tuple(_chain_of_call(frame))
        own_files = {code.co_filename for code in chain[-1:]}
        decorator_files = {code.co_filename for code in chain} - own_files
        last = frame
        while frame is not None:
            code = frame.f_code
            file = code.co_filename
            skipped = (
                file.startswith((_LIBRARY, "<frozen importlib"))
                or code in chain
                or file in decorator_files
                or self._is_no_users(frame)
            )
            if not skipped:
                return frame
            last, frame = frame, frame.f_back
        assert last is not None  # The frame of this very function came first.
        return last

    def _is_no_users(self, frame: FrameType) -> bool:
        name = frame.f_globals.get("__name__")
        return isinstance(name, str) and (name in _GLUE or name.partition(".")[0] in self._packages)


def _chain_of_call(frame: FrameType | None) -> Iterable[CodeType]:
    """Return the chain of the dispatched function whose call leads here, which a frame of this library knows."""
    while frame is not None and frame.f_code.co_filename.startswith(_LIBRARY):
        codes = getattr(frame.f_locals.get("record"), "codes", None)
        if codes is not None:
            chain: Iterable[CodeType] = codes()
            return chain
        frame = frame.f_back
    return ()
