"""What one run of one test cost, as recorded while it ran."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from atom_testinfra.core.policies import PinPolicy, SeedScheme, Steering
from atom_testinfra.core.records.explanation import Explanation
from atom_testinfra.core.vocabulary import RUN_SCHEMA_VERSION, Kind, Outcome

Seconds = Annotated[float, Meta(ge=0.0)]
Count = Annotated[int, Meta(ge=0)]

__all__ = [
    "RUN_SCHEMA_VERSION",
    "Collected",
    "Cost",
    "Count",
    "Kind",
    "Machine",
    "Measurement",
    "Outcome",
    "PhaseCost",
    "Pin",
    "PinPolicy",
    "Property",
    "Provenance",
    "Run",
    "RunEnd",
    "RunHeader",
    "RunLine",
    "RunPlan",
    "Samples",
    "Seconds",
    "SeedScheme",
    "Steering",
    "WideFixture",
]


class Cost(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Wall and CPU seconds of one stretch of a test."""

    wall_s: Seconds = 0.0
    cpu_s: Seconds = 0.0
    thread_cpu_s: Seconds | None = None
    """Of `cpu_s`, what the test's own thread took; for the call of a property only."""
    children_cpu_s: Seconds = 0.0
    """CPU time of child processes that ended meanwhile, no part of `cpu_s`; not known on Windows."""
    wide_cpu_s: Seconds = 0.0
    """CPU time, that of ended children included, of fixtures wider than a function."""
    wide_wall_s: Seconds = 0.0
    """Wall time of setting them up; a teardown's is not taken."""
    own_wall_s: Seconds | None = None
    """Wall time of setting up fixtures of function scope, for set-up only; `None` in an older record."""

    @property
    def other_threads_cpu_s(self) -> float:
        """CPU seconds of other threads than the test's own; 0 where only their sum was recorded."""
        return 0.0 if self.thread_cpu_s is None else max(self.cpu_s - self.thread_cpu_s, 0.0)


class WideFixture(Struct, frozen=True, kw_only=True, gc=False):
    """What one fixture of a class, module, package or session took while a test ran."""

    name: str
    scope: str
    place: str
    """File, class or folder for whose tests it is defined, relative to the root; empty for all."""
    cpu_s: Seconds
    """Setting up and tearing down, ended child processes included."""


class Samples(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Summary of one number per test case, in seconds; `values` only on request."""

    n: Count
    first_s: Seconds
    median_s: Seconds
    q90_s: Seconds
    max_s: Seconds
    total_s: Seconds
    values: list[float] | None = None


class PhaseCost(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One phase as Hypothesis's statistics report it; `duration_s` is wall time."""

    duration_s: Seconds
    n_valid: Count = 0
    n_invalid: Count = 0
    n_overrun: Count = 0
    n_interesting: Count = 0
    run_s: Seconds = 0.0
    """Sum of the test cases' run times; the rest of `duration_s` is Hypothesis's own work."""
    draw_s: Seconds = 0.0
    gc_s: Seconds = 0.0
    filtered_s: Seconds = 0.0
    """Run time of the invalid and overrun test cases, part of `run_s`."""
    overrun_s: Seconds = 0.0
    """Run time of the overrun test cases, part of `filtered_s`."""


class Pin(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A `max_examples` that the test sets itself, so that no profile reaches it."""

    max_examples: Count
    path: str | None = None
    """File, relative to the root of the run, in which the number is written, when it was found."""
    line: int | None = None


class Property(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What Hypothesis did for one test: all engine runs of the item, the outermost one's settings."""

    requested: Count | None
    """`max_examples` asked for by the profile or the command line; `None` when nothing was asked."""
    configured: Count | None
    """`max_examples` of the test's settings when it ran."""
    effective: Count | None
    """`max_examples` that Hypothesis says it stopped at; `None` when it stopped for another reason."""
    stopped_because: str | None
    phases: dict[str, PhaseCost]
    """By phase: reuse, generate, shrink, explain."""
    n_engine_runs: Count
    """Calls of the statistics collector; more than one with nested or helper properties."""
    n_explicit: Count = 0
    explicit_s: Seconds = 0.0
    run: Samples | None = None
    """Run time of the valid test cases of the generate phase, draws included; wall time."""
    draw: Samples | None = None
    """Of that, the time spent drawing."""
    gc: Samples | None = None
    """Of that, the time spent in the garbage collector."""
    body_cpu: Samples | None = None
    """CPU time inside the test's own function, or a machine's rules and invariants, per valid test case."""
    body_s: Seconds | None = None
    """Wall time there over all test cases but the explicit ones; `None` where it cannot be seen."""
    given_up_body_s: Seconds | None = None
    """Of `body_s`, what test cases took that were given up; `None` where there are none, or it is unknown."""
    n_steps: Count | None = None
    """Rules executed, for a state machine."""
    is_exhausted: bool = False
    """The search space ended before `max_examples`: never to be extrapolated."""
    is_flaky: bool = False
    pin: Pin | None = None
    seed: str | None = None
    """The seed in force, as text, when this tool or the test set one."""
    seed_scheme: SeedScheme = SeedScheme.RANDOM
    hypothesis_profile: str | None = None
    """Name of the Hypothesis profile that was loaded when the test ran."""
    deadline_ms: Seconds | None = None
    """The test's own deadline; not in force while it was measured, unless the suite steers itself."""
    database: str | None = None
    """The test's own example database; not in force while it was measured."""
    backend: str = "hypothesis"
    digest: str | None = None
    """Digest of the test's source and signature: another digest is another workload."""

    @property
    def generate(self) -> PhaseCost | None:
        """The generate phase, in which examples are counted."""
        return self.phases.get("generate")

    @property
    def n_valid(self) -> int:
        """The valid examples that were generated; those of `@example` are not among them."""
        return 0 if self.generate is None else self.generate.n_valid


class Measurement(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="record", tag="test"):
    """One test in one run: a line of the run file."""

    nodeid: str
    kind: Kind
    outcome: Outcome
    reason: str | None = None
    """Why it was skipped, failed or crashed; first line only."""
    counterexample: str | None = None
    """The test case that failed, in Hypothesis's words; `None` where it named none, or several failed."""
    setup: Cost = Cost()
    call: Cost = Cost()
    teardown: Cost = Cost()
    hypothesis: Property | None = None
    calibration_s: Seconds | None = None
    """CPU seconds of the calibration workload, run next to this test."""
    worker: str | None = None
    path: str | None = None
    line: int | None = None
    fixtures: list[WideFixture] = []
    """The fixtures wider than a function that were set up or torn down around it."""
    explanation: Explanation | None = None
    """Where the time goes; only in a run that was made to explain, whose times hold for nothing else."""
    instruments: list[str] = []
    """What watched its code while it ran: a tracer, a profiler, coverage, Hypothesis's observability."""
    modes: list[str] = []
    """Slower or faster ways to run its code, as with the garbage collector off: compared with their like."""
    problems: list[str] = []
    """What makes this record unfit for a baseline or a comparison, in full sentences."""

    @property
    def is_plain(self) -> bool:
        """Whether it came to its end, and no Hypothesis can have been in it."""
        return self.kind is Kind.PLAIN and self.outcome is Outcome.PASSED and not self.problems


class Machine(Struct, frozen=True, kw_only=True):
    """Where a run took place, without anything that names a person or a host."""

    system: str
    arch: str
    cpu: str
    n_cpus: Count
    memory_mb: Count


class Provenance(Struct, frozen=True, kw_only=True):
    """Everything needed to say where a number comes from."""

    commit: str | None
    is_dirty: bool | None
    """Whether files differed from the commit, but for those that this tool writes."""
    command: list[str]
    python: str
    versions: dict[str, str]
    """Distribution name to version: hypothesis, pytest, pytest-xdist, atom-testinfra."""
    machine: Machine
    changes: str | None = None
    """A digest of how they differed."""


class RunHeader(Struct, frozen=True, kw_only=True, tag_field="record", tag="run"):
    """First line of a run file."""

    schema_version: int
    run_id: str
    session_id: str
    """The same for all runs of one `testinfra measure`."""
    started_at: str
    """UTC, ISO 8601."""
    profile: str
    max_examples: Count | None
    pins: PinPolicy
    seed_set: Count
    repeat: Count
    """0-based repeat of the same profile and seed set."""
    part: Count = 0
    """0-based continuation of the same repeat, after a run that was stopped or died."""
    sequence: Count = 0
    """The how-manieth run of its folder, so that no clock has to say which was made last; 0 is unknown."""
    steering: Steering = Steering.TOOL
    n_workers: Count
    """0 for a serial run."""
    provenance: Provenance
    is_traced: bool = False
    """Coverage, a debugger or a profiler was active: no timing of this run may be compared."""
    calibration: str | None = None
    """Name of the calibration beside its tests; `None` in files from before it was recorded."""


class Collected(Struct, frozen=True, kw_only=True, tag_field="record", tag="collected"):
    """What collection found; written once, before the first test."""

    nodeids: list[str]
    n_deselected: Count = 0
    startup_cpu_s: Seconds | None = None
    """CPU time from the start of the process until pytest was configured; for a serial run only."""
    collection_cpu_s: Seconds | None = None
    """CPU time from there to the first test: conftests, imports, collection; for a serial run only."""
    files: dict[str, Seconds] | None = None
    """Wall seconds in which each file was imported and its tests collected; of a serial run."""


class RunEnd(Struct, frozen=True, kw_only=True, tag_field="record", tag="end"):
    """Last line of a run file; a file without it was cut off."""

    exit_status: int
    """pytest's own."""
    wall_s: Seconds
    cpu_s: Seconds
    outcomes: dict[str, int]
    other_threads_cpu_s: Seconds | None = None
    """CPU time of all threads except the main one, from the first test until the process exits.

    Only in a serial run of `testinfra measure`, which writes a second line of this kind when it exits.
    """


class RunPlan(Struct, frozen=True, kw_only=True):
    """What a run is to do: handed from `testinfra measure` to the plugin."""

    path: str
    """The run file to write; it must not exist."""
    header: RunHeader
    skip: list[str] = []
    """Node ids that an earlier part of the same repeat has recorded."""
    keep_values: bool = False
    """Record every test case's times, not only their summary."""
    only_properties: bool = False
    """Run the tests that Hypothesis marks as its own, and no others."""
    only: list[str] | None = None
    """Run these node ids, and no others."""
    is_explained: bool = False
    """Let Hypothesis observe every test case, which makes each of them slower."""
    root: str | None = None
    """The folder that node ids are relative to; `None`: the plugin looks for it."""
    parent_pid: int | None = None
    """The process that waits for the run; without it the run is of no use to anybody and stops."""


RunLine = RunHeader | Collected | Measurement | RunEnd


class Run(Struct, frozen=True, kw_only=True):
    """A run file, read back."""

    header: RunHeader
    collected: Collected | None
    measurements: list[Measurement]
    end: RunEnd | None

    @property
    def is_complete(self) -> bool:
        """Whether pytest got to its end."""
        return self.end is not None
