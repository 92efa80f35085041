"""What an example of a property costs and what surrounds it, as it is kept from one run to the next."""

from __future__ import annotations

from statistics import quantiles
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from atom_testinfra.core.costs.cost import marginal_s
from atom_testinfra.core.time_spans import BudgetClock

if TYPE_CHECKING:
    from collections.abc import Iterable

    from atom_testinfra.core.costs.baseline import ProfileCost

SCHEMA_VERSION = 1
LEAST_S = 1e-7
"""No example costs less: what a clock reads as nothing must not be given all the time there is."""
MEMORY = 0.5
"""Weight of an earlier example against one of the latest run."""

Seconds = Annotated[float, Meta(ge=0.0, le=1e9)]
Workers = Annotated[str, Meta(pattern="^[1-9][0-9]{0,4}$")]
"""A number of workers, as a key of JSON."""
Count = Annotated[int, Meta(ge=0, le=10**12)]


class Time(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """CPU seconds, and seconds of waiting for anything but a CPU: together the wall time when quiet."""

    cpu_s: Seconds = 0.0
    wait_s: Seconds = 0.0

    def by(self, clock: BudgetClock) -> float:
        """Return what a clock reads of it on a quiet machine."""
        return self.cpu_s if clock is BudgetClock.CPU else self.cpu_s + self.wait_s

    def mixed(self, other: Time, weight: float) -> Time:
        """Return the average of both; the other one has this weight, from 0 to 1."""
        return Time(
            cpu_s=self.cpu_s + (other.cpu_s - self.cpu_s) * weight,
            wait_s=self.wait_s + (other.wait_s - self.wait_s) * weight,
        )


class KnownCost(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a property cost: `fixed + n * example`."""

    example: Time
    """A valid example, with the test cases that were given up to find it."""
    fixed: Time
    """What is paid once: fixtures, pytest around the test, what the first example costs more."""
    n_examples: Count
    """Valid examples that the figures are from; those of earlier runs count less."""
    most: Count | None = None
    """The number of examples after which nothing was left to try; 0 of a test that had no call to run any."""

    def updated(self, new: KnownCost) -> KnownCost:
        """Return the cost after a further run: an average in which the latest examples weigh most."""
        kept = self.n_examples * MEMORY
        weight = 1.0 if new.n_examples + kept == 0 else new.n_examples / (new.n_examples + kept)
        return KnownCost(
            example=self.example.mixed(new.example, weight),
            fixed=self.fixed.mixed(new.fixed, 1.0 - MEMORY),
            n_examples=new.n_examples + int(kept),
            most=new.most,
        )


class FileCost(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a test of a file cost that is not a property."""

    each: Time
    n_tests: Count


class WorkersExit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the exit of a run with workers cost; they end at the same time, so its CPU time may be longer."""

    cpu_s: Seconds
    """Of all processes."""
    wall_s: Seconds
    """On a quiet machine."""

    def by(self, clock: BudgetClock) -> float:
        """Return what a clock reads of it on a quiet machine."""
        return self.cpu_s if clock is BudgetClock.CPU else self.wall_s


class Costs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is kept for the next run."""

    schema_version: int = SCHEMA_VERSION
    properties: dict[str, KnownCost] = {}
    """By node id."""
    plain: dict[str, FileCost] = {}
    """By file."""
    exit: Time | None = None
    """From the end of the tests to the end of the process, in a run without workers."""
    workers_exit: dict[Workers, WorkersExit] = {}
    """The same by the number of workers."""

    def exit_s(self, clock: BudgetClock, n_workers: int) -> float | None:
        """
        Return what the exit of a run with `n_workers` workers (0: none) should take on a quiet machine.

        A figure from another number of workers is scaled: each process ends once, and all at the same time.
        """
        known = [(int(n), cost.by(clock)) for n, cost in self.workers_exit.items()]
        if self.exit is not None:
            known.append((0, self.exit.by(clock)))
        if not known:
            return None
        n, seconds = min(known, key=lambda each: abs(each[0] - n_workers))
        return seconds * (n_workers + 1) / (n + 1) if clock is BudgetClock.CPU else seconds

    def updated(self, new: Costs) -> Costs:
        """Return what is known after a further run; tests that did not run keep what they had."""
        properties = {
            nodeid: self.properties[nodeid].updated(cost) if nodeid in self.properties else cost
            for nodeid, cost in new.properties.items()
        }
        return Costs(
            properties=self.properties | properties,
            plain=self.plain | new.plain,
            exit=self.exit if new.exit is None else new.exit,
            workers_exit=self.workers_exit | new.workers_exit,
        )


def stretch_of(tests: Iterable[tuple[float, float]]) -> float:
    """
    Return how many wall seconds a CPU second takes, from (wall, CPU) seconds of tests.

    The lower quartile: tests that wait for a disk or a server take longer for a reason of their own.
    """
    ratios = [max(wall_s / cpu_s, 1.0) for wall_s, cpu_s in tests if cpu_s > 0.0]
    if len(ratios) < 2:
        return ratios[0] if ratios else 1.0
    return quantiles(ratios, n=4, method="inclusive")[0]


def split_wall(wall_s: float, cpu_s: float, stretch: float, queued_s: float | None = None) -> Time:
    """
    Return the CPU time, and the part of the wall time that a busy machine does not explain.

    Args:
        wall_s: all of it.
        cpu_s: spent on a CPU.
        stretch: the wall seconds that a CPU second takes in other tests.
        queued_s: spent ready, while others had the CPU. Where it is known, `stretch` is not needed: that is
            the average of a load that changes from one test to the next.
    """
    wall_s, cpu_s = max(wall_s, 0.0), max(cpu_s, 0.0)
    if queued_s is not None:
        return Time(cpu_s=cpu_s, wait_s=max(wall_s - cpu_s - max(queued_s, 0.0), 0.0))
    return Time(cpu_s=cpu_s, wait_s=max(wall_s - cpu_s * stretch, 0.0))


def from_baseline(cost: ProfileCost) -> KnownCost | None:
    """Return what a baseline's figures predict, or `None` where its cost model does not apply."""
    if cost.unpredictable is not None and not cost.is_exhausted:
        return None
    each_s = marginal_s(cost) if cost.unpredictable is None else 0.0
    each_s = each_s or cost.duration_s / max(cost.n_examples, 1)
    on_cpu = min(cost.cpu_s / cost.duration_s, 1.0) if cost.duration_s else 1.0
    fixed_s = max(cost.duration_s - each_s * cost.n_examples, 0.0)
    return KnownCost(
        example=Time(cpu_s=each_s * on_cpu, wait_s=each_s * (1.0 - on_cpu)),
        fixed=Time(cpu_s=fixed_s * on_cpu, wait_s=fixed_s * (1.0 - on_cpu)),
        n_examples=cost.n_examples,
        most=cost.n_examples if cost.is_exhausted else None,
    )
