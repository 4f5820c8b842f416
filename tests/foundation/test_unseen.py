"""Frames that warnings pass over: how their code gets its name. What users see of it is in ``calls/test_frames.py``."""

from __future__ import annotations

import runpy

from scverse_backends._foundation import unseen

# Run anew, since the suite may have switched it off where coverage is measured.
FRESH = runpy.run_path(unseen.__file__)


def make(value):
    def inner():
        return value

    return inner


def test_a_function_and_those_inside_it_are_renamed():  # 4.5
    own = make.__code__
    renamed = FRESH["renamed"](own)
    assert own.co_filename == __file__
    inside = [each for each in renamed.co_consts if hasattr(each, "co_filename")]
    assert [renamed.co_filename, *(each.co_filename for each in inside)] == [unseen.FILE] * 2
    assert (renamed.co_code, renamed.co_firstlineno) == (own.co_code, own.co_firstlineno)


def test_the_name_is_one_that_warnings_skip_and_that_no_file_has():  # 4.5, 4.14
    assert "importlib" in unseen.FILE
    assert "_bootstrap" in unseen.FILE
    assert (unseen.FILE[0], unseen.FILE[-1]) == ("<", ">")


def test_a_decorated_function_is_the_very_function():
    def function():
        return 3

    assert FRESH["unseen"](function) is function
    assert function() == 3
    assert function.__code__.co_filename == unseen.FILE
