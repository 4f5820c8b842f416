"""Take the whole corpus of one distribution through the checks, and count."""

from __future__ import annotations

import traceback
import warnings
from collections import Counter

from checks import check_doc, check_function, check_variants, splice, style
from libraries import methods, walk


class Survey:
    """What became of the functions, classes and methods of one distribution."""

    def __init__(self, distribution):
        self.distribution = distribution
        self.functions = 0
        self.others = 0
        self.decorated = Counter()
        self.refused = Counter()
        self.others_refused = Counter()
        self.styles = Counter()
        self.docs = Counter()
        self.failures = []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Looking at every name of a library meets its deprecated ones.
            functions, classes = walk(distribution)
            for path, function in functions:
                self.functions += 1
                self.attempt(path, self.function, function)
            for path, value in [*classes, *methods(classes)]:
                self.others += 1
                self.attempt(path, self.other, value)

    def attempt(self, path, check, value):
        try:
            check(value)
        except Exception as error:  # noqa: BLE001 - every one of them is a finding.
            text = str(error) if isinstance(error, AssertionError) else traceback.format_exc()
            self.failures.append(f"{path}: {text}")

    def count(self, doc, taken):
        self.styles[style(doc)] += 1
        self.docs[taken] += 1

    def function(self, function):
        reason, taken = check_function(function)
        if taken is None:
            self.refused[reason] += 1
        else:
            self.decorated["with `own_backend=`" if reason else "as it is"] += 1
            self.count(function.__doc__, taken)

    def other(self, value):
        """Classes and methods are refused, but their docstrings are as real as those of functions."""
        reason, taken = check_function(value)
        if taken is None:  # else it is a function that only hangs on a class
            self.others_refused[reason] += 1
        doc = value.__doc__
        if isinstance(doc, str):
            self.count(doc, check_doc(doc, *splice(doc)))
            check_variants(doc)
