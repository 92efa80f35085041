"""What a run is asked to do, read without any library: nothing is imported that the suite would pay for."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from atom_testinfra.pytest_plugin.options import PLAN

if TYPE_CHECKING:
    from collections.abc import Iterable

SCHEMA_VERSION = 1
"""`core.vocabulary.RUN_SCHEMA_VERSION`, without its import; a test holds them together."""

CALIBRATION = "3-00ad7fb1"
"""`machine.calibration.NAME`, without its import; a test holds them together."""


class Plan:
    """
    The plan of a run: its file, the header of that file, and what to run how.

    `testinfra measure` hands it over as a file (`core.records.measurement.RunPlan`). Without the file the
    options make one.
    """

    # Bound before a test can put a file system of its own in their place.
    _getppid = staticmethod(os.getppid)
    _access = staticmethod(os.access)

    def __init__(
        self,
        *,
        path: str,
        header: dict[str, Any],
        skip: Iterable[str] = (),
        keep_values: bool = False,
        only_properties: bool = False,
        only: Iterable[str] | None = None,
        is_explained: bool = False,
        parent_pid: int | None = None,
        root: str | None = None,
        file: Path | None = None,
    ) -> None:
        self.path = Path(path)
        self.header = header
        self.skip = frozenset(skip)
        self.keep_values = keep_values
        self.only_properties = only_properties
        self.only = None if only is None else frozenset(only)
        self.is_explained = is_explained
        self.root = root
        """What node ids are relative to; `None` where nobody has said."""
        self._parent_pid = parent_pid
        self._file = file
        self.profile: str = header["profile"]
        self.max_examples: int | None = header["max_examples"]
        self.pins: str = header["pins"]
        self.seed_set: int = header["seed_set"]
        self.steering: str = header.get("steering", "tool")
        self.n_workers: int = header["n_workers"]

    @property
    def is_profiled(self) -> bool:
        """Whether this is the second run that explains: of the functions, which a profiler makes slower."""
        return self.is_explained and self.header["repeat"] > 0

    @property
    def is_called_off(self) -> bool:
        """Whether nobody waits for this run any more: who made the plan is gone, or took it back."""
        is_orphan = self._parent_pid is not None and self._getppid() != self._parent_pid
        return is_orphan or (self._file is not None and not self._access(self._file, os.F_OK))

    @property
    def is_waited_for(self) -> bool:
        """Whether `testinfra measure` waits for this run; it takes the plan back before it interrupts it."""
        return self._file is not None and not self.is_called_off


def read_plan(config: pytest.Config) -> Plan:
    """Return the plan of this run, from the plan file or from the options."""
    plan_file = config.getoption(PLAN, None)
    return plan_from_options(config) if plan_file is None else load_plan(Path(plan_file))


def load_plan(path: Path) -> Plan:
    """Return the plan that a file holds; anything else in it is a usage error."""
    try:
        return Plan(**json.loads(path.read_text(encoding="utf-8")), file=path.absolute())
    except (OSError, ValueError, TypeError, KeyError) as exc:
        raise pytest.UsageError(f"{os.fspath(path)!r} is not the plan of a run: {exc!r}") from exc


def plan_from_options(config: pytest.Config) -> Plan:
    """Return the plan that the command line makes."""
    now = time.time()
    option, invocation = config.option, config.invocation_params
    session_id = f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(now))}-{os.urandom(2).hex()}"
    header = {
        "record": "run",
        "schema_version": SCHEMA_VERSION,
        "run_id": f"{session_id}-{option.testinfra_profile}-s{option.testinfra_seed_set}-r0",
        "session_id": session_id,
        "started_at": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03}Z",
        "profile": option.testinfra_profile,
        "max_examples": option.testinfra_max_examples,
        "pins": option.testinfra_pins,
        "seed_set": option.testinfra_seed_set,
        "repeat": 0,
        "n_workers": 0,  # the journal counts them, and finds out the rest, if there is anything to record
        "provenance": None,
    }
    return Plan(
        path=os.path.join(invocation.dir, option.testinfra_record),  # noqa: PTH118 (no Path is needed here)
        header=header,
        keep_values=option.testinfra_values,
    )
