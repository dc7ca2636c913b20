"""Hermetic network namespaces for tests.

    def test_x(lab):                      # fixture of tests/conftest.py
        host, box = lab.namespace("host"), lab.namespace("box")
        lab.bridge(host, "docker0", "172.17.0.1/16")
        lab.veth(host, "veth0", box, "eth0", master="docker0", peer_address="172.17.0.2/16")
        with host.inside():               # this thread's network is now host's
            ...
        box.run("ping", "-c1", "172.17.0.1")
        lab.bpffs / "pins"                # a bpffs folder of this test's own

Namespaces are called xwt-<hash of the test's name>-<name>; they are removed before and after.
"""

from __future__ import annotations

import contextlib
import faulthandler
import hashlib
import os
import pickle
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from pyroute2 import netns as _netns

T = TypeVar("T")
PATIENCE = 60.0
"""Seconds for what comes true in a moment: a machine that stands still for some is no failure."""
_ONE_TRY = 5.0
"""Seconds that one try counts at most."""
RUN_NETNS = Path("/run/netns")
BPFFS = Path("/sys/fs/bpf")


def wait_for(
    condition: Callable[[], T], what: str, *, timeout: float = PATIENCE, every: float = 0.005
) -> T:
    """Return the condition's first true value; AssertionError after `timeout` seconds in which this process
    ran, with what each of its threads is doing on standard error."""
    left, last = timeout, time.monotonic()
    while True:
        if value := condition():
            return value
        # A machine that stood still (a snapshot, a migration) gave nobody the time to make it true.
        now = time.monotonic()
        left, last = left - min(now - last, _ONE_TRY), now
        if left < 0:
            faulthandler.dump_traceback()
            raise AssertionError(f"not within {timeout} s: {what}")
        time.sleep(every)


def command(*argv: str) -> str:
    """Run a program to its end and return its stdout; AssertionError shows its stderr."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(argv)}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


class Namespace:
    """One network namespace. Mounts are the machine's, so the bpffs is visible."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.path = RUN_NETNS / name

    @property
    def inode(self) -> int:
        """The number that names the namespace in the kernel."""
        return self.path.stat().st_ino

    def argv(self, *argv: str) -> list[str]:
        """The command line that runs `argv` in here (for Popen)."""
        return ["nsenter", f"--net={self.path}", *argv]

    def run(self, *argv: str) -> str:
        """Run a program in here to its end; AssertionError unless it exits with 0."""
        return command(*self.argv(*argv))

    def status(self, *argv: str) -> int:
        """Run a program in here and return its exit code."""
        return subprocess.run(self.argv(*argv), capture_output=True, check=False).returncode

    def ip(self, line: str) -> str:
        """`ip LINE` in here."""
        return command("ip", "-n", self.name, *line.split())

    def tc(self, line: str) -> str:
        """`tc LINE` in here."""
        return command("tc", "-n", self.name, *line.split())

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """Enter this namespace with the current thread; sockets opened inside stay in it."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _netns.setns(str(self.path))
            try:
                yield
            finally:
                _netns.setns(home)
        finally:
            os.close(home)

    def call(self, function: Callable[..., T], *args: Any, **named: Any) -> T:
        """Run a function in here in a process of its own; returns its result or raises its exception."""
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            try:
                _netns.setns(str(self.path))
                answer: tuple[bool, Any] = (True, function(*args, **named))
            except BaseException as error:  # noqa: BLE001 - it is raised again in the parent
                answer = (False, error)
            with os.fdopen(writer, "wb") as pipe:
                try:
                    pipe.write(pickle.dumps(answer))
                except Exception as error:  # noqa: BLE001 - what pickle says, whatever it is
                    pipe.write(pickle.dumps((False, RuntimeError(f"{answer!r}: {error}"))))
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            data = pipe.read()
        os.waitpid(child, 0)
        done, value = pickle.loads(data)
        if not done:
            raise value
        result: T = value
        return result

    def index(self, iface: str) -> int:
        """The interface's index in here."""
        return int(self.ip(f"-o link show {iface}").split(":")[0])

    def set_mtu(self, iface: str, mtu: int) -> None:
        """MTU in bytes."""
        self.ip(f"link set {iface} mtu {mtu}")


class Lab:
    """Everything that one test makes in the system; clean() removes it."""

    def __init__(self, test: str) -> None:
        self.tag = "xwt-" + hashlib.sha256(test.encode()).hexdigest()[:8]
        self._bpffs: Path | None = None

    @property
    def bpffs(self) -> Path:
        """A folder for this test in the bpffs, which is mounted if it is not."""
        if self._bpffs is None:
            if not os.path.ismount(BPFFS):
                command("mount", "-t", "bpf", "bpf", str(BPFFS))
            self._bpffs = BPFFS / self.tag
            self._bpffs.mkdir(exist_ok=True)
        return self._bpffs

    def namespace(self, name: str = "a") -> Namespace:
        """A fresh namespace with loopback up, without IPv6 chatter on links made later."""
        space = Namespace(f"{self.tag}-{name}")
        command("ip", "netns", "add", space.name)
        space.run(
            "sysctl",
            "-qw",
            "net.ipv6.conf.default.accept_dad=0",
            "net.ipv6.conf.default.router_solicitations=0",
            "net.ipv6.conf.default.addr_gen_mode=1",
        )
        space.ip("link set lo up")
        return space

    def veth(
        self,
        space: Namespace,
        name: str,
        peer_space: Namespace,
        peer: str,
        *,
        address: str | None = None,
        peer_address: str | None = None,
        master: str | None = None,
    ) -> None:
        """Add a veth: `name` in `space` and `peer` in `peer_space`, both up and with carrier."""
        space.ip(f"link add {name} type veth peer name {peer} netns {peer_space.name}")
        if master:
            space.ip(f"link set {name} master {master}")
        for where, iface, value in ((space, name, address), (peer_space, peer, peer_address)):
            if value:
                where.ip(f"addr add {value} dev {iface}{' nodad' if ':' in value else ''}")
            where.ip(f"link set {iface} up")
        wait_for(lambda: "state UP" in space.ip(f"link show {name}"), f"{name} up")
        wait_for(lambda: "state UP" in peer_space.ip(f"link show {peer}"), f"{peer} up")

    def pair(self) -> tuple[Namespace, Namespace]:
        """Two namespaces joined by a veth: v0 in host, eth0 in box; no addresses."""
        host, box = self.namespace("host"), self.namespace("box")
        self.veth(host, "v0", box, "eth0")
        return host, box

    def bridge(self, space: Namespace, name: str, *addresses: str) -> None:
        """Add a bridge without STP delay, up."""
        space.ip(f"link add {name} type bridge forward_delay 0 mcast_snooping 0")
        for value in addresses:
            space.ip(f"addr add {value} dev {name}{' nodad' if ':' in value else ''}")
        space.ip(f"link set {name} up")

    def clean(self) -> None:
        """Kill the processes in this lab's namespaces, remove them and the bpffs folder."""
        spaces = sorted(RUN_NETNS.glob(f"{self.tag}-*")) if RUN_NETNS.is_dir() else []
        for path in spaces:
            listing = subprocess.run(
                ["ip", "netns", "pids", path.name], capture_output=True, text=True, check=False
            )
            for pid in listing.stdout.split():
                if int(pid) != os.getpid():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(int(pid), signal.SIGKILL)
            command("ip", "netns", "del", path.name)
        shutil.rmtree(BPFFS / self.tag, ignore_errors=True)
        self._bpffs = None
