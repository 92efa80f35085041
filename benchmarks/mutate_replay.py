"""
Whether a replay notices at the test case at which a real run does: `make bench-mutate-replay`.

For each property of the suite `subjects/mutate/engine`, mutants are drawn of what it executes. Each pair runs
twice, in two copies of the same process: once as `testinfra mutate` runs it, with the recorded test cases
replayed, and once with Hypothesis's engine from the beginning, with the same seed. Verdict and index of the
test case that noticed have to be equal. Pairs are kept in `.testinfra/truth`, so that a call goes on where
the last one stopped; an edit of the suite drops them.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import random
import sys
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from evidence import ROOT, save, table

from atom_testinfra.core.mutants import Mutant, MutantVerdict, Reach
from atom_testinfra.mutation.asking.copies import Copies
from atom_testinfra.mutation.asking.ends import describe_end
from atom_testinfra.mutation.asking.in_process import Asker
from atom_testinfra.mutation.asking.loading import Functions
from atom_testinfra.mutation.asking.replay import Replay
from atom_testinfra.mutation.asking.worker import Worker
from atom_testinfra.mutation.orders import KnownCost, Orders
from atom_testinfra.mutation.product import Product

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from atom_testinfra.mutation.asking.copies import Say

SUITE = ROOT / "benchmarks/subjects/mutate/engine"
Pair = dict[str, Any]


def main() -> int:
    """Compare, report; 1 if a pair differs."""
    parser = argparse.ArgumentParser(description="Compare replays with real runs.")
    parser.add_argument("--each", type=int, default=25, help="mutants of each property")
    parser.add_argument("--runs", type=int, default=100_000, help="ask at most N now; the next call goes on")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/")
    arguments = parser.parse_args()
    pairs = compare(arguments.each, arguments.seed, arguments.runs)
    by_property: dict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        by_property[pair["property"]].append(pair)
    rows = [row_of(name, found) for name, found in sorted(by_property.items())]
    rows.append(row_of("all", pairs))
    columns = ["property", "pairs", "equal", "noticed", "after the first", "latest", "left to the engine"]
    different = [pair for pair in pairs if not is_equal(pair)]
    n_left, n_runs = sum(pair["replay"]["n_different"] or 0 for pair in pairs), len(pairs)
    cpu_s = {how: sum(pair[how]["cpu_s"] or 0.0 for pair in pairs) for how in ("replay", "engine")}
    text = "\n\n".join(
        [
            table(columns, rows),
            (
                f"{n_runs - len(different)} of {n_runs} pairs are equal; {n_left} ({n_left / n_runs:.0%}) "
                "went another way than recorded and were left to the engine. CPU seconds of the tests: "
                f"{cpu_s['replay']:.1f} replayed, {cpu_s['engine']:.1f} by the engine."
            ),
            *(json.dumps(pair) for pair in different),
        ]
    )
    command = " ".join(["python", "benchmarks/mutate_replay.py", *sys.argv[1:]])
    if arguments.keep:
        save("mutate_replay", command, {"pairs": pairs, "seed": arguments.seed}, text)
    else:
        sys.stdout.write(f"{text}\n")
    return int(bool(different))


def compare(n_each: int, seed: int, n_runs: int) -> list[Pair]:
    """Return what both runs of each pair said that was asked until now."""
    product = Product(SUITE, [SUITE / "src/shop.py"])
    orders = Orders(
        arguments=["-q", "-p", "no:cacheprovider"],
        files=None,
        root=os.fspath(SUITE),
        product=[os.fspath(path) for path in product.files],
        events=-1,
        n_jobs=1,
        ends_at=None,
        mutants=[
            mutant
            for module in map(product.read, product.files)
            for mutant in module.mutants
            if mutant.function is not None and not module.is_same(mutant)
        ],
        run_files=None,
        run_tests=[],
        reaches=[],
    )
    os.chdir(SUITE)
    files = [SUITE / "src/shop.py", SUITE / "tests/test_engine.py"]
    state = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]
    path = ROOT / f".testinfra/truth/pairs-{state}-{seed}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.redirect_stdout(sys.stderr):
        PairWorker(orders, path, n_each, seed, n_runs).run()
    return read_pairs(path)


def read_pairs(path: Path) -> list[Pair]:
    """Return the pairs that were asked."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


class SwitchedReplay(Replay):
    """A replay that can be turned off: the engine runs then."""

    is_on = True

    @contextlib.contextmanager
    def replaying(self, nodeid: str) -> Iterator[None]:
        """Replay, or only count."""
        with super().replaying(nodeid) if self.is_on else self.counting():
            yield


class PairWorker(Worker):
    """Asks each property about each of its mutants twice."""

    def __init__(self, orders: Orders, path: Path, n_each: int, seed: int, n_runs: int) -> None:
        super().__init__(orders, say=lambda *_, **__: None)
        self.asker = Asker(SwitchedReplay())
        self._path = path
        self._n_each = n_each
        self._n_left = n_runs
        self._chance = random.Random(seed)

    def _ask_all(self, reaches: Sequence[Reach], *, reason: str | None) -> None:
        assert reason is None
        assert self.asker.replay.problem is None
        functions = Functions(self.sources.files)
        known = {(pair["property"], pair["mutant"]) for pair in read_pairs(self._path)}
        pairs = [(reach, mutant) for reach in reaches if reach.is_property for mutant in self._draw(reach)]
        for reach, mutant in pairs:
            if self._n_left and (name_of(reach), mutant.id) not in known:
                self._n_left -= 1
                pair = self._ask_pair(reach, mutant, functions)
                with self._path.open("a") as file:
                    file.write(json.dumps(pair) + "\n")

    def _draw(self, reach: Reach) -> list[Mutant]:
        fitting = [
            mutant
            for mutant in self._orders.mutants
            if (block := mutant.place) in reach.blocks and block not in self.early
        ]
        return self._chance.sample(fitting, min(self._n_each, len(fitting)))

    def _ask_pair(self, reach: Reach, mutant: Mutant, functions: Functions) -> Pair:
        found: Pair = {"property": name_of(reach), "mutant": mutant.id}
        for how in ("replay", "engine"):
            found[how] = self._ask_one(reach, mutant, functions, is_on=how == "replay")
        return found

    def _ask_one(self, reach: Reach, mutant: Mutant, functions: Functions, *, is_on: bool) -> dict[str, Any]:
        module, filename = self.sources.of(mutant)
        replay = self.asker.replay
        assert isinstance(replay, SwitchedReplay)

        def question(say: Say) -> None:
            assert functions.exchange(filename, module, mutant) is None
            replay.is_on = is_on
            began = time.process_time()
            self.asker.ask([KnownCost(reach.nodeid, reach.cpu_s)], say)
            say({"n_different": replay.n_different, "cpu_s": time.process_time() - began})

        copies = Copies(1)
        copies.start(question, wall_s=120.0)
        copy, status = copies.wait_for_one()
        answer = describe_end(copy, status)
        counted = next((said for said in copy.said if "n_different" in said), {})
        return {
            "verdict": str(answer["verdict"]),
            "n_test_cases": answer.get("n_test_cases"),
            "error": answer.get("error"),
            "n_different": counted.get("n_different"),
            "cpu_s": counted.get("cpu_s"),
        }


def name_of(reach: Reach) -> str:
    """Return a property's name in its file."""
    return reach.nodeid.partition("::")[2]


def is_equal(pair: Pair) -> bool:
    """Return whether both runs ended alike, at the same test case."""
    keys = ("verdict", "n_test_cases")
    return all(pair["replay"][key] == pair["engine"][key] for key in keys)


def row_of(name: str, pairs: list[Pair]) -> list[str]:
    """Return a line of the table."""
    noticed = [pair["engine"] for pair in pairs if pair["engine"]["verdict"] != MutantVerdict.SURVIVED]
    indices = [one["n_test_cases"] for one in noticed if one["n_test_cases"] is not None]
    return [
        name,
        str(len(pairs)),
        str(sum(map(is_equal, pairs))),
        str(len(noticed)),
        str(sum(index > 1 for index in indices)),
        str(max(indices, default=0)),
        str(sum(pair["replay"]["n_different"] or 0 for pair in pairs)),
    ]


if __name__ == "__main__":
    sys.exit(main())
