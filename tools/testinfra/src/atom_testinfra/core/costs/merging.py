"""
What an update of a baseline takes from the session, and what it keeps from the file before it.

A figure is replaced only by a new measurement of the same property under the same profile. What the session
did not measure is kept with the session it comes from, so that its age, commit and machine stay known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from atom_testinfra.core.costs.baseline import Evidence, update
from atom_testinfra.core.costs.cost import predict_from_local
from atom_testinfra.core.costs.digests import digest_property
from atom_testinfra.core.costs.tiers import DeclaredTiers, measured_tier
from atom_testinfra.core.records.repeats import MIN_BASE_RUNS
from atom_testinfra.core.records.session import without_hypothesis

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from atom_testinfra.core.costs.baseline import (
        Excluded,
        ProfileCost,
        PropertyCost,
        SessionProvenance,
        Suite,
    )
    from atom_testinfra.core.records.measurement import Run
    from atom_testinfra.core.records.session import SessionSpec


class Selection(Struct, frozen=True, kw_only=True):
    """Which tests a session collected, and whether that is all that the settings select."""

    profiles: frozenset[str]
    nodeids: frozenset[str]
    plain: frozenset[str]
    """Those that passed without Hypothesis: whatever they were, they are not properties now."""
    files: frozenset[str]
    """The files of the collected tests."""
    is_whole: bool
    """Nothing narrowed the selection of the settings, and nothing was deselected."""

    def lacks(self, nodeid: str, profiles: Mapping[str, object], exists: Callable[[str], bool]) -> bool:
        """
        Return whether the test is known to be gone.

        It is when the whole selection was collected under all of its profiles and it was not there, while
        other tests of its file were, or its file does not exist any more. A file that is still there and had
        no test collected may be ignored by an option.
        """
        if nodeid in self.plain:
            return self.profiles >= profiles.keys()
        if not self.is_whole or nodeid in self.nodeids or not self.profiles >= profiles.keys():
            return False
        file = nodeid.partition("::")[0]
        return file in self.files or not exists(file)


class FewerRuns(NamedTuple):
    """A record of the file that has more runs than the session's."""

    nodeid: str
    profile: str
    before: int
    now: int
    is_loss: bool
    """Too few remain for a comparison, and nobody asked for more."""


class Merged(Struct, frozen=True, kw_only=True):
    """The evidence of the new file, and what happened to the old one's."""

    evidence: Evidence
    kept: list[str]
    """Properties with a figure from an earlier session."""
    gone: list[str]
    """Properties of the old file that are not in the suite any more; their figures are dropped."""
    fewer_runs: list[FewerRuns]


def select(runs: Sequence[Run], spec: SessionSpec | None, paths: Sequence[str]) -> Selection:
    """Return what the runs of a session collected; `paths` are those of the settings."""
    collected = [run.collected for run in runs if run.collected is not None]
    nodeids = frozenset(nodeid for found in collected for nodeid in found.nodeids)
    is_default = spec is not None and spec.only is None and spec.arguments == [*paths]
    return Selection(
        profiles=frozenset(run.header.profile for run in runs),
        nodeids=nodeids,
        files=frozenset(nodeid.partition("::")[0] for nodeid in nodeids),
        plain=frozenset(without_hypothesis(runs)),
        is_whole=is_default and not any(found.n_deselected for found in collected),
    )


def merge(
    before: Evidence,
    now: Evidence,
    selection: Selection,
    *,
    asked: Mapping[str, int] | None = None,
    exists: Callable[[str], bool] = lambda _: True,
) -> Merged:
    """
    Return the evidence of a session together with what it leaves standing of the file before it.

    Args:
        before: the old file.
        now: the session.
        selection: what the session collected.
        asked: by profile, how many runs the session was asked for; a time budget may have left some out.
        exists: whether a test file, named as in a node id, is still there.
    """
    merger = _Merger(before, now, selection, exists)
    properties = {
        nodeid: subject for nodeid in merger.nodeids() if (subject := merger.join(nodeid)) is not None
    }
    excluded = [*now.excluded, *merger.kept_exclusions(properties)]
    suite = merger.join_suite()
    earlier = {key: made for key, made in merger.sessions.items() if key in merger.used}
    return Merged(
        evidence=Evidence(
            targets=now.targets,
            tiers=now.tiers,
            provenance=now.provenance,
            earlier=dict(sorted(earlier.items(), key=lambda item: (item[1].started_at, item[0]))),
            suite=suite,
            excluded=sorted(excluded, key=lambda entry: (entry.nodeid, entry.profile)),
            properties=properties,
        ),
        kept=merger.kept,
        gone=sorted(merger.gone),
        fewer_runs=[*_fewer_runs(before, now, asked or {})],
    )


def session_key(made: SessionProvenance) -> str:
    """Return what names a session in a baseline: the id of its first run."""
    return made.runs[0] if made.runs else made.started_at


class _Merger:
    """Joins two files property by property, and remembers which sessions are still referred to."""

    def __init__(
        self, before: Evidence, now: Evidence, selection: Selection, exists: Callable[[str], bool]
    ) -> None:
        self._before, self._now = before, now
        self._selection, self._exists = selection, exists
        self._declared = DeclaredTiers(now.tiers)
        self._own = session_key(now.provenance)
        self._last = session_key(before.provenance)
        self.sessions = {**before.earlier, self._last: before.provenance}
        self.used: set[str] = set()
        self.kept: list[str] = []
        self.gone: set[str] = set()

    def nodeids(self) -> list[str]:
        """Return the properties of both, sorted."""
        return sorted(self._before.properties.keys() | self._now.properties.keys())

    def join(self, nodeid: str) -> PropertyCost | None:
        """Return the property with its new figures, and the old ones under the profiles without any."""
        new = self._now.properties.get(nodeid)
        old = self._before.properties.get(nodeid)
        if old is None:
            return new
        if new is None and self._is_gone(nodeid, old.profiles):
            self.gone.add(nodeid)
            return None
        measured = {} if new is None else new.profiles
        subject = old if new is None else new
        left = {
            profile: self._of_earlier(cost, old.digest, subject.digest)
            for profile, cost in old.profiles.items()
            if profile not in measured
        }
        if not left:
            return new
        self.kept.append(nodeid)
        return self._complete(nodeid, replace(subject, profiles={**left, **measured}))

    def kept_exclusions(self, properties: Mapping[str, PropertyCost]) -> Iterator[Excluded]:
        """Yield why properties had no figures, as far as the session has nothing newer to say."""
        told = {(entry.nodeid, entry.profile) for entry in self._now.excluded}
        for entry in self._before.excluded:
            measured = self._now.properties.get(entry.nodeid)
            if (entry.nodeid, entry.profile) in told or (measured and entry.profile in measured.profiles):
                continue
            if entry.nodeid not in properties and self._is_gone(entry.nodeid, {entry.profile: None}):
                continue
            yield replace(entry, source=self._source(entry.source))

    def join_suite(self) -> Suite | None:
        """Return the suite as it ran last, and, if it did not pass, when it last did."""
        old, new = self._before.suite, self._now.suite
        if new is None:
            return None if old is None else self._suite_of_earlier(old)
        if old is None or new.exit_status == 0 or old.timed is None:
            return new
        return replace(new, last_passed=self._suite_of_earlier(old.timed))

    def _suite_of_earlier(self, suite: Suite) -> Suite:
        last = suite.last_passed
        last_passed = None if last is None else self._suite_of_earlier(last)
        return replace(suite, source=self._source(suite.source), last_passed=last_passed)

    def _is_gone(self, nodeid: str, profiles: Mapping[str, object]) -> bool:
        return self._selection.lacks(nodeid, profiles, self._exists)

    def _of_earlier(self, cost: ProfileCost, digest: str | None, now: str | None) -> ProfileCost:
        was = digest if cost.digest is None else cost.digest
        return replace(cost, source=self._source(cost.source), digest=None if was == now else was)

    def _source(self, source: str | None) -> str | None:
        key = self._last if source is None else source
        if key == self._own:
            return None
        self.used.add(key)
        return key

    def _complete(self, nodeid: str, subject: PropertyCost) -> PropertyCost:
        targets = self._now.targets
        costs = subject.profiles
        predicted = {
            profile: update(cost, predicted=predict_from_local(costs, profile, targets))
            for profile, cost in sorted(costs.items())
        }
        tier, budget = measured_tier(predicted, targets), self._declared.find(nodeid)
        joined = replace(
            subject,
            profiles=predicted,
            measured_tier=tier,
            tier=budget or tier,
            is_declared=budget is not None,
        )
        return update(joined, check=digest_property(joined))


def _fewer_runs(before: Evidence, now: Evidence, asked: Mapping[str, int]) -> Iterator[FewerRuns]:
    for nodeid, new in now.properties.items():
        old = before.properties.get(nodeid)
        for profile, cost in new.profiles.items():
            was = None if old is None else old.profiles.get(profile)
            if old is None or was is None or was.repeats <= cost.repeats:
                continue
            is_same_test = (was.digest or old.digest) == new.digest
            wanted = max(cost.repeats, asked.get(profile, 0))
            is_loss = is_same_test and wanted < min(was.repeats, MIN_BASE_RUNS)
            yield FewerRuns(nodeid, profile, was.repeats, cost.repeats, is_loss)
