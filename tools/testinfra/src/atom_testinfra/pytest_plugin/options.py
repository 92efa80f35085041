"""The `--testinfra-` options of pytest, and the plan that they make."""

from __future__ import annotations

import os
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from atom_testinfra.core.measurement import RunPlan

GROUP = "testinfra"
RECORD = "testinfra_record"
PLAN = "testinfra_plan"


def add_options(parser: pytest.Parser) -> None:
    """Declare the options; none of them does anything without `--testinfra-record`."""
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
        type=int,
        default=0,
        help="each set gives every property another fixed seed (default: 0)",
    )
    group.addoption(
        "--testinfra-values",
        dest="testinfra_values",
        action="store_true",
        default=False,
        help="record the times of every test case, not only their summary",
    )
    # What `testinfra measure` gives instead of all of the above.
    group.addoption("--testinfra-plan", dest=PLAN, metavar="FILE", help=_suppressed())


def is_recording(config: pytest.Config) -> bool:
    """Return whether this run was asked to record."""
    return bool(config.getoption(RECORD, None) or config.getoption(PLAN, None))


def read_plan(config: pytest.Config) -> RunPlan:
    """Return the plan of this run, from the plan file or from the options; a bad one is a usage error."""
    from atom_testinfra.core.errors import InfraError
    from atom_testinfra.storage.runs import load_plan

    plan_file = config.getoption(PLAN, None)
    if plan_file is None:
        return _plan_from_options(config)
    try:
        return load_plan(Path(plan_file))
    except InfraError as exc:
        raise pytest.UsageError(str(exc)) from exc


def count_workers(config: pytest.Config) -> int:
    """Return the number of xdist workers; 0 for a serial run."""
    if getattr(config.option, "dist", "no") == "no":
        return 0
    return len(getattr(config.option, "tx", None) or [])


def _plan_from_options(config: pytest.Config) -> RunPlan:
    from atom_testinfra.core.measurement import RUN_SCHEMA_VERSION, PinPolicy, RunHeader, RunPlan
    from atom_testinfra.machine.fingerprint import read_provenance

    now = datetime.now(UTC)
    option = config.option
    session_id = f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"
    header = RunHeader(
        schema_version=RUN_SCHEMA_VERSION,
        run_id=f"{session_id}-{option.testinfra_profile}-s{option.testinfra_seed_set}-r0",
        session_id=session_id,
        started_at=now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        profile=option.testinfra_profile,
        max_examples=option.testinfra_max_examples,
        pins=PinPolicy(option.testinfra_pins),
        seed_set=option.testinfra_seed_set,
        repeat=0,
        n_workers=count_workers(config),
        provenance=read_provenance(config.rootpath, ["pytest", *config.invocation_params.args]),
    )
    path = os.path.join(config.invocation_params.dir, option.testinfra_record)  # noqa: PTH118
    return RunPlan(path=path, header=header, keep_values=option.testinfra_values)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise ValueError(text)
    return int(text)


def _suppressed() -> str:
    import argparse

    return argparse.SUPPRESS
