"""
How many faults the backend's tests notice: `make bench-faults`.

Two kinds of faults, one at a time: those of `subjects/faults/by_hand.toml`, which a person wrote down, and a
seeded sample of what the operators of `fault_sites.py` can do to the product's code. Faults that change
nothing anybody could see are listed in `subjects/faults/equivalent.toml`, each with its reason, and left out.

With `--properties` each property is asked alone, about one fault after another in the blocks that it
reaches until it notices one: first those that name it as the property that holds them, then those that few
other tests reach: `make bench-properties`.
"""

from __future__ import annotations

import argparse
import importlib
import os
import random
import signal
import sys
import time
import tomllib
from collections import defaultdict
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evidence import ROOT, save, table
from fault_log import MapLog, Sources, VerdictLog
from fault_session import (
    BACKEND,
    MAP_EXAMPLES,
    PRODUCT,
    Answer,
    FaultyImporter,
    Laboratory,
    Map,
    Product,
    Tracer,
    Verdict,
    make_map,
    preload,
    run_in_copies,
    run_session,
)
from fault_sites import OUTSIDE, Fault, Key, Module, Site, changed_lines, place_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    Task = Callable[[], Answer]
    Question = tuple[Fault, list[str], str]
    """A fault, the tests to ask about it, and the property if it is asked alone."""
    Limited = Sequence[tuple[str, float]]
    """Tests, and the CPU seconds that each may take."""

EDGE = "edge"
"""What belongs to no domain: how the service is put together, started and talked to."""
SERVICES = (
    "agents",
    "analytics",
    "budgets",
    "chat",
    "db",
    EDGE,
    "episodes",
    "governance",
    "graduation",
    "identity",
    "kit",
    "ledger",
    "workflows",
)
SUBJECTS = Path(__file__).parent / "subjects" / "faults"
KNOWN = ROOT / ".testinfra" / "faults"
"""Where what is known already is kept, for a run that goes on where another one broke off."""
TESTS = ("tests/unit", "tests/property_tests", "tests/api")
TEST_FILES = tuple(path for folder in TESTS for path in sorted((BACKEND / folder).rglob("*.py")))
NOT_OF_THE_PRODUCT = BACKEND / "tests/unit/test_documents.py"
NUMBERS = "tests/unit/test_numbers.py"
EDGE_TESTS = ("tests/api", "tests/unit/test_cli.py", "tests/unit/test_demo.py")
SCHEMA_TESTS = ("tests/unit/db/test_migrate.py", "tests/property_tests/database")
BY_HAND = "by hand"
MOST_ROUNDS = 8
"""Faults that a property is asked about before it counts as one that notices nothing."""
ASKED_PERCENT = 95.0
MOST_CPU_S = 40.0
"""Of the tests asked about one fault; what only dearer ones notice is not noticed."""
WALL_S = 900.0
"""For one fault: after that it is given up, and counts neither way."""
BASE_CPU_S = 5.0
CPU_FACTOR = 5.0
CI_EXAMPLES = 50


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
        Module(service, PRODUCT, str(path.relative_to(PRODUCT)))
        for service in arguments.service
        for path in paths_of(service)
    ]
    equivalent = load_equivalent()
    _require_current(equivalent, modules)
    faults = [] if arguments.generated else load_by_hand(arguments.service)
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


def paths_of(service: str) -> list[Path]:
    """Return the modules of a service."""
    folders = [PRODUCT, PRODUCT / "web"] if service == EDGE else [PRODUCT / service]
    return [path for folder in folders for path in sorted(folder.glob("*.py"))]


def service_of(path: str) -> str:
    """Return the service of a module."""
    folder = path.split("/")[0]
    return folder if folder in SERVICES else EDGE


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
        service = service_of(path)
        if service not in services:
            continue
        text = (PRODUCT / path).read_text(encoding="utf-8")
        if text.count(before) != 1:
            raise SystemExit(f"by_hand.toml: {path} has {text.count(before)} times {before!r}, expected once")
        source = text.replace(before, after)
        line = text[: text.index(before)].count("\n") + 1
        last = line + before.count("\n")
        place = place_at(text, line)
        old, new = changed_lines(text, source)
        found.append(
            Fault(
                service=service,
                path=path,
                operator=BY_HAND,
                place=place if place.function == place_at(text, last).function else OUTSIDE,
                line=line,
                before=old,
                after=new,
                source=source,
                held_by=tuple(entry.get("held_by", ())),
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
        sources = Sources.read(
            BACKEND,
            [*PRODUCT.rglob("*.py"), *(path for path in TEST_FILES if not _holds_tests(path))],
            [path for path in TEST_FILES if _holds_tests(path)],
        )
        self._map = self._load_map(MapLog(KNOWN / "map.jsonl", sources))
        self._properties = set(self._map.properties)
        self._log = VerdictLog(KNOWN / "verdicts.jsonl", sources, seed)
        signal.signal(signal.SIGTERM, signal.default_int_handler)

    def inject(self, command: str, *, is_kept: bool) -> int:
        """Run the tests against every fault, and report; 1 if a service falls short."""
        try:
            self._ask_all([fault for fault in self._faults if self._verdict(fault) is None])
        except KeyboardInterrupt:
            sys.stderr.write("\ninterrupted; the same command goes on from here\n")
            self._log.load()
        scores: dict[str, Score] = defaultdict(Score)
        hand: dict[str, Score] = defaultdict(Score)
        for fault, verdict in self._asked():
            for by in (scores, hand) if fault.operator == BY_HAND else (scores,):
                score = by[fault.service]
                (score.noticed if verdict.is_noticed else score.unnoticed).append(fault)
        _tell("faults", command, self._figures(scores), self._render(scores, hand), is_kept=is_kept)
        return int(any(score.percent < ASKED_PERCENT for score in scores.values()))

    def ask_properties(self, *, is_kept: bool) -> int:
        """Ask each property about faults in what it calls, and report; 1 if one is silent."""
        chance = random.Random(self._seed)
        services = {module.service for module in self._modules}
        asked = {
            nodeid: self._faults_for(nodeid, chance)
            for nodeid in self._map.properties
            if nodeid.split("/")[2] in services or len(services) == len(SERVICES)
        }
        try:
            for number in range(MOST_ROUNDS):
                silent = [
                    nodeid
                    for nodeid, faults in asked.items()
                    if len(faults) > number and self._noticed_number(nodeid, faults) is None
                ]
                self._warm([(asked[nodeid][number], [nodeid], nodeid) for nodeid in silent])
        except KeyboardInterrupt:
            sys.stderr.write("\ninterrupted; the same command goes on from here\n")
            self._log.load()
        rounds = {nodeid: n for nodeid in asked if (n := self._noticed_number(nodeid, asked[nodeid]))}
        silent = sorted(asked.keys() - rounds.keys())
        n_asked = {
            nodeid: sum(self._log.find(fault, nodeid) is not None for fault in asked[nodeid])
            for nodeid in silent
        }
        figures = {"seed": self._seed, "noticed_fault_number": rounds, "noticed_none": n_asked}
        text = describe_properties(figures)
        command = f"make bench-properties SEED={self._seed} KEEP=--keep"
        _tell("noticing_properties", command, figures, text, is_kept=is_kept)
        return int(bool(silent))

    def _ask_all(self, faults: Sequence[Fault]) -> None:
        """Ask the tests about each fault: in a copy of a running process where that can tell."""
        self._warm([(fault, self._reaching(fault), "") for fault in faults if self._fits_running(fault)])
        fresh = [fault for fault in faults if self._is_open(fault)]
        tasks = []
        for fault in fresh:
            tests = self._limited(self._reaching(fault))
            tasks.append((_until(self._until, _fresh_task(fault, tests, self._seed)), WALL_S))
        sys.stderr.write(f"\n{len(fresh)} need a process of their own\n")
        preload()

        def note(i: int, answer: Answer | None) -> None:
            _note(self._log, (fresh[i], [], ""), answer)

        run_in_copies(tasks, self._n_jobs, note)

    def _is_open(self, fault: Fault) -> bool:
        """Whether a fresh process may still notice it: a running one keeps what importing made."""
        found = self._log.find(fault)
        return found is None or not (found.is_noticed or found.is_fresh)

    def _verdict(self, fault: Fault) -> Verdict | None:
        """Return what became of a fault; None if only a fresh process can tell and none was asked yet."""
        found = self._log.find(fault)
        if found is None or found.is_fresh or found.is_noticed:
            return found
        return None if found.is_unfit or fault.function is None else found

    def _asked(self) -> list[tuple[Fault, Verdict]]:
        """Return the faults that there is a verdict on, by service and place."""
        known = [(fault, verdict) for fault in self._faults if (verdict := self._verdict(fault))]
        return sorted(known, key=lambda each: (each[0].path, each[0].line, each[0].after))

    def _load_map(self, log: MapLog) -> Map:
        """Return which tests reach what: as known, and asked for files of tests that are new or changed."""
        _, new = log.load()
        if new:
            sys.stderr.write(f"asking {len(new)} files of tests what they reach\n")
            answers: list[Answer | None] = []
            task = (_map_task(new, self._seed, self._n_jobs, log), 3600.0)
            run_in_copies([task], 1, lambda _, answer: answers.append(answer))
            if answers != [{"failed": []}]:
                raise SystemExit(f"the tests do not pass without a fault: {answers}")
        return log.load()[0]

    def _fits_running(self, fault: Fault) -> bool:
        return f"{fault.path}:{fault.place.line}" not in self._map.early or fault.function is None

    def _reaching(self, fault: Fault) -> list[str]:
        """Return the tests to ask about a fault, up to what that may cost."""
        is_early = f"{fault.path}:{fault.place.line}" in self._map.early
        if fault.function is None or is_early or self._is_built_once(fault):
            return self._affordable(self._tests_of_module(fault), fault.service)
        found = set(self._map.reaching.get(f"{fault.path}:{fault.place.line}", ()))
        if fault.service == EDGE:
            found.update(nodeid for nodeid in self._map.cpu_s if nodeid.startswith(EDGE_TESTS))
        return self._affordable(found, fault.service)

    def _is_built_once(self, fault: Fault) -> bool:
        name = (fault.function or "").split(".")[-1]
        return any(name in module.built_once for module in self._modules if module.path == fault.path)

    def _affordable(self, nodeids: Iterable[str], service: str) -> list[str]:
        """Return the service's own tests, then the others, the cheapest of each first, up to a cost."""
        found: list[str] = []
        cpu_s = 0.0
        for nodeid in sorted(nodeids, key=lambda name: (f"/{service}/" not in name, self._cpu_s(name))):
            cpu_s += self._cpu_s(nodeid)
            if found and cpu_s > MOST_CPU_S:
                break
            found.append(nodeid)
        return found

    def _tests_of_module(self, fault: Fault) -> set[str]:
        """Return the tests that reach the module, its service's own, and for tables the schema's."""
        found = {
            nodeid
            for block, nodeids in self._map.reaching.items()
            if block.startswith(f"{fault.path}:")
            for nodeid in nodeids
        }
        folders = [*(f"{folder}/{fault.service}/" for folder in TESTS), NUMBERS]
        if fault.path.endswith("models.py"):
            folders += SCHEMA_TESTS
        if fault.service == EDGE or fault.path.endswith(("routes.py", "schemas.py", "access.py")):
            folders += EDGE_TESTS
        return found | {nodeid for nodeid in self._map.cpu_s if nodeid.startswith(tuple(folders))}

    def _cpu_s(self, nodeid: str) -> float:
        """Return about what a test takes with all of its examples."""
        cpu_s = self._map.cpu_s[nodeid]
        return cpu_s * CI_EXAMPLES / MAP_EXAMPLES if nodeid in self._properties else cpu_s

    def _limited(self, nodeids: Sequence[str]) -> Limited:
        """Add the CPU time that a test may take before it counts as one that never ends."""
        return [(nodeid, BASE_CPU_S + CPU_FACTOR * self._cpu_s(nodeid)) for nodeid in nodeids]

    def _warm(self, questions: Sequence[Question]) -> None:
        """Put each fault into a copy of one process that has collected the tests, and run those named."""
        questions = [each for each in questions if self._log.find(each[0], each[2]) is None]
        if not questions or time.monotonic() > self._until:
            return
        answers: list[Answer | None] = []
        task = (
            _warm_task(questions, self._limited, self._until, self._seed, self._n_jobs, self._log),
            WALL_S * len(questions),
        )
        run_in_copies([task], 1, lambda _, answer: answers.append(answer))
        if answers != [{"n_asked": len(questions)}]:
            raise SystemExit(f"the session broke off: {answers}")
        self._log.load()

    def _noticed_number(self, nodeid: str, faults: Sequence[Fault]) -> int | None:
        """Return which of the faults, from 1 on, was the first that the property noticed."""
        for number, fault in enumerate(faults, start=1):
            verdict = self._log.find(fault, nodeid)
            if verdict is not None and verdict.is_noticed:
                return number
        return None

    def _faults_for(self, nodeid: str, chance: random.Random) -> list[Fault]:
        """Return the faults that a property is there for, then some in what few others but it reach."""
        places: list[tuple[int, float, Module, Site]] = []
        for module in self._modules:
            for site in module.sites:
                block = f"{module.path}:{site.place.line}"
                reaching = self._map.reaching.get(block, ())
                if site.place.function is not None and block not in self._map.early and nodeid in reaching:
                    places.append((len(reaching), chance.random(), module, site))
        places.sort(key=lambda place: place[:2])
        found = [
            *(fault for fault in self._faults if {nodeid, nodeid.partition("[")[0]} & {*fault.held_by}),
            *(module.fault(site) for _, _, module, site in places[: 2 * MOST_ROUNDS]),
        ]
        return [fault for fault in found if fault.key not in self._equivalent][:MOST_ROUNDS]

    def _render(self, scores: dict[str, Score], hand: dict[str, Score]) -> str:
        rows = [
            [
                service,
                str(score.n),
                str(len(score.noticed)),
                f"{score.percent:.1f} %",
                f"{len(hand[service].noticed)} of {hand[service].n}",
                str(sum(1 for path, *_ in self._equivalent if service_of(path) == service)),
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
                    "is_noticed": verdict.is_noticed,
                    "is_out_of_time": verdict.is_out_of_time,
                    "noticed_by": verdict.noticed_by,
                }
                for fault, verdict in self._asked()
            ],
            "not_asked": len(self._faults) - len(self._asked()),
            "known_to_change_nothing": len(self._equivalent),
        }


def describe_properties(figures: dict[str, Any]) -> str:
    """
    Return in Markdown which properties noticed a fault, and which have no verdict yet.

    One that noticed nothing is judged only after it was asked about as many faults as are tried at most.
    """
    noticed, silent = figures["noticed_fault_number"], figures["noticed_none"]
    n_asked = noticed | silent
    at_once = sum(number == 1 for number in noticed.values())
    summary = (
        f"{len(noticed)} of {len(n_asked)} properties noticed a fault in what they call, {at_once} of them "
        f"the first they were asked about, seed {figures['seed']}. One that notices a fault is asked no "
        f"more; one that does not is asked about {MOST_ROUNDS} at most, and judged only after so many."
    )
    parts = [
        summary,
        table(
            ["faults asked about", "properties", "noticed the last of them", "noticed none"],
            [
                [str(n), *(str(sum(k == n for k in of.values())) for of in (n_asked, noticed, silent))]
                for n in sorted(set(n_asked.values()))
            ],
        ),
    ]
    judged = {nodeid: n for nodeid, n in silent.items() if n >= MOST_ROUNDS}
    for heading, nodeids in (
        (f"Asked about {MOST_ROUNDS}, noticed none:", judged),
        (f"Not judged, asked about fewer than {MOST_ROUNDS}:", silent.keys() - judged.keys()),
    ):
        if nodeids:
            rows = [[f"`{nodeid}`", str(silent[nodeid]), "0"] for nodeid in sorted(nodeids)]
            parts += [heading, table(["property", "faults asked about", "noticed"], rows)]
    return "\n\n".join(parts)


def _tell(name: str, command: str, figures: object, text: str, *, is_kept: bool) -> None:
    if is_kept:
        save(name, command, figures, text)
    else:
        sys.stdout.write(f"{text}\n")


def _holds_tests(path: Path) -> bool:
    return path.name.startswith("test_") and path != NOT_OF_THE_PRODUCT


def _until(moment: float, task: Task) -> Task:
    """Return the task, or what tells that there is no time left for it."""
    return lambda: task() if time.monotonic() < moment else {"too_late": True}


def _map_task(files: Sequence[str], seed: int, n_jobs: int, log: MapLog) -> Task:
    """Return what asks each file of tests in a copy of one process, which notes the answers as they come."""
    tracer = Tracer()

    def task() -> Answer:
        progress = os.dup(sys.stderr.fileno())  # pytest will capture the other one
        failed: list[Answer | None] = []

        def use(laboratory: Laboratory) -> Answer:
            _prepare()
            by_file: dict[str, list[str]] = defaultdict(list)
            for nodeid in laboratory.items:
                by_file[nodeid.split("::")[0]].append(nodeid)

            def note(i: int, answer: Answer | None) -> None:
                file = list(by_file)[i]
                if answer is None or "reaching" not in answer:
                    failed.append({file: answer})
                    return
                log.add(file, Map(**answer))
                os.write(progress, f"{file}\n".encode())

            tasks = [(partial(make_map, laboratory, nodeids, tracer), 3600.0) for nodeids in by_file.values()]
            run_in_copies(tasks, n_jobs, note)
            for file in set(files) - by_file.keys():
                log.add(file, Map())
            return {"failed": failed}

        return run_session(files, seed, use, importer=tracer)

    return task


def _warm_task(
    questions: Sequence[Question],
    limited: Callable[[Sequence[str]], Limited],
    until: float,
    seed: int,
    n_jobs: int,
    log: VerdictLog,
) -> Task:
    def task() -> Answer:
        progress = os.dup(sys.stderr.fileno())  # pytest will capture the other one

        def use(laboratory: Laboratory) -> Answer:
            _prepare()
            product = Product()

            def put(fault: Fault, nodeids: Sequence[str], _asked: str) -> Answer:
                if not product.put(fault):
                    return asdict(Verdict(is_noticed=False, n_run=0, is_unfit=True))
                return asdict(laboratory.run_until_noticed(limited(nodeids)))

            def note(i: int, answer: Answer | None) -> None:
                verdict = _note(log, questions[i], answer)
                is_silent = verdict is not None and not verdict.is_noticed and not verdict.is_unfit
                os.write(progress, (_unnoticed(*questions[i]) if is_silent else ".").encode())

            tasks = [(_until(until, partial(put, *question)), WALL_S) for question in questions]
            run_in_copies(tasks, n_jobs, note)
            return {"n_asked": len(questions)}

        files = sorted({nodeid.split("::")[0] for _, nodeids, _ in questions for nodeid in nodeids})
        return run_session(files or ["tests/unit/kit"], seed, use)

    return task


def _fresh_task(fault: Fault, tests: Limited, seed: int) -> Task:
    def use(laboratory: Laboratory) -> Answer:
        return asdict(replace(laboratory.run_until_noticed(tests), is_fresh=True))

    files = sorted({nodeid.split("::")[0] for nodeid, _ in tests})
    return lambda: run_session(files, seed, use, importer=FaultyImporter(fault))


def _note(log: VerdictLog, question: Question, answer: Answer | None) -> Verdict | None:
    """Note what became of a fault; None if there was no time to ask."""
    fault, _, asked = question
    if answer is None:
        verdict = Verdict(is_noticed=True, n_run=0, is_out_of_time=True)
    elif "too_late" in answer:
        return None
    elif "unstarted" in answer:
        verdict = Verdict(is_noticed=True, n_run=0, noticed_by=next(iter(answer["trouble"]), None))
    elif "trouble" in answer:
        raise SystemExit(f"{fault.path}:{fault.line}\n{fault.difference}\n{answer['trouble']}")
    else:
        verdict = Verdict(**answer)
    log.add(fault, verdict, asked)
    return verdict


def _unnoticed(fault: Fault, tests: Sequence[str], _asked: str) -> str:
    return f"\n{fault.path}:{fault.line} {fault.operator}, {len(tests)} tests\n{fault.difference}\n"


def _prepare() -> None:
    """Migrate the database of the tests and import the whole app now, so that every copy has them."""
    sys.modules["tests.database"].shared_database()
    importlib.import_module("atom.app")


if __name__ == "__main__":
    sys.exit(main())
