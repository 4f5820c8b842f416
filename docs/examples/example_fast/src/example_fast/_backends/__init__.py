"""One adapter for each host that this package plugs into."""
