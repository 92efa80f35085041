"""
How well local runs say what the run in CI will cost: `make bench-prediction`.

Each suite is measured with 200 examples and with 50, a few times in turns. What the cost model makes of
the first is held against the second, property by property, in CPU seconds; beside it the rule of thumb, a
quarter. The suites are this repository's own and two public ones, from their source distributions.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tarfile
import tempfile
import venv
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from evidence import ROOT, save, table

from atom_testinfra.core.aggregation import gather_evidence
from atom_testinfra.core.config import Targets
from atom_testinfra.core.statistics import quantile
from atom_testinfra.storage.runs import load_session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atom_testinfra.core.baseline import Evidence
    from atom_testinfra.core.measurement import Run

LOCAL, CI = "local", "ci"
WAYS = {
    "model": "model",
    "calibrated": "and calibration",
    "quarter": "a quarter",
    "other_seeds": "another CI run",
}
OURS = "this repository"
MEDIAN, P90 = 0.10, 0.25
"""The relative errors that are asked for, at most."""
WORST = 5
N_RUNS = 3


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
)


@dataclass(frozen=True, kw_only=True)
class Error:
    """How far a property's prediction is off, relative to what was measured; above zero it is too high."""

    nodeid: str
    local_s: float
    ci_s: float
    model: float
    calibrated: float
    quarter: float
    other_seeds: float


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A suite's costs, what part of a core its runs got under each profile, and another run in CI."""

    evidence: Evidence
    shares: dict[str, float]
    other_seeds: dict[str, float]
    """CPU seconds of 50 other examples."""


def main() -> int:
    """Measure, predict, print; 1 if an error is larger than promised."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=Path, help="folder that keeps what was measured, for further calls")
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/prediction.*")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.runs or Path(temporary)).resolve()
        measured = {OURS: measure_ours(folder / "ours")}
        for public in PUBLIC:
            measured[f"{public.name} {public.version}"] = measure_public(public, folder / public.name)
    figures = {suite: _figures(found) for suite, found in measured.items()}
    missed = [suite for suite, found in figures.items() if not found["is_met"]]
    report = describe(figures, missed)
    if options.keep:
        command = " ".join(["python", "benchmarks/prediction.py", *sys.argv[1:]])
        save("prediction", command, figures, report)
    else:
        print(report)
    return 1 if missed else 0


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
    options = [f"--profile={LOCAL}=200", f"--profile={CI}=50", "--only-properties", "--"]
    return _measure(python, next(sources.iterdir()), [*options, *public.arguments], folder)


def find_errors(evidence: Evidence, other_seeds: dict[str, float]) -> list[Error]:
    """Return the errors of all properties whose cost can be predicted."""
    speed = _calibration(evidence, CI) / _calibration(evidence, LOCAL)
    errors = []
    for nodeid, subject in evidence.properties.items():
        local, ci = subject.profiles.get(LOCAL), subject.profiles.get(CI)
        if local is None or ci is None or ci.predicted is None or ci.unpredictable is not None:
            continue
        errors.append(
            Error(
                nodeid=nodeid,
                local_s=local.cpu_s,
                ci_s=ci.cpu_s,
                model=ci.predicted.cpu_s / ci.cpu_s - 1,
                calibrated=ci.predicted.cpu_s * speed / ci.cpu_s - 1,
                quarter=local.cpu_s / 4 / ci.cpu_s - 1,
                other_seeds=other_seeds.get(nodeid, math.nan) / ci.cpu_s - 1,
            )
        )
    return sorted(errors, key=lambda error: -abs(error.calibrated))


def describe(figures: dict[str, dict[str, Any]], missed: list[str]) -> str:
    """Return the table, and what is furthest off."""
    rows = [
        [
            suite,
            str(found["runs"]),
            " / ".join(f"{found['share_of_core'][profile]:.0%}" for profile in (LOCAL, CI)),
            str(found["predicted"]),
            str(found["not_predictable"]),
            *(f"{found[way][key]:.1%}" for way in WAYS for key in ("median", "p90")),
        ]
        for suite, found in figures.items()
    ]
    columns = ["suite", "runs", "of a core", "properties", "not predictable"]
    columns += [f"{way}: {key}" for way in WAYS.values() for key in ("median", "90th")]
    worst = [
        f"- {suite}: `{error['nodeid']}`, {error['calibrated']:+.0%} of {error['ci_s']:g} s"
        for suite, found in figures.items()
        for error in found["worst"]
    ]
    verdict = "met." if not missed else f"missed by {', '.join(missed)}."
    explained = f"""\
Absolute errors of the CPU seconds of 50 examples, predicted from those of 200, medians over the runs;
asked for: at most {MEDIAN:.0%} in the median and {P90:.0%} at the 90th percentile, {verdict}
What the runs got of a core, local and CI: other work beside them makes their CPU seconds longer as well.
The calibration says by how much the machine was faster in the one than in the other.
Another CI run is one with other seeds: how far two runs of equal code are apart, which nothing can foretell.
Not predictable is what does not cost more with more examples: the search space ends first,
Hypothesis runs inside of Hypothesis, or too few examples are found."""
    return "\n\n".join([table(columns, rows), explained, "Furthest off:", "\n".join(worst)])


def _figures(measured: Measured) -> dict[str, Any]:
    evidence = measured.evidence
    errors = find_errors(evidence, measured.other_seeds)
    summary: dict[str, dict[str, float]] = {}
    for way in WAYS:
        values = [abs(error) for error in map(attrgetter(way), errors) if not math.isnan(error)]
        summary[way] = {"median": round(median(values), 4), "p90": round(quantile(values, 0.9), 4)}
    best = summary["calibrated"]
    return {
        **summary,
        "is_met": best["median"] <= MEDIAN and best["p90"] <= P90,
        "bias": round(median(error.calibrated for error in errors), 4),
        "runs": min(
            cost.repeats for subject in evidence.properties.values() for cost in subject.profiles.values()
        ),
        "predicted": len(errors),
        "not_predictable": len(evidence.properties) - len(errors),
        "share_of_core": measured.shares,
        "worst": [vars(error) for error in errors[:WORST]],
    }


def _calibration(evidence: Evidence, profile: str) -> float:
    """Return the typical calibration of a profile's runs."""
    costs = [
        subject.profiles[profile] for subject in evidence.properties.values() if profile in subject.profiles
    ]
    return median(seconds for cost in costs for seconds in cost.runs.calibration_s)


def _measure(python: Path, root: Path, arguments: list[str], folder: Path) -> Measured:
    """Measure each profile a few times, or read what was measured before."""
    folder.mkdir(parents=True, exist_ok=True)
    runs = _session(python, root, [f"--repeats={N_RUNS}", *arguments], folder / "session")
    others = [argument for argument in arguments if not argument.startswith(f"--profile={LOCAL}")]
    again = _session(python, root, ["--repeats=1", "--seed-set=1", *others], folder / "other-seeds")
    first, second = (gather_evidence(session, targets=Targets(), tiers={}) for session in (runs, again))
    return Measured(
        evidence=first,
        shares={profile: _share_of_core(runs, profile) for profile in (LOCAL, CI)},
        other_seeds={nodeid: subject.profiles[CI].cpu_s for nodeid, subject in second.properties.items()},
    )


def _session(python: Path, root: Path, arguments: list[str], known: Path) -> list[Run]:
    """Return the runs of a session, which is made unless it is known."""
    if not known.exists():
        _say(f"measuring in {root.name}")
        options = ["measure", "--json", *arguments]
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
