"""The baseline on disk: what is refused, what is kept, and what survives a crash."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator
from tests.strategies import a_baseline

from atom_testinfra.core.costs.baseline import SCHEMA, SCHEMA_VERSION, Baseline
from atom_testinfra.core.errors import BaselineError, NothingMeasuredError
from atom_testinfra.core.targets.verification import check
from atom_testinfra.storage.atomic import LOCKS, writing
from atom_testinfra.storage.baseline import (
    KEYS,
    baseline_schema,
    load_baseline,
    parse_baseline,
    render_baseline,
    save_baseline,
)

BASELINE = a_baseline(n_repeats=2)
TEXT = b"".join(render_baseline(BASELINE))


def changed(**values: object) -> bytes:
    return json.dumps({**json.loads(TEXT), **values}).encode()


def in_property(**values: object) -> bytes:
    document = json.loads(TEXT)
    document["properties"]["tests/test_fast.py::test_one"]["profiles"]["local"] |= values
    return json.dumps(document).encode()


class TestLoad:
    """What is returned can be relied on; everything else is one line that says what is wrong, and where."""

    @pytest.mark.parametrize(
        ("text", "place"),
        [
            (b"", "'b.json':1:1"),
            (TEXT[:500], "'b.json':13:"),
            (TEXT.replace(b'"schema_version": 3,', b'"schema_version": 3,,'), "'b.json':3:"),
            (b"\xff" + TEXT, "'b.json':1:1"),
            (TEXT.replace(b"test_one", b"test_\xff"), "'b.json':"),
            (TEXT.replace(b"48.7", b"NaN"), "'b.json':"),
            (TEXT.replace(b"48.7", b"Infinity"), "'b.json':"),
            (TEXT.replace(b"48.7", b"1e400"), "suite"),
            (TEXT.replace(b"48.7", b"-48.7"), "suite.wall_s"),
            (TEXT.replace(b"48.7", b'"48.7"'), "suite.wall_s"),
            (TEXT.replace(b"48.7", b"48.7e60"), "suite.wall_s"),
            (TEXT + TEXT, "'b.json':"),
            (b"[" * 100_000, "does not hold a JSON object"),
            (b'{"schema":' + b"[" * 100_000, "nested too deeply"),
            (b"[]", "does not hold a JSON object"),
            (changed(schema_version=True), "schema_version"),
            (changed(schema_version=0), "schema_version"),
            (changed(notes=["all fine"]), "notes"),
            (changed(targets_verified={}), "targets_verified"),
            (changed(tiers={"*": "quick"}), "tiers"),
            (changed(properties=[]), "properties"),
            (changed(properties={"a": {}}), 'properties["a"]'),
            (in_property(n_examples=-1), ".n_examples"),
            (in_property(n_examples=10**30), ".n_examples"),
            (in_property(n_examples=1.5), ".n_examples"),
            (in_property(n_examples=0), "no example was run"),
            (in_property(cpu_s=None), ".cpu_s"),
            (in_property(is_quick=True), "is_quick"),
            (in_property(**{"is\n\x1b[31mquick": True}), r"unknown field `is\n\x1b[31mquick`"),
            (in_property(runs={"duration_s": [], "cpu_s": []}), ".runs.duration_s"),
            (in_property(runs={"duration_s": [1.0], "cpu_s": [1.0, 2.0]}), "different lengths"),
            (TEXT.replace(b'"notes": "', b'"notes": "",\n  "notes": "'), "'notes' occurs twice"),
            (TEXT.replace(b'"n_examples":50', b'"n_examples":50,"n_examples":5', 1), "occurs twice"),
        ],
    )
    def test_refuses_what_is_no_baseline_and_names_the_place(self, text: bytes, place: str) -> None:
        """One line names the file and the place, and a hint the next step."""
        with pytest.raises(BaselineError) as caught:
            parse_baseline(text, "b.json")
        message = str(caught.value)
        assert message.startswith("'b.json'")
        assert place in message
        assert "\n" not in message
        assert caught.value.hint

    @pytest.mark.parametrize("key", KEYS)
    def test_a_file_without_a_key_is_refused(self, key: str) -> None:
        """A file without one of the keys is not completed by guessing."""
        document = json.loads(TEXT)
        del document[key]
        with pytest.raises(BaselineError):
            parse_baseline(json.dumps(document).encode(), "b.json")

    def test_refuses_a_newer_schema(self) -> None:
        """What a later version wrote is not read by halves."""
        with pytest.raises(BaselineError, match="schema_version 4 is newer than 3") as caught:
            parse_baseline(changed(schema_version=4), "b.json")
        assert caught.value.hint == "update atom-testinfra"

    def test_does_not_believe_verdicts_without_measurements(self) -> None:
        """A baseline that somebody typed has nothing to check its verdicts against."""
        with pytest.raises(BaselineError, match="no measurements that they follow from"):
            parse_baseline(b'{"targets_verified": {"fast_tier_under_10s": true}}', "b.json")

    def test_a_missing_file_is_nothing_to_compare_with(self, tmp_path: Path) -> None:
        """No baseline yet is another thing than a broken one."""
        with pytest.raises(NothingMeasuredError, match="no baseline at") as caught:
            load_baseline(tmp_path / "b.json")
        assert "testinfra measure" in str(caught.value.hint)

    def test_a_folder_is_no_file(self, tmp_path: Path) -> None:
        """What cannot be read is named."""
        with pytest.raises(BaselineError, match="cannot read"):
            load_baseline(tmp_path)


class TestSave:
    """An update keeps what it does not know, and never leaves half a file."""

    def test_keeps_the_other_metrics_of_a_file_written_by_hand(self, tmp_path: Path) -> None:
        """What was measured by others stays, in its place; typed-in verdicts are replaced."""
        path = tmp_path / "b.json"
        path.write_text(
            '{"coverage": {"lines":  91.5}, "targets_verified": {"fast_tier_under_10s": true, "mine": 1},\n'
            ' "suite": "my own", "flaky": []}'
        )
        save_baseline(path, a_baseline({"t.py::test_a": 10.0}, suite=None))
        document = json.loads(path.read_text())
        assert [*document][:4] == ["coverage", "targets_verified", "previous_suite", "flaky"]
        assert document["previous_targets_verified"] == {"fast_tier_under_10s": True, "mine": 1}
        assert '{"lines":  91.5}' in path.read_text()
        assert document["previous_suite"] == "my own"
        assert document["targets_verified"]["mine"] == 1
        assert document["targets_verified"]["full_suite_under_5min"] is None
        save_baseline(path, BASELINE)
        again = json.loads(path.read_text())
        assert again["coverage"] == document["coverage"]
        assert again["targets_verified"]["mine"] == 1
        assert [*again] == [*document]

    def test_adopts_the_baseline_of_the_plan_without_loss(self, tmp_path: Path) -> None:
        """Whatever a hand-written file has under the plan's keys stays, under a name that says what it is."""
        by_hand: dict[str, Any] = {
            "slowest_tests": [
                {"test": "test_episode_creation_after_chat", "duration": 400.41, "tier": "slow"}
            ],
            "property_test_targets": {"fast_tier_seconds": 8, "rationale": "measured in March"},
            "targets_met": {"full_suite_under_5min": True, "note": "all but one"},
            "targets_verified": {"ci_fast_tier_under_3s": True},
            "verification_timestamp": "2026-02-11T10:00:00Z",
            "notes": "Measured with 200 examples on the old server.",
            "previous_notes": "older still",
        }
        path = tmp_path / "b.json"
        path.write_text(json.dumps(by_hand))
        save_baseline(path, BASELINE)
        document = json.loads(path.read_text())
        assert isinstance(document["notes"], str)
        assert document["previous_notes"] == "older still"
        assert document["previous_previous_notes"] == by_hand["notes"]
        for key in by_hand.keys() - {"notes", "previous_notes"}:
            assert document[f"previous_{key}"] == by_hand[key]
        assert check(load_baseline(path))[1] == []
        save_baseline(path, BASELINE)
        assert json.loads(path.read_text()) == document

    @pytest.mark.parametrize("text", [b'{"a": 1}', b"[1]", b"{", TEXT[:-5], changed(schema_version=9)])
    def test_leaves_a_file_alone_that_is_none_of_its_own(self, tmp_path: Path, text: bytes) -> None:
        """What is foreign, broken or newer is not written over."""
        path = tmp_path / "b.json"
        path.write_bytes(text)
        with pytest.raises(BaselineError):
            save_baseline(path, BASELINE)
        assert path.read_bytes() == text

    def test_adopts_a_foreign_file_when_told_to(self, tmp_path: Path) -> None:
        """With `adopt`, the keys of any JSON object are kept."""
        path = tmp_path / "b.json"
        path.write_text('{"a": 1}')
        save_baseline(path, BASELINE, adopt=True)
        assert json.loads(path.read_text())["a"] == 1
        assert check(load_baseline(path))[1] == []

    def test_follows_a_link_and_keeps_the_mode(self, tmp_path: Path) -> None:
        """The link stays a link; the file behind it keeps who may read it."""
        real, link = tmp_path / "real.json", tmp_path / "b.json"
        real.write_bytes(TEXT)
        real.chmod(0o640)
        link.symlink_to(real)
        save_baseline(link, a_baseline(n_repeats=1))
        assert link.is_symlink()
        assert real.stat().st_mode & 0o777 == 0o640
        assert load_baseline(real).provenance.runs == load_baseline(link).provenance.runs

    @pytest.mark.skipif(not Path("/dev/zero").exists(), reason="this system has no such device")
    def test_a_device_is_refused(self) -> None:
        """Reading a device may never end."""
        with pytest.raises(BaselineError, match="it is a device"):
            load_baseline(Path("/dev/zero"))

    def test_leaves_nothing_behind(self, tmp_path: Path) -> None:
        """Beside the file there is only the folder of the lock, which ignores itself."""
        save_baseline(tmp_path / "metrics" / "b.json", BASELINE)
        assert sorted(p.name for p in (tmp_path / "metrics").iterdir()) == [LOCKS, "b.json"]
        assert (tmp_path / "metrics" / LOCKS / ".gitignore").read_text() == "*\n"

    @pytest.mark.skipif(os.name == "nt" or os.getuid() == 0, reason="root may write everywhere")
    def test_says_what_cannot_be_written(self, tmp_path: Path) -> None:
        """A folder without permission is named, with what to do."""
        tmp_path.chmod(0o500)
        with pytest.raises(BaselineError, match="cannot write") as caught:
            save_baseline(tmp_path / "b.json", BASELINE)
        assert caught.value.hint
        tmp_path.chmod(0o700)

    def test_names_the_file_that_cannot_be_written(self, tmp_path: Path) -> None:
        """Where there can be no such file, it says so in one line."""
        (tmp_path / "metrics").write_text("not a folder")
        with pytest.raises(BaselineError, match="cannot write"):
            save_baseline(tmp_path / "metrics" / "b.json", BASELINE)

    def test_a_failing_writer_leaves_the_old_file(self, tmp_path: Path) -> None:
        """Whatever goes wrong while the text is made, the file is the old one and no other is left."""
        path = tmp_path / "b.json"
        save_baseline(path, BASELINE)
        broken = msgspec.structs.replace(BASELINE, notes=object())
        with pytest.raises(TypeError):
            save_baseline(path, broken)
        assert path.read_bytes() == TEXT
        assert sorted(p.name for p in tmp_path.iterdir()) == [LOCKS, "b.json"]

    def test_writers_wait_for_each_other(self, tmp_path: Path) -> None:
        """While one writes, another process does not; afterwards it does."""
        path = tmp_path / "b.json"
        script = f"{SAVER}\nsave(1)"
        with writing(path):
            other = subprocess.Popen([sys.executable, "-c", script, os.fspath(path)])
            with pytest.raises(subprocess.TimeoutExpired):
                other.wait(2)
            assert not path.exists()
        assert other.wait(300) == 0
        load_baseline(path)


SAVER = """
import os, sys
from pathlib import Path
sys.path.insert(0, ".")
from atom_testinfra.storage.baseline import save_baseline
from tests.strategies import a_baseline
path = Path(sys.argv[1])
baselines = [a_baseline({f"t.py::test_{i}": float(i + n) for i in range(200)}, n_repeats=1) for n in (1, 2)]
def save(times):
    for n in range(times):
        save_baseline(path, baselines[n % 2])
"""

SAVERS = f"""{SAVER}
for line in sys.stdin:
    saver = os.fork()
    if saver == 0:
        save(1)
        print(os.getpid(), flush=True)
        save(10**6)
    os.waitpid(saver, 0)
    print("ended", flush=True)
"""
"""Forks a process that saves again and again for each line it reads: the imports are paid for once."""


def kill_while_saving(path: Path, times: int) -> int:
    """Kill a process that saves again and again, at moments spread over a save; return how often mid-save."""
    n_unfinished = 0
    command = [sys.executable, "-c", SAVERS, os.fspath(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as savers:
        assert savers.stdin is not None
        assert savers.stdout is not None
        for i in range(times):
            savers.stdin.write(b"\n")
            saver = int(savers.stdout.readline())
            # Until then, or until the saver ends by itself, which it must not.
            assert select.select([savers.stdout], [], [], 0.003 * (i % 10) + 0.0003 * (i % 7))[0] == []
            os.kill(saver, signal.SIGKILL)
            assert savers.stdout.readline() == b"ended\n"
            n_unfinished += sum(p.name.endswith(".unfinished") for p in path.parent.iterdir())
            baseline = load_baseline(path)
            assert check(baseline)[1] == []
            assert len(baseline.properties) == 200
        savers.stdin.close()
    return n_unfinished


@pytest.mark.integration
@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_a_killed_writer_leaves_a_whole_file(tmp_path: Path) -> None:
    """After kill -9 in the middle of saving, the file is one of the two versions, whole."""
    kill_while_saving(tmp_path / "b.json", 5)


@pytest.mark.nightly
@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_five_hundred_killed_writers_leave_a_whole_file(tmp_path: Path) -> None:
    """The same 500 times; some of them are caught with half a file written beside the old one."""
    assert kill_while_saving(tmp_path / "b.json", 500) > 0


class TestSchema:
    """The shipped JSON Schema describes the file."""

    def test_is_valid_and_current(self) -> None:
        """It is what the code's own types say."""
        schema = baseline_schema()
        Draft202012Validator.check_schema(schema)
        assert schema["$id"] == f"urn:{SCHEMA.replace('/', ':')}:{SCHEMA_VERSION}"
        _, components = msgspec.json.schema_components([Baseline], ref_template="#/$defs/{name}")
        assert schema["$defs"] == components

    def test_the_schema_accepts_a_written_baseline(self) -> None:
        """What the tool writes is valid by it, with other people's keys, too."""
        validator = Draft202012Validator(baseline_schema())
        validator.validate(json.loads(TEXT))
        validator.validate({**json.loads(TEXT), "coverage": 91.5})

    @pytest.mark.parametrize(
        "text", [changed(schema_version="1"), changed(properties=[]), in_property(n_examples=-1), b"[]"]
    )
    def test_the_schema_refuses_what_is_not_a_baseline(self, text: bytes) -> None:
        """The schema does not accept everything."""
        assert not Draft202012Validator(baseline_schema()).is_valid(json.loads(text))
