"""A measuring session: every profile, every repeat, whatever happens in between."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from atom_testinfra.core.arguments import rename_outputs
from atom_testinfra.core.errors import InfraError, NothingMeasuredError, RunFileError, SubjectError
from atom_testinfra.core.figures import plural
from atom_testinfra.core.records.circumstances import describe_calibration as describe
from atom_testinfra.core.records.circumstances import list_differences
from atom_testinfra.core.records.measurement import (
    Collected,
    Measurement,
    Provenance,
    Run,
    RunHeader,
    RunPlan,
)
from atom_testinfra.core.records.session import (
    SessionSpec,
    common_ending,
    is_complete,
    lost_test,
    recorded,
    without_hypothesis,
)
from atom_testinfra.core.vocabulary import RUN_SCHEMA_VERSION, Kind, Outcome
from atom_testinfra.machine.calibration import NAME as CALIBRATION
from atom_testinfra.machine.clocks import Clocks
from atom_testinfra.measuring.child import Child, Tail
from atom_testinfra.measuring.environment import child_environment
from atom_testinfra.storage.folders import cannot, prepare_folder
from atom_testinfra.storage.runs import SUFFIX, append, is_cut_off, load_header, load_run
from atom_testinfra.storage.session_specs import save_plan
from atom_testinfra.storage.sessions import next_sequence

LOOK_S = 0.2
"""Between two looks at the run file."""
LOG_LINES = 40
MOST_ENDINGS = 20
"""After this many tests in a row that end pytest for the same reason, we blame the environment."""
NO_TESTS = 5
"""pytest's exit status when it collected nothing."""
DESELECTED = re.compile(r"\b(\d+) deselected\b")
CANNOT_WRITE = 74
"""`pytest_plugin.recording.journal.CANNOT_WRITE`, without pytest's import; a test holds them together."""
WRITE_ERROR = re.compile(r"testinfra: (cannot write .+?)[ !]*$", re.MULTILINE)
"""pytest puts the reason between exclamation marks."""


class Observer(Protocol):
    """Whoever wants to know how far it has come."""

    def begin(self, repeat: int, profile: str) -> None:
        """Say that a run begins."""

    def collected(self, nodeids: list[str]) -> None:
        """Say which tests it will run, in which order."""

    def measured(self, record: Measurement) -> None:
        """Say that a test has ended."""

    def tick(self) -> None:
        """Say that time has passed."""


class Session:
    """Runs what a specification asks for; can be asked again after it was stopped."""

    def __init__(
        self,
        spec: SessionSpec,
        *,
        folder: Path,
        runs: Path,
        provenance: Provenance,
        observer: Observer,
        logs: Path | None = None,
    ) -> None:
        self._spec = spec
        self._folder = folder
        self._runs = runs
        self._logs = logs
        """Where what pytest printed is kept when it could not run, if the folder of the runs is removed."""
        self._provenance = provenance
        self._observer = observer
        self._parts: dict[tuple[int, str], list[Run]] = {}
        self._sequence: int | None = None
        self.left_out: Counter[str] = Counter()
        """Runs that the time budget had no room for, or not for all of their tests, by profile."""
        self._ends_at: float | None = None

    def adopt(self, runs: list[Run]) -> None:
        """Take over what an earlier call of the same session has recorded."""
        for run in sorted(runs, key=lambda run: run.header.part):
            self._parts.setdefault((run.header.repeat, run.header.profile), []).append(run)

    @property
    def runs(self) -> list[Run]:
        """All runs so far."""
        return [part for parts in self._parts.values() for part in parts]

    def run(self) -> None:
        """
        Run what is still missing; repeats that the time budget has no room for are left out.

        Raises:
            RunFileError: What is there was made under other circumstances, or nothing can be written.
            SubjectError, NothingMeasuredError: pytest cannot run, or has nothing to run.
        """
        began = Clocks.wall()
        lasted: dict[str, float] = {}
        self.left_out.clear()
        budget = self._spec.time_budget_s
        self._ends_at = None if budget is None else began + budget
        for repeat, profile in self._spec.cells():
            parts = self._parts.setdefault((repeat, profile), [])
            if is_complete(parts):
                continue
            elapsed = Clocks.wall() - began
            expected_s = lasted.get(profile, 0.0) if repeat else 0.0
            if self._ends_at is not None and began + elapsed + expected_s >= self._ends_at:
                self.left_out[profile] += 1
                continue  # a repeat of a quicker profile may still fit
            self._refuse_other_circumstances()
            if self._run_cell(repeat, profile, parts):
                self.left_out[profile] += 1
            lasted[profile] = Clocks.wall() - began - elapsed

    def _refuse_other_circumstances(self) -> None:
        """Refuse to add a run to others with which no figure can be made of it."""
        for run in self.runs:
            if found := list_differences(run.header.provenance, self._provenance):
                raise RunFileError(
                    f"session {self._spec.session_id!r} was begun with {'; '.join(found)}",
                    hint="runs of both cannot be combined; measure again: testinfra measure",
                )
            if run.header.calibration != CALIBRATION:
                raise RunFileError(
                    f"session {self._spec.session_id!r} was begun with {describe(run.header.calibration)},"
                    f" now {describe(CALIBRATION)}",
                    hint="their times have no common unit; measure again: testinfra measure",
                )

    def _run_cell(self, repeat: int, profile: str, parts: list[Run]) -> bool:
        """Run what is missing of a repeat and return whether the time budget cut it."""
        self._observer.begin(repeat, profile)
        earlier = [run for run in self.runs if run.header.profile == profile and run.header.repeat < repeat]
        skip_always = without_hypothesis(earlier)
        while not is_complete(parts):
            done = recorded(parts)
            part = self._run_part(repeat, profile, len(parts), sorted(done | skip_always))
            if part is None:
                return self._is_out_of_time
            parts.append(part)
            if self._is_out_of_time and not is_complete(parts):
                self._forget_cut_repeat(repeat, parts)
                return True
            if not recorded(parts) - done and not is_complete(parts):
                what = f"pytest stopped without running another test (profile {profile!r}, repeat {repeat})"
                raise _with_log(what, self._keep(self._log(part.header.run_id)))
            cause = common_ending(parts[-MOST_ENDINGS:]) if len(parts) >= MOST_ENDINGS else None
            if cause is not None and not is_complete(parts):
                log = self._keep(self._log(part.header.run_id))
                raise SubjectError(
                    f"{MOST_ENDINGS} tests in a row ended pytest before another one ran: {cause}",
                    hint=f"put that right; what it prints is in {os.fspath(log)!r}",
                )
        return False

    @property
    def _is_out_of_time(self) -> bool:
        return self._ends_at is not None and Clocks.wall() >= self._ends_at

    def _forget_cut_repeat(self, repeat: int, parts: list[Run]) -> None:
        """Remove a repeat that the time budget has cut: no median can be made of some of its tests."""
        if repeat:
            for part in parts:
                (self._runs / f"{part.header.run_id}{SUFFIX}").unlink(missing_ok=True)
            parts.clear()

    def _run_part(self, repeat: int, profile: str, number: int, skip: list[str]) -> Run | None:
        header = self._header(repeat, profile, number)
        path = self._runs / f"{header.run_id}{SUFFIX}"
        plan_path = self._runs / f"{header.run_id}.plan.json"
        plan = RunPlan(
            path=os.fspath(path),
            header=header,
            skip=skip,
            keep_values=self._spec.keep_values,
            only_properties=self._spec.only_properties,
            only=self._spec.only,
            is_explained=self._spec.is_explained,
            root=os.fspath(self._folder.absolute()),
            parent_pid=os.getpid(),
        )
        save_plan(plan, plan_path)
        log = self._log(header.run_id)
        try:
            child = Child(
                self._arguments(repeat, profile, number),
                plan=plan_path,
                folder=self._folder,
                environment=child_environment(os.environ, self._spec.profiles[profile]),
                log=log,
            )
        except OSError as exc:
            raise cannot("write", log, exc) from exc
        try:
            status = self._follow(child, path)
        finally:
            # Without its plan the run ends with the next test, should a test swallow the interrupt.
            plan_path.unlink(missing_ok=True)
            child.stop()
        if _header_of(path) is None and (status is None or (status == NO_TESTS and skip)):
            path.unlink(missing_ok=True)
            return None  # all that there is to run has been run, or nothing was begun in time
        return self._conclude(path, status, log)

    def _arguments(self, repeat: int, profile: str, part: int) -> list[str]:
        """Return pytest's arguments; only the first run of all writes the files that they name."""
        first = next(self._spec.cells())
        if (repeat, profile) == first and not part:
            return self._spec.arguments
        suffix = f"{profile}-r{repeat}" + (f"-p{part}" if part else "")
        return rename_outputs(self._spec.arguments, suffix)

    def _follow(self, child: Child, path: Path) -> int | None:
        """Tell the observer what is recorded until pytest ends, or the time is over: then return `None`."""
        with contextlib.closing(Tail(path)) as tail:
            while True:
                status = child.wait(LOOK_S)
                for record in tail.read():
                    if isinstance(record, Collected):
                        self._observer.collected(record.nodeids)
                    elif isinstance(record, Measurement):
                        self._observer.measured(record)
                self._observer.tick()
                if status is not None or self._is_out_of_time:
                    return status

    def _conclude(self, path: Path, status: int | None, log: Path) -> Run:
        if status == CANNOT_WRITE and (reason := _why_it_could_not_write(path, log)) is not None:
            raise RunFileError(reason, hint="then go on with: testinfra measure --resume")
        if _header_of(path) is None:
            path.unlink(missing_ok=True)
            raise self._could_not_run(status, log)
        run = load_run(path)
        if run.collected is None:
            raise self._could_not_run(status, log)
        lost = lost_test(run)
        if lost is not None and status is not None:
            append(path, _crashed(lost, status))
            run = load_run(path)
        if status == 0:
            log.unlink(missing_ok=True)
        return run

    def _could_not_run(self, status: int | None, log: Path) -> InfraError:
        if status == NO_TESTS:
            deselected = DESELECTED.findall(log.read_text(encoding="utf-8", errors="replace"))
            if deselected:
                n, folder = deselected[-1], os.fspath(self._folder)
                return NothingMeasuredError(
                    f"pytest found {plural(int(n), 'test')} in {folder!r}, and deselected all that it found",
                    hint="does a -k or -m, given here or in the project's own settings, leave them out?",
                )
            return NothingMeasuredError(
                f"pytest collected no tests in {os.fspath(self._folder)!r}",
                hint="name them after --, as for pytest: testinfra measure -- tests/ -m property",
            )
        if status == 0 or not log.exists():
            folder = os.fspath(log.parent)
            return RunFileError(
                f"pytest ended with status {status}, and what it recorded is not in {folder!r}",
                hint="does a test remove that folder, or is the plugin off (-p no:atom_testinfra)?",
            )
        return _with_log(f"pytest could not run here (exit status {status})", self._keep(log))

    def _header(self, repeat: int, profile: str, part: int) -> RunHeader:
        spec = self._spec
        settings = spec.profiles[profile]
        suffix = f"-p{part}" if part else ""
        self._sequence = next_sequence(self._runs) if self._sequence is None else self._sequence + 1
        return RunHeader(
            schema_version=RUN_SCHEMA_VERSION,
            run_id=f"{spec.session_id}-{profile}-s{spec.seed_set}-r{repeat}{suffix}",
            session_id=spec.session_id,
            started_at=now(),
            profile=profile,
            max_examples=settings.max_examples,
            pins=spec.pins,
            seed_set=spec.seed_set,
            repeat=repeat,
            part=part,
            sequence=self._sequence,
            steering=settings.steering,
            n_workers=spec.n_workers,
            provenance=self._provenance,
        )

    def _log(self, run_id: str) -> Path:
        return self._runs / f"{run_id}.log"

    def _keep(self, log: Path) -> Path:
        """Return where a log stays."""
        if self._logs is None:
            return log
        prepare_folder(self._logs)
        return Path(shutil.copy2(log, self._logs))


def _with_log(message: str, log: Path) -> SubjectError:
    """Return an error that ends with what pytest has printed last."""
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    shown = "\n".join(lines[-LOG_LINES:])
    return SubjectError(f"{message}:\n{shown}", hint=f"all of its output is in {os.fspath(log)!r}")


def _why_it_could_not_write(path: Path, log: Path) -> str | None:
    """Return the reason for `CANNOT_WRITE`; `None` when it is but a number with which a test left."""
    found = WRITE_ERROR.search(log.read_text(encoding="utf-8", errors="replace"))
    if found is not None:
        return found[1]
    if is_cut_off(path):  # a disk that has no room for records may have none for the reason
        return f"the run could not write its records to {os.fspath(path)!r}; what it wrote before is kept"
    return None


def _header_of(path: Path) -> RunHeader | None:
    return load_header(path) if path.exists() else None


def now() -> str:
    """Return the time, UTC, as it stands in a record."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _crashed(nodeid: str, status: int) -> Measurement:
    how = f"signal {-status}" if status < 0 else f"exit status {status}"
    return Measurement(
        nodeid=nodeid,
        kind=Kind.UNKNOWN,
        outcome=Outcome.CRASHED,
        reason=f"the process ended while it ran ({how})",
    )
