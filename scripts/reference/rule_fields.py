"""docs/reference/rule-fields.md: each field of a rule, with examples that the parser has read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from xdpwall.api.openapi.words import FIELD_NOTES
from xdpwall.errors import InvalidInput
from xdpwall.rule.field_names import MATCH_FIELDS, READ_ONLY_FIELDS, RULE_FIELDS
from xdpwall.rule.rule import Rule
from xdpwall.rule.sentence_words import BARE, CLAUSES, NEGATABLE, RATED, VALUED
from xdpwall.values.protocols import ICMP_TYPES, PROTOCOLS
from xdpwall.values.services import SERVICE_PORTS

from .markdown import code, page, table

_HEAD = """\
A rule is one object, the same on the command line (`--dport 22`), in ruleset files and over REST; a field that is absent
means any. Or it is a [sentence](#the-sentence). What is read back is canonical, whatever way it came. An unknown field,
a wrong value or a contradiction is refused with the field's name and what would be right, and nothing is changed.
How a field is matched, and what of a packet cannot be read, says
[how a packet is judged](../concepts/how-a-packet-is-judged.md)."""
_NOTES = {
    "action": "drop, accept or count; the first enabled rule that drops or accepts decides, count goes on",
    "direction": "ingress or egress; absent is both",
    "family": "ipv4 or ipv6; icmp implies the one, icmpv6 the other",
    "enabled": "false: it matches nothing, and keeps its place and counters",
}
"""Of the fields of which the OpenAPI document has no note, since their schema says it."""
_READ_BACK = {
    "text": "the canonical sentence, which reads back to the same rule",
    "position": "its place, from 1",
    "packets": "matched, since it was added, its match was changed or its counters were reset",
    "bytes": "of those packets, from the Ethernet header on, without FCS",
    "limited": "packets that only its rate kept from matching",
    "answered": "SYNs of those packets that were answered at XDP, of a rule with cookie",
    "last_hit": "when it matched last, where known",
    "created": "when it was added",
    "expired": "true once `expires` is over: it matches nothing",
}
_EXAMPLES: dict[str, tuple[str, ...]] = {
    "action": ("count tcp/443", "reject tcp/22"),
    "iface": (
        "drop icmp on docker0",
        "drop tcp/22 on not eth0",
        "drop udp on veth*",
        "drop icmp on ports:docker0",
        "drop icmp on container:web",
        "drop icmp on not container:web",
        "drop icmp on averyveryverylongname",
    ),
    "direction": ("drop udp on eth0 out",),
    "ethertype": ("drop ethertype 0x88cc", "drop tcp ethertype arp"),
    "family": ("drop tcp ipv6", "drop icmp ipv6"),
    "proto": ("drop gre", "drop proto 89", "drop tcpp"),
    "src": ("drop from 203.0.113.0/24", "drop tcp/22 from not @office", "drop from 10.0.0.1/8"),
    "dst": ("accept udp/53 to 2001:db8::53",),
    "sport": ("accept udp sport 53", "drop icmp sport 53"),
    "dport": ("drop tcp/https,http,8000-8100", "drop udp dport not 53", "drop tcp/70000"),
    "icmp_type": ("drop icmp/echo-request", "drop icmp/300"),
    "icmp_code": ("drop icmp/destination-unreachable/1",),
    "tcp_flags": (
        "drop tcp flags syn",
        "drop tcp flags none/syn,ack,fin,rst",
        "drop udp flags syn",
    ),
    "vlan": ("drop vlan 42", "drop vlan none", "drop vlan 4096"),
    "length": ("drop icmp length 1001-65535",),
    "ttl": ("drop ttl 0-1",),
    "fragment": ("drop fragment later", "accept udp unfragmented"),
    "limit": ("accept icmp limit 50/s burst 100", "accept icmp limit 50"),
    "over": ("drop tcp/22 flags syn/syn,ack over 6/m burst 6 per src",),
    "expires": ("drop tcp/22 until 2031-01-01T00:00:00Z", "drop tcp/22 for 10 minutes"),
    "enabled": ("drop tcp/22 disabled",),
    "log": ("drop tcp/22 log",),
    "comment": ('drop tcp/22 comment "no ssh from outside"',),
}


def fields_page() -> str:
    """The page as Markdown."""
    notes = {**_NOTES, **FIELD_NOTES}
    rows = [
        [f"[{code(name)}](#{name})", notes[name], "yes" if name in MATCH_FIELDS else "no"]
        for name in RULE_FIELDS
    ]
    overview = table(["field", "values", "a change starts the counters anew"], rows)
    back = table(
        ["read back besides", ""], [[code(name), _READ_BACK[name]] for name in READ_ONLY_FIELDS]
    )
    return page(
        "Rule fields", _HEAD, overview, back, *map(_section, RULE_FIELDS), _sentence(), _names()
    )


def _section(name: str) -> str:
    return "\n\n".join([f"## {name}", _how_said(name), *_shown(name)]).rstrip()


def _how_said(name: str) -> str:
    """How the field is said in a sentence, and as a flag."""
    words = [code(word + (" VALUE" if word in VALUED else "")) for word in _words(name)]
    if name == "id":
        return "`^[a-z0-9][a-z0-9_-]{0,31}$`. Made when absent: r1, r2, ... A number is never given twice by itself. Flag `--id`."
    if name == "action":
        return "The first word of a sentence, and the first argument of `rule add`."
    if name in ("proto", "icmp_type", "icmp_code"):
        words = ["right behind the action: `icmp/TYPE/CODE`, `tcp`, `proto 89`"]
    if name == "dport":
        words.insert(0, "behind the protocol: `tcp/22`")
    if name == "fragment":
        words = ["`fragment`, `fragment first`, `fragment later`, `unfragmented`"]
    flag = {
        "enabled": "`xdpwall rule enable`, `rule disable`",
        "log": "`--log`",
        "expires": "`--expires`, `--for`",
    }
    negated = (
        "; `not` in front of the value for every other one"
        if set(_words(name)) & set(NEGATABLE)
        else ""
    )
    return f"In a sentence: {', '.join(words)}{negated}. Flag: {flag.get(name, code('--' + name.replace('_', '-')))}."


def _words(name: str) -> Iterator[str]:
    for word in CLAUSES:
        if name in (VALUED.get(word, ("",))[0], BARE.get(word, ("",))[0]):
            yield word


def _shown(name: str) -> Iterator[str]:
    """What the parser makes of the examples: the fields, or its refusal."""
    lines = []
    for text in _EXAMPLES.get(name, ()):
        try:
            fields = Rule.parse(text).to_json()
        except InvalidInput as error:
            lines += [f"{text}", f"    error: {error.message}"]
            lines += [f"    hint: {error.hint}"] if error.hint else []
        else:
            lines += [f"{text}", f"    {_compact(fields)}"]
    if lines:
        yield "\n".join(["```text", *lines, "```"])


def _compact(fields: dict[str, Any]) -> str:
    usual = Rule.parse("drop").to_json()
    said = {
        key: value for key, value in fields.items() if key == "action" or usual.get(key) != value
    }
    return ", ".join(f"{key}: {value}" for key, value in said.items())


def _sentence() -> str:
    rows = [[code(word), *VALUED[word][::-1]] for word in CLAUSES if word in VALUED]
    rows = [[word, takes, code(field)] for word, takes, field in rows]
    rows += [
        [code(word), "stands alone", f"`{field}`: {str(value).lower()}"]
        for word, (field, value) in BARE.items()
    ]
    rows += [[code(word), text, "`limit`, `over`"] for word, text in RATED.items()]
    return f"""\
## The sentence

    ACTION [icmp[/TYPE[/CODE]] | icmpv6[/TYPE[/CODE]] | tcp[/PORTS] | udp[/PORTS] | sctp[/PORTS] | NAME | proto N] CLAUSES

Clauses stand in any order, each once; read back they stand in this one: {", ".join(map(code, CLAUSES))}. A word that
takes a value takes the next word, whatever it is. `!10.0.0.0/8` is read as `not 10.0.0.0/8`.

{table(["word", "takes", "field"], rows)}"""


def _names() -> str:
    names = ", ".join(f"{name} {port}" for name, port in sorted(SERVICE_PORTS.items()))
    icmp = "; ".join(
        f"{family}: {', '.join(f'{name} {number}' for name, number in types.items())}"
        for family, types in ICMP_TYPES.items()
    )
    protocols = ", ".join(f"{name} {number}" for name, number in PROTOCOLS.items())
    return f"""\
## Names for numbers

The same on each host, whatever its /etc/services says. Ports are read by name and printed as numbers: {names}.

Protocols: {protocols}. ICMP types, {icmp}."""
