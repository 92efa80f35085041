"""
How many faults the backend's tests notice, by service: `make bench-faults`; and which properties notice none.

The faults are those of `subjects/faults/by_hand.toml`, which people wrote down, and a fair sample of mutants.
`testinfra mutate` asks about both and keeps the verdicts, so that the same command goes on where it stopped.
With `--properties` each property is asked alone: `make bench-properties`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from evidence import ROOT, save, table

BY_HAND = Path("benchmarks/subjects/faults/by_hand.toml")
PRODUCT = "backend/src/atom/"
ASKED_PERCENT = 95.0
"""Share of the faults of each service that its tests have to notice."""

Finding = dict[str, Any]


def main() -> int:
    """Ask, report, save; 1 if a service falls short, or a property notices nothing."""
    arguments = _arguments()
    return _properties(arguments) if arguments.properties else _faults(arguments)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Faults put into the backend, and who notices.")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--sample", type=int, default=120, help="mutants beside the faults written by hand")
    parser.add_argument("--minutes", type=int, default=600, help="ask about no further fault after that")
    parser.add_argument("--properties", action="store_true", help="ask each property alone instead")
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/")
    return parser.parse_args()


def _faults(arguments: argparse.Namespace) -> int:
    time = ["--time", f"{arguments.minutes}m"]
    by_hand = _mutate(["--faults", str(BY_HAND), *time])
    sample = _mutate(["--sample", str(arguments.sample), "--seed", str(arguments.seed), *time])
    scores: dict[str, list[Finding]] = defaultdict(list)
    hand: dict[str, list[Finding]] = defaultdict(list)
    for finding in by_hand["findings"]:
        hand[_service_of(finding["path"])].append(finding)
    for finding in [*by_hand["findings"], *sample["findings"]]:
        scores[_service_of(finding["path"])].append(finding)
    rows = [
        [
            service,
            str(len(found)),
            str(_n_noticed(found)),
            f"{_percent(found):.1f} %",
            f"{_n_noticed(hand[service])} of {len(hand[service])}",
        ]
        for service, found in sorted(scores.items())
    ]
    everything = [finding for found in scores.values() for finding in found]
    left = by_hand["n_left"] + sample["n_left"]
    late = f"; for {left} more the time was over" if left else ""
    parts = [
        table(["service", "faults", "noticed", "share", "by hand"], rows),
        f"All: {_n_noticed(everything)} of {len(everything)} noticed, seed {arguments.seed}{late}.",
    ]
    unnoticed = [
        finding for finding in everything if not _is_noticed(finding) and not finding.get("accepted")
    ]
    if unnoticed:
        parts.append("Not noticed:")
        parts += [
            f"`{one['path']}:{one['line']}` {one['operator']}, {one['verdict']}\n\n"
            f"```diff\n{one['difference']}\n```"
            for one in unnoticed
        ]
    figures = {
        "seed": arguments.seed,
        "services": {
            service: {
                "faults": len(found),
                "noticed": _n_noticed(found),
                "percent": round(_percent(found), 2),
            }
            for service, found in scores.items()
        },
        "not_noticed": [one["id"] for one in unnoticed],
        "not_asked": left,
    }
    _tell("faults", f"make bench-faults SEED={arguments.seed}", figures, "\n\n".join(parts), arguments)
    return int(any(_percent(found) < ASKED_PERCENT for found in scores.values()))


def _properties(arguments: argparse.Namespace) -> int:
    time = ["--time", f"{arguments.minutes}m", "--seed", str(arguments.seed)]
    worths = _mutate(["--each-property", *time])["properties"]
    judged = [one for one in worths if one.get("is_judged", True)]
    noticed = [one for one in judged if "noticed" in one]
    at_once = sum(one["n_asked"] == 1 for one in noticed)
    by_assertion = sum(one["noticed"]["verdict"] == "noticed by an assertion" for one in noticed)
    silent = sorted(one["nodeid"] for one in judged if "noticed" not in one)
    summary = (
        f"{len(noticed)} of {len(judged)} properties noticed a mutant of what they execute: {at_once} the "
        f"first that they were asked about, {by_assertion} by an assertion; seed {arguments.seed}. "
        f"{len(worths) - len(judged)} were not asked about enough, because the time was over."
    )
    parts = [summary]
    if silent:
        parts.append("Noticed nothing:\n\n" + "\n".join(f"- `{nodeid}`" for nodeid in silent))
    figures = {
        "seed": arguments.seed,
        "n_asked": {one["nodeid"]: one["n_asked"] for one in worths},
        "noticed_nothing": silent,
    }
    command = f"make bench-properties SEED={arguments.seed}"
    _tell("noticing_properties", command, figures, "\n\n".join(parts), arguments)
    return int(bool(silent))


def _mutate(arguments: list[str]) -> dict[str, Any]:
    """Run `testinfra mutate` on the backend with the CI profile, and return its document."""
    command = [sys.executable, "-m", "atom_testinfra", "mutate", "--profile", "ci", "--json", *arguments]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode not in {0, 1}:
        raise SystemExit(done.returncode)
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def _service_of(path: str) -> str:
    """Return the package of a module; what belongs to no domain is the edge."""
    folder, _, rest = path.removeprefix(PRODUCT).partition("/")
    return folder if rest and folder != "web" else "edge"


def _is_noticed(finding: Finding) -> bool:
    return bool(finding["verdict"].startswith("noticed"))


def _n_noticed(findings: list[Finding]) -> int:
    return sum(map(_is_noticed, findings))


def _percent(findings: list[Finding]) -> float:
    return 100.0 * _n_noticed(findings) / len(findings) if findings else 0.0


def _tell(name: str, command: str, figures: object, text: str, arguments: argparse.Namespace) -> None:
    if arguments.keep:
        save(name, command, figures, text)
    else:
        sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
