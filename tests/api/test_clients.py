"""Clients that are slow, idle, many, or send no more: none of them holds up the others."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.net.netns import Lab, wait_for
from tests.support.service.service import START, Service
from xdpwall.api.serving.connection import MAX_OF_ONE, MAX_TCP, MAX_UNIX

IMPATIENT = """
from xdpwall.api.serving import connection
connection.PATIENCE.update(head=0.5, body=0.5, send=0.5)
connection.CHECK_EVERY = 0.05
"""
HOARD = """
import os, resource, socket, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
os.setgroups([]); os.setgid(int(sys.argv[1])); os.setuid(int(sys.argv[1]))
kept = []
for _ in range(int(sys.argv[2])):
    one = socket.create_connection(("127.0.0.1", int(sys.argv[3])))
    one.sendall(sys.argv[4].encode())
    kept.append(one)
print("here", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def own(lab: Lab, tmp_path: Path) -> Iterator[Service]:
    """A service of this test's own, not yet started."""
    service = Service(lab.namespace(), tmp_path, lab.bpffs)
    yield service
    service.kill()


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A running service with short time-outs."""
    lab = Lab("tests/api/test_clients")
    lab.clean()
    folder: Path = tmp_path_factory.mktemp("impatient")
    try:
        with Service(lab.namespace(), folder, lab.bpffs, prelude=IMPATIENT) as service:
            rules = [f"drop from 198.51.{n >> 8}.{n & 255}" for n in range(2000)]
            assert service.call("POST", "/rules", rules).status == 201
            yield service
    finally:
        lab.clean()


@contextlib.contextmanager
def hoarders(service: Service, uids: range, count: int, sent: str = "") -> Iterator[None]:
    """Users who each hold `count` connections open, after sending `sent` on each."""
    with contextlib.ExitStack() as stack:
        for uid in uids:
            process = stack.enter_context(
                subprocess.Popen(
                    service.space.argv(
                        sys.executable, "-c", HOARD, str(uid), str(count), str(service.port), sent
                    ),
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                )
            )  # fmt: skip
            assert process.stdout is not None
            assert process.stdout.readline() == "here\n"
        yield


@pytest.mark.parametrize("sent", ["", "GET / HTTP/1.1\r\nhost: "])
def test_no_users_connections_shut_others_out(own: Service, sent: str) -> None:
    with own, hoarders(own, range(1000, 1001), MAX_TCP + 100, sent):
        for _ in range(20):
            assert own.tcp("GET", "/healthz").status == 200
        assert own.tcp("GET", "/api/v1/rules", token=own.token).status == 200
        assert own.call("GET", "/rules").status == 200


def test_nor_do_many_users_together(own: Service) -> None:
    with own, hoarders(own, range(1000, 1010), MAX_OF_ONE):
        for _ in range(20):
            assert own.tcp("GET", "/healthz").status == 200


def test_who_has_shown_the_token_keeps_his_place(own: Service) -> None:
    with own, contextlib.ExitStack() as stack:
        kept = stack.enter_context(connected(own, "tcp"))
        ask = f"GET /api/v1/events HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {own.token}"
        kept.sendall(f"{ask}\r\n\r\n".encode())
        assert kept.recv(1)
        with hoarders(own, range(1000, 1006), MAX_OF_ONE), hoarders(own, range(1), MAX_TCP):
            assert own.tcp("GET", "/healthz").status == 200
            own.call("POST", "/rules", {"action": "count", "id": "seen"})
            wait_for(lambda: b"seen" in kept.recv(65536), "the stream goes on")


def test_the_unix_socket_is_bounded_too(own: Service) -> None:
    with own, contextlib.ExitStack() as stack:
        idle = [stack.enter_context(connected(own, "unix")) for _ in range(MAX_UNIX + 20)]
        assert own.call("GET", "/rules").status == 200
        idle[0].settimeout(START)
        first = idle[0].makefile("rb").read()
        assert first.startswith(b"HTTP/1.1 503 ")
        problem = json.loads(first.partition(b"\r\n\r\n")[2])
        assert (problem["status"], problem["code"]) == (503, "too-many-connections")


@contextlib.contextmanager
def connected(service: Service, way: str) -> Iterator[socket.socket]:
    family = socket.AF_UNIX if way == "unix" else socket.AF_INET
    with service.space.inside():
        one = socket.socket(family, socket.SOCK_STREAM)
    with one:
        one.settimeout(START)
        address = str(service.settings.socket) if way == "unix" else ("127.0.0.1", service.port)
        one.connect(address)
        yield one


HEAD = "PUT /api/v1/switch HTTP/1.1\r\nhost: localhost\r\n{token}content-type: application/json\r\n"


@pytest.mark.parametrize("way", ["tcp", "unix"])
@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        ("", None),
        ("GET /healthz", 408),
        ("GET /healthz HTTP/1.1\r\nhost: loc", 408),
        (HEAD, 408),
        (HEAD + "content-length: 13\r\n\r\n{", 408),
        (HEAD + "transfer-encoding: chunked\r\n\r\n5\r\n{", 408),
    ],
)
def test_a_client_that_waits_too_long_is_let_go(
    impatient: Service, way: str, sent: str, answer: int | None
) -> None:
    token = f"authorization: Bearer {impatient.token}\r\n"
    with connected(impatient, way) as one:
        one.sendall(sent.replace("{token}", token).encode())
        got = one.makefile("rb").read()
    found = re.match(rb"HTTP/1\.1 (\d+) ", got)
    assert (int(found[1]) if found else None) == answer, got
    if answer is not None:
        assert json.loads(got.partition(b"\r\n\r\n")[2])["code"] == "too-slow"


def test_a_body_that_nobody_wants_may_not_come_for_ever(impatient: Service) -> None:
    """After the refusal the rest of the body is read and thrown away."""
    with connected(impatient, "tcp") as one:
        one.sendall(HEAD.format(token="").encode() + b"content-length: 1000000\r\n\r\n")
        assert one.recv(4096).startswith(b"HTTP/1.1 401 ")
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            wait_for(lambda: one.send(b" ") == 0, "the connection ends", every=0.1)


@pytest.mark.parametrize("way", ["tcp", "unix"])
def test_a_client_that_does_not_take_its_answer_is_let_go(impatient: Service, way: str) -> None:
    head = f"host: localhost\r\nauthorization: Bearer {impatient.token}\r\n\r\n"
    with connected(impatient, way) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        asked = f"GET /api/v1/rules HTTP/1.1\r\n{head}".encode() * 4
        one.sendall(asked)
        assert _is_open(impatient, one, way)
        wait_for(lambda: not _is_open(impatient, one, way), "the connection is gone")


def _is_open(service: Service, one: socket.socket, way: str) -> bool:
    """Whether the service still holds its end: what it wrote and was not read stays readable."""
    if way == "tcp":
        held = service.space.run("ss", "-Htn", "state", "established", f"sport = :{service.port}")
        return f"127.0.0.1:{one.getsockname()[1]}" in held.split()
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        one.send(b"\r")
        return True
    return False


def test_the_time_outs_leave_no_word_in_the_log(impatient: Service) -> None:
    assert impatient.call("GET", "/healthz").json["status"] == "ok"
    assert "Traceback" not in impatient.log()


# -- clients that send no more ---------------------------------------------------------------------


@pytest.mark.parametrize("way", ["tcp", "unix"])
@pytest.mark.parametrize(
    ("asked", "answers"),
    [
        ([("GET", "/healthz", "")], [200]),
        ([("GET", "/", "")], [200]),
        ([("GET", "/api/v1/rules", "")], [200]),
        ([("PUT", "/api/v1/switch", '{"on": true}')], [200]),
        ([("PUT", "/api/v1/switch", '{"on": 1}')], [422]),
        ([("GET", "/healthz", ""), ("PUT", "/api/v1/switch", '{"on": true}')], [200, 200]),
        ([("GET", "/healthz", "")] * 5, [200] * 5),
    ],
)
def test_a_client_that_half_closes_is_answered(
    service: Service, way: str, asked: list[tuple[str, str, str]], answers: list[int]
) -> None:
    sent = ""
    for method, path, body in asked:
        sent += f"{method} {path} HTTP/1.1\r\nhost: localhost\r\n"
        sent += f"authorization: Bearer {service.token}\r\n"
        if body:
            sent += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
        sent += f"\r\n{body}"
    with connected(service, way) as one:
        one.sendall(sent.encode())
        one.shutdown(socket.SHUT_WR)
        got = one.makefile("rb").read()
    assert [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+) ", got)] == answers


@pytest.mark.parametrize("sent", ["", "GET /healthz HTT", HEAD + "content-length: 13\r\n\r\n{"])
def test_half_a_request_is_no_defect(service: Service, sent: str) -> None:
    with connected(service, "unix") as one:
        one.sendall(sent.replace("{token}", "").encode())
        one.shutdown(socket.SHUT_WR)
        assert one.makefile("rb").read() == b""
    assert service.call("GET", "/healthz").status == 200
    assert "Traceback" not in service.log()


def test_a_stream_ends_with_its_client(service: Service) -> None:
    with connected(service, "unix") as one:
        one.sendall(b"GET /api/v1/events HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert one.recv(1)
        one.shutdown(socket.SHUT_WR)
        one.makefile("rb").read()
