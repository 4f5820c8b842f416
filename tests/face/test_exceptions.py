"""Errors and warnings (section 9): what they are, what they carry, and that they survive a trip between processes."""

from __future__ import annotations

import copy
import inspect
import pickle

import pytest

from scverse_backends import exceptions

BUILTINS = {
    "BackendError": Exception,
    "UnknownBackendError": ValueError,
    "ReservedBackendError": ValueError,
    "BackendNotInstalledError": ImportError,
    "BackendLoadError": ImportError,
    "BackendContractError": TypeError,
    "FunctionNotImplementedError": NotImplementedError,
    "BackendWarning": UserWarning,
    "UntrustedBackendWarning": UserWarning,
    "BackendLoadWarning": UserWarning,
    "BackendConflictWarning": UserWarning,
    "DroppedArgumentWarning": UserWarning,
    "FallbackWarning": UserWarning,
}
DATA = {
    "host": "h",
    "backend": "b",
    "distribution": "d",
    "function": "f",
    "parameter": "p",
    "suggestions": ("s",),
    "failed": ("x", "y"),
    "source": "scope",
}
CLASSES = [getattr(exceptions, name) for name in exceptions.__all__]


def test_all_of_them_are_public_and_drawn_in_the_tree():
    defined = {
        name
        for name, value in vars(exceptions).items()
        if inspect.isclass(value) and issubclass(value, Exception) and not name.startswith("_")
    }
    assert list(exceptions.__all__) == sorted(defined) == sorted(BUILTINS)
    for name in defined:
        assert name in exceptions.__doc__


@pytest.mark.parametrize("category", CLASSES)
def test_each_also_is_the_builtin_named(category):  # 9
    assert issubclass(category, BUILTINS[category.__name__])
    base = exceptions.BackendWarning if issubclass(category, Warning) else exceptions.BackendError
    assert issubclass(category, base)


@pytest.mark.parametrize("category", CLASSES)
def test_data_are_attributes_and_nothing_by_default(category):  # 9
    plain = category("text")
    assert str(plain) == "text"
    assert [getattr(plain, name) for name in DATA] == [None, None, None, None, None, (), (), None]
    full = category("text", **DATA)
    assert {name: getattr(full, name) for name in DATA} == DATA
    assert str(category()) == ""


@pytest.mark.parametrize("category", [each for each in CLASSES if issubclass(each, ImportError)])
def test_import_errors_have_their_message_where_python_keeps_it(category):  # 9
    error = category("text", **DATA)
    assert (error.msg, error.args, error.name, error.path) == ("text", ("text",), None, None)
    for back in (pickle.loads(pickle.dumps(error)), error.rewritten("text", source=None), copy.copy(error)):
        assert back.msg == "text"


@pytest.mark.parametrize("category", CLASSES)
@pytest.mark.parametrize("trip", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])
def test_they_survive_copying_and_pickling(category, trip):  # 9
    back = trip(category("text", **DATA))
    assert type(back) is category
    assert str(back) == "text"
    assert {name: getattr(back, name) for name in DATA} == DATA


@pytest.mark.parametrize("category", CLASSES)
def test_rewriting_keeps_the_data(category):
    again = category("text", **DATA).rewritten("more text", source="environment")
    assert type(again) is category
    assert str(again) == "more text"
    assert {name: getattr(again, name) for name in DATA} == {**DATA, "source": "environment"}
