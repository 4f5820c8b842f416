"""Change a dispatcher for a while, and leave no trace of it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from scverse_backends._inside.standing_in import provide, snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from scverse_backends import BackendDispatcher


class _Block:
    """One open block, and what brings back the state before it."""

    __slots__ = ("is_open", "restore")

    def __init__(self, restore: Callable[[], None]) -> None:
        self.restore = restore
        self.is_open = True


_BLOCKS: WeakKeyDictionary[BackendDispatcher, list[_Block]] = WeakKeyDictionary()
"""The blocks of each dispatcher that have not been restored yet, in the order in which they began."""


@contextmanager
def isolated(dispatcher: BackendDispatcher) -> Generator[None]:
    """Restore a dispatcher completely when the block is left, however it is left.

    Restored are backends, settings (those of the process, what the environment variable said, and the scopes of this
    context), the warnings given, merged signatures and docstrings, and what ``dispatcher.functions()`` lists: what is
    decorated inside works for as long as it lives, and counts no longer as one of the host's functions. At the start
    nothing changes.

    Parameters
    ----------
    dispatcher
        The host's dispatcher.

    Raises
    ------
    TypeError
        If `dispatcher` is none.

    Examples
    --------
    >>> from scverse_backends import BackendDispatcher
    >>> from scverse_backends.testing import isolated
    >>> host = BackendDispatcher(entrypoint_group="doc_host.backends", host_name="doc_host")
    >>> with isolated(host):
    ...     host.settings.fallback = "raise"
    >>> host.settings.fallback
    'explicit'

    As a fixture for every test of a host::

        @pytest.fixture(autouse=True)
        def isolated_dispatcher():
            with isolated(dispatcher):
                yield
    """
    block = _Block(snapshot(dispatcher))
    blocks = _BLOCKS.setdefault(dispatcher, [])
    blocks.append(block)
    try:
        yield
    finally:
        block.is_open = False
        # One that ends before another that began inside it, in another thread for instance, waits for that one.
        while blocks and not blocks[-1].is_open:
            blocks.pop().restore()


@contextmanager
def temporary_backend(
    dispatcher: BackendDispatcher,
    adapter: object,
    *,
    name: str | None = None,
    distribution: str | None = None,
    entry_point: str | None = None,
) -> Generator[str]:
    """Register an adapter for a while, as if a distribution provided it, and restore the dispatcher as `isolated` does.

    The adapter goes through everything that an installed one does: its name and aliases are checked, and the host's
    trust is decided by what is said here of its provider.

    Parameters
    ----------
    dispatcher
        The host's dispatcher.
    adapter
        A module, a class (instantiated here) or an object.
    name
        Stands for the entry point's name, by default the adapter's own.
    distribution
        The distribution to pretend. With the one that the host trusts, checks of what is not given here count as met.
        If it is installed, the adapter stands in the place of what it provides.
    entry_point
        The entry point to pretend, ``"name = module:object"``.

    Yields
    ------
    str
        The canonical name.

    Raises
    ------
    TypeError
        If `dispatcher` is none, or what describes the provider is no string.
    ValueError
        If the adapter breaks the rules, or the host refuses it.

    Examples
    --------
    >>> from scverse_backends import BackendDispatcher
    >>> from scverse_backends.testing import temporary_backend
    >>> host = BackendDispatcher(
    ...     entrypoint_group="doc_host.backends",
    ...     host_name="doc_host",
    ...     trusted_backends={"fast": {"package": "doc-fast"}},
    ... )
    >>> @host.backend_dispatch
    ... def double(x):
    ...     return 2 * x
    >>> class Fast:
    ...     name = "fast"
    ...
    ...     def double(self, x):
    ...         return x + x
    >>> with temporary_backend(host, Fast(), distribution="doc-fast"):
    ...     double(21, backend="fast")
    42
    >>> host.settings.available_backends()
    []

    As a fixture::

        @pytest.fixture
        def fast():
            with temporary_backend(dispatcher, Fast()) as name:
                yield name
    """
    with isolated(dispatcher):
        yield provide(dispatcher, adapter, name, distribution, entry_point)
