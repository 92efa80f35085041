"""
Whether survivors in public suites are real: `make bench-survivors`.

`testinfra mutate` runs on suites as their source distributions bring them, in environments of their own. The
first survivors of its answer are then repeated by editing the file and running pytest, and shown with what
was written down of each, by reading the code, in `subjects/survivors.toml`: a hole in the tests, a change
that no test can notice, or a mistake of the tool.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import venv
from collections import Counter
from pathlib import Path
from typing import Any

from evidence import ROOT, save, table
from public_suites import CI_NAMES, SUBJECTS, Subject, build_wheel, download

JUDGED = ROOT / "benchmarks/subjects/survivors.toml"
MEANINGS = {
    "hole": "a hole in the tests",
    "equivalent": "equivalent: no test can notice",
    "log": "changes only what is logged or what an error says",
    "mistake": "a mistake of the tool",
}
UNJUDGED = "not judged"
NO_COPY = shutil.ignore_patterns(".testinfra", ".hypothesis", ".pytest_cache", "__pycache__", "build")


class Stranger:
    """A public suite as a contributor has it: unpacked, and installed so that edits count."""

    def __init__(self, name: str, subject: Subject, folder: Path, wheel: Path) -> None:
        self._arguments = subject.arguments
        with tarfile.open(download(name, subject.version, folder)) as archive:
            archive.extractall(folder, filter="data")
        self.root = next(path.parent for path in folder.glob("*/PKG-INFO"))
        venv.create(folder / "venv", with_pip=True)
        self._bin = folder / "venv" / "bin"
        pip = [str(self._bin / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        needs = [str(wheel), "hypothesis", "pytest", *subject.needs]
        subprocess.run([*pip, "--editable", str(self.root), *needs], check=True)

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
            done = self._run(copy, "python", "-m", "pytest", "-q", "-p", "no:cacheprovider")
            return done.returncode == 0 and " passed" in done.stdout

    def _run(self, folder: Path, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {key: value for key, value in os.environ.items() if key not in CI_NAMES}
        environment["PYTHONPATH"] = os.pathsep.join([str(folder), str(folder / "src")])
        command = [str(self._bin / program), *arguments, *self._arguments]
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
    options = parser.parse_args()
    judged = tomllib.loads(JUDGED.read_text())
    figures: dict[str, Any] = {}
    parts: list[str] = []
    with tempfile.TemporaryDirectory() as folder_name:
        wheel = build_wheel(Path(folder_name))
        for name in options.suites:
            folder = Path(folder_name) / name
            folder.mkdir()
            sys.stderr.write(f"{name}: making its environment\n")
            stranger = Stranger(name, SUBJECTS[name], folder, wheel)
            sys.stderr.write(f"{name}: asking for {options.minutes} minutes\n")
            findings = stranger.mutate(options.minutes)
            counts = Counter(finding["verdict"] for finding in findings)
            shown = [
                describe(
                    finding, judged.get(name, {}), is_repeated=stranger.passes_with(finding["difference"])
                )
                for finding in first_survivors(findings, options.first)
            ]
            figures[name] = {"verdicts": counts, "survivors": shown}
            parts.append(report(f"{name} {SUBJECTS[name].version}", counts, shown))
    text = "\n\n".join(parts)
    if options.keep:
        save("survivors", " ".join(["python", "benchmarks/survivors.py", *sys.argv[1:]]), figures, text)
    else:
        sys.stdout.write(f"{text}\n")
    everything = [one for figure in figures.values() for one in figure["survivors"]]
    return int(any(not one["is_repeated"] or one["judged"] == "mistake" for one in everything))


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


def describe(finding: dict[str, Any], judged: dict[str, Any], *, is_repeated: bool) -> dict[str, Any]:
    """Return what there is to say of a survivor."""
    said = judged.get(finding["id"], {"judged": UNJUDGED, "why": ""})
    lines = finding["difference"].splitlines()[3:]
    return {
        "id": finding["id"],
        "place": f"{finding['path']}:{finding['line']} in {finding['function']}",
        "before": _words(lines, "-"),
        "after": _words(lines, "+"),
        "is_repeated": is_repeated,
        **said,
    }


def _words(lines: list[str], sign: str) -> str:
    text = " ".join(line[1:].strip() for line in lines if line.startswith(sign))
    return text.replace("|", "\\|") if len(text) <= 110 else f"{text[:109]}…".replace("|", "\\|")


def report(title: str, counts: Counter[str], shown: list[dict[str, Any]]) -> str:
    """Return the table of one suite."""
    judged = Counter(one["judged"] for one in shown)
    said = ", ".join(
        f"{judged[key]} {text}" for key, text in (MEANINGS | {UNJUDGED: UNJUDGED}).items() if judged[key]
    )
    repeated = sum(one["is_repeated"] for one in shown)
    rows = [
        [
            f"{one['place']} `{one['id']}`",
            f"`{one['before']}` -> `{one['after']}`",
            "passes" if one["is_repeated"] else "FAILS",
            one["judged"],
            one["why"],
        ]
        for one in shown
    ]
    return "\n\n".join(
        [
            f"## {title}",
            f"Verdicts: {', '.join(f'{n} {verdict}' for verdict, n in counts.most_common())}.",
            f"Of the first {len(shown)} survivors, {repeated} pass when the file is edited: {said}.",
            table(["survivor", "change", "edited file", "judged", "why"], rows),
        ]
    )


if __name__ == "__main__":
    raise SystemExit(main())
