"""The sentence: read, written, and errors that point at the word."""

from __future__ import annotations

from typing import Any

import pytest

from xdpwall.errors import InvalidInput
from xdpwall.rule.rule import Rule
from xdpwall.rule.sentence_read import join_words
from xdpwall.rule.sentence_write import write_sentence


@pytest.mark.parametrize(
    ("sentence", "fields"),
    [
        ("drop icmp on docker0", {"proto": "icmp", "iface": "docker0"}),
        (
            "drop tcp/22 from not 10.0.0.0/8 on eth0 in",
            {
                "proto": "tcp",
                "dport": "22",
                "src": "!10.0.0.0/8",
                "iface": "eth0",
                "direction": "ingress",
            },
        ),
        ("accept udp sport 53", {"action": "accept", "proto": "udp", "sport": "53"}),
        ("drop ethertype 0x88cc", {"ethertype": "0x88cc"}),
        ("drop", {}),
        ("count icmpv6/135", {"action": "count", "proto": "icmpv6", "icmp_type": 135}),
        (
            "drop icmp/destination-unreachable/3",
            {"proto": "icmp", "icmp_type": 3, "icmp_code": 3},
        ),
        ("drop tcp/80,443,8000-8100", {"proto": "tcp", "dport": "80,443,8000-8100"}),
        ("drop tcp dport not 22", {"proto": "tcp", "dport": "!22"}),
        ("drop tcp/22 sport not 1024-65535", {"proto": "tcp", "dport": 22, "sport": "!1024-65535"}),
        ("drop gre", {"proto": "gre"}),
        ("drop proto 89", {"proto": 89}),
        ("drop ipv6", {"family": "ipv6"}),
        ("drop to 2001:db8::/32", {"dst": "2001:db8::/32"}),
        ("drop on in", {"iface": "in"}),
        ("drop on out out", {"iface": "out", "direction": "egress"}),
        ("drop on not eth0", {"iface": "!eth0"}),
        ('drop on "not"', {"iface": "not"}),
        ('drop on not "not"', {"iface": "!not"}),
        ("drop vlan not none", {"vlan": "!none"}),
        ("drop tcp flags syn/syn,ack", {"proto": "tcp", "tcp_flags": "syn/syn,ack"}),
        ("drop length 0-64 ttl 1", {"length": "0-64", "ttl": 1}),
        ("drop fragment", {"fragment": True}),
        ("drop fragment first disabled", {"fragment": "first", "enabled": False}),
        ("drop unfragmented", {"fragment": False}),
        ("drop until 2026-11-21T10:00:00Z", {"expires": "2026-11-21T10:00:00Z"}),
        ('drop comment "a \\"b\\" \\\\ c"', {"comment": 'a "b" \\ c'}),
        ('drop comment "from"', {"comment": "from"}),
    ],
)
def test_a_sentence_is_its_own_canonical_form(sentence: str, fields: dict[str, Any]) -> None:
    rule = Rule.parse(sentence)
    assert rule == Rule.parse({"action": "drop", **fields})
    written = write_sentence(rule)
    if sentence not in ("count icmpv6/135",):
        assert written == sentence
    assert Rule.parse(written) == rule


@pytest.mark.parametrize(
    ("given", "canonical"),
    [
        ("  drop \t icmp\n", "drop icmp"),
        ("drop in on eth0 from 10.0.0.1 proto 6", None),
        ("drop in on eth0 from 10.0.0.1", "drop from 10.0.0.1 on eth0 in"),
        ("drop proto 6 dport 80", "drop tcp/80"),
        ("drop from !10.0.0.0/8", "drop from not 10.0.0.0/8"),
        ("drop on !eth0 vlan !3", "drop on not eth0 vlan not 3"),
        ("drop tcp/!22", "drop tcp dport not 22"),
        ("drop tcp flags syn", "drop tcp flags syn/syn"),
        ("drop icmp/8", "drop icmp/echo-request"),
        ("drop ethertype 2054", "drop ethertype arp"),
        ("drop comment word", 'drop comment "word"'),
        ('drop comment ""', "drop"),
        ("count icmpv6/135", "count icmpv6/neighbor-solicitation"),
    ],
)
def test_other_spellings(given: str, canonical: str | None) -> None:
    if canonical is None:
        with pytest.raises(InvalidInput):
            Rule.parse(given)
    else:
        assert Rule.parse(given).text == canonical


def test_for_prints_as_until() -> None:
    text = Rule.parse("drop icmp for 10m").text
    assert text.startswith("drop icmp until 2")
    assert Rule.parse(text).text == text


@pytest.mark.parametrize(
    ("sentence", "wrong", "field", "message"),
    [
        ("dorp icmp", "dorp", "action", "'dorp' at character 1: expected drop, accept or count"),
        ("drop icmp fron 10.0.0.1", "fron", "text", "'fron' at character 11: expected a clause"),
        ("drop icmp on", "on", "iface", "'on' at character 11: expected the name of an interface"),
        ("drop from not", "from not", "src", "'from not' at character 6: expected an address"),
        ("drop from 10.0.0.5/8 on eth0", "10.0.0.5/8", "src", "(at character 11)"),
        ("drop tcp/shh on eth0", "shh", "dport", "'shh' is not a port"),
        ("drop tcp from 10.0.0.1 to any", "any", "dst", "leave dst out"),
        ("drop icpm", "icpm", "text", "expected a protocol: icmp, ipip, tcp, udp, gre"),
        ("drop tcp from 10.0.0.1,10.0.0.2", "10.0.0.1,10.0.0.2", "src", "is a list"),
        ("drop from 10.0.0.0/8,192.168.0.0/16", "10.0.0.0/8,192.168.0.0/16", "src", "is a list"),
        ("drop tcp/", "tcp/", "dport", "expected ports after the /"),
        ("drop icmp/", "icmp/", "icmp_type", "expected icmp/TYPE"),
        ("drop icmp/8/", "icmp/8/", "icmp_type", "icmp/TYPE/CODE"),
        ("drop icmp/8/x", "x", "icmp_code", "0 to 255"),
        ("drop icmp/pong", "pong", "icmp_type", "is not a type of icmp"),
        ("drop gre/3", "gre/3", "text", "gre alone"),
        ("drop tcp/80 dport 90", "90", "dport", "only once, '80' says it already"),
        ("drop ipv4 ipv6", "ipv6", "family", "only once"),
        ("drop in out", "out", "direction", "only once"),
        ("drop fragment unfragmented", "unfragmented", "fragment", "only once"),
        ("drop for 10m until 2026-11-21T10:00:00Z", "2026-11-21T10:00:00Z", "expires", "only once"),
        ("drop for 2026-11-21T10:00:00Z", "2026-11-21T10:00:00Z", "expires", "not a duration"),
        ("drop until 10m", "10m", "expires", "is not a time"),
        ("drop icmp from 2001:db8::1", "2001:db8::1", "src", "proto: icmpv6"),
        ("drop udp flags syn", "syn", "tcp_flags", "tcp beside it"),
        ("drop sport 53", "53", "sport", "tcp, udp or sctp"),
        ("drop ethertype arp from 10.0.0.1", "10.0.0.1", "src", "src or ethertype"),
        ("drop proto", "proto", "proto", "0 to 255"),
        ("drop proto 300", "300", "proto", "0 to 255"),
        ("drop on eth0 icmp", "icmp", "text", "expected a clause"),
        ("drop drop", "drop", "text", "or a clause: ipv4"),
        ("drop icmp log log", "log", "log", "only once"),
        ("drop from @Friends", "@Friends", "src", "is not the name of a set"),
        ("drop from not !10.0.0.1", "!10.0.0.1", "src", "one too many"),
        ('drop comment "open', '"open', "comment", "a closing quote"),
        ('drop comment "a"b', '"a"b', "comment", "a closing quote"),
        ('drop "icmp"', '"icmp"', "text", "expected a clause"),
        ("drop comment two words", "words", "text", "expected a clause"),
        ("", "", "action", "an empty sentence"),
        ("   ", "", "action", "an empty sentence"),
    ],
)
def test_an_error_points_at_the_word(sentence: str, wrong: str, field: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Rule.parse(sentence)
    error = caught.value
    assert error.span is not None
    last = sentence.rfind(wrong)
    assert sentence[slice(*error.span)] == wrong
    assert error.span == (last, last + len(wrong))
    assert error.field == field
    assert message in error.message


@pytest.mark.parametrize(
    ("sentence", "hint"),
    [
        ("dorp icmp", "did you mean 'drop'?"),
        ("drop icmp fron 10.0.0.1", "did you mean 'from'?"),
        ("drop on eth0 icmp", "the protocol stands right after the action: drop icmp"),
        ("drop tcp 22", "a port stands behind a slash: tcp/22"),
        ("drop comment two words", "a comment of several words stands in quotes"),
        ("drop drop", "the action stands first, once"),
        *((f"{word} tcp/22", "called drop") for word in ("deny", "block", "Reject", "DISCARD")),
        *((f"{word} tcp/22", "called accept") for word in ("allow", "permit", "PASS")),
        ("DROP tcp/22", "did you mean 'drop'?"),
        ("log tcp/22", "count tcp/22 log"),
        ("drop icpm", "did you mean 'icmp'?"),
        ("drop ICMP", "did you mean 'icmp'?"),
        ("drop tpc/22", "did you mean 'tcp/22'?"),
        ("drop icmp/8 FROM 10.0.0.1", "did you mean 'from'?"),
        ("drop tcp source 10.0.0.1", "called from"),
        ("drop tcp port 22", "tcp/22"),
        ("drop all", "leave it out"),
        ("drop 10.0.0.1", "from 10.0.0.1"),
        ("drop ssh", "tcp/ssh"),
        ("drop tcp/ssj", "did you mean 'ssh'?"),
        ("drop tcp/gopher", "only the usual ones"),
        ("drop from 10.0.0.0/8,192.168.0.0/16", "then @NAME"),
        ("accept related,established", "state related,established"),
        ("accept established, related", "state established"),
        ("accept state established, related", "state established,related"),
        ("accept tcp/22 keep state", "keep stands alone"),
        ("accept tcp/22 state keep", "keep stands alone"),
        ("accept tcp/22 keep-state", "with: keep"),
        ("accept tcp/22 state any", "leave state out"),
        ("accept icmp echo-request", "a type stands behind its protocol: icmp/echo-request"),
        ("accept icmpv6 echo-reply", "icmpv6/echo-reply"),
        ("accept echo-request", "icmp/echo-request or icmpv6/echo-request"),
        ("accept icmp type 8", "icmp/echo-request"),
        ("accept icmp/ping", "icmp/echo-request"),
        ("drop from any", "leave from out"),
        ("drop tcp/22 to anywhere", "leave to out"),
        ("drop from *", "leave from out"),
        ("drop tcp/any", "leave the ports out"),
        ("drop from eth0", "an interface stands after on"),
        ("drop icmp docker0", "on docker0"),
        ("accept tcp/22 in eth0", "on eth0"),
        ("accept lo", "on lo"),
        ("drop from set bad", "from @bad"),
        ("drop from 10.0.0.1-10.0.0.9", "then @NAME"),
        ("drop tcp to 10.0.0.1:22", "tcp/22 to 10.0.0.1"),
        ("accept 80/tcp", "tcp/80"),
        ("accept tcp:22", "tcp/22"),
        ("accept tcp/80:90", "80-90"),
        ("accept tcp/{80,443}", "a list has no brackets: 80,443"),
        ("accept tcp/22/in", "tcp/22 in"),
        ("drop tcp,udp/53", "a rule for each, tcp/53, udp/53"),
        ("drop tcp syn", "flags syn/syn,ack"),
        ("drop tcp/22 limit 5 per minute", "5/m"),
        ("drop tcp/22 limit rate 5/minute", "limit 5/minute"),
        ("drop tcp/22 over 5 /s", "a rate is one word"),
        ("drop tcp/22 over 5pps", "5/s"),
        ("drop tcp/22 over 10Mbps", "rates are in bytes"),
        ("drop tcp/22 over 5/s per ip", "per src"),
        ("drop tcp/22 over 5/s by src", "per src"),
        ("drop not tcp", "not stands behind from"),
        ("drop tcp/22 except 10.0.0.1", "from not 10.0.0.0/8"),
        ("drop tcp from 10.0.0.1 or 10.0.0.2", "@NAME"),
        ("drop icmp both", "without in and out"),
        ("drop icmp in out", "without in and out"),
        ("drop ttl < 5", "0-5"),
        ("accept arp", "ethertype arp"),
        ("accept inet6", "ipv6"),
        ("accept ipv6-icmp", "icmpv6"),
        ("tcp/22 accept", "the action stands first: accept tcp/22"),
        ("-A INPUT -p tcp -j ACCEPT", "xdpwall help coming-from"),
        ("drop icmp on port:docker0", "ports:docker0"),
        ("drop icmp on bridge:docker0", "ports:docker0"),
    ],
)
def test_hints(sentence: str, hint: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Rule.parse(sentence)
    assert hint in (caught.value.hint or "")


def test_a_command_lines_words_make_a_sentence() -> None:
    assert join_words(["drop", "icmp", "comment", 'no "x" pings', "on", "eth0"]) == (
        'drop icmp comment "no \\"x\\" pings" on eth0'
    )
    assert join_words(["drop", "on", "not", "comment", "in"]) == "drop on not comment in"
    assert join_words(["drop icmp on eth0"]) == "drop icmp on eth0"
    assert Rule.parse(join_words(["drop", "comment", ""])).comment is None
