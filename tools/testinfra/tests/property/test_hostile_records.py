"""
Records as no run should write them: whatever is made of them can be read again, or nothing is made of them.

A baseline that `testinfra verify` writes and every other command refuses is worse than none.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, event, given
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace
from tests.strategies import NOW, a_measurement, a_run

from atom_testinfra.core.config import Targets
from atom_testinfra.core.costs.aggregation import gather_evidence
from atom_testinfra.core.errors import BaselineError, InfraError
from atom_testinfra.core.records.measurement import Cost, Measurement, PhaseCost, Pin, Property, Run
from atom_testinfra.core.targets.verification import check, complete
from atom_testinfra.storage.baseline import load_baseline, parse_baseline, render_baseline, save_baseline
from atom_testinfra.storage.runs import decode_line, encode

NAME = "tests/test_a.py::test_a"
seconds = st.sampled_from([0.0, 5e-324, 1e-12, 1e-9, 1e-6, 1.0, 1e3, 9e8, 1e9, 1.005e9, 1e12, 1e300])
counts = st.sampled_from([0, 1, 2, 50, 10**6, 10**9, 10**9 + 1, 10**12, 10**12 + 1, 2**63 - 1])
texts = st.sampled_from(["", "\x00", "\ud7ff", "a\nb", "\u2028", '"', "x" * 1000])


@st.composite
def altered(draw: st.DrawFn, struct: Struct) -> Any:
    """Draw the structure with other values in some of its fields, by the type of what is there."""
    changes: dict[str, Any] = {}
    for name in draw(st.lists(st.sampled_from(struct.__struct_fields__), max_size=3)):
        value = getattr(struct, name)
        match value:
            case bool():
                changes[name] = not value
            case float():
                changes[name] = draw(seconds | st.floats(0, value * 2))
            case int():
                changes[name] = draw(counts)
            case Struct():
                changes[name] = draw(altered(value))
            case dict() if name == "phases":
                changes[name] = {key: draw(altered(phase)) for key, phase in value.items()}
            case str() if name in {"digest", "stopped_because", "hypothesis_profile", "deadline_ms"}:
                changes[name] = draw(texts)
            case None if name == "body_s":
                changes[name] = draw(seconds)
            case None if name == "pin":
                changes[name] = Pin(max_examples=draw(counts), path=draw(texts), line=draw(counts))
    return replace(struct, **changes)


@st.composite
def hostile(draw: st.DrawFn) -> Measurement:
    """Draw a record that passes as one of a property that passed, with odd figures in odd places."""
    factor = draw(st.sampled_from([1.0, 1e-6, 1e3, 1e9]))
    record = a_measurement(NAME, body_us=100.0 * factor, generate_us=50.0 * factor, engine_us=25.0)
    found: Measurement = draw(altered(record))
    return replace(found, nodeid=NAME)


@st.composite
def sessions(draw: st.DrawFn) -> list[Run]:
    """Draw one to three runs; one of them holds an odd record, beside a property that is in order."""
    good = a_measurement("tests/test_a.py::test_good")
    records = [draw(hostile()), *[a_measurement(NAME)] * draw(st.integers(0, 2))]
    seed_set = draw(st.sampled_from([0, 10**12 + 1, 2**63 - 1]))
    runs = [a_run([record, good], repeat=repeat) for repeat, record in enumerate(records)]
    return [replace(run, header=replace(run.header, seed_set=seed_set)) for run in runs]


@given(sessions())
def test_what_is_written_can_be_read_again(runs: list[Run]) -> None:
    """Whatever a session holds: its baseline is read as it was written, and its verdicts follow from it."""
    for run in runs:
        for record in run.measurements:
            assume(decode_line(encode(record).encode()) == record)
    evidence = gather_evidence(runs, targets=Targets(), tiers={})
    assert "tests/test_a.py::test_good" in evidence.properties
    event("kept" if NAME in evidence.properties else evidence.excluded[0].reason[:60])
    baseline = complete(evidence, NOW)
    text = b"".join(render_baseline(baseline))
    read = parse_baseline(text, "b.json")
    assert dict(read.properties) == dict(baseline.properties)
    assert check(read)[1] == []


@pytest.mark.parametrize(
    ("wall", "said"), [("-1}", ">= 0.0"), ("1", "truncated"), ("1e999}", "range"), ("NaN}", "invalid")]
)
def test_what_is_no_duration_or_no_record_is_refused(wall: str, said: str) -> None:
    """A negative one, one that is cut in the middle, one that is not finite: said, and never taken for 0."""
    start = '{"record":"test","nodeid":"a","kind":"function","outcome":"passed","call":{"wall_s":'
    end = "}" if wall.endswith("}") else ""
    with pytest.raises(InfraError, match=said):
        decode_line(f"{start}{wall}{end}".encode())


def test_nothing_is_written_that_could_not_be_read(tmp_path: Any) -> None:
    """Should a figure slip through all the same, the file stays as it was, and the place is named."""
    path = tmp_path / "b.json"
    good = complete(gather_evidence([a_run([a_measurement(NAME)])], targets=Targets(), tiers={}), NOW)
    save_baseline(path, good)
    before = path.read_bytes()
    cost = good.properties[NAME].profiles["local"]
    subject = replace(good.properties[NAME], profiles={"local": replace(cost, first_us=1e16)})
    with pytest.raises(BaselineError, match=r"cannot be read again.*first_us") as caught:
        save_baseline(path, replace(good, properties={NAME: subject}))
    assert caught.value.hint
    assert path.read_bytes() == before
    assert [*path.parent.glob(".*b.json*partial*")] == []
    assert dict(load_baseline(path).properties) == dict(good.properties)


def test_the_strategy_reaches_what_it_is_for() -> None:
    """The records it alters are of the types that it looks for."""
    subject = a_measurement(NAME).hypothesis
    assert isinstance(subject, Property)
    assert isinstance(subject.phases["generate"], PhaseCost)
    assert isinstance(a_measurement(NAME).call, Cost)
