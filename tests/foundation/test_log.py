"""The logger: importing nothing where nobody can be listening, and never writing to standard error by itself."""

from __future__ import annotations

import logging
import sys

import pytest

from scverse_backends._foundation import log as _log

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING}


@pytest.fixture
def ours():
    logger = logging.getLogger("scverse_backends")
    handlers = logger.handlers[:]
    logger.handlers.clear()
    yield logger
    logger.handlers[:] = handlers


@pytest.mark.parametrize("level", LEVELS)
def test_messages_reach_who_configured_logging(caplog, level):  # 7.4
    caplog.set_level(logging.DEBUG, logger="scverse_backends")
    getattr(_log, level)("%s of %d", level, 3)
    assert caplog.record_tuples == [("scverse_backends", LEVELS[level], f"{level} of 3")]


def test_nobody_reads_them_on_standard_error(ours, monkeypatch, capsys):
    monkeypatch.setattr(ours, "propagate", False)  # What pytest listens with stays out of it.
    _log.warning("spoken once")
    _log.warning("spoken twice")
    assert capsys.readouterr().err == ""
    assert [type(handler) for handler in ours.handlers] == [logging.NullHandler]


def test_handlers_of_others_stay_alone(ours):
    handler = logging.NullHandler()
    ours.addHandler(handler)
    _log.warning("spoken")
    assert ours.handlers == [handler]


@pytest.mark.parametrize("level", ["debug", "info"])
def test_logging_is_not_imported_for_what_nobody_asked_for(monkeypatch, caplog, level):  # 10
    caplog.set_level(logging.DEBUG, logger="scverse_backends")
    monkeypatch.delitem(sys.modules, "logging")
    getattr(_log, level)("unheard")
    assert "logging" not in sys.modules
    assert caplog.records == []
