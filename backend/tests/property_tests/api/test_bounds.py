"""What the service counts about requests: their bytes, how many run at once, and how long they took."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine
from contextlib import nullcontext
from functools import partial
from types import coroutine
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from atom.kit.threads import Threads
from atom.web.limits import BodyLimit, BodyTooLargeError, RequestLimit
from atom.web.metrics import BOUNDS_S, RequestMetrics
from atom.web.observing import Observing
from tests.property_tests.conftest import scaled

TIMES_S = (*BOUNDS_S, 0.0, 0.0004, 0.003, 11.0, 1e3)


@coroutine
def turn() -> Any:
    """Wait until the coroutine is resumed."""
    yield


def run(whole: Coroutine[Any, Any, None]) -> bool:
    """Run a coroutine to its next wait; return whether it has ended."""
    try:
        whole.send(None)
    except StopIteration:
        return True
    return False


@given(answers=st.lists(st.tuples(st.sampled_from(("/a", "/b")), st.sampled_from(TIMES_S)), max_size=8))
@example(answers=[("/a", bound) for bound in BOUNDS_S])
@example(answers=[("/a", 0.003), ("/b", 11.0), ("/a", 11.0)])
def test_a_histogram_counts_what_took_at_most_its_bound(answers: list[tuple[str, float]]) -> None:
    """
    For each route, each bucket counts the answers that took at most its bound;
    the count and the sum are those of all answers.
    """
    metrics = RequestMetrics()
    for route, elapsed_s in answers:
        metrics.note("GET", route, 200, elapsed_s)
    lines = dict(line.rsplit(" ", 1) for line in metrics.render({}).splitlines() if line[0] != "#")
    for route in {route for route, _ in answers}:
        times = [elapsed_s for at, elapsed_s in answers if at == route]
        where = f'method="GET",route="{route}"'
        for bound in BOUNDS_S:
            found = int(lines[f'atom_request_seconds_bucket{{{where},le="{bound}"}}'])
            assert found == sum(each <= bound for each in times)
        assert int(lines[f'atom_request_seconds_bucket{{{where},le="+Inf"}}']) == len(times)
        assert int(lines[f"atom_request_seconds_count{{{where}}}"]) == len(times)
        assert float(lines[f"atom_request_seconds_sum{{{where}}}"]) == pytest.approx(sum(times))
        assert int(lines[f'atom_requests_total{{{where},status="200"}}']) == len(times)
    assert len([name for name in lines if re.match(r"atom_request_seconds_count", name)]) == len(
        {route for route, _ in answers}
    )


@given(
    story=st.lists(st.sampled_from(("/v1/chats", "/live", "end")), max_size=12),
    most=st.integers(1, 3),
    is_broken=st.booleans(),
)
@example(story=["/v1/chats", "/v1/chats", "end", "/v1/chats"], most=1, is_broken=True)
@example(story=["/v1/chats", "/live", "/live", "/v1/chats"], most=1, is_broken=False)
def test_no_more_requests_are_worked_on_than_allowed(story: list[str], most: int, is_broken: bool) -> None:
    """
    A request above the limit is a 503 at once that says when to come again; one that ends, well or not,
    makes room; a health check is never refused.
    """
    sent: list[int] = []

    async def app(_scope: Any, _receive: Any, _send: Any) -> None:
        await turn()
        if is_broken:
            raise ValueError

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            sent.append(message["status"])
            assert (b"retry-after", b"1") in message["headers"]

    async def receive() -> Any:
        raise AssertionError

    limit = RequestLimit(app, max_requests=most, exempt=frozenset({"/live"}))
    running: list[Coroutine[Any, Any, None]] = []
    exempt: list[Coroutine[Any, Any, None]] = []
    for deed in story:
        if deed == "end":
            if running:
                try:
                    run(running.pop())
                except ValueError:
                    assert is_broken
        else:
            request = limit({"type": "http", "path": deed, "headers": []}, receive, send)
            is_refused = deed != "/live" and len(running) == most
            assert run(request) is is_refused
            if not is_refused:
                (exempt if deed == "/live" else running).append(request)
        assert limit.n_requests == len(running)
    for each in (*running, *exempt):
        each.close()
    assert set(sent) <= {503}


class BrokenError(Exception):
    """What goes wrong while a request is answered."""


ENDS = ("answered", "broken", "broken off")


@given(story=st.lists(st.sampled_from((*ENDS, "begun")), max_size=8))
@example(story=["begun", "broken", "broken off", "answered"])
def test_requests_are_counted_while_they_run_and_however_they_end(story: list[str]) -> None:
    """
    A request counts as running until it has ended, also by an error before or in its answer; the one whose
    answer has begun counts with its status, and the other's error goes on to who sent it.
    """
    metrics = RequestMetrics()
    running: list[Coroutine[Any, Any, None]] = []

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        await turn()
        if scope["ends"] != "broken":
            await send({"type": "http.response.start", "status": 200, "headers": []})
        if scope["ends"] != "answered":
            raise BrokenError

    async def send(_message: Any) -> None:
        pass

    async def receive() -> Any:
        raise AssertionError

    observing = Observing(app, metrics=metrics)
    ends = {"answered": 0, "broken": 0, "broken off": 0}
    for deed in story:
        if deed == "begun":
            ends_as = ENDS[len(running) % len(ENDS)]
            running.append(observing(scope_of(ends_as), receive, send))
            assert not run(running[-1])
        else:
            whole = observing(scope_of(deed), receive, send)
            assert not run(whole)
            assert metrics.n_running == len(running) + 1
            with pytest.raises(BrokenError) if deed == "broken" else nullcontext():
                assert run(whole)
            ends[deed] += 1
        assert metrics.n_running == len(running)
    lines = dict(line.rsplit(" ", 1) for line in metrics.render({}).splitlines() if line[0] != "#")
    for status, n in ((200, ends["answered"] + ends["broken off"]), (0, ends["broken"])):
        name = f'atom_requests_total{{method="GET",route="(none)",status="{status}"}}'
        assert int(lines.get(name, "0")) == n
    for each in running:
        each.close()


def scope_of(ends: str) -> dict[str, Any]:
    return {"type": "http", "method": "GET", "path": "/", "headers": [], "ends": ends}


@settings(scaled(0.3))
@given(calls=st.lists(st.booleans(), max_size=6), n_threads=st.integers(1, 3))
@example(calls=[False, True], n_threads=1)
def test_a_call_that_has_ended_takes_no_thread(calls: list[bool], n_threads: int) -> None:
    """Calls in threads return or raise what they do, and are counted until then."""
    threads = Threads(n_threads, name="test")

    async def call_all() -> list[Any]:
        waiting = [threads.run(partial(divide, int(is_fit))) for is_fit in calls]
        return await asyncio.gather(*waiting, return_exceptions=True)

    found = asyncio.run(call_all())
    assert [each if is_fit else type(each) for each, is_fit in zip(found, calls, strict=True)] == [
        1 if is_fit else ZeroDivisionError for is_fit in calls
    ]
    assert (threads.n_running, threads.n_waiting) == (0, 0)
    threads.close()


def divide(by: int) -> int:
    return 1 // by


@given(chunks=st.lists(st.integers(0, 6), min_size=1, max_size=5), most=st.integers(0, 12))
@example(chunks=[4, 4], most=7)
@example(chunks=[4, 4], most=8)
def test_a_body_is_bounded_in_all_its_chunks_together(chunks: list[int], most: int) -> None:
    """
    However it is cut into chunks, a body is read to its end if it fits the limit, and never beyond the limit.
    """
    waiting = [b"x" * size for size in chunks]
    read: list[int] = []

    async def receive() -> Any:
        body = waiting.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(waiting)}

    async def app(_scope: Any, receive: Any, _send: Any) -> None:
        is_more = True
        while is_more:
            message = await receive()
            read.append(len(message["body"]))
            is_more = message["more_body"]

    async def send(_message: Any) -> None:
        raise AssertionError

    limited = BodyLimit(app, max_bytes=most)({"type": "http", "path": "/", "headers": []}, receive, send)
    if sum(chunks) > most:
        with pytest.raises(BodyTooLargeError):
            run(limited)
        assert sum(read) <= most
    else:
        assert run(limited)
        assert read == chunks
