"""The way over the socket: who answers, what went wrong, and problems back into errors."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.cli.support import Instance
from tests.support.service.nobody import as_nobody, open_folder
from xdpwall import errors
from xdpwall.cli.client import http as subject
from xdpwall.cli.client.http import ServiceTransport, error_of_problem
from xdpwall.instance.namespace import instance_digest, netns_inode


@contextmanager
def speaker(path: Path, *answers: bytes | None) -> Iterator[list[bytes]]:
    """A socket that gives each connection the next answer; None hangs up after the request.

    Yields the requests that came.
    """
    came: list[bytes] = []
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    listener.listen()

    def serve() -> None:
        for answer in answers:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                came.append(_request(connection))
                if answer is not None:
                    # A client hangs up as soon as it has read enough to refuse an answer.
                    with suppress(BrokenPipeError, ConnectionResetError):
                        connection.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield came
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(timeout=60)
        assert not thread.is_alive()


def _request(connection: socket.socket) -> bytes:
    """One whole request: http.client sends head and body apart."""
    got = b""
    while True:
        head, end, body = got.partition(b"\r\n\r\n")
        length = re.search(rb"Content-Length: (\d+)", head)
        if end and len(body) >= (int(length[1]) if length else 0):
            return got
        more = connection.recv(65536)
        if not more:
            return got
        got += more


def http(status: int, body: Any, **headers: str) -> bytes:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(content)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + content


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    # A socket's path may have 107 bytes: pytest's folder names fit, longer ones would not.
    return Instance(tmp_path / "state", tmp_path / "bpffs", tmp_path / "s")


def health(instance: Instance, **changes: Any) -> dict[str, Any]:
    netns = changes.get("netns", netns_inode())
    told = {
        "status": "ok",
        "version": "0",
        "revision": 1,
        "netns": netns,
        "state_dir_id": instance_digest(instance.state_dir, netns),
    }
    return {**told, **changes}


def test_nobody_listens(instance: Instance) -> None:
    assert ServiceTransport(instance.socket).probe() is None
    dead = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    dead.bind(str(instance.socket))
    dead.close()
    assert ServiceTransport(instance.socket).probe() is None, "a socket file that nobody serves"


def test_a_call_sends_json_and_reads_json_and_the_revision(instance: Instance) -> None:
    with speaker(instance.socket, http(200, {"a": 1}, ETag='"7"')) as came:
        answer = ServiceTransport(instance.socket).call(
            "POST", "/rules", {"action": "drop"}, query={"message": "für & wider", "x": None}
        )
    assert (answer.body, answer.revision) == ({"a": 1}, 7)
    head, _, body = came[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /api/v1/rules?message=f%C3%BCr+%26+wider HTTP/1.1\r\n")
    assert b"Content-Type: application/json" in head
    assert json.loads(body) == {"action": "drop"}


@pytest.mark.parametrize(
    "kind",
    [
        errors.Failed,
        errors.Full,
        errors.InvalidInput,
        errors.NotFound,
        errors.NeedsPrivileges,
        errors.Conflict,
        errors.Unsupported,
        errors.ServiceUnreachable,
        errors.Refused,
    ],
)
def test_an_error_goes_over_the_socket_whole(kind: type[errors.XdpwallError]) -> None:
    from xdpwall.api.errors import problem_of

    error = kind(
        "what came and what was wanted",
        hint="the next step",
        code="a-code",
        field="src",
        value="x",
        detail="errno 95",
        span=(3, 5),
    )
    response = problem_of(error)
    back = error_of_problem(response.status_code, json.loads(bytes(response.body)))
    assert type(back) is kind
    assert vars(back) == vars(error)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.InvalidInput),
        (401, errors.NeedsPrivileges),
        (403, errors.NeedsPrivileges),
        (404, errors.NotFound),
        (405, errors.InvalidInput),
        (412, errors.Conflict),
        (422, errors.InvalidInput),
        (500, errors.Failed),
        (503, errors.ServiceUnreachable),
    ],
)
def test_what_http_alone_refuses_has_a_class_too(
    status: int, kind: type[errors.XdpwallError]
) -> None:
    back = error_of_problem(
        status, {"type": "about:blank", "title": "T", "detail": "D", "code": "c"}
    )
    assert type(back) is kind
    assert (back.message, back.code) == ("D", "c")
    assert type(error_of_problem(status, "no object")) is errors.Failed


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (None, "broke the connection"),
        (b"SSH-2.0-OpenSSH\r\n", "broke the connection"),
        (http(200, b"<html>"), "other than JSON"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", "broke the connection"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2", "broke the connection"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\n{}", "broke the connection"),
        (b"HTTP/1.1 fine\r\nContent-Length: 2\r\n\r\n{}", "broke the connection"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
            "broke the connection",
        ),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 10_000_000, "broke the connection"),
    ],
    ids=range(9),
)
def test_a_socket_that_is_no_service_is_exit_7(
    instance: Instance, answer: bytes | None, words: str
) -> None:
    with speaker(instance.socket, answer):
        done = instance.here("rule", "list")
    assert done.exit_code == 7
    assert words in done.stderr
    assert "hint: " in done.stderr


def test_an_answer_in_pieces_and_one_without_a_length(instance: Instance) -> None:
    long = {"a": "x" * 600_000}
    endless = b'HTTP/1.1 200 OK\r\nETag: "3"\r\n\r\n{"b": 1}'
    with speaker(instance.socket, http(200, long), endless):
        assert ServiceTransport(instance.socket).call("GET", "/x").body == long
        answer = ServiceTransport(instance.socket).call("GET", "/x")
    assert (answer.body, answer.revision) == ({"b": 1}, 3)


def test_a_service_that_hangs_is_exit_7(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "PROBE_TIMEOUT", 0.2)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with listener:
        listener.bind(str(instance.socket))
        listener.listen()
        done = instance.here("rule", "list")
    assert done.exit_code == 7
    assert "did not answer within 0.2 s" in done.stderr


def test_a_service_that_dies_after_it_said_who_it_is_is_exit_7(instance: Instance) -> None:
    with speaker(instance.socket, http(200, health(instance)), None):
        done = instance.here("rule", "list")
    assert done.exit_code == 7


def test_another_namespaces_service_is_exit_5(instance: Instance) -> None:
    netns = netns_inode() + 1
    with speaker(instance.socket, http(200, health(instance, netns=netns))):
        done = instance.here("rule", "list", "-v")
    assert done.exit_code == 5
    assert f"another network namespace ({netns}; this one is {netns_inode()})" in done.stderr
    assert "code: other-namespace" in done.stderr


def test_another_state_folders_service_is_exit_5(instance: Instance) -> None:
    with speaker(instance.socket, http(200, health(instance, state_dir_id="0" * 16))):
        done = instance.here("rule", "list", "-v")
    assert done.exit_code == 5
    assert str(instance.state_dir) in done.stderr
    assert "code: other-instance" in done.stderr


def test_an_answer_of_another_version_is_told(instance: Instance) -> None:
    with speaker(instance.socket, http(200, health(instance)), http(200, {"rulez": []})):
        done = instance.here("rule", "list")
    assert done.exit_code == 1
    assert "does not understand" in done.stderr


def test_a_socket_that_one_may_not_open_is_exit_4() -> None:
    with open_folder() as folder:
        instance = Instance(folder / "state", folder / "bpffs", folder / "s")
        with speaker(instance.socket):
            instance.socket.chmod(0o600)
            done = instance.run("rule", "list", wrap=as_nobody())
    assert done.returncode == 4, done.stderr
    assert "permission denied" in done.stderr
    assert "hint: run as root (sudo)" in done.stderr
