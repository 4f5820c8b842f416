"""The page of messages shows what the library says today, and every message says enough in few lines."""

from __future__ import annotations

import importlib.util
import warnings
from pathlib import Path

import pytest

from scverse_backends import exceptions

SCRIPT = Path(__file__).parents[2] / "docs" / "messages.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("messages", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def messages(script):
    return script.messages()


def test_the_page_is_up_to_date(script):
    assert script.PAGE.read_text(encoding="utf-8") == script.page(), "run: python docs/messages.py"


def test_every_class_occurs(messages):
    bases = {"BackendError", "BackendWarning"}
    assert {message.category.__name__ for message in messages} >= set(exceptions.__all__) - bases


def test_nothing_but_what_is_meant_is_raised(messages):
    ours = {getattr(exceptions, name) for name in exceptions.__all__}
    assert {message.category for message in messages} <= ours | {TypeError, ValueError, AttributeError, FutureWarning}


def test_four_lines_are_enough(script, messages):
    for message in messages:
        # In a terminal of 100 columns.
        assert len(script.lines_of(f"{message.category.__name__}: {message.text}", 100)) <= 4, message.text


def test_messages_are_sentences(messages):
    for message in messages:
        # A command stands last, so that it can be copied.
        assert message.text.endswith((".", "?", ")")) or "pip install" in message.text.rpartition(": ")[2], message.text


def test_provoking_leaves_no_trace(script):
    import importlib.metadata

    before = importlib.metadata.entry_points, list(warnings.filters)
    script.messages()
    assert (importlib.metadata.entry_points, list(warnings.filters)) == before
