"""The command line with the decorated hosts: ``python command.py FOLDER check scanpy cuda``."""

from __future__ import annotations

import runpy
import sys
import warnings

sys.path.insert(0, sys.argv.pop(1))

import hosts

hosts.decorate_at_import()
with warnings.catch_warnings(action="ignore"):  # The hosts' dependencies deprecate each other.
    __import__(sys.argv[2])
runpy.run_module("scverse_backends", run_name="__main__", alter_sys=True)
