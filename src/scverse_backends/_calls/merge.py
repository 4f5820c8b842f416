"""Show the options of the backends in the host's functions: which ones, and in whose docstrings and signatures.

Foreign attributes are read without a lock and kept as contributions; the lock covers only the writing of text.
"""

from __future__ import annotations

from _thread import RLock
from inspect import CO_VARKEYWORDS, Signature
from weakref import ref

from scverse_backends._discovery.exports import MISSING, exported, exported_if_loaded
from scverse_backends._docstrings.remove import remove_options, remove_second_backend
from scverse_backends._docstrings.splice import Option, add_options
from scverse_backends._foundation.foreign import describe_error, safely
from scverse_backends._foundation.labels import BACKEND_PARAMETER, CPU, did_you_mean, listing, suggestions
from scverse_backends._signatures.arguments import Placeholder
from scverse_backends._signatures.merged import contributions, merged_options, merged_parameters, with_parameters
from scverse_backends._signatures.shown import MergedSignature
from scverse_backends.exceptions import BackendLoadWarning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, KeysView
    from typing import Any

    from scverse_backends._calls.dispatched import Dispatched, LiveRecords
    from scverse_backends._discovery.adapters import Backend
    from scverse_backends._discovery.registry import Registry
    from scverse_backends._signatures.merged import Contribution


class Written:
    """What one function showed before merging, and what merging wrote there.

    While something is being written, both the old and the new are known as ours, so that an interrupt in between does
    not make either of them pass for the host's.
    """

    __slots__ = ("doc_before", "docs", "function", "options", "signature_before", "signatures")

    def __init__(self, function: Any) -> None:
        self.function = ref(function)
        self.doc_before = ""
        self.docs: tuple[str, ...] = ()
        self.options: tuple[Option, ...] = ()
        """All options that were ever written there: a host decorator may have made its text of a text with them."""
        self.signature_before: Any = None
        self.signatures: tuple[Signature, ...] = ()


class Merger:
    """Keeps what the functions of one dispatcher show in step with the backends that are loaded."""

    __slots__ = ("_lock", "_pending", "_records", "_registry")

    def __init__(self, registry: Registry, records: LiveRecords) -> None:
        self._registry = registry
        self._records = records
        self._lock = RLock()
        self._pending: tuple[Dispatched, ...] = tuple(records)
        """Functions that were decorated after the last merge, and into which nothing is merged yet."""

    def rivals(self, record: Dispatched) -> list[Dispatched]:
        """Return the other functions of the host that look for the same adapter attribute."""
        return self._records.rivals(record)

    def after_fork(self) -> None:
        """Open, in a forked child, the lock that a thread of the parent may have held."""
        self._lock = RLock()

    def refresh(self) -> None:
        """Merge what is loaded, and take out what is gone, in every function."""
        with self._lock:
            self._pending = ()
        self._update_all(self._records)

    def came(self, record: Dispatched) -> None:
        """Take note of a function that was just decorated.

        Nothing is merged into it yet: decorators outside ours may still format its docstring, and must find none of a
        backend's braces and per cent signs in it.
        """
        # Most functions are decorated before anything is listed.
        if not self._registry.known_entries():
            return
        if not self._pending:
            # A kept decision goes without catch_up(), and the functions that wait would wait on.
            for known in self._records:
                known.forget_plans()
        with self._lock:
            self._pending += (record,)

    def catch_up(self) -> None:
        """Merge what is loaded into the functions that were decorated since."""
        if self._pending:
            with self._lock:
                pending, self._pending = self._pending, ()
            self._update_all(pending)

    def _update_all(self, records: Iterable[Dispatched]) -> None:
        available = self._registry.available()
        for record in records:
            if record.is_being_defined():
                with self._lock:
                    self._pending += (record,)
            else:
                self._update(record, available)

    def merge(self, record: Dispatched, backend: Backend, implementation: Any) -> None:
        """Merge what a backend has just provided, perhaps lazily."""
        if record.sources.get(backend.name) is not backend and not self._registry.shadowed(backend):
            self._publish(record, {backend.name: (backend, _read(record, backend, implementation))})

    def merge_everything(self) -> list[BackendLoadWarning]:
        """Merge lazily provided functions too, which their adapters import for it; returns what failed."""
        self.refresh()  # Nothing may have come or gone, and an interrupt may have cut the last merge short.
        problems: list[BackendLoadWarning] = []
        for backend in self._registry.available():
            for record in self._records:
                if record.sources.get(backend.name) is backend or record in self._pending or self.rivals(record):
                    continue
                try:
                    implementation = exported(backend.adapter, record.attribute)
                except KeyboardInterrupt:
                    raise
                except BaseException as error:  # noqa: BLE001 - foreign code; one function's options are lost.
                    text = f"Backend {backend.name!r} could not provide {record.attribute!r}: {describe_error(error)}."
                    provider = backend.distribution
                    problems.append(
                        BackendLoadWarning(text, backend=backend.name, distribution=provider, function=record.name)
                    )
                    continue
                if implementation is not MISSING:
                    self._publish(record, {backend.name: (backend, _read(record, backend, implementation))})
        return problems

    def snapshot(self) -> Callable[[], None]:
        """Return a function that makes every function show again what it shows now."""
        shown = [(record, record.sources, record.contributions) for record in self._records]

        def restore() -> None:
            for record, sources, found in shown:
                with self._lock:
                    if record.contributions is not found:
                        record.sources, record.contributions = sources, found
                        _write(record)

        return restore

    def unexpected(self, record: Dispatched, keyword: str, ran: str, plain: str) -> str | None:
        """Say who would know a keyword that what ran does not, and which one may have been meant.

        What Python says itself (`plain`) has a suggestion of its own on some versions.
        """
        where = "the host implementation" if ran == CPU else f"backend {ran!r}"
        offers = [(option.name, name) for name, found in sorted(record.contributions.items()) for option in found]
        knowing = [name for option, name in offers if option == keyword and name != ran]
        options = {option: name for option, name in offers if option != keyword}
        waiting = [entry.record.name for entry in self._registry.entries() if entry.outcome is None]
        names = [*record.host_names().by_keyword, *options, BACKEND_PARAMETER]
        new_name = [new for new, (old, _) in record.renamed.items() if old == keyword]
        likely = () if knowing else (*new_name, *suggestions(keyword, names))[:1]
        parts = [f"It ran on {where}, which does not take it."]
        if knowing:
            parts.append(f"Loaded backends that do: {listing(knowing)}; choose one with backend=.")
        if likely and likely[0] == BACKEND_PARAMETER:
            parts.append(f"Did you mean {BACKEND_PARAMETER!r}, which chooses who runs the call?")
        elif likely and likely[0] in options:
            parts.append(f"Did you mean {likely[0]!r}, an option of backend {options[likely[0]]!r}?")
        else:
            # On some versions, Python has said it already.
            parts += [did_you_mean(likely).strip()] if likely and "Did you mean" not in plain else []
        if waiting:
            parts.append(f"Backends not loaded yet may take it: {listing(waiting)}; choose one with backend=.")
        return " ".join(parts) if len(parts) > 1 else None

    # -- contributions -----------------------------------------------------------------------------------------------

    def _update(self, record: Dispatched, available: KeysView[Backend]) -> None:
        found: dict[str, tuple[Backend, tuple[Contribution, ...]]] = {}
        # Where two functions look for one name, no backend runs either of them, so its options belong to none.
        for backend in () if self.rivals(record) else available:
            if record.sources.get(backend.name) is backend:
                continue
            implementation = exported_if_loaded(backend.adapter, record.attribute)
            if implementation is not MISSING:
                found[backend.name] = (backend, _read(record, backend, implementation))
        gone = any(source not in available for source in record.sources.values())
        # An interrupt in the middle of publishing left contributions whose sources are not noted.
        if found or gone or record.contributions.keys() != record.sources.keys():
            self._publish(record, found)

    def _publish(self, record: Dispatched, found: dict[str, tuple[Backend, tuple[Contribution, ...]]]) -> None:
        with self._lock:
            # Looked at again: another thread may have loaded or taken out a backend since, and merged it already.
            available = self._registry.available()
            before = record.contributions
            sources = {**record.sources, **{name: backend for name, (backend, _) in found.items()}}
            sources = {name: backend for name, backend in sources.items() if backend in available}
            added = {**before, **{name: contributions for name, (_, contributions) in found.items()}}
            merged = {name: added[name] for name in sources}
            # The sources say what is written, so an interrupt from here on makes the next merge write everything.
            record.sources = {}
            record.contributions = merged
            # Most backends add no option to most functions, whose text then stands as it is.
            if any(before.values()) or any(merged.values()):
                _write(record)
            record.sources = sources


def _read(record: Dispatched, backend: Backend, implementation: Any) -> tuple[Contribution, ...]:
    """Return what an implementation adds; a foreign attribute that misbehaves loses only this function's merge."""
    host, hidden = record.host_names(), record.old_names
    read: tuple[Contribution, ...] = safely(lambda: contributions(backend.name, host, implementation, hidden), ())
    return read


# -- writing ----------------------------------------------------------------------------------------------------------


def _write(record: Dispatched) -> None:
    """Bring every function that shows this one up to date, from its own text and never from another's."""
    added = merged_parameters(record.contributions)
    unsettled = frozenset(parameter.name for parameter in added if isinstance(parameter.default, Placeholder))
    if unsettled != record.unsettled:
        record.unsettled = unsettled
        record.forget_plans()
    record.swallowed = frozenset(one.name for one in added) if added and _takes_any_key(record) else None
    if record.swallowed is not None:
        record.gate.selection.wake()  # From now on, calls look at what they are given.
    options = [
        Option(name, tuple(one.offer for one in found)) for name, found in merged_options(record.contributions).items()
    ]
    for function in record.chain():
        written = next((one for one in record.written if one.function() is function), None)
        if written is None:
            try:
                written = Written(function)
            except TypeError:
                continue  # Some callables cannot be written to, and cannot be referred to either.
            record.written += (written,)
        _write_doc(function, written, options, record.written)
        _write_signature(function, written, record)
    wrapper = record.wrapper_ref()
    # The annotations of a class are those of its attributes.
    if wrapper is not None and not record.is_class:
        record.annotate(wrapper)


def _takes_any_key(record: Dispatched) -> bool:
    """Whether the host function itself takes ``**kwargs``, whatever it shows: a decorator inside ours may do so."""
    code = getattr(record.constructor or record.function, "__code__", None)
    return code is None or bool(code.co_flags & CO_VARKEYWORDS)


def _write_doc(function: Any, written: Written, options: list[Option], everywhere: tuple[Written, ...]) -> None:
    try:
        shown = function.__doc__
        if not isinstance(shown, str):
            return
        before = written.doc_before
        if shown not in written.docs:
            # A host decorator has put its own text there, perhaps made of one of ours. That is the text to splice into.
            once = dict.fromkeys(option for one in everywhere for option in one.options)
            before = remove_second_backend(remove_options(shown, once))
        text = add_options(before, options) if options else before
        written.doc_before, written.docs = before, (shown, text)
        written.options = tuple(dict.fromkeys((*written.options, *options)))
        if text != shown:
            # Metaclasses may have their own idea of what can be set on their classes.
            (type.__setattr__ if isinstance(function, type) else setattr)(function, "__doc__", text)
        written.docs = (text,)
    except Exception:  # noqa: BLE001 - an outer function that cannot be written to is left alone.
        return


def _write_signature(function: Any, written: Written, record: Dispatched) -> None:
    """Show the options in our own signature, and in one that a host decorator made of it."""
    shown = getattr(function, "__dict__", {}).get("__signature__")
    if isinstance(shown, MergedSignature):
        signature: Signature = record.merged_signature()
    elif isinstance(shown, Signature) and "backend" in shown.parameters:
        before = written.signature_before if any(shown is one for one in written.signatures) else shown
        signature = with_parameters(before, merged_parameters(record.contributions))
        written.signature_before, written.signatures = before, (shown, signature)
    else:
        return
    try:
        function.__signature__ = signature
    except Exception:  # noqa: BLE001 - as above.
        return
    written.signatures = (signature,)
