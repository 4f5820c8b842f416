"""Register an adapter for the length of a test, and bring the dispatcher back to what it was."""

from __future__ import annotations

from inspect import getattr_static

from scverse_backends._foundation.labels import normalize_distribution
from scverse_backends._foundation.labels import problem as label_problem
from scverse_backends._inside.dispatchers import checked, inside

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from scverse_backends._dispatcher import BackendDispatcher
    from scverse_backends._machinery import Machinery


def snapshot(dispatcher: BackendDispatcher) -> Callable[[], None]:
    """Return a function that brings a dispatcher back to what it is now.

    Backends, settings (of the process and of this context), the warnings given, merged signatures and docstrings, and
    the list of functions.
    """
    parts = inside(checked(dispatcher))
    warner = parts.warner
    given = warner.given
    # In this order: bringing back the backends shows their options anew, and what was shown before has the last word.
    steps = [
        parts.registry.snapshot(),
        parts.merger.snapshot(),
        parts.selection.snapshot(),
        lambda: warner.restore(given),
        parts.records.snapshot(),
    ]

    def restore() -> None:
        for step in steps:
            step()

    # What calls have kept before would not see another listing function.
    parts.refresh()
    return restore


def provide(
    dispatcher: BackendDispatcher, adapter: object, name: str | None, distribution: str | None, entry_point: str | None
) -> str:
    """Register an adapter as if a distribution provided it, and return its canonical name."""
    given: dict[str, object] = {"name": name, "distribution": distribution, "entry_point": entry_point}
    for option, text in given.items():
        if text is not None and not isinstance(text, str):
            raise TypeError(f"{option} must be a string, not {type(text).__name__}.")
    if distribution is not None and not distribution.strip():
        raise ValueError("distribution must be the name of a distribution, and is empty.")
    value = None
    if entry_point is not None:
        point, equals, value = (part.strip() for part in entry_point.partition("="))
        if not equals or not value:
            raise ValueError(f"entry_point={entry_point!r} is not of the form 'name = module:object'.")
        if name is not None and name != point:
            raise ValueError(f"name={name!r} contradicts entry_point={entry_point!r}. Leave name= out.")
        name = point
    if name is not None and (wrong := label_problem(name)) is not None:
        raise ValueError(f"The name {name!r} of the entry point {wrong}.")
    parts = inside(dispatcher)
    if distribution is None:
        _refuse_trusted_names(parts, name, getattr_static(adapter, "name", None))
    else:
        # It stands in for the distribution, which may well be installed.
        parts.registry.replaced |= {normalize_distribution(distribution)}
    return parts.register(adapter, name, distribution=distribution, value=value)


def _refuse_trusted_names(parts: Machinery, *names: object) -> None:
    """Say what to pass where an adapter bears a name that the host trusts a distribution with."""
    owners = (parts.trust.owner(name) for name in names if isinstance(name, str))
    owner = next((owner for owner in owners if owner is not None), None)
    if owner is None:
        return
    if owner.distributions:
        wanted = f"distribution={owner.distributions[0]!r}"
    else:
        point = next(iter(owner.entrypoints), owner.name)
        module = next(iter((*owner.object_refs, *owner.module_prefixes)), "module")
        wanted = f"distribution='a-name', entry_point='{point} = {module}'"
    raise ValueError(
        f"The adapter cannot be registered: {parts.warner.host} trusts another provider with the name {owner.name!r}. "
        f"To stand in for it, pass {wanted}; else give the adapter another name."
    )
