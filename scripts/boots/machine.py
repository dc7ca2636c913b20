"""An emulated machine with a card for each interface, on taps in a network namespace, and pings to all of them."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.net.netns import Lab, Namespace

CARDS = {
    "port0": "virtio-net-pci",
    "fast0": "e1000e",
    "slow0": "e1000",
    "open0": "vmxnet3",
    "stuck0": "rtl8139",
}
"""Interface of the guest -> QEMU's card. Their drivers are told apart by it; slow0's loads late, and that of stuck0
has no native XDP."""
PINGED = {"br0": 1, "fast0": 2, "slow0": 3, "open0": 4}
"""Interface of the guest -> N of its address 10.0.N.2. br0 is the bridge over port0."""


_TELL = "systemd.show_status=0 systemd.journald.forward_to_console=1"
"""What the guest's journal gets stands on the console, too, which is there without a report."""


@dataclass
class Boot:
    """What came of a boot."""

    seconds: float
    """From power-on to power-off."""
    said: str
    """What guest/root/report wrote."""
    journal: str
    console: str
    answers: dict[str, int]
    """Pings answered by interface."""
    sent: dict[str, int]
    """Pings sent by interface."""


def boot(kernel: Path, initrd: Path, disk: Path, work: Path, *, seconds: float) -> Boot:
    """Power on, ping until it powers itself off, or for so many seconds."""
    lab = Lab("test-boot")
    lab.clean()
    try:
        cable = lab.namespace("cable")
        options: list[str] = []
        for number, (name, card) in enumerate(CARDS.items(), 1):
            cable.ip(f"tuntap add dev {name} mode tap")
            cable.ip(f"addr add 10.0.{number}.1/24 dev {name}")
            cable.ip(f"link set {name} up")
            options += ["-netdev", f"tap,id={name},ifname={name},script=no,downscript=no"]
            options += ["-device", f"{card},netdev={name},mac=52:54:00:00:00:0{number}"]
        begun = time.monotonic()
        with _pings(cable, work) as logs:
            command = [
                "qemu-system-x86_64", "-accel", "tcg,thread=single", "-cpu", "max,-avx2",
                "-smp", "2", "-m", "2G", "-nodefaults", "-display", "none", "-no-reboot",
                "-kernel", str(kernel), "-initrd", str(initrd),
                "-append", f"console=ttyS0 quiet {_TELL}",
                "-serial", f"file:{work / 'console'}",
                "-drive", f"file={disk},format=raw,if=virtio,cache=unsafe", *options,
            ]  # fmt: skip
            with subprocess.Popen(cable.argv(*command), stdin=subprocess.DEVNULL) as machine:
                try:
                    machine.wait(seconds)
                except subprocess.TimeoutExpired:
                    machine.kill()
        took = time.monotonic() - begun
        pings = {name: log.read_text(encoding="utf-8") for name, log in logs.items()}
        return Boot(
            took,
            _file_on(disk, "/root/report.said"),
            _file_on(disk, "/root/report.journal"),
            (work / "console").read_text(encoding="utf-8", errors="replace"),
            {name: text.count(" bytes from ") for name, text in pings.items()},
            {name: _sent(text) for name, text in pings.items()},
        )
    finally:
        lab.clean()


@contextmanager
def _pings(cable: Namespace, work: Path) -> Iterator[dict[str, Path]]:
    """Ping every interface four times a second; gives what ping(1) writes, by interface."""
    logs = {name: work / f"ping-{name}" for name in PINGED}
    running: list[subprocess.Popen[bytes]] = []
    try:
        for name, number in PINGED.items():
            with logs[name].open("wb") as log:
                argv = cable.argv("ping", "-n", "-D", "-i", "0.25", f"10.0.{number}.2")
                running.append(subprocess.Popen(argv, stdout=log, stderr=log))
        yield logs
    finally:
        for one in running:
            one.send_signal(2)
            one.wait()


def _sent(text: str) -> int:
    found = re.search(r"(\d+) packets transmitted", text)
    return int(found[1]) if found else 0


def _file_on(disk: Path, path: str) -> str:
    """The text of a file in an ext4 file system; empty when it is not there."""
    command = ["debugfs", "-R", f"cat {path}", str(disk)]
    done = subprocess.run(command, capture_output=True, check=False)
    return done.stdout.decode("utf-8", "replace")
