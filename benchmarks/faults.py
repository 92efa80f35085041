"""
How many faults the backend's tests notice: `make bench-faults`.

Two kinds of faults, one at a time: those of `subjects/faults/by_hand.toml`, which a person wrote down, and a
seeded sample of what the operators of `fault_sites.py` can do to the product's code. Faults that change
nothing anybody could see are listed in `subjects/faults/equivalent.toml`, each with its reason, and left out.

With `--properties` each property is asked alone, about one fault after another in the functions that it
calls, those first that few other tests call, until it notices one: `make bench-properties`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import sys
import time
import tomllib
from collections import Counter, defaultdict
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from evidence import ROOT, save, table
from fault_session import (
    BACKEND,
    PRODUCT,
    Answer,
    Laboratory,
    Map,
    Product,
    Verdict,
    calls,
    make_map,
    run_in_copies,
    run_session,
)
from fault_sites import Fault, Key, Module, Site, changed_lines, function_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    Task = Callable[[], Answer]
    Question = tuple[Fault, list[str]]
    """A fault, and the tests to ask about it."""
    Limited = Sequence[tuple[str, float]]
    """Tests, and the CPU seconds that each may take."""

SERVICES = (
    "agents",
    "analytics",
    "budgets",
    "chat",
    "db",
    "episodes",
    "governance",
    "graduation",
    "identity",
    "kit",
    "ledger",
    "workflows",
)
OF_THE_EDGE = {"routes.py", "schemas.py", "access.py", "__init__.py"}
"""What belongs to HTTP, where other tests ask other questions."""
SUBJECTS = Path(__file__).parent / "subjects" / "faults"
MAP = ROOT / ".testinfra" / "faults.json"
TESTS = ("tests/unit", "tests/property_tests")
TEST_FILES = tuple(path for folder in TESTS for path in sorted((BACKEND / folder).rglob("*.py")))
NOT_OF_THE_PRODUCT = "tests/unit/test_documents.py"
NUMBERS = "tests/unit/test_numbers.py"
SCHEMA_TESTS = ("tests/unit/db/test_migrate.py", "tests/property_tests/database")
BY_HAND = "by hand"
MOST_ROUNDS = 8
"""Faults that a property is asked about before it counts as one that notices nothing."""
ASKED_PERCENT = 95.0
MOST_CPU_S = 15.0
"""Of the tests asked about one fault, with few examples; what only dearer ones notice is not noticed."""
WALL_S = 400.0
"""For one fault: so long only a test waits that waits for something that never comes."""
BASE_CPU_S = 5.0
CPU_FACTOR = 15.0


@dataclass(kw_only=True)
class Score:
    """What became of the faults of a service."""

    noticed: list[Fault] = field(default_factory=list)
    unnoticed: list[Fault] = field(default_factory=list)

    @property
    def n(self) -> int:
        """All of them."""
        return len(self.noticed) + len(self.unnoticed)

    @property
    def percent(self) -> float:
        """The share that was noticed."""
        return 100.0 * len(self.noticed) / self.n if self.n else 0.0


def main() -> int:
    """Inject, report, save; 1 if a service or a property falls short."""
    arguments = _arguments()
    modules = [
        Module(service, PRODUCT, f"{service}/{path.name}")
        for service in arguments.service
        for path in sorted((PRODUCT / service).glob("*.py"))
        if path.name not in OF_THE_EDGE
    ]
    equivalent = load_equivalent()
    _require_current(equivalent, modules)
    faults = [] if arguments.properties or arguments.generated else load_by_hand(arguments.service)
    for service in [] if arguments.properties else arguments.service:
        own = [module for module in modules if module.service == service]
        faults += sample(own, arguments.sample, arguments.seed)
    faults = [
        fault for fault in {fault.key: fault for fault in faults}.values() if fault.key not in equivalent
    ]
    random.Random(arguments.seed).shuffle(faults)  # what time is left for is a sample too
    run = Run(
        until=time.monotonic() + 60 * arguments.minutes,
        faults=faults,
        modules=modules,
        equivalent=equivalent,
        seed=arguments.seed,
        n_jobs=arguments.jobs,
    )
    if arguments.properties:
        return run.ask_properties(is_kept=arguments.keep)
    command = " ".join(["python", "benchmarks/faults.py", *sys.argv[1:]])
    return run.inject(command, is_kept=arguments.keep)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1] if __doc__ else None)
    parser.add_argument("--service", action="append", choices=SERVICES, help="one of them; all if not given")
    parser.add_argument("--seed", type=int, default=0, help="of the sample and of the properties")
    parser.add_argument("--sample", type=int, default=60, help="generated faults of a service")
    parser.add_argument("--generated", action="store_true", help="leave out the faults by hand")
    parser.add_argument("--minutes", type=float, default=600.0, help="ask about no further fault after that")
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time")
    parser.add_argument("--properties", action="store_true", help="ask each property instead of all tests")
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/")
    arguments = parser.parse_args()
    arguments.service = arguments.service or list(SERVICES)
    return arguments


def load_by_hand(services: Sequence[str]) -> list[Fault]:
    """Return the faults that were written down, each put into its module as it is now."""
    found = []
    with (SUBJECTS / "by_hand.toml").open("rb") as file:
        entries = tomllib.load(file)["fault"]
    for entry in entries:
        path, before, after = entry["path"], entry["before"], entry["after"]
        service = path.split("/")[0]
        if service not in services:
            continue
        text = (PRODUCT / path).read_text(encoding="utf-8")
        if text.count(before) != 1:
            raise SystemExit(f"by_hand.toml: {path} has {text.count(before)} times {before!r}, expected once")
        source = text.replace(before, after)
        line = text[: text.index(before)].count("\n") + 1
        last = line + before.count("\n")
        function = function_at(text, line)
        old, new = changed_lines(text, source)
        found.append(
            Fault(
                service=service,
                path=path,
                operator=BY_HAND,
                function=function if function == function_at(text, last) else None,
                line=line,
                before=old,
                after=new,
                source=source,
            )
        )
    return found


def load_equivalent() -> dict[Key, str]:
    """Return the reason of each fault that changes nothing, by what names it."""
    with (SUBJECTS / "equivalent.toml").open("rb") as file:
        entries = tomllib.load(file).get("fault", [])
    return {
        (entry["path"], entry["function"], entry["before"], entry["after"]): entry["reason"]
        for entry in entries
    }


def _require_current(equivalent: dict[Key, str], modules: Sequence[Module]) -> None:
    """Stop if an entry names a fault that cannot be made of the code any more."""
    for module in modules:
        named = {key for key in equivalent if key[0] == module.path}
        if named:
            named -= {module.fault(site).key for site in module.sites}
        for _, function, before, after in sorted(named):
            raise SystemExit(
                f"equivalent.toml: no operator makes of {function} in {module.path}\n- {before}\n+ {after}"
            )


def sample(modules: Sequence[Module], size: int, seed: int) -> list[Fault]:
    """Return so many faults of a service, from each module and operator in proportion to its sites."""
    # The sequence, not hash(): that one differs between processes.
    chance = random.Random(f"{seed} {modules[0].service}")
    sites = [(module, site) for module in modules for site in module.sites]
    sites.sort(key=lambda each: (each[0].path, each[1].operator, chance.random()))
    if not size:
        return []
    step = max(1.0, len(sites) / size)
    at = chance.random() * step
    chosen = []
    while at < len(sites):
        chosen.append(sites[int(at)])
        at += step
    return [module.fault(site) for module, site in chosen]


class Run:
    """One benchmark: the faults, and what became of them."""

    def __init__(
        self,
        *,
        until: float,
        faults: Sequence[Fault],
        modules: Sequence[Module],
        equivalent: dict[Key, str],
        seed: int,
        n_jobs: int,
    ) -> None:
        self._until = until
        self._faults = faults
        self._modules = modules
        self._equivalent = equivalent
        self._seed = seed
        self._n_jobs = n_jobs
        self._map = self._load_map()
        self._verdicts: dict[Key, Verdict] = {}
        self._noticing: Counter[str] = Counter()

    def inject(self, command: str, *, is_kept: bool) -> int:
        """Run the tests against every fault, and report; 1 if a service falls short."""
        running = [fault for fault in self._faults if self._fits_running(fault)]
        self._warm([(fault, self._callers(fault)) for fault in running])
        fresh = [fault for fault in running if self._needs_fresh(fault)]
        fresh += [fault for fault in self._faults if not self._fits_running(fault)]
        tasks = []
        for fault in fresh:
            tests = self._tests_of_module(fault)
            task = _until(self._until, _fresh_task(fault, self._limited(tests), self._seed))
            tasks.append((task, WALL_S))
        sys.stderr.write(f"\n{len(fresh)} need a process of their own\n")
        run_in_copies(tasks, self._n_jobs, lambda i, answer: self._judge(fresh[i], answer))
        scores: dict[str, Score] = defaultdict(Score)
        hand: dict[str, Score] = defaultdict(Score)
        for fault in self._asked():
            for by in (scores, hand) if fault.operator == BY_HAND else (scores,):
                score = by[fault.service]
                (score.noticed if self._verdicts[fault.key].is_noticed else score.unnoticed).append(fault)
        _tell("faults", command, self._figures(scores), self._render(scores, hand), is_kept=is_kept)
        return int(any(score.percent < ASKED_PERCENT for score in scores.values()))

    def ask_properties(self, *, is_kept: bool) -> int:
        """Ask each property about faults in the functions that it calls, and report; 1 if one is silent."""
        chance = random.Random(self._seed)
        services = {module.service for module in self._modules}
        asked = {
            nodeid: self._faults_for(nodeid, chance)
            for nodeid in self._map.properties
            if nodeid.split("/")[2] in services or len(services) == len(SERVICES)
        }
        rounds: dict[str, int] = {}
        for number in range(1, MOST_ROUNDS + 1):
            open_ = [
                nodeid for nodeid in asked if not self._noticing[nodeid] and len(asked[nodeid]) >= number
            ]
            self._warm([(asked[nodeid][number - 1], [nodeid]) for nodeid in open_], is_counted=False)
            rounds |= {nodeid: number for nodeid in open_ if self._noticing[nodeid]}
        silent = sorted(asked.keys() - rounds.keys())
        figures = {"seed": self._seed, "noticed_fault_number": rounds, "noticed_none": silent}
        at_once = sum(number == 1 for number in rounds.values())
        names = "".join(f"\n- `{nodeid}`, asked about {len(asked[nodeid])}" for nodeid in silent)
        text = (
            f"{len(rounds)} of {len(asked)} properties noticed a fault in the functions they call, {at_once} "
            f"of them the first they were asked about; at most {MOST_ROUNDS} were tried, seed {self._seed}."
            f"{chr(10) * 2}Noticed none:{chr(10)}{names}"
        )
        text = text if silent else text.partition("\n\n")[0]
        command = f"make bench-properties SEED={self._seed} KEEP=--keep"
        _tell("noticing_properties", command, figures, text, is_kept=is_kept)
        return int(bool(silent))

    def _asked(self) -> list[Fault]:
        """Return the faults that there is a verdict on, by service and place."""
        known = [fault for fault in self._faults if (v := self._verdicts.get(fault.key)) and not v.is_unfit]
        return sorted(known, key=lambda fault: (fault.path, fault.line, fault.after))

    def _load_map(self) -> Map:
        """Return which tests call what: from the last run, but for the files of tests that changed since."""
        known = Map()
        files = _digests(path for path in TEST_FILES if path.name.startswith("test_"))
        others = _digests([*PRODUCT.rglob("*.py"), *(path for path in TEST_FILES if str(path) not in files)])
        if MAP.exists():
            kept = json.loads(MAP.read_text(encoding="utf-8"))
            if kept["others"] == others:
                known = Map(**kept["map"])
                known.forget([path for path, digest in kept["files"].items() if files.get(path) != digest])
        seen = {nodeid.split("::")[0] for nodeid in known.cpu_s}
        paths = [str(Path(path).relative_to(BACKEND)) for path in files]
        if new := [path for path in paths if path not in seen and path != NOT_OF_THE_PRODUCT]:
            sys.stderr.write(f"asking {len(new)} files of tests which functions they call\n")
            answers: list[Answer | None] = []
            run_in_copies([(_map_task(new, self._seed), 3600.0)], 1, lambda _, answer: answers.append(answer))
            answer = answers[0]
            if answer is None or "callers" not in answer:
                raise SystemExit(f"the tests do not pass without a fault: {answer}")
            known.add(Map(**answer))
            MAP.parent.mkdir(exist_ok=True)
            MAP.write_text(json.dumps({"others": others, "files": files, "map": asdict(known)}))
        return known

    def _fits_running(self, fault: Fault) -> bool:
        return f"{fault.path}:{fault.function}" not in self._map.early

    def _needs_fresh(self, fault: Fault) -> bool:
        """Whether only a fresh process can tell: what importing made of a variable stays as it was."""
        verdict = self._verdicts.get(fault.key)
        if verdict is None or verdict.is_unfit:
            return True
        return fault.function is None and not verdict.is_noticed

    def _callers(self, fault: Fault) -> list[str]:
        if fault.function is None:
            return self._tests_of_module(fault)
        return self._affordable(self._map.callers.get(f"{fault.path}:{fault.function}", ()))

    def _affordable(self, nodeids: Iterable[str]) -> list[str]:
        """Return the tests, the cheapest first, up to what asking about one fault may cost."""
        found: list[str] = []
        cpu_s = 0.0
        for nodeid in sorted(nodeids, key=lambda nodeid: self._map.cpu_s[nodeid]):
            cpu_s += self._map.cpu_s[nodeid]
            if found and cpu_s > MOST_CPU_S:
                break
            found.append(nodeid)
        return found

    def _tests_of_module(self, fault: Fault) -> list[str]:
        """Return the tests that call the module, its service's own, and for tables the schema's."""
        found = {
            nodeid
            for function, nodeids in self._map.callers.items()
            if function.startswith(f"{fault.path}:")
            for nodeid in nodeids
        }
        folders = [*(f"{folder}/{fault.service}/" for folder in TESTS), NUMBERS]
        if fault.path.endswith("models.py"):
            folders += SCHEMA_TESTS
        found |= {nodeid for nodeid in self._map.cpu_s if nodeid.startswith(tuple(folders))}
        return self._affordable(found)

    def _cpu_s(self, nodeid: str) -> float:
        """Return the CPU time that a test may take before it counts as one that never ends."""
        return BASE_CPU_S + CPU_FACTOR * self._map.cpu_s[nodeid]

    def _limited(self, nodeids: Sequence[str]) -> Limited:
        return [(nodeid, self._cpu_s(nodeid)) for nodeid in nodeids]

    def _warm(self, questions: Sequence[Question], *, is_counted: bool = True) -> None:
        """Put each fault into a copy of one process that has collected the tests, and run those named."""
        answers: list[Answer | None] = []
        if questions:
            task = (
                _warm_task(questions, self._limited, self._until, self._seed, self._n_jobs),
                WALL_S * len(questions),
            )
            run_in_copies([task], 1, lambda _, answer: answers.append(answer))
            if answers[0] is None or "verdicts" not in answers[0]:
                raise SystemExit(f"the session broke off: {answers[0]}")
            for (fault, _), answer in zip(questions, answers[0]["verdicts"], strict=True):
                self._judge(fault, answer, is_counted=is_counted)

    def _judge(self, fault: Fault, answer: Answer | None, *, is_counted: bool = True) -> None:
        if answer is not None and "too_late" in answer:
            return
        if answer is not None and "trouble" in answer and "unstarted" not in answer:
            raise SystemExit(f"{fault.path}:{fault.line}\n{fault.difference}\n{answer['trouble']}")
        if answer is None:
            verdict = Verdict(is_noticed=True, n_run=0, is_out_of_time=True)
        elif "unstarted" in answer:
            verdict = Verdict(is_noticed=True, n_run=0, noticed_by=next(iter(answer["trouble"]), None))
        else:
            verdict = Verdict(**answer)
        self._noticing[verdict.noticed_by or ""] += 1
        if is_counted:
            self._verdicts[fault.key] = verdict

    def _faults_for(self, nodeid: str, chance: random.Random) -> list[Fault]:
        """Return faults in the functions that a property calls, those first that few others call."""
        places: list[tuple[int, float, Module, Site]] = []
        for module in self._modules:
            for site in module.sites:
                name = f"{module.path}:{site.function}"
                callers = self._map.callers.get(name, ())
                if site.function is not None and name not in self._map.early and nodeid in callers:
                    places.append((len(callers), chance.random(), module, site))
        places.sort(key=lambda place: place[:2])
        found = [module.fault(site) for _, _, module, site in places[: 2 * MOST_ROUNDS]]
        return [fault for fault in found if fault.key not in self._equivalent][:MOST_ROUNDS]

    def _render(self, scores: dict[str, Score], hand: dict[str, Score]) -> str:
        rows = [
            [
                service,
                str(score.n),
                str(len(score.noticed)),
                f"{score.percent:.1f} %",
                f"{len(hand[service].noticed)} of {hand[service].n}",
                str(sum(1 for path, *_ in self._equivalent if path.startswith(f"{service}/"))),
            ]
            for service, score in scores.items()
        ]
        columns = ["service", "faults", "noticed", "share", "by hand", "known to change nothing"]
        parts = [table(columns, rows)]
        n = sum(score.n for score in scores.values())
        n_noticed = sum(len(score.noticed) for score in scores.values())
        late = f"; for {len(self._faults) - n} more the time was over" if n < len(self._faults) else ""
        parts.append(f"All: {n_noticed} of {n} noticed, seed {self._seed}{late}.")
        unnoticed = [fault for score in scores.values() for fault in score.unnoticed]
        if unnoticed:
            parts.append("Not noticed:")
            parts += [f"`{f.path}:{f.line}` {f.operator}\n\n```diff\n{f.difference}\n```" for f in unnoticed]
        return "\n\n".join(parts)

    def _figures(self, scores: dict[str, Score]) -> dict[str, object]:
        return {
            "seed": self._seed,
            "services": {
                service: {
                    "faults": score.n,
                    "noticed": len(score.noticed),
                    "percent": round(score.percent, 2),
                }
                for service, score in scores.items()
            },
            "faults": [
                {
                    "path": fault.path,
                    "line": fault.line,
                    "operator": fault.operator,
                    "before": fault.before,
                    "after": fault.after,
                    "is_noticed": self._verdicts[fault.key].is_noticed,
                    "is_out_of_time": self._verdicts[fault.key].is_out_of_time,
                    "noticed_by": self._verdicts[fault.key].noticed_by,
                }
                for fault in self._asked()
            ],
            "not_asked": len(self._faults) - len(self._asked()),
            "known_to_change_nothing": len(self._equivalent),
        }


def _tell(name: str, command: str, figures: object, text: str, *, is_kept: bool) -> None:
    if is_kept:
        save(name, command, figures, text)
    else:
        sys.stdout.write(f"{text}\n")


def _digests(paths: Iterable[Path]) -> dict[str, str]:
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(paths)}


def _until(moment: float, task: Task) -> Task:
    """Return the task, or what tells that there is no time left for it."""
    return lambda: task() if time.monotonic() < moment else {"too_late": True}


def _map_task(paths: Sequence[str], seed: int) -> Task:
    def task() -> Answer:
        stack = ExitStack()
        early = stack.enter_context(calls())

        def use(laboratory: Laboratory) -> Answer:
            _prepare_database()
            stack.close()
            return make_map(laboratory, early)

        return run_session(paths, seed, use)

    return task


def _warm_task(
    questions: Sequence[Question],
    limited: Callable[[Sequence[str]], Limited],
    until: float,
    seed: int,
    n_jobs: int,
) -> Task:
    def task() -> Answer:
        progress = os.dup(sys.stderr.fileno())  # pytest will capture the other one

        def use(laboratory: Laboratory) -> Answer:
            _prepare_database()
            verdicts: list[Answer | None] = [None] * len(questions)

            product = Product()

            def put(fault: Fault, nodeids: Sequence[str]) -> Answer:
                if not product.put(fault):
                    return asdict(Verdict(is_noticed=False, n_run=0, is_unfit=True))
                return asdict(laboratory.run_until_noticed(limited(nodeids)))

            def note(i: int, answer: Answer | None) -> None:
                verdicts[i] = answer
                is_noticed = answer is None or answer.get("is_noticed", True) or answer.get("is_unfit")
                os.write(progress, ("." if is_noticed else _unnoticed(*questions[i])).encode())

            tasks = [(_until(until, partial(put, *question)), WALL_S) for question in questions]
            run_in_copies(tasks, n_jobs, note)
            return {"verdicts": verdicts}

        files = sorted({nodeid.split("::")[0] for _, nodeids in questions for nodeid in nodeids})
        return run_session(files or ["tests/unit/kit"], seed, use)

    return task


def _fresh_task(fault: Fault, tests: Limited, seed: int) -> Task:
    def use(laboratory: Laboratory) -> Answer:
        return asdict(laboratory.run_until_noticed(tests))

    files = sorted({nodeid.split("::")[0] for nodeid, _ in tests})
    return lambda: run_session(files, seed, use, source=fault)


def _unnoticed(fault: Fault, tests: Sequence[str]) -> str:
    return f"\n{fault.path}:{fault.line} {fault.operator}, {len(tests)} tests\n{fault.difference}\n"


def _prepare_database() -> None:
    """Migrate the database of the tests now, so that every copy has it."""
    sys.modules["tests.database"].shared_database()


if __name__ == "__main__":
    sys.exit(main())
