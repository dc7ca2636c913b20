"""Ways to break a frame: cut it, lie in it, flip it, append to it."""

from __future__ import annotations

from random import Random

SMALLEST = 14
"""A test-run takes no less."""


def mangle(random: Random, frame: bytes, chance: float) -> bytes:
    """The frame, broken in one or two ways with that chance."""
    if random.random() >= chance:
        return frame
    for _ in range(random.choice((1, 1, 2))):
        frame = random.choice(WAYS)(random, frame)
    return frame


def _cut(random: Random, frame: bytes) -> bytes:
    """Anywhere, and often near the frame's end, where the upper layer is."""
    least = random.choice((SMALLEST, max(SMALLEST, len(frame) - 24)))
    return frame[: random.randint(least, max(least, len(frame)))]


def _flip(random: Random, frame: bytes) -> bytes:
    """A byte behind the addresses becomes another; mostly in the headers."""
    if len(frame) <= 12:
        return frame
    at = random.randrange(12, min(len(frame), random.choice((18, 60, 100))))
    return put(
        frame, at, bytes([random.choice((0, 1, 4, 5, 6, 17, 43, 44, 60, 255, frame[at] ^ 1))])
    )


def _lie_about_length(random: Random, frame: bytes) -> bytes:
    """IPv4 total length or IPv6 payload length, when the frame is untagged."""
    right = len(frame) - SMALLEST
    if frame[12:14] == b"\x08\0":
        sizes = (0, 19, 20, 21, 22, 23, 24, 27, 28, 33, 34, 40, 65535, right - 1, right + 1)
        return put(frame, 16, _two(random.choice(sizes)))
    if frame[12:14] == b"\x86\xdd":
        sizes = (0, 0, 1, 2, 3, 4, 7, 8, 9, 13, 14, 16, 65535, right - 41, right - 39)
        return put(frame, 18, _two(random.choice(sizes)))
    return frame


def _misstate_version(random: Random, frame: bytes) -> bytes:
    """Version and, in IPv4, header length."""
    value = random.choice((0x00, 0x40, 0x44, 0x45, 0x46, 0x4F, 0x60, 0x6F, 0x55, 0xF5))
    return put(frame, 14, bytes([value]))


def _pad(random: Random, frame: bytes) -> bytes:
    """Bytes behind the packet, which are not packet."""
    return frame + random.randbytes(random.choice((1, 2, 6, 18, 46)))


def _shrink_extension(random: Random, frame: bytes) -> bytes:
    """The length byte of the first IPv6 extension header."""
    if frame[12:14] != b"\x86\xdd":
        return frame
    return put(frame, 55, bytes([random.choice((0, 0, 1, 2, 3, 30, 255))]))


WAYS = (_cut, _cut, _flip, _lie_about_length, _misstate_version, _pad, _shrink_extension)


def put(frame: bytes, at: int, data: bytes) -> bytes:
    """The frame with `data` in the place of what it has there; the same when it ends before."""
    if at + len(data) > len(frame):
        return frame
    return frame[:at] + data + frame[at + len(data) :]


def _two(number: int) -> bytes:
    return (number & 0xFFFF).to_bytes(2, "big")
