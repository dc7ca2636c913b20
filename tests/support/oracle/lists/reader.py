"""Reads an address list a line at a time by Python's own modules; nothing of xdpwall is imported."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from dataclasses import dataclass, field
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
    summarize_address_range,
)
from typing import Any, cast

Network = IPv4Network | IPv6Network
_MAPPED = IPv6Network("::ffff:0:0/96")
_COUNTERS = ("packets", "bytes", "skbmark", "skbprio", "skbqueue")
_LONGEST = 3_153_600_000
"""Seconds of a hundred years of 365 days, the longest timeout."""


@dataclass
class Outcome:
    """What a list holds, or `error`: the code of a refusal of the whole file."""

    entries: set[Network] = field(default_factory=set)
    timeouts: dict[Network, int] = field(default_factory=dict)
    lines: int = 0
    read: int = 0
    duplicates: int = 0
    merged: int = 0
    rejected: list[int] = field(default_factory=list)
    error: str = ""


class BadLine(Exception):
    """A line that is no entry."""


def read_list(data: bytes, *, longest: int) -> Outcome:
    """Read a whole file as with --skip-bad. `longest`: bytes of the longest line."""
    outcome = Outcome()
    if data.startswith(b"\x1f\x8b"):
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error):
            return Outcome(error="gzip")
    if _foreign(data[:64]):
        return Outcome(error="encoding")
    rows = data.split(b"\n")
    if not rows[-1]:
        rows.pop()
    if any(len(row) > longest for row in rows):
        return Outcome(error="too-long")
    outcome.lines = len(rows)
    reader = _Lines()
    found: list[tuple[Network, int]] = []
    for number, row in enumerate(rows, 1):
        try:
            found += reader.read(row.decode("utf-8", "backslashreplace"))
        except BadLine:
            outcome.rejected.append(number)
    if len(reader.names) > 1:
        outcome.error = "several-sets"
    _gather(found, outcome)
    return outcome


def _gather(found: list[tuple[Network, int]], outcome: Outcome) -> None:
    last = dict(found)
    outcome.read, outcome.duplicates = len(found), len(found) - len(last)
    outcome.timeouts = {entry: seconds for entry, seconds in last.items() if seconds}
    lasting = {entry for entry, seconds in last.items() if not seconds}
    for entry in lasting:
        if any(entry.supernet(new_prefix=n) in lasting for n in range(entry.prefixlen)):
            outcome.merged += 1
        else:
            outcome.entries.add(entry)
    outcome.entries |= outcome.timeouts.keys()


def _foreign(head: bytes) -> bool:
    if head[:2] in (b"\xff\xfe", b"\xfe\xff") or head[:4] == b"\0\0\xfe\xff":
        return True
    if head.startswith((b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"PK\x03\x04")):
        return True
    odd_ones = bytes(range(9)) + bytes((*range(14, 27), *range(28, 32)))
    if 4 * len(head) - 4 * len(head.translate(None, odd_ones)) > len(head):
        return True
    even, odd = head[::2], head[1::2]
    little = len(odd) > 1 and set(odd) == {0} and 0 not in even
    return little or (len(even) > 1 and set(even) == {0} and 0 not in odd)


class _Lines:
    def __init__(self) -> None:
        self.names: list[str] = []

    def read(self, line: str) -> list[tuple[Network, int]]:
        """(entry, seconds until it expires, or 0) of one line."""
        text = line.strip().strip("\ufeff").strip()
        if text[:1] == "{":
            return [(entry, 0) for entry in _json(text)]
        text = re.split("[#;]", text, maxsplit=1)[0].strip()
        if not text:
            return []
        if "\0" in text or "\r" in text:
            raise BadLine
        words = text.split()
        if len(words) > 1 and (words[0] in ("add", "-A", "create", "-N") or self.names):
            return self._ipset(words)
        return [(entry, 0) for entry in _plain(text)]

    def _ipset(self, words: list[str]) -> list[tuple[Network, int]]:
        if words[0] in ("create", "-N"):
            return []
        if words[0] in ("add", "-A"):
            if len(words) == 2:
                raise BadLine
            if words[1] not in self.names:
                self.names.append(words[1])
            words = words[2:]
        entries, seconds = _plain(words[0]), 0
        options = iter(words[1:])
        for word in options:
            if word == "comment":
                break
            if word in _COUNTERS:
                next(options, None)
            elif word == "timeout":
                given = next(options, "")
                if not re.fullmatch("0*[0-9]{1,10}", given) or int(given[-10:]) > _LONGEST:
                    raise BadLine
                seconds = int(given[-10:])
            else:
                raise BadLine
        return [(entry, seconds) for entry in entries]


def _json(text: str) -> list[Network]:
    try:
        row: dict[str, Any] = json.loads(text)
    except (ValueError, RecursionError):
        raise BadLine from None
    if "cidr" not in row and row.get("type") == "metadata":
        return []
    if not isinstance(row.get("cidr"), str):
        raise BadLine
    return [_entry(row["cidr"])]


def _plain(text: str) -> list[Network]:
    if "," in text:
        raise BadLine
    if "-" not in text:
        return [_entry(text)]
    ends = [_entry(part) for part in text.split("-")]
    if len(ends) != 2 or any(end.prefixlen < end.max_prefixlen for end in ends):
        raise BadLine
    first, last = (end.network_address for end in ends)
    if first.version != last.version or int(first) > int(last):
        raise BadLine
    nets = summarize_address_range(cast(Any, first), cast(Any, last))
    return [net for net in nets if net.version == 4 or not net.subnet_of(_MAPPED)]


def _entry(text: str) -> Network:
    address, slash, length = text.strip().partition("/")
    if "%" in address or slash and not re.fullmatch("0|[1-9][0-9]{0,2}", length):
        raise BadLine
    try:
        first: IPv4Address | IPv6Address = ip_address(address)
        net = ip_network((first.packed, int(length) if slash else first.max_prefixlen))
    except ValueError:
        raise BadLine from None
    if isinstance(net, IPv6Network) and net.subnet_of(_MAPPED):
        raise BadLine
    return net
