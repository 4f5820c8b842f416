"""Every function of the pair, as `help()`, documentation builders and checkers of docstrings see it."""

from __future__ import annotations

import difflib
import inspect
import pydoc
import re

from complaints import complaints
from numpydoc.docscrape import NumpyDocString
from sphinx.ext.napoleon import Config, NumpyDocstring

PROVIDER = "rapids-singlecell"


def options(function):
    """Return the backend's own options in the order of its signature; none where it lacks the function."""
    if function.implementation is None:
        return []
    theirs = inspect.signature(function.implementation).parameters.values()
    return [
        p.name
        for p in theirs
        if p.name not in function.plain["parameters"]
        and p.name not in renamed_for(function)
        and p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]


def renamed_for(function):
    """Return the names that the host's function was known by, or is by newer backends."""
    seeds = {"rng", "random_state", "random_seed", "seed"}
    return seeds if seeds & set(function.plain["parameters"]) else set()


# Headers as released docstrings have them and numpydoc does not read them: another word, or no blank line before.
HEADER = re.compile(r"\n+(Params|Parameters|Other Parameters|Returns|Notes|Examples|Example|See Also)\n-{3,}\n")
WORDS = {"Params": "Parameters", "Example": "Examples"}


def host_doc(function):
    """Return the host's own docstring, in which a `backend` of its own has the new name."""
    return re.sub(r"\nbackend\n", "\nparallel_backend\n", function.plain["doc"])


def written_out(header):
    word = WORDS.get(header[1], header[1])
    return f"\n\n{word}\n{'-' * len(word)}\n"


def read(doc):
    """Return the sections of a docstring as numpydoc reads them once its headers are written as it asks."""
    doc = inspect.cleandoc(doc).replace(":doc:`/how-to/knn-transformers`", "knn_transformers")
    return NumpyDocString(HEADER.sub(written_out, doc))


def rendered(doc, config):
    """Return the fields that napoleon makes of a docstring."""
    return str(NumpyDocstring(HEADER.sub(written_out, inspect.cleandoc(doc)), config))


def has_entry(doc, name):
    parsed = read(doc)
    return [entry for section in ("Parameters", "Other Parameters") for entry in parsed[section] if entry.name == name]


def listed(function):
    """Return the options that get an entry: those that the host's docstring does not have already."""
    return [name for name in options(function) if not has_entry(function.plain["doc"], name)]


def test_signature(function):  # 5.1
    shown = list(inspect.signature(function.public).parameters.values())
    host = [name if name != "backend" else "parallel_backend" for name in function.plain["parameters"]]
    tail = [p.name for p in shown if p.kind is p.VAR_KEYWORD]
    names = [name for name in host if name not in tail]
    assert [p.name for p in shown] == [*names, *options(function), "backend", *tail]


def test_signature_evaluates(function):  # 4.10
    # With names for type checkers only it does not, with or without a backend: those stand as text.
    try:
        inspect.signature(inspect.unwrap(function.public), eval_str=True)
    except NameError:
        return
    inspect.signature(function.public, eval_str=True)


def test_docstring_is_the_hosts_with_insertions(function):  # 5.3, 5.6
    before, after = host_doc(function).splitlines(), function.public.__doc__.splitlines()
    changes = [
        code for code in difflib.SequenceMatcher(a=before, b=after, autojunk=False).get_opcodes() if code[0] != "equal"
    ]
    assert {code[0] for code in changes} == {"insert"}
    assert 1 <= len(changes) <= 2


def test_templates_are_filled(function):  # 5.6
    text = inspect.getdoc(function.public)
    assert not re.search(r"%\(\w+\)s", text)
    assert not re.search(r"(?<!\{)\{(adata|rng|n_pcs|use_rep|doc_\w+|key|sp\.\w+|rp\.\w+|fla\.\w+)\}", text)


def test_numpydoc_reads_every_option(function):  # 5.2
    text = function.public.__doc__
    assert len(has_entry(text, "backend")) == 1
    for name in listed(function):
        (entry,) = has_entry(text, f"{name} ({PROVIDER})")
        # Some releases of the backend leave an option out of their own docstring.
        assert bool(entry.desc) is bool(has_entry(function.implementation.__doc__, name))


def test_an_option_that_the_host_documents_gets_no_second_entry(function):  # 5.8
    documented = set(options(function)) - set(listed(function))
    assert not [name for name in documented if has_entry(function.public.__doc__, f"{name} ({PROVIDER})")]


# What numpydoc says of entries with their provider beside the name, and of the text that the backend's authors wrote.
OF_THE_BACKEND = {"PR01", "PR02", "PR04", "PR05", "PR07", "PR08", "PR09"}


def test_numpydoc_finds_no_more_to_complain_of(function):  # 5.2
    found = complaints(f"{function.public.__module__}.{function.public.__name__}")
    assert set(found) - set(function.plain["complaints"]) <= OF_THE_BACKEND


def test_other_sections_stay(function):  # 5.3
    before = read(host_doc(function))
    after = read(function.public.__doc__)
    for section in ("Summary", "Extended Summary", "Returns", "Notes", "References", "Examples", "See Also"):
        assert after[section] == before[section]


def test_napoleon_keeps_the_hosts_fields(function):
    config = Config(napoleon_use_param=True, napoleon_use_rtype=True)
    before, after = (rendered(doc, config) for doc in (host_doc(function), function.public.__doc__))
    fields = re.compile(r"^:(?:param|type) ([^:]+):", re.MULTILINE)
    host = fields.findall(before)
    assert [f for f in fields.findall(after) if f in host] == host
    assert fields.findall(after).count("backend") == 2  # its text and its type


def test_help(function):  # 5.7
    text = pydoc.render_doc(function.public, renderer=pydoc.plaintext)
    assert "backend : str, sequence of str or None" in text
    for name in listed(function):
        assert f"{name} ({PROVIDER})" in text
