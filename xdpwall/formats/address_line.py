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
_IPSET = ("create", "add", "-N", "-A")
MAX_TIMEOUT = 100 * 365 * 86400
"""Seconds: as long as any duration here may be."""


@dataclass(slots=True)
class LineParser:
    """Parses lines, and remembers the name of the ipset set that they add to."""

    ipset: str | None = None
    others: set[str] = field(default_factory=set)
    """Names of further ipset sets; a list must not have any."""

    @property
    def prefix(self) -> str:
        """The start of every line of `ipset save` that adds an entry; "" for other lists."""
        return f"add {self.ipset} " if self.ipset else ""

    def parse(self, line: str) -> tuple[list[AddressEntry], int]:
        """(entries, seconds until they expire or 0 for never). A range gives several entries, a comment
        none. Raises InvalidInput."""
        text = line.strip().strip("\ufeff").strip()
        if text.startswith("{"):
            return _from_json(text), 0
        if "#" in text or ";" in text:
            text = _COMMENT.sub("", text).strip()
        if "\0" in text or "\r" in text:
            raise _odd_line(text)
        words = text.split()
        if len(words) > 1 and (self.ipset or words[0] in _IPSET):
            return self._ipset(text, words)
        return _entries(text), 0

    def _ipset(self, text: str, words: list[str]) -> tuple[list[AddressEntry], int]:
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


def _odd_line(text: str) -> InvalidInput:
    if "\0" in text:
        return invalid("entry", text, "holds a NUL byte", "plain text, in ASCII or UTF-8")
    return invalid(
        "entry", text, "holds a carriage return alone", "lines that end in LF or in CR and LF"
    )


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
    return [
        AddressEntry(first.family, int(net.network_address), net.prefixlen)
        for net in nets
        if not _mapped(net)
    ]


def _mapped(net: Any) -> bool:
    """Whether it holds nothing but IPv4 addresses mapped into IPv6, which no packet carries."""
    return bool(net.version == 6 and net.prefixlen >= 96 and net.network_address.ipv4_mapped)


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
            # The length first: int() refuses thousands of digits by an error of its own.
            digits = given.isascii() and given.isdigit() and len(given.lstrip("0")) <= 10
            if not digits or int(given.lstrip("0") or "0") > MAX_TIMEOUT:
                wanted = f"whole seconds up to {MAX_TIMEOUT}"
                raise invalid("timeout", given, "is not a timeout", wanted)
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
