"""The properties of a baseline as Markdown."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tests.samples import make_baseline

from atom_testinfra.reports.listing import render_number_below, render_properties_by_tier


def test_each_property_stands_once_below_the_heading_of_its_tier() -> None:
    """The headings' counts and the rows below them are those of the baseline."""
    baseline = make_baseline(60)
    text = render_properties_by_tier(baseline)
    for tier in {entry.tier for entry in baseline.properties.values()}:
        section = text.split(f"### {tier.capitalize()}: ")[1].split("###")[0]
        expected = {nodeid for nodeid, entry in baseline.properties.items() if entry.tier == tier}
        assert section.startswith(f"{len(expected)} propert")
        assert {nodeid for nodeid in baseline.properties if f"`{nodeid}`" in section} == expected


def test_the_slowest_property_of_a_tier_comes_first() -> None:
    """Rows are sorted by the longest of a property's wall times."""
    baseline = make_baseline(60)
    fast = {nodeid: entry for nodeid, entry in baseline.properties.items() if entry.tier == "fast"}
    section = render_properties_by_tier(baseline).split("### Fast: ")[1].split("###")[0]
    order = sorted(fast, key=lambda nodeid: section.index(f"`{nodeid}`"))
    longest = [max(cost.duration_s for cost in fast[nodeid].profiles.values()) for nodeid in order]
    assert longest == sorted(longest, reverse=True)


@given(limit=st.floats(0.001, 200.0))
def test_the_number_below_a_limit_counts_durations(limit: float) -> None:
    """A duration equal to the limit does not count as below it."""
    baseline = make_baseline(40)
    durations = [entry.profiles["local"].duration_s for entry in baseline.properties.values()]
    expected = len([duration for duration in durations if duration < limit])
    assert render_number_below(baseline, "local", limit) == f"{expected} of {len(durations)}"
    assert render_number_below(baseline, "local", min(durations)).startswith("0 of")
