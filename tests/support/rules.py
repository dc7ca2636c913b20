"""Hypothesis strategies: any rule at all, in any spelling, and rulesets of them."""

from __future__ import annotations

import ipaddress
from typing import Any

from hypothesis import strategies as st

from xdpwall.rule.rule import Rule
from xdpwall.ruleset.ruleset import Ruleset
from xdpwall.ruleset.set_references import sets_named_by
from xdpwall.values.protocols import ICMP_TYPES, TCP_FLAGS

_NAME = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x2FF, categories=["L", "N", "P", "S"]),
    min_size=1,
    max_size=15,
).filter(
    lambda n: (
        not n.startswith("!")
        and not set(n) & set("/:")
        and n not in (".", "..")
        and len(n.encode()) <= 15
        and n.isprintable()
    )
)
IFACES = st.one_of(
    st.sampled_from(["eth0", "docker0", "not", "in", "out", "from", "no", "0123", '"x', "~", "-"]),
    _NAME,
)
COMMENTS = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=256
).filter(lambda text: not any(ord(c) in range(0x202A, 0x206A) for c in text))


@st.composite
def prefixes(draw: st.DrawFn, version: int) -> str:
    """A canonical-enough prefix of one family."""
    bits = 32 if version == 4 else 128
    length = draw(st.integers(0, bits))
    number = draw(st.integers(0, 2**bits - 1)) >> (bits - length) << (bits - length)
    if version == 4:
        text = f"{ipaddress.IPv4Address(number)}/{length}"
    else:
        if number >> 32 == 0xFFFF:
            number = 1 << 127
        text = f"{ipaddress.IPv6Address(number).exploded.upper()}/{length if length else 128}"
        if not length:
            text = f"{ipaddress.IPv6Address(number)}/128"
    return draw(st.sampled_from(["", "!"])) + text


SET_NAMES = st.one_of(
    st.sampled_from(["bad", "no", "on", "null", "1", "0x1f", "1-2", "a_b-c"]),
    st.from_regex(r"[a-z0-9][a-z0-9_-]{0,31}", fullmatch=True),
)
SETS = st.tuples(st.sampled_from(["@", "!@"]), SET_NAMES).map("".join)


@st.composite
def set_contents(draw: st.DrawFn) -> dict[str, Any]:
    """What SetContent.parse takes."""
    entry = st.one_of(prefixes(4), prefixes(6)).map(lambda text: text.removeprefix("!"))
    timed = st.fixed_dictionaries({"entry": entry, "expires": _ALWAYS["expires"]})
    return {"entries": draw(st.lists(st.one_of(entry, timed), max_size=4))}


def _ports() -> st.SearchStrategy[str | int]:
    port = st.integers(0, 65535)
    pair = st.tuples(port, port).map(lambda p: f"{min(p)}-{max(p)}")
    many = st.lists(st.one_of(port.map(str), pair), min_size=1, max_size=6).map(",".join)
    return st.one_of(port, many, many.map(lambda text: "!" + text))


def _span(high: int) -> st.SearchStrategy[str | int]:
    number = st.integers(0, high)
    return st.one_of(number, st.tuples(number, number).map(lambda p: f"{min(p)}-{max(p)}"))


@st.composite
def _flags(draw: st.DrawFn) -> str:
    names = st.lists(st.sampled_from(list(TCP_FLAGS)), min_size=1, unique=True)
    mask = draw(names)
    want = [name for name in mask if draw(st.booleans())]
    return f"{','.join(want) or 'none'}/{','.join(mask)}"


_ALWAYS: dict[str, st.SearchStrategy[Any]] = {
    "iface": st.tuples(st.sampled_from(["", "!"]), IFACES).map("".join),
    "direction": st.sampled_from(["ingress", "egress"]),
    "vlan": st.one_of(
        st.integers(0, 4095),
        st.integers(0, 4095).map(lambda n: f"!{n}"),
        st.sampled_from(["none", "!none"]),
    ),
    "expires": st.datetimes().map(lambda d: d.replace(microsecond=0).isoformat() + "Z"),
    "enabled": st.booleans(),
    "log": st.booleans(),
    "comment": COMMENTS,
}
_IP: dict[str, st.SearchStrategy[Any]] = {
    "length": _span(65575),
    "ttl": _span(255),
    "fragment": st.sampled_from([True, False, "first", "later"]),
}


@st.composite
def rates(draw: st.DrawFn, family: str | None = None) -> str | dict[str, Any]:
    """A rate as a rule takes it, as text or as an object; per wider networks where a family is given."""
    in_bytes = draw(st.booleans())
    number = draw(st.integers(1, 100_000))
    unit = draw(st.sampled_from(["B", "kB"])) if in_bytes else ""
    time = draw(st.sampled_from("smh" if in_bytes else "smhd"))
    parts: dict[str, Any] = {"rate": f"{number * (1000 if unit == 'B' else 1)}{unit}/{time}"}
    least = number * (1000 if in_bytes else 1) // 50 + (1514 if in_bytes else 1) + 1
    if draw(st.booleans()) and not (in_bytes and time != "s"):
        parts["burst"] = least + draw(st.integers(0, 80))
    if draw(st.booleans()):
        bits = draw(st.integers(1, 32 if family == "ipv4" else 64)) if family else None
        parts["per"] = f"src/{bits}" if bits and draw(st.booleans()) else "src"
    if draw(st.booleans()):
        return parts
    words = [parts.pop("rate"), *(f"{name} {value}" for name, value in parts.items())]
    return " ".join(map(str, words))


@st.composite
def rule_objects(draw: st.DrawFn) -> dict[str, Any]:
    """An object that Rule.parse takes."""

    def some(of: dict[str, st.SearchStrategy[Any]]) -> dict[str, Any]:
        return {name: draw(value) for name, value in of.items() if draw(st.booleans())}

    rule = {"action": draw(st.sampled_from(["drop", "accept", "count"])), **some(_ALWAYS)}
    if draw(st.integers(0, 5)) == 0:
        number = st.integers(0x600, 0xFFFF).filter(lambda n: n not in (0x800, 0x86DD))
        if draw(st.booleans()):
            rule[draw(st.sampled_from(["limit", "over"]))] = "100/s"
        rule["ethertype"] = draw(st.one_of(st.sampled_from(["arp", "any"]), number))
        return rule
    proto = draw(st.one_of(st.none(), st.sampled_from([1, 6, 17, 58, 132]), st.integers(0, 255)))
    version = {1: 4, 58: 6}.get(proto or 0) or draw(st.sampled_from([4, 6]))
    if proto is not None:
        rule["proto"] = proto
    rule |= some(_IP)
    address = st.one_of(prefixes(version), SETS)
    rule |= some({"src": address, "dst": address})
    rule |= some({"family": st.just(f"ipv{version}")})
    if proto in (6, 17, 132):
        rule |= some({"sport": _ports(), "dport": _ports()})
    if proto == 6:
        rule |= some({"tcp_flags": _flags()})
    if proto in (1, 58) and draw(st.booleans()):
        names = list(ICMP_TYPES["icmp" if proto == 1 else "icmpv6"])
        rule["icmp_type"] = draw(st.one_of(st.integers(0, 255), st.sampled_from(names)))
        rule |= some({"icmp_code": st.integers(0, 255)})
    if draw(st.booleans()):
        named = rule.get("family") if not {"src", "dst"} & rule.keys() else None
        rule[draw(st.sampled_from(["limit", "over"]))] = draw(rates(named))
    return rule


def rules() -> st.SearchStrategy[Rule]:
    """Any rule, without an id."""
    return rule_objects().map(Rule.parse)


@st.composite
def rulesets(draw: st.DrawFn) -> Ruleset:
    """Any ruleset of up to six rules."""
    ids = draw(
        st.lists(
            st.from_regex(r"[a-z0-9][a-z0-9_-]{0,31}", fullmatch=True), unique=True, max_size=6
        )
    )
    given = [draw(rules()) for _ in range(draw(st.integers(0, 6)))]
    given = [
        rule.with_id(ids[index]) if index < len(ids) else rule for index, rule in enumerate(given)
    ]
    verdict = st.sampled_from(["accept", "drop"])
    obj: dict[str, Any] = {
        "version": 1,
        "policy": {"ingress": draw(verdict), "egress": draw(verdict), "non_ip": draw(verdict)},
        "rules": [rule.to_json() for rule in given],
    }
    if draw(st.booleans()):
        names = draw(st.lists(IFACES, unique=True, max_size=3))
        obj["attachments"] = [
            {"iface": name, "hook": "tc", "direction": draw(_ALWAYS["direction"])} for name in names
        ]
    if draw(st.booleans()):
        used = [name for rule in given for _, name in sets_named_by(rule)]
        more = draw(st.lists(SET_NAMES, max_size=3))
        obj["sets"] = {name: draw(set_contents()) for name in [*used, *more]}
    return Ruleset.parse(obj)
