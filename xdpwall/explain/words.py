"""Read a packet in the words of a rule's sentence: `tcp/22 from 10.0.0.2 to 10.0.0.1 on eth1`. Pure.

Each field has one value. What is not said is assumed, and named as that. Beside a rule's words there are
ADDRESS/PORT after from and to, flags as they are set (`syn,ack`, `none`), and `llc` for such a frame.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from xdpwall.errors import InvalidInput
from xdpwall.rule.fields import parse_flags
from xdpwall.rule.iface_selector import refuse_pattern
from xdpwall.rule.match import VLAN_NONE, Match, match_of
from xdpwall.rule.packet_words import ethertype_word, protocol_name, words_after_addresses
from xdpwall.rule.rule import Rule
from xdpwall.rule.sentence_read import Word, read_match, split_words
from xdpwall.rule.sentence_words import ACTIONS, FIELD_OF_WORD
from xdpwall.values.addresses import Prefix, prefix_text
from xdpwall.values.inputs import error_value, quoted
from xdpwall.values.protocols import ICMP_TYPE_NAMES, PROTOCOL_NAMES
from xdpwall.values.ranges import Ranges
from xdpwall.values.terms import Direction

TCP, UDP, SCTP = 6, 17, 132
PORTS = (TCP, UDP, SCTP)
ICMP = {4: 1, 6: 58}
Kind = Literal["none", "first", "later"]

_LLC_LENGTH = 38
_USUAL = {4: ("192.0.2.1", "192.0.2.2"), 6: ("2001:db8::1", "2001:db8::2")}
"""Addresses for documentation (RFC 5737, RFC 3849)."""
_RULES_ALONE = (
    *("limit", "over", "for", "until", "log", "comment", "disabled", "keep", "cookie", "state"),
    *ACTIONS,
)
"""Words of a rule that say nothing of a packet."""
_PORT_SIDES = {"from": "sport", "to": "dport"}


@dataclass(frozen=True, slots=True)
class AskedPacket:
    """One packet; a field that it does not have is None."""

    iface: str | None = None
    direction: Direction = "ingress"
    vlan: int | None = None
    """None: untagged."""
    ethertype: int | None = None
    """Of a frame that is not IP; below 0x600 it is an LLC frame's length."""
    family: Literal[4, 6] | None = None
    proto: int | None = None
    src: int | None = None
    dst: int | None = None
    sport: int | None = None
    dport: int | None = None
    icmp_type: int | None = None
    icmp_code: int | None = None
    tcp_flags: int | None = None
    fragment: Kind = "none"
    first_known: bool = False
    """A later fragment's ports, flags, type and code are those of its first one."""
    length: int | None = None
    """Of the IP packet; None: as long as its headers and a few bytes."""
    ttl: int | None = None
    assumed: tuple[str, ...] = field(default=(), compare=False)
    """The fields that were not said."""

    @property
    def text(self) -> str:
        """The packet in words that read back to it."""
        return " ".join(self._words())

    def _words(self) -> list[str]:
        words: list[str] = []
        if self.family is None:
            assert self.ethertype is not None
            words.append(ethertype_word(self.ethertype))
        else:
            words.append(self._protocol())
            bits = 32 if self.family == 4 else 128
            for word, address, port in (("from", self.src, self.sport), ("to", self.dst, None)):
                assert address is not None
                words += [word, prefix_text(Prefix(self.family, address, bits))]
                if port is not None:
                    words += ["sport", str(port)]
        return words + words_after_addresses(self)

    def _protocol(self) -> str:
        assert self.proto is not None
        name = protocol_name(self.proto)
        if self.icmp_type is not None:
            kind = ICMP_TYPE_NAMES[name].get(self.icmp_type, self.icmp_type)
            return f"{name}/{kind}/{self.icmp_code}"
        return name if self.dport is None else f"{name}/{self.dport}"


def read_packet(text: str) -> AskedPacket:
    """Read a packet. InvalidInput says the word, its place and what was expected there."""
    kept, special = _take_special(text)
    fields = read_match(kept)
    match = match_of(Rule.parse(fields))
    return _assume(_Said(match, special))


@dataclass(frozen=True, slots=True)
class _Special:
    """What is said in a packet's words and not in a rule's."""

    llc: bool = False
    flags: int | None = None
    sport: int | None = None
    dport: int | None = None


def _take_special(text: str) -> tuple[str, _Special]:
    """Blank out what a rule's sentence does not know, so that places in the rest stay."""
    words = split_words(text)
    found: dict[str, Any] = {}
    kept = text
    at = 0
    while at < len(words):
        word, after = words[at], words[at + 1] if at + 1 < len(words) else None
        if word.text.lstrip("(") in _RULES_ALONE and not word.quoted:
            raise _no_packets_word(word)
        if word.text == "llc" and at == 0 and not word.quoted:
            found["llc"] = True
            kept = _blank(kept, word.span)
            at += 1
            continue
        if word.text == "flags" and after is not None:
            found["flags"] = _flags(after)
            kept = _blank(kept, (word.span[0], after.span[1]))
        elif word.text in _PORT_SIDES and after is not None and "/" in after.text:
            address, port = after.text.split("/", 1)
            found[_PORT_SIDES[word.text]] = _port(after, port)
            end = after.span[0] + len(address)
            kept = _blank(kept, (end, after.span[1]))
        at += 2 if word.text in (*_PORT_SIDES, "flags", "on", "sport", "dport") else 1
    return kept, _Special(**found)


def _no_packets_word(word: Word) -> InvalidInput:
    name = word.text.lstrip("(")
    problem = "a packet has none, it is a rule's"
    if name == "state":
        problem = "it is not said but looked up in the flows of this host"
    return InvalidInput(
        f"{quoted(word.text)} at character {word.span[0] + 1}: {problem}; leave it out",
        field=FIELD_OF_WORD.get(name, name),
        value=error_value(word.text),
        span=word.span,
    )


def _blank(text: str, span: tuple[int, int]) -> str:
    return text[: span[0]] + " " * (span[1] - span[0]) + text[span[1] :]


def _flags(word: Word) -> int:
    if "/" in word.text:
        raise _wrong(word, "the flags that are set, like syn,ack; or none", "tcp_flags")
    if word.text == "none":
        return 0
    return parse_flags(word.text)[0]


def _port(word: Word, text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise _wrong(word, "ADDRESS or ADDRESS/PORT: a packet has one address, not a prefix")
    return int(text)


def _wrong(word: Word, expected: str, name: str = "text") -> InvalidInput:
    return InvalidInput(
        f"{quoted(word.text)} at character {word.span[0] + 1}: expected {expected}",
        field=name,
        value=error_value(word.text),
        span=word.span,
    )


class _Said:
    """The fields that were said, each with the one value that a packet has."""

    def __init__(self, match: Match, special: _Special) -> None:
        self.match = match
        self.special = special
        self.sport = self._port("sport", match.sport, special.sport)
        self.dport = self._port("dport", match.dport, special.dport)
        self.length = self._number("length", match.length)
        self.ttl = self._number("ttl", match.ttl)
        self.vlan = self._vlan(match.vlan)
        self.iface = self._plain("iface", match.iface)
        refuse_pattern("iface", self.iface)
        self.fragment = self._fragment(match.fragment)
        if match.ethertype == "any":
            raise _several("ethertype", "any", "one number, like 0x88cc")

    def address(self, name: Literal["src", "dst"]) -> int | None:
        used = getattr(self.match, f"{name}_set")
        if used is not None:
            raise _several(name, f"@{used[1]}", "one address")
        prefix = self._plain(name, getattr(self.match, name))
        if prefix is None:
            return None
        if prefix.length != (32 if prefix.family == 4 else 128):
            raise _several(name, prefix_text(prefix), "one address")
        address: int = prefix.address
        return address

    @staticmethod
    def _plain(name: str, value: tuple[bool, Any] | None) -> Any:
        if value is None:
            return None
        if value[0]:
            raise _several(name, "`not`", "what it has")
        return value[1]

    def _port(self, name: str, value: tuple[bool, Ranges] | None, beside: int | None) -> int | None:
        ranges = self._plain(name, value)
        if ranges is None:
            return beside
        if beside is not None:
            raise _several(name, beside, f"{name} only once")
        if len(ranges) != 1 or ranges[0][0] != ranges[0][1]:
            text = ",".join(f"{low}-{high}" if low < high else f"{low}" for low, high in ranges)
            raise _several(name, text, "one port")
        port: int = ranges[0][0]
        return port

    @staticmethod
    def _number(name: str, value: tuple[int, int] | None) -> int | None:
        if value is None:
            return None
        if value[0] != value[1]:
            raise _several(name, f"{value[0]}-{value[1]}", "one number")
        return value[0]

    def _vlan(self, value: tuple[bool, int] | None) -> int | None:
        number: int | None = self._plain("vlan", value)
        return None if number == VLAN_NONE else number

    @staticmethod
    def _fragment(value: str | None) -> Kind:
        if value == "any":
            raise _several("fragment", "fragment", "fragment first, or fragment later")
        return "first" if value == "first" else "later" if value == "later" else "none"


def _several(name: str, value: object, wanted: str) -> InvalidInput:
    return InvalidInput(
        f"{name}: {value} is for rules; a packet wants {wanted}", field=name, value=str(value)
    )


def _assume(said: _Said) -> AskedPacket:
    """Fill in what was not said."""
    match, special = said.match, said.special
    place: dict[str, Any] = {
        "iface": said.iface,
        "direction": "egress" if match.egress else "ingress",
        "vlan": said.vlan,
    }
    assumed = [] if match.egress is not None else ["direction"]
    if special.llc or match.ethertype is not None:
        return _not_ip(said, place, assumed)
    if match.proto is None:
        raise InvalidInput(
            "a packet has a protocol: tcp, udp, icmp, ..., proto N; or ethertype N, or llc",
            field="proto",
            hint="explain tcp/22 from 10.0.0.2 on eth1",
        )
    family = match.family or 4
    proto = match.proto
    fields: dict[str, Any] = {"family": family, "proto": proto, "fragment": said.fragment}
    stated: dict[str, int | None] = {
        "src": said.address("src"),
        "dst": said.address("dst"),
        "sport": said.sport,
        "dport": said.dport,
        "tcp_flags": special.flags,
        "icmp_type": match.icmp_type,
        "icmp_code": match.icmp_code,
        "ttl": said.ttl,
    }
    _check_family(match, family)
    for name, usual in _usual(family, proto, stated).items():
        value = stated[name]
        fields[name] = usual if value is None else value
        if value is None:
            assumed.append(name)
    if extra := [n for n, value in stated.items() if value is not None and n not in fields]:
        raise InvalidInput(
            f"{extra[0]}: packets of protocol {PROTOCOL_NAMES.get(proto, proto)} have none",
            field=extra[0],
            value=stated[extra[0]],
        )
    layer4 = ("sport", "dport", "tcp_flags", "icmp_type")
    known = said.fragment != "later" or any(stated[name] is not None for name in layer4)
    if said.fragment == "later" and not known:
        # Nothing is said of its first fragment, so that the fragment memory may know it, or nobody.
        for name in (*layer4, "icmp_code"):
            fields.pop(name, None)
            if name in assumed:
                assumed.remove(name)
    return AskedPacket(
        **place,
        **fields,
        length=said.length,
        first_known=said.fragment == "later" and known,
        assumed=tuple(assumed),
    )


def _check_family(match: Match, family: int) -> None:
    for name in ("src", "dst"):
        side = getattr(match, name)
        if side is not None and side[1].family != family:
            raise InvalidInput(
                "src and dst: addresses of two families", field=name, value=prefix_text(side[1])
            )


def _usual(family: int, proto: int, stated: dict[str, int | None]) -> dict[str, int]:
    """The fields that such a packet has, with the values that are assumed."""
    from ipaddress import ip_address

    src, dst = (int(ip_address(text)) for text in _USUAL[family])
    found = {"src": src, "dst": dst}
    if proto in PORTS:
        found |= {"sport": 40000, "dport": 9}
    if proto == TCP:
        found["tcp_flags"] = 2
    if proto == ICMP[family]:
        found |= {"icmp_type": 8 if family == 4 else 128, "icmp_code": 0}
    kind = stated["icmp_type"]
    # Neighbor discovery comes with 255, or is not taken (RFC 4861).
    neighbor = proto == 58 and kind is not None and 133 <= kind <= 137
    found["ttl"] = 255 if neighbor else 64
    return found


def _not_ip(said: _Said, place: dict[str, Any], assumed: list[str]) -> AskedPacket:
    match = said.match
    if said.special.llc and (match.proto is not None or match.ethertype is not None):
        raise InvalidInput("llc: such a frame has neither protocol nor ethertype", field="text")
    if match.family is not None or said.sport is not None or said.dport is not None:
        raise InvalidInput("ethertype: is for frames that are not IP", field="ethertype")
    ethertype = _LLC_LENGTH if said.special.llc else match.ethertype
    return AskedPacket(**place, ethertype=ethertype, assumed=tuple(assumed))  # type: ignore[arg-type]
