"""``python -m scverse_backends``, the same as the command ``scverse-backends``."""

from __future__ import annotations

import sys

from scverse_backends._cli.main import main

if __name__ == "__main__":
    sys.exit(main())
