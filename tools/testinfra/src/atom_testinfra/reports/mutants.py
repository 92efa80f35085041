"""What mutation found, for the terminal, a job summary, and annotations on a diff."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atom_testinfra.core.mutants import MutantVerdict, score, worth_of_tests
from atom_testinfra.reports import numbers
from atom_testinfra.reports.markdown import code, escape
from atom_testinfra.reports.survivors import change_lines, one_of_each_line, rank_survivors, summarise

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from atom_testinfra.core.mutants import Finding, PropertyWorth

MOST_SURVIVORS = 20
"""Survivors shown unless more are asked for."""
MOST_TESTS = 10


def next_step(findings: Sequence[Finding], n_left: int) -> str:
    """Return one sentence that says what to do now."""
    survivors = rank_survivors(findings)
    if survivors:
        first = survivors[0]
        test = first.closest[0] if first.closest else None
        where = f"{first.path}:{first.line}"
        if test is None:
            return f"Next: no property executes {where}; write one that does."
        return f"Next: {test} executes {where} and does not notice; assert there what has to be true."
    if n_left:
        return "Next: the same command goes on where this one stopped."
    if any(one.verdict is MutantVerdict.NOT_REACHED for one in findings):
        return "Next: `testinfra mutate --all` lists the code that no test executes."
    return "Next: nothing; every mutant that was asked about was noticed."


def render_text(
    findings: Sequence[Finding], *, n_left: int, most: int | None = MOST_SURVIVORS
) -> Iterator[str]:
    """Yield the lines of the answer for a terminal: survivors as diffs, counts, and the next step."""
    survivors = rank_survivors(findings)
    groups = [(one, 0) for one in survivors] if most is None else one_of_each_line(survivors)
    for one, n_more in groups[:most]:
        yield _headline(one)
        yield from (f"    {line}" for line in change_lines(one))
        if n_more:
            yield f"    and {numbers.plural(n_more, 'more change')} of this line"
        for nodeid in one.closest:
            yield f"    executed by {nodeid}"
        yield ""
    if len(groups) > (most or len(groups)):
        n_lines = numbers.plural(len(groups) - (most or 0), "more line")
        yield f"and {n_lines} with survivors (--all lists everything)"
        yield ""
    if most is None:
        unreached = [one for one in findings if one.verdict is MutantVerdict.NOT_REACHED]
        if unreached:
            yield "Not executed by any test:"
            yield from (
                f"    {place}" for place in dict.fromkeys(f"{one.path}:{one.line}" for one in unreached)
            )
            yield ""
    yield from _render_verdicts(findings)
    yield ""
    yield summarise(findings, n_left)
    yield next_step(findings, n_left)


def _headline(one: Finding) -> str:
    place = f"{one.path}:{one.line}" + (f" in {one.function}" if one.function else "")
    line = f"survived  {place}  [{one.id}] {one.operator}, {_asked_of(one)}"
    return f"{line}; {one.reason}" if one.reason else line


def _asked_of(one: Finding) -> str:
    tests = numbers.plural(one.n_reaching, "test")
    if one.function is None:
        return f"at module level; {tests} execute what imports it"
    cases = f", in {numbers.plural(one.n_test_cases, 'test case')} of properties" if one.n_test_cases else ""
    return f"executed {numbers.count(one.n_executed)} times by {tests}{cases}"


def _render_verdicts(findings: Sequence[Finding]) -> Iterator[str]:
    counts = score(findings).counts
    width = max((len(numbers.count(n)) for n in counts.values()), default=1)
    for verdict in MutantVerdict:
        if counts.get(verdict):
            yield f"{numbers.count(counts[verdict]):>{width}}  {verdict}"


def render_properties(worths: Sequence[PropertyWorth]) -> Iterator[str]:
    """Yield the lines of the answer on properties that were asked alone, those that noticed nothing first."""
    silent = [one for one in worths if one.is_silent]
    for one in sorted(silent, key=lambda one: (-one.n_asked, one.nodeid)):
        about = numbers.plural(one.n_asked, "mutant")
        yield (
            f"noticed none of {about}  {one.nodeid}" if one.n_asked else f"executes no product  {one.nodeid}"
        )
    by_crash = [one for one in worths if one.noticed and one.noticed.verdict is not MutantVerdict.ASSERTION]
    for one in by_crash:
        yield f"noticed, but not by an assertion  {one.nodeid}"
    n_noticed = sum(one.noticed is not None for one in worths)
    n_open = sum(not one.is_judged for one in worths)
    yield ""
    left = (
        f"; {numbers.count(n_open)} were not asked about enough, because the time was over" if n_open else ""
    )
    of_all = numbers.plural(len(worths), "property")
    yield f"{numbers.count(n_noticed)} of {of_all} noticed a mutant of what they execute{left}."
    yield (
        "Next: break by hand what the first of these properties checks, and see whether it fails."
        if silent
        else "Next: nothing to do; every property that was judged can fail."
    )


def render_markdown(findings: Sequence[Finding], *, n_left: int) -> str:
    """Return the answer for a job summary."""
    survivors = rank_survivors(findings)
    lines = ["## What the tests notice", "", escape(summarise(findings, n_left)), ""]
    groups = one_of_each_line(survivors)
    for one, _ in groups[:MOST_SURVIVORS]:
        lines += [
            f"{code(f'{one.path}:{one.line}')} {escape(one.operator)}, {_asked_of(one)}:",
            "",
            "```diff",
            *change_lines(one),
            "```",
            "",
        ]
    if len(groups) > MOST_SURVIVORS:
        lines += [f"and {numbers.plural(len(groups) - MOST_SURVIVORS, 'more line')} with survivors", ""]
    worths = worth_of_tests(findings)
    if worths:
        lines += ["| Test | mutants noticed | by an assertion |", "| --- | ---: | ---: |"]
        lines += [
            f"| {code(one.nodeid)} | {numbers.count(one.n_noticed)} | {numbers.count(one.n_by_assertion)} |"
            for one in worths[:MOST_TESTS]
        ]
        lines.append("")
    lines.append(escape(next_step(findings, n_left)))
    return "\n".join(lines) + "\n"


def render_annotations(findings: Sequence[Finding]) -> Iterator[str]:
    """Yield a GitHub annotation for each survivor, on the line of the diff that it is about."""
    for one in rank_survivors(findings):
        change = " -> ".join(line[1:].strip() for line in change_lines(one))
        text = f"No test notices this change: {change}"
        escaped = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
        path = one.path.replace("%", "%25").replace(",", "%2C").replace(":", "%3A")
        yield f"::warning file={path},line={one.line},title=survived::{escaped}"


def to_sarif(findings: Sequence[Finding], version: str) -> dict[str, object]:
    """Return the survivors as a SARIF 2.1.0 log, as code scanners read it."""
    survivors = rank_survivors(findings)
    rules = sorted({one.operator for one in survivors})
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "testinfra mutate",
                        "version": version,
                        "rules": [{"id": rule, "name": rule} for rule in rules],
                    }
                },
                "results": [
                    {
                        "ruleId": one.operator,
                        "level": "warning",
                        "message": {"text": f"No test notices: {' -> '.join(change_lines(one))}"},
                        "partialFingerprints": {"mutant": one.id},
                        "locations": [
                            {
                                "physicalLocation": {
                                    "artifactLocation": {"uri": one.path},
                                    "region": {"startLine": one.line},
                                }
                            }
                        ],
                    }
                    for one in survivors
                ],
            }
        ],
    }
