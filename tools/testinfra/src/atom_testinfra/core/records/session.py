"""What one `testinfra measure` is to do, and how far it has come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from atom_testinfra.core.config import AS_IS, Config, Profile, refuse_unfit_name
from atom_testinfra.core.errors import ConfigError
from atom_testinfra.core.policies import PinPolicy, Steering
from atom_testinfra.core.records.measurement import Count, Run
from atom_testinfra.core.vocabulary import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MOST_EXAMPLES = 999_999_999
"""More than any test runs, and few enough for every file and process that the number goes through."""
MOST_SEED_SET = 2**63 - 1
"""What a whole number can be wherever a record may be read."""
CUSTOM = "custom"
"""The profile of a bare `--max-examples N`."""
AS_IS_PROFILE = Profile(max_examples=None, steering=Steering.SUITE, keeps_ci=True)

COMPLETE = frozenset({0, 1, 5})
"""pytest's exit statuses of a run that came to its end: passed, some failed, nothing collected."""


class SessionSpec(Struct, frozen=True, kw_only=True):
    """What a measuring session was asked for; `--resume` goes by it."""

    session_id: str
    profiles: dict[str, Profile]
    repeats: int
    """Runs of each profile that does not say itself how many."""
    pins: PinPolicy
    seed_set: Count
    n_workers: int
    arguments: list[str]
    """pytest's."""
    keep_values: bool = False
    only_properties: bool = False
    only: list[str] | None = None
    """Node ids, when not all that pytest collects is to run."""
    time_budget_s: float | None = None
    is_explained: bool = False
    """Hypothesis observes every test case: to explain, never to measure."""

    def cells(self) -> Iterator[tuple[int, str]]:
        """Yield repeat and profile in the order to run them: profiles take turns, and turn about."""
        names = list(self.profiles)
        for repeat in range(max(map(self.repeats_of, names))):
            for name in names if repeat % 2 == 0 else reversed(names):
                if repeat < self.repeats_of(name):
                    yield repeat, name

    def repeats_of(self, profile: str) -> int:
        """Return how many runs of a profile are asked for."""
        return self.profiles[profile].repeats or self.repeats


def choose_profiles(
    config: Config, chosen: Iterable[str], max_examples: int | None, *, is_for_baseline: bool = False
) -> dict[str, Profile]:
    """
    Return the profiles to measure: `NAME` is one of the settings, `NAME=N` may be any.

    Without a choice the suite's own settings are measured, or, with `max_examples`, that number, or, for a
    baseline, every profile of the settings.
    A number that is given here is set by the tool, whoever steers the profile by the settings.
    """
    chosen = list(chosen)
    if not chosen:
        if max_examples is not None:
            return {CUSTOM: Profile(max_examples=max_examples)}
        return dict(config.profiles) if is_for_baseline else {AS_IS: AS_IS_PROFILE}
    profiles = {}
    for text in chosen:
        name, equals, number = text.partition("=")
        profiles[name] = _profile(config, name, number if equals else None, max_examples)
    return profiles


def _profile(config: Config, name: str, number: str | None, max_examples: int | None) -> Profile:
    refuse_unfit_name("--profile", name)
    known = config.profiles.get(name)
    if number is None:
        if name == AS_IS and max_examples is None:
            return AS_IS_PROFILE
        if known is None:
            raise ConfigError(
                f"there is no profile {name!r}",
                hint=f"there are: {', '.join(config.profiles)}; another needs a number: --profile {name}=100",
            )
        n = known.max_examples if max_examples is None else max_examples
    else:
        n = _parse_examples(name, number)
    if known is None:
        return Profile(max_examples=n)
    if number is None and max_examples is None:
        return known
    return replace(known, max_examples=n, steering=Steering.TOOL)


def _parse_examples(profile: str, text: str) -> int:
    is_number = text.isascii() and text.isdigit()
    is_short = len(text) <= len(str(MOST_EXAMPLES))  # Python reads no number of thousands of digits
    if is_number and is_short and int(text) > 0:
        return int(text)
    if is_number and not is_short:
        raise ConfigError(
            f"--profile {profile}={text[:9]}…: at most {MOST_EXAMPLES} examples can be asked for"
        )
    raise ConfigError(f"--profile {profile}={text}: {text!r} is not a whole number above 0")


def recorded(parts: Iterable[Run]) -> set[str]:
    """Return the tests that need not run again: those whose run was not interrupted."""
    return {
        record.nodeid
        for part in parts
        for record in part.measurements
        if record.outcome is not Outcome.INTERRUPTED
    }


def is_complete(parts: list[Run]) -> bool:
    """Return whether the parts of a repeat make a whole."""
    if not parts:
        return False
    last = parts[-1]
    if last.end is not None and not _has_crashed(last) and last.end.exit_status in COMPLETE:
        return True
    return last.collected is not None and set(last.collected.nodeids) <= recorded([last])


def is_finished(runs: Iterable[Run], spec: SessionSpec) -> bool:
    """Return whether every run that was asked for came to its end; tests of no further use may have none."""
    parts: dict[tuple[int, str], list[Run]] = {}
    for run in sorted(runs, key=lambda run: run.header.part):
        parts.setdefault((run.header.repeat, run.header.profile), []).append(run)
    return set(spec.profiles) <= {profile for _, profile in parts} and all(map(is_complete, parts.values()))


def _has_crashed(part: Run) -> bool:
    # Then an end need not be the end: a test may have made a serial pytest stop, and xdist replaces a limited
    # number of workers.
    return any(record.outcome is Outcome.CRASHED for record in part.measurements)


def without_hypothesis(runs: Iterable[Run]) -> set[str]:
    """Return the tests in which no Hypothesis was seen: one record of them is enough."""
    plain: set[str] = set()
    others: set[str] = set()
    for run in runs:
        for record in run.measurements:
            (plain if record.is_plain else others).add(record.nodeid)
    return plain - others


def common_ending(parts: Iterable[Run]) -> str | None:
    """Return the reason by which the first test of each part ended it, if it is one and the same."""
    endings = {
        record.reason if record.outcome is Outcome.CRASHED and len(part.measurements) == 1 else None
        for part in parts
        for record in part.measurements[:1]
    }
    return endings.pop() if len(endings) == 1 else None


def lost_test(part: Run) -> str | None:
    """Return the test during which a serial run died: the first one without a record."""
    if part.collected is None or part.end is not None or part.header.n_workers:
        return None
    done = {record.nodeid for record in part.measurements}
    return next((nodeid for nodeid in part.collected.nodeids if nodeid not in done), None)
