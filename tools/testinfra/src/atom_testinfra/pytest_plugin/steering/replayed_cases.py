"""Gives a property recorded test cases to replay first, through Hypothesis's own database."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from hypothesis import Phase, core
from hypothesis import settings as Settings  # noqa: N812 (it is a class, whatever its name looks like)
from hypothesis.database import InMemoryExampleDatabase, MultiplexedDatabase, ReadOnlyDatabase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atom_testinfra.pytest_plugin.steering.subject import Subject
    from atom_testinfra.storage.example_budget import CorpusEntry

SEEDED = "--hypothesis-seed turns Hypothesis's database off"
UNPHASED = "its settings leave the phase `reuse` out"
UNKNOWN_KEY = "this version of Hypothesis keeps its test cases elsewhere"


def refuse_replay(own: Settings, key: bytes | None) -> str | None:
    """Return why nothing can be replayed before a property's own examples, or `None`."""
    if getattr(core, "global_force_seed", None) is not None:
        return SEEDED
    if Phase.reuse not in own.phases:
        return UNPHASED
    return UNKNOWN_KEY if key is None else None


def with_cases(
    subject: Subject, own: Settings, key: bytes, entries: Sequence[CorpusEntry]
) -> tuple[Settings, int | None]:
    """
    Return settings that replay these entries, and the seed to install with them.

    The entries are read-only and stand in front of the property's own database: Hypothesis deletes what it
    replays and finds passing. A derandomized property has no database, so it gets the entries alone, and the
    seed that it derives from its source, so that its fresh examples follow from the source as before.
    """
    corpus = InMemoryExampleDatabase()
    for entry in entries:
        corpus.save(key, base64.b64decode(entry.choices))
    first: Any = ReadOnlyDatabase(corpus)
    if own.derandomize:
        seed = int.from_bytes(key, "big") if subject.own_seed is None else None
        return Settings(own, derandomize=False, database=first), seed
    database = first if own.database is None else MultiplexedDatabase(first, own.database)
    return Settings(own, database=database), None
