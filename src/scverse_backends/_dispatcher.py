"""``BackendDispatcher``: puts the parts together, and contains no logic of its own."""

from __future__ import annotations

import sys
from _thread import RLock

from scverse_backends._calls.records import LiveRecords
from scverse_backends._discovery.entry_points import RegisteredRecord
from scverse_backends._discovery.registration import register, unregister
from scverse_backends._discovery.registry import Registry
from scverse_backends._discovery.resolver import Resolver
from scverse_backends._discovery.trust import Trust, checked_name
from scverse_backends._foundation.labels import CPU, one_or_several, problem
from scverse_backends._foundation.live import enlist, restore
from scverse_backends._foundation.warner import Warner
from scverse_backends._reports.discover import discover
from scverse_backends._selection.selection import Selection
from scverse_backends._settings import Settings
from scverse_backends._signatures.omitted import NOTHING_RENAMED, parsed_renames
from scverse_backends.exceptions import BackendError, BackendLoadWarning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, Literal, overload

    from scverse_backends._calls.dispatch import Dispatch
    from scverse_backends._machinery import Machinery
    from scverse_backends._protocols import ClassDecorator, DispatchedFunction, FunctionDecorator, Renamed
    from scverse_backends._reports.report import BackendTable, Explanation


class BackendDispatcher:
    """Lets a host library's functions run on backends that are installed next to it.

    A host creates one, decorates its public functions with :meth:`backend_dispatch` and re-exports
    :attr:`settings`. Two dispatchers share nothing.

    Parameters
    ----------
    entrypoint_group
        The entry-point group under which backends register, ``"example_host.backends"`` for instance.
    host_name
        The host library's name, for messages and for the environment variable (``EXAMPLE_HOST_BACKEND``).
    trusted_backends
        The backends that the host vouches for, by canonical name. Each is a mapping with ``aliases`` and with what
        its provider is verified by: ``package``, ``distributions``, ``entrypoints``, ``object_refs``,
        ``module_prefixes`` (each in singular or plural, a string or a collection of strings). All kinds that are
        given must match. See :doc:`/trust`.
    reserved_backends
        Names that no backend may take, each with the sentence that a user gets who selects it.
    untrusted
        What becomes of all other backends: ``"warn"`` uses them with a warning, ``"allow"`` without one, and
        ``"refuse"`` never even imports them.

    Raises
    ------
    ValueError
        If the configuration is wrong; the message says which part of it.

    Examples
    --------
    >>> from scverse_backends import BackendDispatcher
    >>> dispatcher = BackendDispatcher(entrypoint_group="doc_host.backends", host_name="doc_host")
    >>> @dispatcher.backend_dispatch
    ... def double(x):
    ...     return 2 * x
    >>> class Adapter:
    ...     name = "fast"
    ...     def double(self, x):
    ...         return x + x
    >>> dispatcher.register(Adapter())
    'fast'
    >>> import warnings
    >>> with warnings.catch_warnings(action="ignore"):  # the backend is not a trusted one
    ...     double(21, backend="fast")
    42
    """

    __slots__ = (
        "__weakref__",
        "_building",
        "_key",
        "_machinery",
        "_records",
        "_registry",
        "_resolver",
        "_selection",
        "_settings",
        "_warner",
        "entrypoint_group",
        "host_name",
    )

    def __init__(
        self,
        *,
        entrypoint_group: str,
        host_name: str,
        trusted_backends: Mapping[str, Mapping[str, Any]] | None = None,
        reserved_backends: Mapping[str, str] | None = None,
        untrusted: Literal["warn", "refuse", "allow"] = "warn",
    ) -> None:
        self.entrypoint_group: str = checked_name(entrypoint_group, "entrypoint_group")
        self.host_name: str = checked_name(host_name, "host_name")
        if untrusted not in ("warn", "refuse", "allow"):
            raise ValueError(f"untrusted must be 'warn', 'refuse' or 'allow', not {untrusted!r}.")
        trust = Trust(trusted_backends, reserved_backends)
        packages = {name.partition(".")[0] for name in (host_name, entrypoint_group)}
        self._warner = Warner(host_name, packages)
        self._records = LiveRecords()
        self._machinery: Machinery | None = None
        self._building = RLock()
        self._registry = Registry(
            group=entrypoint_group,
            trust=trust,
            refuse_untrusted=untrusted == "refuse",
            on_change=self._on_change,
        )
        self._resolver = Resolver(host_name, self._registry, self._warner, warn_untrusted=untrusted == "warn")
        self._selection = Selection(host_name, self._resolver.choice, self._resolver.known)
        # Where the host keeps this is told by nothing but its frame.
        module = sys._getframe(1).f_globals.get("__name__", "__main__")  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        self._key = enlist(self, module, entrypoint_group, host_name)
        self._selection.reference = (restore, (self._key, "_selection"))
        self._settings = Settings(host_name, self._selection, self)

    # -- for hosts ---------------------------------------------------------------------------------------------------

    @property
    def settings(self) -> Settings:
        """What the host's users select with; hosts re-export it."""
        return self._settings

    if TYPE_CHECKING:

        @overload
        def backend_dispatch[**P, R](self, func: Callable[P, R], /) -> DispatchedFunction[P, R]: ...
        @overload
        def backend_dispatch(
            self,
            func: None = None,
            /,
            *,
            name: str | None = None,
            own_backend: str | None = None,
            own_backend_values: Sequence[str] = (),
            renamed: Renamed | None = None,
        ) -> FunctionDecorator: ...

    def backend_dispatch(
        self,
        func: Callable[..., Any] | None = None,
        /,
        *,
        name: str | None = None,
        own_backend: str | None = None,
        own_backend_values: Sequence[str] = (),
        renamed: Renamed | None = None,
    ) -> Any:
        """Decorate a host function so that it can run on a backend.

        Parameters
        ----------
        func
            A function at the level of a module, without ``*args`` and without a parameter ``backend``.
        name
            The adapter attribute to look for, by default the function's ``__name__``.
        own_backend
            New name of the function's own parameter ``backend``, where it has one.
        own_backend_values
            The values that old calls give it as ``backend=``; they still arrive, with a ``FutureWarning``.
        renamed
            Parameters that were renamed while backends stayed behind: new name to old name, or to the old name and
            a function that converts the value (and returns :data:`~scverse_backends.OMITTED` for "nothing given").

        Returns
        -------
        The decorated function, or a decorator where no function was given.

        Raises
        ------
        TypeError
            If the function cannot be dispatched; the message says why.

        Examples
        --------
        >>> from scverse_backends import BackendDispatcher
        >>> dispatcher = BackendDispatcher(entrypoint_group="doc_host.backends", host_name="doc_host")
        >>> @dispatcher.backend_dispatch
        ... def total(values):
        ...     return sum(values)
        >>> total([1, 2], backend="cpu")
        3
        """
        options = {
            "name": name,
            "own_backend": own_backend,
            "own_backend_values": one_or_several(own_backend_values),
            "renamed": parsed_renames(renamed) if renamed else NOTHING_RENAMED,
        }
        if func is None:

            def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
                return self._built().decorate(function, **options)

            return decorate
        return self._built().decorate(func, **options)

    if TYPE_CHECKING:

        @overload
        def backend_class[C: type](self, cls: C, /) -> C: ...
        @overload
        def backend_class(self, cls: None = None, /, *, name: str | None = None) -> ClassDecorator: ...

    def backend_class(self, cls: type | None = None, /, *, name: str | None = None) -> Any:
        """Decorate a host class, so that constructing it constructs the backend's class of that name.

        The caller gets the backend's instance; whether it is also an instance of the host's class is for the
        backend's author to decide, by inheriting from it. Undecorated subclasses are normal classes.

        Parameters
        ----------
        cls
            A class whose constructor has neither ``*args`` nor a parameter ``backend``.
        name
            The adapter attribute to look for, by default the class's ``__name__``.

        Returns
        -------
        The decorated class, or a decorator where no class was given.

        Raises
        ------
        TypeError
            If the class cannot be dispatched; the message says why.

        Examples
        --------
        >>> from scverse_backends import BackendDispatcher
        >>> dispatcher = BackendDispatcher(entrypoint_group="doc_host.backends", host_name="doc_host")
        >>> @dispatcher.backend_class
        ... class Model:
        ...     def __init__(self, size=3):
        ...         self.size = size
        >>> Model(size=5, backend="cpu").size
        5
        """
        if cls is None:

            def decorate(decorated: type) -> type:
                return self._built().decorate_class(decorated, name=name)

            return decorate
        return self._built().decorate_class(cls, name=name)

    def discover(self) -> None:
        """Load every installed backend and merge all that they add into signatures and docstrings.

        Nothing needs this but listings and documentation builds: a selection loads what it names.

        Warns
        -----
        BackendWarning
            For everything that is wrong, once; in one, all backends that the host does not vouch for.
        """
        merger = None if self._machinery is None else self._machinery.merger
        discover(self._resolver, self._registry, self._records, self._warner, merger)

    def get_backend(self, name: str) -> Any:
        """Return the adapter that answers to a name or alias.

        Returns
        -------
        The adapter object itself; ``None`` if no backend answers to the name, and for ``"cpu"``.

        Warns
        -----
        BackendLoadWarning
            If there is such a backend and it cannot be loaded.
        """
        asked: Any = name  # Who is not type-checked may ask for anything.
        if asked == CPU:
            return None
        try:
            return self._resolver.backend(name).adapter if isinstance(asked, str) else None
        except BackendError as error:
            if isinstance(error, ImportError) and error.failed:
                warning = BackendLoadWarning(str(error), backend=name, distribution=error.distribution)
                self._warner.warn(warning)
            return None

    def available_backend_names(self) -> list[str]:
        """Return every name and alias that can be selected, sorted, without ``"cpu"``."""
        self._resolver.load_all()
        self._resolver.tell()
        return sorted(self._registry.answers())

    def available_backends(self) -> list[str]:
        """Return the canonical names of all usable backends, sorted, without ``"cpu"``."""
        self._resolver.load_all()
        self._resolver.tell()
        return sorted(backend.name for backend in self._registry.available())

    def backends(self) -> BackendTable:
        """Return a table of all backends: where each comes from, whether it is trusted, its state and functions."""
        return self._built().backends(self.host_name)

    def functions(self) -> Mapping[str, Any]:
        """Return the host's decorated functions and classes, by the name that backends know them by."""
        return self._built().functions()

    def explain(self, function: Callable[..., Any], backend: object = None) -> Explanation:
        """Say which implementation of a function would run now, and why; see :meth:`Settings.explain`."""
        return self._built().explain(function, backend)

    # -- for notebooks and tests -------------------------------------------------------------------------------------

    def register(self, adapter: Any, *, name: str | None = None) -> str:
        """Add an adapter that has no entry point.

        Parameters
        ----------
        adapter
            A module, a class (instantiated here) or an object, as an entry point would refer to.
        name
            Stands for the entry point's name, by default the adapter's own.

        Returns
        -------
        The canonical name.

        Raises
        ------
        ValueError
            If the adapter breaks the rules, or a backend of that name is there already.
        """
        if name is not None and (wrong := problem(name)) is not None:
            raise ValueError(f"register(name={name!r}): the name {wrong}.")
        return self._register(RegisteredRecord(name or "", adapter))

    def _register(self, record: RegisteredRecord) -> str:
        name = register(self._registry, record)
        self._resolver.tell()
        return name

    def unregister(self, name: str) -> None:
        """Take a registered adapter out again, with everything merged from it.

        Raises
        ------
        UnknownBackendError
            If no registered adapter answers to the name.
        """
        unregister(self._registry, name, self.host_name)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _built(self) -> Machinery:
        """Return the parts that only decorated functions need, made on first need."""
        if self._machinery is None:
            from scverse_backends._machinery import Machinery  # Importing a host need not pay for it.

            built = Machinery(self._registry, self._resolver, self._selection, self._warner, self._records)
            # Several threads may import modules of the host at once; all use the parts that were ready first.
            with self._building:
                if self._machinery is None:
                    self._machinery = built
        return self._machinery

    @property
    def _dispatch(self) -> Dispatch:
        return self._built().dispatch

    def _after_fork(self) -> None:
        self._building = RLock()
        self._registry.after_fork()
        self._selection.after_fork()
        if self._machinery is not None:
            self._machinery.merger.after_fork()

    def _on_change(self) -> None:
        self._resolver.forget()
        if self._machinery is not None:
            self._machinery.refresh()

    def __repr__(self) -> str:
        return f"<BackendDispatcher of {self.host_name} for {self.entrypoint_group!r}>"

    def __copy__(self) -> BackendDispatcher:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> BackendDispatcher:
        return self

    def __reduce__(self) -> Any:
        return restore, (self._key,)
