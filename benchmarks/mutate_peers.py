"""
`testinfra mutate` beside mutmut, cosmic-ray and pytest-gremlins: `make bench-mutate` (needs a package index).

All tools change the same modules and ask the same tests, one process at a time, each in an environment of its
own and on a copy of its own. The promise is about whole commands, start, map and generation included:

1. verdicts per CPU second are at least 10 times mutmut's on pure modules, and 2 times behind a database;
2. of the mutants that two tools both make (equal syntax trees), none is noticed by the other tool only.

CPU is that of all processes of a command, also of those that it leaves behind. A tool that is not done after
its minutes is stopped, and its verdicts so far count. mutmut needs `libcst`, which Hypothesis imports at each
failure where it is installed, so ours runs with it and without it, and once on functions only, since mutmut
changes nothing else.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import difflib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
import venv
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evidence import ROOT, save, table
from mutate_peers_tools import CosmicRay, Gremlins, Mutmut, Place, Testinfra, Tool, Verdict, tree_of
from public_suites import CI_NAMES, build_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

LAWS = ROOT / "benchmarks/subjects/mutate/laws"
CACHE = ROOT / ".testinfra/peers"
POLL_S, GRACE_S, TICK_S = 0.1, 20.0, 1 / os.sysconf("SC_CLK_TCK")
SET_SUBREAPER = 36
OURS, PEER = Testinfra.name, Mutmut.name
LIBCST, FUNCTIONS = f"{OURS}, libcst installed", f"{OURS}, libcst installed, functions only"
NO_COPY = shutil.ignore_patterns("__pycache__", ".testinfra", ".hypothesis", ".venv*")


@dataclass(frozen=True, kw_only=True)
class Subject:
    """Modules to change, tests to ask, and what they need."""

    about: str
    mutated: tuple[str, ...]
    tests: tuple[str, ...]
    at_least: float
    """How many times mutmut's verdicts per CPU second ours are to be."""
    build: Callable[[Path], None]
    packages: tuple[str, ...]
    needs_plugin: bool = False
    """The tests need our wheel, whatever tool asks them."""


def build_laws(folder: Path) -> None:
    """Copy the pure modules of the backend, what they import, and ten properties."""
    source = ROOT / "backend/src/atom"
    modules = [
        *(f"kit/{name}.py" for name in ("money", "text", "errors", "json_depth")),
        "ledger/postings.py",
    ]
    for name in ["__init__.py", "kit/__init__.py", "ledger/__init__.py", *modules]:
        (folder / "src/atom" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / name, folder / "src/atom" / name)
    shutil.copytree(LAWS, folder / "tests", ignore=NO_COPY)
    (folder / "pyproject.toml").write_text('[tool.pytest.ini_options]\npythonpath = ["src"]\n')


def build_backend(folder: Path) -> None:
    """Copy the backend."""
    for name in ("src", "tests"):
        shutil.copytree(ROOT / "backend" / name, folder / name, ignore=NO_COPY)
    for name in ("pyproject.toml", "pytest.ini"):
        shutil.copy(ROOT / "backend" / name, folder / name)
    path = folder / "pytest.ini"
    path.write_text(path.read_text().replace("[pytest]\n", "[pytest]\npythonpath = src\n"))


def _backend_packages() -> tuple[str, ...]:
    project = tomllib.loads((ROOT / "backend/pyproject.toml").read_text())["project"]
    return (*project["dependencies"], *project["optional-dependencies"]["test"])


SUBJECTS = {
    "pure": Subject(
        about="`kit/money.py` and `ledger/postings.py` with ten properties of 50 examples",
        mutated=("src/atom/kit/money.py", "src/atom/ledger/postings.py"),
        tests=("tests",),
        at_least=10.0,
        build=build_laws,
        packages=("pytest", "hypothesis"),
    ),
    "database": Subject(
        about="`ledger/repository.py` with the ledger's unit tests and properties, profile `ci`",
        mutated=("src/atom/ledger/repository.py",),
        tests=("tests/unit/ledger", "tests/property_tests/ledger"),
        at_least=2.0,
        build=build_backend,
        packages=_backend_packages(),
        needs_plugin=True,
    ),
}


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a run took, with all its processes."""

    cpu_s: float
    start_cpu_s: float
    """Until the first verdict was stored."""
    wall_s: float
    peak_mb: float
    is_stopped: bool
    status: int


@dataclass(frozen=True, kw_only=True)
class Result:
    """What one tool found on one subject."""

    cost: Cost
    verdicts: list[Verdict]
    log: str
    sources: dict[str, str]
    """The modules without a change, by path."""

    @property
    def rate(self) -> float:
        """Verdicts per CPU second of the whole command."""
        return len(self.verdicts) / self.cost.cpu_s

    @property
    def rate_after_start(self) -> float:
        """The same from the first verdict on."""
        left_s = self.cost.cpu_s - self.cost.start_cpu_s
        return (len(self.verdicts) - 1) / left_s if left_s > 0 and len(self.verdicts) > 1 else 0.0


def main() -> int:
    """Run all, compare, report; 1 if a promise is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=5.0, help="on the clock, for each tool and subject")
    parser.add_argument("--subject", choices=SUBJECTS, help="only this one")
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/")
    arguments = parser.parse_args()
    ctypes.CDLL(None).prctl(SET_SUBREAPER, 1)
    figures: dict[str, Any] = {"minutes": arguments.minutes}
    parts, missed = [], []
    with tempfile.TemporaryDirectory(prefix="mutate-peers-") as name:
        wheel = build_wheel(Path(name))
        for key in [arguments.subject] if arguments.subject else SUBJECTS:
            subject = SUBJECTS[key]
            results = dict(run_tools(key, subject, Path(name), wheel, arguments.minutes))
            text, missing = report(subject, results)
            parts.append(text)
            missed += missing
            figures[key] = {tool: describe(result, results[OURS]) for tool, result in results.items()}
    parts.append("All that was promised holds." if not missed else f"Missed: {'; '.join(missed)}.")
    text = "\n\n".join(parts)
    if arguments.keep:
        save("mutate_peers", " ".join(["python", "benchmarks/mutate_peers.py", *sys.argv[1:]]), figures, text)
    else:
        sys.stdout.write(f"{text}\n")
    return int(bool(missed))


def run_tools(
    key: str, subject: Subject, folder: Path, wheel: Path, minutes: float
) -> Iterator[tuple[str, Result]]:
    """Yield what each tool found, by its name."""
    runs: list[tuple[str, Tool]] = [
        (OURS, Testinfra()),
        (LIBCST, Testinfra()),
        (FUNCTIONS, Testinfra(only_functions=True)),
        *((tool.name, tool) for tool in (Mutmut(), Gremlins(), CosmicRay())),
    ]
    for name, tool in runs:
        bin_ = make_environment(key, subject, tool, wheel)
        paths = [str(make_libcst())] if name in {LIBCST, FUNCTIONS} else []
        sys.stderr.write(f"{key}: {name}\n")
        root = folder / key / name.replace(", ", "-").replace(" ", "-")
        root.mkdir(parents=True)
        subject.build(root)
        place = Place(
            root=root,
            bin=bin_,
            mutated=subject.mutated,
            tests=subject.tests,
            sources={path: (root / path).read_text() for path in subject.mutated},
            minutes=minutes,
        )
        tool.prepare(place)
        cost = run(tool, place, paths)
        log = place.log.read_text(errors="replace")
        yield name, Result(cost=cost, verdicts=tool.verdicts(place), log=log[-2000:], sources=place.sources)


def make_environment(key: str, subject: Subject, tool: Tool, wheel: Path) -> Path:
    """Return the commands of an environment with the tool; made once; our wheel is always new."""
    path = CACHE / f"{key}-{tool.name}"
    has_wheel = subject.needs_plugin or isinstance(tool, Testinfra)
    wanted = "\n".join([*subject.packages, *tool.packages])
    stamp = path / "packages.txt"
    if not stamp.exists() or stamp.read_text() != wanted:
        venv.create(path, clear=True, with_pip=True)
        _pip(path / "bin/python", *([str(wheel)] if has_wheel else []), *subject.packages, *tool.packages)
        stamp.write_text(wanted)
    elif has_wheel:
        _pip(path / "bin/python", "--force-reinstall", "--no-deps", str(wheel))
    return path / "bin"


def make_libcst() -> Path:
    """Return a folder with `libcst`, to be put on the path of a run."""
    path = CACHE / "libcst"
    if not path.exists():
        _pip(Path(sys.executable), "--target", str(path), "libcst")
    return path


def _pip(python: Path, *arguments: str) -> None:
    command = [str(python), "-m", "pip", "install", "--quiet", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")


def run(tool: Tool, place: Place, paths: Sequence[str]) -> Cost:
    """Run a tool's commands, for its minutes at most, and count the CPU of everything that they started."""
    ignored = {*CI_NAMES, "PYTHONPATH", "PYTHONDONTWRITEBYTECODE"}
    environment = {name: value for name, value in os.environ.items() if name not in ignored}
    environment |= {"CI": "true", "PYTHONHASHSEED": "0", "PYTHONPATH": os.pathsep.join(paths)}
    family, start_cpu_s, status = Family(), 0.0, 0
    began = time.monotonic()
    ends_at = began + 60 * place.minutes
    late_s = GRACE_S if isinstance(tool, Testinfra) else 0.0  # it knows its time, and ends by itself
    with place.log.open("wb") as log:
        for command in tool.commands(place):
            pid = subprocess.Popen(
                command,
                cwd=place.root,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            ).pid
            while family.status_of(pid) is None and time.monotonic() < ends_at + late_s:
                if not start_cpu_s and tool.count(place):
                    start_cpu_s = family.cpu_s + sum(_running().values()) * TICK_S
                time.sleep(POLL_S)
            status = family.end(pid)
            if status or time.monotonic() > ends_at:
                break
    wall_s = time.monotonic() - began
    return Cost(
        cpu_s=family.cpu_s,
        start_cpu_s=start_cpu_s,
        wall_s=wall_s,
        peak_mb=family.peak_kb / 1024,
        is_stopped=began + wall_s > ends_at,
        status=status,
    )


class Family:
    """The processes below this one: what those took that have ended."""

    def __init__(self) -> None:
        self.cpu_s = 0.0
        self.peak_kb = 0
        """Of the largest of them."""
        self._ended: dict[int, int] = {}

    def status_of(self, pid: int) -> int | None:
        """Return how a process ended, `None` while it runs; all that ended are counted."""
        with contextlib.suppress(ChildProcessError):
            while (ended := os.wait4(-1, os.WNOHANG))[0]:
                child, status, usage = ended
                self._ended[child] = os.waitstatus_to_exitcode(status)
                self.cpu_s += usage.ru_utime + usage.ru_stime
                self.peak_kb = max(self.peak_kb, usage.ru_maxrss)
        return self._ended.get(pid)

    def end(self, pid: int) -> int:
        """Interrupt a process that still runs, end all others, and return how it ended."""
        if self.status_of(pid) is None:
            os.kill(pid, signal.SIGINT)
        limit = time.monotonic() + GRACE_S
        while self.status_of(pid) is None and time.monotonic() < limit:
            time.sleep(POLL_S)
        while left := _running():
            for other in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(other, signal.SIGKILL)
            self.status_of(pid)
        return self._ended[pid]


def _running() -> dict[int, int]:
    """Return the processes below this one, each with the clock ticks of it and of those it waited for."""
    parents: dict[int, int] = {}
    ticks: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            values = path.read_text().rpartition(")")[2].split()
            pid = int(path.parent.name)
            parents[pid], ticks[pid] = int(values[1]), sum(map(int, values[11:15]))
    below = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in below} - below:
        below |= more
    return {pid: ticks[pid] for pid in below - {os.getpid()}}


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Verdicts of ours and of another tool on the mutants that both make."""

    both: int
    neither: int
    ours_only: int
    theirs_only: list[str]

    @property
    def n(self) -> int:
        """Mutants that both tools make."""
        return self.both + self.neither + self.ours_only + len(self.theirs_only)


def compare(ours: Result, theirs: Result) -> Agreement:
    """Compare verdicts by the syntax tree of the mutated module."""
    own, other = by_tree(ours), by_tree(theirs)
    pairs = {tree: (own[tree], other[tree]) for tree in own.keys() & other.keys()}
    counts = [sum(pair == wanted for pair in pairs.values()) for wanted in BOTH_NEITHER_OURS]
    return Agreement(
        both=counts[0],
        neither=counts[1],
        ours_only=counts[2],
        theirs_only=sorted(
            change_of(tree, ours.sources) for tree, pair in pairs.items() if pair == (False, True)
        ),
    )


BOTH_NEITHER_OURS = ((True, True), (False, False), (True, False))


def change_of(tree: str, sources: dict[str, str]) -> str:
    """Return the lines that a mutant changes."""
    path, _, text = tree.partition("\n")
    before = (tree_of(path, sources[path]) or "").splitlines()[1:]
    lines = difflib.unified_diff(before, text.splitlines(), path, path, n=0, lineterm="")
    return "\n".join(line for line in lines if not line.startswith(("---", "+++ ")))


def by_tree(result: Result) -> dict[str, bool]:
    """Return whether each mutant was noticed."""
    return {one.tree: one.is_noticed for one in result.verdicts if one.tree is not None}


def describe(result: Result, ours: Result) -> dict[str, Any]:
    """Return what is kept of a run."""
    functions = [one for one in result.verdicts if one.in_function]
    return asdict(result.cost) | {
        "verdicts": len(result.verdicts),
        "in_functions": len(functions),
        "noticed": sum(one.is_noticed for one in result.verdicts),
        "invalid": sum(one.tree is None for one in result.verdicts),
        "verdicts_per_cpu_s": result.rate,
        "verdicts_per_cpu_s_after_start": result.rate_after_start,
        "both_make": asdict(compare(ours, result)),
        "last_lines": result.log.splitlines()[-5:] if result.cost.status else [],
    }


def report(subject: Subject, results: dict[str, Result]) -> tuple[str, list[str]]:
    """Return the table of a subject with what follows from it, and the promises that are missed."""
    columns = [
        "tool",
        "verdicts",
        "in functions",
        "noticed",
        "CPU s",
        "before the first",
        "per CPU s",
        "after the first",
        "peak MB",
        "end",
    ]
    rows, notes, missed = [], [], []
    ours, peer = results[OURS], results[PEER]
    for name, result in results.items():
        cost = result.cost
        rows.append(
            [
                name,
                str(len(result.verdicts)),
                str(sum(one.in_function for one in result.verdicts)),
                str(sum(one.is_noticed for one in result.verdicts)),
                f"{cost.cpu_s:.1f}",
                f"{cost.start_cpu_s:.1f}" if cost.start_cpu_s else "-",
                f"{result.rate:.2f}",
                f"{result.rate_after_start:.2f}",
                f"{cost.peak_mb:.0f}",
                "stopped" if cost.is_stopped else "done" if cost.status == 0 else f"exit {cost.status}",
            ]
        )
        if not result.verdicts:
            reason = next((line for line in reversed(result.log.splitlines()) if line.strip(" =")), "nothing")
            notes.append(f"{name} gave no verdict; the last that it printed is `{reason.strip(' =')}`.")
    for name in (OURS, LIBCST, FUNCTIONS):
        ratio = results[name].rate / peer.rate if peer.verdicts else float("inf")
        notes.append(
            f"{name}: {ratio:.1f} times {PEER}'s verdicts per CPU second, promised {subject.at_least:g}."
        )
        if ratio < subject.at_least and name != FUNCTIONS:
            missed.append(f"{name} has {ratio:.1f} times {PEER}'s verdicts per CPU second on {subject.about}")
    for name, result in results.items():
        if not name.startswith(OURS) and result.verdicts:
            same = compare(ours, result)
            notes.append(
                f"Both testinfra and {name} make {same.n} mutants: {same.both} are noticed by both, "
                f"{same.neither} by neither, {same.ours_only} by testinfra only, "
                f"{len(same.theirs_only)} by {name} only."
            )
            notes += [f"```diff\n{change}\n```" for change in same.theirs_only]
            if same.theirs_only:
                missed.append(
                    f"{name} notices {len(same.theirs_only)} mutants that testinfra makes and misses"
                )
    return "\n\n".join([f"{subject.about}:", table(columns, rows), *notes]), missed


if __name__ == "__main__":
    sys.exit(main())
