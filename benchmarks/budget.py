"""
What a budget and a corpus are worth, end to end: `make bench-budget`.

Curves are learnt from half of the mutants of a small subject. Then real pytest runs, with fresh seeds, are
asked about the other half and about faults that a person wrote: with 50 examples for each property, with a
budget of the same CPU time, and with a budget and a corpus in a quarter of it and in all of it. Each run has
the product with the fault on disk. The files of the budget are written for that product, as if it had been
learnt there: a run after an edit would otherwise give the properties that reach it their own number.

CPU time is that of the properties, and it is measured on the unchanged product.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
from evidence import save, table

from atom_testinfra.commands.parameters import pytest_arguments
from atom_testinfra.core.budgets.examples import Candidate, share_out
from atom_testinfra.core.detection.cover import cover
from atom_testinfra.core.detection.curves import Curves, bootstrap
from atom_testinfra.core.detection.trials import cost_of, grid_of
from atom_testinfra.core.mutants import order_mutants
from atom_testinfra.mutation.listening import Listener
from atom_testinfra.mutation.operators.written import apply_written, load_written
from atom_testinfra.mutation.processes import Settings
from atom_testinfra.mutation.product import find_product
from atom_testinfra.mutation.session import MutationSession
from atom_testinfra.storage.example_budget import (
    CorpusEntry,
    make_budget_file,
    make_corpus_file,
    save_budget,
)
from atom_testinfra.storage.mutants import MutantStore
from atom_testinfra.storage.trials import TrialStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from atom_testinfra.core.mutants import Mutant
    from atom_testinfra.mutation.operators.mutants import Module

SUBJECT = Path(__file__).parent / "subjects" / "budget"
UNIFORM = "50 examples each"
TIMES = 3
PLUGINS = ("-p", "atom_testinfra.pytest_plugin.plugin", "-p", "_hypothesis_pytestplugin")


@dataclass(frozen=True)
class Arm:
    """A way to run the suite: numbers by property, and test cases to replay."""

    name: str
    numbers: dict[str, int]
    corpus: dict[str, list[CorpusEntry]]


class Meter:
    """Adds up the CPU time of the properties of a run."""

    def __init__(self) -> None:
        self.cpu_s = 0.0

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self) -> Iterator[None]:
        """Time a call."""
        began = time.process_time()
        try:
            return (yield)
        finally:
            self.cpu_s += time.process_time() - began


def main() -> None:
    """Learn, run, compare, save."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--train", type=int, default=40, help="mutants to learn from")
    parser.add_argument("--test", type=int, default=40, help="other mutants to ask about")
    parser.add_argument("--faults", type=int, default=61, help="faults that a person wrote")
    parser.add_argument("--runs", type=int, default=2, help="runs of each way under each fault")
    parser.add_argument("--keep", action="store_true", help="keep the figures in benchmarks/results")
    options = parser.parse_args()
    sys.dont_write_bytecode = True  # a file that changes twice in a second would be taken from the cache
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve() / "subject"
        shutil.copytree(SUBJECT, folder)
        figures = measure(folder, options)
    report = describe(figures)
    if options.keep:
        sizes = f"TRAIN={options.train} TEST={options.test} FAULTS={options.faults} RUNS={options.runs}"
        save("budget", f"make bench-budget {sizes} KEEP=--keep", figures, report)
    else:
        sys.stdout.write(report + "\n")


def measure(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Return what each way noticed of each fault, and its CPU seconds on the unchanged product."""
    product = find_product(folder, folder, ["src"])
    modules = {module.path: module for module in map(product.read, product.files)}
    usable = [
        mutant
        for module in modules.values()
        for mutant in module.mutants
        if mutant.function is not None and not mutant.is_hidden and not module.is_same(mutant)
    ]
    ordered = order_mutants(usable, 0)
    train, held_out = ordered[::2][: options.train], ordered[1::2][: options.test]
    store = learn(folder, train)
    arms = make_arms(store)
    cpu_s = {arm.name: median(run(folder, arm)[1] for _ in range(3)) for arm in arms}
    written = apply_written(load_written(folder / "faults.toml"), modules)
    faults = written[:: max(len(written) // options.faults, 1)][: options.faults]
    found: dict[str, dict[str, list[float]]] = {"mutants": {}, "faults": {}}
    for kind, mutants in (("mutants", held_out), ("faults", faults)):
        for arm in arms:
            found[kind][arm.name] = []
        for number, mutant in enumerate(mutants, start=1):
            sys.stderr.write(f"{kind}: {number} of {len(mutants)}\n")
            with changed(folder, modules[mutant.path], mutant):
                for arm in arms:
                    noticed = [run(folder, arm)[0] for _ in range(options.runs)]
                    found[kind][arm.name].append(sum(noticed) / len(noticed))
    return {
        "n_train": len(train),
        "n_runs": options.runs,
        "cpu_s": cpu_s,
        "found": found,
        "n_cases": sum(map(len, arms[-1].corpus.values())),
        "numbers": {arm.name: arm.numbers for arm in arms},
    }


def learn(folder: Path, train: Sequence[Mutant]) -> TrialStore:
    """Learn the curves of all properties from these mutants."""
    product = find_product(folder, folder, ["src"])
    modules = {module.path: module for module in map(product.read, product.files)}
    store = TrialStore(folder / "learnt")
    session = MutationSession(
        product=product,
        modules=modules,
        settings=Settings(
            root=folder,
            rootdir=folder,
            arguments=pytest_arguments(["tests"]),
            environment=os.environ | {"PYTHONHASHSEED": "0"},
            n_jobs=os.cpu_count() or 1,
            ends_at=None,
            seed=0,
            faults=[],
        ),
        store=MutantStore(folder / "learnt"),
        listener=Listener(),
    )
    session.run_curves(train, store, grid=grid_of(200), n_seeds=3)
    return store


def make_arms(store: TrialStore) -> list[Arm]:
    """Return the ways to compare."""
    properties = store.properties
    trials = store.trials(properties)
    curves = Curves(trials)
    candidates = []
    for nodeid in properties:
        cost = cost_of(store.runs(nodeid))
        candidates.append(
            Candidate(nodeid=nodeid, own=50, example_s=cost.example_s, fixed_s=cost.fixed_s, floor=5)
        )
    corpus = {}
    cases = {(one.nodeid, one.seed, one.planned, one.place): one for one in store.cases(properties)}
    for nodeid in properties:
        noticing: dict[tuple[int, int, int], set[str]] = {}
        for trial in trials:
            if trial.nodeid == nodeid:
                for place in trial.cases:
                    noticing.setdefault((trial.seed, trial.planned, place), set()).add(trial.mutant)
        chosen = cover(dict(sorted(noticing.items())), TIMES)
        corpus[nodeid] = [
            CorpusEntry(choices=cases[nodeid, *key].choices, text="", notices=len(noticing[key]))
            for key in chosen
        ]
    now_s = sum(one.cost_s(50) for one in candidates)
    corpus_s = sum(len(corpus[one.nodeid]) * one.example_s for one in candidates)

    def numbers(asked_s: float) -> dict[str, int]:
        return {one.candidate.nodeid: one.n for one in share_out(candidates, curves, asked_s).allotments}

    return [
        Arm(UNIFORM, dict.fromkeys(properties, 50), {}),
        Arm("budget, equal time", numbers(now_s), {}),
        Arm("budget and corpus, a quarter of the time", numbers(now_s / 4 - corpus_s), corpus),
        Arm("budget and corpus, equal time", numbers(now_s - corpus_s), corpus),
    ]


class changed:  # noqa: N801 (a context, as contextlib's are)
    """The product with a mutant on disk, for as long as the context lasts."""

    def __init__(self, folder: Path, module: Module, mutant: Mutant) -> None:
        self._path = folder / module.path
        self._text, self._patched = module.text, module.patched(mutant)

    def __enter__(self) -> None:
        self._path.write_text(self._patched)

    def __exit__(self, *_: object) -> None:
        self._path.write_text(self._text)


def run(folder: Path, arm: Arm) -> tuple[bool, float]:
    """Run the suite in a copy of this process; return if it failed, and its properties' CPU s."""
    test, product = folder / "tests" / "test_tariffs.py", folder / "src" / "tariffs.py"
    budget, corpus = folder / "budget.json", folder / "corpus.json"
    version = hypothesis.__version__
    files = {nodeid: [test, product] for nodeid in arm.numbers}
    save_budget(
        budget,
        make_budget_file(arm.numbers, files, path=budget, command="", hypothesis=version, seconds=0.0),
    )
    tests = {nodeid: [test] for nodeid in arm.corpus}
    save_budget(corpus, make_corpus_file(arm.corpus, tests, path=corpus, command="", hypothesis=version))
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.chdir(folder)
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        meter = Meter()
        named = ("-o", f"testinfra_budget={budget.name} {corpus.name}")
        status = int(pytest.main(["-q", "-p", "no:cacheprovider", *PLUGINS, *named], plugins=[meter]))
        os.write(writer, json.dumps([status, meter.cpu_s]).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        answer = file.read()
    os.waitpid(pid, 0)
    status, cpu_s = json.loads(answer)
    if status not in {0, 1, 2}:
        raise SystemExit(f"pytest ended with {status}")
    return status != 0, cpu_s


def describe(figures: dict[str, Any]) -> str:
    """Return the comparison in words and tables."""
    cpu_s, found = figures["cpu_s"], figures["found"]
    rows = []
    for name in cpu_s:
        cells = [name, f"{cpu_s[name]:.2f}", f"{cpu_s[name] / cpu_s[UNIFORM]:.2f}"]
        for kind in ("mutants", "faults"):
            share = bootstrap(found[kind][name], _mean)
            cells.append(f"{share.value:.1%} ({share.low:.0%} to {share.high:.0%})")
            pairs = zip(found[kind][name], found[kind][UNIFORM], strict=True)
            gain = bootstrap([one - other for one, other in pairs], _mean)
            cells.append(f"{gain.value * 100:+.1f} ({gain.low * 100:+.1f} to {gain.high * 100:+.1f})")
        rows.append(cells)
    columns = [
        "way",
        "CPU s",
        "of uniform",
        f"of {len(found['mutants'][UNIFORM])} other mutants",
        "points more",
        f"of {len(found['faults'][UNIFORM])} written faults",
        "points more",
    ]
    return (
        f"Learnt from {figures['n_train']} mutants; {figures['n_cases']} test cases in the corpus; "
        f"{figures['n_runs']} runs of each way under each fault, with fresh seeds. Shares are of all faults, "
        "those that no property can notice included. Intervals of 95 % by a bootstrap over faults.\n\n"
        f"{table(columns, rows)}"
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


if __name__ == "__main__":
    main()
