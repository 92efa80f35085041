"""
How well local runs say what the run in CI will cost: `make bench-prediction`.

Each suite is measured as for a baseline, several runs of 200 examples and of 50 in turns, and then with the
same 50 again, for several sets of seeds. What the cost model makes of 200 is compared with the measured 50 of
the same set, property by property, in the CPU seconds that a baseline holds, medians over the runs; beside it
the rule of thumb, a quarter, and how far runs of 50 are apart themselves. The suites are this repository's
own and public ones, from their source distributions.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import venv
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from evidence import ROOT, save, table

from atom_testinfra.core.config import Targets
from atom_testinfra.core.costs.aggregation import gather_evidence
from atom_testinfra.core.statistics import quantile
from atom_testinfra.storage.sessions import load_session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atom_testinfra.core.costs.baseline import Evidence, PropertyCost
    from atom_testinfra.core.records.measurement import Run

LOCAL, CI = "local", "ci"
WAYS = {
    "model": "model",
    "quarter": "a quarter",
    "again": "CI again",
    "other_seeds": "other seeds",
    "single": "model, one run",
    "single_quarter": "a quarter, one run",
}
"""What is compared with the cost in CI."""
OURS = "this repository"
MEDIAN, P90 = 0.10, 0.25
"""The relative errors that are asked for, at most."""
N_PUBLIC = 2
"""How many public suites, at least, have to keep them."""
LIMITS = {"median": MEDIAN, "p90": P90}
WORST = 5
SEED_SETS = (0, 1)
REPEATS = 3


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """A public suite, and what its tests need."""

    name: str
    version: str
    needs: tuple[str, ...]
    arguments: tuple[str, ...]


PUBLIC = (
    Distribution(
        name="attrs", version="26.1.0", needs=("cloudpickle", "pympler", "pytest-xdist"), arguments=("tests",)
    ),
    Distribution(
        name="bidict",
        version="0.21.4",
        needs=("py", "pytest-benchmark", "sortedcollections", "sortedcontainers"),
        arguments=("tests", "-W", "ignore::DeprecationWarning"),
    ),
    Distribution(name="hpack", version="4.2.0", needs=(), arguments=()),
    Distribution(
        name="packaging",
        version="26.4",
        needs=("pretend", "tomli_w"),
        arguments=("-m", "property", "tests/property/test_version_ordering.py"),
    ),
)


@dataclass(frozen=True, kw_only=True)
class Error:
    """How far off the cost in CI was, relative to what was measured; above zero: predicted too high."""

    nodeid: str
    local_s: float
    ci_s: float
    model: float
    quarter: float
    again: float
    other_seeds: float
    single: float
    single_quarter: float


@dataclass(frozen=True, kw_only=True)
class Round:
    """What was measured with one set of seeds."""

    costs: Evidence
    """Of the runs with 200 examples and of those with 50."""
    single: Evidence
    """Of the first of each."""
    again: Evidence
    """Of further runs of the same 50."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A suite's costs by set of seeds, and what part of a core its runs got under each profile."""

    rounds: list[Round]
    shares: dict[str, float]


def main() -> int:
    """Measure, predict, print; 1 if errors are larger than promised here, or in too many public suites."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--runs", type=Path, help="folder, outside of this repository, that keeps the runs for further calls"
    )
    parser.add_argument("--suite", action="append", help="measure only this one; may be given several times")
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/prediction.*")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.runs or Path(temporary)).resolve()
        if folder.is_relative_to(ROOT):
            parser.error("--runs lies in this repository, whose settings would hold for public suites too")
        measured = {}
        if options.suite is None or OURS in options.suite:
            measured[OURS] = measure_ours(folder / "ours")
        for public in PUBLIC:
            if options.suite is None or public.name in options.suite:
                measured[f"{public.name} {public.version}"] = measure_public(public, folder / public.name)
    figures = {suite: _figures(found) for suite, found in measured.items()}
    missed = [suite for suite, found in figures.items() if not found["is_met"]]
    report = describe(figures, missed)
    if options.keep:
        command = " ".join(["python", "benchmarks/prediction.py", *sys.argv[1:]])
        save("prediction", command, figures, report)
    else:
        print(report)
    n_public = len(figures.keys() - {OURS})
    n_met = len(figures.keys() - {OURS, *missed})
    return 1 if OURS in missed or n_met < min(N_PUBLIC, n_public) else 0


def measure_ours(folder: Path) -> Measured:
    """Measure the suite of this repository, under its own two profiles."""
    return _measure(Path(sys.executable), ROOT, [f"--profile={LOCAL}", f"--profile={CI}"], folder)


def measure_public(public: Distribution, folder: Path) -> Measured:
    """Measure a public suite, in an environment of its own."""
    sources, python = folder / "sources", folder / "venv" / "bin" / "python"
    if not python.exists():
        _say(f"{public.name}: making its environment")
        venv.create(folder / "venv", with_pip=True)
        pip = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check"]
        wanted = f"{public.name}=={public.version}"
        _run([*pip, "download", "--no-binary=:all:", "--no-deps", "--dest", str(folder), wanted])
        with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
            archive.extractall(sources, filter="data")
        root = next(sources.iterdir())
        _run([*pip, "install", str(root), str(ROOT / "tools" / "testinfra"), *public.needs])
    # A number that a test pins is the same under both profiles: predicting that would be trivial.
    options = [f"--profile={LOCAL}=200", f"--profile={CI}=50", "--pins=override", "--only-properties", "--"]
    return _measure(python, next(sources.iterdir()), [*options, *public.arguments], folder)


def find_predictable(measured: Measured) -> list[str]:
    """Return the properties whose cost the tool predicts, whatever the seeds."""
    return [
        nodeid
        for nodeid in measured.rounds[0].costs.properties
        if all(
            _is_predicted(evidence.properties.get(nodeid))
            for each in measured.rounds
            for evidence in (each.costs, each.single)
        )
        and all(nodeid in each.again.properties for each in measured.rounds)
    ]


def find_errors(measured: Measured, nodeids: Sequence[str]) -> list[Error]:
    """Return the errors of each property in each round, the largest first."""
    errors = []
    for one, next_one in zip(measured.rounds, [*measured.rounds[1:], measured.rounds[0]], strict=True):
        unit, again_unit, other_unit = map(_calibration, (one.costs, one.again, next_one.costs))
        for nodeid in nodeids:
            subject, single = one.costs.properties[nodeid], one.single.properties[nodeid]
            ci_s, single_ci_s = _cpu_s(subject, CI), _cpu_s(single, CI)
            again_s = _cpu_s(one.again.properties[nodeid], CI) * unit / again_unit
            other_s = _cpu_s(next_one.costs.properties[nodeid], CI) * unit / other_unit
            errors.append(
                Error(
                    nodeid=nodeid,
                    local_s=_cpu_s(subject, LOCAL),
                    ci_s=ci_s,
                    model=_predict_cpu_s(subject) / ci_s - 1,
                    quarter=_cpu_s(subject, LOCAL) / 4 / ci_s - 1,
                    again=again_s / ci_s - 1,
                    other_seeds=other_s / ci_s - 1,
                    single=_predict_cpu_s(single) / single_ci_s - 1,
                    single_quarter=_cpu_s(single, LOCAL) / 4 / single_ci_s - 1,
                )
            )
    return sorted(errors, key=lambda error: -abs(error.model))


def _is_predicted(subject: PropertyCost | None) -> bool:
    if subject is None or not {LOCAL, CI} <= subject.profiles.keys():
        return False
    ci = subject.profiles[CI]
    return ci.predicted is not None and ci.unpredictable is None


def _cpu_s(subject: PropertyCost, profile: str) -> float:
    return subject.profiles[profile].cpu_s


def _predict_cpu_s(subject: PropertyCost) -> float:
    predicted = subject.profiles[CI].predicted
    assert predicted is not None
    return predicted.cpu_s


def describe(figures: dict[str, dict[str, Any]], missed: list[str]) -> str:
    """Return the table, and what is furthest off."""
    rows = [
        [
            suite,
            " / ".join(f"{found['share_of_core'][profile]:.0%}" for profile in (LOCAL, CI)),
            str(found["predicted"]),
            str(found["not_predictable"]),
            *(f"{found[way][key]:.1%}" for way in WAYS for key in ("median", "p90")),
        ]
        for suite, found in figures.items()
    ]
    columns = ["suite", "of a core", "properties", "not predictable"]
    columns += [f"{way}: {key}" for way in WAYS.values() for key in ("median", "90th")]
    worst = [
        f"- {suite}: `{error['nodeid']}`, {error['model']:+.0%} of {error['ci_s']:g} s"
        for suite, found in figures.items()
        for error in found["worst"]
    ]
    verdict = f"missed by {', '.join(missed)}" if missed else "met by all"
    bound_by_chance = [
        suite
        for suite in missed
        if any(figures[suite]["other_seeds"][key] > most for key, most in LIMITS.items())
    ]
    floor = (
        f"\nIn {', '.join(bound_by_chance)} 50 other examples differ by more than is asked for."
        if bound_by_chance
        else ""
    )
    explained = f"""\
Absolute errors of the CPU seconds with 50 examples, predicted from those with 200, over all properties and
{len(SEED_SETS)} sets of seeds; both are medians of {REPEATS} runs, as in a baseline, or of one run each.
Asked for of this repository's suite and of {N_PUBLIC} public ones: at most {MEDIAN:.0%} off in the median and
{P90:.0%} at the 90th percentile, {verdict}.{floor}
What the runs got of a core, local and CI: other work beside them makes their CPU seconds longer as well.
CI again: the very same examples in a session of its own, over the calibration, so what the machine adds.
Other seeds: 50 other examples, so what chance adds; nothing can predict either.
Not predictable is what does not cost more with more examples: the search space ends first,
Hypothesis runs inside of Hypothesis, or too few examples are found."""
    return "\n\n".join([table(columns, rows), explained, "Furthest off:", "\n".join(worst)])


def _figures(measured: Measured) -> dict[str, Any]:
    nodeids = find_predictable(measured)
    errors = find_errors(measured, nodeids)
    by_way = {way: [getattr(error, way) for error in errors] for way in WAYS}
    summary = {
        way: {
            "median": round(median(map(abs, values)), 4),
            "p90": round(quantile([*map(abs, values)], 0.9), 4),
            "bias": round(median(values), 4),
        }
        for way, values in by_way.items()
    }
    return {
        **summary,
        "is_met": all(summary["model"][key] <= most for key, most in LIMITS.items()),
        "predicted": len(nodeids),
        "not_predictable": len(measured.rounds[0].costs.properties) - len(nodeids),
        "share_of_core": measured.shares,
        "worst": [vars(error) for error in errors[:WORST]],
    }


def _calibration(evidence: Evidence) -> float:
    """Return the typical calibration of the runs in CI."""
    costs = [subject.profiles[CI] for subject in evidence.properties.values() if CI in subject.profiles]
    return median(seconds for cost in costs for seconds in cost.runs.calibration_s)


def _measure(python: Path, root: Path, arguments: list[str], folder: Path) -> Measured:
    """Measure every round, or read what was measured before."""
    folder.mkdir(parents=True, exist_ok=True)
    only_ci = [argument for argument in arguments if not argument.startswith(f"--profile={LOCAL}")]
    rounds: list[Round] = []
    runs: list[Run] = []
    for seed_set in SEED_SETS:
        options = [f"--repeats={REPEATS}", "--time-budget=1e6", f"--seed-set={seed_set}"]
        both = _session(python, root, [*options, *arguments], folder / f"session-{seed_set}")
        again = _session(python, root, [*options, *only_ci], folder / f"again-{seed_set}")
        first = [run for run in both if run.header.repeat == 0]
        costs, single, same = (
            gather_evidence(session, targets=Targets(), tiers={}) for session in (both, first, again)
        )
        rounds.append(Round(costs=costs, single=single, again=same))
        runs += both
    return Measured(rounds=rounds, shares={profile: _share_of_core(runs, profile) for profile in (LOCAL, CI)})


def _session(python: Path, root: Path, arguments: list[str], known: Path) -> list[Run]:
    """Return the runs of a session, which is made unless it is known."""
    if not known.exists():
        _say(f"measuring in {root.name}")
        options = ["measure", "--json", "--baseline", *arguments]
        document = json.loads(_run([str(python), "-m", "atom_testinfra", *options], root, ok=(0, 1)))
        known.write_text(document["session_id"])
    return load_session(root / ".testinfra" / "runs", known.read_text())


def _share_of_core(runs: Sequence[Run], profile: str) -> float:
    """Return how much of a core the tests got: other work beside them makes their CPU seconds longer, too."""
    calls = [record.call for run in runs if run.header.profile == profile for record in run.measurements]
    return round(sum(call.cpu_s for call in calls) / sum(call.wall_s for call in calls), 3)


def _run(command: list[str], cwd: Path | None = None, *, ok: Sequence[int] = (0,)) -> str:
    environment = {name: value for name, value in os.environ.items() if name not in {"CI", "PYTEST_ADDOPTS"}}
    done = subprocess.run(
        command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=None, text=True, check=False
    )
    if done.returncode not in ok:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}")
    return done.stdout


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
