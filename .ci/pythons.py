"""
Run `make test-ci` on each Python that is found, in an environment of its own, and say how each one did.

Looked for on PATH and among pyenv's versions, from the oldest supported one up; one of each 3.x, the newest.
`newest` takes the newest apart from the default (the Python that runs this script), `3.12 3.13` those two.
Ends with 1 when the tests failed on one, and with 2 when a version that was asked for is not there.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

ROOT = Path(__file__).parents[1]
OLDEST = (3, 11)
NAME = re.compile(r"python3(\.\d+)?")
NEWEST = "newest"
DESCRIBE = """
import json, platform, sys, sysconfig
print(json.dumps({
    "version": list(sys.version_info[:3]),
    "is_usual": platform.python_implementation() == "CPython" and sys.version_info[3] == "final"
    and not sysconfig.get_config_var("Py_GIL_DISABLED"),
}))
"""


class NotFoundError(Exception):
    """A Python that was asked for is not on this machine."""


@dataclass(frozen=True, kw_only=True)
class Interpreter:
    """A released CPython: its version and where it is."""

    version: tuple[int, int, int]
    path: Path

    @property
    def series(self) -> str:
        """Return the version without its last number, as in 3.13."""
        return f"{self.version[0]}.{self.version[1]}"

    @property
    def full_version(self) -> str:
        """Return the whole version, as in 3.13.0."""
        return ".".join(map(str, self.version))


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How the tests ended on an interpreter."""

    interpreter: Interpreter
    status: int
    elapsed_s: float

    def render(self) -> str:
        """Return the line about it."""
        word = "passed" if self.status == 0 else "FAILED"
        return f"{self.interpreter.full_version:<9} {word}  {self.elapsed_s:5.0f} s  {self.interpreter.path}"


def candidates(environ: Mapping[str, str]) -> Iterator[Path]:
    """Give the files that may be a Python 3: of pyenv's versions, then on PATH without pyenv's shims."""
    pyenv = Path(environ.get("PYENV_ROOT") or Path(environ.get("HOME", "/"), ".pyenv"))
    yield from sorted(pyenv.glob("versions/*/bin/python3"))
    for folder in environ.get("PATH", "").split(os.pathsep):
        if folder and Path(folder) != pyenv / "shims":
            yield from sorted(path for path in Path(folder).glob("python3*") if NAME.fullmatch(path.name))


def describe(path: Path) -> Interpreter | None:
    """Return the supported interpreter at a path; None for an older or unusual one, or what does not run."""
    try:
        done = subprocess.run([path, "-c", DESCRIBE], capture_output=True, text=True, check=True, timeout=60)
        answer = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    version = tuple(answer["version"])
    return Interpreter(version=version, path=path) if answer["is_usual"] and version >= OLDEST else None


def one_of_each(found: Iterable[Interpreter], default: Interpreter) -> list[Interpreter]:
    """Return one interpreter of each series, oldest first: the default for its own, else the newest."""
    chosen = {default.series: default}
    for interpreter in sorted(found, key=lambda one: one.version, reverse=True):
        chosen.setdefault(interpreter.series, interpreter)
    return sorted(chosen.values(), key=lambda one: one.version)


def select(found: Sequence[Interpreter], default: Interpreter, asked: Sequence[str]) -> Sequence[Interpreter]:
    """
    Return those that were asked for: all, the newest apart from the default (if any), or some series.

    Raises:
        NotFoundError: a series that was asked for is not among them.
    """
    if not asked:
        return found
    if list(asked) == [NEWEST]:
        return [one for one in found if one.series != default.series][-1:]
    missing = sorted(set(asked) - {one.series for one in found})
    if missing:
        there = ", ".join(one.series for one in found)
        msg = f"no Python {', '.join(missing)} on PATH or in pyenv; found {there}"
        raise NotFoundError(msg)
    return [one for one in found if one.series in asked]


def run_tests(interpreter: Interpreter) -> int:
    """Run the target on an interpreter, in `.venv-3.x`; return its status."""
    environ = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MFLAGS"}}
    command = ["make", "test-ci", f"PYTHON={interpreter.path}", f"VENV=.venv-{interpreter.series}"]
    return subprocess.run(command, cwd=ROOT, env=environ, check=False).returncode


def test_each(chosen: Sequence[Interpreter], run: Callable[[Interpreter], int]) -> list[Outcome]:
    """Run the tests on one after the other."""
    outcomes = []
    for interpreter in chosen:
        print(f"pythons: {interpreter.full_version}, in .venv-{interpreter.series}", flush=True)
        began_s = time.monotonic()
        status = run(interpreter)
        elapsed_s = time.monotonic() - began_s
        outcomes.append(Outcome(interpreter=interpreter, status=status, elapsed_s=elapsed_s))
    return outcomes


def main(
    asked: Sequence[str],
    *,
    environ: Mapping[str, str] = os.environ,
    default: Path = Path(sys.executable),
    run: Callable[[Interpreter], int] = run_tests,
) -> int:
    """Find, choose, run, and print a line for each."""
    own = describe(default)
    if own is None:
        print(f"error: {default} is not a released CPython from {OLDEST[0]}.{OLDEST[1]} up", file=sys.stderr)
        return 2
    described = map(describe, dict.fromkeys(candidates(environ)))
    found = one_of_each((one for one in described if one is not None), own)
    try:
        chosen = select(found, own, asked)
    except NotFoundError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 2
    outcomes = test_each(chosen, run)
    print(*(f"pythons: {outcome.render()}" for outcome in outcomes), sep="\n", end="\n" if outcomes else "")
    if len(found) == 1:
        print(f"pythons: no other Python from {OLDEST[0]}.{OLDEST[1]} up was found, only {own.full_version}")
    return int(any(outcome.status != 0 for outcome in outcomes))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
