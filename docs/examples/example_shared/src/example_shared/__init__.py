"""Functions of example-host and of another-host, a block of the samples at a time."""
