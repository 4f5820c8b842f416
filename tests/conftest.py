"""Settings that hold for the whole suite; fixtures live beside the tests that need them."""

from __future__ import annotations

import os

import hypothesis

# Host settings read from the environment would choose backends behind the tests' back.
for variable in [name for name in os.environ if name.endswith("_BACKEND")]:
    del os.environ[variable]

# Machines that run suites are busy, and a slow example says nothing about the code.
hypothesis.settings.register_profile("suite", deadline=None)
hypothesis.settings.load_profile("suite")
