"""What `performance_baseline.json` holds: the plan's keys, and the measurements they follow from."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from atom_testinfra.core.config import Targets
from atom_testinfra.core.policies import PinPolicy
from atom_testinfra.core.records.measurement import Machine, Pin
from atom_testinfra.core.records.parts import Part
from atom_testinfra.core.vocabulary import Kind, Outcome

SCHEMA = "atom-testinfra/performance-baseline"
SCHEMA_VERSION = 3
"""Version 3 names the calibration. Version 2 lacks only keys that may be missing; version 1 is converted."""

Seconds = Annotated[float, Meta(ge=0.0, le=1e9)]
"""Rounded to four significant digits, no finer than 10 us."""
Micros = Annotated[float, Meta(ge=0.0, le=1e15)]
"""Microseconds, for what one example costs; rounded to four significant digits, no finer than 1 ns."""
Ratio = Annotated[float, Meta(ge=0.0, le=1e9)]
Count = Annotated[int, Meta(ge=0, le=10**12)]
SeedSet = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Positive = Annotated[int, Meta(ge=1, le=10**12)]

TierName = Literal["fast", "medium", "slow", "over"]
BudgetTier = Literal["fast", "medium", "slow"]
Verdict = bool | Literal["partial"] | None
"""`None`: no test of the tier was measured; "partial": some of its tests meet the limit, and some miss it."""


S = TypeVar("S", bound=Struct)


def update(struct: S, **values: object) -> S:
    """Return the structure with these values: itself where it has them, for most are only looked at."""
    for name, value in values.items():
        if getattr(struct, name) != value:
            return msgspec.structs.replace(struct, **values)
    return struct


class Prediction(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """What the cost model expected of a profile, from the measurements of another profile."""

    source: str
    """The profile it was predicted from."""
    duration_s: Seconds
    cpu_s: Seconds
    cpu_low_s: Seconds | None = None
    """With `cpu_high_s` the 95 % interval; `None` when there was one run, which shows no spread."""
    cpu_high_s: Seconds | None = None


class ProfileRuns(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, gc=False
):
    """One number per run, in the order of the runs: the evidence behind the medians, and what is compared."""

    duration_s: Annotated[list[Seconds], Meta(min_length=1)]
    """Wall seconds of set-up and call."""
    cpu_s: list[Seconds]
    """CPU seconds of set-up and call."""
    body_cpu_us: list[Micros] = []
    """Median CPU time of the test's own function per valid example; empty where it cannot be seen."""
    calibration_s: list[Seconds] = []
    """CPU seconds of the calibration workload beside the test; empty when none was run."""
    parts_us: dict[Part, list[Micros]] = {}
    """CPU time of each part for each valid example; empty where not all of them were recorded."""


class ProfileCost(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, gc=False
):
    """What a property cost under one profile; medians over the runs."""

    max_examples: Count
    """The bound that was in force when it ran."""
    n_examples: Count
    """Valid examples that were generated."""
    repeats: Positive
    """Runs that the medians are taken over."""
    duration_s: Seconds
    """Wall seconds of set-up and call: what a person waits for this test."""
    cpu_s: Seconds
    seconds_per_example: Seconds
    """Duration over examples run, explicit ones included: the plan's per-iteration average."""
    setup_s: Seconds
    first_us: Micros
    """Drawing and the test's own code in the first valid example: imports, caches, strategies being built."""
    body_us: Micros
    """Wall time per generated example in the test's own code."""
    generate_us: Micros
    """Wall time per generated example in drawing."""
    engine_us: Micros
    """Wall time per generated example in Hypothesis itself, around and between the test cases."""
    filtered_us: Micros
    """Wall time per generated example in test cases that were given up; part of body and drawing."""
    calls_per_valid: Ratio
    """Test cases run for one valid example; each of them costs its share of `engine_us`."""
    runs: ProfileRuns
    wide_setup_s: Seconds | None = None
    """The part of `setup_s` in fixtures wider than a function, which this test was the first to need."""
    own_setup_s: Seconds | None = None
    """The part of `setup_s` in fixtures of function scope; `None` in a file from before it was recorded."""
    filtered_draw_us: Micros | None = None
    """The part of `filtered_us` that went to drawing; `None` in a file written before it was recorded."""
    overrun_us: Micros | None = None
    """The part of `filtered_us` in overruns, which ask for more data than they get; `None` as above."""
    overruns_per_valid: Ratio | None = None
    """The part of `calls_per_valid` that are overruns; `None` as above."""
    body_cpu_us: Micros | None = None
    """CPU time per valid example in the test's own function; `None` where it cannot be seen."""
    body_cpu_spread: Ratio | None = None
    """Largest less smallest `body_cpu_us` of the runs, over the median; `None` with one run."""
    requested: Count | None = None
    """`max_examples` that the profile asked for; `None` when nothing was asked."""
    n_explicit: Count = 0
    """`@example` cases, run beside the generated ones."""
    is_exhausted: bool = False
    """The search space ended first: fewer examples, and nothing to extrapolate."""
    modes: list[str] = []
    """Slower or faster ways to run its code that were on, as with the garbage collector off."""
    unpredictable: str | None = None
    """Why the cost model does not apply, in a sentence."""
    steps_per_valid: Ratio | None = None
    """Rules that a machine executes in a valid example; `None` for other tests, and where it varies."""
    predicted: Prediction | None = None
    """What the cost model expected of this profile, to be compared with what was measured."""
    source: str | None = None
    """Key in `earlier` of the session it was measured in; `None` for the file's latest session."""
    digest: str | None = None
    """Digest of the test's source then, where the property's own has changed since."""

    def find_flaw(self) -> str | None:
        """Return what no run can have produced, or `None`: what types and ranges alone do not say."""
        if self.n_examples + self.n_explicit < 1:
            return "no example was run, so there is nothing to measure"
        runs, n = self.runs, len(self.runs.duration_s)
        if (
            n != len(runs.cpu_s)
            or not n == len(runs.body_cpu_us or runs.cpu_s) == len(runs.calibration_s or runs.cpu_s)
            or (runs.parts_us and any(len(column) != n for column in runs.parts_us.values()))
        ):
            return "`runs` has lists of different lengths"
        return None


class PropertyCost(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, gc=False
):
    """A property: what it is, where it stands, and its cost by profile."""

    check: str = ""
    """Digest of everything else here, so that a figure changed by hand is noticed."""
    kind: Kind
    tier: TierName
    """The budget it is checked against: declared, else where its local duration puts it."""
    measured_tier: TierName
    is_declared: bool = False
    """The tier comes from `[tool.testinfra.tiers]`."""
    digest: str | None = None
    """Digest of the test's source: another digest is another workload."""
    pin: Pin | None = None
    profiles: Annotated[dict[str, ProfileCost], Meta(min_length=1)]


class EncodedProperties(Mapping[str, PropertyCost]):
    """Properties by node id that are kept as texts, and decoded when they are asked for."""

    @property
    @abstractmethod
    def digest(self) -> str:
        """The digest of all of them, each by its own, whether or not that holds."""

    @abstractmethod
    def is_sealed(self, nodeid: str) -> bool:
        """Return whether a property's text is the very one that its digest was taken of."""


class Excluded(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A property that has no figures under a profile, and why."""

    nodeid: str
    profile: str
    outcome: Outcome | None
    """`None` when no run reached it."""
    reason: str
    counterexample: str | None = None
    """The test case that failed, in Hypothesis's words, where it named one."""
    source: str | None = None
    """Key in `earlier` of the session that says so; `None` for the file's latest session."""


class Suite(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The whole suite, timed as a person would run it."""

    wall_s: Seconds
    command: list[str]
    """pytest's arguments."""
    exit_status: int
    outcomes: dict[str, Count]
    started_at: str
    failed: list[str] = []
    """Tests that failed, as pytest's summary names them: the first few."""
    source: str | None = None
    """Key in `earlier` of the session after which it was timed; `None` for the file's latest session."""
    last_passed: Suite | None = None
    """The last time that it passed, where it did not pass this time."""

    @property
    def timed(self) -> Suite | None:
        """The run that its time is from: the last one that passed."""
        return self if self.exit_status == 0 else self.last_passed


class SessionProvenance(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Where the figures come from."""

    commit: str | None
    is_dirty: bool | None
    command: list[str]
    python: str
    versions: dict[str, str]
    machine: Machine
    started_at: str
    """UTC, ISO 8601: the start of the first run."""
    runs: list[str]
    """Ids of the run files, in the order in which they were made."""
    max_examples: dict[str, Count | None]
    """By profile: what it asked for."""
    seed_sets: list[SeedSet]
    pins: PinPolicy
    n_workers: Count
    calibration_s: Seconds | None
    """Median CPU seconds of the calibration workload over all runs."""
    contention: Ratio | None = None
    """In older files: median over fastest calibration, which says little about contention."""
    tests_wall_per_cpu: Ratio | None = None
    """Wall seconds of the properties' calls for each second of CPU: waiting for whatever it was included."""
    engine_wall_per_cpu: Ratio | None = None
    """The same outside of the tests' own functions, where nothing waits but for a CPU."""
    outside: dict[str, dict[str, list[Seconds]]] = {}
    """By profile: CPU seconds that no test is to be charged for, by what took them, run by run."""
    calibration: str | None = None
    """Name of the calibration beside the tests; `None` in files from before it was recorded."""


class PlanTargets(Struct, frozen=True, kw_only=True):
    """`property_test_targets`: the plan's own spelling of the limits in force."""

    fast_tier_seconds: Seconds
    medium_tier_seconds: Seconds
    slow_tier_seconds: Seconds
    max_examples_default: Count | None
    max_examples_ci: Count | None
    rationale: str


class TargetsMet(Struct, frozen=True, kw_only=True):
    """The verdicts on the local targets."""

    full_suite_under_5min: Verdict
    property_tests_fast_tier_under_10s: Verdict
    property_tests_medium_tier_under_60s: Verdict
    property_tests_slow_tier_under_100s: Verdict
    note: str


class TargetsVerified(Struct, frozen=True, kw_only=True):
    """The verdicts on all targets."""

    fast_tier_under_10s: Verdict
    medium_tier_under_60s: Verdict
    slow_tier_under_100s: Verdict
    ci_fast_tier_under_3s: Verdict
    ci_medium_tier_under_15s: Verdict
    ci_slow_tier_under_25s: Verdict
    full_suite_under_5min: Verdict


class SlowTest(Struct, frozen=True, kw_only=True):
    """An entry of `slowest_tests`, from the local profile."""

    test: str
    duration: Seconds
    tier: TierName
    max_examples: Count
    n_examples: Count
    seconds_per_example: Seconds
    recommendation: str


class Evidence(Struct, frozen=True, kw_only=True):
    """What was measured, and the limits that were set: all verdicts follow from it."""

    targets: Targets
    """The limits in force."""
    tiers: dict[str, BudgetTier]
    """The declared tiers in force: node id globs, the last match wins."""
    provenance: SessionProvenance
    """Of the latest session; figures without a `source` are from it."""
    earlier: dict[str, SessionProvenance] = {}
    """Earlier sessions that some figure is still from, by the id of their first run; the oldest first."""
    suite: Suite | None
    """`None` when the whole suite was not timed."""
    excluded: list[Excluded]
    properties: Mapping[str, PropertyCost]
    """By node id, sorted. From a file they are decoded when they are asked for: go through them once."""

    def made_by(self, source: str | None) -> SessionProvenance:
        """Return the session that a figure is from."""
        return self.provenance if source is None else self.earlier[source]

    @property
    def max_examples(self) -> dict[str, int | None]:
        """By profile, what it asked for when it was last measured."""
        sessions = [*self.earlier.values(), self.provenance]
        return {profile: n for made in sessions for profile, n in made.max_examples.items()}


class Baseline(Evidence, frozen=True, kw_only=True):
    """The whole file: the evidence, and what `testinfra verify --check` computes from it again."""

    schema: str = SCHEMA
    schema_version: int = SCHEMA_VERSION
    verification_timestamp: str
    """UTC, ISO 8601."""
    targets_met: TargetsMet
    targets_verified: TargetsVerified
    notes: str
    """What a verdict alone does not say: which tests miss their limit and by how much, what was left out."""
    slowest_tests: list[SlowTest]
    property_test_targets: PlanTargets
    digests: dict[str, str]
    """By key, of everything that was measured or set: so that a change by hand is noticed."""
