"""The environment variables that the tool reads, in one list for the documents."""

from __future__ import annotations

from enum import StrEnum


class Variable(StrEnum):
    """A variable that changes what the tool or its pytest plugin does."""

    CI = "CI"
    """If it is true, the plugin uses the number of examples for CI; a profile sets it in measured runs."""
    HYPOTHESIS_MAX_EXAMPLES = "HYPOTHESIS_MAX_EXAMPLES"
    """Examples of a property without a number, where the project sets a `hypothesis_*` ini option."""
    HYPOTHESIS_MAX_EXAMPLES_CI = "HYPOTHESIS_MAX_EXAMPLES_CI"
    """The same if `CI` is true."""
    TESTINFRA_TIME = "TESTINFRA_TIME"
    """How long a pytest run takes; takes precedence over the ini option `testinfra_time`."""
    TESTINFRA_BUDGET = "TESTINFRA_BUDGET"
    """The files of `budget` and `distil` for a pytest run, or `none`; precedes the ini option."""
    PYTEST_ADDOPTS = "PYTEST_ADDOPTS"
    """Options of pytest; `doctor` looks here for workers, coverage and debuggers."""
    PYTEST_DISABLE_PLUGIN_AUTOLOAD = "PYTEST_DISABLE_PLUGIN_AUTOLOAD"
    """If set, pytest loads only plugins that are named, so `mutate` need not turn pytest-cov off."""
    PYTEST_TIMEOUT = "PYTEST_TIMEOUT"
    """The limit of pytest-timeout for a test: no property gets a larger share of a timed run."""
    PYTHONPATH = "PYTHONPATH"
    """Kept, behind the base's own packages, when `compare` runs the base."""
    GITHUB_ACTIONS = "GITHUB_ACTIONS"
    """If it is `true`, slower tests and survivors are annotated in the pull request."""
    GITHUB_STEP_SUMMARY = "GITHUB_STEP_SUMMARY"
    """The file of the job summary, to which `report`, `compare`, `mutate` and `merge` append."""
    NO_COLOR = "NO_COLOR"
    """No colours in the report, whatever its value."""
    TERM = "TERM"
    """If it is `dumb`, there are no colours in the report."""
    COLUMNS = "COLUMNS"
    """The width of tables, whatever the terminal says."""
