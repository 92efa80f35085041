"""The report's section on detection curves: what it says, what it draws, and what it leaves out."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.samples import make_baseline, make_detection

from atom_testinfra.core.budgets.examples import Candidate
from atom_testinfra.core.detection.curves import Curves
from atom_testinfra.core.detection.trials import Trial
from atom_testinfra.reports.budget import PropertyCurve, explain
from atom_testinfra.reports.charts import second_ticks, suite_curve
from atom_testinfra.reports.data import ReportData, build_report
from atom_testinfra.reports.html import render_html
from atom_testinfra.reports.page_data import curves_of
from atom_testinfra.reports.sections.detection import DetectionSection, build_detection, describe_curve
from atom_testinfra.reports.text import render_text

TITLE = "What would more examples find?"
FIGURE = 'id="figure-detection"'
TRIALS = st.lists(
    st.builds(
        Trial,
        nodeid=st.sampled_from(["a", "b"]),
        mutant=st.sampled_from(["m", "n", "o"]),
        seed=st.integers(0, 2),
        planned=st.sampled_from([12, 50, 200]),
        first=st.none() | st.integers(0, 200),
    ),
    min_size=1,
)
OWN = st.integers(1, 500)
COST_S = st.floats(1e-6, 1.0)


def section_of(trials: list[Trial], own: int, example_s: float) -> DetectionSection | None:
    candidates = [Candidate(nodeid=nodeid, own=own, example_s=example_s) for nodeid in ("a", "b")]
    return build_detection(candidates, Curves(trials), budgeted={"a": 7}, stale=[], n_properties=2)


def curve_of(own: int, *firsts: int | None, most: int = 200, example_s: float = 0.006) -> PropertyCurve:
    """Return the curve of a property that notices one mutant, on a seed for each first noticing example."""
    trials = [
        Trial(
            nodeid="a",
            mutant="m",
            seed=seed,
            planned=planned,
            first=first if first is not None and first <= planned else None,
        )
        for seed, first in enumerate(firsts)
        for planned in ((most, most // 4) if most >= 20 else (most,))
    ]
    candidate = Candidate(nodeid="a", own=own, example_s=example_s)
    suite = {"a": own}
    curves = Curves(trials)
    return explain(candidate, curves, own, suite, sum(curves.suite_values(suite)))


def report_on(detection: DetectionSection | None, n: int = 5) -> ReportData:
    return build_report(make_baseline(n), "b.json", detection=detection)


class TestWords:
    """One line for each property."""

    @pytest.mark.parametrize(
        ("curve", "words"),
        [
            (
                curve_of(100, 3, 120, None),
                "50 lose 33 points against 200; the next 100 would find 0.3 mutants more and cost 600 ms.",
            ),
            (
                curve_of(100, 3, 4),
                "50 notice as much as 200; the next 100 would find nothing more and cost 600 ms.",
            ),
            (curve_of(200, 3, 120), "50 lose 50 points against 200; more than 200 were not tried."),
            (curve_of(500, 3, most=200), "50 notice as much as 200; more than 200 were not tried."),
            (curve_of(8, 3, most=10), "The next 2 would find nothing more and cost 12.0 ms."),
            (
                curve_of(100, *[1] * 99, 120, example_s=3.0),
                "50 lose 1 point against 200; the next 100 would find under 0.1 mutants more and cost 300 s.",
            ),
            (
                curve_of(200, *[1] * 399, 120),
                "50 lose under 1 point against 200; more than 200 were not tried.",
            ),
        ],
    )
    def test_a_property_says_what_fewer_and_more_examples_do(self, curve: PropertyCurve, words: str) -> None:
        """What fewer examples lose, and what more find and cost; nothing is said that was not tried."""
        assert describe_curve(curve) == words

    @given(TRIALS, OWN, COST_S)
    def test_no_loss_or_gain_is_rounded_to_zero(
        self, trials: list[Trial], own: int, example_s: float
    ) -> None:
        """A loss or a gain is never rounded to zero, and zero is never called a loss or a gain."""
        section = section_of(trials, own, example_s)
        for curve in [] if section is None else section.properties:
            words = describe_curve(curve)
            assert not re.search(r"\b0 points|\b0\.0 mutants", words)
            if curve.two_largest is not None:
                few, many = curve.two_largest
                assert ("notice as much as" in words) == (few.alone.value == many.alone.value)
            assert ("were not tried" in words) == (curve.further == curve.own)
            assert ("nothing more" in words) == (curve.further > curve.own and curve.further_found == 0)


class TestSection:
    """What the section says in every format."""

    @given(TRIALS, OWN, COST_S)
    def test_the_plot_holds_everything(self, trials: list[Trial], own: int, example_s: float) -> None:
        """The curve with its band, today's numbers, the budget's and the names of the axes are inside."""
        section = section_of(trials, own, example_s)
        if section is None:
            assert not Curves(trials).mutants
            return
        chart = suite_curve(section)
        dots = [(dot.x, dot.y) for line in chart.lines for dot in line.dots]
        places = [*dots, *(place for line in chart.lines for place in line.band)]
        assert all(0 <= value <= 100 for place in places for value in place)
        assert [line.name for line in chart.lines] == ["", "today", "budget"]
        assert (chart.y_ticks[0].text, chart.y_ticks[0].at) == ("100 %", 100)
        assert all(0 <= tick.at <= 100 for tick in [*chart.x_ticks, *chart.y_ticks])
        assert [point.cpu_s for point in section.points] == sorted({point.cpu_s for point in section.points})

    @given(st.floats(1e-5, 1e6))
    def test_seconds_have_round_names(self, longest_s: float) -> None:
        """Zero and one to nine round numbers up to the longest."""
        ticks = second_ticks(longest_s)
        assert ticks == sorted(set(ticks))
        assert 2 <= len(ticks) <= 6
        assert ticks[0] == 0
        assert ticks[-1] <= longest_s

    def test_without_curves_there_is_no_section(self) -> None:
        """A project that never learnt any has no section, no figure and no data."""
        assert make_detection([]) is None
        report = report_on(None)
        page = render_html(report)
        assert TITLE not in page
        assert FIGURE not in page
        assert curves_of(report) == {"most": 0, "fresh": {}, "stale": []}

    def test_where_only_some_have_a_curve_their_number_is_told(self) -> None:
        """The others are counted, whatever the reason is."""
        baseline = make_baseline(5)
        nodeids = list(baseline.properties)
        section = make_detection(nodeids[:2], n_properties=5)
        assert section is not None
        assert any(note.startswith("2 of 5 properties have a curve;") for note in section.notes)
        report = report_on(section)
        assert sorted(curves_of(report)["fresh"]) == [0, 1]
        assert FIGURE in render_html(report)
        whole = make_detection(nodeids)
        assert whole is not None
        assert len(whole.notes) == 1

    def test_a_stale_curve_is_named_and_not_drawn(self) -> None:
        """What held for other code is not shown as if it held for this one."""
        nodeids = list(make_baseline(5).properties)
        section = make_detection(nodeids[:2], stale=nodeids[2:])
        assert section is not None
        assert any(
            note.startswith(f"Stale, and not drawn: {', '.join(nodeids[2:])}.") for note in section.notes
        )
        data = curves_of(report_on(section))
        assert (sorted(data["fresh"]), data["stale"]) == ([0, 1], [2, 3, 4])

    def test_where_all_are_stale_nothing_is_drawn(self) -> None:
        """There is a sentence, and neither a figure nor a table."""
        nodeids = list(make_baseline(7).properties)
        section = make_detection([], stale=nodeids)
        assert section is not None
        assert section.summary.startswith("No detection curve holds")
        assert section.tables() == []
        assert "and 2 more. Their code or their tests changed" in section.notes[0]
        page = render_html(report_on(section, 7))
        assert TITLE in page
        assert FIGURE not in page

    def test_today_and_the_budget_are_points_of_the_table(self) -> None:
        """A file that gives one property fewer examples costs less; without a file there is no such row."""
        section = make_detection(["a", "b"], budgeted={"a": 1})
        assert section is not None
        assert section.budget is not None
        assert section.budget.cpu_s < section.now.cpu_s
        says = [row[-1] for row in section.tables()[0].rows]
        assert says.count("today's numbers") == says.count("the budget file") == 1
        without = make_detection(["a", "b"])
        assert without is not None
        assert "the budget file" not in [row[-1] for row in without.tables()[0].rows]

    def test_every_run_noticed_every_mutant_and_the_next_may_not(self) -> None:
        """100 % of one mutant does not make it certain, and the bounds say so."""
        noticed = [Trial(nodeid="a", mutant="m", seed=seed, planned=200, first=1) for seed in range(3)]
        section = section_of(noticed, 50, 0.01)
        assert section is not None
        assert section.now.noticed.value == 1.0
        assert "100 % (21 % to 100 %)" in section.summary

    def test_the_terminal_shows_the_same_section(self) -> None:
        """The answer, how to read it, and the points are there without a page."""
        section = make_detection(["a", "b"])
        assert section is not None
        text = " ".join(render_text(report_on(section), width=200).split())
        assert TITLE in text
        assert section.summary in text
        assert "mutants are not faults" in text


def test_the_plot_says_what_it_shows_without_being_seen() -> None:
    """The drawing has a name and a description, and its figures are a table."""
    section = make_detection(["a", "b"], budgeted={})
    assert section is not None
    page = render_html(report_on(section))
    figure = page.partition(FIGURE)[2].partition("</figure>")[0]
    assert 'role="img" aria-label="Expected share of mutants noticed, by CPU time"' in figure
    assert "<desc>With today&#39;s examples, one run takes" in figure
    assert 'id="table-detection"' in figure


def test_the_dialogs_data_never_rounds_to_all_or_nothing() -> None:
    """Shares are in thousandths; a number above what was tried is still there, since it is today's."""
    section = make_detection([f"tests/a.py::test_{place}" for place in range(40)])
    assert section is not None
    properties = {
        f"tests/a.py::test_{place}": entry
        for place, entry in enumerate(make_baseline(40).properties.values())
    }
    data = curves_of(build_report(make_baseline(0, properties=properties), "b.json", detection=section))
    assert data["most"] == 200
    assert len(data["fresh"]) == 40
    by_nodeid = {curve.nodeid: curve for curve in section.properties}
    for (own, words, flat), nodeid in zip(data["fresh"].values(), by_nodeid, strict=True):
        curve = by_nodeid[nodeid]
        assert (own, words) == (curve.own, describe_curve(curve))
        assert flat[::4] == [point.n for point in curve.points]
        assert own in flat[::4]
        for found, point in zip(flat[1::4], curve.points, strict=True):
            assert found == pytest.approx(1000 * point.alone.value, abs=1)
            assert (found in {0, 1000}) == (point.alone.value in {0.0, 1.0})
