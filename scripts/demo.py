"""`make demo`: block the pings across a bridge with one REST call, and see them counted.

Everything happens in two network namespaces of the demo's own: `xdpwall-demo` is a host with a
bridge docker0, `xdpwall-demo-box` a "container" behind it. The service runs in the first, with a
state folder, a bpffs folder and a socket of its own. Ends with 0 when every step did what it says.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HOST, BOX = "xdpwall-demo", "xdpwall-demo-box"
BOX_ADDRESS = "172.17.0.2"
BPFFS = Path("/sys/fs/bpf/xdpwall-demo")
XDPWALL = (sys.executable, "-m", "xdpwall")
PINGS = 5
PATIENCE = 120.0
"""Seconds that anything may take to be ready."""


class Wrong(Exception):
    """A step did not do what it should."""


def say(text: str) -> None:
    """A heading: what comes next."""
    print(f"\n== {text}", flush=True)


def expect(fact: bool, text: str) -> None:
    """Show what was found; Wrong when it is not so."""
    if not fact:
        raise Wrong(f"expected: {text}")
    print(f"   ok: {text}", flush=True)


def run(*command: str) -> None:
    """Run a program that must succeed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Wrong(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")


def inside(space: str, *command: str | Path) -> list[str]:
    """The command line that runs `command` in a namespace (bpffs stays in sight)."""
    return ["nsenter", f"--net=/run/netns/{space}", *map(str, command)]


def until(ready: Callable[[], bool], what: str, process: subprocess.Popen[bytes]) -> None:
    """Wait for a condition; Wrong when the process that should bring it about has ended."""
    deadline = time.monotonic() + PATIENCE
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise Wrong(f"{what} does not answer")
        time.sleep(0.05)


def build() -> None:
    """The two namespaces, the bridge and the cable between them."""
    for space in (HOST, BOX):
        run("ip", "netns", "add", space)
        run("ip", "-n", space, "link", "set", "lo", "up")
    for line in (
        "link add docker0 type bridge forward_delay 0",
        "addr add 172.17.0.1/16 dev docker0",
        "link set docker0 up",
        f"link add veth0 type veth peer name eth0 netns {BOX}",
        "link set veth0 master docker0 up",
    ):
        run("ip", "-n", HOST, *line.split())
    run("ip", "-n", BOX, "addr", "add", f"{BOX_ADDRESS}/16", "dev", "eth0")
    run("ip", "-n", BOX, "link", "set", "eth0", "up")


def clear() -> None:
    """Remove what this demo, or one that was killed, has left."""
    for space in (HOST, BOX):
        if not Path("/run/netns", space).exists():
            continue
        listed = subprocess.run(
            ["ip", "netns", "pids", space], capture_output=True, text=True, check=False
        )
        for pid in listed.stdout.split():
            os.kill(int(pid), signal.SIGKILL)
        run("ip", "netns", "del", space)
    shutil.rmtree(BPFFS, ignore_errors=True)


def ping(count: int = PINGS, *, dead: bool = False) -> int:
    """Ping the container from the host; how many answers came.

    `dead`: none is expected. Else late ones are waited for, and asked for again: without a deadline
    ping(1) takes the last one as lost after 0.2 s.
    """
    wait = ("-W", "1") if dead else ("-w", f"{PATIENCE:.0f}")
    command = inside(HOST, "ping", "-q", "-c", str(count), "-i", "0.2", *wait, BOX_ADDRESS)
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"(\d+) received", said.stdout)
    if found is None:
        raise Wrong(f"ping: {said.stderr or said.stdout}")
    print(f"   $ ping -c {count} {BOX_ADDRESS}    {said.stdout.splitlines()[-2]}", flush=True)
    return int(found[1])


def fetch() -> bool:
    """Fetch the container's page from the host."""
    code = f"import urllib.request as u; u.urlopen('http://{BOX_ADDRESS}/', timeout=30).read()"
    command = inside(HOST, sys.executable, "-c", code)
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


class Rest:
    """The service, by its unix socket."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Send one request and show it as a curl line; the JSON answer, Wrong on an error."""
        data = f" --json '{json.dumps(body)}'" if body else ""
        verb = "" if method == "GET" or (method == "POST" and body) else f" -X {method}"
        line = f"curl --unix-socket {self.path}{verb} http://localhost/api/v1{path}{data}"
        print(f"   $ {line}", flush=True)
        connection = http.client.HTTPConnection("localhost", timeout=PATIENCE)
        connection.sock = socket.socket(socket.AF_UNIX)
        try:
            connection.sock.connect(str(self.path))
            connection.request(
                method,
                f"/api/v1{path}",
                json.dumps(body) if body else None,
                {"content-type": "application/json"} if body else {},
            )
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if answer.status >= 400:
            raise Wrong(f"{method} {path}: {answer.status} {text.decode()}")
        return json.loads(text)

    def answers(self) -> bool:
        """Whether somebody listens."""
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.path)) == 0


def show(folder: Path, processes: list[subprocess.Popen[bytes]]) -> None:
    """The demonstration, step by step."""
    say("a host with a bridge docker0, and a container behind it that serves a page")
    build()
    (folder / "www").mkdir()
    (folder / "www/index.html").write_text("hello\n", encoding="utf-8")
    web = inside(BOX, sys.executable, "-m", "http.server", "80", "-d", folder / "www")
    with (folder / "web.log").open("wb") as log:
        processes.append(subprocess.Popen(web, stdout=log, stderr=log))
    until(fetch, "the container's page", processes[-1])
    expect(ping() == PINGS, "ping works")
    expect(fetch(), "HTTP works")

    say("xdpwall starts in the host's namespace and attaches to docker0")
    paths = {
        "XDPWALL_STATE_DIR": folder / "state",
        "XDPWALL_BPFFS": BPFFS,
        "XDPWALL_SOCKET": folder / "xdpwall.sock",
    }
    environ = {**os.environ, **{name: str(path) for name, path in paths.items()}}
    with (folder / "serve.log").open("wb") as log:
        serve = inside(HOST, *XDPWALL, "serve", "--port", "0")
        processes.append(subprocess.Popen(serve, env=environ, stdout=log, stderr=log))
    rest = Rest(paths["XDPWALL_SOCKET"])
    until(rest.answers, "the service", processes[-1])
    body: dict[str, Any] = {"mode": "auto"}
    attached = rest.call("PUT", "/interfaces/docker0/attachments/xdp", body)["attachment"]
    expect(attached["mode"] == "generic", "a bridge takes XDP in generic mode")
    expect(ping() == PINGS, "ping still works: no rule, and the policy is accept")

    say("one call blocks ICMP")
    body = {"action": "drop", "iface": "docker0", "proto": "icmp", "comment": "no pings"}
    rule = rest.call("POST", "/rules", body)["id"]
    expect(ping(dead=True) == 0, "ping is dead")
    expect(fetch(), "HTTP is alive")
    counted = rest.call("GET", f"/rules/{rule}")["packets"]
    expect(counted == PINGS, f"the rule counted {PINGS} packets, one for each ping")

    say("the rule is deleted")
    rest.call("DELETE", f"/rules/{rule}")
    expect(ping() == PINGS, "ping is back")
    rest.call("DELETE", "/interfaces/docker0/attachments/xdp")


def main() -> int:
    """Show it, and clean up whatever happened."""
    if os.geteuid():
        print("error: the demo makes network namespaces and needs root", file=sys.stderr)
        return 4
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    clear()
    processes: list[subprocess.Popen[bytes]] = []
    with tempfile.TemporaryDirectory(prefix="xdpwall-demo-") as name:
        try:
            show(Path(name), processes)
        except Wrong as error:
            print(f"error: {error}", file=sys.stderr)
            for log in sorted(Path(name).glob("*.log")):
                print(f"-- {log.name}\n{log.read_text(errors='replace')}", file=sys.stderr)
            return 1
        finally:
            for process in reversed(processes):
                process.kill()
                process.wait()
            clear()
    say("everything was removed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
