"""Load one entry point, and see what it says of itself.

Adapters are foreign code. Whatever loading, instantiating or reading one raises becomes a record, except
``KeyboardInterrupt``.
"""

from __future__ import annotations

from types import ModuleType

from scverse_backends._discovery.exports import MISSING, static_lookup
from scverse_backends._discovery.installed import is_editable
from scverse_backends._foundation.foreign import describe_error, formatted, without_frames
from scverse_backends._foundation.labels import COLLECTIONS, SETS, as_text, fold, problem
from scverse_backends.exceptions import BackendLoadWarning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final

    from scverse_backends._discovery.entry_points import EntryPointRecord
    from scverse_backends._discovery.trust import Trust, TrustedBackend
    from scverse_backends.exceptions import BackendWarning

    Notice = tuple[type[BackendWarning], str]
    """A warning to give once no state is half-changed. A warning itself would keep the frame alive that raises it."""

_ALIASES_SHOWN = 5

_MODULE_NAME: Final[Callable[[Any], object]] = ImportError.__dict__["name"].__get__

UNLISTED = "the host does not list it as trusted"
UNVERIFIABLE = "the host configured nothing to verify its provider by"
"""Why a backend is not trusted."""


class Backend:
    """A loaded adapter under the names that the host knows it by. Immutable once it is made."""

    __slots__ = ("__weakref__", "adapter", "aliases", "distribution", "name", "record", "trusted", "untrusted_reason")

    def __init__(
        self,
        *,
        name: str,
        aliases: tuple[str, ...],
        adapter: Any,
        record: EntryPointRecord,
        untrusted_reason: str | None,
    ) -> None:
        self.name = name
        self.aliases = aliases
        self.adapter = adapter
        self.record = record
        self.distribution = record.distribution
        self.trusted = untrusted_reason is None
        self.untrusted_reason = untrusted_reason

    def __repr__(self) -> str:
        return f"<Backend {self.name!r} from {self.distribution or 'no distribution'}>"


class Failure:
    """Why an entry point gives no backend. Holds the exception and its traceback as text, never a frame."""

    __slots__ = ("advice", "error", "refused", "text", "traceback")

    def __init__(
        self, text: str, *, error: BaseException | None = None, refused: bool = False, advice: str | None = None
    ) -> None:
        self.text = text
        self.refused = refused
        self.advice = advice or ("Ask its authors" if refused else "Repair or reinstall it")
        self.traceback = ""
        self.error = error
        if error is not None:
            # Python's import locks gave way: two threads imported modules that need each other.
            if type(error).__name__ == "_DeadlockError":
                self.advice = "Another thread was importing the same modules, so just try again"
            self.traceback = formatted(error)
            without_frames(error)


def load(
    record: EntryPointRecord,
    trust: Trust,
    claims: tuple[TrustedBackend, ...],
    share: Callable[[type, Any], Any],
) -> tuple[Backend | Failure, list[Notice]]:
    """Load one entry point, whose metadata has been verified for the trusted backends in `claims`.

    `share` takes a class and a new instance of it or ``None``, and returns the instance that everybody uses, if any.
    """
    try:
        adapter: Any = record.load()
        if not isinstance(adapter, type):
            return _identify(record, trust, claims, adapter, *_names(adapter))
        instance = share(adapter, None)
        if instance is None:
            instance = adapter()
        names = _names(instance)  # An instance that cannot be read must not become everybody's.
        shared = share(adapter, instance)
        # Read once, since a foreign name may change each time it is read.
        return _identify(record, trust, claims, shared, *(names if shared is instance else _names(shared)))
    except KeyboardInterrupt:
        raise
    except _Nameless:
        return Failure("the adapter has no attribute 'name'"), []
    except BaseException as error:  # noqa: BLE001 - SystemExit and the like must not end the user's session.
        text = f"it could not be loaded: {describe_error(error)}"
        return Failure(text, error=error, advice=_what_is_missing(error, record)), []


def _what_is_missing(error: BaseException, record: EntryPointRecord) -> str | None:
    """Say what to do about a module that is installed and that this process cannot see.

    An editable install reaches a process only when Python starts.
    """
    # Read past whatever a foreign class puts in their place.
    missing = as_text(_MODULE_NAME(error)) if issubclass(type(error), ModuleNotFoundError) else None
    if missing is None:
        return None
    # The module is the adapter's own, or that of another distribution, which mostly has the same name.
    is_its_own = f"{record.module}.".startswith(f"{missing}.")
    if is_its_own and "." in missing:
        return "Its entry point names a module that it does not have. Reinstall it, or tell its authors"
    provider = record.distribution if is_its_own else missing.partition(".")[0]
    if provider is None or not is_editable(provider):
        return None
    otherwise = ". If that does not help, correct its entry point" if is_its_own else ""
    return f"{provider} is an editable install, which Python sees only when it starts. Restart Python{otherwise}"


class _Nameless(Exception):  # noqa: N818 - it never leaves this module.
    """An adapter has no attribute ``name``. A traceback would not explain that slip to its author."""


def _names(adapter: Any) -> tuple[object, object]:
    try:
        name = adapter.name
    except AttributeError as error:
        if error.name != "name" or error.obj is not adapter:
            raise
        raise _Nameless from None
    # Aliases are optional, and asking a lazy module for them might import something (2.3).
    if isinstance(adapter, ModuleType) and static_lookup(adapter, "aliases") is MISSING:
        return name, ()
    return name, getattr(adapter, "aliases", ())


def _identify(
    record: EntryPointRecord,
    trust: Trust,
    claims: tuple[TrustedBackend, ...],
    adapter: Any,
    label: object,
    aliases: object,
) -> tuple[Backend | Failure, list[Notice]]:
    name, wrong = as_text(label), problem(label)
    if wrong is not None or name is None:
        return Failure(f"its name {_quoted(label)}{wrong}"), []
    owner = next((backend for backend in claims if name in backend.labels), None)
    if owner is None:
        holder = trust.owner(name)
        # Where the host configured nothing to verify a provider by, only the name is left.
        owner = holder if holder is not None and not holder.verifiable and not record.by_hand else None
    written = next((label for one in claims for label in one.labels if fold(label) == fold(name)), name)
    if owner is None and written != name:
        return Failure(f"its name {name!r} has to be written {written!r}, as the host writes it", refused=True), []
    refusal = trust.refusal(name, owner)
    if refusal is not None:
        return Failure(f"its name {name!r} {refusal}{trust.mismatch(name, record)}", refused=True), []
    canonical = name if owner is None else owner.name
    record.learn_name(canonical)
    accepted, ignored = _aliases(record.origin, trust, owner, aliases)
    reason: str | None = UNLISTED
    if owner is not None:
        accepted = [*owner.aliases, *accepted]
        reason = None if owner.verifiable else UNVERIFIABLE
    backend = Backend(
        name=canonical,
        aliases=tuple(dict.fromkeys(alias for alias in accepted if alias != canonical)),
        adapter=adapter,
        record=record,
        untrusted_reason=reason,
    )
    return backend, [(BackendLoadWarning, ignored)] if ignored else []


def _aliases(origin: str, trust: Trust, owner: TrustedBackend | None, aliases: Any) -> tuple[list[str], str]:
    """Return the usable aliases, and what to say of the others: the contract asks for a list, tuple or set."""
    try:
        if not isinstance(aliases, COLLECTIONS):
            given = _quoted(aliases).strip() or type(aliases).__name__
            wanted = "they must be a list, tuple or set"
            return [], f"The aliases of {origin} are ignored: {wanted}, not {given}. Tell its authors."
        values: list[object] = list(aliases)
        if isinstance(aliases, SETS):
            values.sort(key=lambda alias: as_text(alias) or "")
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - a foreign container or element.
        return [], f"The aliases of {origin} are ignored: {describe_error(error)}."
    accepted: dict[str, None] = {}
    ignored: list[str] = []
    for value in values:
        alias = as_text(value) or ""
        wrong = problem(value) or trust.refusal(alias, owner)
        if wrong is None:
            accepted[alias] = None
        else:
            ignored.append(f"{_quoted(value) or 'one '}{wrong}")
    shown = "; ".join(ignored[:_ALIASES_SHOWN])
    more = f"; and {len(ignored) - _ALIASES_SHOWN} more" if len(ignored) > _ALIASES_SHOWN else ""
    return list(accepted), f"Aliases of {origin} are ignored: {shown}{more}. Tell its authors." if ignored else ""


def _quoted(value: object) -> str:
    """Return a foreign string for a message, with a space behind it; nothing for anything else."""
    text = as_text(value)
    if text is None:
        return ""
    return ascii(text if len(text) <= 40 else text[:40] + "…") + " "
