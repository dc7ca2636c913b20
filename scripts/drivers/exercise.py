"""One card in one mode: attached, brought down and up, with other MTUs, detached; packets judged after each."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from scripts.drivers import nics
from xdpwall import Firewall
from xdpwall.errors import XdpwallError
from xdpwall.values.terms import WantedMode

RULES = {
    "answers": f"count udp sport {nics.DATAGRAMS} in",
    "drop-in": f"drop udp sport {nics.DROPPED_IN} in",
    "drop-out": f"drop udp dport {nics.DROPPED_OUT} out",
    "bulk": f"count tcp sport {nics.BULK} in",
    "super": f"count tcp sport {nics.BULK} length {nics.ETHERNET_MTU + 1}-65535 in",
}

Mode = Literal["auto", "native", "generic", "tc"]
MODES: tuple[Mode, ...] = ("auto", "native", "generic", "tc")
PACKETS = 10
SMALL = 400
"""Bytes of a datagram."""
_SO_RCVBUFFORCE = 33
PATIENCE = 20.0
"""Seconds to wait for what must come."""
SMALL_SEGMENT = 1400
"""Bytes of a segment at any MTU, where larger packets are not carried."""
BULK_PATIENCE = 8.0
"""Seconds without a byte of a stream, after which it is given up."""
TOLD = 30.0
"""Seconds within which the service tells of an attachment that sees nothing."""


@dataclass
class Step:
    """What came of one step: "ok", "told" (it does not work, and status says so), "FAILED"."""

    name: str
    result: str
    note: str = ""


class Exercise:
    """Runs the steps on one interface of the guest; `steps` fills up."""

    def __init__(
        self, firewall: Firewall, nic: nics.Nic, number: int, mode: Mode, *, jumbo: bool
    ) -> None:
        """`jumbo`: whether packets of JUMBO_MTU arrive where nothing is attached."""
        self._firewall = firewall
        self._nic = nic
        self._mode = mode
        self._jumbo = jumbo
        self._here, self._peer = nics.guest_address(number), nics.peer_address(number)
        self.steps: list[Step] = []
        self.got: str | None = None
        """The mode that the attachment got, or why it was refused."""
        self.why_generic: str | None = None
        self.super_packets = 0
        """Packets over the MTU that the rules met."""

    def run(self) -> dict[str, object]:
        """Every step; what to write into the results."""
        began = time.monotonic()
        if self._attach():
            self._step("traffic", self._judged)
            self._down_and_up()
            self._step("down and up", self._judged)
            if self._nic.jumbo:
                self._mtu("MTU up", nics.JUMBO_MTU)
                self._mtu("MTU down", nics.ETHERNET_MTU)
            self._step("detach", self._detached)
        return {
            "nic": self._nic.name,
            "mode": self._mode,
            "got": self.got,
            "why_generic": self.why_generic,
            "super_packets": self.super_packets,
            "seconds": round(time.monotonic() - began, 1),
            "steps": [asdict(step) for step in self.steps],
        }

    @property
    def summary(self) -> str:
        """One line: what it got, and what came of each step."""
        steps = ", ".join(f"{step.name} {step.result}" for step in self.steps)
        return f"{self.got}: {steps}"

    def _attach(self) -> bool:
        try:
            if self._mode == "tc":
                for direction in ("ingress", "egress"):
                    self._firewall.attach(self._nic.name, hook="tc", direction=direction)
                self.got = "tc"
            else:
                wanted: WantedMode = self._mode
                outcome = self._firewall.attach(self._nic.name, mode=wanted)
                self.got, self.why_generic = outcome.attachment.mode, outcome.why_generic
        except XdpwallError as error:
            self.got = "refused"
            words = " ".join(filter(None, (error.message, error.detail, error.hint)))
            refused = self._mode == "native" and error.code == "no-native"
            self.steps.append(Step("attach", "refused" if refused else "FAILED", words))
            return False
        self.steps.append(Step("attach", "ok"))
        return True

    def _step(self, name: str, work: Callable[[], str | None]) -> None:
        """Note a step; `work` returns what is wrong. That status tells it makes it "told"."""
        try:
            wrong = work()
        except (OSError, XdpwallError, subprocess.CalledProcessError) as error:
            wrong = f"{type(error).__name__}: {error}"
        if wrong is None:
            self.steps.append(Step(name, "ok"))
            return
        said = self._told()
        self.steps.append(
            Step(name, "told" if said else "FAILED", f"{wrong}; {said or 'not told'}")
        )

    def _told(self) -> str | None:
        """What status warns of this interface, once it does. Traffic goes on meanwhile."""
        until = time.monotonic() + TOLD
        while time.monotonic() < until:
            with self._asking() as ask:
                for _ in range(20):
                    ask(nics.DATAGRAMS, 100)
                    time.sleep(0.1)
            for warning in self._firewall.status().warnings:
                if warning.startswith(f"{self._nic.name} "):
                    return warning
        return None

    def carries_jumbo(self) -> bool:
        """Whether packets of JUMBO_MTU arrive with nothing attached and LRO off, as generic XDP leaves it:
        not every emulation does it (QEMU's vmxnet3 reports errors)."""
        if not self._nic.jumbo:
            return False
        self._large_receive("off")
        try:
            return self._carries(nics.JUMBO_MTU - 28)
        finally:
            _ip(f"link set {self._nic.name} mtu {nics.ETHERNET_MTU}")
            self._large_receive("on")

    def _large_receive(self, state: str) -> None:
        # A card without LRO refuses, which is as good as off.
        command = ["ethtool", "-K", self._nic.name, "lro", state]
        subprocess.run(command, check=False, capture_output=True)

    def _carries(self, size: int) -> bool:
        _ip(f"link set {self._nic.name} mtu {nics.JUMBO_MTU}")
        if not self._reached():
            return False
        with self._asking() as ask:
            for _ in range(PACKETS):
                ask(nics.DATAGRAMS, size)
            wanted = {nics.DATAGRAMS: PACKETS}
            return ask.answers(wanted) == wanted and self._bulk() == nics.BULK_BYTES

    def _judged(self, size: int = SMALL) -> str | None:
        """Real packets both ways; what the rules did not do."""
        if not self._reached():
            return "the peer does not answer"
        before = self._counts()
        with self._asking() as ask:
            for port in (nics.DROPPED_OUT, nics.DROPPED_IN, nics.DATAGRAMS):
                for _ in range(PACKETS):
                    ask(port, size)
            answers = ask.answers({nics.DATAGRAMS: PACKETS})
        after = self._counts()
        grown = {name: after[name] - before[name] for name in after}
        wrong = []
        if answers.get(nics.DATAGRAMS, 0) != PACKETS:
            wrong.append(
                f"{answers.get(nics.DATAGRAMS, 0)} of {PACKETS} answers came ({size} bytes)"
            )
        if answers.get(nics.DROPPED_IN):
            wrong.append(f"{answers[nics.DROPPED_IN]} of {PACKETS} passed that must be dropped")
        if grown["drop-in"] != PACKETS:
            wrong.append(f"{grown['drop-in']} of {PACKETS} counted as dropped")
        if self._mode == "tc" and (grown["drop-out"], answers.get(nics.DROPPED_OUT, 0)) != (
            PACKETS,
            0,
        ):
            wrong.append(f"{grown['drop-out']} of {PACKETS} sent counted as dropped")
        bulk = self._bulk()
        if bulk != nics.BULK_BYTES:
            wrong.append(f"{bulk} of {nics.BULK_BYTES} bytes came by TCP")
        now = self._counts()
        if now["bulk"] == after["bulk"]:
            wrong.append("none of the TCP packets was counted")
        self.super_packets += now["super"] - after["super"] if size < nics.ETHERNET_MTU else 0
        return ", ".join(wrong) or None

    def _bulk(self) -> int:
        """The bytes of the peer's bulk that came."""
        got = 0
        try:
            with self._socket(socket.SOCK_STREAM) as stream:
                stream.settimeout(BULK_PATIENCE)
                if not self._jumbo:
                    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SMALL_SEGMENT)
                stream.connect((self._peer, nics.BULK))
                while data := stream.recv(1 << 16):
                    got += len(data)
        except OSError:
            return got
        return got

    def _down_and_up(self) -> None:
        for state in ("down", "up"):
            _ip(f"link set {self._nic.name} {state}")

    def _mtu(self, name: str, mtu: int) -> None:
        """Another MTU, and datagrams that fill it."""
        try:
            _ip(f"link set {self._nic.name} mtu {mtu}")
        except subprocess.CalledProcessError as error:
            words = f"MTU {mtu} refused: {error.stderr.strip()}"
            self.steps.append(Step(name, "refused", words))
            return
        size = mtu - 28 if self._jumbo or mtu < nics.JUMBO_MTU else SMALL
        self._step(name, lambda: self._judged(size))

    def _detached(self) -> str | None:
        """Detached: what was dropped passes."""
        self._firewall.detach(self._nic.name)
        if self._firewall.status().attachments:
            return "status still has the attachment"
        if not self._reached():
            return "the peer does not answer"
        with self._asking() as ask:
            for port in (nics.DROPPED_OUT, nics.DROPPED_IN):
                for _ in range(PACKETS):
                    ask(port, SMALL)
            wanted = {nics.DROPPED_OUT: PACKETS, nics.DROPPED_IN: PACKETS}
            answers = ask.answers(wanted)
        return None if answers == wanted else f"answers of {answers}"

    def _reached(self) -> bool:
        """Whether the peer answers at all; a link takes a while to come up."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            with self._asking() as ask:
                ask(nics.DATAGRAMS, 64)
                if ask.answers({nics.DATAGRAMS: 1}, seconds=1):
                    return True
        return False

    def _counts(self) -> dict[str, int]:
        rules = self._firewall.rules().rules
        return {name: rule.packets for name, rule in zip(RULES, rules, strict=False)}

    def _socket(self, kind: socket.SocketKind) -> socket.socket:
        made = socket.socket(socket.AF_INET, kind)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, self._nic.name.encode())
        made.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 8 << 20)  # read after all is sent
        made.bind((self._here, 0))
        return made

    @contextmanager
    def _asking(self) -> Iterator[_Asking]:
        with self._socket(socket.SOCK_DGRAM) as made:
            yield _Asking(made, self._peer)


class _Asking:
    """Sends datagrams to the peer and counts its answers by port."""

    def __init__(self, made: socket.socket, peer: str) -> None:
        self._socket = made
        self._peer = peer

    def __call__(self, port: int, size: int) -> None:
        # By tc egress a drop is an error of the sender too, and a link that is down is another.
        try:
            self._socket.sendto(bytes(size), (self._peer, port))
        except OSError:
            return
        time.sleep(0.005)  # no queue of the emulated cards runs over

    def answers(self, wanted: dict[int, int], seconds: float = 5.0) -> dict[int, int]:
        """Until those wanted are there or the time is over."""
        got: dict[int, int] = {}
        until = time.monotonic() + seconds
        while any(got.get(port, 0) < count for port, count in wanted.items()):
            left = until - time.monotonic()
            if left <= 0:
                break
            self._socket.settimeout(left)
            try:
                _, (_, port) = self._socket.recvfrom(1 << 16)
            except TimeoutError:
                break
            got[port] = got.get(port, 0) + 1
        return got


def prepare(nic: nics.Nic, number: int) -> None:
    """Name the card and give it its address."""
    for folder in Path("/sys/class/net").iterdir():
        if (folder / "address").read_text().strip() == nics.mac(number):
            _ip(f"link set {folder.name} down")
            _ip(f"link set {folder.name} name {nic.name}")
            _ip(f"link set {nic.name} up")
            _ip(f"addr add {nics.guest_address(number)}/24 dev {nic.name}")
            return
    raise RuntimeError(f"the guest has no card {nic.name}")


def _ip(line: str) -> None:
    subprocess.run(["ip", *line.split()], check=True, capture_output=True, text=True)
