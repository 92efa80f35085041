"""What became of the time that a run was given, in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from atom_testinfra.core import figures
from atom_testinfra.core.budgets.costs import (
    LEAST_S,
    Costs,
    FileCost,
    KnownCost,
    Time,
    split_wall,
    stretch_of,
)
from atom_testinfra.core.budgets.events import Began, Collected, Ended, Ending, RoundBegan, RoundEnded
from atom_testinfra.core.time_spans import BudgetClock, TimeSpan

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from atom_testinfra.core.budgets.planner import Forecast

NAMED = 3
"""At most this many tests are named in a line; the table has all of them."""
LATE = 1.05
"""Of the time asked: a run that takes more says why."""
SHORT_SHARE = 0.9
"""Of the time asked: a run that takes less has left some unused, and says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """All that happened in a timed run."""

    asked: TimeSpan
    taken_s: float
    """Wall seconds from the start of the process."""
    cpu_s: float
    exit_s: float
    """What the exit is predicted to take, by the clock of the budget."""
    names: Sequence[str]
    ended: Sequence[Ended]
    unsteered: Sequence[str] = ()
    """Remarks on what could not be steered at all."""
    has_rounds: bool = False
    rounds: Sequence[RoundEnded] = ()
    """What ran in rounds after the first."""

    @classmethod
    def of(
        cls,
        events: Iterable[object],
        *,
        asked: TimeSpan,
        taken_s: float,
        own_cpu_s: float,
        exit_s: float,
        names: Sequence[str],
        unsteered: Sequence[str] = (),
        has_rounds: bool = False,
    ) -> Account:
        """Return the account of what the processes of a run have told, with the CPU time of all of them."""
        cpu_s: dict[str, float] = {}
        ended, rounds = [], []
        for event in events:
            if isinstance(event, Began | Ended | Collected | RoundBegan | RoundEnded):
                cpu_s[event.worker] = max(cpu_s.get(event.worker, 0.0), event.cpu_s)
            if isinstance(event, Ended):
                ended.append(event)
            if isinstance(event, RoundEnded):
                rounds.append(event)
        cpu_s.pop("", None)  # a run without workers has told its own
        return cls(
            asked=asked,
            taken_s=taken_s,
            cpu_s=own_cpu_s + sum(cpu_s.values()),
            exit_s=exit_s,
            names=names,
            ended=ended,
            unsteered=unsteered,
            has_rounds=has_rounds,
            rounds=rounds,
        )

    @property
    def used_s(self) -> float:
        """What was taken by the clock of the budget, the exit included."""
        return (self.cpu_s if self.asked.clock is BudgetClock.CPU else self.taken_s) + self.exit_s

    def lines(self, *, has_floor_to_blame: bool = False) -> list[str]:
        """Return the lines that a person reads at the end."""
        n_examples = sum(end.n_examples for end in self.ended)
        n_examples += sum(end.n_examples for end in self.rounds)
        properties = [end for end in self.ended if end.ending is not Ending.PLAIN]
        exit_text = f"about {self.exit_s:.1f} s more for the exit"
        taken = f"taken {self.taken_s:.1f} s and {self.cpu_s:.1f} CPU s, {exit_text}"
        lines = [
            f"asked {self.asked}, {taken}; {_examples(n_examples)} of {_properties(len(properties))}",
        ]
        if not properties:
            lines.append("no property ran, and only the examples of properties follow a time")
        if self.has_rounds and properties:
            lines += self._round_lines(properties)
        n_left = len(self.names) - len({end.test for end in self.ended})
        if n_left:
            lines.append(f"ended early: {n_left:,} of {len(self.names):,} tests did not run to their end")
        elif self.used_s < self.asked.seconds * SHORT_SHARE and properties:
            lines.append(self._why_short(properties))
        if has_floor_to_blame and self.used_s > self.asked.seconds:
            lines.append("late, because each property got its floor, which did not fit")
        elif self.used_s > self.asked.seconds * LATE:
            lines += self._why_late(properties) or self._latest()
        heaviest = self._heaviest()
        if heaviest is not None:
            lines.append(heaviest)
        fixed = [end for end in self.ended if end.reason is not None]
        if fixed:
            reasons = "; ".join(dict.fromkeys(str(end.reason) for end in fixed))
            lines.append(f"not steered: {self._named(fixed)} ({reasons})")
        lines += [f"not steered: {remark}" for remark in self.unsteered]
        failed = [end for end in self.ended if end.ending is Ending.FAILED]
        no_call = [end for end in failed if end.is_idle]
        if no_call:
            lines.append(f"failed in the set-up, so that no example ran: {self._named(no_call)}")
        shrunk = [end for end in failed if not end.is_idle]
        if shrunk:
            lines.append(f"failed, with the time to shrink: {self._named(shrunk)}")
        return lines

    def _round_lines(self, properties: Sequence[Ended]) -> list[str]:
        """Return what the rounds after the first ran and found."""
        n_rounds = sum(end.is_last for end in self.rounds)
        n_examples = sum(end.n_examples for end in self.rounds)
        whole = f"{n_rounds:,} whole {'one' if n_rounds == 1 else 'ones'} after the first"
        lines = [f"rounds: {whole}, with fresh seeds; {_examples(n_examples)} in them"]
        watched = [end for end in self.rounds if end.n_new is not None]
        if watched:
            last = max(end.round for end in watched)
            news = {end.test for end in watched if end.n_new and end.round == last}
            lines.append(
                f"rounds: {len(news):,} of {_properties(len({end.test for end in watched}))} "
                f"took a new way through the code in round {last}, the last that was watched"
            )
        found = [end for end in self.rounds if end.reports]
        first = {end.test: end for end in reversed(found)}.values()
        lines += [f"rounds: found in round {end.round}: {self.names[end.test]}" for end in first]
        lost = [end for end in found if not end.is_kept]
        if lost:
            lines.append(f"rounds: not kept, because these properties have no database: {self._named(lost)}")
        failed = {end.test for end in properties if end.ending is Ending.FAILED} | {end.test for end in found}
        exhausted = {end.test for end in properties if end.ending is Ending.EXHAUSTED}
        exhausted |= {end.test for end in self.rounds if end.is_exhausted} - failed
        out = [f"{len(failed):,} that failed"] * bool(failed)
        out += [f"{len(exhausted):,} without further examples to try"] * bool(exhausted)
        if out:
            lines.append(f"rounds: left out of further ones: {' and '.join(out)}")
        return lines

    def table(self) -> list[str]:
        """Return a line for each property: its share, what it took, its examples, and how it ended."""
        rows = [
            (
                self.names[end.test],
                f"{end.share_s:.3f}",
                f"{end.by(self.asked.clock):.3f}",
                f"{end.n_planned:,}",
                f"{end.n_examples:,}",
                end.ending.value,
            )
            for end in self.ended
            if end.ending is not Ending.PLAIN
        ]
        head = ("property", "share s", "taken s", "planned", "ran", "ended by")
        widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
        return [
            "  ".join(
                text.ljust(width) if i in {0, 5} else text.rjust(width)
                for i, (text, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in [head, *rows]
        ]

    def costs(self, previous: Costs, files: Sequence[str]) -> Costs:
        """Return what is kept for the next run; `files` are those of the tests."""
        stretch = stretch_of((end.wall_s, end.process_s) for end in self.ended)
        properties = {
            self.names[end.test]: _known_cost(end, stretch)
            for end in self.ended
            if (end.n_running and (end.ending.is_telling or end.ending is Ending.EXHAUSTED)) or end.is_idle
        }
        plain: dict[str, list[Time]] = {}
        for end in self.ended:
            if end.ending is Ending.PLAIN:
                plain.setdefault(files[end.test], []).append(
                    split_wall(end.wall_s, end.process_s, stretch, end.queued_s)
                )
        new = Costs(properties=properties, plain={name: _file_cost(times) for name, times in plain.items()})
        return previous.updated(new)

    def _why_short(self, properties: Sequence[Ended]) -> str:
        exhausted = [end for end in properties if end.ending is Ending.EXHAUSTED]
        failed = [end for end in properties if end.ending is Ending.FAILED]
        unused, of_all = f"{self.asked.seconds - self.used_s:.1f} s were left", _properties(len(properties))
        why = [f"{len(exhausted):,} of {of_all} ran out of examples to try"] * bool(exhausted)
        why += [f"{len(failed):,} of {of_all} failed, and a failure ends a property"] * bool(failed)
        capped = [end for end in properties if end.is_capped]
        why += [f"{len(capped):,} of {of_all} got half of the timeout, and no more"] * bool(capped)
        return f"{unused}; {', '.join(why)}" if why else f"{unused}: the last tests cost less than predicted"

    def _why_late(self, properties: Sequence[Ended]) -> list[str]:
        """Return a sentence about floors that cost more than predicted, if they made the run late."""
        late_s = self.used_s - self.asked.seconds
        over = [
            end.n_examples * end.example_by(self.asked.clock) - end.share_s
            for end in properties
            if end.ending.is_telling
        ]
        over = [seconds for seconds in over if seconds > 0.0]
        if sum(over) < late_s / 2.0:
            return []
        of_all = f"{len(over):,} of {_properties(len(properties))}"
        return [f"late by {late_s:.1f} s: {of_all} took longer than planned, because each gets its floor"]

    def _latest(self) -> list[str]:
        """Return a sentence about the test that alone made the run late, if there is one."""
        clock, late_s = self.asked.clock, self.used_s - self.asked.seconds
        if not self.ended:
            return []
        end = max(self.ended, key=lambda end: end.by(clock) - end.share_s)
        if end.by(clock) - end.share_s < late_s / 2.0:
            return []
        return [f"late by {late_s:.1f} s: {self.names[end.test]} alone took {end.by(clock):.1f} s"]

    def _heaviest(self) -> str | None:
        """Return a word about a single example that took more than a twentieth of the time, if one did."""
        heavy = [
            end
            for end in self.ended
            if end.n_running and end.example_by(self.asked.clock) > self.asked.seconds / 20
        ]
        if not heavy:
            return None
        return f"an example takes more than a twentieth of the time asked: {self._named(heavy)}"

    def _named(self, ended: Sequence[Ended | RoundEnded]) -> str:
        names = list(dict.fromkeys(self.names[end.test] for end in ended))
        more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
        return ", ".join(names[:NAMED]) + more


def describe_forecast(forecast: Forecast, asked: TimeSpan, floor: int) -> str:
    """Return the words before the first test of a run whose floor does not fit."""
    unknown = f"; what {forecast.n_unknown:,} of them cost is not known" if forecast.n_unknown else ""
    left = f"asked {asked}, {figures.seconds(max(forecast.left_s, 0.0))} are left for the tests"
    examples = f"the floor of {floor} examples for each of {_properties(forecast.n_properties)}"
    return f"{left}, and {examples} needs at least {figures.seconds(forecast.floor_s)}{unknown}"


def _examples(n: int) -> str:
    return f"{n:,} example{'' if n == 1 else 's'}"


def _properties(n: int) -> str:
    return f"{n:,} {'property' if n == 1 else 'properties'}"


def _known_cost(end: Ended, stretch: float) -> KnownCost:
    wall, cpu = BudgetClock.WALL, BudgetClock.CPU
    if end.is_idle:
        fixed = split_wall(end.wall_s, end.process_s, stretch, end.queued_s)
        return KnownCost(example=Time(), fixed=fixed, n_examples=0, most=0)
    example = split_wall(end.example_by(wall), end.example_by(cpu), stretch, end.example_queued_s)
    return KnownCost(
        example=example if example.by(BudgetClock.WALL) else Time(cpu_s=LEAST_S),
        fixed=split_wall(end.fixed_by(wall), end.fixed_by(cpu), stretch, end.fixed_queued_s),
        n_examples=end.n_examples,
        most=end.n_examples if end.ending is Ending.EXHAUSTED else None,
    )


def _file_cost(times: Sequence[Time]) -> FileCost:
    n = len(times)
    each = Time(cpu_s=sum(time.cpu_s for time in times) / n, wait_s=sum(time.wait_s for time in times) / n)
    return FileCost(each=each, n_tests=n)
