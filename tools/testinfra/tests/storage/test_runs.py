"""Run files survive whatever happens to the process that writes them."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pytest
from jsonschema import Draft202012Validator

from atom_testinfra.core.config import Profile
from atom_testinfra.core.errors import NothingMeasuredError, RunFileError
from atom_testinfra.core.policies import PinPolicy
from atom_testinfra.core.records.measurement import (
    Collected,
    Machine,
    Measurement,
    Provenance,
    RunEnd,
    RunHeader,
    RunLine,
)
from atom_testinfra.core.records.session import SessionSpec
from atom_testinfra.core.vocabulary import RUN_SCHEMA_VERSION, Kind, Outcome
from atom_testinfra.storage.folders import cannot, prepare_folder
from atom_testinfra.storage.run_writer import RunWriter
from atom_testinfra.storage.runs import append, encode, is_cut_off, load_run, run_schema, wait_for_writers
from atom_testinfra.storage.session_specs import SPEC_SUFFIX, remove_spec_without_runs, save_spec
from atom_testinfra.storage.sessions import list_sessions, load_session, next_sequence


def header(session_id: str = "s1", run_id: str = "s1-local-s0-r0", **changes: object) -> RunHeader:
    """Return a header as the plugin writes it."""
    made = RunHeader(
        schema_version=RUN_SCHEMA_VERSION,
        run_id=run_id,
        session_id=session_id,
        started_at="2026-11-22T17:15:00.000Z",
        profile="local",
        max_examples=200,
        pins=PinPolicy.RESPECT,
        seed_set=0,
        repeat=0,
        n_workers=0,
        provenance=Provenance(
            commit=None,
            is_dirty=None,
            command=["pytest"],
            python="CPython 3.11.7",
            versions={},
            machine=Machine(system="Linux", arch="x86_64", cpu="a", n_cpus=2, memory_mb=1),
        ),
    )
    return msgspec.structs.replace(made, **changes)


def measurement(nodeid: str = "test_a.py::test_x") -> Measurement:
    """Return a record of a plain test."""
    return Measurement(nodeid=nodeid, kind=Kind.PLAIN, outcome=Outcome.PASSED)


RECORDS: list[RunLine] = [
    header(),
    Collected(nodeids=["test_a.py::test_x", "test_a.py::test_y[ü \"'/]"]),
    measurement(),
    measurement("test_a.py::test_y[ü \"'/]"),
    RunEnd(exit_status=0, wall_s=1.0, cpu_s=0.5, outcomes={"passed": 2}),
]


UNREADABLE = {
    "another schema": encode(header(schema_version=RUN_SCHEMA_VERSION + 1)).encode() + b"\n",
    "foreign": b'{"title": "notes"}\n',
    "by hand": encode(header()).replace('"seed_set":0', '"seed_set":-1').encode() + b"\n",
    "no header": encode(measurement()).encode() + b"\n",
}
"""First lines that say nothing about a run."""


def write(path: Path, records: Sequence[RunLine]) -> Path:
    """Write a run file."""
    with RunWriter(path) as writer:
        for record in records:
            writer.write_line(encode(record))
    return path


def test_a_run_reads_back_as_it_was_written(tmp_path: Path) -> None:
    """Nothing is lost or changed on the way through the file."""
    run = load_run(write(tmp_path / "run.jsonl", RECORDS))
    assert [run.header, run.collected, *run.measurements, run.end] == RECORDS
    assert run.is_complete


def test_a_file_cut_off_anywhere_keeps_its_whole_lines(tmp_path: Path) -> None:
    """Whatever number of bytes reached the disk, the run is what the whole lines say, or no run at all."""
    data = write(tmp_path / "run.jsonl", RECORDS).read_bytes()
    cut = tmp_path / "cut.jsonl"
    for size in range(len(data)):
        cut.write_bytes(data[:size])
        n_lines = data[:size].count(b"\n")
        if n_lines == 0:
            with pytest.raises(RunFileError, match="holds no run"):
                load_run(cut)
        else:
            run = load_run(cut)
            assert run.measurements == RECORDS[2:4][: max(0, n_lines - 2)]
            assert not run.is_complete


def test_a_record_appended_after_a_cut_line_stands_on_its_own(tmp_path: Path) -> None:
    """What is appended to a killed run's file takes the place of the line that was not finished."""
    path = write(tmp_path / "run.jsonl", RECORDS[:3])
    with path.open("ab") as file:
        file.write(b'{"record":"test","nodeid":"test_')
    append(path, measurement("test_a.py::test_z"))
    assert [record.nodeid for record in load_run(path).measurements] == [
        "test_a.py::test_x",
        "test_a.py::test_z",
    ]


@pytest.mark.parametrize(
    ("content", "is_cut"), [(None, False), (b"", False), (b"{}\n", False), (b"{}\n{", True), (b"{", True)]
)
def test_a_line_without_its_end_was_cut_off(tmp_path: Path, content: bytes | None, is_cut: bool) -> None:
    """It is how a disk without room is told from a test that ends the process with the same status."""
    path = tmp_path / "run.jsonl"
    if content is not None:
        path.write_bytes(content)
    assert is_cut_off(path) is is_cut


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no run"),
        (b"\xff\xfe\n", "run.jsonl':1: not a record"),
        (b"[1]\n", "run.jsonl':1: not a record"),
        (b'{"record":"end","exit_status":0,"wall_s":1,"cpu_s":1,"outcomes":{}}\n', ":1: the first line"),
        (b'{"record":"test"}\n', "run.jsonl':1: not a record.*nodeid"),
        (b"[" * 100_000 + b"\n", "run.jsonl':1: not a record"),
    ],
)
def test_a_file_of_something_else_is_refused_by_line(tmp_path: Path, content: bytes, message: str) -> None:
    """The error names the file, the line and what is wrong with it."""
    path = tmp_path / "run.jsonl"
    path.write_bytes(content)
    with pytest.raises(RunFileError, match=message):
        load_run(path)


def test_a_newer_file_is_refused(tmp_path: Path) -> None:
    """A schema of the future is not guessed at."""
    path = write(tmp_path / "run.jsonl", [header(schema_version=RUN_SCHEMA_VERSION + 1)])
    with pytest.raises(RunFileError, match="schema version 2, this is 1"):
        load_run(path)


def test_an_existing_file_is_never_written_to(tmp_path: Path) -> None:
    """A run file belongs to one run."""
    path = write(tmp_path / "run.jsonl", RECORDS)
    before = path.read_bytes()
    with pytest.raises(FileExistsError) as caught:
        RunWriter(path)
    assert "exists already" in str(cannot("create", path, caught.value))
    assert path.read_bytes() == before


def test_a_file_is_locked_while_it_is_written(tmp_path: Path) -> None:
    """Whoever wants to take a run up waits for its writer, and is told which file it is."""
    writer = RunWriter(tmp_path / "run.jsonl")
    writer.write_line(encode(RECORDS[0]))
    with pytest.raises(RunFileError, match=r"run\.jsonl' is locked: an earlier run") as caught:
        wait_for_writers([writer.path], patience_s=0)
    assert "its records are kept" in (caught.value.hint or "")
    writer.close()
    wait_for_writers([writer.path], patience_s=0)
    assert load_run(writer.path).header == RECORDS[0]


def test_a_writer_that_wrote_nothing_leaves_nothing(tmp_path: Path) -> None:
    """No empty file can be taken for a result."""
    write(tmp_path / "run.jsonl", [])
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_an_error_that_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the file and what to do; what was written before stays."""
    writer = RunWriter(tmp_path / "run.jsonl")
    writer.write_line(encode(RECORDS[0]))
    full = os.open("/dev/full", os.O_WRONLY)
    monkeypatch.setattr(writer, "_write", lambda _, data: os.write(full, data))
    with pytest.raises(OSError, match="No space left") as caught:
        writer.write_line(encode(measurement()))
    os.close(full)
    error = cannot("write", writer.path, caught.value)
    assert "cannot write" in str(error)
    assert error.hint == "free some space; what was recorded before is kept"
    assert load_run(tmp_path / "run.jsonl").header == RECORDS[0]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_an_error_that_says_so(tmp_path: Path) -> None:
    """The message names the folder's setting."""
    folder = tmp_path / "runs"
    folder.mkdir()
    folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(PermissionError):
        RunWriter(folder / "run.jsonl")


def test_a_forked_child_writes_nothing(tmp_path: Path) -> None:
    """A test that forks and lets the child run on does not record twice."""
    with RunWriter(tmp_path / "run.jsonl") as writer:
        writer.write_line(encode(header()))
        child = os.fork()
        if child == 0:
            writer.write_line(encode(measurement()))
            writer.close()
            os._exit(0)
        os.waitpid(child, 0)
        writer.write_line(encode(measurement("test_a.py::test_parent")))
    assert [r.nodeid for r in load_run(tmp_path / "run.jsonl").measurements] == ["test_a.py::test_parent"]


class TestDescriptorThatATestCloses:
    """A test that closes all files that it did not open closes the record too."""

    def close(self, writer: RunWriter) -> int:
        """Close what it writes to; the number is free, and the next to be given away."""
        assert writer._file is not None
        os.close(writer._file)
        return writer._file

    def test_a_record_after_the_descriptor_was_closed_is_kept(self, tmp_path: Path) -> None:
        """The file is opened again, and no record is missing."""
        with RunWriter(tmp_path / "run.jsonl") as writer:
            for record in RECORDS:
                writer.write_line(encode(record))
                self.close(writer)
        run = load_run(tmp_path / "run.jsonl")
        assert [run.header, run.collected, *run.measurements, run.end] == RECORDS

    def test_a_file_that_gets_its_number_gets_no_record(self, tmp_path: Path) -> None:
        """Nor is it closed with the record."""
        with RunWriter(tmp_path / "run.jsonl") as writer:
            writer.write_line(encode(RECORDS[0]))
            number = self.close(writer)
            other = os.open(tmp_path / "other", os.O_RDWR | os.O_CREAT)
            assert other == number
            writer.write_line(encode(RECORDS[1]))
            self.close(writer)
            another = os.open(tmp_path / "another", os.O_RDWR | os.O_CREAT)
        os.close(other)
        os.close(another)
        assert (tmp_path / "other").read_bytes() == (tmp_path / "another").read_bytes() == b""
        assert load_run(tmp_path / "run.jsonl").collected == RECORDS[1]

    def test_the_file_is_locked_again_when_it_is_reopened(self, tmp_path: Path) -> None:
        """The lock was lost with the closed descriptor, so it is taken again."""
        with RunWriter(tmp_path / "run.jsonl") as writer:
            self.close(writer)
            writer.write_line(encode(RECORDS[0]))
            with pytest.raises(RunFileError, match="is locked"):
                wait_for_writers([writer.path], patience_s=0)

    def test_a_child_that_holds_the_old_one_blocks_nothing(self, tmp_path: Path) -> None:
        """It has the lock for as long as it lives, and the file is locked all the same."""
        with RunWriter(tmp_path / "run.jsonl") as writer:
            assert writer._file is not None
            held = os.dup(writer._file)  # of the same open file, as a child's is
            self.close(writer)
            writer.write_line(encode(RECORDS[0]))
            os.close(held)

    def test_a_file_that_was_replaced_is_an_error(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What lies there now is somebody else's; the folder that tests run in does not matter."""
        monkeypatch.chdir(tmp_path)
        writer = RunWriter(Path("run.jsonl"))
        monkeypatch.chdir("/")
        writer.write_line(encode(RECORDS[0]))
        self.close(writer)
        (tmp_path / "run.jsonl").rename(tmp_path / "moved.jsonl")
        (tmp_path / "run.jsonl").write_bytes(b"")
        with pytest.raises(FileNotFoundError):
            writer.write_line(encode(RECORDS[1]))
        writer.close()
        assert (tmp_path / "run.jsonl").read_bytes() == b""


class TestSessions:
    """All runs of one call belong together."""

    def test_the_latest_session_is_the_default(self, tmp_path: Path) -> None:
        """Session ids begin with their time."""
        for session in ("20260101T000000Z-aa", "20260102T000000Z-bb"):
            for repeat in range(2):
                run_id = f"{session}-local-s0-r{repeat}"
                first = header(session, run_id, started_at=f"2026-01-0{repeat + 1}T00:00:00Z", repeat=repeat)
                write(tmp_path / f"{run_id}.jsonl", [first, *RECORDS[1:]])
        runs = load_session(tmp_path)
        assert [run.header.run_id for run in runs] == [
            "20260102T000000Z-bb-local-s0-r0",
            "20260102T000000Z-bb-local-s0-r1",
        ]
        assert len(load_session(tmp_path, "20260101T000000Z-aa")) == 2

    def test_the_last_one_recorded_is_the_latest_whatever_its_clock_said(self, tmp_path: Path) -> None:
        """The clock was ahead for one session; it is named, and the one after it is taken."""
        made = [("20280103T000000Z-aa", "2028-01-03T00:00:00.000Z"), ("20261129T000000Z-bb", "2026-11-29")]
        for number, (name, at) in enumerate(made, start=1):
            run = header(name, f"{name}-local-s0-r0", started_at=at, sequence=number)
            write(tmp_path / f"{name}.jsonl", [run, Collected(nodeids=[])])
        sessions = list_sessions(tmp_path)
        assert [*sessions.files] == [name for name, _ in made]
        assert sessions.latest() == load_session(tmp_path)[0].header.session_id == "20261129T000000Z-bb"
        (note,) = sessions.notes
        assert note.startswith("session '20280103T000000Z-aa' says that it was recorded in the future")
        assert next_sequence(tmp_path) == 3

    def test_runs_of_a_session_are_in_order_though_the_clock_jumped(self, tmp_path: Path) -> None:
        """The clock was set back between two of them."""
        for number, at in enumerate(["2026-11-29T10:00:00Z", "2026-11-29T09:00:00Z"], start=1):
            run = header("s", f"s-local-s0-r{number}", started_at=at, sequence=number, repeat=number)
            write(tmp_path / f"r{number}.jsonl", [run, Collected(nodeids=[])])
        assert [run.header.repeat for run in load_session(tmp_path, "s")] == [1, 2]

    def test_a_session_without_numbers_is_placed_by_its_file(self, tmp_path: Path) -> None:
        """A bare pytest run numbers nothing: it comes after the numbered ones that were there before it."""
        order = [("c", 1), ("b", 0), ("a", 2), ("d", 0)]
        for at, (name, number) in enumerate(order, start=1_000_000):
            path = tmp_path / f"{name}.jsonl"
            write(path, [header(name, name, sequence=number), Collected(nodeids=[])])
            os.utime(path, (at, at))
        assert [*list_sessions(tmp_path).files] == ["c", "b", "a", "d"]

    def test_of_sessions_without_numbers_one_from_the_future_is_not_the_latest(self, tmp_path: Path) -> None:
        """Older versions wrote none; their ids begin with the time."""
        for name, at in {"2028-x": "2028-01-01", "2025-x": "2025-01-01", "2026-x": "2026-01-01"}.items():
            write(tmp_path / f"{name}.jsonl", [header(name, name, started_at=at), Collected(nodeids=[])])
        assert [*list_sessions(tmp_path).files] == ["2028-x", "2025-x", "2026-x"]

    def test_a_run_that_collected_nothing_is_passed_over(self, tmp_path: Path) -> None:
        """Files of runs that were killed before their first test hold no results."""
        write(tmp_path / "a.jsonl", [header()])
        (tmp_path / "b.jsonl").write_bytes(b"")
        (tmp_path / "c.jsonl").write_bytes(b'{"record":"ru')
        assert list_sessions(tmp_path).files == {"s1": [tmp_path / "a.jsonl"]}
        assert load_session(tmp_path) == []

    def test_an_unknown_session_is_named(self, tmp_path: Path) -> None:
        """The error lists the ones there are."""
        write(tmp_path / "a.jsonl", RECORDS)
        with pytest.raises(NothingMeasuredError, match="no session 'x'") as caught:
            load_session(tmp_path, "x")
        assert caught.value.hint == "there are: s1"

    @pytest.mark.parametrize("content", UNREADABLE.values(), ids=UNREADABLE)
    def test_a_file_that_cannot_be_read_hides_no_other(self, tmp_path: Path, content: bytes) -> None:
        """Which one it is, is told; the latest session is the latest that can be read."""
        write(tmp_path / "s1-local-s0-r0.jsonl", RECORDS)
        (tmp_path / "s2-local-s0-r0.jsonl").write_bytes(content)
        sessions = list_sessions(tmp_path)
        assert [run.header.session_id for run in sessions.load(sessions.latest())] == ["s1"]
        assert sessions.left_out is not None
        assert sessions.left_out.startswith(
            f"a run file that cannot be read: '{tmp_path}/s2-local-s0-r0.jsonl'"
        )
        (tmp_path / "s3-local-s0-r0.jsonl").write_bytes(content)
        left_out = list_sessions(tmp_path).left_out or ""
        assert left_out.startswith("2 run files that cannot be read, the first of them: ")

    @pytest.mark.parametrize("content", UNREADABLE.values(), ids=UNREADABLE)
    def test_a_session_with_a_file_that_cannot_be_read_is_refused(
        self, tmp_path: Path, content: bytes
    ) -> None:
        """The other files are not all of it, whether it is the latest or asked for; nor is such a folder."""
        write(tmp_path / "s1-local-s0-r0.jsonl", RECORDS)
        bad = tmp_path / "s1-local-s0-r1.jsonl"
        bad.write_bytes(content)
        sessions = list_sessions(tmp_path)
        assert "s1" in sessions
        loads: list[Callable[[], object]] = [
            lambda: sessions.load(sessions.latest()),
            lambda: load_session(tmp_path),
        ]
        for load in loads:
            with pytest.raises(RunFileError, match="s1-local-s0-r1") as caught:
                load()
            assert f"remove '{bad}'" in (caught.value.hint or "")

    def test_a_session_of_which_no_file_can_be_read_is_not_unknown(self, tmp_path: Path) -> None:
        """Nor is what it was to do forgotten."""
        (tmp_path / "s1-local-s0-r0.jsonl").write_bytes(UNREADABLE["foreign"])
        (tmp_path / f"s1{SPEC_SUFFIX}").write_bytes(b"{}")
        assert "s1" in list_sessions(tmp_path)
        with pytest.raises(RunFileError, match="not a record"):
            load_session(tmp_path, "s1")
        with pytest.raises(NothingMeasuredError, match="only a run file that cannot be read"):
            list_sessions(tmp_path).latest()
        remove_spec_without_runs("s1", tmp_path)
        assert (tmp_path / f"s1{SPEC_SUFFIX}").exists()

    def test_no_runs_at_all_is_told_with_the_next_step(self, tmp_path: Path) -> None:
        """An empty or missing folder is the same."""
        with pytest.raises(NothingMeasuredError, match="no runs") as caught:
            load_session(tmp_path / "missing")
        assert caught.value.hint == "measure first: testinfra measure --baseline"


class TestFolder:
    """What the tool writes does not end up in version control; what others write does."""

    def test_a_folder_that_was_not_there_ignores_itself(self, tmp_path: Path) -> None:
        """And so does the tool's own folder around it, in which it puts more; no other folder does."""
        prepare_folder(tmp_path / "build" / ".testinfra" / "runs")
        assert (tmp_path / "build" / ".testinfra" / "runs" / ".gitignore").read_text() == "*\n"
        assert (tmp_path / "build" / ".testinfra" / ".gitignore").read_text() == "*\n"
        assert not (tmp_path / "build" / ".gitignore").exists()

    def test_a_folder_that_was_there_is_left_as_it_is(self, tmp_path: Path) -> None:
        """Git would not see the next document in it."""
        (tmp_path / "docs").mkdir()
        prepare_folder(tmp_path / "docs")
        assert not list((tmp_path / "docs").iterdir())


def test_an_argument_that_is_not_unicode_is_named(tmp_path: Path) -> None:
    """A session cannot be saved that has such an argument: it could not be resumed as it was begun."""
    spec = SessionSpec(
        session_id="s",
        profiles={"local": Profile(max_examples=200)},
        repeats=1,
        pins=PinPolicy.RESPECT,
        seed_set=0,
        n_workers=0,
        arguments=["test_\udcff.py"],
    )
    with pytest.raises(RunFileError, match=r"'test_\\udcff.py' is not valid Unicode"):
        save_spec(spec, tmp_path)
    assert list(tmp_path.iterdir()) == []


class TestSchema:
    """The JSON Schema of a line is shipped, current, and no schema that accepts everything."""

    def test_the_schema_of_a_line_is_that_of_the_types(self) -> None:
        """The shipped schema is what `make schemas` would write."""
        schema = run_schema()
        Draft202012Validator.check_schema(schema)
        _, components = msgspec.json.schema_components([RunLine], ref_template="#/$defs/{name}")
        assert schema["$defs"] == components
        assert schema["$id"] == f"urn:atom-testinfra:run:{RUN_SCHEMA_VERSION}"

    @pytest.mark.parametrize(
        "record", [header(), measurement("a"), RunEnd(exit_status=0, wall_s=0, cpu_s=0, outcomes={})]
    )
    def test_the_schema_accepts_a_record(self, record: RunLine) -> None:
        """A line of each sort is valid."""
        Draft202012Validator(run_schema()).validate(msgspec.json.decode(encode(record)))

    @pytest.mark.parametrize(
        "line",
        [
            b"[]",
            b'{"record": "other"}',
            b'{"record": "test", "nodeid": "a", "kind": "plain"}',
            b'{"record": "test", "nodeid": "a", "kind": "plain", "outcome": "fine"}',
            b'{"record": "test", "nodeid": "a", "kind": "plain", "outcome": "passed", "line": "1"}',
        ],
    )
    def test_the_schema_refuses_what_is_not_a_record(self, line: bytes) -> None:
        """Another sort, a missing or wrong outcome, a line that is text."""
        assert not Draft202012Validator(run_schema()).is_valid(msgspec.json.decode(line))
