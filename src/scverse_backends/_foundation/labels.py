"""Names: what a backend's is, how names are compared, and which one may have been meant."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, TypeGuard

CPU = "cpu"
"""The name of the host implementation, which no backend can take."""

BACKEND_PARAMETER = "backend"
"""What a dispatched function calls the parameter that selects who runs it."""

MAX_LENGTH = 128

SETS: tuple[type[Any], ...] = (set, frozenset)
COLLECTIONS: tuple[type[Any], ...] = (list, tuple, *SETS)
"""The types of several names. A string is not one, since it would be taken for its letters."""

_LETTERS_AND_DIGITS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
_ALLOWED = _LETTERS_AND_DIGITS | frozenset("._-")


def plain(label: str) -> str:
    """Return an exact ``str``: a foreign subclass may compare or hash as it likes."""
    return str.__str__(label)


def is_string(value: object) -> TypeGuard[str]:
    """Whether a foreign value is a string, and does not only say so in its ``__class__``."""
    return issubclass(type(value), str)


def as_text(value: object) -> str | None:
    """Return a foreign string as an exact one, and ``None`` for anything else."""
    return plain(value) if is_string(value) else None


def problem(label: object) -> str | None:
    """Say what is wrong with a label, or nothing.

    Examples
    --------
    >>> problem("my-backend")
    >>> problem("my backend")
    "contains ' ', but only ASCII letters, digits, '.', '_' and '-' are allowed"
    """
    text = as_text(label)
    if text is None:
        return f"must be a string, not {type(label).__name__}"
    if not text:
        return "is empty"
    if len(text) > MAX_LENGTH:
        return f"is longer than {MAX_LENGTH} characters"
    for character in text:
        if character not in _ALLOWED:
            return f"contains {character!a}, but only ASCII letters, digits, '.', '_' and '-' are allowed"
    if text[0] not in _LETTERS_AND_DIGITS:
        return "does not start with a letter or digit"
    if text[-1] in ".-":
        return "ends with '.' or '-'"
    return None


def fold(label: str) -> str:
    """Return the form in which reserved and trusted names are compared: they hold whatever the case."""
    return label.lower()


def _loose(label: str) -> str:
    """Leave out what people mix up when they type a name: case, white space, hyphen and underscore."""
    return "".join(label.split()).lower().replace("-", "").replace("_", "")


def suggestions(name: str, candidates: Iterable[str], *, cutoff: float = 0.6) -> tuple[str, ...]:
    """Return the candidates that may have been meant, the likeliest first; a higher cutoff asks for more likeness.

    Examples
    --------
    >>> suggestions("CUDA ", ["cuda", "jax"])
    ('cuda',)
    """
    by_form: dict[str, list[str]] = {}
    for candidate in sorted(set(candidates)):
        by_form.setdefault(_loose(candidate), []).append(candidate)
    wanted = _loose(name)
    if wanted in by_form:
        return tuple(by_form[wanted])
    from difflib import get_close_matches  # Only a wrong name pays for this import.

    close = get_close_matches(wanted[:MAX_LENGTH], by_form, n=3, cutoff=cutoff)
    return tuple(label for form in close for label in by_form[form])


def did_you_mean(names: Iterable[str]) -> str:
    """Return the sentence that offers suggestions, with a leading space, or nothing where there are none."""
    offered = [repr(name) for name in names]
    return f" Did you mean {' or '.join(offered)}?" if offered else ""


def listing(names: Iterable[str], *, limit: int = 12) -> str:
    """Return names for a message, cut where there are too many."""
    quoted = [repr(name) for name in names]
    more = f" and {len(quoted) - limit} more" if len(quoted) > limit else ""
    return ", ".join(quoted[:limit]) + more


def not_dispatched(given: object, host: str) -> str:
    """Say what is wrong with something that stands where a dispatched function belongs.

    Examples
    --------
    >>> not_dispatched(len, "any host")
    'len is not dispatched by any host.'
    >>> not_dispatched([1, 2], "any host")
    'Give the function itself and not what a call of it returned, which is of type list.'
    """
    if isinstance(given, str):
        return f"{given!r} is the name of a function: give the function itself, without quotes."
    if not callable(given):
        return f"Give the function itself and not what a call of it returned, which is of type {type(given).__name__}."
    return f"{getattr(given, '__qualname__', repr(given))} is not dispatched by {host}."


def one_or_several(names: str | Iterable[str]) -> tuple[str, ...]:
    """Return names as a tuple, where a single one may stand for itself."""
    return (names,) if isinstance(names, str) else tuple(names)


def normalize_distribution(name: str) -> str:
    """Return the form in which PEP 503 compares distribution names."""
    name = name.lower().replace("_", "-").replace(".", "-")
    while "--" in name:
        name = name.replace("--", "-")
    return name


def normalize_reference(reference: str) -> str:
    """Return an object reference, ``module`` or ``module:attribute``, without extras and white space."""
    return "".join(reference.partition("[")[0].split())
