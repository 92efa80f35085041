"""Which faults the tests notice: survivors as diffs, and what each test is worth."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from msgspec import Struct

from atom_testinfra.core.mutants import Finding, worth_of_tests
from atom_testinfra.reports import numbers
from atom_testinfra.reports.survivors import change_lines, one_of_each_line, rank_survivors, summarise
from atom_testinfra.reports.tables import CellKind, Column, Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atom_testinfra.core.mutants import Reach

N_SURVIVORS = 20


class PropertyNotices(Struct, frozen=True, kw_only=True):
    """What a property executes of the code that was asked about, and notices."""

    nodeid: str
    n_executed: int
    """Mutants in code that it executes."""
    n_noticed: int
    """Of these, those that it was the first to notice."""
    n_by_assertion: int
    n_alone: int
    """Of those that it noticed, mutants in code that no other test executes."""


class WorthSection(Struct, frozen=True, kw_only=True):
    """What became of the mutants that `testinfra mutate` asked about, as far as it still holds."""

    id: ClassVar[str] = "worth"
    title: ClassVar[str] = "Which faults do the tests notice?"

    survivors: list[Finding]
    """One for each line, those first that tests execute most often."""
    n_survivors: int
    properties: list[PropertyNotices]
    summary: str

    @property
    def notes(self) -> list[str]:
        """What the figures cannot say."""
        silent = sum(1 for one in self.properties if one.n_executed and not one.n_noticed)
        crashes = sum(1 for one in self.properties if one.n_noticed and not one.n_by_assertion)
        found = [
            "A mutant is asked about until one test notices: a test that notices few may come after others.",
        ]
        if silent:
            found.append(
                f"{numbers.plural(silent, 'property')} executed changed code and noticed nothing first; "
                "`testinfra mutate --each-property` asks each of them alone."
            )
        if crashes:
            found.append(
                f"{numbers.plural(crashes, 'property')} noticed by crashes only; look whether they check."
            )
        return found

    def tables(self) -> list[Table]:
        """Return the survivors and the properties."""
        return [
            Table(
                id="survivors",
                caption="Changes that no test notices; those first that tests execute most often",
                columns=[
                    Column("Line"),
                    Column("Change"),
                    Column("Executed", CellKind.COUNT),
                    Column("Closest property", CellKind.TEST),
                ],
                rows=[
                    [
                        f"{one.path}:{one.line}",
                        " → ".join(line[1:].strip() for line in change_lines(one)),
                        one.n_executed,
                        one.closest[0] if one.closest else None,
                    ]
                    for one in self.survivors
                ],
                n_left_out=self.n_survivors - len(self.survivors),
            ),
            Table(
                id="noticing",
                caption="What each property notices of the code that it executes",
                columns=[
                    Column("Property", CellKind.TEST),
                    Column("Executed mutants", CellKind.COUNT),
                    Column("Noticed first", CellKind.COUNT),
                    Column("By an assertion", CellKind.COUNT),
                    Column("Where no other test runs", CellKind.COUNT),
                ],
                rows=[
                    [one.nodeid, one.n_executed, one.n_noticed, one.n_by_assertion, one.n_alone]
                    for one in self.properties
                ],
            ),
        ]


def build_worth(
    findings: Sequence[Finding], blocks: dict[str, str], reaches: Sequence[Reach]
) -> WorthSection | None:
    """
    Return the section on findings that still hold; `None` where no mutant was asked about.

    Args:
        findings: what became of mutants.
        blocks: for each mutant the block that it changes, as `path:block`.
        reaches: what tests execute.
    """
    if not findings:
        return None
    survivors = one_of_each_line(rank_survivors(findings))
    n_by_block: dict[str, int] = {}
    for one in findings:
        n_by_block[blocks[one.id]] = n_by_block.get(blocks[one.id], 0) + 1
    worths = {one.nodeid: one for one in worth_of_tests(findings)}
    properties = []
    for reach in reaches:
        if not reach.is_property:
            continue
        worth = worths.get(reach.nodeid)
        properties.append(
            PropertyNotices(
                nodeid=reach.nodeid,
                n_executed=sum(n for block, n in n_by_block.items() if block in reach.blocks),
                n_noticed=worth.n_noticed if worth else 0,
                n_by_assertion=worth.n_by_assertion if worth else 0,
                n_alone=sum(one.noticed_by == reach.nodeid and one.n_reaching == 1 for one in findings),
            )
        )
    properties.sort(key=lambda one: (-one.n_noticed, -one.n_executed, one.nodeid))
    return WorthSection(
        survivors=[one for one, _ in survivors[:N_SURVIVORS]],
        n_survivors=len(survivors),
        properties=properties,
        summary=summarise(findings, 0),
    )
