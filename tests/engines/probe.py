"""What a worker sees: this runs wherever an engine takes it, and says what is selected there."""

from __future__ import annotations

import example_host as eh


def probe() -> dict[str, object]:
    """Say what is selected, what ran, and which options were added."""
    with eh.settings.trace() as calls:
        graph = eh.Neighborhood(2)
    return {
        "selected": eh.settings.backend,
        "ran": calls[0].executed,
        "options": eh.settings.options,
        # example-fast only: the option really reached its constructor.
        "block_size": getattr(graph, "block_size", None),
    }
