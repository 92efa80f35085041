"""What is known of mutants without asking anybody: the verdicts that still hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from atom_testinfra.storage.accepted_mutants import load_accepted
from atom_testinfra.storage.mutants import newest_store

if TYPE_CHECKING:
    from collections.abc import Iterable

    from atom_testinfra.core.mutants import Finding
    from atom_testinfra.reports.sections.worth import WorthSection
    from atom_testinfra.storage.project import Project


def load_worth(project: Project) -> WorthSection | None:
    """Return the section of a report on what mutants said last; `None` where nothing of it holds."""
    store = newest_store(project.root / project.config.mutants)
    if store is None:
        return None
    from atom_testinfra.mutation.knowledge import Knowledge
    from atom_testinfra.mutation.product import find_product
    from atom_testinfra.reports.sections.worth import build_worth

    product = find_product(project.root, project.rootdir, project.config.product)
    modules = {module.path: module for module in map(product.read, product.files)}
    knowledge = Knowledge(product, modules, project.rootdir, store)
    selected = [mutant for module in modules.values() for mutant in module.mutants]
    findings = knowledge.find_findings(selected)
    blocks = {mutant.id: f"{mutant.path}:{mutant.block}" for mutant in selected if mutant.id in findings}
    return build_worth(accept_survivors(findings.values(), project), blocks, list(knowledge.reaches.values()))


def accept_survivors(findings: Iterable[Finding], project: Project) -> list[Finding]:
    """Return the findings, each survivor that a person accepted with the reason."""
    accepted = load_accepted(project.root / project.config.equivalent)
    return [
        msgspec.structs.replace(finding, accepted=accepted[finding.id].reason)
        if finding.id in accepted
        else finding
        for finding in findings
    ]
