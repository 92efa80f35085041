"""The weights of violations."""

from __future__ import annotations

import pytest

from atom.graduation.exam import CaseResult, ExamResult, Severity, grade_compliance

CRITICAL, HIGH, MEDIUM, LOW = Severity


@pytest.mark.parametrize(
    ("violations", "n_actions", "score", "is_compliant"),
    [
        ([], 10, 1.0, True),
        ([CRITICAL], 10, 0.9, False),
        ([HIGH], 10, 0.95, True),
        ([MEDIUM], 10, 0.98, True),
        ([LOW], 10, 0.995, True),
        ([HIGH, MEDIUM, LOW], 1, 0.25, True),
        ([CRITICAL, LOW], 1, 0.0, False),
        ([CRITICAL], 0, 1.0, False),
    ],
)
def test_violations_weigh_by_severity(
    violations: list[Severity], n_actions: int, score: float, is_compliant: bool
) -> None:
    """10, 5, 2 and a half, against 10 for each action."""
    found = grade_compliance(violations, n_actions=n_actions)
    assert found.score == pytest.approx(score)
    assert found.is_compliant is is_compliant


def test_an_exam_is_graded_in_percent() -> None:
    """Two of three passed, as one needed help."""
    cases = [(True, 0), (True, 1), (True, 0)]
    result = ExamResult(
        cases=tuple(
            CaseResult(episode_id=str(n), passed_sandbox=passed, n_interventions=helped)
            for n, (passed, helped) in enumerate(cases)
        )
    )
    assert result.score_percent == pytest.approx(66.6667)
    assert not result.is_passed
    assert ExamResult(cases=()).score_percent == 0.0
