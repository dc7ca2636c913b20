"""python -m scripts.drivers.peer JSON: the other end of the cards' cables, and the guest itself.

Runs in a network namespace of its own (`unshare --net`), whose end takes the taps with it.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from pathlib import Path

from scripts.drivers import nics
from scripts.kernels import boot
from scripts.kernels.debian import Kernel


def main(call: dict[str, object]) -> int:
    """Boot the guest and wait for its end; 0 when that came in time. `call`: see scripts/test_drivers.py."""
    chosen = [nic for nic in nics.NICS if nic.name in call["nics"]]  # type: ignore[operator]
    _ip("link set lo up")
    for number, nic in enumerate(chosen, 1):
        _ip(f"tuntap add dev {nic.name} mode tap vnet_hdr")
        _ip(f"link set {nic.name} mtu {nics.JUMBO_MTU} up")
        _ip(f"addr add {nics.peer_address(number)}/24 dev {nic.name}")
    for port in (nics.DATAGRAMS, nics.DROPPED_IN, nics.DROPPED_OUT):
        threading.Thread(target=_answer_datagrams, args=[port], daemon=True).start()
    threading.Thread(target=_send_bulk, daemon=True).start()
    file = Path(str(call["file"]))
    names = ",".join(nic.name for nic in chosen)
    finished = boot.run(
        Kernel(str(call["release"]), Path(str(call["folder"]))),
        [sys.executable, "-m", "scripts.drivers.guest", str(file), names, str(call["modes"])],
        file.parent,
        seconds=float(str(call["seconds"])),
        verbose=bool(call["verbose"]),
        devices=nics.qemu_options(chosen),
        modules=sorted({nic.module for nic in chosen}),
    )
    return 0 if finished else 1


def _ip(line: str) -> None:
    subprocess.run(["ip", *line.split()], check=True)


def _answer_datagrams(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("", port))
        while True:
            data, sender = server.recvfrom(1 << 16)
            server.sendto(data, sender)


def _send_bulk() -> None:
    with socket.create_server(("", nics.BULK)) as server:
        while True:
            peer, _ = server.accept()
            threading.Thread(target=_send_all, args=[peer], daemon=True).start()


def _send_all(peer: socket.socket) -> None:
    with peer:
        peer.settimeout(60)
        try:
            peer.sendall(bytes(nics.BULK_BYTES))
        except OSError:
            return  # the guest has given up, and tells so


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
