"""``BackendDispatcher``: puts the parts together, and contains no logic of its own."""

from __future__ import annotations

import sys

from scverse_backends._discovery.trust import Trust, checked_name
from scverse_backends._foundation.labels import one_or_several, problem
from scverse_backends._foundation.live import enlist, restore
from scverse_backends._machinery import Machinery
from scverse_backends._settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any, Literal, overload

    from scverse_backends._protocols import ClassDecorator, DispatchedFunction, FunctionDecorator, Renamed
    from scverse_backends._reports.explain import Explanation
    from scverse_backends._reports.report import BackendTable


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
    never_drop
        Names of parameters that change what a call does, ``("copy", "inplace")`` for instance. A backend that lacks
        one declines each call that gives it another value than its default, so that the host runs the call.

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

    __slots__ = ("__weakref__", "_key", "_machinery", "_settings", "entrypoint_group", "host_name")

    def __init__(
        self,
        *,
        entrypoint_group: str,
        host_name: str,
        trusted_backends: Mapping[str, Mapping[str, Any]] | None = None,
        reserved_backends: Mapping[str, str] | None = None,
        untrusted: Literal["warn", "refuse", "allow"] = "warn",
        never_drop: Iterable[str] = (),
    ) -> None:
        self.entrypoint_group: str = checked_name(entrypoint_group, "entrypoint_group")
        self.host_name: str = checked_name(host_name, "host_name")
        if untrusted not in ("warn", "refuse", "allow"):
            raise ValueError(f"untrusted must be 'warn', 'refuse' or 'allow', not {untrusted!r}.")
        trust = Trust(trusted_backends, reserved_backends)
        # Only the frame of the module that creates this says where the host is, and where this can be found again.
        # Python documents the way there, its name notwithstanding.
        creator = sys._getframe(1).f_globals  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # as said.
        module = str(creator.get("__name__", "__main__"))
        self._machinery = Machinery(host_name, entrypoint_group, module, trust, untrusted, _parameter_names(never_drop))
        self._key = enlist(self, module, entrypoint_group, host_name, creator.get("__spec__"))
        self._machinery.owner = self
        self._machinery.reference = (restore, (self._key, "_machinery"))
        reference = (restore, (self._key, "settings"))
        self._settings = Settings(host_name, self._machinery.selection, self._machinery, reference)

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
            never_drop: Iterable[str] = (),
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
        never_drop: Iterable[str] = (),
    ) -> Any:
        """Decorate a host function so that it can run on a backend.

        Parameters
        ----------
        func
            A function at the level of a module, without ``*args`` and without a parameter ``backend``.
        name
            The adapter attribute to look for, by default the function's ``__name__``.
        own_backend
            New name of the function's own ``backend``, where it has one: a parameter, or a key of its ``**kwargs``.
        own_backend_values
            The values that old calls give it as ``backend=``; they still arrive, with a ``FutureWarning``.
        renamed
            Parameters that were renamed while backends stayed behind: new name to old name, or to the old name and
            a function that converts the value (and returns :data:`~scverse_backends.OMITTED` for "nothing given").
        never_drop
            Parameters that change what the function does, beside the dispatcher's own `never_drop`.

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
            "renamed": _parsed_renames(renamed) if renamed else _NOTHING_RENAMED,
            "never_drop": _parameter_names(never_drop),
        }

        def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
            return self._machinery.decorate(function, **options)

        return decorate if func is None else decorate(func)

    if TYPE_CHECKING:

        @overload
        def backend_class[C: type](self, cls: C, /) -> C: ...
        @overload
        def backend_class(
            self, cls: None = None, /, *, name: str | None = None, never_drop: Iterable[str] = ()
        ) -> ClassDecorator: ...

    def backend_class(
        self, cls: type | None = None, /, *, name: str | None = None, never_drop: Iterable[str] = ()
    ) -> Any:
        """Decorate a host class, so that constructing it constructs the backend's class of that name.

        The caller gets the backend's instance; whether it is also an instance of the host's class is for the
        backend's author to decide, by inheriting from it. Undecorated subclasses are normal classes.

        Parameters
        ----------
        cls
            A class whose constructor has neither ``*args`` nor a parameter ``backend``.
        name
            The adapter attribute to look for, by default the class's ``__name__``.
        never_drop
            Parameters that change what construction does, beside the dispatcher's own `never_drop`.

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
        kept = _parameter_names(never_drop)

        def decorate(decorated: type) -> type:
            return self._machinery.decorate_class(decorated, name=name, never_drop=kept)

        return decorate if cls is None else decorate(cls)

    def discover(self) -> None:
        """Load every installed backend and merge all that they add into signatures and docstrings.

        Nothing needs this but listings and documentation builds: a selection loads what it names.

        Warns
        -----
        BackendWarning
            For everything that is wrong, once; in one, all backends that the host does not vouch for.
        """
        self._machinery.discover()

    def get_backend(self, name: str) -> Any:
        """Return the adapter that answers to a name or alias.

        Parameters
        ----------
        name
            A name or alias of a backend.

        Returns
        -------
        The adapter object itself; ``None`` if no backend answers to the name, and for ``"cpu"``.

        Warns
        -----
        BackendLoadWarning
            If there is such a backend and it cannot be loaded.
        """
        return self._machinery.get_backend(name)

    def available_backend_names(self) -> list[str]:
        """Return every name and alias that can be selected, sorted, without ``"cpu"``."""
        return self._machinery.available_names()

    def available_backends(self) -> list[str]:
        """Return the canonical names of all usable backends, sorted, without ``"cpu"``."""
        return self._machinery.available_backends()

    def backends(self) -> BackendTable:
        """Return a table of all backends: where each comes from, whether it is trusted, its state and functions."""
        return self._machinery.backends()

    def functions(self) -> Mapping[str, Any]:
        """Return the host's decorated functions and classes, by the name that backends know them by."""
        return self._machinery.functions()

    def explain(self, function: Callable[..., Any], backend: object = None) -> Explanation:
        """Say which implementation of a function would run now, and why; see :meth:`Settings.explain`.

        Parameters
        ----------
        function
            A dispatched function or class of this host.
        backend
            As the call would say it.
        """
        return self._machinery.explain(function, backend)

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
        return self._machinery.register(adapter, name)

    def unregister(self, name: str) -> None:
        """Take a registered adapter out again, with everything merged from it.

        Parameters
        ----------
        name
            A name or alias of the adapter.

        Raises
        ------
        UnknownBackendError
            If no registered adapter answers to the name.
        """
        self._machinery.unregister(name)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _after_fork(self) -> None:
        self._machinery.after_fork()

    def __repr__(self) -> str:
        return f"<BackendDispatcher of {self.host_name} for {self.entrypoint_group!r}>"

    def __copy__(self) -> BackendDispatcher:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> BackendDispatcher:
        return self

    def __reduce__(self) -> Any:
        return restore, (self._key,)


# One object for all functions that renamed or named nothing, since there are so many of them.
_NOTHING_RENAMED: Mapping[str, tuple[str, Any]] = {}
_NO_NAMES: frozenset[str] = frozenset()


def _parsed_renames(renamed: Renamed) -> Mapping[str, tuple[str, Any]]:
    from scverse_backends._signatures.defaults import parsed_renames  # Few hosts need it.

    return parsed_renames(renamed)


def _parameter_names(given: Iterable[str]) -> frozenset[str]:
    """Return the names of parameters that a host wrote, a single one too."""
    # Who is not type-checked may write anything.
    names: list[Any] = list(one_or_several(given)) if hasattr(given, "__iter__") else [given]
    wrong = [name for name in names if not isinstance(name, str) or not name.isidentifier()]
    if wrong:
        raise TypeError(f"never_drop= takes names of parameters, and {wrong[0]!r:.40} cannot be one.")
    return frozenset(names) if names else _NO_NAMES
