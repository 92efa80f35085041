"""Exit statuses: the promise of every verb to a script."""

from __future__ import annotations

from enum import IntEnum


class ExitStatus(IntEnum):
    """What a verb tells the shell."""

    OK = 0
    """Everything asked for was done, and every check passed."""

    FAILED = 1
    """A target was missed, a property failed, a check found a difference."""

    ERROR = 2
    """Wrong usage, or the verb could not run."""

    NOTHING = 3
    """Nothing was measured, or there was nothing to compare with."""
