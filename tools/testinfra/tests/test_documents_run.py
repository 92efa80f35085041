"""
Every code block of the repository's documents, executed.

What a block's language says is done with it: commands run, Python runs under pytest, settings are parsed. A
block that is output says so with `text`. A language or a command that this module does not know fails.
"""

from __future__ import annotations

import ast
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tomllib
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import msgspec
import pytest
import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token
from msgspec.structs import replace
from tests.conftest import PLUGINS_ONLY
from tests.strategies import a_baseline, a_session

from atom_testinfra.core.config import Config
from atom_testinfra.core.managed_blocks import parse_blocks
from atom_testinfra.storage.baseline import save_baseline
from atom_testinfra.storage.folders import prepare_folder
from atom_testinfra.storage.runs import save_run

ROOT = Path(__file__).parents[3]
BACKEND = ROOT / "backend"
STORIES = set(ROOT.glob("docs/tutorial/*.md"))
"""Pages whose blocks follow on each other: `test_tutorial.py` runs them from the first line to the last."""
PATTERNS = (
    "*.md",
    "docs/**/*.md",
    "backend/*.md",
    "backend/tests/*.md",
    "tools/testinfra/*.md",
    "tools/testinfra/docs/*.md",
    ".planning/**/*.md",
)
DOCUMENTS = sorted(path for pattern in PATTERNS for path in ROOT.glob(pattern))
PROPERTY = """

@given(st.integers())
def {name}(number):
    assert number == number
"""
FEW = {"HYPOTHESIS_MAX_EXAMPLES_LOCAL": "3", "HYPOTHESIS_MAX_EXAMPLES_CI": "3"}
"""Examples of a property that a document runs: whether it runs is the question here."""
SHOP = {
    "src/shop/__init__.py": "",
    "src/shop/cart.py": "class Cart:\n    def add(self, price):\n        self.price = price\n",
    "tests/test_cart.py": "import sys\n\nsys.path.insert(0, 'src')\n\nfrom shop.cart import Cart\n\n\n"
    "def test_add():\n    cart = Cart()\n    cart.add(3)\n    assert cart.price == 3\n",
}
"""A product for the commands that change one, and a test that notices every change."""
CHANGE = "\n    def price_of_two(self):\n        return self.price * 2\n"
"""What is not committed of it."""
OUTPUT = {"text"}
FILE = re.compile(r"(\.ci|\.github|\.planning|backend|benchmarks|docs|tools)/[\w./-]+")
COMMAND = re.compile(r"^(\$ |(\S*/)?(make|testinfra|pytest|python|pip|curl|git) )", re.MULTILINE)
PYTHON = re.compile(r"(\.\./)?\.venv/bin/(python|testinfra)")
NODEID = re.compile(r"(?P<file>tests/[\w/]+\.py)::(?P<name>\w+)")
SAMPLES = [
    "tests/test_a.py::test_a",
    "tests/test_a.py::test_transaction_atomicity",
    "tests/test_b.py::test_b",
]
"""Tests of the sample project; a part of one's name is what a document may ask for."""


@dataclass(frozen=True, kw_only=True)
class CodeBlock:
    """A fenced block: where it stands, and what is in it."""

    place: str
    language: str
    content: str


def read_blocks() -> Iterator[CodeBlock]:
    for path in DOCUMENTS:
        for token in MarkdownIt().parse(path.read_text(encoding="utf-8")):
            if token.type in {"fence", "code_block"}:
                line = token.map[0] + 1 if token.map else 0
                yield CodeBlock(
                    place=f"{path.relative_to(ROOT).as_posix()}:{line}",
                    language=token.info.strip(),
                    content=token.content,
                )


BLOCKS = list(read_blocks())


def parse_settings(text: str) -> object:
    """Read TOML, and what it says to the tool as the tool reads it."""
    table = tomllib.loads(text)
    msgspec.convert(table.get("tool", {}).get("testinfra", {}), Config)
    return table


def find_pages(text: str) -> list[str]:
    """Return the documents in a table of contents of the site; each entry has to name at least one."""
    entries = [line for line in text.splitlines() if line and not line.startswith(":")]
    pages = {entry: sorted(map(str, (ROOT / "docs").glob(f"{entry}.md"))) for entry in entries}
    assert [entry for entry, found in pages.items() if not found] == []
    return [page for found in pages.values() for page in found]


def find_jobs(text: str) -> object:
    """Read a workflow of GitHub's, which has to have jobs; those of ours that it calls take its inputs."""
    jobs = yaml.safe_load(text)
    if isinstance(jobs, list):  # steps of a job
        return [step["uses"] if "uses" in step else step["run"] for step in jobs]
    jobs = jobs["jobs"]
    for job in jobs.values():
        name = re.search(r"/workflows/(\w+\.yml)@", job.get("uses", ""))
        if name:
            ours = yaml.safe_load((ROOT / ".github" / "workflows" / name[1]).read_text(encoding="utf-8"))
            inputs = ours[True]["workflow_call"]["inputs"]  # YAML reads the key `on` as true
            given = job.get("with", {})
            assert set(given) <= set(inputs)
            assert {name for name, one in inputs.items() if one.get("required")} <= set(given)
    return jobs


PARSERS: dict[str, Callable[[str], object]] = {
    "{toctree}": find_pages,
    "toml": parse_settings,
    "yaml": find_jobs,
    "markdown": lambda text: parse_blocks(text, "a document"),
}


def anchor_of(title: str) -> str:
    """Return the address that a heading has on the page that is made of the document."""
    return re.sub(r"[^\w\- ]", "", title.replace("`", "").lower()).replace(" ", "-")


def spans_of(path: Path, kind: str) -> list[Token]:
    """Return the links, pieces of code or the like that stand in a document's sentences."""
    tokens = MarkdownIt().parse(path.read_text(encoding="utf-8"))
    return [child for token in tokens for child in token.children or [] if child.type == kind]


def links_of(path: Path) -> list[str]:
    """Return where a document's links lead."""
    return [str(span.attrs["href"]) for span in spans_of(path, "link_open")]


def leads_somewhere(path: Path, target: str) -> bool:
    """Whether a file of the repository has the name, and a heading with the address, that a link gives."""
    name, _, anchor = target.partition("#")
    document = (path.parent / name) if name else path
    if not document.exists():
        return False
    headings = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.MULTILINE) if anchor else []
    return not anchor or anchor in map(anchor_of, headings)


def of(*languages: str) -> list[object]:
    """Return the blocks in these languages; the same commands on several pages are one block."""
    alone = [block for block in BLOCKS if ROOT / block.place.rpartition(":")[0] not in STORIES]
    wanted = {block.content: block for block in reversed(alone) if block.language in languages}
    return [pytest.param(block, id=block.place) for block in reversed(wanted.values())]


def commands_of(block: CodeBlock) -> list[str]:
    """Return the commands of a block: one a line, without comments; on a console those after the prompt."""
    lines = block.content.replace("\\\n", " ").splitlines()
    if block.language == "console":
        lines = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    commands = (re.split(r"(?:^|\s)#", line)[0].strip() for line in lines)
    return [command for command in commands if command]


def run(
    command: list[str],
    folder: Path,
    environment: Mapping[str, str] | None = None,
    *,
    answers: Container[int] = (0,),
) -> None:
    """Run a command, which has to end with one of the statuses that are answers, and without a traceback."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    is_answer = done.returncode in answers and "Traceback" not in done.stderr
    assert is_answer, f"{shlex.join(command)}: {done.returncode}\n{done.stdout}\n{done.stderr}"


def sample_project(folder: Path) -> Path:
    """Make a repository with properties, a committed baseline of them, a session after it, and a document."""
    (folder / "pyproject.toml").write_text(
        '[tool.testinfra]\npaths = ["tests"]\nsuite = ["tests"]\nrepeats = 1\n', encoding="utf-8"
    )
    (folder / ".gitignore").write_text(".testinfra\n__pycache__\n", encoding="utf-8")
    block = "<!-- testinfra:begin verbs -->\n<!-- testinfra:end -->"
    (folder / "README.md").write_text(f"# A project\n\n{block}\n", encoding="utf-8")
    for name, text in SHOP.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    write_properties(folder, SAMPLES)
    costs_us = dict.fromkeys(SAMPLES, 130.0)
    save_baseline(folder / "performance_baseline.json", a_baseline(costs_us))
    git = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org"]
    for arguments in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "measured"]):
        run([*git, *arguments], folder)
    run(["git", "update-ref", "refs/remotes/origin/main", "main"], folder)
    with (folder / "src" / "shop" / "cart.py").open("a", encoding="utf-8") as file:
        file.write(CHANGE)
    runs = folder / ".testinfra" / "runs"
    prepare_folder(runs)
    for one in a_session(costs_us):
        header = replace(one.header, session_id="later", run_id=f"later-{one.header.run_id}")
        save_run(replace(one, header=header), runs / f"{header.run_id}.jsonl")
    return folder


def write_properties(folder: Path, nodeids: list[str]) -> None:
    """Write modules that hold properties of these names."""
    names: dict[str, list[str]] = {}
    for nodeid in nodeids:
        file, _, name = nodeid.partition("::")
        names.setdefault(file, []).append(name)
    for file in names:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        text = "".join(PROPERTY.format(name=name) for name in names[file])
        (folder / file).write_text(
            f"from hypothesis import given, strategies as st\n{text}", encoding="utf-8"
        )


def provide(folder: Path, command: list[str]) -> None:
    """Put into a project what a command names: tests by their node id, other baselines."""
    write_properties(folder, [word for word in command if NODEID.fullmatch(word)])
    if command[0] == "merge":
        shards = [f"{number}/2" for number in (1, 2)]
        for shard in shards:
            pytest_shard = ["-m", "pytest", "-q", "--testinfra-shard", shard, "tests"]
            run([sys.executable, *pytest_shard], folder, PLUGINS_ONLY, answers=(0, 5))
    for name in [word for word in command if word.endswith(".json")]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if not (folder / name).exists():
            save_baseline(folder / name, a_baseline())


ANSWERS = {"doctor": (0, 1), "plan": (0, 3), "budget": (0, 3), "distil": (0, 3)}
"""Verbs that may answer either way: whether this machine is fit, and whether enough durations are known."""


def options_of(arguments: list[str]) -> set[str]:
    """Return the long options of a command line, without their values."""
    return {word.partition("=")[0] for word in arguments if word.startswith("--")}


@cache
def known_to_pytest() -> set[str]:
    """Return the long options that pytest knows with the plugins that the documents use."""
    plugins = ["-p", "xdist", "-p", "atom_testinfra"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *plugins, "--help"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT / "docs",
        env={**os.environ, "PYTEST_ADDOPTS": ""},
    )
    return {"--junitxml", *re.findall(r"--[a-z][a-z-]+", done.stdout)}  # help has it as --junit-xml


@cache
def known_to_dask(verb: str) -> set[str]:
    """Return the long options of `dask VERB`."""
    command = [str(Path(sys.executable).with_name("dask")), verb, "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(re.findall(r"--[a-z][a-z-]+", done.stdout))


def execute(text: str, folder: Path) -> None:
    """Run a command as a document gives it, on few examples; of make and whole suites, what they would do."""
    words = [PYTHON.sub(lambda match: match[2], word) for word in shlex.split(text)]
    variables = {}
    while "=" in words[0]:
        name, _, value = words.pop(0).partition("=")
        variables[name] = value
    match words:
        case ["make", *targets]:
            run(["make", "-n", *targets], ROOT, variables)
        case ["python", "-m", "pip", "install", *arguments]:
            pip = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--no-deps"]
            run([*pip, "--no-build-isolation", *arguments], ROOT)
        case ["python", "-m", "pytest", *arguments]:
            dry = [] if any("::" in word for word in arguments) else ["--collect-only", "-q"]
            run([sys.executable, *words[1:], "-p", "no:cacheprovider", *dry], BACKEND, FEW | variables)
        case ["pytest", *arguments]:
            assert options_of(arguments) <= known_to_pytest(), text
        case ["python", script, *_] if script.endswith("execnet/script/socketserver.py"):
            assert find_spec("execnet.script.socketserver") is not None
        case ["testinfra", "mutate", *arguments] if any(word.startswith("backend/") for word in arguments):
            run([sys.executable, "-m", "atom_testinfra", *words[1:], "--list"], ROOT, variables)
        case ["dask", verb, *arguments]:
            assert options_of(arguments) <= known_to_dask(verb), text
        case ["testinfra", *arguments]:
            provide(folder, arguments)
            answers = ANSWERS.get(arguments[0], (0,))
            if "--curves" in arguments:
                answers = (
                    0,
                    3,
                )  # no property of the sample reaches its product, so there is no curve to learn
            if "--cluster" in arguments:
                answers = (2,)  # nobody listens there; the tests of the cluster have schedulers of their own
            environment = PLUGINS_ONLY | variables
            run([sys.executable, "-m", "atom_testinfra", *arguments], folder, environment, answers=answers)
        case _:
            pytest.fail(f"no document may ask for this, unless this test learns to run it: {text}")


def test_every_block_has_a_language_that_is_checked() -> None:
    """A block is executed, parsed, or marked as output; none is left out."""
    known = OUTPUT | PARSERS.keys() | {"sh", "console", "bash", "python", "python conftest"}
    told = {str(path.relative_to(ROOT)) for path in STORIES}
    in_stories = [block for block in BLOCKS if block.place.rpartition(":")[0] in told]

    assert [block.place for block in BLOCKS if block not in in_stories and block.language not in known] == []
    assert {block.language for block in in_stories} == {"console", "diff"}
    assert len([block for block in BLOCKS if block.language == "sh"]) >= 5


def test_no_command_is_passed_off_as_output() -> None:
    """What a reader would type is in a block that is run."""
    assert [
        block.place for block in BLOCKS if block.language in OUTPUT and COMMAND.search(block.content)
    ] == []


def test_every_file_that_a_sentence_names_exists() -> None:
    """A path from the root of the repository, as a document writes one, is there."""
    named = [
        (path.name, span.content)
        for path in DOCUMENTS
        for span in spans_of(path, "code_inline")
        if FILE.fullmatch(span.content)
    ]

    assert len(named) >= 20
    assert [(document, file) for document, file in named if not (ROOT / file).exists()] == []


def test_every_link_leads_somewhere() -> None:
    """A link inside the repository names a file that exists, and a heading that it has."""
    links = [(path, target) for path in DOCUMENTS for target in links_of(path) if "://" not in target]

    assert len(links) >= 20
    assert [f"{path.name}: {target}" for path, target in links if not leads_somewhere(path, target)] == []
    assert not leads_somewhere(ROOT / "README.md", "no-such-file.md")
    assert not leads_somewhere(ROOT / "README.md", "#no-such-heading")


def test_every_decision_is_listed_under_its_title() -> None:
    """The page on decisions links each decision, with the title that the decision itself has."""
    folder = ROOT / "docs" / "decisions"
    titles = {path.name: path.read_text().partition("\n")[0] for path in sorted(folder.glob("0*.md"))}
    entries = re.findall(r"^- \[(\d+)\]\((.*)\): (.*)$", (folder / "README.md").read_text(), re.MULTILINE)

    assert {name: f"# {number}: {title}" for number, name, title in entries} == titles


@pytest.mark.integration
@pytest.mark.usefixtures("all_plugins")
@pytest.mark.parametrize("block", of("sh", "console"))
def test_every_command_of_a_document_runs(block: CodeBlock, tmp_path: Path) -> None:
    """What a reader types does what the document says it does, or at least ends well."""
    commands = commands_of(block)

    assert commands
    if any("testinfra" in command for command in commands):
        sample_project(tmp_path)
    for command in commands:
        execute(command, tmp_path)


@pytest.mark.integration
@pytest.mark.usefixtures("all_plugins")
@pytest.mark.parametrize("block", of("bash"))
def test_session_with_the_service_runs(block: CodeBlock, tmp_path: Path) -> None:
    """What a reader types into a shell beside the running service, from its first line to its last."""
    if shutil.which("curl") is None:
        pytest.skip("there is no curl")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    environment = {"ATOM_DATABASE_URL": f"sqlite:///{tmp_path}/atom.sqlite3", "ATOM_PORT": port}
    server = subprocess.Popen(
        ["make", "-s", "serve"],
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        health = f"http://127.0.0.1:{port}/health"
        run(["curl", "-sS", "--retry", "60", "--retry-delay", "1", "--retry-connrefused", health], ROOT)
        session = block.content.replace(":8000", f":{port}")
        run(["bash", "-euo", "pipefail", "-c", session], ROOT, environment)
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()


@pytest.mark.integration
@pytest.mark.usefixtures("all_plugins")
@pytest.mark.parametrize("block", of("python"))
def test_every_python_block_of_a_document_runs(block: CodeBlock, tmp_path: Path) -> None:
    """A property of a document is collected and passes; a conftest can be imported."""
    path = tmp_path / "test_block.py"
    path.write_text(block.content, encoding="utf-8")

    fixtures = "from tests.conftest import *\nfrom tests.property_tests.conftest import *\n"
    (tmp_path / "conftest.py").write_text(fixtures, encoding="utf-8")

    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-c",
        str(BACKEND / "pytest.ini"),
    ]
    nothing_to_collect = int(pytest.ExitCode.NO_TESTS_COLLECTED)
    answers = (0, nothing_to_collect) if block.content.startswith("# conftest.py") else (0,)
    run([*command, "--rootdir", str(BACKEND), str(path)], BACKEND, FEW, answers=answers)


@pytest.mark.parametrize("block", of("python conftest"))
def test_a_conftest_that_needs_a_server_parses(block: CodeBlock) -> None:
    """It is Python, and what it takes from Hypothesis and is installed has the names that it takes."""
    taken = [node for node in ast.walk(ast.parse(block.content)) if isinstance(node, ast.ImportFrom)]
    found = {node.module: [name.name for name in node.names] for node in taken if node.module is not None}
    assert find_spec("hypothesis.extra.redis") is not None
    assert "RedisExampleDatabase" in found["hypothesis.extra.redis"]
    for module in ("hypothesis", "hypothesis.database"):
        assert set(found[module]) <= set(dir(import_module(module)))


@pytest.mark.parametrize("block", of(*PARSERS))
def test_what_is_not_run_parses(block: CodeBlock) -> None:
    """Settings have keys that exist, and a block that shows markers shows ones that the tool reads."""
    assert PARSERS[block.language](block.content)
