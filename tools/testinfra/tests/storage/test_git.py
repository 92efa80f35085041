"""Git: other revisions, the history of a file, and a second working tree."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from atom_testinfra.core.errors import GitError
from atom_testinfra.storage.git import Repository, Revision


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The person's own git settings have no say, and no repository above does."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "somebody")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "somebody@example.org")


def git(folder: Path, *arguments: str, given: bytes | None = None) -> bytes:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, input=given).stdout


def sign(folder: Path) -> None:
    """Sign the last commit, in a way that nobody can check."""
    head, blank, message = git(folder, "cat-file", "commit", "HEAD").partition(b"\n\n")
    signature = b"\ngpgsig -----BEGIN PGP SIGNATURE-----\n \n bm9uZQ==\n -----END PGP SIGNATURE-----"
    signed = git(
        folder, "hash-object", "-t", "commit", "-w", "--stdin", given=head + signature + blank + message
    )
    git(folder, "update-ref", "HEAD", signed.decode().strip())


SETTINGS = {
    "color.ui": "always",
    "core.pager": "false",
    "core.quotePath": "true",
    "diff.external": "false",
    "format.pretty": "fuller",
    "gpg.program": "false",
    "i18n.logOutputEncoding": "ISO-8859-1",
    "log.date": "relative",
    "log.decorate": "full",
    "log.follow": "true",
    "log.mailmap": "true",
    "log.showSignature": "true",
}
"""What a person can have in their own settings."""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository with three commits; two of them touch `sub/file.txt`."""
    root = tmp_path / "a project"
    (root / "sub").mkdir(parents=True)
    git(tmp_path, "init", "-q", "-b", "main", str(root))
    for number, name in enumerate(["sub/file.txt", "other.txt", "sub/file.txt"]):
        (root / name).write_text(f"version {number}\n")
        git(root, "add", "-A")
        git(root, "commit", "-q", "-m", f"commit {number}")
    return root


def test_reads_a_file_at_a_revision(project: Path) -> None:
    """From anywhere inside, by a relative or an absolute path."""
    assert Repository(project).read("HEAD~2", Path("sub/file.txt")) == b"version 0\n"
    assert Repository(project / "sub").read("HEAD", project / "sub" / "file.txt") == b"version 2\n"


@pytest.mark.skipif(os.name == "nt", reason="a link needs a permission there")
def test_follows_a_committed_link(project: Path) -> None:
    """A link is committed as the text of its target; what is read is the file, also through two links."""
    links = {"sub/link.txt": "../other.txt", "again.txt": "sub/link.txt", "away.txt": "../elsewhere.txt"}
    links |= {"round.txt": "sub/round.txt", "sub/round.txt": "../round.txt"}
    for name, target in links.items():
        (project / name).symlink_to(target)
    git(project, "add", "-A")
    git(project, "commit", "-q", "-m", "links")
    for name in links:  # they are files, or nothing, by now: the working tree does not say what was committed
        (project / name).unlink()
    repository = Repository(project / "sub")
    assert repository.read("HEAD", Path("link.txt")) == b"version 1\n"
    assert repository.read("HEAD", Path("../again.txt")) == b"version 1\n"
    with pytest.raises(
        GitError, match=r"'away\.txt' is a link to '\.\./elsewhere\.txt' at 'HEAD', which is not"
    ):
        repository.read("HEAD", Path("../away.txt"))
    with pytest.raises(GitError, match="a chain of too many links"):
        repository.read("HEAD", Path("../round.txt"))


def test_lists_the_commits_of_a_file_oldest_first(project: Path) -> None:
    """Commits that leave the file alone are not among them."""
    repository = Repository(project / "sub")
    assert [r.subject for r in repository.list_revisions(Path("file.txt"), 10)] == ["commit 0", "commit 2"]
    assert [r.subject for r in repository.list_revisions(Path("file.txt"), 1)] == ["commit 2"]


def test_a_persons_settings_change_no_answer(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log with signatures, in colours, in another encoding or with what a file was called before."""
    git(project, "mv", "sub/file.txt", "sub/ü.txt")
    git(project, "commit", "-q", "-m", "äöü")
    sign(project)

    def answer() -> tuple[Path, list[Revision], bytes]:
        repository = Repository(project)
        path = Path("sub/ü.txt")
        return repository.root, repository.list_revisions(path, 10), repository.read("HEAD", path)

    expected = answer()
    assert [revision.subject for revision in expected[1]] == ["äöü"]
    for name, value in SETTINGS.items():
        git(project, "config", "--file", str(tmp_path / "settings"), name, value)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "settings"))
    assert answer() == expected


def test_a_subject_may_hold_what_ends_a_line_elsewhere(project: Path) -> None:
    """Form feed, next line and the line separator are characters of it."""
    subject = "a\x0cb\x85c\u2028d\u2029e"
    (project / "sub" / "file.txt").write_text("version 3\n")
    git(project, "commit", "-q", "-a", "-m", subject)
    subjects = [revision.subject for revision in Repository(project).list_revisions(Path("sub/file.txt"), 2)]
    assert subjects == ["commit 2", subject]


def test_a_file_without_commits_has_no_revisions(project: Path) -> None:
    """A file that was never committed has an empty list of revisions, which is not an error."""
    assert Repository(project).list_revisions(Path("nosuch.txt"), 5) == []


def test_a_worktree_lasts_as_long_as_its_context(project: Path) -> None:
    """The other tree is there, this one is left alone, and nothing stays behind."""
    repository = Repository(project)
    (project / "sub" / "file.txt").write_text("edited\n")
    with repository.worktree(repository.resolve("HEAD~2")) as tree:
        assert (tree / "sub" / "file.txt").read_text() == "version 0\n"
        assert not (tree / "other.txt").exists()
    assert not tree.parent.exists()
    assert (project / "sub" / "file.txt").read_text() == "edited\n"
    listed = subprocess.run(
        ["git", "-C", project, "worktree", "list"], check=True, capture_output=True, text=True
    ).stdout
    assert len(listed.splitlines()) == 1


def test_a_worktree_is_removed_after_an_error(project: Path) -> None:
    """Also when what was done in it failed."""
    repository = Repository(project)
    with pytest.raises(RuntimeError), repository.worktree(repository.resolve("HEAD")) as tree:
        raise RuntimeError
    assert not tree.parent.exists()


@pytest.mark.parametrize("revision", ["nosuch", "--help", "-1", "", "HEAD~99", "a b", "\x01", "HEAD\0"])
def test_a_bad_revision_is_an_error_of_ours(project: Path, revision: str) -> None:
    """Whatever is typed, git takes it for a name, and we say that it knows none."""
    with pytest.raises(GitError, match="git knows no revision"):
        Repository(project).read(revision, Path("sub/file.txt"))


def test_a_missing_file_is_named(project: Path) -> None:
    """The message has the path and the revision."""
    with pytest.raises(GitError, match=r"no 'nosuch\.txt' at 'HEAD'"):
        Repository(project).read("HEAD", Path("nosuch.txt"))


def test_a_path_outside_is_refused(project: Path) -> None:
    """A baseline that is not in the repository has no history there."""
    with pytest.raises(GitError, match="outside"):
        Repository(project).list_revisions(Path("../elsewhere.json"), 5)


def test_a_folder_without_git_is_an_error_of_ours(tmp_path: Path) -> None:
    """git's own reason is passed on."""
    with pytest.raises(GitError, match="not a git repository"):
        Repository(tmp_path)


def test_lines_of_code_that_look_like_gits_are_told_from_them(project: Path) -> None:
    """What was added is counted, however it begins; what was removed is where it stood."""
    file = project / "sub" / "file.txt"
    file.write_text("one\ntwo\nthree\nfour\n")
    git(project, "commit", "-qam", "lines")
    file.write_text("++ b/other.txt\none\n@@ -1 +7 @@\nfour\n-- five\n")
    (project / "other.txt").write_text("")
    repository = Repository(project)
    changed = repository.changed_lines("HEAD")
    assert changed[file] == [(1, 1), (3, 3), (5, 5)]
    assert [tuple(one) for one in repository.removed_lines("HEAD")] == [
        (project / "other.txt", 0, ["version 1"])
    ]
    file.write_text("one\nfour\n")
    assert [tuple(one) for one in repository.removed_lines("HEAD")][1:] == [(file, 1, ["two", "three"])]
