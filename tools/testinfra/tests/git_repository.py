"""Git in a repository that a test has made."""

from __future__ import annotations

import subprocess
from pathlib import Path

NOBODY = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.org", "-c", "commit.gpgsign=false")


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder and return what it printed; a commit is somebody's, whatever the machine says."""
    command = ["git", "-C", str(folder), *NOBODY, *arguments]
    return subprocess.run(command, check=True, capture_output=True).stdout.decode().strip()
