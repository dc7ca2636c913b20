"""Parses one line of an address list, in any of the forms that lists come in. Pure.

10.0.0.1            an address or a prefix           10.0.0.0/8 ; SBL123   with a comment
10.0.0.1-10.0.0.9   a range, both ends in it         {"cidr": "10.0.0.0/8"}  Spamhaus, one a line
add NAME 10.0.0.1 timeout 300                        as `ipset save` writes it
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, summarize_address_range
from typing import Any

from xdpwall.errors import InvalidInput
from xdpwall.sets.entries import AddressEntry, parse_entry
from xdpwall.values.inputs import invalid, printable

_COMMENT = re.compile(r"[#;].*", re.DOTALL)
_WITH_VALUE = ("packets", "bytes", "skbmark", "skbprio", "skbqueue", "comment")
MAX_TIMEOUT = 100 * 365 * 86400
"""Seconds: as long as any duration here may be."""


@dataclass(slots=True)
class LineParser:
    """Parses lines, and remembers the name of the ipset set that they add to."""

    ipset: str | None = None
    others: set[str] = field(default_factory=set)
    """Names of further ipset sets; a list must not have any."""

    @property
    def prefix(self) -> bytes:
        """The start of every line of `ipset save` that adds an entry; b"" for other lists."""
        return f"add {self.ipset} ".encode() if self.ipset else b""

    def parse(self, line: str) -> tuple[list[AddressEntry], int]:
        """(entries, seconds until they expire or 0 for never). A range gives several entries, a comment
        none. Raises InvalidInput."""
        text = line.strip(" \t\r\ufeff")
        if text.startswith("{"):
            return _from_json(text), 0
        if text.startswith(("add ", "create ", "-A ", "-N ")) or self.ipset and " " in text:
            return self._ipset(text)
        if "#" in text or ";" in text:
            text = _COMMENT.sub("", text).strip()
        return _entries(text), 0

    def _ipset(self, text: str) -> tuple[list[AddressEntry], int]:
        words = text.split()
        if words[0] in ("create", "-N"):
            return [], 0
        if words[0] in ("add", "-A"):
            if len(words) < 3:
                raise invalid("entry", text, "is no whole line of ipset", "add NAME ENTRY")
            if self.ipset is None:
                self.ipset = words[1]
            elif words[1] != self.ipset:
                self.others.add(words[1])
            words = words[2:]
        return _entries(words[0]), _timeout(text, words[1:])


def _entries(text: str) -> list[AddressEntry]:
    if not text:
        return []
    if "," in text:
        raise invalid("entry", text, "is more than an address", "an address or a prefix a line")
    if "-" in text:
        return _range(text)
    return [parse_entry(text)]


def _range(text: str) -> list[AddressEntry]:
    ends = [parse_entry(part.strip()) for part in text.split("-")]
    if len(ends) != 2 or ends[0].family != ends[1].family or not (ends[0].exact and ends[1].exact):
        raise invalid(
            "entry", text, "is not a range", "two addresses of a family: 10.0.0.1-10.0.0.9"
        )
    first, last = ends
    if first.address > last.address:
        raise invalid("entry", text, "runs backwards", f"{last.text}-{first.text}")
    nets: Iterable[Any]
    if first.family == 4:
        nets = summarize_address_range(IPv4Address(first.address), IPv4Address(last.address))
    else:
        nets = summarize_address_range(IPv6Address(first.address), IPv6Address(last.address))
    return [AddressEntry(first.family, int(net.network_address), net.prefixlen) for net in nets]


def _from_json(text: str) -> list[AddressEntry]:
    try:
        row = json.loads(text)
    except (ValueError, RecursionError):
        raise invalid("entry", text, "is not JSON", '{"cidr": "10.0.0.0/8"} on one line') from None
    if "cidr" in row:
        return [parse_entry(row["cidr"], "cidr")]
    if row.get("type") == "metadata":
        return []
    raise invalid("entry", text, "has no cidr", '{"cidr": "10.0.0.0/8"}')


def _timeout(text: str, words: list[str]) -> int:
    """The seconds of `timeout` among the options of an ipset entry; counters and comments are
    skipped."""
    seconds, at = 0, 0
    while at < len(words):
        word = words[at]
        if word == "timeout":
            given = words[at + 1] if at + 1 < len(words) else ""
            if not (given.isascii() and given.isdigit() and int(given) <= MAX_TIMEOUT):
                wanted = f"whole seconds up to {MAX_TIMEOUT}"
                raise invalid("timeout", printable(given), "is not a timeout", wanted)
            seconds = int(given)
            at += 2
        elif word == "comment":
            break
        elif word in _WITH_VALUE:
            at += 2
        elif word == "nomatch":
            raise invalid("entry", text, "is an exception (nomatch)", "entries that are in the set")
        else:
            raise InvalidInput(
                printable(f"entry: {word!r} is not known behind an entry; wanted timeout SECONDS"),
                field="entry",
                value=text,
            )
    return seconds
