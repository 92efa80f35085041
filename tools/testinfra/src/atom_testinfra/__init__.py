"""What each Hypothesis property costs, whether it meets its target, and whether it got slower."""

__version__ = "0.1.0"
