"""A rule's fields together: all are parsed, contradictions refused. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xdpwall.errors import InvalidInput
from xdpwall.values.addresses import CONTAINER, container_use
from xdpwall.values.inputs import did_you_mean, field_label, invalid
from xdpwall.values.protocols import ICMP_PROTOCOLS, PORT_PROTOCOLS, icmp_type_number
from xdpwall.values.rates import check_source_bits, rate_of

from .cookies import check_cookie
from .field_names import IP_FIELDS, READ_ONLY_FIELDS, RULE_FIELDS
from .fields import PARSERS, parse_icmp_code, parse_icmp_type

_ICMP_FAMILIES: Mapping[Any, str] = {"icmp": "ipv4", "icmpv6": "ipv6"}
_PARSERS = dict(PARSERS)


def canonical_fields(values: Mapping[Any, Any]) -> dict[str, Any]:
    """Parse the fields of a rule; InvalidInput names the first field that is wrong."""
    rule: dict[str, Any] = {}
    for name, value in values.items():
        parser = _PARSERS.get(name) if isinstance(name, str) else None
        if parser is None:
            if name in ("icmp_type", "icmp_code"):
                continue
            raise _unknown(name, value)
        if value is None:
            raise invalid(name, None, "is no value", f"a value, or no {name} at all")
        result = parser(value)
        if result is not None:
            rule[name] = result
    if "icmp_type" in values or "icmp_code" in values:
        _icmp(rule, values)
    if "action" not in rule:
        raise InvalidInput("action: missing; wanted drop, accept or count", field="action")
    if "ethertype" in rule:
        _ethertype(rule)
    if rule.get("keep"):
        _keep(rule)
    if rule.get("cookie"):
        check_cookie(rule)
    _layers(rule)
    _families(rule)
    if container_use(rule.get("src")) is not None:
        _from_container(rule)
    if "limit" in rule or "over" in rule:
        _rates(rule)
    return rule


def _unknown(name: object, value: object) -> InvalidInput:
    shown = field_label(name)
    if not isinstance(name, str):
        return invalid(shown, value, "stands under a name that is not text", "a known field")
    if name in READ_ONLY_FIELDS:
        return invalid(name, value, "is only read back", f"the rule without {name}")
    return InvalidInput(
        f"{shown}: a rule has no such field; known: {', '.join(RULE_FIELDS)}",
        field=shown,
        code="unknown-field",
        hint=did_you_mean(name, RULE_FIELDS),
    )


def _icmp(rule: dict[str, Any], values: Mapping[Any, Any]) -> None:
    for name in ("icmp_type", "icmp_code"):
        if name not in values:
            continue
        value = values[name]
        proto = rule.get("proto")
        if value is None:
            raise invalid(name, None, "is no value", f"a value, or no {name} at all")
        if proto not in ICMP_PROTOCOLS:
            raise invalid(name, value, _without(proto), "proto: icmp or icmpv6 beside it")
        if name == "icmp_type":
            rule[name] = parse_icmp_type(value, proto)
        elif "icmp_type" not in rule:
            raise invalid(name, value, "stands without a type", "icmp_type beside it")
        else:
            kind = icmp_type_number(proto, rule["icmp_type"])
            rule[name] = parse_icmp_code(value, proto, kind)


def _without(proto: object) -> str:
    if proto is None:
        return "stands without a protocol"
    return f"stands beside proto {proto}, which has none"


def _ethertype(rule: dict[str, Any]) -> None:
    for name in IP_FIELDS:
        if name in rule:
            raise invalid(
                name,
                rule[name],
                f"cannot stand beside ethertype {rule['ethertype']}, which is about frames, not IP",
                f"{name} or ethertype, not both",
            )


def _keep(rule: dict[str, Any]) -> None:
    if rule["action"] != "accept":
        raise invalid(
            "keep",
            rule["keep"],
            f"stands on a rule that says {rule['action']}: only packets that it accepts make a flow",
            "keep on an accept rule",
        )
    if "ethertype" in rule:
        raise invalid(
            "keep",
            rule["keep"],
            f"cannot stand beside ethertype {rule['ethertype']}: only IP packets make a flow",
            "keep or ethertype, not both",
        )


def _from_container(rule: dict[str, Any]) -> None:
    """It is about what comes in by the container's own port, where nobody else can write its address."""
    src = rule["src"]
    if rule.get("direction") == "egress":
        raise invalid(
            "direction",
            "egress",
            f"cannot stand beside src {src}, which is met as it comes in by the container's port",
            "no direction, or ingress",
        )
    if rule.get("iface", src) != src:
        raise invalid(
            "iface",
            rule["iface"],
            f"cannot stand beside src {src}, which is met at the container's own port",
            "no iface",
        )


def _layers(rule: dict[str, Any]) -> None:
    proto = rule.get("proto")
    if proto not in PORT_PROTOCOLS:
        for name in ("sport", "dport"):
            if name in rule:
                raise invalid(
                    name, rule[name], _without(proto), "proto: tcp, udp or sctp beside it"
                )
    if proto != "tcp" and "tcp_flags" in rule:
        raise invalid("tcp_flags", rule["tcp_flags"], _without(proto), "proto: tcp beside it")


def _rates(rule: dict[str, Any]) -> None:
    if "limit" in rule and "over" in rule:
        raise invalid(
            "over", rule["over"], f"stands beside limit {rule['limit']}", "one of the two in a rule"
        )
    name = "limit" if "limit" in rule else "over"
    if "ethertype" in rule and rate_of(rule[name]).per_source:
        raise invalid(
            name,
            rule[name],
            f"says per src beside ethertype {rule['ethertype']}, and only IP has a source",
            "one bucket for all of them: without per src",
        )
    rule[name] = check_source_bits(name, rule[name], implied_family(rule)[0])


def implied_family(rule: Mapping[str, Any]) -> tuple[str | None, str]:
    """(family, the field that says so): given, or implied by icmp, icmpv6 or an address."""
    family = _ICMP_FAMILIES.get(rule.get("proto"))
    if family:
        return family, "proto"
    for name in ("src", "dst"):
        family = family_of(rule.get(name))
        if family:
            return family, name
    return rule.get("family"), "family"


def family_of(address: str | None) -> str | None:
    """The family of a canonical `src` or `dst`; a set and a container have none."""
    if address is None or "@" in address or address.startswith(CONTAINER):
        return None
    return "ipv6" if ":" in address else "ipv4"


def _families(rule: dict[str, Any]) -> None:
    icmp, addresses = _ICMP_FAMILIES.get(rule.get("proto")), (rule.get("src"), rule.get("dst"))
    if len({None, icmp, rule.get("family"), *map(family_of, addresses)}) <= 2:
        return
    family, because = implied_family(rule)
    for name in ("family", "src", "dst"):
        value = rule.get(name)
        other = value if name == "family" else family_of(value)
        if other and other != family:
            raise invalid(
                name,
                value,
                f"is {other}, but {because} {rule[because]} is {family}",
                f"both of one family{_counterpart(rule, because)}",
            )


def _counterpart(rule: Mapping[str, Any], because: str) -> str:
    if because != "proto":
        return ""
    return f", or proto: {'icmpv6' if rule['proto'] == 'icmp' else 'icmp'}"
