"""The page `docs/a-day.md`, executed from its first line to its last."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.database import Database
from tests.integration.test_connections import ATOM, serving

pytestmark = pytest.mark.integration

PAGE = Path(__file__).parents[2] / "docs" / "a-day.md"
BLOCK = re.compile(r"^```(bash|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
END = "--- end of a block ---"


def test_every_block_of_the_page_prints_what_stands_under_it(database: Database, tmp_path: Path) -> None:
    """The commands run in one shell against a service of their own, from the key to the closed month."""
    blocks = BLOCK.findall(PAGE.read_text())
    assert {language for language, _ in blocks[::2]} == {"bash"}
    assert {language for language, _ in blocks[1::2]} == {"text"}
    script = f"echo {END!r}\n".join(commands for _, commands in blocks[::2])
    with database.clone() as clone, serving(clone, tmp_path) as server:
        environment = {
            **os.environ,
            "ATOM_DATABASE_URL": clone.url.render_as_string(hide_password=False),
            "PATH": f"{ATOM.parent}:{os.environ['PATH']}",
        }
        ran = subprocess.run(
            ["bash", "-eu"],
            input=script.replace("127.0.0.1:8000", f"127.0.0.1:{server.port}"),
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.split(f"{END}\n") == [expected for _, expected in blocks[1::2]]
