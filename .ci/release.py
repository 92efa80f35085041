"""
Build what would be published, check it, and try it as a stranger would: `make release`.

Wheels and source distributions of both packages go to `dist/`. twine and check-wheel-contents check them.
Then the tool's wheel is installed into an empty environment on each Python from 3.11 up that the machine has,
and the tutorial runs there; the backend's wheel has to answer `atom --help`. With `--version` the packages
must have that version, the fragments of `changes/` move into the changelog, and the commit gets a tag.
Nothing is uploaded here: the workflow `release.yml` does that for a tag.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pythons import ROOT, candidates, describe, one_of_each

if TYPE_CHECKING:
    from collections.abc import Sequence

DIST = ROOT / "dist"
PACKAGES = {"backend": "atom_backend", "tools/testinfra": "atom_testinfra"}
"""The folder of each package, and what its files in `dist/` are called."""
N_FILES = 2 * len(PACKAGES)
"""A wheel and a source distribution of each package."""


class ReleaseError(Exception):
    """A step failed, so nothing may be published."""


def run(command: Sequence[str | Path], *, folder: Path = ROOT) -> str:
    """
    Run a command without what this shell adds to Python's path, and return its standard output.

    Raises:
        ReleaseError: it failed; the message holds what it printed.
    """
    environment = {
        name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "MAKEFLAGS"}
    }
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ReleaseError(f"{' '.join(words)}\nended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def build() -> list[Path]:
    """Build a source distribution and a wheel of both packages anew into `dist/`."""
    shutil.rmtree(DIST, ignore_errors=True)
    for package in PACKAGES:
        run([sys.executable, "-m", "hatchling", "build", "-d", DIST], folder=ROOT / package)
    files = sorted(DIST.iterdir())
    if len(files) != N_FILES:
        raise ReleaseError(
            f"expected {N_FILES} files in {str(DIST)!r}, found {[file.name for file in files]}"
        )
    return files


def wheel_of(name: str) -> Path:
    """Return the wheel that was built of a package."""
    (wheel,) = DIST.glob(f"{name}-*.whl")
    return wheel


def check(files: Sequence[Path], tools: Path) -> None:
    """Check what the package index will show, and that each wheel holds one package and nothing else."""
    run([tools / "twine", "check", "--strict", *files])
    for package, name in PACKAGES.items():
        run([tools / "check-wheel-contents", wheel_of(name)], folder=ROOT / package)


def make_environment(python: Path, folder: Path, wheel: Path) -> Path:
    """Make an empty environment with a wheel and what it depends on; return its folder of commands."""
    run([python, "-m", "venv", folder])
    run([folder / "bin" / "python", "-m", "pip", "install", "--quiet", wheel])
    return folder / "bin"


def try_tool(wheel: Path) -> list[str]:
    """Run the tutorial from the wheel on each Python that is here; return their versions."""
    own = describe(Path(sys.executable))
    if own is None:
        raise ReleaseError(f"{sys.executable} is not a released CPython from 3.11 up")
    described = map(describe, dict.fromkeys(candidates(os.environ)))
    tried = []
    for interpreter in one_of_each((one for one in described if one is not None), own):
        with tempfile.TemporaryDirectory() as name:
            commands = make_environment(interpreter.path, Path(name, "venv"), wheel)
            run([sys.executable, ROOT / ".ci" / "tutorial.py", "--python", commands / "python"])
        tried.append(interpreter.full_version)
        print(f"release: the tutorial runs from the wheel on {interpreter.full_version}", flush=True)
    return tried


def try_backend(wheel: Path) -> None:
    """Start the backend's command from its wheel."""
    with tempfile.TemporaryDirectory() as name:
        commands = make_environment(Path(sys.executable), Path(name, "venv"), wheel)
        run([commands / "atom", "--help"], folder=Path(name))
    print("release: the backend's command answers from the wheel", flush=True)


def refuse_unready(version: str, files: Sequence[Path]) -> None:
    """
    Refuse a version that the packages do not have, or a tree with changes that are not committed.

    Raises:
        ReleaseError: what has to be done first.
    """
    other = [file.name for file in files if f"-{version}" not in file.name]
    if other:
        raise ReleaseError(f"{', '.join(other)}: not version {version}; set it in the packages first")
    if run(["git", "status", "--porcelain"]).strip():
        raise ReleaseError("the working tree has changes that are not committed; commit or remove them first")


def publish_locally(version: str) -> None:
    """Move the fragments into the changelog, commit that, and tag the commit."""
    run([Path(sys.executable).parent / "towncrier", "build", "--yes", "--version", version])
    run(["git", "commit", "--quiet", "--all", "--message", f"chore(release): {version}"])
    run(["git", "tag", "--annotate", f"v{version}", "--message", f"Version {version}"])
    print(f"release: tagged v{version}; push it, and release.yml publishes the packages")


def main() -> int:
    """Do all of it; 1 where a step fails."""
    parser = argparse.ArgumentParser(description="Build, check and try both packages.")
    parser.add_argument("--version", help="tag this version, and write its changelog")
    parser.add_argument("--tools", type=Path, required=True, help="folder of twine and check-wheel-contents")
    parser.add_argument("--no-try", action="store_true", help="build and check only")
    arguments = parser.parse_args()
    try:
        files = build()
        print(*(f"release: built {file.relative_to(ROOT)}" for file in files), sep="\n", flush=True)
        if arguments.version:
            refuse_unready(arguments.version, files)
        check(files, arguments.tools)
        print("release: twine and check-wheel-contents found nothing wrong", flush=True)
        if not arguments.no_try:
            try_backend(wheel_of(PACKAGES["backend"]))
            try_tool(wheel_of(PACKAGES["tools/testinfra"]))
        if arguments.version:
            publish_locally(arguments.version)
    except ReleaseError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
