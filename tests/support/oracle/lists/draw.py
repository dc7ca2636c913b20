"""Draws the bytes of address lists: entries, what is nearly one, any bytes; encodings and line ends."""

from __future__ import annotations

import gzip
from ipaddress import IPv4Address, IPv6Address
from random import Random

_ENDS = (
    (b"\n",) * 12 + (b"\r\n",) * 4 + (b"\r", b"\r\r\n", b"\n\n", b"\n\r", b" \n", b"\0\n", b"\x0b")
)
_BLANKS = ("", "", "", " ", "\t", "\r", "\ufeff", "\xa0", "\u2028", "\x1d", "\0", "\ufeff ")
_ODD = '0./129 :-ax\t\r\0,#;!@%{}"\ufeff\xa0é\u0663\u2028'
_WORDS = (
    "add s",
    "add s ",
    "-A s",
    "create s hash:ip",
    "create\ts",
    "-N x",
    "add",
    "add t",
    "add\ts\t",
)


def draw_list(random: Random) -> bytes:
    """The bytes of one file."""
    if random.random() < 0.05:
        return _packed(random, random.randbytes(random.randrange(80)))
    ipset = random.random() < 0.4
    end = random.choice(_ENDS)
    rows = [
        _line(random, ipset).encode("utf-8", "surrogatepass")
        + (end if random.random() < 0.8 else random.choice(_ENDS))
        for _ in range(random.choice((0, 1, 1, 2, 3, 8, 20)))
    ]
    data = b"".join(rows)
    if random.random() < 0.5:
        data = data[: len(data) - len(end)]
    if random.random() < 0.2 and data:
        at = random.randrange(len(data))
        data = data[:at] + random.randbytes(random.randrange(4)) + data[at + random.randrange(3) :]
    data += random.choice((b"",) * 6 + (b" ", b"\n ", b"\r", b"\0", b"\n\n", b"\xef\xbb\xbf"))
    return _packed(random, _encoded(random, data))


def _encoded(random: Random, data: bytes) -> bytes:
    chance = random.random()
    if chance > 0.12:
        return data
    if chance > 0.06:
        return b"\xef\xbb\xbf" + data
    name = random.choice(("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be", "utf-7"))
    return data.decode("utf-8", "replace").encode(name, "replace")


def _packed(random: Random, data: bytes) -> bytes:
    chance = random.random()
    if chance > 0.12:
        return data
    packed = gzip.compress(data, mtime=0)
    if chance < 0.02:
        return packed + gzip.compress(data, mtime=0)
    if chance < 0.04:
        return packed[: random.randrange(len(packed))]
    if chance < 0.05:
        return packed + random.choice((b"\0\0\0", b"x", b"\0x"))
    return packed


def _line(random: Random, ipset: bool) -> str:
    text = _entry(random)
    if random.random() < 0.1:
        at = random.randrange(len(text) + 1)
        text = text[:at] + random.choice(_ODD) + text[at + random.randrange(2) :]
    if ipset and random.random() < 0.9:
        word = random.choice(_WORDS) if random.random() < 0.1 else "add s"
        text = f"{word} {text}{_option(random)}"
    chance = random.random()
    if chance < 0.04:
        return random.choice(("", "# so", ";", " #x", "#\0", *_WORDS))
    if chance < 0.08:
        return '{"cidr": "%s"}' % text if random.random() < 0.8 else random.choice(_JSON)  # noqa: UP031
    if chance < 0.12:
        text += random.choice((" # so", "#so", ";", " ; a # b", " #\r", " # \0"))
    return random.choice(_BLANKS) + text + random.choice(_BLANKS) if chance < 0.3 else text


_JSON = ('{"type": "metadata"}', "{", "{}", '{"cidr": 7}', '{"cidr": "\\ud800"}', '{"cidr": null}')


def _option(random: Random) -> str:
    if random.random() < 0.5:
        return ""
    number = random.choice(
        ("0", "5", "007", "9" * 9, "3153600000", "3153600001", "9" * 500, "x", "")
    )
    return random.choice(
        (
            f" timeout {number}",
            f" timeout {number} packets 4 bytes 9",
            f' packets 3 timeout {number} comment "timeout 9"',
            f" timeout 7 timeout {number}",
            f"\ttimeout\t{number}",
            " nomatch",
            " comment",
            " skbmark",
        )
    )


def _entry(random: Random) -> str:
    """Few different addresses, so that they repeat, nest and expire."""
    if random.random() < 0.3:
        number = 0x20010DB8 << 96 | random.randrange(4)
        if random.random() < 0.15:
            number = (0xFFFF << 32) + random.randrange(-2, 2)
        address, bits = str(IPv6Address(number)), 128
    else:
        address, bits = str(IPv4Address(random.choice((0, 10 << 24)) + random.randrange(8))), 32
    chance = random.random()
    if chance < 0.25:
        return f"{address}/{random.choice((0, 8, bits - 3, bits - 2, bits - 1, bits, bits + 1))}"
    if chance < 0.35:
        other = (
            IPv4Address((10 << 24) + random.randrange(8))
            if bits == 32
            else IPv6Address(random.choice((0x20010DB8 << 96, 1 << 48)) + random.randrange(4))
        )
        return f"{address}{random.choice(('-', ' - ', '-'))}{other}"
    return address
