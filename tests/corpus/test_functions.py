"""Every public function of real libraries is decorated, or refused with the reason that the contract gives."""

from __future__ import annotations

import pytest
from libraries import LIBRARIES
from survey import Survey


@pytest.mark.parametrize("distribution", LIBRARIES)
def test_corpus(distribution):  # 4.1, 4.10, 5.1 to 5.5
    survey = Survey(distribution)
    assert survey.functions > 20
    assert not survey.failures, "\n".join([f"{len(survey.failures)} failures", *survey.failures[:20]])
