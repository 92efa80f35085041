"""What a verification comes to, in words."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.samples import FAILED, make_baseline

from atom_testinfra.core.targets.assessment import assess
from atom_testinfra.core.targets.conclusion import conclude


@pytest.mark.parametrize(
    ("profiles", "command"),
    [
        (("local",), "pytest tests/test_a.py::test_fails"),
        (("ci", "local"), "pytest tests/test_a.py::test_fails"),
        (("ci",), "testinfra measure --profile ci -- tests/test_a.py::test_fails"),
    ],
)
def test_the_hint_runs_a_failure_as_it_failed(profiles: tuple[str, ...], command: str) -> None:
    """What fails in CI only passes under plain pytest, which does not have the profile's environment."""
    baseline = make_baseline(3, excluded=[replace(FAILED, profile=profile) for profile in profiles])
    assert conclude(assess(baseline)).hint == f"run it to see why: `{command}`"
