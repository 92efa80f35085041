"""
`ReportData`: everything a report says, computed once; the renderers only give it a form.

How a section is added stands in `atom_testinfra.reports.sections`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol

from msgspec import Struct

from atom_testinfra.core.origin import Origin, describe_age
from atom_testinfra.core.targets.verification import check
from atom_testinfra.reports import numbers
from atom_testinfra.reports.numbers import moment
from atom_testinfra.reports.rows import PropertyRow, property_rows
from atom_testinfra.reports.sections.detection import DetectionSection
from atom_testinfra.reports.sections.history import HistorySection, build_history
from atom_testinfra.reports.sections.provenance import ProvenanceSection, build_provenance
from atom_testinfra.reports.sections.targets import TargetsSection, build_targets
from atom_testinfra.reports.sections.time import TimeSection, build_time
from atom_testinfra.reports.sections.work import WorkSection, build_work
from atom_testinfra.reports.sections.worth import WorthSection

if TYPE_CHECKING:
    from atom_testinfra.core.changes.history import History
    from atom_testinfra.core.costs.baseline import Baseline
    from atom_testinfra.reports.tables import Table


class Section(Protocol):
    """What every renderer needs to know of a section."""

    id: ClassVar[str]
    title: ClassVar[str]

    @property
    def summary(self) -> str:
        """The section's answer in one sentence."""
        ...

    @property
    def notes(self) -> list[str]:
        """What the tables do not say, in sentences."""
        ...

    def tables(self) -> list[Table]:
        """Return what the section says in rows."""
        ...


class ReportData(Struct, frozen=True, kw_only=True):
    """The report: one section for each question, and a row for each property."""

    schema: str = "atom-testinfra/report"
    schema_version: int = 3
    baseline: str
    """The file it was made from, as the reader named it."""
    verified_at: str
    measured_at: str
    """UTC, ISO 8601: the start of the first run."""
    commit: str | None
    """The commit that was measured."""
    is_dirty: bool | None
    """Whether the measured files differed from that commit."""
    origin: Origin | None
    """The repository at the time of the report; `None` where the baseline is not this project's."""
    differences: list[str]
    """Figures of the file that do not follow from its measurements: somebody changed it by hand."""
    targets: TargetsSection
    time: TimeSection
    work: WorkSection
    history: HistorySection
    provenance: ProvenanceSection
    worth: WorthSection | None
    """What mutants say; `None` where none was asked about."""
    detection: DetectionSection | None
    """What more examples would find; `None` where no curve was learnt."""
    properties: list[PropertyRow]

    @property
    def warning(self) -> str | None:
        """What a reader has to know before believing the rest."""
        if not self.differences:
            return None
        n = len(self.differences)
        do, them = ("does", "it") if n == 1 else ("do", "them")
        return (
            f"{numbers.plural(n, 'figure')} of the file {do} not follow from its measurements; "
            f"`testinfra verify --check` names {them}."
        )

    @property
    def measured_commit(self) -> str:
        """The measured commit, and how far it is from the one that is checked out."""
        if self.commit is None:
            return "an unknown commit"
        age = describe_age(self.origin)
        changes = " with uncommitted changes" if self.is_dirty else ""
        return self.commit[:12] + changes + ("" if age is None else f", {age}")

    @property
    def identity(self) -> str:
        """Whose figures these are, which commit was measured, and when: to be read before the figures."""
        measured = "Measured" if self.origin is None else f"{self.origin.project}, measured"
        return f"{measured} {moment(self.measured_at)} at {self.measured_commit}"

    @property
    def sections(self) -> list[Section]:
        """The sections, in the order in which a reader asks."""
        mutants = [section for section in (self.worth, self.detection) if section is not None]
        return [self.targets, self.time, self.work, *mutants, self.history, self.provenance]


def build_report(
    baseline: Baseline,
    source: str,
    histories: list[History] | None = None,
    origin: Origin | None = None,
    worth: WorthSection | None = None,
    detection: DetectionSection | None = None,
) -> ReportData:
    """Return the report on a baseline and, if given, on its past; the same input gives the same report."""
    rows = property_rows(baseline)
    assessment, differences = check(baseline)
    time = build_time(baseline, rows)
    return ReportData(
        baseline=source,
        verified_at=baseline.verification_timestamp,
        measured_at=baseline.provenance.started_at,
        commit=baseline.provenance.commit or None,
        is_dirty=baseline.provenance.is_dirty,
        origin=origin,
        differences=[str(difference) for difference in differences],
        targets=build_targets(baseline, assessment, rows),
        time=time,
        work=build_work(baseline, rows, time.profile),
        history=build_history(histories),
        worth=worth,
        detection=detection,
        provenance=build_provenance(baseline, rows),
        properties=rows,
    )
