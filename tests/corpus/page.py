"""Write ``docs/background/corpus.md``: run all checks on the corpus and count. Run with ``hatch run corpus:page``."""

from __future__ import annotations

import platform
import sys
from collections import Counter
from pathlib import Path

from libraries import LIBRARIES, released
from survey import Survey

PAGE = Path(__file__).parents[2] / "docs" / "background" / "corpus.md"

TOP = """# Tested on real functions

<!-- Written by tests/corpus/page.py; the text stands there. -->

To *splice* is to insert text and to leave everything else as it is. We promise to do so in the docstrings of any
library, and only other people's docstrings can test that. So every public function of seven
libraries, as released, is decorated on a dispatcher of its own, with a generated backend that has all of the function's
parameters but one and adds two documented ones. The tests check that

- the function is decorated, or refused with the reason that {doc}`/usage/host` gives, found out independently;
- every byte of the host's docstring stays: each of the two splices is one insertion;
- numpydoc reads the same sections and entries as before plus exactly ours, and doctest the same examples;
- numpydoc's validation, which libraries run in their own tests, finds nothing that it did not find before;
- the indentation that Python 3.12 leaves in docstrings and the line endings make no difference;
- the signature is the host's plus ours, and annotations evaluate as before;
- a second discovery changes nothing, and unregistering the backend takes everything out again;
- `help()`, `inspect` and pickling by name work as before.

Methods and classes cannot be decorated as functions, which is checked too; their docstrings are spliced without them.
The corpus runs on each change (`hatch run corpus:test`).
"""

BOTTOM = """## Calls

Parts of the tests that scikit-learn and scanpy release are run three times: as they are, with every public function
decorated while its module is imported, and with a backend selected whose functions are the host's own, so that each
call is routed as to a backend. Each test has the same outcome in all three.

## What it taught

- The splicer lost nothing, anywhere: what invented docstrings had taught it before holds for real ones.
- One docstring was spliced differently with Windows' line endings than with others: an example in the middle of a
  description (scanpy's `bbknn`) was taken for one at its end. Found by comparing variants of the same text, and fixed.
- numpydoc itself misreads some released docstrings (`Returns:` with a colon, underlines shorter than their title, no
  blank line before a header): it takes the header for a parameter, and the rest of the page with it. We read them
  as their authors meant them; for the comparison such headers are written out first.
- All of networkx has a parameter `backend` of its own, as have plotting in pandas and the functions of squidpy that
  run on joblib: `own_backend=` is what lets them be decorated.
- Routed calls found what no docstring could: a backend's function that is a `functools.singledispatch` failed at its
  first call, because what was given by position arrived by keyword. It arrives by position now.
- `*args` is nearly the one reason for which real functions are refused, besides compiled functions without a signature.
- A function whose `__name__` begins with an underscore needs `backend_dispatch(name=...)`, since what begins with one
  is private in an adapter, too.
- A decorated function has the `__globals__` of its wrapper, as with any decorator made with `functools.wraps`. scanpy
  evaluates the globals of one of its own plotting functions, so it would decorate that one outside the decorator
  that does.
"""


# What failed when the corpus was run for the first time.
BEFORE = {"scanpy": 1}


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "| --- " + "| ---: " * (len(head) - 1) + "|"]
    return "\n".join([*lines, *["| " + " | ".join(str(cell or "") for cell in row) + " |" for row in rows]])


def columns(surveys, field):
    """Return the keys that a counter of the surveys has anywhere, the most frequent first."""
    return [key for key, _ in sum([getattr(survey, field) for survey in surveys], Counter()).most_common()]


def counted(surveys, field, title):
    keys = columns(surveys, field)
    rows = [[s.distribution, *[getattr(s, field)[key] for key in keys]] for s in surveys]
    rows.append(["**all**", *[sum(getattr(s, field)[key] for s in surveys) for key in keys]])
    return table([title, *keys], rows)


def page(surveys):
    failed = sum(len(survey.failures) for survey in surveys)
    rows = [
        [
            f"{s.distribution} {released(s.distribution)}",
            s.functions,
            s.others,
            sum(s.styles.values()) - s.styles["none"],
            BEFORE.get(s.distribution, "0"),
            len(s.failures) or "0",
        ]
        for s in surveys
    ]
    rows.append(["**all**", *[sum(row[i] for row in rows) for i in (1, 2, 3)], sum(BEFORE.values()), str(failed)])
    return "\n".join(
        [
            TOP,
            f"## Counts\n\nOn Python {platform.python_version()}:\n",
            table(["library", "functions", "methods and classes", "docstrings", "failures at first", "now"], rows),
            "\nFunctions, and what became of them:\n",
            counted(surveys, "decorated", "decorated"),
            "",
            counted(surveys, "refused", "refused because of"),
            "\nDocstrings by style, told apart by a regular expression that the splicer itself does not use:\n",
            counted(surveys, "styles", "style"),
            "\nWhat became of them:\n",
            counted(surveys, "docs", "docstrings"),
            "",
            BOTTOM,
        ]
    )


if __name__ == "__main__":
    found = [Survey(distribution) for distribution in LIBRARIES]
    PAGE.write_text(page(found), encoding="utf-8")
    failures = [failure for survey in found for failure in survey.failures]
    print(*failures, sep="\n")
    sys.exit(bool(failures))
