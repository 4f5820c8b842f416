"""Parameters that hosts renamed while backends stayed behind, and the value that says "the caller gave nothing"."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class _Omitted:
    """The type of :data:`OMITTED`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "OMITTED"

    def __reduce__(self) -> str:
        return "OMITTED"


OMITTED = _Omitted()
"""What a ``renamed`` converter returns where the value means that the caller gave nothing.

Examples
--------
>>> from scverse_backends import OMITTED
>>> def seed_of(rng):
...     return OMITTED if rng is None else int(rng)
>>> seed_of(None)
OMITTED
"""


def parsed_renames(renamed: Any) -> dict[str, tuple[str, Any]]:
    """Return new names with old ones and converters, from what a host wrote.

    Raises
    ------
    TypeError
        If it is no mapping of names to names, or to pairs of a name and a converter.
    """
    usage = "renamed= is a mapping such as {'rng': 'random_state'} or {'rng': ('random_state', convert)}"
    if not hasattr(renamed, "items"):
        raise TypeError(f"{usage}, not {type(renamed).__name__}.")
    parsed: dict[str, tuple[str, Any]] = {}
    for new, old in renamed.items():
        pair = (old, None) if isinstance(old, str) else old
        is_pair = isinstance(pair, tuple) and len(pair) == 2  # pyright: ignore[reportUnknownArgumentType]  # as given.
        if not isinstance(new, str) or not is_pair or not isinstance(pair[0], str):
            raise TypeError(f"{usage}; {new!r:.40}: {old!r:.60} is neither.")
        parsed[new] = pair
    return parsed
