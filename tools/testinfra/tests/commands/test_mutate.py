"""`testinfra mutate` on small projects, in processes of its own."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from atom_testinfra.cli import main

pytestmark = pytest.mark.integration

PRODUCT = """
'''A shop.'''
import functools
import threading
import time

LIMIT = 10
UNUSED = 3


class Cart:
    __slots__ = ("_items",)

    def __init__(self):
        self._items = []

    @property
    def size(self):
        return len(self._items)

    @size.setter
    def size(self, value):
        del self._items[value:]

    def add(self, price):
        if price < 0:
            raise ValueError("negative")
        self._items.append(price)

    def total(self):
        return sum(self._items)


def logged(function):
    @functools.wraps(function)
    def wrapper(*args):
        return function(*args) + 0

    return wrapper


@logged
def double(number):
    return number * 2


def make_adder(step):
    def add(number):
        return number + step

    return add


add_three = make_adder(3)


def countdown(number):
    steps = 0
    while number > 0:
        number -= 1
        steps += 1
    return steps


def squares(numbers):
    for number in numbers:
        yield number * number


async def fetch(number):
    return number + 1


def loose(number):
    return number > 5


def never_called(number):
    return number + 1


def bounded(number):
    return number <= LIMIT


if LIMIT:
    def chosen(number):
        return number + 1
else:
    def chosen(number):
        return number + 2
"""
TESTS = """
import asyncio

import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

import shop

few = settings(max_examples=30)


@few
@given(st.lists(st.integers(0, 100), max_size=4))
def test_total(prices):
    cart = shop.Cart()
    for price in prices:
        cart.add(price)
    assert cart.total() == sum(prices)
    assert cart.size == len(prices)
    cart.size = 0
    assert cart.size == 0


@few
@given(st.integers(max_value=-1))
def test_negative(price):
    with pytest.raises(ValueError):
        shop.Cart().add(price)


@few
@given(st.integers())
def test_double(number):
    assert shop.double(number) == number + number


@few
@given(st.integers())
def test_adder(number):
    assert shop.add_three(number) - number == 3


@few
@given(st.integers(0, 20))
def test_countdown(number):
    assert shop.countdown(number) == number


@few
@given(st.lists(st.integers()))
def test_squares(numbers):
    assert list(shop.squares(numbers)) == [number**2 for number in numbers]


@few
@given(st.integers())
def test_fetch(number):
    assert asyncio.run(shop.fetch(number)) == number + 1


@few
@given(st.integers(0, 9))
def test_loose(number):
    shop.loose(number)


@few
@given(st.integers(0, shop.LIMIT))
def test_bounded(number):
    assert shop.bounded(number)
    assert shop.chosen(number) == number + 1


class Machine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.cart, self.model = shop.Cart(), []

    @rule(price=st.integers(0, 9))
    def add(self, price):
        self.cart.add(price)
        self.model.append(price)

    @invariant()
    def agrees(self):
        assert self.cart.total() == sum(self.model)


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=5, stateful_step_count=5)
"""


class Shop:
    """A project on disk, and what `testinfra mutate` says of it."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str] | None = None) -> None:
        self.folder = folder
        self._capsys = capsys

    @classmethod
    def create(cls, folder: Path, product: str = PRODUCT, tests: str = TESTS) -> Shop:
        """Write a project of one module."""
        (folder / "src").mkdir(parents=True)
        (folder / "tests").mkdir()
        (folder / "src" / "shop.py").write_text(product, encoding="utf-8")
        (folder / "tests" / "test_shop.py").write_text(tests, encoding="utf-8")
        (folder / "pyproject.toml").write_text(
            '[tool.testinfra]\n[tool.pytest.ini_options]\npythonpath = ["src"]\n',
            encoding="utf-8",
        )
        return cls(folder)

    def write(self, name: str, old: str, new: str) -> None:
        """Edit a file of the project."""
        path = self.folder / name
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    def mutate(self, *arguments: str, status: int = 0) -> dict[str, Any]:
        """Run the verb and return its document."""
        done = self.run("--json", *arguments)
        assert done.returncode == status, done.stderr
        document: dict[str, Any] = json.loads(done.stdout)
        return document

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the verb as a person would."""
        return subprocess.run(
            [sys.executable, "-m", "atom_testinfra", "mutate", *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return Shop.create(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def whole(shop: Shop) -> dict[str, Any]:
    """What the whole project says: several tests look at it."""
    return shop.mutate("-n", "2")


def by_function(document: dict[str, Any]) -> dict[str | None, dict[str, list[dict[str, Any]]]]:
    """Return findings by function and verdict."""
    found: dict[str | None, dict[str, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for finding in document["findings"]:
        found[finding.get("function")][finding["verdict"]].append(finding)
    return found


def change_of(finding: dict[str, Any]) -> str:
    """Return the new line of a finding."""
    lines = finding["difference"].splitlines()[3:]
    return " ".join(line[1:].strip() for line in lines if line.startswith("+"))


def test_every_function_has_the_verdicts_that_its_tests_deserve(whole: dict[str, Any]) -> None:
    """Held code is noticed, loose code survives, and what nobody calls is not reached."""
    found = by_function(whole)
    assert set(found["never_called"]) == {"not reached"}
    assert set(found["loose"]) == {"survived"}
    for held in ("double", "make_adder", "squares", "fetch", "Cart.total"):
        survivors = [change_of(one) for one in found[held]["survived"]]
        assert survivors == [], (held, survivors)
        assert any(verdict.startswith("noticed") for verdict in found[held])


def test_a_wrapper_that_was_made_at_import_is_changed_too(whole: dict[str, Any]) -> None:
    """A closure that exists already gets the new code of the function that made it."""
    changes = {change_of(one): one["verdict"] for one in whole["findings"] if one["function"] == "logged"}
    assert changes["return function(*args) + 1"] == "noticed by an assertion"
    assert changes["return function(*args) - 0"] == "survived"


def test_a_crash_is_told_from_a_check_that_fails(whole: dict[str, Any]) -> None:
    """What the product raised is the reason, also where a property's test cases were replayed."""
    (found,) = (
        one for one in whole["findings"] if one["function"] == "double" and change_of(one) == "return None"
    )
    assert found["is_property"]
    assert found["verdict"] == "noticed by an exception"
    assert found["error"].startswith("TypeError: unsupported operand")


def test_a_loop_without_end_is_noticed_by_time(whole: dict[str, Any]) -> None:
    """A test that never ends has noticed, and is named."""
    late = [one for one in whole["findings"] if one["verdict"] == "noticed by running out of time"]
    assert late
    assert {one["function"] for one in late} == {"countdown"}
    assert {one["noticed_by"] for one in late} == {"tests/test_shop.py::test_countdown"}


def test_a_constant_is_asked_about_in_a_fresh_interpreter(whole: dict[str, Any]) -> None:
    """Product and strategy read the changed constant alike, so nothing can notice; a patch agrees."""
    constants = by_function(whole)[None]
    survivors = [change_of(one) for one in constants["survived"]]
    assert {"LIMIT = 11", "LIMIT = 9", "UNUSED = 4", "UNUSED = 2"} <= set(survivors)
    assert "add_three = make_adder(4)" in [change_of(one) for one in constants["noticed by an assertion"]]


def test_a_getter_and_its_setter_are_asked_about_apart(whole: dict[str, Any]) -> None:
    """Both are called `size`, and each change lands in the right one."""
    sizes = by_function(whole)["Cart.size"]
    assert [change_of(one) for one in sizes["survived"]] == ["del self._items[:]"]
    noticed = {change_of(one) for verdict, group in sizes.items() if verdict != "survived" for one in group}
    assert {"return None", "pass"} <= noticed


def test_a_function_of_a_branch_that_was_not_taken_is_not_reached(whole: dict[str, Any]) -> None:
    """Another function of its name runs, and says nothing about this one."""
    verdicts = {change_of(one): one["verdict"] for one in whole["findings"] if one["function"] == "chosen"}
    assert verdicts["return number + 0"] == "noticed by an assertion"
    assert verdicts["return number + 3"] == "not reached"


def test_a_finding_says_who_noticed_and_after_how_many_test_cases(whole: dict[str, Any]) -> None:
    """A property that noticed is named with the index of the test case; evidence is complete."""
    for finding in whole["findings"]:
        assert finding["difference"].startswith("--- a/src/shop.py")
        if finding["verdict"] == "noticed by an assertion":
            assert finding["noticed_by"] in {test["nodeid"] for test in whole["worth"]}
            assert finding["error"]
            if finding["is_property"] and finding["function"]:
                assert 1 <= finding["n_test_cases"] <= 60
        if finding["verdict"] == "survived" and finding["function"]:
            assert finding["n_executed"] > 0
            assert finding["closest"]


def test_the_same_command_asks_nothing_again(shop: Shop, whole: dict[str, Any]) -> None:
    """Verdicts hold as long as nothing changed, and no test is even collected."""
    again = shop.mutate("-n", "2")
    assert again["n_asked"] == 0
    assert {one["id"]: one["verdict"] for one in again["findings"]} == {
        one["id"]: one["verdict"] for one in whole["findings"]
    }


def test_verdicts_agree_with_editing_the_file(shop: Shop, whole: dict[str, Any], tmp_path: Path) -> None:
    """The patch of a finding, applied by hand and run by a plain pytest, gives the same verdict."""
    copy = tmp_path / "copy"
    shutil.copytree(
        shop.folder, copy, ignore=shutil.ignore_patterns(".testinfra", "__pycache__", ".hypothesis")
    )
    original = (copy / "src" / "shop.py").read_text(encoding="utf-8")
    decided = [one for one in whole["findings"] if one["verdict"] != "noticed by running out of time"]
    for finding in decided[::9]:
        patch = subprocess.run(
            ["git", "apply", "--unidiff-zero", "-"],
            cwd=copy,
            input=finding["difference"] + "\n",
            text=True,
            check=False,
        )
        assert patch.returncode == 0, finding["difference"]
        done = subprocess.run(
            [sys.executable, "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider"],
            cwd=copy,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        is_noticed = finding["verdict"].startswith("noticed")
        assert (done.returncode != 0) == is_noticed, (finding, done.stdout[-2000:])
        (copy / "src" / "shop.py").write_text(original, encoding="utf-8")


def test_only_what_a_better_test_may_notice_is_asked_again(tmp_path: Path) -> None:
    """A changed test file costs the verdicts that rest on it, and no other."""
    project = Shop.create(tmp_path / "shop")
    first = project.mutate("src/shop.py::loose")
    assert {one["verdict"] for one in first["findings"]} == {"survived"}
    project.write(
        "tests/test_shop.py", "    shop.loose(number)", "    assert shop.loose(number) == (number >= 6)"
    )
    second = project.mutate("src/shop.py::loose")
    assert second["n_asked"] == len(first["findings"])
    assert {one["verdict"] for one in second["findings"]} == {"noticed by an assertion"}


def test_new_code_that_no_test_enters_is_not_reached(tmp_path: Path) -> None:
    """It needs no run of any test to say so, and there is nothing left to ask afterwards."""
    shop = Shop.create(tmp_path / "shop")
    shop.mutate("-n", "2", "src/shop.py::never_called")
    shop.write(
        "src/shop.py",
        "def never_called(number):\n    return number + 1",
        "def never_called(number):\n    return number * 4",
    )
    document = shop.mutate("-n", "2", "src/shop.py::never_called")
    assert set(document["counts"]) == {"not reached"}
    assert document["n_asked"] > 0
    assert document["n_left"] == 0


def test_since_asks_about_the_lines_of_a_diff(tmp_path: Path) -> None:
    """A weakened check in the working tree: the line is named, with the property that executes it."""
    project = Shop.create(tmp_path / "shop")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c"]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
        subprocess.run([*git, *arguments], cwd=project.folder, check=True)
    assert project.run("--since", "HEAD").returncode == 3
    project.write("src/shop.py", "    return number > 5", "    return number > 4")
    done = project.run("--since", "HEAD", "--fail-on-survivors")
    assert done.returncode == 1
    assert "src/shop.py:" in done.stdout
    assert "test_loose" in done.stdout
    assert "double" not in done.stdout
    assert "Next: tests/test_shop.py::test_loose executes" in done.stdout


def test_at_most_so_many_mutants_of_a_statement(tmp_path: Path) -> None:
    """Each statement is asked about, and the answer says how many mutants are left out."""
    project = Shop.create(tmp_path / "shop")
    first = project.mutate("--per-statement", "1")
    lines = [one["line"] for one in first["findings"]]
    assert len(lines) == len(set(lines))
    every = project.mutate()
    assert set(lines) == {one["line"] for one in every["findings"]}
    assert every["n_asked"] == len(every["findings"]) - len(lines) == first["n_more"] > 0
    assert f"{first['n_more']} more mutants of these" in project.run("--per-statement", "1").stdout
    assert "of these statements" not in project.run().stdout


def test_since_asks_whether_removed_lines_are_missed(tmp_path: Path) -> None:
    """A check that is gone without a trace would leave nothing to change; it is put back for the tests."""
    project = Shop.create(tmp_path / "shop")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c"]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
        subprocess.run([*git, *arguments], cwd=project.folder, check=True)
    check = '        if price < 0:\n            raise ValueError("negative")\n'
    project.write("src/shop.py", check, "")
    project.write("tests/test_shop.py", "def test_negative(price):", "def negative(price):")
    (one,) = project.mutate("--since", "HEAD")["findings"]
    assert (one["verdict"], one["operator"]) == ("survived", "removed lines put back")
    assert [
        line[1:] for line in one["difference"].splitlines() if line.startswith("+  ")
    ] == check.splitlines()
    assert "if price < 0:" in project.run("--since", "HEAD", "--show", one["id"]).stdout
    more = "import pytest\n\n\ndef test_removed():\n    shop.Cart().add(-1)\n\n\n"
    project.write("tests/test_shop.py", "import pytest\n", more)
    (one,) = project.mutate("--since", "HEAD")["findings"]
    assert one["verdict"] == "noticed by an exception"


HOSTILE = """
import os
import sys

def leaves(number):
    if number < 0:
        os._exit(0)
    return number

def eats(number):
    size = 1
    if number < 0:
        size = 1 << 36
    return len(bytes(size)) + number

def waits(number):
    if number < 0:
        sys.stdin.read()
        import threading
        threading.Event().wait()
    return number

def writes(path, number):
    if number < 0:
        path.unlink()
    return path.read_text() == "kept"
"""
HOSTILE_TESTS = """
import shop


def test_leaves():
    assert shop.leaves(1) == 1


def test_eats():
    assert shop.eats(1) == 2


def test_writes(tmp_path):
    path = tmp_path / "file"
    path.write_text("kept")
    assert shop.writes(path, 1)
"""


def test_hostile_mutants_end_their_own_process_only(tmp_path: Path) -> None:
    """One that ends the process, takes all memory or deletes a file has noticed; the session goes on."""
    project = Shop.create(tmp_path / "shop", HOSTILE, HOSTILE_TESTS)
    document = project.mutate("-n", "2")
    found = by_function(document)
    ended = found["leaves"]["noticed by a limit"]
    assert ended
    assert "ended itself with status 0" in ended[0]["error"]
    memory = [
        one for group in found["eats"].values() for one in group if "MemoryError" in (one.get("error") or "")
    ]
    assert memory
    assert found["writes"]["noticed by an exception"]
    assert set(found["waits"]) == {"not reached"}


def test_a_test_that_fails_unchanged_is_named_until_it_passes(tmp_path: Path) -> None:
    """Its verdict would say nothing, so the others are asked; once it passes, it is asked too."""
    broken = "\n\ndef test_broken():\n    assert shop.loose(6) and shop.never_called(1) == 3\n"
    project = Shop.create(tmp_path / "shop", tests=TESTS + broken)
    for n_calls in range(2):
        document = project.mutate("src/shop.py::never_called", "src/shop.py::loose")
        assert list(document["excluded"]) == ["tests/test_shop.py::test_broken"]
        assert (document["n_asked"] == 0) == (n_calls == 1)
        assert {one["verdict"] for one in by_function(document)["never_called"]["not reached"]}
        assert by_function(document)["loose"]["survived"]
    project.write(
        "src/shop.py",
        "def never_called(number):\n    return number + 1",
        "def never_called(number):\n    return number + 2",
    )
    document = project.mutate("src/shop.py::never_called", "src/shop.py::loose")
    assert document["excluded"] == {}
    assert set(by_function(document)["never_called"]) == {"noticed by an assertion"}
    assert "noticed by an assertion" in by_function(document)["loose"]


def test_a_test_that_was_removed_is_asked_for_no_more(tmp_path: Path) -> None:
    """Survivors stay known, and the next call asks nothing."""
    more = "\n\ndef test_more():\n    shop.loose(3)\n"
    project = Shop.create(tmp_path / "shop", tests=TESTS + more)
    assert project.mutate("src/shop.py::loose")["n_asked"]
    project.write("tests/test_shop.py", more, "")
    assert project.mutate("src/shop.py::loose")["n_asked"]
    assert project.mutate("src/shop.py::loose")["n_asked"] == 0


def test_threads_and_connections_are_not_shared_by_copies(tmp_path: Path) -> None:
    """Where a test leaves a thread behind, mutants are asked about from a process without it."""
    tests = TESTS + (
        "\n\nimport threading\nstop = threading.Event()\n"
        "def test_leaves_a_thread():\n"
        "    threading.Thread(target=stop.wait, name='left behind', daemon=True).start()\n"
        "    assert shop.double(1) == 2\n"
    )
    project = Shop.create(tmp_path / "shop", tests=tests)
    done = project.run("src/shop.py::double")
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert "survived  " not in done.stdout


LEAVING_TESTS = """
import shop

def test_first():
    assert shop.SEEN == []

def test_fill():
    shop.SEEN.append(shop.LIMIT)

def test_loop():
    for _ in range(100_000):
        assert shop.SEEN
"""


def test_no_verdict_comes_from_what_another_test_left(tmp_path: Path) -> None:
    """Tests run in another order in a fresh interpreter; here two of the three depend on the order."""
    project = Shop.create(tmp_path, "SEEN = []\nLIMIT = 3\n", LEAVING_TESTS)
    verdicts = {change_of(one): one["verdict"] for one in project.mutate("-n", "1")["findings"]}
    assert verdicts["LIMIT = 4"] == verdicts["LIMIT = 2"] == "survived"


KEEPING = """
import functools

RATE = 3

def make_table():
    return {"tea": 3}

@functools.lru_cache
def price_of(name):
    return len(name) + 2
"""
KEEPING_TESTS = """
import pytest
import shop

@pytest.fixture(scope="session")
def table():
    return shop.make_table()

def test_table(table):
    assert isinstance(table, dict)

def test_tea(table):
    assert table["tea"] == 3

def test_price():
    assert shop.price_of("tea") > 1

def test_price_of_tea():
    assert shop.price_of("tea") == 5

def test_rate():
    assert shop.RATE == 3
"""


def test_results_that_are_kept_are_asked_about_anew(tmp_path: Path) -> None:
    """A cache or a fixture of the session holds what the original made: a mutant there must run itself."""
    project = Shop.create(tmp_path / "shop", KEEPING, KEEPING_TESTS)
    document = project.mutate("-n", "2")
    survived = {change_of(one) for one in document["findings"] if one["verdict"] == "survived"}
    assert survived == {""}, "without its decorator the function returns the same"
    by_test = {one["noticed_by"].rpartition("::")[2] for one in document["findings"] if "noticed_by" in one}
    assert by_test >= {"test_tea", "test_price_of_tea", "test_rate"}
    assert project.mutate()["n_asked"] == 0


PARTLY_KEPT_TESTS = """
import shop


def test_price():
    assert shop.price_of("tea") > 1


def test_prices():
    prices = [shop.price_of.__wrapped__(name) for name in ("a", "be", "cee")]
    assert prices == sorted(set(prices))
"""


def test_a_test_that_runs_the_function_again_is_asked_in_a_fork(tmp_path: Path) -> None:
    """Only a test that would see the kept result needs a fresh interpreter; the others notice in a fork."""
    project = Shop.create(tmp_path / "shop", KEEPING, PARTLY_KEPT_TESTS)
    document = project.mutate("src/shop.py::price_of", "-n", "1")
    noticed = [one for one in document["findings"] if one.get("noticed_by")]
    assert {one["noticed_by"].rpartition("::")[2] for one in noticed} >= {"test_prices"}
    assert any(one["n_reaching"] == 1 for one in noticed), (
        "after the first survivor, only test_prices is asked"
    )


TABLE_PRODUCT = """
SIZES = (10, 20, 30, 40, 50, 60, 70, 80)
LATE = 50


def is_late(number):
    return number > LATE
"""
TABLE_TESTS = """
from hypothesis import given, settings, strategies as st
from src.shop import is_late


@settings(max_examples=37, database=None)
@given(st.integers(0, 1000))
def test_late(number):
    assert is_late(number) == (number > 50)
"""
ENGINE_RUNS = """
from pathlib import Path

from hypothesis.internal.conjecture.engine import ConjectureRunner

run = ConjectureRunner.run


def counted(self):
    if self.settings.max_examples == 37:
        with Path(__file__).with_name("runs.txt").open("a") as file:
            file.write("run\\n")
    run(self)


ConjectureRunner.run = counted
"""


def test_survivors_at_module_level_are_replayed(tmp_path: Path) -> None:
    """Every survivor sees as many test cases, and Hypothesis's engine runs for the first one only."""
    project = Shop.create(tmp_path, TABLE_PRODUCT, TABLE_TESTS)
    (tmp_path / "tests/conftest.py").write_text(ENGINE_RUNS)
    found = by_function(project.mutate("-n", "1"))[None]
    survivors = found.pop("survived")
    assert {one["n_test_cases"] for one in survivors} == {37}
    n_noticed = sum(map(len, found.values()))
    assert n_noticed >= 1
    # It also runs for the map, for the recording, and for what is checked unchanged.
    assert len((tmp_path / "tests/runs.txt").read_text().splitlines()) < len(survivors) / 2


def test_what_compiles_to_the_same_code_at_module_level_is_dropped(tmp_path: Path) -> None:
    """It does not count as a survivor, nor among those that nobody was asked about."""
    product = "PRICE = 3 * 1\nUNREAD = 4 * 1\n"
    tests = "import shop\n\ndef test_price():\n    assert shop.PRICE == 3\n"
    project = Shop.create(tmp_path, product, tests)
    document = project.mutate()
    changes = {change_of(one): one["verdict"] for one in document["findings"]}
    assert changes["PRICE = 3 * 2"] == "noticed by an assertion"
    assert changes["UNREAD = 4 * 2"] == "survived"
    assert not {"PRICE = 3", "UNREAD = 4"} & set(changes)
    assert document["n_left"] == 0


def n_known_of(project: Shop) -> int:
    """Return how many findings are on disk."""
    stores = (project.folder / ".testinfra" / "mutants").glob("*/mutants.jsonl")
    return sum(path.read_text(encoding="utf-8").count("finding {") for path in stores)


UNITTEST = """
import asyncio
import unittest

import shop
from hypothesis import given, settings, strategies as st


class TestShop(unittest.TestCase):
    def setUp(self):
        self.step = 1

    @settings(max_examples=20)
    @given(st.integers(0, 99))
    def test_double(self, number):
        assert shop.double(number) == number + number

    @settings(max_examples=20)
    @given(st.integers(0, 99))
    def test_more(self, number):
        assert shop.make_adder(self.step)(number) == number + 1
"""


def test_methods_of_unittest_are_asked_more_than_once_in_a_process(tmp_path: Path) -> None:
    """Each run makes another instance, which Hypothesis's health check would refuse."""
    project = Shop.create(tmp_path / "shop", tests=UNITTEST)
    document = project.mutate("src/shop.py::double", "src/shop.py::make_adder")
    assert document["remarks"] == []
    assert document["excluded"] == {}
    found = by_function(document)
    for name in ("double", "make_adder"):
        assert "survived" not in found[name]
    assert all(one["is_property"] for one in document["findings"] if one.get("noticed_by"))


def test_a_test_that_starts_a_program_is_named_by_each_call(tmp_path: Path) -> None:
    """The second call asks nothing, and its verdicts have the same limit."""
    project = Shop.create(
        tmp_path,
        product="def double(number):\n    return number * 2\n",
        tests="""
import os, subprocess, sys
import shop

def test_program():
    code = "import shop; assert shop.double(2) == 4"
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"PYTHONPATH": "src"})

def test_double():
    assert shop.double(0) == 0
""",
    )
    said = [project.mutate() for _ in range(2)]
    named = "1 test started other programs, where no mutant is tried: tests/test_shop.py::test_program"
    assert [document["remarks"] for document in said] == [[named], [named]]
    assert said[0]["n_asked"] > said[1]["n_asked"] == 0


def test_an_interrupted_session_goes_on(tmp_path: Path) -> None:
    """`kill -9` in the middle: what was answered is kept, and the next call asks the rest."""
    project = Shop.create(tmp_path / "shop")
    part = ("src/shop.py::Cart", "src/shop.py::double")
    process = subprocess.Popen(
        [sys.executable, "-m", "atom_testinfra", "mutate", *part, "-n", "1"],
        cwd=project.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    for _ in range(2400):
        if n_known_of(project) >= 5:
            break
        time.sleep(0.05)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    process.send_signal(signal.SIGKILL)
    process.wait()
    for _ in range(2400):
        if not any(Path(f"/proc/{child}").exists() for child in children):
            break
        time.sleep(0.05)
    assert children
    assert not any(Path(f"/proc/{child}").exists() for child in children)
    n_known = n_known_of(project)
    assert n_known >= 5
    rest = project.mutate(*part)
    assert 0 < rest["n_asked"] == len(rest["findings"]) - n_known
    assert rest["n_left"] == 0


def test_a_property_that_cannot_fail_is_found(shop: Shop) -> None:
    """Asked alone, each property notices something, but for the one that asserts nothing."""
    done = shop.run("--each-property", "--json")
    assert done.returncode == 1, done.stderr
    worths = {one["nodeid"]: one for one in json.loads(done.stdout)["properties"]}
    silent = [nodeid for nodeid, one in worths.items() if "noticed" not in one]
    assert silent == ["tests/test_shop.py::test_loose"]
    assert 1 <= worths[silent[0]]["n_asked"] <= 8
    assert {one["noticed"]["noticed_by"] for one in worths.values() if "noticed" in one} == worths.keys() - {
        *silent
    }


WRITTEN = """
[[fault]]
path = "src/shop.py"
before = "return number * 2"
after = "return number * 2 if number < 3 else 7"
says = "large numbers double to seven"

[[fault]]
path = "src/shop.py"
before = "LIMIT = 10"
after = "LIMIT = 11"
says = "one more fits"
"""


def test_faults_that_a_person_wrote_down_are_asked_about(shop: Shop) -> None:
    """A text of the file is replaced by another, in a function or at module level; the file stays."""
    path = shop.folder / "faults.toml"
    path.write_text(WRITTEN, encoding="utf-8")
    found = {one["function"]: one["verdict"] for one in shop.mutate("--faults", "faults.toml")["findings"]}
    assert found == {"double": "noticed by an assertion", None: "survived"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('return number * 2"', 'nothing like it"', "has 0 times 'nothing like it'"),
        ('return number * 2"', 'return number"', "has 8 times 'return number'"),
        ("number < 3 else 7", "number < else", "would be invalid"),
        ('path = "src/shop.py"', 'path = "src/other.py"', "is not a file of the product"),
        ('says = "one more fits"', "", "missing required field `says`"),
    ],
)
def test_written_faults_that_no_longer_apply_are_named(shop: Shop, old: str, new: str, message: str) -> None:
    """A refactoring breaks them aloud: each one is named with what is wrong."""
    path = shop.folder / "stale.toml"
    assert old in WRITTEN
    path.write_text(WRITTEN.replace(old, new), encoding="utf-8")
    done = shop.run("--faults", "stale.toml")
    assert done.returncode == 2
    assert message in done.stderr


def test_no_mutant_is_begun_after_the_time(tmp_path: Path) -> None:
    """After the time no further mutant is asked about, and what is left is counted."""
    done = Shop.create(tmp_path / "shop").run("--time", "1s", "--json")
    document = json.loads(done.stdout)
    assert document["n_left"] > 0
    assert document["n_asked"] == len(document["findings"])
    assert done.returncode == (0 if document["findings"] else 3)


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("--time", "0s"), 2, "is not a time above zero, such as 90s"),
        (("--time", "soon"), 2, "is not a time above zero, such as 90s"),
        (("nowhere.py",), 2, "there is no 'nowhere.py' here"),
        (("tests",), 2, "has no statement that can be changed"),
        (("--profile", "unknown"), 2, "there is no profile 'unknown'"),
        (("--product", "nowhere"), 2, "product: there is no 'nowhere'"),
        (("--show", "0000000000000000"), 2, "there is no mutant '0000000000000000'"),
        (("--since", "nothing"), 2, "git"),
        (("--", "-k", "nothing_is_called_so"), 3, "no test was selected"),
    ],
)
def test_wrong_calls_are_one_line(shop: Shop, arguments: tuple[str, ...], status: int, message: str) -> None:
    """Each names what was wrong, and none is a traceback."""
    project = Shop(shop.folder)
    shutil.rmtree(project.folder / ".git", ignore_errors=True)
    done = project.run(*arguments)
    assert done.returncode == status, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_list_and_show_ask_nobody(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The mutants are listed in the order in which they would be asked about, without any process."""
    monkeypatch.chdir(shop.folder)
    monkeypatch.setattr(subprocess, "Popen", None)
    assert main(["mutate", "--list", "src/shop.py::double"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert listed
    assert main(["mutate", "--show", listed[0].split()[0]]) == 0
    assert re.search(r"^\+    return", capsys.readouterr().out, re.MULTILINE)


def test_survivors_can_be_accepted_with_a_reason(tmp_path: Path) -> None:
    """An accepted survivor no longer counts, and an entry without a reason is refused."""
    project = Shop.create(tmp_path / "shop")
    first = project.mutate("src/shop.py::loose")
    entries = "".join(
        f'[[mutant]]\nid = "{one["id"]}"\nreason = "nobody reads it"\n' for one in first["findings"]
    )
    (project.folder / "equivalent.toml").write_text(entries, encoding="utf-8")
    done = project.run("src/shop.py::loose", "--fail-on-survivors")
    assert done.returncode == 0, done.stdout
    assert "survivors are accepted" in done.stdout
    (project.folder / "equivalent.toml").write_text('[[mutant]]\nid = "a"\nreason = " "\n', encoding="utf-8")
    refused = project.run("src/shop.py::loose")
    assert refused.returncode == 2
    assert "has no reason" in refused.stderr


def test_summary_sarif_and_annotations_carry_the_survivors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same survivors, for a job summary, a code scanner and the lines of a diff."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    project = Shop.create(tmp_path / "shop")
    done = project.run("src/shop.py::loose", "--markdown", "out.md", "--sarif", "out.sarif")
    assert done.returncode == 0
    line = next(n for n, text in enumerate(PRODUCT.splitlines(), 1) if "number > 5" in text)
    assert f"::warning file=src/shop.py,line={line},title=survived::" in done.stderr
    assert "```diff" in (project.folder / "out.md").read_text(encoding="utf-8")
    results = json.loads((project.folder / "out.sarif").read_text(encoding="utf-8"))["runs"][0]["results"]
    assert {one["locations"][0]["physicalLocation"]["region"]["startLine"] for one in results} == {line}


def test_shards_together_say_what_one_run_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two shards and a merge give the findings of the whole; without one of them the merge fails."""
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    product = "def double(number):\n    return number * 2\n\n\ndef loose(number):\n    return number > 5\n"
    tests = "import shop\n\ndef test_shop():\n    assert shop.double(3) == 6\n    shop.loose(3)\n"
    small = Shop.create(tmp_path / "small", product, tests)
    small.mutate("--shard", "1/2", "-n", "1")
    monkeypatch.chdir(small.folder)
    assert main(["merge", ".testinfra/shards"]) == 2
    assert "missing: shard 2/2" in capsys.readouterr().err
    small.mutate("--shard", "2/2", "-n", "1")
    assert main(["merge", "--json", ".testinfra/shards"]) == 0
    merged = json.loads(capsys.readouterr().out)["findings"]
    whole = small.mutate("-n", "1")["findings"]
    assert {(one["id"], one["verdict"]) for one in merged} == {(one["id"], one["verdict"]) for one in whole}
    assert len(merged) == len(whole) > 2
