"""The functions of example-host, compiled by JAX."""
