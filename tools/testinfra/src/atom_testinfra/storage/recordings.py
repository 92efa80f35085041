"""Finds what a person means by BASE or NEW: a baseline file, a git revision of it, or a session's runs."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from atom_testinfra.core.changes.sides import (
    baseline_has_calibration,
    have_calibration,
    side_from_baseline,
    side_from_runs,
)
from atom_testinfra.core.config import PROFILE_NAME
from atom_testinfra.core.costs.baseline import Baseline
from atom_testinfra.core.costs.seal import refuse_changed
from atom_testinfra.core.errors import (
    BaselineError,
    ComparisonError,
    GitError,
    NothingMeasuredError,
    RunFileError,
)
from atom_testinfra.core.records.measurement import Run
from atom_testinfra.storage.baseline import StoredProperties, load_baseline, parse_baseline
from atom_testinfra.storage.folders import IGNORE, IGNORE_ALL, ignore_folder, prepare_folder
from atom_testinfra.storage.git import Repository
from atom_testinfra.storage.json_document import RESTORE
from atom_testinfra.storage.runs import SUFFIX, load_header, load_run
from atom_testinfra.storage.sessions import list_sessions, load_session

if TYPE_CHECKING:
    from atom_testinfra.core.changes.comparison import Side
    from atom_testinfra.core.changes.threshold import Statistic
    from atom_testinfra.storage.project import Project

LATEST = "latest"
FROM_HERE = ("./", "../")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """Figures that were recorded once, wherever they are kept: a baseline, or the runs of a session."""

    label: str
    baseline: Baseline | None = None
    runs: list[Run] = []
    notes: list[str] = []
    """What is odd about the place where it was looked for."""

    @property
    def profiles(self) -> list[str]:
        """The profiles it has figures for."""
        if self.baseline is not None:
            return sorted(self.baseline.max_examples)
        return sorted({run.header.profile for run in self.runs})

    def n_runs(self, profile: str) -> int:
        """Return how many runs of a profile there are, the parts of a resumed one counted as one."""
        if self.baseline is not None:
            costs = (subject.profiles.get(profile) for subject in self.baseline.properties.values())
            return next((cost.repeats for cost in costs if cost is not None), 0)
        headers = (run.header for run in self.runs if run.header.profile == profile)
        return len({(header.session_id, header.seed_set, header.repeat) for header in headers})

    def is_calibrated(self, profile: str) -> bool:
        """Return whether the calibration stands beside every run of a profile that has a property."""
        if self.baseline is not None:
            return baseline_has_calibration(self.baseline)
        return have_calibration(self.runs, profile)

    @property
    def calibration(self) -> str | None:
        """Name of the calibration beside the tests; `None` where it was not recorded, or is not one only."""
        if self.baseline is not None:
            return self.baseline.provenance.calibration
        names = {run.header.calibration for run in self.runs}
        return names.pop() if len(names) == 1 else None

    @property
    def commit(self) -> str | None:
        """The commit that was measured; `None` when it is unknown, or was not all that was measured."""
        made = self.baseline.provenance if self.baseline else self.runs[0].header.provenance
        return made.commit if made.is_dirty is False else None

    @property
    def session_id(self) -> str | None:
        """The session that the runs belong to."""
        return None if self.baseline else self.runs[0].header.session_id

    @property
    def run_ids(self) -> list[str]:
        """The runs behind the figures."""
        if self.baseline is not None:
            return self.baseline.provenance.runs
        return [run.header.run_id for run in self.runs]

    @property
    def started_at(self) -> datetime:
        """When the first run began."""
        text = self.baseline.provenance.started_at if self.baseline else self.runs[0].header.started_at
        try:
            at = datetime.fromisoformat(text)
        except ValueError as exc:
            raise BaselineError(f"{self.label!r} was measured at {text!r}, which is not a time") from exc
        return at if at.tzinfo else at.replace(tzinfo=UTC)

    def side(
        self, statistic: Statistic, profile: str, *, is_calibrated: bool, with_earlier: bool = True
    ) -> Side:
        """
        Return the figures of one profile as a side of a comparison.

        Without `with_earlier`, those that a baseline kept from earlier sessions are left out.

        Raises:
            NothingMeasuredError: There are none.
        """
        if profile not in self.profiles:
            raise NothingMeasuredError(
                f"{self.label!r} has no runs of the profile {profile!r}",
                hint=f"choose one with --profile: {', '.join(self.profiles)}",
            )
        if self.baseline is not None:
            stored, costs = self.baseline.properties, None
            # Any text can be the key of a profile in a file; not every one can be the name of a field.
            if isinstance(stored, StoredProperties) and PROFILE_NAME.fullmatch(profile):
                costs = stored.costs(profile)
            return side_from_baseline(
                self.label,
                self.baseline,
                statistic,
                profile,
                costs=costs,
                is_calibrated=is_calibrated,
                with_earlier=with_earlier,
            )
        return side_from_runs(self.label, self.runs, statistic, profile, is_calibrated=is_calibrated)

    def without_figures(self) -> Recording:
        """Return the recording without its figures, so that the caller can drop the large file."""
        if self.baseline is None:
            return self
        return msgspec.structs.replace(self, baseline=msgspec.structs.replace(self.baseline, properties={}))


def find_recording(project: Project, name: str) -> Recording:
    """
    Return what `name` stands for: a file or folder, else `latest` or a session's id, else `REVISION[:PATH]`.

    Raises:
        NothingMeasuredError: It stands for nothing that was measured.
        BaselineError, RunFileError, GitError: What it stands for cannot be read, or was changed by hand.
    """
    path = Path(name)
    # What is too long for the name of a file is an error to `Path`, and only no file to these.
    if os.path.isdir(path):  # noqa: PTH112
        return _of_session(load_session(path), name)
    if os.path.isfile(path):  # noqa: PTH113
        if path.suffix == SUFFIX:
            return _of_session([load_run(path)], name)
        return of_baseline(load_baseline(path), name, name)
    sessions = list_sessions(project.runs)
    if name == LATEST:
        latest = _of_session(sessions.load(sessions.latest()))
        return msgspec.structs.replace(latest, notes=sessions.notes)
    if name in sessions:
        return _of_session(sessions.load(name))
    return _at_revision(project, name)


def of_baseline(baseline: Baseline, label: str, file: str = "FILE") -> Recording:
    """
    Return the figures of a baseline; `file` stands for it in hints.

    Raises:
        BaselineError: They are not those that it was written with.
    """
    refuse_changed(baseline, label, file)
    return Recording(label=label, baseline=baseline)


def load_saved(project: Project, name: str) -> Recording:
    """Return the runs that were saved under a name."""
    folder = _folder_of(project, name)
    if not folder.is_dir():
        known = ", ".join(list_saved(project)) or "none"
        raise NothingMeasuredError(
            f"no baseline was saved as {name!r}",
            hint=f"save one: testinfra compare --save-baseline {name}; there are: {known}",
        )
    return _of_session(load_session(folder), name)


def refuse_unfit_saved_name(project: Project, name: str) -> None:
    """
    Refuse, before anything is measured, a name under which nothing can be saved.

    Raises:
        ComparisonError: It cannot be the name of a folder.
        RunFileError: There is something else under that name.
    """
    _list_saved_files(_folder_of(project, name))


def save_runs(project: Project, name: str, recording: Recording) -> Path:
    """
    Keep a session's run files under a name, in place of what was kept under it.

    Raises:
        ComparisonError: It is not a session of the project.
        RunFileError: There is something else under that name, or it cannot be written.
    """
    folder = _folder_of(project, name)
    session_id = recording.session_id
    paths = [] if session_id is None else list_sessions(project.runs).files_of(session_id)
    if not paths:
        raise ComparisonError(
            f"{recording.label!r} is not a session of this project, so it cannot be saved as {name!r}",
            hint="only the runs of `testinfra measure` can be saved",
        )
    try:
        saved_before = _list_saved_files(folder)
        prepare_folder(folder.parent)
        unfinished = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".saving-"))
        ignore_folder(unfinished)
        for path in paths:
            shutil.copy2(path, unfinished)
        for path in saved_before:
            path.unlink()
        if folder.exists():
            folder.rmdir()
        unfinished.rename(folder)
    except OSError as exc:
        raise RunFileError(f"cannot write {os.fspath(folder)!r}: {exc.strerror or exc}") from exc
    return folder


def _list_saved_files(folder: Path) -> list[Path]:
    """
    Return the files that were saved in a folder; none if there is no such folder.

    Raises:
        RunFileError: It holds something else, which only the person to whom it belongs may remove.
    """
    if not folder.exists():
        return []
    if folder.is_symlink():
        raise _not_replaced(folder, "is a link")
    files = sorted(folder.iterdir())
    for path in files:
        if not _was_saved(path):
            raise _not_replaced(folder, f"holds {path.name!r}, which is not a run file")
    return files


def _was_saved(path: Path) -> bool:
    """Return whether a file is one that `save_runs` writes: a run, or what hides its folder from git."""
    if path.is_symlink():
        return False
    if path.name == IGNORE:
        return path.read_bytes() == IGNORE_ALL.encode()
    try:
        return path.suffix == SUFFIX and load_header(path) is not None
    except RunFileError:
        return False


def _not_replaced(folder: Path, reason: str) -> RunFileError:
    return RunFileError(
        f"{os.fspath(folder)!r} {reason}, so it is not replaced",
        hint="save under another name, or move the folder elsewhere",
    )


def list_saved(project: Project) -> list[str]:
    """Return the names under which runs were saved."""
    folder = _saved_folder(project)
    if not folder.is_dir():
        return []
    return sorted(path.name for path in folder.iterdir() if path.is_dir() and NAME.fullmatch(path.name))


def _of_session(runs: list[Run], label: str | None = None) -> Recording:
    if not runs:
        raise NothingMeasuredError(
            f"{label!r} holds no runs", hint="measure first: testinfra measure --baseline"
        )
    return Recording(label=label or runs[0].header.session_id, runs=runs)


def _at_revision(project: Project, name: str) -> Recording:
    revision, colon, path = name.partition(":")
    if colon and not revision:
        raise NothingMeasuredError(
            f"{name!r} names no revision before the colon",
            hint="write REV:PATH, such as HEAD:PATH, or the path alone for the file as it is now",
        )
    try:
        repository = Repository(project.root)
        repository.resolve(revision)
    except GitError as exc:
        if Path(name).suffix in {".json", SUFFIX} and not colon:
            raise NothingMeasuredError(
                f"there is no file {name!r}", hint="measure first: testinfra measure --baseline"
            ) from exc
        raise _stands_for_nothing(project, name, exc) from exc
    try:
        data = _read_at(repository, revision, path) if colon else repository.read(revision, project.baseline)
    except GitError as exc:
        raise NothingMeasuredError(
            f"{name!r} names no baseline: {exc}",
            hint=exc.hint or "name a revision that has the file: REV or REV:PATH",
        ) from exc
    try:
        return of_baseline(parse_baseline(data, name), name)
    except BaselineError as exc:
        if exc.hint != RESTORE:
            raise
        raise BaselineError(str(exc), hint="name another revision or path: REV or REV:PATH") from exc


def _read_at(repository: Repository, revision: str, path: str) -> bytes:
    """
    Return a file by its path from the project's root or else, as git does, from the repository's.

    As in git, a path that begins with a dot is one from the current folder.

    Raises:
        GitError: There is no such file, with a hint where it is one from the current folder.
    """
    here = Path.cwd() / path
    if path.startswith(FROM_HERE):
        return repository.read(revision, here)
    try:
        return repository.read(revision, Path(path))
    except GitError:
        if os.path.isabs(path):  # noqa: PTH117 (an odd name is an error to `Path`)
            raise
    try:
        return repository.read(revision, repository.root / path)
    except GitError as exc:
        if _has_file(repository, revision, here):
            raise GitError(str(exc), hint=f"did you mean {revision}:./{path}?") from exc
        raise


def _has_file(repository: Repository, revision: str, path: Path) -> bool:
    try:
        repository.read(revision, path)
    except GitError:
        return False
    return True


def _stands_for_nothing(project: Project, name: str, exc: GitError) -> NothingMeasuredError:
    if name in list_saved(project):
        return NothingMeasuredError(
            f"{name!r} is the name of saved runs",
            hint=f"compare with them: testinfra compare --baseline {name}",
        )
    return NothingMeasuredError(
        f"{name!r} is not a file, session, saved name or revision: {exc}",
        hint=exc.hint
        or "name a baseline file, a git revision, a session of `testinfra measure`, or `latest`",
    )


def _saved_folder(project: Project) -> Path:
    return project.runs.parent / "baselines"


def _folder_of(project: Project, name: str) -> Path:
    if NAME.fullmatch(name) is None:
        raise ComparisonError(
            f"a baseline cannot be saved as {name!r}",
            hint="use up to 100 letters, digits, dots, dashes, underscores",
        )
    return _saved_folder(project) / name
