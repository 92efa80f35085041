"""
How near a timed run ends to its time, and how fair it is: `make bench-time`.

Whole pytest processes, from start to exit, timed by the clock on the wall: a synthetic suite whose examples
cost from 20 us to 20 ms, two domains of the backend, and public suites from their source distributions. Each
runs without costs, with those that earlier runs kept, and with costs that are wrong by two, in one process
and on two workers. Each run that ends is kept in `.testinfra/timebox`, so a call goes on where the last one
stopped. Runs of an earlier version of the tool are not counted, and reported with `--earlier` only.

Fairness is compared with hindsight: given what each example turned out to cost, how many would each property
have got of the same time? The figures are the medians of the four quarters of the order.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import msgspec
from evidence import ROOT, save
from public_suites import CI_NAMES, SUBJECTS, Project, build_wheel
from timebox_plugin import ENDS, FOLDER, PLAN
from timebox_report import describe

from atom_testinfra.core.budgets.allocation import EXPONENT, Demand, level_of
from atom_testinfra.core.budgets.costs import Costs, FileCost, KnownCost, Time
from atom_testinfra.core.budgets.events import Ended, Ending
from atom_testinfra.core.time_spans import BudgetClock
from atom_testinfra.storage.costs import costs_path, load_costs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

STATE = ROOT / ".testinfra" / "timebox"
SOURCES = ROOT / "tools" / "testinfra" / "src" / "atom_testinfra"
STEERING = ("core/budgets", "pytest_plugin/timebox", "pytest_plugin/steering")
"""What decides how a timed run goes."""
PLUGINS = ["-p", "no:cacheprovider", "-p", "no:randomly", "-p", "timebox_plugin"]
DOMAINS = [f"tests/property_tests/{name}" for name in ("ledger", "budgets", "governance", "agents", "chat")]
NONE, KNOWN = "none", "known"
WAYS = {NONE: 0.0, KNOWN: 1.0, "half": 0.5, "double": 2.0}
"""How the costs are known, and what the known ones are multiplied by."""
WORKERS = (0, 2)
STRANGER = Costs(properties={"another.py::test": KnownCost(example=Time(), fixed=Time(), n_examples=0)})
"""Costs of no test of the suite, in whose presence no baseline is looked at."""
N_PROPERTIES = 40
SYNTHETIC = f"""\
import time

import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule


def burn(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def make(seconds):
    @settings(deadline=None)
    @given(st.lists(st.integers(), max_size=5))
    def test_property(xs):
        burn(seconds)

    return test_property


order = sorted(range({N_PROPERTIES}), key=lambda i: i * 17 % {N_PROPERTIES})
for i in order:
    globals()[f"test_{{i}}"] = make(10 ** (-4.7 + 3.0 * i / {N_PROPERTIES}))


@given(st.booleans())
def test_exhausted(value):
    pass


@settings(max_examples=300, deadline=None)
@given(st.integers())
def test_pinned(value):
    burn(0.0005)


class Machine(RuleBasedStateMachine):
    @rule()
    def step(self):
        burn(0.0001)


class TestMachine(Machine.TestCase):
    settings = settings(max_examples=50, deadline=None, stateful_step_count=5)


@pytest.mark.parametrize("i", range(20))
def test_plain(i):
    burn(0.005)
"""
INI = "[pytest]\nfilterwarnings = error\naddopts = -p no:asyncio -p no:anyio -p no:schemathesis\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A suite on disk, and how it is run."""

    name: str
    command: list[str]
    folder: Path
    root: Path
    """Where the tool keeps its costs."""
    state: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One run that is to be made."""

    number: int
    suite: str
    way: str
    n_workers: int
    asked_s: float
    clock: str

    @property
    def key(self) -> str:
        """Its name among the kept runs."""
        return f"{self.number} {self.suite} {self.way} {self.n_workers} {self.asked_s:g}{self.clock}"


def main() -> int:
    """Run what is missing, print, save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--keep",
        nargs="?",
        const="timebox",
        choices=["timebox", "timebox_busy"],
        help="write benchmarks/results/timebox.*, or timebox_busy.* for runs beside other work",
    )
    parser.add_argument("--rounds", type=int, default=1, help="runs of each suite, costs and workers")
    parser.add_argument(
        "--suites", nargs="*", default=["synthetic"], choices=["synthetic", "backend", *SUBJECTS]
    )
    parser.add_argument("--seconds", type=float, nargs="*", default=[20.0], help="taken in turns")
    parser.add_argument("--clock", choices=["s", "cpu-s"], default="s", help="wall or CPU seconds")
    parser.add_argument(
        "--minutes", type=float, default=1e9, help="begin no run after this; the next call does"
    )
    parser.add_argument("--earlier", action="store_true", help="report runs of earlier versions as well")
    options = parser.parse_args()
    limit_s = time.monotonic() + options.minutes * 60.0
    kept = Kept(STATE / f"runs-{digest()}.jsonl")
    cells = list(cells_of(options.suites, options.rounds, options.seconds, options.clock))
    suites: dict[str, Suite] = {}
    for cell in cells:
        if time.monotonic() >= limit_s or cell.key in kept.runs:
            continue
        if cell.suite not in suites:
            suites[cell.suite] = make_suite(cell.suite)
        kept.add(cell.key, run(suites[cell.suite], cell))
    found = [each | {"tool": kept.tool} for each in kept.runs.values()]
    if options.earlier:
        for path in sorted(STATE.glob("runs-*.jsonl"), key=lambda path: path.stat().st_mtime, reverse=True):
            old = Kept(path)
            found += [each | {"tool": old.tool} for each in old.runs.values() if old.tool != kept.tool]
    report = describe(found, n_missing=sum(cell.key not in kept.runs for cell in cells))
    if options.keep:
        names, seconds = " ".join(options.suites), " ".join(f"{each:g}" for each in options.seconds)
        command = f'make bench-time SUITES="{names}" SECONDS="{seconds}" ROUNDS={options.rounds}'
        command += f' KEEP="--keep {options.keep}"'
        save(options.keep, command, found, report)
    else:
        sys.stdout.write(f"{report}\n")
    return 0 if found else 1


class Kept:
    """The runs that have ended, a line each."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.tool = path.stem.partition("-")[2]
        path.parent.mkdir(parents=True, exist_ok=True)
        text = path.read_text() if path.exists() else ""
        # A call that was killed may have left half a line.
        whole = [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
        self.runs: dict[str, dict[str, Any]] = {each["key"]: each["run"] for each in whole}
        if not text.endswith("\n"):
            path.write_text("".join(line for line in text.splitlines(keepends=True) if line.endswith("\n")))

    def add(self, key: str, run: dict[str, Any]) -> None:
        """Keep a run."""
        self.runs[key] = run
        with self._path.open("a") as file:
            file.write(json.dumps({"key": key, "run": run}) + "\n")


def cells_of(suites: Sequence[str], n_rounds: int, seconds: Sequence[float], clock: str) -> Iterator[Cell]:
    """Return the runs in their order; those without costs come first, because the others go by theirs."""
    place = 0
    for number in range(n_rounds):
        for way in WAYS:
            for n_workers in WORKERS:
                for suite in suites:
                    asked_s = seconds[(place + number) % len(seconds)]
                    yield Cell(
                        number=number,
                        suite=suite,
                        way=way,
                        n_workers=n_workers,
                        asked_s=asked_s,
                        clock=clock,
                    )
                place += 1


def digest() -> str:
    """Return a digest of what decides how a timed run goes, so that no run of an older tool counts."""
    found = hashlib.sha256(SYNTHETIC.encode())
    for folder in STEERING:
        for path in sorted((SOURCES / folder).rglob("*.py")):
            found.update(path.read_bytes())
    return found.hexdigest()[:12]


def make_suite(name: str) -> Suite:
    """Return a suite that can be run; its environment is made once, with the tool as it is now."""
    state = STATE / name
    state.mkdir(parents=True, exist_ok=True)
    if name == "backend":
        command = [sys.executable, "-m", "pytest", *DOMAINS]
        folder = ROOT / "backend"
        return Suite(name=name, command=command, folder=folder, root=folder, state=state)
    # Or the tool would take the project around it for theirs.
    (state / "pyproject.toml").write_text('[tool.testinfra]\nrootdir = "."\n')
    if name == "synthetic":
        (state / "test_synthetic.py").write_text(SYNTHETIC)
        (state / "pytest.ini").write_text(INI)
        command = [sys.executable, "-m", "pytest"]
        return Suite(name=name, command=command, folder=state, root=state, state=state)
    subject, folder, made = SUBJECTS[name], state / "project", state / "made"
    sys.stderr.write(f"{name}: its environment\n")
    wheel = build_wheel(state)
    python = folder / "venv" / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if not made.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        Project(name, subject, folder, wheel)
        subprocess.run([*pip, "pytest-xdist"], check=True)
        made.touch()
    subprocess.run([*pip, "--no-deps", "--force-reinstall", str(wheel)], check=True)
    wheel.unlink()
    command = [str(python), "-m", "pytest", *subject.arguments]
    unpacked = next(path.parent for path in folder.glob("*/PKG-INFO"))
    return Suite(name=name, command=command, folder=unpacked, root=state, state=state)


def run(suite: Suite, cell: Cell) -> dict[str, Any]:
    """Make one run, and return what it took and how fair it was."""
    costs = Kit(suite)
    costs.lay_out(cell.way)
    notes = suite.state / "notes"
    shutil.rmtree(notes, ignore_errors=True)
    notes.mkdir()
    environment = {
        name: value for name, value in os.environ.items() if name not in {*CI_NAMES, "TESTINFRA_TIME"}
    }
    paths = [str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment |= {FOLDER: str(notes), "PYTHONPATH": os.pathsep.join(paths)}
    command = [*suite.command, "-q", *PLUGINS, f"--testinfra-time={cell.asked_s:g}{cell.clock}"]
    command += ["-n", str(cell.n_workers), *(["--dist=load"] if cell.n_workers else [])]
    sys.stderr.write(f"{cell.key}: ")
    sys.stderr.flush()
    log = suite.state / "output.txt"
    before_s, load = machine_busy_s(), os.getloadavg()[0]
    with log.open("w") as output:
        began_s = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=suite.folder, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - began_s
    process.returncode = os.waitstatus_to_exitcode(status)
    cpu_s = usage.ru_utime + usage.ru_stime
    taken_s = cpu_s if cell.clock == "cpu-s" else wall_s
    said = [line for line in log.read_text().splitlines() if line.startswith("testinfra: ")]
    if process.returncode not in {0, 1} or not (notes / ENDS).exists():
        raise SystemExit(f"{cell.key} came to nothing:\n{log.read_text()[-3000:]}")
    sys.stderr.write(f"taken {taken_s:.2f}, {taken_s / cell.asked_s - 1.0:+.1%}\n")
    costs.take_in(cell.way)
    ends = msgspec.convert(json.loads((notes / ENDS).read_bytes()), list[Ended])
    plan = json.loads((notes / PLAN).read_bytes())
    clock = BudgetClock.CPU if cell.clock == "cpu-s" else BudgetClock.WALL
    properties = [end for end in ends if end.ending is not Ending.PLAIN]
    return {
        "suite": suite.name,
        "costs": cell.way,
        "n_workers": cell.n_workers,
        "asked_s": cell.asked_s,
        "clock": cell.clock,
        "taken_s": taken_s,
        "off": taken_s / cell.asked_s - 1.0,
        "cpu_s": cpu_s,
        "fits": floor_s(ends, plan, clock, taken_s, cell.n_workers) <= cell.asked_s,
        "is_said_not_to_fit": any("and the floor of" in line for line in said),
        "others_cpus": max(machine_busy_s() - before_s - cpu_s, 0.0) / wall_s,
        "load": load,
        "began_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "n_tests": len(ends),
        "n_properties": len(properties),
        "n_examples": sum(end.n_examples for end in properties),
        "fairness": fairness(properties, plan, clock, is_equal_time=cell.way == NONE),
        "exit_status": process.returncode,
        "said": said,
    }


class Kit:
    """The costs that a suite's runs find, and what they leave."""

    def __init__(self, suite: Suite) -> None:
        self._place = costs_path(suite.root)
        self._learnt = suite.state / "learnt.json"

    def lay_out(self, way: str) -> None:
        """Put the costs in place before a run."""
        if way == NONE:
            for exits in self._place.parent.glob("exit-*"):
                exits.unlink()
        learnt = load_costs(self._learnt)
        if way != NONE and learnt is None:
            raise SystemExit(f"no run without costs came before: {self._learnt}")
        given = STRANGER if way == NONE or learnt is None else scaled(learnt, WAYS[way])
        self._place.parent.mkdir(exist_ok=True)
        self._place.write_bytes(msgspec.json.encode(given))

    def take_in(self, way: str) -> None:
        """Keep what a run learnt, for the runs with known costs; wrong costs are not passed on."""
        left = load_costs(self._place)
        if left is None or way not in {NONE, KNOWN}:
            return
        if way == NONE:
            left = (load_costs(self._learnt) or Costs()).updated(left)
        self._learnt.write_bytes(msgspec.json.encode(left))


def scaled(costs: Costs, factor: float) -> Costs:
    """Return costs of tests that are a multiple of what they are."""

    def times(time: Time) -> Time:
        return Time(cpu_s=time.cpu_s * factor, wait_s=time.wait_s * factor)

    return msgspec.structs.replace(
        costs,
        properties={
            name: msgspec.structs.replace(cost, example=times(cost.example), fixed=times(cost.fixed))
            for name, cost in costs.properties.items()
        },
        plain={
            name: FileCost(each=times(cost.each), n_tests=cost.n_tests) for name, cost in costs.plain.items()
        },
    )


def floor_s(
    ends: Sequence[Ended], plan: Sequence[dict[str, Any]], clock: BudgetClock, taken_s: float, n_workers: int
) -> float:
    """Return what the run would have taken with the floors alone, given what its examples cost."""
    above_s: float = sum(
        max(end.n_examples - plan[end.test]["floor"], 0) * end.example_by(clock)
        for end in ends
        if end.ending is not Ending.PLAIN
    )
    return taken_s - above_s / (1 if clock is BudgetClock.CPU else max(n_workers, 1))


def fairness(
    ends: Sequence[Ended], plan: Sequence[dict[str, Any]], clock: BudgetClock, *, is_equal_time: bool
) -> list[float]:
    """Return what each quarter of the order got, against what it would have got with hindsight; medians."""
    steered = [end for end in ends if end.ending.is_telling and end.n_running]
    if len(steered) < 4:
        return []
    spent_s = sum(end.n_examples * end.example_by(clock) for end in steered)
    demands = [
        Demand(
            cost_s=max(end.example_by(clock), 1e-7),
            factor=1.0 if is_equal_time else plan[end.test]["factor"],
            floor=plan[end.test]["floor"],
            exponent=-1.0 if is_equal_time else EXPONENT,
        )
        for end in steered
    ]
    level = level_of(demands, spent_s)
    ratios = [end.n_examples / demand.n_at(level) for end, demand in zip(steered, demands, strict=True)]
    bounds = [len(ratios) * i // 4 for i in range(5)]
    return [round(median(ratios[a:b]), 3) for a, b in pairwise(bounds)]


def machine_busy_s() -> float:
    """Return the CPU seconds that the whole machine has been busy."""
    user, nice, system, _, _, irq, softirq, *_ = map(
        int, Path("/proc/stat").read_text().split("\n")[0].split()[1:]
    )
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    raise SystemExit(main())
