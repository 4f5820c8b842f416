"""Plant single differences into nested values, by hand and by the thousand, and count by kind how many are found.

The values are those of ``tests/helpers/planted.py``; the more scientific libraries are installed, the more kinds there
are. Each difference has to be found exactly where it was planted, and without one two values have to agree.

    python tests/stress/planted_differences.py --examples 1000
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

import planted

from scverse_backends.testing._difference import difference


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--examples", type=int, default=300, help="how many values (default: 300)")
    examples = parser.parse_args().examples
    warnings.simplefilter("ignore")  # What libraries say of odd data is not what this is about.
    found, missed = Counter(), []

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
    @given(planted.VALUES)
    def run(value):
        for plant, is_right, outcome in planted.outcomes(value, difference):
            found[plant and plant.kind] += is_right
            if not is_right:
                missed.append(f"{plant and (plant.kind, plant.path)}: {outcome}")

    run()
    agreeing = found.pop(None)
    for kind, count in found.most_common():
        print(f"{count:7}  {kind}")
    print(f"{found.total():7}  found where they were planted, of {len(found)} kinds")
    print(f"{agreeing:7}  agreed, with none planted")
    print(f"{len(missed):7}  wrong", *missed[:20], sep="\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
