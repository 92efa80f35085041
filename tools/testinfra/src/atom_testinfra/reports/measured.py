"""What `testinfra measure` prints at its end: the slowest properties, where time goes, what to do next."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import msgspec

from atom_testinfra.core.costs.overview import overview
from atom_testinfra.core.costs.summary import summarise_session
from atom_testinfra.core.costs.what_if import MOST_EXAMPLES
from atom_testinfra.core.targets.conclusion import command_to_see
from atom_testinfra.core.vocabulary import Kind
from atom_testinfra.reports import numbers
from atom_testinfra.reports.columns import render_rows
from atom_testinfra.reports.tables import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from atom_testinfra.core.config import Targets
    from atom_testinfra.core.costs.overview import Bound, Overview
    from atom_testinfra.core.costs.summary import Summary, UnmeasuredTest
    from atom_testinfra.core.costs.what_if import Estimate, GrowingSuite
    from atom_testinfra.core.records.measurement import Run

SHOWN = 20
N_NAMED = 5
"""Tests of a list that share their reason; the rest is counted."""
N_FILES = 5
N_PINS = 5
PARTS = {
    "setup": "set-up",
    "generate": "generating",
    "body": "body",
    "engine": "Hypothesis",
    "filtered": "given up",
    "other": "other",
}
TITLES = ("time", "N", "per example", *PARTS.values(), "test")
LEAST_SHARE = 0.01
"""Part of the whole time below which a saving is not worth a line."""
WORTH_EXPLAINING = 0.1
"""Part of the whole time from which on a single property is worth a look, however many there are."""
UNLIKE = 2.0
"""How many times the average the slowest property takes, at least, if it stands out below that part."""


def describe_session(
    runs: Sequence[Run],
    targets: Targets,
    *,
    session_id: str,
    width: int | None,
    is_json: bool,
    n_shown: int = SHOWN,
    fit_s: float | None = None,
) -> str:
    """Return what the runs of one session found, as text or as one JSON document."""
    summary = summarise_session(runs, targets)
    found = [overview(runs, profile) for profile in dict.fromkeys(run.header.profile for run in runs)]
    overviews = [each for each, _ in found]
    if is_json:
        document = {"session_id": session_id, "runs": [run.header.run_id for run in runs]}
        document |= msgspec.to_builtins(summary) | {"overviews": msgspec.to_builtins(overviews)}
        return msgspec.json.encode(document).decode()
    fit = (found[0][1], fit_s) if fit_s is not None and found else None
    lines = render_session(
        summary, overviews, width=width, n_shown=n_shown, fit=fit, local_profile=targets.local_profile
    )
    return "\n".join(lines)


def render_session(
    summary: Summary,
    overviews: Sequence[Overview],
    *,
    width: int | None,
    local_profile: str,
    n_shown: int = SHOWN,
    fit: tuple[GrowingSuite, float] | None = None,
) -> Iterator[str]:
    """Yield the lines that say what was measured, slowest first, and what was not, with the reasons."""
    for found in overviews:
        if found.tests:
            yield from _render_profile(found, n_shown, width)
            yield ""
    if overviews and overviews[0].tests:
        yield from _render_worth(overviews[0], fit)
        yield ""
    yield from _render_list("failed; what fails has no cost worth keeping", summary.failed)
    yield from _render_list("not measured", summary.unmeasured)
    yield from _render_remarks(summary)
    yield from _render_modes(summary)
    if summary.is_traced:
        yield (
            "A coverage tool, profiler or debugger was active: these times hold for nothing else. "
            "With pytest-cov: testinfra measure -- --no-cov"
        )
    if (waited := summary.contention.describe()) is not None:
        yield f"note: {waited}"
    if summary.n_plain:
        yield f"Recorded, and not shown: {numbers.plural(summary.n_plain, 'test')} without Hypothesis."
    if overviews and overviews[0].tests:
        yield _next_step(overviews[0], summary, local_profile)


def _render_profile(found: Overview, n_shown: int, width: int | None) -> Iterator[str]:
    runs = "one run" if found.n_repeats == 1 else f"medians of {found.n_repeats} runs"
    n = numbers.plural(len(found.tests), "property")
    yield f"{found.profile}: {n}, slowest first; wall time of {runs}, teardown included"
    shown, rest = found.tests[:n_shown], found.tests[n_shown:]
    rows = [
        [
            numbers.seconds(test.total_s),
            numbers.count(test.n_examples),
            numbers.seconds(test.total_s / test.n_examples if test.n_examples else None),
            *(numbers.seconds(getattr(test, f"{part}_s")) for part in PARTS),
        ]
        for test in shown
    ]
    names = [test.nodeid for test in shown]
    if rest:
        rows.append(_row_of_many(rest))
        names.append(f"{numbers.plural(len(rest), 'quicker one')} (--top {len(found.tests)} shows all)")
    if len(found.tests) > 1:
        rows.append(_row_of_many(found.tests))
        names.append("all properties in the table")
    yield from render_rows(TITLES, rows, names, width=width)
    yield _where_it_goes(found)


def _row_of_many(tests: Sequence[object]) -> list[str]:
    sums = {
        name: sum(getattr(test, name) for test in tests)
        for name in ("total_s", "n_examples", *(f"{part}_s" for part in PARTS))
    }
    return [
        numbers.seconds(sums["total_s"]),
        numbers.count(sums["n_examples"]),
        "",
        *(numbers.seconds(sums[f"{part}_s"]) for part in PARTS),
    ]


def _where_it_goes(found: Overview) -> str:
    """Return the whole time and its parts as shares, the largest first."""
    parts = {name: found.part(key) for key, name in PARTS.items()}
    parts |= {"tests without Hypothesis": found.plain_s, "properties without figures": found.others_s}
    whole_s = found.tests_s
    shares = [
        f"{name} {numbers.share(part_s / whole_s)}"
        for name, part_s in sorted(parts.items(), key=lambda item: -item[1])
        if whole_s and part_s / whole_s >= LEAST_SHARE
    ]
    around = (
        "" if found.around_s is None else f"; collecting and pytest itself {numbers.seconds(found.around_s)}"
    )
    return f"All tests: {numbers.seconds(whole_s)}: {', '.join(shares)}{around}."


def _render_worth(found: Overview, fit: tuple[GrowingSuite, float] | None) -> Iterator[str]:
    """Yield what could be saved: by fewer examples, by pins, by what is around the tests, and by workers."""
    yield "What could be saved:"
    least_s = found.tests_s * LEAST_SHARE
    filtered_s = found.part("filtered")
    if filtered_s >= least_s:
        worst = max(found.tests, key=lambda test: test.filtered_s)
        yield (
            f"  {numbers.seconds(filtered_s)} in test cases that were given up,"
            f" {numbers.seconds(worst.filtered_s)} of it in {visible(worst.nodeid)}"
        )
    yield from _render_pins(found)
    yield from _render_files(found, least_s)
    if found.what_if:
        yield f"  all tests with N examples in every property: {_estimates(found.what_if)}"
    if found.what_if_pinned:
        yield f"  the same, but pinned properties keep their number: {_estimates(found.what_if_pinned)}"
    if fit is not None:
        yield f"  {_describe_fit(*fit)}"
    if found.bounds:
        yield f"  {_describe_bounds(found.bounds)}"


def _render_pins(found: Overview) -> Iterator[str]:
    if not found.pins:
        return
    saved_s = sum(pin.saved_s or 0.0 for pin in found.pins)
    whole_s = sum(pin.total_s for pin in found.pins)
    n = numbers.plural(len(found.pins), "pinned property")
    said = f"  {numbers.seconds(whole_s)} in {n}"
    if found.usual_examples is not None and saved_s:
        usual = numbers.plural(found.usual_examples, "example")
        said += f"; with {usual}, like the others, {_less_or_more(saved_s)}"
    yield said
    for pin in found.pins[:N_PINS]:
        place = f" ({pin.pin.path}:{pin.pin.line})" if pin.pin.path else ""
        saved = f", {_less_or_more(pin.saved_s)}" if pin.saved_s else ""
        own = "" if pin.n_examples == pin.pin.max_examples else f", not its own {pin.pin.max_examples:,},"
        took = f"{own} {'takes' if pin.n_examples == 1 else 'take'} {numbers.seconds(pin.total_s)}"
        ran = numbers.plural(pin.n_examples, "example")
        yield visible(f"    {pin.nodeid}: {ran}{took}{saved}{place}")
    if len(found.pins) > N_PINS:
        yield f"    and {len(found.pins) - N_PINS} more"


def _less_or_more(saved_s: float) -> str:
    return f"{numbers.seconds(abs(saved_s))} {'less' if saved_s > 0 else 'more'}"


def _render_files(found: Overview, least_s: float) -> Iterator[str]:
    for file in found.files[:N_FILES]:
        around_s = (file.collect_s or 0.0) + file.setup_s + file.teardown_s
        if around_s < max(least_s, 0.01):
            return
        parts = {"collecting": file.collect_s, "set-up": file.setup_s, "teardown": file.teardown_s}
        said = ", ".join(f"{name} {numbers.seconds(part)}" for name, part in parts.items() if part)
        yield visible(f"  {numbers.seconds(around_s)} around the tests of {file.path}: {said}")


def _estimates(estimates: Sequence[Estimate]) -> str:
    return "; ".join(f"N={found.n_examples}: {_range(found)}" for found in estimates)


def _range(found: Estimate) -> str:
    low, high = numbers.seconds(found.low_s), numbers.seconds(found.high_s)
    return f"{numbers.seconds(found.seconds)} ({low} to {high})"


def _describe_fit(suite: GrowingSuite, limit_s: float) -> str:
    limit = numbers.seconds(limit_s)
    if not suite.growing:
        why = "the cost model holds for none of the properties"
        return f"how many examples fit into {limit} cannot be said: {why}"
    found = suite.largest_within(limit_s)
    if found is None:
        least = suite.estimate(1)
        return f"no number of examples fits {limit}: one example in each takes {_range(least)}"
    or_more = " or more" if found.n_examples == MOST_EXAMPLES else ""
    return f"N={found.n_examples:,}{or_more} examples in every property fit into {limit}: {_range(found)}"


def _describe_bounds(bounds: Sequence[Bound]) -> str:
    """Return how little time workers can need, and how far a run with workers is from that."""
    if bounds[0].took_s is None:
        least = "; ".join(f"-n {bound.n_workers}: {numbers.seconds(bound.least_s)}" for bound in bounds)
        return f"all tests divided among workers take at least: {least}"
    bound = bounds[0]
    factor = numbers.ratio(bound.took_s / bound.least_s if bound.took_s and bound.least_s else None)
    took = f"{numbers.seconds(bound.took_s)} with start-up and collecting"
    return f"-n {bound.n_workers} took {took}: {factor} the least possible, {numbers.seconds(bound.least_s)}"


def _render_list(title: str, tests: Sequence[UnmeasuredTest]) -> Iterator[str]:
    """Yield tests by reason, with the profiles it holds for; of many with one reason, the first few."""
    profiles: dict[tuple[str, str], dict[str, None]] = {}
    for test in tests:
        profiles.setdefault((test.nodeid, test.reason), {})[test.profile] = None
    groups: dict[tuple[str, str], list[str]] = {}
    for (nodeid, reason), names in profiles.items():
        groups.setdefault((reason, ", ".join(names)), []).append(nodeid)
    if groups:
        yield f"{title}:"
    for (reason, of_profiles), nodeids in groups.items():
        yield from _render_group(nodeids, of_profiles, reason)


def _render_group(nodeids: Sequence[str], profiles: str, reason: str) -> Iterator[str]:
    if len(nodeids) == 1:
        yield visible(f"  {nodeids[0]} ({profiles}): {reason}")
        return
    yield visible(f"  {numbers.plural(len(nodeids), 'test')} ({profiles}): {reason}")
    for nodeid in nodeids[:N_NAMED]:
        yield visible(f"    {nodeid}")
    if len(nodeids) > N_NAMED:
        yield f"    and {len(nodeids) - N_NAMED} more"


def _render_remarks(summary: Summary) -> Iterator[str]:
    groups: dict[tuple[str, str], list[str]] = {}
    for test in summary.measured:
        for problem in test.problems:
            groups.setdefault((problem, test.profile), []).append(test.nodeid)
    if groups:
        yield "measured, but with no figures for a baseline:"
    for (problem, profile), nodeids in groups.items():
        yield from _render_group(nodeids, profile, problem)


def _render_modes(summary: Summary) -> Iterator[str]:
    """Yield under which modes properties ran: their figures compare with those of the same modes only."""
    groups: dict[str, set[str]] = {}
    for test in summary.measured:
        if test.modes:
            groups.setdefault(" and ".join(test.modes), set()).add(test.nodeid)
    for modes, nodeids in groups.items():
        n = numbers.plural(len(nodeids), "property")
        yield visible(f"note: {n} ran with {modes}; figures without that cannot be compared with these")


def _next_step(found: Overview, summary: Summary, local_profile: str) -> str:
    """Return the one command that helps most now."""
    if summary.failed:
        nodeid = summary.failed[0].nodeid
        profiles = [test.profile for test in summary.failed if test.nodeid == nodeid]
        return f"Next: see why it fails: {command_to_see(visible(nodeid), profiles, [local_profile])}"
    slowest = found.tests[0]
    helpers = {test.nodeid for test in summary.measured if test.kind is Kind.HELPER}
    part = slowest.total_s / found.tests_s
    share = numbers.share(part)
    is_alike = part < WORTH_EXPLAINING and part < UNLIKE / len(found.tests)
    if slowest.nodeid in helpers or is_alike or slowest.total_s < found.tests_s / len(found.tests) / 2:
        return "Next: keep these figures and compare later ones with them: testinfra measure --baseline"
    name = shlex.quote(visible(slowest.nodeid))
    return f"Next: {share} of the time is one property; see where it goes: testinfra measure --explain {name}"
