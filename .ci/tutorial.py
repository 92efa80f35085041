"""
Run the tutorials as a reader would, and compare what they print with what the pages show.

A page tells one story: each ```` ```console ```` block holds commands (`$ ...`) with their output, and each
```` ```diff ```` block is a change that the reader makes. The commands run in an empty folder, one after the
other. `--write` puts what they print on standard output into the page; without it the page is checked.

Times differ between machines, and what follows from them may: the check leaves figures out. Each line that
begins at the margin of the page must be printed by the command above it, and so must half of the details:
indented lines and rows of tables. Not compared are lines that say how steady this machine was, which property
the advice calls the slowest, and the last words in a property's row of a timed run or of a budget.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGES = sorted(Path(__file__).parents[1].glob("docs/tutorial/*.md"))
FENCE = re.compile(r"^```(?P<language>console|diff)\n(?P<content>.*?)^```$", re.MULTILINE | re.DOTALL)
FIGURE = re.compile(r"[-+]?\d[\d,.]*(?: ?(?:ms|µs|us|min|s|%)(?!\w))?")
NOT_SHOWN = "note: "
NOT_COMPARED = re.compile(
    r"note: |inconclusive|All tests: |# compared; |(?:# [a-z ]+(?:, |$))+"
    r"|The (?:suite as a whole|median test) "
)
ROW = re.compile(r"^\s*(?=<?#+ # )")
"""The margin of a row of a table: the first figure is set to the right, so the width varies."""
SLOWEST = re.compile(r"^(Next: .*--explain) \S+$")
"""The advice that names the slowest property: which of two that is follows from their times."""
REASON = re.compile(r"^(\S+::\S+(?: #){4,5}) [a-z ,]+$")
"""A property's row of a timed run or of a budget: what ended it, and why it gets its number."""
IDENTITY = {"NAME": "A Reader", "EMAIL": "reader@example.org"}


class TutorialError(Exception):
    """A command failed, a change could not be made, or the page shows what is not printed."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """A command of the page, with the output that the page shows below it."""

    command: str
    shown: str


@dataclass(kw_only=True)
class Reader:
    """Somebody who follows the page: the folder they are in, and what their shell finds."""

    folder: Path
    environment: dict[str, str]

    def type(self, command: str) -> str:
        """Run a command and return what it prints on standard output; `cd` moves on."""
        if command.startswith("cd "):
            self.folder = self.folder / command.removeprefix("cd ")
            return ""
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=1800,
        )
        if done.returncode != 0:
            raise TutorialError(f"$ {command}\nended with {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def apply(self, change: str) -> None:
        """Make a change to the files."""
        command = ["git", "apply", "-"]
        done = subprocess.run(
            command, cwd=self.folder, input=change, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise TutorialError(f"a change of the page does not apply: {done.stderr}\n{change}")


def reader_in(folder: Path, python: Path) -> Reader:
    """Return a reader in an empty folder, whose shell finds the tool of this Python first."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "PYTEST_"))}
    kept.pop("PYTHONPATH", None)
    names = {
        f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in IDENTITY.items()
    }
    path = os.pathsep.join([str(python.parent), kept["PATH"]])
    return Reader(folder=folder, environment={**kept, **names, "PATH": path, "CI": "false"})


def steps_of(content: str) -> Iterator[Step]:
    """Give the commands of a block with the output below each."""
    for part in re.split(r"^\$ ", content, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        yield Step(command=command, shown=shown)


def words_of(output: str) -> Counter[str]:
    """Return the lines of an output without figures and spacing inside, with how often each is there."""
    lines = (FIGURE.sub("#", line).rstrip() for line in output.splitlines())
    words = (line[: len(line) - len(line.lstrip())][:1] + " ".join(line.split()) for line in lines if line)
    compared = (REASON.sub(r"\1", SLOWEST.sub(r"\1", ROW.sub(" ", line))) for line in words)
    return Counter(line for line in compared if not NOT_COMPARED.match(line))


def missing_lines(shown: str, printed: str) -> list[str]:
    """Return the lines that the page shows and the command should have printed and did not."""
    expected = words_of(shown)
    missing = sorted((expected - words_of(printed)).elements())
    details = [line for line in missing if line.startswith(" ")]
    n_details = sum(count for line, count in expected.items() if line.startswith(" "))
    return missing if 2 * len(details) > n_details else [line for line in missing if line not in details]


def as_shown(output: str) -> str:
    """Return an output as the page has it: without the notes on how busy the machine was."""
    lines = [line.rstrip() for line in output.splitlines() if not line.startswith(NOT_SHOWN)]
    return "\n".join(lines).rstrip("\n")


def follow(page: str, reader: Reader, *, is_written: bool) -> str:
    """
    Do what the page says, and return the page with what the commands print.

    Raises:
        TutorialError: something failed or, unless the page is to be written, differs from what it shows.
    """

    def follow_block(found: re.Match[str]) -> str:
        if found["language"] == "diff":
            reader.apply(found["content"])
            return found[0]
        return f"```console\n{''.join(map(follow_step, steps_of(found['content'])))}```"

    def follow_step(step: Step) -> str:
        began_s = time.monotonic()
        printed = reader.type(step.command)
        print(f"{time.monotonic() - began_s:6.1f} s  $ {step.command}", file=sys.stderr, flush=True)
        missing = [] if is_written else missing_lines(step.shown, printed)
        if missing:
            lines = "\n".join(missing)
            raise TutorialError(
                f"$ {step.command}\ndoes not print (figures apart):\n{lines}\nbut:\n{printed}"
            )
        shown = as_shown(printed)
        return f"$ {step.command}\n{shown}\n" if shown else f"$ {step.command}\n"

    return FENCE.sub(follow_block, page)


def main() -> int:
    """Follow each page in a folder that is thrown away; 1 where one does not say what happens."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1] if __doc__ else None)
    parser.add_argument("--write", action="store_true", help="write what is printed into the page")
    parser.add_argument("--python", type=Path, default=Path(sys.executable), help="Python with the tool")
    parser.add_argument("pages", nargs="*", type=Path, default=PAGES)
    arguments = parser.parse_args()
    for path in arguments.pages:
        page = path.read_text(encoding="utf-8")
        with tempfile.TemporaryDirectory() as name:
            try:
                followed = follow(page, reader_in(Path(name), arguments.python), is_written=arguments.write)
            except TutorialError as exc:
                print(f"error: {path}: {exc}", file=sys.stderr)
                print(f"hint: `{shlex.join([*sys.argv, '--write'])}` writes what is printed", file=sys.stderr)
                return 1
        if arguments.write:
            path.write_text(followed, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
