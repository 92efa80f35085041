"""The points of a history: committed versions of the baseline, the one as it is, and the sessions here."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct

from atom_testinfra.core.changes.history import Moment, Source
from atom_testinfra.core.errors import GitError, InfraError, NothingMeasuredError
from atom_testinfra.storage.baseline import load_baseline, parse_baseline
from atom_testinfra.storage.git import FETCH_ALL, Repository
from atom_testinfra.storage.recordings import Recording, of_baseline
from atom_testinfra.storage.sessions import Sessions, list_sessions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from atom_testinfra.core.changes.threshold import Statistic
    from atom_testinfra.storage.project import Project

NOW = "now"
"""Stands for the baseline as it is in the working tree."""


class Moments(Struct, frozen=True, kw_only=True):
    """What could be read, and what could not."""

    found: list[Moment]
    left_out: list[str]
    """A sentence for each version or session without figures, with the reason."""
    profiles: list[str]
    """Those that some version or session has runs of."""


def load_moments(project: Project, statistic: Statistic, profile: str, *, limit: int) -> Moments:
    """
    Return the last `limit` committed baselines and sessions that have figures of a profile.

    Runs count once: a session that became a baseline, or a baseline that was committed twice, is one point.
    """
    found: list[Moment] = []
    left_out: list[str] = []
    profiles: set[str] = set()
    seen: set[str] = set()
    for name, source, load in _candidates(project, limit, left_out):
        try:
            recording = load()
            if seen.intersection(recording.run_ids):
                continue
            seen.update(recording.run_ids)
            profiles.update(recording.profiles)
            # The unit of a calibration without a name is unknown: what is known then is the CPU time itself.
            is_calibrated = recording.calibration is not None and recording.is_calibrated(profile)
            side = recording.side(statistic, profile, is_calibrated=is_calibrated, with_earlier=False)
            if not side.tests:
                raise NothingMeasuredError(f"no property in its runs of the profile {profile!r}")
            found.append(Moment(at=recording.started_at, source=source, name=name, side=side))
        except InfraError as exc:
            left_out.append(f"{name}: {exc}")
    return Moments(found=found, left_out=left_out, profiles=sorted(profiles))


def _candidates(
    project: Project, limit: int, left_out: list[str]
) -> Iterator[tuple[str, Source, Callable[[], Recording]]]:
    """Yield name and source of every point there may be, with a way to read it."""
    try:
        repository = Repository(project.root)
        revisions = repository.list_revisions(project.baseline, limit)
    except GitError as exc:
        left_out.append(f"the committed baselines: {exc}")
        revisions = []
    else:
        if repository.is_shallow:
            left_out.append(f"older commits: {FETCH_ALL}")
    for revision in revisions:
        name = revision.commit[:12]
        yield name, Source.BASELINE, partial(_committed, repository, name, project.baseline)
    if project.baseline.exists():
        yield NOW, Source.BASELINE, partial(_current, project.baseline)
    sessions = list_sessions(project.runs)
    if sessions.left_out is not None:
        left_out.append(sessions.left_out)
    for session_id in [*sessions.files][-limit:]:
        yield session_id, Source.SESSION, partial(_session, sessions, session_id)


def _committed(repository: Repository, commit: str, path: Path) -> Recording:
    return of_baseline(parse_baseline(repository.read(commit, path), commit), commit)


def _current(path: Path) -> Recording:
    return of_baseline(load_baseline(path), NOW)


def _session(sessions: Sessions, session_id: str) -> Recording:
    return Recording(label=session_id, runs=sessions.load(session_id))
