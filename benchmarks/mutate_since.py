"""
What `testinfra mutate --since` takes for 50 changed lines of the backend: `make bench-mutate-since`.

In a copy of the repository, five statements in each of ten functions, each in another part of the backend,
are written another way that does the same. The suite is recorded on that, as a nightly run does. Then the
lines become what they are, and `mutate --since --per-statement 1` is asked about them: with all CPU of all
its processes, recording again and control runs included. The promise is under 60 s, with a verdict on each
statement. What the other mutants of these statements take is measured with `--whole`; no promise is made.
"""

from __future__ import annotations

import argparse
import ast
import ctypes
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from evidence import ROOT, save, table
from mutate_peers import POLL_S, SET_SUBREAPER, Family

PRODUCT = Path("backend/src/atom")
N_FUNCTIONS, N_LINES = 10, 5
PROMISED_CPU_S = 60.0
TESTINFRA = (sys.executable, "-m", "atom_testinfra", "mutate", "--profile", "ci")
SIMPLE = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr, ast.Return, ast.Raise)


def main() -> int:
    """Measure, report; 1 if it takes more than is promised."""
    parser = argparse.ArgumentParser(description="CPU of `testinfra mutate --since` for 50 changed lines.")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="each draws other lines")
    parser.add_argument("--whole", action="store_true", help="ask about all other mutants as well")
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/")
    parser.add_argument("--folder", type=Path, help="where the copy is made; it stays there")
    arguments = parser.parse_args()
    ctypes.CDLL(None).prctl(SET_SUBREAPER, 1)
    figures = []
    with tempfile.TemporaryDirectory() as name:
        for seed in arguments.seeds:
            folder = (arguments.folder or Path(name)) / f"seed-{seed}"
            figures.append(measure(seed, folder, is_whole=arguments.whole))
            sys.stderr.write(f"{figures[-1]}\n")
    text = report(figures)
    if arguments.keep:
        save("mutate_since", "make bench-mutate-since KEEP=--keep", figures, text)
    else:
        sys.stdout.write(f"{text}\n")
    return int(any(one["cpu_s"] > PROMISED_CPU_S or undecided(one) for one in figures))


def measure(seed: int, folder: Path, *, is_whole: bool) -> dict[str, Any]:
    """Return what asking about the lines of a seed takes, and what comes out."""
    copy_repository(folder)
    drawn = draw_lines(folder / PRODUCT, random.Random(seed))
    for path, lines in drawn.items():
        write_other(path, lines)
    commit(folder)
    recording = run(folder, "--sample", "1")
    restore(folder)
    asking = run(folder, "--since", "HEAD", "--per-statement", "1", "--json")
    found = json.loads(asking["output"])
    figures = {
        "seed": seed,
        "n_lines": sum(map(len, drawn.values())),
        "recording_cpu_s": recording["cpu_s"],
        "cpu_s": asking["cpu_s"],
        "wall_s": asking["wall_s"],
        "n_mutants": len(found["findings"]) + found["n_left"] + found["n_more"],
        "n_asked": found["n_asked"],
        "n_left": found["n_left"],
        "verdicts": dict(Counter(one["verdict"] for one in found["findings"])),
    }
    if is_whole:
        rest = run(folder, "--since", "HEAD", "--json")
        found = json.loads(rest["output"])
        verdicts = Counter(one["verdict"] for one in found["findings"])
        figures |= {"whole_cpu_s": asking["cpu_s"] + rest["cpu_s"], "whole_verdicts": dict(verdicts)}
    return figures


def undecided(figures: dict[str, Any]) -> int:
    """Return how many of the mutants asked about have no verdict."""
    return int(figures["n_left"] + figures["verdicts"].get("not asked", 0))


def copy_repository(folder: Path) -> None:
    """Copy what git knows of the working tree, as a repository of its own."""
    names = subprocess.run(
        ["git", "ls-files", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in filter(None, names.split("\0")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)


def commit(folder: Path) -> None:
    """Commit everything."""
    subprocess.run(["git", "add", "--all"], cwd=folder, check=True)
    author = ("-c", "user.name=benchmark", "-c", "user.email=benchmark@localhost")
    subprocess.run(["git", *author, "commit", "--quiet", "-m", "base"], cwd=folder, check=True)


def draw_lines(product: Path, chance: random.Random) -> dict[Path, list[ast.stmt]]:
    """Return statements by file: some in a row, in functions of different parts of the product."""
    by_part: dict[str, list[tuple[Path, list[ast.stmt]]]] = {}
    for path in sorted(product.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                statements = find_statements(node)
                if len(statements) >= N_LINES:
                    part = path.relative_to(product).parts[0]
                    by_part.setdefault(part, []).append((path, statements))
    drawn: dict[Path, list[ast.stmt]] = {}
    for part in chance.sample(sorted(by_part), N_FUNCTIONS):
        path, statements = chance.choice(by_part[part])
        first = chance.randint(0, len(statements) - N_LINES)
        drawn.setdefault(path, []).extend(statements[first : first + N_LINES])
    return drawn


def find_statements(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.stmt]:
    """Return the statements that can be written another way, by line."""
    found = [
        node
        for node in ast.walk(function)
        if (isinstance(node, SIMPLE) and not _is_text(node))
        or (isinstance(node, ast.If) and node.test.end_lineno == node.test.lineno == node.lineno)
    ]
    return sorted(found, key=lambda node: node.lineno)


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def write_other(path: Path, statements: list[ast.stmt]) -> None:
    """Write statements another way that does the same, each on its line."""
    lines = path.read_text().splitlines(keepends=True)
    for node in statements:
        line = lines[node.lineno - 1].encode()
        if isinstance(node, ast.If):
            first, last = node.test.col_offset, node.test.end_col_offset
            assert last is not None
            line = line[:first] + b"bool(" + line[first:last] + b")" + line[last:]
        else:
            line = line[: node.col_offset] + b"pass; " + line[node.col_offset :]
        lines[node.lineno - 1] = line.decode()
    path.write_text("".join(lines))


def restore(folder: Path) -> None:
    """Write the product as it is."""
    for path in sorted((folder / PRODUCT).rglob("*.py")):
        shutil.copy(ROOT / path.relative_to(folder), path)


def run(folder: Path, *arguments: str) -> dict[str, Any]:
    """Run `testinfra mutate`; return what all its processes took, and what it printed."""
    environment = {name: value for name, value in os.environ.items() if name not in DROPPED}
    environment["PYTHONPATH"] = os.fspath(folder / "backend/src")
    family, began = Family(), time.monotonic()
    output = folder.parent / f"{folder.name}.out"
    with output.open("wb") as file, output.with_suffix(".log").open("ab") as log:
        process = subprocess.Popen(
            [*TESTINFRA, *arguments], cwd=folder, env=environment, stdout=file, stderr=log
        )
        while family.status_of(process.pid) is None:
            time.sleep(POLL_S)
        wall_s = time.monotonic() - began
        status = family.end(process.pid)
    if status:
        raise SystemExit(f"testinfra mutate {' '.join(arguments)}: status {status}")
    return {"cpu_s": family.cpu_s, "wall_s": wall_s, "output": output.read_text()}


DROPPED = frozenset({"PYTHONDONTWRITEBYTECODE", "CI", "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"})
"""Variables that change what is run or printed."""


def report(figures: list[dict[str, Any]]) -> str:
    """Return what came out, as Markdown."""
    rows = [
        [
            f"{one['seed']}",
            f"{one['n_lines']}",
            f"{one['n_asked']} of {one['n_mutants']}",
            f"{one['verdicts'].get('survived', 0)}",
            f"{one['verdicts'].get('not reached', 0)}",
            f"{undecided(one)}",
            f"{one['cpu_s']:.1f}",
            f"{one['wall_s']:.1f}",
            f"{one['whole_cpu_s']:.1f}" if "whole_cpu_s" in one else "",
            f"{one['recording_cpu_s']:.1f}",
        ]
        for one in figures
    ]
    columns = ["seed", "lines", "asked", "survived", "not reached", "no verdict", "CPU s", "wall s"]
    columns += ["CPU s, all mutants", "CPU s, recording"]
    most = max(one["cpu_s"] for one in figures)
    return (
        f"At most {most:.1f} CPU s for one mutant of each changed statement; promised: {PROMISED_CPU_S:.0f}. "
        f"The recording is the run before, of the whole suite on the code before the change.\n\n"
        f"{table(columns, rows)}"
    )


if __name__ == "__main__":
    sys.exit(main())
