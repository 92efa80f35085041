"""The CPU time of child processes that have ended, which no clock of this process counts."""

from __future__ import annotations

import sys

if sys.platform == "win32":

    def children_cpu_ns() -> int:
        """Return 0, because Windows does not keep the sum."""
        return 0

else:
    from resource import RUSAGE_CHILDREN, getrusage  # bound before a test can patch it

    def children_cpu_ns() -> int:
        """
        Return the CPU nanoseconds, user and system, of all children that ended and were waited for.

        What a child takes that lives on, such as a worker of a pool, appears when it is waited for.
        """
        usage = getrusage(RUSAGE_CHILDREN)
        return int((usage[0] + usage[1]) * 1e9)
