"""What would spoil a measurement here, judged from what was observed."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

from atom_testinfra.core.advice.losses import OLDEST, losses, release
from atom_testinfra.core.figures import percent, seconds, significant
from atom_testinfra.core.records.contention import LEAST_SHARE
from atom_testinfra.core.statistics import deviation, quantile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOISE_NOTICED, NOISE_SPOILS = 0.05, 0.15
"""Spread of the calibration. 5 against 3 runs find every 1.5x slow-down at 5 %, and two of three at 15 %."""
STEAL_NOTICED, STEAL_SPOILS = 0.02, 0.10
SHOWN = 3

CI_IF_TRUE = frozenset({"BUILDKITE", "CIRCLECI", "CIRRUS_CI", "GITHUB_ACTIONS", "TF_BUILD"})
"""Hypothesis takes these for CI if they are `true`, and the other variables whatever their value is."""
BARE_RUN = (
    "a bare pytest run here begins with Hypothesis's `ci` profile: the same examples each time, no deadline,"
    " no database"
)

TESTED = {
    "python": ("3.11", "3.14"),
    "hypothesis": (OLDEST["hypothesis"], "6.170"),
    "pytest": (OLDEST["pytest"], "9.2"),
}
"""The oldest and the newest minor version that this tool's own tests have run with."""


class Level(StrEnum):
    """How much a finding spoils a measurement."""

    OK = "ok"
    NOTICE = "notice"
    """Some figures are less reliable, or `measure` corrects it by itself."""
    SPOILS = "spoils"
    """Figures measured now are not to be used."""


class Finding(Struct, frozen=True, kw_only=True):
    """The result of one check."""

    check: str
    level: Level
    message: str
    advice: str | None = None
    """What to do about it."""


class Pinned(Struct, frozen=True, kw_only=True, gc=False):
    """A `max_examples` written in a test file."""

    path: str
    line: int
    max_examples: int


class Observation(Struct, frozen=True, kw_only=True):
    """What was seen of this machine, this process's environment, and the project."""

    calibrations_s: list[float]
    """CPU seconds of the calibration workload, one after the other."""
    cpu_share: float
    """CPU time over wall time while calibrating."""
    steal: float | None
    """Share of the machine's time that its host gave to other virtual machines meanwhile."""
    load: float | None
    """Load average over the last minute."""
    n_cpus: int
    governors: list[str]
    """Frequency governors in use; empty when the machine does not tell."""
    ci_variables: list[str]
    """Variables that are set here and that Hypothesis or a suite takes as a sign of CI."""
    tracers: list[str]
    """What traces or profiles Python code, each with where it was found."""
    variables: list[str]
    """Variables that are set here and change what is measured: tracers, slower modes of the interpreter."""
    option_sources: dict[str, list[str]]
    """Where options are given to every pytest run here, and the options."""
    n_workers: int
    """xdist workers of a measured run, by the settings; 0 without workers."""
    pins: list[Pinned]
    profile_loads: list[str]
    """Places outside of a conftest that load a Hypothesis profile: `path:line`."""
    unreadable: list[str]
    """Test files that could not be parsed."""
    versions: dict[str, str]
    """Of python, hypothesis and pytest."""


class Diagnosis(Struct, frozen=True, kw_only=True):
    """All findings, and whether to measure now."""

    findings: list[Finding]

    @property
    def is_spoilt(self) -> bool:
        """Whether something would spoil a measurement."""
        return any(finding.level is Level.SPOILS for finding in self.findings)


def diagnose(seen: Observation) -> Diagnosis:
    """Return the findings of all checks of an observation."""
    return Diagnosis(findings=[finding for check in CHECKS for finding in check(seen)])


def _level(value: float, *, noticed: float, spoils: float) -> Level:
    if value > spoils:
        return Level.SPOILS
    return Level.NOTICE if value > noticed else Level.OK


def _check_noise(seen: Observation) -> Iterator[Finding]:
    middle = quantile(seen.calibrations_s, 0.5)
    noise = deviation(seen.calibrations_s) / middle
    level = _level(noise, noticed=NOISE_NOTICED, spoils=NOISE_SPOILS)
    yield Finding(
        check="noise",
        level=level,
        message=f"the same work costs {seconds(middle)} of CPU, give or take {percent(noise, places=1)}"
        f" ({len(seen.calibrations_s)} times, {seconds(min(seen.calibrations_s))}"
        f" to {seconds(max(seen.calibrations_s))})",
        advice=None if level is Level.OK else "stop other work here, or measure more repeats: --repeats 10",
    )


def _check_contention(seen: Observation) -> Iterator[Finding]:
    busy = seen.cpu_share < LEAST_SHARE
    load = "" if seen.load is None else f"; load {significant(seen.load, digits=2)} on {seen.n_cpus} cores"
    yield Finding(
        check="contention",
        level=Level.NOTICE if busy else Level.OK,
        message=f"this process got {percent(min(seen.cpu_share, 1))} of a core{load}",
        advice="use CPU times: wall times, which the targets are for, are too high now" if busy else None,
    )


def _check_steal(seen: Observation) -> Iterator[Finding]:
    if seen.steal is None:
        return
    level = _level(seen.steal, noticed=STEAL_NOTICED, spoils=STEAL_SPOILS)
    yield Finding(
        check="steal",
        level=level,
        message=f"the host gave {percent(seen.steal, places=1)} of this machine's time to other machines",
        advice=None if level is Level.OK else "measure at another time, or on a machine of its own",
    )


def _check_governor(seen: Observation) -> Iterator[Finding]:
    if not seen.governors:
        return
    slow = [name for name in seen.governors if name != "performance"]
    yield Finding(
        check="governor",
        level=Level.NOTICE if slow else Level.OK,
        message=f"frequency governor: {', '.join(seen.governors)}",
        advice="the clock follows the load: `cpupower frequency-set -g performance`, if you may"
        if slow
        else None,
    )


def _check_ci(seen: Observation) -> Iterator[Finding]:
    if not seen.ci_variables:
        yield Finding(check="ci", level=Level.OK, message="no variable makes this machine look like CI")
        return
    yield Finding(
        check="ci",
        level=Level.NOTICE,
        message=f"set here, and a sign of CI: {', '.join(seen.ci_variables)}",
        advice="`testinfra measure` removes them and sets those of each profile"
        + (f"; {BARE_RUN}" if any(map(_is_ci_to_hypothesis, seen.ci_variables)) else ""),
    )


def _is_ci_to_hypothesis(variable: str) -> bool:
    name, _, value = variable.partition("=")
    return name not in CI_IF_TRUE or value == "true"


def _check_tracing(seen: Observation) -> Iterator[Finding]:
    yield Finding(
        check="tracing",
        level=Level.SPOILS if seen.tracers else Level.OK,
        message=f"Python code is traced by {', '.join(seen.tracers)}"
        if seen.tracers
        else "no coverage, debugger or profiler",
        advice="measure without it: it makes some code many times slower and other code not at all, so "
        "no figure can be corrected for it"
        if seen.tracers
        else None,
    )
    if seen.variables:
        yield Finding(
            check="environment",
            level=Level.NOTICE,
            message=f"set here, and changes what is measured: {', '.join(seen.variables)}",
            advice="`testinfra measure` runs the tests without that; to measure under it, set it in the"
            " `env` of a profile in [tool.testinfra]; a bare pytest run here is under it",
        )


def _check_options(seen: Observation) -> Iterator[Finding]:
    parallel = [
        f"{' '.join(found)} in {place}"
        for place, options in seen.option_sources.items()
        if (found := _find_parallel(options))
    ]
    workers = f"{seen.n_workers} worker{'' if seen.n_workers == 1 else 's'}"
    measured = f"takes the {workers} of [tool.testinfra]" if seen.n_workers else "runs serially"
    yield Finding(
        check="xdist",
        level=Level.NOTICE if parallel else Level.OK,
        message=f"every pytest run here is parallel: {'; '.join(parallel)}"
        if parallel
        else f"pytest runs serially here unless it is told otherwise; `testinfra measure` {measured}",
        advice=f"`testinfra measure` {measured} nevertheless; workers disturb each other's times"
        if parallel
        else None,
    )


def _find_parallel(options: list[str]) -> list[str]:
    """Return the options that make xdist start workers, with their values; `--dist` alone starts none."""
    found = []
    for option, value in zip(options, [*options[1:], ""], strict=True):
        if option in {"-n", "--numprocesses", "--tx"}:
            found.append(f"{option} {value}")
        elif option.startswith(("-n", "--numprocesses=", "--tx=")):
            found.append(option)
    return [option for option in found if re.fullmatch(r"(-n|--numprocesses)[ =]?0", option) is None]


def _check_pins(seen: Observation) -> Iterator[Finding]:
    if seen.pins:
        places = [f"{pin.path}:{pin.line}" for pin in seen.pins]
        yield Finding(
            check="pins",
            level=Level.NOTICE,
            message=f"tests or settings with a max_examples of their own: {_shorten(places)}",
            advice="no profile changes these numbers, so a CI profile has no effect on such tests;"
            " measure with `--pins scale` to see what it would save",
        )
    else:
        yield Finding(check="pins", level=Level.OK, message="no test has a max_examples of its own")
    if seen.profile_loads:
        yield Finding(
            check="profiles",
            level=Level.NOTICE,
            message=f"a profile is loaded outside of conftest.py: {_shorten(seen.profile_loads)}",
            advice="if that happens when the file is imported, it applies to every test imported later, so"
            " numbers of examples depend on the order of the files",
        )
    if seen.unreadable:
        yield Finding(
            check="sources",
            level=Level.NOTICE,
            message=f"could not be read: {_shorten(seen.unreadable)}",
            advice="pins in these files are found when the tests run",
        )


def _shorten(places: list[str]) -> str:
    rest = len(places) - SHOWN
    return ", ".join(places[:SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def _check_versions(seen: Observation) -> Iterator[Finding]:
    for name, (oldest, newest) in TESTED.items():
        version = seen.versions.get(name)
        if version is None:
            yield Finding(
                check="versions",
                level=Level.SPOILS,
                message=f"{name} is not installed here",
                advice="run `testinfra` in the environment of the tests",
            )
        elif release(version) < release(oldest):
            yield Finding(
                check="versions",
                level=Level.SPOILS,
                message=f"{name} {version} is older than {oldest}, the oldest that was tested",
                advice=f"upgrade {name}",
            )
        elif release(version)[:2] > release(newest)[:2]:
            yield Finding(
                check="versions",
                level=Level.NOTICE,
                message=f"{name} {version} is newer than {newest}, the newest that was tested",
                advice="compare a few figures with `pytest --hypothesis-show-statistics`",
            )
        elif lost := losses(name, version):
            yield Finding(
                check="versions",
                level=Level.NOTICE,
                message=f"{name} {version}: {'; '.join(loss.what for loss in lost)}",
                advice=f"upgrade {name} to {lost[0].before} or newer for that",
            )
        else:
            yield Finding(check="versions", level=Level.OK, message=f"{name} {version}")


CHECKS: tuple[Callable[[Observation], Iterator[Finding]], ...] = (
    _check_noise,
    _check_contention,
    _check_steal,
    _check_governor,
    _check_tracing,
    _check_ci,
    _check_options,
    _check_pins,
    _check_versions,
)
