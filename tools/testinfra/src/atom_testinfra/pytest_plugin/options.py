"""The options of pytest and of its ini file; each name in here is paid for by runs that ask for nothing."""

from __future__ import annotations

import argparse
import os
from typing import Any

import pytest

GROUP = "testinfra"
RECORD = "testinfra_record"
PLAN = "testinfra_plan"
SHARD = "testinfra_shard"
SPLIT = "testinfra_split"
TIME = "testinfra_time"
ROUNDS = "testinfra_rounds"
BUDGET = "testinfra_budget"

MAX_EXAMPLES = "hypothesis_max_examples"
MAX_EXAMPLES_CI = "hypothesis_max_examples_ci"
DATABASE = "hypothesis_database"
DEADLINE = "hypothesis_deadline"
SUPPRESS = "hypothesis_suppress_health_check"

MOST_SEED_SET = 2**63 - 1
"""`core.records.session.MOST_SEED_SET`, without its import; a test holds them together."""

UNSET: Any = object()
"""What pytest hands back for an option that is not set."""

SCALARS: Any = str | int | float if pytest.version_tuple >= (9, 2) else "string"
"""The type of an option that TOML may set to text or to a number."""

INI_HELP = {
    MAX_EXAMPLES: "examples of a property that names no number; also $HYPOTHESIS_MAX_EXAMPLES",
    MAX_EXAMPLES_CI: "the same where $CI is true; also $HYPOTHESIS_MAX_EXAMPLES_CI",
    DATABASE: "folder of Hypothesis's example database, relative to the rootdir, or None",
    DEADLINE: "milliseconds an example may take, or None",
    SUPPRESS: "names of health checks to suppress, or all",
}

TIMES_FIXTURES = "testinfra_fixtures"
"""What a worker is told that is to time fixtures for the scheduler."""

TIME_VARIABLE = "TESTINFRA_TIME"
BUDGET_VARIABLE = "TESTINFRA_BUDGET"
BUDGET_HELP = (
    "file of `testinfra budget` with the number of examples of each property; also $TESTINFRA_BUDGET"
)
TIME_HELP = "how long a run takes, such as 90s; also $TESTINFRA_TIME and --testinfra-time"


def add_options(parser: pytest.Parser) -> None:
    """Declare the options: those of a recorded run, and those that say which tests run where."""
    group = parser.getgroup(GROUP, "atom-testinfra: what each property costs")
    group.addoption(
        "--testinfra-record",
        dest=RECORD,
        metavar="FILE",
        help="record what each test costs in FILE, which must not exist",
    )
    group.addoption(
        "--testinfra-max-examples",
        dest="testinfra_max_examples",
        metavar="N",
        type=_count,
        help="examples of each property; recorded runs only",
    )
    group.addoption(
        "--testinfra-pins",
        dest="testinfra_pins",
        choices=["respect", "scale", "cap", "override"],
        default="respect",
        help="what happens to a test that sets its own number (default: respect)",
    )
    group.addoption(
        "--testinfra-profile",
        dest="testinfra_profile",
        metavar="NAME",
        default="default",
        help="name of the run's profile, written in the record",
    )
    group.addoption(
        "--testinfra-seed-set",
        dest="testinfra_seed_set",
        metavar="K",
        type=_seed_set,
        default=0,
        help="number of the set of fixed seeds (default: 0)",
    )
    group.addoption(
        "--testinfra-values",
        dest="testinfra_values",
        action="store_true",
        default=False,
        help="record the time of every test case, not only a summary",
    )
    group.addoption(
        "--testinfra-schedule",
        dest="testinfra_schedule",
        choices=["auto", "on", "off"],
        default="auto",
        help="give xdist's workers the longest tests first; auto: where durations are known (default: auto)",
    )
    group.addoption(
        "--testinfra-split",
        dest=SPLIT,
        action="store_true",
        default=False,
        help="run the examples of a long property on several workers; a different search, see the documents",
    )
    group.addoption(
        "--testinfra-shard",
        dest=SHARD,
        metavar="i/N",
        help="run the i-th of N shards of the selected tests",
    )
    group.addoption(
        "--testinfra-durations",
        dest="testinfra_durations",
        metavar="FILE",
        help="expected durations, in addition to the baseline's",
    )
    group.addoption(
        "--testinfra-time",
        dest=TIME,
        metavar="TIME",
        help="run for this long, such as 90s, 1h30m or 90cpu-s: properties share it; none: no limit",
    )
    group.addoption(
        "--testinfra-rounds",
        dest=ROUNDS,
        action="store_true",
        default=False,
        help="with --testinfra-time: run the properties round after round, each with fresh seeds",
    )
    group.addoption(
        "--testinfra-time-strict",
        dest="testinfra_time_strict",
        action="store_true",
        default=False,
        help="refuse to run if the least examples of each property do not fit into the time",
    )
    group.addoption(
        "--testinfra-time-table",
        dest="testinfra_time_table",
        action="store_true",
        default=False,
        help="show each property's share of the time at the end",
    )
    # What `testinfra measure` gives instead of all of the above.
    group.addoption("--testinfra-plan", dest=PLAN, metavar="FILE", help=argparse.SUPPRESS)


def add_ini_options(parser: pytest.Parser) -> None:
    """Declare the options, so that `--strict-config` knows them."""
    for name, text in INI_HELP.items():
        kind = "linelist" if name == SUPPRESS else SCALARS
        # Before 8.0 pytest hands back an empty list where the default is `None`.
        parser.addini(name, text, type=kind, default=UNSET)  # type: ignore[arg-type]
    parser.addini(TIME, TIME_HELP, type=SCALARS, default=UNSET)
    parser.addini(BUDGET, BUDGET_HELP, type="string", default=UNSET)


def sets_ini_option(config: pytest.Config) -> bool:
    """Return whether the project sets one of the ini options."""
    return any(read_ini(config, name) is not None for name in INI_HELP)


def read_ini(config: pytest.Config, name: str) -> Any:
    """Return an option's value, a number as its text; `None` where it is not set."""
    try:
        value = config.getini(name)
    except TypeError:  # before 9.2 pytest refuses a number of TOML where text may stand as well
        value = getattr(getattr(config, "_inicfg", {}).get(name), "value", None)
        if value is None:
            raise
    if value is UNSET:
        return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return str(value) if is_number else value


def has_shard(option: argparse.Namespace) -> bool:
    """Return whether this run is to run one shard of its tests."""
    return getattr(option, SHARD, None) is not None


def has_plan(option: argparse.Namespace) -> bool:
    """Return whether this run is part of a session of `testinfra measure`."""
    return bool(getattr(option, PLAN, None))


def is_asked_to_record(option: argparse.Namespace) -> bool:
    """Return whether these options ask for a record."""
    return bool(getattr(option, RECORD, None)) or has_plan(option)


def is_recording(config: pytest.Config) -> bool:
    """Return whether this run was asked to record."""
    return is_asked_to_record(config.option)


def is_to_schedule(config: pytest.Config) -> bool:
    """Return whether this run has workers or is one, or asks for what only a run with workers can do."""
    option = config.option
    is_worker = TIMES_FIXTURES in getattr(config, "workerinput", ())
    return is_worker or getattr(option, "dist", "no") != "no" or option.testinfra_schedule == "on"


def time_asked(config: pytest.Config) -> tuple[str, str]:
    """
    Return the time that a run was given, and where it was: flag over environment over file; else empty.

    Raises:
        pytest.UsageError: The flag has no value, as where a script's variable is not set.
    """
    if config.option.testinfra_time is not None and not config.option.testinfra_time.strip():
        raise pytest.UsageError("--testinfra-time: '' is not a time; write one such as 90s, or none")
    places = (
        (config.option.testinfra_time, "--testinfra-time"),
        (os.environ.get(TIME_VARIABLE), f"${TIME_VARIABLE}"),
        (read_ini(config, TIME), TIME),
    )
    text, source = next(((text, source) for text, source in places if text), ("", ""))
    return ("", "") if text.strip().lower() in {"", "none"} else (text, source)


def budget_asked(config: pytest.Config) -> tuple[str, str]:
    """Return the file of a budget, and where it is named: environment over configuration; else empty."""
    text, source = os.environ.get(BUDGET_VARIABLE), f"${BUDGET_VARIABLE}"
    if text is None:
        text, source = read_ini(config, BUDGET) or "", BUDGET
    return ("", "") if text.strip().lower() in {"", "none"} else (text, source)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise ValueError(text)
    return int(text)


def _seed_set(text: str) -> int:
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(MOST_SEED_SET))
    if not (is_number and int(text) <= MOST_SEED_SET):
        raise argparse.ArgumentTypeError(f"{text[:20]!r} is not a whole number from 0 to {MOST_SEED_SET}")
    return int(text)
