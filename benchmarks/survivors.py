"""
Whether survivors in public suites are real: `make bench-survivors`.

`testinfra mutate` runs on suites as their source distributions bring them, in environments of their own. The
first survivors of its answer are then repeated by editing the file and running pytest with the same seeds,
and shown with what was written down of each, by reading the code, in `subjects/survivors.toml`: a hole in the
tests, a change that no test can notice, or a mistake of the tool. `--again` writes the page anew, from the
figures that were kept, when more was written down.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

from evidence import RESULTS, ROOT, save, table, write_page
from public_suites import CI_NAMES, SUBJECTS, Project, Subject, build_wheel

JUDGED = ROOT / "benchmarks/subjects/survivors.toml"
SEEDS = "mutate_truth_plugin"
"""The plugin that gives properties what `testinfra mutate` gives them."""
MEANINGS = {
    "hole": "a hole in the tests",
    "equivalent": "equivalent: no test can notice",
    "log": "changes only what is logged or what an error says",
    "mistake": "a mistake of the tool",
}
UNJUDGED = "not judged"
NO_COPY = shutil.ignore_patterns(".testinfra", ".hypothesis", ".pytest_cache", "__pycache__", "build")


class Stranger(Project):
    """A public suite as a contributor has it: unpacked, and installed so that edits count."""

    def __init__(self, name: str, subject: Subject, folder: Path, wheel: Path) -> None:
        super().__init__(name, subject, folder, wheel, is_editable=True)
        self._plugins = folder / "plugins"
        self._plugins.mkdir()
        shutil.copy(Path(__file__).with_name(f"{SEEDS}.py"), self._plugins)

    def mutate(self, minutes: int) -> list[dict[str, Any]]:
        """Return the findings of `testinfra mutate` within a time."""
        said = self._run(self.root, "testinfra", "mutate", "--json", "--time", f"{minutes}m", "--")
        findings: list[dict[str, Any]] = json.loads(said.stdout)["findings"]
        return findings

    def passes_with(self, difference: str) -> bool:
        """Return whether the suite passes in a copy with a change."""
        with tempfile.TemporaryDirectory() as name:
            copy = shutil.copytree(self.root, Path(name) / "copy", ignore=NO_COPY)
            patch = ["git", "apply", "--unidiff-zero", "-"]
            subprocess.run(patch, cwd=copy, input=f"{difference}\n", text=True, check=True)
            done = self._run(copy, "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", SEEDS)
            return done.returncode == 0 and " passed" in done.stdout

    def _run(self, folder: Path, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {key: value for key, value in os.environ.items() if key not in CI_NAMES}
        environment["PYTHONPATH"] = os.pathsep.join(map(str, [folder, folder / "src", self._plugins]))
        environment["UNCHANGED"] = os.pathsep.join(map(str, [folder, self.root]))
        command = [str(self._bin / program), *arguments, *self._subject.arguments]
        return subprocess.run(
            command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=False
        )


def main() -> int:
    """Ask, repeat, report; 1 if a survivor is not repeated, or is a mistake of the tool."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--suites", nargs="+", choices=list(SUBJECTS), default=["bidict", "hpack"], metavar="SUITE"
    )
    parser.add_argument("--minutes", type=int, default=3, help="how long to ask in each suite")
    parser.add_argument("--first", type=int, default=20, help="survivors to show of each suite")
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/")
    parser.add_argument("--again", action="store_true", help="only write the page of the kept figures anew")
    options = parser.parse_args()
    if options.again:
        record = json.loads((RESULTS / "survivors.json").read_text())
        sys.stdout.write(write_page(record, report(record["figures"])))
        return verdict(record["figures"])
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder_name:
        wheel = build_wheel(Path(folder_name))
        for name in options.suites:
            folder = Path(folder_name) / name
            folder.mkdir()
            sys.stderr.write(f"{name}: making its environment\n")
            stranger = Stranger(name, SUBJECTS[name], folder, wheel)
            sys.stderr.write(f"{name}: asking for {options.minutes} minutes\n")
            findings = stranger.mutate(options.minutes)
            shown = [
                describe(finding, is_repeated=stranger.passes_with(finding["difference"]))
                for finding in first_survivors(findings, options.first)
            ]
            figures[name] = {
                "version": SUBJECTS[name].version,
                "verdicts": Counter(finding["verdict"] for finding in findings),
                "survivors": shown,
            }
    if options.keep:
        command = " ".join(["python", "benchmarks/survivors.py", *sys.argv[1:]])
        save("survivors", command, figures, report(figures))
    else:
        sys.stdout.write(f"{report(figures)}\n")
    return verdict(figures)


def judge(name: str, survivor: dict[str, Any]) -> tuple[str, str]:
    """Return what was written down of a survivor, and why."""
    said = tomllib.loads(JUDGED.read_text()).get(name, {}).get(survivor["id"], {})
    return said.get("judged", UNJUDGED), said.get("why", "")


def verdict(figures: dict[str, Any]) -> int:
    """Return 1 if a survivor is not repeated, or is a mistake of the tool."""
    everything = [(name, one) for name, figure in figures.items() for one in figure["survivors"]]
    return int(any(not one["is_repeated"] or judge(name, one)[0] == "mistake" for name, one in everything))


def first_survivors(findings: list[dict[str, Any]], most: int) -> list[dict[str, Any]]:
    """Return survivors in functions, those that are executed most often first, one for each line."""
    survivors = [
        one
        for one in findings
        if one["verdict"] == "survived" and one["function"] and not one.get("is_hidden")
    ]
    survivors.sort(key=lambda one: -one.get("n_executed", 0))
    by_line: dict[tuple[str, int], dict[str, Any]] = {}
    for one in survivors:
        by_line.setdefault((one["path"], one["line"]), one)
    return list(by_line.values())[:most]


def describe(finding: dict[str, Any], *, is_repeated: bool) -> dict[str, Any]:
    """Return what there is to say of a survivor."""
    lines = finding["difference"].splitlines()[3:]
    return {
        "id": finding["id"],
        "place": f"{finding['path']}:{finding['line']} in {finding['function']}",
        "before": _words(lines, "-"),
        "after": _words(lines, "+"),
        "is_repeated": is_repeated,
    }


def _words(lines: list[str], sign: str) -> str:
    text = " ".join(line[1:].strip() for line in lines if line.startswith(sign))
    return text.replace("|", "\\|") if len(text) <= 110 else f"{text[:109]}…".replace("|", "\\|")


def report(figures: dict[str, Any]) -> str:
    """Return a table for each suite."""
    parts = []
    for name, figure in figures.items():
        shown = figure["survivors"]
        judged = [judge(name, one) for one in shown]
        counts = Counter(key for key, _ in judged)
        meanings = {**MEANINGS, UNJUDGED: UNJUDGED}
        said = ", ".join(f"{counts[key]} {text}" for key, text in meanings.items() if counts[key])
        verdicts = sorted(figure["verdicts"].items(), key=lambda item: -item[1])
        rows = [
            [
                f"{one['place']} `{one['id']}`",
                f"`{one['before']}` -> `{one['after']}`",
                "passes" if one["is_repeated"] else "FAILS",
                *words,
            ]
            for one, words in zip(shown, judged, strict=True)
        ]
        n_repeated = sum(one["is_repeated"] for one in shown)
        parts += [
            f"## {name} {figure['version']}",
            f"Verdicts: {', '.join(f'{n} {verdict}' for verdict, n in verdicts)}.",
            f"Of the first {len(shown)} survivors, {n_repeated} pass when the file is edited: {said}.",
            table(["survivor", "change", "edited file", "judged", "why"], rows),
        ]
    return "\n\n".join(parts)


if __name__ == "__main__":
    raise SystemExit(main())
