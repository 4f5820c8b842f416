"""Adapters that do what no adapter should: each is installed beside a good one, and breaks nothing but itself.

Rules 2.2, 2.4, 2.6, 2.7, 4.7 and 5.x. Every row is a distribution of its own in a process of its own.
"""

from __future__ import annotations

import sys

import pytest

# What a user may do in a session, with the exception or the warnings that each step gave.
SESSION = """
import warnings

def told(action):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            value, raised, cause = action(), None, None
        except BaseException as error:
            value, raised, cause = str(error), type(error).__name__, type(error.__cause__).__name__
    return {
        "value": value,
        "raised": raised,
        "cause": cause,
        "warnings": [[type(one.message).__name__, str(one.message)] for one in caught],
    }

import hosted

dispatcher = hosted.dispatcher
facts = {
    "first": told(lambda: hosted.double(2, backend="good")),
    "double": told(lambda: hosted.double(2, backend="bad")),
    "triple": told(lambda: hosted.triple(2, backend="bad")),
    "discover": told(dispatcher.discover),
    "discover again": told(dispatcher.discover),
    "adapter": told(lambda: dispatcher.get_backend("bad") is not None),
    "table": told(lambda: {
        info.name: {
            "state": info.state,
            "error": type(info.error).__name__,
            "functions": info.functions,
            "aliases": info.aliases,
            "reason": info.reason,
        }
        for info in dispatcher.backends()
    }),
    "text": told(lambda: repr(dispatcher.backends()) + dispatcher.backends()._repr_html_()),
    "names": told(dispatcher.available_backend_names),
    "explain": told(lambda: str(dispatcher.explain(hosted.double, "bad"))),
    "scope": told(lambda: hosted.settings.use_backend("bad").__enter__()),
    "unknown": told(lambda: hosted.double(2, backend="nonsense")),
    "good": told(lambda: hosted.double(2, backend="good", good_option=1)),
    "cpu": told(lambda: hosted.double(2, backend="cpu")),
}
import inspect
facts["signature"] = str(inspect.signature(hosted.double))
facts["doc"] = hosted.double.__doc__
report(facts)
"""


def session(site, source, reference="bad_backend", name="bad"):
    """Install the adapter beside a good one, and return what a session with both came to."""
    site.good()
    site.install("bad-distribution", modules={"bad_backend.py": source}, entry_points={name: reference})
    facts = site.run(SESSION)
    # Whatever the bad one does: the good one and the host answer, listings print, and nothing else is lost.
    assert facts["first"]["value"] == facts["good"]["value"] == ["good", 4]
    assert facts["cpu"]["value"] == ["cpu", 4]
    assert facts["discover"]["raised"] is None, facts["discover"]
    assert facts["discover again"]["warnings"] == []  # each problem is told once
    assert facts["table"]["value"]["good"]["state"] == "available"
    assert facts["table"]["value"]["good"]["functions"] == ["double"]
    assert "good" in facts["names"]["value"]
    assert facts["text"]["raised"] is None
    assert facts["explain"]["raised"] is None
    assert facts["unknown"]["raised"] == "UnknownBackendError", facts["unknown"]
    assert "good_option" in facts["signature"]
    assert "good_option (good) : int" in facts["doc"]
    return facts


NAMED = 'name = "bad"\n'

FAILING = {
    "system-exit": ("raise SystemExit(3)", "SystemExit"),
    "sys-exit": ("import sys; sys.exit('good bye')", "SystemExit"),
    "base-exception": ("class Odd(BaseException): pass\nraise Odd('odd')", "Odd"),
    "generator-exit": ("raise GeneratorExit", "GeneratorExit"),
    "cancelled": ("import asyncio\nraise asyncio.CancelledError", "CancelledError"),
    "stop-iteration": ("raise StopIteration", "StopIteration"),
    "recursion": ("def deeper(): deeper()\ndeeper()", "RecursionError"),
    "memory": ("raise MemoryError", "MemoryError"),
    "memory-for-real": ("bytearray(1 << 62)", "MemoryError"),
    "group": ("raise BaseExceptionGroup('all', [SystemExit(), ValueError()])", "BaseExceptionGroup"),
    "syntax": ("def broken(:", "SyntaxError"),
    "null-byte": ("name = 'bad'\0", "SyntaxError"),
    "undecodable": (b"name = '\xff'", "SyntaxError"),
    "missing-module": ("import surely_not_installed_anywhere", "ModuleNotFoundError"),
    "warning-as-error": (
        "import warnings\nwith warnings.catch_warnings(action='error'): warnings.warn('old')",
        "UserWarning",
    ),
    "str-raises": (
        "class Odd(Exception):\n    def __str__(self): raise ValueError('no words')\nraise Odd",
        "Odd",
    ),
    "str-exits": (
        "class Odd(Exception):\n    def __str__(self): raise SystemExit(4)\nraise Odd",
        "Odd",
    ),
    "str-is-no-string": (
        "class Odd(Exception):\n    def __str__(self): return 3\nraise Odd",
        "Odd",
    ),
    "traceback-lies": (
        "class Odd(Exception):\n    @property\n    def __traceback__(self): raise SystemExit(5)\nraise Odd",
        "Odd",
    ),
    "cause-cycle": (
        "one, two = ValueError('one'), KeyError('two')\none.__context__, two.__cause__ = two, one\nraise one",
        "ValueError",
    ),
    "replaces-itself": ("import sys\nsys.modules[__name__] = None", None),
    "no-name": ("def double(x): return x", None),
    "name-exits": (
        "class Adapter:\n    @property\n    def name(self): raise SystemExit(6)",
        "SystemExit",
        "bad_backend:Adapter",
    ),
    "init-exits": (
        "class Adapter:\n    name = 'bad'\n    def __init__(self): raise SystemExit(7)",
        "SystemExit",
        "bad_backend:Adapter",
    ),
    "init-wants-more": (
        "class Adapter:\n    name = 'bad'\n    def __init__(self, device): pass",
        "TypeError",
        "bad_backend:Adapter",
    ),
    "new-is-another": ("class Adapter:\n    def __new__(cls): return 3", None, "bad_backend:Adapter"),
    "getattribute-exits": (
        "class Adapter:\n    def __getattribute__(self, name): raise SystemExit(8)\nadapter = Adapter()",
        "SystemExit",
        "bad_backend:adapter",
    ),
    "aliases-exit": (
        "class Adapter:\n    name = 'bad'\n    @property\n    def aliases(self): raise SystemExit(9)",
        "SystemExit",
        "bad_backend:Adapter",
    ),
    "missing-attribute": (NAMED, "AttributeError", "bad_backend:adapter.inner"),
    "missing-reference": (NAMED, "ModuleNotFoundError", "bad_backend_elsewhere:adapter"),
    "reference-nonsense": (NAMED, None, "not a reference!"),
    "name-none": ("name = None", "BackendLoadError"),
    "name-bytes": ("name = b'bad'", "BackendLoadError"),
    "name-empty": ("name = ''", "BackendLoadError"),
    "name-newline": ("name = 'bad\\n'", "BackendLoadError"),
    "name-confusable": ("name = 'b\\u0430d'", "BackendLoadError"),
    "name-invisible": ("name = 'bad\\u200b'", "BackendLoadError"),
    "name-endless": ("name = 'bad' * 10_000_000", "BackendLoadError"),
    "name-claims-str": (
        (
            "class Name:\n"
            "    __class__ = property(lambda self: str)\n"
            "    def __len__(self): return 3\n"
            "    def __iter__(self): return iter('bad')\n"
            "    def __getitem__(self, index): return 'bad'[index]\n"
            "name = Name()"
        ),
        "BackendLoadError",
    ),
    "name-class-exits": (
        "class Name:\n    @property\n    def __class__(self): raise SystemExit(10)\nname = Name()",
        "BackendLoadError",
    ),
    "name-len-exits": (
        (
            "class Name(str):\n    def __len__(self): raise SystemExit(11)\n    __bool__ = __iter__ = __len__\n"
            "name = Name('not right')"
        ),
        "BackendLoadError",
    ),
    "name-metaclass-lies": (
        (
            "class Meta(type):\n    @property\n    def __name__(cls): raise SystemExit(12)\n"
            "class Name(metaclass=Meta): pass\nname = Name()"
        ),
        None,
    ),
}


@pytest.mark.parametrize("row", FAILING)
def test_an_adapter_that_cannot_be_loaded_loses_only_itself(site, row):  # 2.6, 2.7
    if row == "reference-nonsense" and sys.version_info >= (3, 15):
        pytest.skip("3.15 refuses such a file when it is listed, which test_broken_metadata.py covers")
    source, error, *reference = FAILING[row]
    facts = session(site, source, *reference)
    entry = facts["table"]["value"]["bad"]
    assert entry["state"] == "failed"
    assert error is None or entry["error"] == error
    assert facts["double"]["raised"] == facts["scope"]["raised"] == "BackendLoadError"
    assert "bad-distribution" in facts["double"]["value"]
    if error not in (None, "BackendLoadError"):
        assert facts["double"]["cause"] == error
    told = [text for category, text in facts["discover"]["warnings"] if category == "BackendLoadWarning"]
    assert len([text for text in told if "'bad'" in text]) == 1
    assert facts["adapter"]["value"] is False
    assert [category for category, _ in facts["adapter"]["warnings"]] == ["BackendLoadWarning"]
    assert "'bad'" in facts["unknown"]["value"]  # it may be a name of what failed
    assert "bad" not in facts["names"]["value"]


REFUSED = {
    "cpu": "name = 'cpu'",
    "cpu-in-capitals": "name = 'CPU'",
    "reserved": "name = 'gpu'",
    "reserved-in-capitals": "name = 'Gpu'",
    "trusted": "name = 'real'",
    "trusted-in-capitals": "name = 'Real'",
    "trusted-alias": "name = 'genuine'",
    "trusted-string-that-lies": (
        "class Name(str):\n    def lower(self): return 'innocent'\n    __str__ = lower\n"
        "    def __eq__(self, other): return False\n    def __hash__(self): return 1\nname = Name('real')"
    ),
}


@pytest.mark.parametrize("row", REFUSED)
def test_names_of_others_are_refused_whatever_their_case(site, row):  # 2.4
    facts = session(site, REFUSED[row])
    entry = facts["table"]["value"]["bad"]
    assert entry["state"] == "refused"
    assert "its name" in entry["reason"]
    assert facts["double"]["raised"] == "UnknownBackendError"
    assert "refused" in facts["double"]["value"]
    assert any("refused" in text for _, text in facts["discover"]["warnings"])
    assert facts["adapter"]["value"] is False


RUNS = ["bad", 4]
DOUBLE = "def double(x): return ('bad', 2 * x)\n"
CALLABLE = NAMED + "class Double:\n    def __call__(self, x): return ('bad', 2 * x)\n"

# What runs nevertheless: the value of double(), that of triple() or its error, and a text among the warnings.
WORKING = {
    "answers-to-every-name": (
        NAMED + DOUBLE + "def __getattr__(name): return lambda *args, **kwargs: ('bad', name)",
        ["bad", "triple"],
        None,
    ),
    "getattr-import-error": (
        NAMED + DOUBLE + "def __getattr__(name): raise ImportError(name)",
        "BackendLoadError",
        None,
    ),
    "getattr-exits": (NAMED + DOUBLE + "def __getattr__(name): raise SystemExit(1)", "BackendLoadError", None),
    "getattr-recurses": (
        NAMED + DOUBLE + "def __getattr__(name):\n    import sys\n    return getattr(sys.modules[__name__], name)",
        "BackendLoadError",
        None,
    ),
    "getattr-raises-another-attribute-error": (
        NAMED + DOUBLE + "def __getattr__(name): return (3).imaginary",
        "BackendLoadError",
        None,
    ),
    "properties-with-side-effects": (
        (
            "class Adapter:\n    name = 'bad'\n"
            "    def double(self, x): return ('bad', 2 * x)\n"
            "    @property\n    def triple(self): raise RuntimeError('side effect')"
        ),
        "BackendLoadError",
        None,
        "bad_backend:Adapter",
    ),
    "hash-and-eq-raise": (
        (
            "class Adapter:\n    name = 'bad'\n"
            "    def double(self, x): return ('bad', 2 * x)\n"
            "    def __eq__(self, other): raise SystemExit(2)\n"
            "    __hash__ = __bool__ = __len__ = __repr__ = __eq__"
        ),
        ["cpu", 6],
        None,
        "bad_backend:Adapter",
    ),
    "slots": (
        "class Adapter:\n    __slots__ = ()\n    name = 'bad'\n    def double(self, x): return ('bad', 2 * x)",
        ["cpu", 6],
        None,
        "bad_backend:Adapter",
    ),
    "metaclass-lies": (
        (
            "class Meta(type):\n    __mro__ = property(lambda cls: 1 / 0)\n    __dict__ = property(lambda cls: 1 / 0)\n"
            "    def __eq__(cls, other): raise SystemExit(3)\n    __hash__ = __eq__\n"
            "class Adapter(metaclass=Meta):\n    name = 'bad'\n    def double(self, x): return ('bad', 2 * x)"
        ),
        ["cpu", 6],
        None,
        "bad_backend:Adapter",
    ),
    "mock": (
        (
            "from unittest.mock import MagicMock\nadapter = MagicMock()\nadapter.name = 'bad'\n"
            "adapter.double.return_value = ('bad', 4)\nadapter.triple.return_value = ('bad', 6)"
        ),
        ["bad", 6],
        "aliases",
        "bad_backend:adapter",
    ),
    "name-changes": (
        (
            "import itertools\ncounter = itertools.count()\n"
            "class Adapter:\n"
            "    name = property(lambda self: 'bad' if next(counter) == 0 else f'other{next(counter)}')\n"
            "    def double(self, x): return ('bad', 2 * x)"
        ),
        ["cpu", 6],
        None,
        "bad_backend:Adapter",
    ),
    "non-callable": (NAMED + DOUBLE + "triple = 3", "BackendContractError", None),
    "non-callable-none": (NAMED + DOUBLE + "triple = None", "BackendContractError", None),
    "unhashable-callable": (CALLABLE + "    __hash__ = None\ndouble = Double()", ["cpu", 6], None),
    "eq-raises": (CALLABLE + "    def __eq__(self, other): raise SystemExit(3)\ndouble = Double()", ["cpu", 6], None),
    "bool-raises": (CALLABLE + "    def __bool__(self): raise SystemExit(4)\ndouble = Double()", ["cpu", 6], None),
    "signature-no-signature": (NAMED + DOUBLE + "double.__signature__ = 'x, y, z'", ["cpu", 6], None),
    "signature-exits": (
        CALLABLE + "    @property\n    def __signature__(self): raise SystemExit(5)\ndouble = Double()",
        ["cpu", 6],
        None,
    ),
    "doc-no-string": (NAMED + DOUBLE + "double.__doc__ = 12", ["cpu", 6], None),
    "doc-exits": (
        CALLABLE + "    @property\n    def __doc__(self): raise SystemExit(6)\ndouble = Double()",
        ["cpu", 6],
        None,
    ),
    "doc-malformed": (
        NAMED + DOUBLE + "double.__doc__ = 'Parameters\\n---\\n' + chr(0) * 10 + '\\n: : :\\n' * 50",
        ["cpu", 6],
        None,
    ),
    "name-attribute-none": (CALLABLE + "    __name__ = None\n    __module__ = 7\ndouble = Double()", None, None),
    "module-attribute-lies": (NAMED + DOUBLE + "double.__module__ = 7", ["cpu", 6], None),
    "wrapped-loop": (NAMED + DOUBLE + "double.__wrapped__ = double", ["cpu", 6], None),
    "wrapped-exits": (
        CALLABLE + "    def __getattr__(self, name): raise SystemExit(7)\ndouble = Double()",
        ["cpu", 6],
        None,
    ),
    "callable-answers-to-every-name": (
        CALLABLE + "    def __getattr__(self, name): return self\ndouble = Double()",
        ["cpu", 6],
        None,
    ),
    "annotations-raise": (
        NAMED
        + "def double(x: 'undefined', *, option: '1 / 0' = 3, other: '(lambda: lambda: f(' = 4): return ('bad', 2 * x)",
        ["cpu", 6],
        None,
    ),
    "defaults-are-strange": (
        NAMED + "class Strange:\n    def __eq__(self, other): raise SystemExit(8)\n    __hash__ = None\n"
        "    def __repr__(self): raise SystemExit(9)\n    __bool__ = __str__ = __repr__\n"
        "def double(x, *, scale=Strange(), option=Strange()): return ('bad', 2 * x)",
        ["cpu", 6],
        None,
    ),
    "option-called-backend": (NAMED + "def double(x, *, backend=3): return ('bad', 2 * x)", ["cpu", 6], None),
    "builtin-without-signature": (NAMED + "double = dict.fromkeys\ntriple = ('bad', 6).__class__", None, None),
    "all-is-broken": (NAMED + DOUBLE + "__all__ = 7", ["cpu", 6], None),
    "all-names-the-missing": (NAMED + DOUBLE + "__all__ = ['double', 'triple', 3, None]", ["cpu", 6], None),
    "all-compares-badly": (
        NAMED + DOUBLE + "class Odd:\n    def __eq__(self, other): raise SystemExit(9)\n__all__ = [Odd(), 'double']",
        None,
        None,
    ),
    "dir-exits": (NAMED + DOUBLE + "def __dir__(): raise SystemExit(10)", ["cpu", 6], None),
    "aliases-none": (NAMED + DOUBLE + "aliases = None", ["cpu", 6], "aliases"),
    "aliases-string": (NAMED + DOUBLE + "aliases = 'evil'", ["cpu", 6], "aliases"),
    "aliases-generator": (NAMED + DOUBLE + "aliases = (x for x in ['evil'])", ["cpu", 6], "aliases"),
    "aliases-dict": (NAMED + DOUBLE + "aliases = {'evil': 1}", ["cpu", 6], "aliases"),
    "aliases-non-strings": (NAMED + DOUBLE + "aliases = ['fine', 3, None, b'x', ['y']]", ["cpu", 6], "are ignored"),
    "aliases-of-others": (
        NAMED + DOUBLE + "aliases = ['fine', 'CPU', 'GPU', 'Genuine', 'a b']",
        ["cpu", 6],
        "are ignored",
    ),
    "aliases-raise": (
        NAMED + DOUBLE + "class Odd(list):\n    def __iter__(self): raise SystemExit(11)\naliases = Odd(['evil'])",
        ["cpu", 6],
        "aliases",
    ),
    "aliases-endless": (
        NAMED + DOUBLE + "class Odd(set):\n    def __iter__(self): raise RecursionError\naliases = Odd(['evil'])",
        ["cpu", 6],
        "aliases",
    ),
    "aliases-unsortable": (
        NAMED + DOUBLE + "class Odd:\n    def __str__(self): raise SystemExit(12)\naliases = {Odd(), 'fine'}",
        ["cpu", 6],
        "are ignored",
    ),
    "aliases-claim-str": (
        NAMED + DOUBLE + "class Odd:\n    __class__ = property(lambda self: str)\naliases = ['fine', Odd()]",
        ["cpu", 6],
        "are ignored",
    ),
    "ten-thousand-aliases": (
        NAMED + DOUBLE + "aliases = [f'alias{i}' for i in range(10_000)] + ['fine']",
        ["cpu", 6],
        None,
    ),
    "ten-thousand-bad-aliases": (
        NAMED + DOUBLE + "aliases = ['no good'] * 10_000 + ['fine']",
        ["cpu", 6],
        "more",
    ),
    "takes-the-good-name": (NAMED + DOUBLE + "aliases = ['good']", ["cpu", 6], "claim the backend name"),
    "reference-with-extras": (NAMED + DOUBLE, ["cpu", 6], None, "bad_backend [cuda]"),
    "reference-with-spaces": (
        NAMED + "class Inner:\n    name = 'bad'\n    def double(self, x): return ('bad', 2 * x)",
        ["cpu", 6],
        None,
        "bad_backend : Inner",
    ),
    "hides-among-names": (
        "import types\nclass Odd(types.ModuleType):\n    def __getattribute__(self, name):\n"
        "        if name == 'double': return lambda x: ('bad', 2 * x)\n"
        "        return super().__getattribute__(name)\n"
        "import sys\nsys.modules[__name__].__class__ = Odd\n" + NAMED,
        ["cpu", 6],
        None,
    ),
}


@pytest.mark.parametrize("row", WORKING)
def test_an_adapter_with_strange_parts_loses_only_those(site, row):  # 2.6, 4.7
    source, triple, warned, *reference = WORKING[row]
    facts = session(site, source, *reference)
    assert facts["table"]["value"]["bad"]["state"] == "available"
    if triple is not None:
        assert facts["double"]["value"] == RUNS
        assert triple in (facts["triple"]["value"], facts["triple"]["raised"])
    assert facts["adapter"]["value"] is True
    told = [step["warnings"] for step in facts.values() if isinstance(step, dict)]
    said = [text for warned_of in told for _, text in warned_of if "'bad'" in text]
    assert warned is None or any(warned in text for text in said)
    assert "evil" not in facts["names"]["value"]
    assert ("fine" in facts["names"]["value"]) == ("'fine'" in source)


EXITS_IN_USE = {
    "returns-the-host-function": (NAMED + "import hosted\ndouble = hosted.double\n", ["cpu", 4]),
    "calls-the-host-function": (NAMED + "import hosted\ndef double(x): return hosted.double(x)\n", ["cpu", 4]),
    "calls-itself-by-name": (
        NAMED + "import hosted\ndef double(x): return hosted.double(x, backend='bad')\n",
        ["cpu", 4],
    ),
}


@pytest.mark.parametrize("row", EXITS_IN_USE)
def test_an_adapter_that_leads_back_to_the_host_ends_there(site, row):  # 4.8
    source, value = EXITS_IN_USE[row]
    assert session(site, source)["double"]["value"] == value


def test_a_system_exit_while_computing_is_the_callers(site):  # 4.6: what an implementation raises reaches the caller
    facts = session(site, NAMED + "def double(x): raise SystemExit(13)")
    assert (facts["double"]["raised"], facts["double"]["value"]) == ("SystemExit", "13")


def test_every_fault_at_once_with_warnings_as_errors(site):  # 2.6, 4.5
    site.good()
    for index, (source, _, *reference) in enumerate(FAILING.values()):
        module = f"bad{index}_backend"
        value = (reference or ["bad_backend"])[0].replace("bad_backend", module)
        site.install(f"bad{index}", modules={f"{module}.py": source}, entry_points={f"bad{index}": value})
    told = site.run(
        """
        import hosted
        # An error from the first warning must not keep what was found from being usable.
        told = []
        while True:
            try:
                hosted.dispatcher.discover()
            except Warning as warning:
                told.append(str(warning))
            else:
                break
        hosted.settings  # the session lives
        try:
            hosted.double(2, backend="good")
        except Warning as warning:
            told.append(str(warning))
        assert hosted.double(2, backend="good") == ("good", 4)
        assert hosted.double(2) == ("cpu", 4)
        report(told)
        """,
        flags=["-W", "error"],
    )
    for index in range(len(FAILING)):
        assert any(f"'bad{index}'" in text for text in told), index
