"""The fixed words of a record. Nothing here costs a test run an import that it does not need."""

from __future__ import annotations

from enum import StrEnum

RUN_SCHEMA_VERSION = 1


class Outcome(StrEnum):
    """How the run of a test ended."""

    PASSED = "passed"
    FAILED = "failed"
    """The call failed: a counterexample, an exception, a failed health check."""
    ERROR = "error"
    """Set-up or teardown failed."""
    SKIPPED = "skipped"
    XFAILED = "xfailed"
    XPASSED = "xpassed"
    CRASHED = "crashed"
    """The process died under it."""
    INTERRUPTED = "interrupted"
    """The run was stopped while it was running."""


class Kind(StrEnum):
    """What sort of test it is, as far as measuring and steering it goes."""

    FUNCTION = "function"
    METHOD = "method"
    UNITTEST = "unittest"
    ASYNC = "async"
    STATEFUL = "stateful"
    HELPER = "helper"
    """A plain test that runs properties inside: helper `@given`, `find()`, `run_state_machine_as_test`."""
    PLAIN = "plain"
    """No Hypothesis in it."""
    UNKNOWN = "unknown"
    """It crashed, or was interrupted, and what was seen of it went with its process."""
