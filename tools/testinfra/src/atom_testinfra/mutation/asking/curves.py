"""Ask each property about each mutant that it reaches, on several seeds: detection curves are made of it."""

from __future__ import annotations

import base64
import contextlib
import functools
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from atom_testinfra.core.detection.trials import NoticingCase, Trial, UnchangedRun
from atom_testinfra.mutation.asking.copies import Copies
from atom_testinfra.mutation.asking.in_process import (
    CPU_FACTOR,
    LEAST_CPU_S,
    LEAST_WALL_S,
    WALL_FACTOR,
    CpuLimit,
)
from atom_testinfra.mutation.asking.loading import Functions
from atom_testinfra.mutation.asking.repeats import MEASURED_WALL_S
from atom_testinfra.mutation.asking.replay import Replay
from atom_testinfra.mutation.orders import Fact
from atom_testinfra.pytest_plugin.steering.requests import seed_of
from atom_testinfra.pytest_plugin.steering.subject import find_subject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from atom_testinfra.core.mutants import Mutant, Reach
    from atom_testinfra.mutation.asking.copies import Copy, Say
    from atom_testinfra.mutation.asking.replay import TestCase
    from atom_testinfra.mutation.asking.rounds import Host
    from atom_testinfra.mutation.orders import CurveOrders

LONGEST_TEXT = 200
RECORDED_WALL_S = 4 * MEASURED_WALL_S


class Size(NamedTuple):
    """A run of a property by its seed and its planned number of examples."""

    seed: int
    planned: int


class CurveReplay(Replay):
    """Counts valid examples until one notices, and can look at a recorded run to its end."""

    def __init__(self) -> None:
        super().__init__()
        self.is_scanning = False
        self.noticing: list[int] = []
        """Places in the recorded run of the test cases that notice."""
        self._texts: list[str] = []
        self._text = ""

    @contextlib.contextmanager
    def texts(self, item: Any) -> Iterator[list[str]]:
        """Write down the arguments of each recorded test case, for as long as the context lasts."""
        self._texts = []
        handle = getattr(getattr(find_subject(item), "function", None), "hypothesis", None)
        inner = getattr(handle, "inner_test", None)
        if handle is None or inner is None:
            yield self._texts
            return
        handle.inner_test = self._noting(inner)
        try:
            yield self._texts
        finally:
            handle.inner_test = inner

    def note_case(self) -> None:
        """Keep the text of a recorded test case."""
        self._texts.append(self._text)
        self._text = ""

    def _noting(self, inner: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(inner)
        def noting(*args: Any, **kwargs: Any) -> Any:
            self._text = _write_arguments(args, kwargs)
            return inner(*args, **kwargs)

        return noting

    def choices_of(self, key: str, place: int) -> str:
        """Return the choices of a recorded test case as text."""
        from hypothesis.database import choices_to_bytes

        return base64.b64encode(choices_to_bytes(self._runs[key][0][place][0])).decode()

    def _replay(self, state: Any, cases: list[TestCase]) -> bool:
        failure: BaseException | None = None
        for place, case in enumerate(cases):
            data = self._data.for_choices(case[0])
            before = self.n_valid
            with contextlib.suppress(self._stop):
                state._execute_once_for_engine(data)
            if failure is not None:
                self.n_valid = before
            if int(data.status) == self._interesting and case[1] != self._interesting:
                self.noticing.append(place)
                failure = failure or data.expected_exception
                if not self.is_scanning:
                    break
            elif failure is None and self.describe(data) != case:
                return False
        self.n_replayed += 1
        if failure is not None:
            raise failure
        return True


def _why(said: dict[str, Any]) -> str:
    """Return why a run ended early: its test failed, or the tool did, as the end of a traceback says."""
    return str(said["error"] if "error" in said else said["trouble"].rstrip().rpartition("\n")[2])


class CurveRound:
    """Runs every pair of a property and a mutant in copies of this process."""

    def __init__(self, worker: Host, reaches: Sequence[Reach], orders: CurveOrders) -> None:
        self._worker = worker
        replay = worker.asker.replay
        assert isinstance(replay, CurveReplay)
        self._replay = replay
        self._sizes = [Size(seed, planned) for planned in orders.grid for seed in range(orders.n_seeds)]
        self._largest, self._scanned = orders.grid[0], orders.grid[min(1, len(orders.grid) - 1)]
        self._known = {(nodeid, mutant) for nodeid, mutant in orders.known}
        self._by_block: dict[str, list[Reach]] = {}
        for reach in reaches:
            for block in reach.blocks if reach.is_property else ():
                self._by_block.setdefault(block, []).append(reach)
        self._functions = Functions(worker.sources.files)
        self._runs: dict[str, dict[Size, UnchangedRun]] = {}
        self._texts: dict[str, dict[Size, list[str]]] = {}
        self._own: dict[str, int] = {}
        self._told: set[tuple[str, Size, int]] = set()
        self._asked: dict[int, tuple[str, Mutant]] = {}

    def ask(self, mutants: Sequence[Mutant], n_jobs: int, ends_at: float | None) -> None:
        """Ask all properties that reach a mutant about it, mutant by mutant, while there is time."""
        copies = Copies(n_jobs)
        for nodeid, mutant in self._pairs(mutants):
            if ends_at is not None and time.time() > ends_at:
                break
            if not self._record(nodeid):
                continue
            while copies.is_full:
                self._note(copies)
            copy = copies.start(self._question(nodeid, mutant), wall_s=RECORDED_WALL_S)
            self._asked[copy.pid] = nodeid, mutant
        while copies:
            self._note(copies)

    def _pairs(self, mutants: Sequence[Mutant]) -> Iterator[tuple[str, Mutant]]:
        for mutant in mutants:
            block, sources = mutant.place, self._worker.sources
            is_foreign = sources.of(mutant)[1] in sources.foreign_files
            if is_foreign or block in self._worker.early or mutant.is_hidden:
                continue
            for reach in self._by_block.get(block, ()):
                if (reach.nodeid, mutant.id) not in self._known:
                    yield reach.nodeid, mutant

    def _record(self, nodeid: str) -> bool:
        """Run a property unchanged in each size, once, in a copy; return whether it passes in all of them."""
        if nodeid in self._runs:
            return bool(self._runs[nodeid])
        copies = Copies(1)
        copies.start(lambda say: self._run_unchanged(nodeid, say), wall_s=RECORDED_WALL_S, is_limited=False)
        copy, _ = copies.wait_for_one()
        runs: dict[Size, UnchangedRun] = {}
        texts: dict[Size, list[str]] = {}
        for said in copy.said:
            if "run" in said:
                run = msgspec.convert(said["run"], UnchangedRun)
                size = Size(run.seed, run.planned)
                runs[size], texts[size] = run, said["texts"]
                self._replay.take(_key(nodeid, size), said["choices"])
        is_whole = len(runs) == len(self._sizes)
        self._runs[nodeid], self._texts[nodeid] = (runs, texts) if is_whole else ({}, {})
        error = next((_why(said) for said in copy.said if "run" not in said), "it did not end")
        self._worker.say(
            Fact.UNCHANGED,
            nodeid=nodeid,
            runs=list(self._runs[nodeid].values()),
            error=None if is_whole else error,
        )
        return is_whole

    def _run_unchanged(self, nodeid: str, say: Say) -> None:
        asker = self._worker.asker
        for size in self._sizes:
            own, is_machine = self._steer(nodeid, size)
            with self._replay.texts(asker.items[nodeid]) as texts:
                began = time.process_time()
                with self._replay.recording(_key(nodeid, size)):
                    raised = asker.run(nodeid)
                cpu_s = time.process_time() - began
            if raised is not None:
                say({"error": f"{type(raised).__name__}: {raised}"[:300]})
                return
            run = UnchangedRun(
                nodeid=nodeid,
                seed=size.seed,
                planned=size.planned,
                own=own,
                n_valid=self._replay.n_valid,
                cpu_s=cpu_s,
                is_machine=is_machine,
            )
            choices = self._replay.give(_key(nodeid, size))
            say({"run": msgspec.to_builtins(run), "choices": choices, "texts": texts})

    def _steer(self, nodeid: str, size: Size) -> tuple[int, bool]:
        """Give a property a run's seed and number of examples; return its own number, and its kind."""
        from hypothesis import HealthCheck, settings

        subject = find_subject(self._worker.asker.items[nodeid])
        assert subject is not None
        assert subject.settings is not None
        # A copy may steer a property again and again: the first number is its own.
        # A project may count in a subclass of int, which no JSON encoder knows.
        own = self._own.setdefault(nodeid, int(subject.settings.max_examples))
        changed = settings(
            subject.settings,
            max_examples=size.planned,
            derandomize=False,
            database=None,
            # On a busy machine it fails without a counterexample.
            suppress_health_check=[*subject.settings.suppress_health_check, HealthCheck.too_slow],
        )
        subject.install(changed, seed_of(nodeid, size.seed))
        return own, subject.kind == "stateful"

    def _question(self, nodeid: str, mutant: Mutant) -> Callable[[Say], None]:
        module, filename = self._worker.sources.of(mutant)

        def question(say: Say) -> None:
            problem = self._functions.exchange(filename, module, mutant)
            if problem is not None:
                say({"unfit": problem})
                return
            is_noticed = False
            for size in self._sizes:
                if size.planned != self._largest and not is_noticed:
                    break  # what the largest runs do not notice, smaller ones hardly do
                allowed_s = max(LEAST_CPU_S, CPU_FACTOR * self._runs[nodeid][size].cpu_s)
                wall_s = max(LEAST_WALL_S, WALL_FACTOR * allowed_s)
                say({"wall_s": 2 * wall_s})
                answer = self._try(nodeid, size, allowed_s, wall_s)
                if answer is not None:
                    say({"size": size, **answer})
                    is_noticed |= answer["first"] is not None

        return question

    def _try(self, nodeid: str, size: Size, allowed_s: float, wall_s: float) -> dict[str, Any] | None:
        """Run a property once in a copy; `None` where its end does not say which example noticed."""

        def trial(say: Say) -> None:
            replay, asker = self._replay, self._worker.asker
            asker.use_own_folder()
            self._steer(nodeid, size)
            replay.noticing.clear()
            replay.is_scanning = size.planned == self._scanned

            def say_overtime(_: dict[str, Any]) -> None:
                say({"first": replay.n_valid + 1, "cases": replay.noticing[:1]})

            with CpuLimit(allowed_s, say_overtime), replay.replaying(_key(nodeid, size)):
                raised = asker.run(nodeid)
            first = None
            if raised is not None:
                first = replay.n_valid + 1 if replay.n_test_cases else 0
            say({"first": first, "cases": replay.noticing})

        copies = Copies(1)
        copies.start(trial, wall_s=wall_s)
        copy, _ = copies.wait_for_one()
        return next((said for said in copy.said if "first" in said), None)

    def _note(self, copies: Copies) -> None:
        for copy, _ in copies.wait():
            nodeid, mutant = self._asked.pop(copy.pid)
            trials = [_trial(nodeid, mutant, said) for said in copy.said if "size" in said]
            if trials:
                self._worker.say(
                    Fact.TRIALS,
                    nodeid=nodeid,
                    id=mutant.id,
                    trials=trials,
                    cases=list(self._new_cases(copy, nodeid)),
                )

    def _new_cases(self, copy: Copy, nodeid: str) -> Iterator[NoticingCase]:
        for said in copy.said:
            for place in said.get("cases", ()):
                size = Size(*said["size"])
                if (nodeid, size, place) in self._told:
                    continue
                self._told.add((nodeid, size, place))
                texts = self._texts[nodeid][size]
                yield NoticingCase(
                    nodeid=nodeid,
                    seed=size.seed,
                    planned=size.planned,
                    place=place,
                    choices=self._replay.choices_of(_key(nodeid, size), place),
                    text=texts[place] if place < len(texts) else "",
                )


def _trial(nodeid: str, mutant: Mutant, said: dict[str, Any]) -> Trial:
    seed, planned = said["size"]
    return Trial(
        nodeid=nodeid,
        mutant=mutant.id,
        seed=seed,
        planned=planned,
        first=said["first"],
        cases=said["cases"],
    )


def _key(nodeid: str, size: Size) -> str:
    return f"{nodeid}\n{size.seed} {size.planned}"


def _write_arguments(args: Sequence[Any], kwargs: dict[str, Any]) -> str:
    """Return the arguments as a person reads them; an object that cannot be written stands by its type."""
    parts = []
    for name, value in [*(("", value) for value in args), *((f"{key}=", kwargs[key]) for key in kwargs)]:
        try:
            text = repr(value)
        except Exception:  # noqa: BLE001 (the repr of a test's object may do anything)
            text = f"<{type(value).__name__}>"
        parts.append(name + text)
    whole = ", ".join(parts)
    return whole if len(whole) <= LONGEST_TEXT else f"{whole[: LONGEST_TEXT - 1]}…"
