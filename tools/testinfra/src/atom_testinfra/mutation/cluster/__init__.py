"""Asks the tests on the workers of a Dask scheduler, each in a checkout of its own."""
