"""Pings whose answers are waited for as long as they may still come.

ping(1) takes what has not come a few milliseconds after it asked for the last time as lost, and on
a busy machine it has not. Here all questions are put at once. Where answers are missing after a
moment, an ARP request goes the same way, which no rule about ICMP concerns: what has not come when
its answer has come will not come any more, however slow the machine is.
"""

from __future__ import annotations

import itertools
import os
import select
import socket
import struct
import time
from contextlib import ExitStack

from tests.support.net.netns import Namespace
from xdpwall.closing import Closing

MOMENT = 0.1
"""Seconds after which it is asked whether missing answers may still come."""
PATIENCE = 20.0
"""Seconds in which everything has its answer."""
PAYLOAD = b"not by ping(1)".ljust(56, b".")
"""As long as ping(1)'s: a frame of 98 bytes with IPv4."""
_ETH_P_ARP = 0x0806
_REQUESTS, _REPLIES = {4: 8, 6: 128}, {4: 0, 6: 129}
_identifiers = itertools.count(os.getpid())


def ping(
    space: Namespace,
    address: str,
    count: int = 1,
    *,
    over: tuple[str, str] | None = None,
    patience: float = PATIENCE,
) -> int:
    """How many of `count` pings from `space` are answered.

    `over`: the interface on the way, and an IPv4 address at its other end that answers ARP whatever
    becomes of pings. Without it missing answers are waited for `patience` seconds.
    """
    version = 6 if ":" in address else 4
    identifier = next(_identifiers) & 0xFFFF
    with ExitStack() as stack:
        with space.inside():
            family = socket.AF_INET6 if version == 6 else socket.AF_INET
            protocol = socket.IPPROTO_ICMPV6 if version == 6 else socket.IPPROTO_ICMP
            asking = stack.enter_context(socket.socket(family, socket.SOCK_RAW, protocol))
            fence = stack.enter_context(_Fence(*over)) if over else None
        asking.setblocking(False)
        for number in range(count):
            try:
                asking.sendto(_echo(_REQUESTS[version], identifier, number), (address, 0))
            except OSError:  # dropped on its way out, or there is no way
                continue
        missing = set(range(count))
        _listen(asking, version, identifier, missing, MOMENT if fence else patience)
        if missing and fence:
            fence.wait(patience)
            _listen(asking, version, identifier, missing, 0)
    return count - len(missing)


def _echo(kind: int, identifier: int, number: int) -> bytes:
    body = struct.pack("!HH", identifier, number) + PAYLOAD
    words = struct.unpack(f"!{len(body) // 2}H", body)
    total = (kind << 8) + sum(words)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!BBH", kind, 0, ~total & 0xFFFF) + body  # the kernel sums ICMPv6 up itself


def _listen(
    asking: socket.socket, version: int, identifier: int, missing: set[int], seconds: float
) -> None:
    """Remove answered sequence numbers from `missing`, until it is empty or the time is over."""
    deadline = time.monotonic() + seconds
    while missing:
        try:
            answer = asking.recv(65536)
        except BlockingIOError:
            left = deadline - time.monotonic()
            if left <= 0:
                return
            select.select([asking], [], [], left)
            continue
        except OSError:  # "host unreachable" and its like, told of an earlier one
            continue
        if version == 4:
            answer = answer[(answer[0] & 15) * 4 :]
        kind, _, _, owner, number = struct.unpack_from("!BBHHH", answer)
        if (kind, owner, answer[8:]) == (_REPLIES[version], identifier, PAYLOAD):
            missing.discard(number)


class _Fence(Closing):
    """An ARP request and its answer, to know that earlier frames have passed; made in the namespace."""

    def __init__(self, iface: str, address: str) -> None:
        self._wanted = socket.inet_aton(address)
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ARP))
        self._socket.bind((iface, _ETH_P_ARP))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((address, 9))
            own = socket.inet_aton(probe.getsockname()[0])
        mac = self._socket.getsockname()[4]
        head = b"\xff" * 6 + mac + struct.pack("!HHHBBH", _ETH_P_ARP, 1, 0x0800, 6, 4, 1)
        self._request = head + mac + own + bytes(6) + self._wanted

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def wait(self, seconds: float) -> None:
        """Ask, and wait for the answer; AssertionError when there is none."""
        deadline = time.monotonic() + seconds
        self._socket.send(self._request)
        while (left := deadline - time.monotonic()) > 0:
            if not select.select([self._socket], [], [], left)[0]:
                break
            frame = self._socket.recv(2048)
            if frame[20:22] == b"\0\2" and frame[28:32] == self._wanted:
                return
        raise AssertionError(f"no ARP answer within {seconds} s: the cable itself is dead")
