"""
One session of the backend's tests, and in it one process for each fault.

A fault inside a function is put into a copy (`fork`) of a process that has already imported the product,
collected the tests and migrated a database: there the function's code is exchanged, or the module's variables
are assigned again, and the tests run that are known to call it. What cannot be changed like that, or was used
before any test ran, gets a process that imports the product with the fault in it.
"""

from __future__ import annotations

import ast
import contextlib
import ctypes
import gc
import importlib.abc
import importlib.util
import json
import os
import resource
import select
import signal
import sys
import time
import traceback
from dataclasses import asdict, dataclass, field
from importlib.machinery import PathFinder, SourceFileLoader
from itertools import zip_longest
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, TypeGuard

import pytest
from _pytest.runner import runtestprotocol
from fault_sites import blocks
from hypothesis import Phase, settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.abc import MetaPathFinder
    from importlib.machinery import ModuleSpec

    from fault_sites import Fault

BACKEND = Path(__file__).parents[1] / "backend"
PRODUCT = BACKEND / "src" / "atom"
PHASES = (Phase.explicit, Phase.generate, Phase.target)
"""A counterexample is one before it is made small."""
MAP_EXAMPLES = 4
"""Of each property when the tests are asked what they reach."""
NOTE = "__reached__"

Answer = dict[str, Any]


@dataclass(kw_only=True)
class Map:
    """Which tests reach a block of the product, what each test costs, and what is reached before any runs."""

    reaching: dict[str, list[str]] = field(default_factory=dict)
    """The tests by block, `path:line` of its first statement."""
    cpu_s: dict[str, float] = field(default_factory=dict)
    properties: list[str] = field(default_factory=list)
    early: list[str] = field(default_factory=list)

    def add(self, other: Map) -> None:
        """Add what other tests reach."""
        for name, nodeids in other.reaching.items():
            self.reaching.setdefault(name, []).extend(nodeids)
        self.cpu_s.update(other.cpu_s)
        self.properties.extend(other.properties)
        self.early = sorted({*self.early, *other.early})


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What became of a fault; tests that run out of time have noticed it too."""

    is_noticed: bool
    n_run: int
    noticed_by: str | None = None
    """The first test that failed, or the file that could not be collected."""
    is_out_of_time: bool = False
    is_unfit: bool = False
    """The fault cannot be put into a running process; it needs a fresh one."""
    is_fresh: bool = False
    """The tests ran in a process that imported the product with the fault."""


def preload() -> None:
    """Import what the product needs, and nothing of it, for every copy of this process."""
    for name in ("alembic.command", "fastapi", "psycopg", "sqlalchemy.orm"):
        importlib.import_module(name)


def run_in_copies(
    tasks: Sequence[tuple[Callable[[], Answer], float]],
    n_jobs: int,
    done: Callable[[int, Answer | None], None],
) -> None:
    """
    Run each task in a copy of this process, at most so many tasks at a time.

    Args:
        tasks: what makes an answer, and after how many seconds on the clock it is given up.
        n_jobs: how many run at a time.
        done: is told the number of a task and its answer; None if it used up its CPU time or broke down.
    """
    waiting = list(enumerate(tasks))[::-1]
    running: dict[int, tuple[int, int, float, list[bytes]]] = {}
    while waiting or running:
        while waiting and len(running) < n_jobs:
            number, (task, most_s) = waiting.pop()
            reader, pid = _copy(task)
            running[reader] = (number, pid, time.monotonic() + most_s, [])
        ready, _, _ = select.select(list(running), [], [], 1.0)
        for reader in ready:
            number, pid, _, parts = running[reader]
            part = os.read(reader, 1 << 16)
            if part:
                parts.append(part)
                continue
            os.close(reader)
            _, status = os.waitpid(pid, 0)
            del running[reader]
            is_given_up = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
            none = {"too_late": True} if is_given_up else None
            done(number, json.loads(b"".join(parts)) if parts else none)
        for _, pid, until, _ in running.values():
            if time.monotonic() > until:
                os.kill(pid, signal.SIGKILL)


def _copy(task: Callable[[], Answer]) -> tuple[int, int]:
    reader, writer = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        os.close(writer)
        return reader, pid
    status = 1
    try:
        os.close(reader)
        _die_with_parent()
        try:
            answer = task()
        except Exception:  # noqa: BLE001 - an edge: this process ends here, the other one says why
            answer = {"trouble": traceback.format_exc()}
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(json.dumps(answer).encode())
        status = 0
    finally:
        os._exit(status)


def _die_with_parent() -> None:
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Laboratory:
    """A pytest plugin that runs no test itself: it lets `use` do so with what was collected."""

    def __init__(self, use: Callable[[Laboratory], Answer]) -> None:
        self._use = use
        self.items: dict[str, pytest.Item] = {}
        self.answer: Answer = {}
        self.trouble: list[str] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Take the place of the loop over the tests."""
        self.items = {item.nodeid: item for item in session.items}
        for item in session.items:
            steer(item)
        self.answer = self._use(self)
        return True

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note what could not be collected: an import may notice a fault too."""
        if report.failed:
            self.trouble.append(report.nodeid)

    def run(self, nodeid: str, following: str | None = None) -> bool:
        """Run a test; whether it failed. What the following one shares with it stays as it was set up."""
        next_item = None if following is None else self.items[following]
        reports = runtestprotocol(self.items[nodeid], log=False, nextitem=next_item)
        return any(report.failed for report in reports)

    def run_until_noticed(self, tests: Sequence[tuple[str, float]]) -> Verdict:
        """Run tests, each within so many CPU seconds, up to the first that fails."""
        following = [nodeid for nodeid, _ in tests[1:]]
        for n_run, (nodeid, cpu_s) in enumerate(tests, start=1):
            most_s = int(time.process_time() + cpu_s) + 1
            resource.setrlimit(resource.RLIMIT_CPU, (most_s, resource.RLIM_INFINITY))
            if self.run(nodeid, following[n_run - 1] if n_run < len(tests) else None):
                return Verdict(is_noticed=True, noticed_by=nodeid, n_run=n_run)
        return Verdict(is_noticed=False, n_run=len(tests))


def steer(item: pytest.Item, most_examples: int | None = None) -> None:
    """Let a property keep no examples and shrink none; let it take fewer if asked to."""
    test: Any = getattr(item, "obj", None)
    machine = getattr(test, "_hypothesis_state_machine_class", None)
    holder = machine.TestCase if machine else getattr(test, "__func__", test)
    name = "settings" if machine else "_hypothesis_internal_use_settings"
    found = getattr(holder, name, None)
    if isinstance(found, settings):
        count = min(found.max_examples, most_examples or found.max_examples)
        setattr(
            holder,
            name,
            settings(found, phases=PHASES, database=None, report_multiple_bugs=False, max_examples=count),
        )


def is_property(item: pytest.Item) -> bool:
    """Whether Hypothesis makes the test's examples."""
    test: Any = getattr(item, "obj", None)
    return hasattr(test, "_hypothesis_state_machine_class") or hasattr(test, "is_hypothesis_test")


def run_session(
    tests: Sequence[str],
    seed: int,
    use: Callable[[Laboratory], Answer],
    *,
    importer: MetaPathFinder | None = None,
) -> Answer:
    """
    Collect the tests in this process and give them to `use`.

    Args:
        tests: folders or node ids, as pytest takes them from the folder of the backend.
        seed: of every property.
        use: makes the answer.
        importer: of the product, in another way than as it is.
    """
    os.chdir(BACKEND)
    os.environ.update(CI="true")
    if importer is not None:
        sys.meta_path.insert(0, importer)
    laboratory = Laboratory(use)
    options = ["-p", "no:cacheprovider", "-m", "not integration", f"--hypothesis-seed={seed}"]
    options += ["--tb=no", "-W", "ignore::pytest.PytestAssertRewriteWarning"]  # imported here already
    with (
        Path(os.devnull).open("w") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        status = pytest.main([*options, *tests], plugins=[laboratory])
    if laboratory.answer:
        return laboratory.answer
    return {"unstarted": int(status), "trouble": laboratory.trouble}


def make_map(laboratory: Laboratory, nodeids: Sequence[str], tracer: Tracer) -> Answer:
    """Run tests with few examples; note what of the product each reaches and what it costs."""
    found = Map(early=sorted(tracer.reached))
    for nodeid, following in zip_longest(nodeids, nodeids[1:]):
        item = laboratory.items[nodeid]
        steer(item, MAP_EXAMPLES)
        tracer.reached.clear()
        began = time.process_time()
        if laboratory.run(nodeid, following):
            return {"failed": nodeid}
        found.cpu_s[nodeid] = time.process_time() - began
        for name in tracer.reached:
            found.reaching.setdefault(name, []).append(nodeid)
        if is_property(item):
            found.properties.append(nodeid)
    return asdict(found)


class Tracer(importlib.abc.MetaPathFinder):
    """Imports the product so that each block of its functions notes that it is reached, in any thread."""

    def __init__(self) -> None:
        self.reached: set[str] = set()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find the product's modules where they are, and nothing else."""
        if fullname.partition(".")[0] != PRODUCT.name:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = TracingLoader(fullname, spec.loader.path, self.reached.add)
        return spec


class TracingLoader(SourceFileLoader):
    """Loads a module with a first statement in each block that notes the block."""

    def __init__(self, module: str, path: str, note: Callable[[str], None]) -> None:
        super().__init__(module, path)
        self._note = note

    def exec_module(self, module: ModuleType) -> None:
        """Run the module, which finds the note under its name."""
        vars(module)[NOTE] = self._note
        super().exec_module(module)

    def get_code(self, fullname: str) -> CodeType:
        """Compile the source with its notes."""
        assert fullname == self.name
        path = Path(self.path)
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for block, place in list(blocks(tree.body)):
            if place.function is not None:
                name = f"{path.relative_to(PRODUCT)}:{place.line}"
                block.insert(int(_is_docstring(block[0])), _noting(name, block[0]))
        return compile(ast.fix_missing_locations(tree), self.path, "exec")


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _noting(name: str, at: ast.stmt) -> ast.stmt:
    call = ast.Call(ast.Name(NOTE, ast.Load()), [ast.Constant(name)], [])
    return ast.copy_location(ast.Expr(call), at)


class Product:
    """The product as this process imported it, ready to be broken in a copy of the process."""

    def __init__(self) -> None:
        self._functions: dict[tuple[str, str], list[FunctionType]] = {}
        gc.unfreeze()  # the plugin hides from the collector, and so from us, what was imported
        for found in gc.get_objects():
            if type(found) is FunctionType and found.__code__.co_filename.startswith(str(PRODUCT)):
                place = (found.__code__.co_filename, found.__code__.co_qualname)
                self._functions.setdefault(place, []).append(found)
        gc.freeze()  # a copy that looks for cycles would copy every page of what was imported

    def put(self, fault: Fault) -> bool:
        """Put a fault into this process; False if that cannot be done here."""
        if fault.function is None:
            return self._assign(fault)
        path = str(PRODUCT / fault.path)
        codes = _codes(compile(fault.source, path, "exec"), fault.function)
        functions = self._functions.get((path, fault.function), [])
        if len(codes) != 1 or not functions:
            return False
        try:
            for function in functions:
                function.__code__ = codes[0]
        except ValueError:  # it closes over other variables now
            return False
        return True

    @staticmethod
    def _assign(fault: Fault) -> bool:
        """Assign the module's variables again, from the faulty one on, also where they were imported."""
        module = sys.modules[_module_name(fault.path)]
        whole = ast.parse(Path(PRODUCT / fault.path).read_text(encoding="utf-8")).body
        faulty = ast.parse(fault.source).body
        changed = [
            i for i, (a, b) in enumerate(zip(whole, faulty, strict=True)) if ast.dump(a) != ast.dump(b)
        ]
        if not all(isinstance(faulty[i], ast.Assign | ast.AnnAssign) for i in changed):
            return False
        for node in faulty[changed[0] :]:
            if not isinstance(node, ast.Assign | ast.AnnAssign):
                continue
            names = [name.id for name in ast.walk(node) if _is_target(name)]
            before = {name: vars(module).get(name) for name in names}
            try:
                exec(compile(ast.Module([node], []), "fault", "exec"), vars(module))
            except Exception:  # noqa: BLE001 - whatever a faulty expression raises
                return False
            for name in names:
                for other in list(sys.modules.values()):
                    if vars(other).get(name, module) is before[name]:
                        setattr(other, name, vars(module)[name])
        return True


def _is_target(node: ast.AST) -> TypeGuard[ast.Name]:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)


def _module_name(path: str) -> str:
    return ".".join(("atom", *Path(path).with_suffix("").parts))


def _codes(code: CodeType, name: str) -> list[CodeType]:
    inner = [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return [found for found in inner if found.co_qualname == name] + [
        found for each in inner for found in _codes(each, name)
    ]


class FaultyLoader(SourceFileLoader):
    """Loads a module as if its file had another source."""

    def __init__(self, module: str, path: str, source: str) -> None:
        super().__init__(module, path)
        self._source = source

    def get_code(self, fullname: str) -> CodeType:
        """Compile the faulty source."""
        assert fullname == self.name
        return compile(self._source, self.path, "exec")


class FaultyImporter(importlib.abc.MetaPathFinder):
    """Imports one module of the product with a fault in it."""

    def __init__(self, fault: Fault) -> None:
        self._module = _module_name(fault.path)
        self._loader = FaultyLoader(self._module, str(PRODUCT / fault.path), fault.source)

    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:  # noqa: ARG002
        """Answer for that module only."""
        if fullname != self._module:
            return None
        return importlib.util.spec_from_file_location(fullname, self._loader.path, loader=self._loader)
