"""A stand-in for a container engine's socket, for what a real one never answers: nonsense, and slowly."""

from __future__ import annotations

import json
import queue
import socketserver
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from xdpwall.closing import Closing

ID = "4f" * 32


def container(identity: str = ID, name: str = "/web", **changes: Any) -> dict[str, Any]:
    """What /containers/ID/json answers of a container that runs."""
    return {
        "Id": identity,
        "Name": name,
        "State": {"Pid": 1},
        "Config": {"Image": "web:1", "Labels": {"tier": "front"}},
        "NetworkSettings": {
            "Networks": {"bridge": {"IPAddress": "172.17.0.2", "GlobalIPv6Address": ""}},
            "Ports": {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}], "443/tcp": None},
        },
        **changes,
    }


NETWORK = {
    "Id": "a0" * 32,
    "Name": "bridge",
    "Driver": "bridge",
    "Options": {"com.docker.network.bridge.name": "docker0"},
}


class FakeEngine(Closing):
    """Answers with `answers`: path -> a value that becomes JSON, bytes, or a function that handles the
    request itself. Paths that are asked are in `asked`; what is not known is a 404."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.answers: dict[str, Any] = {"/containers/json": [], "/networks": [NETWORK]}
        self.asked: list[tuple[str, str]] = []
        self.events: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._server = _Server(str(path), _Handler)
        self._server.engine = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def run(self, *containers: dict[str, Any]) -> None:
        """Let these run from now on."""
        self.answers["/containers/json"] = [{"Id": one["Id"]} for one in containers]
        for one in containers:
            self.answers[f"/containers/{one['Id']}/json"] = one

    def close(self) -> None:
        """No more is answered, and the socket has gone."""
        self.events.put(None)
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self.path.unlink(missing_ok=True)


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    engine: FakeEngine


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def address_string(self) -> str:
        return "unix"

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def __getattr__(self, name: str) -> Callable[[], None]:
        if name.startswith("do_"):  # whatever the method, it is noted
            return self._do
        raise AttributeError(name)

    def _do(self) -> None:
        engine, path = self.server.engine, self.path.partition("?")[0]
        engine.asked.append((self.command, path))
        if path == "/events" and path not in engine.answers:
            self._events(engine)
            return
        answer = engine.answers.get(path)
        if callable(answer):
            answer(self)
            return
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(404 if answer is None else 200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _events(self, engine: FakeEngine) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while (event := engine.events.get()) is not None:
            line = json.dumps(event).encode() + b"\n"
            self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
        self.close_connection = True
