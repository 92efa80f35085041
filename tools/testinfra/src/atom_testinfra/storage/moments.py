"""The points of a history: committed versions of the baseline, the one as it is, and the sessions here."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from atom_testinfra.core.changes.history import Moment, Source
from atom_testinfra.core.errors import GitError, InfraError, NothingMeasuredError
from atom_testinfra.core.figures import plural
from atom_testinfra.storage.baseline import load_baseline, parse_baseline
from atom_testinfra.storage.git import FETCH_ALL, Repository
from atom_testinfra.storage.recordings import Recording, of_baseline
from atom_testinfra.storage.session_order import FUTURE_S
from atom_testinfra.storage.sessions import Sessions, list_sessions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from atom_testinfra.core.changes.threshold import Statistic
    from atom_testinfra.storage.project import Project

NOW = "now"
"""Stands for the baseline as it is in the working tree."""


class Moments(Struct, frozen=True, kw_only=True):
    """What could be read, and what could not."""

    found: list[Moment]
    left_out: list[str]
    """A sentence for each version or session without figures, and one for all sessions of other profiles."""
    notes: list[str]
    """A sentence for each version or session that is dated in the future."""
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
    told: list[_Told] = []
    n_of_others = 0
    for name, source, committed_at, load in _candidates(project, limit, left_out):
        try:
            recording = load()
            told.append(_Told(name, source, recording.started_at, committed_at, recording.run_ids))
            if seen.intersection(recording.run_ids):
                continue
            seen.update(recording.run_ids)
            profiles.update(recording.profiles)
            if source is Source.SESSION and profile not in recording.profiles:
                n_of_others += 1
                continue
            # The unit of a calibration without a name is unknown: what is known then is the CPU time itself.
            is_calibrated = recording.calibration is not None and recording.is_calibrated(profile)
            side = recording.side(statistic, profile, is_calibrated=is_calibrated, with_earlier=False)
            if not side.tests:
                raise NothingMeasuredError(f"no property in its runs of the profile {profile!r}")
            found.append(Moment(at=recording.started_at, source=source, name=name, side=side))
        except InfraError as exc:
            left_out.append(f"{name}: {exc}")
    if n_of_others:
        left_out.append(f"{plural(n_of_others, 'session')} without runs of the profile {profile!r}")
    shown_at = _bring_back(told, datetime.now(UTC))
    return Moments(
        found=[replace(moment, at=shown_at.get(moment.name, moment.at)) for moment in found],
        left_out=left_out,
        notes=[
            f"{moment.name} says that it was measured in the future, at {moment.at:%Y-%m-%d %H:%M}: a clock"
            f" was wrong; the history shows it at {shown_at[moment.name]:%Y-%m-%d %H:%M}"
            for moment in found
            if moment.name in shown_at
        ],
        profiles=sorted(profiles),
    )


class _Told(NamedTuple):
    """When a baseline or a session says that it was measured, and what else is known."""

    name: str
    source: Source
    at: datetime
    committed_at: datetime | None
    run_ids: Sequence[str]


def _bring_back(told: Sequence[_Told], now: datetime) -> dict[str, datetime]:
    """
    Return, by name, the latest time at which those dated in the future can have been measured.

    It is not after the next baseline or session, not after the commit of the baseline, and the time of the
    session that the baseline was made from.

    Args:
        told: the baselines, and after them the sessions, each in the order in which they were recorded.
        now: as the clock of this machine says.
    """
    limit = now + timedelta(seconds=FUTURE_S)
    next_at: dict[Source, datetime] = {}
    at_by_run: dict[str, datetime] = {}
    found = {}
    for name, source, told_at, committed_at, run_ids in reversed(told):
        at = told_at
        if at > limit:
            bounds = [committed_at, next_at.get(source), *map(at_by_run.get, run_ids)]
            at = found[name] = min((bound for bound in bounds if bound and bound <= limit), default=now)
        next_at[source] = at
        at_by_run |= dict.fromkeys(run_ids, at)
    return found


def _candidates(
    project: Project, limit: int, left_out: list[str]
) -> Iterator[tuple[str, Source, datetime | None, Callable[[], Recording]]]:
    """Yield name, source and time of commit of every point there may be, with a way to read it."""
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
        load = partial(_committed, repository, name, project.baseline)
        yield name, Source.BASELINE, revision.committed_at, load
    if project.baseline.exists():
        yield NOW, Source.BASELINE, None, partial(_current, project.baseline)
    sessions = list_sessions(project.runs)
    if sessions.left_out is not None:
        left_out.append(sessions.left_out)
    for session_id in [*sessions.files][-limit:]:
        yield session_id, Source.SESSION, None, partial(_session, sessions, session_id)


def _committed(repository: Repository, commit: str, path: Path) -> Recording:
    return of_baseline(parse_baseline(repository.read(commit, path), commit), commit)


def _current(path: Path) -> Recording:
    return of_baseline(load_baseline(path), NOW)


def _session(sessions: Sessions, session_id: str) -> Recording:
    return Recording(label=session_id, runs=sessions.load(session_id))
