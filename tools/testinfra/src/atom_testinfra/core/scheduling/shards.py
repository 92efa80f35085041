"""Shards: a pure function of what there is to run, and the check that all of it ran, once."""

from __future__ import annotations

import re
from collections import Counter
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from atom_testinfra.core.errors import ShardError
from atom_testinfra.core.mutants import Finding
from atom_testinfra.core.scheduling.durations import digest_durations, digest_values, expect
from atom_testinfra.core.scheduling.units import assign_longest_first, make_units

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

LAYOUT = 1
"""Part of every digest: shards that were dealt in another way do not fit together."""
MOST_SHARDS = 10_000
BAD = frozenset({"failed", "error", "crashed"})
"""Outcomes of tests that a person has to look at."""

_SHARD = re.compile(r"([1-9][0-9]{0,4})/([1-9][0-9]{0,4})")


class ShardKind(StrEnum):
    """What a shard is a part of."""

    TESTS = "tests"
    """The tests that pytest selects."""
    MUTANTS = "mutants"
    """The mutants that `testinfra mutate` selects."""


class ShardNumber(Struct, frozen=True):
    """Which shard this is, and how many there are; written `i/N`."""

    index: int
    """From 1."""
    n_shards: int

    def __str__(self) -> str:
        return f"{self.index}/{self.n_shards}"


class Shard(Struct, frozen=True, kw_only=True):
    """What one shard ran: the whole file that it leaves."""

    schema: Literal["atom-testinfra/shard"] = "atom-testinfra/shard"
    schema_version: Literal[1] = 1
    kind: ShardKind
    number: ShardNumber
    digest: str
    """Of everything that decides which shard runs what."""
    ids: list[str]
    """All that there is to run, sorted; an id that stands here twice was collected twice."""
    chosen: list[str]
    """What this shard was to run."""
    results: list[tuple[str, str]]
    """What it ran, each with its outcome."""
    exit_status: int
    seed: str | None = None
    """The seed of a random order."""
    seconds: dict[str, float] = {}
    """How long tests took that did not fail."""
    findings: list[Finding] = []
    """What became of its mutants."""


def parse_shard(text: str) -> ShardNumber:
    """
    Return the shard that `i/N` names.

    Raises:
        ShardError: It names none.
    """
    match = _SHARD.fullmatch(text)
    number = ShardNumber(int(match[1]), int(match[2])) if match else None
    if number is None or not 1 <= number.index <= number.n_shards <= MOST_SHARDS:
        raise ShardError(
            f"{text[:20]!r} is not a shard", hint=f"write 2/4 for the second of four; at most {MOST_SHARDS}"
        )
    return number


def deal_tests(
    nodeids: Iterable[str], known: Mapping[str, float], n_shards: int, n_workers: int
) -> tuple[list[frozenset[str]], str]:
    """
    Return the tests of each shard, and the digest of what decides that.

    The order of the node ids does not matter. A test that nothing is known about counts as the shortest known
    one: the baseline knows the properties, and what it does not know are mostly plain tests.
    """
    ids = sorted(nodeids)
    unique = sorted(set(ids))
    expectation = expect(unique, known, guess=min)
    n_slots = n_shards * n_workers
    units = make_units(expectation, n_slots)
    slots = assign_longest_first([unit.seconds for unit in units], n_slots)
    shards: list[set[str]] = [set() for _ in range(n_shards)]
    for number, slot in enumerate(slots):
        for unit in slot:
            shards[number % n_shards].update(unique[index] for index in units[unit].indices)
    digest = digest_values([LAYOUT, ShardKind.TESTS, ids, digest_durations(known), n_shards, n_workers])
    return [frozenset(shard) for shard in shards], digest


def deal_mutants(ids: Iterable[str], asked: str, n_shards: int) -> tuple[list[frozenset[str]], str]:
    """Return the mutants of each shard, and the digest of what decides that; `asked` says which tests."""
    ordered = sorted(ids)
    digest = digest_values([LAYOUT, ShardKind.MUTANTS, ordered, asked, n_shards])
    return [frozenset(ordered[number::n_shards]) for number in range(n_shards)], digest


def find_problems(shards: Sequence[tuple[str, Shard]]) -> list[str]:
    """Return why shards, each with the name of its file, are not the whole; none if they are."""
    if not shards:
        return ["there is no shard"]
    (whole, _), *_ = Counter(_belongs_to(shard) for _, shard in shards).most_common(1)
    fitting = [(name, shard) for name, shard in shards if _belongs_to(shard) == whole]
    reference = fitting[0][1]
    problems = [
        f"{name}: {_describe_foreign(shard, reference)}"
        for name, shard in shards
        if _belongs_to(shard) != whole
    ]
    problems += _find_repeated_and_missing(fitting, reference.number.n_shards)
    seeds = {shard.seed for _, shard in fitting}
    if len(seeds) > 1:
        problems.append(f"the random order had different seeds: {', '.join(sorted(map(str, seeds)))}")
    for name, shard in fitting:
        problems += [f"{name}: {problem}" for problem in _find_undone(shard)]
    if not problems:
        problems += _find_uncovered(reference.ids, [shard for _, shard in fitting])
    return problems


def _belongs_to(shard: Shard) -> tuple[object, ...]:
    """Return what is the same for all shards of one whole."""
    return shard.kind, shard.number.n_shards, shard.digest, tuple(shard.ids)


def _describe_foreign(shard: Shard, reference: Shard) -> str:
    told = f"shard {shard.number} does not belong to the others"
    if shard.kind != reference.kind:
        return f"{told}: it is one of {shard.kind}, not of {reference.kind}"
    if shard.number.n_shards != reference.number.n_shards:
        return f"{told}: it is one of {shard.number.n_shards}, not of {reference.number.n_shards}"
    more, fewer = sorted(set(shard.ids) - set(reference.ids)), sorted(set(reference.ids) - set(shard.ids))
    if more or fewer or shard.ids != reference.ids:
        parts = [f"{len(more)} more (first {more[0]!r})"] if more else []
        parts += [f"{len(fewer)} fewer (first {fewer[0]!r})"] if fewer else []
        return f"{told}: it collected other {shard.kind}: {', '.join(parts) or 'some of them twice'}"
    return (
        f"{told}: its digest is {shard.digest}, not {reference.digest}; it was divided with other durations,"
        " another number of workers, or another version"
    )


def _find_repeated_and_missing(shards: Sequence[tuple[str, Shard]], n_shards: int) -> list[str]:
    names: dict[int, list[str]] = {}
    for name, shard in shards:
        names.setdefault(shard.number.index, []).append(name)
    missing = [f"{index}/{n_shards}" for index in range(1, n_shards + 1) if index not in names]
    problems = [
        f"shard {index}/{n_shards} is in {len(files)} files: {', '.join(files)}"
        for index, files in sorted(names.items())
        if len(files) > 1
    ]
    return problems + ([f"missing: shard {', '.join(missing)}"] if missing else [])


def _find_undone(shard: Shard) -> list[str]:
    """Return what a shard was to run and did not, or ran and was not to."""
    wanted, found = Counter(shard.chosen), Counter(id_ for id_, _ in shard.results)
    problems = []
    if undone := sorted((wanted - found).elements()):
        problems.append(f"{len(undone)} {shard.kind} have no result, the first is {undone[0]!r}")
    if foreign := sorted((found - wanted).elements()):
        problems.append(f"{len(foreign)} results are of other {shard.kind}, the first is {foreign[0]!r}")
    if shard.exit_status not in (0, 1):
        problems.append(f"its run ended with exit status {shard.exit_status}")
    return problems


def _find_uncovered(ids: Sequence[str], shards: Sequence[Shard]) -> list[str]:
    wanted, found = Counter(ids), Counter(id_ for shard in shards for id_ in shard.chosen)
    problems = []
    if lost := sorted((wanted - found).elements()):
        problems.append(f"{len(lost)} are in no shard, the first is {lost[0]!r}")
    if more := sorted((found - wanted).elements()):
        problems.append(f"{len(more)} are in a shard and were not collected, or are in two: {more[0]!r}")
    return problems
