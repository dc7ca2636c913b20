"""The process that runs BCC, under a Python that has it. Imports nothing of xdpwall.

stdin   one line of JSON, {"source": C, "headers": folder}; then it stays open: its end ends us
stdout  frames: kind (1 byte), length (4 bytes, little-endian), that many bytes
        E {"code", "message", "detail"} and the end; R ready; D a struct record;
        L records lost so far (8 bytes); T a moment (CLOCK_BOOTTIME ns, 8 bytes) up to which all
        records have been sent
"""

from __future__ import annotations

import json
import os
import select
import struct
import sys
import time
from typing import Any

POLL_MS = 20
MOST = 4096  # records at once: in a flood, reading until there is none would never end


def send(kind: bytes, data: bytes = b"") -> None:
    sys.stdout.buffer.write(kind + struct.pack("<I", len(data)) + data)


def fail(code: str, message: str, detail: str = "") -> int:
    send(b"E", json.dumps({"code": code, "message": message, "detail": detail}).encode())
    sys.stdout.buffer.flush()
    return 1


def main() -> int:
    order = json.loads(sys.stdin.buffer.readline())
    os.environ["BCC_KERNEL_SOURCE"] = order["headers"]
    try:
        import bcc
    except ImportError as error:
        return fail("no-bcc", str(error))
    if not hasattr(bcc, "BPF"):
        return fail("no-bcc", "its module `bcc` is another project (PyPI's lattice library)")
    try:
        flags = [f"-DPAGE_SIZE={os.sysconf('SC_PAGESIZE')}"]
        program = bcc.BPF(text=order["source"], cflags=flags)
        return follow(program)
    except BrokenPipeError:
        return 0
    except Exception as error:  # noqa: BLE001 - BCC raises it bare; the parent tells it
        return fail("bcc-failed", str(error) or type(error).__name__, repr(error))


def follow(program: Any) -> int:
    """Hand on what comes, until stdin ends."""
    records, lost = program["records"], program["lost"]
    found: list[bytes] = []

    def one(_context: object, data: object, _size: int) -> int:
        found.append(bytes(records.event(data)))
        return -1 if len(found) >= MOST else 0

    records.open_ring_buffer(one)
    send(b"R")
    told = 0
    while not select.select([sys.stdin], [], [], 0)[0]:
        program.ring_buffer_poll(POLL_MS)
        begun = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        if len(found) < MOST:
            program.ring_buffer_consume()  # a poll may have been told of none
        full = len(found) >= MOST
        missed = sum(value.value for value in lost.values())
        if missed != told:
            told = missed
            send(b"L", struct.pack("<Q", missed))
        for record in found:
            send(b"D", record)
        send(b"T", found[-1][:8] if full else struct.pack("<Q", begun))
        found.clear()
        sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    devnull = os.open(os.devnull, os.O_WRONLY)
    code = main()
    try:
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        os.dup2(devnull, 1)
    sys.exit(code)
