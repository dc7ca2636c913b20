"""The bench's rules and sets in the syntax of nftables and iptables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bench.packets.rulesets import Family

Rule = Mapping[str, Any]


def nft_table(iface: str, lines: Iterable[str], policy: str, sets: str = "") -> str:
    """A netdev table with one chain at the ingress of an interface, for `nft -f`."""
    body = "\n".join(lines)
    return (
        f"table netdev bench {{\n{sets}\nchain c {{\n"
        f"type filter hook ingress device {iface} priority 0; policy {policy};\n{body}\n}}\n}}\n"
    )


def nft_line(rule: Rule, family: Family) -> str:
    """A rule of rulesets.rules(), for a chain of nft_table()."""
    ip = "ip" if family == "ipv4" else "ip6"
    parts = [f"{ip} {name}addr {rule[key]}" for name, key in _SIDES if key in rule]
    if not parts:
        parts = [f"meta protocol {ip}"]
    proto = rule.get("proto")
    upper = [f"{proto} {key} {rule[key]}" for key in ("sport", "dport") if key in rule]
    if "tcp_flags" in rule:
        want, mask = rule["tcp_flags"].split("/")
        upper.append(f"tcp flags & ({mask.replace(',', '|')}) == {want}")
    if "icmp_type" in rule:
        upper.append(f"{'icmp' if ip == 'ip' else 'icmpv6'} type {rule['icmp_type']}")
    if proto and not upper:
        upper = [f"meta l4proto {_PROTOS.get(proto, proto)}"]
    return " ".join([*parts, *upper, "counter", rule["action"]])


def nft_set(name: str, family: Family, entries: Iterable[str], *, interval: bool) -> str:
    """A named set with all its elements, for nft_table()."""
    kind = "ipv4_addr" if family == "ipv4" else "ipv6_addr"
    flags = "flags interval;" if interval else ""
    return f"set {name} {{ type {kind}; {flags}\nelements = {{ {', '.join(entries)} }}\n}}"


def iptables_file(rules: Iterable[Rule], policy: str) -> str:
    """The rules of the raw table, for iptables-nft-restore and ip6tables-nft-restore."""
    lines = "\n".join(map(_iptables_line, rules))
    head = f"*raw\n:PREROUTING {policy.upper()} [0:0]\n:OUTPUT ACCEPT [0:0]\n"
    return f"{head}{lines}\nCOMMIT\n"


def _iptables_line(rule: Rule) -> str:
    parts = ["-A PREROUTING"]
    parts += [f"-{key[0]} {rule[key]}" for _, key in _SIDES if key in rule]
    proto = rule.get("proto")
    if proto:
        parts.append(f"-p {_PROTOS.get(proto, proto)}")
    parts += [f"--{key} {rule[key].replace('-', ':')}" for key in ("sport", "dport") if key in rule]
    if "tcp_flags" in rule:
        want, mask = rule["tcp_flags"].upper().split("/")
        parts.append(f"--tcp-flags {mask} {want}")
    if "icmp_type" in rule:
        parts.append(f"--{proto}-type {rule['icmp_type']}".replace("ipv6-icmp", "icmpv6"))
    return " ".join([*parts, f"-j {rule['action'].upper()}"])


_SIDES = (("s", "src"), ("d", "dst"))
_PROTOS = {"icmpv6": "ipv6-icmp"}
