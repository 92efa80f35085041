"""Which episodes are so alike that one can stand for the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from atom.episodes.embedding import Vector, cosine

if TYPE_CHECKING:
    from collections.abc import Sequence

CONSOLIDATION_THRESHOLD = 0.85
"""Episodes at least this similar are told once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An episode that nothing stands for yet."""

    id: str
    vector: Vector
    is_parent: bool
    """Whether it stands for others already; then it stays on its own."""


def plan_merges(candidates: Sequence[Candidate], *, threshold: float) -> dict[str, str]:
    """
    Return the parent of each episode that another one can stand for.

    Earlier candidates are preferred as parents, those that are parents already before all. Each child goes to
    the first parent that is similar enough; a parent is never a child, so no chain is longer than one link.
    """
    ranked = sorted(candidates, key=lambda candidate: not candidate.is_parent)
    parent_of: dict[str, str] = {}
    for place, parent in enumerate(ranked):
        if parent.id in parent_of:
            continue
        for child in ranked[place + 1 :]:
            if child.is_parent or child.id in parent_of:
                continue
            if cosine(parent.vector, child.vector) >= threshold:
                parent_of[child.id] = parent.id
    return parent_of
