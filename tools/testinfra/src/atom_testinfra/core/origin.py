"""Whose figures a report shows: the project, its repository, and how far that has gone on since."""

from __future__ import annotations

import re
from urllib.parse import quote

from msgspec import Struct

COMMIT = "{commit}"
"""Stands for the commit in `Remote.files`."""
FILE_PATHS = {
    "github": "blob/{commit}",
    "gitlab": "-/blob/{commit}",
    "bitbucket": "src/{commit}",
    "codeberg": "src/commit/{commit}",
}
"""By a word of the host's name: where the host shows a file of a commit, below the repository's address."""

_ADDRESS = re.compile(r"(?:https?|ssh|git)://(?:[^@/]*@)?(?P<host>[^:/]+)(?::\d+)?/(?P<path>.+)")
_SHORT = re.compile(r"(?:[^@/:]+@)?(?P<host>[^:/]+\.[^:/]+):(?P<path>[^/].*)")
"""`git@github.com:owner/name.git`, as ssh writes it."""


class Remote(Struct, frozen=True, kw_only=True):
    """The repository on a host, as its remote's address names it."""

    name: str
    """`owner/name`."""
    files: str | None
    """Address of the folder of all files at a commit; `None` where the host's addresses are not known."""

    def folder(self, commit: str, path: str) -> str | None:
        """Return the address of a folder, relative to the repository's root, at a commit."""
        if self.files is None:
            return None
        return self.files.replace(COMMIT, quote(commit)) + "".join(f"/{quote(part)}" for part in _parts(path))


class Origin(Struct, frozen=True, kw_only=True):
    """What the repository around a baseline says of it at the time of the report."""

    project: str
    """`owner/name` of the repository's remote, else the name of the project's folder."""
    head: str | None = None
    """The commit that was checked out."""
    n_commits_since: int | None = None
    """Commits between the measured one and `head`; `None` where git cannot tell."""
    rootdir: str = "."
    """The folder that node ids are relative to, relative to the project's root."""
    files: str | None = None
    """Address of that folder at the measured commit; `None` where no remote with one is known."""


def parse_remote(address: str) -> Remote | None:
    """
    Return what a git remote's address names; `None` for a path, or what is not an address.

    A user's name and password in the address are left out.
    """
    found = _ADDRESS.fullmatch(address) or _SHORT.fullmatch(address)
    if found is None:
        return None
    host, name = found["host"].lower(), "/".join(_parts(found["path"])).removesuffix(".git")
    if "/" not in name:
        return None
    known = next((path for word, path in FILE_PATHS.items() if word in host), None)
    return Remote(name=name, files=None if known is None else f"https://{host}/{quote(name)}/{known}")


def describe_age(origin: Origin | None) -> str | None:
    """Return how far the measured commit is from the one that is checked out, where that is known."""
    if origin is None or origin.head is None or origin.n_commits_since is None:
        return None
    if origin.n_commits_since == 0:
        return "the commit that is checked out"
    commits = "1 commit" if origin.n_commits_since == 1 else f"{origin.n_commits_since:,} commits"
    return f"{commits} before {origin.head[:12]}, which is checked out"


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in {"", "."}]
