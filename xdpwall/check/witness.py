"""A frame that shows what is said of a rule, in the fields of a rule. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from xdpwall.rule.packet_words import ethertype_word, protocol_name, words_after_addresses
from xdpwall.rule.states import STATES
from xdpwall.values.addresses import Prefix, prefix_text

from .interface_kinds import NO_RULES, InterfaceKind
from .members import Members
from .search import Choice
from .space import FRAGMENTS, UNTAGGED, Kind, Space

_PORTS = (6, 17, 132)
_ICMP = {"ipv4": 1, "ipv6": 58}


@dataclass(frozen=True, slots=True)
class Witness:
    """A frame; fields that its protocol does not have are None."""

    kind: Kind
    iface: str | None = None
    """None: any that no rule names. A rule's selector where its interfaces have no names in common."""
    direction: Literal["ingress", "egress"] = "ingress"
    vlan: int | None = None
    """None: untagged."""
    ethertype: int | None = None
    """Of a frame that is not IP; under 0x600 it is an LLC frame's length."""
    proto: int | None = None
    src: str | None = None
    dst: str | None = None
    sport: int | None = None
    dport: int | None = None
    icmp_type: int | None = None
    icmp_code: int | None = None
    tcp_flags: int | None = None
    fragment: Literal["none", "first", "later"] = "none"
    length: int | None = None
    """Of the IP packet."""
    ttl: int | None = None
    state: str | None = None
    """Where some rule asks for it: what it must be, which no frame says by itself."""
    interface: InterfaceKind = NO_RULES
    """The kind of `iface`."""

    @property
    def text(self) -> str:
        """The frame in the words of a rule's sentence."""
        return " ".join(self._words())

    def _words(self) -> list[str]:
        words: list[str] = []
        if self.kind == "other":
            assert self.ethertype is not None
            words.append(ethertype_word(self.ethertype))
        else:
            words.append(self._protocol())
            words += ["from", str(self.src)]
            if self.sport is not None:
                words += ["sport", str(self.sport)]
            words += ["to", str(self.dst)]
        return words + words_after_addresses(self)

    def _protocol(self) -> str:
        assert self.proto is not None
        name = protocol_name(self.proto)
        if self.icmp_type is not None:
            return f"{name}/{self.icmp_type}/{self.icmp_code}"
        return name if self.dport is None else f"{name}/{self.dport}"


def witness_of(space: Space, choice: Choice, members: Members) -> Witness | None:
    """The frame of a choice; None where no address was found that is in the sets it must be in."""
    values = {
        dimension.name: dimension.value(number)
        for dimension, number in zip(space.dimensions, choice, strict=True)
    }
    interface = space.interfaces[values.get("iface", -1)]
    direction: Literal["ingress", "egress"] = "egress" if values.get("direction") else "ingress"
    vlan = values.get("vlan", UNTAGGED)
    place = Witness(
        space.kind,
        interface.shown,
        direction,
        None if vlan == UNTAGGED else vlan,
        interface=interface,
    )
    if space.kind == "other":
        return _with(place, ethertype=values["ethertype"])
    addresses = {}
    for side in ("src", "dst"):
        address = _address(space, choice, side, members)
        if address is None:
            return None
        addresses[side] = address
    proto = values["proto"]
    ports = proto in _PORTS
    icmp = (
        values.get("icmp", 8 << 8 if proto == 1 else 128 << 8)
        if proto == _ICMP[space.kind]
        else None
    )
    return _with(
        place,
        proto=proto,
        **addresses,
        sport=values.get("sport", 40000) if ports else None,
        dport=values.get("dport", 9) if ports else None,
        icmp_type=None if icmp is None else icmp >> 8,
        icmp_code=None if icmp is None else icmp & 0xFF,
        tcp_flags=values.get("flags", 2) if proto == 6 else None,
        fragment=FRAGMENTS[values.get("fragment", 0)],
        length=values["length"] if _is_named(space, "length") else None,
        ttl=values.get("ttl"),
        state=STATES[values["state"]] if "state" in values else None,
    )


def _with(place: Witness, **fields: object) -> Witness:
    return replace(place, **fields)  # type: ignore[arg-type]


def _is_named(space: Space, name: str) -> bool:
    """Whether a rule names the field, and not pseudo rules alone."""
    return name in space.named


def _address(space: Space, choice: Choice, side: str, members: Members) -> str | None:
    family: Literal[4, 6] = 4 if space.kind == "ipv4" else 6
    sets: dict[bool, list[str]] = {True: [], False: []}
    first, last, usual = 0, (1 << (32 if family == 4 else 128)) - 1, space.usual_address
    for dimension, number in zip(space.dimensions, choice, strict=True):
        name, _, held = dimension.name.partition("@")
        if name != side:
            continue
        if held:
            sets[dimension.value(number) == 1].append(held)
        else:
            first, last = dimension.bounds(number)
            usual = dimension.value(number)
    found = members.address_between(family, first, last, sets[True], sets[False], usual)
    return None if found is None else prefix_text(Prefix(family, found, 32 if family == 4 else 128))
