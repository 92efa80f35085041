"""The four tools that `mutate_peers.py` compares: what each is told, and how its verdicts are read."""

from __future__ import annotations

import ast
import copy
import json
import re
import sqlite3
import subprocess
from abc import ABC, abstractmethod
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from atom_testinfra.mutation.operators.mutants import Module

if TYPE_CHECKING:
    from collections.abc import Iterator

HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))?")
CONFIGURATION = "[tool.mutmut]\nsource_paths = ['src']\nonly_mutate = {mutated}\n"


class Verdict(NamedTuple):
    """What a tool says of one mutant."""

    tree: str | None
    """The path of the mutated module, and its syntax tree as source; `None` if it is not valid Python."""
    is_noticed: bool
    in_function: bool = True


@dataclass(frozen=True, kw_only=True)
class Place:
    """A copy of a subject that one tool may change."""

    root: Path
    bin: Path
    """Where the environment of the tool has its commands."""
    mutated: tuple[str, ...]
    tests: tuple[str, ...]
    sources: dict[str, str]
    """The text of each mutated module, by its path, before the tool began."""
    minutes: float

    @property
    def log(self) -> Path:
        """What the tool prints."""
        return self.root / "log.txt"


class Tool(ABC):
    """A tool that makes mutants and asks tests about them."""

    name: ClassVar[str]
    packages: ClassVar[tuple[str, ...]] = ()
    """What `pip` installs in addition to pytest and Hypothesis."""

    def prepare(self, place: Place) -> None:  # noqa: B027 (not every tool needs it)
        """Write the tool's configuration."""

    @abstractmethod
    def commands(self, place: Place) -> list[list[str]]:
        """Return what is run, in order."""

    @abstractmethod
    def count(self, place: Place) -> int:
        """Return how many verdicts there are; it is asked many times while the tool runs."""

    @abstractmethod
    def verdicts(self, place: Place) -> list[Verdict]:
        """Return all verdicts, also those of a run that was stopped."""


class Testinfra(Tool):
    """`testinfra mutate`, with one process; of everything, or of functions and methods as mutmut does."""

    name = "testinfra"

    def __init__(self, *, only_functions: bool = False) -> None:
        self._only_functions = only_functions

    def commands(self, place: Place) -> list[list[str]]:
        """Give it its time, so that it says what it found by then."""
        command = [str(place.bin / "testinfra"), "mutate", "-n", "1", "--json"]
        command += ["--time", f"{place.minutes * 60:.0f}s"]
        return [[*command, *self._paths(place), "--", *place.tests]]

    def _paths(self, place: Place) -> list[str]:
        if not self._only_functions:
            return list(place.mutated)
        return [
            f"{path}::{name}"
            for path, text in place.sources.items()
            for name in sorted({one.function for one in Module(path, text).mutants if one.function})
        ]

    def count(self, place: Place) -> int:
        """Count the lines that it stores."""
        files = (place.root / ".testinfra/mutants").glob("*/mutants.jsonl")
        return sum(path.read_bytes().count(b"\nfinding ") for path in files)

    def verdicts(self, place: Place) -> list[Verdict]:
        """Read its JSON document, and make each mutant again for its source."""
        modules = {path: Module(path, text) for path, text in place.sources.items()}
        mutants = {one.id: (module, one) for module in modules.values() for one in module.mutants}
        found = []
        for finding in self._document(place).get("findings", []):
            if finding["verdict"] != "not asked":
                module, mutant = mutants[finding["id"]]
                is_noticed = finding["verdict"].startswith("noticed")
                tree = tree_of(finding["path"], module.patched(mutant))
                found.append(Verdict(tree, is_noticed, in_function=finding["function"] is not None))
        return found

    @staticmethod
    def _document(place: Place) -> dict[str, Any]:
        lines = place.log.read_text().splitlines()
        start = next((number for number, line in enumerate(lines) if line.startswith("{")), len(lines))
        text = "\n".join(lines[start:])
        document: dict[str, Any] = json.JSONDecoder().raw_decode(text)[0] if text else {}
        return document


class Mutmut(Tool):
    """mutmut: functions only, one fork for each mutant."""

    name = "mutmut"
    packages = ("mutmut",)

    def prepare(self, place: Place) -> None:
        """Name the modules and the tests."""
        path = place.root / "pyproject.toml"
        text = CONFIGURATION.format(mutated=list(place.mutated))
        text += f"pytest_add_cli_args_test_selection = {list(place.tests)}\n"
        if (place.root / "pytest.ini").exists():
            text += "also_copy = ['pytest.ini']\n"
        path.write_text(f"{path.read_text()}\n{text}")

    def commands(self, place: Place) -> list[list[str]]:
        """Run one process at a time."""
        return [[str(place.bin / "mutmut"), "run", "--max-children", "1"]]

    def count(self, place: Place) -> int:
        """Count the exit codes that it stores."""
        return sum(code is not None for path in place.mutated for code in self._codes(place, path).values())

    def verdicts(self, place: Place) -> list[Verdict]:
        """Put each mutated function from its copy of the module into the module."""
        found = []
        for path in place.mutated:
            codes = self._codes(place, path)
            if not codes:
                continue
            functions = dict(_functions(ast.parse((place.root / "mutants" / path).read_text())))
            for name, code in codes.items():
                if code is not None:
                    mangled = name.rpartition(".")[2]
                    tree = self._mutated(place.sources[path], functions[mangled], mangled)
                    found.append(Verdict(tree_of(path, ast.unparse(tree)), code not in {0, 5, 33, 34}))
        return found

    @staticmethod
    def _codes(place: Place, path: str) -> dict[str, int | None]:
        try:
            text = (place.root / "mutants" / f"{path}.meta").read_text()
            codes: dict[str, int | None] = json.loads(text)["exit_code_by_key"]
        except (FileNotFoundError, json.JSONDecodeError):  # not there yet, or half written
            return {}
        return codes

    @staticmethod
    def _mutated(text: str, function: ast.AST, mangled: str) -> ast.Module:
        """Return the module with a function instead of its original; methods are `xǁClassǁname`."""
        stem = mangled.rpartition("__mutmut_")[0]
        *classes, name = stem.split("ǁ")[1:] or [stem.removeprefix("x_")]
        module = ast.parse(text)
        body = module.body
        for outer in classes:
            body = next(one.body for one in body if isinstance(one, ast.ClassDef) and one.name == outer)
        place = next(index for index, one in enumerate(body) if getattr(one, "name", None) == name)
        changed = copy.deepcopy(function)
        assert isinstance(changed, ast.FunctionDef | ast.AsyncFunctionDef)
        changed.name = name
        body[place] = changed
        return module


class CosmicRay(Tool):
    """cosmic-ray: the file is changed, and a fresh pytest runs."""

    name = "cosmic-ray"
    packages = ("cosmic-ray",)

    def prepare(self, place: Place) -> None:
        """Name the modules and the command that runs the tests."""
        command = " ".join([str(place.bin / "python"), "-m", "pytest", "-x", "-q", *place.tests])
        (place.root / "cosmic.toml").write_text(
            f"[cosmic-ray]\nmodule-path = {json.dumps(place.mutated)}\ntimeout = 120.0\n"
            f"excluded-modules = []\ntest-command = {json.dumps(command)}\n"
            '[cosmic-ray.distributor]\nname = "local"\n'
        )

    def commands(self, place: Place) -> list[list[str]]:
        """Make the mutants, run the tests as they are, then with each mutant."""
        tool = str(place.bin / "cosmic-ray")
        return [
            [tool, "init", "cosmic.toml", "mutants.sqlite"],
            [tool, "baseline", "cosmic.toml"],
            [tool, "exec", "cosmic.toml", "mutants.sqlite"],
        ]

    def count(self, place: Place) -> int:
        """Count the rows that it stores."""
        return len(self._rows(place, "job_id"))

    def verdicts(self, place: Place) -> list[Verdict]:
        """Apply each stored difference to the module."""
        found = []
        columns = "module_path, test_outcome, diff, definition_name"
        for path, outcome, difference, inside in self._rows(place, columns):
            text = _patched(place.sources[path], difference)
            is_noticed = outcome.lower().endswith("killed")
            found.append(Verdict(tree_of(path, text), is_noticed, in_function=inside is not None))
        return found

    @staticmethod
    def _rows(place: Place, columns: str) -> list[tuple[Any, ...]]:
        path = place.root / "mutants.sqlite"
        if not path.exists():
            return []
        joined = "work_results join mutation_specs using (job_id)"
        try:
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
                return connection.execute(f"select {columns} from {joined}").fetchall()
        except sqlite3.OperationalError:  # no table yet, or it is being written
            return []


class Gremlins(Tool):
    """pytest-gremlins: all mutants compiled in, and a fresh process for each."""

    name = "pytest-gremlins"
    packages = ("pytest-gremlins",)
    _report = "coverage/gremlins/gremlins.json"

    def commands(self, place: Place) -> list[list[str]]:
        """Run pytest with it."""
        options = [f"--gremlin-targets={','.join(place.mutated)}", "--gremlin-report=json"]
        return [[str(place.bin / "python"), "-m", "pytest", "--gremlins", *options, *place.tests]]

    def count(self, place: Place) -> int:
        """Count the mutants that it says it begins with; it stores nothing before the end."""
        return max(0, place.log.read_text(errors="replace").count(" - running ") - 1)

    def verdicts(self, place: Place) -> list[Verdict]:
        """Let the tool make its mutants again, and put each into the module."""
        path = place.root / self._report
        if not path.exists():
            return []
        made = subprocess.run(
            [
                str(place.bin / "python"),
                "-c",
                MAKE_GREMLINS,
                *(str(place.root / one) for one in place.mutated),
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        found = []
        changes = json.loads(made.stdout)
        for result in json.loads(path.read_text())["results"]:
            relative = str(Path(result["file_path"]).relative_to(place.root))
            position, text, in_function = changes[result["gremlin_id"]]
            tree = _Exchange(position, text).visit(ast.parse(place.sources[relative]))
            text = ast.unparse(ast.fix_missing_locations(tree))
            is_noticed = result["status"] in {"zapped", "timeout"}
            found.append(Verdict(tree_of(relative, text), is_noticed, in_function=in_function))
        return found


MAKE_GREMLINS = """
import ast, json, sys
from pytest_gremlins.instrumentation.transformer import transform_source
found = {}
for path in sys.argv[1:]:
    text = open(path).read()
    functions = [one for one in ast.walk(ast.parse(text)) if isinstance(one, ast.FunctionDef)]
    for made in transform_source(text, path)[0]:
        old = made.original_node
        position = [type(old).__name__, old.lineno, old.col_offset, old.end_lineno, old.end_col_offset]
        inside = any(one.body[0].lineno <= old.lineno <= one.end_lineno for one in functions)
        found[made.gremlin_id] = position, ast.unparse(ast.fix_missing_locations(made.mutated_node)), inside
print(json.dumps(found))
"""


class _Exchange(ast.NodeTransformer):
    """Puts other source in the place of the node that stands at a position."""

    def __init__(self, position: list[Any], text: str) -> None:
        self._position, self._text = position, text

    def visit(self, node: ast.AST) -> Any:
        """Exchange this node, or look below it."""
        names = ("lineno", "col_offset", "end_lineno", "end_col_offset")
        if self._position == [type(node).__name__, *(getattr(node, name, None) for name in names)]:
            return ast.parse(self._text).body[0] if isinstance(node, ast.stmt) else _expression(self._text)
        return self.generic_visit(node)


def _expression(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def tree_of(path: str, text: str) -> str | None:
    """Return a module's path and its syntax tree as source, `None` if it is not valid Python."""
    try:
        return f"{path}\n{ast.unparse(ast.parse(text))}"
    except SyntaxError:
        return None


def _functions(module: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, node


def _patched(text: str, difference: str) -> str:
    """Return a text with a unified diff applied, whose lines count from the text split at line ends."""
    lines = text.split("\n")
    for hunk in reversed(re.split(r"^(?=@@ )", difference, flags=re.MULTILINE)[1:]):
        head, *body = hunk.removesuffix("\n").split("\n")
        first, n_lines = HUNK.match(head).groups(default="1")  # type: ignore[union-attr]
        start = int(first) - 1
        lines[start : start + int(n_lines)] = [line[1:] for line in body if line[:1] in {" ", "+"}]
    return "\n".join(lines)
