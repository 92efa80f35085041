"""The figures of requests, as Prometheus reads them."""

from __future__ import annotations

import re

from atom.web.metrics import BOUNDS_S, RequestMetrics

LINE = re.compile(r'[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? [0-9.e+-]+')


def value_of(text: str, line: str) -> float:
    (found,) = (each for each in text.splitlines() if each.startswith(f"{line} "))
    return float(found.rpartition(" ")[2])


def test_each_answer_is_counted_in_its_bucket_and_above() -> None:
    """A bucket counts what took at most its bound; the last one counts everything."""
    metrics = RequestMetrics()
    for elapsed_s in (0.0, 0.001, 0.0011, 1.0, 99.0):
        metrics.note("GET", "/v1/agents", 200, elapsed_s)
    metrics.note("GET", "/v1/agents", 404, 0.5)
    text = metrics.render({})
    bucket = 'atom_request_seconds_bucket{method="GET",route="/v1/agents",le="%s"}'
    counts = [value_of(text, bucket % bound) for bound in (*BOUNDS_S, "+Inf")]
    assert counts == sorted(counts)
    assert [value_of(text, bucket % bound) for bound in (0.001, 0.0025, 0.5, 1.0, 10.0, "+Inf")] == [
        2, 3, 4, 5, 5, 6,
    ]  # fmt: skip
    assert value_of(text, 'atom_request_seconds_count{method="GET",route="/v1/agents"}') == 6
    assert value_of(text, 'atom_requests_total{method="GET",route="/v1/agents",status="200"}') == 5
    assert value_of(text, 'atom_requests_total{method="GET",route="/v1/agents",status="404"}') == 1


def test_every_line_is_one_that_is_read() -> None:
    """Each is a comment, or a name with labels and a number; each name is announced before its first line."""
    metrics = RequestMetrics()
    metrics.note("POST", "/v1/chats/{chat_id}/messages", 201, 0.02)
    *lines, end = metrics.render({"process_id": ("Its number.", 7)}).split("\n")
    assert end == ""
    announced = set()
    for line in lines:
        if line.startswith("# TYPE "):
            announced.add(line.split()[2])
        elif not line.startswith("# HELP "):
            assert LINE.fullmatch(line), line
            assert re.sub(r"_(bucket|sum|count)$", "", re.split(r"[ {]", line)[0]) in announced
    assert "process_id" in announced
