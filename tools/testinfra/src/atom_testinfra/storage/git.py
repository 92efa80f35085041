"""What git knows: files at other revisions, their history, and a second working tree."""

from __future__ import annotations

import os
import posixpath
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from atom_testinfra.core.errors import GitError
from atom_testinfra.core.git_environment import without_places

if TYPE_CHECKING:
    from collections.abc import Iterator

TIMEOUT_S = 120.0

LINK = b"120000"
"""The mode of a symbolic link in a tree."""
FOLDER = b"040000"
"""The mode of a folder in a tree."""
MOST_LINKS = 8
"""Links that are followed, one to the next."""

REVISION = "%H%x00%cI%x00%s"
AS_WRITTEN = ("-z", "--no-show-signature", "--no-follow", "--encoding=UTF-8")
"""A NUL after each entry of a log, and nothing that a user's git settings would add."""

FETCH_ALL = (
    "this is a shallow clone, without most of the history: git fetch --unshallow; in GitHub Actions give"
    " actions/checkout `fetch-depth: 0`"
)


class Revision(msgspec.Struct, frozen=True, kw_only=True):
    """A commit that changed a file."""

    commit: str
    committed_at: datetime
    subject: str


class Removed(NamedTuple):
    """Lines that stood in a file."""

    path: Path
    after: int
    """Number of the line above them in the file as it is now; 0 if they were the first."""
    lines: list[str]
    """Without line ends."""


class _Hunk(NamedTuple):
    path: Path
    first: int
    """The first line that is new; without any, the line before."""
    n_lines: int
    before: list[str]


class Repository:
    """The git repository that a folder lies in."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.root = Path(self._run("rev-parse", "--show-toplevel").decode().strip())

    def resolve(self, revision: str) -> str:
        """Return the commit that a revision names."""
        # `--end-of-options`: a revision that begins with a dash is a bad name, not an option.
        arguments = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        try:
            return self._run(*arguments).decode().strip()
        except GitError:
            raise GitError(
                f"git knows no revision {revision!r} in {os.fspath(self.root)!r}",
                hint=FETCH_ALL if self.is_shallow else None,
            ) from None

    def remote(self) -> str | None:
        """Return the address of the remote `origin`, or of the first one; `None` without a remote."""
        names = self._run("remote").decode("utf-8", "replace").split()
        if not names:
            return None
        name = "origin" if "origin" in names else names[0]
        return self._run("remote", "get-url", "--", name).decode("utf-8", "replace").strip()

    def count_commits(self, start: str, end: str) -> int:
        """Return how many commits lead from one commit to a later one, the later one included."""
        first, last = self.resolve(start), self.resolve(end)
        self._run("merge-base", "--is-ancestor", first, last)
        return int(self._run("rev-list", "--count", f"{first}..{last}"))

    @property
    def is_shallow(self) -> bool:
        """Whether it is a clone with only a part of the history."""
        return self._run("rev-parse", "--is-shallow-repository").strip() == b"true"

    def read(self, revision: str, path: Path) -> bytes:
        """Return a file as it was at a revision; `path` is absolute, or relative to the folder."""
        inside = self._inside(path)
        commit = self.resolve(revision)
        for _ in range(MOST_LINKS):
            entry = self._run("ls-tree", "-z", "--full-tree", commit, "--", inside)
            try:
                content = self._run("cat-file", "blob", f"{commit}:{inside}")
            except GitError as exc:
                is_folder = inside == "." or entry.startswith(FOLDER)
                found = f"{inside!r} is a folder" if is_folder else f"there is no {inside!r}"
                raise GitError(f"{found} at {revision!r}") from exc
            if not entry.startswith(LINK):
                return content
            inside = self._target(inside, os.fsdecode(content), revision)
        raise GitError(f"{os.fspath(path)!r} is a chain of too many links at {revision!r}")

    def _target(self, link: str, content: str, revision: str) -> str:
        """Return what a committed link points to, relative to the root."""
        target = posixpath.normpath(posixpath.join(posixpath.dirname(link), content))
        if posixpath.isabs(content) or target.startswith("../"):
            raise GitError(
                f"{link!r} is a link to {content!r} at {revision!r}, which is not in the repository",
                hint="commit the file itself",
            )
        return target

    def list_revisions(self, path: Path, limit: int) -> list[Revision]:
        """Return the commits that changed a file, oldest first, the last `limit` of them."""
        wanted = (f"--max-count={limit}", f"--format={REVISION}", "--", self._inside(path))
        output = self._run("log", *AS_WRITTEN, *wanted, root=True)
        fields = iter(output.decode("utf-8", "replace").split("\0"))
        entries = zip(fields, fields, fields, strict=False)  # nothing follows the last NUL
        return [
            Revision(commit=commit, committed_at=datetime.fromisoformat(date), subject=subject)
            for commit, date, subject in entries
        ][::-1]

    def changed_lines(self, revision: str) -> dict[Path, list[tuple[int, int]]]:
        """
        Return the ranges of lines of the working tree that differ from a revision, by file.

        Lines are counted from 1, and both ends belong to the range. A file that git does not track counts as
        changed as a whole, and one that it ignores is left out.
        """
        changed: dict[Path, list[tuple[int, int]]] = {}
        for hunk in self._hunks(revision):
            # Where lines were only removed, the line before them is what changed its neighbour.
            changed.setdefault(hunk.path, []).append((hunk.first, hunk.first + max(hunk.n_lines, 1) - 1))
        untracked = self._run("ls-files", "--others", "--exclude-standard", "-z", root=True)
        for name in untracked.decode("utf-8", "replace").split("\0"):
            if name:
                changed[self.root / name] = [(1, 10**9)]
        return changed

    def removed_lines(self, revision: str) -> list[Removed]:
        """Return the lines of a revision that were removed in the working tree and not replaced by others."""
        return [
            Removed(hunk.path, hunk.first, hunk.before)
            for hunk in self._hunks(revision)
            if hunk.n_lines == 0 and hunk.path.is_file()
        ]

    def _hunks(self, revision: str) -> Iterator[_Hunk]:
        """Yield the changes from a revision to the working tree, without lines around them."""
        commit = self.resolve(revision)
        plain = ("-c", "core.quotePath=false", "-c", "diff.noprefix=false", "-c", "diff.mnemonicPrefix=false")
        output = self._run(
            *plain, "diff", "--no-color", "--no-ext-diff", "--no-renames", "-U0", commit, "--", root=True
        )
        lines = iter(output.decode("utf-8", "replace").split("\n"))
        path: Path | None = None
        for line in lines:
            if line.startswith("+++ "):
                name = line[4:].removeprefix("b/").rstrip("\t")
                path = None if name == "/dev/null" else self.root / name
            elif line.startswith("@@ "):
                (_, n_before), (first, n_after) = map(_range_of, line.split(" ")[1:3])
                before = [next(lines)[1:] for _ in range(n_before)]
                for _ in range(n_after):  # a line of code may begin like one of git's
                    next(lines)
                if path is not None:
                    yield _Hunk(path, first, n_after, before)

    @contextmanager
    def worktree(self, commit: str) -> Iterator[Path]:
        """Check a commit out beside the working tree, for as long as the context lasts."""
        parent = Path(tempfile.mkdtemp(prefix="testinfra-base-"))
        folder = parent / "tree"
        try:
            self._run("worktree", "add", "--detach", "--quiet", "--", os.fspath(folder), commit, root=True)
            try:
                yield folder
            finally:
                self._run("worktree", "remove", "--force", os.fspath(folder), root=True)
        finally:
            shutil.rmtree(parent, ignore_errors=True)

    def _inside(self, path: Path) -> str:
        absolute = (self._folder / path).resolve()
        try:
            return absolute.relative_to(self.root.resolve()).as_posix()
        except ValueError:
            raise GitError(
                f"{os.fspath(path)!r} lies outside of the repository {os.fspath(self.root)!r}"
            ) from None

    def _run(self, *arguments: str, root: bool = False) -> bytes:
        folder = self.root if root else self._folder
        try:
            done = subprocess.run(  # noqa: S603 (no shell; revisions follow --end-of-options, paths follow --)
                ["git", "-C", os.fspath(folder), *arguments],  # noqa: S607 (whichever git the person uses)
                capture_output=True,
                check=False,
                timeout=TIMEOUT_S,
                env=without_places(os.environ),
            )
        except FileNotFoundError as exc:
            raise GitError("git is not installed") from exc
        except (OSError, ValueError, subprocess.TimeoutExpired) as exc:
            raise GitError(f"git {arguments[0]} could not run: {exc}") from exc
        if done.returncode:
            lines = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["it gave no reason"]
            raise GitError(f"git {arguments[0]}: {lines[0]}")
        return done.stdout


def _range_of(text: str) -> tuple[int, int]:
    """Return the first line and the number of lines of `-12,3`, `+4` or the like."""
    first, _, count = text[1:].partition(",")
    return int(first), int(count or 1)
