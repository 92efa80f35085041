"""
Do what the README says on a machine that knows nothing of this repository: `make fresh`.

Clones the commit into an empty folder, with an empty home and the system's PATH only, and runs the README's
commands there. Each has to end with status 0, the set-up has to take less than a minute, the files that the
README promises have to be there, and nothing may be left that git would see as new. Commands can be given
instead, to try a part.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).parents[1]
SETUP = "make install"
SETUP_LIMIT_S = 60.0
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
KEPT = ("PIP_", "SSL_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
"""How this machine reaches a package index; all other variables are left out."""
PROMISED = {
    "make perf-baseline": (
        "backend/tests/coverage_reports/metrics/performance_baseline.json",
        ".testinfra/report.html",
    ),
}
"""The files that a command of the README writes."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a command ended."""

    command: str
    status: int
    elapsed_s: float


def readme_commands() -> list[str]:
    """Return the commands of the README's first block, without their comments."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(r"^```sh\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
    assert found is not None
    return [line.partition("#")[0].strip() for line in found[1].splitlines() if line.strip()]


def empty_environment(home: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment with an empty home, the system's PATH, and the way to a package index."""
    kept = {name: value for name, value in environ.items() if name.upper().startswith(KEPT)}
    return {**kept, "HOME": str(home), "PATH": SYSTEM_PATH, "LANG": "C.UTF-8"}


def run(command: str, clone: Path, environment: Mapping[str, str]) -> Outcome:
    """Run a command in the clone; what it prints goes to this terminal."""
    print(f"fresh: {command}", flush=True)
    began_s = time.monotonic()
    done = subprocess.run(command, shell=True, cwd=clone, env=dict(environment), check=False)
    return Outcome(command=command, status=done.returncode, elapsed_s=time.monotonic() - began_s)


def problems_of(outcome: Outcome, clone: Path, began_at: float) -> list[str]:
    """Return what is wrong after a command, in sentences."""
    problems = []
    if outcome.status != 0:
        problems.append(f"`{outcome.command}` ended with {outcome.status}")
    if outcome.command == SETUP and outcome.elapsed_s > SETUP_LIMIT_S:
        problems.append(f"the set-up took {outcome.elapsed_s:.0f} s, more than {SETUP_LIMIT_S:.0f} s")
    for name in PROMISED.get(outcome.command, ()):
        path = clone / name
        if not path.is_file() or path.stat().st_mtime < began_at:
            problems.append(f"`{outcome.command}` did not write {name!r}")
    status = ["git", "status", "--porcelain", "--untracked-files=all"]
    lines = subprocess.run(status, cwd=clone, capture_output=True, text=True, check=True).stdout.splitlines()
    new = [line[3:] for line in lines if line.startswith("??")]
    if new:
        problems.append(f"`{outcome.command}` left files that git does not know: {', '.join(new[:5])}")
    return problems


def main(commands: Sequence[str]) -> int:
    """Clone, run, check; 1 where something is wrong."""
    problems = []
    with tempfile.TemporaryDirectory() as name:
        home, clone = Path(name, "home"), Path(name, "clone")
        home.mkdir()
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        environment = empty_environment(home, os.environ)
        for command in [SETUP, *(commands or readme_commands())]:
            began_at = time.time()
            outcome = run(command, clone, environment)
            print(
                f"fresh: {outcome.command} ended with {outcome.status} after {outcome.elapsed_s:.0f} s",
                flush=True,
            )
            problems += problems_of(outcome, clone, began_at)
            if outcome.status != 0:
                break
    print(
        *(f"fresh: {problem}" for problem in problems),
        sep="\n",
        end="\n" if problems else "",
        file=sys.stderr,
    )
    return int(bool(problems))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
