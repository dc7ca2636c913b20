"""The service as a process: start, stop, kill, stale sockets, tokens; and it never stalls."""

from __future__ import annotations

import contextlib
import fcntl
import grp
import os
import re
import signal
import socket
import stat
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.net.netns import Lab, wait_for
from tests.support.service.service import START, Service
from xdpwall.api.server import serve
from xdpwall.api.serving import listen
from xdpwall.api.serving.listen import tcp_socket, unix_socket
from xdpwall.api.serving.token import take_over_token
from xdpwall.errors import Conflict, Failed, InvalidInput, Refused
from xdpwall.settings import Settings


@pytest.fixture
def own(lab: Lab, tmp_path: Path) -> Iterator[Service]:
    """A service of this test's own, not yet started."""
    service = Service(lab.namespace(), tmp_path, lab.bpffs)
    yield service
    service.kill()


def test_stop_and_start_again(own: Service) -> None:
    with own:
        first = own.token
        own.call("POST", "/rules", {"action": "count", "id": "kept"})
        assert own.stop() == 0, own.log()
        assert not own.settings.socket.exists()
        own.start()
        assert own.token == first
        assert own.call("GET", "/rules/kept").status == 200
        assert "Traceback" not in own.log()


def test_a_hangup_does_not_end_a_daemon(own: Service) -> None:
    with own:
        os.kill(own.pid, signal.SIGHUP)
        wait_for(lambda: "SIGHUP" in own.log(), "it has come")
        assert own.call("GET", "/healthz").status == 200
        assert own.stop() == 0


def test_a_killed_service_leaves_no_obstacle(own: Service) -> None:
    with own:
        own.call("POST", "/rules", {"action": "count", "id": "kept"})
        own.kill()
        assert own.settings.socket.exists()
        own.start()
        assert own.call("GET", "/rules/kept").status == 200
        assert own.call("GET", "/healthz").json["status"] == "ok"


def test_stop_waits_for_a_change_in_progress(own: Service) -> None:
    with own:
        with _waiting_change(own) as answers:
            os.kill(own.pid, 15)
            wait_for(lambda: not _accepts(own), "the service has stopped to listen")
        assert answers == [201]
        assert own.stop() == 0


def test_a_slow_change_does_not_stall_the_service(own: Service) -> None:
    with own:
        token = own.token
        with _waiting_change(own) as answers:
            for _ in range(3):
                health = own.tcp("GET", "/healthz")
                assert health.status == 200
                assert health.json["status"] == "degraded"
                assert own.tcp("GET", "/").status == 200
                assert own.tcp("GET", "/api/v1/openapi.json", token=token).status == 200
            assert not answers
        assert answers == [201]
        assert own.call("GET", "/healthz").json["status"] == "ok"


def test_one_service_for_one_instance(own: Service, lab: Lab, tmp_path: Path) -> None:
    with own:
        elsewhere = tmp_path / "other.sock"
        settings = own.settings
        same_state = Settings(settings.state_dir, settings.bpffs, elsewhere)
        for wanted in (same_state, settings):
            with pytest.raises(Conflict) as caught:
                own.space.call(_serve, wanted)
            assert caught.value.code == "already-running"
        assert not elsewhere.exists()
        assert own.call("GET", "/healthz").status == 200


def _serve(settings: Settings) -> None:
    try:
        serve(settings, port=0)
    except Conflict as error:
        # Exceptions with keywords do not pickle.
        raise _plain(error) from None


def _plain(error: Conflict) -> Conflict:
    plain = Conflict(error.message)
    plain.code = error.code
    return plain


def test_the_service_is_small(own: Service) -> None:
    with own:
        own.call("POST", "/rules", ["drop icmp", "count udp"])
        for path in ("/interfaces", "/status", "/stats", "/rules"):
            assert own.call("GET", path).status == 200
        text = Path(f"/proc/{own.pid}/status").read_text()
        resident = int(re.findall(r"VmRSS:\s+(\d+) kB", text)[0]) / 1024
        assert resident < 100, f"{resident:.0f} MB"


def test_whoever_can_connect_and_has_no_role_changes_nothing(own: Service) -> None:
    with own:
        own.settings.socket.parent.chmod(0o711)
        own.settings.socket.chmod(0o666)
        ask = (
            "import socket; s = socket.socket(socket.AF_UNIX); s.connect('xdpwall.sock');"
            "s.sendall(b'PUT /api/v1/switch HTTP/1.1\\r\\nhost: x\\r\\nconnection: close\\r\\n'"
            "b'content-type: application/json\\r\\ncontent-length: 13\\r\\n\\r\\n{\"on\": false}');"
            "print(s.recv(12).decode())"
        )
        done = subprocess.run(
            ["/usr/bin/python3", "-c", ask], cwd=own.settings.socket.parent, user=65534,
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert done.stdout == "HTTP/1.1 403\n"
        assert own.call("GET", "/status").json["on"] is True


# -- the unix socket and the port, without a service ----------------------------------------------


def test_something_else_at_the_sockets_path_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("precious")
    with pytest.raises(Conflict) as caught, unix_socket(path):
        pass
    assert caught.value.code == "not-a-socket"
    assert path.read_text() == "precious"


def test_a_socket_that_answers_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        with pytest.raises(Conflict) as caught, unix_socket(path):
            pass
        assert caught.value.code == "already-running"
    assert path.exists()


def test_the_group_may_use_the_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run" / "s"
    monkeypatch.setattr(listen, "SOCKET_GROUP", "daemon")
    with unix_socket(path):
        state = path.stat()
        assert stat.S_IMODE(state.st_mode) == 0o660
        assert state.st_gid == grp.getgrnam("daemon").gr_gid
    assert not path.exists()


def test_a_socket_of_a_successor_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with unix_socket(path):
        path.unlink()
        path.write_text("the next one's")
    assert path.exists()


def test_a_path_too_long_for_a_socket(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as caught, unix_socket(tmp_path / ("x" * 108)):
        pass
    assert caught.value.field == "socket"


def test_a_port_in_use() -> None:
    with tcp_socket("127.0.0.1", 0) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Conflict) as caught, tcp_socket("127.0.0.1", port):
            pass
    assert caught.value.code == "address-in-use"


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.org", "", "127.1"])
def test_only_loopback_is_listened_on(host: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        serve(Settings(tmp_path / "state", tmp_path / "bpf", tmp_path / "s"), host)
    assert caught.value.field == "host"
    assert not list(tmp_path.iterdir())


# -- the token ------------------------------------------------------------------------------------


@pytest.fixture
def former(tmp_path: Path) -> Path:
    """The file of an earlier release."""
    path = tmp_path / "token"
    path.write_text("x" * 43 + "\n")
    path.chmod(0o600)
    return path


def test_the_token_of_an_earlier_release_is_taken_over(former: Path) -> None:
    kept: list[str] = []
    assert take_over_token(former.parent, kept.append)
    assert kept == ["x" * 43]
    assert not former.exists()
    assert not take_over_token(former.parent, kept.append)


def test_it_stays_until_it_is_kept(former: Path) -> None:
    def cannot(secret: str) -> None:
        raise Failed("no space")

    with pytest.raises(Failed):
        take_over_token(former.parent, cannot)
    assert former.exists()


def test_a_service_goes_on_with_it(own: Service) -> None:
    folder = own.settings.state_dir
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / "token").write_text("y" * 43)
    (folder / "token").chmod(0o600)
    with own:
        assert own.tcp("GET", "/api/v1/session", token="y" * 43).json == {
            "name": "token first", "via": "tcp", "role": "admin",
        }  # fmt: skip
        assert not (folder / "token").exists()
        for file in (one for one in folder.rglob("*") if one.is_file()):
            assert b"y" * 43 not in file.read_bytes(), file
        own.stop()
        own.start()
        assert own.tcp("GET", "/api/v1/session", token="y" * 43).status == 200


def test_an_exposed_token_is_refused(former: Path) -> None:
    former.chmod(0o644)
    with pytest.raises(Refused) as caught:
        take_over_token(former.parent, lambda secret: None)
    assert caught.value.code == "token-exposed"


@pytest.mark.parametrize("text", ["", "short", "x" * 31, "with blanks " * 5, "é" * 40])
def test_a_file_that_holds_no_token(former: Path, text: str) -> None:
    former.write_text(text)
    with pytest.raises(Failed) as caught:
        take_over_token(former.parent, lambda secret: None)
    assert "rm " in (caught.value.hint or "")


# -- help -----------------------------------------------------------------------------------------


@contextlib.contextmanager
def _waiting_change(service: Service) -> Iterator[list[int]]:
    """A change that waits inside, for the lock that another command would hold; the list then has
    the status that it got."""
    answers: list[int] = []
    with (service.settings.state_dir / "lock").open("r+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        asking = threading.Thread(
            target=lambda: answers.append(service.call("POST", "/rules", {"action": "drop"}).status)
        )
        asking.start()
        wait_for(lambda: _busy(service), "the change waits for the lock")
        yield answers
    asking.join(START)


def _busy(service: Service) -> bool:
    problems = service.call("GET", "/healthz").json["problems"]
    return any("a change is being made" in problem for problem in problems)


def _accepts(service: Service) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(service.settings.socket))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        return True
