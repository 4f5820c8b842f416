"""Some of example-host, reformulated as matrix products."""
