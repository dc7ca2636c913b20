"""Sockets that systemd hands over, and what systemd is told."""

from __future__ import annotations

import asyncio
import http.client
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.net.netns import PATIENCE, Lab, Namespace
from tests.support.service.service import START, Service
from xdpwall.api.serving.service_manager import ServiceManager


def listening(space: Namespace, family: socket.AddressFamily, address: Any) -> socket.socket:
    """A socket as systemd makes it, in the namespace."""
    with space.inside():
        one = socket.socket(family, socket.SOCK_STREAM)
    one.bind(address)
    one.listen()
    return one


class Activated:
    """A service with both of its sockets handed over, which stay open while it is stopped."""

    def __init__(self, lab: Lab, folder: Path, **named: Any) -> None:
        self.space = lab.namespace()
        self.local = listening(self.space, socket.AF_UNIX, str(folder / "xdpwall.sock"))
        self.tcp = listening(self.space, socket.AF_INET, ("127.0.0.1", 0))
        self.port = self.tcp.getsockname()[1]
        handed = (self.local, self.tcp)
        self.service = Service(self.space, folder, lab.bpffs, handed=handed, **named)

    def close(self) -> None:
        """Kill the service and close the sockets."""
        self.service.kill()
        self.local.close()
        self.tcp.close()

    def ask_by_tcp(self) -> int:
        """The status of GET /healthz, asked of the port whether or not the service runs."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=START)
        with self.space.inside():
            connection.connect()
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status
        finally:
            connection.close()


@pytest.fixture
def activated(lab: Lab, tmp_path: Path) -> Iterator[Activated]:
    """A service with its sockets handed over, not yet started."""
    made = Activated(lab, tmp_path)
    yield made
    made.close()


def in_thread(function: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    """Start the function in a thread; its answer comes into the list."""
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(function()))
    thread.start()
    return thread, answers


def test_requests_wait_for_a_service_that_is_not_there_yet(activated: Activated) -> None:
    service = activated.service
    asked = [
        in_thread(lambda: service.call("GET", "/status").status),
        in_thread(activated.ask_by_tcp),
    ]
    with service:
        for thread, answers in asked:
            thread.join(START)
            assert answers == [200], service.log()
        assert service.port == activated.port


def test_nobody_can_take_the_port_while_it_is_stopped(activated: Activated) -> None:
    service = activated.service
    with service:
        first = service.token
        assert service.stop() == 0, service.log()
        assert service.settings.socket.exists()
        with activated.space.inside(), socket.socket() as squatter:
            squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with pytest.raises(OSError, match="in use"):
                squatter.bind(("127.0.0.1", activated.port))
        thread, answers = in_thread(activated.ask_by_tcp)
        service.start()
        thread.join(START)
        assert answers == [200]
        assert service.token == first


def test_which_socket_it_came_by_decides_who_asks(activated: Activated) -> None:
    with activated.service as service:
        assert service.call("GET", "/status").status == 200
        assert service.tcp("GET", "/api/v1/status").status == 401
        assert service.tcp("GET", "/api/v1/status", token=service.token).status == 200
        assert service.tcp("GET", "/api/v1/status", {"host": "evil.example"}).status == 421


UNFIT = {
    "another path": (socket.AF_UNIX, "other.sock", "wanted ListenStream="),
    "every address": (socket.AF_INET, ("0.0.0.0", 0), "wanted ListenStream=127.0.0.1:8480"),
}


@pytest.mark.parametrize("case", UNFIT)
def test_a_socket_that_does_not_fit_is_refused(lab: Lab, tmp_path: Path, case: str) -> None:
    family, named, words = UNFIT[case]
    space = lab.namespace()
    address = str(tmp_path / named) if isinstance(named, str) else named
    with listening(space, family, address) as one:
        service = Service(space, tmp_path, lab.bpffs, handed=[one])
        with pytest.raises(AssertionError, match="socket activation: systemd handed over"):
            service.start()
        assert words in service.log()
        assert not service.settings.socket.exists()


@pytest.fixture
def heard(tmp_path: Path) -> Iterator[socket.socket]:
    """systemd's end of NOTIFY_SOCKET."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        one.bind(str(tmp_path / "notify"))
        one.settimeout(PATIENCE)
        yield one


def test_systemd_is_told_when_it_is_ready_alive_and_ending(
    lab: Lab, tmp_path: Path, heard: socket.socket
) -> None:
    environ = {"NOTIFY_SOCKET": heard.getsockname(), "WATCHDOG_USEC": "300000"}
    with Service(lab.namespace(), tmp_path, lab.bpffs, environ=environ) as service:
        page = service.address.partition("#")[0]
        assert heard.recv(4096).decode() == f"READY=1\nSTATUS=page at {page}"
        assert [heard.recv(4096) for _ in range(3)] == [b"WATCHDOG=1"] * 3
        assert service.stop() == 0, service.log()
        while (said := heard.recv(4096)) == b"WATCHDOG=1":
            pass
        assert said.startswith(b"STOPPING=1\n")


def test_a_loop_that_stands_still_is_not_called_alive(heard: socket.socket) -> None:
    environ = {"NOTIFY_SOCKET": heard.getsockname(), "WATCHDOG_USEC": "30000"}
    manager = ServiceManager(environ)
    assert environ == {}, "children would be taken for the service"

    async def stand_still() -> None:
        manager.ready("up")
        assert heard.recv(4096).startswith(b"READY=1")
        await asyncio.sleep(0)
        assert heard.recv(4096) == b"WATCHDOG=1"
        heard.settimeout(0.2)
        with pytest.raises(TimeoutError):
            heard.recv(4096)
        manager.close()

    asyncio.run(stand_still())


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": "/nowhere/notify"}])
def test_where_nobody_listens_nothing_fails(environ: dict[str, str]) -> None:
    manager = ServiceManager(dict(environ))
    manager.ready("up")
    manager.stopping()
    manager.close()
    assert manager.watchdog_seconds is None


def test_another_processs_watchdog_is_not_ours() -> None:
    assert ServiceManager({"WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"}).watchdog_seconds is None
