"""The environment variables that the tool reads, in one list for the documents."""

from __future__ import annotations

from enum import StrEnum


class Variable(StrEnum):
    """A variable that changes what the tool or its pytest plugin does."""

    CI = "CI"
    """Where it is true, the plugin takes the examples for CI; a measured run gets it from its profile."""
    HYPOTHESIS_MAX_EXAMPLES = "HYPOTHESIS_MAX_EXAMPLES"
    """Examples of a property that names no number; goes before the ini option `hypothesis_max_examples`."""
    HYPOTHESIS_MAX_EXAMPLES_CI = "HYPOTHESIS_MAX_EXAMPLES_CI"
    """The same where `CI` is true."""
    PYTEST_ADDOPTS = "PYTEST_ADDOPTS"
    """Options of pytest; `doctor` looks here for workers, coverage and debuggers."""
    PYTEST_DISABLE_PLUGIN_AUTOLOAD = "PYTEST_DISABLE_PLUGIN_AUTOLOAD"
    """pytest then loads only the plugins that are named, so `mutate` does not turn pytest-cov off."""
    PYTHONPATH = "PYTHONPATH"
    """Kept, behind the base's own packages, when `compare` runs the base."""
    GITHUB_ACTIONS = "GITHUB_ACTIONS"
    """Where it is `true`, slower tests and survivors are annotated in the pull request."""
    GITHUB_STEP_SUMMARY = "GITHUB_STEP_SUMMARY"
    """The file of the job summary, which `report` and `compare` append to."""
    NO_COLOR = "NO_COLOR"
    """No colours in the report, whatever its value."""
    TERM = "TERM"
    """Where it is `dumb`, there are no colours in the report."""
    COLUMNS = "COLUMNS"
    """The width of tables, whatever the terminal says."""
