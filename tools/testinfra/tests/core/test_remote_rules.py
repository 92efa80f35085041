"""Whose figures a report shows."""

from __future__ import annotations

import pytest

from atom_testinfra.core.origin import Origin, describe_age, parse_remote

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    "address",
    [
        "https://github.com/owner/name.git",
        "https://github.com/owner/name",
        "https://user:secret@github.com/owner/name.git",
        "git@github.com:owner/name.git",
        "ssh://git@github.com:22/owner/name.git/",
    ],
)
def test_every_way_to_write_a_remote_names_one_repository(address: str) -> None:
    """What a link leads to does not depend on how the repository was cloned, and has no password in it."""
    remote = parse_remote(address)

    assert remote is not None
    assert remote.name == "owner/name"
    assert remote.folder(COMMIT, "back end") == f"https://github.com/owner/name/blob/{COMMIT}/back%20end"
    assert remote.folder(COMMIT, ".") == f"https://github.com/owner/name/blob/{COMMIT}"


@pytest.mark.parametrize(
    ("address", "files"),
    [
        ("https://gitlab.com/group/part/name.git", "https://gitlab.com/group/part/name/-/blob/{commit}"),
        ("git@bitbucket.org:owner/name.git", "https://bitbucket.org/owner/name/src/{commit}"),
        ("https://codeberg.org/owner/name", "https://codeberg.org/owner/name/src/commit/{commit}"),
        ("https://git.example.org/owner/name", None),
    ],
)
def test_a_host_has_its_own_addresses_and_an_unknown_one_none(address: str, files: str | None) -> None:
    """A link is made only where it is known where it leads."""
    remote = parse_remote(address)

    assert remote is not None
    assert remote.files == files
    assert (remote.folder(COMMIT, "") is None) is (files is None)


@pytest.mark.parametrize(
    "address", ["/srv/git/name.git", "../name", "file:///srv/name", "https://host/name", ""]
)
def test_a_path_is_not_a_remote_on_a_host(address: str) -> None:
    """A clone of a folder has no page that could be linked to."""
    assert parse_remote(address) is None


@pytest.mark.parametrize(
    ("n", "told"),
    [
        (0, "the commit that is checked out"),
        (1, "1 commit before abcdefabcdef, which is checked out"),
        (1024, "1,024 commits before abcdefabcdef, which is checked out"),
        (None, None),
    ],
)
def test_an_older_commit_is_named_with_its_distance(n: int | None, told: str | None) -> None:
    """The figures of an older commit are not taken for those of the one that is checked out."""
    assert describe_age(Origin(project="p", head="abcdefabcdef0123", n_commits_since=n)) == told
    assert describe_age(None) is None
