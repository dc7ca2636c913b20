"""What the reader of sentences says to a word that other firewalls have and this one has not. Pure.

Hints only: each says how it is written here, and none is taken as if it were. Imported for an error alone.
"""

from __future__ import annotations

import re

from xdpwall.values.inputs import did_you_mean
from xdpwall.values.protocols import (
    ICMP_PROTOCOLS,
    ICMP_TYPES,
    PORT_PROTOCOLS,
    PROTOCOLS,
    TCP_FLAGS,
)
from xdpwall.values.services import SERVICE_PORTS

from .sentence_words import ACTIONS, CLAUSES
from .states import STATES

_DROPS = "here it is called drop, which ends the packet without an answer"
_ACCEPTS = "here it is called accept"
_ELSEWHERE = "a sentence is shorter, like accept tcp/22 in: xdpwall help coming-from"
FOREIGN_ACTIONS = {
    **dict.fromkeys(("deny", "block", "reject", "discard", "refuse", "ban"), _DROPS),
    **dict.fromkeys(("allow", "permit", "pass", "return"), _ACCEPTS),
    "log": "log is a clause: count tcp/22 log",
    "rule": "a sentence begins with its action",
    **dict.fromkeys(
        ("-a", "-i", "iptables", "ip6tables", "nft", "ufw", "firewall-cmd"), _ELSEWHERE
    ),
}
"""What other firewalls call an action: the hint for who writes it here. In lower case."""
FOREIGN_CLAUSES = {
    **dict.fromkeys(("source", "src", "saddr", "-s"), "here it is called from"),
    **dict.fromkeys(("destination", "dest", "dst", "daddr", "-d"), "here it is called to"),
    **dict.fromkeys(("iface", "interface", "dev", "via", "-i", "-o"), "here it is called on"),
    **dict.fromkeys(("iif", "iifname"), "here it is: on IFACE in"),
    **dict.fromkeys(("oif", "oifname"), "here it is: on IFACE out"),
    **dict.fromkeys(("ingress", "inbound", "incoming", "input"), "here it is called in"),
    **dict.fromkeys(("egress", "outbound", "outgoing", "output"), "here it is called out"),
    **dict.fromkeys(("port", "ports"), "a port stands behind a slash, tcp/22, or after dport"),
    **dict.fromkeys(
        ("any", "all", "anywhere", "everything", "ip", "rest", "else", "other", "*"),
        "what a rule does not name is any: leave it out",
    ),
    **dict.fromkeys(("protocol", "-p"), "the protocol stands right after the action: drop tcp"),
    **dict.fromkeys(("ct", "ctstate", "conntrack"), "here it is called state"),
    **dict.fromkeys(STATES, "a state stands after state: state established,related"),
    **dict.fromkeys(
        ("synproxy", "syncookie", "syncookies", "syn-cookie"), "here it is called cookie"
    ),
    **dict.fromkeys(
        ("stateful", "keep-state", "keepstate"),
        "packets that pass by an accept rule make a flow with: keep",
    ),
    **dict.fromkeys(("rate", "ratelimit", "rate-limit", "hashlimit"), "here it is called limit"),
    "burst": "it follows a rate: limit 50/s burst 100",
    **dict.fromkeys(("per", "by"), "it follows a rate: over 6/m per src"),
    **dict.fromkeys(("ping", "pings"), "a ping is icmp/echo-request, or icmpv6/echo-request"),
    **dict.fromkeys(("and", "&&"), "clauses follow each other without a word between them"),
    **dict.fromkeys(
        ("or", "||"),
        "a rule has one of each: several ports are 80,443, several addresses a set: @NAME",
    ),
    **dict.fromkeys(
        ("not", "!", "except", "but", "!="),
        "not stands behind from, to, sport, dport, on, vlan or state: from not 10.0.0.0/8",
    ),
    **dict.fromkeys(
        TCP_FLAGS, "TCP's flags stand after flags, which are set of which: flags syn/syn,ack"
    ),
    **dict.fromkeys(
        ("both", "forward", "bidirectional"), "without in and out a rule is about both directions"
    ),
    **dict.fromkeys(("<", ">", "<=", ">="), "a range has a dash: ttl 0-4, dport 1024-65535"),
    **dict.fromkeys(("icmp6", "ipv6-icmp", "icmp-v6", "ping6"), "here it is called icmpv6"),
    **dict.fromkeys(("inet", "ip4", "-4"), "here it is called ipv4"),
    **dict.fromkeys(("inet6", "ip6", "-6"), "here it is called ipv6"),
    **dict.fromkeys(("type", "code"), "a type stands behind a slash: icmp/echo-request"),
    "arp": "what is not IP stands after ethertype: ethertype arp",
    **dict.fromkeys(("lo", "loopback"), "an interface stands after on: on lo"),
    **dict.fromkeys(
        ("multicast", "broadcast"),
        "a group is an address: to 224.0.0.0/4, to ff00::/8, to 255.255.255.255",
    ),
    **dict.fromkeys(
        ("mac", "ether", "dscp", "tos", "mark", "uid"),
        "rules do not read that; what they read: xdpwall help rule-fields",
    ),
    **dict.fromkeys(
        ("#", "//", "--comment", "-m"), 'a remark stands in quotes: comment "no pings"'
    ),
}
"""What other firewalls call a clause: the hint for who writes it here. In lower case."""

_AFTER = {
    "set": "a set stands behind an @: from @{word}",
    "rate": "a rate stands right after limit or over: limit {word}",
    "type": "a type stands behind a slash: icmp/{word}",
    "<": "a range has a dash: 0-{word}",
    "comment": 'a comment of several words stands in quotes: comment "no pings"',
}
"""The hint for a word that nothing takes, by the word in front of it."""
_NETWORK_CARD = re.compile(
    r"(eth|en[opsx]|wl|docker|br-?|virbr|veth|bond|team|wg|tun|tap|ppp|vlan)[0-9*][\w.*-]*",
    re.ASCII,
)
"""The usual names of interfaces."""


def action_hint(word: str) -> str | None:
    """What to write in place of a first word that is no action."""
    head = re.split("[/:]", word)[0]
    if head in PROTOCOLS:
        return f"the action stands first: accept {word}"
    return FOREIGN_ACTIONS.get(word.lower()) or did_you_mean(word, ACTIONS)


def clause_hint(word: str, before: str, proto: str | None, action: str, second: bool) -> str | None:
    """What to write in place of a word that is no clause.

    `before` is the word in front of it, `proto` the protocol that was said, `action` the action with a blank
    behind it or nothing, and `second` whether a protocol might have stood there.
    """
    return (
        _misplaced(word, proto, action, second)
        or (_AFTER[before].format(word=word) if before in _AFTER else None)
        or _by_form(word, proto, second)
        or FOREIGN_CLAUSES.get(word.lower())
        or _alike(word, second)
    )


def _misplaced(word: str, proto: str | None, action: str, second: bool) -> str | None:
    """Words of the language at a wrong place."""
    head = word.partition("/")[0]
    if head in (*PROTOCOLS, "proto"):
        if not action:
            return f"the protocol stands first: {word}"
        return f"the protocol stands right after the action: {action}{word}"
    if word in ACTIONS:
        return "the action stands first, once" if action else "a packet has no action: leave it out"
    if second and word in SERVICE_PORTS:
        return f"a service stands behind its protocol: tcp/{word} or udp/{word}"
    kinds = [name for name in ICMP_PROTOCOLS if word in ICMP_TYPES[name] and proto in (name, None)]
    if kinds:
        return "a type stands behind its protocol: " + " or ".join(f"{k}/{word}" for k in kinds)
    return None


def _by_form(word: str, proto: str | None, second: bool) -> str | None:
    """Addresses, ports, lists and names of interfaces, known by what they look like."""
    head, slash, rest = word.partition("/")
    if rest in PORT_PROTOCOLS:
        return f"the protocol stands in front of the port: {rest}/{head}"
    if slash and not head:
        return f"a rate is one word: 50{word}"
    if word[:1] == "@" or head.count(".") == 3 or word.count(":") > 1:
        return f"an address stands after from or to: from {word}"
    if word[:1].isdigit() and not slash and proto in PORT_PROTOCOLS:
        return f"a port stands behind a slash: {proto}/{word}"
    several = re.split(r"[,+|]", head)
    if len(several) > 1 and set(several) <= set(PROTOCOLS):
        each = ", ".join(f"{one}{slash}{rest}" for one in several)
        return f"a rule is about one protocol: write a rule for each, {each}"
    if len(several) > 1 and {one.lower() for one in several} <= {*STATES, ""}:
        return f"a state stands after state: state {word.strip(',').lower()}"
    port = re.fullmatch(r"(tcp|udp|sctp)[:.]([\w,-]+)", word, re.ASCII)
    if port and second:
        return f"a port stands behind a slash: {port[1]}/{port[2]}"
    if _NETWORK_CARD.fullmatch(word):
        return f"an interface stands after on: on {word}"
    return None


def _alike(word: str, second: bool) -> str | None:
    head, slash, rest = word.partition("/")
    if slash and second:
        hint = did_you_mean(head, PROTOCOLS)
        return hint and f"{hint[:-2]}/{rest}'?"
    return did_you_mean(word, (*PROTOCOLS, *CLAUSES) if second else CLAUSES)
