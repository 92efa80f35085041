"""What the sections say."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest
from tests.samples import make_baseline, make_history, make_property

from atom_testinfra.core.advice.advice import advise
from atom_testinfra.core.changes.history import History
from atom_testinfra.core.config import Targets
from atom_testinfra.reports.data import ReportData, build_report
from atom_testinfra.reports.sections.history import build_history
from atom_testinfra.reports.sections.targets import describe_evidence


def report_on(**changes: Any) -> ReportData:
    return build_report(make_baseline(0, **changes), "b.json")


class TestTargets:
    def test_the_evidence_counts_the_tests_of_the_tier(self) -> None:
        """A verdict stands beside how many tests it is about, and the slowest of them."""
        report = build_report(make_baseline(40), "b.json")
        fast = report.targets.verdicts[0]

        assert (fast.title, fast.n_measured, fast.n_missed) == ("Fast tier, local", 38, 1)
        assert fast.verdict == "partial"
        assert describe_evidence(fast) == "37 of 38 tests inside, slowest 12.5 s"

    def test_a_test_exactly_at_its_limit_misses_it(self) -> None:
        """The limits are 'less than'."""
        entry = make_property(random.Random(1), local_s=10.0, ci_s=1.0, is_declared=True)
        report = report_on(properties={"a": entry}, tiers={"*": "fast"})

        assert [(miss.nodeid, miss.target) for miss in report.targets.misses] == [("a", "Fast tier, local")]
        assert "would meet it" in report.targets.misses[0].status

    def test_a_test_over_every_tier_counts_against_the_slowest(self) -> None:
        """What is slower than slow cannot fall out of the verdicts."""
        report = report_on(properties={"a": make_property(random.Random(1), local_s=400.0, ci_s=30.0)})
        verdicts = {item.key: item for item in report.targets.verdicts}

        assert verdicts["slow_tier_under_100s"].n_measured == 1
        assert verdicts["ci_slow_tier_under_25s"].verdict is False

    def test_the_limits_are_those_in_force(self) -> None:
        """A project with other limits is checked against those."""
        report = report_on(
            targets=msgspec.structs.replace(
                Targets(), fast=msgspec.structs.replace(Targets().fast, local_s=0.5)
            ),
            tiers={"*": "fast"},
            properties={"a": make_property(random.Random(1), local_s=0.6, ci_s=0.1, is_declared=True)},
        )

        assert report.targets.verdicts[0].limit_s == 0.5
        assert [miss.nodeid for miss in report.targets.misses] == ["a"]

    def test_nothing_measured_is_neither_met_nor_missed(self) -> None:
        """An empty baseline does not look like a good one."""
        report = report_on(suite=None)

        assert report.targets.is_met is None
        assert report.targets.headline == "Nothing to judge: no property was measured"
        assert report.time.summary == "No property was measured."
        assert report.work.summary == "No property was measured."

    @pytest.mark.parametrize("n", [0, 1, 40, 300])
    def test_every_measured_test_is_in_the_plot_of_durations(self, n: int) -> None:
        """No test is too quick or too slow to be counted."""
        baseline = make_baseline(n)
        report = build_report(baseline, "b.json")

        for histogram in report.targets.histograms:
            assert sum(map(sum, histogram.counts.values())) == n
            assert (
                sum(
                    sum(cell for cell in row[1:] if isinstance(cell, int))
                    for row in report.targets.histogram_table(histogram).rows
                )
                == n
            )


class TestTimeAndWork:
    def test_the_slowest_tests_are_the_slowest_of_the_local_profile(self) -> None:
        """The ranking is by duration, and says what it leaves out."""
        report = build_report(make_baseline(100), "b.json")
        durations = [report.time.cost(row).duration_s for row in report.time.slowest]

        assert report.time.profile == "local"
        assert (
            durations
            == sorted((row.costs["local"].duration_s for row in report.properties), reverse=True)[:20]
        )
        assert report.time.slowest_table().n_left_out == 80

    def test_a_time_stands_beside_its_number_of_examples(self) -> None:
        """3 s say one thing of 200 examples, and another of two."""
        report = build_report(make_baseline(100), "b.json")
        table = report.time.slowest_table()
        place = [column.title for column in table.columns].index("Examples")

        assert table.columns[place - 1].title == "Time"
        assert [row[place] for row in table.rows] == [
            report.time.cost(row).n_examples for row in report.time.slowest
        ]

    def test_a_baseline_of_ci_alone_is_ranked_by_ci(self) -> None:
        """Somebody who measured one profile gets a report on that one."""
        entry = make_property(random.Random(1), local_s=1.0, ci_s=0.5)
        alone = msgspec.structs.replace(entry, profiles={"ci": entry.profiles["ci"]})
        report = report_on(properties={"a": alone})

        assert report.time.profile == "ci"
        assert [item.nodeid for item in report.work.candidates] == ["a"]

    def test_work_is_ordered_by_what_the_part_to_work_on_takes(self) -> None:
        """The first test of the list is the one to work on first; no figure is more than was measured."""
        baseline = make_baseline(100)
        work = build_report(baseline, "b.json").work
        taken = [item.part_s for item in work.candidates]

        assert taken == sorted(taken, reverse=True)
        assert len(taken) == 10
        for item in work.candidates:
            assert item.part_s <= baseline.properties[item.nodeid].profiles[work.profile].duration_s


class TestHistory:
    def test_one_point_in_time_is_no_history(self) -> None:
        """What is missing is said, and how it comes to be."""
        section = build_history([make_history("a", [1.0])])

        assert "No history yet" in section.summary
        assert "testinfra verify" in section.summary
        assert section.tables() == []

    def test_what_got_slower_comes_first_and_what_got_faster_is_not_among_it(self) -> None:
        """The question is what got slower: a change downwards has its own place, and noise is called that."""
        section = build_history(
            [
                make_history("a", [1.0, 1.0, 1.0]),
                make_history("drifting", [1.0, 2.0, 3.0]),
                make_history("less", [3.0, 2.0, 1.0]),
                make_history("quicker", [2.0, 1.0, 1.0], step=1),
                make_history("stepped", [1.0, 1.0, 2.0], step=2),
                make_history("stepped more", [1.0, 1.0, 5.0], step=2),
            ]
        )
        (table,) = section.tables()

        assert [(row[0], row[1], row[4]) for row in table.rows] == [
            ("stepped more", "slower", 5.0),
            ("stepped", "slower", 2.0),
            ("drifting", "may be noise", 3.0),
            ("quicker", "faster", 0.5),
        ]
        assert section.summary == (
            "2 tests settled on a higher level, 1 on a lower one, seen over 3 points in time."
        )
        assert "at least 6 points" in section.notes[0]

    def test_a_change_on_an_older_line_is_not_todays(self) -> None:
        """What was measured in another way since cannot be called slower."""
        before = make_history("a", [1.0, 1.0, 2.0], step=2)
        now = [
            msgspec.structs.replace(point, line=1, change=None)
            for point in make_history("a", [9.0, 9.0]).points
        ]
        section = build_history([History(nodeid="a", points=[*before.points, *now])])

        assert section.slower == []
        assert section.tables() == []

    def test_every_history_is_kept_for_the_page(self) -> None:
        """The tables show a few of each kind; a test's dialog shows its own."""
        section = build_history([make_history(f"t{index:02}", [1.0, 2.0]) for index in range(40)])

        assert len(section.histories) == 40
        assert len(section.tables()[0].rows) == 12
        assert section.tables()[0].n_left_out == 28

    def test_a_report_that_did_not_look_says_so(self) -> None:
        """Not looked for is not the same as not found."""
        assert build_history(None).summary != build_history([]).summary


def test_the_same_baseline_gives_the_same_report() -> None:
    """A report has no clock and no chance in it."""
    first, second = (msgspec.json.encode(build_report(make_baseline(60), "b.json")) for _ in range(2))

    assert first == second


def test_a_figure_changed_by_hand_is_announced() -> None:
    """The report says so before anything else when the file does not follow from its measurements."""
    baseline = make_baseline(40)
    assert build_report(baseline, "b.json").warning is None

    nodeid, entry = next(iter(baseline.properties.items()))
    local = msgspec.structs.replace(entry.profiles["local"], duration_s=0.001)
    forged = msgspec.structs.replace(entry, profiles=entry.profiles | {"local": local})
    changed = msgspec.structs.replace(baseline, properties={**baseline.properties, nodeid: forged})

    warning = build_report(changed, "b.json").warning
    assert warning is not None
    assert "testinfra verify --check" in warning


def test_every_section_has_what_the_renderers_need() -> None:
    """A section says its answer and its rows, and every row fills its columns."""
    report = build_report(make_baseline(60), "b.json")

    for section in report.sections:
        assert section.summary
        for table in section.tables():
            assert all(len(row) == len(table.columns) for row in table.rows)
            assert len({item.id for item in section.tables()}) == len(section.tables())


def test_a_project_without_git_has_an_unknown_commit() -> None:
    """The words are not cut like a commit's hash."""
    baseline = make_baseline(1)
    source = msgspec.structs.replace(baseline.provenance, commit=None, is_dirty=None)
    report = build_report(msgspec.structs.replace(baseline, provenance=source), "b.json")

    assert "at an unknown commit;" in report.provenance.summary


def test_what_to_look_at_is_the_part_of_the_row() -> None:
    """The sentence beside a candidate, its part and its time come from one advice."""
    baseline = make_baseline(400)
    work = build_report(baseline, "b.json").work

    assert len(work.candidates) == 10
    for item in work.candidates:
        advice = advise(baseline.properties[item.nodeid].profiles[work.profile])
        assert (item.part, item.part_s) == (advice.part, advice.part_s)
        assert item.recommendation.lower() == f"{advice.text}.".lower()
