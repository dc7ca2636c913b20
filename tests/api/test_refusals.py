"""Wrong tokens are counted, told, audited and slowed; nothing that is sent fills the log."""

from __future__ import annotations

import contextlib
import itertools
import logging
import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.net.netns import Lab, wait_for
from tests.support.service.service import Service
from xdpwall.api.serving import log_repeats, refusals
from xdpwall.api.serving.log_repeats import RepeatFilter
from xdpwall.api.serving.refusals import CODES, FREE_TRIES, MAX_DELAY, Refusals

RULES = "/api/v1/rules"


@pytest.fixture
def own(lab: Lab, tmp_path: Path) -> Iterator[Service]:
    with Service(lab.namespace(), tmp_path, lab.bpffs) as service:
        yield service


def test_wrong_tokens_are_counted_told_and_audited(own: Service) -> None:
    for _ in range(FREE_TRIES + 2):
        assert own.tcp("GET", RULES, token="wrong" * 9).status == 401
    assert own.tcp("GET", RULES).status == 401
    assert own.tcp("GET", RULES, {"host": "evil.example"}).status == 421
    counted = _counted(own)
    assert counted["wrong-token"] == FREE_TRIES + 2
    assert (counted["no-token"], counted["wrong-host"]) == (1, 1)
    assert set(counted) == set(CODES)
    wait_for(lambda: _audit(own), "the audit trail")
    assert _audit(own) == [("uid 0", "tcp", "refused a wrong token")]
    assert own.log().count("refused a wrong token over TCP, the last of uid 0") == 1
    assert own.token not in own.log()


def _counted(service: Service) -> dict[str, float]:
    text = service.raw("GET", "/metrics", {}).content.decode()
    families = {one.name: one for one in text_string_to_metric_families(text)}
    samples = families["xdpwall_refused_requests"].samples
    return {one.labels["code"]: one.value for one in samples if one.name.endswith("_total")}


def _audit(service: Service) -> list[tuple[str, str, str]]:
    path = service.settings.state_dir / "xdpwall.db"
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as store:
        return store.execute(
            "SELECT author, via, action FROM audit WHERE action LIKE 'refused%'"
        ).fetchall()


def test_wrong_tokens_wait_ever_longer_and_right_ones_never() -> None:
    async def unused(action: str, by: object) -> None:
        raise AssertionError

    found = Refusals(unused)
    delays = [found.delay_of(1000, second) for second in range(30)]
    assert delays[:FREE_TRIES] == [0.0] * FREE_TRIES
    assert all(before <= after for before, after in itertools.pairwise(delays))
    assert 0 < delays[FREE_TRIES] < MAX_DELAY == delays[-1]
    assert found.delay_of(1001, 30) == 0.0, "another user"
    assert found.delay_of(1000, 31) == MAX_DELAY
    assert found.delay_of(1000, 32 + refusals.FORGET_AFTER) == 0.0, "after a pause"


def test_the_users_that_are_remembered_are_few() -> None:
    async def unused(action: str, by: object) -> None:
        raise AssertionError

    found = Refusals(unused)
    for uid in range(3 * refusals.MOST_USERS):
        found.delay_of(uid, 0)
    assert len(found._tries) <= refusals.MOST_USERS


@pytest.mark.parametrize(
    "sent",
    [
        b"\0\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: localhost\r\ncontent-length: -1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade, close\r\nupgrade: websocket\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PUT /api/v1/switch HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n{",
        b"GET /%ff%00 HTTP/1.1\r\nhost: localhost\r\n\r\n",
    ],
)
def test_no_request_fills_the_log(service: Service, sent: bytes) -> None:
    before = len(service.log())
    for _ in range(3 * log_repeats.MOST):
        with socket.socket(socket.AF_UNIX) as one:
            one.connect(str(service.settings.socket))
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                one.sendall(sent)
                one.shutdown(socket.SHUT_WR)
                one.makefile("rb").read()
    assert len(service.log()) - before < log_repeats.MOST * 200
    assert "Traceback" not in service.log()


def test_what_is_not_http_is_answered_by_a_problem(service: Service) -> None:
    reply = service.raw("GET", "/", {"content-length": "-1"}, b"")
    assert (reply.status, reply.json["code"]) == (400, "not-http")
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.headers["x-content-type-options"] == "nosniff"


def test_repeated_lines_are_counted_and_not_written() -> None:
    now = [0.0]
    found = RepeatFilter(lambda: now[0])

    def say(text: str, *values: object) -> str | None:
        record = logging.LogRecord("n", logging.WARNING, "f", 1, text, values, None)
        return record.getMessage() if found.filter(record) else None

    said = [say("it is %d", number) for number in range(log_repeats.MOST + 30)]
    assert said[: log_repeats.MOST] == [f"it is {n}" for n in range(log_repeats.MOST)]
    assert set(said[log_repeats.MOST :]) == {None}
    assert say("another") == "another"
    now[0] += log_repeats.PERIOD
    assert say("it is %d", 7) == "it is 7 (30 more like it were not written)"
    assert say("it is %d", 8) == "it is 8"


def test_kinds_of_lines_are_bounded_too() -> None:
    now = [0.0]
    found = RepeatFilter(lambda: now[0])
    written = 0
    for number in range(5 * log_repeats.MOST_KINDS):
        record = logging.LogRecord("n", logging.WARNING, "f", 1, f"line {number}", (), None)
        written += found.filter(record)
    assert written == log_repeats.MOST_KINDS
    now[0] += log_repeats.PERIOD
    record = logging.LogRecord("n", logging.WARNING, "f", 1, "a new one", (), None)
    assert found.filter(record)


@pytest.mark.parametrize("name", ["text/plain", "application/openmetrics-text"])
@pytest.mark.parametrize(
    "rest",
    ["; version=a", "; version=", "; version", "; version=1.a", "; version=-1", "; version=99.9",
     "; version=1.0.0; escaping=x", "; version=1.0.0 ; escaping=", ";;;=", "; version=1.0.0é",
     "; version=1..0", "; version=1.0.0; version=a", ""],
)  # fmt: skip
def test_any_accept_header_gets_the_metrics(service: Service, name: str, rest: str) -> None:
    reply = service.raw("GET", "/metrics", {"accept": f"{name}{rest}"})
    assert reply.status == 200, reply.content
    assert b"xdpwall_revision" in reply.content
