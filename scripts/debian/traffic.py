"""traffic.py FILE: packets that must pass and packets that must not, until FILE.stop is there; FILE has the counts.

From the namespace `far` to 198.51.100.1 here: UDP to port 7001, which a rule accepts, and to 7002, which one drops.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
from pathlib import Path

ADDRESS, PASS, DROP = "198.51.100.1", 7001, 7002
PAUSE = 0.005


def main(target: str) -> None:
    """Send and count."""
    stop = Path(f"{target}.stop")
    received = {PASS: 0, DROP: 0}
    listeners = [listen(port, received) for port in received]
    sender = open_far_socket()
    sent = {PASS: 0, DROP: 0}
    while not stop.exists():
        for port, number in list(sent.items()):
            sender.sendto(str(number).encode(), (ADDRESS, port))
            sent[port] = number + 1
        time.sleep(PAUSE)
    deadline = time.monotonic() + 10
    while received[PASS] < sent[PASS] and time.monotonic() < deadline:
        time.sleep(0.05)
    del listeners
    counts = {"sent": sent[PASS], "passed": received[PASS], "forbidden": received[DROP]}
    Path(target).write_text(json.dumps(counts), encoding="ascii")


def listen(port: int, received: dict[int, int]) -> threading.Thread:
    """Count what comes to a port."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    listener.bind((ADDRESS, port))

    def count() -> None:
        while True:
            listener.recv(64)
            received[port] += 1

    thread = threading.Thread(target=count, daemon=True)
    thread.start()
    return thread


def open_far_socket() -> socket.socket:
    """A UDP socket in the namespace `far`; this thread comes back."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open("/run/netns/far", os.O_RDONLY)
    enter(there)
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    enter(home)
    return made


def enter(namespace: int) -> None:
    """setns(2), which Python 3.11 does not have, by the C library."""
    import ctypes

    if ctypes.CDLL(None, use_errno=True).setns(namespace, 0):
        raise OSError(ctypes.get_errno(), "setns")


if __name__ == "__main__":
    main(sys.argv[1])
