"""The fixed words for how a property is run while it is measured."""

from __future__ import annotations

from enum import StrEnum


class PinPolicy(StrEnum):
    """What happens to a test whose own settings name `max_examples`."""

    RESPECT = "respect"
    """It keeps its own number."""
    SCALE = "scale"
    """Its number is multiplied by requested / default."""
    CAP = "cap"
    """Its number, but never more than requested."""
    OVERRIDE = "override"
    """It gets the requested number."""


class Steering(StrEnum):
    """Who sets the number of examples."""

    TOOL = "tool"
    """The plugin sets it on each test."""
    SUITE = "suite"
    """The suite's own profiles do, and the plugin checks that they did."""


class SeedScheme(StrEnum):
    """Where a property's seed comes from."""

    NODEID = "nodeid"
    """From the node id and the seed set: the same in every run, whatever the test's source says."""
    OWN = "own"
    """The test's own `@seed`."""
    DERANDOMIZED = "derandomized"
    """From the test's source: the test's own `derandomize=True`."""
    RANDOM = "random"
    """Another seed in every run."""
