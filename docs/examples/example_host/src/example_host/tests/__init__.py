"""The tests of this package, installed with it: ``pytest --pyargs example_host.tests``."""
