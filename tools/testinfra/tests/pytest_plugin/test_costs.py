"""From Hypothesis's statistics to figures."""

from __future__ import annotations

import pytest

from atom_testinfra.pytest_plugin.costs import EngineRun, seconds


def _case(status: str, runtime: float) -> dict[str, object]:
    return {"status": status, "runtime": runtime, "drawtime": runtime / 2, "gctime": 0.0, "events": []}


class TestEngineRun:
    def test_valid_test_cases_are_those_that_were_generated(self) -> None:
        """In the order they ran; a phase is summed up over all of its test cases."""
        cases = [_case("valid", 0.5), _case("invalid", 0.25), _case("overrun", 0.125), _case("valid", 1.0)]
        reused = [_case("valid", 8.0)]
        run = EngineRun(
            {
                "reuse-phase": {"duration-seconds": 9.0, "test-cases": reused},
                "generate-phase": {"duration-seconds": 2.0, "test-cases": cases},
                "shrink-phase": {"duration-seconds": 0.0, "test-cases": []},
                "stopped-because": "settings.max_examples=2, but < 1% of test cases satisfied assumptions",
            }
        )
        assert {name: list(column) for name, column in run.valid.items()} == {
            "run": [0.5, 1.0],
            "draw": [0.25, 0.5],
            "gc": [0.0, 0.0],
        }
        assert run.phases["generate"] == {
            "duration_s": 2.0,
            "n_valid": 2,
            "n_invalid": 1,
            "n_overrun": 1,
            "run_s": 1.875,
            "draw_s": 0.9375,
            "gc_s": 0.0,
            "filtered_s": 0.375,
            "overrun_s": 0.125,
        }
        assert run.phases["shrink"] == {"duration_s": 0.0}
        assert run.statuses == ["valid", "valid", "invalid", "overrun", "valid"]
        assert run.effective == 2

    def test_a_run_that_generated_nothing_has_no_valid_test_cases(self) -> None:
        """Only explicit examples, or none at all."""
        run = EngineRun({"stopped-because": "nothing left to do"})
        assert (run.valid, run.statuses, run.effective) == ({}, [], None)
        assert run.is_exhausted


@pytest.mark.parametrize("value", [0.0, 1e-9, 0.1 + 0.2, 1.2345678949e-5, 86_400.123456789, 4.4e-10])
def test_seconds_are_kept_to_the_nanosecond(value: float) -> None:
    """The text that is recorded is the number that `round` gives."""
    assert seconds(value) == round(value, 9)


def test_a_clock_that_ran_backwards_measured_nothing() -> None:
    """Body time is a difference, and may come out below zero."""
    assert seconds(-1e-7) == 0.0
