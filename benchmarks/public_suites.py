"""
Measure public suites as a stranger would, compared with Hypothesis's own figures: `make bench-public`.

Each suite comes with its source distribution and runs unchanged, in an environment of its own into which the
tool was installed from its wheel. The statistics are those that Hypothesis writes into pytest's JUnit file,
in the same run; a second run without the tool says whether as many examples run, and whether the same tests
pass. A third run is killed half way, by signal 9, and resumed.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import venv
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from xml.etree import ElementTree as ET

from evidence import RESULTS, ROOT, save, table

from atom_testinfra.core.records.parts import Part, parts_of
from atom_testinfra.storage.runs import load_run
from atom_testinfra.storage.sessions import list_sessions, load_session

if TYPE_CHECKING:
    from atom_testinfra.core.records.measurement import Measurement, Run

COUNT_LIMIT, TIME_LIMIT, PARTS_LIMIT = 0.02, 0.10, 0.02
COMPARED_S = 0.1
"""Hypothesis prints hundredths of a second: shorter phases are compared in their sum only."""
LIMIT_S = 1800
PROFILE = "public"
PHASE = re.compile(
    r"- during (\w+) phase \(([\d.]+) seconds\):\n.*\n +- (\d+) passing, (\d+) failing, and (\d+) invalid"
)
STATISTICS = "hypothesis-statistics-"
COUNTED = ("reuse", "generate")
"""The phases whose examples count towards `max_examples`."""
T = TypeVar("T")
SUBJECT_FOLDERS = ROOT / "benchmarks" / "subjects"
GENERATED = shutil.ignore_patterns("__pycache__", ".*")
CI_NAMES = {"CI", "GITHUB_ACTIONS", "PYTEST_ADDOPTS"}


@dataclass(frozen=True, kw_only=True)
class Subject:
    """
    A suite, what its tests need, and how many examples its own profile asks for.

    It comes from the source distribution of a version, or from a folder of `subjects`.
    """

    version: str = ""
    needs: list[str] = field(default_factory=list)
    arguments: list[str] = field(default_factory=list)
    n_examples: int = 100
    about: str


SUBJECTS = {
    "attrs": Subject(
        version="26.1.0",
        needs=["cloudpickle", "pympler", "pytest-xdist[psutil]"],
        about="methods, its own profile, pinned numbers, many plain tests",
    ),
    "hyperlink": Subject(
        version="21.0.0", needs=["idna"], about="unittest classes, health checks that fail with some seeds"
    ),
    "bidict": Subject(
        version="0.21.4",
        needs=["py", "pytest-benchmark", "sortedcollections", "sortedcontainers"],
        arguments=["tests", "-W", "ignore::DeprecationWarning"],
        n_examples=200,
        about="its own profile, warnings as errors, benchmarks beside properties",
    ),
    "packaging": Subject(
        version="26.4",
        needs=["pretend", "tomli_w"],
        arguments=[
            *("-m", "property"),
            *(f"tests/property/test_{name}.py" for name in ("version_ordering", "specifier_fast_match")),
        ],
        about="properties deselected by its own options, plugins turned off",
    ),
    "pyrsistent": Subject(
        version="0.20.0", arguments=["tests"], about="state machines with pinned numbers of steps"
    ),
    "hpack": Subject(version="4.2.0", about="binary data"),
    "zarr": Subject(
        version="3.1.6",
        needs=["pytest-asyncio", "pytest-accept", "numpydoc", "tomlkit", "pytest-benchmark", "uv"],
        arguments=["tests/test_properties.py", "tests/test_store/test_memory.py"],
        n_examples=300,
        about="numpy arrays, asyncio, its own profiles",
    ),
    "natsort": Subject(
        version="8.4.0",
        needs=["hypothesis", "pytest-mock", "semver"],
        arguments=["tests"],
        about="pure functions, parametrised",
    ),
    "isort": Subject(
        version="9.0.2",
        needs=["hypothesis", "hypothesmith", "pytest", "colorama", "black", "libcst", "tomli_w"],
        arguments=["tests/unit"],
        about="generated source code, many plain tests",
    ),
    "pytest-trio": Subject(
        version="0.8.0",
        # The last trio with `trio.tests`, which the tests import.
        needs=["trio==0.22.2", "hypothesis"],
        arguments=["pytest_trio/_tests", "-W", "ignore::trio.TrioDeprecationWarning"],
        about="coroutines that an event loop runs, a helper made of one",
    ),
    "python-dateutil": Subject(
        version="4.0.0",
        needs=["hypothesis", "freezegun", "pytest-xdist"],
        arguments=["tests/property", "tests/test_utils.py"],
        about="freezes the time, warnings as errors, time zones",
    ),
    "priority": Subject(version="2.0.0", needs=["hypothesis"], arguments=["test"], about="trees of streams"),
    "h2": Subject(
        version="4.4.1",
        needs=["hypothesis"],
        arguments=[
            f"tests/test_{name}.py"
            for name in ("settings", "events", "flow_control_window", "state_machines", "invalid_headers")
        ],
        about="parametrised properties of methods, frames of binary data",
    ),
    "argon2-cffi": Subject(
        version="25.1.0",
        needs=["hypothesis"],
        arguments=["tests"],
        about="a body in C, in threads that Python does not know",
    ),
    "cattrs": Subject(
        version="26.2.1",
        needs=["hypothesis", "pytest-benchmark", "immutables", "coverage"],
        arguments=[
            f"tests/test_{name}.py" for name in ("copy", "structure", "unstructure", "structure_attrs")
        ],
        about="classes made inside the strategies, its own profiles",
    ),
    "roots": Subject(
        needs=["hypothesis", "starlette", "httpx"],
        arguments=["services/api/tests", "libs/core/tests"],
        about="two rootdirs in one run, Starlette's TestClient and its threads; our own, not public",
    ),
}


class Project:
    """A suite on disk, with its environment."""

    def __init__(
        self, name: str, subject: Subject, folder: Path, wheel: Path, *, is_editable: bool = False
    ) -> None:
        """With `is_editable`, what is edited in `root` counts without another installation."""
        self._subject = subject
        self._folder = folder
        if subject.version:
            with tarfile.open(_download(name, subject.version, folder)) as archive:
                archive.extractall(folder, filter="data")
            self.root = next(path.parent for path in folder.glob("*/PKG-INFO"))
        else:
            self.root = shutil.copytree(SUBJECT_FOLDERS / name, folder / name, ignore=GENERATED)
        venv.create(folder / "venv", with_pip=True)
        self._bin = folder / "venv" / "bin"
        pip = [str(self._bin / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        own = [*(["--editable"] if is_editable else []), str(self.root)] if subject.version else []
        _run([*pip, *own, str(wheel), *subject.needs])

    @property
    def runs(self) -> Path:
        """Where the tool keeps its records."""
        return self.root / ".testinfra" / "runs"

    def measure(self) -> subprocess.Popen[str]:
        """Start `testinfra measure`."""
        options = ["--profile", f"{PROFILE}={self._subject.n_examples}", "--repeats", "1"]
        pytest = [*self._subject.arguments, f"--junitxml={self._folder / 'measured.xml'}"]
        return self._start([str(self._bin / "testinfra"), "measure", *options, "--", *pytest])

    def resume(self) -> subprocess.Popen[str]:
        """Go on with the session that was killed."""
        return self._start([str(self._bin / "testinfra"), "measure", "--resume"])

    def run_bare(self) -> None:
        """Run pytest without the tool."""
        has_xdist = any((self._folder / "venv").glob("lib/*/site-packages/xdist"))
        command = [str(self._bin / "python"), "-m", "pytest", "-p", "no:atom_testinfra"]
        command += [*(["-n0"] if has_xdist else []), *self._subject.arguments]
        self._start([*command, f"--junitxml={self._folder / 'bare.xml'}"]).communicate(timeout=LIMIT_S)

    def junit(self, name: str) -> ET.Element:
        """Return a JUnit file that pytest wrote."""
        return ET.parse(self._folder / f"{name}.xml").getroot()

    def _start(self, command: list[str]) -> subprocess.Popen[str]:
        environment = {name: value for name, value in os.environ.items() if name not in CI_NAMES}
        environment |= {"PYTHONHASHSEED": "0", "HYPOTHESIS_STORAGE_DIRECTORY": str(self._folder / "examples")}
        return subprocess.Popen(
            command,
            cwd=self.root,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )


@dataclass
class Agreement:
    """Sums of the two sides, and how far the worst test is off."""

    recorded: float = 0.0
    reported: float = 0.0
    worst: float = 0.0

    def add(self, recorded: float, reported: float, *, alone: bool = True) -> None:
        """Compare one test."""
        self.recorded += recorded
        self.reported += reported
        if alone and recorded != reported:
            self.worst = max(self.worst, abs(recorded - reported) / max(recorded, reported))

    @property
    def apart(self) -> float:
        """How far the sums are apart, as a share of what Hypothesis reports."""
        return abs(self.recorded - self.reported) / self.reported if self.reported else 0.0

    def apart_of_at_least(self, least: float) -> float:
        """Return the same, 0 of a sum that is mostly what rounding made of it."""
        return self.apart if self.reported >= least else 0.0


def main() -> int:
    """Measure the suites that were named, or all; 1 if one does not agree."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*SUBJECTS, []], metavar="NAME", default=[])
    names = parser.parse_args().names or list(SUBJECTS)
    figures: dict[str, Any] = {}
    missed: list[str] = []
    with tempfile.TemporaryDirectory() as folder_name:
        folder = Path(folder_name)
        wheel = build_wheel(folder)
        for name in names:
            subject_folder = folder / name
            subject_folder.mkdir()
            found = measure_subject(name, subject_folder, wheel)
            figures[name] = found | {"measured_at": datetime.now(UTC).isoformat(timespec="seconds")}
            shutil.rmtree(subject_folder)
            missed = _report(figures | {k: v for k, v in _kept().items() if k not in figures})
    return 1 if missed else 0


def measure_subject(name: str, folder: Path, wheel: Path) -> dict[str, Any]:
    """Measure one suite: once whole, once without the tool, once killed and resumed."""
    subject = SUBJECTS[name]
    _say(f"{name} {subject.version}".rstrip() + ": making its environment")
    project = Project(name, subject, folder, wheel)
    _say(f"{name}: measuring")
    output, _ = (process := project.measure()).communicate(timeout=LIMIT_S)
    if process.returncode not in {0, 1}:
        raise SystemExit(f"{name}: testinfra measure ended with {process.returncode}:\n{output}")
    (run,) = load_session(project.runs)
    records = {record.nodeid: record for record in run.measurements}
    figures = asdict(subject) | {"python": run.header.provenance.python}
    measured = _statistics(project.junit("measured"))
    if not subject.version:
        records, measured = _by_file(records), _by_file(measured)
    figures |= compare_statistics(records, measured)
    figures |= compare_parts(records)
    _say(f"{name}: running it without the tool")
    project.run_bare()
    bare = _statistics(project.junit("bare"))
    figures |= compare_bare(records, bare if subject.version else _by_file(bare))
    with_us, without = (_outcomes(project.junit(which)) for which in ("measured", "bare"))
    changed = sorted(key for key in with_us.keys() | without.keys() if with_us.get(key) != without.get(key))
    figures["other_outcome"] = [f"{key}: {without.get(key)} -> {with_us.get(key)}" for key in changed]
    _say(f"{name}: killing and resuming it")
    return figures | kill_and_resume(project, run)


def compare_statistics(records: dict[str, Measurement], statistics: dict[str, str]) -> dict[str, Any]:
    """Compare each phase of each record with what Hypothesis printed about the same run."""
    cases, duration = Agreement(), Agreement()
    unrecorded = [nodeid for nodeid in statistics if nodeid not in records]
    for nodeid, text in statistics.items():
        cost = records[nodeid].hypothesis if nodeid in records else None
        for phase, seconds, *counts in PHASE.findall(text):
            recorded = cost.phases[phase] if cost is not None and phase in cost.phases else None
            n_reported, reported_s = sum(map(int, counts)), float(seconds)
            n = 0
            if recorded is not None:
                n = recorded.n_valid + recorded.n_interesting + recorded.n_invalid + recorded.n_overrun
            cases.add(n, n_reported)
            recorded_s = 0.0 if recorded is None else recorded.duration_s
            duration.add(recorded_s, reported_s, alone=reported_s >= COMPARED_S)
    hypothesis = [record for record in records.values() if record.hypothesis is not None]
    return {
        "n_tests": len(records),
        "n_properties": len(hypothesis),
        "n_helpers": sum(record.kind == "helper" for record in hypothesis),
        "n_reported": len(statistics),
        "unrecorded": unrecorded,
        "test_cases": vars(cases),
        "duration_s": vars(duration),
        "problems": sorted({problem for record in hypothesis for problem in record.problems}),
    }


def compare_parts(records: dict[str, Measurement]) -> dict[str, Any]:
    """Compare the parts that a comparison judges with the CPU time of each property's steps."""
    cpu = Agreement()
    for record in records.values():
        if (parts := parts_of(record)) is None or record.hypothesis is None:
            continue
        subject = record.hypothesis
        n_examples = subject.n_explicit + subject.n_valid
        n_bodies = subject.body_cpu.n if subject.body_cpu is not None else 0
        parts_s = sum(
            each_s * (n_bodies if part is Part.BODY else n_examples) for part, each_s in parts.items()
        )
        steps = (record.setup, record.call, record.teardown)
        cpu_s = sum(step.cpu_s + step.children_cpu_s - step.wide_cpu_s for step in steps)
        cpu.add(parts_s, cpu_s)
    return {"parts_cpu_s": vars(cpu)}


def compare_bare(records: dict[str, Measurement], statistics: dict[str, str]) -> dict[str, Any]:
    """
    Compare the valid examples of the tests that passed with those of a run without the tool.

    That run replays what a helper has saved in the example database, and such examples count towards the
    number that is asked for.
    """
    valid = Agreement()
    for nodeid, text in statistics.items():
        record = records.get(nodeid)
        if record is not None and record.outcome == "passed" and record.hypothesis is not None:
            recorded = (cost.n_valid for name, cost in record.hypothesis.phases.items() if name in COUNTED)
            reported = (int(n_valid) for phase, _, n_valid, *_ in PHASE.findall(text) if phase in COUNTED)
            valid.add(sum(recorded), sum(reported))
    return {"valid_bare": vars(valid)}


def kill_and_resume(project: Project, whole: Run) -> dict[str, Any]:
    """Kill a session at about its half, resume it, and compare what is recorded with the whole run."""
    known = set(list_sessions(project.runs).files)
    process = project.measure()
    n_half, limit = len(whole.measurements) // 2, time.monotonic() + LIMIT_S
    while (n := _count_records(project, known)) < n_half and process.poll() is None:
        if time.monotonic() > limit:
            raise SystemExit("the session that was to be killed came to nothing")
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    output, _ = (resumed := project.resume()).communicate(timeout=LIMIT_S)
    if resumed.returncode not in {0, 1}:
        raise SystemExit(f"testinfra measure --resume ended with {resumed.returncode}:\n{output}")
    parts = load_session(project.runs)
    ended = [r.nodeid for part in parts for r in part.measurements if r.outcome != "interrupted"]
    return {
        "n_before_kill": n,
        "n_parts": len(parts),
        "same_tests": sorted(ended) == sorted(record.nodeid for record in whole.measurements),
    }


def _count_records(project: Project, known: set[str]) -> int:
    sessions = list_sessions(project.runs).files
    new = [path for key, paths in sessions.items() if key not in known for path in paths]
    return sum(len(load_run(path).measurements) for path in new)


def _statistics(junit: ET.Element) -> dict[str, str]:
    """Return Hypothesis's statistics by node id, as its pytest plugin puts them into the file."""
    return {
        name.removeprefix(STATISTICS): base64.b64decode(entry.get("value", "")).decode()
        for entry in junit.iter("property")
        if (name := entry.get("name", "")).startswith(STATISTICS)
    }


def _by_file(values: dict[str, T]) -> dict[str, T]:
    """Return values by file and function alone: outside of its rootdir pytest names tests in its own way."""
    return {nodeid.rpartition("/")[2]: value for nodeid, value in values.items()}


def _outcomes(junit: ET.Element) -> dict[str, str]:
    return {
        f"{case.get('classname')}::{case.get('name')}": next(
            (child.tag for child in case if child.tag in {"failure", "error", "skipped"}), "passed"
        )
        for case in junit.iter("testcase")
    }


def _kept() -> dict[str, Any]:
    """Return what is in the results already: a suite takes minutes, and each stands for itself."""
    path = RESULTS / "public_suites.json"
    kept: dict[str, Any] = json.loads(path.read_text())["figures"] if path.exists() else {}
    return {
        name: found
        for name, found in kept.items()
        if name in SUBJECTS and found.items() >= asdict(SUBJECTS[name]).items()
    }


def _report(figures: dict[str, Any]) -> list[str]:
    """Save what was found, in the order of the suites, and return what does not agree."""
    figures = {name: figures[name] for name in SUBJECTS if name in figures}
    rows, missed = [], []
    for name, found in figures.items():
        cases, duration, bare = (Agreement(**found[k]) for k in ("test_cases", "duration_s", "valid_bare"))
        parts = Agreement(**found["parts_cpu_s"]) if "parts_cpu_s" in found else None
        rows.append(
            [
                f"{name} {found['version']}".rstrip(),
                str(found["n_tests"]),
                str(found["n_properties"]),
                f"{cases.recorded:.0f} / {cases.reported:.0f}",
                f"{duration.recorded:.2f} / {duration.reported:.2f}",
                f"{duration.worst:.1%}",
                "not recorded" if parts is None else f"{parts.recorded:.2f} / {parts.reported:.2f}",
                f"{bare.recorded:.0f} / {bare.reported:.0f}",
                f"{found['n_before_kill']}, then {'the same' if found['same_tests'] else 'NOT the same'}",
                found["measured_at"][:16].replace("T", " "),
                found.get("python", "not recorded"),
            ]
        )
        missed += [
            f"{name}: {what}"
            for what, is_so in {
                "a test with statistics has no record": found["unrecorded"],
                "test cases": max(cases.apart, cases.worst) > COUNT_LIMIT,
                "time": max(duration.apart_of_at_least(COMPARED_S), duration.worst) > TIME_LIMIT,
                "the parts against the CPU time": parts is not None and parts.worst > PARTS_LIMIT,
                "valid examples without the tool": bare.apart > COUNT_LIMIT,
                "not the same tests after --resume": not found["same_tests"],
            }.items()
            if is_so
        ]
    columns = [
        "suite",
        "tests",
        "properties",
        "test cases",
        "seconds",
        "worst",
        "CPU of parts",
        "valid, bare run",
        "killed after",
        "measured (UTC)",
        "Python",
    ]
    report = (
        "Recorded / as Hypothesis reports it: all test cases of all phases and the phases' seconds, in the "
        "same run, and how far the worst phase of 0.1 s or more is off (a sum below that is not judged); "
        "then the CPU seconds of all properties' parts (body, the rest of the call, set-up and teardown, "
        "threads and children) against those of their steps; "
        "then the valid examples of the tests that passed against a run without the tool; then how many "
        "tests were recorded when the session was killed, and whether each test of the whole run has one "
        "record after `--resume`.\n\n"
        f"{table(columns, rows)}\n\n{'All agree.' if not missed else 'Apart: ' + '; '.join(missed) + '.'}\n\n"
        "What each was tried for, how many examples its own profile asks for, what else its tests need, "
        f"and what pytest was told:\n\n{_describe_suites(figures)}"
    )
    save("public_suites", "make bench-public", figures, report)
    return missed


def _describe_suites(figures: dict[str, Any]) -> str:
    rows = [
        [
            name,
            found["about"],
            str(found["n_examples"]),
            " ".join(found["needs"]) or "-",
            f"`{' '.join(found['arguments'])}`" if found["arguments"] else "-",
        ]
        for name, found in figures.items()
    ]
    return table(["suite", "tried for", "examples", "needs", "arguments"], rows)


def build_wheel(folder: Path) -> Path:
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"]
    _run([*pip, "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT / "tools" / "testinfra")])
    (wheel,) = folder.glob("*.whl")
    return wheel


def _download(name: str, version: str, folder: Path) -> Path:
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    _run([*pip, "--no-deps", "--no-binary", name, "--dest", str(folder), f"{name}=={version}"])
    (sdist,) = folder.glob("*.tar.gz")
    return sdist


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    raise SystemExit(main())
