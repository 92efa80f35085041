"""What is lost under which version."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from atom_testinfra.core.advice.losses import LOSSES, OLDEST, losses, release

PACKAGE = Path(__file__).parents[3]


def test_the_package_asks_for_the_oldest_versions_that_are_tested() -> None:
    """`make test-lowest` installs what the package asks for."""
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    bounds = dict(bound.split(">=") for bound in project["dependencies"])
    assert {package: bounds[package] for package in OLDEST} == OLDEST


@pytest.mark.parametrize(
    ("package", "version", "n"),
    [
        ("hypothesis", "6.56.0", 4),
        ("hypothesis", "6.94.0", 3),
        ("hypothesis", "6.103.0", 3),
        ("hypothesis", "6.103.1", 2),
        ("hypothesis", "6.131.4", 0),
        ("hypothesis", "6.170.17", 0),
        ("pytest", "7.0.0", 1),
        ("pytest", "8.4.0rc1", 0),
    ],
)
def test_a_loss_ends_with_its_version(package: str, version: str, n: int) -> None:
    """From the version that is named on, nothing of it is lost."""
    assert len(losses(package, version)) == n


def test_the_newest_version_comes_first() -> None:
    """`testinfra doctor` tells people to upgrade to the first one's version, which brings all of them."""
    for package in OLDEST:
        versions = [release(loss.before) for loss in LOSSES if loss.package == package]
        assert versions == sorted(versions, reverse=True)
        assert all(version > release(OLDEST[package]) for version in versions)


def test_the_documentation_has_the_same_table() -> None:
    """Each loss stands in doctor.md with its version, and nothing else does."""
    text = (PACKAGE / "docs" / "doctor.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith(("| Hypothesis |", "| pytest |"))]
    names = {"hypothesis": "Hypothesis", "pytest": "pytest"}
    assert rows == [f"| {names[loss.package]} | {loss.before} | {loss.what} |" for loss in LOSSES]
