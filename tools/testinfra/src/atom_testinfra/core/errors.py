"""What the tool could not do; an expected finding is a value, never one of these."""

from __future__ import annotations


class InfraError(Exception):
    """Base of every error the tool raises; `hint` is the next step, when there is one."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class ConfigError(InfraError):
    """A setting is missing, has the wrong type, or names something that does not exist."""


class RunFileError(InfraError):
    """A run file cannot be read or written."""


class BaselineError(InfraError):
    """A baseline cannot be read, trusted or written; the file is left as it was."""


class CostsError(InfraError):
    """The stored costs of tests cannot be read or written; a run continues without them."""


class BudgetError(InfraError):
    """A budget of examples, or a corpus of test cases, cannot be read, made or written."""


class SubjectError(InfraError):
    """The measured project could not be run; pytest's own message says why."""


class NothingMeasuredError(InfraError):
    """There was nothing to measure or to compare with."""


class DocumentError(InfraError):
    """A document cannot be read or written, or a managed block in it is broken; names file and line."""


class ReportError(InfraError):
    """A report cannot be made or written."""


class ComparisonError(InfraError):
    """Two sides cannot be compared: the threshold is wrong, or the runs were made in different ways."""


class ScheduleError(InfraError):
    """Known durations cannot be read or written."""


class ShardError(InfraError):
    """A shard cannot be run, read or merged, or the shards are not the whole suite."""


class GitError(InfraError):
    """Git is missing, or a git command failed."""
