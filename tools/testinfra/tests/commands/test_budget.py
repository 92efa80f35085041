"""`testinfra mutate --curves` and `testinfra budget` on a small project."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.samples import make_baseline

from atom_testinfra.core.detection.trials import Trial
from atom_testinfra.core.mutants import Reach
from atom_testinfra.mutation.product import find_product
from atom_testinfra.storage.baseline import save_baseline
from atom_testinfra.storage.example_budget import BudgetFile, load_budget
from atom_testinfra.storage.mutants import MutantStore
from atom_testinfra.storage.trials import TrialStore

pytestmark = pytest.mark.integration

PRODUCT = """
def price(numbers):
    total = 0
    for number in numbers:
        if number > 45:
            total += 1
        total += number
    return total


def is_even(number):
    return number % 2 == 0
"""
TESTS = """
from hypothesis import assume, given, strategies as st
import shop

DIGITS = st.sampled_from(range(50))

@given(st.lists(DIGITS))
def test_price(numbers):
    assert shop.price(numbers) == sum(numbers) + sum(number > 45 for number in numbers)

@given(DIGITS, DIGITS)
def test_price_adds_up(one, two):
    assume(one != two)
    assert shop.price([one]) + shop.price([two]) == shop.price([one, two])

@given(DIGITS)
def test_even(number):
    assert shop.is_even(number) != shop.is_even(number + 1)

@given(DIGITS)
def test_slow(number):
    sum(range(20_000))
    assert shop.is_even(number) in (True, False)
"""
UNHURRIED = """
from hypothesis import HealthCheck, settings

settings.register_profile("one", max_examples=1, deadline=None, suppress_health_check=list(HealthCheck))
class Count(int):
    pass  # the project tells its own numbers from others

settings.register_profile("many", settings.get_profile("one"), max_examples=Count(100))
settings.load_profile("many")
"""
TRUTH = """
import json, sys
sys.path[:0] = ["src", "tests"]
from hypothesis import Phase, settings
from hypothesis.errors import UnsatisfiedAssumption
import shop, test_shop

names = {}
exec(compile(sys.stdin.read(), shop.__file__, "exec"), names)
for name in ("price", "is_even"):
    getattr(shop, name).__code__ = names[name].__code__
found = []
for name, seed, planned in json.loads(sys.argv[1]):
    test = getattr(test_shop, name)
    inner, passed, failed = test.hypothesis.inner_test, [], []
    def counting(*args, **kwargs):
        try:
            inner(*args, **kwargs)
        except UnsatisfiedAssumption:
            raise
        except Exception:
            failed.append(len(passed) + 1)
            raise
        passed.append(1)
    test.hypothesis.inner_test = counting
    test._hypothesis_internal_use_settings = settings(
        max_examples=planned, database=None, deadline=None, phases=(Phase.generate, Phase.target)
    )
    test._hypothesis_internal_use_seed = seed
    try:
        test()
    except Exception:
        pass
    found.append(failed[0] if failed else None)
    test.hypothesis.inner_test = inner
print(json.dumps(found))
"""


class Project:
    """A project on disk, and what `testinfra` says of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for path, text in {
            "src/shop.py": PRODUCT,
            "tests/test_shop.py": TESTS,
            "conftest.py": UNHURRIED,
            "pyproject.toml": '[tool.testinfra]\n[tool.pytest.ini_options]\npythonpath = ["src"]\n',
        }.items():
            (folder / path).parent.mkdir(exist_ok=True, parents=True)
            (folder / path).write_text(text)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command there."""
        command = [sys.executable, "-m", "atom_testinfra", *arguments]
        return subprocess.run(command, cwd=self.folder, check=False, capture_output=True, text=True)

    def budget(self, *arguments: str) -> dict[str, Any]:
        """Return what `testinfra budget --json` says."""
        done = self.run("budget", "--json", *arguments)
        assert done.stdout, done.stderr
        document: dict[str, Any] = json.loads(done.stdout)
        return document

    @property
    def store(self) -> TrialStore:
        """What is known of the curves."""
        (path,) = (self.folder / ".testinfra" / "mutants").glob("*/trials.jsonl")
        return TrialStore(path.parent)


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose curves were learnt; tests leave it as it is."""
    project = Project(tmp_path_factory.mktemp("shop"))
    done = project.run("mutate", "--curves", "--up-to", "40", "--seeds", "2", "--json")
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout)
    assert counts["properties"] == 4
    assert counts["noticed"] >= 8
    assert not counts["unfit"]
    return project


def test_the_first_example_that_notices_is_that_of_hypothesis(learnt: Project) -> None:
    """Real runs of the same seeds and sizes, with the function exchanged, notice at the same examples."""
    product = find_product(learnt.folder, learnt.folder, ["src"])
    (module,) = map(product.read, product.files)
    trials: dict[str, list[Trial]] = {}
    for trial in learnt.store.trials(learnt.store.properties):
        trials.setdefault(trial.mutant, []).append(trial)
    asked = [mutant for mutant in module.mutants if mutant.id in trials and "time" not in mutant.operator]
    n_noticed = 0
    for mutant in asked[::4]:
        known = trials[mutant.id]
        names = [[one.nodeid.partition("::")[2], seed_of(one), one.planned] for one in known]
        done = subprocess.run(
            [sys.executable, "-c", TRUTH, json.dumps(names)],
            input=module.patched(mutant),
            cwd=learnt.folder,
            check=True,
            capture_output=True,
            text=True,
        )
        assert json.loads(done.stdout) == [one.first for one in known]
        n_noticed += sum(one.first is not None for one in known)
    assert n_noticed > 10


def seed_of(trial: Trial) -> int:
    from atom_testinfra.pytest_plugin.steering.requests import seed_of as seed

    return seed(trial.nodeid, trial.seed)


def test_noticing_test_cases_are_kept_with_their_arguments(learnt: Project) -> None:
    """They are what `distil` chooses from."""
    cases = learnt.store.cases(learnt.store.properties)
    known = {(case.nodeid, case.seed, case.planned, case.place) for case in cases}
    trials = learnt.store.trials(learnt.store.properties)
    wanted = {(one.nodeid, one.seed, one.planned, place) for one in trials for place in one.cases}
    assert wanted
    assert wanted <= known
    assert any(case.text.startswith("numbers=[") for case in cases)


def test_an_equal_time_finds_no_less(learnt: Project) -> None:
    """The numbers go to a file, with what they rest on."""
    budget = learnt.budget()
    assert budget["fits"]
    assert budget["proposed_s"] <= budget["now_s"]
    assert budget["found_proposed"]["value"] >= budget["found_now"]["value"] - 1e-9
    assert budget["stale"] == []
    written = load_budget(learnt.folder / "testinfra-budget.json")
    assert isinstance(written, BudgetFile)
    assert {nodeid: one.max_examples for nodeid, one in written.properties.items()} == {
        one["nodeid"]: one["proposed"] for one in budget["properties"]
    }
    assert sorted(written.files) == ["conftest.py", "src/shop.py", "tests/test_shop.py"]


def test_a_property_without_a_curve_is_named(tmp_path: Path, learnt: Project) -> None:
    """It reached no mutant that was tried, so there is no number for it; a plain test needs none."""
    folder = tmp_path / "copy"
    shutil.copytree(learnt.folder, folder)
    (trials,) = (folder / ".testinfra" / "mutants").glob("*/trials.jsonl")
    store = MutantStore(trials.parent)
    for name, is_property in (("test_apart", True), ("test_plain", False)):
        nodeid = f"tests/test_shop.py::{name}"
        store.add_reach(Reach(nodeid=nodeid, cpu_s=0.1, is_property=is_property, blocks={}), "state")
    done = Project(folder).run("budget")
    assert done.returncode == 0
    assert "test_apart" not in done.stdout
    words = "no curve: tests/test_shop.py::test_apart reached no mutant that was tried"
    assert words in done.stderr
    assert Project(folder).budget()["without_curve"] == ["tests/test_shop.py::test_apart"]


def test_pytest_runs_the_numbers(learnt: Project) -> None:
    """What was proposed is what Hypothesis says that it ran."""
    learnt.run("budget", "--time", "1s")
    command = [sys.executable, "-m", "pytest", "-q", "-o", "testinfra_budget=testinfra-budget.json"]
    done = subprocess.run(command, cwd=learnt.folder, check=False, capture_output=True, text=True)
    assert "testinfra: budget: 4 of 4 properties ran the number of examples that it gives" in done.stdout


def test_floors_that_do_not_fit_are_exit_status_1(learnt: Project) -> None:
    """Each property gets its floor then, and a line says what they take."""
    done = learnt.run("budget", "--time", "0.001s", "--floor", "7", "-o", "small.json")
    assert done.returncode == 1
    assert "late: the floors alone take" in done.stdout
    written = load_budget(learnt.folder / "small.json")
    assert isinstance(written, BudgetFile)
    assert {one.max_examples for one in written.properties.values()} == {7}


def test_a_property_is_explained(learnt: Project) -> None:
    """What more examples would find and cost, by a part of the name; a part that several have is refused."""
    facts = json.loads(learnt.run("budget", "--explain", "test_price_adds", "--json").stdout)
    found = [point["alone"]["value"] for point in facts["points"]]
    assert found == sorted(found)
    assert [point["n"] for point in facts["points"]] == sorted({1, 5, 10, 20, 40, 100, facts["proposed"]})
    text = learnt.run("budget", "--explain", "test_price_adds").stdout
    assert "what more examples would find is not known" in text
    assert "10 against 40: by itself it notices" in text
    assert "the whole suite:" in text
    refused = learnt.run("budget", "--explain", "price")
    assert (refused.returncode, "2 properties match 'price'" in refused.stderr) == (2, True)


def test_a_report_says_what_budget_says(tmp_path: Path, learnt: Project) -> None:
    """Today's share, the budget's and each curve are those of `budget`; what changed since is stale."""
    project = Project(tmp_path / "copy")
    shutil.copytree(learnt.folder, project.folder, dirs_exist_ok=True)
    save_baseline(project.folder / "performance_baseline.json", make_baseline(1))
    (project.folder / "testinfra-budget.json").unlink(missing_ok=True)
    report = json.loads(project.run("report", "--json").stdout)["detection"]
    assert report["budget"] is None
    budget = project.budget("--time", "1s")
    report = json.loads(project.run("report", "--json").stdout)["detection"]
    assert report["now"] == {"cpu_s": budget["now_s"], "noticed": budget["found_now"]}
    assert report["budget"]["noticed"] == budget["found_proposed"]
    (curve,) = [one for one in report["properties"] if one["nodeid"].endswith("test_price_adds_up")]
    explained = project.run("budget", "--time", "1s", "--explain", "test_price_adds", "--json").stdout
    assert curve == json.loads(explained)
    assert report["stale"] == []
    (project.folder / "testinfra-budget.json").write_text("{}")
    done = project.run("report", "--json")
    assert (done.returncode, json.loads(done.stdout)["detection"]["budget"]) == (0, None)
    assert "note: no budget in the report: 'testinfra-budget.json' is neither" in done.stderr.replace(
        f"{project.folder}/", ""
    )

    source = project.folder / "src" / "shop.py"
    source.write_text(source.read_text().replace("number % 2 == 0", "not number % 2"))
    report = json.loads(project.run("report", "--json").stdout)["detection"]
    assert [nodeid.partition("::")[2] for nodeid in report["stale"]] == ["test_even", "test_slow"]
    fresh = [one["nodeid"].partition("::")[2] for one in report["properties"]]
    assert fresh == ["test_price", "test_price_adds_up"]
    source.write_text(source.read_text().replace("total = 0", "total = 0 + 0"))
    report = json.loads(project.run("report", "--json").stdout)["detection"]
    assert (report["points"], report["properties"], len(report["stale"])) == ([], [], 4)


def test_what_changed_comes_first_and_makes_the_curve_stale(tmp_path: Path) -> None:
    """Properties that do not reach the change get their floor; the curve of the others is not used."""
    project = Project(tmp_path)
    nothing = project.run("budget")
    assert (nothing.returncode, "mutate --curves" in nothing.stderr) == (3, True)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for arguments in (["init", "-q"], ["add", "src", "tests"], ["commit", "-qm", "a"]):
        subprocess.run([*git, *arguments], cwd=tmp_path, check=True)
    few = ("--curves", "--up-to", "5", "--seeds", "1", "src/shop.py::is_even", "-n", "2")
    assert project.run("mutate", *few).returncode == 0
    assert project.run("mutate", "--curves", "--up-to", "5", "--seeds", "1", "--sample", "3").returncode == 0
    assert project.run("budget", "--since", "HEAD").returncode == 3
    source = tmp_path / "src" / "shop.py"
    source.write_text(source.read_text().replace("number % 2 == 0", "not number % 2"))
    budget = project.budget("--since", "HEAD")
    why = {one["nodeid"].partition("::")[2]: one["why"] for one in budget["properties"]}
    assert why["test_even"] != "does not reach the change: the floor"
    assert {why[name] for name in why if "price" in name} <= {"does not reach the change: the floor"}
    assert set(budget["stale"]) == {"tests/test_shop.py::test_even", "tests/test_shop.py::test_slow"}


def test_few_test_cases_notice_every_mutant(learnt: Project) -> None:
    """Every mutant that a property noticed in a recorded run is noticed by what is kept, three times over."""
    done = learnt.run("distil", "--json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["properties"]
    trials = learnt.store.trials(learnt.store.properties)
    for row in rows:
        noticed = {one.mutant for one in trials if one.nodeid == row["nodeid"] and one.cases}
        assert row["mutants"] == len(noticed)
        assert 0 < row["kept"] < row["recorded"]
    text = learnt.run("distil", "--times", "1", "-o", "one.json").stdout
    assert "pytest replays them with -o testinfra_budget=one.json" in text


def test_the_corpus_notices_what_one_fresh_example_does_not(tmp_path: Path, learnt: Project) -> None:
    """A fault that only large numbers show is found by replaying, on a copy of the project with the fault."""
    learnt.run("distil", "-o", "corpus.json")
    project = Project(tmp_path)
    source = tmp_path / "src" / "shop.py"
    source.write_text(PRODUCT.replace("number > 45", "number > 48"))
    (tmp_path / "corpus.json").write_bytes((learnt.folder / "corpus.json").read_bytes())
    command = [sys.executable, "-m", "pytest", "-q", "-k", "test_price", "--hypothesis-profile=one"]
    alone = subprocess.run(command, cwd=project.folder, check=False, capture_output=True, text=True)
    assert alone.returncode == 0, alone.stdout
    replayed = subprocess.run(
        [*command, "-o", "testinfra_budget=corpus.json"],
        cwd=project.folder,
        check=False,
        capture_output=True,
        text=True,
    )
    assert replayed.returncode == 1, replayed.stdout
    assert "recorded test cases of 2 properties were replayed first" in replayed.stdout
