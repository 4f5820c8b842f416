"""One adapter for each host that this package plugs into. A host imports its own, and no other."""
