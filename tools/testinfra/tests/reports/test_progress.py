"""How far a session has come: what is expected, and what is said where there is no terminal."""

from __future__ import annotations

import io

import pytest
from tests.made_runs import make_record

from atom_testinfra.reports.progress import (
    LINE_EVERY_S,
    Forecast,
    LineProgress,
    choose_progress,
    describe_seconds,
    shorten,
)

NODEIDS = [f"t.py::test_{i}" for i in range(4)]


def began(known: dict[tuple[str, str], float], *cells: str) -> Forecast:
    """Return the forecast of a session whose first run has collected its tests."""
    forecast = Forecast(list(cells), known)
    forecast.begin(cells[0])
    forecast.collected(NODEIDS)
    return forecast


class TestForecast:
    """A test takes what it took the last time, one never seen the average of those that have ended."""

    def test_nothing_is_said_while_nothing_is_known(self) -> None:
        """No time is better than an invented one."""
        assert began({}, "local").seconds_left() is None

    def test_the_last_time_is_expected_again(self) -> None:
        """From the baseline, before any test has ended; later runs of the session count too."""
        known = {("local", nodeid): 2.0 for nodeid in NODEIDS} | {("ci", nodeid): 0.5 for nodeid in NODEIDS}
        forecast = began(known, "local", "ci", "local")
        assert forecast.seconds_left() == 8.0 + 2.0 + 8.0

    def test_a_session_that_goes_on_expects_of_the_rest_what_the_others_took(self) -> None:
        """Of those that it still has to run it may know none."""
        known = {("local", "a.py::test_done"): 2.0, ("local", "a.py::test_too"): 4.0}
        assert began(known, "local").seconds_left() == 4 * 3.0

    def test_what_has_ended_counts_no_more(self) -> None:
        """And says how long those that were never seen may take."""
        forecast = began({}, "local", "local")
        forecast.measured(NODEIDS[0], 3.0)
        assert (forecast.n_done, forecast.n_tests, forecast.current) == (1, 4, NODEIDS[1])
        assert forecast.seconds_left() == 3 * 3.0 + 4 * 3.0

    def test_a_run_that_has_not_collected_has_all_its_tests_to_go(self) -> None:
        """It runs the tests of the run before, and none of them has ended yet."""
        forecast = began({}, "local", "ci")
        for nodeid in NODEIDS:
            forecast.measured(nodeid, 3.0)
        forecast.begin("ci")
        assert (forecast.n_done, forecast.n_tests, forecast.seconds_left()) == (0, 4, 4 * 3.0)

    def test_a_session_with_a_profile_that_was_never_measured_is_not_predicted(self) -> None:
        """The time of the other profiles alone would be too little."""
        forecast = Forecast([], {("local", "t.py::test_a"): 2.0})
        assert forecast.seconds_in_all(["local"], lambda _: 5) == 10.0
        assert forecast.seconds_in_all(["local", "ci"], lambda _: 5) is None


class TestWithoutATerminal:
    """A line when a run begins and every few seconds, never a bar."""

    def test_a_line_every_few_seconds(self) -> None:
        """Tests done and left, and the time that is expected; no line twice."""
        now = [0.0]
        stream = io.StringIO()
        progress = LineProgress(Forecast(["p"], {}), lambda _: 2, stream, clock=lambda: now[0])
        progress.begin(1, "p")
        progress.collected(NODEIDS)
        for i, nodeid in enumerate(NODEIDS):
            now[0] = i * LINE_EVERY_S / 2
            progress.measured(make_record(nodeid))
            progress.tick()
        progress.close()
        assert stream.getvalue().splitlines() == [
            "measuring p, run 2 of 2: collecting tests",
            "measuring p, run 2 of 2: 0 of 4 tests",
            "measuring p, run 2 of 2: 3 of 4 tests, about 2 s left",
        ]

    def test_a_long_test_is_named_every_few_seconds(self) -> None:
        """While nothing ends, the line says what it waits for, so that a log shows that something runs."""
        now = [0.0]
        stream = io.StringIO()
        progress = LineProgress(Forecast(["p"], {}), lambda _: 1, stream, clock=lambda: now[0])
        progress.begin(0, "p")
        progress.collected(NODEIDS)
        for _ in range(8):
            now[0] += LINE_EVERY_S / 4
            progress.tick()
        progress.measured(make_record(NODEIDS[0]))
        now[0] += LINE_EVERY_S
        progress.tick()
        assert stream.getvalue().splitlines()[1:] == [
            "measuring p: 0 of 4 tests",
            f"measuring p: 0 of 4 tests, waiting for {NODEIDS[0]}",
            f"measuring p: 0 of 4 tests, waiting for {NODEIDS[0]}",
            "measuring p: 1 of 4 tests, about 6 s left",
        ]

    def test_it_is_chosen_where_stderr_is_no_terminal(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Where stderr is not a terminal, as in CI, progress is printed in lines."""
        assert isinstance(choose_progress(Forecast([], {}), lambda _: 1), LineProgress)
        assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59, "59 s"), (60, "1 min"), (200, "3 min 20 s"), (7500, "2 h 5 min")]
)
def test_durations_read_as_a_person_says_them(seconds: float, text: str) -> None:
    """A duration has two units at most."""
    assert describe_seconds(seconds) == text


def test_a_long_node_id_keeps_its_end() -> None:
    """There it differs from the others."""
    assert shorten("tests/test_a.py::test_x", 10) == "…y::test_x"
    assert shorten("t.py::test", 10) == "t.py::test"
