"""Decorate one real function and say everything that is not as section 4 and 5 of the contract have it."""

from __future__ import annotations

import contextlib
import doctest
import inspect
import pickle
import pydoc
import re
import sys
import typing
import warnings
from types import MethodType, SimpleNamespace

from numpydoc.docscrape import NumpyDocString, get_doc_object
from numpydoc.validate import validate

from scverse_backends import BackendDispatcher
from scverse_backends._docstrings.splice import (
    Offer,
    Option,
    add_backend_parameter,
    add_options,
    parameter_docs,
    rename_parameter,
)

BATCH = inspect.Parameter("corpus_batch", inspect.Parameter.KEYWORD_ONLY, default=64, annotation=int)
DEVICE = inspect.Parameter("corpus_device", inspect.Parameter.KEYWORD_ONLY, default=None)
OPTIONS = ["corpus_batch", "corpus_device"]
HEADS = ["corpus_batch (corpus)", "corpus_device (corpus)"]

BACKEND_DOC = """Do the same, elsewhere.

    Parameters
    ----------
    corpus_batch : int
        How many at once.

        .. versionadded:: 1.0
    **shared
        Nothing that is merged.

    Other Parameters
    ----------------
    corpus_device : {"first", None}
        Where to run:

        - ``"first"``, or
        - ``None``.
    """

# What the message of a refusal says, and the reason that section 4.1 gives.
REASONS = {
    "class": "is a class",
    "method": r"is a method|is defined in the body of",
    "`*args`": r"takes \*args",
    "own `backend`": "has a parameter 'backend' of its own",
    "cannot be inspected": "cannot be inspected",
}


# Headers as released docstrings have them: with a colon, an underline that is too short, or no blank line before it.
HEADER = re.compile(
    r"(?:\A|\n+)(Params|Arguments|Args|Parameters|Other Parameters|Returns|Yields|Receives|Raises|Warns|Warnings"
    r"|See Also|Notes|References|Examples|Attributes|Methods):?[ ]*\n(?:-{3,}|={3,})[ ]*(?:\n|\Z)"
)


class Failure(AssertionError):
    """Something that is not as it should be, by the name of the check that found it."""


def require(truth, check, detail=""):
    if not truth:
        raise Failure(f"{check}: {detail}")


# -- what should happen ------------------------------------------------------------------------------------------------


def expected_reason(function):
    """Return why a function must be refused, found out without the library; ``None`` where it must not."""
    if isinstance(function, type):
        return "class"
    owner = getattr(function, "__qualname__", "").rpartition(".")[0]
    if isinstance(function, MethodType) or (owner and not owner.endswith("<locals>")):
        return "method"
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return "cannot be inspected"
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return "`*args`"
    return "own `backend`" if any(p.name == "backend" for p in parameters) else None


def style(doc):
    """Return the style of a docstring, told by other means than the splicer's."""
    if doc is None:
        return "none"
    if re.search(r"(?m)^ *(Parameters|Other Parameters)\n *-{3,}", doc):
        return "numpydoc"
    if re.search(r"(?m)^ *(Params|Arguments|Args)\n *[-=~^]{3,}", doc):
        return "numpydoc, other heading"
    if re.search(r"(?m)^ *(Args|Arguments|Parameters): *\n +\S", doc):
        return "Google"
    if re.search(r"(?m)^ *:(param|type|returns?)\b[^\n:]*:", doc):
        return "fields"
    if re.search(r"(?m)^ *\S[^\n]*\n *-{3,} *$", doc):
        return "numpydoc, without parameters"
    return "prose"


# -- docstrings --------------------------------------------------------------------------------------------------------


def is_one_insertion(before, after):
    """Whether taking one piece out of a text gives back another, byte for byte."""
    same = next(
        (i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), min(len(before), len(after))
    )
    return len(after) >= len(before) and after.endswith(before[same:])


def examples(doc):
    """Return the examples that doctest finds, without where they stand."""
    try:
        return [(e.source, e.want, e.exc_msg, e.options) for e in doctest.DocTestParser().get_examples(doc)]
    except ValueError as error:
        return re.sub(r"\d+", "", str(error))


def check_variants(doc):
    """What is spliced depends neither on the indentation that Python 3.12 leaves nor on line endings."""
    lines = inspect.cleandoc(doc).split("\n")
    plain = "\n".join(lines)
    second = splice(plain)[1]
    raw = "\n".join([lines[0], *["    " + line if line else "" for line in lines[1:]], "    "])
    require(inspect.cleandoc(splice(raw)[1]) == inspect.cleandoc(second), "indentation", "is read differently")
    windows = splice(plain.replace("\n", "\r\n"))[1]
    if "\n" in plain:  # one line has no line ending yet
        require(windows == second.replace("\n", "\r\n"), "line endings", "are read differently")
    require(splice(second) == (second, second), "again", "is not recognised as its own text")


def renamed(doc):
    """Return a docstring with the host's own ``backend`` under its new name; nothing else may change."""
    text = rename_parameter(doc, "backend", "parallel_backend")
    added = len(text) - len(doc)
    require(added in (0, len("parallel_")), "rename", "changed more than one name")
    require(is_one_insertion(doc, text), "rename", "changed other bytes")
    return text


def written_out(header):
    """Return a header as numpydoc asks for it, which authors do not always write."""
    title = {"Params": "Parameters", "Arguments": "Parameters", "Args": "Parameters"}.get(header[1], header[1])
    return f"\n\n{title}\n{'-' * len(title)}\n"


def parsed(doc):
    """Return the sections as numpydoc reads them; a sentence where it cannot."""
    text = HEADER.sub(written_out, inspect.cleandoc(doc))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return dict(NumpyDocString(text)._parsed_data)
        except Exception as error:  # noqa: BLE001 - what it raises is not the matter; that it does not begin to is.
            return f"{type(error).__name__}: {error}"


def check_parsed(before, after, *, parameters, other):
    """Compare what numpydoc reads before and after; ``parameters`` and ``other`` are the names that are added."""
    old, new = parsed(before), parsed(after)
    if isinstance(old, str):
        require(old == new, "numpydoc", f"{old!r} became {new!r}"[:300])
        return
    require(not isinstance(new, str), "numpydoc", new)
    require(old.keys() == new.keys(), "numpydoc", f"sections {set(old) ^ set(new)}")
    # The signature ends with `backend`, and so do the parameters.
    if old["Other Parameters"]:
        parameters, other = [], [*other, *parameters]
    for section, content in old.items():
        if section in ("Parameters", "Other Parameters"):
            expected = parameters if section == "Parameters" else other
            added = [p for p in new[section] if p not in content]
            require([p for p in new[section] if p in content] == content, "numpydoc", f"{section}: entries changed")
            names = [p.name for p in added]
            require(names == expected, "numpydoc", f"{section}: added {names}")
            behind = [p.name for p in new[section][new[section].index(added[-1]) + 1 :]] if added else []
            takes_any = [name for name in behind if name.replace("\\", "").startswith("**")]
            require(behind[:1] == takes_any[:1], "numpydoc", f"{section}: {names} stand before {behind}")
            for p in added:
                require(p.desc, "numpydoc", f"{p.name} has lost its description")
        elif section == "Summary" and not any(content) and old["Signature"]:
            # A docstring that is nothing but a signature (of a dataclass, say) has no summary for numpydoc; before a
            # section the same line is the signature and the summary too.
            require(new[section] in (content, [old["Signature"]]), "numpydoc", f"{section}: {new[section]!r}")
        else:
            require(new[section] == content, "numpydoc", f"{section}: {content!r} became {new[section]!r}"[:600])


def complaints(function):
    """Return the codes of what numpydoc's validation finds in a docstring; nothing where it cannot read it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            document = get_doc_object(function)
        except ValueError:
            return None
        return {code for code, _ in validate(document)["errors"]}


def check_validated(before, decorated, *, options):
    """Numpydoc's validation, as hosts run it on themselves, finds nothing new."""
    # Names with their providers beside them are no parameters to it.
    new = complaints(decorated) - before - ({"PR01", "PR02"} if options else set())
    require(not new, "validation", f"{'options' if options else '`backend`'}: {sorted(new)}")


def check_doc(doc, first, second):
    """Check both splices: the parameter ``backend``, then the options; returns how they were taken."""
    require(is_one_insertion(doc, first), "bytes", "of the host's docstring are lost where `backend` is added")
    require(is_one_insertion(first, second), "bytes", "of the host's docstring are lost where options are added")
    known = parameter_docs(doc)
    if first == doc and "backend" not in known:
        require(second == doc, "half", "options were added and `backend` was not")
        return "left as it is"
    found = parameter_docs(second)
    require("backend" in found, "reader", "`backend` is not found again")
    require(all(name in found for name in OPTIONS), "reader", "the options are not found again")
    lost = [name for name in known if found.get(name) != known[name]]
    require(not lost, "reader", f"{lost} read differently")
    require(examples(doc) == examples(second), "doctest", "other examples")
    google = style(doc) == "Google"
    check_parsed(
        doc,
        second,
        parameters=[] if google or "backend" in known else ["backend"],
        other=[] if google else HEADS,
    )
    return "Google" if google else "spliced"


def splice(doc):
    """Return a docstring after both splices, without any function."""
    first = add_backend_parameter(doc)
    described = parameter_docs(BACKEND_DOC)
    offers = [
        Option(name, (Offer("corpus", described[name].type, described[name].description, default),))
        for name, default in zip(OPTIONS, ("64", "None"), strict=True)
    ]
    return first, add_options(first, offers)


# -- functions ---------------------------------------------------------------------------------------------------------


def generated_adapter(function, attribute):
    """Return a backend that has all of the function's parameters but the last optional one, and two of its own."""
    parameters = [p for p in inspect.signature(function).parameters.values() if p.name != "backend"]
    optional = [p for p in parameters if p.default is not p.empty]
    named = [p for p in parameters if p.kind is not p.VAR_KEYWORD and p not in optional[-1:]]

    def implementation(**shared):
        return shared

    implementation.__doc__ = BACKEND_DOC
    implementation.__name__ = attribute
    implementation.__signature__ = inspect.Signature([*named, BATCH, DEVICE])
    return SimpleNamespace(name="corpus", **{attribute: implementation})


@contextlib.contextmanager
def in_its_place(function, replaced):
    """Show a decorated function where the module shows the host's own, as decorating it in the source does."""
    holder = sys.modules.get(getattr(function, "__module__", None) or "")
    name = getattr(function, "__qualname__", "")
    if "." in name or getattr(holder, name, None) is not function:
        yield False
        return
    setattr(holder, name, replaced)
    try:
        yield True
    finally:
        setattr(holder, name, function)


def shown(function):
    """Return what ``inspect`` and ``pydoc`` tell of a function besides its signature and docstring."""
    told = {}
    questions = {
        "source": inspect.getsource,
        "module": inspect.getmodule,
        "unwrapped": inspect.unwrap,
        "coroutine": inspect.iscoroutinefunction,
        "generator": inspect.isgeneratorfunction,
        "name": lambda f: f.__name__,
        "qualified name": lambda f: f.__qualname__,
        "defined in": lambda f: f.__module__,
        "defaults": lambda f: getattr(f, "__defaults__", None),
    }
    for question, answer in questions.items():
        try:
            told[question] = answer(function)
        except Exception as error:  # noqa: BLE001 - that is the answer, then.
            told[question] = type(error).__name__
    return told


def pickles_by_name(function):
    try:
        return pickle.loads(pickle.dumps(function)) is function
    except Exception:  # noqa: BLE001 - any reason will do.
        return False


def evaluated(function):
    """Return annotations and signature with every annotation evaluated; nothing where that cannot be done."""
    try:
        return typing.get_type_hints(function), inspect.signature(function, eval_str=True)
    except Exception:  # noqa: BLE001 - names for type checkers only, and the like.
        return None


def check_signature(before, after, own):
    """Compare signatures: the host's parameters, the options, ``backend``, and the host's ``**kwargs`` last."""
    parameters = [
        p.replace(name="parallel_backend") if own and p.name == "backend" else p for p in before.parameters.values()
    ]
    tail = [p for p in parameters if p.kind is p.VAR_KEYWORD]
    names = [p.name for p in parameters if p not in tail] + [*OPTIONS, "backend"] + [p.name for p in tail]
    require(list(after.parameters) == names, "signature", f"{names} became {list(after.parameters)}")
    for parameter in parameters:
        new = after.parameters[parameter.name]
        require(
            new.kind is parameter.kind and new.default is parameter.default, "signature", f"{parameter} became {new}"
        )
    require(after.return_annotation is before.return_annotation, "signature", "return annotation")


def check_function(function):
    """Decorate one function and check all of it; returns why it was refused, if it was, and what became of its doc."""
    dispatcher = BackendDispatcher(entrypoint_group="corpus.backends", host_name="corpus", untrusted="allow")
    expected = expected_reason(function)
    own = expected == "own `backend`"
    # What begins with an underscore is private in an adapter too, so such a function needs another name for backends.
    options = {"name": function.__name__.strip("_")} if getattr(function, "__name__", "").startswith("_") else {}
    try:
        decorated = dispatcher.backend_dispatch(**options)(function)
    except TypeError as error:
        reason = next((reason for reason, text in REASONS.items() if re.search(text, str(error))), None)
        require(reason == expected, "refusal", f"{expected!r} was expected, the message is: {error}")
        if not own:
            return reason, None
        decorated = dispatcher.backend_dispatch(own_backend="parallel_backend", **options)(function)
    else:
        require(expected is None, "refusal", f"{expected!r} was expected, but it was decorated")
    attribute = next(iter(dispatcher.functions()))
    doc, first = function.__doc__, decorated.__doc__
    signature = inspect.signature(function)
    before = shown(function)
    pickled = pickles_by_name(function)
    # What is written in C is no function to numpydoc's validation.
    validated = complaints(function) if inspect.isfunction(function) and doc and not own else None
    if validated is not None:
        check_validated(validated, decorated, options=False)
    with in_its_place(function, decorated) as placed:
        dispatcher.register(generated_adapter(function, attribute))
        dispatcher.discover()
        second, merged = decorated.__doc__, inspect.signature(decorated)
        if validated is not None:
            check_validated(validated, decorated, options=True)
        check_signature(signature, merged, own)
        dispatcher.discover()
        require(decorated.__doc__ == second, "twice", "the docstring")
        require(inspect.signature(decorated) == merged, "twice", "the signature")
        after = shown(decorated)
        differing = [question for question in before if before[question] != after[question]]
        require(not differing, "inspect", [(question, before[question], after[question]) for question in differing])
        hints = evaluated(function)
        if hints is not None and not own:
            now = evaluated(decorated)
            require(now is not None, "annotations", "cannot be evaluated any more")
            require({**now[0], **hints[0]} == now[0], "annotations", "are others")
            require(set(now[0]) - set(hints[0]) <= {"backend", "corpus_batch"}, "annotations", "are more")
        if placed and pickled:
            require(pickles_by_name(decorated), "pickle", "not by name any more")
        check_help(function, decorated, own=own)
        taken = "none"
        if isinstance(doc, str):
            if own:
                doc = renamed(doc)
            taken = check_doc(doc, first, second)
            check_variants(doc)
        else:
            require(second is None, "none", second)
        dispatcher.unregister("corpus")
        require(decorated.__doc__ == first, "unregister", "the docstring")
        require(OPTIONS[0] not in inspect.signature(decorated).parameters, "unregister", "the signature")
    return expected, taken


def check_help(function, decorated, *, own):
    """What ``help()`` shows of a decorated function is its own signature and docstring."""
    try:
        before = pydoc.plain(pydoc.render_doc(function))
    except Exception:  # noqa: BLE001 - no help before, so none is asked for afterwards.
        return
    after = pydoc.plain(pydoc.render_doc(decorated))
    require(all(name in after for name in (*OPTIONS, "backend")), "help", "the options are not shown")
    # Of a function without a docstring pydoc shows the comment above its source, which no decorator keeps; the
    # host's own `backend` has another name now.
    lost = [
        line
        for line in before.split("\n")[3:]
        if line not in after and function.__doc__ is not None and not (own and "backend" in line)
    ]
    require(not lost, "help", f"lost {lost[:3]}")
